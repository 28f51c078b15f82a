"""The oracle: what every number means, in a few lines of numpy each, written to be read.

Plain float64 arithmetic, stable orders (ties go to the lower index), loops where they are
clearer. Every function takes integer `labels` (N,) and float64 `pred_probs` (N, K) that are
already known to be valid. Functions that depend on the thresholds take them as an argument, so
that a test can ask for equality to the bit without depending on how a mean was added up.

`several` names the rule for an example that is confident in several classes: `"confident"`
(the paper: the most probable of them) or `"row_argmax"` (cleanlab: the argmax of the whole row).
"""

from reference.analysis import suggested_labels
from reference.health import (
    class_table,
    health_score,
    num_issues_of_joint,
    overlapping_classes,
)
from reference.issues import (
    agrees_with_given,
    find_label_issues,
    num_label_issues,
    order_label_issues,
    prune_counts,
)
from reference.joint import (
    calibrate_confident_joint,
    class_counts,
    confident_joint,
    estimate_joint,
    guesses,
    off_diagonal_examples,
    round_row,
)
from reference.judges import noise_floor, relative_confidence
from reference.noise import (
    joint_counts,
    learnable_classes,
    pair_noise_matrix,
    points_with_sum,
    uniform_noise_matrix,
)
from reference.noise_model import NoiseModel, estimate_noise_model
from reference.quality import label_quality_scores
from reference.thresholds import confident_thresholds
from reference.weights import sample_weights

__all__ = [
    "NoiseModel",
    "agrees_with_given",
    "calibrate_confident_joint",
    "class_counts",
    "class_table",
    "confident_joint",
    "confident_thresholds",
    "estimate_joint",
    "estimate_noise_model",
    "find_label_issues",
    "guesses",
    "health_score",
    "joint_counts",
    "label_quality_scores",
    "learnable_classes",
    "noise_floor",
    "num_issues_of_joint",
    "num_label_issues",
    "off_diagonal_examples",
    "order_label_issues",
    "overlapping_classes",
    "pair_noise_matrix",
    "points_with_sum",
    "prune_counts",
    "relative_confidence",
    "round_row",
    "sample_weights",
    "suggested_labels",
    "uniform_noise_matrix",
]
