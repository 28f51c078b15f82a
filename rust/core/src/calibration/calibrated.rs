//! Calibrated probabilities, without a second matrix.
//!
//! As with [`crate::softmax`], a first pass finds what each row is divided by; after it, any cell can
//! be computed by itself, always to the same bits.

use std::ops::Range;

use super::Calibration;
use super::powers::{Normalizer, Powers};
use crate::blocks::{Filling, Workers};
use crate::entropy::Real;
use crate::error::{Error, Result};
use crate::format::{Format, Key, Meaning};
use crate::input::{AllRows, Computed, Lent, Matrix, Rows};
use crate::pred_probs::Kind;
use crate::row::check_row;
use crate::scan::Fetch;
use crate::simd::{self, Kernel, Level};
use crate::softmax::{Exponent, ProbabilityOf, bad_logit, first_bad_logit};
use crate::sweep::{bad_cell, first_fault_of_all, or_first_fault};

/// The calibrated probabilities of a matrix of probabilities or logits.
pub(crate) struct Calibrated<'a, F: Format> {
    matrix: Matrix<'a, F>,
    powers: Powers<F::Real>,
    /// One a row.
    normalizers: Vec<Normalizer<F::Real>>,
    level: Level,
}

impl<'a, F: Format<Real: Exponent>> Calibrated<'a, F> {
    /// The first pass.
    pub(crate) fn new(
        matrix: Matrix<'a, F>,
        calibration: &Calibration,
        kind: Kind,
        workers: &Workers<'_>,
    ) -> Result<Self> {
        calibration.check(kind, matrix.n_columns())?;
        let powers = Powers::new(calibration, kind, matrix.n_columns());
        let all = AllRows(matrix.n_rows());
        let fill =
            |tile: &mut Vec<F::Bits>, mut rows: Range<usize>, normalizers: &mut Filling<'_, _>| {
                while !rows.is_empty() {
                    let lent = matrix.lend(&all, rows.clone(), tile)?;
                    rows.start = lent.positions.end;
                    let powers = &powers;
                    simd::dispatch(workers.level(), Block { lent, powers, normalizers })?;
                }
                Ok(())
            };
        let filled = workers.fill(matrix.n_rows(), matrix.row_bytes(), Vec::new, fill);
        let (normalizers, _) = or_first_fault(filled, || match kind {
            Kind::Logits => first_bad_logit(&matrix, workers),
            _ => first_fault_of_all(&matrix, workers),
        })?;
        Ok(Self { matrix, powers, normalizers, level: workers.level() })
    }
}

/// The normalizers of some rows, as compiled for a CPU level.
struct Block<'t, 'f, 'v, 'p, F: Format, R> {
    lent: Lent<'t, F, R>,
    powers: &'p Powers<F::Real>,
    normalizers: &'f mut Filling<'v, Normalizer<F::Real>>,
}

impl<F: Format<Real: Exponent>, R: Rows> Kernel for Block<'_, '_, '_, '_, F, R> {
    type Output = Result<()>;

    #[inline(always)]
    fn run(self) -> Result<()> {
        for row in self.lent.positions.clone() {
            let cells = self.lent.cells(row);
            Fetch::All.ahead_of(cells);
            if !is_usual::<F>(self.powers.kind, cells) {
                check::<F>(self.powers.kind, row, cells)?;
            }
            self.normalizers.push(self.powers.normalizer::<F>(cells));
        }
        Ok(())
    }
}

/// Whether all cells may stand there, as far as that is quickly told.
#[inline(always)]
fn is_usual<F: Format<Real: Exponent>>(kind: Kind, cells: &[F::Bits]) -> bool {
    if kind == Kind::Logits {
        let (mut n_finite, mut n_ruled_out) = (0, 0);
        for &cell in cells {
            let logit = F::real(cell);
            n_finite += u32::from(logit < F::Real::HIGHEST);
            n_ruled_out += u32::from(logit <= F::Real::LOWEST);
        }
        n_finite as usize == cells.len() && n_ruled_out < n_finite
    } else {
        cells.iter().fold(F::Key::ZERO, |largest, &cell| largest.max(F::key(cell))) <= F::largest()
    }
}

/// The same, cell by cell.
#[cold]
#[inline(never)]
fn check<F: Format<Real: Exponent>>(kind: Kind, row: usize, cells: &[F::Bits]) -> Result<()> {
    if kind == Kind::Logits {
        return Err(bad_logit::<F>(row, cells));
    }
    check_row::<F>(cells).map_err(|found| bad_cell(Meaning::Probability, row, found))
}

impl<F: Format<Real: Exponent>> Computed<ProbabilityOf<F>> for Calibrated<'_, F> {
    fn shape(&self) -> (usize, usize) {
        (self.matrix.n_rows(), self.matrix.n_columns())
    }

    fn fill(&self, row: usize, cells: &mut [<ProbabilityOf<F> as Format>::Bits]) -> Result<()> {
        let mut tile = Vec::new();
        let all = AllRows(self.matrix.n_rows());
        let lent = self.matrix.lend(&all, row..row + 1, &mut tile)?;
        simd::dispatch(self.level, Fill { calibrated: self, row, from: lent.cells(row), cells });
        Ok(())
    }

    fn cell(&self, row: usize, column: usize) -> <ProbabilityOf<F> as Format>::Bits {
        let cell = F::real(self.matrix.cell(row, column));
        self.powers.probability(cell, column, &self.normalizers[row]).cell()
    }

    fn fault(&self, row: usize, column: usize) -> Option<Error> {
        self.matrix.as_computed().and_then(|computed| computed.fault(row, column))
    }

    fn prefetch(&self, row: usize, column: usize) {
        self.matrix.prefetch(row, column);
    }

    fn row_bytes(&self) -> usize {
        self.matrix.row_bytes()
    }
}

/// The probabilities of a row, as compiled for a CPU level.
struct Fill<'a, 'm, F: Format<Real: Exponent>> {
    calibrated: &'a Calibrated<'m, F>,
    row: usize,
    from: &'a [F::Bits],
    cells: &'a mut [<ProbabilityOf<F> as Format>::Bits],
}

impl<F: Format<Real: Exponent>> Kernel for Fill<'_, '_, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        Fetch::All.ahead_of(self.from);
        let Calibrated { powers, normalizers, .. } = self.calibrated;
        powers.fill::<F>(self.from, &normalizers[self.row], self.cells);
    }
}
