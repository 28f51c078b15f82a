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

use serde::{Deserialize, Serialize};

use crate::blocks::Workers;
use crate::entropy::Real;
use crate::error::{Error, Result};
use crate::format::Meaning;
use crate::input::{AllRows, Lent, Matrix};
use crate::pred_probs::PredProbs;
use crate::scan::Fetch;
use crate::simd::{self, Kernel};

use super::bounds::{self, Cell, Tally};
use super::tags::Sides;
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
        Ok(sums_of(matrix, labels, (meaning, true), workers)?.thresholds(&Sides::of(labels), meaning))
    })
}

/// The thresholds, for a caller that goes on to read the whole matrix, and checks it.
pub(super) fn means<F: Cell>(
    matrix: &Matrix<'_, F>,
    labels: &TagLabels,
    meaning: Meaning,
    workers: &Workers<'_>,
) -> Result<Vec<[f64; 2]>> {
    let sums = sums_of(matrix, labels, (meaning, false), workers)?;
    Ok(sums.thresholds(&Sides::of(labels), meaning))
}

/// Sums of all cells, each of them checked if the caller wants that.
pub(super) fn sums_of<F: Cell>(
    matrix: &Matrix<'_, F>,
    labels: &TagLabels,
    (meaning, checks): (Meaning, bool),
    workers: &Workers<'_>,
) -> Result<Sums> {
    let n_classes = labels.n_classes();
    let range = bounds::Range::<F>::new(meaning);
    let is_fine = meaning == Meaning::Score || size_of::<F::Bits>() > 4;
    let all = AllRows(labels.n_examples());
    let add = |state: &mut (Adding, Vec<F::Bits>), mut rows: Range<usize>| {
        let (adding, tile) = state;
        while !rows.is_empty() {
            let some = rows.start..rows.end.min(rows.start + MOST_ROWS);
            let lent = matrix.lend(&all, some, tile)?;
            rows.start = lent.positions.end;
            let block = Block::<F> { lent, labels, range, checks, adding: &mut *adding };
            simd::dispatch(workers.level(), block)?;
            adding.flush();
        }
        Ok(())
    };
    let found = workers.fold(
        labels.n_examples(),
        matrix.row_bytes(),
        || (Adding::new(n_classes, is_fine, shift(meaning)), Vec::new()),
        add,
        |(mut adding, tile), (more, _)| {
            adding.sums.add(&more.sums);
            (adding, tile)
        },
    );
    Ok(checked(found, matrix, meaning, workers)?.0.sums)
}

/// What makes units of values.
fn shift(meaning: Meaning) -> f64 {
    match meaning {
        Meaning::Probability => 6.0,
        Meaning::Score => 12_884_901_888.0, // 1.5 * 2^33
    }
}

/// Sums of a class over all rows, and over those with the tag.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct ClassSum {
    all: i128,
    tagged: i128,
}

impl ClassSum {
    /// Those of the sides.
    fn sides(self) -> [i128; 2] {
        [self.all - self.tagged, self.tagged]
    }
}

/// Sums of whole units, and of rests, by class. What a cell adds depends on the cell alone, so they have no
/// order: blocks, batches and machines cannot show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sums {
    whole: Vec<ClassSum>,
    /// Of rests, where there may be any.
    fine: Vec<ClassSum>,
}

/// No cell adds more than that many units, or finer ones.
const MOST_UNITS: i128 = 1 << FINER;

impl Sums {
    pub(super) fn new(n_classes: usize, is_fine: bool) -> Self {
        let n_fine = if is_fine { n_classes } else { 0 };
        Self {
            whole: vec![ClassSum::default(); n_classes],
            fine: vec![ClassSum::default(); n_fine],
        }
    }

    /// Adds others, which may have no rests.
    pub(super) fn add(&mut self, other: &Self) {
        let add = |sums: &mut [ClassSum], more: &[ClassSum]| {
            for (sum, more) in sums.iter_mut().zip(more) {
                sum.all += more.all;
                sum.tagged += more.tagged;
            }
        };
        add(&mut self.whole, &other.whole);
        add(&mut self.fine, &other.fine);
    }

