//! Which candidates a filter flags: of each group of them the first few, in one order.
//!
//! [`Heaps`] keep the first few of each group, whatever they are offered and in whatever order: the
//! candidates that a look has kept, those of a matrix that has more of them than are kept, batches of
//! rows, or what other heaps have kept.

use std::cmp::Ordering;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::blocks::Workers;
use crate::error::Result;
use crate::format::Meaning;
use crate::input::Matrix;
use crate::prune::Filter;
use crate::quality::Method;
use crate::states::RowNumbers;

use super::bounds::{Cell, Guesses};
use super::look::{Candidate, look};
use super::quality::{Aggregate, scores_of};
use super::{TagLabels, disagrees, own_and_other};

/// Cells whose candidates are held at a time: even where all are, that takes little memory.
const CELLS: usize = 1 << 20;

/// What cells are ordered by, the smallest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// What speaks for the given side.
    Own,
    /// The same less what speaks for the other side.
    Lead,
    /// The score `self_confidence`.
    SelfConfidence,
    /// The score `normalized_margin`.
    NormalizedMargin,
}

impl By {
    fn value(self, candidate: &Candidate, meaning: Meaning) -> f64 {
        let (own, other) = own_and_other(candidate.p, candidate.tagged(), meaning);
        match (self, meaning) {
            (Self::Own, _) | (Self::SelfConfidence, Meaning::Score) => own,
            (Self::Lead, _) | (Self::NormalizedMargin, Meaning::Score) => own - other,
            (Self::SelfConfidence, Meaning::Probability) => own.clamp(0.0, 1.0),
            (Self::NormalizedMargin, Meaning::Probability) => {
                f64::midpoint(own - other, 1.0).clamp(0.0, 1.0)
            }
        }
    }
}

/// Where a cell stands in the order of its group: by value, then by the number of its row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Standing {
    value: f64,
    number: u64,
}

impl Standing {
    fn new(value: f64, number: u64) -> Self {
        // Adding 0 makes a zero with a sign equal to one without.
        Self { value: value + 0.0, number }
    }

    pub(super) fn order(&self, other: &Self) -> Ordering {
        self.value.total_cmp(&other.value).then(self.number.cmp(&other.number))
    }

    fn is_before(&self, other: &Self) -> bool {
        self.order(other).is_lt()
    }

    /// Whether any cell can stand there.
    pub(super) fn is_sound(&self) -> bool {
        let is_value = self.value.is_finite() && self.value.to_bits() != (-0.0_f64).to_bits();
        is_value && i64::try_from(self.number).is_ok()
    }
}

/// How a filter that flags so many of each group makes groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Groups {
    filter: Filter,
    n_classes: usize,
    meaning: Meaning,
}

impl Groups {
    /// `None` of a filter that decides about each cell by itself.
    pub(super) fn of(filter: Filter, n_classes: usize, meaning: Meaning) -> Option<Self> {
        let groups = Self { filter, n_classes, meaning };
        (!groups.parts().is_empty()).then_some(groups)
    }

    /// What flags a cell only together: orders, each with groups of its own.
    fn parts(&self) -> &'static [By] {
        match self.filter {
            Filter::PruneByNoiseRate => &[By::Lead],
            Filter::PruneByClass => &[By::Own],
            Filter::Both => &[By::Lead, By::Own],
            Filter::LowSelfConfidence => &[By::SelfConfidence],
            Filter::LowNormalizedMargin => &[By::NormalizedMargin],
            Filter::ConfidentLearning
            | Filter::PredictedNeqGiven
            | Filter::RelativeConfidence
            | Filter::NoiseFloor => &[],
        }
    }

    /// Whether the agreement rule holds. Where it does, a group is a side of a class, else a class.
    fn spares_agreeing(&self) -> bool {
        self.filter.prunes()
    }

    fn per_part(&self) -> usize {
        if self.spares_agreeing() { 2 * self.n_classes } else { self.n_classes }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.parts().len() * self.per_part()
    }

    /// The group of a candidate, in each part.
    fn within_part(&self, candidate: &Candidate) -> usize {
        if self.spares_agreeing() { candidate.class_and_side() } else { candidate.class() }
    }

    /// Which class a group is of.
    fn class(&self, group: usize) -> u32 {
        let within = group % self.per_part();
        (if self.spares_agreeing() { within / 2 } else { within }) as u32
    }

    /// The groups of a candidate, and where it stands in them.
    fn standings(
        &self,
        candidate: &Candidate,
        number: u64,
    ) -> impl Iterator<Item = (usize, Standing)> {
        let (within, per_part, meaning) =
            (self.within_part(candidate), self.per_part(), self.meaning);
        let candidate = *candidate;
        self.parts().iter().enumerate().map(move |(part, by)| {
            let standing = Standing::new(by.value(&candidate, meaning), number);
            (part * per_part + within, standing)
        })
    }

    /// Whether a cell that is selected in all its groups is flagged.
    fn flags(&self, candidate: &Candidate) -> bool {
        !self.spares_agreeing() || disagrees(candidate.p, candidate.tagged(), self.meaning)
    }

    /// Whether a candidate is flagged that is selected in a group if it stands within its reach.
    pub(super) fn flags_within(
        &self,
        candidate: &Candidate,
        number: u64,
        reaches: &[Reach],
    ) -> bool {
        self.flags(candidate)
            && self
                .standings(candidate, number)
                .all(|(group, standing)| reaches[group].has(&standing))
    }
}

