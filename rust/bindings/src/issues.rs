//! See `conflearn_core::issues`.

use std::sync::Arc;

use conflearn_core::issues::{self, Removals, Search};
use conflearn_core::judge::{CUT, Judge};
use conflearn_core::prune::{Filter, PruneCounts};
use conflearn_core::quality::{Adjust, Method};
use conflearn_core::{Result, Several};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArray};
use pyo3::prelude::*;

use crate::arrays::{self, BorrowedJoint, JointArgument, RawPredProbs, Square};
use crate::enter::enter;
use crate::judges::PyJudge;
use crate::names::Named;

/// What to look for, as one argument.
#[derive(FromPyObject)]
pub(crate) struct Options<'py> {
    filter_by: Named<Filter>,
    frac_noise: f64,
    num_to_remove_per_class: Option<PyReadonlyArray1<'py, i64>>,
    min_examples_per_class: usize,
    confident_joint: Option<JointArgument<'py>>,
    prune_counts: Option<PyReadonlyArray2<'py, i64>>,
    several: Named<Several>,
    cut: Option<f64>,
    judges: Vec<Bound<'py, PyJudge>>,
}

impl Options<'_> {
    /// The same without Python objects, to be read once the GIL is released.
    pub(crate) fn borrow(&self) -> PyResult<Borrowed<'_>> {
        Ok(Borrowed {
            filter: self.filter_by.0,
            frac_noise: self.frac_noise,
            per_class: self.num_to_remove_per_class.as_ref().map(arrays::counts).transpose()?,
            min_examples_per_class: self.min_examples_per_class,
            confident_joint: self
                .confident_joint
                .as_ref()
                .map(JointArgument::borrow)
                .transpose()?,
            prune_counts: self.prune_counts.as_ref().map(Square::new).transpose()?,
            several: self.several.0,
            cut: self.cut,
            judges: self.judges.iter().map(|judge| judge.get().judge().clone()).collect(),
        })
    }
}

/// What to look for, as it lies in arrays.
pub(crate) struct Borrowed<'a> {
    filter: Filter,
    frac_noise: f64,
    per_class: Option<Vec<usize>>,
    min_examples_per_class: usize,
    confident_joint: Option<BorrowedJoint<'a>>,
    prune_counts: Option<Square<'a, i64>>,
    several: Several,
    cut: Option<f64>,
    judges: Vec<Arc<Judge>>,
}

impl Borrowed<'_> {
    /// As the core wants it.
    pub(crate) fn search(self) -> Result<Search> {
        let removals = match self.prune_counts {
            Some(Square { cells, n_classes }) => {
                Removals::Counts(PruneCounts::from_dense(cells, n_classes))
            }
            None => Removals::Joint {
                confident_joint: self.confident_joint.map(BorrowedJoint::joint).transpose()?,
                frac_noise: self.frac_noise,
                per_class: self.per_class,
            },
        };
        Ok(Search {
            filter: self.filter,
            removals,
            min_examples_per_class: self.min_examples_per_class,
            several: self.several,
            cut: self.cut.unwrap_or(CUT),
            judges: self.judges,
        })
    }
}

/// A mask of the examples with label issues.
#[pyfunction]
pub(crate) fn find_label_issues<'py>(
    py: Python<'py>,
    labels: &Bound<'py, PyUntypedArray>,
    pred_probs: RawPredProbs<'py>,
    options: Options<'py>,
    n_threads: Option<usize>,
) -> PyResult<Bound<'py, PyArray1<bool>>> {
    let options = options.borrow()?;
    let mask = enter(py, labels, &pred_probs, n_threads, |labels, pred_probs, workers| {
        issues::find_label_issues(labels, pred_probs, &options.search()?, workers)
    })?;
    Ok(mask.into_pyarray(py))
}

/// The same examples, the worst label first.
#[pyfunction]
pub(crate) fn rank_label_issues<'py>(
    py: Python<'py>,
    labels: &Bound<'py, PyUntypedArray>,
    pred_probs: RawPredProbs<'py>,
    options: Options<'py>,
    rank_by: Named<Method>,
    n_threads: Option<usize>,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let options = options.borrow()?;
    let rows = enter(py, labels, &pred_probs, n_threads, |labels, pred_probs, workers| {
        let search = options.search()?;
        issues::rank_label_issues(labels, pred_probs, &search, rank_by.0, workers)
    })?;
    Ok(arrays::rows(py, &rows))
}

/// The examples of a mask, the worst label first; by a judge, if one is given.
#[pyfunction]
#[pyo3(signature = (mask, labels, pred_probs, rank_by, adjust, n_threads, judge=None))]
#[allow(clippy::too_many_arguments)] // as many as the question has parts
pub(crate) fn order_label_issues<'py>(
    py: Python<'py>,
    mask: PyReadonlyArray1<'py, bool>,
    labels: &Bound<'py, PyUntypedArray>,
    pred_probs: RawPredProbs<'py>,
    rank_by: Named<Method>,
    adjust: Named<Adjust>,
    n_threads: Option<usize>,
    judge: Option<Bound<'py, PyJudge>>,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let mask = mask.as_array().to_vec();
    let judge = judge.as_ref().map(|judge| judge.get().judge());
    let (rank_by, adjust) = (rank_by.0, adjust.0);
    let rows = enter(py, labels, &pred_probs, n_threads, |labels, pred_probs, workers| {
        if let Some(judge) = judge {
            issues::order_by_judge(&mask, labels, pred_probs, judge, workers)
        } else {
            issues::order_label_issues(&mask, labels, pred_probs, rank_by, adjust, workers)
        }
    })?;
    Ok(arrays::rows(py, &rows))
}

/// How many label issues there are: counted off the diagonal, or claimed by the calibrated joint.
#[pyfunction]
pub(crate) fn num_label_issues<'py>(
    py: Python<'py>,
    labels: &Bound<'py, PyUntypedArray>,
    pred_probs: RawPredProbs<'py>,
    calibrated: bool,
    several: Named<Several>,
    n_threads: Option<usize>,
) -> PyResult<usize> {
    enter(py, labels, &pred_probs, n_threads, |labels, pred_probs, workers| {
        if !calibrated {
            return issues::num_label_issues(labels, pred_probs, several.0, workers);
        }
        let (joint, _) = issues::count_confident(labels, pred_probs, None, several.0, workers)?;
        let joint = joint.calibrated(labels.counts(), several.0.layout());
        Ok(joint.num_off_diagonal(labels.n_examples()))
    })
}
