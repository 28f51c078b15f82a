//! See `conflearn_core::states`.

use conflearn_core::checks::Sample;
use conflearn_core::judge::{CUT, Judge};
use conflearn_core::prune::Filter;
use conflearn_core::quality::Method;
use conflearn_core::states::{
    Cuts, JointState, Look, RowNumbers, SelectionState, Spec, ThresholdState,
};
use conflearn_core::{Kind, Several};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1, PyUntypedArray};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::arrays::{RawPredProbs, calibration};
use crate::enter::{enter_batch, enter_state};
use crate::error::raise;
use crate::issues::Options;
use crate::judges::PyJudge;
use crate::names::{Name, Named};

/// Counts as numpy's index type.
pub(crate) fn counts<'py>(py: Python<'py>, counts: &[u64]) -> Bound<'py, PyArray1<i64>> {
    PyArray1::from_iter(py, counts.iter().map(|&count| count as i64))
}

/// The numbers of the rows of a batch, as an argument.
#[derive(FromPyObject)]
pub(crate) enum Rows<'py> {
    From(u64),
    Each(PyReadonlyArray1<'py, i64>),
}

impl Rows<'_> {
    pub(crate) fn borrow(&self) -> PyResult<RowNumbers<'_>> {
        Ok(match self {
            Self::From(first) => RowNumbers::From(*first),
            Self::Each(rows) => RowNumbers::Each(rows.as_slice()?),
        })
    }

    /// Where errors count rows from.
    pub(crate) fn first(&self) -> usize {
        match self {
            Self::From(first) => *first as usize,
            Self::Each(_) => 0,
        }
    }
}

/// What every state does in the same way, and what it does beside that: in one block, as pyo3 wants it.
macro_rules! state {
    (impl $name:ident($core:ty) { $($more:tt)* }) => {
        #[pymethods]
        impl $name {
            #[getter]
            fn n_classes(&self) -> usize {
                self.0.spec().n_classes
            }

            #[getter]
            fn kind(&self) -> &'static str {
                self.0.spec().kind.name()
            }

            #[getter]
            fn temperature(&self) -> f64 {
                self.0.spec().calibration.temperature
            }

            #[getter]
            fn class_bias<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyArray1<f64>>> {
                let biases = &self.0.spec().calibration.class_bias;
                (!biases.is_empty()).then(|| PyArray1::from_slice(py, biases))
            }

            fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
                PyBytes::new(py, &py.detach(|| self.0.to_bytes()))
            }

            #[staticmethod]
            fn from_bytes(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
                let read = py.detach(|| <$core>::from_bytes(data));
                read.map(|core| Self(core.into())).map_err(raise)
            }

            fn __eq__(&self, py: Python<'_>, other: &Self) -> bool {
                py.detach(|| self.0 == other.0)
            }

            $($more)*
        }
    };
}
pub(crate) use state;

/// The first pass: sums of the own-class cells of each class.
#[pyclass(name = "ThresholdState", module = "conflearn._core")]
pub(crate) struct PyThresholdState(ThresholdState);

state! { impl PyThresholdState(ThresholdState) {
    #[new]
    fn new(
        n_classes: usize,
        kind: Named<Kind>,
        temperature: f64,
        class_bias: Option<PyReadonlyArray1<'_, f64>>,
    ) -> PyResult<Self> {
        let calibration = calibration(temperature, class_bias.as_ref())?;
        let spec = Spec { n_classes, kind: kind.0, calibration };
        ThresholdState::new(spec).map(Self).map_err(raise)
    }

    #[getter]
    fn given_counts<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<i64>> {
        counts(py, self.0.given_counts())
    }

    fn update(
        &mut self,
        py: Python<'_>,
        labels: &Bound<'_, PyUntypedArray>,
        pred_probs: RawPredProbs<'_>,
        first_row: usize,
        n_threads: Option<usize>,
    ) -> PyResult<()> {
        let state = &self.0;
        let batch =
            enter_batch(py, labels, &pred_probs, first_row, n_threads, |labels, matrix, workers| {
                state.of_batch(&labels, matrix, workers)
            })?;
        // Only now: a signal may have stopped it, or come when it was done.
        enter_state(py, |_| self.0.merge(&batch))
    }

    fn merge(&mut self, py: Python<'_>, other: &Self) -> PyResult<()> {
        enter_state(py, |_| self.0.merge(&other.0))
    }

    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<f64>>> {
        Ok(enter_state(py, |_| Ok(self.0.finish()))?.into_pyarray(py))
    }
} }

