//! Tag quality: a score for each class of each example, and one for the example.
//!
//! Each class is scored as [`crate::quality`] scores [1 - p, p], in float64. An example's score is made
//! of its K scores s by one of five aggregates:
//! - exponential moving average: over descending scores, e = alpha s + (1 - alpha) e, beginning with
//!   the first one. The r-th smallest weighs alpha (1 - alpha)^r, so those after the first few do
//!   not show, and are not sorted;
//! - soft-min: the mean weighed by exp((1 - s) / temperature);
//! - mean, median (of two middle ones their mean), min.

use std::cmp::Ordering;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::blocks::{Filling, Workers};
use crate::entropy::{Real, ln_1p};
use crate::error::{Error, Result};
use crate::format::Meaning;
use crate::input::{AllRows, Lent, Matrix, Rows};
use crate::pred_probs::PredProbs;
use crate::quality::{Adjust, Method};
use crate::row::SLACK;
use crate::scan::Fetch;
use crate::simd::{self, Kernel};
use crate::softmax::{Exponent, scale};
use crate::thresholds::NEVER;

use super::bits::{self, mask_of, take_first};
use super::bounds::{self, Cell, Tally};
use super::sums::means;
use super::{TagLabels, bad_row, check_shape, checked, own_and_other, with_cells};

/// How the scores of an example's classes become one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Aggregate {
    /// Of descending scores.
    ExponentialMovingAverage {
        /// How much the next score weighs, from 0 to 1.
        alpha: f64,
    },
    /// A mean in which low scores weigh more.
    Softmin {
        /// The lower, the nearer to the minimum.
        temperature: f64,
    },
    /// Of all classes alike.
    Mean,
    /// The middle one.
    Median,
    /// The worst one.
    Min,
}

impl Aggregate {
    pub(super) fn check(self) -> Result<()> {
        match self {
            Self::ExponentialMovingAverage { alpha } if !(0.0..=1.0).contains(&alpha) => {
                Err(Error::Alpha { value: alpha })
            }
            Self::Softmin { temperature } => scale("softmin_temperature", temperature).map(|_| ()),
            _ => Ok(()),
        }
    }
}

/// Refuses what has no meaning for scores.
pub(super) fn check_meaning(
    method: Method,
    adjust: Adjust,
    aggregate: Aggregate,
    meaning: Meaning,
) -> Result<()> {
    if method.is_of_judge() {
        return Err(Error::NotOfTags { what: method.name() });
    }
    let what = match (method, adjust, aggregate) {
        (Method::ConfidenceWeightedEntropy, _, _) => "confidence_weighted_entropy",
        (_, Adjust::PresentClasses | Adjust::AllClasses, _) => "adjust_pred_probs=True",
        (_, _, Aggregate::Softmin { .. }) => "softmin",
        _ => return Ok(()),
    };
    match meaning {
        Meaning::Probability => Ok(()),
        Meaning::Score => Err(Error::NeedsProbabilities { what }),
    }
}

/// One score an example. Thresholds, of which those who adjust ask, are those of the data unless they are
/// given.
///
/// # Errors
/// If the shapes differ, an option is out of range, or a cell is no probability.
pub fn label_quality_scores(
    labels: &TagLabels,
    pred_probs: &PredProbs<'_>,
    method: Method,
    (adjust, thresholds): (Adjust, Option<&[[f64; 2]]>),
    aggregate: Aggregate,
    workers: &Workers<'_>,
) -> Result<Vec<f64>> {
    check_shape(labels, pred_probs)?;
    check_thresholds(labels, thresholds)?;
    aggregate.check()?;
    with_cells!(pred_probs, workers, matrix, meaning => {
        check_meaning(method, adjust, aggregate, meaning)?;
        let all = AllRows(labels.n_examples());
        let shifts = shifts_of(matrix, labels, (adjust, thresholds), meaning, workers)?;
        scores_of(matrix, labels, &all, (method, shifts, Some(aggregate)), meaning, workers)
    })
}

