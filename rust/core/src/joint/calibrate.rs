//! Calibration: the confident joint scaled to the counts of the given labels, in whole numbers.
//!
//! A[k, :] = C[k, :] / sum C[k, :] * n_k, then A scaled to sum to N (the paper's Eq. 3, times N),
//! then each row rounded to integers that keep the row's rounded total.

use super::pairwise::pairwise_sum;
use super::{ConfidentJoint, TINY};

/// In which order a joint lies in memory, which is the order in which it is added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// By given classes: numpy's C order of `joint[given, true]`.
    ByGiven,
    /// By true classes: the order of a joint that was counted.
    ByTrue,
}

impl ConfidentJoint {
    /// Calibrated to `counts[k]` examples given class k.
    #[must_use]
    pub fn calibrated(&self, counts: &[usize], layout: Layout) -> Self {
        let n_classes = self.n_classes();
        let mut calibrated = self.clone();
        for (given, &count) in counts.iter().enumerate() {
            let total = self.row(given).map(|(_, count)| count).sum::<f64>().max(TINY);
            for scaled in calibrated.row_mut(given) {
                *scaled = *scaled / total * count as f64;
            }
        }
        let by_given = calibrated.entries();
        let places: Vec<(usize, f64)> = match layout {
            Layout::ByGiven => by_given.map(|(k, j, count)| (k * n_classes + j, count)).collect(),
            Layout::ByTrue => {
                // By true class, and stable, so given classes ascend within one.
                let mut next = vec![0; n_classes + 1];
                self.columns.iter().for_each(|&column| next[column as usize + 1] += 1);
                (0..n_classes).for_each(|class| next[class + 1] += next[class]);
                let mut places = vec![(0, 0.0); self.columns.len()];
                for (k, j, count) in by_given {
                    places[next[j]] = (j * n_classes + k, count);
                    next[j] += 1;
                }
                places
            }
        };
        let total = pairwise_sum(n_classes * n_classes, &places).max(TINY);
        let n_examples = counts.iter().sum::<usize>() as f64;
        for scaled in &mut calibrated.counts {
            *scaled = *scaled / total * n_examples;
        }
        let mut differences = Vec::new();
        for given in 0..n_classes {
            round_preserving_total(calibrated.row_mut(given), &mut differences);
        }
        calibrated
    }

    fn row_mut(&mut self, given: usize) -> &mut [f64] {
        &mut self.counts[self.starts[given]..self.starts[given + 1]]
    }
}

/// Each row of a dense matrix in C order, rounded to integers that keep the row's rounded total.
pub fn round_preserving_row_totals(dense: &mut [f64], n_columns: usize) {
    let mut differences = Vec::new();
    for row in dense.chunks_exact_mut(n_columns) {
        round_preserving_total(row, &mut differences);
    }
}

/// Rounds half to even, then hands the missing units one each to the entries with the largest
/// difference between exact and rounded value (the higher index first), or takes the surplus from
/// those with the smallest (the lower index first).
///
/// Entries of 0 never change, so it makes no difference whether they are stored: the differences
/// sum to at least d - 1/2 for d missing units and none is above 1/2, so at least d are above 0.
pub(crate) fn round_preserving_total(row: &mut [f64], differences: &mut Vec<(f64, usize)>) {
    let total = row.iter().sum::<f64>().round_ties_even();
    differences.clear();
    for (index, value) in row.iter_mut().enumerate() {
        let rounded = value.round_ties_even();
        differences.push((*value - rounded, index));
        *value = rounded;
    }
    let missing = total - row.iter().sum::<f64>();
    if missing == 0.0 {
        return;
    }
    differences
        .sort_unstable_by(|left, right| left.0.total_cmp(&right.0).then(left.1.cmp(&right.1)));
    let changes = (missing.abs() as usize).min(row.len());
    if missing > 0.0 {
        differences.iter().rev().take(changes).for_each(|&(_, index)| row[index] += 1.0);
    } else {
        differences.iter().take(changes).for_each(|&(_, index)| row[index] -= 1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rounded(row: &[f64]) -> Vec<f64> {
        let mut row = row.to_vec();
        round_preserving_total(&mut row, &mut Vec::new());
        row
    }

    #[test]
    fn ties_go_to_the_higher_index_when_adding_and_to_the_lower_when_removing() {
        assert_eq!(rounded(&[2.5, 2.5, 5.0]), [2.0, 3.0, 5.0]);
        assert_eq!(rounded(&[1.5, 3.5, 3.5, 1.5]), [1.0, 3.0, 4.0, 2.0]);
    }

    #[test]
    fn absent_classes_have_empty_rows() {
        let joint = ConfidentJoint::from_dense(&[3.0, 1.0, 0.0, 1.0], 2).unwrap();
        let calibrated = joint.calibrated(&[8, 0], Layout::ByTrue);
        assert_eq!(
            (calibrated.get(0, 0), calibrated.get(0, 1), calibrated.get(1, 1)),
            (6.0, 2.0, 0.0)
        );
    }

    proptest! {
        #[test]
        fn rows_sum_to_the_counts(
            entries in prop::collection::vec(0..9_u32, 25),
            counts in prop::collection::vec(1..50_usize, 5),
        ) {
            let mut dense: Vec<f64> = entries.iter().map(|&count| f64::from(count)).collect();
            (0..5).for_each(|class| dense[class * 6] += 1.0);
            let joint = ConfidentJoint::from_dense(&dense, 5).unwrap();
            for layout in [Layout::ByGiven, Layout::ByTrue] {
                let calibrated = joint.calibrated(&counts, layout);
                for (given, &count) in counts.iter().enumerate() {
                    let sum: f64 = calibrated.row(given).map(|(_, count)| count).sum();
                    prop_assert_eq!(sum, count as f64);
                    prop_assert!(calibrated.row(given).all(|(_, n)| n >= 0.0 && n.fract() == 0.0));
                }
            }
        }

        #[test]
        fn zeros_do_not_take_part(row in prop::collection::vec(0.0..5.0_f64, 1..20)) {
            let mut with_zeros = Vec::new();
            for value in &row {
                with_zeros.extend([0.0, *value]);
            }
            let kept: Vec<f64> = rounded(&with_zeros).into_iter().skip(1).step_by(2).collect();
            prop_assert_eq!(kept, rounded(&row));
        }
    }
}
