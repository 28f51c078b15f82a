//! See `conflearn_core::multilabel`.

use conflearn_core::multilabel::{self, Aggregate, Removals, Search, TagLabels};
use conflearn_core::prune::Filter;
use conflearn_core::quality::{Adjust, Method};
use conflearn_core::{Result, Several};
use numpy::{
    IntoPyArray, PyArray1, PyArray2, PyArray3, PyArrayMethods, PyReadonlyArray2, PyReadonlyArray3,
};
use pyo3::prelude::*;

use crate::arrays::{self, RawPredProbs, Tags, by_class};
use crate::enter::{enter_batch_of_tags as enter_batch, enter_with_tags as enter};
use crate::names::Named;

/// What to look for, as one argument.
#[derive(FromPyObject)]
pub(crate) struct TagOptions<'py> {
    filter_by: Named<Filter>,
    frac_noise: f64,
    num_to_remove_per_class: Option<PyReadonlyArray2<'py, i64>>,
    min_examples_per_class: usize,
    confident_joint: Option<PyReadonlyArray3<'py, f64>>,
    prune_counts: Option<PyReadonlyArray3<'py, i64>>,
    several: Named<Several>,
}

impl TagOptions<'_> {
    /// As the core wants it.
    pub(crate) fn search(&self) -> PyResult<Search> {
        let removals = if let Some(counts) = &self.prune_counts {
            Removals::Counts(by_class(counts.as_slice()?))
        } else {
            let confident_joints = match &self.confident_joint {
                Some(joints) => Some(by_class(joints.as_slice()?)),
                None => None,
            };
            let per_class = match &self.num_to_remove_per_class {
                Some(asked) => Some(arrays::count_pairs(asked.as_slice()?)),
                None => None,
            };
            Removals::Joints { confident_joints, frac_noise: self.frac_noise, per_class }
        };
        Ok(Search {
            filter: self.filter_by.0,
            removals,
            min_examples_per_class: self.min_examples_per_class,
            several: self.several.0,
        })
    }
}

/// How scores of classes become one, and the number that belongs to it.
#[derive(FromPyObject)]
pub(crate) struct AggregateOption {
    name: Named<AggregateName>,
    parameter: f64,
}

/// Its name alone.
pub(crate) enum AggregateName {
    ExponentialMovingAverage,
    Softmin,
    Mean,
    Median,
    Min,
}

impl AggregateOption {
    pub(crate) fn chosen(&self) -> Aggregate {
        match self.name.0 {
            AggregateName::ExponentialMovingAverage => {
                Aggregate::ExponentialMovingAverage { alpha: self.parameter }
            }
            AggregateName::Softmin => Aggregate::Softmin { temperature: self.parameter },
            AggregateName::Mean => Aggregate::Mean,
            AggregateName::Median => Aggregate::Median,
            AggregateName::Min => Aggregate::Min,
        }
    }
}

/// A mask of the examples with an issue in any class.
#[pyfunction]
pub(crate) fn find_tag_issues<'py>(
    py: Python<'py>,
    labels: Tags<'py>,
    pred_probs: RawPredProbs<'py>,
    options: TagOptions<'py>,
    n_threads: Option<usize>,
) -> PyResult<Bound<'py, PyArray1<bool>>> {
    let search = options.search()?;
    let mask = enter(py, &labels, &pred_probs, n_threads, |labels, pred_probs, workers| {
        multilabel::find_label_issues(labels, pred_probs, &search, workers)
    })?;
    Ok(mask.into_pyarray(py))
}

/// The same cell by cell: where the classes of each example start, the classes, and whether the example
/// has the tag.
#[pyfunction]
pub(crate) fn find_tag_issues_per_class<'py>(
    py: Python<'py>,
    labels: Tags<'py>,
    pred_probs: RawPredProbs<'py>,
    options: TagOptions<'py>,
    n_threads: Option<usize>,
) -> PyResult<(Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<u32>>, Bound<'py, PyArray1<bool>>)> {
    let search = options.search()?;
    let (found, given) =
        enter(py, &labels, &pred_probs, n_threads, |labels, pred_probs, workers| {
            multilabel::find_label_issues_per_class(labels, pred_probs, &search, workers)
        })?;
    let (starts, classes) = found.into_parts();
    Ok((arrays::rows(py, &starts), classes.into_pyarray(py), given.into_pyarray(py)))
}

/// The examples with an issue in any class, the worst first.
#[pyfunction]
pub(crate) fn rank_tag_issues<'py>(
    py: Python<'py>,
    labels: Tags<'py>,
    pred_probs: RawPredProbs<'py>,
    options: TagOptions<'py>,
    rank_by: Named<Method>,
    aggregate: AggregateOption,
    n_threads: Option<usize>,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let search = options.search()?;
    let how = (rank_by.0, aggregate.chosen());
    let rows = enter(py, &labels, &pred_probs, n_threads, |labels, pred_probs, workers| {
        multilabel::rank_label_issues(labels, pred_probs, &search, how, workers)
    })?;
    Ok(arrays::rows(py, &rows))
}

