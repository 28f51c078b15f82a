"""Dataset health: how clean the labels are, which classes are bad, which ones are confused."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import (
    as_bool,
    as_class_names,
    as_count,
    as_joint,
    as_joint_rows,
    as_n_threads,
    first_out_of_range,
    one_of,
)
from conflearn._inputs import Inputs, read_inputs, read_joint_and_labels, read_meaning
from conflearn._names import Kind
from conflearn._sparse_joint import SparseJoint
from conflearn._tables import Library, Table, as_frame, as_table
from conflearn.errors import InputTypeError, LabelError, OptionError
from conflearn.noise_model import NoiseModel, noise_model_of

__all__ = ["DatasetHealth", "dataset_health", "share_of"]

TableName = Literal["classes", "overlapping_classes"]

_TABLES: tuple[TableName, ...] = get_args(TableName)

#: What the parts of a joint may differ by from whole examples, or its sum from 1, by rounding.
_ROUNDING = 1e-6
#: A float64 holds whole numbers exactly up to here.
_MOST_EXAMPLES = 2**53
#: Given classes are whole counts to the core. Shares of a joint that has none become such of these.
_UNITS = 2.0**40


@dataclass(frozen=True, repr=False, eq=False)
class DatasetHealth:
    """What `dataset_health` finds.

    Tables and matrices are made when they are first asked for. The joint is kept by its entries
    that are not zero, so nothing has the size (K, K) before `joint` or `noise_model` is asked for;
    of more than 16,384 classes these are of the kind `scipy.sparse.csr_array`.

    Attributes
    ----------
    num_issues : int
        How many labels are wrong, estimated: as `num_label_issues` counts them, or the examples
        off the diagonal, rounded, where there is but a joint.
    n_examples : int
        N.
    class_names : tuple or None
        What the classes are called, if that was told.
    """

    num_issues: int
    n_examples: int
    class_names: tuple[object, ...] | None
    _joint: SparseJoint
    _given_counts: npt.NDArray[np.int64]

    @property
    def n_classes(self) -> int:
        """K."""
        return self._joint.n_classes

    @property
    def issue_share(self) -> float:
        """The share of labels that are wrong, in [0, 1]."""
        return self.num_issues / self.n_examples

    @property
    def health_score(self) -> float:
        """The share of labels that are right, in [0, 1]: 1 - issues / N."""
        return 1 - self.issue_share

    @cached_property
    def classes(self) -> Table:
        """The classes, the worst labels first.

        A recarray of shape (K,), in ascending order of ``label_quality``; of equals, the lower
        class. It goes into ``pandas.DataFrame(...)`` or ``polars.DataFrame(...)`` as it is.

        ============================  =========================================================
        ``class_index``               k, from 0 to K - 1
        ``class_name``                what k is called; k itself where no names were told
        ``label_issues``              examples given k that are truly of another class
        ``inverse_label_issues``      examples truly of k that are given another class
        ``label_noise``               P(true is not k | given k)
        ``inverse_label_noise``       P(given is not k | true is k)
        ``label_quality``             P(true is k | given k), 1 - ``label_noise``
        ============================  =========================================================

        All are sums over the calibrated joint, which speaks for every example. So the issues of
        all classes may be more than ``num_issues``, which counts those of which the model is sure.
        Of a class that has no examples no label is wrong: its noise is 0, its quality 1.
        """
        right = self._joint.diagonal()
        given, true = self._joint.given_sums(), self._joint.true_sums()
        noise, inverse_noise = share_of(given - right, given), share_of(true - right, true)
        order = np.argsort(1 - noise, kind="stable")
        return as_table(
            class_index=order,
            class_name=self._names(order),
            label_issues=_rounded(given - right)[order],
            inverse_label_issues=_rounded(true - right)[order],
            label_noise=noise[order],
            inverse_label_noise=inverse_noise[order],
            label_quality=(1 - noise)[order],
        )

    def overlapping_classes(self, n: int | None = 10, *, directed: bool = False) -> Table:
        """List the pairs of classes that are taken for one another the most often.

        Parameters
        ----------
        n : int or None, default 10
            How many pairs, at most; None lists all that overlap. Only these are ever made.
        directed : bool, default False
            If True, count by direction: examples given a that are truly b. If False, a pair is
            listed once, with a < b, for both directions together.

        Returns
        -------
        recarray of shape (min(n, number of pairs that overlap),)
            Fields ``class_a`` and ``class_b`` (a, b), ``name_a`` and ``name_b`` (what they are
            called), ``num_examples`` (how many, estimated) and ``joint_probability`` (what share
            of all examples), by which they are ordered, the largest first; of equals, the lower
            classes.

        Raises
        ------
        OptionError
            If n is no whole number of at least 0.

        Examples
        --------
        >>> import conflearn
        >>> health = conflearn.dataset_health(confident_joint=[[7, 1, 0], [2, 8, 1], [0, 0, 9]])
        >>> for pair in health.overlapping_classes():
        ...     print(pair.class_a, pair.class_b, pair.num_examples)
        0 1 3
        1 2 1
        """
        limit = None if n is None else as_count(n, "n")
        pairs = self._joint.largest(limit, directed=as_bool(directed, "directed"))
        return as_table(
            class_a=pairs.first,
            class_b=pairs.second,
            name_a=self._names(pairs.first),
            name_b=self._names(pairs.second),
            num_examples=_rounded(pairs.counts),
            joint_probability=pairs.counts / self._joint.total,
        )

    @cached_property
    def joint(self) -> npt.NDArray[np.float64]:
        """Distribution of given and true labels, of shape (K, K); see `estimate_joint`."""
        shares = self._joint.with_counts(self._joint.counts / self._joint.total)
        distribution: npt.NDArray[np.float64] = shares.to_matrix()
        return distribution

    @cached_property
    def noise_model(self) -> NoiseModel:
        """Prior and noise matrices of the joint; see `estimate_noise_model`."""
        rows = self._joint.with_counts(self._joint.counts.astype(np.float64)).to_rows()
        return noise_model_of(rows, self._given_counts)

    def to_frame(self, table: TableName = "classes", *, library: Library | None = None) -> Any:
        """Make a data frame of a table.

        Parameters
        ----------
        table : {"classes", "overlapping_classes"}
            Which one: `classes`, or all pairs of `overlapping_classes`.
        library : {"pandas", "polars"}, optional
            Whose data frame to make. By default, of the two, the one that the program has
            imported, else the one that is installed; pandas if both are.

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

        Examples
        --------
        >>> import conflearn
        >>> health = conflearn.dataset_health(confident_joint=[[7, 3], [1, 9]])
        >>> health.to_frame(library="pandas")[["class_index", "label_issues", "label_quality"]]
           class_index  label_issues  label_quality
        0            0             3            0.7
        1            1             1            0.9
        """
        if one_of(table, _TABLES, "table") == "classes":
            records = self.classes
        else:
            records = self.overlapping_classes(None)
        return as_frame(records, library)

    def plot(self, n_classes: int = 20) -> Any:
        """Draw the joint as a heat map, beside the classes by label quality.

        The heat map has the examples of each pair of classes as colours. Its diagonal, which holds
        most of the examples and would outshine all others, is left grey. Of more than `n_classes`
        classes it shows the most overlapping ones, and the ranking shows the worst ones, so that
        a thousand classes make a chart that can be read.

        Parameters
        ----------
        n_classes : int, default 20
            How many classes to show, at most; 2 or more.

        Returns
        -------
        altair.HConcatChart
            Shown by notebooks; ``chart.save("health.html")`` writes it to a file.

        Raises
        ------
        OptionError
            If `n_classes` is no whole number of at least 2.
        MissingDependencyError
            If altair is not installed.
        """
        from conflearn._health_views import as_chart

        return as_chart(self, n_classes)

    def __repr__(self) -> str:
        from conflearn._health_views import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        from conflearn._health_views import as_html

        return as_html(self)

    def _names(self, classes: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        return classes if self.class_names is None else np.asarray(self.class_names)[classes]


def dataset_health(
    labels: object = None,
    pred_probs: object = None,
    *,
    confident_joint: object = None,
    joint: object = None,
    n_examples: int | None = None,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    class_bias: object = None,
    class_names: Sequence[object] | None = None,
    n_threads: int | None = None,
) -> DatasetHealth:
    """Summarise how healthy a data set is: overall, by class, and by pair of classes.

    Pass one of these:

    - `labels` and `pred_probs`;
    - `labels` and `confident_joint`: counts, which are calibrated to the labels;
    - `confident_joint`: counts, taken as they are;
    - `joint` and `n_examples`: a distribution, and how many examples it is of.

    Parameters
    ----------
    labels : array_like of shape (N,), optional
        Given labels: integers 0..K-1, or names together with `class_names`.
    pred_probs : array_like of shape (N, K), optional
        Out-of-sample predicted probabilities.
    confident_joint : array_like of shape (K, K), optional
        Counts ``joint[given, true]``, such as those of `confident_joint`; finite and at least 0.
    joint : array_like of shape (K, K), optional
        Distribution ``joint[given, true]``, such as that of `estimate_joint`; sums to 1.
    n_examples : int, optional
        N, where `joint` is passed, and only there.
    kind, temperature, class_bias
        What the cells of `pred_probs` are, as in `find_label_issues`.
    class_names : sequence of K names, optional
        What the columns of `pred_probs`, or of a joint, stand for: all strings or all numbers,
        no two of them equal. They name the classes in the results. Other functions call this
        `classes`: labels that are names are looked up here, as are whole numbers if these are
        numbers.
    n_threads : int, optional
        Number of threads, at most 1024; by default `conflearn.n_threads()`.

    Returns
    -------
    DatasetHealth
        With ``health_score``, ``num_issues``, ``issue_share``, ``classes``,
        ``overlapping_classes()``, ``joint``, ``noise_model``, ``to_frame()`` and ``plot()``.

    Raises
    ------
    InputError
        If shapes do not fit, or a label, a probability, a count or a name is out of range.
    InputTypeError
        If `labels` or `pred_probs` is missing, or is no array.
    OptionError
        If other arguments are passed together than these.

    References
    ----------
    Northcutt, Jiang, Chuang: Confident Learning, JAIR 70 (2021), for the joint. The scores of
    classes and pairs are those of cleanlab's ``dataset`` module.

    Examples
    --------
    >>> import conflearn
    >>> labels = ["cat", "cat", "cat", "dog", "dog"]
    >>> pred_probs = [[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]]
    >>> health = conflearn.dataset_health(labels, pred_probs, class_names=["cat", "dog"])
    >>> health
    DatasetHealth of 5 labels in 2 classes
      health score: 0.80 (estimated number of wrong labels: 1, 20.0%)
      worst classes (wrong labels): cat (1, 33.3%)
      most overlapping classes (examples): cat and dog (1)
    >>> health.health_score
    0.8
    """
    arguments = {
        "labels": labels,
        "pred_probs": pred_probs,
        "confident_joint": confident_joint,
        "joint": joint,
        "n_examples": n_examples,
    }
    passed = {name for name, argument in arguments.items() if argument is not None}
    if isinstance(class_names, Iterator):
        class_names = tuple(class_names)  # read twice: labels are checked against them
    if passed == {"labels", "pred_probs"}:
        inputs = read_inputs(
            labels,
            pred_probs,
            class_names,
            n_threads,
            kind,
            temperature,
            class_bias,
            classes_as="class_names",
        )
        return _of_data(inputs, None if class_names is None else tuple(class_names))
    as_n_threads(n_threads)
    if not read_meaning(kind, temperature, class_bias).is_plain:
        raise OptionError(
            f"kind={kind!r} says what the cells of pred_probs are, which are not used here; leave "
            "it out, or pass labels and pred_probs"
        )
    if passed == {"labels", "confident_joint"}:
        counts, given = read_joint_and_labels(
            confident_joint, labels, class_names, classes_as="class_names"
        )
        rows = _core.calibrate_confident_joint_rows(counts, given, "by_given")
        names = None if class_names is None else tuple(class_names)
        return _of_joint(SparseJoint.from_rows(*rows), int(given.sum()), names, given)
    if passed == {"confident_joint"}:
        counted = _entries_of(confident_joint, "confident_joint")
        total = _n_examples_of(counted)
        names = _class_names(class_names, counted.n_classes, "confident_joint")
        return _of_joint(counted, total, names)
    if passed == {"joint", "n_examples"}:
        shares = _entries_of(joint, "joint")
        _refuse_what_sums_not_to_one(shares)
        total = as_count(n_examples, "n_examples")
        if not 1 <= total <= _MOST_EXAMPLES:
            raise OptionError(
                f"n_examples={total} must lie between 1 and 2**53; pass the number of labels"
            )
        names = _class_names(class_names, shares.n_classes, "joint")
        return _of_joint(shares.with_counts(shares.counts * total), total, names)
    # What is left out, or None by mistake, is no object to read; what is too much is an option.
    error = InputTypeError if passed < {"labels", "pred_probs"} else OptionError
    found = f", but not {_listed(passed, arguments)}" if passed else "; nothing was passed"
    raise error(
        "pass labels and pred_probs, labels and confident_joint, confident_joint alone, or joint "
        f"and n_examples{found}"
    )


# --- From what is passed to counts ---------------------------------------------------------------


def _of_data(inputs: Inputs, names: tuple[object, ...] | None) -> DatasetHealth:
    row = first_out_of_range(inputs.labels, inputs.n_classes)
    if row is not None:
        raise LabelError(
            f"labels must be integers from 0 to {inputs.n_classes - 1} (pred_probs has "
            f"{inputs.n_classes} columns), but labels[{row}] is {inputs.labels[row]}; if your "
            "labels are names or do not start at 0, pass class_names=[...] naming the columns in "
            "order"
        )
    starts, columns, counts, given_counts, num_issues = _core.dataset_health(
        inputs.labels, inputs.pred_probs, "most_probable", inputs.n_threads
    )
    joint = SparseJoint.from_rows(starts, columns, counts)
    return DatasetHealth(num_issues, inputs.n_examples, names, joint, given_counts)


def _entries_of(joint: object, name: str) -> SparseJoint:
    rows = as_joint_rows(joint, name=name)
    if rows is not None:
        return SparseJoint.from_compressed(rows)
    return SparseJoint.from_dense(as_joint(joint, name=name))


def _of_joint(
    counted: SparseJoint,
    n_examples: int,
    names: tuple[object, ...] | None,
    given_counts: npt.NDArray[np.int64] | None = None,
) -> DatasetHealth:
    joint = counted.with_counts(_whole(counted.counts, n_examples))
    if given_counts is None:
        given_counts = _as_whole_counts(joint.given_sums())
    num_issues = int(np.rint(joint.total - joint.diagonal().sum()))
    return DatasetHealth(min(num_issues, n_examples), n_examples, names, joint, given_counts)


def _whole(counts: npt.NDArray[Any], n_examples: int) -> npt.NDArray[Any]:
    """Make whole numbers of counts that are, but for rounding: so that equals are equal."""
    nearest = _rounded(counts)
    is_whole = nearest.sum() == n_examples and (np.abs(counts - nearest) <= _ROUNDING).all()
    return nearest if is_whole else counts


def _as_whole_counts(sums: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Only their shares matter to a noise model."""
    if sums.dtype.kind == "i":
        return sums
    return _rounded(sums / sums.sum() * _UNITS)


