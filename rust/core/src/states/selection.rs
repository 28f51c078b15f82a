//! The third pass: the rows that fill quotas.
//!
//! Of every quota only as many rows are kept as it may remove; so what a state holds is bounded, and
//! what two of them hold together is what one would have held that had seen all their rows. Where the
//! quotas of all classes are too many to hold at once, they are filled in several rounds: a quota's
//! next round begins behind the last row of the one before.

use std::collections::BinaryHeap;

use serde::{Deserialize, Serialize};

use super::cuts::{By, Cuts, Place, is_before, may_order, order, other_class, score_of, starts};
use super::wire::Wire;
use super::{RowNumbers, Spec};
use crate::blocks::Workers;
use crate::error::{Error, Result};
use crate::format::Format;
use crate::input::{Labels, Matrix};
use crate::look::{Keep, Seen, facts_of_rows};
use crate::pred_probs::{Kind, PredProbs, with_matrix};
use crate::prune::Filter;
use crate::quality::{Adjust, Method, check_kind, of_facts, scores_of_rows};
use crate::row::{NO_CLASS, Several};

const NAME: &str = "SelectionState";

/// Rows that one thread looks through at a time.
const PIECE: usize = 4096;

/// The rows that one quota is to be filled with in one round.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Window {
    /// Which quota of the cuts.
    pub(super) quota: u32,
    pub(super) given: u32,
    pub(super) by: By,
    /// Behind which place they are.
    pub(super) after: Option<Place>,
    /// How many.
    pub(super) n: u64,
    /// The first of those seen; the last of these on top.
    pub(super) kept: BinaryHeap<Candidate>,
}

impl Window {
    /// Up to where a row is still wanted.
    fn reach(&self) -> Option<Place> {
        if (self.kept.len() as u64) < self.n {
            None
        } else {
            self.kept.peek().map(Candidate::place)
        }
    }

    fn offer(&mut self, candidate: Candidate) {
        let is_wanted = self.reach().is_none_or(|reach| is_before(candidate.place(), reach));
        if is_wanted {
            self.kept.push(candidate);
            if self.kept.len() as u64 > self.n {
                self.kept.pop();
            }
        }
    }

    /// What makes it this window.
    fn identity(&self) -> (u32, u32, By, Option<Place>, u64) {
        (self.quota, self.given, self.by, self.after, self.n)
    }
}

/// A row that may be removed, and what is to be known of it then.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Candidate {
    key: f64,
    row: u64,
    /// The score that issues are ranked by.
    score: f64,
    /// The most probable other class; [`NO_CLASS`] where nobody will ask.
    other: u32,
    /// The model agrees with the label, so that pruning spares it.
    is_spared: bool,
}

impl Candidate {
    pub(super) fn place(&self) -> Place {
        (self.key, self.row)
    }

    fn bits(&self) -> (u64, u64, u64, u32, bool) {
        (self.key.to_bits(), self.row, self.score.to_bits(), self.other, self.is_spared)
    }
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        order(self.place(), other.place())
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Candidate {}

/// The first rows of each quota among those seen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SelectionState {
    spec: Spec,
    pub(super) filter: Filter,
    rank_by: Method,
    /// By given class.
    pub(super) windows: Vec<Window>,
    /// Whether this round selects all there is.
    covers_all: bool,
}

/// The rows that a filter flags.
#[derive(Debug, Clone, PartialEq)]
pub struct Flagged {
    /// Their numbers, ascending.
    pub rows: Vec<u64>,
    /// What they are ranked by.
    pub scores: Vec<f64>,
    /// The most probable class but the given one.
    pub suggested_labels: Vec<i64>,
}

impl SelectionState {
    /// The next round of what is to be selected, of at most `most` rows.
    ///
    /// # Errors
    /// If scores are to be ranked by what needs probabilities.
    pub fn new(cuts: &Cuts, rank_by: Method, most: u64) -> Result<Self> {
        let spec = *cuts.spec();
        check_kind(rank_by, Adjust::No, spec.kind.meaning())?;
        let mut left = most.max(1);
        let mut windows = Vec::new();
        let mut covers_all = true;
        for (number, quota) in (0..).zip(&cuts.quotas) {
            let missing = quota.n - quota.taken;
            let n = missing.min(left);
            left -= n;
            covers_all &= n == quota.n;
            if n > 0 {
                let (given, by, after) = (quota.given, quota.by, quota.cut);
                let kept = BinaryHeap::new();
                windows.push(Window { quota: number, given, by, after, n, kept });
            }
        }
        Ok(Self { spec, filter: cuts.filter, rank_by, windows, covers_all })
    }

    /// What batches have in common.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Whether this round selects all there is, so that [`SelectionState::flagged`] can tell.
    #[must_use]
    pub fn covers_all(&self) -> bool {
        self.covers_all
    }

