//! A matrix of which each row stores a few entries (class, value) and is zero elsewhere: compressed
//! rows, or the top k of each row.
//!
//! It is looked at by its entries alone, so that no work and no memory goes by K a row. The answer is
//! that of the matrix with the zeros written out, to the bit:
//! - zeros take part: they are the best other class of a row that stores no other, the lowest class
//!   wins among them, and they are confident where a cutoff says so ([`look`](mod@look));
//! - a zero changes no sum, so entropies are added up in the lanes of [`crate::entropy`], zeros left
//!   out ([`score`]).

mod entries;
mod look;
mod score;
mod stored;
#[cfg(test)]
mod tests;

pub use stored::{Numbers, Stored};

use std::ops::Range;

use crate::blocks::Workers;
use crate::error::{Error, Result};
use crate::format::{Bits, Format};
use crate::input::{ByEntries, Computed, Labels, Matrix};
use crate::judge::Ready;
use crate::look::{Keep, Looked};
use crate::quality::RowScore;
use crate::row::Cutoffs;
use entries::Entries;
use stored::{FREE, exact};

/// Which entries a row has.
#[derive(Debug, Clone, Copy)]
pub enum StoredRows<'a> {
    /// So many each, some of which may be left free by the class number -1.
    Fixed(usize),
    /// Those from one number to the next.
    Starts32(&'a [i32]),
    /// The same.
    Starts64(&'a [i64]),
}

/// A matrix of stored entries, never written to.
#[derive(Clone, Copy)]
pub struct Sparse<'a, F: Format> {
    n_rows: usize,
    n_classes: usize,
    rows: StoredRows<'a>,
    /// How many there are in all.
    n_entries: usize,
    /// Whether rows of a fixed number stand one after the other, without gaps.
    is_dense: bool,
    classes: Numbers<'a, u32>,
    exact_class: unsafe fn(*const u8) -> i128,
    values: Numbers<'a, F::Bits>,
    /// How entries are calibrated when they are read.
    calibration: Option<&'a dyn Raise<F>>,
}

/// Calibrates the entries of a row (see [`crate::calibration`]).
pub(crate) trait Raise<F: Format>: Sync {
    /// Probabilities in the place of others, by ascending class.
    fn raise(&self, classes: &[u32], cells: &mut [F::Bits], terms: &mut Vec<F::Real>);
}

impl<F: Format> std::fmt::Debug for Sparse<'_, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (n_rows, n_classes) = self.shape();
        write!(f, "Sparse({n_rows}, {n_classes}, {} entries)", self.n_entries)
    }
}

/// Where a row's entries stand.
#[derive(Clone, Copy)]
struct Span {
    /// Their row, for strides; 0 where entries stand in one sequence.
    row: usize,
    first: usize,
    n: usize,
}

impl<'a, F: Format> Sparse<'a, F> {
    /// A view of (N, k) class numbers and values, of which each row has k.
    ///
    /// # Safety
    /// All of them must be readable for as long as `'a` lasts.
    #[must_use]
    pub unsafe fn top_k<C: Stored<Read = u32, Bits: Into<i128>>>(
        (n_rows, n_classes): (usize, usize),
        k: usize,
        classes: (*const u8, (isize, isize)),
        values: Numbers<'a, F::Bits>,
    ) -> Self {
        Self {
            n_rows,
            n_classes,
            rows: StoredRows::Fixed(k),
            n_entries: n_rows * k,
            is_dense: n_rows < 2
                || size_of::<C::Bits>() * k == classes.1.0 as usize
                    && values.width() * k == values.row_stride() as usize,
            // SAFETY: that of the caller.
            classes: unsafe { Numbers::new::<C>(classes.0, classes.1) },
            exact_class: exact::<C>,
            values,
            calibration: None,
        }
    }

    /// The same entries, calibrated.
    pub(crate) fn calibrated<'b>(self, powers: &'b dyn Raise<F>) -> Sparse<'b, F>
    where
        'a: 'b,
    {
        Sparse { calibration: Some(powers), ..self }
    }

    /// A view of compressed rows: N + 1 `starts`, and `n_entries` class numbers and values.
    ///
    /// # Safety
    /// All of the latter must be readable for as long as `'a` lasts.
    ///
    /// # Panics
    /// If there are no starts.
    #[must_use]
    pub unsafe fn compressed<C: Stored<Read = u32, Bits: Into<i128>>>(
        n_classes: usize,
        starts: StoredRows<'a>,
        n_entries: usize,
        classes: (*const u8, (isize, isize)),
        values: Numbers<'a, F::Bits>,
    ) -> Self {
        let n_rows = match starts {
            StoredRows::Fixed(_) => unreachable!("compressed rows have starts"),
            StoredRows::Starts32(starts) => starts.len() - 1,
            StoredRows::Starts64(starts) => starts.len() - 1,
        };
        Self {
            n_rows,
            n_classes,
            rows: starts,
            n_entries,
            is_dense: true,
            // SAFETY: that of the caller.
            classes: unsafe { Numbers::new::<C>(classes.0, classes.1) },
            exact_class: exact::<C>,
            values,
            calibration: None,
        }
    }

    /// (N, K).
    #[must_use]
    pub fn shape(&self) -> (usize, usize) {
        (self.n_rows, self.n_classes)
    }

    /// Bytes that all entries take.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        let starts = match self.rows {
            StoredRows::Fixed(_) => 0,
            StoredRows::Starts32(starts) => size_of_val(starts),
            StoredRows::Starts64(starts) => size_of_val(starts),
        };
        starts + self.n_entries * (self.classes.width() + self.values.width())
    }

    /// As a matrix whose cells are computed.
    pub(crate) fn matrix(&self) -> Matrix<'_, F> {
        Matrix::computed(self)
    }

    /// Where the entries of a row stand; `None` where its starts say no such thing.
    #[inline(always)]
    fn span(&self, row: usize) -> Option<Span> {
        let (start, end) = match self.rows {
            StoredRows::Fixed(n) => return Some(Span { row, first: 0, n }),
            StoredRows::Starts32(starts) => (i64::from(starts[row]), i64::from(starts[row + 1])),
            StoredRows::Starts64(starts) => (starts[row], starts[row + 1]),
        };
        let is_within = 0 <= start && start <= end && end as usize <= self.n_entries;
        is_within.then_some(Span { row: 0, first: start as usize, n: (end - start) as usize })
    }

    /// Whether so many entries from the first of a span on may be read, of rows that stand one after
    /// the other: some of them the next rows'.
    #[inline(always)]
    fn has(&self, span: Span, n: usize) -> bool {
        match self.rows {
            StoredRows::Fixed(k) => self.is_dense && span.row * k + n <= self.n_entries,
            _ => span.first + n <= self.n_entries,
        }
    }

    /// What is wrong with a row: with its entries, or else with its values.
    #[cold]
    fn row_fault(&self, row: usize) -> Option<Error> {
        self.check_row(row).err()
    }
}

