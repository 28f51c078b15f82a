//! numpy arrays as the core's inputs: the only match on dtypes, and the only raw pointers.

use conflearn_core::blocks::Workers;
use conflearn_core::joint::ConfidentJoint;
use conflearn_core::multilabel::{Indicator, TagLabels};
use conflearn_core::{
    BFloat16, Calibration, Float16, Float32, Float64, Format, Kind, Labels, Matrix, Mean, Numbers,
    PredProbs, Sparse, StoredRows, Uncalibrated, Widened,
};
use numpy::{
    PyArray1, PyArray2, PyArrayDescr, PyArrayDescrMethods, PyArrayMethods, PyReadonlyArray1,
    PyReadonlyArray2, PyUntypedArray, PyUntypedArrayMethods,
};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::{Borrowed, PyErr};

use crate::error::raise;
use crate::file::PyFileRows;
use crate::names::Named;

/// Which bytes of an array stand where.
#[derive(Clone, Copy)]
struct Place<const D: usize> {
    first: *const u8,
    shape: [usize; D],
    strides: [isize; D],
}

// SAFETY: it is only read through; the array that it belongs to is kept alive by the call.
unsafe impl<const D: usize> Send for Place<D> {}
// SAFETY: as above.
unsafe impl<const D: usize> Sync for Place<D> {}

fn place<const D: usize>(array: &Bound<'_, PyUntypedArray>) -> PyResult<Place<D>> {
    let wrong = || PyTypeError::new_err(format!("expected an array of {D} dimensions"));
    Ok(Place {
        // SAFETY: the pointer is that of a live array object.
        first: unsafe { (*array.as_array_ptr()).fields.data }.cast::<u8>(),
        shape: array.shape().try_into().map_err(|_| wrong())?,
        strides: array.strides().try_into().map_err(|_| wrong())?,
    })
}

/// `pred_probs` as an argument: one array of probabilities, or an object that says more.
pub(crate) struct RawPredProbs<'py> {
    members: Vec<Member<'py>>,
    /// One a member.
    weights: Vec<f64>,
    kind: Kind,
    calibration: Calibration,
}

/// A temperature and biases by class, as arguments.
pub(crate) fn calibration(
    temperature: f64,
    class_bias: Option<&PyReadonlyArray1<'_, f64>>,
) -> PyResult<Calibration> {
    let biases = class_bias.map(|biases| biases.as_slice()).transpose()?;
    Ok(Calibration { temperature, class_bias: biases.unwrap_or_default().to_vec() })
}

impl<'a, 'py> FromPyObject<'a, 'py> for RawPredProbs<'py> {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(member) = object.extract() {
            return Ok(Self {
                members: vec![member],
                weights: vec![1.0],
                kind: Kind::Probabilities,
                calibration: Calibration::NONE,
            });
        }
        let class_bias: Option<PyReadonlyArray1<'_, f64>> =
            object.getattr("class_bias")?.extract()?;
        let temperature = object.getattr("temperature")?.extract()?;
        Ok(Self {
            members: object.getattr("members")?.extract()?,
            weights: object.getattr("weights")?.extract()?,
            kind: object.getattr("kind")?.extract::<Named<Kind>>()?.0,
            calibration: calibration(temperature, class_bias.as_ref())?,
        })
    }
}

impl RawPredProbs<'_> {
    /// As the core wants it, borrowed.
    pub(crate) fn view(&self) -> PyResult<PredProbs<'_>> {
        let (kind, calibration) = (self.kind, &self.calibration);
        if let [member] = &self.members[..] {
            return member.view(kind, calibration);
        }
        let members = self.members.iter().zip(&self.weights);
        let members =
            members.map(|(member, &weight)| Ok((member.view(kind, calibration)?, weight)));
        let mean = Mean::new(members.collect::<PyResult<_>>()?).map_err(raise)?;
        Ok(match self.kind {
            Kind::Probabilities | Kind::Logits => PredProbs::Mean(mean),
            Kind::Scores => PredProbs::MeanOfScores(mean),
        })
    }

    /// K.
    pub(crate) fn n_classes(&self) -> PyResult<usize> {
        Ok(self.view()?.shape().1)
    }
}

