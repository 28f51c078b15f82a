//! `prune_by_noise_rate`: in each given class k, for every other class j, the M[j, k] examples with
//! the largest margin P[:, j] - P[:, k].
//!
//! The counts M are known only after the sweep, but a second pass over the matrix is hardly ever
//! needed. A margin above 0 takes a row whose given class is not its most probable one (a
//! *contender*), and the largest ones take a P[:, j] that is high for class j. So the sweep keeps,
//! of each contender, the few cells above a share of their class's threshold (its *shortlist*).
//! What is not listed lies below that share, which is mostly too little to be among the largest;
//! where it might be enough, cells are read from the matrix, those that might give the largest
//! margins first, and no further than they can. So the result is that of the definition, whatever
//! the share and the length of the lists.

use std::ops::Range;
use std::sync::{MutexGuard, PoisonError};

use super::{PruneCounts, Pruning};
use crate::blocks::Workers;
use crate::error::Result;
use crate::format::{Format, Key, Meaning};
use crate::input::{Matrix, RowsOfClass};
use crate::rank::{Smallest, by_score_then_row};
use crate::row::{Cutoffs, RowFacts};
use crate::scan::for_each_above;
use crate::simd::prefetch;

/// A cell is listed from this share of its class's threshold on. With a larger share more cells
/// are read again, with a smaller one the lists grow; between a tenth and a third it hardly shows.
const SHARE: f64 = 0.2;
/// Scores are spread like logits, most of them far from 0.
const SHARE_OF_SCORES: f64 = 0.6;

/// No list is longer, so that the lists of an uninformative matrix do not become its copy.
pub(crate) fn longest_list(n_classes: usize) -> usize {
    (n_classes / 8).clamp(2, 32)
}

/// How many cells ahead of one that lies anywhere another is fetched.
const PREFETCH_CELLS: usize = 12;
/// Contenders are sorted in at most so many groups.
const MOST_GROUPS: usize = 64;
/// A group has so many of each class, on average.
const CONTENDERS_OF_A_CLASS: usize = 4;

/// Where each class's cells begin to be listed: some way from what is typical of a cell towards the
/// class's threshold. It changes no answer, only how long the lists are.
pub(crate) fn list_floors<F: Format>(matrix: &Matrix<'_, F>, thresholds: &[f64]) -> Cutoffs<F> {
    let (typical, share) = match F::MEANING {
        Meaning::Probability => (0.0, SHARE),
        Meaning::Score => (typical_cell(matrix), SHARE_OF_SCORES),
    };
    let floor = |&threshold: &f64| typical + (threshold - typical) * share;
    Cutoffs::at(thresholds.iter().map(floor).collect())
}

/// The mean of a few thousand cells, at even strides.
fn typical_cell<F: Format>(matrix: &Matrix<'_, F>) -> f64 {
    const ROWS: usize = 64;
    const COLUMNS: usize = 256;
    let rows = (0..matrix.n_rows()).step_by(matrix.n_rows().div_ceil(ROWS).max(1));
    let columns = (0..matrix.n_columns()).step_by(matrix.n_columns().div_ceil(COLUMNS).max(1));
    let cells = rows.flat_map(|row| columns.clone().map(move |column| (row, column)));
    // The sweep finds what may not stand there.
    let values = cells.map(|(row, column)| F::value(matrix.cell(row, column)));
    let (sum, n) = values
        .filter(|value| value.is_finite())
        .fold((0.0, 0_usize), |(sum, n), value| (sum + value, n + 1));
    sum / n.max(1) as f64
}

/// The contenders of one block of rows, and their shortlists.
pub(crate) struct Shortlist<F: Format> {
    contenders: Vec<Contender>,
    cells: Vec<Listed<F>>,
}

/// A row whose given class is not its most probable one.
#[derive(Debug, Clone, Copy)]
struct Contender {
    row: usize,
    given: u32,
    /// How many cells are listed.
    n_listed: u16,
    /// Whether there would have been more.
    is_cut: bool,
    own: f64,
}

impl Contender {
    /// What keys cells that are not listed have at least, if the list is not cut: they are below
    /// their class's floor, or not above the given class's.
    fn least_key(&self, floor: f64) -> f64 {
        (self.own - floor).min(0.0)
    }
}

/// A cell of another class.
#[derive(Clone, Copy)]
pub(crate) struct Listed<F: Format> {
    pub(crate) class: u32,
    pub(crate) cell: F::Key,
}

impl<F: Format> Default for Shortlist<F> {
    fn default() -> Self {
        Self { contenders: Vec::new(), cells: Vec::new() }
    }
}

