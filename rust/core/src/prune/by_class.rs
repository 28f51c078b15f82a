//! `prune_by_class`: in each given class k, the n_k - M[k, k] examples with the smallest P[:, k].

use super::{PruneCounts, Pruning};
use crate::blocks::Workers;
use crate::error::Result;
use crate::format::Format;
use crate::rank::n_smallest;

impl<F: Format> Pruning<'_, F> {
    /// The rows to prune.
    pub(super) fn smallest_own(
        &self,
        counts: &PruneCounts,
        min_examples_per_class: usize,
        workers: &Workers<'_>,
    ) -> Result<Vec<usize>> {
        let pruned = workers.map(
            self.labels.n_classes(),
            || (),
            |(), given| {
                let rows = self.rows_by_class.of(given);
                if rows.len() <= min_examples_per_class {
                    return Ok(Vec::new());
                }
                let mut keyed: Vec<_> =
                    rows.iter().map(|row| (self.seen.facts[row].own, row)).collect();
                let smallest = n_smallest(&mut keyed, counts.n_removed(given, rows.len()));
                Ok(smallest.iter().map(|&(_, row)| row).collect::<Vec<_>>())
            },
        )?;
        Ok(pruned.into_iter().flatten().collect())
    }
}
