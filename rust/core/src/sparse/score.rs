//! Scores of rows by their entries, see [`crate::quality`].

use super::Sparse;
use super::entries::check_values;
use super::look::{Scratch, own_and_other};
use crate::error::Result;
use crate::format::{Bits, Format};
use crate::quality::{Adjusted, RowScore, margin_score};
use crate::simd::{self, Kernel, Level};

/// The score of one row, as compiled for a CPU level.
struct Scored<'a, 'm, F: Format> {
    sparse: &'a Sparse<'m, F>,
    row: usize,
    given: usize,
    how: &'a RowScore<'a, F>,
    scratch: &'a mut Scratch<F>,
}

impl<F: Format> Kernel for Scored<'_, '_, F> {
    type Output = Result<f64>;

    #[inline(always)]
    fn run(self) -> Result<f64> {
        let Self { sparse, row, given, how, scratch } = self;
        sparse.load(row, &mut scratch.entries)?;
        sparse.score(row, given, how, scratch)
    }
}

impl<F: Format> Sparse<'_, F> {
    /// The score of each row, given its class.
    pub(super) fn scores_of(
        &self,
        rows: &mut dyn Iterator<Item = (usize, usize)>,
        how: &RowScore<'_, F>,
        push: &mut dyn FnMut(f64),
    ) -> Result<()> {
        let mut scratch = Scratch::new();
        for (row, given) in rows {
            let scratch = &mut scratch;
            push(simd::dispatch(
                Level::chosen(),
                Scored { sparse: self, row, given, how, scratch },
            )?);
        }
        Ok(())
    }

    #[inline(always)]
    fn score(
        &self,
        row: usize,
        given: usize,
        how: &RowScore<'_, F>,
        scratch: &mut Scratch<F>,
    ) -> Result<f64> {
        if let RowScore::Adjusted(adjusted) = how {
            check_values(row, &mut scratch.entries)?;
            return Ok(adjusted_score(given, adjusted, scratch));
        }
        let entries = &mut scratch.entries;
        let (own, other) = own_and_other(entries, given);
        let is_usual = own.max(other) <= F::largest();
        if !is_usual {
            check_values(row, entries)?;
        }
        let own_value = entries.cell(given).map_or(0.0, F::value);
        if let RowScore::Entropy(entropy) = how {
            if !is_usual {
                scratch.drop_signs();
            }
            return Ok(entropy.weigh(scratch.entropy(), own_value));
        }
        if let RowScore::Judged(judge) = how {
            if !is_usual {
                scratch.drop_signs();
            }
            return Ok(scratch.judge(judge, given).score);
        }
        let best_other = if is_usual {
            F::widen(other)
        } else {
            let others = entries.iter().filter(|&(class, _)| class as usize != given);
            let best =
                others.clone().map(|(_, cell)| F::value(cell)).fold(f64::NEG_INFINITY, f64::max);
            if others.count() + 1 < self.n_classes { best.max(0.0) } else { best }
        };
        Ok(margin_score::<F>(own_value, best_other))
    }
}

/// Of the row with the shifts added, which are all that a zero has.
fn adjusted_score<F: Format>(given: usize, adjusted: &Adjusted, scratch: &mut Scratch<F>) -> f64 {
    let Scratch { entries, pairs, .. } = scratch;
    entries.sort(pairs);
    let own = entries.cell(given).unwrap_or(F::Bits::ZERO);
    let values = entries.iter().map(|(class, cell)| (class as usize, F::value(cell)));
    let zeros = adjusted.by_shift().iter().map(|&class| class as usize);
    let largest_zero = entries.first_free(zeros, given).map(|class| (class, 0.0));
    adjusted.score::<F>(F::value(own), given, values.chain(largest_zero))
}
