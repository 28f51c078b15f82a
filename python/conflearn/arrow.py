"""Parts of a data set as Arrow tables: what the workers of engines are handed, and hand back.

A worker feeds its rows to a state, or applies a rule to them. All functions take an iterator of
record batches and yield record batches, as Spark's ``mapInArrow`` wants it; `conflearn.ray` calls
them, too. Nothing here computes.
"""

from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from conflearn import errors, passes
from conflearn._coerce import as_labels, as_pred_probs
from conflearn._coerce.tables import read_arrow_lists
from conflearn._names import SCORES, Kind, Score
from conflearn.errors import InputError, InputTypeError, MissingDependencyError, OptionError
from conflearn.states import Rule, SampleState
from conflearn.topk import TopK

__all__ = ["FLAG", "SUGGESTION", "Layout", "apply", "feed", "flag", "merge"]

#: A pyarrow.Table or RecordBatch: what comes back is of the same class.
Batch: TypeAlias = Any

#: Columns of results, beside one for each score.
FLAG, SUGGESTION = "is_issue", "suggested_label"

_STATE, _ERROR, _N_ROWS, _LARGEST = "state", "error", "n_rows", "largest"


@dataclass(frozen=True)
class Layout:
    """Where the rows of a table hold what the functions take.

    Attributes
    ----------
    labels : str
        Given labels: integers 0..K-1, or names together with `classes`.
    pred_probs : str, sequence of K str, or TopK
        A column of tensors, fixed-size lists or lists, K numbers a row; or a column a class; or a
        `conflearn.TopK` of the names of two columns of lists.
    id : str, optional
        A number for each row, at least 0, that no other row has. Of equally bad labels, the one of
        the lower number is flagged first. Filters that do not rank do without it.
    keep : sequence of str
        What else to repeat beside the results.
    classes : sequence of K names, optional
        What the columns of `pred_probs` stand for, when labels are names. Suggested labels are
        names then, too.

    Examples
    --------
    >>> from conflearn.arrow import Layout
    >>> Layout("label", "pred_probs", id="id").read
    ('label', 'pred_probs', 'id')
    """

    labels: str = "label"
    pred_probs: str | Sequence[str] | TopK = "pred_probs"
    id: str | None = None
    keep: Sequence[str] = ()
    classes: Sequence[object] | None = None

    def __post_init__(self) -> None:
        for name in ("keep", "classes", "pred_probs"):
            value = getattr(self, name)
            if isinstance(value, str) and name == "keep":
                raise InputTypeError(f"keep must be a list of columns; pass keep=[{value!r}]")
            if value is not None and not isinstance(value, str | TopK):
                object.__setattr__(self, name, tuple(value))
        taken = {FLAG, SUGGESTION, *SCORES}.intersection(self.repeated)
        if taken:
            name = min(taken)
            what = "id is" if name == self.id else "keep holds"
            raise OptionError(
                f"{what} {name!r}, which cannot be repeated beside the results, for one of those "
                "is called so; rename it first"
            )

    @property
    def read(self) -> tuple[str, ...]:
        """The columns that are looked at."""
        match self.pred_probs:
            case str(name):
                cells: Sequence[str] = (name,)
            case TopK(classes, values):
                cells = (classes, values)
            case names:
                cells = names
        return (self.labels, *cells, *(() if self.id is None else (self.id,)))

    @property
    def needed(self) -> tuple[str, ...]:
        """These, and what is kept: each once."""
        return tuple(dict.fromkeys((*self.read, *self.keep)))

    @property
    def repeated(self) -> tuple[str, ...]:
        """The columns that stand beside the results: each once."""
        return tuple(dict.fromkeys((*(() if self.id is None else (self.id,)), *self.keep)))

    def check(self, present: Iterable[str], needed: Sequence[str] | None = None) -> None:
        """Refuse a table that lacks one of the columns."""
        names = list(present)
        for name in self.needed if needed is None else needed:
            if name not in names:
                raise InputError(
                    f"there is no column {name!r}; the columns are {', '.join(map(repr, names))}"
                )

    def n_classes(self, batch: Batch, kind: Kind = "probabilities") -> int:
        """Count the classes, K, by a row or more."""
        n_classes: int = self._pred_probs(batch, kind).shape[1]
        return n_classes

    def rows(self, batch: Batch, kind: Kind) -> tuple[Any, Any, int | npt.NDArray[np.int64]]:
        """Return labels, matrix and row numbers of a batch, copied only if they are apart."""
        pred_probs = self._pred_probs(batch, kind)
        labels = as_labels(
            _whole(batch.column(self.labels)),
            pred_probs.shape[1],
            n_examples=batch.num_rows,
            classes=self.classes,
        )
        return labels, pred_probs, 0 if self.id is None else self.numbers(batch, self.id)

    @staticmethod
    def numbers(batch: Batch, id: str) -> npt.NDArray[np.int64]:  # noqa: A002 - what such a column is called
        """Return the row numbers of a batch."""
        numbers = batch.column(id)
        if numbers.null_count:
            raise InputError(f"{id} is missing in some rows; number all of them from 0")
        return passes.as_row_numbers(_numpy(numbers), id)

    def beside(self, batch: Batch) -> dict[str, Any]:
        """Return the columns of a batch that stand beside its results."""
        return {name: batch.column(name) for name in self.repeated}

    def _pred_probs(self, batch: Batch, kind: Kind) -> Any:
        match self.pred_probs:
            case str(name):
                return as_pred_probs(_whole(batch.column(name)), kind=kind)
            case TopK(classes, values, n_classes=n_classes):
                pair = (read_arrow_lists(_whole(batch.column(x)), x) for x in (classes, values))
                return TopK(*pair, n_classes=n_classes)
            case names:
                return as_pred_probs(_side_by_side(batch, names), kind=kind)