/// A matrix as it is stored: whole, as (N, k) classes and values, as compressed rows, or in a file.
#[derive(FromPyObject)]
enum Member<'py> {
    Dense(Bound<'py, PyUntypedArray>),
    TopK(TopK<'py>),
    Compressed(Compressed<'py>),
    InFile(Bound<'py, PyFileRows>),
}

/// Some entries of each row.
#[derive(FromPyObject)]
struct TopK<'py> {
    classes: Bound<'py, PyUntypedArray>,
    values: Bound<'py, PyUntypedArray>,
    n_classes: usize,
}

/// Compressed rows, as scipy names their parts.
#[derive(FromPyObject)]
struct Compressed<'py> {
    indptr: Starts<'py>,
    indices: Bound<'py, PyUntypedArray>,
    data: Bound<'py, PyUntypedArray>,
    shape: (usize, usize),
}

#[derive(FromPyObject)]
pub(crate) enum Starts<'py> {
    Narrow(PyReadonlyArray1<'py, i32>),
    Wide(PyReadonlyArray1<'py, i64>),
}

impl Member<'_> {
    fn view(&self, kind: Kind, calibration: &Calibration) -> PyResult<PredProbs<'_>> {
        let is_plain = calibration.is_plain(kind);
        let stored = match self {
            Self::Dense(array) if is_plain => {
                return pred_probs(array, kind, calibration.temperature);
            }
            Self::Dense(array) => return calibrated(array, kind, calibration),
            Self::InFile(rows) if is_plain && kind == Kind::Probabilities => {
                return Ok(rows.get().view());
            }
            Self::InFile(_) => {
                return Err(PyTypeError::new_err("expected probabilities in a file"));
            }
            Self::TopK(top_k) => top_k.view()?,
            Self::Compressed(rows) => rows.view()?,
        };
        Ok(match stored {
            PredProbs::Sparse32(rows) if !is_plain => {
                PredProbs::Calibrated(Uncalibrated::Sparse32(rows), kind, calibration.clone())
            }
            PredProbs::Sparse64(rows) if !is_plain => {
                PredProbs::Calibrated(Uncalibrated::Sparse64(rows), kind, calibration.clone())
            }
            stored => stored,
        })
    }
}

/// Runs an expression with the type of stored class numbers, and one with that of values.
macro_rules! of_stored {
    ($classes:expr, $values:expr, $class:ident, $value:ident, $format:ident => $sparse:expr) => {{
        macro_rules! of_value {
            ($of_value:ident, $of_format:ident, $wrap:ident) => {{
                type $value = $of_value;
                type $format = $of_format;
                macro_rules! of_class {
                    ($of_class:ty) => {{
                        type $class = $of_class;
                        $sparse
                    }};
                }
                PredProbs::$wrap(match ($classes.kind(), $classes.itemsize()) {
                    (b'i', 1) => of_class!(i8),
                    (b'i', 2) => of_class!(i16),
                    (b'i', 4) => of_class!(i32),
                    (b'i', 8) => of_class!(i64),
                    (b'u', 1) => of_class!(u8),
                    (b'u', 2) => of_class!(u16),
                    (b'u', 4) => of_class!(u32),
                    (b'u', 8) => of_class!(u64),
                    _ => return Err(coerce_first("classes", &$classes)),
                })
            }};
        }
        match ($values.kind(), $values.itemsize()) {
            (b'f', 2) => of_value!(Float16, Float32, Sparse32),
            (b'f', 4) => of_value!(Float32, Float32, Sparse32),
            (b'f', 8) => of_value!(Float64, Float64, Sparse64),
            (b'u', 2) => of_value!(BFloat16, Float32, Sparse32),
            _ => return Err(coerce_first("pred_probs", &$values)),
        }
    }};
}

fn coerce_first(name: &str, dtype: &Bound<'_, PyArrayDescr>) -> PyErr {
    PyTypeError::new_err(format!("{name} of dtype {dtype} must be coerced first"))
}

