//! The two inputs, checked once and trusted afterwards.
//!
//! `Labels` are checked here. A `Matrix` only knows where its cells lie: their values are checked
//! inside the sweep that reads them anyway, because a pass of its own would double the time.

use std::marker::PhantomData;
use std::ops::Range;

use crate::blocks::Workers;
use crate::error::{Error, Result};
use crate::format::{Bits, Format, Scores};
use crate::judge::Ready;
use crate::look::{Keep, Looked};
use crate::quality::RowScore;
use crate::row::Cutoffs;

/// The most classes: every thread keeps some numbers of each, which must not take all memory.
pub(crate) const MAX_CLASSES: usize = 1 << 21;

/// The given labels: `labels[i]` in `0..n_classes`.
#[derive(Debug, Clone, PartialEq, Eq)]
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
        let (mut narrow, mut wide) = (Vec::new(), Vec::new());
        if u32::try_from(self.n_examples()).is_ok() {
            self.sort_rows(&starts, &mut narrow, |row| row as u32);
        } else {
            self.sort_rows(&starts, &mut wide, |row| row);
        }
        RowsByClass { starts, narrow, wide }
    }

    fn sort_rows<T: Copy + Default>(
        &self,
        starts: &[usize],
        rows: &mut Vec<T>,
        number: impl Fn(usize) -> T,
    ) {
        rows.resize(self.n_examples(), T::default());
        let mut next = starts.to_vec();
        for (row, &class) in self.given.iter().enumerate() {
            let place = &mut next[class as usize];
            rows[*place] = number(row);
            *place += 1;
        }
    }
}

/// The rows of each class, ascending: in half the memory where their numbers allow.
#[derive(Debug)]
pub struct RowsByClass {
    starts: Vec<usize>,
    narrow: Vec<u32>,
    wide: Vec<usize>,
}

impl RowsByClass {
    /// Rows given `class`.
    #[must_use]
    pub fn of(&self, class: usize) -> RowsOfClass<'_> {
        let range = self.starts[class]..self.starts[class + 1];
        RowsOfClass {
            n: range.len(),
            narrow: self.narrow.get(range.clone()).unwrap_or_default(),
            wide: self.wide.get(range).unwrap_or_default(),
        }
    }
}

/// The rows of one class, ascending.
#[derive(Debug, Clone, Copy)]
pub struct RowsOfClass<'a> {
    n: usize,
    narrow: &'a [u32],
    wide: &'a [usize],
}

impl<'a> RowsOfClass<'a> {
    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.n
    }

    /// One after the other.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + use<'a> {
        let narrow = self.narrow.iter().map(|&row| row as usize);
        narrow.chain(self.wide.iter().copied())
    }
}

/// An (N, K) array of cells, never written to.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a, F: Format> {
    n_rows: usize,
    n_columns: usize,
    cells: Cells<'a, F>,
}

/// Where the cells of a matrix come from.
#[derive(Clone, Copy)]
enum Cells<'a, F: Format> {
    /// They lie in memory: any strides (in bytes), any alignment.
    Stored { first: *const u8, row_stride: isize, column_stride: isize, format: PhantomData<&'a F> },
    /// They are computed from others, a few rows at a time: the matrix is never made.
    Computed(&'a dyn Computed<F>),
}

// SAFETY: a `Matrix` is a shared view of plain numbers; reading them from several threads is fine.
unsafe impl<F: Format> Send for Cells<'_, F> {}
// SAFETY: as above.
unsafe impl<F: Format> Sync for Cells<'_, F> {}

impl<F: Format> std::fmt::Debug for Cells<'_, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Stored { .. } => "Stored",
            Self::Computed(_) => "Computed",
        })
    }
}

