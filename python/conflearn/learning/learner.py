"""A classifier fitted on some of the rows, with an answer for every class.

Classifiers follow scikit-learn's conventions, but not all of them all:

- most take labels as they are; xgboost wants the numbers 0..m-1 of the m classes that it is trained
  on, skorch's networks the numbers 0..K-1 of all classes, for each of which they have an output;
- weights are an argument ``sample_weight`` of ``fit``, ``last__sample_weight`` in a pipeline, or
  not taken at all;
- some give probabilities, others decision values: for two classes a single column of them.
"""

from dataclasses import dataclass
from inspect import isclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn import get_config
from sklearn.base import clone, is_regressor
from sklearn.utils import _safe_indexing
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import _check_method_params, has_fit_parameter

from conflearn._coerce import NamedLabels, as_bool
from conflearn._coerce.objects import Array, is_a, spelled
from conflearn._names import RESPONSES, Response
from conflearn.errors import InputError, InputTypeError, OptionError

__all__ = [
    "Coding",
    "Learner",
    "check_classifier",
    "coding_of",
    "is_routing",
    "response_of",
    "weight_name",
]

#: What a classifier is told: the labels, the numbers of all classes, or of those present.
Coding: TypeAlias = Literal["labels", "numbers", "numbers_without_gaps"]

_BINARY = 2


@dataclass(frozen=True)
class Learner:
    """A fitted classifier, and which classes it has seen."""

    classifier: Any
    coding: Coding
    classes: Array
    seen: npt.NDArray[np.int64]

    @classmethod
    def fit(
        cls,
        classifier: Any,
        X: Any,
        labels: NamedLabels,
        rows: npt.NDArray[np.int64] | None,
        params: dict[str, Any],
        coding: Coding,
    ) -> "Learner":
        """Fit a clone on these rows; of ``params``, what has an entry for each example is cut."""
        classes, codes = labels
        if rows is not None:
            params = _check_method_params(X, params, indices=rows)
            X, codes = _safe_indexing(X, rows), codes[rows]
        seen, compact = np.unique(codes, return_inverse=True)
        told = {"labels": classes[codes], "numbers": codes, "numbers_without_gaps": compact}
        fitted = clone(classifier).fit(X, told[coding], **params)
        return cls(fitted, coding, classes, seen)

    def predict(self, X: Any) -> Array:
        """Predict the class of each row, as the labels have it."""
        predicted = np.asarray(self.classifier.predict(X))
        match self.coding:
            case "labels":
                return predicted
            case "numbers":
                return self.classes[predicted.astype(np.int64)]
            case "numbers_without_gaps":
                return self.classes[self.seen[predicted.astype(np.int64)]]

    def columns(self, X: Any, response: Response) -> Array:
        """Ask about each row, and put the answers in the columns of all classes.

        A class that it has not seen gets probability 0, or a decision value as low as its lowest.
        """
        if not hasattr(self.classifier, response):
            raise _lacks(self.classifier, response)
        answer = np.asarray(getattr(self.classifier, response)(X))
        n_classes, n_seen = len(self.classes), len(self.seen)
        if (
            response == "decision_function"
            and n_seen > _BINARY
            and _compares_pairs(self.classifier)
        ):
            # Of three classes there are three pairs: the shape alone would not tell.
            raise InputError(
                "classifier.decision_function must give a column for each class, but with "
                "decision_function_shape='ovo' it gives one for each pair of classes; pass "
                "decision_function_shape='ovr'"
            )
        if response == "decision_function" and n_seen == _BINARY:
            if answer.ndim == 2 and answer.shape[1] == 1:  # noqa: PLR2004 - a matrix
                answer = answer[:, 0]
            if answer.ndim == 1:
                answer = np.column_stack([-answer, answer])
        if answer.dtype.kind != "f":
            answer = answer.astype(np.float64)
        order = self._order_of_columns()
        if order is not None and answer.ndim == 2 and answer.shape[1] == n_seen:  # noqa: PLR2004
            answer = answer[:, order]
        if answer.ndim == 2 and answer.shape[1] == n_seen == n_classes:  # noqa: PLR2004
            return answer
        if self.coding == "numbers" and answer.ndim == 2 and answer.shape[1] == n_classes:  # noqa: PLR2004
            return answer  # there is an output for each class, seen or not
        if answer.ndim != 2 or answer.shape[1] != n_seen:  # noqa: PLR2004
            raise InputError(
                f"classifier.{response} must give a row for each example and a column for each of "
                f"the {n_seen} classes that it was trained on, but gives the shape "
                f"{answer.shape}"
            )
        fill = 0 if response == "predict_proba" else answer.min(initial=0)
        columns = np.full((len(answer), n_classes), fill, answer.dtype)
        columns[:, self.seen] = answer
        return columns

    def _order_of_columns(self) -> list[int] | None:
        """Where to find the classes seen, unless they are in ascending order as they should be."""
        told = {
            "labels": self.classes[self.seen],
            "numbers": self.seen,
            "numbers_without_gaps": np.arange(len(self.seen)),
        }[self.coding].tolist()
        known = np.asarray(getattr(self.classifier, "classes_", told)).tolist()
        if known == told or sorted(known) != told:
            return None
        return [known.index(label) for label in told]


