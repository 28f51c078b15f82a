//! The third pass: the rows that fill quotas.
//!
//! Of every quota only as many rows are kept as it may remove; so what a state holds is bounded, and
//! what two of them hold together is what one would have held that had seen all their rows. Where the
//! quotas of all classes are too many to hold at once, they are filled in several rounds: a quota's
//! next round begins behind the last row of the one before.

use std::collections::BinaryHeap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::cuts::{Cuts, may_order, score_of};
use super::quotas::{
    AtHand, By, EVERYWHERE, OfMatrix, Place, Quotas, Row, RowCells, order, other_class,
};
use super::wire::Wire;
use super::{RowNumbers, Spec, sum_of_counts};
use crate::blocks::Workers;
use crate::error::{Error, Result};
use crate::format::Format;
use crate::input::{Labels, Matrix, Span};
use crate::look::{Keep, Seen};
use crate::pred_probs::{self, PredProbs, with_matrix};
use crate::prune::Filter;
use crate::quality::{Adjust, Method, WeightedEntropy, check_kind, of_facts, scores_of_rows};
use crate::row::{BadCell, Cutoffs, Kind, NO_CLASS, RowFacts, Several, ValidKeys, row_facts};
use crate::scan::Fetch;
use crate::simd::Level;
use crate::sweep::{RowKernel, sweep};

const NAME: &str = "SelectionState";

/// Rows that one thread looks through at a time.
const PIECE: usize = 256;
/// Pieces that are looked through before the quotas take what was found, so that they reach less far.
const PIECES: usize = 8;
/// A block in which there are so many hits is looked at again from there on, when quotas reach less
/// far: before they are full, a row may be a hit for each of them.
const MOST_HITS: usize = 1 << 13;
/// Of so many bytes all rows are looked at before quotas take what was found. Of more, they are asked
/// a second time, some at a time.
const AT_ONCE_BYTES: usize = 128 << 20;
/// In place of a score that is to follow.
const NOT_YET: f64 = 0.0;

/// The rows that one quota is to be filled with in one round.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Window {
    /// Which quota of the cuts.
    pub(super) quota: u32,
    pub(super) given: u32,
    pub(super) by: By,
    /// Only rows after this place.
    pub(super) after: Option<Place>,
    /// How many.
    pub(super) n: u64,
    /// Rows from this place on are not looked for: others have been seen that fill the window.
    bound: Option<Place>,
    /// The first of those seen; the last of these on top.
    pub(super) kept: BinaryHeap<Candidate>,
}

impl Window {
    /// The last of the rows that are kept.
    pub(super) fn last(&self) -> Option<Place> {
        self.kept.peek().map(Candidate::place)
    }

    fn is_full(&self) -> bool {
        self.kept.len() as u64 == self.n
    }

    /// Up to where a row is still wanted.
    fn reach(&self) -> Place {
        let bound = self.bound.unwrap_or(EVERYWHERE);
        match self.last() {
            Some(last) if self.is_full() && order(last, bound).is_lt() => last,
            _ => bound,
        }
    }

    /// Adds what another one has kept, of other rows.
    fn merge(&mut self, other: &Self) {
        self.bound = match (self.bound, other.bound) {
            (Some(ours), Some(theirs)) if order(theirs, ours).is_lt() => Some(theirs),
            (ours, theirs) => ours.or(theirs),
        };
        other.kept.iter().for_each(|&candidate| self.offer(candidate));
        self.settle();
    }

    /// Once it is full up to its bound, what was seen elsewhere does not matter any more.
    fn settle(&mut self) {
        let last = self.last().filter(|_| self.is_full());
        self.bound = self.bound.filter(|&at| last.is_none_or(|last| order(last, at).is_gt()));
    }

