//! The look at each row by its entries: its facts (see [`crate::row`]), the cells that may be among
//! the largest margins, its entropy.
//!
//! A row is told from one of zeros by its largest entry: where it is confident, it is the guess, and
//! where it is below every cutoff, there is none. Only in between entries are asked one by one.

use super::entries::{Entries, check_values, largest};
use super::{Piece, Sparse};
use crate::blocks::{Filling, Workers};
use crate::entropy::{Real, entropy_of_entries};
use crate::error::Result;
use crate::format::{Bits, Format, Key};
use crate::input::{AllRows, Labels};
use crate::judge::{Judgement, Ready};
use crate::look::{BlockFindings, Keep, Looked};
use crate::prune::{Listed, longest_list};
use crate::quality::WeightedEntropy;
use crate::row::{Cutoffs, NO_CLASS, RowFacts, Several, defined_row_facts};
use crate::simd::{self, Kernel};
use crate::sweep::{first_fault, or_first_fault};

use super::entries::LANES;

/// Rows that are looked at together.
const BATCH: usize = 16;

impl<F: Format> Sparse<'_, F> {
    /// The look at all rows.
    pub(super) fn look_at_entries(
        &self,
        labels: &Labels,
        (cutoffs, floors): (&Cutoffs<F>, Option<&Cutoffs<F>>),
        keep: Keep<'_>,
        judges: &[Ready<'_, F::Real>],
        workers: &Workers<'_>,
    ) -> Result<Looked<F>> {
        let keys = cutoffs.keys();
        let at_zero = |&(_, &key): &(u32, &F::Key)| key == F::Key::ZERO;
        let entropy = || WeightedEntropy::new(labels.n_classes(), workers.level());
        let look = EntryLook {
            cutoffs,
            least: keys.iter().copied().min().unwrap_or(F::Key::MAX),
            confident_zeros: (0..).zip(keys).filter(at_zero).map(|(class, _)| class).collect(),
            floors,
            longest_list: longest_list(self.n_classes),
            several: keep.several,
            largest: F::largest(),
            entropy: keep.entropies.then(entropy),
            judges,
        };
        let fill = |scratch: &mut Scratch<F>, rows, facts: &mut Filling<'_, RowFacts>| {
            let piece = Piece { sparse: self, labels, rows };
            simd::dispatch(workers.level(), Block { piece, look: &look, scratch, facts })
        };
        let row_bytes = crate::input::Computed::<F>::row_bytes(self);
        let looked = workers.fill(self.n_rows, row_bytes, Scratch::new, fill);
        let all = AllRows(self.n_rows);
        let looked = or_first_fault(looked, || first_fault(&self.matrix(), &all, workers))?;
        Ok(Looked::of_blocks(looked))
    }

    /// What a row stores, by ascending class.
    pub(super) fn entries_of(&self, row: usize) -> Vec<(u32, f64)> {
        let mut entries = Entries::new();
        if self.load(row, &mut entries).is_err() {
            return Vec::new();
        }
        let value = |(class, bits)| (class, F::value(bits));
        let mut stored: Vec<_> = entries.iter().map(value).collect();
        stored.sort_unstable_by_key(|&(class, _)| class);
        stored
    }

    /// The most probable class but the given one, the lowest on ties; of a row that was checked.
    pub(super) fn other_class(&self, row: usize, given: usize) -> usize {
        let mut entries = Entries::new();
        if self.load(row, &mut entries).is_err() {
            return given;
        }
        let (values, classes) = with_zeros(&entries, given, self.n_classes, &[]);
        let others = (0..classes.len()).filter(|&place| classes[place] != given);
        let most =
            others.reduce(|most, place| if values[place] > values[most] { place } else { most });
        most.map_or(given, |place| classes[place])
    }
}

/// What a thread works with, from one row to the next.
pub(super) struct Scratch<F: Format> {
    pub(super) entries: Entries<F>,
    batch: Vec<Entries<F>>,
    pub(super) pairs: Vec<(u32, F::Bits)>,
    pub(super) terms: Vec<F::Real>,
}

