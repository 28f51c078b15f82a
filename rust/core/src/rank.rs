//! Rank: the one order of everything, by (score, row).

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::blocks::Workers;

/// Lower scores first, and among equal ones the lower row: a total order.
pub(crate) fn by_score_then_row(left: &(f64, usize), right: &(f64, usize)) -> Ordering {
    // Adding 0 makes a zero with a sign equal to one without.
    (left.0 + 0.0).total_cmp(&(right.0 + 0.0)).then(left.1.cmp(&right.1))
}

/// The head of the sorted order, itself in no order.
pub(crate) fn n_smallest(keyed: &mut [(f64, usize)], n: usize) -> &[(f64, usize)] {
    if n == 0 {
        return &[];
    }
    if n < keyed.len() {
        keyed.select_nth_unstable_by(n - 1, by_score_then_row);
    }
    &keyed[..n.min(keyed.len())]
}

/// The smallest of what is offered one after the other.
#[derive(Debug, Clone)]
pub(crate) struct Smallest {
    n: usize,
    /// The largest of them on top.
    kept: BinaryHeap<Keyed>,
}

#[derive(Debug, Clone, Copy)]
struct Keyed((f64, usize));

impl Smallest {
    /// Of at least one, beginning with what is known.
    pub(crate) fn new(n: usize, known: &mut [(f64, usize)]) -> Self {
        Self { n, kept: n_smallest(known, n).iter().map(|&keyed| Keyed(keyed)).collect() }
    }

    pub(crate) fn offer(&mut self, keyed: (f64, usize)) {
        self.kept.push(Keyed(keyed));
        if self.kept.len() > self.n {
            self.kept.pop();
        }
    }

    /// What is above this is not kept any more.
    pub(crate) fn reach(&self) -> f64 {
        let largest = self.kept.peek().filter(|_| self.kept.len() == self.n);
        largest.map_or(f64::INFINITY, |keyed| keyed.0.0)
    }

    /// Which rows they are of.
    pub(crate) fn rows(&self) -> impl Iterator<Item = usize> + '_ {
        self.kept.iter().map(|keyed| keyed.0.1)
    }
}

impl Ord for Keyed {
    fn cmp(&self, other: &Self) -> Ordering {
        by_score_then_row(&self.0, &other.0)
    }
}

impl PartialOrd for Keyed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Keyed {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Keyed {}

/// The rows of a mask, ascending.
#[must_use]
pub fn rows_of_mask(mask: &[bool]) -> Vec<usize> {
    mask.iter().enumerate().filter_map(|(row, &is)| is.then_some(row)).collect()
}

/// Rows in the order of their scores, worst first.
pub(crate) fn ordered(mut keyed: Vec<(f64, usize)>, workers: &Workers<'_>) -> Vec<usize> {
    workers.sort(&mut keyed, by_score_then_row);
    keyed.into_iter().map(|(_, row)| row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_smallest_are_the_head_of_the_sorted_order(
            scores in prop::collection::vec((0..5_u32).prop_map(f64::from), 0..40),
            n in 0..50_usize,
        ) {
            let keyed: Vec<_> = scores.iter().copied().zip(0..).collect();
            let mut sorted = keyed.clone();
            sorted.sort_by(by_score_then_row);
            let mut selected = keyed.clone();
            let mut selected = n_smallest(&mut selected, n).to_vec();
            selected.sort_by(by_score_then_row);
            let (known, offered) = keyed.split_at(keyed.len() / 2);
            let mut smallest = Smallest::new(n.max(1), &mut known.to_vec());
            offered.iter().for_each(|&keyed| smallest.offer(keyed));
            let mut offered: Vec<_> = smallest.rows().collect();
            offered.sort_unstable();
            let mut head: Vec<_> = sorted.iter().take(n.max(1)).map(|keyed| keyed.1).collect();
            head.sort_unstable();
            prop_assert_eq!(offered, head);
            prop_assert_eq!(&selected[..], &sorted[..n.min(sorted.len())]);
        }
    }
}
