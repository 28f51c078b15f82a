//! One look at a row, as keys (see [`crate::format`]): the largest cell of the other classes, and the
//! largest among the confident ones. In which class a cell stands is looked up afterwards, in cache,
//! for the few rows where it matters.

use crate::format::{Format, Key, Meaning};
use crate::simd::prefetch;

/// How far ahead of its use the matrix is fetched. Between 4 and 16 KiB all distances did equally
/// well; without it the sweep took a third longer.
const AHEAD_BYTES: usize = 8 * 1024;
const LINE_BYTES: usize = 64;

/// Among so many cells some are looked for at a time, and among so many side by side.
const PIECE: usize = 128;
const LANES: usize = 16;

/// Which cache lines of the matrix one pass over a row fetches ahead. Where a row is passed over
/// twice, each pass fetches half of them: memory then never rests. Further passes fetch none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fetch {
    /// None of them: what is read lies in cache already.
    Nothing,
    /// All of them.
    All,
    /// Those of even number.
    Even,
    /// Those of odd number.
    Odd,
}

impl Fetch {
    /// Fetches what lies ahead of some cells, and is as long.
    #[inline(always)]
    pub(crate) fn ahead_of<T>(self, cells: &[T]) {
        // Short rows would ask for the same line again and again.
        if size_of_val(cells) < 2 * LINE_BYTES {
            return;
        }
        let ahead = cells.as_ptr().wrapping_byte_add(AHEAD_BYTES);
        let even = ahead.map_addr(|address| address & !LINE_BYTES);
        let every_other = || (0..size_of_val(cells)).step_by(2 * LINE_BYTES);
        if matches!(self, Self::All | Self::Even) {
            every_other().for_each(|offset| prefetch(even.wrapping_byte_add(offset)));
        }
        if matches!(self, Self::All | Self::Odd) {
            every_other().for_each(|offset| prefetch(even.wrapping_byte_add(offset + LINE_BYTES)));
        }
    }
}

/// What one look at a row gives.
#[derive(Clone, Copy)]
pub(crate) struct Scan<F: Format> {
    /// The largest cell of the other classes.
    pub(crate) other: F::Key,
    /// The largest confident cell of the other classes, or `NONE`.
    pub(crate) confident_other: <F::Key as Key>::Signed,
    /// Of scores the smallest cell of the row. Probabilities that are too small have large keys.
    pub(crate) least: F::Key,
}

impl<F: Format> Scan<F> {
    /// Looks at a row whose label is `given`, and fetches the matrix further on.
    #[inline(always)]
    pub(crate) fn of(row: &[F::Bits], given: usize, cutoffs: &[F::Key], fetch: Fetch) -> Self {
        match size_of::<F::Bits>() {
            2 => Self::of_pieces::<512>(row, given, cutoffs, fetch),
            4 => Self::of_pieces::<256>(row, given, cutoffs, fetch),
            _ => Self::of_pieces::<128>(row, given, cutoffs, fetch),
        }
    }

    /// Pieces of a fixed length need no care for what is left, and a few cells more cost less.
    #[inline(always)]
    fn of_pieces<const P: usize>(
        row: &[F::Bits],
        given: usize,
        cutoffs: &[F::Key],
        fetch: Fetch,
    ) -> Self {
        let (Some(last), Some(last_bounds)) = (row.last_chunk::<P>(), cutoffs.last_chunk::<P>())
        else {
            fetch.ahead_of(row);
            return Self::of_others(row, given, cutoffs);
        };
        let mut seen = Self::NOTHING;
        let (pieces, rest) = row.as_chunks::<P>();
        let mut first = 0;
        for (cells, bounds) in pieces.iter().zip(cutoffs.as_chunks::<P>().0) {
            fetch.ahead_of(cells);
            seen = seen.or(Self::of_piece(cells, bounds, given.wrapping_sub(first)));
            first += P;
        }
        if !rest.is_empty() {
            // Some cells twice: a maximum does not mind.
            fetch.ahead_of(rest);
            seen = seen.or(Self::of_piece(last, last_bounds, given.wrapping_sub(row.len() - P)));
        }
        seen
    }

    /// All of a piece but one cell, should that lie in it: the given class does not compete with
    /// itself.
    #[inline(always)]
    fn of_piece<const P: usize>(cells: &[F::Bits; P], bounds: &[F::Key; P], except: usize) -> Self {
        if except < P {
            return Self::of_others(cells, except, bounds);
        }
        let mut seen = Self::NOTHING;
        for (&cell, &bound) in cells.iter().zip(bounds) {
            let cell = F::key(cell);
            seen.other = seen.other.max(cell);
            let confident = if cell >= bound { cell.signed() } else { F::Key::NONE };
            seen.confident_other = seen.confident_other.max(confident);
            seen.see_least(cell);
        }
        seen
    }

