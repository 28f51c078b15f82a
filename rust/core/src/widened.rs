//! Cells of 16 bits, read as float32, in which each of them has its exact value.
//!
//! Scores and logits of 16 bits are looked at in this way, a few rows at a time. Only probabilities of
//! 16 bits have kernels of their own: their bits are compared as they are.

use crate::error::Result;
use crate::format::{Float32, Format, Scores};
use crate::input::{AllRows, Computed, Matrix};
use crate::scan::Fetch;
use crate::simd::{self, Kernel, Level};

/// A matrix of cells of 16 bits, to be looked at as one of float32.
#[derive(Debug, Clone, Copy)]
pub struct Widened<'a, F: Format>(Matrix<'a, F>);

impl<'a, F: Format<Real = f32>> Widened<'a, F> {
    /// The same matrix.
    #[must_use]
    pub fn new(narrow: Matrix<'a, F>) -> Self {
        Self(narrow)
    }

    /// As it lies in memory.
    pub(crate) fn narrow(&self) -> &Matrix<'a, F> {
        &self.0
    }

    /// As logits: floats whose keys nobody asks for.
    pub(crate) fn floats(&self) -> Matrix<'_, Float32> {
        Matrix::computed(self)
    }

    /// As scores.
    pub(crate) fn scores(&self) -> Matrix<'_, Scores<Float32>> {
        Matrix::computed(self)
    }
}

impl<F, W> Computed<W> for Widened<'_, F>
where
    F: Format<Real = f32>,
    W: Format<Bits = u32>,
{
    fn shape(&self) -> (usize, usize) {
        (self.0.n_rows(), self.0.n_columns())
    }

    fn fill(&self, row: usize, cells: &mut [u32]) -> Result<()> {
        let mut tile = Vec::new();
        let all = AllRows(self.0.n_rows());
        let lent = self.0.lend(&all, row..row + 1, &mut tile)?;
        simd::dispatch(Level::chosen(), Widen::<F> { narrow: lent.cells(row), cells });
        Ok(())
    }

    fn cell(&self, row: usize, column: usize) -> u32 {
        F::real(self.0.cell(row, column)).to_bits()
    }

    fn prefetch(&self, row: usize, column: usize) {
        self.0.prefetch(row, column);
    }

    fn row_bytes(&self) -> usize {
        self.0.row_bytes()
    }
}

/// A row, as compiled for a CPU level.
struct Widen<'a, F: Format> {
    narrow: &'a [F::Bits],
    cells: &'a mut [u32],
}

impl<F: Format<Real = f32>> Kernel for Widen<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        Fetch::All.ahead_of(self.narrow);
        for (cell, &bits) in self.cells.iter_mut().zip(self.narrow) {
            *cell = F::real(bits).to_bits();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{BFloat16, Float16};

    fn reads_exact_values<F: Format<Real = f32, Bits = u16>>() {
        let cells: Vec<u16> = (0..40 * 7).map(|n| n * 233).collect();
        let valid = |bits: u16| F::value(bits).is_finite();
        for (down, right) in [(7, 1), (1, 40)] {
            let strides = (2 * down as isize, 2 * right as isize);
            // SAFETY: all cells are within the vector.
            let narrow = unsafe { Matrix::<F>::new(cells.as_ptr().cast(), (40, 7), strides) };
            let widened = Widened::new(narrow);
            let wide = widened.scores();
            let mut tile = Vec::new();
            let all = AllRows(40);
            let lent = wide.lend(&all, 0..40, &mut tile).unwrap();
            assert_eq!(lent.positions, 0..40);
            for row in 0..40 {
                for column in 0..7 {
                    let bits = cells[row * down + column * right];
                    let value = f64::from(f32::from_bits(lent.cells(row)[column]));
                    assert_eq!(wide.cell(row, column), lent.cells(row)[column]);
                    assert!(value == F::value(bits) || !valid(bits) && !value.is_finite());
                }
            }
        }
    }

    #[test]
    fn cells_have_their_exact_values() {
        reads_exact_values::<Float16>();
        reads_exact_values::<BFloat16>();
    }
}