impl TopK<'_> {
    fn view(&self) -> PyResult<PredProbs<'_>> {
        let (classes, values) = (place::<2>(&self.classes)?, place::<2>(&self.values)?);
        if classes.shape != values.shape {
            return Err(PyTypeError::new_err("expected as many classes as values"));
        }
        let [n, k] = classes.shape;
        let strides = |[down, right]: [isize; 2]| (down, right);
        let (of_classes, of_values) = (self.classes.dtype(), self.values.dtype());
        Ok(of_stored!(of_classes, of_values, Class, Value, Read => {
            // SAFETY: numpy guarantees that every number within the shape is readable at these
            // strides while the array lives, to which the lifetime is tied.
            unsafe {
                let values = Numbers::new::<Value>(values.first, strides(values.strides));
                let classes = (classes.first, strides(classes.strides));
                Sparse::<Read>::top_k::<Class>((n, self.n_classes), k, classes, values)
            }
        }))
    }
}

impl Compressed<'_> {
    fn view(&self) -> PyResult<PredProbs<'_>> {
        let (classes, values) = (place::<1>(&self.indices)?, place::<1>(&self.data)?);
        let starts = match &self.indptr {
            Starts::Narrow(starts) => StoredRows::Starts32(starts.as_slice()?),
            Starts::Wide(starts) => StoredRows::Starts64(starts.as_slice()?),
        };
        let n_starts = match starts {
            StoredRows::Starts32(starts) => starts.len(),
            StoredRows::Starts64(starts) => starts.len(),
            StoredRows::Fixed(_) => 0,
        };
        if n_starts != self.shape.0 + 1 {
            return Err(PyTypeError::new_err("expected one start a row, and the end"));
        }
        let n_entries = classes.shape[0].min(values.shape[0]);
        let (of_classes, of_values) = (self.indices.dtype(), self.data.dtype());
        Ok(of_stored!(of_classes, of_values, Class, Value, Read => {
            // SAFETY: as above, for so many as both arrays have.
            unsafe {
                let values = Numbers::new::<Value>(values.first, (0, values.strides[0]));
                let classes = (classes.first, (0, classes.strides[0]));
                let n_classes = self.shape.1;
                Sparse::<Read>::compressed::<Class>(n_classes, starts, n_entries, classes, values)
            }
        }))
    }
}

/// One matrix, borrowed from a numpy array of any strides: float16, float32, float64, or uint16 for
/// the bits of bfloat16.
fn pred_probs<'a>(
    array: &'a Bound<'_, PyUntypedArray>,
    kind: Kind,
    temperature: f64,
) -> PyResult<PredProbs<'a>> {
    let place = place::<2>(array)?;
    let dtype = array.dtype();
    Ok(match (kind, dtype.kind(), dtype.itemsize()) {
        (Kind::Probabilities, b'f', 2) => PredProbs::Float16(matrix(place)),
        (Kind::Probabilities, b'f', 4) => PredProbs::Float32(matrix(place)),
        (Kind::Probabilities, b'f', 8) => PredProbs::Float64(matrix(place)),
        (Kind::Probabilities, b'u', 2) => PredProbs::BFloat16(matrix(place)),
        (Kind::Logits, b'f', 2) => PredProbs::Logits16(Widened::new(matrix(place)), temperature),
        (Kind::Logits, b'f', 4) => PredProbs::Logits32(matrix(place), temperature),
        (Kind::Logits, b'f', 8) => PredProbs::Logits64(matrix(place), temperature),
        (Kind::Logits, b'u', 2) => PredProbs::BLogits16(Widened::new(matrix(place)), temperature),
        (Kind::Scores, b'f', 2) => PredProbs::Scores16(Widened::new(matrix(place))),
        (Kind::Scores, b'f', 4) => PredProbs::Scores32(matrix(place)),
        (Kind::Scores, b'f', 8) => PredProbs::Scores64(matrix(place)),
        (Kind::Scores, b'u', 2) => PredProbs::BScores16(Widened::new(matrix(place))),
        _ => return Err(coerce_first("pred_probs", &dtype)),
    })
}

/// The same of a matrix that is calibrated.
fn calibrated<'a>(
    array: &'a Bound<'_, PyUntypedArray>,
    kind: Kind,
    calibration: &Calibration,
) -> PyResult<PredProbs<'a>> {
    let place = place::<2>(array)?;
    let dtype = array.dtype();
    let cells = match (kind, dtype.kind(), dtype.itemsize()) {
        (Kind::Scores, ..) => {
            return Err(PyTypeError::new_err("expected probabilities or logits to calibrate"));
        }
        (_, b'f', 2) => Uncalibrated::Float16(Widened::new(matrix(place))),
        (_, b'f', 4) => Uncalibrated::Float32(matrix(place)),
        (_, b'f', 8) => Uncalibrated::Float64(matrix(place)),
        (_, b'u', 2) => Uncalibrated::BFloat16(Widened::new(matrix(place))),
        _ => return Err(coerce_first("pred_probs", &dtype)),
    };
    Ok(PredProbs::Calibrated(cells, kind, calibration.clone()))
}

