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

use super::{PruneCounts, Pruning};
use crate::blocks::Workers;
use crate::error::Result;
use crate::format::Format;
use crate::input::Labels;
use crate::rank::n_smallest;
use crate::row::{Cutoffs, for_each_above};

/// A cell is listed from this share of its class's threshold on. Half or a fifth left more cells
/// to be read again, a twentieth made the lists longer; all three were slower.
const SHARE: f64 = 0.1;
/// No list is longer, so that the lists of an uninformative matrix do not become its copy.
const LONGEST: usize = 32;

/// The contenders of one block of rows, and their shortlists.
pub(crate) struct Shortlist<F: Format> {
    contenders: Vec<Contender>,
    classes: Vec<u32>,
    cells: Vec<F::Bits>,
}

struct Contender {
    row: usize,
    start: usize,
    end: usize,
    /// Whether the list was cut at its longest.
    is_cut: bool,
}

impl<F: Format> Default for Shortlist<F> {
    fn default() -> Self {
        Self { contenders: Vec::new(), classes: Vec::new(), cells: Vec::new() }
    }
}

/// Where each class's cells begin to be listed.
pub(crate) fn list_floors<F: Format>(thresholds: &[f64]) -> Cutoffs<F> {
    Cutoffs::at(thresholds.iter().map(|threshold| threshold * SHARE).collect())
}

impl<F: Format> Shortlist<F> {
    /// Lists the cells of one contender, a row of valid cells.
    #[inline(always)]
    pub(crate) fn push(
        &mut self,
        row: usize,
        cells: &[F::Bits],
        given: usize,
        floors: &Cutoffs<F>,
    ) {
        let own = cells[given];
        let start = self.cells.len();
        for_each_above(cells, floors.bits(), own, |class| {
            self.classes.push(class as u32);
            self.cells.push(cells[class]);
        });
        let end = self.cells.len().min(start + LONGEST);
        let is_cut = end < self.cells.len();
        self.classes.truncate(end);
        self.cells.truncate(end);
        self.contenders.push(Contender { row, start, end, is_cut });
    }

    /// A contender of whose cells none is listed.
    #[cold]
    pub(crate) fn push_unlisted(&mut self, row: usize) {
        let end = self.cells.len();
        self.contenders.push(Contender { row, start: end, end, is_cut: true });
    }

    /// The listed cells of a contender: (class, value).
    fn list(&self, of: &Contender) -> impl Iterator<Item = (u32, f64)> + '_ {
        let values = self.cells[of.start..of.end].iter().map(|&bits| F::widen(bits));
        self.classes[of.start..of.end].iter().copied().zip(values)
    }

    fn lists(&self, of: &Contender, class: usize) -> bool {
        self.classes[of.start..of.end].contains(&(class as u32))
    }
}

/// The contenders of each given class, by block and place in it; rows ascend.
struct ContendersByClass {
    starts: Vec<usize>,
    places: Vec<(u32, u32)>,
}

impl ContendersByClass {
    fn new<F: Format>(shortlists: &[Shortlist<F>], labels: &Labels) -> Self {
        let all = || {
            shortlists.iter().zip(0..).flat_map(|(block, number)| {
                let rows = block.contenders.iter().zip(0..);
                rows.map(move |(contender, place)| (labels.given(contender.row), (number, place)))
            })
        };
        let mut starts = vec![0; labels.n_classes() + 1];
        all().for_each(|(given, _)| starts[given + 1] += 1);
        for class in 0..labels.n_classes() {
            starts[class + 1] += starts[class];
        }
        let mut next = starts.clone();
        let mut places = vec![(0, 0); starts[labels.n_classes()]];
        for (given, place) in all() {
            places[next[given]] = place;
            next[given] += 1;
        }
        Self { starts, places }
    }

    fn of(&self, class: usize) -> &[(u32, u32)] {
        &self.places[self.starts[class]..self.starts[class + 1]]
    }
}

/// One other class that examples of a given class are to be removed in favour of.
struct Quota {
    class: usize,
    n: usize,
    /// (P[given] - P[class], row): the smallest are the largest margins.
    known: Vec<(f64, usize)>,
    /// Cells that are not known, but might have a key of at most this, are to be read.
    cut: f64,
}

