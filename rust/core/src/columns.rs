//! The look at a matrix in Fortran order, in which columns lie side by side, and rows do not.
//!
//! To lay rows out anew takes longer than to look at them. So a block of rows is looked at one
//! column after the other, and what is the largest so far is kept of each row. The facts that come
//! of it are those of [`crate::row`], to the bit.

use std::ops::Range;

use crate::blocks::{BLOCK_BYTES, Filling, Workers};
use crate::error::Result;
use crate::format::{Bits, Format, Key, Meaning};
use crate::input::{AllRows, Labels, Matrix};
use crate::look::Looked;
use crate::prune::{Listed, Shortlist, longest_list};
use crate::row::{Candidates, Cutoffs, RowFacts, Several, ValidKeys, unusual_row_facts};
use crate::scan::Scan;
use crate::simd::{self, Kernel};
use crate::sweep::{bad_cell, first_fault, or_first_fault};

/// Rows that are looked at together: a fixed number needs no care for what is left.
const STRIP: usize = 128;
/// Rows of a block: what is kept of them fits in the first-level cache, and a column of them takes
/// a page of memory.
const BLOCK_ROWS: usize = 8 * STRIP;

/// One fact a row, and the shortlists where there are floors to list from.
pub(crate) fn sweep_columns<F: Format>(
    matrix: &Matrix<'_, F>,
    labels: &Labels,
    cutoffs: &Cutoffs<F>,
    floors: Option<&Cutoffs<F>>,
    several: Several,
    workers: &Workers<'_>,
) -> Result<Looked<F>> {
    let never = Cutoffs::never(labels.n_classes());
    let look = |(): &mut (), mut rows: Range<usize>, facts: &mut Filling<'_, _>| {
        let mut shortlist = Shortlist::default();
        while !rows.is_empty() {
            let end = rows.end.min(rows.start + BLOCK_ROWS);
            let mut block = Block {
                matrix,
                cutoffs,
                floors: floors.unwrap_or(&never),
                several,
                workers,
                rows: rows.start..end,
                strips: strips(matrix, labels, rows.start..end),
                listed: Vec::new(),
            };
            simd::dispatch(workers.level(), &mut block)?;
            block.finish(floors.is_some().then_some(&mut shortlist), facts)?;
            rows.start = end;
        }
        Ok(shortlist)
    };
    let swept = workers.fill(labels.n_examples(), BLOCK_BYTES / BLOCK_ROWS, || (), look);
    let all = AllRows(labels.n_examples());
    let (facts, shortlists) = or_first_fault(swept, || first_fault(matrix, &all, workers))?;
    Ok(Looked { facts, entropies: Vec::new(), judgements: Vec::new(), shortlists })
}

/// What is known of some rows when some columns have been looked at. One piece of memory, so that
/// a compiler sees that its parts do not overlap.
struct Strip<F: Format> {
    given: [u32; STRIP],
    own: [F::Key; STRIP],
    /// The largest cell of the other classes, and the first class that has it.
    other: [F::Key; STRIP],
    other_class: [u32; STRIP],
    /// Of scores the smallest cell.
    least: [F::Key; STRIP],
    /// The same as for the other classes among the confident ones.
    confident: [<F::Key as Key>::Signed; STRIP],
    confident_class: [u32; STRIP],
    /// How many cells are confident, the given class's too; 0 unless somebody asks.
    n_confident: [u32; STRIP],
    /// How many cells are, or would be, on the shortlist.
    n_listed: [u32; STRIP],
}

/// Of rows of which only the own-class cells have been looked at.
fn strips<F: Format>(matrix: &Matrix<'_, F>, labels: &Labels, rows: Range<usize>) -> Vec<Strip<F>> {
    rows.clone().for_each(|row| matrix.prefetch(row, labels.given(row)));
    let strip = |start: usize| {
        let mut strip = Strip {
            given: [0; STRIP],
            own: [F::Key::ZERO; STRIP],
            other: [F::Key::ZERO; STRIP],
            other_class: [0; STRIP],
            least: [F::Key::MAX; STRIP],
            confident: [F::Key::NONE; STRIP],
            confident_class: [0; STRIP],
            n_confident: [0; STRIP],
            n_listed: [0; STRIP],
        };
        for (lane, row) in (start..rows.end.min(start + STRIP)).enumerate() {
            let given = labels.given(row);
            strip.given[lane] = given as u32;
            strip.own[lane] = F::key(matrix.cell(row, given));
            // Of a row of zeros.
            strip.other_class[lane] = u32::from(given == 0);
        }
        strip
    };
    rows.clone().step_by(STRIP).map(strip).collect()
}

