//! The two inputs, checked once and trusted afterwards.
//!
//! `Labels` are checked here. A `Matrix` only knows where its cells lie: their values are checked
//! inside the sweep that reads them anyway, because a pass of its own would double the time.

use std::marker::PhantomData;
use std::ops::Range;

use crate::error::{Error, Result};
use crate::format::{BFloat16, Bits, Float16, Float32, Float64, Format};

/// The most classes: every thread keeps some numbers of each, which must not take all memory.
const MAX_CLASSES: usize = 1 << 21;

/// The given labels: `labels[i]` in `0..n_classes`.
#[derive(Debug, Clone)]
pub struct Labels {
    given: Vec<u32>,
    counts: Vec<usize>,
}

impl Labels {
    /// Checks that every label names a class.
    ///
    /// # Errors
    /// [`Error::LabelOutOfRange`] for the first one that does not; [`Error::Empty`],
    /// [`Error::TooFewClasses`] and [`Error::TooManyClasses`] for sizes the method is not made for.
    pub fn new<T>(labels: impl ExactSizeIterator<Item = T>, n_classes: usize) -> Result<Self>
    where
        T: Copy + TryInto<u32> + Into<i128>,
    {
        if labels.len() == 0 {
            return Err(Error::Empty);
        }
        if n_classes < 2 {
            return Err(Error::TooFewClasses { n_classes });
        }
        if n_classes > MAX_CLASSES {
            return Err(Error::TooManyClasses { n_classes });
        }
        let mut counts = vec![0; n_classes];
        let mut given = Vec::new();
        given.try_reserve_exact(labels.len())?;
        for (row, label) in labels.enumerate() {
            let class = label.try_into().unwrap_or(u32::MAX);
            let Some(count) = counts.get_mut(class as usize) else {
                return Err(Error::LabelOutOfRange { row, label: label.into(), n_classes });
            };
            *count += 1;
            given.push(class);
        }
        Ok(Self { given, counts })
    }

    /// N.
    #[must_use]
    pub fn n_examples(&self) -> usize {
        self.given.len()
    }

    /// K.
    #[must_use]
    pub fn n_classes(&self) -> usize {
        self.counts.len()
    }

    /// The given class of one example.
    #[must_use]
    #[inline(always)]
    pub fn given(&self, row: usize) -> usize {
        self.given[row] as usize
    }

    /// n_k: how many examples are given each class.
    #[must_use]
    pub fn counts(&self) -> &[usize] {
        &self.counts
    }

    /// The rows of each class, ascending. One counting sort.
    #[must_use]
    pub fn rows_by_class(&self) -> RowsByClass {
        let mut starts = Vec::with_capacity(self.n_classes() + 1);
        let mut start = 0;
        starts.push(start);
        for &count in &self.counts {
            start += count;
            starts.push(start);
        }
        let mut rows = vec![0; self.n_examples()];
        let mut next = starts.clone();
        for (row, &class) in self.given.iter().enumerate() {
            let place = &mut next[class as usize];
            rows[*place] = row;
            *place += 1;
        }
        RowsByClass { starts, rows }
    }
}

/// The rows of each class, ascending.
#[derive(Debug)]
pub struct RowsByClass {
    starts: Vec<usize>,
    rows: Vec<usize>,
}

impl RowsByClass {
    /// Rows given `class`.
    #[must_use]
    pub fn of(&self, class: usize) -> &[usize] {
        &self.rows[self.starts[class]..self.starts[class + 1]]
    }
}

/// Where the cells of an (N, K) array lie: any strides, any alignment, never written to.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a, F> {
    first: *const u8,
    n_rows: usize,
    n_columns: usize,
    row_stride: isize,
    column_stride: isize,
    format: PhantomData<(&'a [u8], F)>,
}

// SAFETY: a `Matrix` is a shared view of plain numbers; reading them from several threads is fine.
unsafe impl<F> Send for Matrix<'_, F> {}
// SAFETY: as above.
unsafe impl<F> Sync for Matrix<'_, F> {}

