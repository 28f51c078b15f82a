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

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::Calibration;
use super::minimum::{Gradient, minimum};
use crate::blocks::Workers;
use crate::entropy::ln;
use crate::error::Result;
use crate::lanes::{LANES, PART, Sums};
use crate::simd::{self, Kernel, Level};
use crate::softmax::Exponent;

/// How strongly biases are drawn to 0.
const PENALTY: f64 = 0.003;
/// A given class of which the model says less is taken to have so much: else one row that the model
/// is sure about would decide.
const LEAST_GIVEN: f64 = 1e-7;
/// No temperature that is fitted is lower than one over the first, or higher than one over the second.
const MOST_POWER: f64 = 20.0;
const LEAST_POWER: f64 = 0.05;
/// No bias that is fitted is further from 0.
const MOST_BIAS: f64 = 5.0;
/// The sample is cut into so many pieces, whatever the threads are.
const N_PIECES: usize = 8;
/// Rows are told apart by the largest probability in so many bins.
const N_BINS: usize = 15;

/// Rows of probabilities, entries of 0 left out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sample {
    n_classes: usize,
    given: Vec<u32>,
    /// Where the entries of each row begin, and the end.
    starts: Vec<usize>,
    classes: Vec<u32>,
    logs: Vec<f64>,
}

/// How well probabilities fit the given labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reliability {
    /// Mean of -ln P of the given class, of at least 1e-7.
    pub log_loss: f64,
    /// By bins of the largest probability, of equal width: how many rows.
    pub counts: Vec<u64>,
    /// The mean of the largest probability of each bin, NaN where there is no row.
    pub confidences: Vec<f64>,
    /// The share of them whose most probable class is the given one.
    pub accuracies: Vec<f64>,
}

impl Sample {
    /// Of no rows.
    #[must_use]
    pub(crate) fn new(n_classes: usize) -> Self {
        Self { n_classes, starts: vec![0], ..Self::default() }
    }

    /// Adds a row: its given class, and its entries by ascending class, none of them 0.
    pub(crate) fn push(&mut self, given: u32, entries: impl Iterator<Item = (u32, f64)>) {
        let mut is_missing = true;
        for (class, value) in entries {
            if is_missing && class >= given {
                if class > given {
                    self.push_entry(given, LEAST_GIVEN);
                }
                is_missing = false;
            }
            self.push_entry(class, if class == given { value.max(LEAST_GIVEN) } else { value });
        }
        if is_missing {
            self.push_entry(given, LEAST_GIVEN);
        }
        self.given.push(given);
        self.starts.push(self.classes.len());
    }

