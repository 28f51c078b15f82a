//! Label quality: one score a row, from 0 (the label is likely wrong) to 1 (likely right).
//!
//! With y the given class of row p:
//! - self confidence: p_y;
//! - normalized margin: (p_y - max of p_j over j != y, + 1) / 2;
//! - confidence-weighted entropy: ln(1 + h) / h with h = H(p) / ln K / max(p_y, 1e-6);
//! - what a judge says, see [`crate::judge`].
//!
//! Of scores, which have no range, the first one is s_y, the second one s_y - max of s_j over j != y, and
//! the others have no meaning.
//!
//! Margins are computed here and only here, in float64 from the cells, so that a tie is a tie
//! everywhere.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::blocks::{Filling, Workers};
use crate::entropy::{entropy, ln_1p};
use crate::error::{Error, Result};
use crate::format::{Float64, Format, Key, Meaning, Scores};
use crate::input::{AllRows, ByEntries, Labels, Matrix, Rows};
use crate::judge::{self, Asked, Ready};
use crate::look::{Keep, Seen};
use crate::pred_probs::{PredProbs, with_matrix};
use crate::row::{BadCell, Cutoffs, RowFacts, SLACK, Several, ValidKeys, check_row, without_signs};
use crate::scan::{Fetch, Scan};
use crate::simd::Level;
use crate::sweep::{RowKernel, first_fault, or_first_fault, sweep};
use crate::thresholds::{NEVER, first_own_fault, own_cells, thresholds_before_sweep};

/// Which score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Method {
    /// P(given class).
    SelfConfidence,
    /// How far P(given class) is above the best other class.
    NormalizedMargin,
    /// Entropy of the row over P(given class).
    ConfidenceWeightedEntropy,
    /// P(given class) over its threshold, as a share of those of all classes.
    RelativeConfidence,
    /// The posterior of the given class, where a part of the labels comes from anywhere.
    NoiseFloor,
}

impl Method {
    /// Its name, as messages have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SelfConfidence => "self_confidence",
            Self::NormalizedMargin => "normalized_margin",
            Self::ConfidenceWeightedEntropy => "confidence_weighted_entropy",
            Self::RelativeConfidence => "relative_confidence",
            Self::NoiseFloor => "noise_floor",
        }
    }

    /// Whether a judge gives it, which is fitted to all rows.
    #[must_use]
    pub fn is_of_judge(self) -> bool {
        matches!(self, Self::RelativeConfidence | Self::NoiseFloor)
    }
}

/// Whether class imbalance is taken out of the probabilities before they are scored: the class
/// threshold t_k is subtracted from column k, the largest threshold added, and rows normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adjust {
    /// Scores of the probabilities as they are.
    No,
    /// Classes nobody was given have no threshold, so their columns stay as they are.
    PresentClasses,
    /// Classes nobody was given have threshold 2, which then is the largest: what cleanlab does.
    AllClasses,
}

/// The self confidence of a row.
#[must_use]
pub(crate) fn self_confidence<F: Format>(facts: &RowFacts) -> f64 {
    own_score::<F>(facts.own)
}

/// The normalized margin of a row.
#[must_use]
pub(crate) fn normalized_margin<F: Format>(facts: &RowFacts) -> f64 {
    margin_score::<F>(facts.own, facts.best_other)
}

#[inline(always)]
fn own_score<F: Format>(own: f64) -> f64 {
    match F::MEANING {
        Meaning::Probability => own.clamp(0.0, 1.0),
        Meaning::Score => own,
    }
}

#[inline(always)]
pub(crate) fn margin_score<F: Format>(own: f64, best_other: f64) -> f64 {
    match F::MEANING {
        Meaning::Probability => f64::midpoint(own - best_other, 1.0).clamp(0.0, 1.0),
        Meaning::Score => own - best_other,
    }
}