impl<F: Format> Scratch<F> {
    pub(super) fn new() -> Self {
        let batch = (0..BATCH).map(|_| Entries::new()).collect();
        Self { entries: Entries::new(), batch, pairs: Vec::new(), terms: Vec::new() }
    }

    /// The entropy of the loaded row, in nats. Cells with a sign count as zeros.
    #[inline(always)]
    pub(super) fn entropy(&mut self) -> f64 {
        let Self { entries, pairs, terms, .. } = self;
        entries.sort(pairs);
        terms.resize(entries.cells.len(), F::Real::ZERO);
        for (terms, cells) in
            terms.as_chunks_mut::<LANES>().0.iter_mut().zip(entries.cells.as_chunks::<LANES>().0)
        {
            for lane in 0..LANES {
                terms[lane] = F::real(cells[lane]).x_log_x();
            }
        }
        entropy_of_entries(&entries.classes[..entries.n], &terms[..entries.n])
    }

    /// What a judge says of the loaded row, of which no cell has a sign.
    #[inline(always)]
    pub(super) fn judge(&mut self, judge: &Ready<'_, F::Real>, given: usize) -> Judgement {
        let Self { entries, pairs, terms, .. } = self;
        entries.sort(pairs);
        let stored = (&entries.classes[..entries.n], &entries.cells[..entries.n]);
        judge.judge_entries::<F>(stored, given, terms)
    }

    /// Makes zeros of cells with a sign.
    #[cold]
    pub(super) fn drop_signs(&mut self) {
        for cell in &mut self.entries.cells {
            if F::value(*cell) <= 0.0 {
                *cell = F::Bits::ZERO;
            }
        }
    }
}

/// What the look does with each row.
struct EntryLook<'a, F: Format> {
    cutoffs: &'a Cutoffs<F>,
    /// The least of them.
    least: F::Key,
    /// The classes for which a zero is confident, ascending; hardly ever any.
    confident_zeros: Vec<u32>,
    floors: Option<&'a Cutoffs<F>>,
    longest_list: usize,
    several: Several,
    largest: F::Key,
    entropy: Option<WeightedEntropy<F>>,
    judges: &'a [Ready<'a, F::Real>],
}

/// One block of rows, as compiled for a CPU level.
struct Block<'a, 'm, 'f, F: Format> {
    piece: Piece<'a, 'm, F>,
    look: &'a EntryLook<'a, F>,
    scratch: &'a mut Scratch<F>,
    facts: &'a mut Filling<'f, RowFacts>,
}

impl<F: Format> Kernel for Block<'_, '_, '_, F> {
    type Output = Result<BlockFindings<F>>;

    #[inline(always)]
    fn run(self) -> Self::Output {
        let Self { piece: Piece { sparse, labels, mut rows }, look, scratch, facts } = self;
        let mut side = BlockFindings::default();
        while !rows.is_empty() {
            // What the cutoffs are asked for lies anywhere: it is fetched for some rows at once.
            let batch = rows.start..rows.end.min(rows.start + BATCH);
            let mut seen = [Seen::NOTHING; BATCH];
            for (row, number) in batch.clone().zip(0..) {
                let entries = &mut scratch.batch[number];
                sparse.load(row, entries)?;
                seen[number] = look.see(entries, labels.given(row));
            }
            for (row, number) in batch.clone().zip(0..) {
                std::mem::swap(&mut scratch.entries, &mut scratch.batch[number]);
                facts.push(look.row(row, labels.given(row), &seen[number], scratch, &mut side)?);
            }
            rows.start = batch.end;
        }
        side.shrink();
        Ok(side)
    }
}

/// The largest cells of a row.
#[derive(Clone, Copy)]
struct Seen<F: Format> {
    own: F::Key,
    other: F::Key,
    /// The class of the latter, where it is not below the former.
    other_class: u32,
}

