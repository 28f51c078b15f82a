//! See `conflearn_core::calibration`.

use conflearn_core::states::{SampleState, Spec};
use conflearn_core::{Kind, Sample};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1, PyUntypedArray};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::arrays::{RawPredProbs, calibration};
use crate::enter::{enter_batch, enter_bytes, enter_state};
use crate::error::raise;
use crate::names::{Name, Named};
use crate::states::{Rows, state};

/// What a calibration is, for Python: temperature and biases.
type Fitted<'py> = (f64, Bound<'py, PyArray1<f64>>);

/// Log loss; then counts, mean confidences and accuracies by bin.
type Reliability<'py> =
    (f64, Bound<'py, PyArray1<u64>>, Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<f64>>);

/// A sample of rows, the same however they are dealt out.
#[pyclass(name = "SampleState", module = "conflearn._core")]
pub(crate) struct PySampleState(SampleState);

state! { impl PySampleState(SampleState) {
    #[new]
    fn new(
        n_classes: usize,
        kind: Named<Kind>,
        temperature: f64,
        class_bias: Option<PyReadonlyArray1<'_, f64>>,
        most: u64,
    ) -> PyResult<Self> {
        let calibration = calibration(temperature, class_bias.as_ref())?;
        let spec = Spec { n_classes, kind: kind.0, calibration };
        SampleState::new(spec, most).map(Self).map_err(raise)
    }

    #[getter]
    fn n_examples(&self) -> u64 {
        self.0.n_examples()
    }

    fn update(
        &mut self,
        py: Python<'_>,
        labels: &Bound<'_, PyUntypedArray>,
        pred_probs: RawPredProbs<'_>,
        rows: Rows<'_>,
        n_threads: Option<usize>,
    ) -> PyResult<()> {
        let state = &self.0;
        let (numbers, first) = (rows.borrow()?, rows.first());
        let batch =
            enter_batch(py, labels, &pred_probs, first, n_threads, |labels, matrix, workers| {
                state.of_batch(&labels, matrix, numbers, workers)
            })?;
        enter_state(py, |_| self.0.merge(&batch))
    }

    fn merge(&mut self, py: Python<'_>, other: &Self) -> PyResult<()> {
        enter_state(py, |_| self.0.merge(&other.0))
    }

    fn finish(&self, py: Python<'_>) -> PySample {
        PySample(py.detach(|| self.0.sample()))
    }
} }

/// A sample, ready to fit a calibration to.
#[pyclass(frozen, name = "Sample", module = "conflearn._core")]
pub(crate) struct PySample(Sample);

#[pymethods]
impl PySample {
    #[getter]
    fn n_rows(&self) -> usize {
        self.0.n_rows()
    }

    #[getter]
    fn least_given(&self) -> f64 {
        self.0.least_given()
    }

    /// The calibration of the rows that fits them best.
    fn fit<'py>(&self, py: Python<'py>, n_threads: usize) -> PyResult<Fitted<'py>> {
        let fitted = enter_bytes(py, self.0.n_bytes(), n_threads, |workers| self.0.fit(workers))?;
        Ok((fitted.temperature, fitted.class_bias.into_pyarray(py)))
    }

    /// How often the most probable class is not the given one once they are calibrated: in all rows, and
    /// in the surer half.
    fn contradictions(
        &self,
        py: Python<'_>,
        temperature: f64,
        class_bias: Option<PyReadonlyArray1<'_, f64>>,
    ) -> PyResult<(f64, f64)> {
        let calibration = calibration(temperature, class_bias.as_ref())?;
        let found = py.detach(|| self.0.contradictions(&calibration));
        Ok((found.all, found.surer))
    }

    /// How well the rows fit their labels once they are calibrated.
    fn reliability<'py>(
        &self,
        py: Python<'py>,
        temperature: f64,
        class_bias: Option<PyReadonlyArray1<'py, f64>>,
    ) -> PyResult<Reliability<'py>> {
        let calibration = calibration(temperature, class_bias.as_ref())?;
        let found = py.detach(|| self.0.reliability(&calibration));
        Ok((
            found.log_loss,
            found.counts.into_pyarray(py),
            found.confidences.into_pyarray(py),
            found.accuracies.into_pyarray(py),
        ))
    }
}