/// The score as it follows from what a sweep keeps of a row, if it does.
pub(crate) fn of_facts(method: Method, meaning: Meaning) -> Option<fn(&RowFacts) -> f64> {
    match (method, meaning) {
        (Method::SelfConfidence, Meaning::Probability) => Some(self_confidence::<Float64>),
        (Method::SelfConfidence, Meaning::Score) => Some(self_confidence::<Scores<Float64>>),
        (Method::NormalizedMargin, Meaning::Probability) => Some(normalized_margin::<Float64>),
        (Method::NormalizedMargin, Meaning::Score) => Some(normalized_margin::<Scores<Float64>>),
        (
            Method::ConfidenceWeightedEntropy | Method::RelativeConfidence | Method::NoiseFloor,
            _,
        ) => None,
    }
}

/// Refuses what has no meaning for scores.
pub(crate) fn check_meaning<F: Format>(method: Method, adjust: Adjust) -> Result<()> {
    check_kind(method, adjust, F::MEANING)
}

/// The same, of cells of a meaning.
pub(crate) fn check_kind(method: Method, adjust: Adjust, meaning: Meaning) -> Result<()> {
    let what = match (method, adjust) {
        (Method::SelfConfidence | Method::NormalizedMargin, Adjust::No) => return Ok(()),
        (Method::SelfConfidence | Method::NormalizedMargin, _) => "adjust_pred_probs=True",
        _ => method.name(),
    };
    match meaning {
        Meaning::Probability => Ok(()),
        Meaning::Score => Err(Error::NeedsProbabilities { what }),
    }
}

/// One score for each of the rows, in their order. Thresholds to adjust by are those of the data
/// unless others are given.
///
/// # Errors
/// If the shapes differ, a row does not exist, a cell that is read is no probability, or a judge is
/// asked that is to be fitted first ([`crate::judge::label_quality_scores`]). Self confidence without
/// adjustment reads one cell a row, the others read the whole row; adjustment and relative
/// confidence read the own-class cells of all rows too.
pub fn label_quality_scores(
    labels: &Labels,
    pred_probs: &PredProbs<'_>,
    rows: Option<&[usize]>,
    method: Method,
    how: (Adjust, Option<&[f64]>),
    workers: &Workers<'_>,
) -> Result<Vec<f64>> {
    pred_probs.check_shape(labels)?;
    let n_classes = labels.n_classes();
    let found = how.1.map_or(n_classes, <[_]>::len);
    if found != n_classes {
        return Err(Error::OnePerClass { name: "thresholds", n_classes, found });
    }
    check_rows(rows, labels.n_examples())?;
    with_matrix!(pred_probs, workers, matrix => match rows {
        Some(rows) => scores_of_rows(labels, matrix, &rows, method, how, workers),
        None => {
            scores_of_rows(labels, matrix, &AllRows(labels.n_examples()), method, how, workers)
        }
    })
}

/// Refuses rows that there are not.
pub(crate) fn check_rows(rows: Option<&[usize]>, n_examples: usize) -> Result<()> {
    match rows.unwrap_or_default().iter().find(|&&row| row >= n_examples) {
        Some(&row) => Err(Error::RowOutOfRange { row, n_examples }),
        None => Ok(()),
    }
}

/// The share of the labels that the model predicts: that are the most probable class, the lowest on
/// ties.
///
/// # Errors
/// If the shapes differ, or a cell is no probability.
pub fn accuracy(labels: &Labels, pred_probs: &PredProbs<'_>, workers: &Workers<'_>) -> Result<f64> {
    pred_probs.check_shape(labels)?;
    let several = Several::MostProbable;
    let keep = Keep::facts(several);
    with_matrix!(pred_probs, workers, matrix => {
        let facts = Seen::look(labels, matrix, None, keep, workers)?.facts;
        let is_predicted =
            |&(row, facts): &(usize, &RowFacts)| !facts.predicts_another(labels.given(row));
        let n_predicted = facts.iter().enumerate().filter(is_predicted).count();
        Ok(n_predicted as f64 / labels.n_examples() as f64)
    })
}

