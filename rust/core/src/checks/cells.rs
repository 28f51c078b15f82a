//! Sums over all cells of rows: by class, by row, and how many are 0.

use serde::{Deserialize, Serialize};

use super::{UNITS, in_units, mean};
use crate::entropy::{Real, ln};
use crate::format::{Format, Meaning};
use crate::hash::mixed;

/// Rows are counted whose sum is off 1 by more than this.
pub const OFF_BOUNDS: [f64; 4] = [0.001, 0.01, 0.05, 0.25];

/// No probability counts as lower in the log loss, so that no row decides alone.
const LEAST: f64 = 1e-6;

/// The sum of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowSum {
    units: i64,
    /// Whose; the lowest of those with equal sums.
    pub row: u64,
}

impl RowSum {
    /// As a number.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.units as f64 / UNITS
    }
}

/// How many rows sum to less than 1, or to more, by more than each of the bounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Off {
    below: u64,
    above: u64,
}

/// What the cells of some rows add up to. Of scores nothing does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CellSums {
    /// Rows of which all cells were looked at, and those among them that store a few entries.
    pub(crate) n_rows: u64,
    pub(crate) n_sparse: u64,
    /// Of rows that store all cells: cells that are 0.
    pub(crate) n_zeros: u64,
    /// The sum of -ln P(given class), and how many of the rows are given each class.
    loss: i128,
    pub(crate) given_counts: Vec<u64>,
    by_class: Vec<i128>,
    off: [Off; OFF_BOUNDS.len()],
    /// Of rows that store all cells.
    pub(crate) least: Option<RowSum>,
    pub(crate) largest: Option<RowSum>,
}

impl CellSums {
    pub(crate) fn new(n_classes: usize, meaning: Meaning) -> Self {
        let n_sums = if meaning == Meaning::Probability { n_classes } else { 0 };
        Self {
            n_rows: 0,
            n_sparse: 0,
            n_zeros: 0,
            loss: 0,
            given_counts: vec![0; n_sums],
            by_class: vec![0; n_sums],
            off: [Off::default(); OFF_BOUNDS.len()],
            least: None,
            largest: None,
        }
    }

    /// The mean of each class's cells; empty of scores.
    pub(crate) fn means(&self) -> Vec<f64> {
        self.by_class.iter().map(|&sum| mean(sum, self.n_rows)).collect()
    }

    /// The mean of -ln P(given class), in nats; 0 of scores.
    pub(crate) fn log_loss(&self) -> f64 {
        mean(self.loss, self.n_rows)
    }

    /// How many rows sum to less than 1 by more than each of [`OFF_BOUNDS`], and to more. Rows that
    /// store a few entries sum to less because of what they do not store, so they are not counted.
    pub(crate) fn off(&self) -> [[u64; OFF_BOUNDS.len()]; 2] {
        [self.off.map(|off| off.below), self.off.map(|off| off.above)]
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.n_rows += other.n_rows;
        self.n_sparse += other.n_sparse;
        self.n_zeros = self.n_zeros.saturating_add(other.n_zeros);
        self.loss += other.loss;
        let counts = self.given_counts.iter_mut().zip(&other.given_counts);
        counts.for_each(|(count, more)| *count += more);
        self.by_class.iter_mut().zip(&other.by_class).for_each(|(sum, more)| *sum += more);
        for (off, more) in self.off.iter_mut().zip(&other.off) {
            off.below += more.below;
            off.above += more.above;
        }
        for sum in [other.least, other.largest].into_iter().flatten() {
            self.see(sum);
        }
    }

    /// Counts a sum among the smallest and the largest.
    #[inline(always)]
    fn see(&mut self, sum: RowSum) {
        let replaces = |seen: Option<RowSum>, is_beyond: fn(i64, i64) -> bool| {
            seen.is_none_or(|seen| {
                is_beyond(sum.units, seen.units) || sum.units == seen.units && sum.row < seen.row
            })
        };
        if replaces(self.least, |new, old| new < old) {
            self.least = Some(sum);
        }
        if replaces(self.largest, |new, old| new > old) {
            self.largest = Some(sum);
        }
    }