    /// Keeps a candidate if it is among the first.
    fn offer(&mut self, candidate: Candidate) {
        if (self.kept.len() as u64) < self.n {
            if self.kept.is_empty() {
                // Most quotas are small, and there are many.
                self.kept.reserve_exact(self.n.min(4) as usize);
            }
            self.kept.push(candidate);
        } else if let Some(mut last) = self.kept.peek_mut()
            && candidate < *last
        {
            *last = candidate;
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
    fn place(&self) -> Place {
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
    /// How many rows it has to see,
    n_examples: u64,
    /// and how many it has seen.
    seen: u64,
    /// By given class.
    pub(super) windows: Vec<Window>,
    /// Whether this round selects all there is.
    covers_all: bool,
    /// The same windows, as rows look for them.
    #[serde(skip)]
    quotas: Quotas,
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
    /// If scores are to be ranked by what needs probabilities, or by what a judge says: it is not sent
    /// along with a selection.
    pub fn new(cuts: &Cuts, rank_by: Method, most: u64) -> Result<Self> {
        if rank_by.is_of_judge() {
            return Err(Error::NeedsJudge { what: rank_by.name() });
        }
        let spec = cuts.spec().clone();
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
                let (bound, kept) = (None, BinaryHeap::new());
                windows.push(Window { quota: number, given, by, after, n, bound, kept });
            }
        }
        let (filter, n_examples) = (cuts.filter, cuts.n_examples);
        let quotas = Quotas::default();
        let state =
            Self { spec, filter, rank_by, n_examples, seen: 0, windows, covers_all, quotas };
        Ok(state.indexed())
    }

    /// The same, with its windows as rows look for them.
    fn indexed(mut self) -> Self {
        let windows = self.windows.iter().map(|window| (window.given, window.by, window.reach()));
        self.quotas = Quotas::new(self.spec.n_classes, windows);
        self
    }

    /// The same round, for rows that this has not seen: an empty state, to be merged with this one,
    /// that keeps no row behind those that fill a window here.
    #[must_use]
    pub fn narrowed(&self) -> Self {
        let windows = self.windows.iter().map(|window| {
            let bound = Some(window.reach()).filter(|&reach| reach != EVERYWHERE);
            Window { bound, kept: BinaryHeap::new(), ..*window }
        });
        let quotas = Quotas::default();
        let spec = self.spec.clone();
        Self { spec, windows: windows.collect(), seen: 0, quotas, ..*self }.indexed()
    }

    /// [`Error::SelectionIncomplete`] unless it has seen each row once, and
    /// [`Error::SelectionNarrowed`] if it lacks the rows for which others were left out.
    pub(super) fn check_complete(&self, n_examples: u64) -> Result<()> {
        if self.windows.iter().any(|window| window.bound.is_some()) {
            return Err(Error::SelectionNarrowed);
        }
        if self.seen == n_examples {
            return Ok(());
        }
        Err(Error::SelectionIncomplete { seen: self.seen, n_examples })
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
    /// If the batch does not fit, or a cell may not stand there: then nothing is kept. If the caller
    /// wants to stop, or a file cannot be read again: then some rows of the batch may be kept, and the
    /// round has to begin anew. The same is true of a bad cell in more rows of a file than are looked
    /// at together.
    pub fn update(
        &mut self,
        labels: &Labels,
        pred_probs: &PredProbs<'_>,
        rows: RowNumbers<'_>,
        workers: &Workers<'_>,
    ) -> Result<()> {
        self.spec.fits(NAME, labels, pred_probs)?;
        rows.check(labels.n_examples())?;
        let seen = sum_of_counts(NAME, self.seen, labels.n_examples() as u64)?;
        with_matrix!(pred_probs, workers, matrix => {
            let batch = Batch { labels, matrix, rows };
            let n_together = (AT_ONCE_BYTES / matrix.row_bytes().max(1)).max(1);
            if matrix.is_of_file() || (matrix.lies_by_rows() && labels.n_examples() <= n_together) {
                self.look_for_hits(&batch, n_together, workers)?;
            } else {
                let several = Several::MostProbable;
                let keep = Keep::facts(several);
                let facts = Seen::look(labels, matrix, None, keep, workers)?.facts;
                self.take(&batch, &facts, workers)?;
            }
        });
        self.seen = seen;
        Ok(())
    }

    /// Looks at the rows of a batch, and takes what may be among the first of a window then and there,
    /// while their cells are at hand. Nothing is kept before those together have been looked at.
    fn look_for_hits<F: Format>(
        &mut self,
        batch: &Batch<'_, '_, F>,
        n_together: usize,
        workers: &Workers<'_>,
    ) -> Result<()> {
        let n = batch.labels.n_examples();
        let together = |start: usize| start..n.min(start.saturating_add(n_together));
        let mut left: Vec<_> = (0..n).step_by(n_together).map(together).rev().collect();
        while let Some(rows) = left.pop() {
            let kernel = self.kernel::<F>(batch.rows, workers.level());
            let (_, found) = sweep(batch.matrix, batch.labels, &Span(rows), &kernel, workers)?;
            self.offer(&found, workers)?;
            left.extend(found.into_iter().rev().filter_map(|block| block.left));
        }
        Ok(())
    }

    /// Takes what is to be kept of a batch that has been looked at, some pieces at a time.
    fn take<F: Format>(
        &mut self,
        batch: &Batch<'_, '_, F>,
        facts: &[RowFacts],
        workers: &Workers<'_>,
    ) -> Result<()> {
        let n = batch.labels.n_examples();
        let piece = |start| start..n.min(start + PIECE);
        let mut rest: Vec<Range<usize>> = (0..n).step_by(PIECE).map(piece).rev().collect();
        while !rest.is_empty() {
            let now = rest.split_off(rest.len().saturating_sub(PIECES));
            let finder = self.finder::<F>(batch.rows);
            let look = |(): &mut (), number: usize| {
                let mut found = Found::default();
                for place in now[number].clone() {
                    let given = batch.labels.given(place);
                    let cells = OfMatrix(batch.matrix, place);
                    finder.find(place, given, &facts[place], &cells, &mut found, || NOT_YET);
                }
                Ok(found)
            };
            let mut found = workers.map(now.len(), || (), look)?;
            self.score_by_entropy(batch, &mut found, workers)?;
            self.offer(&found, workers)?;
            rest.extend(found.into_iter().filter_map(|block| block.left));
        }
        Ok(())
    }

    fn finder<'a, F: Format>(&'a self, numbers: RowNumbers<'a>) -> Finder<'a> {
        let by = score_of(self.filter);
        Finder {
            windows: &self.windows,
            quotas: &self.quotas,
            numbers,
            is_pruned: by.is_none(),
            score: by.and_then(|method| of_facts(method, F::MEANING)),
            rank: of_facts(self.rank_by, F::MEANING),
        }
    }

    fn kernel<'a, F: Format>(&'a self, numbers: RowNumbers<'a>, level: Level) -> Asking<'a, F> {
        let finder = self.finder::<F>(numbers);
        let n_classes = self.spec.n_classes;
        let entropy = finder.rank.is_none().then(|| WeightedEntropy::new(n_classes, level));
        Asking { finder, entropy, cutoffs: Cutoffs::never(n_classes), valid: ValidKeys::new() }
    }

    /// Scores the rows that were hit, where that takes all of their cells.
    fn score_by_entropy<F: Format>(
        &self,
        batch: &Batch<'_, '_, F>,
        found: &mut [Found],
        workers: &Workers<'_>,
    ) -> Result<()> {
        if of_facts(self.rank_by, F::MEANING).is_some() {
            return Ok(());
        }
        // A row may hit several windows, one after the other.
        let hits = || found.iter().flat_map(|block| &block.hits);
        let mut places: Vec<usize> = hits().map(|hit| hit.place).collect();
        places.dedup();
        let (labels, matrix) = (batch.labels, batch.matrix);
        let how = (Adjust::No, None);
        let scores = scores_of_rows(labels, matrix, &&places[..], self.rank_by, how, workers)?;
        let mut known = places.into_iter().zip(scores).peekable();
        for hit in found.iter_mut().flat_map(|block| &mut block.hits) {
            while known.next_if(|&(place, _)| place != hit.place).is_some() {}
            if let Some(&(_, score)) = known.peek() {
                hit.candidate.score = score;
            }
        }
        Ok(())
    }

    /// Offers hits to their windows, of which each thread has a share.
    fn offer(&mut self, found: &[Found], workers: &Workers<'_>) -> Result<()> {
        let hits = || found.iter().flat_map(|block| &block.hits);
        let length = self.windows.len().div_ceil(workers.n_threads()).max(1);
        let mut shares: Vec<_> = self.windows.chunks_mut(length).collect();
        workers.each_mut(&mut shares, |number, share| {
            for hit in hits() {
                let place = (hit.window as usize).checked_sub(number * length);
                if let Some(window) = place.and_then(|place| share.get_mut(place)) {
                    window.offer(hit.candidate);
                }
            }
        })?;
        let mut changed: Vec<usize> = hits().map(|hit| hit.window as usize).collect();
        changed.sort_unstable();
        changed.dedup();
        let reaches = changed.into_iter().map(|number| {
            let window = &mut self.windows[number];
            window.settle();
            (number, window.given, window.reach())
        });
        self.quotas.set_reaches(reaches);
        Ok(())
    }

    /// Adds what another one has kept.
    ///
    /// # Errors
    /// If it is of another search, or another round of it.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        self.spec.same(NAME, &other.spec)?;
        let ours = self.windows.iter().map(Window::identity);
        let differ = |ours, found| Err(Error::StatesDiffer { name: NAME, ours, found });
        if self.filter != other.filter {
            return differ(format!("{:?}", self.filter), format!("{:?}", other.filter));
        }
        if self.rank_by != other.rank_by {
            let describe = |method| format!("ranking by {method:?}");
            return differ(describe(self.rank_by), describe(other.rank_by));
        }
        if !ours.eq(other.windows.iter().map(Window::identity)) {
            let describe = |windows: &[Window]| {
                let n: u64 = windows.iter().fold(0, |sum, window| sum.saturating_add(window.n));
                format!("a round of {n} rows of {} quotas", windows.len())
            };
            return differ(describe(&self.windows), describe(&other.windows) + ", other ones");
        }
        self.seen = sum_of_counts(NAME, self.seen, other.seen)?;
        for (window, more) in self.windows.iter_mut().zip(&other.windows) {
            window.merge(more);
        }
        let windows = self.windows.iter().enumerate();
        let reaches = windows.map(|(number, window)| (number, window.given, window.reach()));
        self.quotas.set_reaches(reaches);
        Ok(())
    }

    /// The rows that the filter flags, where this round selects all there is.
    ///
    /// # Errors
    /// If it has not seen each row once, or was narrowed by another one that it was not merged with.
    pub fn flagged(&self) -> Result<Option<Flagged>> {
        if !self.covers_all {
            return Ok(None);
        }
        self.check_complete(self.n_examples)?;
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
        Ok(Some(Flagged {
            rows: rows.iter().map(|one| one.row).collect(),
            scores: rows.iter().map(|one| one.score).collect(),
            suggested_labels: rows.iter().map(|one| i64::from(one.other)).collect(),
        }))
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
        Ok(Self::from_wire(bytes)?.indexed())
    }
}

/// The rows of one update.
struct Batch<'a, 'm, F: Format> {
    labels: &'a Labels,
    matrix: &'a Matrix<'m, F>,
    rows: RowNumbers<'a>,
}

/// Finds the rows that may be among the first of some window.
struct Finder<'a> {
    windows: &'a [Window],
    quotas: &'a Quotas,
    numbers: RowNumbers<'a>,
    is_pruned: bool,
    /// By what a `low_*` filter orders rows.
    score: Option<fn(&RowFacts) -> f64>,
    /// What rows are ranked by; by their entropy if by none of these.
    rank: Option<fn(&RowFacts) -> f64>,
}

