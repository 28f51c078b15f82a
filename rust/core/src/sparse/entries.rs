//! The entries of one row, laid out so that they are looked at many at once.

use super::stored::FREE;
use super::{Raise, Span, Sparse};
use crate::error::{Error, Result};
use crate::format::{Bits, Format, Key};
use crate::row::BadCell;
use crate::sweep::bad_cell;

/// Entries looked at together. What is left free at the end is no class, and 0.
pub(super) const LANES: usize = 8;

/// Of so many entries each is compared with each; of more they are sorted.
const FEW: usize = 64;

/// The entries of one row, in the order that they are stored in.
pub(super) struct Entries<F: Format> {
    pub(super) classes: Vec<u32>,
    pub(super) cells: Vec<F::Bits>,
    pub(super) n: usize,
    /// Whether classes ascend.
    pub(super) ascend: bool,
    sorted: Vec<u32>,
    pairs: Vec<(u32, F::Bits)>,
    terms: Vec<F::Real>,
}

impl<F: Format> Entries<F> {
    pub(super) fn new() -> Self {
        Self {
            classes: Vec::new(),
            cells: Vec::new(),
            n: 0,
            ascend: true,
            sorted: Vec::new(),
            pairs: Vec::new(),
            terms: Vec::new(),
        }
    }

