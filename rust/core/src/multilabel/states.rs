//! States of tags: what [`crate::states`] are for other data, where each class has two sides.
//!
//! They keep what the functions of arrays keep: sums, counts, and the first few cells of each group. So
//! the answer is that of one call with all rows, bit for bit, whatever the batches, their order, and the
//! tree in which states are merged.

use serde::{Deserialize, Serialize};

use crate::blocks::Workers;
use crate::error::{Error, Result};
use crate::format::Meaning;
use crate::input::Matrix;
use crate::pred_probs::PredProbs;
use crate::prune::Filter;
use crate::quality::{Adjust, Method};
use crate::row::Several;
use crate::states::wire::Wire;
use crate::states::{RowNumbers, Spec};

use super::bounds::{Cell, Guesses, KeptGuesses};
use super::issues::{Search, by_itself, flags_of, joints_of};
use super::look::{Candidate, ClassCounts, look};
use super::quality::{Aggregate, check_meaning};
use super::select::{Flag, Groups, Heaps, Reach, Standing, Window};
use super::sums::{Sums, sums_of};
use super::tags::Sides;
use super::{TagLabels, check_shape, with_cells};

/// Checks what other code relies on. Unlike labels, tags may be of a single class.
fn check_spec(spec: &Spec) -> Result<(), &'static str> {
    if spec.n_classes == 0 {
        return Err("its number of classes is out of range");
    }
    if !spec.calibration.is_plain(spec.kind) {
        return Err("tags are not calibrated");
    }
    Spec { n_classes: spec.n_classes.max(2), ..spec.clone() }.check()
}

/// The same, of arguments.
fn checked_spec(spec: &Spec) -> Result<()> {
    if spec.n_classes == 0 {
        return Err(Error::NoClasses);
    }
    if !spec.calibration.is_plain(spec.kind) {
        return Err(Error::CalibratedTags);
    }
    Spec { n_classes: spec.n_classes.max(2), ..spec.clone() }.checked()
}

/// Checks that a batch is of this kind, and its tags of these rows and columns.
fn fits(
    spec: &Spec,
    name: &'static str,
    labels: &TagLabels,
    pred_probs: &PredProbs<'_>,
) -> Result<()> {
    check_shape(labels, pred_probs)?;
    let (kind, calibration) = pred_probs.kind();
    spec.same(name, &Spec { n_classes: labels.n_classes(), kind, calibration })
}

fn check_thresholds(thresholds: &[[f64; 2]], n_classes: usize) -> Result<()> {
    let found = thresholds.len();
    if found != n_classes {
        return Err(Error::OnePerClass { name: "thresholds", n_classes, found });
    }
    Ok(())
}

/// The guesses as the cells of a matrix are compared with them.
fn kept_guesses<'a, F: Cell>(
    guesses: &'a KeptGuesses,
    _of: &Matrix<'_, F>,
    thresholds: &[[f64; 2]],
    meaning: Meaning,
) -> &'a Guesses<F> {
    guesses.of(thresholds, meaning)
}

fn are_thresholds(thresholds: &[[f64; 2]], n_classes: usize) -> bool {
    thresholds.len() == n_classes && !thresholds.as_flattened().iter().any(|t| t.is_nan())
}

// --- Thresholds ----------------------------------------------------------------------------------

const THRESHOLDS: &str = "TagThresholdState";

/// The first pass: sums of all cells, and of those of the tags.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThresholdState {
    spec: Spec,
    sides: Sides,
    sums: Sums,
}

impl ThresholdState {
    /// Of no rows.
    ///
    /// # Errors
    /// If the number of classes or the temperature is out of range.
    pub fn new(spec: Spec) -> Result<Self> {
        checked_spec(&spec)?;
        let n_classes = spec.n_classes;
        Ok(Self { spec, sides: Sides::new(n_classes), sums: Sums::new(n_classes, true) })
    }

    /// What batches have in common.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// N so far.
    #[must_use]
    pub fn n_examples(&self) -> u64 {
        self.sides.n_examples()
    }

    /// Of each class, how many examples are without the tag, and how many with it.
    #[must_use]
    pub fn given_counts(&self) -> Vec<[usize; 2]> {
        self.sides.all_counts()
    }

    /// Adds a batch of rows, all cells of which are read.
    ///
    /// # Errors
    /// If the batch does not fit, or a cell may not stand there; then nothing is added.
    pub fn update(
        &mut self,
        labels: &TagLabels,
        pred_probs: &PredProbs<'_>,
        workers: &Workers<'_>,
    ) -> Result<()> {
        fits(&self.spec, THRESHOLDS, labels, pred_probs)?;
        let sums = with_cells!(pred_probs, workers, matrix, meaning => {
            sums_of(matrix, labels, (meaning, true), workers)?
        });
        self.add(&Sides::of(labels), &sums)
    }

