//! The confident joint: how many examples given class k are, confidently, of true class j.
//!
//! C[k, j] counts the examples given class k whose guessed truth (see `row`) is j; the
//! diagonal is at least 1 (the paper's Section 3.1, Eq. 1). At most N of its K x K entries are not
//! zero, so it is kept by rows of such entries; a dense array is made only for a caller who wants
//! one.

mod calibrate;
mod counts;
mod pairwise;

pub(crate) use calibrate::round_preserving_total;
pub use calibrate::{Layout, round_preserving_row_totals};
pub(crate) use counts::JointCounts;
pub(crate) use pairwise::pairwise_sum;

use crate::error::{Error, Result};

/// A (K, K) matrix of counts, rows given, columns true, zeros left out.
///
/// The counts are float64, which holds whole numbers exactly to 2^53: a joint that somebody hands
/// over need not be whole.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfidentJoint {
    starts: Vec<usize>,
    columns: Vec<u32>,
    counts: Vec<f64>,
}

impl ConfidentJoint {
    fn push_row(&mut self, row: impl IntoIterator<Item = (u32, f64)>) {
        for (column, count) in row {
            self.columns.push(column);
            self.counts.push(count);
        }
        self.starts.push(self.columns.len());
    }

    /// From a dense matrix in C order.
    ///
    /// # Errors
    /// [`Error::JointValue`] for the first entry that is negative or not finite.
    pub fn from_dense(dense: &[f64], n_classes: usize) -> Result<Self> {
        let mut joint = Self { starts: vec![0], columns: Vec::new(), counts: Vec::new() };
        for (given, row) in dense.chunks_exact(n_classes.max(1)).enumerate() {
            if let Some(true_class) =
                row.iter().position(|&value| !(0.0..f64::INFINITY).contains(&value))
            {
                return Err(Error::JointValue { given, true_class, value: row[true_class] });
            }
            let entries = row.iter().enumerate().filter(|(_, count)| **count != 0.0);
            joint.push_row(entries.map(|(class, &count)| (class as u32, count)));
        }
        Ok(joint)
    }

    /// From compressed rows, of which columns ascend.
    ///
    /// # Errors
    /// [`Error::JointValue`] for the first entry that is negative or not finite, [`Error::JointRows`]
    /// where rows or columns are not in order.
    pub fn from_rows(starts: &[i64], columns: &[u32], counts: &[f64]) -> Result<Self> {
        let n_classes = starts.len().saturating_sub(1);
        let mut joint = Self { starts: vec![0], columns: Vec::new(), counts: Vec::new() };
        for (given, ends) in starts.windows(2).enumerate() {
            let range = ends[0] as usize..ends[1] as usize;
            let (Some(columns), Some(counts)) = (columns.get(range.clone()), counts.get(range))
            else {
                return Err(Error::JointRows { given });
            };
            let ascend = columns.windows(2).all(|pair| pair[0] < pair[1]);
            if !ascend || columns.last().is_some_and(|&last| last as usize >= n_classes) {
                return Err(Error::JointRows { given });
            }
            let row = || columns.iter().copied().zip(counts.iter().copied());
            if let Some((column, value)) =
                row().find(|(_, value)| !(0.0..f64::INFINITY).contains(value))
            {
                return Err(Error::JointValue { given, true_class: column as usize, value });
            }
            joint.push_row(row().filter(|&(_, count)| count != 0.0));
        }
        Ok(joint)
    }

    /// K.
    #[must_use]
    pub fn n_classes(&self) -> usize {
        self.starts.len() - 1
    }

