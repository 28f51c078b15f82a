"""How healthy multi-label data are, overall and by class: cleanlab's module."""

from typing import TYPE_CHECKING, Any

import numpy as np

from conflearn._inputs import TagInputs
from conflearn.cleanlab._optional import pandas
from conflearn.cleanlab._tables import show
from conflearn.cleanlab._tags import Flags, find_flags, read_joints, read_tags
from conflearn.errors import InputError, ShapeError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "common_multilabel_issues",
    "multilabel_health_summary",
    "overall_multilabel_health_score",
    "rank_classes_by_multilabel_quality",
]


def common_multilabel_issues(
    labels: Any = list,
    pred_probs: Any = None,
    *,
    class_names: Any = None,
    confident_joint: Any = None,
) -> "pd.DataFrame":
    """Tabulate how often each class is likely wrong, and how often missing: most often first.

    Same as cleanlab's function of that name; native: `conflearn.multilabel.dataset_health`.
    """
    inputs = _read(labels, pred_probs)
    return _tabulate_issues(inputs, _find(inputs, confident_joint), class_names)


def rank_classes_by_multilabel_quality(
    labels: Any = None,
    pred_probs: Any = None,
    *,
    class_names: Any = None,
    joint: Any = None,
    confident_joint: Any = None,  # noqa: ARG001 - cleanlab does not look at it either
) -> "pd.DataFrame":
    """Tabulate the classes by the quality of their labels, the worst first.

    Same as cleanlab's function of that name; native: `conflearn.multilabel.dataset_health`. It is
    `joint` that takes confident joints, of shape (K, 2, 2).
    """
    inputs = _read(labels, pred_probs)
    return _tabulate_classes(inputs, _find(inputs, joint), class_names)


def overall_multilabel_health_score(
    labels: Any = None,
    pred_probs: Any = None,
    *,
    confident_joint: Any = None,
) -> float:
    """Estimate the share of examples all of whose classes are right.

    Same as cleanlab's function of that name; native: `conflearn.multilabel.dataset_health`.
    """
    inputs = _read(labels, pred_probs)
    return _score(inputs, _find(inputs, confident_joint))


def multilabel_health_summary(
    labels: Any = None,
    pred_probs: Any = None,
    *,
    class_names: Any = None,
    num_examples: Any = None,
    confident_joint: Any = None,
    verbose: bool = True,
) -> dict[str, Any]:
    """Print and return the overall score, the classes by quality and the common issues.

    Same as cleanlab's function of that name. As there, the classes are ranked without the
    `confident_joint`.
    """
    inputs = _read(labels, pred_probs)
    if verbose:
        _print_opening(inputs.n_examples if num_examples is None else num_examples)
    flags = _find(inputs, None)
    classes = _tabulate_classes(inputs, flags, class_names)
    if verbose:
        print("Overall Class Quality and Noise across your dataset (below)")  # noqa: T201 - asked for
        print("-" * 60, "\n", flush=True)  # noqa: T201 - as above
        show(classes)
    if confident_joint is not None:
        flags = _find(inputs, confident_joint)
    issues = _tabulate_issues(inputs, flags, class_names)
    if verbose:
        print(f"\nCommon multilabel issues are\n{'-' * 83}\n", flush=True)  # noqa: T201 - as above
        show(issues)
        print("\n\nGenerated with <3 from Cleanlab.\n")  # noqa: T201 - as above
    return {
        "overall_multilabel_health_score": _score(inputs, flags),
        "classes_by_multilabel_quality": classes,
        "common_multilabel_issues": issues,
    }


# --- From what is passed to flags ----------------------------------------------------------------


def _read(labels: Any, pred_probs: Any) -> TagInputs:
    if labels is None:
        raise InputError("pass labels and pred_probs: without both there is nothing to look for")
    return read_tags(labels, pred_probs)


def _find(inputs: TagInputs, confident_joint: Any) -> Flags:
    joints = None
    if confident_joint is not None:
        joints = read_joints(confident_joint, inputs.n_classes)
    return find_flags(inputs, "prune_by_noise_rate", joints=joints)


def _score(inputs: TagInputs, flags: Flags) -> float:
    return np.float64(1.0 - np.count_nonzero(flags.mask) / inputs.n_examples)


# --- Tables --------------------------------------------------------------------------------------


def _tabulate_issues(inputs: TagInputs, flags: Flags, class_names: Any) -> "pd.DataFrame":
    n_classes = inputs.n_classes
    classes = np.repeat(np.arange(n_classes), 2)
    has_tag = np.tile([True, False], n_classes)
    counts = flags.counts(n_classes)[classes, has_tag.astype(np.intp)]
    frame = pandas().DataFrame(
        {
            "Class Index": classes,
            "In Given Label": has_tag,
            "In Suggested Label": ~has_tag,
            "Num Examples": counts,
            "Issue Probability": counts / inputs.n_examples,
        }
    )
    return _finish(frame, class_names, n_classes, by=-counts)


def _tabulate_classes(inputs: TagInputs, flags: Flags, class_names: Any) -> "pd.DataFrame":
    missing, wrong = flags.counts(inputs.n_classes).T
    frame = pandas().DataFrame(
        {
            "Class Index": np.arange(inputs.n_classes),
            "Label Issues": wrong,
            "Inverse Label Issues": missing,
            "Label Noise": wrong / inputs.n_examples,
            "Inverse Label Noise": missing / inputs.n_examples,
            "Label Quality Score": 1 - wrong / inputs.n_examples,
        }
    )
    return _finish(frame, class_names, inputs.n_classes, by=-wrong)


def _finish(frame: Any, class_names: Any, n_classes: int, by: Any) -> "pd.DataFrame":
    """Add the names, and order the rows, of equal ones the lower class first."""
    if class_names is not None:
        names = class_names if hasattr(class_names, "__getitem__") else list(class_names)
        if len(names) < n_classes:
            raise ShapeError(
                f"class_names has {len(names)} entries, but there are {n_classes} classes; there "
                "must be one name for each class, in their order"
            )
        of_class = [names[class_] for class_ in range(n_classes)]
        named = [of_class[class_] for class_ in frame["Class Index"]]
        frame.insert(loc=0, column="Class Name", value=named)
    ordered: pd.DataFrame = frame.iloc[np.argsort(by, kind="stable")].reset_index(drop=True)
    return ordered


# --- What verbose prints -------------------------------------------------------------------------


def _print_opening(n_examples: Any) -> None:
    """Print cleanlab's heading, whose frame does not close where numbers are short."""
    about = f"|   for your dataset with {n_examples:,} examples "
    rule = "-" * (len(about) - 1)
    lines = (
        f"|  Generating a Cleanlab Dataset Health Summary{' ' * (len(about) - 49)}|",
        f"{about}|  Note, Cleanlab is not a medical doctor... yet.{' ' * (len(about) - 51)}|",
    )
    print(rule, *lines, rule, "", sep="\n")  # noqa: T201 - what verbose asks for
