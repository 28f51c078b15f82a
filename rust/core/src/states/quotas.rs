//! Which quotas a row may fall under: those whose reach it comes before.
//!
//! A class may have as many quotas as there are classes, and hardly any row falls under any of them.
//! So each class knows the farthest reach of its margins: a row whose largest margin does not get
//! there need not be asked further. Where rows store a few entries, all classes that are not stored
//! have one margin, `P[given]`, and if that does not get there, only stored entries are asked.

use serde::{Deserialize, Serialize};

use crate::format::Format;
use crate::input::Matrix;
use crate::rank::by_score_then_row;
use crate::row::{NO_CLASS, RowFacts};

/// By what rows are ordered, the first to be removed first; of equals, the one of the lower number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum By {
    /// `P[given] - P[class]`.
    Margin(u32),
    /// `P[given]`.
    Own,
    /// The score of a `low_*` filter.
    Score,
}

/// "Whatever the given class", among given classes.
pub(super) const ALL: u32 = u32::MAX;

/// A place in an order: what rows are ordered by, and the row's number.
pub(super) type Place = (f64, u64);

/// Behind all rows.
pub(super) const EVERYWHERE: Place = (f64::INFINITY, u64::MAX);

/// Which place comes first.
pub(super) fn order(left: Place, right: Place) -> std::cmp::Ordering {
    by_score_then_row(&(left.0, left.1 as usize), &(right.0, right.1 as usize))
}

/// A row of a batch.
pub(super) struct Row<'a> {
    pub(super) number: u64,
    pub(super) given: usize,
    pub(super) facts: &'a RowFacts,
}

/// The cells of a row, wherever they lie.
pub(super) trait RowCells {
    /// The value of one.
    fn value(&self, class: usize) -> f64;
    /// What the row stores, by ascending class, where it does not store every cell.
    fn stored(&self) -> Option<Vec<(u32, f64)>>;
    /// The most probable class but the given one, the lowest on ties.
    fn most_probable_other(&self, given: usize) -> usize;
}

/// A row of a matrix.
pub(super) struct OfMatrix<'a, 'm, F: Format>(pub(super) &'a Matrix<'m, F>, pub(super) usize);

impl<F: Format> RowCells for OfMatrix<'_, '_, F> {
    fn value(&self, class: usize) -> f64 {
        F::value(self.0.cell(self.1, class))
    }

    fn stored(&self) -> Option<Vec<(u32, f64)>> {
        self.0.by_entries().map(|entries| entries.entries(self.1))
    }

    fn most_probable_other(&self, given: usize) -> usize {
        crate::analysis::most_probable_other(self.0, self.1, given)
    }
}

/// A row that somebody looks at.
pub(super) struct AtHand<'a, F: Format>(pub(super) &'a [F::Bits]);

impl<F: Format> RowCells for AtHand<'_, F> {
    #[inline(always)]
    fn value(&self, class: usize) -> f64 {
        F::value(self.0[class])
    }

    #[inline(always)]
    fn stored(&self) -> Option<Vec<(u32, f64)>> {
        None
    }

    #[cold]
    fn most_probable_other(&self, given: usize) -> usize {
        let others = (0..self.0.len()).filter(|&class| class != given);
        let more = |most, class| if self.value(class) > self.value(most) { class } else { most };
        others.reduce(more).unwrap_or(given)
    }
}

/// The most probable class but the given one, of which a look may know already.
#[inline]
pub(super) fn other_class(facts: &RowFacts, cells: &impl RowCells, given: usize) -> usize {
    match facts.best_other_class {
        NO_CLASS => cells.most_probable_other(given),
        class => class as usize,
    }
}

/// The quotas of all classes, and how far each of them reaches.
#[derive(Debug, Clone, Default)]
pub(super) struct Quotas {
    /// By given class: where its quotas start; the last one is where those of [`ALL`] do.
    starts: Vec<usize>,
    by: Vec<By>,
    reaches: Vec<Place>,
    /// By given class: the farthest reach of its margins.
    farthest: Vec<Place>,
}

