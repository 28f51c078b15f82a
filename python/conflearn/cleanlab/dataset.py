"""How healthy a data set is, overall, by class and by pair: cleanlab's module of that name."""

from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import as_joint
from conflearn._coerce.objects import spelled
from conflearn._sparse_joint import SparseJoint
from conflearn.cleanlab._inputs import read_inputs
from conflearn.cleanlab._optional import pandas
from conflearn.cleanlab._tables import show
from conflearn.cleanlab.count import estimate_joint, num_label_issues
from conflearn.errors import InputError, OptionError, ShapeError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "find_overlapping_classes",
    "health_summary",
    "overall_label_health_score",
    "rank_classes_by_label_quality",
]

Floats: TypeAlias = npt.NDArray[np.float64]
Rows: TypeAlias = npt.NDArray[np.intp]

#: No share is divided by less: so a class with fewer examples seems better than it is.
_LEAST_SHARE = 1e-6


def rank_classes_by_label_quality(
    labels: Any = None,
    pred_probs: Any = None,
    *,
    class_names: Any = None,
    num_examples: Any = None,
    joint: Any = None,
    confident_joint: Any = None,
    multi_label: bool = False,
) -> "pd.DataFrame":
    """Tabulate the classes by the quality of their labels, the worst first.

    Same as cleanlab's function of that name; native: `conflearn.dataset_health`.
    """
    if multi_label:
        _refuse_multi_label("overall_multilabel_health_score")
    shares = _joint(labels, pred_probs, joint, confident_joint)
    n_examples = _n_examples(labels, confident_joint, num_examples)
    right = shares.diagonal()
    given, true = shares.sum(axis=1), shares.sum(axis=0)
    noise = (given - right) / np.maximum(given, _LEAST_SHARE)
    frame = pandas().DataFrame(
        {
            "Class Index": np.arange(len(shares)),
            "Label Issues": _rounded((given - right) * n_examples),
            "Inverse Label Issues": _rounded((true - right) * n_examples),
            "Label Noise": noise,
            "Inverse Label Noise": (true - right) / np.maximum(true, _LEAST_SHARE),
            "Label Quality Score": 1 - noise,
        }
    )
    if class_names is not None:
        _check_names(class_names, len(shares), may_be_more=False)
        frame.insert(loc=0, column="Class Name", value=class_names)
    return _in_order(frame, np.argsort(1 - noise, kind="stable"))


def find_overlapping_classes(
    labels: Any = None,
    pred_probs: Any = None,
    *,
    asymmetric: bool = False,
    class_names: Any = None,
    num_examples: Any = None,
    joint: Any = None,
    confident_joint: Any = None,
    multi_label: bool = False,
) -> "pd.DataFrame":
    """Tabulate all pairs of classes by how often they are taken for one another.

    Same as cleanlab's function of that name; native: `conflearn.DatasetHealth`, whose
    ``overlapping_classes`` makes no more pairs than are asked for.
    """
    if multi_label:
        _refuse_multi_label("common_multilabel_issues")
    shares = _joint(labels, pred_probs, joint, confident_joint)
    n_examples = _n_examples(labels, confident_joint, num_examples)
    if asymmetric:
        first, second = np.nonzero(~np.eye(len(shares), dtype=np.bool_))
        probability = shares[first, second]
    else:
        first, second = np.triu_indices(len(shares), k=1)
        probability = shares[first, second] + shares[second, first]
    frame = pandas().DataFrame(
        {
            "Class Index A": first,
            "Class Index B": second,
            "Num Overlapping Examples": _rounded(probability * n_examples),
            "Joint Probability": probability,
        }
    )
    if class_names is not None:
        _check_names(class_names, len(shares), may_be_more=True)
        frame.insert(loc=0, column="Class Name A", value=_names_of(first, class_names))
        frame.insert(loc=1, column="Class Name B", value=_names_of(second, class_names))
    return _in_order(frame, np.argsort(-probability, kind="stable"))


def overall_label_health_score(
    labels: Any = None,
    pred_probs: Any = None,
    *,
    num_examples: Any = None,
    confident_joint: Any = None,
    joint: Any = None,
    multi_label: bool = False,
    verbose: bool = True,
) -> float:
    """Estimate the share of labels that are right.

    Same as cleanlab's function of that name; native: `conflearn.dataset_health`.
    """
    if multi_label:
        _refuse_multi_label("overall_multilabel_health_score")
    score: np.float64
    if pred_probs is None or labels is None:
        score = _joint(labels, pred_probs, joint, confident_joint).trace()
        n_examples = _n_examples(labels, confident_joint, num_examples)
        n_issues = np.int64(np.rint(n_examples * (1 - score)))
    else:
        n_issues = num_label_issues(labels, pred_probs, confident_joint=confident_joint)
        n_examples = _n_examples(labels, confident_joint, num_examples)
        score = np.float64(1 - n_issues / n_examples)
    if verbose:
        _print_score(score, n_issues, n_examples)
    return score


