//! Class thresholds: how confident the model is, on average, in the examples given a class.
//!
//! t_k = mean of P[i, k] over the examples i given class k (the paper's Eq. 2). Only the N cells
//! `pred_probs[i, labels[i]]` are read; of rows in files, all cells.
//!
//! Those cells are added as fixed-point integers, so the sum has no order: threads, blocks,
//! shards and the order of the rows cannot show in a threshold.

use serde::{Deserialize, Serialize};

use crate::blocks::Workers;
use crate::error::{Error, Result};
use crate::format::{Format, Meaning};
use crate::input::{AllRows, Computed, Labels, Matrix, Rows};
use crate::pred_probs::{PredProbs, with_matrix};
use crate::row::{BadCell, SLACK};
use crate::sweep::{bad_cell, first_fault_of_all, first_of_pieces, or_first_fault};

/// Threshold of a class that nobody was given: above every probability. (Of scores it is infinite.)
pub const NEVER: f64 = 2.0;

/// No threshold is lower, so that a probability of 0 is never confident.
pub const FLOOR: f64 = 2.0 * SLACK;

/// How many rows ahead a cell is fetched: enough to keep all the reads under way that a core can.
const PREFETCH_ROWS: usize = 24;

/// So many cells are read before they are added.
const PIECE: usize = 512;

/// One threshold a class, of shape (K,).
///
/// # Errors
/// If the shapes differ, or an own-class cell is no probability (the other cells are not read).
pub fn confident_thresholds(
    labels: &Labels,
    pred_probs: &PredProbs<'_>,
    workers: &Workers<'_>,
) -> Result<Vec<f64>> {
    pred_probs.check_shape(labels)?;
    with_matrix!(pred_probs, workers, matrix => class_means(matrix, labels, workers))
}

/// The thresholds, for a caller that goes on to read the whole matrix: a fault is the first one of
/// all cells, as if there had been one pass.
pub(crate) fn thresholds_before_sweep<F: Format>(
    matrix: &Matrix<'_, F>,
    labels: &Labels,
    workers: &Workers<'_>,
) -> Result<Vec<f64>> {
    or_first_fault(class_means(matrix, labels, workers), || first_fault_of_all(matrix, workers))
}

fn class_means<F: Format>(
    matrix: &Matrix<'_, F>,
    labels: &Labels,
    workers: &Workers<'_>,
) -> Result<Vec<f64>> {
    Ok(own_sums(matrix, labels, workers)?.means(labels.counts(), F::MEANING))
}

/// The sums of the own-class cells of each class.
pub(crate) fn own_sums<F: Format>(
    matrix: &Matrix<'_, F>,
    labels: &Labels,
    workers: &Workers<'_>,
) -> Result<ClassSums> {
    let sums = workers.fold(
        labels.n_examples(),
        64, // One cache line a row is what is read.
        || ClassSums::new(labels.n_classes()),
        |sums, mut rows| {
            if matrix.as_computed().is_some_and(Computed::is_of_rows) {
                return own_cells_of_rows(matrix, labels, rows, |class, value| {
                    sums.add(class, value);
                });
            }
            // Read first, and added then: so the sums of many classes are fetched at once.
            let mut read = [(0, 0.0); PIECE];
            while !rows.is_empty() {
                let piece = rows.start..rows.end.min(rows.start + PIECE);
                let mut places = read.iter_mut();
                let all = AllRows(labels.n_examples());
                own_cells(matrix, labels, &all, piece.clone(), |row, value| {
                    if let Some(place) = places.next() {
                        *place = (labels.given(row), value);
                    }
                })?;
                read[..piece.len()].iter().for_each(|&(class, value)| sums.add(class, value));
                rows.start = piece.end;
            }
            Ok(())
        },
        ClassSums::merge,
    );
    let all = AllRows(labels.n_examples());
    or_first_fault(sums, || first_own_fault(matrix, labels, &all, workers))
}

/// The first fault among the own-class cells of some rows.
pub(crate) fn first_own_fault<F: Format, R: Rows>(
    matrix: &Matrix<'_, F>,
    labels: &Labels,
    rows: &R,
    workers: &Workers<'_>,
) -> Result<Option<Error>> {
    let look = |(): &mut (), positions| own_cells(matrix, labels, rows, positions, |_, _| ()).err();
    first_of_pieces(rows.len(), || (), look, workers)
}

/// Reads the own-class cells of some rows, each checked.
pub(crate) fn own_cells<F: Format, R: Rows>(
    matrix: &Matrix<'_, F>,
    labels: &Labels,
    rows: &R,
    positions: std::ops::Range<usize>,
    mut each: impl FnMut(usize, f64),
) -> Result<()> {
    for position in positions {
        if position + PREFETCH_ROWS < rows.len() {
            let ahead = rows.row(position + PREFETCH_ROWS);
            matrix.prefetch(ahead, labels.given(ahead));
        }
        let row = rows.row(position);
        let column = labels.given(row);
        let value = F::value(matrix.cell(row, column));
        if !F::MEANING.allows(value) {
            let told = matrix.as_computed().and_then(|computed| computed.fault(row, column));
            let found = BadCell { column, value };
            return Err(told.unwrap_or_else(|| bad_cell(F::MEANING, row, found)));
        }
        each(row, value);
    }
    Ok(())
}