    /// Adds what another one has seen.
    ///
    /// # Errors
    /// If it is of other classes, or another kind.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        self.spec.same(THRESHOLDS, &other.spec)?;
        self.add(&other.sides, &other.sums)
    }

    fn add(&mut self, sides: &Sides, sums: &Sums) -> Result<()> {
        self.sides = self.sides.and(sides).ok_or(Error::StateOverflow { name: THRESHOLDS })?;
        self.sums.add(sums);
        Ok(())
    }

    /// t_0 and t_1 of each class.
    #[must_use]
    pub fn finish(&self) -> Vec<[f64; 2]> {
        self.sums.thresholds(&self.sides, self.spec.kind.meaning())
    }

    /// As bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_wire()
    }

    /// From bytes.
    ///
    /// # Errors
    /// If they are not those of such a state.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::from_wire(bytes)
    }
}

impl Wire for ThresholdState {
    const NUMBER: u16 = 101;
    const NAME: &'static str = THRESHOLDS;

    fn check(&self) -> Result<(), &'static str> {
        check_spec(&self.spec)?;
        if self.sides.n_classes() != self.spec.n_classes || !self.sides.are_sound() {
            return Err("its counts do not go together");
        }
        if !self.sums.could_be_of(&self.sides) {
            return Err("its sums are not those of so many examples");
        }
        Ok(())
    }
}

// --- Joint ---------------------------------------------------------------------------------------

const JOINT: &str = "TagJointState";

/// The second pass: how often each side is guessed of each given one, and how many issues there are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JointState {
    spec: Spec,
    thresholds: Vec<[f64; 2]>,
    sides: Sides,
    counts: Vec<ClassCounts>,
    #[serde(skip)]
    guesses: KeptGuesses,
}

impl JointState {
    /// Of no rows.
    ///
    /// # Errors
    /// If the number of classes or the temperature is out of range, or thresholds do not fit.
    pub fn new(spec: Spec, thresholds: Vec<[f64; 2]>) -> Result<Self> {
        checked_spec(&spec)?;
        let n_classes = spec.n_classes;
        check_thresholds(&thresholds, n_classes)?;
        let (sides, counts) = (Sides::new(n_classes), vec![ClassCounts::default(); n_classes]);
        Ok(Self { spec, thresholds, sides, counts, guesses: KeptGuesses::default() })
    }

    /// What batches have in common.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// What cells are compared with.
    #[must_use]
    pub fn thresholds(&self) -> &[[f64; 2]] {
        &self.thresholds
    }

    /// N so far.
    #[must_use]
    pub fn n_examples(&self) -> u64 {
        self.sides.n_examples()
    }

    /// Of each class, how many examples are without the tag, and how many with it.
    #[must_use]
    pub fn given_counts(&self) -> Vec<[usize; 2]> {
        self.sides.all_counts()
    }

    /// How many cells of each class have an issue, of those without and of those with the tag.
    #[must_use]
    pub fn num_issues(&self) -> Vec<[usize; 2]> {
        self.counts.iter().map(|counts| counts.issues.map(|n| n as usize)).collect()
    }

    /// The confident joint of each class, `[given][true]` in C order.
    ///
    /// # Errors
    /// None that a sound state leads to.
    pub fn joints(&self, calibrate: bool, several: Several) -> Result<Vec<[i64; 4]>> {
        joints_of(&self.counts, &self.sides, (calibrate, several))
    }

    /// Adds a batch of rows.
    ///
    /// # Errors
    /// If the batch does not fit, or a cell may not stand there; then nothing is added.
    pub fn update(
        &mut self,
        labels: &TagLabels,
        pred_probs: &PredProbs<'_>,
        workers: &Workers<'_>,
    ) -> Result<()> {
        fits(&self.spec, JOINT, labels, pred_probs)?;
        let counts = with_cells!(pred_probs, workers, matrix, meaning => {
            let guesses = kept_guesses(&self.guesses, matrix, &self.thresholds, meaning);
            let all = 0..labels.n_examples();
            look(matrix, labels, all, guesses, (meaning, None), workers)?.counts
        });
        self.add(&Sides::of(labels), &counts)
    }

