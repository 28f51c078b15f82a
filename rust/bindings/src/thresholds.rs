//! See `conflearn_core::thresholds`.

use numpy::{IntoPyArray, PyArray1, PyUntypedArray};
use pyo3::prelude::*;

use crate::arrays::RawPredProbs;
use crate::enter::enter;

/// One threshold a class.
#[pyfunction]
pub(crate) fn confident_thresholds<'py>(
    py: Python<'py>,
    labels: &Bound<'py, PyUntypedArray>,
    pred_probs: RawPredProbs<'py>,
    n_threads: Option<usize>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let thresholds = enter(
        py,
        labels,
        &pred_probs,
        n_threads,
        conflearn_core::thresholds::confident_thresholds,
    )?;
    Ok(thresholds.into_pyarray(py))
}