def health_summary(
    labels: Any = None,
    pred_probs: Any = None,
    *,
    asymmetric: bool = False,
    class_names: Any = None,
    num_examples: Any = None,
    joint: Any = None,
    confident_joint: Any = None,
    multi_label: bool = False,
    verbose: bool = True,
) -> dict[str, Any]:
    """Print and return the overall score, the joint, the classes and the pairs.

    Same as cleanlab's function of that name; native: `conflearn.dataset_health`.
    """
    if multi_label:
        _refuse_multi_label("health_summary")
    n_issues: np.int64 | None = None
    if labels is None or pred_probs is None or joint is not None or confident_joint is not None:
        shares = _joint(labels, pred_probs, joint, confident_joint)
    else:
        shares, n_issues = _joint_and_number(labels, pred_probs)
    n_examples = _n_examples(labels, confident_joint, num_examples)
    if verbose:
        _print_opening(n_examples, len(shares))
    classes = rank_classes_by_label_quality(
        class_names=class_names, num_examples=n_examples, joint=shares
    )
    if verbose:
        _print_table("Overall Class Quality and Noise across your dataset (below)", 60, " \n")
        show(classes)
    pairs = find_overlapping_classes(
        asymmetric=asymmetric, class_names=class_names, num_examples=n_examples, joint=shares
    )
    if verbose:
        caption = "\nClass Overlap. In some cases, you may want to merge classes in the top rows"
        _print_table(f"{caption} (below)", 83, "\n")
        show(pairs)
        print()  # noqa: T201 - what verbose asks for
    if n_issues is None:
        score = overall_label_health_score(
            labels=labels,
            pred_probs=pred_probs,
            num_examples=n_examples,
            confident_joint=confident_joint,
            joint=shares,
            verbose=verbose,
        )
    else:
        score = np.float64(1 - n_issues / n_examples)
        if verbose:
            _print_score(score, n_issues, n_examples)
    if verbose:
        print("\nGenerated with <3 from Cleanlab.\n")  # noqa: T201 - as above
    return {
        "overall_label_health_score": score,
        "joint": shares,
        "classes_by_label_quality": classes,
        "overlapping_classes": pairs,
    }


# --- From what is passed to shares ---------------------------------------------------------------


def _joint(labels: Any, pred_probs: Any, joint: Any, confident_joint: Any) -> Floats:
    """Take the joint as it is, however it lies in memory: that decides how sums are rounded."""
    if joint is None:
        if confident_joint is None and (labels is None or pred_probs is None):
            raise InputError(
                "pass labels and pred_probs, or joint and num_examples, or confident_joint, but "
                "not less"
            )
        return estimate_joint(labels, pred_probs, confident_joint=confident_joint)
    checked: Floats = as_joint(joint, may_be_empty=True, name="joint")
    return joint if isinstance(joint, np.ndarray) and joint.dtype == np.float64 else checked


def _joint_and_number(labels: Any, pred_probs: Any) -> tuple[Floats, np.int64]:
    """Estimate the joint and count the issues as `count` does, but in one sweep."""
    inputs = read_inputs(labels, pred_probs, "refused")
    starts, columns, counts, _, n_issues = _core.dataset_health(
        inputs.labels, inputs.pred_probs, "row_argmax", inputs.n_threads
    )
    joint = SparseJoint.from_rows(starts, columns, counts)
    return joint.to_dense() / joint.total, np.int64(n_issues)


def _n_examples(labels: Any, confident_joint: Any, num_examples: Any) -> Any:
    if num_examples is not None:
        if not isinstance(num_examples, int | float | np.integer | np.floating):
            raise OptionError(
                f"num_examples={spelled(num_examples)} is not a number; pass that of the labels"
            )
        return num_examples
    if labels is not None:
        return len(labels)
    if confident_joint is None:
        raise InputError(
            "Error: num_examples is None. You must either provide confident_joint, "
            "or provide both num_example and joint as input parameters."
        )
    as_joint(confident_joint, may_be_empty=True)  # whether it is one
    return np.asarray(confident_joint).sum()


def _refuse_multi_label(function: str) -> NoReturn:
    raise OptionError(
        f"For multilabel data, please instead call: multilabel_classification.dataset.{function}()"
    )


# --- Tables --------------------------------------------------------------------------------------


def _rounded(counts: Floats) -> npt.NDArray[np.int64]:
    return counts.round().astype(np.int64)


def _in_order(frame: Any, rows: Rows) -> "pd.DataFrame":
    ordered: pd.DataFrame = frame.iloc[rows].reset_index(drop=True)
    return ordered


def _check_names(class_names: Any, n_classes: int, *, may_be_more: bool) -> None:
    n_names = len(class_names) if hasattr(class_names, "__len__") else n_classes
    if n_names < n_classes or (n_names > n_classes and not may_be_more):
        raise ShapeError(
            f"class_names has {n_names} entries, but there are {n_classes} classes; there must be "
            "one name for each class, in their order"
        )


def _names_of(classes: Rows, class_names: Any) -> Any:
    """Look up each name once: there are as many pairs as classes squared."""
    lowest = int(classes.min())
    names = pandas().Series([class_names[k] for k in range(lowest, int(classes.max()) + 1)])
    return names.iloc[classes - lowest].array


# --- What verbose prints -------------------------------------------------------------------------


def _print_opening(n_examples: Any, n_classes: int) -> None:
    about = f"   for your dataset with {n_examples:,} examples and {n_classes:,} classes.  "
    lines = (
        "  Generating a Cleanlab Dataset Health Summary",
        about,
        "  Note, Cleanlab is not a medical doctor... yet.",
    )
    rule = "-" * (len(about) + 2)
    body = "\n".join(f"|{line:<{len(about)}}|" for line in lines)
    print(f"{rule}\n{body}\n{rule}\n")  # noqa: T201 - what verbose asks for


def _print_score(score: np.float64, n_issues: Any, n_examples: Any) -> None:
    print(  # noqa: T201 - what verbose asks for
        f" * Overall, about {1 - score:.0%} ({n_issues:,} of the {n_examples:,}) "
        "labels in your dataset have potential issues.\n"
        f" ** The overall label health score for this dataset is: {score:.2f}."
    )


def _print_table(caption: str, width: int, end: str) -> None:
    print(f"{caption}\n{'-' * width}{end}", flush=True)  # noqa: T201 - what verbose asks for
