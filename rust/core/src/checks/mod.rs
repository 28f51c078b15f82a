//! What shows that labels and matrix are not what they should be: columns in another order,
//! probabilities of a model that has seen the labels, rows that do not sum to 1, and so on.
//!
//! Here is what is counted; what follows from it is said in Python, from a few numbers. Counts and
//! sums have no order (sums are of integers), so threads, batches and merges cannot show.
//!
//! | part | of each row | who has it for nothing |
//! | --- | --- | --- |
//! | [`Agreement`] | the given class, the most probable one, both their probabilities | every sweep: [`RowFacts`] |
//! | [`CellSums`] | its sum, its zeros, all cells by class, the log loss | a sweep over a few rows ([`Sample`]) |
//! | [`Duplicates`] | a hash of all cells | nobody |

mod agreement;
mod cells;
mod duplicates;
mod sample;
#[cfg(test)]
mod tests;

pub(crate) use agreement::Agreement;
pub use agreement::{Bin, Extreme};
pub(crate) use cells::CellSums;
pub use cells::{OFF_BOUNDS, RowSum};
pub use duplicates::DuplicateCounts;
pub(crate) use duplicates::Duplicates;
pub use sample::Sample;

use std::ops::Range;

use crate::blocks::Workers;
use crate::error::Result;
use crate::format::Format;
use crate::input::{AllRows, ByEntries, Labels, Lent, Matrix, Rows};
use crate::look::{Keep, Seen};
use crate::row::{Cutoffs, RowFacts, Several, ValidKeys, row_facts};
use crate::scan::Fetch;
use crate::simd::{self, Kernel};
use crate::states::RowNumbers;
use crate::sweep::{bad_cell, first_fault, or_first_fault};
use cells::CellTally;

/// Sums of probabilities are of integers in units of 2^-40: so 2^22 rows fit an i64, and what
/// rounding leaves of a cell is far below what is asked of a sum.
pub(crate) const UNITS: f64 = (1_u64 << 40) as f64;

/// Added to a probability, this leaves it in these units in the lower bits: no conversion of a float
/// to an integer is as fast. The sum of both lies between 2^12 and 2^13, where a float64 has steps of
/// 2^-40.
const ALIGNED: f64 = 6144.0;

/// A number from -2048 to 2047 in these units, rounded.
#[inline(always)]
fn in_units(value: f64) -> i64 {
    (value + ALIGNED).to_bits().wrapping_sub(ALIGNED.to_bits()).cast_signed()
}

/// The mean of a sum of so many; 0 of none.
fn mean(sum: i128, n: u64) -> f64 {
    if n == 0 { 0.0 } else { sum as f64 / UNITS / n as f64 }
}

/// All that is counted of some rows.
pub(crate) struct Tally {
    pub(crate) agreement: Agreement,
    pub(crate) cells: CellSums,
    pub(crate) duplicates: Duplicates,
}

impl Tally {
    fn new<F: Format>(n_classes: usize) -> Self {
        Self {
            agreement: Agreement::new(n_classes, F::MEANING),
            cells: CellSums::new(n_classes, F::MEANING),
            duplicates: Duplicates::default(),
        }
    }

    /// Looks at every cell of every row once.
    pub(crate) fn of_rows<F: Format>(
        labels: &Labels,
        matrix: &Matrix<'_, F>,
        numbers: RowNumbers<'_>,
        workers: &Workers<'_>,
    ) -> Result<Self> {
        if let Some(entries) = matrix.by_entries() {
            return Self::of_entries(labels, matrix, entries, numbers, workers);
        }
        let n_classes = labels.n_classes();
        let whole = Whole {
            labels,
            numbers,
            cutoffs: Cutoffs::never(n_classes),
            valid: ValidKeys::new(),
            multipliers: cells::multipliers(n_classes),
        };
        let all = AllRows(labels.n_examples());
        let counted = workers.fold(
            labels.n_examples(),
            matrix.row_bytes(),
            || Part::<F>::new(n_classes),
            |part, mut rows| {
                while !rows.is_empty() {
                    let mut tile = std::mem::take(&mut part.tile);
                    let lent = matrix.lend(&all, rows.clone(), &mut tile)?;
                    rows.start = lent.positions.end;
                    simd::dispatch(workers.level(), Block { whole: &whole, lent, part })?;
                    part.tile = tile;
                }
                Ok(())
            },
            Part::merge,
        );
        Ok(or_first_fault(counted, || first_fault(matrix, &all, workers))?.settled())
    }