    #[inline(always)]
    fn add_sum(&mut self, units: i64, row: u64, (given, own): (usize, f64), is_sparse: bool) {
        self.n_rows += 1;
        self.given_counts[given] += 1;
        self.loss += i128::from(in_units(-ln(own.max(LEAST))));
        self.n_sparse += u64::from(is_sparse);
        let beyond = units as f64 / UNITS - 1.0;
        for (off, bound) in self.off.iter_mut().zip(OFF_BOUNDS) {
            off.above += u64::from(beyond > bound);
            off.below += u64::from(beyond < -bound && !is_sparse);
        }
        if !is_sparse {
            self.see(RowSum { units, row });
        }
    }

    /// Whether they may be those of some of so many rows of each class.
    pub(crate) fn could_be_of(&self, given_counts: &[u64], meaning: Meaning) -> bool {
        let n_classes = given_counts.len();
        let n_sums = if meaning == Meaning::Probability { n_classes } else { 0 };
        let most = |value: f64| i128::from(self.n_rows) * (i128::from(in_units(value)) + 1);
        let (most, most_loss) = (most(Meaning::Probability.largest()), most(-ln(LEAST)));
        let is_off =
            |off: &Off| off.below.checked_add(off.above).is_some_and(|both| both <= self.n_rows);
        let n_dense = self.n_rows.saturating_sub(self.n_sparse);
        self.given_counts.len() == n_sums
            && self.given_counts.iter().zip(given_counts).all(|(count, most)| count <= most)
            && self.given_counts.iter().sum::<u64>() == self.n_rows
            && self.n_sparse <= self.n_rows
            && u128::from(self.n_zeros) <= u128::from(n_dense) * n_classes as u128
            && (-most_loss..=most_loss).contains(&self.loss)
            && self.by_class.len() == n_sums
            && self.by_class.iter().all(|sum| (-most..=most).contains(sum))
            && self.off.iter().all(is_off)
            && self.least.is_some() == (n_dense > 0)
            && self.largest.is_some() == (n_dense > 0)
    }
}

/// Two hashes of a row: of the cells of odd columns, and of all.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hashes {
    pub(super) half: u64,
    pub(super) whole: u64,
}

/// By what the bits of a cell are multiplied in the hash of its row. A sum of such products hardly
/// ever is the same for two rows (multilinear hashing: Lemire and Kaser, "Strongly universal string
/// hashing is fast", 2014); it has no order, and zeros add nothing, so that rows that do not store
/// them have the same.
#[inline(always)]
fn multiplier(class: u64) -> u64 {
    mixed(class) | 1
}

/// Those of all classes.
pub(super) fn multipliers(n_classes: usize) -> Vec<u64> {
    (0..n_classes as u64).map(multiplier).collect()
}

/// The factor of a cell: its upper bits, in which coarse numbers differ, are brought down as well.
#[inline(always)]
fn factor(value: f64) -> u64 {
    let bits = value.to_bits();
    bits ^ (bits >> 32)
}

/// Lanes of cells that are summed by themselves; even, so that those of odd columns are known.
const LANES: usize = 8;

/// So many rows are added to sums of 64 bits before these are added to larger ones.
const MOST_ADDED: u32 = 1 << 21;

/// Sums while they are made.
pub(super) struct CellTally {
    sums: CellSums,
    columns: Vec<i64>,
    n_added: u32,
}

impl CellTally {
    pub(super) fn new(n_classes: usize, meaning: Meaning) -> Self {
        let sums = CellSums::new(n_classes, meaning);
        Self { columns: vec![0; sums.by_class.len()], sums, n_added: 0 }
    }

    /// Adds a row, and hashes it with the multipliers of its classes, if there are any.
    #[inline(always)]
    pub(super) fn add_row<F: Format>(
        &mut self,
        cells: &[F::Bits],
        given: usize,
        row: u64,
        multipliers: &[u64],
    ) -> Hashes {
        if F::HAS_PROBABILITIES {
            self.add_cells::<F>(cells, given, row);
        }
        if multipliers.is_empty() { Hashes::default() } else { hashes::<F>(cells, multipliers) }
    }

