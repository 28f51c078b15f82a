//! The noise floor: how much of a class's probability stands above what wrong labels alone explain.
//!
//! Calibrated to the given labels, a model estimates P(given = j; x) = r_j T_jj + (1 - r_j) f_j, where
//! r_j is the probability that the true class is j, T[true, given] the noise matrix, and the floor f_j
//! the rate at which examples of other classes are given j. Inverted class by class,
//!
//! r_k = max(P_k - f_k, P_k / 20) / max(T_kk - f_k, 1/20).
//!
//! The weight of class k for a row given y is r_k T[k, y]^(3/4), and the score of y its own weight over
//! the sum of all and 1/50, the weight of "none of the classes". The power is below 1 because people
//! err where a model errs too: a label tells less than if the two were independent.
//!
//! T comes from the confident joint C, not calibrated: T[k, j] is in proportion to C[j, k], and a tenth
//! of a row more in proportion to the given labels, so that nothing is impossible; f_j is the mean of T[k, j] over the other classes k, as often as each was
//! guessed. Of the K x K rates only those are stored that were counted.

use serde::{Deserialize, Serialize};

use super::{Judge, Judgement, Scratch};
use crate::calibration::{Calibration, Powers};
use crate::error::{Error, Result};
use crate::format::Format;
use crate::lanes::{LANES, PART, Sums, sum_of_entries};
use crate::pred_probs::Kind;
use crate::row::NO_CLASS;
use crate::scan::Fetch;
use crate::softmax::Exponent;
use crate::states::Spec;

/// The weight of "none of the classes".
const NONE: f64 = 0.02;
/// This share of a probability stands above any floor.
const LEAST_SHARE: f64 = 0.05;
/// No class stands out less from the others: else a weight would be large for no reason.
const LEAST_GAP: f64 = 0.05;
/// So many rows of every class are taken to be given classes in proportion to all labels.
const SMOOTHING: f64 = 0.1;
/// The share of a class among labels that were given to nobody the judge was fitted to.
const LEAST_LABEL_SHARE: f64 = 1e-12;

/// The judge, fitted by counts of guesses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoiseFloor {
    /// What rows are before they are calibrated.
    spec: Spec,
    /// What makes their probabilities those of being given a class.
    calibration: Calibration,
    /// No given class has a lower probability, before it is calibrated.
    least_given: f64,
    /// f, one a class.
    floors: Vec<f64>,
    /// 1 / max(T_kk - f_k, 1/20).
    factors: Vec<f64>,
    /// What every rate T[k, y]^(3/4) of a class k that was not counted is in proportion to.
    of_true: Vec<f64>,
    /// And of a given class y.
    of_given: Vec<f64>,
    /// T[k, k]^(3/4).
    diagonal: Vec<f64>,
    /// Where the counted rates of each given class begin, and the end.
    starts: Vec<u64>,
    /// The true class of each, ascending; not the given one.
    trues: Vec<u32>,
    /// T[true, given]^(3/4).
    rates: Vec<f64>,
}

