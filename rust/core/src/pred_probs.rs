//! `pred_probs` as it was handed over: one of four formats and of three kinds, stored whole or by a
//! few entries a row, or several of them.

use serde::{Deserialize, Serialize};

use crate::calibration::Calibration;
use crate::error::{Error, Result};
use crate::format::{BFloat16, Float16, Float32, Float64, Meaning, Scores};
use crate::input::{Labels, Matrix};
use crate::mean::Mean;
use crate::sparse::Sparse;
use crate::widened::Widened;

/// What the cells of `pred_probs` are, as they are handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// P(class), from 0 to 1.
    Probabilities,
    /// Real numbers, of which the softmax is taken.
    Logits,
    /// Real numbers that are compared as they are.
    Scores,
}

impl Kind {
    /// What the cells mean that are then computed with.
    #[must_use]
    pub fn meaning(self) -> Meaning {
        match self {
            Self::Probabilities | Self::Logits => Meaning::Probability,
            Self::Scores => Meaning::Score,
        }
    }
}

/// What a model says of each example about each class.
#[derive(Debug)]
pub enum PredProbs<'a> {
    /// Probabilities, IEEE 754 binary16.
    Float16(Matrix<'a, Float16>),
    /// The upper half of a float32.
    BFloat16(Matrix<'a, BFloat16>),
    /// IEEE 754 binary32.
    Float32(Matrix<'a, Float32>),
    /// IEEE 754 binary64.
    Float64(Matrix<'a, Float64>),
    /// Probabilities of which each row stores a few, read as float32.
    Sparse32(Sparse<'a, Float32>),
    /// The same, as float64.
    Sparse64(Sparse<'a, Float64>),
    /// Scores, in the same formats.
    Scores16(Widened<'a, Float16>),
    /// See [`PredProbs::BFloat16`].
    BScores16(Widened<'a, BFloat16>),
    /// See [`PredProbs::Float32`].
    Scores32(Matrix<'a, Scores<Float32>>),
    /// See [`PredProbs::Float64`].
    Scores64(Matrix<'a, Scores<Float64>>),
    /// Logits, of which the softmax is taken, and the temperature that they are divided by first.
    Logits16(Widened<'a, Float16>, f64),
    /// See [`PredProbs::BFloat16`].
    BLogits16(Widened<'a, BFloat16>, f64),
    /// See [`PredProbs::Float32`].
    Logits32(Matrix<'a, Float32>, f64),
    /// See [`PredProbs::Float64`].
    Logits64(Matrix<'a, Float64>, f64),
    /// Probabilities or logits that are calibrated.
    Calibrated(Uncalibrated<'a>, Kind, Calibration),
    /// The weighted mean of several matrices of probabilities or logits.
    Mean(Mean<'a>),
    /// The weighted mean of several matrices of scores.
    MeanOfScores(Mean<'a>),
}

/// What a model says before it is calibrated.
#[derive(Debug)]
pub enum Uncalibrated<'a> {
    /// See [`PredProbs::Float16`].
    Float16(Widened<'a, Float16>),
    /// See [`PredProbs::BFloat16`].
    BFloat16(Widened<'a, BFloat16>),
    /// See [`PredProbs::Float32`].
    Float32(Matrix<'a, Float32>),
    /// See [`PredProbs::Float64`].
    Float64(Matrix<'a, Float64>),
    /// See [`PredProbs::Sparse32`]; never logits.
    Sparse32(Sparse<'a, Float32>),
    /// See [`PredProbs::Sparse64`].
    Sparse64(Sparse<'a, Float64>),
}

/// Runs one expression with a [`Matrix`] of probabilities or scores: the only match on formats and
/// kinds.
macro_rules! with_matrix {
    ($pred_probs:expr, $workers:expr, $matrix:ident => $body:expr) => {{
        macro_rules! of_scores {
            ($scores:expr) => {{
                let $matrix = &$scores;
                $body
            }};
        }
        macro_rules! of_logits {
            ($logits:expr, $temperature:expr) => {{
                let softmax = $crate::softmax::Softmax::new($logits, *$temperature, $workers)?;
                of_scores!($crate::input::Matrix::computed(&softmax))
            }};
        }
        macro_rules! of_calibrated {
            ($cells:expr, $kind:expr, $calibration:expr) => {{
                let calibrated =
                    $crate::calibration::Calibrated::new($cells, $calibration, *$kind, $workers)?;
                of_scores!($crate::input::Matrix::computed(&calibrated))
            }};
        }
        macro_rules! of_entries {
            ($sparse:expr, $calibration:expr) => {{
                let powers = $crate::calibration::Powers::of_entries($calibration, $sparse)?;
                let sparse = $sparse.calibrated(&powers);
                of_scores!(sparse.matrix())
            }};
        }
        match $pred_probs {
            $crate::PredProbs::Float16($matrix) => $body,
            $crate::PredProbs::BFloat16($matrix) => $body,
            $crate::PredProbs::Float32($matrix) => $body,
            $crate::PredProbs::Float64($matrix) => $body,
            $crate::PredProbs::Sparse32(sparse) => of_scores!(sparse.matrix()),
            $crate::PredProbs::Sparse64(sparse) => of_scores!(sparse.matrix()),
            $crate::PredProbs::Scores16(narrow) => of_scores!(narrow.scores()),
            $crate::PredProbs::BScores16(narrow) => of_scores!(narrow.scores()),
            $crate::PredProbs::Scores32($matrix) => $body,
            $crate::PredProbs::Scores64($matrix) => $body,
            $crate::PredProbs::Logits16(narrow, t) => of_logits!(narrow.floats(), t),
            $crate::PredProbs::BLogits16(narrow, t) => of_logits!(narrow.floats(), t),
            $crate::PredProbs::Logits32(logits, t) => of_logits!(*logits, t),
            $crate::PredProbs::Logits64(logits, t) => of_logits!(*logits, t),
            $crate::PredProbs::Calibrated(cells, kind, c) => match cells {
                $crate::Uncalibrated::Float16(narrow) => of_calibrated!(narrow.floats(), kind, c),
                $crate::Uncalibrated::BFloat16(narrow) => of_calibrated!(narrow.floats(), kind, c),
                $crate::Uncalibrated::Float32(cells) => of_calibrated!(*cells, kind, c),
                $crate::Uncalibrated::Float64(cells) => of_calibrated!(*cells, kind, c),
                $crate::Uncalibrated::Sparse32(sparse) => of_entries!(sparse, c),
                $crate::Uncalibrated::Sparse64(sparse) => of_entries!(sparse, c),
            },
            $crate::PredProbs::Mean(mean) => {
                let mean = mean.prepare($workers)?;
                of_scores!($crate::input::Matrix::<$crate::Float64>::computed(&mean))
            }
            $crate::PredProbs::MeanOfScores(mean) => {
                let mean = mean.prepare($workers)?;
                of_scores!($crate::input::Matrix::<$crate::Scores<$crate::Float64>>::computed(
                    &mean
                ))
            }
        }
    }};
}
pub(crate) use with_matrix;

/// Asks a matrix, as it lies in memory, for its shape.
macro_rules! of_stored {
    ($pred_probs:expr, $matrix:ident => $body:expr, $mean:ident => $of_mean:expr) => {{
        macro_rules! of_narrow {
            ($narrow:expr) => {{
                let $matrix = $narrow.narrow();
                $body
            }};
        }
        match $pred_probs {
            PredProbs::Float16($matrix) => $body,
            PredProbs::BFloat16($matrix) => $body,
            PredProbs::Float32($matrix)
            | PredProbs::Logits32($matrix, _)
            | PredProbs::Calibrated(Uncalibrated::Float32($matrix), ..) => $body,
            PredProbs::Float64($matrix)
            | PredProbs::Logits64($matrix, _)
            | PredProbs::Calibrated(Uncalibrated::Float64($matrix), ..) => $body,
            PredProbs::Scores32($matrix) => $body,
            PredProbs::Scores64($matrix) => $body,
            PredProbs::Scores16(narrow)
            | PredProbs::Logits16(narrow, _)
            | PredProbs::Calibrated(Uncalibrated::Float16(narrow), ..) => of_narrow!(narrow),
            PredProbs::BScores16(narrow)
            | PredProbs::BLogits16(narrow, _)
            | PredProbs::Calibrated(Uncalibrated::BFloat16(narrow), ..) => of_narrow!(narrow),
            PredProbs::Sparse32($mean)
            | PredProbs::Calibrated(Uncalibrated::Sparse32($mean), ..) => $of_mean,
            PredProbs::Sparse64($mean)
            | PredProbs::Calibrated(Uncalibrated::Sparse64($mean), ..) => $of_mean,
            PredProbs::Mean($mean) | PredProbs::MeanOfScores($mean) => $of_mean,
        }
    }};
}

impl PredProbs<'_> {
    /// (N, K).
    #[must_use]
    pub fn shape(&self) -> (usize, usize) {
        of_stored!(self, matrix => (matrix.n_rows(), matrix.n_columns()), mean => mean.shape())
    }

    /// What the cells are, and how they are calibrated. The mean of several matrices is one of
    /// probabilities, or of scores.
    #[must_use]
    pub fn kind(&self) -> (Kind, Calibration) {
        match self {
            Self::Logits16(_, temperature)
            | Self::BLogits16(_, temperature)
            | Self::Logits32(_, temperature)
            | Self::Logits64(_, temperature) => {
                (Kind::Logits, Calibration { temperature: *temperature, ..Calibration::NONE })
            }
            Self::Calibrated(_, kind, calibration) => (*kind, calibration.clone()),
            Self::Scores16(_)
            | Self::BScores16(_)
            | Self::Scores32(_)
            | Self::Scores64(_)
            | Self::MeanOfScores(_) => (Kind::Scores, Calibration::NONE),
            _ => (Kind::Probabilities, Calibration::NONE),
        }
    }

    /// Bytes that all cells take.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        of_stored!(self, matrix => matrix.n_rows() * matrix.row_bytes(), mean => mean.n_bytes())
    }

    /// Checks that the labels are those of these rows and columns.
    ///
    /// # Errors
    /// [`Error::LengthsDiffer`] or [`Error::OnePerClass`].
    pub fn check_shape(&self, labels: &Labels) -> Result<()> {
        let (rows, n_columns) = self.shape();
        if rows != labels.n_examples() {
            return Err(Error::LengthsDiffer { labels: labels.n_examples(), rows });
        }
        if n_columns != labels.n_classes() {
            let n_classes = labels.n_classes();
            return Err(Error::OnePerClass { name: "pred_probs", n_classes, found: n_columns });
        }
        Ok(())
    }
}
