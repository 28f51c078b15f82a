"""The compiled core. Arrays are those that `conflearn._coerce` prepares."""

from os import PathLike
from typing import Any, ClassVar, Protocol, TypeAlias, final

import numpy as np
import numpy.typing as npt

from conflearn._coerce.sparse import CompressedRows
from conflearn._coerce.tags import Tags
from conflearn._names import (
    Adjust,
    Aggregate,
    ClassicFilter,
    Filter,
    JudgeName,
    Kind,
    Layout,
    PriorMethod,
    Score,
    Several,
    Spread,
)
from conflearn.topk import TopK

__all__ = [
    "Analysis",
    "CheckState",
    "Cuts",
    "File",
    "FileRows",
    "JointState",
    "Judge",
    "Look",
    "Sample",
    "SampleState",
    "SelectionState",
    "TagCuts",
    "TagJointState",
    "TagRule",
    "TagSelectionState",
    "TagThresholdState",
    "ThresholdState",
    "accuracy",
    "analyze",
    "calibrate_confident_joint",
    "calibrate_confident_joint_rows",
    "confident_thresholds",
    "count_confident",
    "count_confident_rows",
    "count_confident_tags",
    "dataset_health",
    "default_n_threads",
    "estimate_noise_model",
    "estimate_noise_model_rows",
    "find_label_issues",
    "find_tag_issues",
    "find_tag_issues_per_class",
    "label_counts",
    "label_quality_scores",
    "num_label_issues",
    "num_off_diagonal",
    "num_tag_issues",
    "off_diagonal_examples",
    "order_label_issues",
    "prune_counts",
    "rank_label_issues",
    "rank_tag_issues",
    "round_preserving_row_totals",
    "simd_level",
    "tag_counts",
    "tag_quality_scores",
    "tag_quality_scores_per_class",
    "tag_thresholds",
]

_Matrix: TypeAlias = npt.NDArray[Any] | TopK | CompressedRows | FileRows
#: Where rows start, columns, counts.
_CountRows: TypeAlias = tuple[
    npt.NDArray[np.int64], npt.NDArray[np.uint32], npt.NDArray[np.float64]
]

class _PredProbs(Protocol):
    @property
    def members(self) -> tuple[_Matrix, ...]: ...
    @property
    def weights(self) -> tuple[float, ...]: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def temperature(self) -> float: ...
    @property
    def class_bias(self) -> npt.NDArray[np.float64] | None: ...

class _Options(Protocol):
    @property
    def filter_by(self) -> Filter: ...
    @property
    def frac_noise(self) -> float: ...
    @property
    def num_to_remove_per_class(self) -> npt.NDArray[np.int64] | None: ...
    @property
    def min_examples_per_class(self) -> int: ...
    @property
    def confident_joint(self) -> npt.NDArray[np.float64] | CompressedRows | None: ...
    @property
    def prune_counts(self) -> npt.NDArray[np.int64] | None: ...
    @property
    def several(self) -> Several: ...
    @property
    def cut(self) -> float: ...
    @property
    def judges(self) -> tuple[Judge, ...]: ...

class _TagOptions(Protocol):
    @property
    def filter_by(self) -> Filter: ...
    @property
    def frac_noise(self) -> float: ...
    @property
    def num_to_remove_per_class(self) -> npt.NDArray[np.int64] | None: ...
    @property
    def min_examples_per_class(self) -> int: ...
    @property
    def confident_joint(self) -> npt.NDArray[np.float64] | CompressedRows | None: ...
    @property
    def prune_counts(self) -> npt.NDArray[np.int64] | None: ...
    @property
    def several(self) -> Several: ...

class _AggregateOption(Protocol):
    @property
    def name(self) -> Aggregate: ...
    @property
    def parameter(self) -> float: ...