impl NoiseFloor {
    /// From the counts of a confident joint (given, guess, how many rows) above 0, by ascending given
    /// class and then guess, and from how many rows are given each class.
    ///
    /// # Errors
    /// If cells are no probabilities, or the calibration is not one of so many classes.
    pub(crate) fn fit(
        spec: Spec,
        (calibration, least_given): (Calibration, f64),
        given_counts: &[u64],
        counts: &[(u32, u32, u64)],
    ) -> Result<Judge> {
        if spec.kind == Kind::Scores {
            return Err(Error::NeedsProbabilities { what: "noise_floor" });
        }
        let n_classes = spec.n_classes;
        calibration.check(Kind::Probabilities, n_classes)?;
        let least_given = least_given.clamp(0.0, 1.0);
        let n = given_counts.iter().sum::<u64>().max(1) as f64;
        let shares: Vec<f64> = given_counts.iter().map(|&count| count as f64 / n).collect();
        // As in the confident joint, the diagonal is at least 1.
        let mut of_diagonal = vec![1_u64; n_classes];
        let (diagonal, others): (Vec<_>, Vec<_>) =
            counts.iter().partition(|(given, guess, _)| given == guess);
        diagonal.iter().for_each(|&&(given, _, count)| of_diagonal[given as usize] = count.max(1));
        let mut of_guess = of_diagonal.clone();
        others.iter().for_each(|&&(_, guess, count)| of_guess[guess as usize] += count);
        let sums: Vec<f64> = of_guess.iter().map(|&count| count as f64 + SMOOTHING).collect();
        let n_counted = of_guess.iter().sum::<u64>().max(1) as f64;
        let priors: Vec<f64> = of_guess.iter().map(|&count| count as f64 / n_counted).collect();
        // The sums over k of pi_k T[k, j] without k = j: first what is alike for all j.
        let smooth: f64 = priors.iter().zip(&sums).map(|(prior, sum)| prior / sum).sum();
        let mut floors: Vec<f64> = (0..n_classes)
            .map(|class| SMOOTHING * shares[class] * (smooth - priors[class] / sums[class]))
            .collect();
        let mut starts = vec![0; n_classes + 1];
        let (mut trues, mut rates) = (Vec::new(), Vec::new());
        for &&(given, guess, count) in &others {
            let (given, guess) = (given as usize, guess as usize);
            floors[given] += priors[guess] * (count as f64 / sums[guess]);
            starts[given + 1] += 1;
            trues.push(guess as u32);
            rates.push(power((count as f64 + SMOOTHING * shares[given]) / sums[guess]));
        }
        for class in 0..n_classes {
            starts[class + 1] += starts[class];
        }
        let rest = |class: usize| (1.0 - priors[class]).max(1e-12);
        floors.iter_mut().enumerate().for_each(|(class, floor)| *floor /= rest(class));
        let own =
            |class: usize| (of_diagonal[class] as f64 + SMOOTHING * shares[class]) / sums[class];
        let factor = |class: usize| 1.0 / (own(class) - floors[class]).max(LEAST_GAP);
        Ok(Judge::NoiseFloor(Box::new(Self {
            factors: (0..n_classes).map(factor).collect(),
            of_true: sums.iter().map(|&sum| power(1.0 / sum)).collect(),
            of_given: shares
                .iter()
                .map(|&share| power(SMOOTHING * share.max(LEAST_LABEL_SHARE)))
                .collect(),
            diagonal: (0..n_classes).map(|class| power(own(class))).collect(),
            spec,
            calibration,
            least_given,
            floors,
            starts,
            trues,
            rates,
        })))
    }

    pub(super) fn spec(&self) -> &Spec {
        &self.spec
    }

    pub(super) fn check(&self) -> Result<(), &'static str> {
        let n_classes = self.spec.n_classes;
        if self.calibration.check(Kind::Probabilities, n_classes).is_err()
            || !(0.0..=1.0).contains(&self.least_given)
        {
            return Err("its calibration is out of range");
        }
        let per_class =
            [&self.floors, &self.factors, &self.of_true, &self.of_given, &self.diagonal];
        let in_range = |value: &f64| (0.0..=1e30).contains(value);
        if per_class.iter().any(|values| values.len() != n_classes)
            || !per_class.iter().all(|values| values.iter().all(in_range))
            || !self.rates.iter().all(in_range)
        {
            return Err("it does not hold the numbers of each class");
        }
        let n_rates = self.rates.len() as u64;
        let rows_ascend = || {
            self.starts.windows(2).all(|ends| {
                let row = &self.trues[ends[0] as usize..ends[1] as usize];
                row.is_sorted_by(|left, right| left < right)
                    && row.last().is_none_or(|&class| (class as usize) < n_classes)
            })
        };
        if self.trues.len() as u64 != n_rates
            || self.starts.len() != n_classes + 1
            || self.starts[0] != 0
            || self.starts[n_classes] != n_rates
            || !self.starts.is_sorted()
            || !rows_ascend()
        {
            return Err("its rates are not those of pairs of classes");
        }
        Ok(())
    }

    /// The counted rates of a given class.
    fn counted(&self, given: usize) -> (&[u32], &[f64]) {
        let places = self.starts[given] as usize..self.starts[given + 1] as usize;
        (&self.trues[places.clone()], &self.rates[places])
    }
}

