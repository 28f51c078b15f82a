//! The relative confidence: each class relative to its own confidence.
//!
//! With t_k the class thresholds, which are the mean self confidences (see [`crate::thresholds`]),
//! the weight of class k is q_k = p_k / t_k, and the score q_y / sum of q. So a class in which the
//! model is never sure is believed sooner than one in which it always is. A class that nobody is
//! given has the threshold 2, and so the weight p_k / 2: some models know it all the same.

use serde::{Deserialize, Serialize};

use super::{Judgement, Scratch};
use crate::entropy::Real;
use crate::error::{Error, Result};
use crate::format::Format;
use crate::lanes::{LANES, PART, Terms, sum_of_entries, sum_of_row};
use crate::pred_probs::Kind;
use crate::row::NO_CLASS;
use crate::scan::Fetch;
use crate::states::Spec;
use crate::thresholds::{FLOOR, NEVER};

/// The judge, fitted by thresholds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RelativeConfidence {
    spec: Spec,
    thresholds: Vec<f64>,
}

impl RelativeConfidence {
    /// By the thresholds of matrices that have this in common.
    ///
    /// # Errors
    /// If there is not one threshold a class, one is out of range, or cells are no probabilities.
    pub fn new(spec: Spec, thresholds: &[f64]) -> Result<Self> {
        spec.checked()?;
        if spec.kind == Kind::Scores {
            return Err(Error::NeedsProbabilities { what: "relative_confidence" });
        }
        let (n_classes, found) = (spec.n_classes, thresholds.len());
        if found != n_classes {
            return Err(Error::OnePerClass { name: "thresholds", n_classes, found });
        }
        if let Some(class) = thresholds.iter().position(|threshold| !is_threshold(*threshold)) {
            return Err(Error::JudgeThreshold { class, value: thresholds[class] });
        }
        Ok(Self { spec, thresholds: thresholds.to_vec() })
    }

    pub(super) fn spec(&self) -> &Spec {
        &self.spec
    }

    /// One a class.
    #[must_use]
    pub fn thresholds(&self) -> &[f64] {
        &self.thresholds
    }

    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.thresholds.len() != self.spec.n_classes {
            return Err("it does not hold one number a class");
        }
        if !self.thresholds.iter().all(|&threshold| is_threshold(threshold)) {
            return Err("a threshold is out of range");
        }
        Ok(())
    }
}

/// Whether a class may have this threshold: no weight is infinite, and no score NaN.
fn is_threshold(threshold: f64) -> bool {
    (FLOOR..=NEVER).contains(&threshold)
}

/// 1 / t_k of each class, and zeros behind them up to the next full lanes.
pub(super) struct Weights<R>(Vec<R>);

impl<R: Real> Weights<R> {
    pub(super) fn new(thresholds: &[f64]) -> Self {
        let weight = |&threshold: &f64| R::of(1.0 / threshold);
        let mut weights: Vec<R> = thresholds.iter().map(weight).collect();
        weights.resize(weights.len().next_multiple_of(LANES), R::ZERO);
        Self(weights)
    }

    /// Of a row of valid cells of which none is negative.
    #[inline(always)]
    pub(super) fn judge<F: Format<Real = R>>(
        &self,
        cells: &[F::Bits],
        given: usize,
        others: &mut Scratch<R>,
        fetch: Fetch,
    ) -> Judgement {
        others.resize(cells.len().next_multiple_of(PART), R::ZERO);
        let (own, largest) = (R::ZERO, [R::ZERO; LANES]);
        let mut weighted = Weighted { weights: &self.0, given, own, largest };
        let sum = sum_of_row::<F, _>(cells, &mut weighted, others, fetch);
        let Weighted { own, largest, .. } = weighted;
        let largest = largest.into_iter().fold(R::ZERO, R::or_larger);
        let class = if largest < own { NO_CLASS } else { first_class(others, largest) };
        judgement(given, sum, own, (largest, class))
    }

