"""Label issues of Dask arrays, or of columns of Dask frames, chunk by chunk.

Only states of some kilobytes leave the workers, and for ``noise_floor`` a sample of up to 10,000
rows; they are merged in a tree, by workers too. Results are chunked as the input is, and are
computed when they are asked for. Chunks have an order, so every row has a number, and the answers
are those of `conflearn.find_label_issues` and `conflearn.analyze`, to the bit.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import accumulate, count
from typing import Any, NamedTuple, Unpack

import numpy as np
import numpy.typing as npt

from conflearn import passes
from conflearn._coerce import as_labels, as_pred_probs, one_of
from conflearn._coerce.objects import is_a
from conflearn._names import SCORES, Kind, Score
from conflearn.errors import InputTypeError, MissingDependencyError, ShapeError
from conflearn.states import Rule, SelectionState
from conflearn.topk import TopK

__all__ = ["Analysis", "analyze", "find_label_issues"]

#: How many states a worker merges at a time.
_FAN_IN = 8

#: Fewer chunks do not wait for the first of them.
_FEW_CHUNKS = 2 * _FAN_IN

#: What the number of a row is called among its results.
_ROW = "row"

_MATRIX = 2  # dimensions


@dataclass(frozen=True, eq=False, repr=False)
class Analysis(passes.Findings):
    """What `analyze` finds.

    What is known about all rows together is here: ``thresholds``, ``num_issues``,
    ``confident_joint``, ``joint``, ``noise_model``, ``health``, see `conflearn.passes.Findings`.
    What is known about each row is computed when it is asked for, by `dask.compute`, which reads
    the input once for all that it is asked for at once.

    Attributes
    ----------
    results : dict of str to dask.array.Array, or dask.dataframe.DataFrame
        Of arrays, arrays of shape (N,); of frames, a frame with their index, and the id if there
        is one. Either has ``is_issue``, ``suggested_label`` and the scores by name, in the order
        and the chunks of the input.
    issues : dask.array.Array of shape (M,), int64, or dask.dataframe.DataFrame
        Of arrays, the rows that are flagged, the worst label first; of frames, these rows of
        `results`. Of equals, the lower row. One chunk has them all.
    rank_by : str
        The score by which `issues` are ordered.
    """

    results: Any
    issues: Any
    rank_by: Score


def find_label_issues(
    labels: Any,
    pred_probs: Any,
    *,
    id: Any = None,  # noqa: A002 - what such a column is called
    classes: Sequence[object] | None = None,
    n_classes: int | None = None,
    n_threads: int = 1,
    **options: Unpack[passes.Options],
) -> Any:
    """Flag the examples whose given label is likely wrong.

    Parameters
    ----------
    labels : dask.array.Array of shape (N,), or dask.dataframe.Series
        Given labels: integers 0..K-1, or names together with `classes`.
    pred_probs : dask.array.Array of shape (N, K), or dask.dataframe.DataFrame or Series
        Out-of-sample predicted probabilities; or a `conflearn.TopK` of two dask arrays. A frame has
        a column a class, in their order; a series holds a list a row. Its chunks of rows are those
        of `labels`, whether their sizes are known or not. It is read once in each pass: none for
        ``filter_by="predicted_neq_given"``, one for ``confident_learning`` and
        ``relative_confidence``, three for ``noise_floor`` and ``auto``, three or more for others.
        Another one decides about the rows, unless a filter that takes the worst of many flags no
        more than a million of them: then their numbers are known.
    id : dask.array.Array of shape (N,), or dask.dataframe.Series, optional
        Whole numbers, at least 0, each its own, in place of row numbers: ties go to the lower one.
    classes : sequence of K names, optional
        What the columns of `pred_probs` stand for, when labels are names.
    n_classes : int, optional
        K, where `pred_probs` is a series. By default it is seen from a row.
    n_threads : int, default 1
        Number of threads of a task. Dask gives it one.
    **options
        ``filter_by``, ``frac_noise``, ``num_to_remove_per_class``, ``min_examples_per_class``,
        ``confident_joint``, ``cut``, ``kind``, ``temperature``, ``class_bias``, as in
        `conflearn.find_label_issues`.

    Returns
    -------
    dask.array.Array of shape (N,), bool, or dask.dataframe.DataFrame
        True where the label is likely wrong. Of frames a frame with their index: ``is_issue``, and
        the id if there is one. Chunked as the input is, and computed when it is asked for.

    Raises
    ------
    InputError
        If chunks or shapes do not fit, or a label or a probability is out of range, or two rows are
        seen to have the same id.
    OptionError
        If there is no such filter, or it does not use an option that was given.
    MissingDependencyError
        If Dask is not installed.

    Examples
    --------
    >>> import dask.array as da, conflearn.dask
    >>> labels = da.from_array([0, 0, 0, 1, 1], chunks=3)
    >>> pred_probs = [[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]]
    >>> issues = conflearn.dask.find_label_issues(labels, da.from_array(pred_probs, chunks=(3, 2)))
    >>> issues.compute()
    array([False, False,  True, False, False])
    """
    chunks = _read(labels, pred_probs, id, classes, n_threads, options)
    n_classes = chunks.n_classes() if n_classes is None else n_classes
    rule = passes.find_rule(chunks.reduce, n_classes, **options)
    parts = chunks.apply(rule, ()) if rule.flagged_rows is None else chunks.flag(rule)
    results = chunks.collect(parts, ())
    return results["is_issue"] if isinstance(results, dict) else results


def analyze(
    labels: Any,
    pred_probs: Any,
    *,
    id: Any = None,  # noqa: A002 - what such a column is called
    rank_by: Score = "self_confidence",
    classes: Sequence[object] | None = None,
    n_classes: int | None = None,
    n_threads: int = 1,
    **options: Unpack[passes.Options],
) -> Analysis:
    """Find, score and count label issues.

    Parameters
    ----------
    labels, pred_probs, id, classes, n_classes, n_threads, **options
        As in `find_label_issues`. All filters take two passes or more, and another one for the
        results.
    rank_by : str, default "self_confidence"
        The score to order `Analysis.issues` by, see `conflearn.label_quality_scores`; lower is
        worse, ties go to the lower row.

    Returns
    -------
    Analysis
        With ``results``, ``issues``, ``thresholds``, ``num_issues``, ``confident_joint``,
        ``joint``, ``noise_model`` and ``health``.

    Raises
    ------
    InputError, OptionError, MissingDependencyError
        As in `find_label_issues`.

    Examples
    --------
    >>> import dask.array as da, conflearn.dask
    >>> labels = da.from_array([0, 0, 0, 1, 1], chunks=3)
    >>> pred_probs = [[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]]
    >>> analysis = conflearn.dask.analyze(labels, da.from_array(pred_probs, chunks=(3, 2)))
    >>> analysis.num_issues
    1
    >>> analysis.issues.compute()
    array([2])
    """
    score = one_of(rank_by, SCORES, "rank_by")
    chunks = _read(labels, pred_probs, id, classes, n_threads, options)
    n_classes = chunks.n_classes() if n_classes is None else n_classes
    found = passes.analyze(chunks.reduce, n_classes, classes=classes, scores=[score], **options)
    scores = found.rule.scores
    parts = chunks.apply(found.rule, scores)
    return Analysis(
        **vars(found),
        results=chunks.collect(parts, scores),
        issues=chunks.collect_issues(parts, scores, rank_by),
        rank_by=rank_by,
    )


def _read(
    labels: Any,
    pred_probs: Any,
    id: Any,  # noqa: A002 - what such a column is called
    classes: Sequence[object] | None,
    n_threads: int,
    options: passes.Options,
) -> "_Chunks":
    """Check what the arguments are, and put their chunks side by side."""
    if find_spec("dask") is None:
        raise MissingDependencyError('conflearn.dask needs Dask: pip install "conflearn[dask]"')
    of_frames = is_a(pred_probs, "dask.dataframe", "DataFrame", "Series")
    wanted = ("dask.dataframe", "DataFrame", "Series") if of_frames else ("dask.array", "Array")
    arguments = {"labels": labels, "pred_probs": pred_probs, "id": id}
    if isinstance(pred_probs, TopK):
        del arguments["pred_probs"]
        arguments |= {"classes": pred_probs.classes, "values": pred_probs.values}
    for name, value in arguments.items():
        if not is_a(value, *wanted) and not (name == "id" and value is None):
            raise InputTypeError(
                f"{name} must be a dask array, or of dask.dataframe as all arguments are then, but "
                f"is a {type(value).__module__}.{type(value).__name__}; convert it, or call "
                "conflearn itself if it is in memory"
            )
    worker = _Worker(
        None if classes is None else tuple(classes),
        options.get("kind", "probabilities"),
        n_threads,
    )
    return (_FrameChunks if of_frames else _ArrayChunks)(labels, pred_probs, id, worker)


# --- On the workers ------------------------------------------------------------------------------


class _Chunk(NamedTuple):
    """The same rows of all arguments, or of some of them."""

    labels: Any
    pred_probs: Any
    id: Any


class _Fed(NamedTuple):
    """A state, and what is to be known of the chunks that were fed to it."""

    state: Any
    #: How many rows each has.
    lengths: list[int]
    largest_id: int


class _Worker(NamedTuple):
    """What is done to a chunk, which is changed as little as a state is that was sent."""

    classes: tuple[object, ...] | None
    kind: Kind
    n_threads: int

    def feed(self, chunk: _Chunk, first_row: int, state: Any) -> _Fed:
        fed = copy(state)
        if not len(chunk.labels):
            return _Fed(fed, [0], -1)
        labels, pred_probs, rows = self._read(chunk, first_row)
        passes.feed(fed, labels, pred_probs, rows=rows, n_threads=self.n_threads)
        return _Fed(fed, [len(labels)], -1 if isinstance(rows, int) else int(rows.max()))

    def apply(
        self, chunk: _Chunk, first_row: int, rule: Rule, scores: Sequence[Score]
    ) -> dict[str, npt.NDArray[Any]]:
        if not len(chunk.labels):
            return {name: np.empty(0, dtype) for name, dtype in self.dtypes(scores).items()}
        labels, pred_probs, rows = self._read(chunk, first_row)
        entropies = "confidence_weighted_entropy" in scores
        found = rule.apply(
            labels, pred_probs, rows=rows, entropies=entropies, n_threads=self.n_threads
        )
        numbers = np.arange(rows, rows + len(labels)) if isinstance(rows, int) else rows
        results = {_ROW: numbers, **found.columns(scores)}
        if scores and self.classes is not None:
            results["suggested_label"] = np.asarray(self.classes)[found.suggested_labels]
        return results

    def flag(self, chunk: _Chunk, first_row: int, rule: Rule) -> dict[str, npt.NDArray[Any]]:
        """Do what `apply` does without scores, where the numbers of the rows are enough."""
        if not len(chunk.labels):
            return {name: np.empty(0, dtype) for name, dtype in self.dtypes(()).items()}
        rows = np.arange(first_row, first_row + len(chunk.labels))
        if chunk.id is not None:
            rows = passes.as_row_numbers(np.asarray(chunk.id), "id")
        return {_ROW: rows, "is_issue": rule.flags(rows)}

    def dtypes(self, scores: Sequence[Score]) -> dict[str, np.dtype[Any]]:
        """Name what `apply` returns."""
        dtypes = {_ROW: np.dtype(np.int64), "is_issue": np.dtype(bool)}
        if scores:
            names = None if self.classes is None else np.asarray(self.classes).dtype
            dtypes["suggested_label"] = names or np.dtype(np.int64)
        return dtypes | dict.fromkeys(scores, np.dtype(np.float64))

    def _read(
        self, chunk: _Chunk, first_row: int
    ) -> tuple[npt.NDArray[Any], Any, int | npt.NDArray[np.int64]]:
        pred_probs = _matrix(chunk.pred_probs)
        if not isinstance(pred_probs, TopK):
            pred_probs = as_pred_probs(pred_probs, kind=self.kind)
        n_examples, n_classes = pred_probs.shape
        labels = as_labels(chunk.labels, n_classes, n_examples=n_examples, classes=self.classes)
        if chunk.id is None:
            return labels, pred_probs, first_row
        return labels, pred_probs, passes.as_row_numbers(np.asarray(chunk.id), "id")


def _matrix(pred_probs: Any) -> Any:
    """Make a chunk of a frame an array: its columns may lie apart, its lists always do."""
    if is_a(pred_probs, "pandas", "DataFrame"):
        if all(isinstance(dtype, np.dtype) for dtype in pred_probs.dtypes):
            return pred_probs.to_numpy()
        # Nullable and Arrow columns know the numpy dtype of their values.
        dtypes = (getattr(dtype, "numpy_dtype", dtype) for dtype in pred_probs.dtypes)
        return pred_probs.to_numpy(dtype=np.result_type(np.float16, *dtypes), na_value=np.nan)
    if is_a(pred_probs, "pandas", "Series"):
        if pred_probs.dtype == object:
            lists = pred_probs.tolist()
            return np.stack(lists) if len(set(map(np.size, lists))) == 1 else lists
        return pred_probs.array.__arrow_array__().combine_chunks()
    return pred_probs


def _merge(parts: list[_Fed]) -> _Fed:
    """Merge into a copy: a worker may be asked for a state again."""
    total = copy(parts[0].state)
    for part in parts[1:]:
        total.merge(part.state)
    lengths = [length for part in parts for length in part.lengths]
    return _Fed(total, lengths, max(part.largest_id for part in parts))


def _narrowed(fed: _Fed) -> Any:
    return fed.state.narrowed()


def _merged(fed: list[Any]) -> Any:
    """Merge in a tree."""
    import dask

    merge = dask.delayed(_merge)
    while len(fed) > 1:
        fed = [merge(fed[i : i + _FAN_IN]) for i in range(0, len(fed), _FAN_IN)]
    return fed[0]


# --- On the client -------------------------------------------------------------------------------


class _Chunks(ABC):
    """The chunks of the arguments, side by side."""

    #: How many rows each has. Where nobody knows, the first pass finds out.
    lengths: list[int] | None = None

    def __init__(self, labels: Any, pred_probs: Any, id: Any, worker: _Worker) -> None:  # noqa: A002
        self.labels, self.pred_probs, self.id, self.worker = labels, pred_probs, id, worker
        self.are_counted = False

    @abstractmethod
    def each(self, function: Any, sent: Any, *others: Any, cells: bool = True) -> Any:
        """Hand each chunk to a function, with its first row and what is sent to all workers."""

    @abstractmethod
    def collect(self, parts: Any, scores: Sequence[Score]) -> Any:
        """Put the results of all chunks together."""

    @abstractmethod
    def collect_issues(self, parts: Any, scores: Sequence[Score], rank_by: Score) -> Any:
        """Put the flagged rows of all chunks together, the worst first."""

    def n_classes(self) -> int:
        """Count the classes, where nobody has said how many there are."""
        if isinstance(self.pred_probs, TopK):
            return self.pred_probs.n_classes
        is_matrix = self.pred_probs.ndim == _MATRIX
        return max(2, self.pred_probs.shape[1]) if is_matrix else 2

    def reduce(self, state: Any) -> Any:
        """Feed all chunks, and merge in a tree."""
        import dask

        fed = self.delayed(self.each(self.worker.feed, state))
        if isinstance(state, SelectionState) and len(fed) >= _FEW_CHUNKS:
            # What the first of the chunks show spares all others most of their rows.
            n_first = -(-len(fed) // _FAN_IN)
            # Kept: parts of a graph that are optimized one by one would each do it again.
            (first,) = dask.persist(_merged(fed[:n_first]))
            narrowed = dask.delayed(_narrowed)(first)
            fed = [first, *self.delayed(self.each(self.worker.feed, narrowed))[n_first:]]
        total = dask.compute(_merged(fed))[0]
        if not self.are_counted:
            self.are_counted = True
            self.lengths = total.lengths
            if self.id is not None:
                passes.check_largest_number(sum(total.lengths), total.largest_id, "id")
        return total.state

    def apply(self, rule: Rule, scores: Sequence[Score]) -> Any:
        """Say for each chunk what becomes of its rows, when it is asked for."""
        return self.each(self.worker.apply, rule, tuple(scores))

    def flag(self, rule: Rule) -> Any:
        """Say which of its rows are flagged, without a look at their cells."""
        return self.each(self.worker.flag, rule, cells=False)

    @staticmethod
    def delayed(parts: Any) -> list[Any]:
        """Return what `each` returned as delayed objects that are computed next."""
        return list(parts)

    def _sent(self, sent: Any) -> Any:
        """Have this sent once to each worker, with the first row of each chunk if it is known."""
        import dask

        firsts = None if self.lengths is None else list(accumulate(self.lengths, initial=0))
        return dask.delayed(_Sent)(sent, firsts)


class _Sent(NamedTuple):
    """What goes to all workers in a pass."""

    sent: Any
    firsts: list[int] | None

    def to(self, function: Any, chunk: _Chunk, number: int, others: Sequence[Any]) -> Any:
        first_row = 0 if self.firsts is None else self.firsts[number]
        return function(chunk, first_row, self.sent, *others)


class _ArrayChunks(_Chunks):
    """Of dask arrays.

    What is done to a chunk goes into the graph blockwise, so that Dask makes one task of it and of
    reading the chunk, as far as that is blockwise, too. A task takes longer to be sent than many a
    chunk to be looked at.
    """

    def __init__(self, labels: Any, pred_probs: Any, id: Any, worker: _Worker) -> None:  # noqa: A002
        super().__init__(labels, pred_probs, id, worker)
        top = pred_probs if isinstance(pred_probs, TopK) else None
        self.top_of = None if top is None else top.n_classes
        cells = pred_probs if top is None else top.values
        if cells.ndim not in (1, _MATRIX):
            raise ShapeError(
                f"pred_probs must have two dimensions, a row for each label and a column for each "
                f"class, but its shape is {cells.shape}"
            )
        if cells.ndim == _MATRIX:
            cells = cells.rechunk({1: -1})  # whole rows
        lengths = cells.chunks[0]
        if not np.isnan(lengths).any():
            self.lengths = list(lengths)
        self.n_chunks = len(lengths)
        self.cells = [cells]
        self.labels = self._column(labels, "labels", lengths)
        self.id = None if id is None else self._column(id, "id", lengths)
        if top is not None:
            classes = top.classes.rechunk({1: -1})
            if self.lengths:
                classes = classes.rechunk(cells.chunks)
            _check_number_of_chunks(classes.numblocks[0], "classes", self.n_chunks)
            self.cells = [classes, cells]

    def _column(self, column: Any, name: str, lengths: tuple[float, ...]) -> Any:
        """Cut a column where the matrix is cut."""
        if column.ndim != 1:
            raise ShapeError(
                f"{name} must have one dimension, but its shape is {column.shape}; there must be "
                "one entry for each row of pred_probs"
            )
        if self.lengths and not np.isnan(column.shape[0]):
            if column.shape[0] != self.pred_probs.shape[0]:
                raise ShapeError(
                    f"{name} has {column.shape[0]} entries, but pred_probs has "
                    f"{self.pred_probs.shape[0]} rows; there must be one for each row"
                )
            column = column.rechunk((lengths,))
        _check_number_of_chunks(column.numblocks[0], name, len(lengths))
        return column

    def each(self, function: Any, sent: Any, *others: Any, cells: bool = True) -> Any:
        import dask.array as da

        numbers = da.map_blocks(
            _number, chunks=((1,) * self.n_chunks,), dtype=np.int64, meta=np.empty(0, np.int64)
        )
        matrices = self.cells if cells else []
        blocks = [numbers, self.labels, *([] if self.id is None else [self.id]), *matrices]
        indices = "ij"[: blocks[-1].ndim]
        return da.blockwise(
            _on_blocks,
            indices,
            self._sent(sent),
            None,
            *(argument for one in blocks for argument in (one, indices[: one.ndim])),
            function=function,
            others=others,
            has_id=self.id is not None,
            top_of=self.top_of if cells else None,
            align_arrays=False,
            concatenate=True,  # what others set; else it is not fused with theirs
            dtype=object,
            meta=np.empty((0,) * len(indices), object),
        )

    @staticmethod
    def delayed(parts: Any) -> list[Any]:
        return list(parts.to_delayed().ravel())

    def collect(self, parts: Any, scores: Sequence[Score]) -> dict[str, Any]:
        import dask.array as da

        lengths: Sequence[float] = self.lengths or [np.nan] * self.n_chunks
        return {
            name: da.blockwise(
                _column_of,
                "i",
                parts,
                "ij"[: parts.ndim],
                name,
                None,
                adjust_chunks={"i": tuple(lengths)},
                dtype=dtype,
                meta=np.empty(0, dtype),
            )
            for name, dtype in self.worker.dtypes(scores).items()
            if name != _ROW
        }

    def collect_issues(self, parts: Any, scores: Sequence[Score], rank_by: Score) -> Any:  # noqa: ARG002
        import dask
        import dask.array as da

        # Not optimized yet: with the results they are optimized, and twice would give other tasks
        # of the same names, of which Dask warns.
        every = parts.to_delayed(optimize_graph=False).ravel()
        flagged = [dask.delayed(_flagged)(part, rank_by) for part in every]
        return da.from_delayed(dask.delayed(_worst_rows)(flagged), (np.nan,), np.int64)


def _number(block_id: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Tell a task which chunk it has."""
    return np.array(block_id)


