//! The given tags, checked once and trusted afterwards: the classes of each example, side by side.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::blocks::Workers;
use crate::error::{Error, Result};

/// The most classes, as in [`crate::Labels`].
const MAX_CLASSES: usize = 1 << 21;

/// Examples read at a time.
const PIECE: usize = 4096;

/// Which classes each example is given: of example i those at `starts[i]..starts[i + 1]`, ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagLabels {
    starts: Vec<usize>,
    classes: Vec<u32>,
    counts: Vec<usize>,
}

/// How many examples there are, and how many of them have each tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sides {
    n_examples: u64,
    tagged: Vec<u64>,
}

/// No more examples are counted, so that sums of them fit.
const MOST_EXAMPLES: u64 = 1 << 53;

impl Sides {
    /// Of no examples.
    pub(super) fn new(n_classes: usize) -> Self {
        Self { n_examples: 0, tagged: vec![0; n_classes] }
    }

    /// Of some.
    pub(super) fn of(labels: &TagLabels) -> Self {
        let tagged = labels.counts.iter().map(|&count| count as u64).collect();
        Self { n_examples: labels.n_examples() as u64, tagged }
    }

    /// N.
    pub(super) fn n_examples(&self) -> u64 {
        self.n_examples
    }

    /// K.
    pub(super) fn n_classes(&self) -> usize {
        self.tagged.len()
    }

    /// How many are without the tag, and how many with it.
    pub(super) fn counts(&self, class: usize) -> [usize; 2] {
        [self.n_examples - self.tagged[class], self.tagged[class]].map(|count| count as usize)
    }

    /// The same of all classes.
    pub(super) fn all_counts(&self) -> Vec<[usize; 2]> {
        (0..self.n_classes()).map(|class| self.counts(class)).collect()
    }

    /// Whether they can be what they say.
    pub(super) fn are_sound(&self) -> bool {
        self.n_examples <= MOST_EXAMPLES && self.tagged.iter().all(|&n| n <= self.n_examples)
    }

    /// Those of both, unless they are too many.
    pub(super) fn and(&self, other: &Self) -> Option<Self> {
        let sum = |(left, right): (&u64, &u64)| left + right;
        let n_examples = self.n_examples + other.n_examples;
        let tagged = self.tagged.iter().zip(&other.tagged).map(sum).collect();
        (n_examples <= MOST_EXAMPLES).then_some(Self { n_examples, tagged })
    }
}

/// The tags of some examples.
struct Piece {
    lengths: Vec<u32>,
    classes: Vec<u32>,
}

impl TagLabels {
    /// From class numbers, in any order and repeated or not: of example i those at
    /// `starts[i]..starts[i + 1]` of `classes`.
    ///
    /// # Errors
    /// [`Error::TagOutOfRange`] for the first one that names no class; [`Error::Empty`],
    /// [`Error::NoClasses`] and [`Error::TooManyClasses`] for sizes the method is not made for.
    ///
    /// # Panics
    /// If the starts do not lead through all of `classes`, which is a fault of the caller.
    pub fn from_rows<T: Copy + Into<i64> + Sync>(
        starts: &[T],
        classes: &[T],
        n_classes: usize,
        workers: &Workers<'_>,
    ) -> Result<Self> {
        let start = |row: usize| -> usize { starts[row].into() as usize };
        assert!(starts.is_sorted_by_key(|&start| start.into()), "starts must ascend");
        assert!(
            start(0) == 0 && start(starts.len() - 1) == classes.len(),
            "starts must be complete"
        );
        Self::of_pieces(starts.len() - 1, n_classes, workers, |rows| {
            let mut piece = Piece::with_room_for(&rows);
            let all = &classes[start(rows.start)..start(rows.end)];
            let is_class = |&class: &T| (0..n_classes as i64).contains(&class.into());
            // Looked at all at once; only where one is amiss, one by one.
            if !all.iter().fold(true, |are, class| are & is_class(class)) {
                for row in rows {
                    let mut classes = classes[start(row)..start(row + 1)].iter();
                    if let Some(&class) = classes.find(|class| !is_class(class)) {
                        return Err(Error::TagOutOfRange { row, class: class.into(), n_classes });
                    }
                }
                return Ok(piece);
            }
            piece.classes.reserve(all.len());
            for row in rows {
                let begin = piece.classes.len();
                let classes = &classes[start(row)..start(row + 1)];
                piece.classes.extend(classes.iter().map(|&class| class.into() as u32));
                piece.end_row(begin);
            }
            Ok(piece)
        })
    }

