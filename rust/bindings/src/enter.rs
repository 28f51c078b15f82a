//! The one door out of the GIL.

use std::panic::{AssertUnwindSafe, catch_unwind};

use conflearn_core::blocks::{ALONE_BYTES, Workers};
use conflearn_core::multilabel::TagLabels;
use conflearn_core::simd::Level;
use conflearn_core::threads::{self, on_pool, on_this_thread};
use conflearn_core::{Labels, PredProbs, Result};
use numpy::PyUntypedArray;
use pyo3::prelude::*;

use crate::arrays::{RawLabels, RawPredProbs, Tags};
use crate::error::{internal, raise};

/// Runs `work` on checked inputs, on a pool, with the GIL released. Small inputs stay on this
/// thread. Ctrl-C stops the work.
pub(crate) fn enter<R: Send>(
    py: Python<'_>,
    labels: &Bound<'_, PyUntypedArray>,
    pred_probs: &RawPredProbs<'_>,
    n_threads: Option<usize>,
    work: impl FnOnce(&Labels, &PredProbs<'_>, &Workers<'_>) -> Result<R> + Send,
) -> PyResult<R> {
    enter_batch(py, labels, pred_probs, 0, n_threads, |labels, pred_probs, workers| {
        work(&labels, pred_probs, workers)
    })
}

/// The same for a batch, of which errors count the rows from `first_row`.
pub(crate) fn enter_batch<R: Send>(
    py: Python<'_>,
    labels: &Bound<'_, PyUntypedArray>,
    pred_probs: &RawPredProbs<'_>,
    first_row: usize,
    n_threads: Option<usize>,
    work: impl FnOnce(Labels, &PredProbs<'_>, &Workers<'_>) -> Result<R> + Send,
) -> PyResult<R> {
    // Read while the GIL keeps others from setting environment variables.
    let n_threads = n_threads.unwrap_or_else(threads::default_n_threads);
    let raw_labels = RawLabels::new(labels)?;
    let pred_probs = pred_probs.view()?;
    leave(py, n_threads, pred_probs.n_bytes(), |workers| {
        let labels = raw_labels.check(pred_probs.shape().1);
        let found = labels.and_then(|labels| work(labels, &pred_probs, workers));
        found.map_err(|error| error.of_rows_from(first_row))
    })
}

/// The same where labels are tags.
pub(crate) fn enter_with_tags<R: Send>(
    py: Python<'_>,
    tags: &Tags<'_>,
    pred_probs: &RawPredProbs<'_>,
    n_threads: Option<usize>,
    work: impl FnOnce(&TagLabels, &PredProbs<'_>, &Workers<'_>) -> Result<R> + Send,
) -> PyResult<R> {
    enter_batch_of_tags(py, tags, pred_probs, 0, n_threads, work)
}

/// The same of a batch of rows: errors count them from `first_row` on.
pub(crate) fn enter_batch_of_tags<R: Send>(
    py: Python<'_>,
    tags: &Tags<'_>,
    pred_probs: &RawPredProbs<'_>,
    first_row: usize,
    n_threads: Option<usize>,
    work: impl FnOnce(&TagLabels, &PredProbs<'_>, &Workers<'_>) -> Result<R> + Send,
) -> PyResult<R> {
    let n_threads = n_threads.unwrap_or_else(threads::default_n_threads);
    let raw_tags = tags.borrow()?;
    let pred_probs = pred_probs.view()?;
    leave(py, n_threads, pred_probs.n_bytes(), |workers| {
        let labels = raw_tags.check(pred_probs.shape().1, workers);
        let found = labels.and_then(|labels| work(&labels, &pred_probs, workers));
        found.map_err(|error| error.of_rows_from(first_row))
    })
}

/// The same for tags alone.
pub(crate) fn enter_tags<R: Send>(
    py: Python<'_>,
    tags: &Tags<'_>,
    n_classes: usize,
    work: impl FnOnce(&TagLabels) -> Result<R> + Send,
) -> PyResult<R> {
    let raw_tags = tags.borrow()?;
    leave(py, threads::default_n_threads(), raw_tags.n_bytes(), |workers| {
        work(&raw_tags.check(n_classes, workers)?)
    })
}

/// The same for work on `n_bytes` of something smaller than a matrix, which one thread does.
pub(crate) fn enter_alone<R: Send>(
    py: Python<'_>,
    n_bytes: usize,
    work: impl FnOnce() -> Result<R> + Send,
) -> PyResult<R> {
    leave(py, 1, n_bytes, |_| work())
}

/// The same for work on bytes.
pub(crate) fn enter_bytes<R: Send>(
    py: Python<'_>,
    n_bytes: usize,
    n_threads: usize,
    work: impl FnOnce(&Workers<'_>) -> Result<R> + Send,
) -> PyResult<R> {
    leave(py, n_threads, n_bytes, work)
}

/// The same for work on states.
pub(crate) fn enter_state<R: Send>(
    py: Python<'_>,
    work: impl FnOnce(&Workers<'_>) -> Result<R> + Send,
) -> PyResult<R> {
    leave(py, 1, 0, work)
}

/// Releases the GIL, and takes it again.
fn leave<R: Send>(
    py: Python<'_>,
    n_threads: usize,
    n_bytes: usize,
    work: impl FnOnce(&Workers<'_>) -> Result<R> + Send,
) -> PyResult<R> {
    let mut raised = None;
    // A closure, because the method itself is not general enough in the lifetime of `py`.
    #[allow(clippy::redundant_closure_for_method_calls)]
    let mut stop = || {
        if raised.is_none() {
            raised = Python::attach(|py| py.check_signals()).err();
        }
        raised.is_some()
    };
    let work = || {
        if n_bytes <= ALONE_BYTES {
            on_this_thread(work)
        } else {
            on_pool(n_threads, &mut stop, work)
        }
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| py.detach(work)));
    // What a signal handler raised is raised, even where the work was done before it could stop.
    if let Some(raised) = raised {
        return Err(raised);
    }
    match outcome {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(raise(error)),
        Err(panic) => Err(internal(&*panic)),
    }
}

/// The number of threads that a call uses when it is not told.
#[pyfunction]
pub(crate) fn default_n_threads() -> usize {
    threads::default_n_threads()
}

/// The CPU level that kernels run at: "baseline", "avx2" or "avx512".
#[pyfunction]
pub(crate) fn simd_level() -> &'static str {
    Level::chosen().name()
}