impl<F: Format> Computed<F> for Sparse<'_, F> {
    fn shape(&self) -> (usize, usize) {
        self.shape()
    }

    fn fill(&self, row: usize, cells: &mut [F::Bits]) -> Result<()> {
        let mut entries = Entries::new();
        self.load(row, &mut entries)?;
        cells.fill(F::Bits::ZERO);
        for (class, cell) in entries.iter() {
            cells[class as usize] = cell;
        }
        Ok(())
    }

    fn cell(&self, row: usize, column: usize) -> F::Bits {
        if self.calibration.is_some() {
            // A cell goes by its whole row.
            let mut entries = Entries::new();
            return match self.load(row, &mut entries) {
                Ok(()) => entries.cell(column).unwrap_or(F::Bits::ZERO),
                Err(_) => F::nearest(f64::NAN),
            };
        }
        let Some(Span { row, first, n }) = self.span(row) else {
            return F::nearest(f64::NAN);
        };
        let (mut n_found, mut place) = (0, 0);
        let mut find = |start: usize, classes: &[u32]| {
            // Without a branch, so that many are compared at once.
            let (mut found, mut at) = (0_u32, 0_u32);
            for (number, &class) in (0..).zip(classes) {
                let is = u32::from(class == column as u32);
                found += is;
                at += is * number;
            }
            if found > 0 {
                place = start + at as usize;
            }
            n_found += found;
        };
        // SAFETY: the span is within what is stored.
        if let Some(classes) = unsafe { self.classes.slice(row, first, n) } {
            find(0, classes);
        } else {
            let mut piece = [FREE; 64];
            for start in (0..n).step_by(64) {
                let classes = &mut piece[..64.min(n - start)];
                // SAFETY: as above.
                unsafe { self.classes.read(row, first + start, classes) };
                find(start, classes);
            }
        }
        match n_found {
            0 => F::Bits::ZERO,
            1 => {
                // SAFETY: as above.
                if let Some(value) = unsafe { self.values.slice(row, first + place, 1) } {
                    return value[0];
                }
                let mut value = [F::Bits::ZERO];
                // SAFETY: as above.
                unsafe { self.values.read(row, first + place, &mut value) };
                value[0]
            }
            _ => F::nearest(f64::NAN),
        }
    }

    fn fault(&self, row: usize, column: usize) -> Option<Error> {
        match self.span(row) {
            None => self.row_fault(row),
            Some(_) if self.calibration.is_some() => self.row_fault(row),
            Some(span) => self.twice(row, span).filter(
                |error| matches!(error, Error::EntryTwice { class, .. } if *class == column),
            ),
        }
    }

    fn prefetch(&self, row: usize, _column: usize) {
        if let Some(Span { row, first, .. }) = self.span(row) {
            crate::simd::prefetch(self.classes.address(row, first));
            crate::simd::prefetch(self.values.address(row, first));
        }
    }

    fn row_bytes(&self) -> usize {
        (self.n_bytes() / self.n_rows.max(1)).max(1)
    }

    fn by_entries(&self) -> Option<&dyn ByEntries<F>> {
        Some(self)
    }

    fn look(
        &self,
        labels: &Labels,
        bounds: (&Cutoffs<F>, Option<&Cutoffs<F>>),
        keep: Keep<'_>,
        judges: &[Ready<'_, F::Real>],
        workers: &Workers<'_>,
    ) -> Option<Result<Looked<F>>> {
        Some(self.look_at_entries(labels, bounds, keep, judges, workers))
    }
}

impl<F: Format> ByEntries<F> for Sparse<'_, F> {
    fn check(&self, row: usize) -> Result<()> {
        self.check_row(row)
    }

    fn scores(
        &self,
        rows: &mut dyn Iterator<Item = (usize, usize)>,
        how: &RowScore<'_, F>,
        push: &mut dyn FnMut(f64),
    ) -> Result<()> {
        self.scores_of(rows, how, push)
    }

    fn entries(&self, row: usize) -> Vec<(u32, f64)> {
        self.entries_of(row)
    }

    fn most_probable_other(&self, row: usize, given: usize) -> usize {
        self.other_class(row, given)
    }
}

/// The positions that a block works on, and what it works with.
struct Piece<'a, 'm, F: Format> {
    sparse: &'a Sparse<'m, F>,
    labels: &'a Labels,
    rows: Range<usize>,
}