/// What was found in a block of rows.
#[derive(Default)]
struct Found {
    hits: Vec<Hit>,
    /// Rows that nobody asked, since there were too many hits already.
    left: Option<Range<usize>>,
}

/// A row that may be among the first of a window.
struct Hit {
    window: u32,
    place: usize,
    candidate: Candidate,
}

impl Finder<'_> {
    /// Adds the hits of one row.
    #[inline(always)]
    fn find(
        &self,
        place: usize,
        given: usize,
        facts: &RowFacts,
        cells: &impl RowCells,
        found: &mut Found,
        entropy_score: impl Fn() -> f64,
    ) {
        if found.hits.len() > MOST_HITS {
            found.left.get_or_insert(place..place).end = place + 1;
            return;
        }
        let number = self.numbers.of(place);
        let mut known = None;
        let row = Row { number, given, facts };
        self.quotas.for_each_reached(cells, &row, self.score, |window, key| {
            let at = (key, number);
            let is_new = self.windows[window].after.is_none_or(|after| order(after, at).is_lt());
            if !is_new || !order(at, self.quotas.reach(window)).is_lt() {
                return;
            }
            let candidate = *known.get_or_insert_with(|| Candidate {
                key,
                row: number,
                score: self.rank.map_or_else(&entropy_score, |score| score(facts)),
                other: match facts.best_other_class {
                    NO_CLASS if self.is_pruned => NO_CLASS,
                    _ => other_class(facts, cells, given) as u32,
                },
                is_spared: self.is_pruned && facts.agrees(given),
            });
            let candidate = Candidate { key, ..candidate };
            found.hits.push(Hit { window: window as u32, place, candidate });
        });
    }
}

