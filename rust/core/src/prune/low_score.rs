//! `low_normalized_margin` and `low_self_confidence`: the lowest scores of the whole data set.

use crate::rank::n_smallest;
use crate::row::RowFacts;

/// A mask of the `n` rows with the lowest scores.
pub(crate) fn lowest(facts: &[RowFacts], n: usize, score: impl Fn(&RowFacts) -> f64) -> Vec<bool> {
    let mut keyed: Vec<_> =
        facts.iter().enumerate().map(|(row, facts)| (score(facts), row)).collect();
    let mut mask = vec![false; facts.len()];
    for &(_, row) in n_smallest(&mut keyed, n) {
        mask[row] = true;
    }
    mask
}
