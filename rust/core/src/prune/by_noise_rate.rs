//! `prune_by_noise_rate`: in each given class k, for every other class j, the M[j, k] examples with
//! the largest margin P[:, j] - P[:, k].
//!
//! The counts M are known only after the sweep, but a second pass over the matrix is hardly ever
//! needed. A margin above 0 takes a row whose given class is not its most probable one (a
//! *contender*), and the largest ones take a P[:, j] that is high for class j. So the sweep keeps,
//! of each contender, the few cells above a share of their class's threshold (its *shortlist*).
//! What is not listed lies below that share, which is mostly too little to be among the largest;
//! where it might be enough, and only there, cells are read from the matrix. So the result is that
//! of the definition, whatever the share and the length of the lists.

use std::ops::Range;

use super::{PruneCounts, Pruning};
use crate::blocks::Workers;
use crate::error::Result;
use crate::format::Format;
use crate::input::RowsByClass;
use crate::rank::n_smallest;
use crate::row::{Cutoffs, RowFacts};
use crate::scan::for_each_above;
use crate::simd::prefetch;

/// A cell is listed from this share of its class's threshold on. With a larger share more cells
/// are read again, with a smaller one the lists grow; between a tenth and a third it hardly shows.
const SHARE: f64 = 0.2;
/// No list is longer, so that the lists of an uninformative matrix do not become its copy.
const LONGEST: usize = 32;
/// How far ahead a column of the matrix is fetched, in rows.
const PREFETCH_ROWS: usize = 24;
/// Contenders are sorted in at most so many groups.
const MOST_GROUPS: usize = 64;

/// Where each class's cells begin to be listed.
pub(crate) fn list_floors<F: Format>(thresholds: &[f64]) -> Cutoffs<F> {
    Cutoffs::at(thresholds.iter().map(|threshold| threshold * SHARE).collect())
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
    best_other: f64,
}

