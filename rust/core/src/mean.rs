//! The weighted mean of several matrices, which is never made: a row of it is computed when it is
//! looked at.

use crate::blocks::Workers;
use crate::calibration::Calibrated;
use crate::error::{Error, Result};
use crate::format::{Bits, Float64, Format, Key, Meaning};
use crate::input::{AllRows, Computed, Matrix};
use crate::multilabel::Sigmoid;
use crate::pred_probs::PredProbs;
use crate::row::{BadCell, check_row};
use crate::scan::Fetch;
use crate::simd::{self, Kernel, Level};
use crate::softmax::{Exponent, ProbabilityOf, Softmax};
use crate::sweep::bad_cell;

/// Several matrices of the same shape and meaning, and how much each of them counts.
#[derive(Debug)]
pub struct Mean<'a> {
    members: Vec<(PredProbs<'a>, f64)>,
}

impl<'a> Mean<'a> {
    /// Members and their weights, which sum to 1.
    ///
    /// # Errors
    /// If there are none, or shapes differ.
    pub fn new(members: Vec<(PredProbs<'a>, f64)>) -> Result<Self> {
        let Some((first, _)) = members.first() else {
            return Err(Error::Empty);
        };
        let shape = first.shape();
        for (number, (member, _)) in members.iter().enumerate() {
            if member.shape() != shape {
                return Err(Error::ShapesDiffer { first: shape, number, found: member.shape() });
            }
        }
        Ok(Self { members })
    }

    /// N and K.
    #[must_use]
    pub fn shape(&self) -> (usize, usize) {
        self.members[0].0.shape()
    }

    /// Bytes that all cells take.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        self.members.iter().map(|(member, _)| member.n_bytes()).sum()
    }

    /// Ready to be looked at: logits have been read once.
    pub(crate) fn prepare(&self, workers: &Workers<'_>) -> Result<PreparedMean<'_>> {
        self.prepare_members(|member| prepare(member, workers), workers)
    }

    /// The same where each class is a problem of its own, so that logits need no look at their row.
    pub(crate) fn prepare_by_class(&self, workers: &Workers<'_>) -> Result<PreparedMean<'_>> {
        self.prepare_members(|member| prepare_by_class(member, workers), workers)
    }

    fn prepare_members<'m>(
        &'m self,
        prepare: impl Fn(&'m PredProbs<'a>) -> Result<Box<dyn Member + 'm>>,
        workers: &Workers<'_>,
    ) -> Result<PreparedMean<'m>> {
        let members = self.members.iter().enumerate().map(|(number, (member, weight))| {
            let member = prepare(member).map_err(|error| error.in_matrix(number))?;
            Ok((member, *weight))
        });
        let members = members.collect::<Result<_>>()?;
        Ok(PreparedMean { shape: self.shape(), members, level: workers.level() })
    }
}

/// A matrix of several, as its cells are added up.
trait Member: Sync {
    /// Adds all cells of a row, each checked and multiplied by a weight, to sums that are written as
    /// the bits of a float64.
    fn add(&self, row: usize, weight: f64, sums: &mut [u64], level: Level) -> Result<()>;
    /// One cell; NaN if its value may not stand there.
    fn value(&self, row: usize, column: usize) -> f64;
    /// What is wrong with a cell, if its value may not stand there.
    fn fault(&self, row: usize, column: usize) -> Option<Error>;
    /// Asks for a cell ahead of its use.
    fn prefetch(&self, row: usize, column: usize);
    /// Bytes that are read for a row.
    fn row_bytes(&self) -> usize;
}

fn prepare<'a>(member: &'a PredProbs<'_>, workers: &Workers<'_>) -> Result<Box<dyn Member + 'a>> {
    Ok(match member {
        PredProbs::Float16(matrix) => Box::new(*matrix),
        PredProbs::BFloat16(matrix) => Box::new(*matrix),
        PredProbs::Float32(matrix) => Box::new(*matrix),
        PredProbs::Float64(matrix) => Box::new(*matrix),
        PredProbs::Sparse32(sparse) => Box::new(sparse.matrix()),
        PredProbs::Sparse64(sparse) => Box::new(sparse.matrix()),
        PredProbs::Scores16(narrow) => Box::new(narrow.scores()),
        PredProbs::BScores16(narrow) => Box::new(narrow.scores()),
        PredProbs::Scores32(matrix) => Box::new(*matrix),
        PredProbs::Scores64(matrix) => Box::new(*matrix),
        PredProbs::Logits16(narrow, t) => Box::new(Softmax::new(narrow.floats(), *t, workers)?),
        PredProbs::BLogits16(narrow, t) => Box::new(Softmax::new(narrow.floats(), *t, workers)?),
        PredProbs::Logits32(logits, t) => Box::new(Softmax::new(*logits, *t, workers)?),
        PredProbs::Logits64(logits, t) => Box::new(Softmax::new(*logits, *t, workers)?),
        PredProbs::Calibrated(cells, kind, c) => {
            use crate::pred_probs::Uncalibrated as Cells;
            match cells {
                Cells::Float16(cells) => {
                    Box::new(Calibrated::new(cells.floats(), c, *kind, workers)?)
                }
                Cells::BFloat16(cells) => {
                    Box::new(Calibrated::new(cells.floats(), c, *kind, workers)?)
                }
                Cells::Float32(cells) => Box::new(Calibrated::new(*cells, c, *kind, workers)?),
                Cells::Float64(cells) => Box::new(Calibrated::new(*cells, c, *kind, workers)?),
                Cells::Sparse32(_) | Cells::Sparse64(_) => return Err(Error::SparseMember),
            }
        }
        PredProbs::Mean(mean) | PredProbs::MeanOfScores(mean) => Box::new(mean.prepare(workers)?),
    })
}