/// One score for each class of each example, in C order.
///
/// # Errors
/// If the shapes differ, or a cell is no probability.
pub fn label_quality_scores_per_class(
    labels: &TagLabels,
    pred_probs: &PredProbs<'_>,
    method: Method,
    (adjust, thresholds): (Adjust, Option<&[[f64; 2]]>),
    workers: &Workers<'_>,
) -> Result<Vec<f64>> {
    check_shape(labels, pred_probs)?;
    check_thresholds(labels, thresholds)?;
    with_cells!(pred_probs, workers, matrix, meaning => {
        check_meaning(method, adjust, Aggregate::Min, meaning)?;
        let all = AllRows(labels.n_examples());
        let shifts = shifts_of(matrix, labels, (adjust, thresholds), meaning, workers)?;
        scores_of(matrix, labels, &all, (method, shifts, None), meaning, workers)
    })
}

fn check_thresholds(labels: &TagLabels, thresholds: Option<&[[f64; 2]]>) -> Result<()> {
    let n_classes = labels.n_classes();
    let found = thresholds.map_or(n_classes, <[_]>::len);
    if found == n_classes {
        Ok(())
    } else {
        Err(Error::OnePerClass { name: "thresholds", n_classes, found })
    }
}

/// What is added to the two sides of each class before they are scored; nothing if they are scored as
/// they are.
fn shifts_of<F: Cell>(
    matrix: &Matrix<'_, F>,
    labels: &TagLabels,
    (adjust, thresholds): (Adjust, Option<&[[f64; 2]]>),
    meaning: Meaning,
    workers: &Workers<'_>,
) -> Result<Vec<[f64; 2]>> {
    let of_all = |thresholds: &[[f64; 2]]| {
        thresholds.iter().map(|thresholds| shifts(thresholds, adjust)).collect()
    };
    Ok(match (adjust, thresholds) {
        (Adjust::No, _) => Vec::new(),
        (_, Some(thresholds)) => of_all(thresholds),
        (_, None) => of_all(&means(matrix, labels, meaning, workers)?),
    })
}

/// One score for each of some examples, or, without an aggregate, K of them.
pub(super) fn scores_of<F: Cell, R: Rows>(
    matrix: &Matrix<'_, F>,
    labels: &TagLabels,
    rows: &R,
    (method, shifts, aggregate): (Method, Vec<[f64; 2]>, Option<Aggregate>),
    meaning: Meaning,
    workers: &Workers<'_>,
) -> Result<Vec<f64>> {
    let n_classes = labels.n_classes();
    let per_row = if aggregate.is_some() { 1 } else { n_classes };
    let row_bytes = matrix.row_bytes() / per_row;
    let scorer = Scorer { method, aggregate, shifts, range: bounds::Range::<F>::new(meaning) };
    let fill = |scratch: &mut Scratch<F>, places: Range<usize>, filling: &mut Filling<'_, f64>| {
        let Scratch { tile, scores, smallest } = scratch;
        scores.resize(n_classes, 0.0);
        let mut positions = places.start / per_row..places.end.div_ceil(per_row);
        while !positions.is_empty() {
            let lent = matrix.lend(rows, positions.clone(), tile)?;
            positions.start = lent.positions.end;
            let block = Block {
                lent,
                labels,
                rows,
                scorer: &scorer,
                scores: &mut *scores,
                smallest: &mut *smallest,
                places: places.clone(),
                filling: &mut *filling,
            };
            simd::dispatch(workers.level(), block)?;
        }
        Ok(())
    };
    let filled = workers.fill(rows.len() * per_row, row_bytes, Scratch::default, fill);
    Ok(checked(filled, matrix, meaning, workers)?.0)
}

/// What is added to 1 - p and to p: the larger threshold minus their own.
fn shifts(thresholds: &[f64; 2], adjust: Adjust) -> [f64; 2] {
    let counts = |&threshold: &f64| adjust == Adjust::AllClasses || threshold < NEVER;
    let top = thresholds.iter().copied().filter(counts).fold(0.0, f64::max);
    thresholds.map(|threshold| if counts(&threshold) { top - threshold } else { 0.0 })
}

/// What a thread writes to.
struct Scratch<F: Cell> {
    tile: Vec<F::Bits>,
    scores: Vec<f64>,
    smallest: Smallest,
}

