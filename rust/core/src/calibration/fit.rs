//! Which calibration makes probabilities fit the given labels.
//!
//! Of a sample of rows i with given classes y it is the one with the smallest
//!
//! mean of -ln P'[i, y_i] + [`PENALTY`] / 2 * sum of b_k^2,
//!
//! a convex function of 1/T and b (a multinomial logistic regression on ln P with one slope), found by
//! L-BFGS (Nocedal, Wright: "Numerical Optimization", algorithm 7.4). The penalty keeps the biases of
//! rare classes near 0. The sample is gone through in a fixed order, in pieces that do not depend on
//! the threads.
//!
//! A model that says 0 of a given class was wrong about it. So no probability is taken to be 0: each of
//! those is a tenth of the least one that any given class has, and at most 1 / (10 K), so that all of them
//! together have little. They are not stored, and what they add is computed for all at once.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::Calibration;
use super::minimum::{Local, minimum};
use crate::blocks::Workers;
use crate::entropy::{Real, ln};
use crate::error::Result;
use crate::lanes::{LANES, PART, Sums};
use crate::simd::{self, Kernel, Level};
use crate::softmax::Exponent;

/// How strongly biases are drawn to 0.
const PENALTY: f64 = 0.003;
/// No given class is taken to have less when a calibration is fitted: one row that the model is sure
/// about must not decide.
const LEAST_GIVEN: f64 = 1e-7;
/// What the model says 0 of is taken to have this share of the least that it says of a given class, and at
/// most this share of a row, with all of its kind.
const SHARE_OF_LEAST: f64 = 0.1;
/// No temperature that is fitted is lower than one over the first, or higher than one over the second.
const MOST_POWER: f64 = 20.0;
const LEAST_POWER: f64 = 0.05;
/// No bias that is fitted is further from 0.
const MOST_BIAS: f64 = 5.0;
/// The slope never bends less: that of rows of equal probabilities does not bend at all.
const LEAST_CURVATURE: f64 = 1e-9;
/// The sample is cut into so many pieces, whatever the threads are.
const N_PIECES: usize = 8;
/// Rows are told apart by the largest probability in so many bins.
const N_BINS: usize = 15;

/// Rows of probabilities, entries of 0 left out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sample {
    n_classes: usize,
    least_given: f64,
    given: Vec<u32>,
    /// Where the entries of each row begin, and the end.
    starts: Vec<usize>,
    classes: Vec<u32>,
    logs: Vec<f64>,
}

/// How often a model contradicts the given labels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contradictions {
    /// The share of all rows.
    pub all: f64,
    /// And of the half in which the model is surer.
    pub surer: f64,
}

/// How well probabilities fit the given labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reliability {
    /// Mean of -ln P of the given class.
    pub log_loss: f64,
    /// By bins of the largest probability, of equal width: how many rows.
    pub counts: Vec<u64>,
    /// The mean of the largest probability of each bin, NaN where there is no row.
    pub confidences: Vec<f64>,
    /// The share of them whose most probable class is the given one.
    pub accuracies: Vec<f64>,
}

/// A row of a sample: its given class, and its entries by ascending class, none of them 0.
pub(crate) type SampledRow<'a> = (u32, &'a [u32], &'a [f32]);

