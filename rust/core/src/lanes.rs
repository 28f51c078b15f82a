//! Sums of one term a cell of a row, many at a time, to the same bits however they are made.
//!
//! Cells are added up in fixed lanes, so no CPU level shows in a sum. A zero adds nothing, so neither
//! does it show whether a row stores all of its cells or a few: the terms of those come to lie in the
//! same lanes.

use crate::entropy::Real;
use crate::format::{Bits, Format};
use crate::scan::Fetch;

/// Cells looked at together. Fixed, because the order of additions is part of the answer.
pub(crate) const LANES: usize = 16;
/// Float32 terms are added in float32 for this many steps, then in float64.
const STEPS: usize = 8;
/// So many independent chains of operations keep a CPU busy.
pub(crate) const PART: usize = LANES * STEPS;

/// What is added up.
#[derive(Clone, Copy)]
pub(crate) struct Sums([f64; LANES]);

impl Sums {
    pub(crate) const ZERO: Self = Self([0.0; LANES]);

    /// Adds the terms of a part, lane by lane, in pairs of steps, pairs of pairs and so on: a short
    /// chain of operations, and a small error.
    #[inline(always)]
    pub(crate) fn add<R: Real>(&mut self, terms: &[R; PART]) {
        // In two loops: float32 lanes are twice as many as float64 lanes.
        let mut partial = [R::ZERO; LANES];
        for lane in 0..LANES {
            let pair =
                |step: usize| terms[step * LANES + lane].plus(terms[(step + 1) * LANES + lane]);
            partial[lane] = pair(0).plus(pair(2)).plus(pair(4).plus(pair(6)));
        }
        for lane in 0..LANES {
            self.0[lane] += partial[lane].double();
        }
    }

    /// Adds the terms of entries, each class but once, by ascending class.
    #[inline(always)]
    pub(crate) fn add_entries<R: Real>(&mut self, classes: &[u32], terms: &[R]) {
        let part = |class: u32| class as usize / PART;
        let mut start = 0;
        while start < classes.len() {
            let same = |&class: &u32| part(class) == part(classes[start]);
            let end = start + classes[start..].iter().take_while(|class| same(class)).count();
            if end == start + 1 {
                self.0[classes[start] as usize % LANES] += terms[start].double();
            } else {
                let mut of_part = [R::ZERO; PART];
                for (&class, &term) in classes[start..end].iter().zip(&terms[start..end]) {
                    of_part[class as usize % PART] = term;
                }
                self.add(&of_part);
            }
            start = end;
        }
    }

    /// The sum of all lanes, in pairs, pairs of pairs and so on.
    #[inline(always)]
    pub(crate) fn total(self) -> f64 {
        let mut lanes = self.0;
        let mut n = LANES / 2;
        while n > 0 {
            for lane in 0..n {
                lanes[lane] += lanes[lane + n];
            }
            n /= 2;
        }
        lanes[0]
    }
}

/// What is added up of the cells of a row.
pub(crate) trait Terms<F: Format> {
    /// Whether the terms of the whole row are kept, in the place of their classes.
    const ARE_KEPT: bool;

    /// Writes the terms of some cells, of which the first is that of the class `first`. A cell of 0
    /// has the term 0.
    fn fill<const N: usize>(&self, terms: &mut [F::Real; N], first: usize, cells: &[F::Bits; N]);

    /// The same of fewer cells than those of a part.
    #[inline(always)]
    fn fill_rest(&self, terms: &mut [F::Real; PART], first: usize, cells: &[F::Bits]) {
        let mut lanes = terms.as_chunks_mut::<LANES>().0.iter_mut();
        let (chunks, rest) = cells.as_chunks::<LANES>();
        let mut class = first;
        for (cells, terms) in chunks.iter().zip(lanes.by_ref()) {
            self.fill(terms, class, cells);
            class += LANES;
        }
        if let Some(terms) = lanes.next()
            && !rest.is_empty()
        {
            let mut padded = [F::Bits::ZERO; LANES];
            padded[..rest.len()].copy_from_slice(rest);
            self.fill(terms, class, &padded);
        }
    }

    /// Looks at terms that have been added up.
    #[inline(always)]
    fn see(&mut self, _first: usize, _terms: &mut [F::Real; PART]) {}
}

/// The sum of the terms of a row; fetches what lies ahead of it. There is room for those of all parts
/// if they are kept.
#[inline(always)]
pub(crate) fn sum_of_row<F: Format, T: Terms<F>>(
    row: &[F::Bits],
    of: &mut T,
    room: &mut [F::Real],
    fetch: Fetch,
) -> f64 {
    let mut sums = Sums::ZERO;
    let (parts, rest) = row.as_chunks::<PART>();
    let (room, _) = room.as_chunks_mut::<PART>();
    for (number, part) in parts.iter().enumerate() {
        fetch.ahead_of(part);
        // The terms first, then their sums: as one loop, the compiler keeps the sums in memory.
        let mut unkept = [F::Real::ZERO; PART];
        let terms = if T::ARE_KEPT { &mut room[number] } else { &mut unkept };
        of.fill(terms, number * PART, part);
        sums.add(terms);
        of.see(number * PART, terms);
    }
    if !rest.is_empty() {
        fetch.ahead_of(rest);
        let first = parts.len() * PART;
        let mut unkept = [F::Real::ZERO; PART];
        let terms = if T::ARE_KEPT { &mut room[parts.len()] } else { &mut unkept };
        terms.fill(F::Real::ZERO);
        of.fill_rest(terms, first, rest);
        sums.add(terms);
        of.see(first, terms);
    }
    sums.total()
}

/// The same of a row of which a few entries are stored, each but once, by ascending class, and their
/// terms have been computed.
#[inline(always)]
pub(crate) fn sum_of_entries<R: Real>(classes: &[u32], terms: &[R]) -> f64 {
    let mut sums = Sums::ZERO;
    sums.add_entries(classes, terms);
    sums.total()
}
