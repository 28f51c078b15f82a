//! The pass over the matrix: blocks of rows, one kernel a row, values checked on the way.

use std::ops::Range;

use crate::blocks::{Filling, Workers};
use crate::error::{Error, Result};
use crate::format::{Format, Meaning};
use crate::input::{AllRows, Labels, Matrix, Rows};
use crate::row::{BadCell, check_row};
use crate::simd::{self, Kernel};

/// What a sweep does with each row.
pub(crate) trait RowKernel<F: Format>: Sync {
    /// What it keeps of each row.
    type Fact: Send;
    /// What else a block of rows collects.
    type Side: Default + Send;

    /// Looks at one row. Must be `inline(always)`, so that it is compiled for each CPU level.
    fn row(
        &self,
        row: usize,
        cells: &[F::Bits],
        given: usize,
        side: &mut Self::Side,
    ) -> Result<Self::Fact, BadCell>;
}

/// One fact a row, and what each block collected.
pub(crate) type Swept<F, K> = (Vec<<K as RowKernel<F>>::Fact>, Vec<<K as RowKernel<F>>::Side>);

/// Runs a kernel over rows: one fact a row, and what the blocks collected, both in order.
pub(crate) fn sweep<F: Format, R: Rows, K: RowKernel<F>>(
    matrix: &Matrix<'_, F>,
    labels: &Labels,
    rows: &R,
    kernel: &K,
    workers: &Workers<'_>,
) -> Result<Swept<F, K>> {
    let fill = |tile: &mut Vec<F::Bits>, positions: Range<usize>, facts: &mut Filling<'_, _>| {
        let block = Block { matrix, labels, rows, kernel, positions, tile, facts };
        // Some rows are few: not worth the time that compiling for each level takes.
        if R::CONSECUTIVE { simd::dispatch(workers.level(), block) } else { block.run() }
    };
    let swept = workers.fill(rows.len(), matrix.row_bytes(), Vec::new, fill);
    or_first_fault(swept, || first_fault(matrix, rows, workers))
}

/// Blocks run side by side, and whichever met a fault first stopped the rest: where there was one,
/// `look_again` finds the very first.
pub(crate) fn or_first_fault<T>(
    found: Result<T>,
    look_again: impl FnOnce() -> Result<Option<Error>>,
) -> Result<T> {
    match found {
        Err(fault) if fault.is_of_a_cell() => Err(look_again()?.unwrap_or(fault)),
        found => found,
    }
}

/// One block of a sweep, as compiled for a CPU level.
struct Block<'a, 'm, 'f, F: Format, R, K: RowKernel<F>> {
    matrix: &'a Matrix<'m, F>,
    labels: &'a Labels,
    rows: &'a R,
    kernel: &'a K,
    positions: Range<usize>,
    tile: &'a mut Vec<F::Bits>,
    facts: &'a mut Filling<'f, K::Fact>,
}

impl<F: Format, R: Rows, K: RowKernel<F>> Kernel for Block<'_, '_, '_, F, R, K> {
    type Output = Result<K::Side>;

    #[inline(always)]
    fn run(self) -> Result<K::Side> {
        let Self { matrix, labels, rows, kernel, mut positions, tile, facts } = self;
        let mut side = K::Side::default();
        while !positions.is_empty() {
            let lent = matrix.lend(rows, positions.clone(), tile)?;
            for position in lent.positions.clone() {
                let row = rows.row(position);
                // The only call, so that it is inlined, and so compiled for the level.
                match kernel.row(row, lent.cells(position), labels.given(row), &mut side) {
                    Ok(fact) => facts.push(fact),
                    Err(found) => return Err(bad_cell(F::MEANING, row, found)),
                }
            }
            positions.start = lent.positions.end;
        }
        Ok(side)
    }
}

/// The error for a cell whose value may not stand there.
pub(crate) fn bad_cell(meaning: Meaning, row: usize, found: BadCell) -> Error {
    let BadCell { column, value } = found;
    match meaning {
        _ if !value.is_finite() => Error::NotFinite { row, column, value },
        Meaning::Probability => Error::OutOfRange { row, column, value },
        Meaning::Score => Error::ScoreTooLarge { row, column, value },
    }
}

/// The first fault of some rows.
pub(crate) fn first_fault<F: Format, R: Rows>(
    matrix: &Matrix<'_, F>,
    rows: &R,
    workers: &Workers<'_>,
) -> Result<Option<Error>> {
    if let Some(entries) = matrix.by_entries() {
        let look = |(): &mut (), mut positions: Range<usize>| {
            positions.find_map(|position| entries.check(rows.row(position)).err())
        };
        return first_of_pieces(rows.len(), || (), look, workers);
    }
    let look = |tile: &mut Vec<F::Bits>, mut positions: Range<usize>| {
        while !positions.is_empty() {
            let lent = match matrix.lend(rows, positions.clone(), tile) {
                Ok(lent) => lent,
                Err(fault) => return Some(fault),
            };
            for position in lent.positions.clone() {
                if let Err(found) = check_row::<F>(lent.cells(position)) {
                    return Some(bad_cell(F::MEANING, rows.row(position), found));
                }
            }
            positions.start = lent.positions.end;
        }
        None
    };
    first_of_pieces(rows.len(), Vec::new, look, workers)
}

/// Looks for a fault in pieces of some rows, side by side, and takes the one of the first piece.
pub(crate) fn first_of_pieces<S>(
    n_rows: usize,
    scratch: impl Fn() -> S + Sync + Send,
    look: impl Fn(&mut S, Range<usize>) -> Option<Error> + Sync + Send,
    workers: &Workers<'_>,
) -> Result<Option<Error>> {
    let piece = 4096;
    let look = |scratch: &mut S, number: usize| {
        Ok(look(scratch, number * piece..n_rows.min((number + 1) * piece)))
    };
    let faults = workers.map(n_rows.div_ceil(piece), scratch, look)?;
    Ok(faults.into_iter().flatten().next())
}

/// The first fault of a whole matrix, where a pass over some of its cells has met one.
pub(crate) fn first_fault_of_all<F: Format>(
    matrix: &Matrix<'_, F>,
    workers: &Workers<'_>,
) -> Result<Option<Error>> {
    first_fault(matrix, &AllRows(matrix.n_rows()), workers)
}