    /// From an (N, K) array of zeros and ones.
    ///
    /// # Errors
    /// [`Error::TagValue`] for the first cell that is neither; the sizes as in
    /// [`TagLabels::from_rows`].
    pub fn from_indicator(indicator: &Indicator<'_>, workers: &Workers<'_>) -> Result<Self> {
        let (n_examples, n_classes) = indicator.shape;
        Self::of_pieces(n_examples, n_classes, workers, |rows| match indicator.width {
            1 => indicator.read::<u8>(rows),
            2 => indicator.read::<u16>(rows),
            4 => indicator.read::<u32>(rows),
            _ => indicator.read::<u64>(rows),
        })
    }

    fn of_pieces(
        n_examples: usize,
        n_classes: usize,
        workers: &Workers<'_>,
        read: impl Fn(Range<usize>) -> Result<Piece> + Sync + Send,
    ) -> Result<Self> {
        if n_examples == 0 {
            return Err(Error::Empty);
        }
        if n_classes == 0 {
            return Err(Error::NoClasses);
        }
        if n_classes > MAX_CLASSES {
            return Err(Error::TooManyClasses { n_classes });
        }
        let rows = |number: usize| number * PIECE..n_examples.min((number + 1) * PIECE);
        // Faults are kept until all pieces are read, so that it is the first one that is told.
        let pieces =
            workers.map(n_examples.div_ceil(PIECE), || (), |(), number| Ok(read(rows(number))))?;
        let pieces = pieces.into_iter().collect::<Result<Vec<_>>>()?;
        let mut tags = Self { starts: Vec::new(), classes: Vec::new(), counts: vec![0; n_classes] };
        tags.starts.try_reserve_exact(n_examples + 1)?;
        tags.classes.try_reserve_exact(pieces.iter().map(|piece| piece.classes.len()).sum())?;
        tags.starts.push(0);
        let mut start = 0;
        for piece in pieces {
            for length in piece.lengths {
                start += length as usize;
                tags.starts.push(start);
            }
            piece.classes.iter().for_each(|&class| tags.counts[class as usize] += 1);
            tags.classes.extend(piece.classes);
        }
        Ok(tags)
    }

    /// N.
    #[must_use]
    pub fn n_examples(&self) -> usize {
        self.starts.len() - 1
    }

    /// K.
    #[must_use]
    pub fn n_classes(&self) -> usize {
        self.counts.len()
    }

    /// The classes of an example, ascending.
    #[must_use]
    #[inline(always)]
    pub fn of(&self, row: usize) -> &[u32] {
        &self.classes[self.starts[row]..self.starts[row + 1]]
    }

    /// Whether an example has a tag.
    #[must_use]
    pub fn has(&self, row: usize, class: usize) -> bool {
        self.of(row).binary_search(&(class as u32)).is_ok()
    }

    /// How many examples are without the tag, and how many with it.
    #[must_use]
    pub fn counts(&self, class: usize) -> [usize; 2] {
        [self.n_examples() - self.counts[class], self.counts[class]]
    }

    /// Where the classes of each example start, and the classes (CSR).
    #[must_use]
    pub fn into_parts(self) -> (Vec<usize>, Vec<u32>) {
        (self.starts, self.classes)
    }

    /// From cells sorted by row, then class.
    pub(crate) fn of_sorted(
        cells: impl ExactSizeIterator<Item = (usize, u32)>,
        n_examples: usize,
        n_classes: usize,
    ) -> Result<Self> {
        let mut tags = Self { starts: Vec::new(), classes: Vec::new(), counts: vec![0; n_classes] };
        tags.starts.try_reserve_exact(n_examples + 1)?;
        tags.starts.resize(n_examples + 1, 0);
        tags.classes.try_reserve_exact(cells.len())?;
        for (row, class) in cells {
            tags.starts[row + 1] += 1;
            tags.classes.push(class);
            tags.counts[class as usize] += 1;
        }
        (0..n_examples).for_each(|row| tags.starts[row + 1] += tags.starts[row]);
        Ok(tags)
    }
}

impl Piece {
    fn with_room_for(rows: &Range<usize>) -> Self {
        Self { lengths: Vec::with_capacity(rows.len()), classes: Vec::new() }
    }

    /// Puts the classes of a row in order, each of them once.
    fn end_row(&mut self, begin: usize) {
        let row = &mut self.classes[begin..];
        if !row.is_sorted_by(|left, right| left < right) {
            row.sort_unstable();
            let mut kept = begin;
            for place in begin..self.classes.len() {
                if kept == begin || self.classes[kept - 1] != self.classes[place] {
                    self.classes[kept] = self.classes[place];
                    kept += 1;
                }
            }
            self.classes.truncate(kept);
        }
        self.lengths.push((self.classes.len() - begin) as u32);
    }
}