/// Up to where a group is selected.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) enum Reach {
    /// None of it.
    Nothing,
    /// This cell and those before it.
    UpTo(Standing),
    /// All candidates.
    All,
}

impl Reach {
    fn has(&self, standing: &Standing) -> bool {
        match self {
            Self::Nothing => false,
            Self::UpTo(last) => !last.is_before(standing),
            Self::All => true,
        }
    }
}

/// What is to be kept of a group: so many, the first of those that stand behind a cell.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Window {
    pub(super) after: Option<Standing>,
    pub(super) most: u64,
}

/// A cell that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Kept {
    standing: Standing,
    /// That of its example, where examples are to be ranked, else 0.
    score: f64,
    tagged: bool,
    /// Whether it is flagged if it is selected.
    flags: bool,
}

/// The first of a group, and some more that are not yet cut off.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Heap {
    kept: Vec<Kept>,
    /// What does not stand before this is not among the first.
    end: Option<Standing>,
}

impl Heap {
    fn has_room_for(&self, standing: &Standing, window: &Window) -> bool {
        window.most > 0
            && window.after.is_none_or(|after| after.is_before(standing))
            && self.end.is_none_or(|end| standing.is_before(&end))
    }

    fn push(&mut self, kept: Kept, window: &Window) {
        if self.has_room_for(&kept.standing, window) {
            self.kept.push(kept);
            // Seldom enough that a cell costs little, often enough that they take little memory.
            if self.kept.len() as u64 >= window.most.saturating_mul(2).saturating_add(64) {
                self.cut(window);
            }
        }
    }

    /// Cuts off what is not among the first.
    fn cut(&mut self, window: &Window) {
        let most = window.most as usize;
        if most > 0 && self.kept.len() >= most {
            let order = |left: &Kept, right: &Kept| left.standing.order(&right.standing);
            let (_, last, _) = self.kept.select_nth_unstable_by(most - 1, order);
            self.end = Some(last.standing);
            self.kept.truncate(most);
        }
    }

    /// The same, in order: so equal heaps hold equal bits.
    fn settle(&mut self, window: &Window) {
        self.cut(window);
        self.kept.sort_unstable_by(|left, right| left.standing.order(&right.standing));
    }
}

/// A flagged cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flag {
    /// The number of its row.
    pub number: u64,
    /// Its class.
    pub class: u32,
    /// Whether its example is given the tag.
    pub tagged: bool,
    /// The score of its example, where examples are ranked.
    pub score: f64,
}

impl Flag {
    pub(super) fn order(&self, other: &Self) -> Ordering {
        (self.number, self.class).cmp(&(other.number, other.class))
    }
}

/// The first few of each group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Heaps {
    groups: Groups,
    windows: Vec<Window>,
    of_groups: Vec<Heap>,
}

impl Heaps {
    /// Empty ones: a window for each group.
    pub(super) fn new(groups: Groups, windows: Vec<Window>) -> Self {
        let of_groups = vec![Heap::default(); windows.len()];
        Self { groups, windows, of_groups }
    }

    /// Those of a filter that decides about each cell by itself.
    pub(super) fn none() -> Self {
        let (filter, meaning) = (Filter::PredictedNeqGiven, Meaning::Probability);
        let groups = Groups { filter, n_classes: 0, meaning };
        Self { groups, windows: Vec::new(), of_groups: Vec::new() }
    }

