//! Prune counts: how many examples of each given class are to be removed in favour of each true one.

use crate::error::{Error, Result};
use crate::joint::{ConfidentJoint, TINY, pairwise_sum, round_preserving_total};

/// Among how many entries of a class the increase of its diagonal is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// Those off the diagonal that are not zero.
    OffDiagonal,
    /// All that are not zero, less one (even where the diagonal is zero): what cleanlab does.
    NonzeroLessOne,
}

/// M[true j, given k]: of the examples given k, how many to remove as truly j, and how many to keep.
#[derive(Debug, Clone, PartialEq)]
pub struct PruneCounts {
    kept: Vec<f64>,
    removed: Vec<Vec<(usize, usize)>>,
}

impl PruneCounts {
    /// From a confident joint: each diagonal entry is raised to `min_examples_per_class`, in equal
    /// parts from the class's other entries, then those are multiplied by `frac_noise` and what is
    /// taken goes to the diagonal; all are truncated to whole numbers.
    #[must_use]
    pub fn new(
        joint: &ConfidentJoint,
        min_examples_per_class: usize,
        frac_noise: f64,
        spread: Spread,
    ) -> Self {
        let n_classes = joint.n_classes();
        let mut counts = Self { kept: Vec::new(), removed: Vec::new() };
        let mut differences = Vec::new();
        for given in 0..n_classes {
            let diagonal = joint.get(given, given);
            let raised = diagonal.max(min_examples_per_class as f64);
            let others = joint.row(given).filter(|&(class, n)| class != given && n != 0.0);
            let sharing = match spread {
                Spread::OffDiagonal => others.clone().count(),
                Spread::NonzeroLessOne => {
                    (others.clone().count() + usize::from(diagonal != 0.0)).saturating_sub(1)
                }
            };
            let share = (raised - diagonal) / sharing.max(1) as f64;
            differences.clear();
            let mut removed = Vec::new();
            for (class, n) in others {
                let n = (n - share).max(0.0);
                let reduced = n * frac_noise;
                differences.push((class, n - reduced));
                if reduced >= 1.0 {
                    removed.push((class, reduced as usize));
                }
            }
            counts.kept.push((raised + pairwise_sum(n_classes, &differences)).trunc());
            counts.removed.push(removed);
        }
        counts
    }

    /// From a dense (K, K) matrix of whole numbers in C order, rows true, columns given.
    #[must_use]
    pub fn from_dense(dense: &[i64], n_classes: usize) -> Self {
        let at = |true_class: usize, given: usize| dense[true_class * n_classes + given];
        let removed = |given: usize| {
            let others = (0..n_classes).filter(|&class| class != given && at(class, given) > 0);
            others.map(|class| (class, at(class, given) as usize)).collect()
        };
        Self {
            kept: (0..n_classes).map(|given| at(given, given) as f64).collect(),
            removed: (0..n_classes).map(removed).collect(),
        }
    }

    /// The same proportions, but `asked[k]` removals from the examples given class k.
    ///
    /// A class with nothing to take the proportions from loses none to another class.
    ///
    /// # Errors
    /// [`Error::OnePerClass`], or [`Error::TooManyToRemove`] where a class has fewer examples.
    pub fn with_removals(mut self, asked: &[usize], given_counts: &[usize]) -> Result<Self> {
        let n_classes = given_counts.len();
        if asked.len() != n_classes {
            let name = "num_to_remove_per_class";
            return Err(Error::OnePerClass { name, n_classes, found: asked.len() });
        }
        for (class, (&asked, &available)) in asked.iter().zip(given_counts).enumerate() {
            if asked > available {
                return Err(Error::TooManyToRemove { class, asked, available });
            }
            self.kept[class] = (available - asked) as f64;
            let removed = &mut self.removed[class];
            let total = removed.iter().map(|&(_, n)| n as f64).sum::<f64>().max(TINY);
            let mut scaled: Vec<f64> =
                removed.iter().map(|&(_, n)| n as f64 / total * asked as f64).collect();
            round_preserving_total(&mut scaled, &mut Vec::new());
            for ((_, n), scaled) in removed.iter_mut().zip(scaled) {
                *n = scaled as usize;
            }
        }
        Ok(self)
    }

    /// K.
    pub(crate) fn n_classes(&self) -> usize {
        self.kept.len()
    }

    /// How many of `n_given` examples given a class are to be removed: n_k - M[k, k].
    pub(crate) fn n_removed(&self, given: usize, n_given: usize) -> usize {
        (n_given as f64 - self.kept[given]).clamp(0.0, n_given as f64) as usize
    }

    /// The counts of one given class: (true class, how many to remove), ascending.
    pub(crate) fn removed(&self, given: usize) -> &[(usize, usize)] {
        &self.removed[given]
    }

    /// Dense, in C order, rows true, columns given.
    #[must_use]
    pub fn to_dense(&self) -> Vec<i64> {
        let n_classes = self.kept.len();
        let mut dense = vec![0; n_classes * n_classes];
        for given in 0..n_classes {
            dense[given * n_classes + given] = self.kept[given] as i64;
            for &(class, n) in &self.removed[given] {
                dense[class * n_classes + given] = n as i64;
            }
        }
        dense
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joint() -> ConfidentJoint {
        ConfidentJoint::from_dense(&[0.0, 4.0, 6.0, 1.0, 9.0, 0.0, 0.0, 0.0, 5.0], 3).unwrap()
    }

    #[test]
    fn the_diagonal_is_raised_at_the_cost_of_the_rest() {
        let counts = PruneCounts::new(&joint(), 4, 1.0, Spread::OffDiagonal);
        assert_eq!((counts.kept[0], counts.removed(0)), (4.0, &[(1, 2), (2, 4)][..]));
        let theirs = PruneCounts::new(&joint(), 4, 1.0, Spread::NonzeroLessOne);
        assert_eq!((theirs.kept[0], theirs.removed(0)), (4.0, &[(2, 2)][..]));
    }

    #[test]
    fn frac_noise_goes_to_the_diagonal() {
        let counts = PruneCounts::new(&joint(), 0, 0.5, Spread::OffDiagonal);
        assert_eq!((counts.kept[0], counts.removed(0)), (5.0, &[(1, 2), (2, 3)][..]));
        assert_eq!((counts.kept[1], counts.removed(1)), (9.0, &[][..]));
    }

    #[test]
    fn removals_keep_proportions() {
        let counts = PruneCounts::new(&joint(), 0, 1.0, Spread::OffDiagonal);
        let asked = counts.clone().with_removals(&[5, 0, 2], &[10, 10, 5]).unwrap();
        assert_eq!((asked.kept[0], asked.removed(0)), (5.0, &[(1, 2), (2, 3)][..]));
        assert_eq!(asked.removed(2), []);
        let error = counts.with_removals(&[11, 0, 0], &[10, 10, 5]).unwrap_err();
        assert_eq!(error, Error::TooManyToRemove { class: 0, asked: 11, available: 10 });
    }

    #[test]
    fn dense_and_back() {
        let counts = PruneCounts::new(&joint(), 1, 1.0, Spread::OffDiagonal);
        assert_eq!(PruneCounts::from_dense(&counts.to_dense(), 3), counts);
    }
}
