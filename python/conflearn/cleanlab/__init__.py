"""cleanlab's functions, for code written for cleanlab: change the import line and nothing else.

``from cleanlab.filter import find_label_issues`` becomes
``from conflearn.cleanlab.filter import find_label_issues``. These modules hold every public name of
cleanlab 2.9.0's modules of the same name, with its signatures, defaults, return types, warnings and
types of error, and on float64 data with its answers:

============================  =======================================================
`benchmarking`                noise for experiments: `noise_generation`
`classification`              `CleanLearning`; needs scikit-learn and pandas
`count`                       joints, thresholds, noise matrices, numbers of issues
`dataset`                     health of a data set; needs pandas
`experimental`                data larger than memory: `label_issues_batched`
`filter`                      which labels are wrong
`rank`                        how good each label is
`multilabel_classification`   the same of multi-label data: `filter`, `rank`, and
                              `dataset`, which needs pandas
`internal.multilabel_utils`   between the forms of multi-label data
============================  =======================================================

For everything new there is `conflearn` itself.

What differs, on purpose (docs/method.md has the names of the tests that show both sides):

- ties go to the lower index, where cleanlab's order depends on the CPU;
- NaN is refused, naming row and column; a function that reads only some of the cells, such as
  those of the given classes, checks those it reads;
- probabilities may come in any form that `conflearn` reads, labels as whole floats or a frame;
- cells of float32 and float16 are taken at their exact values and computed with in float64, so
  thresholds and scores are float64 whatever the matrix is; scores are clipped to [0, 1];
- a row of almost no entropy has nearly the best entropy score, not the worst;
- a noise matrix without an inverse is an `OptionError` that is a ``LinAlgError`` too;
- a joint, mask or option that makes no sense is refused by name, where cleanlab computes with it
  or crashes; so is a matrix of one column;
- `n_jobs` is a number of threads, no processes are started, and nothing is kept after the call; so
  the warnings about classes with too few examples always reach the caller;
- the functions of `dataset` work on a joint alone;
- the default of `clf` is None, which stands for ``LogisticRegression()``;
- `CleanLearning` estimates anew in each call, and writes to nothing that it is passed;
- ``low_memory=True`` flags what ``filter_by="low_self_confidence"`` does, exactly;
- batches give the answers of all data at once, sorted as documented, and nothing is copied;
- multi-label data may come as an array, frame or sparse matrix of zeros and ones, and may have a
  tag that every example has, or none.
"""

from importlib import import_module
from types import ModuleType

from conflearn.cleanlab import (
    benchmarking,
    count,
    dataset,
    filter,  # noqa: A004 - cleanlab's own name for it
    rank,
)

__all__ = ["benchmarking", "count", "dataset", "filter", "rank"]

#: What has more to import than numpy is imported when it is asked for.
_LATER = ("classification", "experimental", "internal", "multilabel_classification")


def __getattr__(name: str) -> ModuleType:
    if name in _LATER:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
