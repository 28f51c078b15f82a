"""Health of tags: which are most often wrong or missing, and a score for all."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from conflearn._inputs import read_tag_inputs
from conflearn._names import Filter, Kind
from conflearn._options import read_tag_options
from conflearn.multilabel.issues import located


class TagHealth(NamedTuple):
    """What `dataset_health` finds.

    Attributes
    ----------
    score : float
        The share of examples without an issue in any class.
    num_issues : int
        How many examples have one.
    class_ranking : recarray of shape (K,)
        One row a class, the worst label quality first: ``class_``, ``label_issues`` (tags that
        should not be there), ``inverse_label_issues`` (tags that are missing), the same as shares
        of all examples (``label_noise``, ``inverse_label_noise``), and ``label_quality_score``
        (1 less the label noise).
    common_issues : recarray of shape (2 K,)
        One row a class and side, the most frequent first: ``class_``, ``in_given_label``,
        ``in_suggested_label``, ``num_examples`` and ``issue_probability`` (as a share of all
        examples).
    """

    score: float
    num_issues: int
    class_ranking: "np.recarray[Any, Any]"
    common_issues: "np.recarray[Any, Any]"


def dataset_health(
    labels: object,
    pred_probs: object,
    *,
    filter_by: Filter = "prune_by_noise_rate",
    frac_noise: float = 1.0,
    num_to_remove_per_class: object = None,
    min_examples_per_class: int = 1,
    confident_joint: object = None,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
) -> TagHealth:
    """Tabulate which tags are most often wrong or missing, and score the whole data set.

    Parameters
    ----------
    labels, pred_probs, filter_by, frac_noise, num_to_remove_per_class, min_examples_per_class, \
confident_joint, kind, temperature, n_threads
        As in `find_label_issues`.
    classes : sequence of K names, optional
        What the columns of `pred_probs` stand for: how the tables name them, and `labels` may.

    Returns
    -------
    TagHealth
        With ``score``, ``num_issues``, ``class_ranking`` and ``common_issues``. The tables go into
        ``pandas.DataFrame(...)`` or ``polars.DataFrame(...)`` as they are. Of equal rows the lower
        class comes first, and what is in the given label before what is missing there.

    Raises
    ------
    InputError, OptionError
        As in `find_label_issues`.

    Examples
    --------
    >>> from conflearn import multilabel
    >>> labels = [["cat"], ["cat"], ["cat", "dog"], ["dog"], [], []]
    >>> pred_probs = [[0.9, 0.1], [0.8, 0.2], [0.9, 0.8], [0.2, 0.9], [0.1, 0.9], [0.1, 0.1]]
    >>> health = multilabel.dataset_health(labels, pred_probs, classes=["cat", "dog"])
    >>> round(health.score, 3)
    0.833
    >>> worst = health.common_issues[0]
    >>> worst.class_, bool(worst.in_given_label), int(worst.num_examples)
    (np.str_('dog'), False, 1)
    """
    if isinstance(classes, Iterator):
        classes = tuple(classes)  # read more than once
    inputs = read_tag_inputs(labels, pred_probs, classes, n_threads, kind, temperature)
    options = read_tag_options(
        inputs,
        filter_by,
        frac_noise,
        num_to_remove_per_class,
        min_examples_per_class,
        confident_joint,
    )
    (rows, columns), given = located(inputs, options)
    n_examples, n_classes = inputs.n_examples, inputs.n_classes
    num = np.stack(
        [np.bincount(columns[side], minlength=n_classes) for side in (given, ~given)], axis=1
    )
    names = np.arange(n_classes) if classes is None else np.asarray(classes)
    share = num / n_examples
    ranking = _records(
        {
            "class_": names,
            "label_issues": num[:, 0],
            "inverse_label_issues": num[:, 1],
            "label_noise": share[:, 0],
            "inverse_label_noise": share[:, 1],
            "label_quality_score": 1 - share[:, 0],
        },
        np.argsort(-num[:, 0], kind="stable"),
    )
    in_given = np.tile([True, False], n_classes)
    common = _records(
        {
            "class_": np.repeat(names, 2),
            "in_given_label": in_given,
            "in_suggested_label": ~in_given,
            "num_examples": num.ravel(),
            "issue_probability": share.ravel(),
        },
        np.argsort(-num.ravel(), kind="stable"),
    )
    n_flagged = len(np.unique(rows))
    return TagHealth(1 - n_flagged / n_examples, n_flagged, ranking, common)


def _records(
    columns: dict[str, npt.NDArray[Any]], order: npt.NDArray[np.int64]
) -> "np.recarray[Any, Any]":
    dtype = [(name, column.dtype) for name, column in columns.items()]
    records = np.recarray(len(order), dtype=dtype)
    for name, column in columns.items():
        records[name] = column[order]
    return records
