//! Label issues: which examples, how many, and in which order.
//!
//! One sweep answers everything; see [`crate::prune`] for the filters and [`crate::rank`] for the
//! order.

use std::sync::{Arc, Mutex};

use crate::blocks::Workers;
use crate::error::{Error, Result};
use crate::format::Format;
use crate::input::{Labels, Matrix};
use crate::joint::ConfidentJoint;
use crate::judge::{self, Asked, Judge};
use crate::look::{Keep, Seen};
use crate::pred_probs::{PredProbs, with_matrix};
use crate::prune::{Filter, PruneCounts, Pruning, is_issue, lowest, mask_where};
use crate::quality::{
    Adjust, Method, check_kind, label_quality_scores, normalized_margin, of_facts, scores_of_rows,
    self_confidence,
};
use crate::rank::{ordered, rows_of_mask};
use crate::row::{RowFacts, Several};

/// How many examples the prune filters remove from each class.
#[derive(Debug, Clone, PartialEq)]
pub enum Removals {
    /// As many as the confident joint says: counted and calibrated here, unless one is given.
    Joint {
        /// A joint to use as it is.
        confident_joint: Option<ConfidentJoint>,
        /// The share of them to remove, from 0 to 1.
        frac_noise: f64,
        /// How many to remove of each given class instead.
        per_class: Option<Vec<usize>>,
    },
    /// As many as these prune counts say.
    Counts(PruneCounts),
}

/// What to look for.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// Which examples to flag.
    pub filter: Filter,
    /// For the filters that prune: how many.
    pub removals: Removals,
    /// Classes with no more examples than this lose none.
    pub min_examples_per_class: usize,
    /// Which class is the guess when several are confident.
    pub several: Several,
    /// For [`Filter::NoiseFloor`]: below which score a row is flagged.
    pub cut: f64,
    /// Judges that are fitted, of which those are asked that the filter or the order needs.
    pub judges: Vec<Arc<Judge>>,
}

impl Search {
    /// What a filter flags that has no options.
    #[must_use]
    pub fn of(filter: Filter) -> Self {
        Self {
            filter,
            removals: Removals::Joint { confident_joint: None, frac_noise: 1.0, per_class: None },
            min_examples_per_class: 1,
            several: Several::MostProbable,
            cut: judge::CUT,
            judges: Vec::new(),
        }
    }