def _n_examples_of(joint: SparseJoint) -> int:
    counts, total = joint.counts, joint.total
    n_examples = round(total)
    if n_examples > _MOST_EXAMPLES:
        raise OptionError(
            f"confident_joint must hold counts of examples, at most 2**53 of them, but its sum is "
            f"{total:g}; scale it down"
        )
    is_distribution = abs(total - 1) <= _ROUNDING and (counts != np.rint(counts)).any()
    if is_distribution or n_examples == 0:
        raise OptionError(
            f"confident_joint must hold counts of examples, but its sum is {total:g}; if it is a "
            "distribution, pass joint=... and n_examples=..."
        )
    return n_examples


def _refuse_what_sums_not_to_one(joint: SparseJoint) -> None:
    total = joint.total
    if abs(total - 1) > _ROUNDING:
        raise OptionError(
            f"joint must be a distribution, which sums to 1, but its sum is {total:g}; pass counts "
            "as confident_joint=..."
        )


def _class_names(
    class_names: Sequence[object] | None, n_classes: int, columns_of: str
) -> tuple[object, ...] | None:
    """Check them where no labels were read, with which they would have been checked."""
    if class_names is None:
        return None
    return as_class_names(class_names, n_classes, columns_of=columns_of, name="class_names")


def _listed(passed: set[str], arguments: dict[str, object]) -> str:
    names = [name for name in arguments if name in passed]
    return f"{' and '.join(names)} alone"


# --- Tables --------------------------------------------------------------------------------------


def share_of(part: npt.NDArray[Any], whole: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Divide; nothing is no share of nothing."""
    share: npt.NDArray[np.float64] = np.zeros(len(whole))
    np.divide(part, whole, out=share, where=whole > 0)
    return share


def _rounded(counts: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    whole: npt.NDArray[np.int64] = np.rint(counts).astype(np.int64)
    return whole
