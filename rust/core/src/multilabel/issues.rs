//! Tag issues: which tags are wrong, or missing, how many, and in which order to look at them.

use crate::blocks::Workers;
use crate::error::{Error, Result};
use crate::format::Meaning;
use crate::input::Matrix;
use crate::joint::ConfidentJoint;
use crate::pred_probs::PredProbs;
use crate::prune::{Filter, PruneCounts};
use crate::quality::{Adjust, Method};
use crate::rank::{ordered, rows_of_mask};
use crate::row::Several;

use super::bounds::{Cell, Guesses, Range};
use super::look::{Candidate, ClassCounts, Seen, look};
use super::quality::{Aggregate, scores_of};
use super::select::{By, Quotas, all_again};
use super::sums::means;
use super::{TagLabels, check_shape, disagrees, with_cells};

/// How many examples the prune filters remove from each side of each class.
#[derive(Debug, Clone, PartialEq)]
pub enum Removals {
    /// As many as the confident joints say: counted and calibrated here, unless they are given.
    Joints {
        /// Joints to use as they are.
        confident_joints: Option<Joints>,
        /// The share of them to remove, from 0 to 1.
        frac_noise: f64,
        /// How many to remove instead, of those without and of those with the tag.
        per_class: Option<Vec<[usize; 2]>>,
    },
    /// As many as these prune counts say: `[true][given]` of each class.
    Counts(Vec<[i64; 4]>),
}

/// A joint for each class, `[given][true]` in C order.
pub type Joints = Vec<[f64; 4]>;

/// What to look for.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// Which cells to flag.
    pub filter: Filter,
    /// For the filters that prune: how many.
    pub removals: Removals,
    /// A side of a class with no more examples than this loses none.
    pub min_examples_per_class: usize,
    /// Between two classes the guess is the same either way; this decides how sums are rounded, and
    /// how what a raised diagonal lacks is shared.
    pub several: Several,
}

impl Search {
    fn check(&self, labels: &TagLabels) -> Result<()> {
        let n_classes = labels.n_classes();
        let one_per_class = |name, found| {
            if found == n_classes {
                Ok(())
            } else {
                Err(Error::OnePerClass { name, n_classes, found })
            }
        };
        match &self.removals {
            Removals::Counts(counts) => one_per_class("prune_counts", counts.len()),
            Removals::Joints { confident_joints, frac_noise, per_class } => {
                if !(0.0..=1.0).contains(frac_noise) {
                    return Err(Error::FracNoise { value: *frac_noise });
                }
                if let Some(joints) = confident_joints {
                    one_per_class("confident_joint", joints.len())?;
                }
                let Some(per_class) = per_class else { return Ok(()) };
                one_per_class("num_to_remove_per_class", per_class.len())?;
                for (class, &asked) in per_class.iter().enumerate() {
                    let available = labels.counts(class);
                    for given in [0, 1] {
                        if asked[given] > available[given] {
                            return Err(Error::TooManyTagsToRemove {
                                class,
                                given,
                                asked: asked[given],
                                available: available[given],
                            });
                        }
                    }
                }
                Ok(())
            }
        }
    }

    /// How many to prune of each side of each class: by margins, and by what speaks for the label.
    fn quotas(&self, labels: &TagLabels, counts: &[ClassCounts]) -> Result<[Vec<usize>; 2]> {
        let (mut by_noise_rate, mut by_class) = (Vec::new(), Vec::new());
        for (class, of_class) in counts.iter().enumerate() {
            let given_counts = labels.counts(class);
            let prune = match &self.removals {
                Removals::Counts(counts) => PruneCounts::from_dense(&counts[class], 2),
                Removals::Joints { confident_joints, frac_noise, per_class } => {
                    let joint = match confident_joints {
                        Some(joints) => ConfidentJoint::from_dense(&joints[class], 2)?,
                        None => {
                            joint_of(of_class)?.calibrated(&given_counts, self.several.layout())
                        }
                    };
                    let least = self.min_examples_per_class;
                    let prune = PruneCounts::new(&joint, least, *frac_noise, self.several.spread());
                    match per_class {
                        Some(asked) => prune.with_removals(&asked[class], &given_counts)?,
                        None => prune,
                    }
                }
            };
            for given in [0, 1] {
                let n_given = given_counts[given];
                let is_pruned = n_given > self.min_examples_per_class;
                let to_other = prune.removed(given).iter().map(|&(_, n)| n).sum();
                by_noise_rate.push(if is_pruned { to_other } else { 0 });
                by_class.push(if is_pruned { prune.n_removed(given, n_given) } else { 0 });
            }
        }
        Ok([by_noise_rate, by_class])
    }
}