    fn push_entry(&mut self, class: u32, value: f64) {
        self.classes.push(class);
        self.logs.push(ln(value));
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
            return Ok(Calibration::NONE);
        }
        let mut start = vec![0.0; 1 + self.n_classes];
        start[0] = 1.0;
        let loss = |point: &[f64]| self.loss(point, workers);
        let best = minimum(start, &self.curvatures(), (LEAST_POWER, MOST_POWER), loss)?;
        let biases = best[1..].iter().map(|bias| bias.clamp(-MOST_BIAS, MOST_BIAS));
        Ok(Calibration { temperature: 1.0 / best[0], class_bias: biases.collect() })
    }

    /// About how much the loss bends along each axis.
    fn curvatures(&self) -> Vec<f64> {
        let n = self.n_rows() as f64;
        let mut counts = vec![0_u32; self.n_classes];
        self.given.iter().for_each(|&given| counts[given as usize] += 1);
        let of_class = |&count: &u32| {
            let share = (f64::from(count) + 0.5) / (n + 0.5 * self.n_classes as f64);
            share * (1.0 - share) + PENALTY
        };
        std::iter::once(1.0).chain(counts.iter().map(of_class)).collect()
    }

    /// The loss and its gradient at 1/T and b.
    fn loss(&self, point: &[f64], workers: &Workers<'_>) -> Result<(f64, Gradient)> {
        let n_rows = self.n_rows();
        let piece = n_rows.div_ceil(N_PIECES);
        let n_pieces = n_rows.div_ceil(piece);
        let pieces = workers.map(n_pieces, Vec::new, |powers, number| {
            let rows = number * piece..n_rows.min((number + 1) * piece);
            let piece = Piece { sample: self, rows, point, powers };
            Ok(simd::dispatch(workers.level(), piece))
        })?;
        let n = n_rows as f64;
        let biases = &point[1..];
        let mut loss = PENALTY / 2.0 * biases.iter().map(|bias| bias * bias).sum::<f64>();
        let mut gradient: Gradient =
            std::iter::once(0.0).chain(biases.iter().map(|bias| PENALTY * bias)).collect();
        for (of_piece, slopes) in pieces {
            loss += of_piece / n;
            gradient.iter_mut().zip(slopes).for_each(|(sum, slope)| *sum += slope / n);
        }
        Ok((loss, gradient))
    }

    /// The loss of a row; adds its gradient.
    #[inline(always)]
    fn add_row(&self, row: usize, point: &[f64], powers: &mut Vec<f64>, sums: &mut [f64]) -> f64 {
        let given = self.given[row] as usize;
        let (classes, logs) = self.entries(row);
        let (max, sum, own) = self.powers(row, point, powers);
        let inverse = 1.0 / sum;
        powers.iter_mut().for_each(|power| *power *= inverse);
        let by_class = &mut sums[1..];
        if classes.len() == by_class.len() {
            // Every class has an entry: many are added at once.
            by_class.iter_mut().zip(&*powers).for_each(|(sum, power)| *sum += power);
        } else {
            let entries = classes.iter().zip(&*powers);
            entries.for_each(|(&class, power)| by_class[class as usize] += power);
        }
        by_class[given] -= 1.0;
        powers.iter_mut().zip(logs).for_each(|(power, log)| *power *= log);
        let at = classes.partition_point(|&class| (class as usize) < given);
        sums[0] += sum_of_all(powers) - logs[at];
        ln(sum) + max - own
    }

    #[inline(always)]
    fn entries(&self, row: usize) -> (&[u32], &[f64]) {
        let entries = self.starts[row]..self.starts[row + 1];
        (&self.classes[entries.clone()], &self.logs[entries])
    }

    /// exp(exponent - max) of each entry; the max, the sum, and the exponent of the given class.
    #[inline(always)]
    fn powers(&self, row: usize, point: &[f64], powers: &mut Vec<f64>) -> (f64, f64, f64) {
        let (classes, logs) = self.entries(row);
        let given = self.given[row];
        let (slope, biases) = (point[0], &point[1..]);
        powers.clear();
        if classes.len() == biases.len() {
            powers.extend(logs.iter().zip(biases).map(|(&log, &bias)| log.mul_add(slope, bias)));
        } else {
            let exponents = classes.iter().zip(logs);
            let bias = |class: u32| biases[class as usize];
            powers.extend(exponents.map(|(&class, &log)| log.mul_add(slope, bias(class))));
        }
        let max = largest_of_all(powers);
        let own = powers[classes.partition_point(|&class| class < given)];
        for power in powers.iter_mut() {
            let exponent = (*power - max).mul_add(std::f64::consts::LOG2_E, -1.0);
            *power = 2.0 * exponent.or_larger(f64::LEAST_EXPONENT).exp2();
        }
        (max, sum_of_all(powers), own)
    }

    /// How well the sample, calibrated, fits its labels.
    #[must_use]
    pub fn reliability(&self, calibration: &Calibration) -> Reliability {
        simd::dispatch(Level::chosen(), Reliably { sample: self, calibration })
    }

    #[inline(always)]
    fn reliability_of(&self, calibration: &Calibration) -> Reliability {
        let mut point = vec![0.0; 1 + self.n_classes];
        point[0] = 1.0 / calibration.temperature;
        point[1..].iter_mut().zip(&calibration.class_bias).for_each(|(to, bias)| *to = *bias);
        let (mut log_loss, mut powers) = (0.0, Vec::new());
        let mut bins = vec![(0_u64, 0.0, 0_u64); N_BINS];
        for (row, &given) in self.given.iter().enumerate() {
            let (max, sum, own) = self.powers(row, &point, &mut powers);
            log_loss += ln(sum) + max - own;
            let largest = powers.iter().copied().fold(0.0, f64::max);
            let first = powers.iter().position(|&power| power >= largest).unwrap_or(0);
            let is_hit = self.entries(row).0[first] == given;
            let confidence: f64 = largest / sum;
            let bin = &mut bins[((confidence * N_BINS as f64) as usize).min(N_BINS - 1)];
            *bin = (bin.0 + 1, bin.1 + confidence, bin.2 + u64::from(is_hit));
        }
        let share = |of: f64, n: u64| of / n as f64; // NaN of none
        Reliability {
            log_loss: log_loss / self.n_rows().max(1) as f64,
            counts: bins.iter().map(|bin| bin.0).collect(),
            confidences: bins.iter().map(|bin| share(bin.1, bin.0)).collect(),
            accuracies: bins.iter().map(|bin| share(bin.2 as f64, bin.0)).collect(),
        }
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

/// The loss of some rows, and its gradient, as compiled for a CPU level.
struct Piece<'a> {
    sample: &'a Sample,
    rows: Range<usize>,
    point: &'a [f64],
    powers: &'a mut Vec<f64>,
}

impl Kernel for Piece<'_> {
    type Output = (f64, Gradient);

    #[inline(always)]
    fn run(self) -> (f64, Gradient) {
        let Self { sample, rows, point, powers } = self;
        let (mut loss, mut gradient) = (0.0, vec![0.0; point.len()]);
        for row in rows {
            loss += sample.add_row(row, point, powers, &mut gradient);
        }
        (loss, gradient)
    }
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
