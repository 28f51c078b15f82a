"""Dataset health: the share of right labels, the noise of each class, how far two classes overlap.

Every function takes a joint of counts, `joint[given, true]`, which is calibrated already.
"""

import numpy as np


def health_score(num_issues: int, n_examples: int) -> float:
    """The share of labels that are right."""
    return 1 - num_issues / n_examples


def num_issues_of_joint(joint: np.ndarray) -> int:
    """What lies off the diagonal, rounded."""
    return int(np.rint(joint.sum() - joint.trace()))


def class_table(joint: np.ndarray) -> list[dict]:
    """What is wrong in each class, the least label quality first; of equals, the lower class."""
    rows = []
    for k in range(len(joint)):
        given, true, right = joint[k].sum(), joint[:, k].sum(), joint[k, k]
        noise = (given - right) / given if given > 0 else 0.0
        rows.append(
            {
                "class_index": k,
                "label_issues": np.rint(given - right),
                "inverse_label_issues": np.rint(true - right),
                "label_noise": noise,
                "inverse_label_noise": (true - right) / true if true > 0 else 0.0,
                "label_quality": 1 - noise,
            }
        )
    return sorted(rows, key=lambda row: row["label_quality"])  # stable


def overlapping_classes(joint: np.ndarray, *, directed: bool = False) -> list[tuple]:
    """(a, b, count) of all pairs that overlap, the most first; of equals, the lower classes."""
    n_classes = len(joint)
    pairs = []
    for a in range(n_classes):
        for b in range(n_classes):
            if directed and a != b:
                pairs.append((a, b, joint[a, b]))
            elif not directed and a < b:
                pairs.append((a, b, joint[a, b] + joint[b, a]))
    return sorted((pair for pair in pairs if pair[2] > 0), key=lambda pair: -pair[2])
