//! See `conflearn_core::noise`.

use conflearn_core::noise::{NoiseModel, PriorMethod};
use numpy::{PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::arrays::{self, JointArgument, Square};
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

/// Prior, where the rows of the joint start and their columns, and a rate of the noise matrix and of its
/// inverse for each of these entries.
#[pyfunction]
pub(crate) fn estimate_noise_model_rows<'py>(
    py: Python<'py>,
    confident_joint: JointArgument<'py>,
    counts: PyReadonlyArray1<'py, i64>,
    prior_method: Named<PriorMethod>,
    converge: bool,
) -> PyResult<(
    Bound<'py, PyArray1<f64>>,
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<u32>>,
    Bound<'py, PyArray1<f64>>,
    Bound<'py, PyArray1<f64>>,
)> {
    let counts = arrays::counts(&counts)?;
    let borrowed = confident_joint.borrow()?;
    let (joint, model) = enter_alone(py, borrowed.n_bytes(), || {
        let joint = borrowed.joint()?;
        let model = NoiseModel::estimate(&joint, &counts, prior_method.0, converge)?;
        Ok((joint, model))
    })?;
    let (starts, columns, _) = joint.as_csr();
    Ok((
        PyArray1::from_slice(py, model.prior()),
        arrays::rows(py, starts),
        PyArray1::from_slice(py, columns),
        PyArray1::from_slice(py, model.noise_rates()),
        PyArray1::from_slice(py, model.inverse_rates()),
    ))
}
