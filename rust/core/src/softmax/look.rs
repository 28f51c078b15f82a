//! The second pass over logits: the facts of each row, hardly ever computing a probability.
//!
//! A softmax keeps the order of a row, so the most probable other class is the one with the largest
//! other logit. And P[i, j] >= t where z_ij - log(t) T reaches a bound of the row. Both are compared
//! with some slack, which leaves a few cells whose probabilities are computed and decide: so the facts
//! are those of the matrix of probabilities, to the bit.

use super::exp2::largest_lane;
use super::{Exponent, Normalizer, ProbabilityOf, Softmax};
use crate::blocks::Workers;
use crate::entropy::Real;
use crate::error::Result;
use crate::format::{Bits, Format, Key};
use crate::input::{AllRows, Labels};
use crate::judge::Ready;
use crate::look::{BlockFindings, Keep, Looked};
use crate::prune::{Listed, longest_list};
use crate::quality::WeightedEntropy;
use crate::row::{BadCell, Candidates, Cutoffs, NO_CLASS, RowFacts, Several};
use crate::scan::{Fetch, Scan};
use crate::sweep::{RowKernel, sweep};

/// Cells looked at together, and side by side.
const PIECE: usize = 256;
const LANES: usize = 32;

/// How much the logarithm of a probability may be off, in units of 2: what is rounded off an exponent of
/// at most 40, as those of probabilities above 1e-6 are, and more.
const EXPONENT_SLACK: f64 = 1e-5;
/// How much a sum of two logits may be off, as a share of their magnitudes.
const LOGIT_SLACK: f64 = 1e-6;

impl<F: Format<Real: Exponent>> Softmax<'_, F> {
    /// The facts of all rows; `None` where a probability of 0 would be confident, so that logits
    /// say too little.
    pub(super) fn look_at_logits(
        &self,
        labels: &Labels,
        (cutoffs, floors): (&Cutoffs<ProbabilityOf<F>>, Option<&Cutoffs<ProbabilityOf<F>>>),
        keep: Keep<'_>,
        judges: &[Ready<'_, F::Real>],
        workers: &Workers<'_>,
    ) -> Option<Result<Looked<ProbabilityOf<F>>>> {
        let kernel = LogitLook {
            softmax: self,
            cutoffs: Bounds::new(cutoffs, self.scale)?,
            floors: match floors {
                Some(floors) => Some(Bounds::new(floors, self.scale)?),
                None => None,
            },
            several: keep.several,
            entropy: keep.entropies.then(|| WeightedEntropy::new(labels.n_classes(), self.level)),
            judges,
        };
        let all = AllRows(labels.n_examples());
        Some(sweep(&self.matrix, labels, &all, &kernel, workers).map(Looked::of_blocks))
    }
}

/// From where on cells count, as probabilities and as logits.
struct Bounds<'a, F: Format<Real: Exponent>> {
    probabilities: &'a Cutoffs<ProbabilityOf<F>>,
    /// log2(cutoff) / scale: what is to be added to the bound of a row.
    logits: Vec<F::Real>,
    /// The largest magnitude of those that are finite.
    largest: f64,
}

impl<'a, F: Format<Real: Exponent>> Bounds<'a, F> {
    fn new(probabilities: &'a Cutoffs<ProbabilityOf<F>>, scale: F::Real) -> Option<Self> {
        let values = probabilities.values();
        if values.iter().any(|&value| value <= 0.0) {
            return None;
        }
        let logits = || values.iter().map(|value| value.log2() / scale.double());
        let largest = logits().filter(|logit| logit.is_finite()).map(f64::abs).fold(0.0, f64::max);
        Some(Self { probabilities, logits: logits().map(F::Real::of).collect(), largest })
    }

    /// From which z - `logits` on a cell of a row may count.
    #[inline(always)]
    fn of_row(&self, normalizer: &Normalizer<F::Real>, scale: F::Real) -> F::Real {
        let scale = scale.double();
        let max = normalizer.max.double();
        let bound = max + (1.0 - normalizer.inverse_sum.double().log2()) / scale;
        let slack = EXPONENT_SLACK / scale + LOGIT_SLACK * (bound.abs() + max.abs() + self.largest);
        F::Real::of(bound - 2.0 * slack)
    }
}

