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
use crate::states::RowNumbers;

use super::bounds::{Cell, Guesses, Range};
use super::look::{Candidate, ClassCounts, Seen, look, most_candidates};
use super::quality::{Aggregate, scores_of};
use super::select::{Flag, Groups, Heaps, Window, candidates_of, pieces};
use super::sums::means;
use super::tags::Sides;
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
    pub(super) fn check(&self, sides: &Sides) -> Result<()> {
        if let Some(method) = self.filter.judge() {
            return Err(Error::NotOfTags { what: method.name() });
        }
        let n_classes = sides.n_classes();
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
                    let available = sides.counts(class);
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

    /// How many to select of each group, in their order.
    pub(super) fn quotas(&self, sides: &Sides, counts: &[ClassCounts]) -> Result<Vec<u64>> {
        if !self.filter.prunes() {
            return Ok(counts.iter().map(|counts| counts.issues.iter().sum()).collect());
        }
        let (mut by_noise_rate, mut by_class) = (Vec::new(), Vec::new());
        for (class, of_class) in counts.iter().enumerate() {
            let given_counts = sides.counts(class);
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
                let to_other: usize = prune.removed(given).iter().map(|&(_, n)| n).sum();
                by_noise_rate.push(if is_pruned { to_other as u64 } else { 0 });
                by_class.push(if is_pruned { prune.n_removed(given, n_given) as u64 } else { 0 });
            }
        }
        Ok(match self.filter {
            Filter::PruneByNoiseRate => by_noise_rate,
            Filter::PruneByClass => by_class,
            _ => [by_noise_rate, by_class].concat(),
        })
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
    search.check(&Sides::of(labels))?;
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
    search.check(&Sides::of(labels))?;
    let mut flags = with_cells!(pred_probs, workers, matrix, meaning => {
        flagged(matrix, labels, search, meaning, workers)?
    });
    workers.sort(&mut flags, Flag::order);
    let given = flags.iter().map(|flag| flag.tagged).collect();
    let cells = flags.iter().map(|flag| (flag.number as usize, flag.class));
    Ok((TagLabels::of_sorted(cells, labels.n_examples(), labels.n_classes())?, given))
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
    search.check(&Sides::of(labels))?;
    aggregate.check()?;
    with_cells!(pred_probs, workers, matrix, meaning => {
        super::quality::check_meaning(rank_by, Adjust::No, aggregate, meaning)?;
        let found = flagged(matrix, labels, search, meaning, workers)?;
        let rows = rows_of_mask(&mask_of(&found, labels.n_examples()));
        let how = (rank_by, Vec::new(), Some(aggregate));
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
    joints_of(&counts, &Sides::of(labels), (calibrate, several))
}

/// The same of counts.
pub(super) fn joints_of(
    counts: &[ClassCounts],
    sides: &Sides,
    (calibrate, several): (bool, Several),
) -> Result<Vec<[i64; 4]>> {
    let joint = |(class, counts): (usize, &ClassCounts)| {
        let joint = joint_of(counts)?;
        let joint = if calibrate {
            joint.calibrated(&sides.counts(class), several.layout())
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
    let most = wants_candidates.then(|| most_candidates(matrix));
    let all = 0..labels.n_examples();
    let seen = look(matrix, labels, all, &guesses, (meaning, most), workers)?;
    Ok((seen, guesses))
}

/// The cells that a filter flags, in no order.
fn flagged<F: Cell>(
    matrix: &Matrix<'_, F>,
    labels: &TagLabels,
    search: &Search,
    meaning: Meaning,
    workers: &Workers<'_>,
) -> Result<Vec<Flag>> {
    let (seen, guesses) = if search.filter.counts() {
        seen(matrix, labels, None, (meaning, true), workers)?
    } else {
        let none = Guesses::none(labels.n_classes());
        let (all, most) = (0..labels.n_examples(), most_candidates(matrix));
        (look(matrix, labels, all, &none, (meaning, Some(most)), workers)?, none)
    };
    if let Some(groups) = Groups::of(search.filter, labels.n_classes(), meaning) {
        let quotas = search.quotas(&Sides::of(labels), &seen.counts)?;
        let windows = quotas.into_iter().map(|most| Window { after: None, most });
        let mut heaps = Heaps::new(groups, windows.collect());
        let rows = RowNumbers::From(0);
        match &seen.candidates {
            Some(candidates) => heaps.offer(candidates, rows, |_| 0.0, workers)?,
            None => heaps.offer_matrix(matrix, labels, rows, None, workers)?,
        }
        return heaps.flagged(workers);
    }
    let is_flagged = by_itself(search.filter, &guesses, meaning);
    match seen.candidates {
        Some(candidates) => Ok(flags_among(&candidates, is_flagged).collect()),
        None => flags_of(matrix, labels, is_flagged, meaning, workers),
    }
}

/// Whether a candidate is flagged by a filter that looks at each by itself.
pub(super) fn by_itself<F: Cell>(
    filter: Filter,
    guesses: &Guesses<F>,
    meaning: Meaning,
) -> impl Fn(&Candidate) -> bool + use<F> {
    let values = |keys: &[F::Key]| keys.iter().map(|&key| F::widen(key)).collect::<Vec<f64>>();
    let asks = filter == Filter::ConfidentLearning;
    let (zero_to, one_from) = (values(&guesses.zero_to), values(&guesses.one_from));
    move |one: &Candidate| {
        let (p, class) = (one.p, one.class());
        let is_confident = || if one.tagged() { p <= zero_to[class] } else { p >= one_from[class] };
        disagrees(p, one.tagged(), meaning) && (!asks || is_confident())
    }
}

fn flags_among(
    candidates: &[Candidate],
    is_flagged: impl Fn(&Candidate) -> bool,
) -> impl Iterator<Item = Flag> {
    candidates.iter().filter(move |one| is_flagged(one)).map(|one| {
        let (number, class, tagged) = (one.row() as u64, one.class() as u32, one.tagged());
        Flag { number, class, tagged, score: 0.0 }
    })
}

/// The candidates of a matrix that are flagged, in no order, where something can say of each by itself
/// whether it is.
pub(super) fn flags_of<F: Cell>(
    matrix: &Matrix<'_, F>,
    labels: &TagLabels,
    is_flagged: impl Fn(&Candidate) -> bool,
    meaning: Meaning,
    workers: &Workers<'_>,
) -> Result<Vec<Flag>> {
    let mut flags = Vec::new();
    for rows in pieces(labels) {
        let candidates = candidates_of(matrix, labels, rows, meaning, workers)?;
        flags.extend(flags_among(&candidates, &is_flagged));
    }
    Ok(flags)
}

fn mask_of(flags: &[Flag], n_examples: usize) -> Vec<bool> {
    let mut mask = vec![false; n_examples];
    flags.iter().for_each(|flag| mask[flag.number as usize] = true);
    mask
}