impl Sample {
    /// Of these rows.
    pub(crate) fn of<'a>(
        n_classes: usize,
        rows: impl Iterator<Item = SampledRow<'a>> + Clone,
    ) -> Self {
        simd::dispatch(Level::chosen(), Sampling { n_classes, rows })
    }

    /// What a class is taken to have of which the model says 0.
    #[must_use]
    pub fn least_given(&self) -> f64 {
        self.least_given
    }

    /// Adds a row.
    #[inline(always)]
    fn push(&mut self, (given, classes, values): SampledRow<'_>) {
        let at = classes.partition_point(|&class| class < given);
        let rest = at + usize::from(classes.get(at) == Some(&given));
        let own = if rest > at { f64::from(values[at]) } else { self.least_given };
        self.classes.extend_from_slice(&classes[..at]);
        self.classes.push(given);
        self.classes.extend_from_slice(&classes[rest..]);
        let log = |&value: &f32| ln(f64::from(value));
        self.logs.extend(values[..at].iter().map(log));
        self.logs.push(ln(own.max(LEAST_GIVEN)));
        self.logs.extend(values[rest..].iter().map(log));
        self.given.push(given);
        self.starts.push(self.classes.len());
    }

    /// How many rows.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.given.len()
    }

    /// Bytes that its entries take.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        size_of_val(&self.classes[..]) + size_of_val(&self.logs[..])
    }

    /// The calibration that fits best.
    ///
    /// # Errors
    /// If the caller wants to stop.
    pub fn fit(&self, workers: &Workers<'_>) -> Result<Calibration> {
        if self.given.is_empty() {
            return Ok(Calibration { temperature: 1.0, class_bias: vec![0.0; self.n_classes] });
        }
        let mut start = vec![0.0; 1 + self.n_classes];
        start[0] = 1.0;
        let loss = |point: &[f64]| self.loss(point, workers);
        let best = minimum(start, (LEAST_POWER, MOST_POWER), loss)?;
        let biases = best[1..].iter().map(|bias| bias.clamp(-MOST_BIAS, MOST_BIAS));
        Ok(Calibration { temperature: 1.0 / best[0], class_bias: biases.collect() })
    }

    /// The loss at 1/T and b.
    fn loss(&self, point: &[f64], workers: &Workers<'_>) -> Result<Local> {
        let n_rows = self.n_rows();
        let piece = n_rows.div_ceil(N_PIECES);
        let n_pieces = n_rows.div_ceil(piece);
        let zeros = simd::dispatch(workers.level(), Zeroing { sample: self, point });
        let pieces = workers.map(n_pieces, Vec::new, |powers, number| {
            let rows = number * piece..n_rows.min((number + 1) * piece);
            let piece = Piece { sample: self, rows, point, zeros: &zeros, powers };
            Ok(simd::dispatch(workers.level(), piece))
        })?;
        let n = n_rows as f64;
        let biases = &point[1..];
        let of_biases = |of: fn(f64) -> f64| biases.iter().map(move |&bias| PENALTY * of(bias));
        let mut loss = Local {
            value: of_biases(|bias| bias * bias / 2.0).sum(),
            gradient: std::iter::once(0.0).chain(of_biases(|bias| bias)).collect(),
            curvatures: std::iter::once(LEAST_CURVATURE).chain(of_biases(|_| 1.0)).collect(),
        };
        for of_piece in pieces {
            loss.value += of_piece.value / n;
            add(&mut loss.gradient, &of_piece.gradient, n);
            add(&mut loss.curvatures, &of_piece.curvatures, n);
        }
        Ok(loss)
    }

    /// Adds the loss of a row; of the classes that are not stored but to `sums.zeros`.
    #[inline(always)]
    fn add_row(&self, row: usize, at: At<'_>, powers: &mut Vec<f64>, sums: &mut LossOfRows) {
        let given = self.given[row] as usize;
        let (classes, logs) = self.entries(row);
        let RowOfPowers { max, sum, own, zero, zeros } = self.powers(row, at, powers);
        let inverse = 1.0 / sum;
        powers.iter_mut().for_each(|power| *power *= inverse);
        let LossOfRows { loss, zeros: of_zeros } = sums;
        let (slopes, curves) = (&mut loss.gradient[1..], &mut loss.curvatures[1..]);
        let (zero, zeros) = (zero * inverse, zeros * inverse);
        if classes.len() == slopes.len() {
            // Every class has an entry: many are added at once.
            for ((slope, curve), &power) in slopes.iter_mut().zip(curves).zip(&*powers) {
                *slope += power;
                *curve += power * (1.0 - power);
            }
        } else {
            of_zeros.0 += zero;
            of_zeros.1 += zero * zero;
            for (&class, &power) in classes.iter().zip(&*powers) {
                let class = class as usize;
                // What all classes are given at the end, this one has not.
                let not = zero * at.zeros.of_classes[class];
                slopes[class] += power - not;
                curves[class] += power * (1.0 - power) - (not - not * not);
            }
        }
        slopes[given] -= 1.0;
        let log = at.zeros.log;
        powers.iter_mut().zip(logs).for_each(|(power, log)| *power *= log);
        let mean = sum_of_all(powers) + zeros * log;
        powers.iter_mut().zip(logs).for_each(|(power, log)| *power *= log);
        let square = sum_of_all(powers) + zeros * log * log;
        let place = classes.partition_point(|&class| (class as usize) < given);
        loss.gradient[0] += mean - logs[place];
        loss.curvatures[0] += (square - mean * mean).max(0.0);
        loss.value += ln(sum) + max - own;
    }

    #[inline(always)]
    fn entries(&self, row: usize) -> (&[u32], &[f64]) {
        let entries = self.starts[row]..self.starts[row + 1];
        (&self.classes[entries.clone()], &self.logs[entries])
    }

    /// exp(exponent - max) of each entry.
    #[inline(always)]
    fn powers(&self, row: usize, at: At<'_>, powers: &mut Vec<f64>) -> RowOfPowers {
        let (classes, logs) = self.entries(row);
        let given = self.given[row];
        let (slope, biases) = (at.point[0], &at.point[1..]);
        powers.clear();
        let is_full = classes.len() == biases.len();
        let (mut rest, mut of_zero) = (0.0, f64::NEG_INFINITY);
        if is_full {
            powers.extend(logs.iter().zip(biases).map(|(&log, &bias)| log.mul_add(slope, bias)));
        } else {
            let exponents = classes.iter().zip(logs);
            let bias = |class: u32| biases[class as usize];
            powers.extend(exponents.map(|(&class, &log)| log.mul_add(slope, bias(class))));
            let stored = classes.iter().map(|&class| at.zeros.of_classes[class as usize]);
            rest = (at.zeros.total - stored.sum::<f64>()).max(0.0);
            of_zero = at.zeros.log * slope;
        }
        let max = largest_of_all(powers).or_larger(of_zero);
        let own = powers[classes.partition_point(|&class| class < given)];
        powers.iter_mut().for_each(|power| *power = exp(*power - max));
        let zero = if is_full { 0.0 } else { exp(of_zero - max) };
        let zeros = zero * rest;
        RowOfPowers { max, sum: sum_of_all(powers) + zeros, own, zero, zeros }
    }

    /// How often the most probable class, once the sample is calibrated, is not the given one: in all
    /// rows, and in the half of them in which it is the most probable (the first ones on ties).
    #[must_use]
    pub fn contradictions(&self, calibration: &Calibration) -> Contradictions {
        simd::dispatch(Level::chosen(), Contradicting { sample: self, calibration })
    }

    #[inline(always)]
    fn contradictions_of(&self, calibration: &Calibration) -> Contradictions {
        let (point, mut powers) = (self.point(calibration), Vec::new());
        let at = At { point: &point, zeros: &self.zeros(&point) };
        let mut rows: Vec<(f64, bool)> = Vec::with_capacity(self.n_rows());
        for row in 0..self.n_rows() {
            let (confidence, is_hit) = self.most_probable(row, at, &mut powers);
            rows.push((confidence, !is_hit));
        }
        rows.sort_by(|left, right| right.0.total_cmp(&left.0));
        let share = |rows: &[(f64, bool)]| {
            rows.iter().filter(|row| row.1).count() as f64 / rows.len().max(1) as f64
        };
        Contradictions { all: share(&rows), surer: share(&rows[..rows.len().div_ceil(2)]) }
    }

    /// What classes of which a row says 0 have at a point of the loss.
    #[inline(always)]
    fn zeros(&self, point: &[f64]) -> Zeros {
        let of_classes: Vec<f64> = point[1..].iter().map(|&bias| exp(bias)).collect();
        Zeros { log: ln(self.least_given), total: sum_of_all(&of_classes), of_classes }
    }

    /// A calibration as a point of the loss.
    fn point(&self, calibration: &Calibration) -> Vec<f64> {
        let mut point = vec![0.0; 1 + self.n_classes];
        point[0] = 1.0 / calibration.temperature;
        point[1..].iter_mut().zip(&calibration.class_bias).for_each(|(to, bias)| *to = *bias);
        point
    }

    /// The largest probability of a row, and whether it is that of the given class.
    #[inline(always)]
    fn most_probable(&self, row: usize, at: At<'_>, powers: &mut Vec<f64>) -> (f64, bool) {
        let RowOfPowers { sum, .. } = self.powers(row, at, powers);
        let largest = largest_of_all(powers);
        let first = powers.iter().position(|&power| power >= largest).unwrap_or(0);
        (largest / sum, self.entries(row).0[first] == self.given[row])
    }

    /// How well the sample, calibrated, fits its labels.
    #[must_use]
    pub fn reliability(&self, calibration: &Calibration) -> Reliability {
        simd::dispatch(Level::chosen(), Reliably { sample: self, calibration })
    }

    #[inline(always)]
    fn reliability_of(&self, calibration: &Calibration) -> Reliability {
        let point = self.point(calibration);
        let at = At { point: &point, zeros: &self.zeros(&point) };
        let (mut log_loss, mut powers) = (0.0, Vec::new());
        let mut bins = vec![(0_u64, 0.0, 0_u64); N_BINS];
        for row in 0..self.n_rows() {
            let RowOfPowers { max, sum, own, .. } = self.powers(row, at, &mut powers);
            log_loss += ln(sum) + max - own;
            let (confidence, is_hit) = self.most_probable(row, at, &mut powers);
            let bin = &mut bins[((confidence * N_BINS as f64) as usize).min(N_BINS - 1)];
            *bin = (bin.0 + 1, bin.1 + confidence, bin.2 + u64::from(is_hit));
        }
        let share = |of: f64, n: u64| of / n as f64; // NaN of none
        Reliability {
            log_loss: share(log_loss, self.n_rows() as u64),
            counts: bins.iter().map(|bin| bin.0).collect(),
            confidences: bins.iter().map(|bin| share(bin.1, bin.0)).collect(),
            accuracies: bins.iter().map(|bin| share(bin.2 as f64, bin.0)).collect(),
        }
    }
}

