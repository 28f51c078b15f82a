//! Probabilities out of logits, without a second matrix: P[i, j] = exp(z_ij / T) / sum over k of
//! exp(z_ik / T).
//!
//! A first pass finds what each row is divided by ([`Normalizer`]); after it, any cell can be computed
//! by itself, always to the same bits. Two passes are inherent, since a threshold needs the
//! normalizers of the rows of its class. The second one, in [`look`](mod@look), hardly ever computes
//! a probability: it compares logits.

mod exp2;
mod look;

use exp2::sum_of_lanes;
pub(crate) use exp2::{Exponent, largest_lane};

use std::ops::Range;

use crate::blocks::{Filling, Workers};
use crate::entropy::{Real, ln};
use crate::error::{Error, Result};
use crate::format::Format;
use crate::input::{AllRows, Computed, Labels, Lent, Matrix, Rows};
use crate::judge::Ready;
use crate::look::{Keep, Looked};
use crate::row::Cutoffs;
use crate::scan::Fetch;
use crate::simd::{self, Kernel, Level};
use crate::sweep::{first_of_pieces, or_first_fault};

/// Cells looked at together: their order in sums is part of the answer.
const PIECE: usize = 256;
/// Lanes that are added up by themselves.
const LANES: usize = 64;

/// What turns the logits z of a row into probabilities: 2^((z - max) scale - 1) times `inverse_sum`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Normalizer<R> {
    max: R,
    inverse_sum: R,
    /// The entropy of the probabilities, in nats.
    entropy: R,
}

/// The probabilities of logits.
pub(crate) struct Softmax<'a, F: Format> {
    matrix: Matrix<'a, F>,
    /// log2(e) / T.
    scale: F::Real,
    /// One a row.
    normalizers: Vec<Normalizer<F::Real>>,
    level: Level,
}

impl<'a, F: Format<Real: Exponent>> Softmax<'a, F> {
    /// The first pass over logits that are to be divided by a temperature.
    pub(crate) fn new(
        matrix: Matrix<'a, F>,
        temperature: f64,
        workers: &Workers<'_>,
    ) -> Result<Self> {
        let scale = F::Real::of(scale("temperature", temperature)?);
        let all = AllRows(matrix.n_rows());
        let fill =
            |tile: &mut Vec<F::Bits>, mut rows: Range<usize>, normalizers: &mut Filling<'_, _>| {
                while !rows.is_empty() {
                    let lent = matrix.lend(&all, rows.clone(), tile)?;
                    rows.start = lent.positions.end;
                    simd::dispatch(workers.level(), Block { lent, scale, normalizers })?;
                }
                Ok(())
            };
        let filled = workers.fill(matrix.n_rows(), matrix.row_bytes(), Vec::new, fill);
        let (normalizers, _) = or_first_fault(filled, || first_bad_logit(&matrix, workers))?;
        Ok(Self { matrix, scale, normalizers, level: workers.level() })
    }

    /// The probability of a logit.
    #[inline(always)]
    fn probability(&self, logit: F::Real, normalizer: &Normalizer<F::Real>) -> F::Real {
        let exponent = exponent(logit, normalizer.max, self.scale);
        let power = exponent.power_of_two();
        let power = if exponent > F::Real::LEAST_EXPONENT { power } else { F::Real::ZERO };
        power.times(normalizer.inverse_sum)
    }
}

/// By what that is multiplied which is to be divided by a temperature, for powers of 2.
///
/// # Errors
/// Where a float32 could not hold it, or not its reciprocal: for no format, so that an answer never
/// hangs on that.
pub(crate) fn scale(name: &'static str, temperature: f64) -> Result<f64> {
    if (1e-30..=1e30).contains(&temperature) {
        Ok(std::f64::consts::LOG2_E / temperature)
    } else {
        Err(Error::Temperature { name, value: temperature })
    }
}

/// The exponent of 2 that stands for a logit, at most -1.
#[inline(always)]
fn exponent<R: Exponent>(logit: R, max: R, scale: R) -> R {
    let exponent = logit.minus(max).times_plus(scale, R::of(-1.0));
    exponent.or_larger(R::LEAST_EXPONENT)
}

