//! Thresholds: t_1 of a class is the mean p over the examples with the tag, t_0 the mean 1 - p over
//! those without it.
//!
//! All cells are added by column, then those of the tags by themselves; the rest is the difference.
//! As in [`crate::thresholds`] they are added as integers, so the sums have no order; here in a way that
//! many cells can be added at once: p + 6 lies in [4, 8), where floats are 2^-50 apart, so their bits,
//! less those of 6, are p in units of 2^-50. What that rounds off of wide formats (and scores, which
//! reach further, and so are first counted in units of 2^-19) is added likewise, in units that are
//! finer by 2^-52.

use std::ops::Range;

use crate::blocks::Workers;
use crate::entropy::Real;
use crate::error::{Error, Result};
use crate::format::Meaning;
use crate::input::{AllRows, Lent, Matrix};
use crate::pred_probs::PredProbs;
use crate::scan::Fetch;
use crate::simd::{self, Kernel};

use super::bounds::{self, Cell, Tally};
use super::{TagLabels, bad_row, check_shape, checked, with_cells};

/// Rows whose sums fit: each adds less than 2^52.
const MOST_ROWS: usize = 1 << 11;

/// Cells looked at together.
const PIECE: usize = 128;

/// How much finer the units of rests are.
const FINER: u32 = 52;

/// t_0 and t_1 of each class.
///
/// # Errors
/// If the shapes differ, or a cell is no probability.
pub fn confident_thresholds(
    labels: &TagLabels,
    pred_probs: &PredProbs<'_>,
    workers: &Workers<'_>,
) -> Result<Vec<[f64; 2]>> {
    check_shape(labels, pred_probs)?;
    with_cells!(pred_probs, workers, matrix, meaning => {
        sums_of(matrix, labels, (meaning, true), workers)
    })
}

/// The thresholds, for a caller that goes on to read the whole matrix, and checks it.
pub(super) fn means<F: Cell>(
    matrix: &Matrix<'_, F>,
    labels: &TagLabels,
    meaning: Meaning,
    workers: &Workers<'_>,
) -> Result<Vec<[f64; 2]>> {
    sums_of(matrix, labels, (meaning, false), workers)
}

fn sums_of<F: Cell>(
    matrix: &Matrix<'_, F>,
    labels: &TagLabels,
    (meaning, checks): (Meaning, bool),
    workers: &Workers<'_>,
) -> Result<Vec<[f64; 2]>> {
    let n_classes = labels.n_classes();
    let range = bounds::Range::<F>::new(meaning);
    let is_fine = meaning == Meaning::Score || size_of::<F::Bits>() > 4;
    let shift = match meaning {
        Meaning::Probability => 6.0,
        Meaning::Score => 12_884_901_888.0, // 1.5 * 2^33
    };
    let all = AllRows(labels.n_examples());
    let add = |state: &mut (Sums, Vec<F::Bits>), mut rows: Range<usize>| {
        let (sums, tile) = state;
        while !rows.is_empty() {
            let some = rows.start..rows.end.min(rows.start + MOST_ROWS);
            let lent = matrix.lend(&all, some, tile)?;
            rows.start = lent.positions.end;
            simd::dispatch(workers.level(), Block::<F> { lent, labels, range, checks, sums })?;
            sums.flush();
        }
        Ok(())
    };
    let found = workers.fold(
        labels.n_examples(),
        matrix.row_bytes(),
        || (Sums::new(n_classes, is_fine, shift), Vec::new()),
        add,
        |(sums, tile), (more, _)| (sums.merge(&more), tile),
    );
    let (sums, _) = checked(found, matrix, meaning, workers)?;
    Ok((0..n_classes).map(|class| sums.thresholds(class, labels.counts(class), meaning)).collect())
}

/// Sums of a class over all rows, and over those with the tag.
#[derive(Debug, Clone, Copy, Default)]
struct ClassSum {
    all: i128,
    tagged: i128,
}

/// Sums of whole units, and of rests.
struct Sums {
    shift: f64,
    /// What is added up of a few rows, as bits.
    units: Vec<u64>,
    /// Of rests, where there are any.
    rests: Vec<u64>,
    n_rows: u64,
    whole: Vec<ClassSum>,
    fine: Vec<ClassSum>,
}

impl Sums {
    fn new(n_classes: usize, is_fine: bool, shift: f64) -> Self {
        let n_fine = if is_fine { n_classes } else { 0 };
        Self {
            shift,
            units: vec![0; n_classes],
            rests: vec![0; n_fine],
            n_rows: 0,
            whole: vec![ClassSum::default(); n_classes],
            fine: vec![ClassSum::default(); n_fine],
        }
    }

    /// What makes units of rests, which are up to half a unit.
    fn rest_shift(&self) -> f64 {
        self.shift / f64::from(1 << 26) / f64::from(1 << 26)
    }