/// What the sweep does with each row of logits.
struct LogitLook<'a, 'm, F: Format<Real: Exponent>> {
    softmax: &'a Softmax<'m, F>,
    cutoffs: Bounds<'a, F>,
    floors: Option<Bounds<'a, F>>,
    several: Several,
    entropy: Option<WeightedEntropy<ProbabilityOf<F>>>,
    judges: &'a [Ready<'a, F::Real>],
}

/// The largest of the other classes.
#[derive(Clone, Copy)]
struct Largest<R> {
    logit: R,
    /// Of the logits less what is to be added to the bound of a row.
    excess: R,
}

impl<R: Exponent> Largest<R> {
    const NOTHING: Self = Self { logit: R::LOWEST, excess: R::LOWEST };

    #[inline(always)]
    fn or(self, more: Self) -> Self {
        Self { logit: self.logit.or_larger(more.logit), excess: self.excess.or_larger(more.excess) }
    }

    #[inline(always)]
    fn of<F: Format<Real = R>>(row: &[F::Bits], given: usize, bounds: &[R]) -> Self {
        let mut seen = Self::NOTHING;
        let (pieces, rest) = row.as_chunks::<PIECE>();
        let mut first = 0;
        for (cells, bounds) in pieces.iter().zip(bounds.as_chunks().0) {
            Fetch::All.ahead_of(cells);
            let bounds: &[R; PIECE] = bounds;
            seen = seen.or(Self::of_chunk::<F, PIECE>(cells, bounds, given.wrapping_sub(first)));
            first += PIECE;
        }
        Fetch::All.ahead_of(rest);
        let chunks = rest.chunks(LANES).zip(bounds[first..].chunks(LANES));
        for (cells, bounds) in chunks {
            seen = seen.or(Self::of_chunk::<F, LANES>(cells, bounds, given.wrapping_sub(first)));
            first += LANES;
        }
        seen
    }

    /// All of at most so many cells but one, should that lie among them: the given class does not
    /// compete with itself.
    #[inline(always)]
    fn of_chunk<F: Format<Real = R>, const N: usize>(
        cells: &[F::Bits],
        bounds: &[R],
        except: usize,
    ) -> Self {
        // Written out first, and compared then: as one loop, the compiler writes lane by lane.
        let mut logits = [R::LOWEST; N];
        for (logit, &cell) in logits.iter_mut().zip(cells) {
            *logit = F::real(cell);
        }
        if except < N {
            logits[except] = R::LOWEST;
        }
        let mut excesses = [R::LOWEST; N];
        for (excess, (&logit, &bound)) in excesses.iter_mut().zip(logits.iter().zip(bounds)) {
            *excess = logit.minus(bound);
        }
        Self { logit: largest_lane(logits), excess: largest_lane(excesses) }
    }
}

/// Calls `each` for the classes whose logit, less what stands in `bounds`, reaches `bound`, and is
/// above `above`, ascending.
#[inline(always)]
fn for_each_reaching<F: Format<Real: Exponent>>(
    row: &[F::Bits],
    bounds: &[F::Real],
    bound: F::Real,
    above: F::Real,
    mut each: impl FnMut(usize, F::Real),
) {
    for (number, (cells, bounds)) in row.chunks(LANES).zip(bounds.chunks(LANES)).enumerate() {
        let mut any = F::Real::ZERO;
        for (&cell, &cell_bound) in cells.iter().zip(bounds) {
            let logit = F::real(cell);
            let reaches = (logit.minus(cell_bound) >= bound) & (logit > above);
            any = any.or_larger(if reaches { F::Real::HIGHEST } else { F::Real::ZERO });
        }
        if any > F::Real::ZERO {
            for (lane, (&cell, &cell_bound)) in cells.iter().zip(bounds).enumerate() {
                let logit = F::real(cell);
                if logit.minus(cell_bound) >= bound && logit > above {
                    each(number * LANES + lane, logit);
                }
            }
        }
    }
}

impl<F: Format<Real: Exponent>> LogitLook<'_, '_, F> {
    #[inline(always)]
    fn key(
        &self,
        logit: F::Real,
        normalizer: &Normalizer<F::Real>,
    ) -> <ProbabilityOf<F> as Format>::Key {
        ProbabilityOf::<F>::key(self.softmax.probability(logit, normalizer).cell())
    }