    /// One after the other: class and cell.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, F::Bits)> + Clone + '_ {
        self.classes[..self.n].iter().copied().zip(self.cells[..self.n].iter().copied())
    }

    /// So many lanes at a time.
    #[inline(always)]
    pub(super) fn lanes(&self) -> impl Iterator<Item = (&[u32; LANES], &[F::Bits; LANES])> + '_ {
        self.classes.as_chunks().0.iter().zip(self.cells.as_chunks().0)
    }

    /// The cell of a class, and whether it is stored.
    pub(super) fn cell(&self, class: usize) -> Option<F::Bits> {
        self.iter().find(|&(stored, _)| stored as usize == class).map(|(_, cell)| cell)
    }

    /// Whether a class is stored.
    pub(super) fn holds(&self, class: usize) -> bool {
        self.classes[..self.n].contains(&(class as u32))
    }

    /// The first of some classes that is not stored and not `except`.
    pub(super) fn first_free(
        &self,
        mut classes: impl Iterator<Item = usize>,
        except: usize,
    ) -> Option<usize> {
        classes.find(|&class| class != except && !self.holds(class))
    }

    /// Makes room for n entries and for what fills up the last lanes.
    #[inline(always)]
    fn reserve(&mut self, n: usize) {
        let n_lanes = n.next_multiple_of(LANES);
        if self.classes.len() != n_lanes {
            self.classes.resize(n_lanes, FREE);
            self.cells.resize(n_lanes, F::Bits::ZERO);
        }
        self.n = n;
    }

    /// Fills up the last lanes.
    #[inline(always)]
    fn free_the_rest(&mut self) {
        let n_left = self.classes.len() - self.n;
        let last = self.classes.last_chunk_mut::<LANES>().zip(self.cells.last_chunk_mut::<LANES>());
        if let Some((classes, cells)) = last {
            for lane in 0..LANES {
                let is_free = lane + n_left >= LANES;
                classes[lane] = if is_free { FREE } else { classes[lane] };
                cells[lane] = if is_free { F::Bits::ZERO } else { cells[lane] };
            }
        }
    }

    /// Leaves out entries that are free.
    #[cold]
    #[inline(never)]
    fn close_up(&mut self) {
        let mut kept = 0;
        for place in 0..self.n {
            if self.classes[place] != FREE {
                self.classes[kept] = self.classes[place];
                self.cells[kept] = self.cells[place];
                kept += 1;
            }
        }
        self.classes[kept..].fill(FREE);
        self.cells[kept..].fill(F::Bits::ZERO);
        self.n = kept;
        self.reserve(kept);
    }

    /// Whether all classes are below K, free ones apart; the number of free ones.
    #[inline(always)]
    fn look_at_classes(&self, n_classes: usize) -> (bool, usize) {
        let (mut largest, mut n_free) = ([0_u32; LANES], [0_u32; LANES]);
        for classes in self.classes.as_chunks::<LANES>().0 {
            for lane in 0..LANES {
                // Free ones become 0.
                largest[lane] = largest[lane].max(classes[lane].wrapping_add(1));
                n_free[lane] += u32::from(classes[lane] == FREE);
            }
        }
        let largest = largest.into_iter().fold(0, u32::max);
        let n_free: u32 = n_free.into_iter().sum();
        (largest as usize <= n_classes, n_free as usize - (self.classes.len() - self.n))
    }

    /// Whether classes ascend, each but once.
    #[inline(always)]
    fn ascends(&self) -> bool {
        let mut n_below = [0_u32; LANES];
        let (chunks, mut first) = (self.classes.as_chunks::<LANES>().0, 0);
        for classes in chunks {
            // One further on; nothing is behind the last lanes, but what is free.
            let mut next = [FREE; LANES];
            next[..LANES - 1].copy_from_slice(&classes[1..]);
            first += LANES;
            next[LANES - 1] = self.classes.get(first).copied().unwrap_or(FREE);
            for lane in 0..LANES {
                n_below[lane] += u32::from(classes[lane] < next[lane]);
            }
        }
        n_below.into_iter().sum::<u32>() as usize == self.n
    }

    /// Whether no class is stored twice.
    #[inline(always)]
    fn are_distinct(&mut self) -> bool {
        let n = self.n;
        if n > FEW {
            self.sorted.clear();
            self.sorted.extend(&self.classes[..n]);
            self.sorted.sort_unstable();
            return self.sorted.windows(2).all(|pair| pair[0] < pair[1]);
        }
        // Each with those of its lanes, and of all further on: it is equal to itself alone.
        let mut n_equal = [0_u32; LANES];
        let mut rest = self.classes.as_chunks::<LANES>().0;
        let mut left = n;
        while let [classes, ..] = rest {
            for &class in &classes[..left.min(LANES)] {
                for others in rest {
                    for lane in 0..LANES {
                        n_equal[lane] += u32::from(class == others[lane]);
                    }
                }
            }
            left = left.saturating_sub(LANES);
            rest = &rest[1..];
        }
        n_equal.into_iter().sum::<u32>() as usize == n
    }

    /// In the order of their classes.
    pub(super) fn sort(&mut self, scratch: &mut Vec<(u32, F::Bits)>) {
        if self.ascend {
            return;
        }
        scratch.clear();
        scratch.extend(self.iter());
        scratch.sort_unstable_by_key(|&(class, _)| class);
        for (place, &(class, cell)) in scratch.iter().enumerate() {
            self.classes[place] = class;
            self.cells[place] = cell;
        }
        self.ascend = true;
    }
}

