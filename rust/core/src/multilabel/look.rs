//! The second sweep: how many cells each class is guessed of, and which cells may be flagged.
//!
//! Every row is counted as if it had no tags, many cells at once; its tags are put right one by one.
//! The *candidates* are the cells where model and label do not agree. Every filter flags some of them,
//! and within a class and side all filters order by p. Of a sane model there are few, so they are
//! kept. Where they would take more than a share of what the matrix takes, they are not, and whoever
//! needs them looks again (see [`super::select`]).

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};

use crate::blocks::Workers;
use crate::error::{Error, Result};
use crate::format::{Bits as _, Meaning};
use crate::input::{AllRows, Lent, Matrix};
use crate::scan::Fetch;
use crate::simd::{self, Kernel};

use super::bits::{PIECE, mask_of, take_first};
use super::bounds::{self, Cell, Guesses, Tally};
use super::{TagLabels, bad_row, checked, disagrees};

/// Rows that a cell's own width can count.
const MOST_ROWS: usize = 1 << 30;

/// Candidates may take this share of the bytes of the matrix.
const SHARE: usize = 8;

/// So many are always kept.
const ALWAYS: usize = 1 << 16;

/// What is known of a class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ClassCounts {
    /// By side and guess.
    pub(super) guessed: [[u64; 2]; 2],
    /// By side, off-diagonal cells that the agreement rule leaves.
    pub(super) issues: [u64; 2],
}

impl ClassCounts {
    /// Adds those of other examples.
    pub(super) fn add(&mut self, more: &Self) {
        let ours = self.guessed.as_flattened_mut().iter_mut().chain(&mut self.issues);
        let theirs = more.guessed.as_flattened().iter().chain(&more.issues);
        ours.zip(theirs).for_each(|(sum, more)| *sum += more);
    }

    /// Whether so many examples without and with the tag may have them.
    pub(super) fn could_be_of(&self, counts: [usize; 2]) -> bool {
        [0, 1].into_iter().all(|side| {
            let [zero, one] = self.guessed[side];
            let off_diagonal = self.guessed[side][1 - side];
            zero.checked_add(one).is_some_and(|guessed| guessed <= counts[side] as u64)
                && self.issues[side] <= off_diagonal
        })
    }
}

/// A cell where model and label do not agree (or are as good as that, see [`bounds::Range`]).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    pub(super) p: f64,
    /// The row, 21 bits of the class, and one of the side.
    place: u64,
}

impl Candidate {
    #[inline(always)]
    pub(super) fn new(p: f64, row: usize, class: usize, tagged: bool) -> Self {
        Self { p, place: (row as u64) << 22 | (class as u64) << 1 | u64::from(tagged) }
    }

    pub(super) fn row(&self) -> usize {
        (self.place >> 22) as usize
    }

    pub(super) fn class(&self) -> usize {
        self.class_and_side() >> 1
    }

    /// Twice the class, and one more with the tag.
    pub(super) fn class_and_side(&self) -> usize {
        (self.place & 0x003f_ffff) as usize
    }

    pub(super) fn tagged(&self) -> bool {
        self.place & 1 == 1
    }
}

/// What a look has found.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) counts: Vec<ClassCounts>,
    /// In no order; `None` if they were too many to keep.
    pub(super) candidates: Option<Vec<Candidate>>,
}

/// How many candidates there may be.
struct Budget {
    most: usize,
    used: AtomicUsize,
    is_over: AtomicBool,
}

/// What a thread keeps.
struct State<F: Cell> {
    tile: Vec<F::Bits>,
    one: Vec<F::Key>,
    zero: Vec<F::Key>,
    /// Of all rows, as if none had a tag: guessed 0, guessed 1.
    all: Vec<[u64; 2]>,
    counts: Vec<ClassCounts>,
    candidates: Vec<Candidate>,
}

impl<F: Cell> State<F> {
    fn new(n_classes: usize) -> Self {
        Self {
            tile: Vec::new(),
            one: vec![F::Key::NONE_YET; n_classes.next_multiple_of(PIECE)],
            zero: vec![F::Key::NONE_YET; n_classes.next_multiple_of(PIECE)],
            all: vec![[0; 2]; n_classes],
            counts: vec![ClassCounts::default(); n_classes],
            candidates: Vec::new(),
        }
    }

    fn flush(&mut self) {
        let tallies = self.zero.iter_mut().zip(&mut self.one);
        for (all, (zero, one)) in self.all.iter_mut().zip(tallies) {
            for (sum, tally) in all.iter_mut().zip([zero, one]) {
                let counted: i64 = (*tally).into();
                *sum += counted.cast_unsigned();
                *tally = F::Key::NONE_YET;
            }
        }
    }