impl<F: Cell> Default for Scratch<F> {
    fn default() -> Self {
        Self { tile: Vec::new(), scores: Vec::new(), smallest: Smallest::default() }
    }
}

/// How a row is scored.
struct Scorer<F: Cell> {
    method: Method,
    aggregate: Option<Aggregate>,
    /// Of each class, or none.
    shifts: Vec<[f64; 2]>,
    range: bounds::Range<F>,
}

/// Some rows, as compiled for a CPU level.
struct Block<'a, 't, 'f, F: Cell, R> {
    lent: Lent<'t, F, R>,
    labels: &'a TagLabels,
    rows: &'a R,
    scorer: &'a Scorer<F>,
    scores: &'a mut [f64],
    smallest: &'a mut Smallest,
    /// Which numbers to fill in: of the first and the last row perhaps not all.
    places: Range<usize>,
    filling: &'a mut Filling<'f, f64>,
}

impl<F: Cell, R: Rows> Kernel for Block<'_, '_, '_, F, R> {
    type Output = Result<()>;

    #[inline(always)]
    fn run(self) -> Result<()> {
        let Self { lent, labels, rows, scorer, scores, smallest, places, filling } = self;
        for position in lent.positions.clone() {
            let row = rows.row(position);
            let cells = lent.cells(position);
            if !scorer.score(cells, labels.of(row), scores) {
                let fault = bad_row::<F>(row, cells, scorer.range.meaning);
                return Err(fault.unwrap_or(Error::Interrupted));
            }
            if let Some(aggregate) = scorer.aggregate {
                filling.push(aggregated(aggregate, scores, smallest));
            } else {
                let first = position * scores.len();
                let begin = places.start.saturating_sub(first);
                let end = (places.end - first).min(scores.len());
                scores[begin..end].iter().for_each(|&score| filling.push(score));
            }
        }
        Ok(())
    }
}

/// Cells looked at together.
const PIECE: usize = 128;

/// Scores all classes of a row: `fill!(cells, tags, scores, meaning, |own, other| own)`. A macro, because
/// a function that is handed over is compiled by itself, and not for the CPU level that it is used at:
/// the entropy took three times as long.
macro_rules! fill {
    ($cells:ident, $tags:ident, $scores:ident, $meaning:ident, |$own:ident, $other:pat_param| $score:expr) => {
        for (&cell, slot) in $cells.iter().zip($scores.iter_mut()) {
            let ($own, $other) = own_and_other(F::real(cell).double(), false, $meaning);
            *slot = $score;
        }
        for &class in $tags {
            let ($own, $other) = own_and_other(F::value($cells[class as usize]), true, $meaning);
            $scores[class as usize] = $score;
        }
    };
}

impl<F: Cell> Scorer<F> {
    /// Scores all classes of a row, as if it had no tags, and then those of the tags. False if a cell
    /// is not valid.
    #[inline(always)]
    fn score(&self, cells: &[F::Bits], tags: &[u32], scores: &mut [f64]) -> bool {
        let mut furthest = <F::Key as Tally>::Distance::default();
        for cells in cells.chunks(PIECE) {
            Fetch::All.ahead_of(cells);
            for &cell in cells {
                furthest = furthest.max(F::key(cell).distance_above(self.range.low));
            }
        }
        if furthest > self.range.width {
            return false;
        }
        let meaning = self.range.meaning;
        if !self.shifts.is_empty() {
            let mut tags = tags;
            let is_margin = self.method == Method::NormalizedMargin;
            for (class, (&cell, score)) in cells.iter().zip(scores).enumerate() {
                let tagged = tags.first() == Some(&(class as u32));
                if tagged {
                    tags = &tags[1..];
                }
                *score = adjusted(F::value(cell), tagged, self.shifts[class], is_margin);
            }
            return true;
        }
        match (self.method, meaning) {
            (Method::SelfConfidence, Meaning::Probability) => {
                fill!(cells, tags, scores, meaning, |own, _| own.clamp(0.0, 1.0) + 0.0);
            }
            (Method::NormalizedMargin, Meaning::Probability) => {
                fill!(cells, tags, scores, meaning, |own, other| margin(own, other));
            }
            (Method::NormalizedMargin, Meaning::Score) => {
                fill!(cells, tags, scores, meaning, |own, other| own - other);
            }
            (Method::ConfidenceWeightedEntropy, _) => {
                fill!(cells, tags, scores, meaning, |own, other| weighted_entropy(own, other));
            }
            (Method::SelfConfidence, Meaning::Score) => {
                fill!(cells, tags, scores, meaning, |own, _| own);
            }
            (Method::RelativeConfidence | Method::NoiseFloor, _) => {
                unreachable!("what judges say of rows is refused")
            }
        }
        true
    }
}