    /// The same of rows that store a few entries: their facts come from a look of their own.
    fn of_entries<F: Format>(
        labels: &Labels,
        matrix: &Matrix<'_, F>,
        entries: &dyn ByEntries<F>,
        numbers: RowNumbers<'_>,
        workers: &Workers<'_>,
    ) -> Result<Self> {
        let several = Several::MostProbable;
        let keep = Keep::facts(several);
        let facts = Seen::look(labels, matrix, None, keep, workers)?.facts;
        let n_classes = labels.n_classes();
        let counted = workers.fold(
            labels.n_examples(),
            matrix.row_bytes(),
            || Part::<F>::new(n_classes),
            |part, rows| {
                for row in rows {
                    let given = labels.given(row);
                    part.tally.agreement.add(given, &facts[row]);
                    let stored = entries.entries(row);
                    let number = numbers.of(row);
                    let hashes = part.cells.add_entries(&stored, given, number);
                    let values = || stored.iter().map(|&(_, value)| value);
                    part.tally.duplicates.add(hashes, number, given, values);
                }
                Ok(())
            },
            Part::merge,
        )?;
        Ok(counted.settled())
    }
}

impl CellSums {
    /// Looks at all cells of a few rows, of a matrix that was checked.
    pub(crate) fn of_sample<F: Format>(
        labels: &Labels,
        matrix: &Matrix<'_, F>,
        sample: Sample,
        workers: &Workers<'_>,
    ) -> Result<Self> {
        let n_classes = matrix.n_columns();
        if !F::HAS_PROBABILITIES {
            return Ok(Self::new(n_classes, F::MEANING));
        }
        let places = &&sample.places(matrix.n_rows())[..];
        let number = |place: usize| sample.first_row + place as u64;
        let counted = workers.fold(
            places.len(),
            matrix.row_bytes(),
            || (CellTally::new(n_classes, F::MEANING), Vec::new()),
            |(cells, tile), mut positions: Range<usize>| {
                if let Some(entries) = matrix.by_entries() {
                    for position in positions {
                        let place = places[position];
                        let given = labels.given(place);
                        cells.add_entries(&entries.entries(place), given, number(place));
                    }
                    return Ok(());
                }
                while !positions.is_empty() {
                    let lent = matrix.lend(places, positions.clone(), tile)?;
                    positions.start = lent.positions.end;
                    let first_row = sample.first_row;
                    simd::dispatch(
                        workers.level(),
                        SampledBlock { labels, lent, places, first_row, cells },
                    );
                }
                Ok(())
            },
            |(cells, tile), (more, _)| (cells.merge(more), tile),
        )?;
        Ok(counted.0.settled())
    }
}

/// What a thread counts in.
struct Part<F: Format> {
    tally: Tally,
    cells: CellTally,
    tile: Vec<F::Bits>,
}

impl<F: Format> Part<F> {
    fn new(n_classes: usize) -> Self {
        Self {
            tally: Tally::new::<F>(n_classes),
            cells: CellTally::new(n_classes, F::MEANING),
            tile: Vec::new(),
        }
    }

    fn merge(mut self, other: Self) -> Self {
        self.tally.agreement.merge(&other.tally.agreement);
        self.tally.duplicates.merge(&other.tally.duplicates);
        self.cells = self.cells.merge(other.cells);
        self
    }

    fn settled(mut self) -> Tally {
        self.tally.cells = self.cells.settled();
        self.tally.duplicates.settle();
        self.tally
    }
}

/// What a sweep over all rows works with.
struct Whole<'a, F: Format> {
    labels: &'a Labels,
    numbers: RowNumbers<'a>,
    cutoffs: Cutoffs<F>,
    valid: ValidKeys<F>,
    multipliers: Vec<u64>,
}

/// Some rows, as compiled for a CPU level.
struct Block<'a, 'w, 't, F: Format, R> {
    whole: &'a Whole<'w, F>,
    lent: Lent<'t, F, R>,
    part: &'a mut Part<F>,
}

impl<F: Format, R: Rows> Kernel for Block<'_, '_, '_, F, R> {
    type Output = Result<()>;

    #[inline(always)]
    fn run(self) -> Result<()> {
        let Self { whole, lent, part } = self;
        for row in lent.positions.clone() {
            let (cells, given) = (lent.cells(row), whole.labels.given(row));
            let several = Several::MostProbable;
            let facts = row_facts(cells, given, &whole.cutoffs, &whole.valid, several, Fetch::All);
            let (facts, _): (RowFacts, _) =
                facts.map_err(|found| bad_cell(F::MEANING, row, found))?;
            part.tally.agreement.add(given, &facts);
            let number = whole.numbers.of(row);
            let hashes = part.cells.add_row::<F>(cells, given, number, &whole.multipliers);
            let values = || cells.iter().map(|&bits| F::value(bits));
            part.tally.duplicates.add(hashes, number, given, values);
        }
        Ok(())
    }
}

/// Some rows of a sample, as compiled for a CPU level.
struct SampledBlock<'a, 't, F: Format, R> {
    labels: &'a Labels,
    lent: Lent<'t, F, R>,
    places: &'a [usize],
    first_row: u64,
    cells: &'a mut CellTally,
}

impl<F: Format, R: Rows> Kernel for SampledBlock<'_, '_, F, R> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { labels, lent, places, first_row, cells } = self;
        for position in lent.positions.clone() {
            let place = places[position];
            let (given, number) = (labels.given(place), first_row + place as u64);
            cells.add_row::<F>(lent.cells(position), given, number, &[]);
        }
    }
}