    /// Adds what another one has seen.
    ///
    /// # Errors
    /// If it is of other classes, another kind, or other thresholds.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        self.spec.same(JOINT, &other.spec)?;
        if self.thresholds != other.thresholds {
            let (ours, found) = ("some thresholds".to_owned(), "others".to_owned());
            return Err(Error::StatesDiffer { name: JOINT, ours, found });
        }
        self.add(&other.sides, &other.counts)
    }

    fn add(&mut self, sides: &Sides, counts: &[ClassCounts]) -> Result<()> {
        self.sides = self.sides.and(sides).ok_or(Error::StateOverflow { name: JOINT })?;
        self.counts.iter_mut().zip(counts).for_each(|(counts, more)| counts.add(more));
        Ok(())
    }

    /// As bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_wire()
    }

    /// From bytes.
    ///
    /// # Errors
    /// If they are not those of such a state.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::from_wire(bytes)
    }
}

impl Wire for JointState {
    const NUMBER: u16 = 102;
    const NAME: &'static str = JOINT;

    fn check(&self) -> Result<(), &'static str> {
        check_spec(&self.spec)?;
        let n_classes = self.spec.n_classes;
        if !are_thresholds(&self.thresholds, n_classes) {
            return Err("its thresholds are none");
        }
        if self.sides.n_classes() != n_classes
            || self.counts.len() != n_classes
            || !self.sides.are_sound()
        {
            return Err("its counts do not go together");
        }
        let mut counts = self.counts.iter().zip(self.sides.all_counts());
        if !counts.all(|(counts, of_sides)| counts.could_be_of(of_sides)) {
            return Err("its counts are not those of so many examples");
        }
        Ok(())
    }
}

// --- Cuts ----------------------------------------------------------------------------------------

const CUTS: &str = "TagCuts";

/// How many cells of each group are to be selected, and up to where they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cuts {
    spec: Spec,
    filter: Filter,
    /// How many are still to be selected of each group.
    left: Vec<u64>,
    reaches: Vec<Reach>,
}

impl Cuts {
    /// For a filter that flags so many of each group, as many as the counts say. For another one there
    /// is nothing to be selected.
    ///
    /// # Errors
    /// If options do not fit.
    pub fn plan(joint: &JointState, search: &Search) -> Result<Self> {
        search.check(&joint.sides)?;
        let (spec, filter) = (joint.spec.clone(), search.filter);
        let left = match groups_of(&spec, filter) {
            Some(_) => search.quotas(&joint.sides, &joint.counts)?,
            None => Vec::new(),
        };
        let reaches = vec![Reach::Nothing; left.len()];
        Ok(Self { spec, filter, left, reaches })
    }

    /// What batches have in common.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// What they are for.
    #[must_use]
    pub fn filter(&self) -> Filter {
        self.filter
    }

    /// Whether all is selected that is to be.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.left.iter().all(|&left| left == 0)
    }

    /// Takes up what a round has selected, once it has seen all rows.
    ///
    /// # Errors
    /// If it was not for these cuts as they are.
    pub fn close(&mut self, round: &SelectionState) -> Result<()> {
        let places = self.reaches.iter().zip(&self.left).zip(round.heaps.windows());
        let is_next = |((reach, &left), window): ((&Reach, &u64), &Window)| {
            window.most == 0 || (after(reach) == window.after && window.most <= left)
        };
        let same = self.spec == round.spec && self.filter == round.filter;
        if !same || self.left.len() != round.heaps.windows().len() || !places.clone().all(is_next) {
            let found = "other cuts, or has been taken up".to_owned();
            return Err(Error::StatesDiffer { name: CUTS, ours: "its own rounds".into(), found });
        }
        let mut heaps = round.heaps.clone();
        heaps.settle();
        let found = heaps.reaches().zip(round.heaps.windows());
        let groups = self.reaches.iter_mut().zip(&mut self.left);
        for ((reach, left), ((reached, n), window)) in groups.zip(found) {
            if window.most > 0 {
                *left = if reached == Reach::All { 0 } else { *left - n };
                *reach = reached;
            }
        }
        Ok(())
    }

    /// As bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_wire()
    }

    /// From bytes.
    ///
    /// # Errors
    /// If they are not those of cuts.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::from_wire(bytes)
    }
}

fn groups_of(spec: &Spec, filter: Filter) -> Option<Groups> {
    Groups::of(filter, spec.n_classes, spec.kind.meaning())
}

/// Behind which cell the next ones to be selected stand.
fn after(reach: &Reach) -> Option<Standing> {
    match reach {
        Reach::UpTo(last) => Some(*last),
        Reach::Nothing | Reach::All => None,
    }
}