/// The cells of an array, for as long as `'a`, which the caller ties to the array object.
fn matrix<'a, F: Format>(place: Place<2>) -> Matrix<'a, F> {
    let Place { first, shape: [n, k], strides: [down, right] } = place;
    // SAFETY: numpy guarantees that every cell within the shape is readable at these strides
    // while the array lives. That nobody writes meanwhile is asked of the caller, as numpy
    // itself does: a torn cell is a wrong number, which the sweep checks like any other.
    unsafe { Matrix::new(first, (n, k), (down, right)) }
}

/// `labels`, not yet checked: a 1-D array of any integer dtype and stride.
#[derive(Clone, Copy)]
pub(crate) struct RawLabels {
    place: Place<1>,
    kind: u8,
    itemsize: usize,
}

impl RawLabels {
    pub(crate) fn new(array: &Bound<'_, PyUntypedArray>) -> PyResult<Self> {
        let dtype = array.dtype();
        let (kind, itemsize) = (dtype.kind(), dtype.itemsize());
        if !matches!((kind, itemsize), (b'i' | b'u', 1 | 2 | 4 | 8)) {
            return Err(PyTypeError::new_err(format!(
                "labels of dtype {dtype} must be coerced first"
            )));
        }
        Ok(Self { place: place(array)?, kind, itemsize })
    }

    pub(crate) fn n_bytes(self) -> usize {
        self.place.shape[0] * self.itemsize
    }

    /// Read and checked, as classes of the core.
    pub(crate) fn check(self, n_classes: usize) -> conflearn_core::Result<Labels> {
        match (self.kind, self.itemsize) {
            (b'i', 1) => Labels::new(self.values::<i8>(), n_classes),
            (b'i', 2) => Labels::new(self.values::<i16>(), n_classes),
            (b'i', 4) => Labels::new(self.values::<i32>(), n_classes),
            (b'i', _) => Labels::new(self.values::<i64>(), n_classes),
            (_, 1) => Labels::new(self.values::<u8>(), n_classes),
            (_, 2) => Labels::new(self.values::<u16>(), n_classes),
            (_, 4) => Labels::new(self.values::<u32>(), n_classes),
            (_, _) => Labels::new(self.values::<u64>(), n_classes),
        }
    }

    fn values<T: Copy>(self) -> impl ExactSizeIterator<Item = T> {
        let Place { first, shape: [n], strides: [stride] } = self.place;
        (0..n).map(move |row| {
            // SAFETY: the row is within the shape, and T is the array's dtype (see `check`).
            unsafe { first.offset(row as isize * stride).cast::<T>().read_unaligned() }
        })
    }
}

/// Tags: the classes of each example.
#[derive(FromPyObject)]
pub(crate) enum Tags<'py> {
    /// Where the classes of each example start, and the classes.
    Rows(PyReadonlyArray1<'py, i64>, PyReadonlyArray1<'py, i64>),
    /// The same, as scipy has it where there are not too many.
    Rows32(PyReadonlyArray1<'py, i32>, PyReadonlyArray1<'py, i32>),
    /// An (N, K) array of zeros and ones.
    Indicator(Bound<'py, PyUntypedArray>),
}

impl Tags<'_> {
    /// The same without Python objects, to be read once the GIL is released.
    pub(crate) fn borrow(&self) -> PyResult<RawTags<'_>> {
        match self {
            Self::Rows(starts, classes) => {
                Ok(RawTags::Rows(starts.as_slice()?, classes.as_slice()?))
            }
            Self::Rows32(starts, classes) => {
                Ok(RawTags::Rows32(starts.as_slice()?, classes.as_slice()?))
            }
            Self::Indicator(array) => indicator(array).map(RawTags::Indicator),
        }
    }
}

/// Tags, not yet checked.
pub(crate) enum RawTags<'a> {
    Rows(&'a [i64], &'a [i64]),
    Rows32(&'a [i32], &'a [i32]),
    Indicator(Indicator<'a>),
}