/// The power 3/4 of a rate, by square roots: to the same bits on every machine.
fn power(rate: f64) -> f64 {
    let root = rate.sqrt();
    root * root.sqrt()
}

/// A judge that is ready to look at rows.
pub(super) struct Posterior<'a, R> {
    judge: &'a NoiseFloor,
    powers: Powers<R>,
    /// f, 1 / (T - f) and what rates are in proportion to: one a class, and zeros up to the next full
    /// part.
    floors: Vec<R>,
    factors: Vec<R>,
    of_true: Vec<R>,
    least_share: R,
    least_given: R,
}

/// What is known of a row before the counted rates are looked at.
struct Weighed<R> {
    /// The sum of r times what rates are in proportion to.
    smooth: f64,
    /// r of the given class.
    own: R,
    /// The largest of these products among the others, and its class.
    best: (R, u32),
}

impl<'a, R: Exponent> Posterior<'a, R> {
    pub(super) fn new(judge: &'a NoiseFloor) -> Self {
        let n_classes = judge.spec.n_classes;
        let padded = |values: &[f64]| {
            let values = values.iter().map(|&value| R::of(value));
            values
                .chain(std::iter::repeat(R::ZERO))
                .take(n_classes.next_multiple_of(PART))
                .collect()
        };
        Self {
            powers: Powers::new(&judge.calibration, Kind::Probabilities, n_classes),
            floors: padded(&judge.floors),
            factors: padded(&judge.factors),
            of_true: padded(&judge.of_true),
            least_share: R::of(LEAST_SHARE),
            least_given: R::of(judge.least_given),
            judge,
        }
    }

    /// r of a class that has a probability.
    #[inline(always)]
    fn above(&self, probability: R, floor: R, factor: R) -> R {
        let above = probability.minus(floor);
        above.or_larger(probability.times(self.least_share)).times(factor)
    }

    /// Of a row of valid cells of which none is negative.
    #[inline(always)]
    pub(super) fn judge<F: Format<Real = R>>(
        &self,
        cells: &[F::Bits],
        given: usize,
        scratch: &mut Scratch<R>,
        fetch: Fetch,
    ) -> Judgement {
        scratch.clear();
        scratch.resize(self.floors.len(), R::ZERO);
        let least = (given, self.least_given);
        let inverse = self.powers.raise::<F>(cells, least, &mut scratch[..cells.len()], fetch);
        let parts = scratch.as_chunks_mut::<PART>().0;
        let (floors, factors) = (self.floors.as_chunks().0, self.factors.as_chunks().0);
        let of_true = self.of_true.as_chunks::<PART>().0;
        let mut smooth = Sums::ZERO;
        let (mut own, mut largest) = ((R::ZERO, R::ZERO), [R::ZERO; LANES]);
        for (number, above) in parts.iter_mut().enumerate() {
            let (floors, factors): (&[R; PART], &[R; PART]) = (&floors[number], &factors[number]);
            let of_true = &of_true[number];
            let mut products = [R::ZERO; PART];
            for place in 0..PART {
                let probability = above[place].times(inverse);
                above[place] = self.above(probability, floors[place], factors[place]);
                products[place] = above[place].times(of_true[place]);
            }
            // By itself, as where it is not stored.
            let place = given.wrapping_sub(number * PART);
            if place < PART {
                own = (above[place], products[place]);
                products[place] = R::ZERO;
            }
            smooth.add(&products);
            for products in products.as_chunks::<LANES>().0 {
                for lane in 0..LANES {
                    largest[lane] = largest[lane].or_larger(products[lane]);
                }
            }
        }
        let largest = largest.into_iter().fold(R::ZERO, R::or_larger);
        let best = (largest, self.class_of(scratch, given, largest));
        let smooth = smooth.total() + own.1.double();
        let weighed = Weighed { smooth, own: own.0, best };
        let (trues, rates) = self.judge.counted(given);
        let counted = trues.iter().zip(rates);
        self.judgement(
            given,
            &weighed,
            counted.map(|(&class, &rate)| (class, rate, scratch[class as usize])),
        )
    }

