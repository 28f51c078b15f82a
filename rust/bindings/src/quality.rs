//! See `conflearn_core::quality`.

use conflearn_core::quality::{self, Adjust, Method};
use numpy::{IntoPyArray, PyArray1, PyUntypedArray};
use pyo3::prelude::*;

use crate::arrays::RawPredProbs;
use crate::enter::enter;
use crate::names::Named;

/// One score a row.
#[pyfunction]
pub(crate) fn label_quality_scores<'py>(
    py: Python<'py>,
    labels: &Bound<'py, PyUntypedArray>,
    pred_probs: RawPredProbs<'py>,
    method: Named<Method>,
    adjust: Named<Adjust>,
    n_threads: Option<usize>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let scores = enter(py, labels, &pred_probs, n_threads, |labels, pred_probs, workers| {
        quality::label_quality_scores(labels, pred_probs, None, method.0, adjust.0, workers)
    })?;
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
