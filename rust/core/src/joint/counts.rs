//! Counting guesses, whoever they come from: one call, or one batch after the other.

use serde::{Deserialize, Serialize};

use super::ConfidentJoint;
use crate::blocks::Workers;
use crate::error::Result;
use crate::input::Labels;
use crate::row::{NO_CLASS, RowFacts};

/// Pairs are counted once so many of them are written down, or as many as are counted already: so
/// that a batch costs as much as it is long.
const MOST_RECENT: usize = 1 << 16;

/// How many examples given each class are guessed to be truly of each, entries of 0 left out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct JointCounts {
    diagonal: Vec<u64>,
    /// (given, guess, how many), ascending; off the diagonal.
    counted: Vec<(u32, u32, u64)>,
    /// (given, guess) not counted yet.
    recent: Vec<(u32, u32)>,
}

impl JointCounts {
    pub(crate) fn new(n_classes: usize) -> Self {
        Self { diagonal: vec![0; n_classes], counted: Vec::new(), recent: Vec::new() }
    }

    /// Counts the guesses of some rows.
    pub(crate) fn add(
        &mut self,
        facts: &[RowFacts],
        labels: &Labels,
        workers: &Workers<'_>,
    ) -> Result<()> {
        self.add_guesses(labels, |row| facts[row].guess, workers)
    }

    /// The same, whoever guesses: of each row a class, or [`NO_CLASS`].
    pub(crate) fn add_guesses(
        &mut self,
        labels: &Labels,
        guess: impl Fn(usize) -> u32 + Sync,
        workers: &Workers<'_>,
    ) -> Result<()> {
        let n_classes = self.diagonal.len();
        // Most guesses are the given class: those are counted, the others written down.
        let none = || (vec![0_u64; n_classes], Vec::<(u32, u32)>::new());
        let (diagonal, mut pairs) = workers.fold(
            labels.n_examples(),
            size_of::<RowFacts>(),
            none,
            |(diagonal, pairs), rows| {
                for row in rows {
                    let (given, guess) = (labels.given(row), guess(row));
                    if guess as usize == given {
                        diagonal[given] += 1;
                    } else if guess != NO_CLASS {
                        pairs.push((given as u32, guess));
                    }
                }
                Ok(())
            },
            |(mut diagonal, mut pairs), (more, more_pairs)| {
                diagonal.iter_mut().zip(more).for_each(|(count, more)| *count += more);
                pairs.extend(more_pairs);
                (diagonal, pairs)
            },
        )?;
        self.diagonal.iter_mut().zip(diagonal).for_each(|(count, more)| *count += more);
        self.recent.append(&mut pairs);
        if self.recent.len() > MOST_RECENT.max(self.counted.len()) {
            workers.sort(&mut self.recent, Ord::cmp);
            self.count_recent();
        }
        Ok(())
    }

    /// Counts one example.
    #[inline(always)]
    pub(crate) fn count(&mut self, given: usize, guess: u32) {
        if guess as usize == given {
            self.diagonal[given] += 1;
            return;
        }
        self.recent.push((given as u32, guess));
        if self.recent.len() > MOST_RECENT.max(self.counted.len()) {
            self.sort_recent();
            self.count_recent();
        }
    }

    fn sort_recent(&mut self) {
        // As one number, which is compared faster than two.
        self.recent
            .sort_unstable_by_key(|&(given, guess)| u64::from(given) << 32 | u64::from(guess));
    }

    /// Adds the counts of others.
    pub(crate) fn merge(&mut self, other: &Self) {
        let sums = self.diagonal.iter_mut().zip(&other.diagonal);
        sums.for_each(|(count, more)| *count = count.saturating_add(*more));
        self.recent.extend(&other.recent);
        self.sort_recent();
        self.count_recent();
        self.counted = sum_of(&self.counted, &other.counted);
    }

    /// Counts what is written down, once it is sorted.
    fn count_recent(&mut self) {
        if self.recent.is_empty() {
            return;
        }
        let equal = self.recent.chunk_by(|left, right| left == right);
        let recent: Vec<_> = equal.map(|some| (some[0].0, some[0].1, some.len() as u64)).collect();
        self.counted = sum_of(&self.counted, &recent);
        self.recent.clear();
    }

    /// The same counts, with nothing left to count.
    pub(crate) fn settled(mut self) -> Self {
        self.sort_recent();
        self.count_recent();
        self
    }

    /// The joint that they are; the diagonal is at least 1.
    pub(crate) fn joint(mut self, workers: &Workers<'_>) -> ConfidentJoint {
        workers.sort(&mut self.recent, Ord::cmp);
        self.count_recent();
        let mut joint = ConfidentJoint { starts: vec![0], columns: Vec::new(), counts: Vec::new() };
        let mut counted = &self.counted[..];
        for (given, &diagonal) in (0..).zip(&self.diagonal) {
            let (row, rest) = counted.split_at(counted.partition_point(|entry| entry.0 == given));
            let (before, after) = row.split_at(row.partition_point(|entry| entry.1 < given));
            let own = [(given, given, diagonal.max(1))];
            let entries = before.iter().chain(&own).chain(after);
            joint.push_row(entries.map(|&(_, guess, count)| (guess, count as f64)));
            counted = rest;
        }
        joint
    }