/// What one sweep over a batch has found out about each of its rows.
#[pyclass(frozen, name = "Look", module = "conflearn._core")]
pub(crate) struct PyLook(pub(crate) Look);

#[pymethods]
impl PyLook {
    #[new]
    #[pyo3(signature = (
        labels, pred_probs, thresholds, several, entropies, first_row, n_threads, judges=vec![],
        sample_of=None
    ))]
    #[allow(clippy::too_many_arguments)] // as many as the question has parts
    fn new(
        py: Python<'_>,
        labels: &Bound<'_, PyUntypedArray>,
        pred_probs: RawPredProbs<'_>,
        thresholds: Option<PyReadonlyArray1<'_, f64>>,
        several: Named<Several>,
        entropies: bool,
        first_row: usize,
        n_threads: Option<usize>,
        judges: Vec<Bound<'_, PyJudge>>,
        sample_of: Option<u64>,
    ) -> PyResult<Self> {
        let thresholds = thresholds.as_ref().map(|array| array.as_slice()).transpose()?;
        let judges: Vec<&Judge> = judges.iter().map(|judge| &**judge.get().judge()).collect();
        let sample = sample_of.map(|n_examples| Sample::new(first_row as u64, n_examples));
        enter_batch(py, labels, &pred_probs, first_row, n_threads, |labels, matrix, workers| {
            let several = several.0;
            let closer = (&judges[..], sample);
            Look::sampled(labels, matrix, thresholds, several, entropies, closer, workers).map(Self)
        })
    }

    #[getter]
    fn n_examples(&self) -> usize {
        self.0.n_examples()
    }

    fn scores<'py>(
        &self,
        py: Python<'py>,
        method: Named<Method>,
    ) -> Option<Bound<'py, PyArray1<f64>>> {
        Some(self.0.scores(method.0)?.into_pyarray(py))
    }

    #[pyo3(signature = (filter_by, cut=None))]
    fn mask<'py>(
        &self,
        py: Python<'py>,
        filter_by: Named<Filter>,
        cut: Option<f64>,
    ) -> PyResult<Option<Bound<'py, PyArray1<bool>>>> {
        let cut = cut.unwrap_or(CUT);
        let mask = enter_state(py, |workers| self.0.mask(filter_by.0, cut, workers))?;
        Ok(mask.map(|mask| mask.into_pyarray(py)))
    }

    fn most_probable_others<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<i64>> {
        let others = self.0.most_probable_others();
        PyArray1::from_iter(py, others.into_iter().map(class_or_none))
    }

    fn believed_others<'py>(
        &self,
        py: Python<'py>,
        method: Named<Method>,
    ) -> Option<Bound<'py, PyArray1<i64>>> {
        let others = self.0.believed_others(method.0)?;
        Some(PyArray1::from_iter(py, others.into_iter().map(class_or_none)))
    }
}

/// A class, or -1.
fn class_or_none(class: Option<usize>) -> i64 {
    class.map_or(-1, |class| class as i64)
}

/// The second pass: counts by given and guessed class.
#[pyclass(name = "JointState", module = "conflearn._core")]
pub(crate) struct PyJointState(JointState);

impl PyJointState {
    /// As the core has it.
    pub(crate) fn state(&self) -> &JointState {
        &self.0
    }
}

state! { impl PyJointState(JointState) {
    #[new]
    fn new(
        thresholds: PyReadonlyArray1<'_, f64>,
        kind: Named<Kind>,
        temperature: f64,
        class_bias: Option<PyReadonlyArray1<'_, f64>>,
        several: Named<Several>,
    ) -> PyResult<Self> {
        let thresholds = thresholds.as_slice()?;
        let calibration = calibration(temperature, class_bias.as_ref())?;
        let spec = Spec { n_classes: thresholds.len(), kind: kind.0, calibration };
        JointState::new(spec, thresholds, several.0).map(Self).map_err(raise)
    }

    #[getter]
    fn given_counts<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<i64>> {
        counts(py, self.0.given_counts())
    }

    #[getter]
    fn thresholds<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        PyArray1::from_slice(py, self.0.thresholds())
    }

    #[getter]
    fn several(&self) -> &'static str {
        self.0.several().name()
    }

    #[getter]
    fn num_issues(&self) -> u64 {
        self.0.num_issues()
    }

    #[getter]
    fn num_issues_calibrated(&self, py: Python<'_>) -> PyResult<usize> {
        enter_state(py, |workers| {
            let joint = self.0.calibrated_joint(workers);
            Ok(joint.num_off_diagonal(self.0.n_examples() as usize))
        })
    }

    fn add(&mut self, py: Python<'_>, look: &PyLook) -> PyResult<()> {
        let state = &mut self.0;
        enter_state(py, |workers| state.add(&look.0, workers))
    }

    fn merge(&mut self, py: Python<'_>, other: &Self) -> PyResult<()> {
        enter_state(py, |_| self.0.merge(&other.0))
    }

    /// In compressed rows: where they start, true classes, counts.
    fn joint<'py>(
        &self,
        py: Python<'py>,
        calibrate: bool,
    ) -> PyResult<(Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<u32>>, Bound<'py, PyArray1<f64>>)>
    {
        let joint = enter_state(py, |workers| {
            let state = &self.0;
            Ok(if calibrate { state.calibrated_joint(workers) } else { state.joint(workers) })
        })?;
        let (starts, columns, counts) = joint.as_csr();
        Ok((
            crate::arrays::rows(py, starts),
            PyArray1::from_slice(py, columns),
            PyArray1::from_slice(py, counts),
        ))
    }
} }

