//! See `conflearn_core::joint`.

use conflearn_core::Several;
use conflearn_core::issues;
use conflearn_core::joint::{self, Layout};
use conflearn_core::prune::{PruneCounts, Spread};
use numpy::{
    PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArray,
};
use pyo3::prelude::*;

use crate::arrays::{self, CountRows, JointArgument, RawLabels, RawPredProbs, Square};
use crate::enter::{enter, enter_alone};
use crate::names::Named;

/// The confident joint, and the examples off its diagonal.
#[pyfunction]
#[allow(clippy::too_many_arguments)] // as many as the question has parts
pub(crate) fn count_confident<'py>(
    py: Python<'py>,
    labels: &Bound<'py, PyUntypedArray>,
    pred_probs: RawPredProbs<'py>,
    thresholds: Option<PyReadonlyArray1<'py, f64>>,
    calibrate: bool,
    several: Named<Several>,
    n_threads: Option<usize>,
) -> PyResult<(Bound<'py, PyArray2<i64>>, Bound<'py, PyArray1<i64>>)> {
    let thresholds = thresholds.map(|thresholds| thresholds.to_vec()).transpose()?;
    let dense = arrays::zeros(py, pred_probs.n_classes()?)?;
    let (joint, rows) =
        enter(py, labels, &pred_probs, n_threads, |labels, pred_probs, workers| {
            let (joint, rows) = issues::count_confident(
                labels,
                pred_probs,
                thresholds.as_deref(),
                several.0,
                workers,
            )?;
            let counts = labels.counts();
            Ok((if calibrate { joint.calibrated(counts, several.0.layout()) } else { joint }, rows))
        })?;
    arrays::set_counts(&dense, &joint)?;
    Ok((dense, arrays::rows(py, &rows)))
}

/// The same, of the joint only the entries that are not 0: where rows start, columns, counts.
#[pyfunction]
#[allow(clippy::too_many_arguments)] // as many as the question has parts
pub(crate) fn count_confident_rows<'py>(
    py: Python<'py>,
    labels: &Bound<'py, PyUntypedArray>,
    pred_probs: RawPredProbs<'py>,
    thresholds: Option<PyReadonlyArray1<'py, f64>>,
    calibrate: bool,
    several: Named<Several>,
    n_threads: Option<usize>,
) -> PyResult<(CountRows<'py>, Bound<'py, PyArray1<i64>>)> {
    let thresholds = thresholds.map(|thresholds| thresholds.to_vec()).transpose()?;
    let (joint, rows) =
        enter(py, labels, &pred_probs, n_threads, |labels, pred_probs, workers| {
            let thresholds = thresholds.as_deref();
            let (joint, rows) =
                issues::count_confident(labels, pred_probs, thresholds, several.0, workers)?;
            let counts = labels.counts();
            Ok((if calibrate { joint.calibrated(counts, several.0.layout()) } else { joint }, rows))
        })?;
    Ok((arrays::count_rows(py, &joint), arrays::rows(py, &rows)))
}

/// The examples off the diagonal of the confident joint.
#[pyfunction]
pub(crate) fn off_diagonal_examples<'py>(
    py: Python<'py>,
    labels: &Bound<'py, PyUntypedArray>,
    pred_probs: RawPredProbs<'py>,
    thresholds: Option<PyReadonlyArray1<'py, f64>>,
    several: Named<Several>,
    n_threads: Option<usize>,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let thresholds = thresholds.map(|thresholds| thresholds.to_vec()).transpose()?;
    let rows = enter(py, labels, &pred_probs, n_threads, |labels, pred_probs, workers| {
        let thresholds = thresholds.as_deref();
        issues::off_diagonal_examples(labels, pred_probs, thresholds, several.0, workers)
    })?;
    Ok(arrays::rows(py, &rows))
}