/// A sample of rows, as compiled for a CPU level.
struct Sampling<R> {
    n_classes: usize,
    rows: R,
}

impl<'a, R: Iterator<Item = SampledRow<'a>> + Clone> Kernel for Sampling<R> {
    type Output = Sample;

    #[inline(always)]
    fn run(self) -> Sample {
        let Self { n_classes, rows } = self;
        let own = |(given, classes, values): SampledRow<'_>| {
            Some(f64::from(values[classes.binary_search(&given).ok()?]))
        };
        let least = rows.clone().filter_map(own).fold(f64::INFINITY, f64::min);
        let least = if least.is_finite() { least } else { LEAST_GIVEN / SHARE_OF_LEAST };
        let least_given = SHARE_OF_LEAST * least.min(1.0 / n_classes as f64);
        let mut sample = Sample { n_classes, least_given, starts: vec![0], ..Sample::default() };
        // A row of zeros tells nothing.
        rows.filter(|(_, classes, _)| !classes.is_empty()).for_each(|row| sample.push(row));
        sample
    }
}

/// How often a sample contradicts its labels, as compiled for a CPU level.
struct Contradicting<'a> {
    sample: &'a Sample,
    calibration: &'a Calibration,
}

impl Kernel for Contradicting<'_> {
    type Output = Contradictions;

    #[inline(always)]
    fn run(self) -> Contradictions {
        self.sample.contradictions_of(self.calibration)
    }
}