impl<F: Format> Shortlist<F> {
    /// Lists the cells of one contender, a row of valid cells whose bits are in order.
    #[inline(always)]
    pub(crate) fn push(
        &mut self,
        row: usize,
        cells: &[F::Bits],
        given: usize,
        facts: &RowFacts,
        floors: &Cutoffs<F>,
    ) {
        let start = self.cells.len();
        for_each_above::<F>(cells, floors.keys(), F::key(cells[given]), |class| {
            self.cells.push(Listed { class: class as u32, cell: F::key(cells[class]) });
        });
        let longest = longest_list(cells.len());
        let is_cut = self.cells.len() - start > longest;
        self.cells.truncate(start + longest);
        let n_listed = (self.cells.len() - start) as u16;
        self.push_contender(row, given, facts.own, n_listed, is_cut);
    }

    /// A contender whose cells somebody has listed.
    pub(crate) fn push_listed(
        &mut self,
        row: usize,
        given: usize,
        facts: &RowFacts,
        cells: impl Iterator<Item = Listed<F>>,
        is_cut: bool,
    ) {
        let start = self.cells.len();
        self.cells.extend(cells);
        let n_listed = (self.cells.len() - start) as u16;
        self.push_contender(row, given, facts.own, n_listed, is_cut);
    }

    /// Gives back what is not used of the memory.
    pub(crate) fn shrink(&mut self) {
        self.contenders.shrink_to_fit();
        self.cells.shrink_to_fit();
    }

    /// A contender of whose cells none is listed.
    #[cold]
    pub(crate) fn push_unlisted(&mut self, row: usize, given: usize, facts: &RowFacts) {
        self.push_contender(row, given, facts.own, 0, true);
    }

    #[inline(always)]
    fn push_contender(&mut self, row: usize, given: usize, own: f64, n_listed: u16, is_cut: bool) {
        let given = given as u32;
        self.contenders.push(Contender { row, given, n_listed, is_cut, own });
    }
}

/// The contenders of some blocks, by given class; within one, rows ascend.
struct ContendersByClass<F: Format> {
    contender_starts: Vec<usize>,
    contenders: Vec<Contender>,
    cell_starts: Vec<usize>,
    cells: Vec<Listed<F>>,
}

impl<F: Format> ContendersByClass<F> {
    /// Two counting sorts, so that each class is then read from front to back. What was sorted is
    /// given back.
    fn new(blocks: Vec<Shortlist<F>>, n_classes: usize) -> Self {
        let all = || blocks.iter().flat_map(|block| &block.contenders);
        let contender_starts = starts(n_classes, all().map(|one| (one.given, 1)));
        let cell_starts =
            starts(n_classes, all().map(|one| (one.given, usize::from(one.n_listed))));
        let none = Contender { row: 0, given: 0, n_listed: 0, is_cut: false, own: 0.0 };
        let mut contenders = vec![none; contender_starts[n_classes]];
        let no_cell = Listed { class: 0, cell: F::Key::ZERO };
        let mut cells = vec![no_cell; cell_starts[n_classes]];
        let (mut next_contender, mut next_cell) = (contender_starts.clone(), cell_starts.clone());
        for block in blocks {
            let mut from = 0;
            for contender in &block.contenders {
                let given = contender.given as usize;
                contenders[next_contender[given]] = *contender;
                next_contender[given] += 1;
                let (to, n) = (next_cell[given], usize::from(contender.n_listed));
                cells[to..to + n].copy_from_slice(&block.cells[from..from + n]);
                next_cell[given] += n;
                from += n;
            }
        }
        Self { contender_starts, contenders, cell_starts, cells }
    }

    /// The contenders of one given class, each with its list.
    fn of(&self, given: usize) -> impl Iterator<Item = (&Contender, &[Listed<F>])> + Clone + '_ {
        let contenders = self.contender_starts[given]..self.contender_starts[given + 1];
        let mut cells = &self.cells[self.cell_starts[given]..self.cell_starts[given + 1]];
        self.contenders[contenders].iter().map(move |contender| {
            let (list, rest) = cells.split_at(usize::from(contender.n_listed));
            cells = rest;
            (contender, list)
        })
    }
}

/// Where each class starts, from how many each item adds to its class.
fn starts(n_classes: usize, added: impl Iterator<Item = (u32, usize)>) -> Vec<usize> {
    let mut starts = vec![0; n_classes + 1];
    for (class, n) in added {
        starts[class as usize + 1] += n;
    }
    for class in 0..n_classes {
        starts[class + 1] += starts[class];
    }
    starts
}

/// One other class that examples of a given class are to be removed in favour of.
struct Quota {
    class: usize,
    n: usize,
    /// Where its listed cells stand among those of the given class.
    listed: Range<usize>,
}

/// What a thread works with, from one given class to the next.
struct Scratch {
    /// By class: the number of its quota.
    quota_of: Vec<u32>,
    /// (`P[given] - P[class]`, row) of the listed cells.
    listed: Vec<(f64, usize)>,
    /// The rows that are no contenders, once somebody has asked for them.
    others: Vec<(f64, usize)>,
}

