"""Data in which an example may have any number of classes: cleanlab's package of that name.

Labels hold a list of classes for each example, as in cleanlab, or come in one of the other forms
that `conflearn.multilabel` reads: an (N, K) array, frame or sparse matrix of zeros and ones.
"""

from conflearn.cleanlab.multilabel_classification import (
    dataset,
    filter,  # noqa: A004 - cleanlab's own name for it
    rank,
)
from conflearn.cleanlab.multilabel_classification.rank import get_label_quality_scores

__all__ = ["dataset", "filter", "get_label_quality_scores", "rank"]