/// Which examples have an issue in any class.
///
/// # Errors
/// If shapes or options do not fit, or a cell is no probability.
pub fn find_label_issues(
    labels: &TagLabels,
    pred_probs: &PredProbs<'_>,
    search: &Search,
    workers: &Workers<'_>,
) -> Result<Vec<bool>> {
    check_shape(labels, pred_probs)?;
    search.check(labels)?;
    with_cells!(pred_probs, workers, matrix, meaning => {
        Ok(mask_of(&flagged(matrix, labels, search, meaning, workers)?, labels.n_examples()))
    })
}

/// Which cells have an issue: the classes of each example whose tag is wrong, or missing; and for each
/// of these cells whether it has the tag.
///
/// # Errors
/// Those of [`find_label_issues`].
pub fn find_label_issues_per_class(
    labels: &TagLabels,
    pred_probs: &PredProbs<'_>,
    search: &Search,
    workers: &Workers<'_>,
) -> Result<(TagLabels, Vec<bool>)> {
    check_shape(labels, pred_probs)?;
    search.check(labels)?;
    let mut cells = with_cells!(pred_probs, workers, matrix, meaning => {
        flagged(matrix, labels, search, meaning, workers)?
    });
    workers.sort(&mut cells, Ord::cmp);
    let given = workers.each(cells.len(), |place| {
        let (row, class) = cells[place];
        labels.has(row, class as usize)
    })?;
    Ok((TagLabels::of_sorted(&cells, labels.n_examples(), labels.n_classes())?, given))
}

/// The examples that have an issue in any class, the worst first by their aggregated scores.
///
/// # Errors
/// Those of [`find_label_issues`].
pub fn rank_label_issues(
    labels: &TagLabels,
    pred_probs: &PredProbs<'_>,
    search: &Search,
    (rank_by, aggregate): (Method, Aggregate),
    workers: &Workers<'_>,
) -> Result<Vec<usize>> {
    check_shape(labels, pred_probs)?;
    search.check(labels)?;
    aggregate.check()?;
    with_cells!(pred_probs, workers, matrix, meaning => {
        super::quality::check_meaning(rank_by, Adjust::No, aggregate, meaning)?;
        let found = flagged(matrix, labels, search, meaning, workers)?;
        let rows = rows_of_mask(&mask_of(&found, labels.n_examples()));
        let how = (rank_by, Adjust::No, Some(aggregate));
        let scores = scores_of(matrix, labels, &&rows[..], how, meaning, workers)?;
        Ok(ordered(scores.into_iter().zip(rows).collect(), workers))
    })
}

/// How many cells of each class have an issue: off-diagonal ones that the agreement rule leaves, of
/// those without and of those with the tag.
///
/// # Errors
/// If shapes do not fit, or a cell is no probability.
pub fn num_label_issues(
    labels: &TagLabels,
    pred_probs: &PredProbs<'_>,
    workers: &Workers<'_>,
) -> Result<Vec<[usize; 2]>> {
    check_shape(labels, pred_probs)?;
    let counts = with_cells!(pred_probs, workers, matrix, meaning => {
        seen(matrix, labels, None, (meaning, false), workers)?.0.counts
    });
    Ok(counts.iter().map(|counts| counts.issues.map(|n| n as usize)).collect())
}

/// The confident joint of each class.
///
/// # Errors
/// If shapes do not fit, or a cell is no probability.
pub fn confident_joints(
    labels: &TagLabels,
    pred_probs: &PredProbs<'_>,
    thresholds: Option<&[[f64; 2]]>,
    (calibrate, several): (bool, Several),
    workers: &Workers<'_>,
) -> Result<Vec<[i64; 4]>> {
    check_shape(labels, pred_probs)?;
    let n_classes = labels.n_classes();
    let found = thresholds.map_or(n_classes, <[_]>::len);
    if found != n_classes {
        return Err(Error::OnePerClass { name: "thresholds", n_classes, found });
    }
    let counts = with_cells!(pred_probs, workers, matrix, meaning => {
        seen(matrix, labels, thresholds, (meaning, false), workers)?.0.counts
    });
    let joint = |(class, counts): (usize, &ClassCounts)| {
        let joint = joint_of(counts)?;
        let joint = if calibrate {
            joint.calibrated(&labels.counts(class), several.layout())
        } else {
            joint
        };
        Ok([(0, 0), (0, 1), (1, 0), (1, 1)].map(|(given, guess)| joint.get(given, guess) as i64))
    };
    counts.iter().enumerate().map(joint).collect()
}

