//! What the health of a data set is made of: its joint, and how many labels are wrong.
//!
//! Everything else about it is sums over the entries of the joint, of which there are few.

use crate::blocks::Workers;
use crate::error::Result;
use crate::input::Labels;
use crate::issues::{look_for_guesses, num_off_diagonal};
use crate::joint::ConfidentJoint;
use crate::pred_probs::{PredProbs, with_matrix};
use crate::row::Several;

/// What [`dataset_health`] finds.
#[derive(Debug, Clone, PartialEq)]
pub struct Health {
    /// Calibrated.
    pub confident_joint: ConfidentJoint,
    /// Off-diagonal examples that the agreement rule leaves.
    pub num_issues: usize,
}

/// Counts both in one sweep.
///
/// # Errors
/// If shapes do not fit, or a cell is no probability.
pub fn dataset_health(
    labels: &Labels,
    pred_probs: &PredProbs<'_>,
    several: Several,
    workers: &Workers<'_>,
) -> Result<Health> {
    pred_probs.check_shape(labels)?;
    with_matrix!(pred_probs, workers, matrix => {
        let seen = look_for_guesses(labels, matrix, None, several, workers)?;
        Ok(Health {
            confident_joint: seen.calibrated_joint(labels, workers)?,
            num_issues: num_off_diagonal(&seen.facts, labels),
        })
    })
}