@final
class Analysis:
    @property
    def mask(self) -> npt.NDArray[np.bool_]: ...
    @property
    def ranked(self) -> npt.NDArray[np.int64]: ...
    @property
    def self_confidence(self) -> npt.NDArray[np.float64]: ...
    @property
    def normalized_margin(self) -> npt.NDArray[np.float64]: ...
    @property
    def confidence_weighted_entropy(self) -> npt.NDArray[np.float64]: ...
    @property
    def judged(self) -> list[tuple[JudgeName, npt.NDArray[np.float64]]]: ...
    @property
    def suggested_labels(self) -> npt.NDArray[np.int64]: ...
    @property
    def thresholds(self) -> npt.NDArray[np.float64]: ...
    @property
    def given_counts(self) -> npt.NDArray[np.int64]: ...
    @property
    def joint_starts(self) -> npt.NDArray[np.int64]: ...
    @property
    def joint_columns(self) -> npt.NDArray[np.uint32]: ...
    @property
    def joint_counts(self) -> npt.NDArray[np.float64]: ...
    @property
    def num_issues(self) -> int: ...
    @property
    def checks(self) -> CheckState: ...

def accuracy(
    labels: npt.NDArray[Any],
    pred_probs: _Matrix | _PredProbs,
    n_threads: int | None,
) -> float: ...
def analyze(
    labels: npt.NDArray[Any],
    pred_probs: _Matrix | _PredProbs,
    options: _Options,
    rank_by: Score,
    n_threads: int | None,
) -> Analysis: ...
def calibrate_confident_joint(
    confident_joint: npt.NDArray[np.float64],
    counts: npt.NDArray[np.int64],
    layout: Layout,
) -> npt.NDArray[np.int64]: ...
def calibrate_confident_joint_rows(
    confident_joint: npt.NDArray[np.float64] | CompressedRows,
    counts: npt.NDArray[np.int64],
    layout: Layout,
) -> _CountRows: ...
def confident_thresholds(
    labels: npt.NDArray[Any],
    pred_probs: _Matrix | _PredProbs,
    n_threads: int | None,
) -> npt.NDArray[np.float64]: ...
def count_confident(
    labels: npt.NDArray[Any],
    pred_probs: _Matrix | _PredProbs,
    thresholds: npt.NDArray[np.float64] | None,
    calibrate: bool,
    several: Several,
    n_threads: int | None,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]: ...
def count_confident_rows(
    labels: npt.NDArray[Any],
    pred_probs: _Matrix | _PredProbs,
    thresholds: npt.NDArray[np.float64] | None,
    calibrate: bool,
    several: Several,
    n_threads: int | None,
) -> tuple[_CountRows, npt.NDArray[np.int64]]: ...
def dataset_health(
    labels: npt.NDArray[Any],
    pred_probs: _Matrix | _PredProbs,
    several: Several,
    n_threads: int | None,
) -> tuple[
    npt.NDArray[np.int64],
    npt.NDArray[np.uint32],
    npt.NDArray[np.float64],
    npt.NDArray[np.int64],
    int,
]: ...
def default_n_threads() -> int: ...
def estimate_noise_model(
    confident_joint: npt.NDArray[np.float64],
    counts: npt.NDArray[np.int64],
    prior_method: PriorMethod,
    converge: bool,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]: ...