/// The normalizers of some rows, as compiled for a CPU level.
struct Block<'t, 'f, 'v, F: Format, R> {
    lent: Lent<'t, F, R>,
    scale: F::Real,
    normalizers: &'f mut Filling<'v, Normalizer<F::Real>>,
}

impl<F: Format<Real: Exponent>, R: Rows> Kernel for Block<'_, '_, '_, F, R> {
    type Output = Result<()>;

    #[inline(always)]
    fn run(self) -> Result<()> {
        for row in self.lent.positions.clone() {
            let cells = self.lent.cells(row);
            match normalizer::<F>(cells, self.scale) {
                Some(normalizer) => self.normalizers.push(normalizer),
                None => return Err(bad_logit::<F>(row, cells)),
            }
        }
        Ok(())
    }
}

/// One pass over a row. `None` where a logit is NaN or infinite, or all are minus infinity.
#[inline(always)]
fn normalizer<F: Format<Real: Exponent>>(
    cells: &[F::Bits],
    scale: F::Real,
) -> Option<Normalizer<F::Real>> {
    let mut sums = OnlineSums::NOTHING;
    let (pieces, rest) = cells.as_chunks::<PIECE>();
    for cells in pieces {
        Fetch::All.ahead_of(cells);
        sums.add::<F>(cells, scale);
    }
    if !rest.is_empty() {
        Fetch::All.ahead_of(rest);
        // Filled up with classes that are ruled out.
        let mut cells = [F::nearest(f64::NEG_INFINITY); PIECE];
        cells[..rest.len()].copy_from_slice(rest);
        sums.add::<F>(&cells, scale);
    }
    let OnlineSums { max, is_bad, sum, weighted } = sums;
    // NaN and infinity make the exponents NaN, and so all that they are multiplied by.
    if is_bad || weighted.is_nan() || max == F::Real::LOWEST {
        return None;
    }
    let entropy = ln(sum) - std::f64::consts::LN_2 * (weighted / sum);
    Some(Normalizer {
        max,
        inverse_sum: F::Real::of(1.0 / sum),
        entropy: F::Real::of(entropy.max(0.0)),
    })
}

/// What is added up of a row, a piece at a time: it is scaled down where a piece has a larger
/// maximum (Milakov, Gimelshein: "Online normalizer calculation for softmax", 2018).
struct OnlineSums<R> {
    max: R,
    is_bad: bool,
    /// Of the powers.
    sum: f64,
    /// Of the powers times their exponents.
    weighted: f64,
}

impl<R: Exponent> OnlineSums<R> {
    const NOTHING: Self = Self { max: R::LOWEST, is_bad: false, sum: 0.0, weighted: 0.0 };

    #[inline(always)]
    fn add<F: Format<Real = R>>(&mut self, piece: &[F::Bits; PIECE], scale: R) {
        let piece_max = largest::<F>(piece);
        if piece_max == R::LOWEST {
            // Nothing but classes that are ruled out, unless there are NaNs, which no maximum sees.
            self.is_bad |= piece.iter().any(|&logit| F::value(logit).is_nan());
            return;
        }
        if piece_max > self.max {
            if self.sum > 0.0 {
                let exponent = exponent(self.max, piece_max, scale);
                let is_not_0 = exponent > R::LEAST_EXPONENT;
                let power = if is_not_0 { 2.0 * exponent.power_of_two().double() } else { 0.0 };
                self.weighted = power * (self.weighted + (exponent.double() + 1.0) * self.sum);
                self.sum *= power;
            }
            self.max = piece_max;
        }
        let (sum, weighted) = sums::<F>(piece, self.max, scale);
        self.sum += sum;
        self.weighted += weighted;
    }
}

/// The largest logit of a piece.
#[inline(always)]
fn largest<F: Format<Real: Exponent>>(piece: &[F::Bits; PIECE]) -> F::Real {
    let mut larger = [F::Real::LOWEST; PIECE / 2];
    for place in 0..PIECE / 2 {
        larger[place] = F::real(piece[place]).or_larger(F::real(piece[place + PIECE / 2]));
    }
    largest_lane(larger)
}

