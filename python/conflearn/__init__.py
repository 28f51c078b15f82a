"""Confident learning at the speed of memory.

Hand over the labels of a data set and a model's out-of-sample predicted probabilities; learn which
labels are wrong, how many there are, and which classes are confused.

>>> import conflearn
>>> labels = [0, 0, 0, 1, 1]
>>> pred_probs = [[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]]
>>> conflearn.rank_label_issues(labels, pred_probs)
array([2])

===============================  =====================================================
`find_label_issues`              which labels are wrong, as a mask
`rank_label_issues`              the same, the worst first
`analyze`                        everything below from one sweep over the matrix
`label_quality_scores`           a score for each label
`order_label_issues`             the examples of a mask, the worst first
`num_label_issues`               how many labels are wrong
`confident_thresholds`           mean self-confidence of each class
`confident_joint`                counts by given and confidently true class
`off_diagonal_examples`          the examples counted off its diagonal
`calibrate_confident_joint`      such counts, scaled to the labels
`estimate_joint`                 the joint distribution of given and true labels
`recommend`                      which filter fits the data, and why
`fit_calibration`                temperature and biases that make probabilities fit labels
`estimate_noise_model`           prior, noise matrix, inverse noise matrix
`ensemble_label_quality_scores`  a score for each label, by several models
`ensemble_weights`               how much each model should count
`sample_weights`                 how much each example should count in training
`cross_val_pred_probs`           out-of-sample probabilities of any classifier
`CleanLearning`                  a classifier that learns from noisy labels
`dataset_health`                 how clean the data set, its classes and their pairs are
`check_inputs`                   whether labels and matrix are what they should be
`audit`                          which rows to review, and what reviews say of all others
`Columns`                        which columns of a table are meant
`TopK`                           a matrix by the few entries that each row stores
`noise`                          noise matrices and noisy labels, for experiments
===============================  =====================================================

`conflearn.states` are for data that are never all in one place, `conflearn.dask` and
`conflearn.ray` for data on a cluster. `conflearn.multilabel` has the same for data whose examples
have any number of tags, and `conflearn.cleanlab` under cleanlab's names.
"""

from typing import TYPE_CHECKING, Any

from conflearn import multilabel, noise, states
from conflearn._core import default_n_threads as n_threads
from conflearn.analysis import Analysis, analyze
from conflearn.calibration import Calibration, fit_calibration
from conflearn.ensemble import ensemble_label_quality_scores, ensemble_weights
from conflearn.errors import ConflearnCopyWarning
from conflearn.health import DatasetHealth, dataset_health
from conflearn.issues import (
    find_label_issues,
    num_label_issues,
    order_label_issues,
    rank_label_issues,
)
from conflearn.joint import (
    calibrate_confident_joint,
    confident_joint,
    estimate_joint,
    off_diagonal_examples,
)
from conflearn.noise_model import NoiseModel, estimate_noise_model
from conflearn.quality import label_quality_scores
from conflearn.recommendation import Recommendation, recommend
from conflearn.sources import Columns
from conflearn.thresholds import confident_thresholds
from conflearn.topk import TopK
from conflearn.weights import sample_weights

if TYPE_CHECKING:
    from conflearn.checks import Finding as Finding
    from conflearn.checks import InputReport as InputReport
    from conflearn.checks import check_inputs as check_inputs
    from conflearn.learning import CleanLearning as CleanLearning
    from conflearn.learning import cross_val_pred_probs as cross_val_pred_probs
    from conflearn.reviews import AuditPlan as AuditPlan
    from conflearn.reviews import AuditResult as AuditResult
    from conflearn.reviews import audit as audit

# Not of these: what needs scikit-learn. `import *` would import that, or fail without it.
__all__ = [
    "Analysis",
    "AuditPlan",
    "AuditResult",
    "Calibration",
    "Columns",
    "ConflearnCopyWarning",
    "DatasetHealth",
    "Finding",
    "InputReport",
    "NoiseModel",
    "Recommendation",
    "TopK",
    "analyze",
    "audit",
    "calibrate_confident_joint",
    "check_inputs",
    "confident_joint",
    "confident_thresholds",
    "dataset_health",
    "ensemble_label_quality_scores",
    "ensemble_weights",
    "estimate_joint",
    "estimate_noise_model",
    "find_label_issues",
    "fit_calibration",
    "label_quality_scores",
    "multilabel",
    "n_threads",
    "noise",
    "num_label_issues",
    "off_diagonal_examples",
    "order_label_issues",
    "rank_label_issues",
    "recommend",
    "sample_weights",
    "states",
]


#: Names whose modules are imported when they are asked for: they stand on scikit-learn, which takes
#: a second to import and may not be there, or on much of the standard library.
_LATE = {
    "CleanLearning": "learning",
    "cross_val_pred_probs": "learning",
    "AuditPlan": "reviews",
    "AuditResult": "reviews",
    "audit": "reviews",
    "Finding": "checks",
    "InputReport": "checks",
    "check_inputs": "checks",
}


def __getattr__(name: str) -> Any:
    # Looking up the version of an installed package reads its metadata: only when it is asked for.
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("conflearn")
        except PackageNotFoundError as error:  # of a folder that is imported as it is
            raise AttributeError("conflearn has no __version__, for it is not installed") from error
    if name in _LATE:
        from importlib import import_module

        return getattr(import_module(f"conflearn.{_LATE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATE})