/// Looks at rows, and asks each at once.
struct Asking<'a, F: Format> {
    finder: Finder<'a>,
    entropy: Option<WeightedEntropy<F>>,
    cutoffs: Cutoffs<F>,
    valid: ValidKeys<F>,
}

impl<F: Format> RowKernel<F> for Asking<'_, F> {
    type Fact = ();
    type Side = Found;

    #[inline(always)]
    fn row(
        &self,
        row: usize,
        cells: &[F::Bits],
        given: usize,
        found: &mut Found,
    ) -> Result<(), BadCell> {
        let Self { finder, entropy, cutoffs, valid } = self;
        let several = Several::MostProbable;
        let (facts, kind) = row_facts(cells, given, cutoffs, valid, several, Fetch::All)?;
        let entropy_score = || match (entropy, kind) {
            (Some(entropy), Kind::Usual) => entropy.score(cells, given),
            (Some(entropy), Kind::Unusual) => entropy.score_unusual(cells, given),
            (None, _) => unreachable!("what else rows are ranked by follows from their facts"),
        };
        finder.find(row, given, &facts, &AtHand::<F>(cells), found, entropy_score);
        Ok(())
    }
}

impl PartialEq for SelectionState {
    fn eq(&self, other: &Self) -> bool {
        let rows = |window: &Window| {
            let mut rows: Vec<_> = window.kept.iter().map(Candidate::bits).collect();
            rows.sort_unstable();
            rows
        };
        let windows = |state: &Self| -> Vec<_> {
            let windows = state.windows.iter();
            windows.map(|window| (window.identity(), window.bound, rows(window))).collect()
        };
        (&self.spec, self.filter, self.rank_by, self.covers_all)
            == (&other.spec, other.filter, other.rank_by, other.covers_all)
            && (self.n_examples, self.seen) == (other.n_examples, other.seen)
            && windows(self) == windows(other)
    }
}

