//! See `conflearn_core::judge`.

use std::sync::Arc;

use conflearn_core::Kind;
use conflearn_core::judge::{Judge, RelativeConfidence};
use conflearn_core::states::Spec;
use numpy::{PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::arrays::calibration;
use crate::enter::enter_state;
use crate::error::raise;
use crate::names::{Name, Named};
use crate::states::{PyJointState, state};

/// A rule that judges each row by itself, fitted to all of them.
#[pyclass(frozen, name = "Judge", module = "conflearn._core")]
pub(crate) struct PyJudge(Arc<Judge>);

impl PyJudge {
    /// As the core wants it.
    pub(crate) fn judge(&self) -> &Arc<Judge> {
        &self.0
    }
}

state! { impl PyJudge(Judge) {
    /// Each class relative to its own confidence.
    #[staticmethod]
    fn relative_confidence(
        thresholds: PyReadonlyArray1<'_, f64>,
        kind: Named<Kind>,
        temperature: f64,
        class_bias: Option<PyReadonlyArray1<'_, f64>>,
    ) -> PyResult<Self> {
        let thresholds = thresholds.as_slice()?;
        let calibration = calibration(temperature, class_bias.as_ref())?;
        let spec = Spec { n_classes: thresholds.len(), kind: kind.0, calibration };
        let judge = RelativeConfidence::new(spec, thresholds).map_err(raise)?;
        Ok(Self(Arc::new(Judge::RelativeConfidence(judge))))
    }

    /// What stands above what the wrong labels explain that a joint has counted.
    #[staticmethod]
    fn noise_floor(
        py: Python<'_>,
        joint: &PyJointState,
        temperature: f64,
        class_bias: PyReadonlyArray1<'_, f64>,
        least_given: f64,
    ) -> PyResult<Self> {
        let calibration = calibration(temperature, Some(&class_bias))?;
        let judge = enter_state(py, |_| joint.state().noise_floor(calibration, least_given))?;
        Ok(Self(Arc::new(judge)))
    }

    /// The score that it gives.
    #[getter]
    fn rule(&self) -> &'static str {
        self.0.method().name()
    }

    /// One a class.
    #[getter]
    fn thresholds<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyArray1<f64>>> {
        match &*self.0 {
            Judge::RelativeConfidence(judge) => {
                Some(PyArray1::from_slice(py, judge.thresholds()))
            }
            Judge::NoiseFloor(_) => None,
        }
    }
} }