def _compares_pairs(fitted: Any) -> bool:
    """Whether decision values are of pairs of classes, as an SVC gives them if it is told to."""
    steps = getattr(fitted, "steps", None)  # of a pipeline
    if isinstance(steps, list):
        return _compares_pairs(steps[-1][1])
    if hasattr(fitted, "best_estimator_"):
        return _compares_pairs(fitted.best_estimator_)
    return getattr(fitted, "decision_function_shape", None) == "ovo"


def check_classifier(classifier: Any) -> None:
    """Refuse what cannot be cloned, fitted and asked."""
    rule = "classifier must be a classifier of scikit-learn's conventions"
    if isclass(classifier):
        raise InputTypeError(
            f"{rule}, but is the class {classifier.__name__}; pass {classifier.__name__}()"
        )
    missing = [name for name in ("fit", "get_params") if not hasattr(classifier, name)]
    if missing:
        raise InputTypeError(
            f"{rule}, but is {spelled(classifier)}, of type {type(classifier).__name__}, which "
            f"has no {', '.join(missing)}"
        )
    if is_regressor(classifier):
        raise InputTypeError(
            f"{rule}, but {type(classifier).__name__} is a regressor; pass a classifier"
        )


def response_of(classifier: Any, method: str) -> Response:
    """Say what to ask the classifier for; ``auto`` stands for probabilities if it gives them.

    Some show what they give only when they are fitted; of these, `Learner` finds out.
    """
    allowed = ("auto", *RESPONSES)
    if method not in allowed:
        raise OptionError(f"method={spelled(method)} is not one of {', '.join(map(repr, allowed))}")
    offered = [name for name in RESPONSES if hasattr(classifier, name)] or RESPONSES
    for name in offered:
        if method in (name, "auto"):
            return name
    raise _lacks(classifier, method)


def _lacks(classifier: Any, method: str) -> OptionError:
    """Make the error for a classifier that cannot be asked so."""
    others = [f"pass method={name!r}, or " for name in RESPONSES if hasattr(classifier, name)]
    return OptionError(
        f"method={method!r} needs a classifier that has it, but {type(classifier).__name__} lacks "
        f"{method}; {''.join(others)}wrap it in CalibratedClassifierCV"
    )


def coding_of(classifier: Any, encode_labels: bool | Literal["auto"]) -> Coding:
    """Say what to tell the classifier in place of labels."""
    is_auto = isinstance(encode_labels, str) and encode_labels == "auto"
    encode = None if is_auto else as_bool(encode_labels, "encode_labels")
    if encode is False:
        return "labels"
    # The classifier may be inside of a pipeline, a search or an ensemble.
    inside = [classifier, *classifier.get_params(deep=True).values()]
    for part in inside:
        steps = part if isinstance(part, list) else [part]
        for step in steps:
            libraries = {base.__module__.partition(".")[0] for base in type(step).__mro__}
            if "xgboost" in libraries:
                return "numbers_without_gaps"
            if "skorch" in libraries:
                return "numbers"
    return "numbers" if encode else "labels"


def is_routing() -> bool:
    """Whether scikit-learn's metadata routing is on: by default it is not."""
    return bool(get_config().get("enable_metadata_routing", False))


def weight_name(classifier: Any) -> str | None:
    """Say under which name ``fit`` takes weights of the examples, None if it takes none.

    With metadata routing, those that hand on to others take them if these have requested them.
    """
    parts = _weighted_parts(classifier)
    if not parts:
        return "sample_weight" if has_fit_parameter(classifier, "sample_weight") else None
    if is_routing():
        consumed = get_routing_for_object(classifier).consumes("fit", ["sample_weight"])
        return "sample_weight" if consumed else None
    names = {weight_name(part) for part in parts}
    name = names.pop() if len(names) == 1 else None
    if name is not None and hasattr(classifier, "steps"):
        return f"{classifier.steps[-1][0]}__{name}"
    # An ensemble hands on what is called so, and nothing else.
    return None if hasattr(classifier, "estimators") and name != "sample_weight" else name


def _weighted_parts(classifier: Any) -> list[Any]:
    """List those inside to whom the classifier hands weights on, though it does not say so."""
    if is_a(classifier, "sklearn.model_selection._search", "BaseSearchCV"):
        return [classifier.estimator]
    if is_a(classifier, "sklearn.ensemble", "VotingClassifier", "StackingClassifier"):
        return [part for _, part in classifier.estimators if part != "drop"]
    steps = getattr(classifier, "steps", None)  # of a pipeline, not only scikit-learn's
    return [steps[-1][1]] if isinstance(steps, list) and steps[-1][1] is not None else []