/// The sum of the powers of a piece, and that of the powers times their exponents. What is too small
/// to be told from 0 is added too: it changes no bit of a sum of at least 1/2.
#[inline(always)]
fn sums<F: Format<Real: Exponent>>(
    piece: &[F::Bits; PIECE],
    max: F::Real,
    scale: F::Real,
) -> (f64, f64) {
    // So many lanes that the compiler sees a loop: of few it makes pieces of two and four.
    let mut sums = [F::Real::ZERO; LANES];
    let mut weighted = [F::Real::ZERO; LANES];
    for cells in piece.as_chunks::<LANES>().0 {
        for lane in 0..LANES {
            let exponent = exponent(F::real(cells[lane]), max, scale);
            let power = exponent.power_of_two();
            sums[lane] = sums[lane].plus(power);
            weighted[lane] = power.times_plus(exponent, weighted[lane]);
        }
    }
    (sum_of_lanes(sums).double(), sum_of_lanes(weighted).double())
}

/// The first logit of a row that makes it have no softmax.
pub(crate) fn bad_logit<F: Format<Real: Exponent>>(row: usize, cells: &[F::Bits]) -> Error {
    let mut values = cells.iter().map(|&cell| F::value(cell));
    let column = values.position(|value| value.is_nan() || value == f64::INFINITY).unwrap_or(0);
    Error::NotFinite { row, column, value: F::value(cells[column]) }
}

/// The same of all rows.
pub(crate) fn first_bad_logit<F: Format<Real: Exponent>>(
    matrix: &Matrix<'_, F>,
    workers: &Workers<'_>,
) -> Result<Option<Error>> {
    let all = AllRows(matrix.n_rows());
    let look = |tile: &mut Vec<F::Bits>, mut rows: Range<usize>| {
        while !rows.is_empty() {
            let lent = match matrix.lend(&all, rows.clone(), tile) {
                Ok(lent) => lent,
                Err(fault) => return Some(fault),
            };
            for row in lent.positions.clone() {
                let cells = lent.cells(row);
                let mut values = cells.iter().map(|&cell| F::value(cell));
                let is_bad = |value: f64| value.is_nan() || value == f64::INFINITY;
                if values.clone().any(is_bad) || values.all(|value| value == f64::NEG_INFINITY) {
                    return Some(bad_logit::<F>(row, cells));
                }
            }
            rows.start = lent.positions.end;
        }
        None
    };
    first_of_pieces(matrix.n_rows(), Vec::new, look, workers)
}

/// How the probabilities of logits are written.
pub(crate) type ProbabilityOf<F> = <<F as Format>::Real as Exponent>::Probability;

impl<F: Format<Real: Exponent>> Computed<ProbabilityOf<F>> for Softmax<'_, F> {
    fn shape(&self) -> (usize, usize) {
        (self.matrix.n_rows(), self.matrix.n_columns())
    }

    fn fill(&self, row: usize, cells: &mut [<ProbabilityOf<F> as Format>::Bits]) -> Result<()> {
        let mut tile = Vec::new();
        let all = AllRows(self.matrix.n_rows());
        let lent = self.matrix.lend(&all, row..row + 1, &mut tile)?;
        self.fill_row(row, lent.cells(row), cells);
        Ok(())
    }

    fn cell(&self, row: usize, column: usize) -> <ProbabilityOf<F> as Format>::Bits {
        let logit = F::real(self.matrix.cell(row, column));
        self.probability(logit, &self.normalizers[row]).cell()
    }

    fn prefetch(&self, row: usize, column: usize) {
        self.matrix.prefetch(row, column);
    }

    fn row_bytes(&self) -> usize {
        self.matrix.row_bytes()
    }

    fn knows_entropies(&self) -> bool {
        true
    }

    fn entropy(&self, row: usize) -> f64 {
        self.normalizers[row].entropy.double()
    }

    fn look(
        &self,
        labels: &Labels,
        bounds: (&Cutoffs<ProbabilityOf<F>>, Option<&Cutoffs<ProbabilityOf<F>>>),
        keep: Keep<'_>,
        judges: &[Ready<'_, F::Real>],
        workers: &Workers<'_>,
    ) -> Option<Result<Looked<ProbabilityOf<F>>>> {
        self.look_at_logits(labels, bounds, keep, judges, workers)
    }
}

