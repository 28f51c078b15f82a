//! See `conflearn_core::health`.

use conflearn_core::Several;
use numpy::{PyArray1, PyUntypedArray};
use pyo3::prelude::*;

use crate::arrays::{self, RawPredProbs};
use crate::enter::enter;
use crate::names::Named;

/// The calibrated joint in compressed rows (starts, columns, counts), how many examples are given
/// each class, and how many labels are wrong.
#[pyfunction]
pub(crate) fn dataset_health<'py>(
    py: Python<'py>,
    labels: &Bound<'py, PyUntypedArray>,
    pred_probs: RawPredProbs<'py>,
    several: Named<Several>,
    n_threads: Option<usize>,
) -> PyResult<(
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<u32>>,
    Bound<'py, PyArray1<f64>>,
    Bound<'py, PyArray1<i64>>,
    usize,
)> {
    let (found, counts) =
        enter(py, labels, &pred_probs, n_threads, |labels, pred_probs, workers| {
            let found =
                conflearn_core::health::dataset_health(labels, pred_probs, several.0, workers)?;
            Ok((found, labels.counts().to_vec()))
        })?;
    let (starts, columns, joint_counts) = found.confident_joint.as_csr();
    Ok((
        arrays::rows(py, starts),
        PyArray1::from_slice(py, columns),
        PyArray1::from_slice(py, joint_counts),
        arrays::rows(py, &counts),
        found.num_issues,
    ))
}
