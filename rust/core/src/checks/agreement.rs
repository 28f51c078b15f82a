//! How labels and probabilities agree: what follows from the facts of each row.

use serde::{Deserialize, Serialize};

use super::{UNITS, in_units, mean};
use crate::blocks::Workers;
use crate::error::Result;
use crate::format::Meaning;
use crate::input::Labels;
use crate::joint::JointCounts;
use crate::row::RowFacts;

/// Bins of the largest probability of a row, of equal width: as many as Guo, Pleiss, Sun and
/// Weinberger take ("On calibration of modern neural networks", ICML 2017).
const N_BINS: usize = 15;

/// The bin of a probability. What is beyond [0, 1] by rounding goes to the first one, or to the last.
#[inline(always)]
fn bin_of(units: i64) -> usize {
    let one = UNITS as i64;
    (units.clamp(0, one - 1) * N_BINS as i64 / one) as usize
}

/// Rows whose largest probability lies in one bin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bin {
    /// How many.
    pub n: u64,
    /// Of how many the most probable class is the given one.
    pub n_hits: u64,
    sum: i128,
}

impl Bin {
    /// The mean of their largest probabilities.
    #[must_use]
    pub fn confidence(&self) -> f64 {
        mean(self.sum, self.n)
    }

    fn add(&mut self, other: &Self) {
        self.n += other.n;
        self.n_hits += other.n_hits;
        self.sum += other.sum;
    }
}

/// The smallest or largest of some values, and how many rows have it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Extreme {
    /// Which value.
    pub value: f64,
    /// 0 where there are no values.
    pub n: u64,
}

impl Extreme {
    const NONE: Self = Self { value: 0.0, n: 0 };

    #[inline(always)]
    fn add(&mut self, value: f64, n: u64, is_beyond: impl Fn(f64, f64) -> bool) {
        if self.n == 0 || is_beyond(value, self.value) {
            *self = Self { value, n };
        } else if value == self.value {
            self.n += n;
        }
    }

    fn merge(&mut self, other: &Self, is_beyond: impl Fn(f64, f64) -> bool) {
        if other.n > 0 {
            self.add(other.value, other.n, is_beyond);
        }
    }
}

fn is_above(value: f64, other: f64) -> bool {
    value > other
}

fn is_below(value: f64, other: f64) -> bool {
    value < other
}

/// What the facts of rows add up to. Of scores only pairs are counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Agreement {
    meaning: Meaning,
    /// By given and most probable class.
    pub(crate) pairs: JointCounts,
    pub(crate) bins: [Bin; N_BINS],
    /// The sum of P(given class).
    own: i128,
    /// Of the largest probability of each row.
    pub(crate) largest: Extreme,
    /// Of P(given class).
    pub(crate) least_own: Extreme,
}

impl Agreement {
    pub(crate) fn new(n_classes: usize, meaning: Meaning) -> Self {
        Self {
            meaning,
            pairs: JointCounts::new(n_classes),
            bins: [Bin::default(); N_BINS],
            own: 0,
            largest: Extreme::NONE,
            least_own: Extreme::NONE,
        }
    }

    /// Of all rows of a batch.
    pub(crate) fn of_facts(
        facts: &[RowFacts],
        labels: &Labels,
        meaning: Meaning,
        workers: &Workers<'_>,
    ) -> Result<Self> {
        let n_classes = labels.n_classes();
        workers.fold(
            facts.len(),
            size_of::<RowFacts>(),
            || Self::new(n_classes, meaning),
            |sums, rows| {
                rows.for_each(|row| sums.add(labels.given(row), &facts[row]));
                Ok(())
            },
            |mut sums, more| {
                sums.merge(&more);
                sums
            },
        )
    }

    #[inline(always)]
    pub(crate) fn add(&mut self, given: usize, facts: &RowFacts) {
        let is_hit = !facts.predicts_another(given);
        let predicted = if is_hit { given as u32 } else { facts.best_other_class };
        self.pairs.count(given, predicted);
        if self.meaning == Meaning::Score {
            return;
        }
        let most = facts.own.max(facts.best_other);
        let units = in_units(most);
        let bin = &mut self.bins[bin_of(units)];
        bin.n += 1;
        bin.n_hits += u64::from(is_hit);
        bin.sum += i128::from(units);
        self.own += i128::from(in_units(facts.own));
        self.largest.add(most, 1, is_above);
        self.least_own.add(facts.own, 1, is_below);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.pairs.merge(&other.pairs);
        self.bins.iter_mut().zip(&other.bins).for_each(|(bin, more)| bin.add(more));
        self.own += other.own;
        self.largest.merge(&other.largest, is_above);
        self.least_own.merge(&other.least_own, is_below);
    }

    /// The mean of P(given class).
    pub(crate) fn self_confidence(&self) -> f64 {
        mean(self.own, self.bins.iter().map(|bin| bin.n).sum())
    }

    /// With nothing left to count.
    pub(crate) fn settled(mut self) -> Self {
        self.pairs = self.pairs.settled();
        self
    }

    /// Whether they may be those of so many examples of each class, which are `n` altogether.
    pub(crate) fn could_be_of(&self, given_counts: &[u64], n: u64, meaning: Meaning) -> bool {
        let in_range = |sum: i128, n: u64, most: f64| {
            let most = i128::from(n) * (i128::from(in_units(most)) + 1);
            (-most..=most).contains(&sum)
        };
        let largest = Meaning::Probability.largest();
        let is_bin = |bin: &Bin| bin.n_hits <= bin.n && in_range(bin.sum, bin.n, largest);
        let is_extreme =
            |extreme: &Extreme| extreme.n <= n && Meaning::Probability.allows(extreme.value);
        let all = |count: fn(&Bin) -> u64| {
            self.bins.iter().try_fold(0_u64, |sum, bin| sum.checked_add(count(bin)))
        };
        let (counted, hits) = match meaning {
            Meaning::Probability => (n, self.pairs.n_diagonal()),
            Meaning::Score => (0, 0),
        };
        self.meaning == meaning
            && self.pairs.could_be_of(given_counts)
            && self.pairs.n_counted() == n
            && all(|bin| bin.n) == Some(counted)
            && all(|bin| bin.n_hits) == Some(hits)
            && self.bins.iter().all(is_bin)
            && in_range(self.own, counted, largest)
            && is_extreme(&self.largest)
            && is_extreme(&self.least_own)
    }
}
