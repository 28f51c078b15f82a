//! Up to where a filter that prunes removes rows: one cut for each number of examples to remove.

use serde::{Deserialize, Serialize};

use super::wire::Wire;
use super::{JointState, Look, RowNumbers, SelectionState, Spec, as_counts};
use crate::blocks::Workers;
use crate::error::{Error, Result};
use crate::format::Format;
use crate::input::Matrix;
use crate::issues::Search;
use crate::pred_probs::{PredProbs, with_matrix};
use crate::prune::Filter;
use crate::quality::{Method, of_facts};
use crate::rank::by_score_then_row;
use crate::row::{NO_CLASS, RowFacts};

const NAME: &str = "Cuts";

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

/// Whether a row comes before another.
pub(super) fn is_before(left: Place, right: Place) -> bool {
    order(left, right).is_lt()
}

pub(super) fn order(left: Place, right: Place) -> std::cmp::Ordering {
    by_score_then_row(&(left.0, left.1 as usize), &(right.0, right.1 as usize))
}

/// So many rows are to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Quota {
    /// Of the examples given this class.
    pub(super) given: u32,
    pub(super) by: By,
    /// How many in all.
    pub(super) n: u64,
    /// How many are found already,
    pub(super) taken: u64,
    /// of which this is the last one.
    pub(super) cut: Option<Place>,
}

/// The quotas of a filter, and as far as they are known the places up to which they reach.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cuts {
    spec: Spec,
    pub(super) filter: Filter,
    /// By given class, then by what rows are ordered by.
    pub(super) quotas: Vec<Quota>,
}

impl Cuts {
    /// Of a search in the data that a state has counted. None of the cuts is known yet.
    ///
    /// # Errors
    /// If the filter looks at each row by itself, or an option does not fit.
    pub fn plan(joint: &JointState, search: &Search, workers: &Workers<'_>) -> Result<Self> {
        let spec = *joint.spec();
        let counts = as_counts(joint.given_counts());
        search.check(spec.n_classes)?;
        let new = |given, by, n: usize| Quota { given, by, n: n as u64, taken: 0, cut: None };
        let mut quotas = Vec::new();
        if matches!(search.filter, Filter::LowSelfConfidence | Filter::LowNormalizedMargin) {
            quotas.push(new(ALL, By::Score, joint.num_issues() as usize));
        }
        if search.filter.prunes() {
            let of_data = || Ok(joint.calibrated_joint(workers));
            let (prune_counts, _) = search.prune_counts(&counts, of_data)?;
            for (given, &n_given) in counts.iter().enumerate() {
                if n_given <= search.min_examples_per_class {
                    continue;
                }
                let class = given as u32;
                if search.filter.wants_shortlists() {
                    let removed = prune_counts.removed(given).iter();
                    quotas.extend(removed.map(|&(j, n)| new(class, By::Margin(j as u32), n)));
                }
                if search.filter != Filter::PruneByNoiseRate {
                    quotas.push(new(class, By::Own, prune_counts.n_removed(given, n_given)));
                }
            }
        }
        quotas.retain(|quota| quota.n > 0);
        Ok(Self { spec, filter: search.filter, quotas })
    }

    /// What batches have in common.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The filter.
    #[must_use]
    pub fn filter(&self) -> Filter {
        self.filter
    }

    /// Whether all cuts are known.
    #[must_use]
    pub fn are_known(&self) -> bool {
        self.quotas.iter().all(|quota| quota.taken == quota.n)
    }

    /// Takes over what a selection found, once it has seen all rows.
    ///
    /// # Errors
    /// If it was not made for these cuts as they are.
    pub fn close(&mut self, selection: &SelectionState) -> Result<()> {
        let differ = |ours: &str, found: &str| {
            let (ours, found) = (ours.to_owned(), found.to_owned());
            Err(Error::StatesDiffer { name: NAME, ours, found })
        };
        self.spec.same(NAME, selection.spec())?;
        if self.filter != selection.filter {
            return differ("one filter", "another one");
        }
        for window in &selection.windows {
            let is_ours = |quota: &Quota| {
                (quota.given, quota.by, quota.cut) == (window.given, window.by, window.after)
                    && window.n <= quota.n - quota.taken
            };
            if !self.quotas.get(window.quota as usize).is_some_and(is_ours) {
                return differ("other quotas, or other rounds of selection", "these");
            }
        }
        for window in &selection.windows {
            let quota = &mut self.quotas[window.quota as usize];
            quota.taken += window.kept.len() as u64;
            quota.cut = window.kept.peek().map(super::selection::Candidate::place).or(quota.cut);
            if (window.kept.len() as u64) < window.n {
                // There are no more rows.
                quota.n = quota.taken;
            }
        }
        Ok(())
    }

