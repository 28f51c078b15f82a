//! Prune: which examples a filter flags, from what the sweep kept of each row.
//!
//! One file per family of filters; those of a [`crate::judge`] are there. Every filter but these and
//! the two `low_*` ones obeys the agreement rule ([`RowFacts::agrees`]): an example whose given class
//! the model would choose, but for rounding, is not flagged.

mod by_class;
mod by_noise_rate;
mod counts;
mod low_score;

pub(crate) use by_noise_rate::{Listed, Shortlist, list_floors, longest_list};
pub use counts::{PruneCounts, Spread};
pub(crate) use low_score::lowest;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

use crate::blocks::Workers;
use crate::error::Result;
use crate::format::Format;
use crate::input::{Labels, Matrix, RowsByClass};
use crate::judge::Judgement;
use crate::look::Seen;
use crate::quality::Method;
use crate::row::RowFacts;

/// Which examples to flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Filter {
    /// In each given class, for every other class, the largest margins: as many as the joint says.
    PruneByNoiseRate,
    /// In each given class, the smallest self confidences: as many as the joint says.
    PruneByClass,
    /// Flagged by both of the above.
    Both,
    /// The off-diagonal examples of the confident joint.
    ConfidentLearning,
    /// argmax != given.
    PredictedNeqGiven,
    /// The lowest normalized margins, as many as there are issues.
    LowNormalizedMargin,
    /// The lowest self confidences, as many as there are issues.
    LowSelfConfidence,
    /// Another class has more confidence, relative to its own.
    RelativeConfidence,
    /// Posteriors of the given class below a cut.
    NoiseFloor,
}

impl Filter {
    /// Whether it removes as many as prune counts say.
    #[must_use]
    pub fn prunes(self) -> bool {
        matches!(self, Self::PruneByNoiseRate | Self::PruneByClass | Self::Both)
    }

    /// Whether it asks which class each example is confidently of.
    #[must_use]
    pub(crate) fn counts(self) -> bool {
        !matches!(self, Self::PredictedNeqGiven) && self.judge().is_none()
    }

    /// Whether it looks at each row by itself, once it is known how.
    #[must_use]
    pub fn is_of_single_rows(self) -> bool {
        self.of_row().is_some() || self.judge().is_some()
    }

    /// The score of the judge that it asks, if it asks one.
    #[must_use]
    pub fn judge(self) -> Option<Method> {
        match self {
            Self::RelativeConfidence => Some(Method::RelativeConfidence),
            Self::NoiseFloor => Some(Method::NoiseFloor),
            _ => None,
        }
    }

    /// Whether it flags what its judge says.
    #[inline(always)]
    pub(crate) fn flags(self, judgement: &Judgement, cut: f64) -> bool {
        match self {
            Self::RelativeConfidence => judgement.beats,
            Self::NoiseFloor => judgement.score < cut,
            _ => false,
        }
    }

    /// What it asks of the facts of a row, if they are all it asks for.
    pub(crate) fn of_row(self) -> Option<fn(&RowFacts, usize) -> bool> {
        match self {
            Self::ConfidentLearning => Some(is_issue),
            Self::PredictedNeqGiven => {
                Some(|facts, given| facts.predicts_another(given) && !facts.agrees(given))
            }
            _ => None,
        }
    }

    /// Whether it compares margins within pairs of classes.
    #[must_use]
    pub(crate) fn wants_shortlists(self) -> bool {
        matches!(self, Self::PruneByNoiseRate | Self::Both)
    }
}

/// An off-diagonal example that the agreement rule leaves.
pub(crate) fn is_issue(facts: &RowFacts, given: usize) -> bool {
    facts.is_off_diagonal(given) && !facts.agrees(given)
}

/// A mask of the examples for which `is` holds.
pub(crate) fn mask_where(
    facts: &[RowFacts],
    labels: &Labels,
    is: impl Fn(&RowFacts, usize) -> bool + Sync + Send,
    workers: &Workers<'_>,
) -> Result<Vec<bool>> {
    workers.each(facts.len(), |row| is(&facts[row], labels.given(row)))
}

/// What the filters that prune look at.
pub(crate) struct Pruning<'a, F: Format> {
    pub(crate) labels: &'a Labels,
    pub(crate) seen: &'a Seen<F>,
    pub(crate) matrix: &'a Matrix<'a, F>,
    pub(crate) rows_by_class: &'a RowsByClass,
    /// One a block of rows; taken out as they are sorted by class.
    pub(crate) shortlists: Mutex<Vec<Shortlist<F>>>,
}

impl<F: Format> Pruning<'_, F> {
    /// A mask of the examples that a pruning filter removes, from the classes that have more than
    /// `min_examples_per_class` of them; less those where the model agrees with the label.
    pub(crate) fn mask(
        &self,
        filter: Filter,
        counts: &PruneCounts,
        min_examples_per_class: usize,
        workers: &Workers<'_>,
    ) -> Result<Vec<bool>> {
        // Marked where they are found: lists of them would take eight times as much.
        let marked = |prune: &dyn Fn(&(dyn Fn(usize) + Sync)) -> Result<()>| -> Result<_> {
            let mask: Vec<_> =
                (0..self.labels.n_examples()).map(|_| AtomicBool::new(false)).collect();
            prune(&|row| {
                let is_spared = self.seen.facts[row].agrees(self.labels.given(row));
                mask[row].store(!is_spared, Ordering::Relaxed);
            })?;
            Ok(mask.into_iter().map(AtomicBool::into_inner).collect::<Vec<_>>())
        };
        let by_class =
            || marked(&|mark| self.smallest_own(counts, min_examples_per_class, mark, workers));
        let by_noise_rate =
            || marked(&|mark| self.largest_margins(counts, min_examples_per_class, mark, workers));
        if filter == Filter::PruneByClass {
            return by_class();
        }
        let mut mask = by_noise_rate()?;
        if filter == Filter::Both {
            for (is, other) in mask.iter_mut().zip(by_class()?) {
                *is &= other;
            }
        }
        Ok(mask)
    }
}
