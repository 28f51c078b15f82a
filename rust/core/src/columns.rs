//! The look at a matrix in Fortran order, in which columns lie side by side, and rows do not.
//!
//! To lay rows out anew takes longer than to look at them. So a block of rows is looked at one
//! column after the other, and what is the largest so far is kept of each row. The facts that come
//! of it are those of [`crate::row`], to the bit.

use std::ops::Range;

use crate::blocks::{BLOCK_BYTES, Filling, Workers};
use crate::error::Result;
use crate::format::{Bits, Format};
use crate::input::{AllRows, Labels, Matrix};
use crate::prune::{Listed, Shortlist, longest_list};
use crate::row::{Candidates, Cutoffs, RowFacts, Several, unusual_row_facts};
use crate::scan::Scan;
use crate::simd::{self, Kernel, prefetch};
use crate::sweep::{first_fault, not_a_probability, or_first_fault};

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
) -> Result<(Vec<RowFacts>, Vec<Shortlist<F>>)> {
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
    or_first_fault(swept, || first_fault(matrix, &AllRows(labels.n_examples()), workers))
}

/// What is known of some rows when some columns have been looked at. One piece of memory, so that
/// a compiler sees that its parts do not overlap.
struct Strip<B: Bits> {
    given: [u32; STRIP],
    own: [B; STRIP],
    /// The largest cell of the other classes, and the first class that has it.
    other: [B; STRIP],
    other_class: [u32; STRIP],
    /// The same among the confident ones.
    confident: [B::Signed; STRIP],
    confident_class: [u32; STRIP],
    /// How many cells are confident, the given class's too; 0 unless somebody asks.
    n_confident: [u32; STRIP],
    /// How many cells are, or would be, on the shortlist.
    n_listed: [u32; STRIP],
}

/// Of rows of which only the own-class cells have been looked at.
fn strips<F: Format>(
    matrix: &Matrix<'_, F>,
    labels: &Labels,
    rows: Range<usize>,
) -> Vec<Strip<F::Bits>> {
    rows.clone().for_each(|row| prefetch(matrix.address(row, labels.given(row))));
    let strip = |start: usize| {
        let mut strip = Strip {
            given: [0; STRIP],
            own: [F::Bits::ZERO; STRIP],
            other: [F::Bits::ZERO; STRIP],
            other_class: [0; STRIP],
            confident: [F::Bits::NONE; STRIP],
            confident_class: [0; STRIP],
            n_confident: [0; STRIP],
            n_listed: [0; STRIP],
        };
        for (lane, row) in (start..rows.end.min(start + STRIP)).enumerate() {
            let given = labels.given(row);
            strip.given[lane] = given as u32;
            strip.own[lane] = matrix.cell(row, given);
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
    strips: Vec<Strip<F::Bits>>,
    /// Cells for the shortlist, by class; each with its place in the block.
    listed: Vec<(u32, Listed<F>)>,
}

impl<F: Format> Kernel for &mut Block<'_, '_, F> {
    type Output = Result<()>;

    #[inline(always)]
    fn run(self) -> Result<()> {
        let longest = longest_list(self.matrix.n_columns());
        let bounds = self.cutoffs.bits().iter().zip(self.floors.bits());
        for (class, (&cutoff, &floor)) in (0..).zip(bounds) {
            self.workers.check()?;
            let column = self.matrix.column(self.rows.clone(), class);
            for (number, (strip, cells)) in
                self.strips.iter_mut().zip(column.chunks(STRIP)).enumerate()
            {
                // The same place of the next column.
                let ahead = self.matrix.address(self.rows.start + number * STRIP, class + 1);
                for offset in (0..STRIP * size_of::<F::Bits>()).step_by(64) {
                    prefetch(ahead.wrapping_byte_add(offset));
                }
                let mut padded = [F::Bits::ZERO; STRIP];
                let cells = cells.try_into().unwrap_or_else(|_| {
                    padded[..cells.len()].copy_from_slice(cells);
                    &padded
                });
                if self.several == Several::RowArgmax {
                    strip.count_confident(cells, cutoff);
                }
                if strip.look(cells, class as u32, cutoff, floor) {
                    strip.list(cells, class as u32, floor, longest, |lane, listed| {
                        self.listed.push(((number * STRIP + lane) as u32, listed));
                    });
                }
            }
        }
        Ok(())
    }
}

impl<B: Bits> Strip<B> {
    /// Looks at a column; says whether some cell is for the shortlist.
    ///
    /// Small loops, in which everything is loaded before it is chosen from: only so is each of them
    /// compiled to operations on many lanes.
    #[inline(always)]
    fn look(&mut self, cells: &[B; STRIP], class: u32, cutoff: B, floor: B) -> bool {
        // The given class does not compete with itself.
        let mut others = [B::ZERO; STRIP];
        for ((other, &cell), &given) in others.iter_mut().zip(cells).zip(&self.given) {
            *other = if given == class { B::ZERO } else { cell };
        }
        let largest = self.other.iter_mut().zip(&mut self.other_class);
        for ((largest, largest_class), &cell) in largest.zip(&others) {
            let (before, class_before) = (*largest, *largest_class);
            *largest = before.max(cell);
            *largest_class = if cell > before { class } else { class_before };
        }
        let mut candidates = [B::NONE; STRIP];
        for ((candidate, &cell), &given) in candidates.iter_mut().zip(cells).zip(&self.given) {
            let confident = if cell >= cutoff { cell.signed() } else { B::NONE };
            *candidate = if given == class { B::NONE } else { confident };
        }
        let largest = self.confident.iter_mut().zip(&mut self.confident_class);
        for ((largest, largest_class), &candidate) in largest.zip(&candidates) {
            let (before, class_before) = (*largest, *largest_class);
            *largest = before.max(candidate);
            *largest_class = if candidate > before { class } else { class_before };
        }
        let mut any = B::ZERO;
        for (&own, &cell) in self.own.iter().zip(&others) {
            let high_enough = if cell >= floor { B::MAX } else { B::ZERO };
            any = any.max(if cell > own { high_enough } else { B::ZERO });
        }
        any == B::MAX
    }

    #[inline(always)]
    fn count_confident(&mut self, cells: &[B; STRIP], cutoff: B) {
        for (n, &cell) in self.n_confident.iter_mut().zip(cells) {
            *n += u32::from(cell >= cutoff);
        }
    }

    /// Lists the cells of a column that are above those of the given classes, and not too low.
    #[inline(always)]
    fn list<F: Format<Bits = B>>(
        &mut self,
        cells: &[B; STRIP],
        class: u32,
        floor: B,
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
        let largest = F::largest();
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
            if own.max(other) > largest {
                let cells = self.row(row);
                let fact = unusual_row_facts(&cells, given, self.cutoffs, self.several)
                    .map_err(|found| not_a_probability(row, found))?;
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
                seen: Scan { other, confident_other: strip.confident[lane] },
                other_class: (other >= own).then_some(strip.other_class[lane] as usize),
            };
            let cutoffs = self.cutoffs.bits();
            let guess = candidates.guess(
                cutoffs,
                self.several,
                || strip.confident_class[lane] as usize,
                || strip.n_confident[lane] > 1,
            );
            let fact = candidates.facts::<F>(guess);
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