    /// Checks what other functions rely on, of heaps that are in order.
    pub(super) fn check(&self, groups: Option<Groups>) -> Result<(), &'static str> {
        let Some(groups) = groups else {
            let are_none = *self == Self::none();
            return if are_none { Ok(()) } else { Err("it selects what nobody asks for") };
        };
        let count = groups.count();
        if self.groups != groups || self.windows.len() != count || self.of_groups.len() != count {
            return Err("it does not hold one place a group");
        }
        let is_sound = |(heap, window): (&Heap, &Window)| {
            let order = |left: &Kept, right: &Kept| left.standing.order(&right.standing).is_le();
            let in_order = heap.kept.is_sorted_by(order);
            let last = heap.kept.last().map(|kept| kept.standing);
            let is_full = heap.kept.len() as u64 == window.most;
            in_order
                && heap.kept.len() as u64 <= window.most
                && heap.end == if is_full { last } else { None }
                && heap.kept.iter().all(|kept| kept.standing.is_sound() && kept.score.is_finite())
                && window.after.is_none_or(|after| {
                    after.is_sound()
                        && heap.kept.first().is_none_or(|kept| after.is_before(&kept.standing))
                })
        };
        let are_sound = self.of_groups.iter().zip(&self.windows).all(is_sound);
        if are_sound { Ok(()) } else { Err("what it has selected is in no order") }
    }

    /// Empty ones that know what these have no room for.
    pub(super) fn emptied(&self) -> Self {
        let emptied = |heap: &Heap| Heap { kept: Vec::new(), end: heap.end };
        let of_groups = self.of_groups.iter().map(emptied).collect();
        Self { groups: self.groups, windows: self.windows.clone(), of_groups }
    }

    /// What is kept of each group.
    pub(super) fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// Takes up what others have kept for the same windows.
    pub(super) fn absorb(&mut self, others: &Self) {
        let windows = self.windows.iter().zip(&others.of_groups);
        for (heap, (window, more)) in self.of_groups.iter_mut().zip(windows) {
            more.kept.iter().for_each(|&kept| heap.push(kept, window));
        }
    }

    /// Offers candidates; `score` tells that of the example in some row of the matrix.
    pub(super) fn offer(
        &mut self,
        candidates: &[Candidate],
        rows: RowNumbers<'_>,
        score: impl Fn(usize) -> f64 + Sync + Send,
        workers: &Workers<'_>,
    ) -> Result<()> {
        let Self { groups, windows, of_groups: heaps } = self;
        let per_part = groups.per_part();
        for (part, by) in groups.parts().iter().enumerate() {
            let windows = &windows[part * per_part..][..per_part];
            let heaps = &mut heaps[part * per_part..][..per_part];
            let (starts, in_order) = by_group(candidates, groups, windows)?;
            workers.each_mut(heaps, |group, heap| {
                let window = &windows[group];
                for &number in &in_order[starts[group]..starts[group + 1]] {
                    let one = &candidates[number];
                    let value = by.value(one, groups.meaning);
                    let standing = Standing::new(value, rows.of(one.row()));
                    if heap.has_room_for(&standing, window) {
                        let (tagged, flags) = (one.tagged(), groups.flags(one));
                        heap.push(
                            Kept { standing, score: score(one.row()), tagged, flags },
                            window,
                        );
                    }
                }
            })?;
        }
        Ok(())
    }

    /// Offers the candidates of a matrix, with the scores of their examples where these are ranked.
    pub(super) fn offer_matrix<F: Cell>(
        &mut self,
        matrix: &Matrix<'_, F>,
        labels: &TagLabels,
        rows: RowNumbers<'_>,
        rank: Option<(Method, Aggregate)>,
        workers: &Workers<'_>,
    ) -> Result<()> {
        let meaning = self.groups.meaning;
        for piece in pieces(labels) {
            let mut some = candidates_of(matrix, labels, piece, meaning, workers)?;
            // At first there is room for most.
            if rank.is_some() || self.of_groups.iter().any(|heap| heap.end.is_some()) {
                some.retain(|one| self.have_room_for(one, rows.of(one.row())));
            }
            let Some((method, aggregate)) = rank else {
                self.offer(&some, rows, |_| 0.0, workers)?;
                continue;
            };
            let mut places: Vec<usize> = some.iter().map(Candidate::row).collect();
            places.sort_unstable();
            places.dedup();
            let how = (method, Vec::new(), Some(aggregate));
            let scores = scores_of(matrix, labels, &&places[..], how, meaning, workers)?;
            let score = |place| places.binary_search(&place).map_or(0.0, |at| scores[at]);
            self.offer(&some, rows, score, workers)?;
        }
        Ok(())
    }

    fn have_room_for(&self, candidate: &Candidate, number: u64) -> bool {
        self.groups
            .standings(candidate, number)
            .any(|(group, at)| self.of_groups[group].has_room_for(&at, &self.windows[group]))
    }

    /// Puts what is kept in order.
    pub(super) fn settle(&mut self) {
        self.of_groups.iter_mut().zip(&self.windows).for_each(|(heap, window)| heap.settle(window));
    }

    /// What is selected, if the windows hold all that is: which of it is flagged, in no order.
    pub(super) fn flagged(&mut self, workers: &Workers<'_>) -> Result<Vec<Flag>> {
        let Self { groups, windows, of_groups: heaps } = self;
        workers.each_mut(heaps, |group, heap| heap.cut(&windows[group]))?;
        let per_part = groups.per_part();
        let of_part = |part: usize| {
            let heaps = heaps.iter().enumerate().skip(part * per_part).take(per_part);
            let flags = heaps.flat_map(|(group, heap)| {
                let class = groups.class(group);
                heap.kept.iter().filter(|one| one.flags).map(move |one| {
                    let Kept { standing, score, tagged, .. } = *one;
                    Flag { number: standing.number, class, tagged, score }
                })
            });
            flags.collect::<Vec<_>>()
        };
        let mut flags = of_part(0);
        for part in 1..groups.parts().len() {
            // Side by side in order: looked up one by one, each would be a few reads from afar.
            let mut others = of_part(part);
            workers.sort(&mut flags, Flag::order);
            workers.sort(&mut others, Flag::order);
            let mut others = others.iter().peekable();
            flags.retain(|flag| {
                while others.next_if(|other| other.order(flag).is_lt()).is_some() {}
                others.peek().is_some_and(|other| other.order(flag).is_eq())
            });
        }
        Ok(flags)
    }

    /// Up to where each group is selected, once what is kept is in order, and how many that are.
    pub(super) fn reaches(&self) -> impl Iterator<Item = (Reach, u64)> {
        self.of_groups.iter().zip(&self.windows).map(|(heap, window)| {
            let n = heap.kept.len() as u64;
            match heap.kept.last() {
                _ if n < window.most => (Reach::All, n),
                Some(last) => (Reach::UpTo(last.standing), n),
                None => (Reach::Nothing, 0),
            }
        })
    }
}

