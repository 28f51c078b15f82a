//! The core's errors as Python exceptions: one match.

use conflearn_core::Error;
use pyo3::exceptions::{PyKeyboardInterrupt, PyMemoryError, PyRuntimeError};
use pyo3::{PyErr, import_exception};

import_exception!(conflearn.errors, InputError);
import_exception!(conflearn.errors, LabelError);
import_exception!(conflearn.errors, OptionError);
import_exception!(conflearn.errors, ProbabilityError);
import_exception!(conflearn.errors, ShapeError);
import_exception!(conflearn.errors, SourceError);
import_exception!(conflearn.errors, StateError);

/// The exception for an error of the core.
pub(crate) fn raise(error: Error) -> PyErr {
    let message = error.to_string();
    match error {
        Error::LengthsDiffer { .. }
        | Error::Empty
        | Error::TooFewClasses { .. }
        | Error::TooManyClasses { .. }
        | Error::NoClasses
        | Error::OnePerClass { .. }
        | Error::ShapesDiffer { .. }
        | Error::RowNumbers { .. }
        | Error::JointShape { .. } => ShapeError::new_err(message),
        Error::LabelOutOfRange { .. } | Error::TagOutOfRange { .. } | Error::TagValue { .. } => {
            LabelError::new_err(message)
        }
        Error::NotFinite { .. }
        | Error::OutOfRange { .. }
        | Error::ScoreTooLarge { .. }
        | Error::InMatrix { .. } => ProbabilityError::new_err(message),
        Error::JointValue { .. }
        | Error::JudgeThreshold { .. }
        | Error::JointRows { .. }
        | Error::RowOutOfRange { .. }
        | Error::EntryClass { .. }
        | Error::EntryTwice { .. }
        | Error::EntryStarts { .. }
        | Error::SparseTags => InputError::new_err(message),
        Error::FracNoise { .. }
        | Error::TooManyToRemove { .. }
        | Error::TooManyTagsToRemove { .. }
        | Error::Alpha { .. }
        | Error::SingularNoiseMatrix
        | Error::NeedsProbabilities { .. }
        | Error::NeedsJudge { .. }
        | Error::NotOfTags { .. }
        | Error::NothingToPlan
        | Error::ClassBias { .. }
        | Error::SparseMember
        | Error::CalibratedTags
        | Error::Temperature { .. } => OptionError::new_err(message),
        Error::StateDamaged { .. }
        | Error::StateVersion { .. }
        | Error::StateKind { .. }
        | Error::SeenTwice { .. }
        | Error::StatesDiffer { .. }
        | Error::SelectionIncomplete { .. }
        | Error::SelectionNarrowed
        | Error::StateOverflow { .. } => StateError::new_err(message),
        Error::FileEnds { .. } | Error::FileUnreadable { .. } => SourceError::new_err(message),
        Error::OutOfMemory(_) => PyMemoryError::new_err(message),
        Error::Interrupted => PyKeyboardInterrupt::new_err(()),
        _ => PyRuntimeError::new_err(message),
    }
}

/// The exception for a panic: a fault of ours, never of the input.
pub(crate) fn internal(panic: &(dyn std::any::Any + Send)) -> PyErr {
    let said = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    PyRuntimeError::new_err(format!("internal error in conflearn, please report it: {said}"))
}
