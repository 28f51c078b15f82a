//! `prune_by_class`: in each given class k, the n_k - M[k, k] examples with the smallest P[:, k].

use super::{PruneCounts, Pruning};
use crate::blocks::Workers;
use crate::error::Result;
use crate::format::Format;
use crate::rank::n_smallest;

impl<F: Format> Pruning<'_, F> {
    /// Marks the rows to prune.
    pub(super) fn smallest_own(
        &self,
        counts: &PruneCounts,
        min_examples_per_class: usize,
        mark: &(dyn Fn(usize) + Sync),
        workers: &Workers<'_>,
    ) -> Result<()> {
        workers.map(
            self.labels.n_classes(),
            || (),
            |(), given| {
                let rows = self.rows_by_class.of(given);
                if rows.len() > min_examples_per_class {
                    let mut keyed: Vec<_> =
                        rows.iter().map(|row| (self.seen.facts[row].own, row)).collect();
                    let smallest = n_smallest(&mut keyed, counts.n_removed(given, rows.len()));
                    smallest.iter().for_each(|&(_, row)| mark(row));
                }
                Ok(())
            },
        )?;
        Ok(())
    }
}
