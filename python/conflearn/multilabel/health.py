"""Health of tags: which are most often wrong or missing, and a score for all."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from conflearn import _core
from conflearn._coerce import one_of
from conflearn._inputs import TagInputs
from conflearn._names import ClassicFilter, Kind
from conflearn._options import read_tag_options
from conflearn._runs import Path, Progress, read_or_open_tags
from conflearn._tables import Library, Table, as_frame, as_table
from conflearn.health import share_of
from conflearn.multilabel.issues import located

TableName = Literal["classes", "common_issues"]

_TABLES: tuple[TableName, ...] = get_args(TableName)
_IN_TEXT = 3


@dataclass(frozen=True, repr=False, eq=False)
class TagHealth:
    """What `dataset_health` finds: what `conflearn.DatasetHealth` is for other data.

    Attributes
    ----------
    num_issues : int
        How many examples have an issue.
    n_examples : int
        N.
    class_names : tuple or None
        What the classes are called, if that was told.
    classes : recarray of shape (K,)
        The classes, in ascending order of ``label_quality``; of equals, the lower class.

        ============================  =========================================================
        ``class_index``               k, from 0 to K - 1
        ``class_name``                what k is called; k itself where no names were told
        ``label_issues``              flagged examples with the tag: it should not be there
        ``inverse_label_issues``      flagged examples without the tag: it is missing
        ``label_noise``               the former, as a share of the examples given the tag
        ``inverse_label_noise``       the latter, as a share of those that should have it
        ``label_quality``             1 - ``label_noise``
        ============================  =========================================================
    common_issues : recarray of shape (2 K,)
        One row a class and side, the most frequent first; of equals, the lower class, and what is
        in the given label before what is missing there. Fields ``class_index``, ``class_name``,
        ``in_given_label``, ``in_suggested_label``, ``num_examples`` and ``issue_probability`` (as
        a share of all examples).
    """

    num_issues: int
    n_examples: int
    class_names: tuple[object, ...] | None
    classes: Table
    common_issues: Table

    @property
    def n_classes(self) -> int:
        """K."""
        return len(self.classes)

    @property
    def issue_share(self) -> float:
        """The share of examples that have an issue, in [0, 1]."""
        return self.num_issues / self.n_examples

    @property
    def health_score(self) -> float:
        """The share of examples without an issue in any class, in [0, 1]."""
        return 1 - self.issue_share

    def to_frame(self, table: TableName = "classes", *, library: Library | None = None) -> Any:
        """Make a data frame of a table.

        Parameters
        ----------
        table : {"classes", "common_issues"}
            Which one.
        library : {"pandas", "polars"}, optional
            Whose data frame to make; by default as in `conflearn.DatasetHealth.to_frame`.

        Returns
        -------
        pandas.DataFrame or polars.DataFrame
            With the fields of the table as columns.

        Raises
        ------
        OptionError
            If there is no such table or library.
        MissingDependencyError
            If the library is not installed.
        """
        return as_frame(getattr(self, one_of(table, _TABLES, "table")), library)

    def __repr__(self) -> str:
        lines = [
            f"TagHealth of {self.n_examples:,} examples with tags of {self.n_classes:,} classes",
            (
                f"  health score: {self.health_score:.2f} (examples with an issue: "
                f"{self.num_issues:,}, {self.issue_share:.1%})"
            ),
        ]
        common = [
            f"{issue.class_name} {'wrong' if issue.in_given_label else 'missing'} "
            f"({issue.num_examples:,})"
            for issue in self.common_issues[:_IN_TEXT]
            if issue.num_examples
        ]
        if common:
            lines.append(f"  most common issues (examples): {', '.join(common)}")
        return "\n".join(lines)


def dataset_health(
    labels: object,
    pred_probs: object,
    *,
    filter_by: ClassicFilter = "prune_by_noise_rate",
    frac_noise: float = 1.0,
    num_to_remove_per_class: object = None,
    min_examples_per_class: int = 1,
    confident_joint: object = None,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
    progress: Progress = None,
    checkpoint: Path | None = None,
) -> TagHealth:
    """Tabulate which tags are most often wrong or missing, and score the whole data set.

    Parameters
    ----------
    labels, pred_probs, filter_by, frac_noise, num_to_remove_per_class, min_examples_per_class, \
confident_joint, kind, temperature, n_threads, progress, checkpoint
        As in `find_label_issues`.
    classes : sequence of K names, optional
        What the columns of `pred_probs` stand for: how the tables name them, and `labels` may.

    Returns
    -------
    TagHealth
        With ``health_score``, ``num_issues``, ``issue_share``, ``classes``, ``common_issues`` and
        ``to_frame()``.

    Raises
    ------
    InputError, OptionError
        As in `find_label_issues`.

    Examples
    --------
    >>> from conflearn import multilabel
    >>> labels = [["cat"], ["cat"], ["cat", "dog"], ["dog"], [], []]
    >>> pred_probs = [[0.9, 0.1], [0.8, 0.2], [0.9, 0.8], [0.2, 0.9], [0.1, 0.9], [0.1, 0.1]]
    >>> multilabel.dataset_health(labels, pred_probs, classes=["cat", "dog"])
    TagHealth of 6 examples with tags of 2 classes
      health score: 0.83 (examples with an issue: 1, 16.7%)
      most common issues (examples): dog missing (1)
    """
    if isinstance(classes, Iterator):
        classes = tuple(classes)  # read more than once
    inputs = read_or_open_tags(
        labels,
        pred_probs,
        classes,
        n_threads,
        kind,
        temperature,
        progress=progress,
        checkpoint=checkpoint,
    )
    options = read_tag_options(
        inputs.n_classes,
        filter_by,
        frac_noise,
        num_to_remove_per_class,
        min_examples_per_class,
        confident_joint,
    )
    n_classes = inputs.n_classes
    if isinstance(inputs, TagInputs):
        (rows, columns), given = located(inputs, options)
        n_given = _core.tag_counts(inputs.tags, n_classes)[:, 1]
    else:
        from conflearn.stream import tag_issues

        rows, columns, given, counts = tag_issues.located_and_given(inputs, options)
        n_given = counts[:, 1]
    n_examples = inputs.n_examples or 0  # which is known by now
    wrong, missing = (np.bincount(columns[side], minlength=n_classes) for side in (given, ~given))
    names = np.arange(n_classes) if classes is None else np.asarray(classes)
    noise = share_of(wrong, n_given)
    worst = np.argsort(1 - noise, kind="stable")
    flagged = np.stack([wrong, missing], axis=1).ravel()
    in_given = np.tile([True, False], n_classes)
    common = np.argsort(-flagged, kind="stable")
    return TagHealth(
        num_issues=len(np.unique(rows)),
        n_examples=n_examples,
        class_names=None if classes is None else tuple(classes),
        classes=as_table(
            class_index=worst,
            class_name=names[worst],
            label_issues=wrong[worst],
            inverse_label_issues=missing[worst],
            label_noise=noise[worst],
            inverse_label_noise=share_of(missing, n_given - wrong + missing)[worst],
            label_quality=(1 - noise)[worst],
        ),
        common_issues=as_table(
            class_index=common // 2,
            class_name=names[common // 2],
            in_given_label=in_given[common],
            in_suggested_label=~in_given[common],
            num_examples=flagged[common],
            issue_probability=flagged[common] / n_examples,
        ),
    )
