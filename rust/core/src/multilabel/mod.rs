//! Multi-label: each example has any number of tags, from none to all of the K classes.
//!
//! Class k is a problem of its own with two classes, "without the tag" (0) and "with it" (1), whose
//! probabilities are P' = [1 - p, p] with p = P[i, k] in float64 (of scores s: [-s, s]). What is asked of
//! it is asked as in the single-label method: thresholds t_0 and t_1, the confident joint C (2, 2),
//! calibration, prune counts, the agreement rule.
//!
//! P' is never made, and no column is copied. Whatever is asked of a cell is monotone in p: "at least
//! this p" or "at most that p". So each question about a class becomes one bound on keys (see
//! [`crate::format`]), exactly, and a row is compared with K bounds at once, as if no class had the tag;
//! the few cells of the tags are then put right one by one. Two sweeps: `sums` (thresholds), and `look`
//! (everything else).
//!
//! Cells are read as [`crate::Scores`] whatever they mean, because those have keys in order on both sides of
//! zero: there is one kernel for float32, one for float64, and none for rows with a zero that has a sign.
//! Cells of 16 bits are widened.

mod bits;
mod bounds;
mod issues;
mod look;
mod quality;
#[cfg(test)]
mod reference;
mod select;
mod sigmoid;
mod states;
mod sums;
mod tags;

pub use issues::{
    Joints, Removals, Search, confident_joints, find_label_issues, find_label_issues_per_class,
    num_label_issues, rank_label_issues,
};
pub use quality::{Aggregate, label_quality_scores, label_quality_scores_per_class};
pub use select::Flag;
pub(crate) use sigmoid::Sigmoid;
pub use states::{Cuts, JointState, Rule, SelectionState, ThresholdState};
pub use sums::confident_thresholds;
pub use tags::{Indicator, TagLabels};

use crate::error::{Error, Result};
use crate::format::Meaning;
use crate::input::Matrix;
use crate::pred_probs::PredProbs;
use crate::row::{BadCell, SLACK};
use crate::sweep::{bad_cell, first_of_pieces, or_first_fault};
use crate::{blocks::Workers, input::AllRows};

use bounds::Cell;

/// Runs one expression with a matrix of signed cells and their meaning.
macro_rules! with_cells {
    ($pred_probs:expr, $workers:expr, $matrix:ident, $meaning:ident => $body:expr) => {{
        macro_rules! stored {
            ($stored:expr, $kind:ident) => {{
                let ($matrix, $meaning) = (&$stored, $crate::Meaning::$kind);
                $body
            }};
        }
        macro_rules! of_logits {
            ($logits:expr, $temperature:expr) => {{
                let level = $workers.level();
                let sigmoid = $crate::multilabel::Sigmoid::new($logits, *$temperature, level)?;
                stored!(sigmoid.cells(), Probability)
            }};
        }
        macro_rules! widened {
            ($narrow:expr) => {{
                let widened = $crate::Widened::new(*$narrow);
                stored!(widened.scores(), Probability)
            }};
        }
        match $pred_probs {
            $crate::PredProbs::Float16(narrow) => widened!(narrow),
            $crate::PredProbs::BFloat16(narrow) => widened!(narrow),
            $crate::PredProbs::Float32(cells) => stored!(cells.as_scores(), Probability),
            $crate::PredProbs::Float64(cells) => stored!(cells.as_scores(), Probability),
            $crate::PredProbs::Sparse32(_) | $crate::PredProbs::Sparse64(_) => {
                return Err($crate::Error::SparseTags);
            }
            $crate::PredProbs::Calibrated(..) => return Err($crate::Error::CalibratedTags),
            $crate::PredProbs::Scores16(narrow) => stored!(narrow.scores(), Score),
            $crate::PredProbs::BScores16(narrow) => stored!(narrow.scores(), Score),
            $crate::PredProbs::Scores32(cells) => stored!(*cells, Score),
            $crate::PredProbs::Scores64(cells) => stored!(*cells, Score),
            $crate::PredProbs::Logits16(narrow, t) => of_logits!(narrow.floats(), t),
            $crate::PredProbs::BLogits16(narrow, t) => of_logits!(narrow.floats(), t),
            $crate::PredProbs::Logits32(logits, t) => of_logits!(*logits, t),
            $crate::PredProbs::Logits64(logits, t) => of_logits!(*logits, t),
            $crate::PredProbs::Mean(mean) => {
                let mean = mean.prepare_by_class($workers)?;
                let cells =
                    $crate::input::Matrix::<$crate::Scores<$crate::Float64>>::computed(&mean);
                stored!(cells, Probability)
            }
            $crate::PredProbs::MeanOfScores(mean) => {
                let mean = mean.prepare_by_class($workers)?;
                let cells =
                    $crate::input::Matrix::<$crate::Scores<$crate::Float64>>::computed(&mean);
                stored!(cells, Score)
            }
        }
    }};
}
pub(crate) use with_cells;