impl<F: Format> Pruning<'_, F> {
    /// The rows to prune from each class.
    pub(super) fn largest_margins(
        &self,
        counts: &PruneCounts,
        min_examples_per_class: usize,
        workers: &Workers<'_>,
    ) -> Result<Vec<Vec<usize>>> {
        let n_classes = self.labels.n_classes();
        let shortlists = &self.seen.shortlists;
        let contenders = ContendersByClass::new(shortlists, self.labels);
        let no_quota = || vec![u32::MAX; n_classes];
        workers.map(n_classes, no_quota, |quota_of, given| {
            let wanted = counts.removed(given);
            let n_given = self.rows_by_class.of(given).len();
            if n_given <= min_examples_per_class || wanted.is_empty() {
                return Ok(Vec::new());
            }
            let mut quotas: Vec<Quota> = wanted
                .iter()
                .map(|&(class, n)| Quota { class, n, known: Vec::new(), cut: f64::INFINITY })
                .collect();
            for (quota, number) in quotas.iter().zip(0..) {
                quota_of[quota.class] = number;
            }
            let places = contenders.of(given).iter();
            let contenders: Vec<(&Shortlist<F>, &Contender)> = places
                .map(|&(block, place)| {
                    let block = &shortlists[block as usize];
                    (block, &block.contenders[place as usize])
                })
                .collect();
            self.take_listed(&contenders, &mut quotas, quota_of);
            self.read_unlisted(&contenders, &mut quotas);
            let mut pruned = Vec::new();
            for mut quota in quotas {
                quota_of[quota.class] = u32::MAX;
                if quota.known.len() < quota.n {
                    self.read_class(given, &mut quota);
                }
                pruned.extend(n_smallest(&mut quota.known, quota.n).iter().map(|&(_, row)| row));
            }
            Ok(pruned)
        })
    }

    /// Step 1: the listed cells.
    fn take_listed(
        &self,
        contenders: &[(&Shortlist<F>, &Contender)],
        quotas: &mut [Quota],
        quota_of: &[u32],
    ) {
        for (block, contender) in contenders {
            let own = self.seen.facts[contender.row].own;
            for (class, value) in block.list(contender) {
                if let Some(quota) = quotas.get_mut(quota_of[class as usize] as usize) {
                    quota.known.push((own - value, contender.row));
                }
            }
        }
        for quota in quotas {
            if quota.known.len() >= quota.n {
                let among = n_smallest(&mut quota.known, quota.n);
                quota.cut = among.iter().fold(f64::NEG_INFINITY, |cut, &(key, _)| cut.max(key));
            }
        }
    }

    /// Step 2: cells above the given class's that are not listed, but might be among the largest
    /// margins. Row by row, so that a row is fetched once.
    fn read_unlisted(&self, contenders: &[(&Shortlist<F>, &Contender)], quotas: &mut [Quota]) {
        // An unlisted cell lies below its class's floor, or the list was cut.
        let any_cut = contenders.iter().any(|(_, contender)| contender.is_cut);
        let own = |(_, contender): &(_, &Contender)| self.seen.facts[contender.row].own;
        let smallest_own = contenders.iter().map(own).fold(f64::INFINITY, f64::min);
        let mut open: Vec<&mut Quota> = quotas
            .iter_mut()
            .filter(|q| any_cut || smallest_own - self.seen.floors.value(q.class) <= q.cut)
            .collect();
        if open.is_empty() {
            return;
        }
        for (block, contender) in contenders {
            let facts = &self.seen.facts[contender.row];
            for quota in &mut open {
                let at_most = if contender.is_cut {
                    facts.best_other
                } else {
                    self.seen.floors.value(quota.class)
                };
                if facts.own - at_most <= quota.cut && !block.lists(contender, quota.class) {
                    let value = F::widen(self.matrix.cell(contender.row, quota.class));
                    if value > facts.own {
                        quota.known.push((facts.own - value, contender.row));
                    }
                }
            }
        }
    }

    /// Step 3: a quota larger than the number of margins above 0 takes the rest of the class too.
    fn read_class(&self, given: usize, quota: &mut Quota) {
        quota.known.clear();
        quota.known.extend(self.rows_by_class.of(given).iter().map(|&row| {
            (self.seen.facts[row].own - F::widen(self.matrix.cell(row, quota.class)), row)
        }));
    }
}