/// The same where each class is a problem of its own.
fn prepare_by_class<'m>(
    member: &'m PredProbs<'_>,
    workers: &Workers<'_>,
) -> Result<Box<dyn Member + 'm>> {
    let level = workers.level();
    Ok(match member {
        PredProbs::Logits16(narrow, t) => Box::new(Sigmoid::new(narrow.floats(), *t, level)?),
        PredProbs::BLogits16(narrow, t) => Box::new(Sigmoid::new(narrow.floats(), *t, level)?),
        PredProbs::Logits32(logits, t) => Box::new(Sigmoid::new(*logits, *t, level)?),
        PredProbs::Logits64(logits, t) => Box::new(Sigmoid::new(*logits, *t, level)?),
        PredProbs::Mean(mean) | PredProbs::MeanOfScores(mean) => {
            Box::new(mean.prepare_by_class(workers)?)
        }
        _ => prepare(member, workers)?,
    })
}

impl<F: Format> Member for Matrix<'_, F> {
    fn add(&self, row: usize, weight: f64, sums: &mut [u64], level: Level) -> Result<()> {
        let mut tile = Vec::new();
        let all = AllRows(self.n_rows());
        let lent = self.lend(&all, row..row + 1, &mut tile)?;
        simd::dispatch(level, Add::<F> { row, cells: lent.cells(row), weight, sums })
    }

    fn value(&self, row: usize, column: usize) -> f64 {
        let value = F::value(self.cell(row, column));
        if F::MEANING.allows(value) { value } else { f64::NAN }
    }

    fn fault(&self, row: usize, column: usize) -> Option<Error> {
        let value = F::value(self.cell(row, column));
        let found = BadCell { column, value };
        (!F::MEANING.allows(value)).then(|| bad_cell(F::MEANING, row, found))
    }

    fn prefetch(&self, row: usize, column: usize) {
        self.prefetch(row, column);
    }

    fn row_bytes(&self) -> usize {
        self.row_bytes()
    }
}

/// What is computed is added up as it is computed.
macro_rules! member {
    ($computed:ident) => {
        impl<F: Format<Real: Exponent>> Member for $computed<'_, F> {
            fn add(&self, row: usize, weight: f64, sums: &mut [u64], level: Level) -> Result<()> {
                let mut cells = vec![Bits::ZERO; sums.len()];
                self.fill(row, &mut cells)?;
                simd::dispatch(level, Add::<ProbabilityOf<F>> { row, cells: &cells, weight, sums })
            }

            fn value(&self, row: usize, column: usize) -> f64 {
                ProbabilityOf::<F>::value(Computed::cell(self, row, column))
            }

            fn fault(&self, row: usize, column: usize) -> Option<Error> {
                Computed::fault(self, row, column)
            }

            fn prefetch(&self, row: usize, column: usize) {
                Computed::prefetch(self, row, column);
            }

            fn row_bytes(&self) -> usize {
                Computed::row_bytes(self)
            }
        }
    };
}
member!(Softmax);
member!(Sigmoid);
member!(Calibrated);

impl Member for PreparedMean<'_> {
    fn add(&self, row: usize, weight: f64, sums: &mut [u64], level: Level) -> Result<()> {
        let mut cells = vec![0; sums.len()];
        Computed::<Float64>::fill(self, row, &mut cells)?;
        simd::dispatch(level, Add::<Float64> { row, cells: &cells, weight, sums })
    }

    fn value(&self, row: usize, column: usize) -> f64 {
        f64::from_bits(Computed::<Float64>::cell(self, row, column))
    }

    fn fault(&self, row: usize, column: usize) -> Option<Error> {
        Computed::<Float64>::fault(self, row, column)
    }

    fn prefetch(&self, row: usize, column: usize) {
        Computed::<Float64>::prefetch(self, row, column);
    }

    fn row_bytes(&self) -> usize {
        Computed::<Float64>::row_bytes(self)
    }
}