/// The diagonal is at least 1.
fn joint_of(counts: &ClassCounts) -> Result<ConfidentJoint> {
    let [[zero, zero_as_one], [one_as_zero, one]] = counts.guessed;
    let dense = [zero.max(1), zero_as_one, one_as_zero, one.max(1)].map(|count| count as f64);
    ConfidentJoint::from_dense(&dense, 2)
}

fn seen<F: Cell>(
    matrix: &Matrix<'_, F>,
    labels: &TagLabels,
    thresholds: Option<&[[f64; 2]]>,
    (meaning, wants_candidates): (Meaning, bool),
    workers: &Workers<'_>,
) -> Result<(Seen, Guesses<F>)> {
    let range = Range::<F>::new(meaning);
    let guesses = match thresholds {
        Some(thresholds) => Guesses::new(thresholds, &range),
        None => Guesses::new(&means(matrix, labels, meaning, workers)?, &range),
    };
    let seen = look(matrix, labels, &guesses, (meaning, wants_candidates), workers)?;
    Ok((seen, guesses))
}

/// The cells that a filter flags, in no order.
fn flagged<F: Cell>(
    matrix: &Matrix<'_, F>,
    labels: &TagLabels,
    search: &Search,
    meaning: Meaning,
    workers: &Workers<'_>,
) -> Result<Vec<(usize, u32)>> {
    let (seen, guesses) = if search.filter.counts() {
        seen(matrix, labels, None, (meaning, true), workers)?
    } else {
        let none = Guesses::none(labels.n_classes());
        (look(matrix, labels, &none, (meaning, true), workers)?, none)
    };
    let choose = |by, most, both_sides| {
        let quotas = Quotas { by, most, both_sides, spares_agreeing: !both_sides };
        match &seen.candidates {
            Some(candidates) => quotas.choose(candidates, meaning, workers),
            None => quotas.choose_again(matrix, labels, meaning, workers),
        }
    };
    let of_all = |holds: &(dyn Fn(f64, usize, bool) -> bool + Sync)| {
        let holds = |one: &Candidate| holds(one.p, one.class(), one.tagged());
        if let Some(candidates) = &seen.candidates {
            let disagreeing =
                candidates.iter().filter(|one| disagrees(one.p, one.tagged(), meaning));
            let found = disagreeing.filter(|one| holds(one));
            Ok(found.map(|one| (one.row(), one.class() as u32)).collect())
        } else {
            all_again(matrix, labels, meaning, holds, workers)
        }
    };
    let issues = || seen.counts.iter().map(|counts| counts.issues.iter().sum::<u64>() as usize);
    match search.filter {
        Filter::PredictedNeqGiven => of_all(&|_, _, _| true),
        Filter::ConfidentLearning => {
            let zero_to: Vec<f64> = guesses.zero_to.iter().map(|&key| F::widen(key)).collect();
            let one_from: Vec<f64> = guesses.one_from.iter().map(|&key| F::widen(key)).collect();
            of_all(&|p, class, tagged| {
                if tagged { p <= zero_to[class] } else { p >= one_from[class] }
            })
        }
        Filter::LowSelfConfidence => choose(By::SelfConfidence, issues().collect(), true),
        Filter::LowNormalizedMargin => choose(By::NormalizedMargin, issues().collect(), true),
        Filter::PruneByNoiseRate => {
            let [by_noise_rate, _] = search.quotas(labels, &seen.counts)?;
            choose(By::Lead, by_noise_rate, false)
        }
        Filter::PruneByClass => {
            let [_, by_class] = search.quotas(labels, &seen.counts)?;
            choose(By::Own, by_class, false)
        }
        Filter::Both => {
            let [by_noise_rate, by_class] = search.quotas(labels, &seen.counts)?;
            let mut left = choose(By::Lead, by_noise_rate, false)?;
            let mut right = choose(By::Own, by_class, false)?;
            workers.sort(&mut right, Ord::cmp);
            left.retain(|cell| right.binary_search(cell).is_ok());
            Ok(left)
        }
    }
}

fn mask_of(cells: &[(usize, u32)], n_examples: usize) -> Vec<bool> {
    let mut mask = vec![false; n_examples];
    cells.iter().for_each(|&(row, _)| mask[row] = true);
    mask
}