    fn merge(mut self, other: Self) -> Self {
        for (all, more) in self.all.iter_mut().zip(other.all) {
            all.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        }
        for (counts, more) in self.counts.iter_mut().zip(other.counts) {
            counts.add(&more);
        }
        if self.candidates.is_empty() {
            self.candidates = other.candidates;
        } else {
            self.candidates.extend(other.candidates);
        }
        self
    }
}

/// Looks at all cells of some rows. No more candidates are kept than the caller says, if any.
pub(super) fn look<F: Cell>(
    matrix: &Matrix<'_, F>,
    labels: &TagLabels,
    looked_at: Range<usize>,
    guesses: &Guesses<F>,
    (meaning, most): (Meaning, Option<usize>),
    workers: &Workers<'_>,
) -> Result<Seen> {
    let n_classes = labels.n_classes();
    let budget = Budget {
        most: most.unwrap_or_default(),
        used: AtomicUsize::new(0),
        is_over: AtomicBool::new(most.is_none()),
    };
    let range = bounds::Range::<F>::new(meaning);
    let all = AllRows(labels.n_examples());
    let add = |state: &mut State<F>, rows: Range<usize>| {
        let mut rows = looked_at.start + rows.start..looked_at.start + rows.end;
        let known = state.candidates.len();
        while !rows.is_empty() {
            let some = rows.start..rows.end.min(rows.start + MOST_ROWS);
            let mut tile = std::mem::take(&mut state.tile);
            let lent = matrix.lend(&all, some, &mut tile)?;
            rows.start = lent.positions.end;
            let collects = !budget.is_over.load(Ordering::Relaxed);
            let block = Block::<F> { lent, labels, guesses, range, collects, state };
            simd::dispatch(workers.level(), block)?;
            state.tile = tile;
            state.flush();
        }
        let more = state.candidates.len().saturating_sub(known);
        if budget.used.fetch_add(more, Ordering::Relaxed) + more > budget.most {
            budget.is_over.store(true, Ordering::Relaxed);
        }
        if budget.is_over.load(Ordering::Relaxed) {
            state.candidates = Vec::new();
        }
        Ok(())
    };
    let row_bytes = matrix.row_bytes();
    let new = || State::new(n_classes);
    let found = workers.fold(looked_at.len(), row_bytes, new, add, State::merge);
    let State { all, mut counts, candidates, .. } = checked(found, matrix, meaning, workers)?;
    for (counts, all) in counts.iter_mut().zip(all) {
        for guess in [0, 1] {
            counts.guessed[0][guess] = all[guess] - counts.guessed[1][guess];
        }
    }
    let candidates = (!budget.is_over.into_inner()).then_some(candidates);
    Ok(Seen { counts, candidates })
}

/// How many candidates of a whole matrix are kept.
pub(super) fn most_candidates<F: Cell>(matrix: &Matrix<'_, F>) -> usize {
    let n_bytes = matrix.n_rows().saturating_mul(matrix.row_bytes());
    (n_bytes / SHARE / size_of::<Candidate>()).max(ALWAYS)
}

/// Some rows, as compiled for a CPU level.
struct Block<'a, 't, F: Cell> {
    lent: Lent<'t, F, AllRows>,
    labels: &'a TagLabels,
    guesses: &'a Guesses<F>,
    range: bounds::Range<F>,
    collects: bool,
    state: &'a mut State<F>,
}

impl<F: Cell> Kernel for Block<'_, '_, F> {
    type Output = Result<()>;

    #[inline(always)]
    fn run(self) -> Result<()> {
        let Self { lent, labels, guesses, range, collects, state } = self;
        let mut hits = Vec::with_capacity(labels.n_classes());
        for row in lent.positions.clone() {
            let cells = lent.cells(row);
            let furthest = count_row::<F>(cells, guesses, &range, state, &mut hits);
            if furthest > range.width {
                return Err(bad_row::<F>(row, cells, range.meaning).unwrap_or(Error::Interrupted));
            }
            let mut tags = labels.of(row);
            for &class in tags {
                let class = class as usize;
                let key = F::key(cells[class]);
                let (is_0, is_1) = (key <= guesses.zero_to[class], key >= guesses.one_from[class]);
                let counts = &mut state.counts[class];
                counts.guessed[1][0] += u64::from(is_0);
                counts.guessed[1][1] += u64::from(is_1);
                if key <= range.tagged_up_to {
                    counts.issues[1] += u64::from(is_0);
                    if collects {
                        let p = F::value(cells[class]);
                        state.candidates.push(Candidate::new(p, row, class, true));
                    }
                }
            }
            for &class in &hits {
                while let [first, rest @ ..] = tags
                    && *first < class
                {
                    tags = rest;
                }
                if tags.first() == Some(&class) {
                    continue;
                }
                let class = class as usize;
                let (key, p) = (F::key(cells[class]), F::value(cells[class]));
                let is_issue = key >= guesses.one_from[class] && disagrees(p, false, range.meaning);
                state.counts[class].issues[0] += u64::from(is_issue);
                if collects {
                    state.candidates.push(Candidate::new(p, row, class, false));
                }
            }
        }
        Ok(())
    }
}