/// Adds a row, as compiled for a CPU level.
struct Add<'a, F: Format> {
    row: usize,
    cells: &'a [F::Bits],
    weight: f64,
    sums: &'a mut [u64],
}

impl<F: Format> Kernel for Add<'_, F> {
    type Output = Result<()>;

    #[inline(always)]
    fn run(self) -> Result<()> {
        let Self { row, cells, weight, sums } = self;
        Fetch::All.ahead_of(cells);
        let keys = || cells.iter().map(|&cell| F::key(cell));
        let largest = keys().fold(F::Key::ZERO, Ord::max);
        let too_small = F::MEANING == Meaning::Score && keys().any(|key| key < F::smallest());
        if largest > F::largest() || too_small {
            check_row::<F>(cells).map_err(|found| bad_cell(F::MEANING, row, found))?;
        }
        for (sum, &cell) in sums.iter_mut().zip(cells) {
            *sum = (f64::from_bits(*sum) + weight * F::value(cell)).to_bits();
        }
        Ok(())
    }
}

/// A mean that can be looked at.
pub(crate) struct PreparedMean<'a> {
    shape: (usize, usize),
    members: Vec<(Box<dyn Member + 'a>, f64)>,
    level: Level,
}

impl<F: Format<Bits = u64>> Computed<F> for PreparedMean<'_> {
    fn shape(&self) -> (usize, usize) {
        self.shape
    }

    fn fill(&self, row: usize, cells: &mut [u64]) -> Result<()> {
        cells.fill(0.0_f64.to_bits());
        for (number, (member, weight)) in self.members.iter().enumerate() {
            let added = member.add(row, *weight, cells, self.level);
            added.map_err(|error| error.in_matrix(number))?;
        }
        Ok(())
    }

    fn cell(&self, row: usize, column: usize) -> u64 {
        let sum = |sum: f64, (member, weight): &(Box<dyn Member>, f64)| {
            sum + weight * member.value(row, column)
        };
        self.members.iter().fold(0.0, sum).to_bits()
    }

    fn fault(&self, row: usize, column: usize) -> Option<Error> {
        let mut members = self.members.iter().enumerate();
        members.find_map(|(number, (member, _))| Some(member.fault(row, column)?.in_matrix(number)))
    }

    fn prefetch(&self, row: usize, column: usize) {
        self.members.iter().for_each(|(member, _)| member.prefetch(row, column));
    }

    fn row_bytes(&self) -> usize {
        self.members.iter().map(|(member, _)| member.row_bytes()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Float32, Scores};
    use crate::input::Labels;
    use crate::quality::{Adjust, Method, label_quality_scores};
    use crate::threads::on_this_thread;

    fn matrix<F: Format<Bits = u32>>(cells: &[u32; 4]) -> Matrix<'_, F> {
        // SAFETY: all cells are within the array.
        unsafe { Matrix::new(cells.as_ptr().cast(), (2, 2), (8, 4)) }
    }

    fn own_fault(members: Vec<PredProbs<'_>>) -> Error {
        let labels = Labels::new([0_u32, 1].into_iter(), 2).unwrap();
        let weight = 1.0 / members.len() as f64;
        let members = members.into_iter().map(|member| (member, weight)).collect();
        let mean = PredProbs::Mean(Mean::new(members).unwrap());
        let method = Method::SelfConfidence;
        let scores = |workers: &Workers<'_>| {
            label_quality_scores(&labels, &mean, None, method, (Adjust::No, None), workers)
        };
        on_this_thread(scores).unwrap_err()
    }

    /// A mean hides them: that of 1.5 and 0.1 is a probability.
    #[test]
    fn own_cells_of_each_matrix_are_checked() {
        let good = [0.5_f32, 0.5, 0.9, 0.1].map(f32::to_bits);
        let large = [0.5_f32, 0.5, 0.9, 1.5].map(f32::to_bits);
        let nan = [0.5_f32, 0.5, 0.9, f32::NAN].map(f32::to_bits);
        let error =
            own_fault(vec![PredProbs::Float32(matrix(&good)), PredProbs::Float32(matrix(&large))]);
        let fault = Box::new(Error::OutOfRange { row: 1, column: 1, value: 1.5 });
        assert_eq!(format!("{error}"), format!("{}", Error::InMatrix { number: 1, fault }));
        let error = own_fault(vec![
            PredProbs::Scores32(matrix::<Scores<Float32>>(&nan)),
            PredProbs::Scores32(matrix::<Scores<Float32>>(&good)),
        ]);
        assert!(matches!(error, Error::InMatrix { number: 0, .. }), "{error}");
    }
}