def estimate_noise_model_rows(
    confident_joint: npt.NDArray[np.float64] | CompressedRows,
    counts: npt.NDArray[np.int64],
    prior_method: PriorMethod,
    converge: bool,
) -> tuple[
    npt.NDArray[np.float64],
    npt.NDArray[np.int64],
    npt.NDArray[np.uint32],
    npt.NDArray[np.float64],
    npt.NDArray[np.float64],
]: ...
def find_label_issues(
    labels: npt.NDArray[Any],
    pred_probs: _Matrix | _PredProbs,
    options: _Options,
    n_threads: int | None,
) -> npt.NDArray[np.bool_]: ...
def label_counts(labels: npt.NDArray[Any], n_classes: int) -> npt.NDArray[np.int64]: ...
def label_quality_scores(
    labels: npt.NDArray[Any],
    pred_probs: _Matrix | _PredProbs,
    method: Score,
    adjust: Adjust,
    thresholds: npt.NDArray[np.float64] | None,
    first_row: int,
    n_threads: int | None,
    judge: Judge | None = None,
) -> npt.NDArray[np.float64]: ...
def num_label_issues(
    labels: npt.NDArray[Any],
    pred_probs: _Matrix | _PredProbs,
    calibrated: bool,
    several: Several,
    n_threads: int | None,
) -> int: ...
def num_off_diagonal(
    confident_joint: npt.NDArray[np.float64] | CompressedRows,
    counts: npt.NDArray[np.int64],
) -> int: ...
def off_diagonal_examples(
    labels: npt.NDArray[Any],
    pred_probs: _Matrix | _PredProbs,
    thresholds: npt.NDArray[np.float64] | None,
    several: Several,
    n_threads: int | None,
) -> npt.NDArray[np.int64]: ...
def order_label_issues(
    mask: npt.NDArray[np.bool_],
    labels: npt.NDArray[Any],
    pred_probs: _Matrix | _PredProbs,
    rank_by: Score,
    adjust: Adjust,
    n_threads: int | None,
    judge: Judge | None = None,
) -> npt.NDArray[np.int64]: ...
def prune_counts(
    confident_joint: npt.NDArray[np.float64],
    min_examples_per_class: int,
    frac_noise: float,
    spread: Spread,
) -> npt.NDArray[np.int64]: ...
def rank_label_issues(
    labels: npt.NDArray[Any],
    pred_probs: _Matrix | _PredProbs,
    options: _Options,
    rank_by: Score,
    n_threads: int | None,
) -> npt.NDArray[np.int64]: ...
def round_preserving_row_totals(
    matrix: npt.NDArray[np.float64],
) -> npt.NDArray[np.int64]: ...
def simd_level() -> str: ...
def count_confident_tags(
    labels: Tags,
    pred_probs: _Matrix | _PredProbs,
    thresholds: npt.NDArray[np.float64] | None,
    calibrate: bool,
    several: Several,
    n_threads: int | None,
) -> npt.NDArray[np.int64]: ...
def find_tag_issues(
    labels: Tags,
    pred_probs: _Matrix | _PredProbs,
    options: _TagOptions,
    n_threads: int | None,
) -> npt.NDArray[np.bool_]: ...
def find_tag_issues_per_class(
    labels: Tags,
    pred_probs: _Matrix | _PredProbs,
    options: _TagOptions,
    n_threads: int | None,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32], npt.NDArray[np.bool_]]: ...
def num_tag_issues(
    labels: Tags,
    pred_probs: _Matrix | _PredProbs,
    n_threads: int | None,
) -> npt.NDArray[np.int64]: ...
def rank_tag_issues(
    labels: Tags,
    pred_probs: _Matrix | _PredProbs,
    options: _TagOptions,
    rank_by: Score,
    aggregate: _AggregateOption,
    n_threads: int | None,
) -> npt.NDArray[np.int64]: ...
def tag_counts(labels: Tags, n_classes: int) -> npt.NDArray[np.int64]: ...
def tag_quality_scores(
    labels: Tags,
    pred_probs: _Matrix | _PredProbs,
    method: Score,
    adjust: Adjust,
    thresholds: npt.NDArray[np.float64] | None,
    aggregate: _AggregateOption,
    first_row: int,
    n_threads: int | None,
) -> npt.NDArray[np.float64]: ...
def tag_quality_scores_per_class(
    labels: Tags,
    pred_probs: _Matrix | _PredProbs,
    method: Score,
    adjust: Adjust,
    thresholds: npt.NDArray[np.float64] | None,
    first_row: int,
    n_threads: int | None,
) -> npt.NDArray[np.float64]: ...
def tag_thresholds(
    labels: Tags,
    pred_probs: _Matrix | _PredProbs,
    n_threads: int | None,
) -> npt.NDArray[np.float64]: ...

@final
class ThresholdState:
    def __new__(
        cls,
        n_classes: int,
        kind: Kind,
        temperature: float,
        class_bias: npt.NDArray[np.float64] | None,
    ) -> ThresholdState: ...
    @property
    def n_classes(self) -> int: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def temperature(self) -> float: ...
    @property
    def class_bias(self) -> npt.NDArray[np.float64] | None: ...
    def to_bytes(self) -> bytes: ...
    @staticmethod
    def from_bytes(data: bytes) -> ThresholdState: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment] # as of everything that can change
    @property
    def given_counts(self) -> npt.NDArray[np.int64]: ...
    def update(
        self,
        labels: npt.NDArray[Any],
        pred_probs: _Matrix | _PredProbs,
        first_row: int,
        n_threads: int | None,
    ) -> None: ...
    def merge(self, other: ThresholdState) -> None: ...
    def finish(self) -> npt.NDArray[np.float64]: ...