/// How many cells of each class have an issue: (K, 2), of examples without and with the tag.
#[pyfunction]
pub(crate) fn num_tag_issues<'py>(
    py: Python<'py>,
    labels: Tags<'py>,
    pred_probs: RawPredProbs<'py>,
    n_threads: Option<usize>,
) -> PyResult<Bound<'py, PyArray2<i64>>> {
    let counts = enter(py, &labels, &pred_probs, n_threads, multilabel::num_label_issues)?;
    let n_classes = counts.len();
    arrays::rows(py, counts.as_flattened()).reshape([n_classes, 2])
}

/// t_0 and t_1 of each class: (K, 2).
#[pyfunction]
pub(crate) fn tag_thresholds<'py>(
    py: Python<'py>,
    labels: Tags<'py>,
    pred_probs: RawPredProbs<'py>,
    n_threads: Option<usize>,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let found = enter(py, &labels, &pred_probs, n_threads, multilabel::confident_thresholds)?;
    PyArray1::from_slice(py, found.as_flattened()).reshape([found.len(), 2])
}

/// Thresholds that are handed over, as the core wants them.
fn thresholds_of(
    thresholds: Option<&PyReadonlyArray2<'_, f64>>,
) -> PyResult<Option<Vec<[f64; 2]>>> {
    Ok(match thresholds {
        Some(thresholds) => Some(by_class(thresholds.as_slice()?)),
        None => None,
    })
}

/// The confident joint of each class: (K, 2, 2).
#[pyfunction]
#[allow(clippy::too_many_arguments)] // as many as the question has parts
pub(crate) fn count_confident_tags<'py>(
    py: Python<'py>,
    labels: Tags<'py>,
    pred_probs: RawPredProbs<'py>,
    thresholds: Option<PyReadonlyArray2<'py, f64>>,
    calibrate: bool,
    several: Named<Several>,
    n_threads: Option<usize>,
) -> PyResult<Bound<'py, PyArray3<i64>>> {
    let thresholds = thresholds_of(thresholds.as_ref())?;
    let how = (calibrate, several.0);
    let joints = enter(py, &labels, &pred_probs, n_threads, |labels, pred_probs, workers| {
        multilabel::confident_joints(labels, pred_probs, thresholds.as_deref(), how, workers)
    })?;
    PyArray1::from_slice(py, joints.as_flattened()).reshape([joints.len(), 2, 2])
}

/// How many examples are without and with each tag: (K, 2).
#[pyfunction]
pub(crate) fn tag_counts<'py>(
    py: Python<'py>,
    labels: Tags<'py>,
    n_classes: usize,
) -> PyResult<Bound<'py, PyArray2<i64>>> {
    let counts =
        crate::enter::enter_tags(py, &labels, n_classes, |labels: &TagLabels| -> Result<_> {
            Ok((0..n_classes).map(|class| labels.counts(class)).collect::<Vec<_>>())
        })?;
    arrays::rows(py, counts.as_flattened()).reshape([n_classes, 2])
}

/// One score an example.
#[pyfunction]
#[allow(clippy::too_many_arguments)] // as many as the question has parts
pub(crate) fn tag_quality_scores<'py>(
    py: Python<'py>,
    labels: Tags<'py>,
    pred_probs: RawPredProbs<'py>,
    method: Named<Method>,
    adjust: Named<Adjust>,
    thresholds: Option<PyReadonlyArray2<'py, f64>>,
    aggregate: AggregateOption,
    first_row: usize,
    n_threads: Option<usize>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let thresholds = thresholds_of(thresholds.as_ref())?;
    let (method, aggregate) = (method.0, aggregate.chosen());
    let adjust = (adjust.0, thresholds.as_deref());
    let scores =
        enter_batch(py, &labels, &pred_probs, first_row, n_threads, |labels, matrix, workers| {
            multilabel::label_quality_scores(labels, matrix, method, adjust, aggregate, workers)
        })?;
    Ok(scores.into_pyarray(py))
}

/// One score for each class of each example: (N, K).
#[pyfunction]
#[allow(clippy::too_many_arguments)] // as many as the question has parts
pub(crate) fn tag_quality_scores_per_class<'py>(
    py: Python<'py>,
    labels: Tags<'py>,
    pred_probs: RawPredProbs<'py>,
    method: Named<Method>,
    adjust: Named<Adjust>,
    thresholds: Option<PyReadonlyArray2<'py, f64>>,
    first_row: usize,
    n_threads: Option<usize>,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let (n_examples, n_classes) = pred_probs.view()?.shape();
    let thresholds = thresholds_of(thresholds.as_ref())?;
    let adjust = (adjust.0, thresholds.as_deref());
    let scores =
        enter_batch(py, &labels, &pred_probs, first_row, n_threads, |labels, matrix, workers| {
            multilabel::label_quality_scores_per_class(labels, matrix, method.0, adjust, workers)
        })?;
    scores.into_pyarray(py).reshape([n_examples, n_classes])
}