/// What speaks against a tag, where `p` speaks for it.
#[inline(always)]
fn complement(p: f64, meaning: Meaning) -> f64 {
    match meaning {
        Meaning::Probability => 1.0 - p,
        Meaning::Score => -p,
    }
}

/// What speaks for the given side, and what for the other one.
#[inline(always)]
fn own_and_other(p: f64, tagged: bool, meaning: Meaning) -> (f64, f64) {
    let q = complement(p, meaning);
    if tagged { (p, q) } else { (q, p) }
}

/// Not spared by the agreement rule: the given side would not be the more probable one even after
/// adding [`SLACK`] to it. On a tie the model chooses "without the tag".
#[inline(always)]
fn disagrees(p: f64, tagged: bool, meaning: Meaning) -> bool {
    let (own, other) = own_and_other(p, tagged, meaning);
    let lifted = own + SLACK;
    if tagged { lifted <= other } else { lifted < other }
}

/// Checks that the tags are those of these rows and columns.
fn check_shape(labels: &TagLabels, pred_probs: &PredProbs<'_>) -> Result<()> {
    let (rows, n_columns) = pred_probs.shape();
    if rows != labels.n_examples() {
        return Err(Error::LengthsDiffer { labels: labels.n_examples(), rows });
    }
    if n_columns != labels.n_classes() {
        let n_classes = labels.n_classes();
        return Err(Error::OnePerClass { name: "pred_probs", n_classes, found: n_columns });
    }
    Ok(())
}

/// The error for the first cell of a row whose value may not stand there.
#[cold]
#[inline(never)]
fn bad_row<F: Cell>(row: usize, cells: &[F::Bits], meaning: Meaning) -> Option<Error> {
    let mut values = cells.iter().map(|&bits| F::value(bits));
    let column = values.position(|value| !meaning.allows(value))?;
    Some(bad_cell(meaning, row, BadCell { column, value: F::value(cells[column]) }))
}

/// What a sweep has found, or the very first fault where it has met one.
fn checked<F: Cell, T>(
    found: Result<T>,
    matrix: &Matrix<'_, F>,
    meaning: Meaning,
    workers: &Workers<'_>,
) -> Result<T> {
    or_first_fault(found, || {
        let all = AllRows(matrix.n_rows());
        let look = |tile: &mut Vec<F::Bits>, mut rows: std::ops::Range<usize>| {
            while !rows.is_empty() {
                let lent = match matrix.lend(&all, rows.clone(), tile) {
                    Ok(lent) => lent,
                    Err(fault) => return Some(fault),
                };
                for row in lent.positions.clone() {
                    if let Some(fault) = bad_row::<F>(row, lent.cells(row), meaning) {
                        return Some(fault);
                    }
                }
                rows.start = lent.positions.end;
            }
            None
        };
        first_of_pieces(matrix.n_rows(), Vec::new, look, workers)
    })
}
