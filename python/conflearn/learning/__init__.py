"""Learning with noisy labels: from any classifier to one that is not misled by them.

================  ===========================================================================
``folds``         which examples are held out together, and what becomes of rare classes
``learner``       a classifier fitted on some rows, with an answer for every class
``probabilities`` out-of-sample probabilities from both: `cross_val_pred_probs`
``estimator``     the scikit-learn estimator that finds, prunes, weighs and fits: `CleanLearning`
================  ===========================================================================

Everything here stands on scikit-learn, which the rest of the package does without; so it is
imported when one of its names is asked for. The finding is `conflearn.analyze`, the weights are
`conflearn.sample_weights`.
"""

from conflearn.errors import MissingDependencyError

try:
    from conflearn.learning.estimator import CleanLearning
    from conflearn.learning.probabilities import cross_val_pred_probs
except ImportError as error:
    if isinstance(error, MissingDependencyError) or (error.name or "").split(".")[0] == "conflearn":
        raise
    raise MissingDependencyError(
        "CleanLearning and cross_val_pred_probs need scikit-learn 1.6 or later: "
        'pip install "conflearn[learn]"'
    ) from error

__all__ = ["CleanLearning", "cross_val_pred_probs"]