impl<F: Format> Seen<F> {
    const NOTHING: Self = Self { own: F::Key::ZERO, other: F::Key::ZERO, other_class: NO_CLASS };

    /// The most probable class, and its cell.
    #[inline(always)]
    fn best(&self, given: usize) -> (u32, F::Key) {
        let Self { own, other, other_class } = *self;
        let wins = other_class != NO_CLASS && (own < other || (other_class as usize) < given);
        if wins { (other_class, other) } else { (given as u32, own) }
    }
}

impl<F: Format> EntryLook<'_, F> {
    /// Finds the largest cells, and fetches what they are compared with.
    #[inline(always)]
    fn see(&self, entries: &Entries<F>, given: usize) -> Seen<F> {
        let (own, other) = own_and_other(entries, given);
        let other_class = if other < own {
            NO_CLASS
        } else if other == F::Key::ZERO {
            // All are zeros.
            u32::from(given == 0)
        } else {
            class_of(entries, given, other)
        };
        let seen = Seen { own, other, other_class };
        let (best, _) = seen.best(given);
        simd::prefetch(self.cutoffs.keys().as_ptr().wrapping_add(best as usize));
        if let Some(floors) = self.floors
            && other > own
        {
            simd::prefetch(floors.keys().as_ptr().wrapping_add(best as usize));
        }
        seen
    }

    #[inline(always)]
    fn row(
        &self,
        row: usize,
        given: usize,
        seen: &Seen<F>,
        scratch: &mut Scratch<F>,
        side: &mut BlockFindings<F>,
    ) -> Result<RowFacts> {
        let entries = &mut scratch.entries;
        let is_usual = seen.own.max(seen.other) <= self.largest;
        let facts = if is_usual && self.confident_zeros.is_empty() {
            self.facts(entries, given, seen)
        } else {
            self.defined_facts(row, entries, given)?
        };
        if let Some(floors) = self.floors
            && facts.best_other > facts.own
        {
            if is_usual {
                self.list(row, given, entries, seen.own, &facts, floors, side);
            } else {
                side.shortlist.push_unlisted(row, given, &facts);
            }
        }
        if F::HAS_PROBABILITIES && (self.entropy.is_some() || !self.judges.is_empty()) {
            if !is_usual {
                scratch.drop_signs();
            }
            if let Some(entropy) = &self.entropy {
                side.entropies.push(entropy.weigh(scratch.entropy(), facts.own));
            }
            for judge in self.judges {
                side.judgements.push(scratch.judge(judge, given));
            }
        }
        Ok(facts)
    }

    /// The facts of a row whose keys are in order, where no zero is confident.
    #[inline(always)]
    fn facts(&self, entries: &Entries<F>, given: usize, seen: &Seen<F>) -> RowFacts {
        let (best, cell) = seen.best(given);
        let guess = if cell < self.least {
            NO_CLASS
        } else if cell >= self.cutoffs.keys()[best as usize] {
            best
        } else {
            self.guess(entries, best)
        };
        RowFacts {
            own: F::widen(seen.own),
            best_other: F::widen(seen.other),
            best_other_class: seen.other_class,
            guess,
        }
    }

    /// The guess where the most probable class is not confident.
    #[inline(always)]
    fn guess(&self, entries: &Entries<F>, best: u32) -> u32 {
        let keys = self.cutoffs.keys();
        let (mut most, mut n_confident) = ((F::Key::ZERO, NO_CLASS), 0);
        for (class, bits) in entries.iter() {
            let cell = F::key(bits);
            if cell >= self.least && cell >= keys[class as usize] {
                n_confident += 1;
                if cell > most.0 || cell == most.0 && class < most.1 {
                    most = (cell, class);
                }
            }
        }
        if self.several == Several::RowArgmax && n_confident > 1 { best } else { most.1 }
    }

    /// The same by the definition, for rows with a sign or a value that may not stand there, and where
    /// zeros are confident: of the zeros that are not stored, the lowest speak for all.
    #[cold]
    #[inline(never)]
    fn defined_facts(
        &self,
        row: usize,
        entries: &mut Entries<F>,
        given: usize,
    ) -> Result<RowFacts> {
        check_values(row, entries)?;
        let cutoffs = self.cutoffs.values();
        let (values, classes) = with_zeros(entries, given, cutoffs.len(), &self.confident_zeros);
        let cutoffs: Vec<f64> = classes.iter().map(|&class| cutoffs[class]).collect();
        let place = classes.binary_search(&given).unwrap_or(0);
        let facts = defined_row_facts(&values, place, &cutoffs, self.several);
        let class_at = |place: u32| match classes.get(place as usize) {
            Some(&class) => class as u32,
            None => NO_CLASS,
        };
        Ok(RowFacts {
            best_other_class: class_at(facts.best_other_class),
            guess: class_at(facts.guess),
            ..facts
        })
    }

    /// Lists the cells above the given class's that reach the floors of their classes.
    #[allow(clippy::too_many_arguments)] // all of a row
    #[inline(always)]
    fn list(
        &self,
        row: usize,
        given: usize,
        entries: &Entries<F>,
        own: F::Key,
        facts: &RowFacts,
        floors: &Cutoffs<F>,
        side: &mut BlockFindings<F>,
    ) {
        let listed = &mut side.listed;
        listed.clear();
        for (class, bits) in entries.iter() {
            let cell = F::key(bits);
            if cell > own && cell >= floors.keys()[class as usize] {
                listed.push(Listed { class, cell });
            }
        }
        let is_cut = listed.len() > self.longest_list;
        let cells = listed.drain(..).take(self.longest_list);
        side.shortlist.push_listed(row, given, facts, cells, is_cut);
    }
}