/// Up to where a filter that prunes removes rows.
#[pyclass(name = "Cuts", module = "conflearn._core")]
pub(crate) struct PyCuts(Cuts);

state! { impl PyCuts(Cuts) {
    #[staticmethod]
    fn plan(py: Python<'_>, joint: &PyJointState, options: Options<'_>) -> PyResult<Self> {
        let options = options.borrow()?;
        enter_state(py, |workers| Cuts::plan(&joint.0, &options.search()?, workers)).map(Self)
    }

    #[getter]
    fn filter_by(&self) -> &'static str {
        self.0.filter().name()
    }

    #[getter]
    fn is_done(&self) -> bool {
        self.0.are_known()
    }

    fn close(&mut self, py: Python<'_>, selection: &PySelectionState) -> PyResult<()> {
        enter_state(py, |_| self.0.close(&selection.0))
    }

    /// The class to suggest for each row that is flagged, -1 for the others.
    fn decide<'py>(
        &self,
        py: Python<'py>,
        look: &PyLook,
        labels: &Bound<'py, PyUntypedArray>,
        pred_probs: RawPredProbs<'py>,
        rows: Rows<'py>,
        n_threads: Option<usize>,
    ) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let (numbers, first) = (rows.borrow()?, rows.first());
        let flagged =
            enter_batch(py, labels, &pred_probs, first, n_threads, |labels, matrix, workers| {
                self.0.decide(&look.0, &labels, matrix, numbers, workers)
            })?;
        Ok(PyArray1::from_iter(py, flagged.into_iter().map(class_or_none)))
    }
} }

/// The third pass: the rows that fill quotas.
#[pyclass(name = "SelectionState", module = "conflearn._core")]
pub(crate) struct PySelectionState(SelectionState);

state! { impl PySelectionState(SelectionState) {
    #[new]
    fn new(cuts: &PyCuts, rank_by: Named<Method>, most: u64) -> PyResult<Self> {
        SelectionState::new(&cuts.0, rank_by.0, most).map(Self).map_err(raise)
    }

    fn narrowed(&self, py: Python<'_>) -> Self {
        Self(py.detach(|| self.0.narrowed()))
    }

    #[getter]
    fn covers_all(&self) -> bool {
        self.0.covers_all()
    }

    fn update(
        &mut self,
        py: Python<'_>,
        labels: &Bound<'_, PyUntypedArray>,
        pred_probs: RawPredProbs<'_>,
        rows: Rows<'_>,
        n_threads: Option<usize>,
    ) -> PyResult<()> {
        let state = &mut self.0;
        let (numbers, first) = (rows.borrow()?, rows.first());
        enter_batch(py, labels, &pred_probs, first, n_threads, |labels, matrix, workers| {
            state.update(&labels, matrix, numbers, workers)
        })
    }

    fn merge(&mut self, py: Python<'_>, other: &Self) -> PyResult<()> {
        enter_state(py, |_| self.0.merge(&other.0))
    }

    /// Row numbers, scores and suggested labels, where this round covers all.
    fn flagged<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<
        Option<(Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<i64>>)>,
    > {
        let flagged = enter_state(py, |_| self.0.flagged())?;
        Ok(flagged.map(|flagged| {
            (
                counts(py, &flagged.rows),
                flagged.scores.into_pyarray(py),
                flagged.suggested_labels.into_pyarray(py),
            )
        }))
    }
} }