impl Quotas {
    /// Given classes ascend, and within one what is ordered by.
    pub(super) fn new(n_classes: usize, quotas: impl Iterator<Item = (u32, By, Place)>) -> Self {
        let mut all = Self { starts: vec![0; n_classes + 1], ..Self::default() };
        for (given, by, reach) in quotas {
            if given != ALL {
                all.starts[given as usize + 1] += 1;
            }
            all.by.push(by);
            all.reaches.push(reach);
        }
        for class in 0..n_classes {
            all.starts[class + 1] += all.starts[class];
        }
        all.farthest = (0..n_classes).map(|given| all.farthest_of(given)).collect();
        all
    }

    fn farthest_of(&self, given: usize) -> Place {
        let quotas = self.starts[given]..self.starts[given + 1];
        let margins = quotas.filter(|&number| matches!(self.by[number], By::Margin(_)));
        let farther = |left, right| if order(left, right).is_lt() { right } else { left };
        margins.map(|number| self.reaches[number]).fold((f64::NEG_INFINITY, 0), farther)
    }

    /// How far a quota reaches.
    pub(super) fn reach(&self, number: usize) -> Place {
        self.reaches[number]
    }

    /// Some quotas reach less far than before.
    pub(super) fn set_reaches(&mut self, changed: impl Iterator<Item = (usize, u32, Place)>) {
        let mut classes = Vec::new();
        for (number, given, reach) in changed {
            self.reaches[number] = reach;
            if given != ALL && classes.last() != Some(&given) {
                classes.push(given);
            }
        }
        classes.sort_unstable();
        classes.dedup();
        for given in classes {
            self.farthest[given as usize] = self.farthest_of(given as usize);
        }
    }

    /// Hands on the number of each quota that reaches as far as a row, or farther, and what the row is
    /// ordered by there.
    #[inline(always)]
    pub(super) fn for_each_reached(
        &self,
        cells: &impl RowCells,
        row: &Row<'_>,
        score: Option<fn(&RowFacts) -> f64>,
        mut each: impl FnMut(usize, f64),
    ) {
        let Row { number, given, facts } = *row;
        let mut offer = |quota: usize, key: f64| {
            // A zero has no sign here, as in the order of scores.
            let key = key + 0.0;
            if order((key, number), self.reaches[quota]).is_le() {
                each(quota, key);
            }
        };
        if let Some(score) = score {
            let all = self.starts.last().copied().unwrap_or(0)..self.by.len();
            all.for_each(|quota| offer(quota, score(facts)));
            return;
        }
        let mut margins = self.starts[given]..self.starts[given + 1];
        // What is ordered by ascends: the own cell stands behind all margins.
        if let Some(last) = margins.clone().last()
            && self.by[last] == By::Own
        {
            offer(last, facts.own);
            margins.end = last;
        }
        let farthest = self.farthest[given];
        if margins.is_empty() || order((facts.own - facts.best_other, number), farthest).is_gt() {
            return;
        }
        let class_of = |quota: usize| match self.by[quota] {
            By::Margin(class) => class,
            By::Own | By::Score => ALL,
        };
        let Some(stored) = cells.stored() else {
            for quota in margins {
                offer(quota, facts.own - cells.value(class_of(quota) as usize));
            }
            return;
        };
        if order((facts.own + 0.0, number), farthest).is_gt() {
            for (class, value) in stored {
                let first = margins.start;
                let quotas = &self.by[margins.clone()];
                let found = quotas.binary_search(&By::Margin(class));
                if let Ok(at) = found {
                    offer(first + at, facts.own - value);
                }
            }
            return;
        }
        let mut stored = stored.into_iter().peekable();
        for quota in margins {
            let class = class_of(quota);
            while stored.next_if(|&(known, _)| known < class).is_some() {}
            let cell = stored.next_if(|&(known, _)| known == class).map_or(0.0, |(_, value)| value);
            offer(quota, facts.own - cell);
        }
    }
}