    fn flush(&mut self) {
        let (shift, rest_shift) = (self.shift, self.rest_shift());
        let flush = |sums: &mut [ClassSum], units: &mut [u64], shift: f64| {
            let shifts = shift.to_bits().wrapping_mul(self.n_rows);
            for (sum, units) in sums.iter_mut().zip(units) {
                sum.all += i128::from(units.wrapping_sub(shifts).cast_signed());
                *units = 0;
            }
        };
        flush(&mut self.whole, &mut self.units, shift);
        flush(&mut self.fine, &mut self.rests, rest_shift);
        self.n_rows = 0;
    }

    fn merge(mut self, other: &Self) -> Self {
        let add = |sums: &mut [ClassSum], more: &[ClassSum]| {
            for (sum, more) in sums.iter_mut().zip(more) {
                sum.all += more.all;
                sum.tagged += more.tagged;
            }
        };
        add(&mut self.whole, &other.whole);
        add(&mut self.fine, &other.fine);
        self
    }

    fn thresholds(&self, class: usize, counts: [usize; 2], meaning: Meaning) -> [f64; 2] {
        let whole = self.whole[class];
        let fine = self.fine.get(class).copied().unwrap_or_default();
        let parts = [whole.all - whole.tagged, whole.tagged];
        let rests = [fine.all - fine.tagged, fine.tagged];
        [0, 1].map(|side| {
            if counts[side] == 0 {
                return meaning.never();
            }
            let mean = self.mean(parts[side], rests[side], counts[side] as i128);
            let own = if side == 0 { super::complement(mean, meaning) } else { mean };
            own.max(meaning.least_threshold())
        })
    }

    /// Divided as integers, so that the mean of equal values is that value.
    fn mean(&self, whole: i128, fine: i128, count: i128) -> f64 {
        let (quotient, remainder) = (whole.div_euclid(count), whole.rem_euclid(count));
        let rest = ((remainder << FINER) + fine + count / 2).div_euclid(count);
        // Bits of a float in [4, 8) count units of 2^-50, those in [2^33, 2^34) of 2^-19.
        let unit = f64::from_bits(self.shift.to_bits() + 1) - self.shift;
        let finer = 1.0 / f64::from(1 << (FINER / 2)) / f64::from(1 << (FINER / 2));
        ((quotient << FINER) + rest) as f64 * finer * unit
    }
}

/// Some rows, as compiled for a CPU level.
struct Block<'a, 't, F: Cell> {
    lent: Lent<'t, F, AllRows>,
    labels: &'a TagLabels,
    range: bounds::Range<F>,
    checks: bool,
    sums: &'a mut Sums,
}

impl<F: Cell> Kernel for Block<'_, '_, F> {
    type Output = Result<()>;

    #[inline(always)]
    fn run(self) -> Result<()> {
        let Self { lent, labels, range, checks, sums } = self;
        let (shift, rest_shift) = (sums.shift, sums.rest_shift());
        for row in lent.positions.clone() {
            let cells = lent.cells(row);
            let mut furthest = <F::Key as Tally>::Distance::default();
            let units = &mut sums.units[..cells.len()];
            for start in (0..cells.len()).step_by(PIECE) {
                let end = cells.len().min(start + PIECE);
                Fetch::All.ahead_of(&cells[start..end]);
                if checks {
                    furthest = furthest.max(furthest_of::<F>(&cells[start..end], range.low));
                }
                add::<F>(&cells[start..end], &mut units[start..end], shift);
            }
            for (sum, &cell) in sums.rests.iter_mut().zip(cells) {
                let value = F::real(cell).double();
                let rest = value - ((value + shift) - shift);
                *sum = sum.wrapping_add((rest + rest_shift).to_bits());
            }
            if furthest > range.width {
                return Err(bad_row::<F>(row, cells, range.meaning).unwrap_or(Error::Interrupted));
            }
            for &class in labels.of(row) {
                let class = class as usize;
                let value = F::value(cells[class]);
                let bits = (value + shift).to_bits();
                sums.whole[class].tagged +=
                    i128::from(bits.wrapping_sub(shift.to_bits()).cast_signed());
                if let Some(sum) = sums.fine.get_mut(class) {
                    let rest = value - ((value + shift) - shift);
                    let bits = (rest + rest_shift).to_bits();
                    sum.tagged += i128::from(bits.wrapping_sub(rest_shift.to_bits()).cast_signed());
                }
            }
            sums.n_rows += 1;
        }
        Ok(())
    }
}

/// How far above the smallest valid key the furthest one is.
#[inline(always)]
fn furthest_of<F: Cell>(cells: &[F::Bits], low: F::Key) -> <F::Key as Tally>::Distance {
    let mut furthest = <F::Key as Tally>::Distance::default();
    for &cell in cells {
        furthest = furthest.max(F::key(cell).distance_above(low));
    }
    furthest
}

/// Adds some cells by column.
#[inline(always)]
fn add<F: Cell>(cells: &[F::Bits], units: &mut [u64], shift: f64) {
    for (sum, &cell) in units.iter_mut().zip(cells) {
        *sum = sum.wrapping_add((F::real(cell).double() + shift).to_bits());
    }
}