impl<F: Format<Real: Exponent>> Softmax<'_, F> {
    /// The probabilities of the logits of a row.
    fn fill_row(
        &self,
        row: usize,
        logits: &[F::Bits],
        cells: &mut [<ProbabilityOf<F> as Format>::Bits],
    ) {
        simd::dispatch(self.level, Fill { softmax: self, row, logits, cells });
    }
}

/// The probabilities of a row, as compiled for a CPU level.
struct Fill<'a, 'm, F: Format<Real: Exponent>> {
    softmax: &'a Softmax<'m, F>,
    row: usize,
    logits: &'a [F::Bits],
    cells: &'a mut [<ProbabilityOf<F> as Format>::Bits],
}

impl<F: Format<Real: Exponent>> Kernel for Fill<'_, '_, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let normalizer = self.softmax.normalizers[self.row];
        Fetch::All.ahead_of(self.logits);
        for (cell, &logit) in self.cells.iter_mut().zip(self.logits) {
            *cell = self.softmax.probability(F::real(logit), &normalizer).cell();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::analysis::analyze;
    use crate::format::{Float16, Float32, Float64};
    use crate::issues::{Search, find_label_issues, rank_label_issues};
    use crate::pred_probs::PredProbs;
    use crate::prune::Filter;
    use crate::quality::{Adjust, Method, WeightedEntropy, label_quality_scores};
    use crate::row::Several;
    use crate::threads::on_this_thread;
    use crate::widened::Widened;

    /// Logits with ties, classes that are ruled out, and rows far from 0.
    fn data() -> impl Strategy<Value = (Vec<u32>, Vec<Vec<f32>>)> {
        (1..40_usize, prop_oneof![4 => 2..24_usize, 1 => 250..600_usize]).prop_flat_map(|(n, k)| {
            let logit = prop_oneof![
                6 => (-20..=20_i32).prop_map(|n| n as f32 / 4.0),
                6 => -9.0..9.0_f32,
                1 => Just(f32::NEG_INFINITY),
            ];
            let row =
                (prop::collection::vec(logit, k), 0..k, prop_oneof![Just(0.0), -1e4..1e4_f32])
                    .prop_map(|(mut row, finite, shift)| {
                        row[finite] = 6.0;
                        row.iter().map(|logit| logit + shift).collect::<Vec<_>>()
                    });
            let given = (0..k as u32, 0..k as u32).prop_map(|(a, b)| a.min(b));
            (prop::collection::vec(given, n), prop::collection::vec(row, n))
        })
    }

    fn matrix<F: Format>(cells: &[F::Bits], n_columns: usize) -> Matrix<'_, F> {
        let size = size_of::<F::Bits>();
        let shape = (cells.len() / n_columns, n_columns);
        let strides = ((n_columns * size) as isize, size as isize);
        // SAFETY: all cells are within the slice.
        unsafe { Matrix::new(cells.as_ptr().cast(), shape, strides) }
    }

    /// All cells of the softmax.
    fn probabilities<F: Format<Real: Exponent>>(
        logits: Matrix<'_, F>,
        temperature: f64,
        workers: &Workers<'_>,
    ) -> Result<Vec<<ProbabilityOf<F> as Format>::Bits>> {
        let softmax = Softmax::new(logits, temperature, workers)?;
        let (n, k) = softmax.shape();
        let mut cells = vec![<<ProbabilityOf<F> as Format>::Bits as crate::Bits>::ZERO; n * k];
        for (row, cells) in cells.chunks_exact_mut(k).enumerate() {
            softmax.fill(row, cells)?;
            for (column, &cell) in cells.iter().enumerate() {
                assert!(softmax.cell(row, column) == cell);
            }
        }
        Ok(cells)
    }

    /// The softmax of a row, in plain loops.
    fn defined(logits: &[f64], temperature: f64) -> Vec<f64> {
        let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let powers: Vec<f64> =
            logits.iter().map(|logit| ((logit - max) / temperature).exp()).collect();
        let sum: f64 = powers.iter().sum();
        powers.into_iter().map(|power| power / sum).collect()
    }

    fn defined_entropy(logits: &[f32], temperature: f64) -> f64 {
        let logits: Vec<f64> = logits.iter().map(|&logit| f64::from(logit)).collect();
        let positive = defined(&logits, temperature).into_iter().filter(|&p| p > 0.0);
        -positive.map(|p| p * p.ln()).sum::<f64>()
    }

    const FILTERS: [Filter; 8] = [
        Filter::PruneByNoiseRate,
        Filter::PruneByClass,
        Filter::Both,
        Filter::ConfidentLearning,
        Filter::PredictedNeqGiven,
        Filter::LowNormalizedMargin,
        Filter::LowSelfConfidence,
        Filter::RelativeConfidence,
    ];

    proptest! {
        #[test]
        fn logits_give_what_their_probabilities_give(
            (given, rows) in data(),
            temperature in prop_oneof![
                Just(1.0),
                0.3..3.0_f64,
                (-29..=29_i32).prop_map(|n| 10_f64.powi(n)),
            ],
        ) {
            let k = rows[0].len();
            let cells: Vec<u32> = rows.iter().flatten().map(|logit| logit.to_bits()).collect();
            let labels = Labels::new(given.iter().copied(), k).unwrap();
            let logits = matrix::<Float32>(&cells, k);
            on_this_thread(|workers| {
                let cells = probabilities(logits, temperature, workers)?;
                let probabilities = PredProbs::Float32(matrix::<Float32>(&cells, k));
                let logits = PredProbs::Logits32(logits, temperature);
                for filter in FILTERS {
                    for several in [Several::MostProbable, Several::RowArgmax] {
                        let search = Search { several, ..Search::of(filter) };
                        assert_eq!(
                            find_label_issues(&labels, &logits, &search, workers)?,
                            find_label_issues(&labels, &probabilities, &search, workers)?,
                            "{filter:?}"
                        );
                        for rank_by in [Method::NormalizedMargin, Method::RelativeConfidence] {
                            let ranked = |matrix: &PredProbs<'_>| {
                                rank_label_issues(&labels, matrix, &search, rank_by, workers)
                            };
                            assert_eq!(ranked(&logits)?, ranked(&probabilities)?);
                        }
                        let judged = |matrix: &PredProbs<'_>| -> Result<_> {
                            let rank_by = Method::RelativeConfidence;
                            let found = analyze(&labels, matrix, &search, rank_by, workers)?;
                            Ok((found.judged, found.mask, found.suggested_labels))
                        };
                        assert_eq!(judged(&logits)?, judged(&probabilities)?);
                    }
                }
                for (method, adjust) in [
                    (Method::SelfConfidence, Adjust::No),
                    (Method::NormalizedMargin, Adjust::No),
                    (Method::NormalizedMargin, Adjust::PresentClasses),
                    (Method::RelativeConfidence, Adjust::No),
                ] {
                    let scores = |matrix: &PredProbs<'_>, rows| {
                        label_quality_scores(&labels, matrix, rows, method, (adjust, None), workers)
                    };
                    assert_eq!(scores(&logits, None)?, scores(&probabilities, None)?);
                    assert_eq!(scores(&logits, Some(&[0]))?, scores(&probabilities, Some(&[0]))?);
                }
                // A score of a row that is sure of another class divides the entropy by little, and so
                // enlarges what is rounded off it: the entropy is what has to be close.
                let method = Method::ConfidenceWeightedEntropy;
                let scores =
                    label_quality_scores(&labels, &logits, None, method, (Adjust::No, None), workers)?;
                let weighted = WeightedEntropy::<Float32>::new(k, workers.level());
                for (row, logits) in rows.iter().enumerate() {
                    let entropy = defined_entropy(logits, temperature);
                    let own = f64::from(f32::from_bits(cells[row * k + given[row] as usize]));
                    let slack = 1e-6 * (1.0 + entropy);
                    let lowest = weighted.weigh(entropy + slack, own) - 1e-12;
                    let highest = weighted.weigh(entropy - slack, own) + 1e-12;
                    assert!((lowest..=highest).contains(&scores[row]), "{entropy} {}", scores[row]);
                }
                Ok(())
            })
            .unwrap();
        }

        #[test]
        fn softmax_is_as_defined((_, rows) in data(), temperature in 0.3..3.0_f64) {
            let k = rows[0].len();
            let wide: Vec<u64> =
                rows.iter().flatten().map(|&logit| f64::from(logit).to_bits()).collect();
            let narrow: Vec<u32> = rows.iter().flatten().map(|logit| logit.to_bits()).collect();
            let half: Vec<u16> =
                rows.iter().flatten().map(|&z| half::f16::from_f32(z).to_bits()).collect();
            on_this_thread(|workers| {
                let defined = |logits: &[f64]| defined(logits, temperature);
                let close = |found: f64, defined: f64, share: f64| {
                    let error = (found - defined).abs();
                    assert!(error <= share * defined + 1e-25, "{found:e} {defined:e}");
                };
                let found = probabilities(matrix::<Float64>(&wide, k), temperature, workers)?;
                for (row, found) in rows.iter().zip(found.chunks(k)) {
                    let logits: Vec<f64> = row.iter().map(|&logit| f64::from(logit)).collect();
                    for (&found, defined) in found.iter().zip(defined(&logits)) {
                        close(f64::from_bits(found), defined, 1e-13);
                    }
                }
                let found = probabilities(matrix::<Float32>(&narrow, k), temperature, workers)?;
                for (row, found) in rows.iter().zip(found.chunks(k)) {
                    let logits: Vec<f64> = row.iter().map(|&logit| f64::from(logit)).collect();
                    for (&found, defined) in found.iter().zip(defined(&logits)) {
                        close(f64::from(f32::from_bits(found)), defined, 2e-5);
                    }
                }
                let found = probabilities(Widened::new(matrix::<Float16>(&half, k)).floats(), temperature, workers)?;
                for (row, found) in half.chunks(k).zip(found.chunks(k)) {
                    let logits: Vec<f64> = row.iter().map(|&z| Float16::value(z)).collect();
                    for (&found, defined) in found.iter().zip(defined(&logits)) {
                        close(f64::from(f32::from_bits(found)), defined, 2e-5);
                    }
                }
                Ok(())
            })
            .unwrap();
        }
    }

    #[test]
    fn what_has_no_softmax_is_named() {
        let bad = |cells: [f32; 6], column: usize| {
            let bits = cells.map(f32::to_bits);
            let logits = matrix::<Float32>(&bits, 3);
            let error = on_this_thread(|workers| Softmax::new(logits, 1.0, workers).map(|_| ()))
                .unwrap_err();
            assert!(
                matches!(error, Error::NotFinite { row: 1, column: found, .. } if found == column),
                "{error}"
            );
        };
        let low = f32::NEG_INFINITY;
        bad([0.0, 1.0, low, 0.0, f32::NAN, 1.0], 1);
        bad([0.0, 1.0, low, 0.0, 1.0, f32::INFINITY], 2);
        bad([0.0, 1.0, low, low, low, low], 0);
    }

    #[test]
    fn a_temperature_that_a_float32_cannot_hold_is_refused() {
        let bits = [0.5_f32, 1.0].map(f32::to_bits);
        for value in [0.0, 1e-300, 1e-40, 1e31, 1e300, f64::INFINITY, f64::NAN, -1.0] {
            let logits = matrix::<Float32>(&bits, 2);
            let found = on_this_thread(|workers| Softmax::new(logits, value, workers).map(|_| ()));
            assert!(matches!(found, Err(Error::Temperature { name: "temperature", .. })));
        }
    }
}
