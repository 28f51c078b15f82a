//! A look at a batch of rows, as if it were the whole matrix.

use super::Spec;
use crate::blocks::Workers;
use crate::error::{Error, Result};
use crate::format::Meaning;
use crate::input::Labels;
use crate::look::{Keep, Seen};
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
}

impl Look {
    /// Reads every cell of a batch. Without thresholds no class is confident.
    ///
    /// # Errors
    /// If shapes do not fit, a cell may not stand there, or entropies of scores are asked for.
    pub fn new(
        labels: Labels,
        pred_probs: &PredProbs<'_>,
        thresholds: Option<&[f64]>,
        several: Several,
        entropies: bool,
        workers: &Workers<'_>,
    ) -> Result<Self> {
        pred_probs.check_shape(&labels)?;
        let n_classes = labels.n_classes();
        let found = thresholds.map_or(n_classes, <[_]>::len);
        if found != n_classes {
            return Err(Error::OnePerClass { name: "thresholds", n_classes, found });
        }
        let (kind, calibration) = pred_probs.kind();
        if entropies && kind.meaning() == Meaning::Score {
            return Err(Error::NeedsProbabilities { what: "confidence_weighted_entropy" });
        }
        let keep = Keep { guesses: thresholds.is_some(), shortlists: false, entropies, several };
        let (facts, entropies) = with_matrix!(pred_probs, workers, matrix => {
            let seen = Seen::look(&labels, matrix, thresholds, keep, workers)?;
            (seen.facts, seen.entropies)
        });
        let thresholds = thresholds.unwrap_or_default().to_vec();
        let spec = Spec { n_classes, kind, calibration };
        Ok(Self { labels, facts, spec, thresholds, several, entropies })
    }

    /// How many rows.
    #[must_use]
    pub fn n_examples(&self) -> usize {
        self.facts.len()
    }

    /// One score a row; none where entropies were not asked for.
    #[must_use]
    pub fn scores(&self, method: Method) -> Option<Vec<f64>> {
        match of_facts(method, self.spec.kind.meaning()) {
            Some(score) => Some(self.facts.iter().map(score).collect()),
            None if self.entropies.len() == self.facts.len() => Some(self.entropies.clone()),
            None => None,
        }
    }

    /// A mask of the rows that a filter flags, if it is one that looks at each row by itself.
    ///
    /// # Errors
    /// If the caller wants to stop.
    pub fn mask(&self, filter: Filter, workers: &Workers<'_>) -> Result<Option<Vec<bool>>> {
        let mask = |is| mask_where(&self.facts, &self.labels, is, workers);
        filter.of_row().map(mask).transpose()
    }

    /// The most probable class but the given one, of each row where that one is not more probable.
    #[must_use]
    pub fn most_probable_others(&self) -> Vec<Option<usize>> {
        let class = |facts: &RowFacts| {
            let class = facts.best_other_class;
            (class != NO_CLASS).then_some(class as usize)
        };
        self.facts.iter().map(class).collect()
    }
}
