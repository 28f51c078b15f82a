//! See `conflearn_core::checks`.

use conflearn_core::Kind;
use conflearn_core::checks::{Bin, Extreme};
use conflearn_core::states::{CheckState, Spec};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1, PyUntypedArray};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::arrays::{RawPredProbs, calibration};
use crate::enter::{enter_batch, enter_state};
use crate::error::raise;
use crate::names::{Name, Named};
use crate::states::{PyLook, Rows, counts, state};

/// A value, and how many rows have it.
type ValueAndCount = (f64, u64);

/// A row, its class, another row, its class.
type Pair = (u64, u32, u64, u32);

/// What shows that labels and matrix are not what they should be.
#[pyclass(name = "CheckState", module = "conflearn._core")]
pub(crate) struct PyCheckState(pub(crate) CheckState);

state! { impl PyCheckState(CheckState) {
    #[new]
    fn new(
        n_classes: usize,
        kind: Named<Kind>,
        temperature: f64,
        class_bias: Option<PyReadonlyArray1<'_, f64>>,
    ) -> PyResult<Self> {
        let calibration = calibration(temperature, class_bias.as_ref())?;
        let spec = Spec { n_classes, kind: kind.0, calibration };
        CheckState::new(spec).map(Self).map_err(raise)
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
        // Only now: a signal may have stopped it, or come when it was done.
        enter_state(py, |_| self.0.merge(&batch))
    }

    fn add(&mut self, py: Python<'_>, look: &PyLook) -> PyResult<()> {
        let state = &mut self.0;
        enter_state(py, |workers| state.add(&look.0, workers))
    }

    fn merge(&mut self, py: Python<'_>, other: &Self) -> PyResult<()> {
        enter_state(py, |_| self.0.merge(&other.0))
    }

    #[getter]
    fn given_counts<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<i64>> {
        counts(py, self.0.given_counts())
    }

    /// Given class, most probable class, how many.
    fn pairs<'py>(
        &self,
        py: Python<'py>,
    ) -> (Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<i64>>) {
        let pairs = py.detach(|| self.0.pairs());
        let numbers = pairs.iter();
        (
            PyArray1::from_iter(py, numbers.clone().map(|pair| i64::from(pair.0))),
            PyArray1::from_iter(py, numbers.clone().map(|pair| i64::from(pair.1))),
            PyArray1::from_iter(py, numbers.map(|pair| pair.2 as i64)),
        )
    }

    /// Rows, hits and mean confidence of each bin.
    fn bins<'py>(
        &self,
        py: Python<'py>,
    ) -> (Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<f64>>) {
        let bins = self.0.bins().iter();
        (
            PyArray1::from_iter(py, bins.clone().map(|bin| bin.n as i64)),
            PyArray1::from_iter(py, bins.clone().map(|bin| bin.n_hits as i64)),
            PyArray1::from_iter(py, bins.map(Bin::confidence)),
        )
    }

    #[getter]
    fn self_confidence(&self) -> f64 {
        self.0.self_confidence()
    }

    #[getter]
    fn log_loss(&self) -> f64 {
        self.0.log_loss()
    }

    /// Of the largest probabilities the largest, of those of given classes the smallest.
    fn extremes(&self) -> (ValueAndCount, ValueAndCount) {
        let (largest, least) = self.0.extremes();
        let pair = |extreme: Extreme| (extreme.value, extreme.n);
        (pair(largest), pair(least))
    }

    /// Rows of which all cells were looked at, those that store a few entries, zeros of the others.
    fn cell_counts(&self) -> (u64, u64, u64) {
        self.0.cell_counts().into()
    }

    fn sampled_counts<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<i64>> {
        counts(py, self.0.sampled_counts())
    }

    fn class_means<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        self.0.class_means().into_pyarray(py)
    }

    /// How many sums are too small, and too large, by how much.
    fn sums_off(&self) -> (Vec<u64>, Vec<u64>) {
        let [below, above] = self.0.sums_off();
        (below.to_vec(), above.to_vec())
    }

    /// The smallest and the largest sum, each with its row.
    fn row_sums(&self) -> Option<((f64, u64), (f64, u64))> {
        let (least, largest) = self.0.row_sums()?;
        Some(((least.value(), least.row), (largest.value(), largest.row)))
    }

    /// Rows looked at, compared, alike, the same, conflicting; groups of these; some pairs.
    fn duplicates(&self, py: Python<'_>) -> (u64, u64, u64, u64, u64, u64, Vec<Pair>) {
        let found = py.detach(|| self.0.duplicates());
        let pairs = found.named.iter().map(|&[(row, class), (other, other_class)]| {
            (row, class, other, other_class)
        });
        (
            found.n_rows,
            found.n_compared,
            found.n_alike,
            found.n_same,
            found.n_conflicting,
            found.n_groups,
            pairs.collect(),
        )
    }
} }
