"""Multi-label data: each example has any number of tags, and each of them may be wrong or missing.

A class is a question of its own, "has the example this tag?", and is looked at as two classes are
elsewhere in conflearn: without the tag (0) and with it (1), of the probabilities 1 - p and p. An
example has an issue if any class has one.

=================================  =====================================================
`find_label_issues`                which examples have a wrong tag, or lack one, as a mask
`rank_label_issues`                the same, the worst first
`find_label_issues_per_class`      which tags are wrong or missing, as a mask
`locate_label_issues`              the same, as rows and classes
`label_quality_scores`             a score for each example
`label_quality_scores_per_class`   a score for each class of each example
`num_label_issues`                 how many examples have an issue
`num_label_issues_per_class`       how many tags of each class are wrong, or missing
`confident_thresholds`             how sure the model usually is, without and with each tag
`confident_joint`                  counts by given and confidently true side of each class
`calibrate_confident_joint`        such counts, scaled to the tags
`estimate_joint`                   the joint distribution of each class
`dataset_health`                   which tags are most often wrong or missing, and a score for all
=================================  =====================================================

``labels`` comes in one of these forms:

- a list with a list of classes for each example: ``[[0, 2], [], [1]]``. They are column numbers, or
  names together with ``classes``;
- an (N, K) array or frame of zeros and ones (or bools), or a scipy sparse matrix of them.

Both may lie in files and tables, or come in batches: see `find_label_issues`. What each pass over
batches leaves is in `conflearn.multilabel.states`.

>>> from conflearn import multilabel
>>> labels = [["cat"], ["cat"], ["cat", "dog"], ["dog"], [], []]
>>> pred_probs = [[0.9, 0.1], [0.8, 0.2], [0.9, 0.8], [0.2, 0.9], [0.1, 0.9], [0.1, 0.1]]
>>> multilabel.rank_label_issues(labels, pred_probs, classes=["cat", "dog"])
array([4])
"""

from conflearn.multilabel.health import TagHealth, dataset_health
from conflearn.multilabel.issues import (
    find_label_issues,
    find_label_issues_per_class,
    locate_label_issues,
    num_label_issues,
    num_label_issues_per_class,
    rank_label_issues,
)
from conflearn.multilabel.joint import calibrate_confident_joint, confident_joint, estimate_joint
from conflearn.multilabel.quality import label_quality_scores, label_quality_scores_per_class
from conflearn.multilabel.thresholds import confident_thresholds

__all__ = [
    "TagHealth",
    "calibrate_confident_joint",
    "confident_joint",
    "confident_thresholds",
    "dataset_health",
    "estimate_joint",
    "find_label_issues",
    "find_label_issues_per_class",
    "label_quality_scores",
    "label_quality_scores_per_class",
    "locate_label_issues",
    "num_label_issues",
    "num_label_issues_per_class",
    "rank_label_issues",
]
