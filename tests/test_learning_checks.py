"""CleanLearning keeps the rules of scikit-learn's estimators, as scikit-learn checks them."""

from collections.abc import Callable
from typing import Any

import pytest

import conflearn

pytest.importorskip("sklearn", minversion="1.6")

from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

#: Checks that pass weights because `fit` has an argument for them, whoever is inside.
TAKES_NO_WEIGHTS = (
    "check_sample_weights_pandas_series",
    "check_sample_weights_not_an_array",
    "check_sample_weights_list",
    "check_all_zero_sample_weights_error",
    "check_sample_weights_shape",
    "check_sample_weights_not_overwritten",
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
    "check_classifiers_one_label_sample_weights",
)


def expected_failures(estimator: Any) -> dict[str, str]:
    """The checks that fail, each with its reason."""
    if isinstance(estimator.classifier, KNeighborsClassifier):
        reason = "KNeighborsClassifier takes no weights, which is an error that says so"
        return dict.fromkeys(TAKES_NO_WEIGHTS, reason)
    return {}


@pytest.mark.filterwarnings("ignore")  # of data with a handful of examples, among others
@parametrize_with_checks(
    [
        conflearn.CleanLearning(cv=3),
        conflearn.CleanLearning(DecisionTreeClassifier(random_state=0), prune="soft", cv=2),
        conflearn.CleanLearning(KNeighborsClassifier(3), cv=2),
    ],
    expected_failed_checks=expected_failures,
)
def test_the_rules_of_estimators(estimator: Any, check: Callable[..., None]) -> None:
    check(estimator)