/// Counts a row as if it had no tags, and lists the cells that would be candidates. Gives how far above
/// the smallest valid key the furthest one is.
#[inline(always)]
fn count_row<F: Cell>(
    cells: &[F::Bits],
    guesses: &Guesses<F>,
    range: &bounds::Range<F>,
    state: &mut State<F>,
    hits: &mut Vec<u32>,
) -> <F::Key as Tally>::Distance {
    hits.clear();
    let mut furthest = <F::Key as Tally>::Distance::default();
    let (pieces, rest) = cells.as_chunks::<PIECE>();
    let (one_from, _) = guesses.one_from.as_chunks::<PIECE>();
    let (zero_to, _) = guesses.zero_to.as_chunks::<PIECE>();
    let (one, _) = state.one.as_chunks_mut::<PIECE>();
    let (zero, _) = state.zero.as_chunks_mut::<PIECE>();
    // Where there are no classes any more nothing is counted, and a 0 is no candidate.
    let mut padded = [F::Bits::ZERO; PIECE];
    padded[..rest.len()].copy_from_slice(rest);
    for number in 0..cells.len().div_ceil(PIECE) {
        let cells = pieces.get(number).unwrap_or(&padded);
        Fetch::All.ahead_of(cells);
        let (one_from, zero_to) = (&one_from[number], &zero_to[number]);
        let (one, zero) = (&mut one[number], &mut zero[number]);
        // As good as all probabilities have no sign: then bits are keys, which saves a third of the time.
        let most = most_plain::<F>(cells);
        let here = if most <= range.plain_width {
            count_plain::<F>(cells, one_from, zero_to, one, zero);
            F::Key::NONE_YET.plus(most).distance_above(range.low)
        } else {
            count_piece::<F>(cells, range.low, one_from, zero_to, one, zero)
        };
        furthest = furthest.max(here);
        if here >= range.untagged_from {
            let mut mask = mask_of!(cells, cell =>
                F::key(cell).distance_above(range.low) >= range.untagged_from);
            while let Some(place) = take_first(&mut mask) {
                hits.push((number * PIECE + place) as u32);
            }
        }
    }
    furthest
}

/// Each argument by itself: so a compiler knows that they do not overlap.
#[inline(always)]
fn count_piece<F: Cell>(
    cells: &[F::Bits; PIECE],
    low: F::Key,
    one_from: &[F::Key; PIECE],
    zero_to: &[F::Key; PIECE],
    one: &mut [F::Key; PIECE],
    zero: &mut [F::Key; PIECE],
) -> <F::Key as Tally>::Distance {
    let mut furthest = <F::Key as Tally>::Distance::default();
    for lane in 0..PIECE {
        let key = F::key(cells[lane]);
        furthest = furthest.max(key.distance_above(low));
        one[lane] = one[lane].one_more_if(key >= one_from[lane]);
        zero[lane] = zero[lane].one_more_if(key <= zero_to[lane]);
    }
    furthest
}

/// The largest bits of a piece.
#[inline(always)]
fn most_plain<F: Cell>(cells: &[F::Bits; PIECE]) -> <F::Key as Tally>::Distance {
    // Lanes by themselves, or a compiler looks at one cell after the other.
    let mut most = [<F::Key as Tally>::Distance::default(); 16];
    for cells in cells.as_chunks::<16>().0 {
        for lane in 0..16 {
            most[lane] = most[lane].max(F::plain(cells[lane]).distance_above(F::Key::NONE_YET));
        }
    }
    most.into_iter().fold(<F::Key as Tally>::Distance::default(), Ord::max)
}

/// [`count_piece`] of cells without a sign.
#[inline(always)]
fn count_plain<F: Cell>(
    cells: &[F::Bits; PIECE],
    one_from: &[F::Key; PIECE],
    zero_to: &[F::Key; PIECE],
    one: &mut [F::Key; PIECE],
    zero: &mut [F::Key; PIECE],
) {
    for lane in 0..PIECE {
        let key = F::plain(cells[lane]);
        one[lane] = one[lane].one_more_if(key >= one_from[lane]);
        zero[lane] = zero[lane].one_more_if(key <= zero_to[lane]);
    }
}
