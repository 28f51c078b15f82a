//! One look at a row, as bits (see [`crate::format`]): the largest cell of the other classes, and the
//! largest among the confident ones. Where those cells stand is found afterwards, in cache.

use crate::format::Bits;
use crate::simd::prefetch;

/// How far ahead of its use the matrix is fetched. Between 4 and 16 KiB all distances did equally
/// well; without it the sweep took a third longer.
pub(crate) const PREFETCH_BYTES: usize = 8 * 1024;

/// Rows of no more classes are looked at one cell after the other: to fill lanes takes longer.
const FEW: usize = 16;

/// What one look at a row gives.
pub(crate) struct Scan<B: Bits> {
    /// The largest cell of the other classes.
    pub(crate) other: B,
    /// The class that has it, the lowest on ties.
    pub(crate) other_class: usize,
    /// The largest confident cell of the other classes, or `NONE`.
    pub(crate) confident_other: B::Signed,
}

impl<B: Bits> Scan<B> {
    /// Looks at a row whose label is `given`, and fetches the matrix `ahead` bytes further on.
    #[inline(always)]
    pub(crate) fn of(row: &[B], given: usize, cutoffs: &[B], ahead: usize) -> Self {
        if row.len() <= FEW {
            return Self::of_few(row, given, cutoffs);
        }
        match size_of::<B>() {
            2 => Self::of_lanes::<32>(row, given, cutoffs, ahead),
            4 => Self::of_lanes::<16>(row, given, cutoffs, ahead),
            _ => Self::of_lanes::<8>(row, given, cutoffs, ahead),
        }
    }

    #[inline(always)]
    fn of_few(row: &[B], given: usize, cutoffs: &[B]) -> Self {
        // Two loops without a branch: which class is the largest cannot be predicted.
        let mut other = B::ZERO;
        let mut confident_other = B::NONE;
        for (class, (&cell, &cutoff)) in row.iter().zip(cutoffs).enumerate() {
            // The given class does not compete with itself.
            let competes = class != given;
            other = other.max(if competes { cell } else { B::ZERO });
            let confident = if competes & (cell >= cutoff) { cell.signed() } else { B::NONE };
            confident_other = confident_other.max(confident);
        }
        let mut other_class = u32::MAX;
        for (class, &cell) in (0..).zip(row) {
            let has_it = (cell == other) & (class != given as u32);
            other_class = other_class.min(if has_it { class } else { u32::MAX });
        }
        Self { other, other_class: other_class as usize, confident_other }
    }

    #[inline(always)]
    fn of_lanes<const L: usize>(row: &[B], given: usize, cutoffs: &[B], ahead: usize) -> Self {
        let mut lanes = Lanes::<B, L>::new(ahead);
        let (cells, cells_left) = row.as_chunks::<L>();
        let (bounds, bounds_left) = cutoffs.as_chunks::<L>();
        // The chunk of the given class stands apart: it does not compete with itself.
        let (home, lane) = (given / L, given % L);
        let before = home.min(cells.len());
        lanes.look_at_all(0, &cells[..before], &bounds[..before]);
        if let (Some(cells), Some(bounds)) = (cells.get(home), bounds.get(home)) {
            let (cells, bounds) =
                (with_lane(cells, lane, B::ZERO), with_lane(bounds, lane, B::MAX));
            lanes = lanes.look(B::of_index(home), &cells, &bounds);
        }
        let after = (home + 1).min(cells.len());
        lanes.look_at_all(after, &cells[after..], &bounds[after..]);
        if !cells_left.is_empty() {
            let mut cells_padded = [B::ZERO; L];
            let mut bounds_padded = [B::MAX; L];
            cells_padded[..cells_left.len()].copy_from_slice(cells_left);
            bounds_padded[..bounds_left.len()].copy_from_slice(bounds_left);
            if home == cells.len() {
                cells_padded[lane] = B::ZERO;
                bounds_padded[lane] = B::MAX;
            }
            lanes = lanes.look(B::of_index(cells.len()), &cells_padded, &bounds_padded);
        }
        lanes.seen(usize::from(given == 0))
    }

    /// The class that has the largest confident cell of the other classes, the lowest on ties.
    #[inline(always)]
    pub(crate) fn confident_class(&self, row: &[B], given: usize, cutoffs: &[B]) -> usize {
        let mut from = 0;
        while let Some(class) = first_equal(row, from, B::of_signed(self.confident_other)) {
            if class != given && row[class] >= cutoffs[class] {
                return class;
            }
            from = class + 1;
        }
        given
    }
}

/// The largest cells so far, lane by lane.
#[derive(Clone, Copy)]
struct Lanes<B: Bits, const L: usize> {
    /// How far ahead to fetch, in bytes.
    ahead: usize,
    other: [B; L],
    /// In which chunk of `L` classes it was found.
    other_chunk: [B; L],
    confident_other: [B::Signed; L],
}