    /// What a look must keep for this search.
    fn keep<'a>(&self, judges: &'a [Asked<'a>]) -> Keep<'a> {
        Keep {
            guesses: self.filter.counts(),
            shortlists: self.filter.wants_shortlists(),
            entropies: false,
            judges,
            several: self.several,
        }
    }

    pub(crate) fn check(&self, n_classes: usize) -> Result<()> {
        let (confident_joint, frac_noise) = match &self.removals {
            Removals::Joint { confident_joint, frac_noise, .. } => (confident_joint, frac_noise),
            Removals::Counts(counts) if counts.n_classes() == n_classes => return Ok(()),
            Removals::Counts(counts) => {
                let found = counts.n_classes();
                return Err(Error::OnePerClass { name: "prune_counts", n_classes, found });
            }
        };
        if !(0.0..=1.0).contains(frac_noise) {
            return Err(Error::FracNoise { value: *frac_noise });
        }
        confident_joint.as_ref().map_or(Ok(()), |joint| joint.check_shape(n_classes))
    }

    /// How many to remove, for the filters that prune; and the joint of the data, if that said so.
    pub(crate) fn prune_counts(
        &self,
        given_counts: &[usize],
        of_data: impl FnOnce() -> Result<ConfidentJoint>,
    ) -> Result<(PruneCounts, Option<ConfidentJoint>)> {
        let (confident_joint, frac_noise, per_class) = match &self.removals {
            Removals::Counts(counts) => return Ok((counts.clone(), None)),
            Removals::Joint { confident_joint, frac_noise, per_class } => {
                (confident_joint, *frac_noise, per_class)
            }
        };
        let of_data = if confident_joint.is_none() { Some(of_data()?) } else { None };
        let counts = match confident_joint.as_ref().or(of_data.as_ref()) {
            Some(joint) => {
                let (least, spread) = (self.min_examples_per_class, self.several.spread());
                PruneCounts::new(joint, least, frac_noise, spread)
            }
            None => unreachable!("one of them is there"),
        };
        let counts = match per_class {
            Some(asked) => counts.with_removals(asked, given_counts)?,
            None => counts,
        };
        Ok((counts, of_data))
    }
}

/// A mask of the examples whose label is wrong, as far as a filter can tell.
///
/// # Errors
/// If shapes or options do not fit, or a cell is no probability.
pub fn find_label_issues(
    labels: &Labels,
    pred_probs: &PredProbs<'_>,
    search: &Search,
    workers: &Workers<'_>,
) -> Result<Vec<bool>> {
    pred_probs.check_shape(labels)?;
    let asked = judge::asked(search.filter.judge(), &search.judges, labels, pred_probs)?;
    let keep = search.keep(&asked);
    with_matrix!(pred_probs, workers, matrix => {
        Ok(Findings::new(labels, matrix, search, keep, false, workers)?.mask)
    })
}

/// The same examples, the worst label first.
///
/// # Errors
/// Those of [`find_label_issues`].
pub fn rank_label_issues(
    labels: &Labels,
    pred_probs: &PredProbs<'_>,
    search: &Search,
    rank_by: Method,
    workers: &Workers<'_>,
) -> Result<Vec<usize>> {
    pred_probs.check_shape(labels)?;
    let asked = judge::asked(search.filter.judge(), &search.judges, labels, pred_probs)?;
    let keep = search.keep(&asked);
    // What only the order asks for, it asks of the flagged rows alone.
    let ranking = Ranking::new(rank_by, search, labels, pred_probs)?;
    with_matrix!(pred_probs, workers, matrix => {
        rank_issues_of(labels, matrix, search, keep, ranking, workers)
    })
}

fn rank_issues_of<F: Format>(
    labels: &Labels,
    matrix: &Matrix<'_, F>,
    search: &Search,
    keep: Keep<'_>,
    ranking: Ranking<'_>,
    workers: &Workers<'_>,
) -> Result<Vec<usize>> {
    let findings = Findings::new(labels, matrix, search, keep, false, workers)?;
    findings.ranked(labels, matrix, ranking, workers)
}

/// The examples of a mask, the worst label first. Only their rows are read, unless thresholds are
/// asked for.
///
/// # Errors
/// If shapes do not fit, or a cell that is read is no probability.
pub fn order_label_issues(
    mask: &[bool],
    labels: &Labels,
    pred_probs: &PredProbs<'_>,
    rank_by: Method,
    adjust: Adjust,
    workers: &Workers<'_>,
) -> Result<Vec<usize>> {
    let rows = rows_of_mask(mask);
    let how = (adjust, None);
    let scores = label_quality_scores(labels, pred_probs, Some(&rows), rank_by, how, workers)?;
    Ok(ordered(scores.into_iter().zip(rows).collect(), workers))
}

/// The same by the score of a judge that is fitted.
///
/// # Errors
/// If shapes do not fit, the rows are not of the kind that it was fitted to, or a cell that is read is
/// no probability.
pub fn order_by_judge(
    mask: &[bool],
    labels: &Labels,
    pred_probs: &PredProbs<'_>,
    judge: &Judge,
    workers: &Workers<'_>,
) -> Result<Vec<usize>> {
    let rows = rows_of_mask(mask);
    let scores = judge::label_quality_scores(labels, pred_probs, Some(&rows), judge, workers)?;
    Ok(ordered(scores.into_iter().zip(rows).collect(), workers))
}

/// How many label issues there are: the off-diagonal examples that the agreement rule leaves.
///
/// # Errors
/// If shapes do not fit, or a cell is no probability.
pub fn num_label_issues(
    labels: &Labels,
    pred_probs: &PredProbs<'_>,
    several: Several,
    workers: &Workers<'_>,
) -> Result<usize> {
    pred_probs.check_shape(labels)?;
    with_matrix!(pred_probs, workers, matrix => {
        let seen = look_for_guesses(labels, matrix, None, several, workers)?;
        Ok(num_off_diagonal(&seen.facts, labels))
    })
}

/// The confident joint, not calibrated, and its off-diagonal examples, ascending.
///
/// # Errors
/// If shapes do not fit, or a cell is no probability.
pub fn count_confident(
    labels: &Labels,
    pred_probs: &PredProbs<'_>,
    thresholds: Option<&[f64]>,
    several: Several,
    workers: &Workers<'_>,
) -> Result<(ConfidentJoint, Vec<usize>)> {
    pred_probs.check_shape(labels)?;
    with_matrix!(pred_probs, workers, matrix => {
        let seen = look_for_guesses(labels, matrix, thresholds, several, workers)?;
        Ok((seen.joint(labels, workers)?, seen.off_diagonal_examples(labels, workers)?))
    })
}

/// The off-diagonal examples alone, ascending.
///
/// # Errors
/// Those of [`count_confident`].
pub fn off_diagonal_examples(
    labels: &Labels,
    pred_probs: &PredProbs<'_>,
    thresholds: Option<&[f64]>,
    several: Several,
    workers: &Workers<'_>,
) -> Result<Vec<usize>> {
    pred_probs.check_shape(labels)?;
    with_matrix!(pred_probs, workers, matrix => {
        let seen = look_for_guesses(labels, matrix, thresholds, several, workers)?;
        seen.off_diagonal_examples(labels, workers)
    })
}

/// The look of a function that asks for guesses alone.
pub(crate) fn look_for_guesses<F: Format>(
    labels: &Labels,
    matrix: &Matrix<'_, F>,
    thresholds: Option<&[f64]>,
    several: Several,
    workers: &Workers<'_>,
) -> Result<Seen<F>> {
    let n_classes = labels.n_classes();
    let found = thresholds.map_or(n_classes, <[_]>::len);
    if found != n_classes {
        return Err(Error::OnePerClass { name: "thresholds", n_classes, found });
    }
    let keep = Keep { guesses: true, ..Keep::facts(several) };
    Seen::look(labels, matrix, thresholds, keep, workers)
}

/// What one look at the matrix and a filter have found.
pub(crate) struct Findings<F: Format> {
    pub(crate) mask: Vec<bool>,
    pub(crate) seen: Seen<F>,
    /// The joint of the data, where the filter needed it, and it was to be kept.
    pub(crate) calibrated_joint: Option<ConfidentJoint>,
}

impl<F: Format> Findings<F> {
    pub(crate) fn new(
        labels: &Labels,
        matrix: &Matrix<'_, F>,
        search: &Search,
        keep: Keep<'_>,
        keep_joint: bool,
        workers: &Workers<'_>,
    ) -> Result<Self> {
        search.check(labels.n_classes())?;
        let mut seen = Seen::look(labels, matrix, None, keep, workers)?;
        let shortlists = Mutex::new(std::mem::take(&mut seen.shortlists));
        let facts = &seen.facts;
        let mut calibrated_joint = None;
        let mask = match search.filter {
            Filter::RelativeConfidence | Filter::NoiseFloor => {
                let mask = seen.judged.mask(search.filter, search.cut, workers)?;
                mask.expect("a look asks whom its filter asks")
            }
            Filter::ConfidentLearning | Filter::PredictedNeqGiven => {
                let is = search.filter.of_row().unwrap_or(is_issue);
                mask_where(facts, labels, is, workers)?
            }
            Filter::LowNormalizedMargin => {
                lowest(facts, num_off_diagonal(facts, labels), normalized_margin::<F>)
            }
            Filter::LowSelfConfidence => {
                lowest(facts, num_off_diagonal(facts, labels), self_confidence::<F>)
            }
            Filter::PruneByNoiseRate | Filter::PruneByClass | Filter::Both => {
                let least = search.min_examples_per_class;
                let of_data = || seen.calibrated_joint(labels, workers);
                let (counts, of_data) = search.prune_counts(labels.counts(), of_data)?;
                calibrated_joint = of_data.filter(|_| keep_joint);
                let rows_by_class = &labels.rows_by_class();
                let pruning = Pruning { labels, matrix, seen: &seen, rows_by_class, shortlists };
                pruning.mask(search.filter, &counts, least, workers)?
            }
        };
        Ok(Self { mask, seen, calibrated_joint })
    }