    /// The first class with such a product, but the given one.
    #[inline(always)]
    fn class_of(&self, above: &[R], given: usize, product: R) -> u32 {
        if product == R::ZERO {
            return NO_CLASS;
        }
        let chunks = above.as_chunks::<LANES>().0.iter().zip(self.of_true.as_chunks::<LANES>().0);
        for (number, (above, of_true)) in chunks.enumerate() {
            let is = |lane: usize| above[lane].times(of_true[lane]) == product;
            // As numbers, not as bools: only so are all lanes compared at once.
            let mut any = R::ZERO;
            for lane in 0..LANES {
                any = any.or_larger(if is(lane) { product } else { R::ZERO });
            }
            if any > R::ZERO {
                let found = (0..LANES).find(|&lane| number * LANES + lane != given && is(lane));
                if let Some(lane) = found {
                    return (number * LANES + lane) as u32;
                }
            }
        }
        NO_CLASS
    }

    /// Of a row of which a few such cells are stored, each but once, by ascending class.
    #[inline(always)]
    pub(super) fn judge_entries<F: Format<Real = R>>(
        &self,
        (classes, cells): (&[u32], &[F::Bits]),
        given: usize,
        scratch: &mut Scratch<R>,
    ) -> Judgement {
        let n = classes.len();
        scratch.clear();
        scratch.resize(2 * n, R::ZERO);
        let (above, products) = scratch.split_at_mut(n);
        let least = (given, self.least_given);
        let (inverse, power) = self.powers.raise_entries::<F>(classes, cells, Some(least), above);
        let of = |power: R, class: usize| {
            let probability = power.times(inverse);
            let above = self.above(probability, self.floors[class], self.factors[class]);
            (above, above.times(self.of_true[class]))
        };
        // Whether it is stored or not.
        let (own, of_own) = of(power, given);
        let mut best = (R::ZERO, NO_CLASS);
        for (place, &class) in classes.iter().enumerate() {
            if class as usize == given {
                (above[place], products[place]) = (R::ZERO, R::ZERO);
                continue;
            }
            (above[place], products[place]) = of(above[place], class as usize);
            if products[place] > best.0 {
                best = (products[place], class);
            }
        }
        let smooth = sum_of_entries(classes, products) + of_own.double();
        let weighed = Weighed { smooth, own, best };
        let (trues, rates) = self.judge.counted(given);
        let stored = classes.iter().zip(&*above);
        self.judgement(
            given,
            &weighed,
            stored.filter_map(|(class, &above)| {
                let place = trues.binary_search(class).ok()?;
                Some((*class, rates[place], above))
            }),
        )
    }

    /// From the sums over a row, and what is counted of its given class: class, rate and r, by
    /// ascending class. Those with an r of 0 may be left out.
    #[inline(always)]
    fn judgement(
        &self,
        given: usize,
        weighed: &Weighed<R>,
        counted: impl Iterator<Item = (u32, f64, R)>,
    ) -> Judgement {
        let NoiseFloor { of_true, of_given, diagonal, .. } = self.judge;
        let Weighed { smooth, own, best } = weighed;
        let of_given = of_given[given];
        let own = own.double();
        let weight = own * diagonal[given];
        // What the rates that were counted add to those that are in proportion to the labels.
        let mut total = of_given * smooth + own * (diagonal[given] - of_given * of_true[given]);
        let mut other = (best.0.double() * of_given, best.1);
        for (class, rate, above) in counted {
            let above = above.double();
            total += above * (rate - of_given * of_true[class as usize]);
            let weight = above * rate;
            if weight > other.0 || (weight == other.0 && weight > 0.0 && class < other.1) {
                other = (weight, class);
            }
        }
        // Rounding may leave a sum a little below one of its terms.
        let score = (weight / (total.max(weight) + NONE)).clamp(0.0, 1.0);
        Judgement::of_weights(score, given, weight, other)
    }
}