/// The keys of the given class's cell and of the largest other one.
#[inline(always)]
pub(super) fn own_and_other<F: Format>(entries: &Entries<F>, given: usize) -> (F::Key, F::Key) {
    let (mut own, mut other) = ([F::Key::ZERO; LANES], [F::Key::ZERO; LANES]);
    for (classes, cells) in entries.lanes() {
        for lane in 0..LANES {
            let cell = F::key(cells[lane]);
            let is_own = classes[lane] == given as u32;
            own[lane] = own[lane].max(if is_own { cell } else { F::Key::ZERO });
            other[lane] = other[lane].max(if is_own { F::Key::ZERO } else { cell });
        }
    }
    (largest(own), largest(other))
}

/// The lowest other class that has a cell, which is not 0.
#[inline(always)]
fn class_of<F: Format>(entries: &Entries<F>, given: usize, cell: F::Key) -> u32 {
    let mut lowest = [NO_CLASS; LANES];
    for (classes, cells) in entries.lanes() {
        for lane in 0..LANES {
            let is = (F::key(cells[lane]) == cell) & (classes[lane] != given as u32);
            lowest[lane] = lowest[lane].min(if is { classes[lane] } else { NO_CLASS });
        }
    }
    lowest.into_iter().fold(NO_CLASS, u32::min)
}

/// The row as one of fewer classes, ascending: what is stored, the given class, the lowest class that
/// is not, and the lowest two of those for which a zero is confident.
fn with_zeros<F: Format>(
    entries: &Entries<F>,
    given: usize,
    n_classes: usize,
    confident_zeros: &[u32],
) -> (Vec<f64>, Vec<usize>) {
    let mut classes: Vec<usize> = entries.iter().map(|(class, _)| class as usize).collect();
    classes.push(given);
    classes.extend(entries.first_free(0..n_classes, given));
    let mut confident = confident_zeros.iter().map(|&class| class as usize);
    let first = entries.first_free(confident.by_ref(), given);
    classes.extend(first);
    classes.extend(entries.first_free(confident, given));
    classes.sort_unstable();
    classes.dedup();
    let value = |&class: &usize| entries.cell(class).map_or(0.0, F::value);
    (classes.iter().map(value).collect(), classes)
}