@final
class SampleState:
    def __new__(
        cls,
        n_classes: int,
        kind: Kind,
        temperature: float,
        class_bias: npt.NDArray[np.float64] | None,
        most: int,
    ) -> SampleState: ...
    @property
    def n_classes(self) -> int: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def temperature(self) -> float: ...
    @property
    def class_bias(self) -> npt.NDArray[np.float64] | None: ...
    def to_bytes(self) -> bytes: ...
    @staticmethod
    def from_bytes(data: bytes) -> SampleState: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment] # as of everything that can change
    @property
    def n_examples(self) -> int: ...
    def update(
        self,
        labels: npt.NDArray[Any],
        pred_probs: _Matrix | _PredProbs,
        rows: int | npt.NDArray[np.int64],
        n_threads: int | None,
    ) -> None: ...
    def merge(self, other: SampleState) -> None: ...
    def finish(self) -> Sample: ...

@final
class Sample:
    @property
    def n_rows(self) -> int: ...
    @property
    def least_given(self) -> float: ...
    def fit(self, n_threads: int) -> tuple[float, npt.NDArray[np.float64]]: ...
    def contradictions(
        self, temperature: float, class_bias: npt.NDArray[np.float64] | None
    ) -> tuple[float, float]: ...
    def reliability(
        self, temperature: float, class_bias: npt.NDArray[np.float64] | None
    ) -> tuple[float, npt.NDArray[np.uint64], npt.NDArray[np.float64], npt.NDArray[np.float64]]: ...

@final
class Look:
    def __new__(
        cls,
        labels: npt.NDArray[Any],
        pred_probs: _Matrix | _PredProbs,
        thresholds: npt.NDArray[np.float64] | None,
        several: Several,
        entropies: bool,
        first_row: int,
        n_threads: int | None,
        judges: list[Judge] = ...,
        sample_of: int | None = None,
    ) -> Look: ...
    @property
    def n_examples(self) -> int: ...
    def scores(self, method: Score) -> npt.NDArray[np.float64] | None: ...
    def mask(self, filter_by: Filter, cut: float = ...) -> npt.NDArray[np.bool_] | None: ...
    def most_probable_others(self) -> npt.NDArray[np.int64]: ...
    def believed_others(self, method: Score) -> npt.NDArray[np.int64] | None: ...

@final
class Judge:
    @staticmethod
    def relative_confidence(
        thresholds: npt.NDArray[np.float64],
        kind: Kind,
        temperature: float,
        class_bias: npt.NDArray[np.float64] | None,
    ) -> Judge: ...
    @staticmethod
    def noise_floor(
        joint: JointState,
        temperature: float,
        class_bias: npt.NDArray[np.float64],
        least_given: float,
    ) -> Judge: ...
    @property
    def n_classes(self) -> int: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def temperature(self) -> float: ...
    @property
    def class_bias(self) -> npt.NDArray[np.float64] | None: ...
    def to_bytes(self) -> bytes: ...
    @staticmethod
    def from_bytes(data: bytes) -> Judge: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment] # as of the other states
    @property
    def rule(self) -> JudgeName: ...
    @property
    def thresholds(self) -> npt.NDArray[np.float64] | None: ...

