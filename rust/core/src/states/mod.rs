//! States: what a pass over some rows leaves, for those who do not have all rows at once.
//!
//! A state is updated with one batch of rows after the other, in any order and of any size; states
//! of the same arguments are merged, in any order and any tree; an empty one is the identity. So the
//! answer is that of one call with all rows, bit for bit: sums are of integers, counts are counts,
//! and what is selected is selected by a total order. They are written as bytes ([`wire`]), small
//! enough to send to another machine: no state holds anything of every row.
//!
//! | pass | state | leaves |
//! | --- | --- | --- |
//! | 1 | [`ThresholdState`] | the class thresholds |
//! | 2 | [`JointState`], by a [`Look`] at each batch | the confident joint, how many issues there are |
//! | 3 | [`SelectionState`] | which rows a filter that prunes removes, or up to where ([`Cuts`]) |
//! | any | [`CheckState`] | what shows that labels and matrix are not what they should be |
//!
//! The third is for filters that remove so many of each class: how many is known only after the
//! second. What a [`Look`] and the [`Cuts`] say of a row needs no other row.
//!
//! The functions of arrays count with the same sums and counts: there all rows are one batch.

mod checks;
mod cuts;
mod joint;
mod look;
mod quotas;
mod sample;
mod selection;
mod thresholds;
pub(crate) mod wire;

use serde::{Deserialize, Serialize};

pub use checks::CheckState;
pub use cuts::Cuts;
pub use joint::JointState;
pub use look::Look;
pub use sample::SampleState;
pub use selection::{Flagged, SelectionState};
pub use thresholds::ThresholdState;

use crate::calibration::Calibration;
use crate::error::{Error, Result};
use crate::input::Labels;
use crate::pred_probs::{Kind, PredProbs};

/// What batches must have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// K.
    pub n_classes: usize,
    /// What cells are.
    pub kind: Kind,
    /// What logits are divided by, and how probabilities are calibrated.
    pub calibration: Calibration,
}

impl Spec {
    /// Checks what other code relies on.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if !(2..=crate::input::MAX_CLASSES).contains(&self.n_classes) {
            return Err("its number of classes is out of range");
        }
        match self.calibration.check(self.kind, self.n_classes) {
            Ok(()) => Ok(()),
            Err(Error::Temperature { .. }) => Err("its temperature is out of range"),
            Err(_) => Err("its biases are out of range"),
        }
    }

    /// The same, of arguments.
    pub(crate) fn checked(&self) -> Result<()> {
        if self.n_classes < 2 {
            return Err(Error::TooFewClasses { n_classes: self.n_classes });
        }
        if self.n_classes > crate::input::MAX_CLASSES {
            return Err(Error::TooManyClasses { n_classes: self.n_classes });
        }
        self.calibration.check(self.kind, self.n_classes)
    }

    /// Those of a batch.
    pub(crate) fn of(labels: &Labels, pred_probs: &PredProbs<'_>) -> Self {
        let (kind, calibration) = pred_probs.kind();
        Self { n_classes: labels.n_classes(), kind, calibration }
    }

    fn describe(&self) -> String {
        let Self { n_classes, kind, calibration } = self;
        let Calibration { temperature, class_bias } = calibration;
        let biases = match &class_bias[..] {
            [] => String::new(),
            // All of them would be too many to read; their sum tells most of them apart.
            biases => format!(" with biases that sum to {}", biases.iter().sum::<f64>()),
        };
        match kind {
            Kind::Probabilities if *temperature == 1.0 => {
                format!("probabilities of {n_classes} classes{biases}")
            }
            Kind::Scores => format!("scores of {n_classes} classes"),
            Kind::Probabilities => {
                format!("probabilities of {n_classes} classes at temperature {temperature}{biases}")
            }
            Kind::Logits => {
                format!("logits of {n_classes} classes at temperature {temperature}{biases}")
            }
        }
    }

    /// Checks that two states, or a state and a batch, have the same.
    pub(crate) fn same(&self, name: &'static str, found: &Self) -> Result<()> {
        if self == found {
            return Ok(());
        }
        Err(Error::StatesDiffer { name, ours: self.describe(), found: found.describe() })
    }

    /// Checks that a batch is of this kind, and its labels of these rows.
    pub(crate) fn fits(
        &self,
        name: &'static str,
        labels: &Labels,
        pred_probs: &PredProbs<'_>,
    ) -> Result<()> {
        pred_probs.check_shape(labels)?;
        self.same(name, &Self::of(labels, pred_probs))
    }
}

/// Numbers of the rows of a batch: ties go to the lower one.
#[derive(Debug, Clone, Copy)]
pub enum RowNumbers<'a> {
    /// That of the first row; the others follow.
    From(u64),
    /// One a row.
    Each(&'a [i64]),
}

impl RowNumbers<'_> {
    pub(crate) fn check(&self, n_examples: usize) -> Result<()> {
        let wrong = |why| Err(Error::RowNumbers { n_examples, why });
        match *self {
            Self::From(first) if first > i64::MAX as u64 - n_examples as u64 => {
                wrong(format!("but the first one is {first}"))
            }
            Self::From(_) => Ok(()),
            Self::Each(rows) if rows.len() != n_examples => {
                wrong(format!("but there are {}", rows.len()))
            }
            Self::Each(rows) => match rows.iter().position(|&row| row < 0) {
                Some(place) => wrong(format!("but rows[{place}] is {}", rows[place])),
                None => Ok(()),
            },
        }
    }

    #[inline(always)]
    pub(crate) fn of(&self, place: usize) -> u64 {
        match *self {
            Self::From(first) => first + place as u64,
            Self::Each(rows) => rows[place] as u64,
        }
    }
}

/// Sums of counts, which those of a stranger may be too large for.
fn sums_of_counts(name: &'static str, left: &[u64], right: &[u64]) -> Result<Vec<u64>> {
    let sum = |(left, right): (&u64, &u64)| left.checked_add(*right);
    let sums: Option<Vec<u64>> = left.iter().zip(right).map(sum).collect();
    let fits = |sums: &Vec<u64>| total(sums).is_some();
    sums.filter(fits).ok_or(Error::StateOverflow { name })
}

/// The same of one count.
fn sum_of_counts(name: &'static str, left: u64, right: u64) -> Result<u64> {
    left.checked_add(right).ok_or(Error::StateOverflow { name })
}

/// The sum of counts, unless it is too large.
fn total(counts: &[u64]) -> Option<u64> {
    let sum = counts.iter().try_fold(0_u64, |sum, &count| sum.checked_add(count));
    // Python counts in 63 bits.
    sum.filter(|&sum| i64::try_from(sum).is_ok())
}

/// How many examples there are of each class, as states count them.
fn given_counts(labels: &Labels) -> Vec<u64> {
    labels.counts().iter().map(|&count| count as u64).collect()
}

/// The same, as the rest of the crate does.
fn as_counts(counts: &[u64]) -> Vec<usize> {
    counts.iter().map(|&count| count as usize).collect()
}
