//! Up to where a filter that prunes removes rows: one cut for each number of examples to remove.

use serde::{Deserialize, Serialize};

use super::quotas::{ALL, By, OfMatrix, Place, Quotas, Row, other_class};
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

const NAME: &str = "Cuts";

/// So many rows are to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Quota {
    /// Of the examples given this class.
    pub(super) given: u32,
    pub(super) by: By,
    /// How many in all.
    pub(super) n: u64,
    /// How many are found already.
    pub(super) taken: u64,
    /// The last one of these.
    pub(super) cut: Option<Place>,
}

/// The quotas of a filter, and as far as they are known the places up to which they reach.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cuts {
    spec: Spec,
    pub(super) filter: Filter,
    /// N.
    pub(super) n_examples: u64,
    /// By given class, then by what rows are ordered by.
    pub(super) quotas: Vec<Quota>,
}

impl Cuts {
    /// Of a search in the data that a state has counted. None of the cuts is known yet.
    ///
    /// # Errors
    /// If the filter looks at each row by itself, or an option does not fit.
    pub fn plan(joint: &JointState, search: &Search, workers: &Workers<'_>) -> Result<Self> {
        let spec = joint.spec().clone();
        let counts = as_counts(joint.given_counts());
        // Whoever counted has chosen which class is the guess.
        let search = &Search { several: joint.several(), ..search.clone() };
        search.check(spec.n_classes)?;
        if search.filter.is_of_single_rows() {
            return Err(Error::NothingToPlan);
        }
        let new = |given, by, n: usize| Quota { given, by, n: n as u64, taken: 0, cut: None };
        let mut quotas = Vec::new();
        if score_of(search.filter).is_some() {
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
                    // Of a joint of other data there may be more than there are examples.
                    let removed = prune_counts.removed(given).iter();
                    quotas.extend(
                        removed.map(|&(j, n)| new(class, By::Margin(j as u32), n.min(n_given))),
                    );
                }
                if search.filter != Filter::PruneByNoiseRate {
                    quotas.push(new(class, By::Own, prune_counts.n_removed(given, n_given)));
                }
            }
        }
        quotas.retain(|quota| quota.n > 0);
        Ok(Self { spec, filter: search.filter, n_examples: joint.n_examples(), quotas })
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
    /// If it was not made for these cuts as they are, has not seen each row once, or was narrowed by
    /// another one that it was not merged with.
    pub fn close(&mut self, selection: &SelectionState) -> Result<()> {
        let differ =
            |ours: String, found: String| Err(Error::StatesDiffer { name: NAME, ours, found });
        self.spec.same(NAME, selection.spec())?;
        if self.filter != selection.filter {
            return differ(format!("{:?}", self.filter), format!("{:?}", selection.filter));
        }
        for window in &selection.windows {
            let is_ours = |quota: &Quota| {
                (quota.given, quota.by, quota.cut) == (window.given, window.by, window.after)
                    && window.n <= quota.n - quota.taken
            };
            if !self.quotas.get(window.quota as usize).is_some_and(is_ours) {
                return differ(
                    "these quotas".to_owned(),
                    "others, or for another round".to_owned(),
                );
            }
        }
        selection.check_complete(self.n_examples)?;
        for window in &selection.windows {
            let quota = &mut self.quotas[window.quota as usize];
            quota.taken += window.kept.len() as u64;
            quota.cut = window.last().or(quota.cut);
            if (window.kept.len() as u64) < window.n {
                // There are no more rows.
                quota.n = quota.taken;
            }
        }
        Ok(())
    }

    /// For each row of a batch that is flagged, now that the cuts are known, the most probable class
    /// but the given one.
    ///
    /// # Errors
    /// If the batch is not the one that was looked at.
    pub fn decide(
        &self,
        look: &Look,
        labels: &crate::Labels,
        pred_probs: &PredProbs<'_>,
        rows: RowNumbers<'_>,
        workers: &Workers<'_>,
    ) -> Result<Vec<Option<usize>>> {
        self.spec.fits(NAME, labels, pred_probs)?;
        self.spec.same(NAME, &look.spec)?;
        if *labels != look.labels {
            let (ours, found) = ("the batch that was looked at", "another one");
            let (ours, found) = (ours.to_owned(), found.to_owned());
            return Err(Error::StatesDiffer { name: "Look", ours, found });
        }
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
        // A cut that is not known yet lies before all rows.
        let nowhere = (f64::NEG_INFINITY, 0);
        let quotas = Quotas::new(
            self.spec.n_classes,
            self.quotas.iter().map(|quota| (quota.given, quota.by, quota.cut.unwrap_or(nowhere))),
        );
        let score = score_of(self.filter).and_then(|method| of_facts(method, F::MEANING));
        workers.each(look.n_examples(), |place| {
            let (given, facts) = (look.labels.given(place), &look.facts[place]);
            if score.is_none() && facts.agrees(given) {
                return None;
            }
            let row = Row { number: rows.of(place), given, facts };
            let cells = OfMatrix(matrix, place);
            let (mut by_margin, mut by_other) = (false, false);
            quotas.for_each_reached(&cells, &row, score, |number, _| {
                match self.quotas[number].by {
                    By::Margin(_) => by_margin = true,
                    By::Own | By::Score => by_other = true,
                }
            });
            let is_issue = match self.filter {
                Filter::Both => by_margin && by_other,
                _ => by_margin || by_other,
            };
            is_issue.then(|| other_class(facts, &cells, given))
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
                && quota.n <= self.n_examples
                && quota.cut.is_none_or(|(key, _)| !key.is_nan())
        };
        if self.filter.is_of_single_rows()
            || i64::try_from(self.n_examples).is_err()
            || !ascend
            || !self.quotas.iter().all(is_sound)
        {
            return Err("its quotas are not those of any search");
        }
        Ok(())
    }
}