@final
class CheckState:
    def __new__(
        cls,
        n_classes: int,
        kind: Kind,
        temperature: float,
        class_bias: npt.NDArray[np.float64] | None,
    ) -> CheckState: ...
    @property
    def n_classes(self) -> int: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def temperature(self) -> float: ...
    @property
    def class_bias(self) -> npt.NDArray[np.float64] | None: ...
    def to_bytes(self) -> bytes: ...
    @staticmethod
    def from_bytes(data: bytes) -> CheckState: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment] # as of everything that can change
    def update(
        self,
        labels: npt.NDArray[Any],
        pred_probs: _Matrix | _PredProbs,
        rows: int | npt.NDArray[np.int64],
        n_threads: int | None,
    ) -> None: ...
    def add(self, look: Look) -> None: ...
    def merge(self, other: CheckState) -> None: ...
    @property
    def given_counts(self) -> npt.NDArray[np.int64]: ...
    def pairs(
        self,
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]: ...
    def bins(
        self,
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]: ...
    @property
    def self_confidence(self) -> float: ...
    @property
    def log_loss(self) -> float: ...
    def extremes(self) -> tuple[tuple[float, int], tuple[float, int]]: ...
    def cell_counts(self) -> tuple[int, int, int]: ...
    def class_means(self) -> npt.NDArray[np.float64]: ...
    def sums_off(self) -> tuple[list[int], list[int]]: ...
    def row_sums(self) -> tuple[tuple[float, int], tuple[float, int]] | None: ...
    def duplicates(
        self,
    ) -> tuple[int, int, int, int, int, int, list[tuple[int, int, int, int]]]: ...

@final
class JointState:
    def __new__(
        cls,
        thresholds: npt.NDArray[np.float64],
        kind: Kind,
        temperature: float,
        class_bias: npt.NDArray[np.float64] | None,
        several: Several,
    ) -> JointState: ...
    @property
    def n_classes(self) -> int: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def temperature(self) -> float: ...
    @property
    def class_bias(self) -> npt.NDArray[np.float64] | None: ...
    def to_bytes(self) -> bytes: ...
    @staticmethod
    def from_bytes(data: bytes) -> JointState: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment] # as of everything that can change
    @property
    def given_counts(self) -> npt.NDArray[np.int64]: ...
    @property
    def thresholds(self) -> npt.NDArray[np.float64]: ...
    @property
    def several(self) -> Several: ...
    @property
    def num_issues(self) -> int: ...
    @property
    def num_issues_calibrated(self) -> int: ...
    def add(self, look: Look) -> None: ...
    def merge(self, other: JointState) -> None: ...
    def joint(
        self, calibrate: bool
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32], npt.NDArray[np.float64]]: ...

@final
class Cuts:
    @property
    def n_classes(self) -> int: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def temperature(self) -> float: ...
    @property
    def class_bias(self) -> npt.NDArray[np.float64] | None: ...
    def to_bytes(self) -> bytes: ...
    @staticmethod
    def from_bytes(data: bytes) -> Cuts: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment] # as of everything that can change
    @staticmethod
    def plan(joint: JointState, options: _Options) -> Cuts: ...
    @property
    def filter_by(self) -> Filter: ...
    @property
    def is_done(self) -> bool: ...
    def close(self, selection: SelectionState) -> None: ...
    def decide(
        self,
        look: Look,
        labels: npt.NDArray[Any],
        pred_probs: _Matrix | _PredProbs,
        rows: int | npt.NDArray[np.int64],
        n_threads: int | None,
    ) -> npt.NDArray[np.int64]: ...

@final
class File:
    def __new__(cls, path: str | PathLike[str], name: str) -> File: ...
    def read(self, buffer: npt.NDArray[np.uint8], position: int, n_threads: int | None) -> None: ...

@final
class FileRows:
    def __new__(cls, file: File, position: int, shape: tuple[int, int], dtype: str) -> FileRows: ...
    @property
    def shape(self) -> tuple[int, int]: ...

@final
class SelectionState:
    def __new__(cls, cuts: Cuts, rank_by: Score, most: int) -> SelectionState: ...
    @property
    def n_classes(self) -> int: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def temperature(self) -> float: ...
    @property
    def class_bias(self) -> npt.NDArray[np.float64] | None: ...
    def to_bytes(self) -> bytes: ...
    @staticmethod
    def from_bytes(data: bytes) -> SelectionState: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment] # as of everything that can change
    @property
    def covers_all(self) -> bool: ...
    def update(
        self,
        labels: npt.NDArray[Any],
        pred_probs: _Matrix | _PredProbs,
        rows: int | npt.NDArray[np.int64],
        n_threads: int | None,
    ) -> None: ...
    def narrowed(self) -> SelectionState: ...
    def merge(self, other: SelectionState) -> None: ...
    def flagged(
        self,
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.int64]] | None: ...