    #[inline(always)]
    fn add_cells<F: Format>(&mut self, cells: &[F::Bits], given: usize, row: u64) {
        let (mut sums, mut zeros) = ([0_i64; LANES], [0_u64; LANES]);
        let (pieces, rest) = cells.as_chunks::<LANES>();
        let (columns, columns_of_rest) = self.columns.as_chunks_mut::<LANES>();
        for (cells, columns) in pieces.iter().zip(columns) {
            for lane in 0..LANES {
                let value = F::real(cells[lane]).double();
                let units = in_units(value);
                columns[lane] += units;
                sums[lane] += units;
                zeros[lane] += u64::from(value <= 0.0);
            }
        }
        let (mut sum, mut n_zeros) = (sums.iter().sum::<i64>(), zeros.iter().sum::<u64>());
        for (&cell, column) in rest.iter().zip(columns_of_rest) {
            let value = F::real(cell).double();
            let units = in_units(value);
            *column += units;
            sum += units;
            n_zeros += u64::from(value <= 0.0);
        }
        self.sums.n_zeros += n_zeros;
        self.sums.add_sum(sum, row, (given, F::value(cells[given])), false);
        self.row_added();
    }

    /// Adds a row by the entries that it stores, and hashes it.
    pub(super) fn add_entries(&mut self, entries: &[(u32, f64)], given: usize, row: u64) -> Hashes {
        let (mut sum, mut own) = (0, 0.0);
        let mut hashes = Hashes::default();
        for &(class, value) in entries {
            if class as usize == given {
                own = value;
            }
            if let Some(column) = self.columns.get_mut(class as usize) {
                let units = in_units(value);
                *column += units;
                sum += units;
            }
            // Zeros have no sign here, as where they are not stored.
            let product = factor(value + 0.0).wrapping_mul(multiplier(u64::from(class)));
            hashes.whole = hashes.whole.wrapping_add(product);
            if class % 2 == 1 {
                hashes.half = hashes.half.wrapping_add(product);
            }
        }
        if !self.columns.is_empty() {
            self.sums.add_sum(sum, row, (given, own), true);
            self.row_added();
        }
        hashes
    }

    #[inline(always)]
    fn row_added(&mut self) {
        self.n_added += 1;
        if self.n_added == MOST_ADDED {
            self.add_columns();
        }
    }

    #[cold]
    fn add_columns(&mut self) {
        for (sum, column) in self.sums.by_class.iter_mut().zip(&mut self.columns) {
            *sum += i128::from(std::mem::take(column));
        }
        self.n_added = 0;
    }

    pub(super) fn merge(mut self, mut other: Self) -> Self {
        other.add_columns();
        self.sums.merge(&other.sums);
        self
    }

    pub(super) fn settled(mut self) -> CellSums {
        self.add_columns();
        self.sums
    }
}

#[inline(always)]
fn hashes<F: Format>(cells: &[F::Bits], multipliers: &[u64]) -> Hashes {
    let mut lanes = [0_u64; LANES];
    let (pieces, rest) = cells.as_chunks::<LANES>();
    let (multipliers, multipliers_of_rest) = multipliers.as_chunks::<LANES>();
    for (cells, multipliers) in pieces.iter().zip(multipliers) {
        for lane in 0..LANES {
            let factor = factor(F::real(cells[lane]).double() + 0.0);
            lanes[lane] = lanes[lane].wrapping_add(factor.wrapping_mul(multipliers[lane]));
        }
    }
    for (lane, (&cell, multiplier)) in rest.iter().zip(multipliers_of_rest).enumerate() {
        let factor = factor(F::real(cell).double() + 0.0);
        lanes[lane] = lanes[lane].wrapping_add(factor.wrapping_mul(*multiplier));
    }
    let sum = |sum: u64, lane: &u64| sum.wrapping_add(*lane);
    let half = lanes.iter().skip(1).step_by(2).fold(0, sum);
    Hashes { half, whole: lanes.iter().step_by(2).fold(half, sum) }
}