    pub(crate) fn ranked(
        &self,
        labels: &Labels,
        matrix: &Matrix<'_, F>,
        Ranking { rank_by, judge }: Ranking<'_>,
        workers: &Workers<'_>,
    ) -> Result<Vec<usize>> {
        let rows = rows_of_mask(&self.mask);
        let Seen { facts, entropies, judged, thresholds, .. } = &self.seen;
        let flagged = &&rows[..];
        let scores = if let Some(score) = of_facts(rank_by, F::MEANING) {
            rows.iter().map(|&row| score(&facts[row])).collect()
        } else if let Some(judgements) = judged.by(rank_by) {
            rows.iter().map(|&row| judgements.of(row).score).collect()
        } else if let Some(judge) = judge {
            judge::scores_of_rows(labels, matrix, flagged, judge, thresholds, workers)?
        } else if entropies.is_empty() {
            scores_of_rows(labels, matrix, flagged, rank_by, (Adjust::No, None), workers)?
        } else {
            rows.iter().map(|&row| entropies[row]).collect()
        };
        Ok(ordered(scores.into_iter().zip(rows).collect(), workers))
    }
}

/// What issues are ranked by.
#[derive(Clone, Copy)]
pub(crate) struct Ranking<'a> {
    rank_by: Method,
    /// Who gives that score, if a judge does.
    judge: Option<Asked<'a>>,
}

impl<'a> Ranking<'a> {
    pub(crate) fn new(
        rank_by: Method,
        search: &'a Search,
        labels: &Labels,
        pred_probs: &PredProbs<'_>,
    ) -> Result<Self> {
        check_kind(rank_by, Adjust::No, pred_probs.kind().0.meaning())?;
        let asked = judge::asked([rank_by], &search.judges, labels, pred_probs)?;
        Ok(Self { rank_by, judge: asked.first().copied() })
    }
}

/// How many there are.
pub(crate) fn num_off_diagonal(facts: &[RowFacts], labels: &Labels) -> usize {
    let rows = facts.iter().enumerate();
    rows.filter(|(row, facts)| is_issue(facts, labels.given(*row))).count()
}