impl<F: Format> Pruning<'_, F> {
    /// Marks the rows to prune, some of them more than once.
    pub(super) fn largest_margins(
        &self,
        counts: &PruneCounts,
        min_examples_per_class: usize,
        mark: &(dyn Fn(usize) + Sync),
        workers: &Workers<'_>,
    ) -> Result<()> {
        let n_classes = self.labels.n_classes();
        let contenders = self.contenders_by_class(workers)?;
        let scratch = || Scratch {
            quota_of: vec![u32::MAX; n_classes],
            listed: Vec::new(),
            others: Vec::new(),
        };
        workers.map(n_classes, scratch, |scratch, given| {
            let removed = counts.removed(given);
            if removed.is_empty() || self.labels.counts()[given] <= min_examples_per_class {
                return Ok(());
            }
            let mut quotas: Vec<Quota> =
                removed.iter().map(|&(class, n)| Quota { class, n, listed: 0..0 }).collect();
            let contenders = contenders.iter().flat_map(|some| some.of(given));
            take_listed(contenders.clone(), &mut quotas, scratch);
            let unlisted = Unlisted::new(contenders, &self.seen.facts);
            let others = self.rows_by_class.of(given);
            scratch.others.clear();
            for Quota { class, n, listed } in quotas {
                workers.check()?;
                if n >= others.len() {
                    others.iter().for_each(mark);
                    continue;
                }
                let mut smallest = Smallest::new(n, &mut scratch.listed[listed]);
                self.offer_unlisted(&unlisted, class, &mut smallest);
                self.offer_others(others, class, &mut smallest, &mut scratch.others);
                smallest.rows().for_each(mark);
            }
            Ok(())
        })?;
        Ok(())
    }

    /// The contenders by given class, several groups of blocks side by side. A group takes two numbers
    /// a class, so each has several contenders of each class.
    fn contenders_by_class(&self, workers: &Workers<'_>) -> Result<Vec<ContendersByClass<F>>> {
        let n_classes = self.labels.n_classes();
        let (n_blocks, n_contenders) = {
            let blocks = self.shortlists();
            (blocks.len(), blocks.iter().map(|block| block.contenders.len()).sum::<usize>())
        };
        let n_groups = (n_contenders / n_classes / CONTENDERS_OF_A_CLASS).clamp(1, MOST_GROUPS);
        let length = n_blocks.div_ceil(n_groups).max(1);
        let sort = |(): &mut (), group: usize| {
            let end = n_blocks.min((group + 1) * length);
            let blocks = &mut self.shortlists()[group * length..end];
            let blocks = blocks.iter_mut().map(std::mem::take).collect();
            Ok(ContendersByClass::new(blocks, n_classes))
        };
        workers.map(n_blocks.div_ceil(length), || (), sort)
    }

    fn shortlists(&self) -> MutexGuard<'_, Vec<Shortlist<F>>> {
        self.shortlists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Step 2: cells of contenders that are not listed, but might be among the largest margins.
    fn offer_unlisted(&self, unlisted: &Unlisted<'_, F>, class: usize, smallest: &mut Smallest) {
        let offer = |contender: &Contender, list: &[Listed<F>], smallest: &mut Smallest| {
            if !list.iter().any(|listed| listed.class as usize == class) {
                let value = F::value(self.matrix.cell(contender.row, class));
                smallest.offer((contender.own - value, contender.row));
            }
        };
        let floor = self.seen.floors.value(class);
        for (place, (contender, list)) in unlisted.by_own.iter().enumerate() {
            if contender.least_key(floor) > smallest.reach() {
                break;
            }
            if let Some((ahead, _)) = unlisted.by_own.get(place + PREFETCH_CELLS) {
                self.matrix.prefetch(ahead.row, class);
            }
            offer(contender, list, smallest);
        }
        for &(least_key, contender, list) in &unlisted.cut {
            if least_key <= smallest.reach() {
                offer(contender, list, smallest);
            }
        }
    }

    /// Step 3: rows that are no contenders, where a quota is larger than the number of margins
    /// above 0.
    fn offer_others(
        &self,
        rows: RowsOfClass<'_>,
        class: usize,
        smallest: &mut Smallest,
        others: &mut Vec<(f64, usize)>,
    ) {
        // No margin of theirs is above 0.
        if smallest.reach() < 0.0 {
            return;
        }
        if others.is_empty() {
            self.find_others(rows, others);
        }
        for &(least_key, row) in &*others {
            // No cell of a row is above its best other one.
            if least_key > smallest.reach() {
                break;
            }
            let value = F::value(self.matrix.cell(row, class));
            smallest.offer((self.seen.facts[row].own - value, row));
        }
    }

    /// The rows that are no contenders, each with what its keys are at least, the least first.
    fn find_others(&self, rows: RowsOfClass<'_>, others: &mut Vec<(f64, usize)>) {
        let mut ahead = rows.iter();
        ahead.by_ref().take(PREFETCH_CELLS).for_each(|_| ());
        for row in rows.iter() {
            if let Some(ahead) = ahead.next() {
                prefetch(&raw const self.seen.facts[ahead]);
            }
            let RowFacts { own, best_other, .. } = self.seen.facts[row];
            if best_other <= own {
                others.push((own - best_other, row));
            }
        }
        others.sort_unstable_by(by_score_then_row);
    }
}