impl<B: Bits, const L: usize> Lanes<B, L> {
    #[inline(always)]
    fn new(ahead: usize) -> Self {
        Self {
            ahead,
            other: [B::ZERO; L],
            other_chunk: [B::ZERO; L],
            confident_other: [B::NONE; L],
        }
    }

    #[inline(always)]
    fn look_at_all(&mut self, first: usize, cells: &[[B; L]], bounds: &[[B; L]]) {
        // Out and back in: behind a reference the compiler leaves lanes in memory.
        let mut lanes = *self;
        for (chunk, (cells, bounds)) in (first..).zip(cells.iter().zip(bounds)) {
            prefetch(cells.as_ptr().wrapping_byte_add(lanes.ahead));
            lanes = lanes.look(B::of_index(chunk), cells, bounds);
        }
        *self = lanes;
    }

    #[inline(always)]
    fn look(self, chunk: B, cells: &[B; L], bounds: &[B; L]) -> Self {
        let mut seen = self;
        for lane in 0..L {
            let (cell, other, confident) =
                (cells[lane], self.other[lane], self.confident_other[lane]);
            seen.other[lane] = cell.max(other);
            seen.other_chunk[lane] = if cell > other { chunk } else { self.other_chunk[lane] };
            let candidate = if cell >= bounds[lane] { cell.signed() } else { B::NONE };
            seen.confident_other[lane] = candidate.max(confident);
        }
        seen
    }

    /// The largest of all lanes; a row of zeros has it in its first other class.
    #[inline(always)]
    fn seen(&self, first_other: usize) -> Scan<B> {
        let other = self.other.into_iter().fold(B::ZERO, Ord::max);
        let mut other_class = usize::MAX;
        for lane in 0..L {
            let class = self.other_chunk[lane].index() * L + lane;
            let class = if self.other[lane] == other { class } else { usize::MAX };
            other_class = other_class.min(class);
        }
        Scan {
            other,
            other_class: if other == B::ZERO { first_other } else { other_class },
            confident_other: self.confident_other.into_iter().fold(B::NONE, Ord::max),
        }
    }
}

/// The same cells but for one.
#[inline(always)]
fn with_lane<B: Bits, const L: usize>(cells: &[B; L], lane: usize, cell: B) -> [B; L] {
    let mut others = *cells;
    others[lane] = cell;
    others
}

/// The first class at or after `from` that has this cell, looking at a cache line at a time.
#[inline(always)]
fn first_equal<B: Bits>(row: &[B], from: usize, cell: B) -> Option<usize> {
    match size_of::<B>() {
        2 => first_equal_lanes::<B, 32>(row, from, cell),
        4 => first_equal_lanes::<B, 16>(row, from, cell),
        _ => first_equal_lanes::<B, 8>(row, from, cell),
    }
}

#[inline(always)]
fn first_equal_lanes<B: Bits, const L: usize>(row: &[B], from: usize, cell: B) -> Option<usize> {
    let (chunks, left) = row.get(from..)?.as_chunks::<L>();
    for (number, cells) in chunks.iter().enumerate() {
        // As numbers, not as bools: only so is this compiled to one comparison of all lanes.
        let mut any = B::ZERO;
        for lane in 0..L {
            any = any.max(if cells[lane] == cell { B::MAX } else { B::ZERO });
        }
        if any == B::MAX {
            return cells
                .iter()
                .position(|&other| other == cell)
                .map(|lane| from + number * L + lane);
        }
    }
    left.iter().position(|&other| other == cell).map(|place| from + chunks.len() * L + place)
}

/// Calls `each` for the classes whose cell is above `own` and not below their bound, ascending.
#[inline(always)]
pub(crate) fn for_each_above<B: Bits>(row: &[B], bounds: &[B], own: B, each: impl FnMut(usize)) {
    match size_of::<B>() {
        2 => for_each_above_lanes::<B, 32>(row, bounds, own, each),
        4 => for_each_above_lanes::<B, 16>(row, bounds, own, each),
        _ => for_each_above_lanes::<B, 8>(row, bounds, own, each),
    }
}

#[inline(always)]
fn for_each_above_lanes<B: Bits, const L: usize>(
    row: &[B],
    bounds: &[B],
    own: B,
    mut each: impl FnMut(usize),
) {
    let (chunks, cells_left) = row.as_chunks::<L>();
    let (bound_chunks, bounds_left) = bounds.as_chunks::<L>();
    for (number, (cells, bounds)) in chunks.iter().zip(bound_chunks).enumerate() {
        let mut any = false;
        for lane in 0..L {
            any |= (cells[lane] > own) & (cells[lane] >= bounds[lane]);
        }
        if any {
            for lane in 0..L {
                if cells[lane] > own && cells[lane] >= bounds[lane] {
                    each(number * L + lane);
                }
            }
        }
    }
    for (place, (&cell, &bound)) in cells_left.iter().zip(bounds_left).enumerate() {
        if cell > own && cell >= bound {
            each(chunks.len() * L + place);
        }
    }
}