def feed(
    batches: Iterable[Batch], state: Any, layout: Layout, n_threads: int | None = None
) -> Iterator[Batch]:
    """Feed a worker's rows to a copy of the state.

    Parameters
    ----------
    batches : iterable of pyarrow.RecordBatch or pyarrow.Table
        Rows, in any order.
    state : ThresholdState, JointState, SampleState, SelectionState or CheckState
        What a pass sends out. It is left as it is.
    layout : Layout
        Where to look.
    n_threads : int, optional
        As in `conflearn.find_label_issues`. Engines give a task one, by ``OMP_NUM_THREADS``.

    Yields
    ------
    pyarrow.RecordBatch or pyarrow.Table
        One row, for `merge`: ``state`` (binary), the fed state; ``error`` (string), null, or what
        is wrong with the rows, since engines that are told by an exception try again and bury it in
        their own; ``n_rows`` and ``largest`` (int64), how many ids there were and the largest.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from conflearn import arrow
    >>> from conflearn.states import ThresholdState
    >>> table = pa.table({"label": [0, 1], "p0": [0.9, 0.4], "p1": [0.1, 0.6]})
    >>> layout = arrow.Layout("label", ["p0", "p1"])
    >>> fed = arrow.feed(table.to_batches(), ThresholdState(2), layout)
    >>> arrow.merge(ThresholdState(2), fed).finish()
    array([0.9, 0.6])
    """
    arrow = _pyarrow()
    fed, error = copy(state), None
    n_rows, largest, first = 0, -1, None
    make = arrow.RecordBatch
    try:
        for batch in batches:
            make = type(batch)
            if batch.num_rows:
                layout.check(batch.schema.names)
                labels, pred_probs, rows = layout.rows(batch, state.kind)
                _check_numbers(layout, state)
                if not isinstance(rows, int):
                    n_rows, largest, first = n_rows + len(rows), max(largest, rows.max()), rows[0]
                passes.feed(fed, labels, pred_probs, rows=rows, n_threads=n_threads)
    except (InputError, InputTypeError) as refused:
        where = "" if first is None else f", in which {layout.id} begins with {first}"
        error = f"{type(refused).__name__}: {refused} (rows are counted within a batch{where})"
    data = None if error else fed.to_bytes()
    row = {
        _STATE: arrow.array([data], arrow.binary()),
        _ERROR: arrow.array([error], arrow.string()),
        _N_ROWS: arrow.array([n_rows], arrow.int64()),
        _LARGEST: arrow.array([largest], arrow.int64()),
    }
    yield make.from_arrays(list(row.values()), names=list(row))


def _check_numbers(layout: Layout, state: Any) -> None:
    """Refuse to take a sample of rows without numbers: each batch would give the same."""
    if layout.id is None and isinstance(state, SampleState):
        raise InputError(
            "noise_floor is fitted to a sample of rows, which goes by their numbers; pass id, the "
            "name of a column that numbers them"
        )


def merge(state: Any, batches: Iterable[Batch]) -> Any:
    """Merge what workers have fed to their copies of a state.

    Parameters
    ----------
    state : ThresholdState, JointState, SampleState, SelectionState or CheckState
        What a pass sends out. It is left as it is: an engine may pickle it at any time.
    batches : iterable of pyarrow.RecordBatch, pyarrow.Table, or mapping
        What `feed` yields, in any order; or rows of that, such as those of Spark.

    Returns
    -------
    ThresholdState, JointState, SampleState, SelectionState or CheckState
        What all rows were fed to.

    Raises
    ------
    InputError, InputTypeError
        If the rows of some worker break a rule, or cannot all have an id of their own.

    Examples
    --------
    See `feed`.
    """
    total, n_rows, largest = copy(state), 0, -1
    for batch in batches:
        for row in batch.to_pylist() if hasattr(batch, "to_pylist") else [batch]:
            if row[_ERROR] is not None:
                name, _, message = row[_ERROR].partition(": ")
                raise getattr(errors, name)(message)
            total.merge(type(state).from_bytes(row[_STATE]))
            n_rows, largest = n_rows + row[_N_ROWS], max(largest, row[_LARGEST])
    passes.check_largest_number(n_rows, largest, "id")
    return total