    /// Which rows of a batch are flagged, now that the cuts are known; and of those the most probable
    /// class but the given one.
    ///
    /// # Errors
    /// If the batch is not the one that was looked at, or of another kind.
    pub fn decide(
        &self,
        look: &Look,
        pred_probs: &PredProbs<'_>,
        rows: RowNumbers<'_>,
        workers: &Workers<'_>,
    ) -> Result<Vec<Option<usize>>> {
        self.spec.fits(NAME, &look.labels, pred_probs)?;
        rows.check(look.n_examples())?;
        with_matrix!(pred_probs, workers, matrix => self.decide_rows(look, matrix, rows, workers))
    }

    fn decide_rows<F: Format>(
        &self,
        look: &Look,
        matrix: &Matrix<'_, F>,
        rows: RowNumbers<'_>,
        workers: &Workers<'_>,
    ) -> Result<Vec<Option<usize>>> {
        let starts = starts(self.spec.n_classes, self.quotas.iter().map(|quota| quota.given));
        let score = score_of(self.filter).and_then(|method| of_facts(method, F::MEANING));
        workers.each(look.n_examples(), |place| {
            let (given, facts) = (look.labels.given(place), &look.facts[place]);
            let of_class = &self.quotas[starts[given]..starts[given + 1]];
            let of_all = &self.quotas[starts[self.spec.n_classes]..];
            let (mut by_margin, mut by_own) = (false, false);
            for quota in of_class.iter().chain(of_all) {
                let key = match quota.by {
                    By::Margin(class) => facts.own - F::value(matrix.cell(place, class as usize)),
                    By::Own => facts.own,
                    By::Score => score.map_or(f64::NAN, |score| score(facts)),
                };
                let reached =
                    quota.cut.is_some_and(|cut| order((key, rows.of(place)), cut).is_le());
                match quota.by {
                    By::Margin(_) => by_margin |= reached,
                    By::Own | By::Score => by_own |= reached,
                }
            }
            let is_issue = match self.filter {
                Filter::Both => by_margin && by_own,
                _ => by_margin || by_own,
            };
            let is_issue = is_issue && (score.is_some() || !facts.agrees(given));
            is_issue.then(|| other_class(facts, matrix, place, given))
        })
    }

    /// As bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_wire()
    }

    /// From bytes.
    ///
    /// # Errors
    /// If they are not those of such cuts.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::from_wire(bytes)
    }
}

/// The score whose lowest rows a filter flags.
pub(super) fn score_of(filter: Filter) -> Option<Method> {
    match filter {
        Filter::LowSelfConfidence => Some(Method::SelfConfidence),
        Filter::LowNormalizedMargin => Some(Method::NormalizedMargin),
        _ => None,
    }
}

/// The most probable class but the given one.
pub(super) fn other_class<F: Format>(
    facts: &RowFacts,
    matrix: &Matrix<'_, F>,
    place: usize,
    given: usize,
) -> usize {
    match facts.best_other_class {
        NO_CLASS => crate::analysis::most_probable_other(matrix, place, given),
        class => class as usize,
    }
}

/// Where each given class starts, among given classes that ascend; the last start is that of [`ALL`].
pub(super) fn starts(n_classes: usize, given: impl Iterator<Item = u32>) -> Vec<usize> {
    let mut starts = vec![0; n_classes + 1];
    for class in given.take_while(|&class| class != ALL) {
        starts[class as usize + 1] += 1;
    }
    for class in 0..n_classes {
        starts[class + 1] += starts[class];
    }
    starts
}

/// Whether this may be ordered by, in a search with a filter.
pub(super) fn may_order(filter: Filter, given: u32, by: By, n_classes: usize) -> bool {
    let in_range = |class: u32| (class as usize) < n_classes;
    match by {
        By::Margin(class) => {
            filter.wants_shortlists() && in_range(given) && in_range(class) && class != given
        }
        By::Own => matches!(filter, Filter::PruneByClass | Filter::Both) && in_range(given),
        By::Score => score_of(filter).is_some() && given == ALL,
    }
}

impl Wire for Cuts {
    const NUMBER: u16 = 4;
    const NAME: &'static str = NAME;

    fn check(&self) -> Result<(), &'static str> {
        self.spec.check()?;
        let ascend =
            self.quotas.is_sorted_by(|left, right| (left.given, left.by) < (right.given, right.by));
        let is_sound = |quota: &Quota| {
            may_order(self.filter, quota.given, quota.by, self.spec.n_classes)
                && quota.taken <= quota.n
                && quota.cut.is_none_or(|(key, _)| !key.is_nan())
        };
        if !ascend || !self.quotas.iter().all(is_sound) {
            return Err("its quotas are not those of any search");
        }
        Ok(())
    }
}