    /// Looks through a batch.
    ///
    /// # Errors
    /// If the batch does not fit, or a cell that is read may not stand there; then nothing is kept.
    pub fn update(
        &mut self,
        labels: &Labels,
        pred_probs: &PredProbs<'_>,
        rows: RowNumbers<'_>,
        workers: &Workers<'_>,
    ) -> Result<()> {
        self.spec.fits(NAME, labels, pred_probs)?;
        rows.check(labels.n_examples())?;
        let found = with_matrix!(pred_probs, workers, matrix => {
            let hits = self.hits(labels, matrix, rows, workers)?;
            self.candidates(labels, matrix, rows, &hits, workers)?
        });
        for (window, candidate) in found {
            self.windows[window as usize].offer(candidate);
        }
        Ok(())
    }

    /// The rows that may be among the first of some window, in no order.
    fn hits<F: Format>(
        &self,
        labels: &Labels,
        matrix: &Matrix<'_, F>,
        rows: RowNumbers<'_>,
        workers: &Workers<'_>,
    ) -> Result<Vec<Hit>> {
        let n_classes = self.spec.n_classes;
        let starts = starts(n_classes, self.windows.iter().map(|window| window.given));
        let reaches: Vec<_> = self.windows.iter().map(Window::reach).collect();
        // Margins are of whole rows; what other quotas go by are a few cells.
        let margins = if self.filter == Filter::LowNormalizedMargin && !self.windows.is_empty() {
            let several = Several::MostProbable;
            let keep = Keep { guesses: false, shortlists: false, entropies: false, several };
            let facts = Seen::look(labels, matrix, None, keep, workers)?.facts;
            let score = of_facts(Method::NormalizedMargin, F::MEANING);
            score.map_or_else(Vec::new, |score| facts.iter().map(score).collect())
        } else {
            Vec::new()
        };
        let own_score = of_facts(Method::SelfConfidence, F::MEANING);
        let n = labels.n_examples();
        let look = |(): &mut (), piece: usize| {
            let mut hits = Vec::new();
            for place in piece * PIECE..n.min((piece + 1) * PIECE) {
                let given = labels.given(place);
                let own = F::value(matrix.cell(place, given));
                let row = rows.of(place);
                let of_class = starts[given]..starts[given + 1];
                for number in of_class.chain(starts[n_classes]..self.windows.len()) {
                    let window = &self.windows[number];
                    let key = match window.by {
                        By::Margin(class) => own - F::value(matrix.cell(place, class as usize)),
                        By::Own => own,
                        By::Score => match (margins.get(place), own_score) {
                            (Some(&margin), _) => margin,
                            (None, Some(score)) => score(&only_own(own)),
                            (None, None) => own,
                        },
                    };
                    // A zero has no sign here, as in the order of scores.
                    let key = key + 0.0;
                    let found = (key, row);
                    if reaches[number].is_none_or(|reach| is_before(found, reach))
                        && window.after.is_none_or(|after| is_before(after, found))
                    {
                        hits.push(Hit { window: number as u32, place: place as u32, key });
                    }
                }
            }
            Ok(hits)
        };
        Ok(workers.map(n.div_ceil(PIECE), || (), look)?.into_iter().flatten().collect())
    }

    /// The same with all that is to be known of them.
    fn candidates<F: Format>(
        &self,
        labels: &Labels,
        matrix: &Matrix<'_, F>,
        rows: RowNumbers<'_>,
        hits: &[Hit],
        workers: &Workers<'_>,
    ) -> Result<Vec<(u32, Candidate)>> {
        // Pieces are in order, and so are places within one.
        let mut places: Vec<usize> = hits.iter().map(|hit| hit.place as usize).collect();
        places.dedup();
        let facts = facts_of_rows(labels, matrix, &places, workers)?;
        let scores = match of_facts(self.rank_by, F::MEANING) {
            Some(score) => facts.iter().map(score).collect(),
            None => scores_of_rows(
                labels,
                matrix,
                &&places[..],
                self.rank_by,
                (Adjust::No, None),
                workers,
            )?,
        };
        let is_pruned = score_of(self.filter).is_none();
        let mut numbers = places.iter().zip(facts.iter().zip(scores)).peekable();
        let candidates = hits.iter().filter_map(|hit| {
            let place = hit.place as usize;
            while numbers.next_if(|(known, _)| **known != place).is_some() {}
            let &(_, (facts, score)) = numbers.peek()?;
            let given = labels.given(place);
            let other = match facts.best_other_class {
                NO_CLASS if is_pruned => NO_CLASS,
                _ => other_class(facts, matrix, place, given) as u32,
            };
            let is_spared = is_pruned && facts.agrees(given);
            let (key, row) = (hit.key, rows.of(place));
            Some((hit.window, Candidate { key, row, score, other, is_spared }))
        });
        Ok(candidates.collect())
    }

