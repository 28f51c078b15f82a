//! A few rows that stand for all: one of each stretch of equal length.

use crate::hash::mixed;

/// Most rows of a sample: a mean of probabilities is then within 0.005 of that of all rows, as a
/// standard error, and reading them takes a hundredth of what a million rows take.
const MOST_ROWS: u64 = 10_000;

/// Of fewer rows than these, all; of more, one in so many, until there are enough.
const FEW_ROWS: u64 = 1_000;
const LEAST_STEP: u64 = 100;

/// Which rows of a batch are looked at more closely.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// The number of the batch's first row.
    pub(super) first_row: u64,
    /// One row is taken of so many that follow each other, counted from row 0.
    step: u64,
}

impl Sample {
    /// Of a batch from a row on, of so many rows altogether.
    #[must_use]
    pub fn new(first_row: u64, n_examples: u64) -> Self {
        let n_rows = (n_examples / LEAST_STEP).clamp(FEW_ROWS, MOST_ROWS);
        Self { first_row, step: n_examples.div_ceil(n_rows).max(1) }
    }

    /// The places in a batch of so many rows, ascending: the same rows, however batches are cut.
    /// Which row of a stretch it is says a hash of its number, so that no period of the data shows.
    pub(super) fn places(self, n_rows: usize) -> Vec<usize> {
        let Self { first_row, step } = self;
        let end = first_row + n_rows as u64;
        (first_row / step..end.div_ceil(step))
            .map(|stretch| stretch * step + mixed(stretch) % step)
            .filter(|row| (first_row..end).contains(row))
            .map(|row| (row - first_row) as usize)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn batches_take_the_rows_of_the_whole(n in 1..90_000_u64, cut in 0..90_000_u64) {
            let cut = cut.min(n);
            let rows = |first: u64, end: u64| {
                let places = Sample::new(first, n).places((end - first) as usize);
                places.into_iter().map(move |place| first + place as u64)
            };
            let whole: Vec<_> = rows(0, n).collect();
            let parts: Vec<_> = rows(0, cut).chain(rows(cut, n)).collect();
            prop_assert_eq!(&whole, &parts);
            prop_assert!(whole.is_sorted() && whole.len() as u64 <= MOST_ROWS);
            prop_assert!(whole.len() as u64 >= n.min(FEW_ROWS) / 2);
        }
    }
}