    /// Whether so many examples may have such sums, of which all have rests.
    pub(super) fn could_be_of(&self, sides: &Sides) -> bool {
        let n_classes = sides.n_classes();
        let is_possible = |(class, sum): (usize, &ClassSum)| {
            let Some(untagged) = sum.all.checked_sub(sum.tagged) else { return false };
            let counts = sides.counts(class).map(|count| count as i128 * MOST_UNITS);
            untagged.unsigned_abs() <= counts[0].unsigned_abs()
                && sum.tagged.unsigned_abs() <= counts[1].unsigned_abs()
        };
        let are_possible = |sums: &[ClassSum]| sums.iter().enumerate().all(is_possible);
        self.whole.len() == n_classes
            && self.fine.len() == n_classes
            && are_possible(&self.whole)
            && are_possible(&self.fine)
    }

    /// t_0 and t_1 of each class.
    pub(super) fn thresholds(&self, sides: &Sides, meaning: Meaning) -> Vec<[f64; 2]> {
        let of_class = |class: usize| {
            let whole = self.whole[class].sides();
            let fine = self.fine.get(class).copied().unwrap_or_default().sides();
            let counts = sides.counts(class);
            [0, 1].map(|side| {
                if counts[side] == 0 {
                    return meaning.never();
                }
                let mean = mean((whole[side], fine[side]), counts[side] as i128, meaning);
                let own = if side == 0 { super::complement(mean, meaning) } else { mean };
                own.max(meaning.least_threshold())
            })
        };
        (0..self.whole.len()).map(of_class).collect()
    }
}

/// Divided as integers, so that the mean of equal values is that value.
fn mean((whole, fine): (i128, i128), count: i128, meaning: Meaning) -> f64 {
    let (quotient, remainder) = (whole.div_euclid(count), whole.rem_euclid(count));
    let rest = ((remainder << FINER) + fine + count / 2).div_euclid(count);
    // Bits of a float in [4, 8) count units of 2^-50, those in [2^33, 2^34) of 2^-19.
    let shift = shift(meaning);
    let unit = f64::from_bits(shift.to_bits() + 1) - shift;
    let finer = 1.0 / f64::from(1 << (FINER / 2)) / f64::from(1 << (FINER / 2));
    ((quotient << FINER) + rest) as f64 * finer * unit
}

/// What a thread adds to.
struct Adding {
    shift: f64,
    /// What is added up of a few rows, as bits.
    units: Vec<u64>,
    /// Of rests, where there are any.
    rests: Vec<u64>,
    n_rows: u64,
    sums: Sums,
}

impl Adding {
    fn new(n_classes: usize, is_fine: bool, shift: f64) -> Self {
        let sums = Sums::new(n_classes, is_fine);
        let rests = vec![0; sums.fine.len()];
        Self { shift, units: vec![0; n_classes], rests, n_rows: 0, sums }
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
        flush(&mut self.sums.whole, &mut self.units, shift);
        flush(&mut self.sums.fine, &mut self.rests, rest_shift);
        self.n_rows = 0;
    }
}

/// Some rows, as compiled for a CPU level.
struct Block<'a, 't, F: Cell> {
    lent: Lent<'t, F, AllRows>,
    labels: &'a TagLabels,
    range: bounds::Range<F>,
    checks: bool,
    adding: &'a mut Adding,
}

impl<F: Cell> Kernel for Block<'_, '_, F> {
    type Output = Result<()>;

    #[inline(always)]
    fn run(self) -> Result<()> {
        let Self { lent, labels, range, checks, adding } = self;
        let (shift, rest_shift) = (adding.shift, adding.rest_shift());
        for row in lent.positions.clone() {
            let cells = lent.cells(row);
            let mut furthest = <F::Key as Tally>::Distance::default();
            let units = &mut adding.units[..cells.len()];
            for start in (0..cells.len()).step_by(PIECE) {
                let end = cells.len().min(start + PIECE);
                Fetch::All.ahead_of(&cells[start..end]);
                if checks {
                    furthest = furthest.max(furthest_of::<F>(&cells[start..end], range.low));
                }
                add::<F>(&cells[start..end], &mut units[start..end], shift);
            }
            for (sum, &cell) in adding.rests.iter_mut().zip(cells) {
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
                adding.sums.whole[class].tagged +=
                    i128::from(bits.wrapping_sub(shift.to_bits()).cast_signed());
                if let Some(sum) = adding.sums.fine.get_mut(class) {
                    let rest = value - ((value + shift) - shift);
                    let bits = (rest + rest_shift).to_bits();
                    sum.tagged += i128::from(bits.wrapping_sub(rest_shift.to_bits()).cast_signed());
                }
            }
            adding.n_rows += 1;
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