/// Cells that are computed from those of other matrices.
pub(crate) trait Computed<F: Format>: Sync {
    /// N and K.
    fn shape(&self) -> (usize, usize);
    /// All cells of a row, each of them checked where it comes from.
    fn fill(&self, row: usize, cells: &mut [F::Bits]) -> Result<()>;
    /// All cells of some rows, one after another.
    fn fill_rows(&self, rows: Range<usize>, cells: &mut [F::Bits]) -> Result<()> {
        let n_columns = self.shape().1;
        rows.zip(cells.chunks_exact_mut(n_columns))
            .try_for_each(|(row, cells)| self.fill(row, cells))
    }
    /// How much is best computed at a time.
    fn tile_bytes(&self) -> usize {
        COMPUTED_TILE_BYTES
    }
    /// Whether a cell alone takes about as long as its row.
    fn is_of_rows(&self) -> bool {
        false
    }
    /// One cell, as `fill` computes it; no valid one where `fill` fails because of this cell.
    fn cell(&self, row: usize, column: usize) -> F::Bits;
    /// What is wrong with what a cell is computed from, where the cell itself tells too little.
    fn fault(&self, _row: usize, _column: usize) -> Option<Error> {
        None
    }
    /// Asks for what a cell is computed from, ahead of its use.
    fn prefetch(&self, row: usize, column: usize);
    /// Bytes that are read for a row.
    fn row_bytes(&self) -> usize;
    /// Whether the entropies of rows are known.
    fn knows_entropies(&self) -> bool {
        false
    }
    /// The entropy of a row in nats, if it is known.
    fn entropy(&self, _row: usize) -> f64 {
        f64::NAN
    }
    /// Where only some cells of a row are stored, and all cells of none are ever to be computed.
    fn by_entries(&self) -> Option<&dyn ByEntries<F>> {
        None
    }
    /// The look at all rows (see [`crate::look`]), where there is a faster one than to compute all
    /// cells. Bounds are the cutoffs, and the floors where there are some.
    fn look(
        &self,
        _labels: &Labels,
        _bounds: (&Cutoffs<F>, Option<&Cutoffs<F>>),
        _keep: Keep<'_>,
        _judges: &[Ready<'_, F::Real>],
        _workers: &Workers<'_>,
    ) -> Option<Result<Looked<F>>> {
        None
    }
}

/// A matrix that is read by the entries that its rows store.
pub(crate) trait ByEntries<F: Format>: Sync {
    /// The first fault of a row.
    fn check(&self, row: usize) -> Result<()>;
    /// Hands on the score of each row, of which the given class is told.
    fn scores(
        &self,
        rows: &mut dyn Iterator<Item = (usize, usize)>,
        how: &RowScore<'_, F>,
        push: &mut dyn FnMut(f64),
    ) -> Result<()>;
    /// What a row stores, by ascending class: class and value. Of a row that was checked.
    fn entries(&self, row: usize) -> Vec<(u32, f64)>;
    /// The most probable class but the given one, the lowest on ties.
    fn most_probable_other(&self, row: usize, given: usize) -> usize;
}

impl<'a, F: Format> Matrix<'a, F> {
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
        let cells = Cells::Stored { first, row_stride, column_stride, format: PhantomData };
        Self { n_rows, n_columns, cells }
    }

    /// A matrix whose cells are computed when they are looked at.
    pub(crate) fn computed(cells: &'a dyn Computed<F>) -> Self {
        let (n_rows, n_columns) = cells.shape();
        Self { n_rows, n_columns, cells: Cells::Computed(cells) }
    }

    /// The same cells as scores, whose keys are in order on both sides of zero.
    ///
    /// # Panics
    /// If they are computed: a matrix that was handed over is not.
    pub(crate) fn as_scores(&self) -> Matrix<'a, Scores<F>>
    where
        Scores<F>: Format<Bits = F::Bits>,
    {
        let Cells::Stored { first, row_stride, column_stride, .. } = self.cells else {
            unreachable!("only what is stored is handed over");
        };
        let cells = Cells::Stored { first, row_stride, column_stride, format: PhantomData };
        Matrix { n_rows: self.n_rows, n_columns: self.n_columns, cells }
    }