/// Some rows, column by column, as compiled for a CPU level.
struct Block<'a, 'm, F: Format> {
    matrix: &'a Matrix<'m, F>,
    cutoffs: &'a Cutoffs<F>,
    floors: &'a Cutoffs<F>,
    several: Several,
    workers: &'a Workers<'a>,
    rows: Range<usize>,
    strips: Vec<Strip<F>>,
    /// Cells for the shortlist, by class; each with its place in the block.
    listed: Vec<(u32, Listed<F>)>,
}

impl<F: Format> Kernel for &mut Block<'_, '_, F> {
    type Output = Result<()>;

    #[inline(always)]
    fn run(self) -> Result<()> {
        let longest = longest_list(self.matrix.n_columns());
        let bounds = self.cutoffs.keys().iter().zip(self.floors.keys());
        for (class, (&cutoff, &floor)) in (0..).zip(bounds) {
            self.workers.check()?;
            let column = self.matrix.column(self.rows.clone(), class);
            for (number, (strip, cells)) in
                self.strips.iter_mut().zip(column.chunks(STRIP)).enumerate()
            {
                // The same place of the next column.
                let ahead = self.rows.start + number * STRIP;
                for row in (ahead..ahead + STRIP).step_by(64 / size_of::<F::Bits>()) {
                    self.matrix.prefetch(row, class + 1);
                }
                let mut padded = [F::Bits::ZERO; STRIP];
                let cells = cells.try_into().unwrap_or_else(|_| {
                    padded[..cells.len()].copy_from_slice(cells);
                    &padded
                });
                let mut keys = [F::Key::ZERO; STRIP];
                for (key, &cell) in keys.iter_mut().zip(cells) {
                    *key = F::key(cell);
                }
                if self.several == Several::RowArgmax {
                    strip.count_confident(&keys, cutoff);
                }
                if strip.look(&keys, class as u32, cutoff, floor) {
                    strip.list(&keys, class as u32, floor, longest, |lane, listed| {
                        self.listed.push(((number * STRIP + lane) as u32, listed));
                    });
                }
            }
        }
        Ok(())
    }
}

impl<F: Format> Strip<F> {
    /// Looks at a column; says whether some cell is for the shortlist.
    ///
    /// Small loops, in which everything is loaded before it is chosen from: only so is each of them
    /// compiled to operations on many lanes.
    #[inline(always)]
    fn look(&mut self, cells: &[F::Key; STRIP], class: u32, cutoff: F::Key, floor: F::Key) -> bool {
        // The given class does not compete with itself.
        let mut others = [F::Key::ZERO; STRIP];
        for ((other, &cell), &given) in others.iter_mut().zip(cells).zip(&self.given) {
            *other = if given == class { F::Key::ZERO } else { cell };
        }
        let largest = self.other.iter_mut().zip(&mut self.other_class);
        for ((largest, largest_class), &cell) in largest.zip(&others) {
            let (before, class_before) = (*largest, *largest_class);
            *largest = before.max(cell);
            *largest_class = if cell > before { class } else { class_before };
        }
        let mut candidates = [F::Key::NONE; STRIP];
        for ((candidate, &cell), &given) in candidates.iter_mut().zip(cells).zip(&self.given) {
            let confident = if cell >= cutoff { cell.signed() } else { F::Key::NONE };
            *candidate = if given == class { F::Key::NONE } else { confident };
        }
        let largest = self.confident.iter_mut().zip(&mut self.confident_class);
        for ((largest, largest_class), &candidate) in largest.zip(&candidates) {
            let (before, class_before) = (*largest, *largest_class);
            *largest = before.max(candidate);
            *largest_class = if candidate > before { class } else { class_before };
        }
        if F::MEANING == Meaning::Score {
            for (least, &cell) in self.least.iter_mut().zip(cells) {
                *least = (*least).min(cell);
            }
        }
        let mut any = F::Key::ZERO;
        for (&own, &cell) in self.own.iter().zip(&others) {
            let high_enough = if cell >= floor { F::Key::MAX } else { F::Key::ZERO };
            any = any.max(if cell > own { high_enough } else { F::Key::ZERO });
        }
        any == F::Key::MAX
    }

