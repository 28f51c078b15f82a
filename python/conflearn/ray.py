"""Label issues of a Ray Data set, which lies on a cluster and goes through it block by block.

Only states of some kilobytes leave the workers, and for ``noise_floor`` a sample of up to 10,000
rows. The results are a data set, too: it is computed when it is read, and no column of it is ever
on one machine unless somebody asks for that.

Order does not exist among the blocks of a data set. Filters that take the worst of many, and of
equally bad labels the lower row, want a column that numbers the rows. With the numbers 0 to N - 1
of the same rows in memory, the answers are those of `conflearn.find_label_issues` and
`conflearn.analyze`, to the bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Unpack

from conflearn import arrow, passes
from conflearn._coerce import one_of
from conflearn._names import SCORES, Kind, Score
from conflearn.errors import InputTypeError, MissingDependencyError, OptionError, ShapeError
from conflearn.states import Rule
from conflearn.topk import TopK

__all__ = ["Analysis", "analyze", "find_label_issues"]


@dataclass(frozen=True, eq=False, repr=False)
class Analysis(passes.Findings):
    """What `analyze` finds.

    What is known about all rows together is here: ``thresholds``, ``num_issues``,
    ``confident_joint``, ``joint``, ``noise_model``, ``health``, see `conflearn.passes.Findings`.
    What is known about each row is in a data set.

    Attributes
    ----------
    results : ray.data.Dataset
        A row for each of the input, in no order: its id, the columns to keep, ``is_issue``,
        ``suggested_label`` and the scores. Computed when it is read, each time anew; what
        ``results.materialize()`` returns is kept by the cluster.
    rank_by : str
        The score by which `issues` are ordered.
    """

    results: Any
    rank_by: Score
    _id: str | None

    def issues(self) -> Any:
        """Compute the flagged rows of `results`, the worst first; of equals, the lower id.

        Returns
        -------
        ray.data.Dataset
            In one block: a worker has to hold what is flagged, but the others never leave theirs.
        """
        import ray

        flagged = self.results.map_batches(
            _only_flagged, batch_size=None, batch_format="pyarrow", zero_copy_batch=True
        )
        by = [self.rank_by] if self._id is None else [self.rank_by, self._id]
        # Dataset.sort starts so much for its shuffle that it takes half a minute on a laptop.
        sort = ray.remote(_worst_first)
        return ray.data.from_arrow_refs([sort.remote(by, *flagged.to_arrow_refs())])


def find_label_issues(
    dataset: Any,
    *,
    labels: str = "label",
    pred_probs: str | Sequence[str] | TopK = "pred_probs",
    id: str | None = None,  # noqa: A002 - what such a column is called
    keep: Sequence[str] = (),
    classes: Sequence[object] | None = None,
    n_classes: int | None = None,
    n_threads: int | None = None,
    **options: Unpack[passes.Options],
) -> Any:
    """Flag the rows whose given label is likely wrong.

    Parameters
    ----------
    dataset : ray.data.Dataset
        It is read once in each pass: none for ``filter_by="predicted_neq_given"``, one for
        ``confident_learning`` and ``relative_confidence``, three for ``noise_floor`` and ``auto``,
        three or more for others. Results are computed from another one, of the ids alone where a
        filter that takes the worst of many flags no more than a million rows. Rows must be the same
        each time.
    labels, pred_probs : str
        Its columns: the given labels, whole numbers 0..K-1 or names together with `classes`; and
        the out-of-sample predicted probabilities, as tensors or lists of K numbers. For a column a
        class pass the list of their names; for the largest of each row alone, in two columns of
        lists, ``conflearn.TopK("classes", "values", n_classes=K)``. Tensors and lists are read
        where they lie.
    id : str, optional
        A column of whole numbers, at least 0, each its own. Needed by all filters but
        ``confident_learning``, ``predicted_neq_given`` and ``relative_confidence``.
    keep : sequence of str
        Columns that the results shall have, too.
    classes : sequence of K names, optional
        What the columns of `pred_probs` stand for, when labels are names.
    n_classes : int, optional
        K. By default it is seen from a row, which the data set has to be started for.
    n_threads : int, optional
        Number of threads, and of CPUs that a task asks for. By default Ray decides: one.
    **options
        ``filter_by``, ``frac_noise``, ``num_to_remove_per_class``, ``min_examples_per_class``,
        ``confident_joint``, ``cut``, ``kind``, ``temperature``, ``class_bias``, as in
        `conflearn.find_label_issues`.

    Returns
    -------
    ray.data.Dataset
        A row for each of the input, in no order: its id, the columns to keep, and ``is_issue``.
        Computed when it is read.

    Raises
    ------
    InputError
        If there is no such column, or a label or a probability is out of range, or two rows are
        seen to have the same id.
    OptionError
        If there is no such filter, or it does not use an option that was given, or it needs `id`.
    MissingDependencyError
        If Ray is not installed.

    Examples
    --------
    >>> import ray, conflearn.ray
    >>> dataset = ray.data.from_items([
    ...     {"id": 0, "label": 0, "pred_probs": [0.9, 0.1]},
    ...     {"id": 1, "label": 0, "pred_probs": [0.8, 0.2]},
    ...     {"id": 2, "label": 0, "pred_probs": [0.2, 0.8]},
    ...     {"id": 3, "label": 1, "pred_probs": [0.3, 0.7]},
    ... ])
    >>> issues = conflearn.ray.find_label_issues(dataset, id="id")
    >>> [row["id"] for row in issues.iter_rows() if row["is_issue"]]
    [2]
    """
    layout = arrow.Layout(labels, pred_probs, id, keep, classes)
    blocks = _Blocks.read(dataset, layout, n_threads, options)
    n_classes = blocks.n_classes() if n_classes is None else n_classes
    return blocks.flag(passes.find_rule(blocks.reduce, n_classes, **options))


def analyze(
    dataset: Any,
    *,
    labels: str = "label",
    pred_probs: str | Sequence[str] | TopK = "pred_probs",
    id: str | None = None,  # noqa: A002 - what such a column is called
    keep: Sequence[str] = (),
    rank_by: Score = "self_confidence",
    classes: Sequence[object] | None = None,
    n_classes: int | None = None,
    n_threads: int | None = None,
    **options: Unpack[passes.Options],
) -> Analysis:
    """Find, score and count label issues.

    Parameters
    ----------
    dataset, labels, pred_probs, id, keep, classes, n_classes, n_threads, **options
        As in `find_label_issues`. All filters take two passes or more, and another one for the
        results.
    rank_by : str, default "self_confidence"
        The score to order `Analysis.issues` by, see `conflearn.label_quality_scores`; lower is
        worse, ties go to the lower id.

    Returns
    -------
    Analysis
        With ``results``, ``issues()``, ``thresholds``, ``num_issues``, ``confident_joint``,
        ``joint``, ``noise_model`` and ``health``.

    Raises
    ------
    InputError, OptionError, MissingDependencyError
        As in `find_label_issues`.

    Examples
    --------
    >>> import ray, conflearn.ray
    >>> dataset = ray.data.from_items([
    ...     {"id": 0, "label": 0, "pred_probs": [0.9, 0.1]},
    ...     {"id": 1, "label": 0, "pred_probs": [0.8, 0.2]},
    ...     {"id": 2, "label": 0, "pred_probs": [0.2, 0.8]},
    ...     {"id": 3, "label": 1, "pred_probs": [0.3, 0.7]},
    ... ])
    >>> analysis = conflearn.ray.analyze(dataset, id="id")
    >>> analysis.num_issues
    1
    >>> analysis.issues().select_columns(["id", "suggested_label"]).take_all()
    [{'id': 2, 'suggested_label': 1}]
    """
    score = one_of(rank_by, SCORES, "rank_by")
    layout = arrow.Layout(labels, pred_probs, id, keep, classes)
    blocks = _Blocks.read(dataset, layout, n_threads, options)
    n_classes = blocks.n_classes() if n_classes is None else n_classes
    found = passes.analyze(blocks.reduce, n_classes, classes=classes, scores=[score], **options)
    results = blocks.apply(found.rule, scores=found.rule.scores)
    return Analysis(**vars(found), results=results, rank_by=rank_by, _id=id)


@dataclass(frozen=True)
class _Blocks:
    """The blocks of a data set, and what a worker has to know about them."""

    dataset: Any
    layout: arrow.Layout
    n_threads: int | None
    kind: Kind

    @classmethod
    def read(
        cls, dataset: Any, layout: arrow.Layout, n_threads: int | None, options: passes.Options
    ) -> "_Blocks":
        try:
            from ray.data import Dataset
        except ImportError as error:
            raise MissingDependencyError(
                'conflearn.ray needs Ray Data: pip install "conflearn[ray]"'
            ) from error
        if not isinstance(dataset, Dataset):
            raise InputTypeError(
                f"dataset must be a ray.data.Dataset, but is of type {type(dataset).__name__}; "
                "ray.data reads files and frames, for arrays there is conflearn itself"
            )
        filter_by = options.get("filter_by", "prune_by_noise_rate")
        if layout.id is None and filter_by not in passes.UNNUMBERED_FILTERS:
            raise OptionError(
                f"filter_by={filter_by!r} needs id, the name of a column that numbers the rows, to "
                "tell which of two equally bad labels to flag, or which rows to fit to; write such "
                "a column where rows are made or read, or choose one of "
                + ", ".join(passes.UNNUMBERED_FILTERS)
            )
        known = dataset.columns(fetch_if_missing=False)
        if known is not None:  # else the first worker looks
            layout.check(known)
        return cls(dataset, layout, n_threads, options.get("kind", "probabilities"))

    def n_classes(self) -> int:
        if isinstance(self.layout.pred_probs, TopK):
            return self.layout.pred_probs.n_classes
        if not isinstance(self.layout.pred_probs, str):
            return len(self.layout.pred_probs)
        for batch in self.dataset.limit(1).iter_batches(batch_size=None, batch_format="pyarrow"):
            if batch.num_rows:
                return self.layout.n_classes(batch, self.kind)
        raise ShapeError("dataset is empty; it must have at least one row")

    def reduce(self, state: Any) -> Any:
        arguments = {"state": state, "n_threads": self.n_threads}
        fed = self._map(arrow.feed, self.layout.read, **arguments)
        return arrow.merge(state, fed.iter_batches(batch_size=None, batch_format="pyarrow"))

    def apply(self, rule: Rule, **options: Any) -> Any:
        arguments = options | {"rule": rule, "n_threads": self.n_threads}
        return self._map(arrow.apply, self.layout.needed, **arguments)

    def flag(self, rule: Rule) -> Any:
        if rule.flagged_rows is None:
            return self.apply(rule)
        return self._map(arrow.flag, self.layout.repeated, rule=rule)

    def _map(self, function: Any, names: Sequence[str], **arguments: Any) -> Any:
        cpus = {} if self.n_threads is None else {"num_cpus": self.n_threads}
        arguments |= {"layout": self.layout}
        return self.dataset.select_columns(list(names)).map_batches(
            _of_one_batch,
            fn_args=(function, arguments),
            batch_size=None,  # a block as it lies, which is not copied
            batch_format="pyarrow",
            zero_copy_batch=True,
            **cpus,
        )


def _of_one_batch(batch: Any, function: Any, arguments: dict[str, Any]) -> Any:
    yield from function([batch], **arguments)


def _only_flagged(batch: Any) -> Any:
    return batch.filter(batch.column(arrow.FLAG))


def _worst_first(by: Sequence[str], *blocks: Any) -> Any:
    flagged = import_module("pyarrow").concat_tables(blocks)
    return flagged.sort_by([(name, "ascending") for name in by])
