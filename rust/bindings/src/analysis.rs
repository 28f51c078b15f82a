//! See `conflearn_core::analysis`.

use conflearn_core::quality::Method;
use numpy::{IntoPyArray, PyArray1, PyUntypedArray};
use pyo3::prelude::*;

use crate::arrays::{self, RawPredProbs};
use crate::checks::PyCheckState;
use crate::enter::enter;
use crate::issues::Options;
use crate::names::Named;

/// Everything that one sweep finds. The joint is in compressed rows: `joint_starts`,
/// `joint_columns`, `joint_counts`. Scores of judges have their names beside them.
#[pyclass(frozen, get_all, module = "conflearn._core")]
pub(crate) struct Analysis {
    mask: Py<PyArray1<bool>>,
    ranked: Py<PyArray1<i64>>,
    self_confidence: Py<PyArray1<f64>>,
    normalized_margin: Py<PyArray1<f64>>,
    confidence_weighted_entropy: Py<PyArray1<f64>>,
    judged: Vec<(&'static str, Py<PyArray1<f64>>)>,
    suggested_labels: Py<PyArray1<i64>>,
    thresholds: Py<PyArray1<f64>>,
    given_counts: Py<PyArray1<i64>>,
    joint_starts: Py<PyArray1<i64>>,
    joint_columns: Py<PyArray1<u32>>,
    joint_counts: Py<PyArray1<f64>>,
    num_issues: usize,
    checks: Py<PyCheckState>,
}

/// Finds, ranks, scores and counts in one sweep.
#[pyfunction]
pub(crate) fn analyze<'py>(
    py: Python<'py>,
    labels: &Bound<'py, PyUntypedArray>,
    pred_probs: RawPredProbs<'py>,
    options: Options<'py>,
    rank_by: Named<Method>,
    n_threads: Option<usize>,
) -> PyResult<Analysis> {
    let options = options.borrow()?;
    let found = enter(py, labels, &pred_probs, n_threads, |labels, pred_probs, workers| {
        let search = options.search()?;
        conflearn_core::analysis::analyze(labels, pred_probs, &search, rank_by.0, workers)
    })?;
    let (starts, columns, counts) = found.confident_joint.as_csr();
    Ok(Analysis {
        joint_starts: arrays::rows(py, starts).unbind(),
        joint_columns: PyArray1::from_slice(py, columns).unbind(),
        joint_counts: PyArray1::from_slice(py, counts).unbind(),
        given_counts: arrays::rows(py, &found.given_counts).unbind(),
        ranked: arrays::rows(py, &found.ranked).unbind(),
        mask: found.mask.into_pyarray(py).unbind(),
        self_confidence: found.self_confidence.into_pyarray(py).unbind(),
        normalized_margin: found.normalized_margin.into_pyarray(py).unbind(),
        confidence_weighted_entropy: found.confidence_weighted_entropy.into_pyarray(py).unbind(),
        judged: found
            .judged
            .into_iter()
            .map(|(method, scores)| (method.name(), scores.into_pyarray(py).unbind()))
            .collect(),
        suggested_labels: found.suggested_labels.into_pyarray(py).unbind(),
        thresholds: found.thresholds.into_pyarray(py).unbind(),
        num_issues: found.num_issues,
        checks: Py::new(py, PyCheckState(found.checks))?,
    })
}
