//! See `conflearn_core::multilabel`: states of tags.

use conflearn_core::multilabel::{Cuts, Flag, JointState, Rule, SelectionState, ThresholdState};
use conflearn_core::prune::Filter;
use conflearn_core::quality::Method;
use conflearn_core::states::Spec;
use conflearn_core::{Kind, Several};
use numpy::{PyArray1, PyArray2, PyArray3, PyArrayMethods, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::arrays::{self, RawPredProbs, Tags, by_class, calibration};
use crate::enter::{enter_batch_of_tags as enter_batch, enter_state};
use crate::error::raise;
use crate::multilabel::{AggregateOption, TagOptions};
use crate::names::{Name, Named};
use crate::states::{Rows, state};

/// Two counts a class: (K, 2).
fn pairs<'py>(py: Python<'py>, counts: &[[usize; 2]]) -> PyResult<Bound<'py, PyArray2<i64>>> {
    arrays::rows(py, counts.as_flattened()).reshape([counts.len(), 2])
}

/// Flagged cells: numbers of rows, classes, whether the tag is given, scores of examples.
type Cells<'py> = (
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<bool>>,
    Bound<'py, PyArray1<f64>>,
);

fn cells<'py>(py: Python<'py>, flags: &[Flag]) -> Cells<'py> {
    (
        PyArray1::from_iter(py, flags.iter().map(|flag| flag.number as i64)),
        PyArray1::from_iter(py, flags.iter().map(|flag| i64::from(flag.class))),
        PyArray1::from_iter(py, flags.iter().map(|flag| flag.tagged)),
        PyArray1::from_iter(py, flags.iter().map(|flag| flag.score)),
    )
}

/// The first pass: sums of all cells, and of those of the tags.
#[pyclass(name = "TagThresholdState", module = "conflearn._core")]
pub(crate) struct PyTagThresholdState(ThresholdState);

state! { impl PyTagThresholdState(ThresholdState) {
    #[new]
    fn new(n_classes: usize, kind: Named<Kind>, temperature: f64) -> PyResult<Self> {
        let spec = Spec { n_classes, kind: kind.0, calibration: calibration(temperature, None)? };
        ThresholdState::new(spec).map(Self).map_err(raise)
    }

    #[getter]
    fn n_examples(&self) -> u64 {
        self.0.n_examples()
    }

    #[getter]
    fn given_counts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<i64>>> {
        pairs(py, &self.0.given_counts())
    }

    fn update(
        &mut self,
        py: Python<'_>,
        labels: Tags<'_>,
        pred_probs: RawPredProbs<'_>,
        first_row: usize,
        n_threads: Option<usize>,
    ) -> PyResult<()> {
        let state = &mut self.0;
        enter_batch(py, &labels, &pred_probs, first_row, n_threads, |labels, matrix, workers| {
            state.update(labels, matrix, workers)
        })
    }

    fn merge(&mut self, other: &Self) -> PyResult<()> {
        self.0.merge(&other.0).map_err(raise)
    }

    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let thresholds = self.0.finish();
        PyArray1::from_slice(py, thresholds.as_flattened()).reshape([thresholds.len(), 2])
    }
} }

/// The second pass: counts by given and guessed side of each class.
#[pyclass(name = "TagJointState", module = "conflearn._core")]
pub(crate) struct PyTagJointState(JointState);

state! { impl PyTagJointState(JointState) {
    #[new]
    fn new(
        thresholds: PyReadonlyArray2<'_, f64>,
        kind: Named<Kind>,
        temperature: f64,
    ) -> PyResult<Self> {
        let thresholds = by_class(thresholds.as_slice()?);
        let spec = Spec { n_classes: thresholds.len(), kind: kind.0, calibration: calibration(temperature, None)? };
        JointState::new(spec, thresholds).map(Self).map_err(raise)
    }

    #[getter]
    fn n_examples(&self) -> u64 {
        self.0.n_examples()
    }

    #[getter]
    fn given_counts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<i64>>> {
        pairs(py, &self.0.given_counts())
    }

    #[getter]
    fn thresholds<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let thresholds = self.0.thresholds();
        PyArray1::from_slice(py, thresholds.as_flattened()).reshape([thresholds.len(), 2])
    }

    #[getter]
    fn num_issues<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<i64>>> {
        pairs(py, &self.0.num_issues())
    }

    fn update(
        &mut self,
        py: Python<'_>,
        labels: Tags<'_>,
        pred_probs: RawPredProbs<'_>,
        first_row: usize,
        n_threads: Option<usize>,
    ) -> PyResult<()> {
        let state = &mut self.0;
        enter_batch(py, &labels, &pred_probs, first_row, n_threads, |labels, matrix, workers| {
            state.update(labels, matrix, workers)
        })
    }

    fn merge(&mut self, other: &Self) -> PyResult<()> {
        self.0.merge(&other.0).map_err(raise)
    }

    fn joint<'py>(
        &self,
        py: Python<'py>,
        calibrate: bool,
        several: Named<Several>,
    ) -> PyResult<Bound<'py, PyArray3<i64>>> {
        let joints = enter_state(py, |_| self.0.joints(calibrate, several.0))?;
        PyArray1::from_slice(py, joints.as_flattened()).reshape([joints.len(), 2, 2])
    }
} }

