//! `pred_probs` as it was handed over: one of four formats and of three kinds, or several of them.

use crate::error::{Error, Result};
use crate::format::{BFloat16, Float16, Float32, Float64, Scores};
use crate::input::{Labels, Matrix};
use crate::mean::Mean;
use crate::softmax::Logits;

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
    /// Scores, in the same formats.
    Scores16(Matrix<'a, Scores<Float16>>),
    /// See [`PredProbs::BFloat16`].
    BScores16(Matrix<'a, Scores<BFloat16>>),
    /// See [`PredProbs::Float32`].
    Scores32(Matrix<'a, Scores<Float32>>),
    /// See [`PredProbs::Float64`].
    Scores64(Matrix<'a, Scores<Float64>>),
    /// Logits, of which the softmax is taken, in the same formats.
    Logits16(Logits<'a, Float16>),
    /// See [`PredProbs::BFloat16`].
    BLogits16(Logits<'a, BFloat16>),
    /// See [`PredProbs::Float32`].
    Logits32(Logits<'a, Float32>),
    /// See [`PredProbs::Float64`].
    Logits64(Logits<'a, Float64>),
    /// The weighted mean of several matrices of probabilities or logits.
    Mean(Mean<'a>),
    /// The weighted mean of several matrices of scores.
    MeanOfScores(Mean<'a>),
}

/// Runs one expression with a [`Matrix`] of probabilities or scores: the only match on formats and
/// kinds.
macro_rules! with_matrix {
    ($pred_probs:expr, $workers:expr, $matrix:ident => $body:expr) => {{
        macro_rules! of_logits {
            ($logits:expr) => {{
                let softmax = $crate::softmax::Softmax::new($logits, $workers)?;
                let $matrix = &$crate::input::Matrix::computed(&softmax);
                $body
            }};
        }
        match $pred_probs {
            $crate::PredProbs::Float16($matrix) => $body,
            $crate::PredProbs::BFloat16($matrix) => $body,
            $crate::PredProbs::Float32($matrix) => $body,
            $crate::PredProbs::Float64($matrix) => $body,
            $crate::PredProbs::Scores16($matrix) => $body,
            $crate::PredProbs::BScores16($matrix) => $body,
            $crate::PredProbs::Scores32($matrix) => $body,
            $crate::PredProbs::Scores64($matrix) => $body,
            $crate::PredProbs::Logits16(logits) => of_logits!(logits),
            $crate::PredProbs::BLogits16(logits) => of_logits!(logits),
            $crate::PredProbs::Logits32(logits) => of_logits!(logits),
            $crate::PredProbs::Logits64(logits) => of_logits!(logits),
            $crate::PredProbs::Mean(mean) => {
                let mean = mean.prepare($workers)?;
                let $matrix = &$crate::input::Matrix::<$crate::Float64>::computed(&mean);
                $body
            }
            $crate::PredProbs::MeanOfScores(mean) => {
                let mean = mean.prepare($workers)?;
                let scores = $crate::input::Matrix::<$crate::Scores<$crate::Float64>>::computed(&mean);
                let $matrix = &scores;
                $body
            }
        }
    }};
}
pub(crate) use with_matrix;

/// Asks a matrix for its shape.
macro_rules! of_matrix {
    ($pred_probs:expr, $matrix:ident => $body:expr, $mean:ident => $of_mean:expr) => {
        match $pred_probs {
            PredProbs::Float16($matrix) => $body,
            PredProbs::BFloat16($matrix) => $body,
            PredProbs::Float32($matrix) => $body,
            PredProbs::Float64($matrix) => $body,
            PredProbs::Scores16($matrix) => $body,
            PredProbs::BScores16($matrix) => $body,
            PredProbs::Scores32($matrix) => $body,
            PredProbs::Scores64($matrix) => $body,
            PredProbs::Logits16(logits) => {
                let $matrix = logits.matrix();
                $body
            }
            PredProbs::BLogits16(logits) => {
                let $matrix = logits.matrix();
                $body
            }
            PredProbs::Logits32(logits) => {
                let $matrix = logits.matrix();
                $body
            }
            PredProbs::Logits64(logits) => {
                let $matrix = logits.matrix();
                $body
            }
            PredProbs::Mean($mean) | PredProbs::MeanOfScores($mean) => $of_mean,
        }
    };
}

impl PredProbs<'_> {
    /// (N, K).
    #[must_use]
    pub fn shape(&self) -> (usize, usize) {
        of_matrix!(self, matrix => (matrix.n_rows(), matrix.n_columns()), mean => mean.shape())
    }

    /// Bytes that all cells take.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        of_matrix!(self, matrix => matrix.n_rows() * matrix.row_bytes(), mean => mean.n_bytes())
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