    #[inline(always)]
    fn of_others(row: &[F::Bits], given: usize, cutoffs: &[F::Key]) -> Self {
        // Without a branch: which class is the largest cannot be predicted.
        let mut seen = Self::NOTHING;
        for (class, (&cell, &cutoff)) in row.iter().zip(cutoffs).enumerate() {
            let cell = F::key(cell);
            let competes = class != given;
            seen.other = seen.other.max(if competes { cell } else { F::Key::ZERO });
            let confident = if competes & (cell >= cutoff) { cell.signed() } else { F::Key::NONE };
            seen.confident_other = seen.confident_other.max(confident);
            seen.see_least(cell);
        }
        seen
    }

    #[inline(always)]
    fn see_least(&mut self, cell: F::Key) {
        if F::MEANING == Meaning::Score {
            self.least = self.least.min(cell);
        }
    }

    const NOTHING: Self =
        Self { other: F::Key::ZERO, confident_other: F::Key::NONE, least: F::Key::MAX };

    #[inline(always)]
    fn or(self, more: Self) -> Self {
        Self {
            other: self.other.max(more.other),
            confident_other: self.confident_other.max(more.confident_other),
            least: self.least.min(more.least),
        }
    }

    /// The class that has the largest cell of the other classes, the lowest on ties.
    #[inline(always)]
    pub(crate) fn other_class(&self, row: &[F::Bits], given: usize) -> usize {
        match first_equal::<F>(row, 0, self.other) {
            Some(class) if class != given => class,
            // The given class has an equal one.
            _ => first_equal::<F>(row, given + 1, self.other).unwrap_or(given),
        }
    }

    /// The class that has the largest confident cell of the other classes, the lowest on ties.
    #[inline(always)]
    pub(crate) fn confident_class(
        &self,
        row: &[F::Bits],
        given: usize,
        cutoffs: &[F::Key],
    ) -> usize {
        let mut from = 0;
        let largest = F::Key::of_signed(self.confident_other);
        while let Some(class) = first_equal::<F>(row, from, largest) {
            if class != given && F::key(row[class]) >= cutoffs[class] {
                return class;
            }
            from = class + 1;
        }
        given
    }
}

/// The first class at or after `from` that has this cell, looking at a cache line at a time.
#[inline(always)]
fn first_equal<F: Format>(row: &[F::Bits], from: usize, cell: F::Key) -> Option<usize> {
    match size_of::<F::Bits>() {
        2 => first_equal_lanes::<F, 32>(row, from, cell),
        4 => first_equal_lanes::<F, 16>(row, from, cell),
        _ => first_equal_lanes::<F, 8>(row, from, cell),
    }
}

#[inline(always)]
fn first_equal_lanes<F: Format, const L: usize>(
    row: &[F::Bits],
    from: usize,
    cell: F::Key,
) -> Option<usize> {
    let is_equal = |&other: &F::Bits| F::key(other) == cell;
    let (chunks, left) = row.get(from..)?.as_chunks::<L>();
    for (number, cells) in chunks.iter().enumerate() {
        // As numbers, not as bools: only so is this compiled to one comparison of all lanes.
        let mut any = F::Key::ZERO;
        for lane in 0..L {
            any = any.max(if is_equal(&cells[lane]) { F::Key::MAX } else { F::Key::ZERO });
        }
        if any == F::Key::MAX {
            return cells.iter().position(is_equal).map(|lane| from + number * L + lane);
        }
    }
    left.iter().position(is_equal).map(|place| from + chunks.len() * L + place)
}

/// Calls `each` for the classes whose cell is above `own` and not below their bound, ascending.
#[inline(always)]
pub(crate) fn for_each_above<F: Format>(
    row: &[F::Bits],
    bounds: &[F::Key],
    own: F::Key,
    mut each: impl FnMut(usize),
) {
    // Few cells are, and most of those that are not are told by the largest of a piece.
    let (pieces, rest) = row.as_chunks::<PIECE>();
    for (number, cells) in pieces.iter().enumerate() {
        let largest = cells.iter().fold(F::Key::ZERO, |largest, &cell| largest.max(F::key(cell)));
        if largest > own {
            let first = number * PIECE;
            for_each_of_piece::<F>(cells, &bounds[first..], own, |place| each(first + place));
        }
    }
    let first = row.len() - rest.len();
    for_each_of_piece::<F>(rest, &bounds[first..], own, |place| each(first + place));
}

#[inline(always)]
fn for_each_of_piece<F: Format>(
    cells: &[F::Bits],
    bounds: &[F::Key],
    own: F::Key,
    mut each: impl FnMut(usize),
) {
    let is_above = |cell: F::Bits, bound: F::Key| {
        let cell = F::key(cell);
        (cell > own) & (cell >= bound)
    };
    let (chunks, rest) = cells.as_chunks::<LANES>();
    for (number, (cells, bounds)) in chunks.iter().zip(bounds.as_chunks::<LANES>().0).enumerate() {
        let mut any = false;
        for lane in 0..LANES {
            any |= is_above(cells[lane], bounds[lane]);
        }
        if any {
            for lane in 0..LANES {
                if is_above(cells[lane], bounds[lane]) {
                    each(number * LANES + lane);
                }
            }
        }
    }
    let first = cells.len() - rest.len();
    for (place, (&cell, &bound)) in rest.iter().zip(&bounds[first..]).enumerate() {
        if is_above(cell, bound) {
            each(first + place);
        }
    }
}