impl RawTags<'_> {
    pub(crate) fn n_bytes(&self) -> usize {
        match self {
            Self::Rows(starts, classes) => size_of_val(*starts) + size_of_val(*classes),
            Self::Rows32(starts, classes) => size_of_val(*starts) + size_of_val(*classes),
            Self::Indicator(indicator) => indicator.n_bytes(),
        }
    }

    /// Read and checked, as tags of the core.
    pub(crate) fn check(
        &self,
        n_classes: usize,
        workers: &Workers<'_>,
    ) -> conflearn_core::Result<TagLabels> {
        match self {
            Self::Rows(starts, classes) => {
                TagLabels::from_rows(starts, classes, n_classes, workers)
            }
            Self::Rows32(starts, classes) => {
                TagLabels::from_rows(starts, classes, n_classes, workers)
            }
            Self::Indicator(indicator) => TagLabels::from_indicator(indicator, workers),
        }
    }
}

/// An array of zeros and ones of any strides: bool, integers, float16, float32 or float64.
fn indicator<'a>(array: &'a Bound<'_, PyUntypedArray>) -> PyResult<Indicator<'a>> {
    let Place { first, shape: [n, k], strides: [down, right] } = place::<2>(array)?;
    let dtype = array.dtype();
    let (kind, width) = (dtype.kind(), dtype.itemsize());
    let float16 = |bits: u64| conflearn_core::Float16::value(bits as u16);
    let float32 = |bits: u64| f64::from(f32::from_bits(bits as u32));
    let (one, minus_zero, value): (_, _, fn(u64) -> f64) = match (kind, width) {
        (b'b', 1) | (b'u', 1 | 2 | 4 | 8) => (1, 0, |bits| bits as f64),
        (b'i', 1) => (1, 0, |bits| f64::from(bits as i8)),
        (b'i', 2) => (1, 0, |bits| f64::from(bits as i16)),
        (b'i', 4) => (1, 0, |bits| f64::from(bits as i32)),
        (b'i', 8) => (1, 0, |bits| bits as i64 as f64),
        (b'f', 2) => (0x3c00, 0x8000, float16),
        (b'f', 4) => (1.0_f32.to_bits().into(), (-0.0_f32).to_bits().into(), float32),
        (b'f', 8) => (1.0_f64.to_bits(), (-0.0_f64).to_bits(), f64::from_bits),
        _ => {
            return Err(PyTypeError::new_err(format!(
                "labels of dtype {dtype} must be coerced first"
            )));
        }
    };
    // SAFETY: numpy guarantees that every cell within the shape is readable at these strides while
    // the array lives, to which the lifetime is tied.
    Ok(unsafe { Indicator::new(first, (n, k), (down, right), width, (one, minus_zero), value) })
}

/// The numbers of each class, out of an array in C order that has so many a class.
pub(crate) fn by_class<T: Copy, const N: usize>(cells: &[T]) -> Vec<[T; N]> {
    cells.as_chunks().0.to_vec()
}

/// Two counts a class.
pub(crate) fn count_pairs(counts: &[i64]) -> Vec<[usize; 2]> {
    by_class(counts).into_iter().map(|pair: [i64; 2]| pair.map(|n| n.max(0) as usize)).collect()
}

/// A dense (K, K) array in C order, borrowed.
#[derive(Clone, Copy)]
pub(crate) struct Square<'a, T> {
    pub(crate) cells: &'a [T],
    pub(crate) n_classes: usize,
}

impl<'a, T: numpy::Element> Square<'a, T> {
    pub(crate) fn new(array: &'a PyReadonlyArray2<'_, T>) -> PyResult<Self> {
        let (n_rows, n_classes) = (array.shape()[0], array.shape()[1]);
        if n_rows != n_classes {
            return Err(PyTypeError::new_err("expected as many rows as columns"));
        }
        Ok(Self { cells: array.as_slice()?, n_classes })
    }

    pub(crate) fn n_bytes(self) -> usize {
        size_of_val(self.cells)
    }
}

impl Square<'_, f64> {
    /// As a confident joint.
    pub(crate) fn joint(self) -> conflearn_core::Result<ConfidentJoint> {
        ConfidentJoint::from_dense(self.cells, self.n_classes)
    }
}

