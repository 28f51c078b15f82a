"""What cleanlab's tutorials take from its internals: `multilabel_utils`, and nothing else."""

from conflearn.cleanlab.internal import multilabel_utils

__all__ = ["multilabel_utils"]