    #[inline(always)]
    fn count_confident(&mut self, cells: &[F::Key; STRIP], cutoff: F::Key) {
        for (n, &cell) in self.n_confident.iter_mut().zip(cells) {
            *n += u32::from(cell >= cutoff);
        }
    }

    /// Lists the cells of a column that are above those of the given classes, and not too low.
    #[inline(always)]
    fn list(
        &mut self,
        cells: &[F::Key; STRIP],
        class: u32,
        floor: F::Key,
        longest: usize,
        mut push: impl FnMut(usize, Listed<F>),
    ) {
        for lane in 0..STRIP {
            let cell = cells[lane];
            if (cell > self.own[lane]) & (cell >= floor) & (self.given[lane] != class) {
                if (self.n_listed[lane] as usize) < longest {
                    push(lane, Listed { class, cell });
                }
                self.n_listed[lane] += 1;
            }
        }
    }
}

impl<F: Format> Block<'_, '_, F> {
    /// What follows when all columns have been looked at.
    fn finish(
        mut self,
        mut shortlist: Option<&mut Shortlist<F>>,
        facts: &mut Filling<'_, RowFacts>,
    ) -> Result<()> {
        let valid = ValidKeys::<F>::new();
        let longest = longest_list(self.matrix.n_columns());
        // A stable sort, so the classes of a row ascend.
        self.listed.sort_by_key(|&(place, _)| place);
        let mut listed = &self.listed[..];
        for (place, row) in self.rows.clone().enumerate() {
            let (strip, lane) = (&self.strips[place / STRIP], place % STRIP);
            let n_kept = (strip.n_listed[lane] as usize).min(longest);
            let (of_row, of_others) = listed.split_at(n_kept);
            listed = of_others;
            let given = strip.given[lane] as usize;
            let (own, other) = (strip.own[lane], strip.other[lane]);
            let confident_other = strip.confident[lane];
            let seen = Scan { other, confident_other, least: strip.least[lane] };
            if !valid.hold(&seen, own) {
                let cells = self.row(row);
                let fact = unusual_row_facts(&cells, given, self.cutoffs, self.several)
                    .map_err(|found| bad_cell(F::MEANING, row, found))?;
                if let Some(shortlist) = &mut shortlist
                    && fact.best_other > fact.own
                {
                    shortlist.push_unlisted(row, given, &fact);
                }
                facts.push(fact);
                continue;
            }
            let candidates = Candidates {
                given,
                own,
                seen,
                other_class: (other >= own).then_some(strip.other_class[lane] as usize),
            };
            let cutoffs = self.cutoffs.keys();
            let guess = candidates.guess(
                cutoffs,
                self.several,
                || strip.confident_class[lane] as usize,
                || strip.n_confident[lane] > 1,
            );
            let fact = candidates.facts(guess);
            if let Some(shortlist) = &mut shortlist
                && fact.best_other > fact.own
            {
                let cells = of_row.iter().map(|&(_, listed)| listed);
                let is_cut = strip.n_listed[lane] as usize > longest;
                shortlist.push_listed(row, given, &fact, cells, is_cut);
            }
            facts.push(fact);
        }
        Ok(())
    }

    /// The cells of one row, side by side.
    #[cold]
    fn row(&self, row: usize) -> Vec<F::Bits> {
        (0..self.matrix.n_columns()).map(|class| self.matrix.cell(row, class)).collect()
    }
}
