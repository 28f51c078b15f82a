//! Scores of a judge, where nothing else is asked of the rows.

use super::{Asked, Judge, Ready, Scratch};
use crate::blocks::Workers;
use crate::error::{Error, Result};
use crate::format::Format;
use crate::input::{AllRows, Labels, Matrix, Rows};
use crate::pred_probs::{PredProbs, with_matrix};
use crate::quality::{RowScore, check_rows, holds_usual_cells, scores_by_entries};
use crate::row::{BadCell, check_row, without_signs};
use crate::scan::Fetch;
use crate::sweep::{RowKernel, sweep};
use crate::thresholds::thresholds_before_sweep;

/// One score for each of the rows, in their order, by a judge that is fitted.
///
/// # Errors
/// If the rows are not of the kind that it was fitted to, one does not exist, or a cell that is read
/// is no probability.
pub fn label_quality_scores(
    labels: &Labels,
    pred_probs: &PredProbs<'_>,
    rows: Option<&[usize]>,
    judge: &Judge,
    workers: &Workers<'_>,
) -> Result<Vec<f64>> {
    judge.check(labels, pred_probs)?;
    check_rows(rows, labels.n_examples())?;
    let (all, judge) = (AllRows(labels.n_examples()), Asked::Fitted(judge));
    with_matrix!(pred_probs, workers, matrix => match rows {
        Some(rows) => scores_of_rows(labels, matrix, &rows, judge, &[], workers),
        None => scores_of_rows(labels, matrix, &all, judge, &[], workers),
    })
}

/// The same, where thresholds may be known. Else a judge that is not fitted yet reads the own-class
/// cells of all rows, too.
pub(crate) fn scores_of_rows<F: Format, R: Rows>(
    labels: &Labels,
    matrix: &Matrix<'_, F>,
    rows: &R,
    asked: Asked<'_>,
    thresholds: &[f64],
    workers: &Workers<'_>,
) -> Result<Vec<f64>> {
    if !F::HAS_PROBABILITIES {
        return Err(Error::NeedsProbabilities { what: asked.method().name() });
    }
    let judge = match asked {
        Asked::ByThresholds if thresholds.is_empty() => {
            let thresholds = thresholds_before_sweep(matrix, labels, workers)?;
            asked.ready::<F::Real>(&thresholds, workers.level())
        }
        _ => asked.ready(thresholds, workers.level()),
    };
    if let Some(entries) = matrix.by_entries() {
        let how = RowScore::Judged(&judge);
        return scores_by_entries(labels, matrix, entries, rows, &how, workers);
    }
    Ok(sweep(matrix, labels, rows, &Judging { judge, largest: F::largest() }, workers)?.0)
}

/// Scores each row.
struct Judging<'a, F: Format> {
    judge: Ready<'a, F::Real>,
    largest: F::Key,
}

impl<F: Format> RowKernel<F> for Judging<'_, F> {
    type Fact = f64;
    type Side = Scratch<F::Real>;

    #[inline(always)]
    fn row(
        &self,
        _row: usize,
        cells: &[F::Bits],
        given: usize,
        scratch: &mut Scratch<F::Real>,
    ) -> Result<f64, BadCell> {
        if holds_usual_cells::<F>(cells, self.largest) {
            return Ok(self.judge.judge::<F>(cells, given, scratch, Fetch::Odd).score);
        }
        check_row::<F>(cells)?;
        let cells = without_signs::<F>(cells);
        Ok(self.judge.judge::<F>(&cells, given, scratch, Fetch::Odd).score)
    }
}
