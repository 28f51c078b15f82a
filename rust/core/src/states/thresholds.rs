//! The first pass: sums of the own-class cells of each class.

use serde::{Deserialize, Serialize};

use super::wire::Wire;
use super::{Spec, as_counts, given_counts, sums_of_counts};
use crate::blocks::Workers;
use crate::error::{Error, Result};
use crate::input::Labels;
use crate::pred_probs::{PredProbs, with_matrix};
use crate::thresholds::{ClassSums, own_sums};

const NAME: &str = "ThresholdState";

/// Sums and counts by given class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThresholdState {
    spec: Spec,
    given_counts: Vec<u64>,
    sums: ClassSums,
}

impl ThresholdState {
    /// Of no rows.
    ///
    /// # Errors
    /// If the number of classes or the temperature is out of range.
    pub fn new(spec: Spec) -> Result<Self> {
        spec.checked()?;
        let n_classes = spec.n_classes;
        Ok(Self { spec, given_counts: vec![0; n_classes], sums: ClassSums::new(n_classes) })
    }

    /// What batches have in common.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// How many examples are given each class.
    #[must_use]
    pub fn given_counts(&self) -> &[u64] {
        &self.given_counts
    }

    /// The state of a batch by itself, of which the own-class cells are read.
    ///
    /// # Errors
    /// If the batch does not fit, or such a cell may not stand there.
    pub fn of_batch(
        &self,
        labels: &Labels,
        pred_probs: &PredProbs<'_>,
        workers: &Workers<'_>,
    ) -> Result<Self> {
        self.spec.fits(NAME, labels, pred_probs)?;
        let sums = with_matrix!(pred_probs, workers, matrix => own_sums(matrix, labels, workers)?);
        Ok(Self { spec: self.spec.clone(), given_counts: given_counts(labels), sums })
    }

    /// Adds a batch of rows.
    ///
    /// # Errors
    /// Those of [`ThresholdState::of_batch`]; then nothing is added.
    pub fn update(
        &mut self,
        labels: &Labels,
        pred_probs: &PredProbs<'_>,
        workers: &Workers<'_>,
    ) -> Result<()> {
        let batch = self.of_batch(labels, pred_probs, workers)?;
        self.merge(&batch)
    }

    /// Adds what another one has seen.
    ///
    /// # Errors
    /// If it is of other classes, or another kind.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        self.spec.same(NAME, &other.spec)?;
        let counts = sums_of_counts(NAME, &self.given_counts, &other.given_counts)?;
        let sums = self.sums.checked_sum(&other.sums).ok_or(Error::StateOverflow { name: NAME })?;
        (self.given_counts, self.sums) = (counts, sums);
        Ok(())
    }

    /// One threshold a class.
    #[must_use]
    pub fn finish(&self) -> Vec<f64> {
        self.sums.means(&as_counts(&self.given_counts), self.spec.kind.meaning())
    }

    /// As bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_wire()
    }

    /// From bytes.
    ///
    /// # Errors
    /// If they are not those of such a state.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::from_wire(bytes)
    }
}

impl Wire for ThresholdState {
    const NUMBER: u16 = 1;
    const NAME: &'static str = NAME;

    fn check(&self) -> Result<(), &'static str> {
        self.spec.check()?;
        if self.given_counts.len() != self.spec.n_classes || self.sums.len() != self.spec.n_classes
        {
            return Err("it does not hold one number a class");
        }
        if !self.sums.could_be_of(&self.given_counts, self.spec.kind.meaning()) {
            return Err("its sums are not those of so many examples");
        }
        Ok(())
    }
}
