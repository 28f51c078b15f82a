//! Probabilities out of the logits of tags, without a second matrix: p = 1 / (1 + exp(-z / T)), each
//! cell by itself, computed when it is looked at.
//!
//! With a = exp(-|z| / T) it is 1 / (1 + a) for z >= 0 and a / (1 + a) below, so nothing overflows.

use crate::entropy::Real;
use crate::error::{Error, Result};
use crate::format::Format;
use crate::input::{AllRows, Computed, Matrix};
use crate::simd::{self, Kernel, Level};
use crate::softmax::{Exponent, scale};

/// The probabilities of logits.
pub(crate) struct Sigmoid<'a, F: Format> {
    matrix: Matrix<'a, F>,
    /// log2(e) / T.
    scale: F::Real,
    level: Level,
}

/// How they are written.
pub(crate) type SignedOf<F> = <<F as Format>::Real as Exponent>::Signed;

impl<'a, F: Format<Real: Exponent>> Sigmoid<'a, F> {
    pub(crate) fn new(logits: Matrix<'a, F>, temperature: f64, level: Level) -> Result<Self> {
        let scale = F::Real::of(scale("temperature", temperature)?);
        Ok(Self { matrix: logits, scale, level })
    }

    /// As a matrix.
    pub(crate) fn cells(&self) -> Matrix<'_, SignedOf<F>> {
        Matrix::computed(self)
    }
}

/// The probability of a logit.
#[inline(always)]
fn probability<R: Exponent>(logit: R, scale: R) -> R {
    let (zero, one) = (R::ZERO, R::of(1.0));
    let below_zero = if logit > zero { zero.minus(logit) } else { logit };
    let exponent = below_zero.times_plus(scale, R::of(-1.0)).or_larger(R::LEAST_EXPONENT);
    let power = exponent.power_of_two();
    let half = if exponent > R::LEAST_EXPONENT { power } else { zero };
    let a = half.plus(half);
    let above = if logit < zero { a } else { one };
    above.over(one.plus(a))
}

impl<F: Format<Real: Exponent>> Computed<SignedOf<F>> for Sigmoid<'_, F> {
    fn shape(&self) -> (usize, usize) {
        (self.matrix.n_rows(), self.matrix.n_columns())
    }

    fn fill(&self, row: usize, cells: &mut [<SignedOf<F> as Format>::Bits]) -> Result<()> {
        let mut tile = Vec::new();
        let all = AllRows(self.matrix.n_rows());
        let lent = self.matrix.lend(&all, row..row + 1, &mut tile)?;
        let logits = lent.cells(row);
        if simd::dispatch(self.level, Fill::<F> { scale: self.scale, logits, cells }) {
            return Ok(());
        }
        let mut values = logits.iter().map(|&cell| F::value(cell));
        let column = values.position(|value| value.is_nan() || value == f64::INFINITY).unwrap_or(0);
        Err(Error::NotFinite { row, column, value: F::value(logits[column]) })
    }

    fn cell(&self, row: usize, column: usize) -> <SignedOf<F> as Format>::Bits {
        probability(F::real(self.matrix.cell(row, column)), self.scale).cell()
    }

    fn prefetch(&self, row: usize, column: usize) {
        self.matrix.prefetch(row, column);
    }

    fn row_bytes(&self) -> usize {
        self.matrix.row_bytes()
    }
}

/// The probabilities of a row, as compiled for a CPU level; false if a logit is NaN or infinite.
struct Fill<'a, F: Format<Real: Exponent>> {
    scale: F::Real,
    logits: &'a [F::Bits],
    cells: &'a mut [<SignedOf<F> as Format>::Bits],
}

impl<F: Format<Real: Exponent>> Kernel for Fill<'_, F> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        let mut are_finite = true;
        for (cell, &logit) in self.cells.iter_mut().zip(self.logits) {
            let logit = F::real(logit);
            are_finite &= logit < F::Real::HIGHEST;
            *cell = probability(logit, self.scale).cell();
        }
        are_finite
    }
}