    /// What the cells are computed from, if they are.
    pub(crate) fn as_computed(&self) -> Option<&'a dyn Computed<F>> {
        match self.cells {
            Cells::Computed(computed) => Some(computed),
            Cells::Stored { .. } => None,
        }
    }

    /// How it is read where only some cells of a row are stored.
    pub(crate) fn by_entries(&self) -> Option<&'a dyn ByEntries<F>> {
        self.as_computed().and_then(Computed::by_entries)
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

    /// Whether its rows are in a file, where a cell alone takes about as long as its row.
    pub(crate) fn is_of_file(&self) -> bool {
        self.as_computed().is_some_and(Computed::is_of_rows)
    }

    /// Whether all cells are in memory, and those of a row are found faster than those of a column.
    pub(crate) fn lies_by_rows(&self) -> bool {
        self.as_computed().is_none() && !self.columns_are_slices()
    }

    /// Bytes that are read for a row.
    pub(crate) fn row_bytes(&self) -> usize {
        match self.cells {
            Cells::Stored { .. } => self.n_columns * Self::CELL,
            Cells::Computed(computed) => computed.row_bytes(),
        }
    }

    /// Asks for a cell ahead of its use. There may be none.
    #[inline(always)]
    pub(crate) fn prefetch(&self, row: usize, column: usize) {
        match self.cells {
            Cells::Stored { first, row_stride, column_stride, .. } => {
                crate::simd::prefetch(
                    first.wrapping_offset(offset((row, row_stride), (column, column_stride))),
                );
            }
            Cells::Computed(computed) => computed.prefetch(row, column),
        }
    }

    /// One cell.
    ///
    /// # Panics
    /// If there is no such cell.
    #[inline(always)]
    pub(crate) fn cell(&self, row: usize, column: usize) -> F::Bits {
        assert!(row < self.n_rows && column < self.n_columns);
        match self.cells {
            Cells::Stored { first, row_stride, column_stride, .. } => {
                let offset = offset((row, row_stride), (column, column_stride));
                // SAFETY: the cell is within the shape, so `new`'s contract holds for it.
                unsafe { first.offset(offset).cast::<F::Bits>().read_unaligned() }
            }
            Cells::Computed(computed) => computed.cell(row, column),
        }
    }

    /// Where a row or a column begins whose cells lie side by side, aligned, and how far it is to
    /// the next one, if they do.
    fn slices(&self, of: Side) -> Option<Slices> {
        let Cells::Stored { first, row_stride, column_stride, .. } = self.cells else {
            return None;
        };
        let (along, across) = match of {
            Side::Row => (column_stride, row_stride),
            Side::Column => (row_stride, column_stride),
        };
        let aligned = |bytes: usize| bytes.is_multiple_of(align_of::<F::Bits>());
        let are =
            along == Self::CELL as isize && aligned(first.addr()) && aligned(across.unsigned_abs());
        are.then_some(Slices { first, stride: across })
    }

    /// Whether the cells of a column lie side by side, aligned, and those of a row do not.
    pub(crate) fn columns_are_slices(&self) -> bool {
        self.slices(Side::Row).is_none() && self.slices(Side::Column).is_some()
    }

    /// Some cells of a column.
    ///
    /// # Panics
    /// If there are no such cells, or they do not lie side by side.
    #[inline(always)]
    pub(crate) fn column(&self, rows: Range<usize>, column: usize) -> &[F::Bits] {
        let slices = self.slices(Side::Column).expect("columns are slices");
        assert!(rows.start <= rows.end && rows.end <= self.n_rows && column < self.n_columns);
        let first = slices.start::<F>(column).wrapping_add(rows.start);
        // SAFETY: the cells are within the shape, and lie side by side, aligned.
        unsafe { std::slice::from_raw_parts(first, rows.len()) }
    }

    /// Lends the first of some rows as contiguous slices: all of them where they lie so, else as
    /// many as fit `tile`, laid out there.
    #[inline(always)]
    pub(crate) fn lend<'t, R: Rows>(
        &self,
        rows: &'t R,
        positions: Range<usize>,
        tile: &'t mut Vec<F::Bits>,
    ) -> Result<Lent<'t, F, R>> {
        let n_columns = self.n_columns;
        if let Some(slices) = self.slices(Side::Row) {
            let place = Place::Stored { slices, n_rows: self.n_rows };
            return Ok(Lent { n_columns, rows, place, positions });
        }
        let tile_bytes = match self.cells {
            Cells::Stored { .. } => TILE_BYTES,
            Cells::Computed(computed) => computed.tile_bytes(),
        };
        let n_rows =
            (tile_bytes / (n_columns * Self::CELL).max(1)).clamp(1, positions.len().max(1));
        let positions = positions.start..positions.end.min(positions.start + n_rows);
        let n_cells = positions.len() * n_columns;
        if tile.len() < n_cells {
            tile.resize(n_cells, F::Bits::ZERO);
        }
        match self.cells {
            Cells::Stored { .. } => {
                self.fill_tile(rows, positions.clone(), &mut tile[..n_cells]);
            }
            Cells::Computed(computed) if R::CONSECUTIVE => {
                let first = rows.row(positions.start);
                computed.fill_rows(first..first + positions.len(), &mut tile[..n_cells])?;
            }
            Cells::Computed(computed) => {
                for (cells, position) in tile.chunks_exact_mut(n_columns).zip(positions.clone()) {
                    computed.fill(rows.row(position), cells)?;
                }
            }
        }
        Ok(Lent { n_columns, rows, place: Place::Tile(tile), positions })
    }

    /// Copies some rows into `tile`, a strip of columns at a time, as wide as a cache line.
    ///
    /// In Fortran order a column is what lies side by side: a strip is read down, so that each
    /// stream of reads goes forward, and what is written are whole cache lines.
    #[inline(always)]
    fn fill_tile<R: Rows>(&self, rows: &R, positions: Range<usize>, tile: &mut [F::Bits]) {
        let strip = 64 / Self::CELL;
        let n_columns = self.n_columns;
        let columns = if R::CONSECUTIVE { self.slices(Side::Column) } else { None };
        for left in (0..n_columns).step_by(strip) {
            let strip_columns = left..n_columns.min(left + strip);
            let next = strip_columns.end..n_columns.min(strip_columns.end + strip);
            let lines = tile.chunks_mut(n_columns * strip);
            for (lines, top) in lines.zip(positions.clone().step_by(strip)) {
                let row = rows.row(top);
                next.clone().for_each(|column| self.prefetch(row, column));
                let n_rows = lines.len() / n_columns;
                if let Some(columns) = columns
                    && n_rows == strip
                    && strip_columns.len() == strip
                {
                    self.transpose(columns, row, left, lines);
                    continue;
                }
                for (line, position) in lines.chunks_exact_mut(n_columns).zip(top..) {
                    let row = rows.row(position);
                    for column in strip_columns.clone() {
                        line[column] = self.cell(row, column);
                    }
                }
            }
        }
    }

    /// Copies a square block, as wide and as high as a cache line, of columns that are slices.
    #[inline(always)]
    fn transpose(&self, columns: Slices, row: usize, left: usize, lines: &mut [F::Bits]) {
        // A compiler makes this small a square a few shuffles of registers.
        const SIDE: usize = 4;
        let strip = 64 / Self::CELL;
        let n_columns = self.n_columns;
        assert!(row + strip <= self.n_rows && left + strip <= n_columns);
        assert!(lines.len() == strip * n_columns);
        for column in (left..left + strip).step_by(SIDE) {
            for down in (0..strip).step_by(SIDE) {
                let square: [[F::Bits; SIDE]; SIDE] = std::array::from_fn(|right| {
                    let cells = columns.start::<F>(column + right).wrapping_add(row + down);
                    let cells = cells.cast::<[F::Bits; SIDE]>();
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

/// The rows of a matrix, or its columns.
#[derive(Debug, Clone, Copy)]
enum Side {
    Row,
    Column,
}

/// Rows, or columns, whose cells lie side by side, aligned.
#[derive(Debug, Clone, Copy)]
struct Slices {
    first: *const u8,
    stride: isize,
}

impl Slices {
    /// Where one of them begins.
    #[inline(always)]
    fn start<F: Format>(self, number: usize) -> *const F::Bits {
        self.first.wrapping_offset((number as isize).wrapping_mul(self.stride)).cast()
    }
}

/// How far from the first cell another one lies, computed without a claim that anything lies there.
#[inline(always)]
fn offset((row, row_stride): (usize, isize), (column, column_stride): (usize, isize)) -> isize {
    (row as isize)
        .wrapping_mul(row_stride)
        .wrapping_add((column as isize).wrapping_mul(column_stride))
}

/// Some rows as contiguous slices.
pub(crate) struct Lent<'t, F: Format, R> {
    n_columns: usize,
    rows: &'t R,
    place: Place<'t, F>,
    /// Which.
    pub(crate) positions: Range<usize>,
}

/// Where lent rows lie.
enum Place<'t, F: Format> {
    Stored { slices: Slices, n_rows: usize },
    Tile(&'t [F::Bits]),
}

impl<F: Format, R: Rows> Lent<'_, F, R> {
    /// The cells of the row at one of the positions.
    #[inline(always)]
    pub(crate) fn cells(&self, position: usize) -> &[F::Bits] {
        match self.place {
            Place::Stored { slices, n_rows } => {
                let row = self.rows.row(position);
                assert!(row < n_rows);
                // SAFETY: the row is within the shape, and its cells lie side by side, aligned.
                unsafe { std::slice::from_raw_parts(slices.start::<F>(row), self.n_columns) }
            }
            Place::Tile(tile) => {
                let start = (position - self.positions.start) * self.n_columns;
                &tile[start..start + self.n_columns]
            }
        }
    }
}

/// How much is computed at a time: fits in L1.
const COMPUTED_TILE_BYTES: usize = 16 * 1024;

/// How much of a matrix is laid out anew at a time where its rows are no slices: fits in L2.
pub(crate) const TILE_BYTES: usize = 512 * 1024;

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

/// Those of a range.
pub(crate) struct Span(pub(crate) Range<usize>);

impl Rows for Span {
    const CONSECUTIVE: bool = true;
    fn len(&self) -> usize {
        self.0.len()
    }
    #[inline(always)]
    fn row(&self, position: usize) -> usize {
        self.0.start + position
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