/// An (N, K) array of zeros and ones in any format.
#[derive(Debug, Clone, Copy)]
pub struct Indicator<'a> {
    first: *const u8,
    shape: (usize, usize),
    strides: (isize, isize),
    width: usize,
    one: u64,
    minus_zero: u64,
    value: fn(u64) -> f64,
    lifetime: std::marker::PhantomData<&'a u8>,
}

// SAFETY: it is a shared view of plain numbers; reading them from several threads is fine.
unsafe impl Send for Indicator<'_> {}
// SAFETY: as above.
unsafe impl Sync for Indicator<'_> {}

/// Cells that are looked at together: nearly all of them are zeros.
const TOGETHER: usize = 32;

impl Indicator<'_> {
    /// A view of cells of `width` bytes (1, 2, 4 or 8), strides in bytes. `one` is how a 1 is
    /// written, `minus_zero` how another zero than that of all bits 0, if there is one; `value` reads
    /// a cell, for messages.
    ///
    /// # Safety
    /// For every row and column within the shape, `first + row * row_stride + column *
    /// column_stride` must point to a readable cell for as long as `'a` lasts.
    #[must_use]
    pub unsafe fn new(
        first: *const u8,
        shape: (usize, usize),
        strides: (isize, isize),
        width: usize,
        (one, minus_zero): (u64, u64),
        value: fn(u64) -> f64,
    ) -> Self {
        let lifetime = std::marker::PhantomData;
        Self { first, shape, strides, width, one, minus_zero, value, lifetime }
    }

    /// Bytes that all cells take.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        self.shape.0 * self.shape.1 * self.width
    }

    fn read<T: Copy + Into<u64> + PartialEq + Default>(&self, rows: Range<usize>) -> Result<Piece> {
        let n_columns = self.shape.1;
        assert!(rows.end <= self.shape.0 && size_of::<T>() == self.width);
        let mut piece = Piece::with_room_for(&rows);
        let (down, right) = self.strides;
        let start = |row: usize| self.first.wrapping_offset((row as isize).wrapping_mul(down));
        let at = |row: usize, column: usize| -> T {
            let cell = start(row).wrapping_offset((column as isize).wrapping_mul(right));
            // SAFETY: the cell is within the shape, so `new`'s contract holds for it.
            unsafe { cell.cast::<T>().read_unaligned() }
        };
        if right == size_of::<T>() as isize {
            for row in rows {
                let begin = piece.classes.len();
                for left in (0..n_columns).step_by(TOGETHER) {
                    let columns = left..n_columns.min(left + TOGETHER);
                    let any = if columns.len() == TOGETHER {
                        // SAFETY: these cells lie side by side within the shape.
                        let cells = unsafe {
                            start(row)
                                .cast::<T>()
                                .add(left)
                                .cast::<[T; TOGETHER]>()
                                .read_unaligned()
                        };
                        cells.iter().fold(false, |any, &cell| any | (cell != T::default()))
                    } else {
                        true
                    };
                    if any {
                        for column in columns {
                            self.push(at(row, column).into(), row, column, &mut piece.classes)?;
                        }
                    }
                }
                piece.end_row(begin);
            }
            return Ok(piece);
        }
        // Columns lie side by side, or nothing does: down one column after the other.
        let (mut found, mut places, mut fault) = (Vec::new(), Vec::new(), None);
        for column in 0..n_columns {
            for row in rows.clone() {
                match self.push(at(row, column).into(), row, column, &mut found) {
                    Ok(()) if found.len() > places.len() => places.push(row),
                    Ok(()) => {}
                    Err(Error::TagValue { row, column, value }) => {
                        if fault.as_ref().is_none_or(|&(first, _, _)| row < first) {
                            fault = Some((row, column, value));
                        }
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        if let Some((row, column, value)) = fault {
            return Err(Error::TagValue { row, column, value });
        }
        let mut next = vec![0_usize; rows.len() + 1];
        places.iter().for_each(|row| next[row - rows.start + 1] += 1);
        piece.lengths.extend(next[1..].iter().map(|&length| length as u32));
        (0..rows.len()).for_each(|row| next[row + 1] += next[row]);
        piece.classes.resize(found.len(), 0);
        for (row, class) in places.into_iter().zip(found) {
            let place = &mut next[row - rows.start];
            piece.classes[*place] = class;
            *place += 1;
        }
        Ok(piece)
    }

    #[inline(always)]
    fn push(&self, bits: u64, row: usize, column: usize, classes: &mut Vec<u32>) -> Result<()> {
        if bits == self.one {
            classes.push(column as u32);
        } else if bits != 0 && bits != self.minus_zero {
            return Err(Error::TagValue { row, column, value: (self.value)(bits) });
        }
        Ok(())
    }
}
