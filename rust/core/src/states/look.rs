//! A look at a batch of rows, as if it were the whole matrix.

use super::Spec;
use crate::blocks::Workers;
use crate::checks::{CellSums, Sample};
use crate::error::{Error, Result};
use crate::format::Meaning;
use crate::input::Labels;
use crate::judge::{Asked, Judge};
use crate::look::{Judged, JudgedBy, Keep, Seen};
use crate::pred_probs::{PredProbs, with_matrix};
use crate::prune::{Filter, mask_where};
use crate::quality::{Method, of_facts};
use crate::row::{NO_CLASS, RowFacts, Several};

/// What one sweep over a batch has found out about each of its rows.
#[derive(Debug)]
pub struct Look {
    pub(super) labels: Labels,
    pub(super) facts: Vec<RowFacts>,
    pub(super) spec: Spec,
    pub(super) thresholds: Vec<f64>,
    pub(super) several: Several,
    entropies: Vec<f64>,
    judged: Judged,
    pub(super) cells: Option<CellSums>,
}

impl Look {
    /// Reads every cell of a batch, and asks judges about each row. Without thresholds no class is
    /// confident.
    ///
    /// # Errors
    /// If shapes do not fit, a cell may not stand there, entropies of scores are asked for, or rows
    /// are not what the judges were fitted to.
    pub fn new(
        labels: Labels,
        pred_probs: &PredProbs<'_>,
        thresholds: Option<&[f64]>,
        several: Several,
        entropies: bool,
        judges: &[&Judge],
        workers: &Workers<'_>,
    ) -> Result<Self> {
        let closer = (judges, None);
        Self::sampled(labels, pred_probs, thresholds, several, entropies, closer, workers)
    }

    /// The same, with a closer look at the rows of a sample, for a [`CheckState`](super::CheckState).
    ///
    /// # Errors
    /// Those of [`Look::new`].
    pub fn sampled(
        labels: Labels,
        pred_probs: &PredProbs<'_>,
        thresholds: Option<&[f64]>,
        several: Several,
        entropies: bool,
        (judges, sample): (&[&Judge], Option<Sample>),
        workers: &Workers<'_>,
    ) -> Result<Self> {
        pred_probs.check_shape(&labels)?;
        judges.iter().try_for_each(|judge| judge.check(&labels, pred_probs))?;
        let asked: Vec<Asked<'_>> = judges.iter().map(|judge| Asked::Fitted(judge)).collect();
        let n_classes = labels.n_classes();
        let found = thresholds.map_or(n_classes, <[_]>::len);
        if found != n_classes {
            return Err(Error::OnePerClass { name: "thresholds", n_classes, found });
        }
        let spec = Spec::of(&labels, pred_probs);
        if entropies && spec.kind.meaning() == Meaning::Score {
            return Err(Error::NeedsProbabilities { what: "confidence_weighted_entropy" });
        }
        let guesses = thresholds.is_some();
        let keep = Keep { guesses, shortlists: false, entropies, judges: &asked, several };
        let (facts, entropies, said, cells) = with_matrix!(pred_probs, workers, matrix => {
            let seen = Seen::look(&labels, matrix, thresholds, keep, workers)?;
            let closer = |sample| CellSums::of_sample(&labels, matrix, sample, workers);
            (seen.facts, seen.entropies, seen.judged, sample.map(closer).transpose()?)
        });
        let thresholds = thresholds.unwrap_or_default().to_vec();
        Ok(Self { labels, facts, spec, thresholds, several, entropies, judged: said, cells })
    }

    /// How many rows.
    #[must_use]
    pub fn n_examples(&self) -> usize {
        self.facts.len()
    }

    /// One score a row; none where entropies, or the judge who gives it, were not asked for.
    #[must_use]
    pub fn scores(&self, method: Method) -> Option<Vec<f64>> {
        if method.is_of_judge() {
            return self.judged.by(method).map(JudgedBy::scores);
        }
        match of_facts(method, self.spec.kind.meaning()) {
            Some(score) => Some(self.facts.iter().map(score).collect()),
            None if self.entropies.len() == self.facts.len() => Some(self.entropies.clone()),
            None => None,
        }
    }

    /// A mask of the rows that a filter flags, if it is one that looks at each row by itself, and its
    /// judge was asked.
    ///
    /// # Errors
    /// If the caller wants to stop.
    pub fn mask(
        &self,
        filter: Filter,
        cut: f64,
        workers: &Workers<'_>,
    ) -> Result<Option<Vec<bool>>> {
        match filter.of_row() {
            Some(is) => mask_where(&self.facts, &self.labels, is, workers).map(Some),
            None => self.judged.mask(filter, cut, workers),
        }
    }

    /// The most probable class but the given one, of each row where that one is not more probable.
    #[must_use]
    pub fn most_probable_others(&self) -> Vec<Option<usize>> {
        self.facts.iter().map(|facts| known(facts.best_other_class)).collect()
    }

    /// The class but the given one that a judge believes in, of each row where it does; `None` if
    /// nobody has asked it.
    #[must_use]
    pub fn believed_others(&self, method: Method) -> Option<Vec<Option<usize>>> {
        let judgements = self.judged.by(method)?;
        Some((0..judgements.len()).map(|row| known(judgements.of(row).other)).collect())
    }
}

/// A class, if there is one.
fn known(class: u32) -> Option<usize> {
    (class != NO_CLASS).then_some(class as usize)
}