def _column_of(part: Any, name: str) -> npt.NDArray[Any]:
    """Take one column of results, those of the one block of whole rows."""
    column: npt.NDArray[Any] = (part[0] if isinstance(part, list) else part)[name]
    return column


def _on_blocks(
    sent: _Sent,
    number: npt.NDArray[np.int64],
    labels: Any,
    *blocks: Any,
    function: Any,
    others: Sequence[Any],
    has_id: bool,
    top_of: int | None,
) -> Any:
    """Put the blocks of a chunk side by side."""
    ids, cells = (blocks[0], blocks[1:]) if has_id else (None, blocks)
    pred_probs = cells[0] if cells else None
    if top_of is not None:
        pred_probs = TopK(*cells, n_classes=top_of)
    return sent.to(function, _Chunk(labels, pred_probs, ids), int(number[0]), others)


class _FrameChunks(_Chunks):
    """Of columns of dask frames."""

    def __init__(self, labels: Any, pred_probs: Any, id: Any, worker: _Worker) -> None:  # noqa: A002
        super().__init__(labels, pred_probs, id, worker)
        if pred_probs.ndim != _MATRIX and is_a(pred_probs.dtype, "pandas", "StringDtype"):
            raise InputTypeError(
                "pred_probs holds strings; if these were lists, Dask has made strings of them: say "
                'dask.config.set({"dataframe.convert-string": False}) before it reads them'
            )
        for name, one in (("labels", labels), ("id", id)):
            if one is not None:
                _check_number_of_chunks(one.npartitions, name, pred_probs.npartitions)

    def chunks(self, *, cells: bool) -> list[Any]:
        """Return the chunks, delayed."""
        # One expression, so that a file is read once for all of its columns.
        chunks = self.labels.map_partitions(
            _Chunk,
            self.pred_probs if cells else None,
            self.id,
            meta=self.labels._meta,  # noqa: SLF001 - dask's own; it is not looked at
            enforce_metadata=False,
            align_dataframes=False,
        )
        # Simplified, no other column is read; optimized, chunks would be put together, too.
        return list(chunks.simplify().to_delayed(optimize_graph=False))

    def each(self, function: Any, sent: Any, *others: Any, cells: bool = True) -> Any:
        import dask

        hand, sent_once = dask.delayed(_Sent.to), self._sent(sent)
        chunks = self.chunks(cells=cells)
        parts = [hand(sent_once, function, *one, others) for one in zip(chunks, count())]
        return _FrameParts(parts, chunks)

    def n_classes(self) -> int:
        if self.pred_probs.ndim == _MATRIX:
            return super().n_classes()
        head = self.pred_probs.head(1, npartitions=-1)
        if not len(head):
            raise ShapeError("pred_probs is empty; it needs at least one row")
        return int(as_pred_probs(_matrix(head), kind=self.worker.kind).shape[1])

    @staticmethod
    def delayed(parts: Any) -> list[Any]:
        return list(parts.parts)

    def collect(self, parts: Any, scores: Sequence[Score]) -> Any:
        import dask

        frames = [
            dask.delayed(_as_frame)(part, chunk, self._id_name)
            for part, chunk in zip(*parts, strict=True)
        ]
        return self._from_delayed(frames, scores, self.labels.divisions)

    def collect_issues(self, parts: Any, scores: Sequence[Score], rank_by: Score) -> Any:
        import dask

        flagged = [dask.delayed(_flagged)(part, rank_by) for part in parts.parts]
        frames = [
            dask.delayed(_flagged_of_frame)(part, chunk, self._id_name)
            for part, chunk in zip(*parts, strict=True)
        ]
        return self._from_delayed([dask.delayed(_worst_of_frames)(flagged, frames)], scores, None)

    @property
    def _id_name(self) -> str:
        name = getattr(self.id, "name", None)
        return "id" if name is None else str(name)

    def _from_delayed(self, frames: list[Any], scores: Sequence[Score], divisions: Any) -> Any:
        import dask.dataframe as dd

        nothing = _Chunk(self.labels._meta, None, None if self.id is None else self.id._meta)  # noqa: SLF001 - dask's own way to know dtypes
        none = {name: np.empty(0, dtype) for name, dtype in self.worker.dtypes(scores).items()}
        return dd.from_delayed(
            frames, meta=_as_frame(none, nothing, self._id_name), divisions=divisions
        )