impl<F: Format> Matrix<'_, F> {
    const CELL: usize = size_of::<F::Bits>();

    /// A view of `n_rows * n_columns` cells, strides in bytes.
    ///
    /// # Safety
    /// For every row and column within the shape, `first + row * row_stride + column *
    /// column_stride` must point to a readable cell for as long as `'a` lasts.
    #[must_use]
    pub unsafe fn new(
        first: *const u8,
        (n_rows, n_columns): (usize, usize),
        (row_stride, column_stride): (isize, isize),
    ) -> Self {
        Self { first, n_rows, n_columns, row_stride, column_stride, format: PhantomData }
    }

    /// N.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// K.
    #[must_use]
    pub fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// Bytes that one row's cells take.
    pub(crate) fn row_bytes(&self) -> usize {
        self.n_columns * Self::CELL
    }

    /// Where a cell lies, computed without a claim that anything lies there (for prefetching).
    #[inline(always)]
    pub(crate) fn address(&self, row: usize, column: usize) -> *const F::Bits {
        let offset = (row as isize)
            .wrapping_mul(self.row_stride)
            .wrapping_add((column as isize).wrapping_mul(self.column_stride));
        self.first.wrapping_offset(offset).cast()
    }

    /// One cell.
    ///
    /// # Panics
    /// If there is no such cell.
    #[inline(always)]
    pub(crate) fn cell(&self, row: usize, column: usize) -> F::Bits {
        assert!(row < self.n_rows && column < self.n_columns);
        // SAFETY: the cell is within the shape, so `new`'s contract holds for it.
        unsafe { self.address(row, column).read_unaligned() }
    }

    /// Whether the cells of a row lie side by side, aligned, so that rows can be lent as they are.
    fn rows_are_slices(&self) -> bool {
        let aligned = |stride: isize| stride.unsigned_abs().is_multiple_of(align_of::<F::Bits>());
        self.column_stride == Self::CELL as isize
            && self.first.addr().is_multiple_of(align_of::<F::Bits>())
            && aligned(self.row_stride)
    }

    /// Whether the cells of a column lie side by side, aligned, and those of a row do not.
    pub(crate) fn columns_are_slices(&self) -> bool {
        let aligned = |stride: isize| stride.unsigned_abs().is_multiple_of(align_of::<F::Bits>());
        self.row_stride == Self::CELL as isize
            && self.column_stride != Self::CELL as isize
            && self.first.addr().is_multiple_of(align_of::<F::Bits>())
            && aligned(self.column_stride)
    }

    /// Some cells of a column.
    ///
    /// # Panics
    /// If there are no such cells, or they do not lie side by side.
    #[inline(always)]
    pub(crate) fn column(&self, rows: Range<usize>, column: usize) -> &[F::Bits] {
        assert!(self.columns_are_slices());
        assert!(rows.start <= rows.end && rows.end <= self.n_rows && column < self.n_columns);
        // SAFETY: the cells are within the shape, and lie side by side, aligned.
        unsafe { std::slice::from_raw_parts(self.address(rows.start, column), rows.len()) }
    }

    /// Lends the first of some rows as contiguous slices: all of them where they lie so, else as
    /// many as fit `tile`, laid out there.
    #[inline(always)]
    pub(crate) fn lend<'t, R: Rows>(
        &'t self,
        rows: &'t R,
        positions: Range<usize>,
        tile: &'t mut Vec<F::Bits>,
    ) -> Lent<'t, F, R> {
        if self.rows_are_slices() {
            return Lent { matrix: self, rows, tile: None, positions };
        }
        let n_rows = (TILE_BYTES / self.row_bytes().max(1)).clamp(1, positions.len().max(1));
        let positions = positions.start..positions.end.min(positions.start + n_rows);
        let n_cells = positions.len() * self.n_columns;
        if tile.len() < n_cells {
            tile.resize(n_cells, F::Bits::ZERO);
        }
        self.fill_tile(rows, positions.clone(), &mut tile[..n_cells]);
        Lent { matrix: self, rows, tile: Some(tile), positions }
    }

    /// Copies some rows into `tile`, a strip of columns at a time, as wide as a cache line.
    ///
    /// In Fortran order a column is what lies side by side: a strip is read down, so that each
    /// stream of reads goes forward, and what is written are whole cache lines.
    #[inline(always)]
    fn fill_tile<R: Rows>(&self, rows: &R, positions: Range<usize>, tile: &mut [F::Bits]) {
        let strip = 64 / Self::CELL;
        let n_columns = self.n_columns;
        let columns_are_slices = R::CONSECUTIVE && self.row_stride == Self::CELL as isize;
        for left in (0..n_columns).step_by(strip) {
            let columns = left..n_columns.min(left + strip);
            let next = columns.end..n_columns.min(columns.end + strip);
            let lines = tile.chunks_mut(n_columns * strip);
            for (lines, top) in lines.zip(positions.clone().step_by(strip)) {
                let row = rows.row(top);
                next.clone().for_each(|column| crate::simd::prefetch(self.address(row, column)));
                let n_rows = lines.len() / n_columns;
                if columns_are_slices && n_rows == strip && columns.len() == strip {
                    self.transpose(row, left, lines);
                    continue;
                }
                for (line, position) in lines.chunks_exact_mut(n_columns).zip(top..) {
                    let row = rows.row(position);
                    for column in columns.clone() {
                        line[column] = self.cell(row, column);
                    }
                }
            }
        }
    }

    /// Copies a square block, as wide and as high as a cache line, of columns that are slices.
    #[inline(always)]
    fn transpose(&self, row: usize, left: usize, lines: &mut [F::Bits]) {
        // A compiler makes this small a square a few shuffles of registers.
        const SIDE: usize = 4;
        let strip = 64 / Self::CELL;
        let n_columns = self.n_columns;
        assert!(row + strip <= self.n_rows && left + strip <= n_columns);
        assert!(lines.len() == strip * n_columns);
        for column in (left..left + strip).step_by(SIDE) {
            for down in (0..strip).step_by(SIDE) {
                let square: [[F::Bits; SIDE]; SIDE] = std::array::from_fn(|right| {
                    let cells = self.address(row + down, column + right).cast::<[F::Bits; SIDE]>();
                    // SAFETY: the block is within the shape, and its columns are slices.
                    unsafe { cells.read_unaligned() }
                });
                for line in 0..SIDE {
                    let start = (down + line) * n_columns + column;
                    let cells: [F::Bits; SIDE] = std::array::from_fn(|right| square[right][line]);
                    lines[start..start + SIDE].copy_from_slice(&cells);
                }
            }
        }
    }
}

