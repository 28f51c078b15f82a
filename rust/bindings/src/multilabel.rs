//! See `conflearn_core::multilabel`.

use conflearn_core::multilabel::{self, Aggregate, Indicator, Joints, Removals, Search, TagLabels};
use conflearn_core::prune::Filter;
use conflearn_core::quality::{Adjust, Method};
use conflearn_core::{PredProbs, Result, Several};
use numpy::{
    IntoPyArray, PyArray1, PyArray2, PyArray3, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2,
    PyReadonlyArray3, PyUntypedArray,
};
use pyo3::prelude::*;

use crate::arrays;
use crate::blocks_of::{pairs, quadruples};
use crate::enter::enter_with;
use crate::names::Named;

/// The tags, in one of two forms.
#[derive(FromPyObject)]
pub(crate) enum Tags<'py> {
    /// Class numbers, and where those of each example start.
    Rows(PyReadonlyArray1<'py, i64>, PyReadonlyArray1<'py, i64>),
    /// An (N, K) array of zeros and ones.
    Dense(Bound<'py, PyUntypedArray>),
}