/// The same where whole rows are read for it: hands on the given class and its cell.
fn own_cells_of_rows<F: Format>(
    matrix: &Matrix<'_, F>,
    labels: &Labels,
    mut rows: std::ops::Range<usize>,
    mut each: impl FnMut(usize, f64),
) -> Result<()> {
    let all = AllRows(labels.n_examples());
    let mut tile = Vec::new();
    while !rows.is_empty() {
        let lent = matrix.lend(&all, rows.clone(), &mut tile)?;
        for row in lent.positions.clone() {
            let column = labels.given(row);
            let value = F::value(lent.cells(row)[column]);
            if !F::MEANING.allows(value) {
                return Err(bad_cell(F::MEANING, row, BadCell { column, value }));
            }
            each(column, value);
        }
        rows.start = lent.positions.end;
    }
    Ok(())
}

/// Sums of cells by class, in units of 2^-60.
///
/// Exact for float16, bfloat16 and float32 cells down to 2^-36, and within 2^-60 a cell for the
/// rest: closer than a float64 mean. Empty sums are the identity of [`ClassSums::merge`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClassSums(Vec<i128>);

/// 2^60: a score of at most 2^32 in these units is below 2^92, and 2^35 of them fit an i128.
const UNITS: f64 = (1_u64 << 60) as f64;

/// No sum is larger, so that half a count can be added before it is divided.
const LARGEST_SUM: i128 = i128::MAX / 2;

impl ClassSums {
    pub(crate) fn new(n_classes: usize) -> Self {
        Self(vec![0; n_classes])
    }

    /// Of how many classes.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether so many examples of each class may have such sums.
    pub(crate) fn could_be_of(&self, counts: &[u64], meaning: Meaning) -> bool {
        let most = (meaning.largest() * UNITS) as i128 + 1;
        let is_possible = |(sum, &count): (&i128, &u64)| {
            let most = i128::from(count).saturating_mul(most).min(LARGEST_SUM);
            (-most..=most).contains(sum)
        };
        self.0.iter().zip(counts).all(is_possible)
    }

    /// The sums of both, unless they are those of a stranger, and too large.
    pub(crate) fn checked_sum(&self, other: &Self) -> Option<Self> {
        let sum = |(left, right): (&i128, &i128)| {
            left.checked_add(*right).filter(|sum| (-LARGEST_SUM..=LARGEST_SUM).contains(sum))
        };
        self.0.iter().zip(&other.0).map(sum).collect::<Option<_>>().map(Self)
    }

    #[inline(always)]
    fn add(&mut self, class: usize, value: f64) {
        let units = value * UNITS;
        // Those of a probability fit an i64, which is far faster to convert to.
        let is_small = value.abs() < 2.0;
        self.0[class] += if is_small { i128::from(units as i64) } else { units as i128 };
    }

    fn merge(mut self, other: Self) -> Self {
        for (sum, more) in self.0.iter_mut().zip(other.0) {
            *sum += more;
        }
        self
    }

    /// Divided as integers, so that the mean of equal values is that value.
    pub(crate) fn means(&self, counts: &[usize], meaning: Meaning) -> Vec<f64> {
        let mean = |(&sum, &count): (&i128, &usize)| {
            if count == 0 {
                return meaning.never();
            }
            let count = count as i128;
            let rounded = (sum + count / 2).div_euclid(count);
            (rounded as f64 / UNITS).max(meaning.least_threshold())
        };
        self.0.iter().zip(counts).map(mean).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sums_have_no_order(values in prop::collection::vec(0.0..=1.0, 1..60), cut in 0..60_usize) {
            let cut = cut.min(values.len());
            let sum_of = |values: &[f64]| {
                let mut sums = ClassSums::new(1);
                values.iter().for_each(|&value| sums.add(0, value));
                sums
            };
            let mut reversed = values.clone();
            reversed.reverse();
            let whole = sum_of(&values);
            prop_assert_eq!(&sum_of(&reversed), &whole);
            prop_assert_eq!(sum_of(&values[cut..]).merge(sum_of(&values[..cut])), whole.clone());
            prop_assert_eq!(ClassSums::new(1).merge(whole.clone()), whole.clone());
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            prop_assert!((whole.means(&[values.len()], Meaning::Probability)[0] - mean.max(FLOOR)).abs() < 1e-15);
        }
    }

    #[test]
    fn the_mean_of_equal_values_is_that_value() {
        let mut sums = ClassSums::new(1);
        (0..7).for_each(|_| sums.add(0, 0.7));
        assert_eq!(sums.means(&[7], Meaning::Probability), [0.7]);
    }

    #[test]
    fn absent_classes_are_never_confident_and_no_threshold_is_zero() {
        let mut sums = ClassSums::new(2);
        sums.add(1, 0.0);
        assert_eq!(sums.means(&[0, 1], Meaning::Probability), [NEVER, FLOOR]);
    }
}
