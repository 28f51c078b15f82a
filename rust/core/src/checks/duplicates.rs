//! Rows that are the same to the bit: the same example, most likely, given twice.
//!
//! What cannot be kept of every row is kept of those whose hash is smallest, so many different ones:
//! equal rows have equal hashes, so either all of them are kept or none (bottom-k sampling: Cohen and
//! Kaplan, "Summarizing data using bottom-k sketches", PODC 2007). The smallest of a union are among
//! the smallest of its parts, so merges have no order.
//!
//! Rows may also be the same by chance, where their numbers are coarse: those of nearest neighbours and
//! of forests are multiples of one fraction. There, many rows are the same in half of their cells and
//! not in the other half, which examples that are given twice are not. So rows are sorted by the hash
//! of a half first.

use serde::{Deserialize, Serialize};

use super::cells::Hashes;
use crate::hash::mixed;

/// Most different rows that are kept.
const MOST_KEPT: usize = 1 << 16;

/// Bits that are not 0 in the fractions of a row's cells, at least: with fewer, rows of 16 million may be
/// the same by chance.
const LEAST_BITS: u32 = 64;

/// Most pairs that are named.
const MOST_NAMED: usize = 5;

/// Bits of the fraction of a float64.
const FRACTION_BITS: u32 = f64::MANTISSA_DIGITS - 1;

/// A row and its given class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Labelled {
    row: u64,
    given: u32,
}

/// Rows that are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Twins {
    half: u64,
    whole: u64,
    n: u64,
    /// The lowest.
    first: Labelled,
    /// The lowest of another class.
    other: Option<Labelled>,
}

impl Twins {
    fn hashes(&self) -> (u64, u64) {
        (self.half, self.whole)
    }

    /// Adds rows that are the same as these.
    fn add(&mut self, more: &Self) {
        let rows = [Some(self.first), self.other, Some(more.first), more.other];
        let rows = || rows.iter().flatten().copied();
        self.first = rows().min().unwrap_or(self.first);
        self.other = rows().filter(|row| row.given != self.first.given).min();
        self.n += more.n;
    }
}

/// Different rows, and how often they are there.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Duplicates {
    /// Rows that were hashed.
    n_rows: u64,
    /// Ascending by hash.
    kept: Vec<Twins>,
    /// Not sorted yet.
    recent: Vec<Twins>,
}

/// What there is to say of duplicates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuplicateCounts {
    /// Rows that were looked at.
    pub n_rows: u64,
    /// Rows that were compared: those of enough digits, and of many only a sample.
    pub n_compared: u64,
    /// Those that have half of their cells in common with another one.
    pub n_alike: u64,
    /// Those that have all of them in common.
    pub n_same: u64,
    /// Those among them that are given different classes, and how many different rows they are.
    pub n_conflicting: u64,
    /// See `n_conflicting`.
    pub n_groups: u64,
    /// Some of these: row and class, another row and its class.
    pub named: Vec<[(u64, u32); 2]>,
}

impl Duplicates {
    /// Adds a row; its values are asked for only where it may be kept.
    #[inline(always)]
    pub(super) fn add<V: Iterator<Item = f64>>(
        &mut self,
        hashes: Hashes,
        row: u64,
        given: usize,
        values: impl FnOnce() -> V,
    ) {
        self.n_rows += 1;
        let (half, whole) = (mixed(hashes.half), mixed(hashes.whole));
        if self.kept.len() == MOST_KEPT && self.kept[MOST_KEPT - 1].hashes() < (half, whole) {
            return;
        }
        if is_rich(values()) {
            let first = Labelled { row, given: given as u32 };
            self.push(Twins { half, whole, n: 1, first, other: None });
        }
    }

    fn push(&mut self, twins: Twins) {
        self.recent.push(twins);
        if self.recent.len() >= MOST_KEPT {
            self.settle();
        }
    }

    /// Sorts what came, and drops what is too much.
    pub(crate) fn settle(&mut self) {
        if self.recent.is_empty() {
            return;
        }
        self.kept.append(&mut self.recent);
        self.kept.sort_unstable_by_key(Twins::hashes);
        self.kept.dedup_by(|twins, before| {
            let same = twins.hashes() == before.hashes();
            if same {
                before.add(twins);
            }
            same
        });
        self.kept.truncate(MOST_KEPT);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.n_rows += other.n_rows;
        self.recent.extend(other.kept.iter().chain(&other.recent));
        self.settle();
    }

    /// What there is to say. Everything must be settled.
    pub(crate) fn counts(&self) -> DuplicateCounts {
        let sum = |twins: &[Twins]| twins.iter().map(|twins| twins.n).sum::<u64>();
        let alike = self.kept.chunk_by(|left, right| left.half == right.half);
        let same = self.kept.iter().filter(|twins| twins.n > 1);
        let mut pairs: Vec<_> = self
            .kept
            .iter()
            .filter_map(|twins| Some((twins.first, twins.other?, twins.n)))
            .collect();
        pairs.sort_unstable();
        let pair = |row: Labelled| (row.row, row.given);
        DuplicateCounts {
            n_rows: self.n_rows,
            n_compared: sum(&self.kept),
            n_alike: alike.map(sum).filter(|&n| n > 1).sum(),
            n_same: same.map(|twins| twins.n).sum(),
            n_conflicting: pairs.iter().map(|&(_, _, n)| n).sum(),
            n_groups: pairs.len() as u64,
            named: pairs
                .iter()
                .take(MOST_NAMED)
                .map(|&(first, other, _)| [pair(first), pair(other)])
                .collect(),
        }
    }

    /// Whether they may be among so many rows.
    pub(crate) fn could_be_of(&self, n: u64, n_classes: usize) -> bool {
        let is_row =
            |row: &Labelled| i64::try_from(row.row).is_ok() && (row.given as usize) < n_classes;
        let is_sound = |twins: &Twins| {
            let other = twins.other.is_none_or(|other| {
                twins.n > 1
                    && is_row(&other)
                    && other > twins.first
                    && other.given != twins.first.given
            });
            twins.n > 0 && is_row(&twins.first) && other
        };
        let total = self.kept.iter().try_fold(0_u64, |sum, twins| sum.checked_add(twins.n));
        self.n_rows <= n
            && self.recent.is_empty()
            && self.kept.len() <= MOST_KEPT
            && self.kept.is_sorted_by(|left, right| left.hashes() < right.hashes())
            && self.kept.iter().all(is_sound)
            && total.is_some_and(|total| total <= self.n_rows)
    }
}

impl PartialEq for Duplicates {
    fn eq(&self, other: &Self) -> bool {
        let settled = |duplicates: &Self| {
            let mut duplicates = duplicates.clone();
            duplicates.settle();
            duplicates.kept
        };
        self.n_rows == other.n_rows && settled(self) == settled(other)
    }
}

/// Whether a row has so many digits that no other one has the same by chance.
fn is_rich(values: impl Iterator<Item = f64>) -> bool {
    let mut n_bits = 0;
    for value in values {
        let fraction = value.to_bits() & ((1 << FRACTION_BITS) - 1);
        n_bits += FRACTION_BITS - fraction.trailing_zeros().min(FRACTION_BITS);
        if n_bits >= LEAST_BITS {
            return true;
        }
    }
    false
}