impl<F: Format> Sparse<'_, F> {
    /// Reads the entries of a row, and checks their classes. Values are not checked.
    #[inline(always)]
    pub(super) fn load(&self, row: usize, entries: &mut Entries<F>) -> Result<()> {
        let Some(Span { row: line, first, n }) = self.span(row) else {
            return Err(self.class_fault(row));
        };
        entries.reserve(n);
        let Entries { classes, cells, .. } = &mut *entries;
        let has_lanes = self.has(Span { row: line, first, n }, classes.len());
        // SAFETY: the span is within what is stored; so are its last lanes, where there are so many.
        unsafe {
            if !(has_lanes && self.classes.read_lanes::<LANES>(line, first, classes)) {
                self.classes.read(line, first, &mut classes[..n]);
            }
            if !(has_lanes && self.values.read_lanes::<LANES>(line, first, cells)) {
                self.values.read(line, first, &mut cells[..n]);
            }
        }
        entries.free_the_rest();
        let (are_classes, n_free) = entries.look_at_classes(self.n_classes);
        if n_free > 0 && are_classes && self.may_be_free() {
            entries.close_up();
        } else if n_free > 0 || !are_classes {
            return Err(self.class_fault(row));
        }
        entries.ascend = entries.ascends();
        if !entries.ascend && !entries.are_distinct() {
            return Err(self.class_fault(row));
        }
        match self.calibration {
            None => Ok(()),
            Some(powers) => raise(row, entries, powers),
        }
    }

    /// Whether entries may be left free.
    fn may_be_free(&self) -> bool {
        matches!(self.rows, super::StoredRows::Fixed(_))
    }

    /// What is wrong with the classes of a row.
    #[cold]
    #[inline(never)]
    fn class_fault(&self, row: usize) -> Error {
        let Some(span) = self.span(row) else {
            let (start, end) = match self.rows {
                super::StoredRows::Fixed(_) => (0, 0),
                super::StoredRows::Starts32(starts) => {
                    (i64::from(starts[row]), i64::from(starts[row + 1]))
                }
                super::StoredRows::Starts64(starts) => (starts[row], starts[row + 1]),
            };
            return Error::EntryStarts { row, start, end, n_entries: self.n_entries };
        };
        let n_classes = self.n_classes;
        for place in span.first..span.first + span.n {
            // SAFETY: the span is within what is stored.
            let class = unsafe { (self.exact_class)(self.classes.address(span.row, place)) };
            let is_free = class == -1 && self.may_be_free();
            if !is_free && !(0..n_classes as i128).contains(&class) {
                let place = place - span.first;
                return Error::EntryClass { row, place, class, n_classes };
            }
        }
        self.twice(row, span).unwrap_or(Error::Empty)
    }

    /// The lowest class that a row stores more than once.
    pub(super) fn twice(&self, row: usize, Span { row: line, first, n }: Span) -> Option<Error> {
        let mut classes = vec![0; n];
        // SAFETY: the span is within what is stored.
        unsafe { self.classes.read(line, first, &mut classes) };
        classes.retain(|&class| class != FREE);
        classes.sort_unstable();
        let pair = classes.windows(2).find(|pair| pair[0] == pair[1])?;
        Some(Error::EntryTwice { row, class: pair[0] as usize })
    }

    /// Checks the classes of a row, and its values.
    pub(super) fn check_row(&self, row: usize) -> Result<()> {
        let mut entries = Entries::new();
        self.load(row, &mut entries)?;
        check_values(row, &mut entries)
    }
}

/// Calibrates the entries of a row, once they are known to be probabilities.
#[inline(never)]
fn raise<F: Format>(row: usize, entries: &mut Entries<F>, powers: &dyn Raise<F>) -> Result<()> {
    let mut pairs = std::mem::take(&mut entries.pairs);
    entries.sort(&mut pairs);
    entries.pairs = pairs;
    if entries.iter().any(|(_, cell)| F::key(cell) > F::largest()) {
        check_values(row, entries)?;
    }
    let Entries { classes, cells, n, terms, .. } = entries;
    powers.raise(&classes[..*n], &mut cells[..*n], terms);
    Ok(())
}

/// Finds the value of the lowest class that may not stand there.
pub(super) fn check_values<F: Format>(row: usize, entries: &mut Entries<F>) -> Result<()> {
    entries.sort(&mut Vec::new());
    for (class, bits) in entries.iter() {
        let value = F::value(bits);
        if !F::MEANING.allows(value) {
            let found = BadCell { column: class as usize, value };
            return Err(bad_cell(F::MEANING, row, found));
        }
    }
    Ok(())
}

/// The largest key among some, of which all are in order.
#[inline(always)]
pub(super) fn largest<K: Key>(keys: [K; LANES]) -> K {
    keys.into_iter().fold(K::ZERO, Ord::max)
}