@final
class TagThresholdState:
    def __new__(cls, n_classes: int, kind: Kind, temperature: float) -> TagThresholdState: ...
    @property
    def n_classes(self) -> int: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def temperature(self) -> float: ...
    @property
    def class_bias(self) -> npt.NDArray[np.float64] | None: ...
    def to_bytes(self) -> bytes: ...
    @staticmethod
    def from_bytes(data: bytes) -> TagThresholdState: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment] # as of everything that can change
    @property
    def n_examples(self) -> int: ...
    @property
    def given_counts(self) -> npt.NDArray[np.int64]: ...
    def update(
        self,
        labels: Tags,
        pred_probs: _Matrix | _PredProbs,
        first_row: int,
        n_threads: int | None,
    ) -> None: ...
    def merge(self, other: TagThresholdState) -> None: ...
    def finish(self) -> npt.NDArray[np.float64]: ...

@final
class TagJointState:
    def __new__(
        cls, thresholds: npt.NDArray[np.float64], kind: Kind, temperature: float
    ) -> TagJointState: ...
    @property
    def n_classes(self) -> int: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def temperature(self) -> float: ...
    @property
    def class_bias(self) -> npt.NDArray[np.float64] | None: ...
    def to_bytes(self) -> bytes: ...
    @staticmethod
    def from_bytes(data: bytes) -> TagJointState: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment] # as of everything that can change
    @property
    def n_examples(self) -> int: ...
    @property
    def given_counts(self) -> npt.NDArray[np.int64]: ...
    @property
    def thresholds(self) -> npt.NDArray[np.float64]: ...
    @property
    def num_issues(self) -> npt.NDArray[np.int64]: ...
    def update(
        self,
        labels: Tags,
        pred_probs: _Matrix | _PredProbs,
        first_row: int,
        n_threads: int | None,
    ) -> None: ...
    def merge(self, other: TagJointState) -> None: ...
    def joint(self, calibrate: bool, several: Several) -> npt.NDArray[np.int64]: ...

@final
class TagCuts:
    @property
    def n_classes(self) -> int: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def temperature(self) -> float: ...
    @property
    def class_bias(self) -> npt.NDArray[np.float64] | None: ...
    def to_bytes(self) -> bytes: ...
    @staticmethod
    def from_bytes(data: bytes) -> TagCuts: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment] # as of everything that can change
    @staticmethod
    def plan(joint: TagJointState, options: _TagOptions) -> TagCuts: ...
    @property
    def filter_by(self) -> ClassicFilter: ...
    @property
    def is_done(self) -> bool: ...
    def close(self, selection: TagSelectionState) -> None: ...

@final
class TagSelectionState:
    def __new__(
        cls, cuts: TagCuts, rank: tuple[Score, _AggregateOption] | None, most: int
    ) -> TagSelectionState: ...
    @property
    def n_classes(self) -> int: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def temperature(self) -> float: ...
    @property
    def class_bias(self) -> npt.NDArray[np.float64] | None: ...
    def to_bytes(self) -> bytes: ...
    @staticmethod
    def from_bytes(data: bytes) -> TagSelectionState: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment] # as of everything that can change
    @property
    def covers_all(self) -> bool: ...
    @property
    def is_ranked(self) -> bool: ...
    def update(
        self,
        labels: Tags,
        pred_probs: _Matrix | _PredProbs,
        rows: int | npt.NDArray[np.int64],
        n_threads: int | None,
    ) -> None: ...
    def merge(self, other: TagSelectionState) -> None: ...
    def flagged(
        self,
    ) -> (
        tuple[
            npt.NDArray[np.int64],
            npt.NDArray[np.int64],
            npt.NDArray[np.bool_],
            npt.NDArray[np.float64],
        ]
        | None
    ): ...

@final
class TagRule:
    def __new__(
        cls,
        n_classes: int,
        filter_by: Filter,
        thresholds: npt.NDArray[np.float64] | None,
        cuts: TagCuts | None,
        kind: Kind,
        temperature: float,
    ) -> TagRule: ...
    @property
    def n_classes(self) -> int: ...
    def apply(
        self,
        labels: Tags,
        pred_probs: _Matrix | _PredProbs,
        rows: int | npt.NDArray[np.int64],
        n_threads: int | None,
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]: ...