#[inline(always)]
fn margin(own: f64, other: f64) -> f64 {
    ((own - other + 1.0) * 0.5).clamp(0.0, 1.0)
}

#[inline(always)]
fn weighted_entropy(own: f64, other: f64) -> f64 {
    let (p, q) = (own.max(0.0), other.max(0.0));
    let entropy = -(p.x_log_x() + q.x_log_x()) / std::f64::consts::LN_2;
    let weighted = entropy.max(0.0) / own.max(SLACK);
    if weighted > 0.0 { ln_1p(weighted) / weighted } else { 1.0 }
}

#[inline(always)]
fn adjusted(p: f64, tagged: bool, [zero, one]: [f64; 2], is_margin: bool) -> f64 {
    let (q, p) = (1.0 - p + zero, p + one);
    let sum = (q + p).max(f64::MIN_POSITIVE);
    let (own, other) = if tagged { (p, q) } else { (q, p) };
    if is_margin { margin(own / sum, other / sum) } else { (own / sum).clamp(0.0, 1.0) + 0.0 }
}

/// Weights below 2^-55 do not show.
const LEAST_WEIGHT: f64 = 1.0 / (1_u64 << 55) as f64;

#[inline(always)]
fn aggregated(aggregate: Aggregate, scores: &mut [f64], smallest: &mut Smallest) -> f64 {
    match aggregate {
        Aggregate::ExponentialMovingAverage { alpha } => {
            let rest = 1.0 - alpha;
            let (mut n, mut weight) = (1, rest);
            while n < scores.len() && weight >= LEAST_WEIGHT {
                n += 1;
                weight *= rest;
            }
            let (&largest, others) = smallest.of(scores, n).split_last().unwrap_or((&0.0, &[]));
            others.iter().rev().fold(largest, |average, &score| alpha * score + rest * average)
        }
        Aggregate::Softmin { temperature } => softmin(scores, temperature),
        Aggregate::Mean => sum_of(scores) / scores.len() as f64,
        Aggregate::Median => {
            let middle = scores.len() / 2;
            let is_even = scores.len().is_multiple_of(2);
            let (below, &mut upper, _) = scores.select_nth_unstable_by(middle, f64::total_cmp);
            let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            if is_even { f64::midpoint(lower, upper) } else { upper }
        }
        Aggregate::Min => minimum(scores),
    }
}

/// Lanes of sums.
const LANES: usize = 16;

/// Adds up in fixed lanes, then lanes in pairs.
#[inline(always)]
fn sum_of(scores: &[f64]) -> f64 {
    let mut sums = [0.0; LANES];
    let (chunks, rest) = scores.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            sums[lane] += chunk[lane];
        }
    }
    for (sum, &score) in sums.iter_mut().zip(rest) {
        *sum += score;
    }
    in_pairs(sums)
}

#[inline(always)]
fn minimum(scores: &[f64]) -> f64 {
    let mut least = [f64::INFINITY; LANES];
    let (chunks, rest) = scores.as_chunks::<LANES>();
    for chunk in chunks {
        lower(&mut least, chunk);
    }
    for &score in rest {
        least[0] = if score < least[0] { score } else { least[0] };
    }
    least.into_iter().fold(f64::INFINITY, |least, score| if score < least { score } else { least })
}

#[inline(always)]
fn lower<const N: usize>(least: &mut [f64; N], scores: &[f64; N]) {
    for lane in 0..N {
        least[lane] = if scores[lane] < least[lane] { scores[lane] } else { least[lane] };
    }
}