/// How well a sample fits its labels, as compiled for a CPU level.
struct Reliably<'a> {
    sample: &'a Sample,
    calibration: &'a Calibration,
}

impl Kernel for Reliably<'_> {
    type Output = Reliability;

    #[inline(always)]
    fn run(self) -> Reliability {
        self.sample.reliability_of(self.calibration)
    }
}

/// Where the loss is looked at: 1/T, then b; and what follows of it for classes that are not stored.
#[derive(Clone, Copy)]
struct At<'a> {
    point: &'a [f64],
    zeros: &'a Zeros,
}

/// Classes of which a row says 0.
struct Zeros {
    /// The logarithm of what each is taken to have.
    log: f64,
    /// exp(b), of each class and of all.
    of_classes: Vec<f64>,
    total: f64,
}

/// The powers of a row, each times exp(-max).
struct RowOfPowers {
    /// The largest exponent, that of a 0 included.
    max: f64,
    sum: f64,
    /// The exponent of the given class.
    own: f64,
    /// Of a class of which the row says 0, over its exp(b); and of all those together.
    zero: f64,
    zeros: f64,
}

/// The loss of some rows, but for the classes that they do not store: the sums of [`RowOfPowers::zero`] over
/// the sum of each row, and of their squares.
struct LossOfRows {
    loss: Local,
    zeros: (f64, f64),
}