/// Some rows as contiguous slices.
pub(crate) struct Lent<'t, F: Format, R> {
    matrix: &'t Matrix<'t, F>,
    rows: &'t R,
    tile: Option<&'t [F::Bits]>,
    /// Which.
    pub(crate) positions: Range<usize>,
}

impl<F: Format, R: Rows> Lent<'_, F, R> {
    /// The cells of the row at one of the positions.
    #[inline(always)]
    pub(crate) fn cells(&self, position: usize) -> &[F::Bits] {
        let n_columns = self.matrix.n_columns;
        if let Some(tile) = self.tile {
            let start = (position - self.positions.start) * n_columns;
            return &tile[start..start + n_columns];
        }
        let row = self.rows.row(position);
        assert!(row < self.matrix.n_rows);
        // SAFETY: the row is within the shape, and its cells lie side by side, aligned.
        unsafe { std::slice::from_raw_parts(self.matrix.address(row, 0), n_columns) }
    }
}

/// How much of a matrix is laid out anew at a time where its rows are no slices: fits in L2.
const TILE_BYTES: usize = 512 * 1024;

/// Which rows, in which order.
pub(crate) trait Rows: Sync {
    /// Whether one position further is one row further.
    const CONSECUTIVE: bool;
    /// How many.
    fn len(&self) -> usize;
    /// The row at a position.
    fn row(&self, position: usize) -> usize;
}

/// All of them.
pub(crate) struct AllRows(pub(crate) usize);

impl Rows for AllRows {
    const CONSECUTIVE: bool = true;
    fn len(&self) -> usize {
        self.0
    }
    #[inline(always)]
    fn row(&self, position: usize) -> usize {
        position
    }
}

impl Rows for &[usize] {
    const CONSECUTIVE: bool = false;
    fn len(&self) -> usize {
        <[usize]>::len(self)
    }
    #[inline(always)]
    fn row(&self, position: usize) -> usize {
        self[position]
    }
}

/// A matrix of any of the four formats.
#[derive(Debug, Clone, Copy)]
pub enum PredProbs<'a> {
    /// IEEE 754 binary16.
    Float16(Matrix<'a, Float16>),
    /// The upper half of a float32.
    BFloat16(Matrix<'a, BFloat16>),
    /// IEEE 754 binary32.
    Float32(Matrix<'a, Float32>),
    /// IEEE 754 binary64.
    Float64(Matrix<'a, Float64>),
}

/// Runs one expression with the matrix in its own format: the only match on the format.
macro_rules! with_matrix {
    ($pred_probs:expr, $matrix:ident => $body:expr) => {
        match $pred_probs {
            $crate::input::PredProbs::Float16($matrix) => $body,
            $crate::input::PredProbs::BFloat16($matrix) => $body,
            $crate::input::PredProbs::Float32($matrix) => $body,
            $crate::input::PredProbs::Float64($matrix) => $body,
        }
    };
}
pub(crate) use with_matrix;

impl PredProbs<'_> {
    /// (N, K).
    #[must_use]
    pub fn shape(&self) -> (usize, usize) {
        with_matrix!(self, matrix => (matrix.n_rows(), matrix.n_columns()))
    }

    /// Bytes that all cells take.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        with_matrix!(self, matrix => matrix.n_rows() * matrix.row_bytes())
    }

    /// Checks that the labels are those of these rows and columns.
    ///
    /// # Errors
    /// [`Error::LengthsDiffer`] or [`Error::OnePerClass`].
    pub fn check_shape(&self, labels: &Labels) -> Result<()> {
        let (rows, n_columns) = self.shape();
        if rows != labels.n_examples() {
            return Err(Error::LengthsDiffer { labels: labels.n_examples(), rows });
        }
        if n_columns != labels.n_classes() {
            let n_classes = labels.n_classes();
            return Err(Error::OnePerClass { name: "pred_probs", n_classes, found: n_columns });
        }
        Ok(())
    }
}
