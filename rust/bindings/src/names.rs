//! The names of the core's choices, as Python spells them.

use conflearn_core::joint::Layout;
use conflearn_core::noise::PriorMethod;
use conflearn_core::prune::{Filter, Spread};
use conflearn_core::quality::{Adjust, Method};
use conflearn_core::{Kind, Several};
use pyo3::prelude::*;
use pyo3::{Borrowed, PyErr};

use crate::error::OptionError;
use crate::multilabel::AggregateName;

/// A choice that can be an argument of a function.
pub(crate) struct Named<T>(pub(crate) T);

/// A choice that knows its name.
pub(crate) trait Name {
    fn name(self) -> &'static str;
}

macro_rules! named {
    ($($choice:ty: $($name:literal => $variant:ident),+;)*) => {$(
        impl<'a, 'py> FromPyObject<'a, 'py> for Named<$choice> {
            type Error = PyErr;

            fn extract(name: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
                match name.extract::<&str>()? {
                    $($name => Ok(Self(<$choice>::$variant)),)+
                    other => Err(OptionError::new_err(format!("there is no choice {other:?}"))),
                }
            }
        }

        impl Name for $choice {
            fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    )*};
}

named! {
    Kind:
        "probabilities" => Probabilities,
        "logits" => Logits,
        "scores" => Scores;
    Filter:
        "prune_by_noise_rate" => PruneByNoiseRate,
        "prune_by_class" => PruneByClass,
        "both" => Both,
        "confident_learning" => ConfidentLearning,
        "predicted_neq_given" => PredictedNeqGiven,
        "low_normalized_margin" => LowNormalizedMargin,
        "low_self_confidence" => LowSelfConfidence,
        "relative_confidence" => RelativeConfidence,
        "noise_floor" => NoiseFloor;
    Method:
        "self_confidence" => SelfConfidence,
        "normalized_margin" => NormalizedMargin,
        "confidence_weighted_entropy" => ConfidenceWeightedEntropy,
        "relative_confidence" => RelativeConfidence,
        "noise_floor" => NoiseFloor;
    Adjust:
        "no" => No,
        "present_classes" => PresentClasses,
        "all_classes" => AllClasses;
    Several:
        "most_probable" => MostProbable,
        "row_argmax" => RowArgmax;
    PriorMethod:
        "cnt" => Cnt,
        "eqn" => Eqn,
        "marginal" => Marginal,
        "marginal_ps" => MarginalPs;
    Layout:
        "by_given" => ByGiven,
        "by_true" => ByTrue;
    Spread:
        "off_diagonal" => OffDiagonal,
        "nonzero_less_one" => NonzeroLessOne;
    AggregateName:
        "exponential_moving_average" => ExponentialMovingAverage,
        "softmin" => Softmin,
        "mean" => Mean,
        "median" => Median,
        "min" => Min;
}