/// What classes of which a row says 0 have, as compiled for a CPU level.
struct Zeroing<'a> {
    sample: &'a Sample,
    point: &'a [f64],
}

impl Kernel for Zeroing<'_> {
    type Output = Zeros;

    #[inline(always)]
    fn run(self) -> Zeros {
        self.sample.zeros(self.point)
    }
}

/// The loss of some rows, as compiled for a CPU level.
struct Piece<'a> {
    sample: &'a Sample,
    rows: Range<usize>,
    point: &'a [f64],
    zeros: &'a Zeros,
    powers: &'a mut Vec<f64>,
}

impl Kernel for Piece<'_> {
    type Output = Local;

    #[inline(always)]
    fn run(self) -> Local {
        let Self { sample, rows, point, zeros, powers } = self;
        let none = || vec![0.0; point.len()];
        let loss = Local { value: 0.0, gradient: none(), curvatures: none() };
        let mut sums = LossOfRows { loss, zeros: (0.0, 0.0) };
        for row in rows {
            sample.add_row(row, At { point, zeros }, powers, &mut sums);
        }
        let LossOfRows { mut loss, zeros: (sum, squares) } = sums;
        let axes = loss.gradient[1..].iter_mut().zip(&mut loss.curvatures[1..]);
        for ((slope, curve), of_class) in axes.zip(&zeros.of_classes) {
            *slope += sum * of_class;
            *curve += (sum - squares * of_class) * of_class;
        }
        loss
    }
}

/// e to an exponent up to some hundreds.
#[inline(always)]
fn exp(exponent: f64) -> f64 {
    let exponent = exponent.mul_add(std::f64::consts::LOG2_E, -1.0);
    2.0 * exponent.or_larger(f64::LEAST_EXPONENT).power_of_two()
}

/// Adds terms that are divided by n.
fn add(sums: &mut [f64], terms: &[f64], n: f64) {
    sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term / n);
}

/// The sum of some numbers, many at a time.
#[inline(always)]
fn sum_of_all(values: &[f64]) -> f64 {
    let mut sums = Sums::ZERO;
    let (parts, rest) = values.as_chunks::<PART>();
    parts.iter().for_each(|part| sums.add(part));
    if !rest.is_empty() {
        let mut part = [0.0; PART];
        part[..rest.len()].copy_from_slice(rest);
        sums.add(&part);
    }
    sums.total()
}

/// The largest of them.
#[inline(always)]
fn largest_of_all(values: &[f64]) -> f64 {
    let mut largest = [f64::NEG_INFINITY; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for values in chunks {
        for lane in 0..LANES {
            largest[lane] = largest[lane].or_larger(values[lane]);
        }
    }
    largest.iter().chain(rest).copied().fold(f64::NEG_INFINITY, f64::or_larger)
}