impl Wire for Cuts {
    const NUMBER: u16 = 103;
    const NAME: &'static str = CUTS;

    fn check(&self) -> Result<(), &'static str> {
        check_spec(&self.spec)?;
        let n_groups = groups_of(&self.spec, self.filter).map_or(0, |groups| groups.count());
        if self.left.len() != n_groups || self.reaches.len() != n_groups {
            return Err("it does not hold one place a group");
        }
        let are_sound = self.reaches.iter().zip(&self.left).all(|(reach, &left)| match reach {
            Reach::Nothing => true,
            Reach::UpTo(last) => last.is_sound(),
            Reach::All => left == 0,
        });
        if are_sound { Ok(()) } else { Err("a place is none") }
    }
}

// --- Selection -----------------------------------------------------------------------------------

const SELECTION: &str = "TagSelectionState";

/// The third pass: of each group the first few of those that are still to be selected.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SelectionState {
    spec: Spec,
    filter: Filter,
    rank: Option<(Method, Aggregate)>,
    covers_all: bool,
    heaps: Heaps,
}

impl SelectionState {
    /// Of no rows: the next round, which keeps `most` cells altogether (at least one). If examples are
    /// to be ranked, the score of each with such a cell is kept beside it.
    ///
    /// # Errors
    /// If scores have no meaning for this kind of cells, or an option is out of range.
    pub fn new(cuts: &Cuts, rank: Option<(Method, Aggregate)>, most: u64) -> Result<Self> {
        let (spec, filter) = (cuts.spec.clone(), cuts.filter);
        check_rank(rank, &spec)?;
        let mut room = most.max(1);
        let windows: Vec<Window> = cuts
            .left
            .iter()
            .zip(&cuts.reaches)
            .map(|(&left, reach)| {
                let most = left.min(room);
                room -= most;
                Window { after: if most > 0 { after(reach) } else { None }, most }
            })
            .collect();
        let covers_all = cuts.reaches.iter().all(|reach| *reach == Reach::Nothing)
            && windows.iter().zip(&cuts.left).all(|(window, &left)| window.most == left);
        let heaps = match groups_of(&spec, filter) {
            Some(groups) => Heaps::new(groups, windows),
            None => Heaps::none(),
        };
        Ok(Self { spec, filter, rank, covers_all, heaps })
    }

    /// What batches have in common.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Whether this round selects all there is, so that [`SelectionState::flagged`] is all of it.
    #[must_use]
    pub fn covers_all(&self) -> bool {
        self.covers_all
    }

    /// Whether the scores of examples are kept.
    #[must_use]
    pub fn is_ranked(&self) -> bool {
        self.rank.is_some()
    }

    /// Offers a batch of rows.
    ///
    /// # Errors
    /// If the batch does not fit, or a cell may not stand there; then nothing is taken up.
    pub fn update(
        &mut self,
        labels: &TagLabels,
        pred_probs: &PredProbs<'_>,
        rows: RowNumbers<'_>,
        workers: &Workers<'_>,
    ) -> Result<()> {
        fits(&self.spec, SELECTION, labels, pred_probs)?;
        rows.check(labels.n_examples())?;
        if self.heaps.windows().iter().all(|window| window.most == 0) {
            return Ok(());
        }
        let mut found = self.heaps.emptied();
        with_cells!(pred_probs, workers, matrix, meaning => {
            debug_assert_eq!(meaning, self.spec.kind.meaning());
            found.offer_matrix(matrix, labels, rows, self.rank, workers)?;
        });
        self.heaps.absorb(&found);
        Ok(())
    }

    /// Takes up what another one has selected of other rows.
    ///
    /// # Errors
    /// If it was not made for the same round.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        self.spec.same(SELECTION, &other.spec)?;
        if (self.filter, self.rank, self.covers_all) != (other.filter, other.rank, other.covers_all)
            || self.heaps.windows() != other.heaps.windows()
        {
            let (ours, found) = ("one round of cuts, and order".into(), "another".into());
            return Err(Error::StatesDiffer { name: SELECTION, ours, found });
        }
        self.heaps.absorb(&other.heaps);
        Ok(())
    }

    /// The cells that the filter flags, by number of the row, then by class, where this round selects
    /// all there is.
    ///
    /// # Errors
    /// [`Error::Interrupted`].
    pub fn flagged(&self, workers: &Workers<'_>) -> Result<Option<Vec<Flag>>> {
        if !self.covers_all {
            return Ok(None);
        }
        let mut flags = self.heaps.clone().flagged(workers)?;
        workers.sort(&mut flags, Flag::order);
        Ok(Some(flags))
    }

    /// As bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.settled().to_wire()
    }

    /// From bytes.
    ///
    /// # Errors
    /// If they are not those of such a state.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::from_wire(bytes)
    }

    fn settled(&self) -> Self {
        let mut settled = self.clone();
        settled.heaps.settle();
        settled
    }
}