/// A confident joint calibrated to the number of examples given each class.
#[pyfunction]
pub(crate) fn calibrate_confident_joint<'py>(
    py: Python<'py>,
    confident_joint: PyReadonlyArray2<'py, f64>,
    counts: PyReadonlyArray1<'py, i64>,
    layout: Named<Layout>,
) -> PyResult<Bound<'py, PyArray2<i64>>> {
    let counts = arrays::counts(&counts)?;
    let square = Square::new(&confident_joint)?;
    let dense = arrays::zeros(py, square.n_classes)?;
    let calibrated = enter_alone(py, square.n_bytes(), || {
        let joint = square.joint()?;
        joint.check_shape(counts.len())?;
        Ok(joint.calibrated(&counts, layout.0))
    })?;
    arrays::set_counts(&dense, &calibrated)?;
    Ok(dense)
}

/// The same, of the joint only the entries that are not 0.
#[pyfunction]
pub(crate) fn calibrate_confident_joint_rows<'py>(
    py: Python<'py>,
    confident_joint: JointArgument<'py>,
    counts: PyReadonlyArray1<'py, i64>,
    layout: Named<Layout>,
) -> PyResult<CountRows<'py>> {
    let counts = arrays::counts(&counts)?;
    let borrowed = confident_joint.borrow()?;
    let calibrated = enter_alone(py, borrowed.n_bytes(), || {
        let joint = borrowed.joint()?;
        joint.check_shape(counts.len())?;
        Ok(joint.calibrated(&counts, layout.0))
    })?;
    Ok(arrays::count_rows(py, &calibrated))
}

/// round(N (1 - trace)) of the calibrated joint.
#[pyfunction]
pub(crate) fn num_off_diagonal<'py>(
    py: Python<'py>,
    confident_joint: JointArgument<'py>,
    counts: PyReadonlyArray1<'py, i64>,
) -> PyResult<usize> {
    let counts = arrays::counts(&counts)?;
    let borrowed = confident_joint.borrow()?;
    enter_alone(py, borrowed.n_bytes(), || {
        let joint = borrowed.joint()?;
        joint.check_shape(counts.len())?;
        Ok(joint.calibrated(&counts, Layout::ByGiven).num_off_diagonal(counts.iter().sum()))
    })
}

/// How many examples are given each class.
#[pyfunction]
pub(crate) fn label_counts<'py>(
    py: Python<'py>,
    labels: &Bound<'py, PyUntypedArray>,
    n_classes: usize,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let labels = RawLabels::new(labels)?;
    let labels = enter_alone(py, labels.n_bytes(), || labels.check(n_classes))?;
    Ok(arrays::rows(py, labels.counts()))
}

/// How many examples to remove: rows true, columns given.
#[pyfunction]
pub(crate) fn prune_counts<'py>(
    py: Python<'py>,
    confident_joint: PyReadonlyArray2<'py, f64>,
    min_examples_per_class: usize,
    frac_noise: f64,
    spread: Named<Spread>,
) -> PyResult<Bound<'py, PyArray2<i64>>> {
    let square = Square::new(&confident_joint)?;
    let dense = enter_alone(py, square.n_bytes(), || {
        let joint = square.joint()?;
        Ok(PruneCounts::new(&joint, min_examples_per_class, frac_noise, spread.0).to_dense())
    })?;
    PyArray1::from_vec(py, dense).reshape([square.n_classes, square.n_classes])
}

/// Each row rounded to integers that keep its rounded total.
#[pyfunction]
pub(crate) fn round_preserving_row_totals<'py>(
    py: Python<'py>,
    matrix: PyReadonlyArray2<'py, f64>,
) -> PyResult<Bound<'py, PyArray2<i64>>> {
    let square = Square::new(&matrix)?;
    let rounded = enter_alone(py, square.n_bytes(), || {
        let mut cells = square.cells.to_vec();
        joint::round_preserving_row_totals(&mut cells, square.n_classes);
        Ok(cells.into_iter().map(|cell| cell as i64).collect::<Vec<_>>())
    })?;
    PyArray1::from_vec(py, rounded).reshape([square.n_classes, square.n_classes])
}