    /// The first other class with the largest probability: one of those with the largest logits, of
    /// which several may have the same probability.
    #[inline(always)]
    fn other_class(
        &self,
        row: &[F::Bits],
        given: usize,
        normalizer: &Normalizer<F::Real>,
        (logit, key): (F::Real, <ProbabilityOf<F> as Format>::Key),
    ) -> usize {
        let scale = self.softmax.scale.double();
        let (max, logit) = (normalizer.max.double(), logit.double());
        let slack = EXPONENT_SLACK * (2.0 / scale + (logit - max).abs())
            + LOGIT_SLACK * (logit.abs() + max.abs());
        let least = F::Real::of(logit - slack);
        for (number, cells) in row.chunks(LANES).enumerate() {
            let mut any = F::Real::ZERO;
            for &cell in cells {
                let reaches = F::real(cell) >= least;
                any = any.or_larger(if reaches { F::Real::HIGHEST } else { F::Real::ZERO });
            }
            if any > F::Real::ZERO {
                for (lane, &cell) in cells.iter().enumerate() {
                    let (class, logit) = (number * LANES + lane, F::real(cell));
                    if class != given && logit >= least && self.key(logit, normalizer) == key {
                        return class;
                    }
                }
            }
        }
        given
    }
}

impl<F: Format<Real: Exponent>> RowKernel<F> for LogitLook<'_, '_, F> {
    type Fact = RowFacts;
    type Side = BlockFindings<ProbabilityOf<F>>;

    #[inline(always)]
    fn row(
        &self,
        row: usize,
        cells: &[F::Bits],
        given: usize,
        side: &mut Self::Side,
    ) -> Result<RowFacts, BadCell> {
        let normalizer = &self.softmax.normalizers[row];
        let largest = Largest::of::<F>(cells, given, &self.cutoffs.logits);
        let own_logit = F::real(cells[given]);
        let own = self.key(own_logit, normalizer);
        let other = self.key(largest.logit, normalizer);
        let cutoffs = self.cutoffs.probabilities.keys();

        let none = <ProbabilityOf<F> as Format>::Key::NONE;
        let (mut confident_other, mut confident_class) = (none, NO_CLASS as usize);
        let mut n_confident = usize::from(own >= cutoffs[given]);
        let bound = self.cutoffs.of_row(normalizer, self.softmax.scale);
        if largest.excess >= bound {
            let lowest = F::Real::LOWEST;
            for_each_reaching::<F>(cells, &self.cutoffs.logits, bound, lowest, |class, logit| {
                let key = self.key(logit, normalizer);
                if class != given && key >= cutoffs[class] {
                    n_confident += 1;
                    if key.signed() > confident_other {
                        (confident_other, confident_class) = (key.signed(), class);
                    }
                }
            });
        }
        let seen = Scan { other, confident_other, least: own };
        let candidates = Candidates::<ProbabilityOf<F>> {
            given,
            own,
            seen,
            other_class: (other >= own)
                .then(|| self.other_class(cells, given, normalizer, (largest.logit, other))),
        };
        let guess = candidates.guess(cutoffs, self.several, || confident_class, || n_confident > 1);
        let facts = candidates.facts(guess);
        if let Some(floors) = &self.floors
            && other > own
        {
            let bound = floors.of_row(normalizer, self.softmax.scale);
            let listed = &mut side.listed;
            listed.clear();
            for_each_reaching::<F>(cells, &floors.logits, bound, own_logit, |class, logit| {
                let cell = self.key(logit, normalizer);
                if cell > own && cell >= floors.probabilities.keys()[class] {
                    listed.push(Listed { class: class as u32, cell });
                }
            });
            let longest = longest_list(cells.len());
            let is_cut = listed.len() > longest;
            side.shortlist.push_listed(row, given, &facts, listed.drain(..).take(longest), is_cut);
        }
        if let Some(entropy) = &self.entropy {
            side.entropies.push(entropy.weigh(normalizer.entropy.double(), facts.own));
        }
        if !self.judges.is_empty() {
            // Judges weigh every class: they are why a probability is computed of each after all.
            let BlockFindings { judgements, cells: probabilities, scratch, .. } = side;
            probabilities.resize(cells.len(), <ProbabilityOf<F> as Format>::Bits::ZERO);
            self.softmax.fill_row(row, cells, probabilities);
            for judge in self.judges {
                let judgement =
                    judge.judge::<ProbabilityOf<F>>(probabilities, given, scratch, Fetch::Nothing);
                judgements.push(judgement);
            }
        }
        Ok(facts)
    }
}
