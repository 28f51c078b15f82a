//! See `conflearn_core::quality`.

use conflearn_core::judge;
use conflearn_core::quality::{self, Adjust, Method};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1, PyUntypedArray};
use pyo3::prelude::*;

use crate::arrays::RawPredProbs;
use crate::enter::{enter, enter_batch};
use crate::judges::PyJudge;
use crate::names::Named;

/// One score a row. Thresholds to adjust by are those of the data unless they are given, and a judge
/// is fitted to the data unless one is given.
#[pyfunction]
#[pyo3(signature = (
    labels, pred_probs, method, adjust, thresholds, first_row, n_threads, judge=None
))]
#[allow(clippy::too_many_arguments)] // as many as the question has parts
pub(crate) fn label_quality_scores<'py>(
    py: Python<'py>,
    labels: &Bound<'py, PyUntypedArray>,
    pred_probs: RawPredProbs<'py>,
    method: Named<Method>,
    adjust: Named<Adjust>,
    thresholds: Option<PyReadonlyArray1<'py, f64>>,
    first_row: usize,
    n_threads: Option<usize>,
    judge: Option<Bound<'py, PyJudge>>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let judge = judge.as_ref().map(|judge| judge.get().judge());
    let thresholds = thresholds.as_ref().map(|array| array.as_slice()).transpose()?;
    let how = (adjust.0, thresholds);
    let scores = enter_batch(
        py,
        labels,
        &pred_probs,
        first_row,
        n_threads,
        |labels, pred_probs, workers| match judge {
            Some(judge) => judge::label_quality_scores(&labels, pred_probs, None, judge, workers),
            None => {
                quality::label_quality_scores(&labels, pred_probs, None, method.0, how, workers)
            }
        },
    )?;
    Ok(scores.into_pyarray(py))
}

/// The share of the labels that the model predicts.
#[pyfunction]
pub(crate) fn accuracy<'py>(
    py: Python<'py>,
    labels: &Bound<'py, PyUntypedArray>,
    pred_probs: RawPredProbs<'py>,
    n_threads: Option<usize>,
) -> PyResult<f64> {
    enter(py, labels, &pred_probs, n_threads, quality::accuracy)
}
