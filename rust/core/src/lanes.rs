//! Sums over a row, many cells at a time, in an order that is part of the answer.
//!
//! The terms of a row are added up in lanes: that of a cell goes by its class alone. A term of 0
//! changes no sum; so a row of which a few entries are stored has the same sum, to the bit.

use crate::entropy::Real;

/// Cells looked at together.
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
        for lane in 0..LANES {
            let pair =
                |step: usize| terms[step * LANES + lane].plus(terms[(step + 1) * LANES + lane]);
            let partial = pair(0).plus(pair(2)).plus(pair(4).plus(pair(6)));
            self.0[lane] += partial.double();
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