class _FrameParts(NamedTuple):
    """What became of each chunk of frames, and the chunk, whose index the results get."""

    parts: list[Any]
    chunks: list[Any]


def _check_number_of_chunks(n_chunks: int, name: str, wanted: int) -> None:
    if n_chunks != wanted:
        raise ShapeError(
            f"{name} has {n_chunks} chunks, but pred_probs has {wanted}, and where they end is not "
            "known; take both from the same source, or call compute_chunk_sizes() of both"
        )


# --- Results, on the workers ---------------------------------------------------------------------


def _as_frame(part: dict[str, Any], chunk: _Chunk, id_name: str) -> Any:
    """Give the results of a chunk the index that it had."""
    import pandas as pd

    index = chunk.labels.index
    ids = {} if chunk.id is None else {id_name: np.asarray(chunk.id)}
    return pd.DataFrame(
        ids | {name: values for name, values in part.items() if name != _ROW}, index=index
    )


def _flagged(part: dict[str, Any], rank_by: Score) -> tuple[Any, Any]:
    return part[_ROW][part["is_issue"]], part[rank_by][part["is_issue"]]


def _flagged_of_frame(part: dict[str, Any], chunk: _Chunk, id_name: str) -> Any:
    return _as_frame(part, chunk, id_name)[part["is_issue"]]


def _worst_first(flagged: list[tuple[Any, Any]]) -> tuple[Any, Any]:
    rows, scores = (np.concatenate(parts) for parts in zip(*flagged, strict=True))
    return rows, np.lexsort([rows, scores])


def _worst_rows(flagged: list[tuple[Any, Any]]) -> Any:
    rows, order = _worst_first(flagged)
    return rows[order]


def _worst_of_frames(flagged: list[tuple[Any, Any]], frames: list[Any]) -> Any:
    import pandas as pd

    _, order = _worst_first(flagged)
    return pd.concat(frames).iloc[order]
