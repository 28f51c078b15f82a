//! The second pass: counts by given and guessed class.

use serde::{Deserialize, Serialize};

use super::wire::Wire;
use super::{Look, Spec, as_counts, given_counts, sum_of_counts, sums_of_counts};
use crate::blocks::Workers;
use crate::calibration::Calibration;
use crate::error::{Error, Result};
use crate::issues::num_off_diagonal;
use crate::joint::{ConfidentJoint, JointCounts};
use crate::judge::{Judge, NoiseFloor};
use crate::row::Several;

const NAME: &str = "JointState";

/// What the confident joint is counted from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JointState {
    spec: Spec,
    thresholds: Vec<f64>,
    several: Several,
    given_counts: Vec<u64>,
    counts: JointCounts,
    num_issues: u64,
}

impl JointState {
    /// Of no rows.
    ///
    /// # Errors
    /// If there is not one threshold a class, or one is NaN, or an argument is out of range.
    pub fn new(spec: Spec, thresholds: &[f64], several: Several) -> Result<Self> {
        spec.checked()?;
        let n_classes = spec.n_classes;
        let found = thresholds.len();
        if found != n_classes {
            return Err(Error::OnePerClass { name: "thresholds", n_classes, found });
        }
        Ok(Self {
            spec,
            thresholds: thresholds.to_vec(),
            several,
            given_counts: vec![0; n_classes],
            counts: JointCounts::new(n_classes),
            num_issues: 0,
        })
    }

    /// What batches have in common.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The thresholds that decide which classes are confident.
    #[must_use]
    pub fn thresholds(&self) -> &[f64] {
        &self.thresholds
    }

    /// Which class is the guess when several are confident.
    #[must_use]
    pub fn several(&self) -> Several {
        self.several
    }

    /// How many examples are given each class.
    #[must_use]
    pub fn given_counts(&self) -> &[u64] {
        &self.given_counts
    }

    /// Off-diagonal examples that the agreement rule leaves.
    #[must_use]
    pub fn num_issues(&self) -> u64 {
        self.num_issues
    }

    /// Counts what a look at a batch has found.
    ///
    /// # Errors
    /// If it is of other classes, kinds or thresholds; then nothing is counted.
    pub fn add(&mut self, look: &Look, workers: &Workers<'_>) -> Result<()> {
        self.spec.same(NAME, &look.spec)?;
        self.same_guesses(&look.thresholds, look.several)?;
        let more = given_counts(&look.labels);
        let given_counts = sums_of_counts(NAME, &self.given_counts, &more)?;
        let issues = num_off_diagonal(&look.facts, &look.labels) as u64;
        let num_issues = sum_of_counts(NAME, self.num_issues, issues)?;
        self.counts.add(&look.facts, &look.labels, workers)?;
        (self.given_counts, self.num_issues) = (given_counts, num_issues);
        Ok(())
    }

    /// Adds what another one has counted.
    ///
    /// # Errors
    /// If it is of other classes, kinds or thresholds.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        self.spec.same(NAME, &other.spec)?;
        self.same_guesses(&other.thresholds, other.several)?;
        let given_counts = sums_of_counts(NAME, &self.given_counts, &other.given_counts)?;
        self.num_issues = sum_of_counts(NAME, self.num_issues, other.num_issues)?;
        self.given_counts = given_counts;
        self.counts.merge(&other.counts);
        Ok(())
    }

    /// Checks that classes were guessed in the same way.
    fn same_guesses(&self, thresholds: &[f64], several: Several) -> Result<()> {
        let differ = |ours, found| Err(Error::StatesDiffer { name: NAME, ours, found });
        if several != self.several {
            return differ(format!("{:?}", self.several), format!("{several:?}"));
        }
        if thresholds.len() != self.thresholds.len() {
            let describe = |n: usize| format!("{n} thresholds");
            return differ(describe(self.thresholds.len()), describe(thresholds.len()));
        }
        let differs = |(ours, found): (&f64, &f64)| ours != found;
        match self.thresholds.iter().zip(thresholds).position(differs) {
            None => Ok(()),
            Some(class) => {
                let describe =
                    |of: &[f64]| format!("a threshold of {} for class {class}", of[class]);
                differ(describe(&self.thresholds), describe(thresholds))
            }
        }
    }

    /// The confident joint, not calibrated.
    #[must_use]
    pub fn joint(&self, workers: &Workers<'_>) -> ConfidentJoint {
        self.counts.clone().joint(workers)
    }

    /// The judge that follows from what was counted, given what makes probabilities those of being given
    /// a class, and how little the model is taken to say of a given class.
    ///
    /// # Errors
    /// If cells are no probabilities, or the calibration is not one of so many classes.
    pub fn noise_floor(&self, calibration: Calibration, least_given: f64) -> Result<Judge> {
        let counts = self.counts.clone().settled().entries();
        let calibrated = (calibration, least_given);
        NoiseFloor::fit(self.spec.clone(), calibrated, &self.given_counts, &counts)
    }

    /// The same, calibrated.
    #[must_use]
    pub fn calibrated_joint(&self, workers: &Workers<'_>) -> ConfidentJoint {
        self.joint(workers).calibrated(&as_counts(&self.given_counts), self.several.layout())
    }

    /// How many examples.
    #[must_use]
    pub fn n_examples(&self) -> u64 {
        self.given_counts.iter().sum()
    }

    /// As bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut state = self.clone();
        state.counts = state.counts.settled();
        state.to_wire()
    }

    /// From bytes.
    ///
    /// # Errors
    /// If they are not those of such a state.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::from_wire(bytes)
    }
}

impl Wire for JointState {
    const NUMBER: u16 = 2;
    const NAME: &'static str = NAME;

    fn check(&self) -> Result<(), &'static str> {
        self.spec.check()?;
        let n_classes = self.spec.n_classes;
        if self.thresholds.len() != n_classes || self.given_counts.len() != n_classes {
            return Err("it does not hold one number a class");
        }
        if self.thresholds.iter().any(|threshold| threshold.is_nan()) {
            return Err("a threshold is NaN");
        }
        if super::total(&self.given_counts).is_none_or(|total| self.num_issues > total) {
            return Err("it counts more issues than examples");
        }
        if !self.counts.could_be_of(&self.given_counts) {
            return Err("its counts are not those of so many examples");
        }
        Ok(())
    }
}
