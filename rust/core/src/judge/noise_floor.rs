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
//! T comes from the confident joint C, not calibrated: T[k, j] is in proportion to C[j, k] + s_j / 10,
//! where s are the shares of the given labels, so that nothing is impossible; f_j is the mean of
//! T[k, j] over the other classes k, as often as each was guessed. Of the K x K rates only those are
//! stored that were counted, as multiples of what they were if nothing had been.

use serde::{Deserialize, Serialize};

use super::{Judge, Judgement, Scratch};
use crate::calibration::{Calibration, Powers};
use crate::error::{Error, Result};
use crate::format::Format;
use crate::lanes::{PART, Sums, sum_of_entries};
use crate::pred_probs::Kind;
use crate::row::NO_CLASS;
use crate::scan::Fetch;
use crate::softmax::{Exponent, largest_lane};
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
    /// What the weight of a class k is in proportion to where nothing was counted:
    /// (T[k, y] / (s_y / 10))^power / max(T_kk - f_k, 1/20).
    slopes: Vec<f64>,
    /// The weight of "none of the classes", beside these, for each given class.
    nones: Vec<f64>,
    /// How many times as large the weight of the given class is, because it was counted.
    diagonal: Vec<f64>,
    /// Where the counted rates of each given class begin, and the end.
    starts: Vec<u64>,
    /// The true class of each, ascending; not the given one.
    trues: Vec<u32>,
    /// And the same multiple of its weight.
    multiples: Vec<f64>,
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
        let smoothing = |class: usize| SMOOTHING * shares[class].max(LEAST_LABEL_SHARE);
        let multiple = |given: usize, count: u64| power(1.0 + count as f64 / smoothing(given));
        let mut starts = vec![0; n_classes + 1];
        let (mut trues, mut multiples) = (Vec::new(), Vec::new());
        for &&(given, guess, count) in &others {
            let (given, guess) = (given as usize, guess as usize);
            floors[given] += priors[guess] * (count as f64 / sums[guess]);
            starts[given + 1] += 1;
            trues.push(guess as u32);
            multiples.push(multiple(given, count));
        }
        for class in 0..n_classes {
            starts[class + 1] += starts[class];
        }
        let rest = |class: usize| (1.0 - priors[class]).max(1e-12);
        floors.iter_mut().enumerate().for_each(|(class, floor)| *floor /= rest(class));
        let own =
            |class: usize| (of_diagonal[class] as f64 + SMOOTHING * shares[class]) / sums[class];
        let gap = |class: usize| (own(class) - floors[class]).max(LEAST_GAP);
        let classes = 0..n_classes;
        Ok(Judge::NoiseFloor(Box::new(Self {
            slopes: classes.clone().map(|class| power(1.0 / sums[class]) / gap(class)).collect(),
            nones: classes.clone().map(|class| NONE / power(smoothing(class))).collect(),
            diagonal: classes.map(|class| multiple(class, of_diagonal[class])).collect(),
            spec,
            calibration,
            least_given,
            floors,
            starts,
            trues,
            multiples,
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
        let per_class = [&self.floors, &self.slopes, &self.nones, &self.diagonal];
        let in_range = |value: &f64| (0.0..=1e30).contains(value);
        if per_class.iter().any(|values| values.len() != n_classes)
            || !per_class.iter().all(|values| values.iter().all(in_range))
            || !self.multiples.iter().all(in_range)
        {
            return Err("it does not hold the numbers of each class");
        }
        let n_rates = self.multiples.len() as u64;
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

    /// The true classes that were counted of a given class, and the multiples of their weights.
    fn counted(&self, given: usize) -> (&[u32], &[f64]) {
        let places = self.starts[given] as usize..self.starts[given + 1] as usize;
        (&self.trues[places.clone()], &self.multiples[places])
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
    /// What weights are in proportion to, and what lies below the floor: one a class, and zeros up to
    /// the next full part.
    slopes: Vec<R>,
    offsets: Vec<R>,
    least_share: R,
    least_given: R,
}

/// What is known of a row before it is looked at what was counted.
struct Weighed<R> {
    /// The sum of all weights.
    total: f64,
    /// That of the given class.
    own: R,
    /// The largest of the others, and its class.
    best: (R, u32),
}

impl<'a, R: Exponent> Posterior<'a, R> {
    pub(super) fn new(judge: &'a NoiseFloor) -> Self {
        let n_classes = judge.spec.n_classes;
        let padded = |values: &mut dyn Iterator<Item = f64>| {
            let mut values: Vec<R> = values.map(R::of).collect();
            values.resize(n_classes.next_multiple_of(PART), R::ZERO);
            values
        };
        let offsets = judge.floors.iter().zip(&judge.slopes).map(|(floor, slope)| floor * slope);
        Self {
            powers: Powers::new(&judge.calibration, Kind::Probabilities, n_classes),
            slopes: padded(&mut judge.slopes.iter().copied()),
            offsets: padded(&mut { offsets }),
            least_share: R::of(LEAST_SHARE),
            least_given: R::of(judge.least_given),
            judge,
        }
    }

    /// The weight of a class that has a probability, if nothing was counted.
    #[inline(always)]
    fn weight(&self, probability: R, slope: R, offset: R) -> R {
        let weight = probability.times(slope);
        weight.minus(offset).or_larger(weight.times(self.least_share))
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
        scratch.resize(self.slopes.len(), R::ZERO);
        let inverse = self.powers.raise::<F>(cells, (given, self.least_given), scratch, fetch);
        let (mut sums, mut own) = (Sums::ZERO, R::ZERO);
        let (mut largest, mut part_of_largest) = (R::ZERO, 0);
        let (slopes, offsets) = (self.slopes.as_chunks::<PART>().0, self.offsets.as_chunks().0);
        for (number, weights) in scratch.as_chunks_mut::<PART>().0.iter_mut().enumerate() {
            let (slopes, offsets): (_, &[R; PART]) = (&slopes[number], &offsets[number]);
            for place in 0..PART {
                let probability = weights[place].times(inverse);
                weights[place] = self.weight(probability, slopes[place], offsets[place]);
            }
            // By itself, as where it is not stored.
            if let Some(weight) = weights.get_mut(given.wrapping_sub(number * PART)) {
                own = std::mem::replace(weight, R::ZERO);
            }
            sums.add(weights);
            let of_part = largest_lane(*weights);
            if of_part > largest {
                (largest, part_of_largest) = (of_part, number);
            }
        }
        let best = if largest > R::ZERO {
            let first = part_of_largest * PART;
            let place = scratch[first..].iter().position(|&weight| weight == largest);
            (largest, place.map_or(NO_CLASS, |place| (first + place) as u32))
        } else {
            (R::ZERO, NO_CLASS)
        };
        let weighed = Weighed { total: sums.total() + own.double(), own, best };
        let (trues, multiples) = self.judge.counted(given);
        let counted = trues.iter().zip(multiples);
        self.judgement(
            given,
            &weighed,
            counted.map(|(&class, &multiple)| (class, multiple, scratch[class as usize])),
        )
    }

    /// Of a row of which a few such cells are stored, each but once, by ascending class.
    #[inline(always)]
    pub(super) fn judge_entries<F: Format<Real = R>>(
        &self,
        (classes, cells): (&[u32], &[F::Bits]),
        given: usize,
        weights: &mut Scratch<R>,
    ) -> Judgement {
        weights.clear();
        weights.resize(classes.len(), R::ZERO);
        let least = (given, self.least_given);
        let (inverse, power) = self.powers.raise_entries::<F>(classes, cells, Some(least), weights);
        let of = |power: R, class: usize| {
            self.weight(power.times(inverse), self.slopes[class], self.offsets[class])
        };
        // Whether it is stored or not.
        let own = of(power, given);
        let mut best = (R::ZERO, NO_CLASS);
        for (weight, &class) in weights.iter_mut().zip(classes) {
            let is_given = class as usize == given;
            *weight = if is_given { R::ZERO } else { of(*weight, class as usize) };
            if *weight > best.0 {
                best = (*weight, class);
            }
        }
        let total = sum_of_entries(classes, weights) + own.double();
        let (trues, multiples) = self.judge.counted(given);
        let stored = classes.iter().zip(&*weights);
        self.judgement(
            given,
            &Weighed { total, own, best },
            stored.filter_map(|(class, &weight)| {
                let place = trues.binary_search(class).ok()?;
                Some((*class, multiples[place], weight))
            }),
        )
    }

    /// From the sums over a row, and what was counted of its given class: class, multiple and weight,
    /// by ascending class. Those of the weight 0 may be left out.
    #[inline(always)]
    fn judgement(
        &self,
        given: usize,
        weighed: &Weighed<R>,
        counted: impl Iterator<Item = (u32, f64, R)>,
    ) -> Judgement {
        let Weighed { mut total, own, best } = *weighed;
        let multiple = self.judge.diagonal[given];
        let own_weight = own.double() * multiple;
        total += own.double() * (multiple - 1.0);
        let mut other = (best.0.double(), best.1);
        for (class, multiple, weight) in counted {
            let weight = weight.double();
            total += weight * (multiple - 1.0);
            let weight = weight * multiple;
            if weight > other.0 || (weight == other.0 && weight > 0.0 && class < other.1) {
                other = (weight, class);
            }
        }
        // Rounding may leave a sum a little below one of its terms.
        let score = own_weight / (total.max(own_weight) + self.judge.nones[given]);
        Judgement::of_weights(score.clamp(0.0, 1.0), given, own_weight, other)
    }
}