def apply(
    batches: Iterable[Batch],
    rule: Rule,
    layout: Layout,
    n_threads: int | None = None,
    *,
    scores: Sequence[Score] = (),
) -> Iterator[Batch]:
    """Apply a rule to a worker's rows.

    Parameters
    ----------
    batches : iterable of pyarrow.RecordBatch or pyarrow.Table
        Rows, in any order.
    rule : Rule
        What `conflearn.passes.find_rule` finds.
    layout : Layout
        Where to look.
    n_threads : int, optional
        As in `feed`.
    scores : sequence of str
        Which label quality scores to add, see `conflearn.label_quality_scores`. If there are any,
        there is ``suggested_label``, too.

    Yields
    ------
    pyarrow.RecordBatch or pyarrow.Table
        For each batch one with as many rows: the id, the columns to keep, ``is_issue`` (bool),
        ``suggested_label`` (int64, or as `Layout.classes` has it), and the scores (float64).

    Examples
    --------
    >>> import pyarrow as pa
    >>> from conflearn import arrow
    >>> from conflearn.states import Rule
    >>> table = pa.table({"id": [7, 8], "label": [0, 0], "p0": [0.9, 0.4], "p1": [0.1, 0.6]})
    >>> layout = arrow.Layout("label", ["p0", "p1"], id="id")
    >>> rule = Rule(None, "predicted_neq_given", kind="probabilities", temperature=1.0)
    >>> next(arrow.apply([table], rule, layout)).to_pydict()
    {'id': [7, 8], 'is_issue': [False, True]}
    """
    arrow = _pyarrow()
    entropies = "confidence_weighted_entropy" in scores
    for batch in batches:
        if not batch.num_rows:
            continue
        layout.check(batch.schema.names)
        labels, pred_probs, rows = layout.rows(batch, rule.meaning.kind)
        found = rule.apply(labels, pred_probs, rows=rows, entropies=entropies, n_threads=n_threads)
        columns = {name: arrow.array(values) for name, values in found.columns(scores).items()}
        if scores and layout.classes is not None:
            columns[SUGGESTION] = arrow.array(layout.classes).take(columns[SUGGESTION])
        results = layout.beside(batch) | columns
        yield type(batch).from_arrays(list(results.values()), names=list(results))


def flag(batches: Iterable[Batch], rule: Rule, layout: Layout) -> Iterator[Batch]:
    """Say which of a worker's rows are flagged, where their ids are enough for that.

    Parameters
    ----------
    batches : iterable of pyarrow.RecordBatch or pyarrow.Table
        Rows that the passes have seen, in any order: the columns that `Layout.repeated` names.
    rule : Rule
        One with ``flagged_rows``.
    layout : Layout
        Where to look. It names an id.

    Yields
    ------
    pyarrow.RecordBatch or pyarrow.Table
        What `apply` yields without scores.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from conflearn import arrow, passes
    >>> table = pa.table(
    ...     {"id": [7, 8, 9], "label": [0, 0, 1], "p0": [0.9, 0.2, 0.3], "p1": [0.1, 0.8, 0.7]}
    ... )
    >>> layout = arrow.Layout("label", ["p0", "p1"], id="id")
    >>> def reduce(state):
    ...     return arrow.merge(state, arrow.feed([table], state, layout))
    >>> rule = passes.find_rule(reduce, n_classes=2)
    >>> next(arrow.flag([table.select(["id"])], rule, layout)).to_pydict()
    {'id': [7, 8, 9], 'is_issue': [False, True, False]}
    """
    if layout.id is None:
        raise OptionError("layout must name the id of rows, by which they are known; pass id=")
    arrow = _pyarrow()
    for batch in batches:
        if batch.num_rows:
            layout.check(batch.schema.names, layout.repeated)
            flags = arrow.array(rule.flags(layout.numbers(batch, layout.id)))
            results = layout.beside(batch) | {FLAG: flags}
            yield type(batch).from_arrays(list(results.values()), names=list(results))


def _side_by_side(batch: Batch, names: Sequence[str]) -> npt.NDArray[Any]:
    """Copy columns into one matrix: each has its own memory, so there is no way around it."""
    columns = [_numpy(batch.column(name)) for name in names]
    dtype = np.result_type(np.float16, *columns)
    matrix = np.empty((batch.num_rows, len(columns)), dtype, order="F")
    for into, column in zip(matrix.T, columns, strict=True):
        into[:] = column
    return matrix


def _whole(column: Any) -> Any:
    """Return a column of a table as one array: it is in one piece already, as a rule."""
    return column.combine_chunks() if hasattr(column, "chunks") else column


def _numpy(column: Any) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = _whole(column).to_numpy(zero_copy_only=False)
    return array


def _pyarrow() -> Any:
    try:
        return import_module("pyarrow")
    except ImportError as error:
        message = "conflearn.arrow needs pyarrow: pip install pyarrow"
        raise MissingDependencyError(message) from error