pub(crate) fn scores_of_rows<F: Format, R: Rows>(
    labels: &Labels,
    matrix: &Matrix<'_, F>,
    rows: &R,
    method: Method,
    (adjust, thresholds): (Adjust, Option<&[f64]>),
    workers: &Workers<'_>,
) -> Result<Vec<f64>> {
    check_meaning::<F>(method, adjust)?;
    if method.is_of_judge() {
        let judge = Asked::of(method, None)?;
        return judge::scores_of_rows(labels, matrix, rows, judge, &[], workers);
    }
    if F::HAS_PROBABILITIES && adjust != Adjust::No {
        let thresholds = match thresholds {
            Some(thresholds) => thresholds.to_vec(),
            None => thresholds_before_sweep(matrix, labels, workers)?,
        };
        let margin = method == Method::NormalizedMargin;
        let kernel = Adjusted::new(shifts(&thresholds, adjust), margin);
        if let Some(entries) = matrix.by_entries() {
            let how = RowScore::Adjusted(&kernel.by_largest_shift());
            return scores_by_entries(labels, matrix, entries, rows, &how, workers);
        }
        return Ok(sweep(matrix, labels, rows, &kernel, workers)?.0);
    }
    Ok(match method {
        Method::SelfConfidence => own_class_scores(labels, matrix, rows, workers)?,
        Method::NormalizedMargin => {
            if let Some(entries) = matrix.by_entries() {
                let how = RowScore::Margin;
                return scores_by_entries(labels, matrix, entries, rows, &how, workers);
            }
            let never = Cutoffs::never(labels.n_classes());
            let several = Several::MostProbable;
            let keep = Keep::facts(several);
            let looked = matrix
                .as_computed()
                .filter(|_| R::CONSECUTIVE)
                .and_then(|computed| computed.look(labels, (&never, None), keep, &[], workers));
            if let Some(looked) = looked {
                return Ok(looked?.facts.iter().map(normalized_margin::<F>).collect());
            }
            let kernel = Margin::<F> { never, valid: ValidKeys::new() };
            sweep(matrix, labels, rows, &kernel, workers)?.0
        }
        Method::ConfidenceWeightedEntropy => {
            if !F::HAS_PROBABILITIES {
                return Err(Error::NeedsProbabilities { what: method.name() });
            }
            let kernel = WeightedEntropy::<F>::new(labels.n_classes(), workers.level());
            if let Some(entries) = matrix.by_entries() {
                let how = RowScore::Entropy(&kernel);
                return scores_by_entries(labels, matrix, entries, rows, &how, workers);
            }
            match matrix.as_computed() {
                Some(computed) if computed.knows_entropies() => {
                    workers.each(rows.len(), |place| {
                        let row = rows.row(place);
                        let own = F::value(computed.cell(row, labels.given(row)));
                        kernel.weigh(computed.entropy(row), own)
                    })?
                }
                _ => sweep(matrix, labels, rows, &kernel, workers)?.0,
            }
        }
        Method::RelativeConfidence | Method::NoiseFloor => unreachable!("judges are asked above"),
    })
}

/// Self confidence reads one cell a row.
fn own_class_scores<F: Format, R: Rows>(
    labels: &Labels,
    matrix: &Matrix<'_, F>,
    rows: &R,
    workers: &Workers<'_>,
) -> Result<Vec<f64>> {
    let cache_line = 64;
    let filled = workers.fill(
        rows.len(),
        cache_line,
        || (),
        |(), positions, scores| {
            own_cells(matrix, labels, rows, positions, |_, own| scores.push(own_score::<F>(own)))
        },
    );
    Ok(or_first_fault(filled, || first_own_fault(matrix, labels, rows, workers))?.0)
}

/// The normalized margin, where nothing else is asked of a row.
struct Margin<F: Format> {
    never: Cutoffs<F>,
    valid: ValidKeys<F>,
}

impl<F: Format> RowKernel<F> for Margin<F> {
    type Fact = f64;
    type Side = ();