    /// Of a row of which a few such cells are stored, each but once, by ascending class.
    #[inline(always)]
    pub(super) fn judge_entries<F: Format<Real = R>>(
        &self,
        (classes, cells): (&[u32], &[F::Bits]),
        given: usize,
        terms: &mut Scratch<R>,
    ) -> Judgement {
        terms.clear();
        let weighted = |(&class, &cell)| F::real(cell).times(self.0[class as usize]);
        terms.extend(classes.iter().zip(cells).map(weighted));
        let (mut own, mut best) = (R::ZERO, (R::ZERO, NO_CLASS));
        for (&class, &weight) in classes.iter().zip(&*terms) {
            if class as usize == given {
                own = weight;
            } else if weight > best.0 {
                best = (weight, class);
            }
        }
        if best.0 < own {
            best.1 = NO_CLASS;
        }
        judgement(given, sum_of_entries(classes, terms), own, best)
    }
}

/// From the weights of a row.
#[inline(always)]
fn judgement<R: Real>(given: usize, sum: f64, own: R, best: (R, u32)) -> Judgement {
    // No sum is below one of its terms, however it is rounded: the score is at most 1.
    let score = if sum > 0.0 { own.double() / sum } else { 0.0 };
    Judgement::of_weights(score, given, own, best)
}

/// The first class that has a weight, unless that is 0.
#[inline(always)]
fn first_class<R: Real>(others: &[R], weight: R) -> u32 {
    if weight == R::ZERO {
        return NO_CLASS;
    }
    let part = first_holding::<R, PART>(others, weight) * PART;
    let lanes = part + first_holding::<R, LANES>(&others[part..], weight) * LANES;
    (lanes + first_holding::<R, 1>(&others[lanes..], weight)) as u32
}

/// The number of the first chunk in which a weight stands. It stands in some.
#[inline(always)]
fn first_holding<R: Real, const N: usize>(others: &[R], weight: R) -> usize {
    // Counted, so that many are compared at once.
    let holds = |chunk: &[R; N]| {
        let n: u32 = chunk.iter().map(|&other| u32::from(other == weight)).sum();
        n > 0
    };
    others.as_chunks::<N>().0.iter().position(holds).unwrap_or(0)
}

/// The weights of a row as they are added up. Those that are kept are those of the other classes.
struct Weighted<'a, R> {
    weights: &'a [R],
    given: usize,
    /// That of the given class.
    own: R,
    /// The largest of the others.
    largest: [R; LANES],
}

impl<F: Format> Terms<F> for Weighted<'_, F::Real> {
    const ARE_KEPT: bool = true;

    #[inline(always)]
    fn fill<const N: usize>(&self, terms: &mut [F::Real; N], first: usize, cells: &[F::Bits; N]) {
        let weights = self.weights[first..first + N].as_chunks::<LANES>().0;
        let lanes = cells.as_chunks::<LANES>().0.iter().zip(weights);
        for (terms, (cells, weights)) in terms.as_chunks_mut::<LANES>().0.iter_mut().zip(lanes) {
            // All are read before any is written: so it does not matter whether they overlap.
            let mut products = [F::Real::ZERO; LANES];
            for lane in 0..LANES {
                products[lane] = F::real(cells[lane]).times(weights[lane]);
            }
            *terms = products;
        }
    }

    #[inline(always)]
    fn fill_rest(&self, terms: &mut [F::Real; PART], first: usize, cells: &[F::Bits]) {
        for (term, (&cell, &weight)) in
            terms.iter_mut().zip(cells.iter().zip(&self.weights[first..]))
        {
            *term = F::real(cell).times(weight);
        }
    }

    #[inline(always)]
    fn see(&mut self, first: usize, terms: &mut [F::Real; PART]) {
        // The given class does not compete with itself.
        let place = self.given.wrapping_sub(first);
        if place < PART {
            self.own = terms[place];
            terms[place] = F::Real::ZERO;
        }
        for terms in terms.as_chunks::<LANES>().0 {
            for lane in 0..LANES {
                self.largest[lane] = self.largest[lane].or_larger(terms[lane]);
            }
        }
    }
}