/// How many cells of each side a filter is to select, and up to where they are.
#[pyclass(name = "TagCuts", module = "conflearn._core")]
pub(crate) struct PyTagCuts(Cuts);

state! { impl PyTagCuts(Cuts) {
    #[staticmethod]
    fn plan(py: Python<'_>, joint: &PyTagJointState, options: TagOptions<'_>) -> PyResult<Self> {
        let search = options.search()?;
        enter_state(py, |_| Cuts::plan(&joint.0, &search)).map(Self)
    }

    #[getter]
    fn filter_by(&self) -> &'static str {
        self.0.filter().name()
    }

    #[getter]
    fn is_done(&self) -> bool {
        self.0.is_done()
    }

    fn close(&mut self, selection: &PyTagSelectionState) -> PyResult<()> {
        self.0.close(&selection.0).map_err(raise)
    }
} }

/// The third pass: the first cells of each side.
#[pyclass(name = "TagSelectionState", module = "conflearn._core")]
pub(crate) struct PyTagSelectionState(SelectionState);

state! { impl PyTagSelectionState(SelectionState) {
    #[new]
    fn new(
        cuts: &PyTagCuts,
        rank: Option<(Named<Method>, AggregateOption)>,
        most: u64,
    ) -> PyResult<Self> {
        let rank = rank.map(|(method, aggregate)| (method.0, aggregate.chosen()));
        SelectionState::new(&cuts.0, rank, most).map(Self).map_err(raise)
    }

    #[getter]
    fn covers_all(&self) -> bool {
        self.0.covers_all()
    }

    #[getter]
    fn is_ranked(&self) -> bool {
        self.0.is_ranked()
    }

    fn update(
        &mut self,
        py: Python<'_>,
        labels: Tags<'_>,
        pred_probs: RawPredProbs<'_>,
        rows: Rows<'_>,
        n_threads: Option<usize>,
    ) -> PyResult<()> {
        let state = &mut self.0;
        let (numbers, first) = (rows.borrow()?, rows.first());
        enter_batch(py, &labels, &pred_probs, first, n_threads, |labels, matrix, workers| {
            state.update(labels, matrix, numbers, workers)
        })
    }

    fn merge(&mut self, other: &Self) -> PyResult<()> {
        self.0.merge(&other.0).map_err(raise)
    }

    /// Where this round covers all.
    fn flagged<'py>(&self, py: Python<'py>) -> PyResult<Option<Cells<'py>>> {
        let flags = enter_state(py, |workers| self.0.flagged(workers))?;
        Ok(flags.map(|flags| cells(py, &flags)))
    }
} }

/// What decides about rows by themselves.
#[pyclass(frozen, name = "TagRule", module = "conflearn._core")]
pub(crate) struct PyTagRule(Rule);

#[pymethods]
impl PyTagRule {
    #[new]
    fn new(
        n_classes: usize,
        filter_by: Named<Filter>,
        thresholds: Option<PyReadonlyArray2<'_, f64>>,
        cuts: Option<PyRef<'_, PyTagCuts>>,
        kind: Named<Kind>,
        temperature: f64,
    ) -> PyResult<Self> {
        let spec = Spec { n_classes, kind: kind.0, calibration: calibration(temperature, None)? };
        let thresholds = match &thresholds {
            Some(thresholds) => by_class(thresholds.as_slice()?),
            None => Vec::new(),
        };
        let cuts = cuts.as_ref().map(|cuts| &cuts.0);
        Rule::new(spec, filter_by.0, thresholds, cuts).map(Self).map_err(raise)
    }

    #[getter]
    fn n_classes(&self) -> usize {
        self.0.spec().n_classes
    }

    /// Places of rows in the batch, classes, and whether the tag is given.
    fn apply<'py>(
        &self,
        py: Python<'py>,
        labels: Tags<'py>,
        pred_probs: RawPredProbs<'py>,
        rows: Rows<'py>,
        n_threads: Option<usize>,
    ) -> PyResult<(Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<bool>>)>
    {
        let (numbers, first) = (rows.borrow()?, rows.first());
        let flags =
            enter_batch(py, &labels, &pred_probs, first, n_threads, |labels, matrix, workers| {
                self.0.apply(labels, matrix, numbers, workers)
            })?;
        let (places, classes, given, _) = cells(py, &flags);
        Ok((places, classes, given))
    }
}