/// The contenders of a given class, as those look at them who want cells that are not listed.
struct Unlisted<'c, F: Format> {
    /// Those whose lists are not cut, by `own`: the sooner, the larger a margin may be.
    by_own: Vec<(&'c Contender, &'c [Listed<F>])>,
    /// Those whose lists are, each with what its keys are at least.
    cut: Vec<(f64, &'c Contender, &'c [Listed<F>])>,
}

impl<'c, F: Format> Unlisted<'c, F> {
    fn new(
        contenders: impl Iterator<Item = (&'c Contender, &'c [Listed<F>])>,
        facts: &[RowFacts],
    ) -> Self {
        let (cut, mut by_own): (Vec<_>, Vec<_>) = contenders.partition(|(one, _)| one.is_cut);
        by_own.sort_unstable_by(|left, right| left.0.own.total_cmp(&right.0.own));
        // No cell of a row is above its best other one.
        let least_key = |one: &Contender| one.own - facts[one.row].best_other;
        let cut = cut.into_iter().map(|(one, list)| (least_key(one), one, list)).collect();
        Self { by_own, cut }
    }
}

/// Step 1: the listed cells, those of each quota side by side.
fn take_listed<'c, F: Format>(
    contenders: impl Iterator<Item = (&'c Contender, &'c [Listed<F>])> + Clone,
    quotas: &mut [Quota],
    scratch: &mut Scratch,
) {
    let Scratch { quota_of, listed, .. } = scratch;
    for (quota, number) in quotas.iter().zip(0..) {
        quota_of[quota.class] = number;
    }
    let quota_of_cell = |cell: &Listed<F>| quota_of[cell.class as usize] as usize;
    for cell in contenders.clone().flat_map(|(_, list)| list) {
        if let Some(quota) = quotas.get_mut(quota_of_cell(cell)) {
            quota.listed.end += 1;
        }
    }
    let mut total = 0;
    for quota in &mut *quotas {
        let start = total;
        total += quota.listed.len();
        quota.listed = start..start;
    }
    listed.clear();
    listed.resize(total, (0.0, 0));
    for (contender, list) in contenders {
        for cell in list {
            if let Some(quota) = quotas.get_mut(quota_of_cell(cell)) {
                listed[quota.listed.end] = (contender.own - F::widen(cell.cell), contender.row);
                quota.listed.end += 1;
            }
        }
    }
    for quota in quotas {
        quota_of[quota.class] = u32::MAX;
    }
}

#[cfg(test)]
mod tests {
    use crate::PredProbs;
    use crate::format::Float64;
    use crate::input::{Labels, Matrix};
    use crate::issues::{Removals, Search, find_label_issues};
    use crate::joint::ConfidentJoint;
    use crate::prune::Filter;
    use crate::threads::on_this_thread;

    #[test]
    fn a_cell_above_its_floor_but_below_the_given_classs_is_found() {
        // Row 1 is class 2 by the largest margin, -0.01, though that cell is on no shortlist.
        let cells = [
            [0.05, 0.95, 0.0],
            [0.3, 0.41, 0.29],
            [0.2, 0.7, 0.1],
            [0.5, 0.4, 0.1], // So class 2 has a low threshold, 0.1.
        ];
        let labels = Labels::new([0, 0, 1, 2_i64].into_iter(), 3).unwrap();
        let first = cells.as_ptr().cast();
        // SAFETY: these are the shape and the strides of `cells`, which outlives the matrix.
        let matrix = unsafe { Matrix::<Float64>::new(first, (4, 3), (24, 8)) };
        let joint = [1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
        let search = Search {
            removals: Removals::Joint {
                confident_joint: Some(ConfidentJoint::from_dense(&joint, 3).unwrap()),
                frac_noise: 1.0,
                per_class: None,
            },
            ..Search::of(Filter::PruneByNoiseRate)
        };
        let found = on_this_thread(|workers| {
            find_label_issues(&labels, &PredProbs::Float64(matrix), &search, workers)
        });
        assert_eq!(found, Ok(vec![true, true, false, false]));
    }
}