#[inline(always)]
fn softmin(scores: &mut [f64], temperature: f64) -> f64 {
    let least = minimum(scores);
    let scale = std::f64::consts::LOG2_E / temperature;
    let (mut sums, mut weights) = ([0.0; LANES], [0.0; LANES]);
    let mut add = |scores: &[f64; LANES], least: f64| {
        for lane in 0..LANES {
            let exponent = (least - scores[lane]) * scale - 1.0;
            let exponent = exponent.or_larger(f64::LEAST_EXPONENT);
            // Unlike `exp2` of the standard library it is the same on every CPU.
            let power = Exponent::power_of_two(exponent);
            let weight = if exponent > f64::LEAST_EXPONENT { power } else { 0.0 };
            weights[lane] += weight;
            sums[lane] += scores[lane] * weight;
        }
    };
    let (chunks, rest) = scores.as_chunks::<LANES>();
    for chunk in chunks {
        add(chunk, least);
    }
    if !rest.is_empty() {
        // Scores so high that their weights are 0.
        let mut padded = [least + 2000.0 / scale; LANES];
        padded[..rest.len()].copy_from_slice(rest);
        add(&padded, least);
    }
    in_pairs(sums) / in_pairs(weights)
}

/// The sum of all lanes, in pairs, pairs of pairs and so on.
#[inline(always)]
fn in_pairs(mut lanes: [f64; LANES]) -> f64 {
    let mut n = LANES / 2;
    while n > 0 {
        for lane in 0..n {
            lanes[lane] += lanes[lane + n];
        }
        n /= 2;
    }
    lanes[0]
}

/// The smallest scores of an example, ascending. It guesses a bound that is not far above them from the
/// example before; no guess can change which they are.
#[derive(Debug, Default)]
struct Smallest {
    sorted: Vec<f64>,
    bound: f64,
}

impl Smallest {
    #[inline(always)]
    fn of(&mut self, scores: &[f64], n: usize) -> &[f64] {
        if n == 1 {
            self.sorted.clear();
            self.sorted.push(minimum(scores));
            return &self.sorted;
        }
        if scores.len() <= 2 * n {
            self.sorted.clear();
            self.sorted.extend_from_slice(scores);
        } else {
            self.collect(scores);
            if self.sorted.len() < n || self.sorted.len() > 4 * n {
                self.bound = bound_for(scores, n);
                self.collect(scores);
            }
        }
        // None is NaN. Half the time of `total_cmp`.
        self.sorted
            .sort_unstable_by(|left, right| left.partial_cmp(right).unwrap_or(Ordering::Equal));
        // So that there are a few more of an example that is like this one.
        if let Some(&next) = self.sorted.get(n + n / 2).or(self.sorted.last()) {
            self.bound = next;
        }
        &self.sorted[..n]
    }

    #[inline(always)]
    fn collect(&mut self, scores: &[f64]) {
        let Self { sorted, bound } = self;
        let bound = *bound;
        sorted.clear();
        let (pieces, rest) = scores.as_chunks::<{ bits::PIECE }>();
        for piece in pieces {
            let mut mask = mask_of!(piece, score => score <= bound);
            while let Some(place) = take_first(&mut mask) {
                sorted.push(piece[place]);
            }
        }
        for &score in rest {
            if score <= bound {
                sorted.push(score);
            }
        }
    }
}

/// Groups of which a minimum each is taken.
const GROUPS: usize = 64;

/// A bound that at least n scores are not above, and not many more: of 64 groups the minima come first,
/// and the n-th smallest of those is one.
fn bound_for(scores: &[f64], n: usize) -> f64 {
    let (chunks, _) = scores.as_chunks::<GROUPS>();
    if n >= GROUPS || chunks.is_empty() {
        let mut all = scores.to_vec();
        return *all.select_nth_unstable_by(n - 1, f64::total_cmp).1;
    }
    let mut minima = [f64::INFINITY; GROUPS];
    for chunk in chunks {
        lower(&mut minima, chunk);
    }
    *minima.select_nth_unstable_by(n - 1, f64::total_cmp).1
}