/// A cell of another class.
#[derive(Clone, Copy)]
struct Listed<F: Format> {
    class: u32,
    cell: F::Bits,
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
        for_each_above(cells, floors.bits(), cells[given], |class| {
            self.cells.push(Listed { class: class as u32, cell: cells[class] });
        });
        let is_cut = self.cells.len() - start > LONGEST;
        self.cells.truncate(start + LONGEST);
        let n_listed = (self.cells.len() - start) as u16;
        self.push_contender(row, given, facts, n_listed, is_cut);
    }

    /// A contender of whose cells none is listed.
    #[cold]
    pub(crate) fn push_unlisted(&mut self, row: usize, given: usize, facts: &RowFacts) {
        self.push_contender(row, given, facts, 0, true);
    }

    #[inline(always)]
    fn push_contender(
        &mut self,
        row: usize,
        given: usize,
        facts: &RowFacts,
        n_listed: u16,
        is_cut: bool,
    ) {
        let RowFacts { own, best_other, .. } = *facts;
        let given = given as u32;
        self.contenders.push(Contender { row, given, n_listed, is_cut, own, best_other });
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
    /// Two counting sorts, so that each class is then read from front to back.
    fn new(blocks: &[Shortlist<F>], n_classes: usize) -> Self {
        let all = || blocks.iter().flat_map(|block| &block.contenders);
        let contender_starts = starts(n_classes, all().map(|one| (one.given, 1)));
        let cell_starts =
            starts(n_classes, all().map(|one| (one.given, usize::from(one.n_listed))));
        let none =
            Contender { row: 0, given: 0, n_listed: 0, is_cut: false, own: 0.0, best_other: 0.0 };
        let mut contenders = vec![none; contender_starts[n_classes]];
        let mut cells = blocks.iter().flat_map(|block| &block.cells).copied().collect::<Vec<_>>();
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

/// (`P[given] - P[class]`, row): the smallest are the largest margins.
type Keyed = (f64, usize);

/// One other class that examples of a given class are to be removed in favour of.
struct Quota {
    class: usize,
    n: usize,
    /// Where its listed cells stand among those of the given class.
    listed: Range<usize>,
    /// Cells that were not listed, but read.
    read: Vec<Keyed>,
    /// Cells that are not known, but might have a key of at most this, are to be read.
    cut: f64,
}

impl Quota {
    fn new(class: usize, n: usize) -> Self {
        Self { class, n, listed: 0..0, read: Vec::new(), cut: f64::INFINITY }
    }

    /// Whether fewer margins above 0 are known than rows are to be removed.
    fn is_unfilled(&self) -> bool {
        self.listed.len() + self.read.len() < self.n
    }

    /// The rows with the largest margins, of all that are known.
    fn take_rows(&mut self, listed: &mut [Keyed], rows: &mut Vec<usize>) {
        let listed = &mut listed[self.listed.clone()];
        let largest = if self.read.is_empty() {
            n_smallest(listed, self.n)
        } else {
            self.read.extend_from_slice(listed);
            n_smallest(&mut self.read, self.n)
        };
        rows.extend(largest.iter().map(|&(_, row)| row));
    }
}

/// What a thread works with, from one given class to the next.
struct Scratch {
    /// By class: the number of its quota.
    quota_of: Vec<u32>,
    listed: Vec<Keyed>,
    unlisted: Vec<(usize, usize, f64)>,
}

impl<F: Format> Pruning<'_, F> {
    /// The rows to prune, some of them more than once.
    pub(super) fn largest_margins(
        &self,
        counts: &PruneCounts,
        min_examples_per_class: usize,
        workers: &Workers<'_>,
    ) -> Result<Vec<usize>> {
        let n_classes = self.labels.n_classes();
        let contenders = self.contenders_by_class(workers)?;
        let scratch = || Scratch {
            quota_of: vec![u32::MAX; n_classes],
            listed: Vec::new(),
            unlisted: Vec::new(),
        };
        let by_class = workers.map(n_classes, scratch, |scratch, given| {
            let removed = counts.removed(given);
            if removed.is_empty() || self.labels.counts()[given] <= min_examples_per_class {
                return Ok((Vec::new(), Vec::new()));
            }
            let mut quotas: Vec<Quota> =
                removed.iter().map(|&(class, n)| Quota::new(class, n)).collect();
            let contenders = contenders.iter().flat_map(|some| some.of(given));
            take_listed(contenders.clone(), &mut quotas, scratch);
            self.read_unlisted(contenders, &mut quotas, &mut scratch.unlisted);
            let mut rows = Vec::new();
            let mut unfilled = Vec::new();
            for mut quota in quotas {
                if quota.is_unfilled() {
                    unfilled.push(quota);
                } else {
                    quota.take_rows(&mut scratch.listed, &mut rows);
                }
            }
            Ok((rows, unfilled))
        })?;
        let (rows, unfilled): (Vec<_>, Vec<_>) = by_class.into_iter().unzip();
        let mut rows: Vec<usize> = rows.into_iter().flatten().collect();
        rows.extend(self.fill_from_class(&unfilled, workers)?);
        Ok(rows)
    }

    /// The contenders by given class, several groups of blocks side by side. A group costs as much
    /// as there are classes, so there are no more than pay.
    fn contenders_by_class(&self, workers: &Workers<'_>) -> Result<Vec<ContendersByClass<F>>> {
        let blocks = &self.seen.shortlists;
        let n_classes = self.labels.n_classes();
        let n_contenders: usize = blocks.iter().map(|block| block.contenders.len()).sum();
        let n_groups = (n_contenders / n_classes).clamp(1, MOST_GROUPS);
        let groups: Vec<_> = blocks.chunks(blocks.len().div_ceil(n_groups).max(1)).collect();
        let sort = |(): &mut (), group: usize| Ok(ContendersByClass::new(groups[group], n_classes));
        workers.map(groups.len(), || (), sort)
    }

    /// Step 2: cells above the given class's that are not listed, but might be among the largest
    /// margins.
    fn read_unlisted<'c>(
        &self,
        contenders: impl Iterator<Item = (&'c Contender, &'c [Listed<F>])> + Clone,
        quotas: &mut [Quota],
        unlisted: &mut Vec<(usize, usize, f64)>,
    ) {
        // An unlisted cell lies below its class's floor, or the list was cut.
        let mut any_cut = false;
        let mut smallest_own = f64::INFINITY;
        for (contender, _) in contenders.clone() {
            any_cut |= contender.is_cut;
            smallest_own = smallest_own.min(contender.own);
        }
        let floor = |quota: &Quota| self.seen.floors.value(quota.class);
        let open: Vec<usize> = (0..quotas.len())
            .filter(|&number| {
                any_cut || smallest_own - floor(&quotas[number]) <= quotas[number].cut
            })
            .collect();
        if open.is_empty() {
            return;
        }
        // First ask for all of them, then read: they lie far apart.
        unlisted.clear();
        for (contender, list) in contenders {
            for &number in &open {
                let quota = &quotas[number];
                let at_most = if contender.is_cut { contender.best_other } else { floor(quota) };
                let is_listed = || list.iter().any(|listed| listed.class as usize == quota.class);
                if contender.own - at_most <= quota.cut && !is_listed() {
                    prefetch(self.matrix.address(contender.row, quota.class));
                    unlisted.push((number, contender.row, contender.own));
                }
            }
        }
        for &(number, row, own) in unlisted.iter() {
            let quota = &mut quotas[number];
            let value = F::widen(self.matrix.cell(row, quota.class));
            if value > own {
                quota.read.push((own - value, row));
            }
        }
    }

    /// Step 3: a quota larger than the number of margins above 0 takes the rest of the class too.
    fn fill_from_class(
        &self,
        unfilled: &[Vec<Quota>],
        workers: &Workers<'_>,
    ) -> Result<impl Iterator<Item = usize> + use<F>> {
        let rows_by_class = RowsByClass::of_some(self.labels, |given| !unfilled[given].is_empty());
        let filled = workers.map(
            unfilled.len(),
            || (),
            |(), given| {
                let rows = rows_by_class.of(given);
                let mut pruned = Vec::new();
                for &Quota { class, n, .. } in &unfilled[given] {
                    let mut keyed = Vec::with_capacity(rows.len());
                    for (place, &row) in rows.iter().enumerate() {
                        if let Some(&ahead) = rows.get(place + PREFETCH_ROWS) {
                            prefetch(self.matrix.address(ahead, class));
                        }
                        let value = F::widen(self.matrix.cell(row, class));
                        keyed.push((self.seen.facts[row].own - value, row));
                    }
                    pruned.extend(n_smallest(&mut keyed, n).iter().map(|&(_, row)| row));
                }
                Ok(pruned)
            },
        )?;
        Ok(filled.into_iter().flatten())
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
    let all_cells = contenders.clone().flat_map(|(_, list)| list);
    for cell in all_cells {
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
        if quota.listed.len() >= quota.n {
            let among = n_smallest(&mut listed[quota.listed.clone()], quota.n);
            quota.cut = among.iter().fold(f64::NEG_INFINITY, |cut, &(key, _)| cut.max(key));
        }
    }
}