    #[inline(always)]
    fn row(
        &self,
        _row: usize,
        cells: &[F::Bits],
        given: usize,
        (): &mut (),
    ) -> Result<f64, BadCell> {
        let own = F::key(cells[given]);
        let seen = Scan::<F>::of(cells, given, self.never.keys(), Fetch::All);
        if !self.valid.hold(&seen, own) {
            return unusual_margin::<F>(cells, given);
        }
        Ok(margin_score::<F>(F::widen(own), F::widen(seen.other)))
    }
}

/// A row whose keys are no order, see [`crate::row`].
#[cold]
#[inline(never)]
fn unusual_margin<F: Format>(cells: &[F::Bits], given: usize) -> Result<f64, BadCell> {
    check_row::<F>(cells)?;
    let others = (0..cells.len()).filter(|&class| class != given);
    let best_other = others.map(|class| F::value(cells[class])).fold(f64::NEG_INFINITY, f64::max);
    Ok(margin_score::<F>(F::value(cells[given]), best_other))
}

/// Cells that are checked at once, ahead of which memory is fetched.
const PIECE: usize = 256;

/// Whether all cells of a row are probabilities without a sign, of which the largest valid key is
/// known. Fetches the even lines ahead.
#[inline(always)]
pub(crate) fn holds_usual_cells<F: Format>(cells: &[F::Bits], largest_valid: F::Key) -> bool {
    let mut largest = F::Key::ZERO;
    for piece in cells.chunks(PIECE) {
        Fetch::Even.ahead_of(piece);
        largest = piece.iter().fold(largest, |largest, &cell| largest.max(F::key(cell)));
    }
    largest <= largest_valid
}

/// The confidence-weighted entropy.
pub(crate) struct WeightedEntropy<F: Format> {
    scale: f64,
    largest: F::Key,
    level: Level,
}

impl<F: Format> WeightedEntropy<F> {
    pub(crate) fn new(n_classes: usize, level: Level) -> Self {
        Self { scale: 1.0 / (n_classes as f64).ln(), largest: F::largest(), level }
    }

    /// The score of a row of valid cells whose bits are in order.
    #[inline(always)]
    pub(crate) fn score(&self, cells: &[F::Bits], given: usize) -> f64 {
        self.weigh(entropy::<F>(cells, self.level), F::value(cells[given]))
    }

    /// The score of a row of valid cells, of which some have a sign: those count as zeros.
    #[cold]
    #[inline(never)]
    pub(crate) fn score_unusual(&self, cells: &[F::Bits], given: usize) -> f64 {
        self.weigh(entropy::<F>(&without_signs::<F>(cells), self.level), F::value(cells[given]))
    }

    /// The score of a row of known entropy.
    #[inline(always)]
    pub(crate) fn weigh(&self, entropy: f64, own: f64) -> f64 {
        // Rounding, or a cell a little above 1, may leave the entropy a little below 0.
        let weighted = (entropy * self.scale).max(0.0) / own.max(SLACK);
        if weighted > 0.0 { ln_1p(weighted) / weighted } else { 1.0 }
    }
}

impl<F: Format> RowKernel<F> for WeightedEntropy<F> {
    type Fact = f64;
    type Side = ();

    #[inline(always)]
    fn row(
        &self,
        _row: usize,
        cells: &[F::Bits],
        given: usize,
        (): &mut (),
    ) -> Result<f64, BadCell> {
        if holds_usual_cells::<F>(cells, self.largest) {
            return Ok(self.score(cells, given));
        }
        check_row::<F>(cells)?;
        Ok(self.score_unusual(cells, given))
    }
}

/// What is added to each column: the largest threshold minus its own.
fn shifts(thresholds: &[f64], adjust: Adjust) -> Vec<f64> {
    let counts = |&threshold: &f64| adjust == Adjust::AllClasses || threshold < NEVER;
    let top = thresholds.iter().copied().filter(counts).fold(0.0, f64::max);
    thresholds.iter().map(|t| if counts(t) { top - t } else { 0.0 }).collect()
}