impl Wire for SelectionState {
    const NUMBER: u16 = 3;
    const NAME: &'static str = NAME;

    fn check(&self) -> Result<(), &'static str> {
        self.spec.check()?;
        if self.spec.kind == pred_probs::Kind::Scores
            && self.rank_by == Method::ConfidenceWeightedEntropy
        {
            return Err("scores have no entropy to rank by");
        }
        if self.rank_by.is_of_judge() {
            return Err("it ranks by a judge that it does not hold");
        }
        let n_classes = self.spec.n_classes;
        let ascend = self.windows.is_sorted_by(|left, right| {
            (left.given, left.by) < (right.given, right.by) && left.quota < right.quota
        });
        let is_sound = |window: &Window| {
            may_order(self.filter, window.given, window.by, n_classes)
                && window.n > 0
                && window.kept.len() as u64 <= window.n
                && [window.after, window.bound].iter().flatten().all(|(key, _)| !key.is_nan())
                && window.kept.iter().all(|one| {
                    let is_known = (one.other as usize) < n_classes;
                    let nobody_asks = one.other == NO_CLASS && one.is_spared;
                    !one.key.is_nan() && i64::try_from(one.row).is_ok() && (is_known || nobody_asks)
                })
        };
        let counts = [self.n_examples, self.seen];
        let are_counts = counts.iter().all(|&count| i64::try_from(count).is_ok());
        if self.filter.is_of_single_rows()
            || !are_counts
            || !ascend
            || !self.windows.iter().all(is_sound)
        {
            return Err("its windows are not those of any search");
        }
        Ok(())
    }
}