    /// Adds what another one has kept.
    ///
    /// # Errors
    /// If it is of another search, or another round of it.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        self.spec.same(NAME, &other.spec)?;
        let ours = self.windows.iter().map(Window::identity);
        let same = (self.filter, self.rank_by) == (other.filter, other.rank_by)
            && ours.eq(other.windows.iter().map(Window::identity));
        if !same {
            let (ours, found) = ("one round of selection".to_owned(), "another one".to_owned());
            return Err(Error::StatesDiffer { name: NAME, ours, found });
        }
        for (window, more) in self.windows.iter_mut().zip(&other.windows) {
            more.kept.iter().for_each(|&candidate| window.offer(candidate));
        }
        Ok(())
    }

    /// The rows that the filter flags, where this round selects all there is.
    #[must_use]
    pub fn flagged(&self) -> Option<Flagged> {
        if !self.covers_all {
            return None;
        }
        let rows_by = |is: fn(By) -> bool| {
            let windows = self.windows.iter().filter(|window| is(window.by));
            let kept = windows.flat_map(|window| &window.kept).filter(|one| !one.is_spared);
            let mut rows: Vec<&Candidate> = kept.collect();
            rows.sort_unstable_by_key(|one| one.row);
            rows.dedup_by_key(|one| one.row);
            rows
        };
        let mut rows = rows_by(|by| matches!(by, By::Margin(_)));
        let others = rows_by(|by| !matches!(by, By::Margin(_)));
        if self.filter == Filter::Both {
            let is_other = |row| others.binary_search_by_key(&row, |one: &&Candidate| one.row);
            rows.retain(|one| is_other(one.row).is_ok());
        } else {
            rows.extend(others);
        }
        Some(Flagged {
            rows: rows.iter().map(|one| one.row).collect(),
            scores: rows.iter().map(|one| one.score).collect(),
            suggested_labels: rows.iter().map(|one| i64::from(one.other)).collect(),
        })
    }

    /// As bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut state = self.clone();
        for window in &mut state.windows {
            // The same rows as the same bytes, in whatever order they came.
            let kept = std::mem::take(&mut window.kept).into_sorted_vec();
            window.kept = kept.into();
        }
        state.to_wire()
    }

    /// From bytes.
    ///
    /// # Errors
    /// If they are not those of such a state.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::from_wire(bytes)
    }
}

/// A row that may be among the first of a window.
struct Hit {
    window: u32,
    place: u32,
    key: f64,
}

/// As much of a row as its self confidence needs.
fn only_own(own: f64) -> crate::row::RowFacts {
    crate::row::RowFacts { own, best_other: 0.0, best_other_class: NO_CLASS, guess: NO_CLASS }
}

impl PartialEq for SelectionState {
    fn eq(&self, other: &Self) -> bool {
        let rows = |window: &Window| {
            let mut rows: Vec<_> = window.kept.iter().map(Candidate::bits).collect();
            rows.sort_unstable();
            rows
        };
        let windows = |state: &Self| -> Vec<_> {
            state.windows.iter().map(|window| (window.identity(), rows(window))).collect()
        };
        (self.spec, self.filter, self.rank_by, self.covers_all)
            == (other.spec, other.filter, other.rank_by, other.covers_all)
            && windows(self) == windows(other)
    }
}

impl Wire for SelectionState {
    const NUMBER: u16 = 3;
    const NAME: &'static str = NAME;

    fn check(&self) -> Result<(), &'static str> {
        self.spec.check()?;
        if self.spec.kind == Kind::Scores && self.rank_by == Method::ConfidenceWeightedEntropy {
            return Err("scores have no entropy to rank by");
        }
        let n_classes = self.spec.n_classes;
        let ascend = self.windows.is_sorted_by(|left, right| {
            (left.given, left.by) < (right.given, right.by) && left.quota < right.quota
        });
        let is_sound = |window: &Window| {
            may_order(self.filter, window.given, window.by, n_classes)
                && window.n > 0
                && window.kept.len() as u64 <= window.n
                && window.after.is_none_or(|(key, _)| !key.is_nan())
                && window.kept.iter().all(|one| {
                    let is_known = (one.other as usize) < n_classes;
                    let nobody_asks = one.other == NO_CLASS && one.is_spared;
                    !one.key.is_nan() && i64::try_from(one.row).is_ok() && (is_known || nobody_asks)
                })
        };
        if !ascend || !self.windows.iter().all(is_sound) {
            return Err("its windows are not those of any search");
        }
        Ok(())
    }
}
