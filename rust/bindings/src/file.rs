//! See `conflearn_core::file`.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use conflearn_core::file::{FileRows, NamedFile};
use conflearn_core::threads::default_n_threads;
use conflearn_core::{BFloat16, Float16, Float32, Float64, PredProbs};
use numpy::{PyArray1, PyArrayMethods};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::enter::enter_bytes;

/// A file that is open for reading by position, from several threads at a time.
#[pyclass(frozen, name = "File", module = "conflearn._core")]
pub(crate) struct PyFile(Arc<NamedFile>);

#[pymethods]
impl PyFile {
    #[new]
    fn new(path: PathBuf, name: String) -> PyResult<Self> {
        Ok(Self(Arc::new(NamedFile::new(File::open(path)?, name))))
    }

    /// Fills a buffer.
    fn read(
        &self,
        py: Python<'_>,
        buffer: &Bound<'_, PyArray1<u8>>,
        position: u64,
        n_threads: Option<usize>,
    ) -> PyResult<()> {
        let n_threads = n_threads.unwrap_or_else(default_n_threads);
        let mut buffer = buffer.try_readwrite()?;
        let bytes = buffer.as_slice_mut()?;
        enter_bytes(py, bytes.len(), n_threads, |workers| self.0.read(bytes, position, workers))
    }
}

/// Rows of probabilities that lie in a file, to be read by the threads that look at them.
#[pyclass(frozen, name = "FileRows", module = "conflearn._core")]
pub(crate) struct PyFileRows(Stored);

/// They, in the format that they are stored in.
enum Stored {
    Float16(FileRows<Float16>),
    BFloat16(FileRows<BFloat16>),
    Float32(FileRows<Float32>),
    Float64(FileRows<Float64>),
}

#[pymethods]
impl PyFileRows {
    #[new]
    fn new(file: &PyFile, position: u64, shape: (usize, usize), dtype: &str) -> PyResult<Self> {
        let file = file.0.clone();
        Ok(Self(match dtype {
            "float16" => Stored::Float16(FileRows::new(file, position, shape)),
            "bfloat16" => Stored::BFloat16(FileRows::new(file, position, shape)),
            "float32" => Stored::Float32(FileRows::new(file, position, shape)),
            "float64" => Stored::Float64(FileRows::new(file, position, shape)),
            _ => return Err(PyTypeError::new_err(format!("{dtype} must be read first"))),
        }))
    }

    /// N and K.
    #[getter]
    fn shape(&self) -> (usize, usize) {
        self.view().shape()
    }
}

impl PyFileRows {
    /// As the core wants it, borrowed.
    pub(crate) fn view(&self) -> PredProbs<'_> {
        match &self.0 {
            Stored::Float16(rows) => PredProbs::Float16(rows.matrix()),
            Stored::BFloat16(rows) => PredProbs::BFloat16(rows.matrix()),
            Stored::Float32(rows) => PredProbs::Float32(rows.matrix()),
            Stored::Float64(rows) => PredProbs::Float64(rows.matrix()),
        }
    }
}