/// A joint as an argument: dense, or compressed rows.
#[derive(FromPyObject)]
pub(crate) enum JointArgument<'py> {
    Dense(PyReadonlyArray2<'py, f64>),
    Rows(JointRows<'py>),
}

/// Compressed rows, as scipy names their parts.
#[derive(FromPyObject)]
pub(crate) struct JointRows<'py> {
    indptr: PyReadonlyArray1<'py, i64>,
    indices: PyReadonlyArray1<'py, u32>,
    data: PyReadonlyArray1<'py, f64>,
}

impl JointArgument<'_> {
    /// The same without Python objects, to be read once the GIL is released.
    pub(crate) fn borrow(&self) -> PyResult<BorrowedJoint<'_>> {
        Ok(match self {
            Self::Dense(array) => BorrowedJoint::Dense(Square::new(array)?),
            Self::Rows(JointRows { indptr, indices, data }) => {
                BorrowedJoint::Rows(indptr.as_slice()?, indices.as_slice()?, data.as_slice()?)
            }
        })
    }
}

/// A joint, not yet checked.
#[derive(Clone, Copy)]
pub(crate) enum BorrowedJoint<'a> {
    Dense(Square<'a, f64>),
    Rows(&'a [i64], &'a [u32], &'a [f64]),
}

impl BorrowedJoint<'_> {
    pub(crate) fn n_bytes(self) -> usize {
        match self {
            Self::Dense(square) => square.n_bytes(),
            Self::Rows(starts, columns, counts) => {
                size_of_val(starts) + size_of_val(columns) + size_of_val(counts)
            }
        }
    }

    /// Read and checked, as a joint of the core.
    pub(crate) fn joint(self) -> conflearn_core::Result<ConfidentJoint> {
        match self {
            Self::Dense(square) => square.joint(),
            Self::Rows(starts, columns, counts) => {
                ConfidentJoint::from_rows(starts, columns, counts)
            }
        }
    }
}

/// Where rows start, columns, counts.
pub(crate) type CountRows<'py> =
    (Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<u32>>, Bound<'py, PyArray1<f64>>);

/// The entries of a joint as compressed rows.
pub(crate) fn count_rows<'py>(py: Python<'py>, joint: &ConfidentJoint) -> CountRows<'py> {
    let (starts, columns, counts) = joint.as_csr();
    (rows(py, starts), PyArray1::from_slice(py, columns), PyArray1::from_slice(py, counts))
}

/// One count per class, as the core wants them.
pub(crate) fn counts(counts: &PyReadonlyArray1<'_, i64>) -> PyResult<Vec<usize>> {
    Ok(counts.as_slice()?.iter().map(|&count| count.max(0) as usize).collect())
}

/// A (K, K) array of zeros, or `MemoryError`. To be made before the work that finds its entries, so
/// that nobody waits for what does not fit; pages of zeros take no memory yet.
pub(crate) fn zeros<T: numpy::Element>(
    py: Python<'_>,
    n_classes: usize,
) -> PyResult<Bound<'_, PyArray2<T>>> {
    // numpy's own, since that of the crate panics where memory is short.
    let zeros = py.import("numpy")?.getattr("zeros")?;
    let array = zeros.call1(((n_classes, n_classes), numpy::dtype::<T>(py)))?;
    Ok(array.cast_into::<PyArray2<T>>()?)
}

/// Writes the entries of a joint.
pub(crate) fn set_counts(array: &Bound<'_, PyArray2<i64>>, joint: &ConfidentJoint) -> PyResult<()> {
    let entries =
        joint.entries().map(|(given, true_class, count)| (given, true_class, count as i64));
    set(array, entries)
}

/// Writes some entries.
pub(crate) fn set<T: numpy::Element + Copy>(
    array: &Bound<'_, PyArray2<T>>,
    entries: impl Iterator<Item = (usize, usize, T)>,
) -> PyResult<()> {
    let n_columns = array.shape()[1];
    let mut cells = array.readwrite();
    let cells = cells.as_slice_mut()?;
    for (row, column, value) in entries {
        cells[row * n_columns + column] = value;
    }
    Ok(())
}

/// Row numbers as numpy's index type.
pub(crate) fn rows<'py>(py: Python<'py>, rows: &[usize]) -> Bound<'py, PyArray1<i64>> {
    PyArray1::from_iter(py, rows.iter().map(|&row| row as i64))
}
