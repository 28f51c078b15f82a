//! See `conflearn_core::noise`.

use conflearn_core::noise::{NoiseModel, PriorMethod};
use numpy::{PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::arrays::{self, Square};
use crate::enter::enter_alone;
use crate::names::Named;

/// Prior, noise matrix [given, true] and inverse noise matrix [true, given].
#[pyfunction]
pub(crate) fn estimate_noise_model<'py>(
    py: Python<'py>,
    confident_joint: PyReadonlyArray2<'py, f64>,
    counts: PyReadonlyArray1<'py, i64>,
    prior_method: Named<PriorMethod>,
    converge: bool,
) -> PyResult<(Bound<'py, PyArray1<f64>>, Bound<'py, PyArray2<f64>>, Bound<'py, PyArray2<f64>>)> {
    let counts = arrays::counts(&counts)?;
    let square = Square::new(&confident_joint)?;
    let (noise, inverse) = (arrays::zeros(py, counts.len())?, arrays::zeros(py, counts.len())?);
    let model = enter_alone(py, square.n_bytes(), || {
        NoiseModel::estimate(&square.joint()?, &counts, prior_method.0, converge)
    })?;
    arrays::set(&noise, model.noise_entries())?;
    arrays::set(&inverse, model.inverse_entries())?;
    Ok((PyArray1::from_slice(py, model.prior()), noise, inverse))
}
