"""From whatever the caller has to the few kinds of array that the core reads.

This is the only place in the package that converts or copies what the caller passed. Below it
there are, and nothing else has to be thought of:

==================  =========================================================================
``pred_probs``      2-D view, float16, float32, float64, or uint16 holding bfloat16 bits;
                    native byte order, any strides, alignment and writability; or, where it
                    is sparse, such values beside class numbers of any native integer dtype
``labels``          1-D, any native integer dtype
``mask``            1-D bool
tags                starts and class numbers as int64, or a 2-D view of zeros and ones
per-class numbers   contiguous, aligned float64, or int64 where they are counts
==================  =========================================================================

Shapes, dtypes and missing entries are settled here. The *values* of the matrix and the range of
the labels are not looked at: the core does that while it reads them, so that checking costs no
pass of its own.

No other library is imported. An object of a class can exist only if its library is loaded, so
looking into ``sys.modules`` is enough to recognise it.

One module for each noun: ``matrix``, ``sparse``, ``labels``, ``tags``, ``mask``, ``per_class``,
``options``; ``column`` reads what labels and masks share, ``objects`` what all of them share,
``copies`` gives notice, ``blocks`` knows where the rows of a block begin.
"""

from conflearn._coerce.blocks import as_block
from conflearn._coerce.labels import (
    NamedLabels,
    as_class_names,
    as_labels,
    as_named_labels,
    checked_columns,
    first_out_of_range,
)
from conflearn._coerce.mask import as_mask
from conflearn._coerce.matrix import as_pred_probs, widened
from conflearn._coerce.options import (
    MAX_THREADS,
    as_bool,
    as_count,
    as_n_threads,
    as_positive,
    as_share,
    one_of,
)
from conflearn._coerce.per_class import (
    as_class_bias,
    as_floats,
    as_joint,
    as_joints,
    as_noise_matrix,
    as_num_to_remove,
    as_per_class,
    as_prior,
    as_tag_removals,
    as_tag_thresholds,
    as_thresholds,
)
from conflearn._coerce.sparse import (
    CompressedRows,
    Matrix,
    as_joint_rows,
    as_sparse,
    readable_again,
)
from conflearn._coerce.tags import TagRows, Tags, as_tags

__all__ = [
    "MAX_THREADS",
    "CompressedRows",
    "Matrix",
    "NamedLabels",
    "TagRows",
    "Tags",
    "as_block",
    "as_bool",
    "as_class_bias",
    "as_class_names",
    "as_count",
    "as_floats",
    "as_joint",
    "as_joint_rows",
    "as_joints",
    "as_labels",
    "as_mask",
    "as_n_threads",
    "as_named_labels",
    "as_noise_matrix",
    "as_num_to_remove",
    "as_per_class",
    "as_positive",
    "as_pred_probs",
    "as_prior",
    "as_share",
    "as_sparse",
    "as_tag_removals",
    "as_tag_thresholds",
    "as_tags",
    "as_thresholds",
    "checked_columns",
    "first_out_of_range",
    "one_of",
    "readable_again",
    "widened",
]