/// Equal states have selected the same cells, in whatever order they came.
impl PartialEq for SelectionState {
    fn eq(&self, other: &Self) -> bool {
        let (left, right) = (self.settled(), other.settled());
        (left.spec, left.filter, left.rank, left.covers_all)
            == (right.spec, right.filter, right.rank, right.covers_all)
            && left.heaps == right.heaps
    }
}

fn check_rank(rank: Option<(Method, Aggregate)>, spec: &Spec) -> Result<()> {
    let Some((method, aggregate)) = rank else { return Ok(()) };
    aggregate.check()?;
    check_meaning(method, Adjust::No, aggregate, spec.kind.meaning())
}

impl Wire for SelectionState {
    const NUMBER: u16 = 104;
    const NAME: &'static str = SELECTION;

    fn check(&self) -> Result<(), &'static str> {
        check_spec(&self.spec)?;
        if check_rank(self.rank, &self.spec).is_err() {
            return Err("its order of examples is none");
        }
        self.heaps.check(groups_of(&self.spec, self.filter))
    }
}

// --- Rule ----------------------------------------------------------------------------------------

const RULE: &str = "TagRule";

/// What decides about rows by themselves, once thresholds are known, or cuts are done.
#[derive(Debug, Clone)]
pub struct Rule {
    spec: Spec,
    filter: Filter,
    thresholds: Vec<[f64; 2]>,
    guesses: KeptGuesses,
    reaches: Vec<Reach>,
}

impl Rule {
    /// Of a filter that asks for thresholds, for cuts, or for neither.
    ///
    /// # Errors
    /// If they do not fit.
    pub fn new(
        spec: Spec,
        filter: Filter,
        thresholds: Vec<[f64; 2]>,
        cuts: Option<&Cuts>,
    ) -> Result<Self> {
        checked_spec(&spec)?;
        if let Some(method) = filter.judge() {
            return Err(Error::NotOfTags { what: method.name() });
        }
        if filter == Filter::ConfidentLearning {
            check_thresholds(&thresholds, spec.n_classes)?;
        }
        let mut reaches = Vec::new();
        if let Some(cuts) = cuts {
            spec.same(RULE, &cuts.spec)?;
            if filter != cuts.filter {
                let (ours, found) = (format!("{filter:?}"), format!("cuts of {:?}", cuts.filter));
                return Err(Error::StatesDiffer { name: RULE, ours, found });
            }
            reaches.clone_from(&cuts.reaches);
        } else if groups_of(&spec, filter).is_some() {
            let (ours, found) = (format!("{filter:?}, which needs cuts"), "none".to_owned());
            return Err(Error::StatesDiffer { name: RULE, ours, found });
        }
        Ok(Self { spec, filter, thresholds, guesses: KeptGuesses::default(), reaches })
    }

    /// What batches have in common.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The flagged cells of a batch, in their order; their numbers are places in the batch.
    ///
    /// # Errors
    /// If the batch does not fit, or a cell may not stand there.
    pub fn apply(
        &self,
        labels: &TagLabels,
        pred_probs: &PredProbs<'_>,
        rows: RowNumbers<'_>,
        workers: &Workers<'_>,
    ) -> Result<Vec<Flag>> {
        fits(&self.spec, RULE, labels, pred_probs)?;
        rows.check(labels.n_examples())?;
        let mut flags = with_cells!(pred_probs, workers, matrix, meaning => {
            if let Some(groups) = groups_of(&self.spec, self.filter) {
                let is_flagged = |one: &Candidate| {
                    groups.flags_within(one, rows.of(one.row()), &self.reaches)
                };
                flags_of(matrix, labels, is_flagged, meaning, workers)?
            } else {
                let none = Guesses::none(labels.n_classes());
                let guesses = match self.filter {
                    Filter::ConfidentLearning => {
                        kept_guesses(&self.guesses, matrix, &self.thresholds, meaning)
                    }
                    _ => &none,
                };
                let is_flagged = by_itself(self.filter, guesses, meaning);
                flags_of(matrix, labels, is_flagged, meaning, workers)?
            }
        });
        workers.sort(&mut flags, Flag::order);
        Ok(flags)
    }
}