    /// How many are on the diagonal.
    pub(crate) fn n_diagonal(&self) -> u64 {
        self.diagonal.iter().fold(0, |sum, &count| sum.saturating_add(count))
    }

    /// How many are counted.
    pub(crate) fn n_counted(&self) -> u64 {
        let off_diagonal = self.counted.iter().map(|&(_, _, count)| count);
        let counted = off_diagonal.fold(self.n_diagonal(), u64::saturating_add);
        counted.saturating_add(self.recent.len() as u64)
    }

    /// (given, guess, how many), ascending, entries of 0 left out. Nothing may be left to count.
    pub(crate) fn entries(&self) -> Vec<(u32, u32, u64)> {
        let diagonal = (0..).zip(&self.diagonal).filter(|&(_, &count)| count > 0);
        let mut entries: Vec<_> = diagonal.map(|(class, &count)| (class, class, count)).collect();
        entries.extend(&self.counted);
        entries.sort_unstable();
        entries
    }

    /// Whether they may be counts of so many examples of each class.
    pub(crate) fn could_be_of(&self, given_counts: &[u64]) -> bool {
        let n_classes = given_counts.len();
        let in_range = |&(given, guess, count): &(u32, u32, u64)| {
            (given as usize) < n_classes
                && (guess as usize) < n_classes
                && given != guess
                && count > 0
        };
        let ascend = self.counted.is_sorted_by(|left, right| (left.0, left.1) < (right.0, right.1));
        if !self.recent.is_empty()
            || self.diagonal.len() != n_classes
            || !ascend
            || !self.counted.iter().all(in_range)
        {
            return false;
        }
        let mut counts = self.diagonal.clone();
        for &(given, _, count) in &self.counted {
            let sum = &mut counts[given as usize];
            *sum = sum.saturating_add(count);
        }
        counts.iter().zip(given_counts).all(|(sum, given)| sum <= given)
    }
}

impl PartialEq for JointCounts {
    fn eq(&self, other: &Self) -> bool {
        let (left, right) = (self.clone().settled(), other.clone().settled());
        left.diagonal == right.diagonal && left.counted == right.counted
    }
}

/// Adds counts of pairs, both ascending. Which of them is next cannot be foreseen, so nothing branches
/// on it.
fn sum_of(left: &[(u32, u32, u64)], right: &[(u32, u32, u64)]) -> Vec<(u32, u32, u64)> {
    let pair = |entry: &(u32, u32, u64)| (u64::from(entry.0) << 32) | u64::from(entry.1);
    let count_if = |is_next: bool, count: u64| if is_next { count } else { 0 };
    let mut sums = Vec::with_capacity(left.len() + right.len());
    let (mut n_left, mut n_right) = (0, 0);
    while let (Some(first), Some(second)) = (left.get(n_left), right.get(n_right)) {
        let next = pair(first).min(pair(second));
        let (is_first, is_second) = (pair(first) == next, pair(second) == next);
        let sum = count_if(is_first, first.2).saturating_add(count_if(is_second, second.2));
        sums.push(((next >> 32) as u32, next as u32, sum));
        n_left += usize::from(is_first);
        n_right += usize::from(is_second);
    }
    sums.extend(&left[n_left..]);
    sums.extend(&right[n_right..]);
    sums
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use proptest::prelude::*;

    /// Counts of some pairs, given by one batch.
    fn counts_of(pairs: &[(u32, u32)], n_classes: usize) -> JointCounts {
        let mut counts = JointCounts::new(n_classes);
        for &(given, guess) in pairs {
            if given == guess {
                counts.diagonal[given as usize] += 1;
            } else {
                counts.recent.push((given, guess));
            }
        }
        counts
    }

    proptest! {
        #[test]
        fn sums_are_those_of_a_map(
            pairs in prop::collection::vec((0..6_u32, 0..6_u32), 0..80),
            cuts in prop::collection::vec(0..80_usize, 0..4),
        ) {
            let mut expected = BTreeMap::new();
            for &pair in &pairs {
                *expected.entry(pair).or_insert(0_u64) += 1;
            }
            let mut bounds: Vec<_> = cuts.into_iter().map(|cut| cut.min(pairs.len())).collect();
            bounds.extend([0, pairs.len()]);
            bounds.sort_unstable();
            let mut merged = JointCounts::new(6);
            for bound in bounds.windows(2) {
                merged.merge(&counts_of(&pairs[bound[0]..bound[1]], 6));
            }
            let whole = counts_of(&pairs, 6);
            prop_assert_eq!(&merged, &whole);
            let settled = whole.settled();
            prop_assert!(settled.could_be_of(&[80; 6]));
            for (&(given, guess), &count) in &expected {
                let found = if given == guess {
                    settled.diagonal[given as usize]
                } else {
                    let place = settled.counted.binary_search_by_key(&(given, guess), |e| (e.0, e.1));
                    settled.counted[place.unwrap()].2
                };
                prop_assert_eq!(found, count);
            }
            let off_diagonal = expected.keys().filter(|pair| pair.0 != pair.1).count();
            prop_assert_eq!(settled.counted.len(), off_diagonal);
        }
    }
}