/// Self confidence or margin of the adjusted row.
pub(crate) struct Adjusted {
    shifts: Vec<f64>,
    /// The sum of them all: so zeros add nothing else to the sum of a row.
    total: f64,
    margin: bool,
    /// The classes by their shifts, the largest first, where somebody asks.
    by_shift: Vec<u32>,
}

impl Adjusted {
    fn new(shifts: Vec<f64>, margin: bool) -> Self {
        let total = shifts.iter().sum();
        Self { shifts, total, margin, by_shift: Vec::new() }
    }

    /// For rows of which a few entries are stored.
    fn by_largest_shift(mut self) -> Self {
        self.by_shift = (0..self.shifts.len() as u32).collect();
        let shift = |class: &u32| self.shifts[*class as usize];
        self.by_shift.sort_by(|left, right| shift(right).total_cmp(&shift(left)));
        self
    }

    /// The classes by their shifts, the largest first.
    pub(crate) fn by_shift(&self) -> &[u32] {
        &self.by_shift
    }

    /// The score of a row of valid values, by ascending class. What is left out are zeros; of those the
    /// one with the largest shift, which may come last, speaks for all.
    #[inline(always)]
    pub(crate) fn score<F: Format>(
        &self,
        own: f64,
        given: usize,
        values: impl Iterator<Item = (usize, f64)>,
    ) -> f64 {
        // Fixed lanes: the order of additions is part of the answer.
        const LANES: usize = 8;
        let mut sums = [0.0; LANES];
        let mut largest = [f64::NEG_INFINITY; LANES];
        for (class, value) in values {
            let lane = class % LANES;
            sums[lane] += value;
            let shifted = value + self.shifts[class];
            let competes = if class == given { f64::NEG_INFINITY } else { shifted };
            largest[lane] = if competes > largest[lane] { competes } else { largest[lane] };
        }
        // A row of zeros (and no shift) stays one.
        let sum = (sums.into_iter().sum::<f64>() + self.total).max(f64::MIN_POSITIVE);
        let own = own + self.shifts[given];
        if self.margin {
            let best_other = largest.into_iter().fold(f64::NEG_INFINITY, f64::max);
            margin_score::<F>(own / sum, best_other / sum)
        } else {
            (own / sum).clamp(0.0, 1.0)
        }
    }
}

impl<F: Format> RowKernel<F> for Adjusted {
    type Fact = f64;
    type Side = ();

    #[inline(always)]
    fn row(
        &self,
        _row: usize,
        cells: &[F::Bits],
        given: usize,
        (): &mut (),
    ) -> Result<f64, BadCell> {
        check_row::<F>(cells)?;
        let values = cells.iter().map(|&bits| F::value(bits)).enumerate();
        Ok(self.score::<F>(F::value(cells[given]), given, values))
    }
}

/// A score that takes more of a row than its own cell.
pub(crate) enum RowScore<'a, F: Format> {
    Margin,
    Entropy(&'a WeightedEntropy<F>),
    Adjusted(&'a Adjusted),
    Judged(&'a Ready<'a, F::Real>),
}

/// The scores of rows that store a few entries each.
pub(crate) fn scores_by_entries<F: Format, R: Rows>(
    labels: &Labels,
    matrix: &Matrix<'_, F>,
    entries: &dyn ByEntries<F>,
    rows: &R,
    how: &RowScore<'_, F>,
    workers: &Workers<'_>,
) -> Result<Vec<f64>> {
    let fill = |(): &mut (), positions: Range<usize>, scores: &mut Filling<'_, f64>| {
        let row_and_class = |position| {
            let row = rows.row(position);
            (row, labels.given(row))
        };
        let mut rows = positions.map(row_and_class);
        entries.scores(&mut rows, how, &mut |score| scores.push(score))
    };
    let filled = workers.fill(rows.len(), matrix.row_bytes(), || (), fill);
    Ok(or_first_fault(filled, || first_fault(matrix, rows, workers))?.0)
}