/// Numbers of the candidates of each group, and where those of a group start. Those of which nothing is
/// kept are left out.
fn by_group(
    candidates: &[Candidate],
    groups: &Groups,
    windows: &[Window],
) -> Result<(Vec<usize>, Vec<usize>)> {
    let group = |one: &Candidate| {
        let group = groups.within_part(one);
        (windows[group].most > 0).then_some(group)
    };
    let mut starts = vec![0; windows.len() + 1];
    candidates.iter().filter_map(group).for_each(|group| starts[group + 1] += 1);
    (0..windows.len()).for_each(|group| starts[group + 1] += starts[group]);
    let mut in_order = Vec::new();
    in_order.try_reserve_exact(starts[windows.len()])?;
    in_order.resize(starts[windows.len()], 0_usize);
    let mut next = starts.clone();
    for (number, one) in candidates.iter().enumerate() {
        if let Some(group) = group(one) {
            in_order[next[group]] = number;
            next[group] += 1;
        }
    }
    Ok((starts, in_order))
}

/// Rows whose candidates are looked at together.
pub(super) fn pieces(labels: &TagLabels) -> impl Iterator<Item = Range<usize>> {
    let (n_examples, n_rows) = (labels.n_examples(), (CELLS / labels.n_classes()).max(1));
    (0..n_examples).step_by(n_rows).map(move |start| start..n_examples.min(start + n_rows))
}

/// All candidates of some rows.
pub(super) fn candidates_of<F: Cell>(
    matrix: &Matrix<'_, F>,
    labels: &TagLabels,
    rows: Range<usize>,
    meaning: Meaning,
    workers: &Workers<'_>,
) -> Result<Vec<Candidate>> {
    let none = Guesses::none(labels.n_classes());
    let seen = look(matrix, labels, rows, &none, (meaning, Some(usize::MAX)), workers)?;
    Ok(seen.candidates.unwrap_or_default())
}