    /// The entries of one given class: (true class, count), ascending.
    #[must_use]
    pub fn row(&self, given: usize) -> impl ExactSizeIterator<Item = (usize, f64)> + Clone + '_ {
        let range = self.starts[given]..self.starts[given + 1];
        let columns = self.columns[range.clone()].iter().map(|&column| column as usize);
        columns.zip(self.counts[range].iter().copied())
    }

    /// All entries: (given, true, count), by rows.
    pub fn entries(&self) -> impl Iterator<Item = (usize, usize, f64)> + '_ {
        (0..self.n_classes())
            .flat_map(|given| self.row(given).map(move |(j, count)| (given, j, count)))
    }

    /// Of one entry.
    #[must_use]
    pub fn get(&self, given: usize, true_class: usize) -> f64 {
        self.row(given).find(|(column, _)| *column == true_class).map_or(0.0, |(_, count)| count)
    }

    /// The entries as three arrays: where rows start, true classes, counts (CSR).
    #[must_use]
    pub fn as_csr(&self) -> (&[usize], &[u32], &[f64]) {
        (&self.starts, &self.columns, &self.counts)
    }

    /// The sum of all entries.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.counts.iter().sum()
    }

    /// Sums over the given classes: one a true class.
    #[must_use]
    pub fn column_sums(&self) -> Vec<f64> {
        let mut sums = vec![0.0; self.n_classes()];
        for (&column, count) in self.columns.iter().zip(&self.counts) {
            sums[column as usize] += count;
        }
        sums
    }

    /// Checks that it has one row a class.
    ///
    /// # Errors
    /// [`Error::JointShape`].
    pub fn check_shape(&self, n_classes: usize) -> Result<()> {
        if self.n_classes() == n_classes {
            return Ok(());
        }
        Err(Error::JointShape { n_classes, found: self.n_classes() })
    }

    /// round(N (1 - trace Q)) of a calibrated joint: the number of label issues that it claims.
    #[must_use]
    pub fn num_off_diagonal(&self, n_examples: usize) -> usize {
        let total = self.total().max(TINY);
        let trace: f64 = (0..self.n_classes()).map(|class| self.get(class, class) / total).sum();
        ((1.0 - trace) * n_examples as f64).round_ties_even().max(0.0) as usize
    }
}

/// Below this a sum counts as empty; it only keeps a division by zero away.
pub(crate) const TINY: f64 = 1e-100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dense_and_back() {
        let dense = [0.0, 2.0, 0.5, 0.0];
        let joint = ConfidentJoint::from_dense(&dense, 2).unwrap();
        assert_eq!(joint.entries().collect::<Vec<_>>(), [(0, 1, 2.0), (1, 0, 0.5)]);
        assert_eq!((joint.get(0, 1), joint.get(0, 0), joint.total()), (2.0, 0.0, 2.5));
        assert_eq!(joint.column_sums(), [0.5, 2.0]);
    }

    #[test]
    fn compressed_rows_and_back() {
        let (starts, columns, counts) = ([0, 2, 3], [0, 1, 0], [0.0, 2.0, 0.5]);
        let joint = ConfidentJoint::from_rows(&starts, &columns, &counts);
        assert_eq!(joint, ConfidentJoint::from_dense(&[0.0, 2.0, 0.5, 0.0], 2));
        let error = Err(Error::JointRows { given: 0 });
        assert_eq!(ConfidentJoint::from_rows(&starts, &[1, 0, 0], &counts), error);
        assert_eq!(ConfidentJoint::from_rows(&starts, &[0, 2, 0], &counts), error);
        assert_eq!(ConfidentJoint::from_rows(&[0, 4, 3], &columns, &counts), error);
        let error = Err(Error::JointValue { given: 1, true_class: 0, value: -1.0 });
        assert_eq!(ConfidentJoint::from_rows(&starts, &columns, &[0.0, 2.0, -1.0]), error);
    }

    #[test]
    fn a_negative_count_is_named() {
        let error = ConfidentJoint::from_dense(&[1.0, 0.0, -1.0, 0.0], 2).unwrap_err();
        assert_eq!(error, Error::JointValue { given: 1, true_class: 0, value: -1.0 });
    }
}
