"""Training on data some of whose labels are wrong: cleanlab's module of that name.

Unlike the rest of the layer, this module needs scikit-learn to be imported: `CleanLearning` is one
of its estimators. Its tables are frames of pandas.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import as_joint, as_mask, as_pred_probs
from conflearn._coerce.objects import BFLOAT16_BITS, is_a, read_array, spelled
from conflearn._warn import warn_caller
from conflearn.cleanlab._features import check_features, in_two_dimensions, rows_of
from conflearn.cleanlab._inputs import Labels, coerce_labels_alone, read_labels, refuse_one_class
from conflearn.cleanlab._latent import as_noise_matrix, noise_from_inverse, prior_and_inverse
from conflearn.cleanlab._optional import pandas, sklearn
from conflearn.cleanlab._sweeps import most_probable_classes
from conflearn.cleanlab.count import (
    compute_confident_joint,
    estimate_cv_predicted_probabilities,
    estimate_latent,
    estimate_py_and_noise_matrices_from_probabilities,
    estimate_py_noise_matrices_and_cv_pred_proba,
)
from conflearn.cleanlab.filter import find_label_issues
from conflearn.cleanlab.rank import get_label_quality_scores
from conflearn.errors import InputError, InputTypeError, LabelError, OptionError, ShapeError

__all__ = ["CleanLearning"]

Matrix: TypeAlias = npt.NDArray[Any]
Floats: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]
Kwargs: TypeAlias = Mapping[str, Any]

#: A base class is needed at once: without scikit-learn the import says what to install.
_BaseEstimator: Any = sklearn("base").BaseEstimator

_UNSUPPORTED = ["return_indices_ranked_by", "multi_label"]
#: Not the default of `find_label_issues`: a class keeps enough examples to be learned from.
_DEFAULTS: Kwargs = {"min_examples_per_class": 10}
#: No example weighs more than a thousand.
_LEAST_RATE = 1e-3


class CleanLearning(_BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Train any classifier as if the wrong labels had been left out.

    Same as cleanlab's class of that name, with its parameters, methods and attributes. `clf` is
    anything with ``fit``, ``predict`` and ``predict_proba`` as in scikit-learn; None means
    ``LogisticRegression()``. It is fitted in place, once the folds have been predicted by clones.

    `fit` predicts each example by a model that was not trained on it, finds label issues by these
    probabilities, and trains `clf` on the other examples: weighted by class to make up for what
    was taken out, if its ``fit`` takes a ``sample_weight``.

    Parameters
    ----------
    clf : classifier, optional
        The classifier to train.
    seed : int, optional
        For the folds. It also seeds numpy's global generator, from which classifiers without a
        ``random_state`` draw.
    cv_n_folds : int, default 5
        Number of folds.
    converge_latent_estimates : bool, default False
        Make prior and noise matrices agree.
    pulearning : {None, 0, 1}
        With two classes: the one that is known to hold no error.
    find_label_issues_kwargs : dict
        For `conflearn.cleanlab.filter.find_label_issues`. The default of ``min_examples_per_class``
        is 10 here.
    label_quality_scores_kwargs : dict
        For `conflearn.cleanlab.rank.get_label_quality_scores`.
    verbose : bool, default False
        Print what is done.
    low_memory : bool, default False
        Flag by ``filter_by="low_self_confidence"``, in which case no joint is estimated, and so no
        weights. (The other filters need little more memory here; cleanlab's do.)

    Attributes
    ----------
    label_issues_df : pandas.DataFrame or None
        What `find_label_issues` returns. `fit` may add the column ``sample_weight``.
    label_issues_mask : Series or ndarray of bool, or None
        Which labels are issues.
    confident_joint, noise_matrix, inverse_noise_matrix : ndarray (K, K), or None
        Estimates of the last call of `find_label_issues`, or of `fit` without ``label_issues``.
    py, ps : ndarray (K,), or None
        The shares of the true and of the given classes.
    num_classes : int or None
        K.
    sample_weight : pandas.Series or None
        The weights of all N examples in the last `fit`, if it made them.
    clf_kwargs, clf_final_kwargs : dict or None
        What ``clf.fit`` was given in the folds, and in the end.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> X, labels = load_iris(return_X_y=True)
    >>> labels[[3, 77]] = 2
    >>> cl = CleanLearning(LogisticRegression(max_iter=1000), seed=0).fit(X, labels)
    >>> cl.get_label_issues().query("is_label_issue").index.tolist()[:1]
    [3]
    >>> cl.predict(X[:2])
    array([0, 0])
    """

    label_issues_df: Any
    label_issues_mask: Any
    sample_weight: Any
    confident_joint: Any
    py: Any
    ps: Any
    num_classes: Any
    noise_matrix: Any
    inverse_noise_matrix: Any
    clf_kwargs: Any
    clf_final_kwargs: Any

    def __init__(
        self,
        clf: Any = None,
        *,
        seed: int | None = None,
        cv_n_folds: int = 5,
        converge_latent_estimates: bool = False,
        pulearning: int | None = None,
        find_label_issues_kwargs: Mapping[str, Any] = {},
        label_quality_scores_kwargs: Mapping[str, Any] = {},
        verbose: bool = False,
        low_memory: bool = False,
    ) -> None:
        self._default_clf = clf is None
        if clf is None:
            clf = sklearn("linear_model").LogisticRegression()
        for method in ("fit", "predict_proba", "predict"):
            if not hasattr(clf, method):
                raise OptionError(f"The classifier (clf) must define a .{method}() method.")
        if seed is not None:
            np.random.seed(seed)  # noqa: NPY002 - the legacy generator is what classifiers draw from
        self.clf = clf
        self.seed = seed
        self.cv_n_folds = cv_n_folds
        self.converge_latent_estimates = converge_latent_estimates
        self.pulearning = pulearning
        self.find_label_issues_kwargs: Kwargs | None = find_label_issues_kwargs
        self.label_quality_scores_kwargs: Kwargs | None = label_quality_scores_kwargs
        self.verbose = verbose
        self.low_memory = low_memory
        self._forget()

    # --- Training --------------------------------------------------------------------------------

    def fit(
        self,
        X: Any,  # noqa: N803 - cleanlab's name
        labels: object = None,
        *,
        pred_probs: object = None,
        thresholds: object = None,
        noise_matrix: object = None,
        inverse_noise_matrix: object = None,
        label_issues: Any = None,
        sample_weight: Any = None,
        clf_kwargs: Mapping[str, Any] = {},
        clf_final_kwargs: Mapping[str, Any] = {},
        validation_func: Callable[[Any, Any], Kwargs] | None = None,
        y: object = None,
    ) -> "CleanLearning":
        """Train `clf` on the examples whose labels are no issues.

        Parameters
        ----------
        X : array, frame, sparse matrix or data set of torch, (N, ...)
            Features, in a form that `clf` takes and of which ``X[rows]`` takes examples.
        labels : array-like, (N,)
            Given classes, 0 to K - 1.
        pred_probs : matrix, (N, K), optional
            Out-of-sample probabilities. Without them `clf` is cross-validated.
        thresholds : array-like, (K,), optional
            What to count the joint by, in place of the mean self-confidence of each class.
        noise_matrix, inverse_noise_matrix : array-like, (K, K), optional
            P(given | true) and P(true | given), if you know them. Columns sum to 1.
        label_issues : pandas.DataFrame or numpy.ndarray, optional
            What `find_label_issues` returned, a mask, or the indices of issues. They are taken as
            they are, and nothing is searched for.
        sample_weight : array-like, (N,), optional
            Weights for the last fit, in place of those by class.
        clf_kwargs : dict
            For every ``clf.fit``.
        clf_final_kwargs : dict
            For the last ``clf.fit``.
        validation_func : callable, optional
            Makes of the features and labels of a fold that is held out more arguments for
            ``clf.fit``.
        y : array-like, (N,)
            Another name of `labels`.

        Returns
        -------
        CleanLearning
            This object.
        """
        if labels is not None and y is not None:
            raise OptionError("You must specify either `labels` or `y`, but not both.")
        labels = y if labels is None else labels
        if labels is None:
            raise InputError("You must specify `labels`.")
        if self._default_clf:
            X = in_two_dimensions(X)  # noqa: N806 - see above
        if "sample_weight" in clf_kwargs:
            raise OptionError(
                "sample_weight should be provided directly in fit() or in clf_final_kwargs rather "
                "than in clf_kwargs"
            )
        takes_weights = "sample_weight" in inspect.signature(self.clf.fit).parameters
        if sample_weight is not None and not takes_weights:
            raise OptionError(
                "sample_weight must be a supported fit() argument for your model in order to be "
                "specified here"
            )
        self.clf_final_kwargs = {**clf_kwargs, **clf_final_kwargs}
        self.sample_weight = None
        matrix = _as_matrix(pred_probs)
        if label_issues is None:
            if self.label_issues_df is not None:
                self._say(
                    "If you already ran self.find_label_issues() and don't want to recompute, you "
                    "should pass the label_issues in as a parameter to this function next time."
                )
            label_issues = self.find_label_issues(
                X,
                labels,
                pred_probs=matrix,
                thresholds=thresholds,
                noise_matrix=noise_matrix,
                inverse_noise_matrix=inverse_noise_matrix,
                clf_kwargs=clf_kwargs,
                validation_func=validation_func,
            )
            given = _read_labels(labels, matrix, None)
        else:
            given = self._read_with_issues(X, labels, matrix, noise_matrix, inverse_noise_matrix)
        issues = _as_frame(label_issues, given)
        if "label_quality" not in issues.columns and matrix is not None:
            self._say("Computing label quality scores based on given pred_probs ...")
            issues["label_quality"] = self._scores(given, matrix)
        self.label_issues_df = issues
        mask = as_mask(issues["is_label_issue"], len(given), name='label_issues["is_label_issue"]')
        self.label_issues_mask = mask
        clean = np.flatnonzero(~mask)
        features = rows_of(X, clean)
        self._say(f"Pruning {mask.sum()} examples with label issues ...")
        self._say(f"Remaining clean data has {len(clean)} examples.")
        self._weigh(given, clean, sample_weight, takes_weights=takes_weights)
        self.clf.fit(features, given[clean], **self.clf_final_kwargs)
        self._say(
            "Label issues stored in label_issues_df DataFrame accessible via: "
            "self.get_label_issues(). Call self.save_space() to delete this potentially large "
            "DataFrame attribute."
        )
        return self

    def _read_with_issues(
        self,
        features: Any,
        labels: object,
        matrix: Matrix | None,
        noise_matrix: object,
        inverse_noise_matrix: object,
    ) -> Labels:
        """Check what goes with issues that the caller knows."""
        given = _read_labels(labels, matrix, None)
        if matrix is None:
            check_features(features, len(given))
            rows_of(features, np.array([0, len(given) - 1]))  # to see whether that works
        elif features is not None:
            _tell_of_features()
        refuse_one_class(given, "refused")
        if self.num_classes is None:
            known = noise_matrix if noise_matrix is not None else inverse_noise_matrix
            rates = as_noise_matrix(known, "noise_matrix")
            self.num_classes = _count_classes(given, matrix, rates)
        self._say("Using provided label_issues instead of finding label issues.")
        if self.label_issues_df is not None:
            self._say(
                "These will overwrite self.label_issues_df and will be returned by "
                "`self.get_label_issues()`. "
            )
        return given

    def _weigh(
        self, given: Labels, clean: npt.NDArray[np.int64], weights: Any, *, takes_weights: bool
    ) -> None:
        """Settle the weights of the examples that are left, and say so."""
        final: dict[str, Any] = self.clf_final_kwargs
        if "sample_weight" in final:
            self._say("Fitting final model on the clean data with custom sample_weight ...")
        elif weights is not None:
            final["sample_weight"] = _as_weights(weights, len(given))[clean]
            self._say("Fitting final model on the clean data with custom sample_weight ...")
        else:
            if takes_weights and self.noise_matrix is not None:
                self._say(
                    "Assigning sample weights for final training based on estimated label quality."
                )
                final["sample_weight"] = self._weigh_classes(given, clean)
            elif takes_weights:
                self._say(
                    "Cannot utilize sample weights for final training! Why this matters: during "
                    "final training, sample weights help account for the amount of removed data in "
                    "each class. This helps ensure the correct class prior for the learned model. "
                    "To use sample weights, you need to either provide the noise_matrix or have "
                    "previously called self.find_label_issues() instead of "
                    "filter.find_label_issues() which computes them for you."
                )
            self._say("Fitting final model on the clean data ...")

    def _weigh_classes(
        self, given: Labels, clean: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        """Let what is left of a class weigh as much as what was there."""
        rates = np.diagonal(self.noise_matrix)
        of_class = np.ones(max(len(rates), int(given.max()) + 1))
        of_class[: len(rates)] = 1 / np.maximum(rates, _LEAST_RATE)
        weights = np.zeros(len(given))
        weights[clean] = of_class[given[clean]]
        self.label_issues_df["sample_weight"] = weights
        self.sample_weight = self.label_issues_df["sample_weight"]
        return weights[clean]

    # --- Predicting ------------------------------------------------------------------------------

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """Predict classes, as ``clf.predict`` does."""
        return self.clf.predict(*self._as_clf_takes(args, kwargs, "predict"), **kwargs)

    def predict_proba(self, *args: Any, **kwargs: Any) -> Any:
        """Predict the probabilities of the classes, as ``clf.predict_proba`` does."""
        return self.clf.predict_proba(*self._as_clf_takes(args, kwargs, "predict_proba"), **kwargs)

    def score(
        self,
        X: Any,  # noqa: N803 - cleanlab's name
        y: Any,
        sample_weight: Any = None,
    ) -> Any:
        """Score the predictions, as ``clf.score`` does: by accuracy, if it has none."""
        if self._default_clf:
            X = in_two_dimensions(X)  # noqa: N806 - see above
        if not hasattr(self.clf, "score"):
            accuracy = sklearn("metrics").accuracy_score
            return accuracy(y, self.clf.predict(X), sample_weight=sample_weight)
        if "sample_weight" in inspect.signature(self.clf.score).parameters:
            return self.clf.score(X, y, sample_weight=sample_weight)
        return self.clf.score(X, y)

    def _as_clf_takes(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], method: str
    ) -> tuple[Any, ...]:
        """Flatten features for the default classifier, wherever they stand among the arguments."""
        if not self._default_clf:
            return args
        if not args and "X" not in kwargs:
            raise InputError(f"No input provided to {method}, please provide X.")
        features = args[0] if args else kwargs.pop("X")
        return (in_two_dimensions(features), *args[1:])

    # --- Finding issues --------------------------------------------------------------------------

    def find_label_issues(
        self,
        X: Any = None,  # noqa: N803 - cleanlab's name
        labels: object = None,
        *,
        pred_probs: object = None,
        thresholds: object = None,
        noise_matrix: object = None,
        inverse_noise_matrix: object = None,
        save_space: bool = False,
        clf_kwargs: Mapping[str, Any] = {},
        validation_func: Callable[[Any, Any], Kwargs] | None = None,
    ) -> Any:
        """Find the labels that are likely wrong.

        The arguments are as in `fit`. With ``save_space=True`` the result is not kept.

        Returns
        -------
        pandas.DataFrame
            A row an example, with the columns ``is_label_issue`` (bool), ``label_quality``
            (float64, from 0 to 1, low is bad), ``given_label`` and ``predicted_label`` (int16, or
            int32 where there are many classes).
        """
        if self._default_clf:
            X = in_two_dimensions(X)  # noqa: N806 - see above
        matrix = _as_matrix(pred_probs)
        noise = as_noise_matrix(noise_matrix, "noise_matrix")
        inverse = as_noise_matrix(inverse_noise_matrix, "inverse_noise_matrix")
        given = self._read(X, labels, matrix, noise, inverse)
        self.clf_kwargs = clf_kwargs
        model: dict[str, Any] = {
            "clf": self.clf,
            "cv_n_folds": self.cv_n_folds,
            "seed": self.seed,
            "clf_kwargs": clf_kwargs,
            "validation_func": validation_func,
        }
        kwargs = self._kwargs("find_label_issues_kwargs")
        if self.low_memory:
            if matrix is None:
                self._say_that_folds_are_predicted()
                matrix = estimate_cv_predicted_probabilities(X, given, **model)
            self._say("Using predicted probabilities to identify label issues ...")
            _tell_of_what_is_unused(
                find_label_issues_kwargs=kwargs or None,
                thresholds=thresholds,
                noise_matrix=noise,
                inverse_noise_matrix=inverse,
            )
            # What cleanlab approximates in batches, so that the matrix need not be in memory.
            mask = find_label_issues(given, matrix, filter_by="low_self_confidence")
        else:
            kwargs = self._with_defaults(kwargs)
            if kwargs.get("confident_joint") is not None:
                noise = self._start_from_joint(kwargs["confident_joint"], given)
            if noise is not None or inverse is not None:
                self._derive(noise, inverse)
                if matrix is None:
                    self._say_that_folds_are_predicted()
                    matrix = estimate_cv_predicted_probabilities(X, given, **model)
            else:
                matrix = self._estimate(X, given, matrix, thresholds, model)
            if self.confident_joint is None:
                self.confident_joint = compute_confident_joint(given, matrix, thresholds=thresholds)
            if self.num_classes == 2 and self.pulearning is not None:  # noqa: PLR2004 - one is clean
                self._clean(self.pulearning)
            # That filter counts a joint of its own, and would warn of another.
            if "confident_joint" in kwargs or kwargs.get("filter_by") != "confident_learning":
                kwargs["confident_joint"] = self.confident_joint
            self._say("Using predicted probabilities to identify label issues ...")
            mask = find_label_issues(given, matrix, **kwargs)
        issues = self._tabulate(mask, given, matrix)
        if save_space:
            self._say("Not storing label_issues as attributes since save_space was specified.")
            return issues
        if self.label_issues_df is not None:
            self._say(
                "Overwriting previously identified label issues stored at self.label_issues_df. "
                "self.get_label_issues() will now return the newly identified label issues. "
            )
        self.label_issues_df = issues
        self.label_issues_mask = issues["is_label_issue"]
        return issues

    def get_label_issues(self) -> Any:
        """Return the table of the last `find_label_issues` or `fit`; None, if there is none."""
        if self.label_issues_df is None:
            warn_caller(
                "Label issues have not yet been computed. Run `self.find_label_issues()` or "
                "`self.fit()` first.",
                UserWarning,
            )
        return self.label_issues_df

    def save_space(self) -> None:
        """Drop everything that predictions do not need. After that, only they are possible."""
        if self.label_issues_df is None:
            self._say("self.label_issues_df is already empty")
        self._forget()
        self.find_label_issues_kwargs = None
        self.label_quality_scores_kwargs = None
        self._say("Deleted non-sklearn attributes such as label_issues_df to save space.")

    def _read(
        self,
        features: Any,
        labels: object,
        matrix: Matrix | None,
        noise: Floats | None,
        inverse: Floats | None,
    ) -> Labels:
        """Check the data of a search, and forget the estimates of the one before."""
        known = noise if noise is not None else inverse
        given = _read_labels(labels, matrix, known)
        if matrix is None:
            check_features(features, len(given))
        elif features is not None:
            _tell_of_features()
        refuse_one_class(given, "refused")
        n_classes = _count_classes(given, matrix, known)
        for name, rates in (("noise_matrix", noise), ("inverse_noise_matrix", inverse)):
            if rates is not None and len(rates) != n_classes:
                raise ShapeError(
                    f"{name} must have a row and a column for each of the {n_classes} classes; its "
                    f"shape is {rates.shape}"
                )
        if matrix is None and len(np.unique(given)) != n_classes:
            raise LabelError(
                f"labels hold {len(np.unique(given))} of the {n_classes} classes that the noise "
                "matrix has; cross-validation needs them all: pass pred_probs"
            )
        if matrix is None and len(given) / n_classes < self.cv_n_folds:
            raise OptionError(
                "Need more data from each class for cross-validation. Try decreasing cv_n_folds "
                "(eg. to 2 or 3) in CleanLearning()"
            )
        self.num_classes = n_classes
        self.ps = _core.label_counts(given, n_classes) / len(given)
        self.confident_joint = self.py = self.noise_matrix = self.inverse_noise_matrix = None
        return given

    def _start_from_joint(self, confident_joint: object, given: Labels) -> Floats:
        """Take the caller's joint for the estimate, and return the noise matrix."""
        joint = as_joint(confident_joint, self.num_classes, may_be_empty=True)
        self.confident_joint = np.array(confident_joint)  # a copy: `pulearning` writes to it
        self.py, noise, _ = estimate_latent(joint, given)
        return noise

    def _derive(self, noise: Floats | None, inverse: Floats | None) -> None:
        """Derive one noise matrix from the other, where only one is known."""
        self.noise_matrix, self.inverse_noise_matrix = noise, inverse
        if noise is None and inverse is not None:
            self._say("Computing label noise estimates from provided inverse noise matrix ...")
            self.noise_matrix = noise_from_inverse(self.ps, inverse)
        elif inverse is None and noise is not None:
            self._say("Computing label noise estimates from provided noise matrix ...")
            self.py, self.inverse_noise_matrix = prior_and_inverse(self.ps, noise)

    def _estimate(
        self,
        features: Any,
        given: Labels,
        matrix: Matrix | None,
        thresholds: object,
        model: dict[str, Any],
    ) -> Matrix:
        """Estimate noise and joint; return the probabilities that they come from."""
        options: dict[str, Any] = {
            "thresholds": thresholds,
            "converge_latent_estimates": self.converge_latent_estimates,
        }
        if matrix is None:
            self._say_that_folds_are_predicted()
            *estimates, matrix = estimate_py_noise_matrices_and_cv_pred_proba(
                features, given, **model, **options
            )
        else:
            self._say("Computing label noise estimates from provided pred_probs ...")
            estimates = list(
                estimate_py_and_noise_matrices_from_probabilities(given, matrix, **options)
            )
        self.py, self.noise_matrix, self.inverse_noise_matrix, self.confident_joint = estimates
        return matrix

    def _clean(self, clean: int) -> None:
        """Let one of two classes have no errors: what is given that class is of that class."""
        if clean not in {0, 1}:
            raise OptionError(f"pulearning={spelled(clean)} is neither 0 nor 1, nor None")
        other = 1 - clean
        self.noise_matrix[[clean, other], other] = 0, 1
        self.inverse_noise_matrix[[other, clean], clean] = 0, 1
        self.confident_joint[[clean, other], other] = 0, 1

    def _tabulate(self, mask: Bools, given: Labels, matrix: Matrix) -> Any:
        n_classes = self.num_classes
        narrow = next(
            (kind for kind in (np.int16, np.int32) if n_classes < np.iinfo(kind).max), np.int64
        )
        scores = self._scores(given, matrix)
        self._say(f"Identified {mask.sum()} examples with label issues.")
        return pandas().DataFrame(
            {
                "is_label_issue": mask,
                "label_quality": scores,
                "given_label": given.astype(narrow),
                "predicted_label": most_probable_classes(matrix).astype(narrow),
            }
        )

    # --- What all of this shares -----------------------------------------------------------------

    def _forget(self) -> None:
        """Have nothing learned yet."""
        self.label_issues_df = None
        self.label_issues_mask = None
        self.sample_weight = None
        self.confident_joint = None
        self.py = None
        self.ps = None
        self.num_classes = None
        self.noise_matrix = None
        self.inverse_noise_matrix = None
        self.clf_kwargs = None
        self.clf_final_kwargs = None

    def _say(self, text: str) -> None:
        if self.verbose:
            print(text)  # noqa: T201 - what verbose asks for

    def _say_that_folds_are_predicted(self) -> None:
        self._say(
            "Computing out of sample predicted probabilities via "
            f"{self.cv_n_folds}-fold cross validation. May take a while ..."
        )

    def _kwargs(self, name: str) -> dict[str, Any]:
        """Return the keyword arguments that the caller chose; they are never written to."""
        kwargs = getattr(self, name)
        if isinstance(kwargs, Mapping):
            return dict(kwargs)
        raise InputTypeError(
            f"{name}={spelled(kwargs)} must be a dict; save_space() dropped it, if you did call "
            "that: make another CleanLearning"
        )

    @staticmethod
    def _with_defaults(kwargs: dict[str, Any]) -> dict[str, Any]:
        if not kwargs.keys().isdisjoint(_UNSUPPORTED):
            raise OptionError(
                "These kwargs of `find_label_issues()` are not supported for `CleanLearning`: "
                f"{_UNSUPPORTED}"
            )
        return {**_DEFAULTS, **kwargs}

    def _scores(self, given: Labels, matrix: Matrix) -> Floats:
        kwargs = self._kwargs("label_quality_scores_kwargs")
        return get_label_quality_scores(given, matrix, **kwargs)


# --- Reading -------------------------------------------------------------------------------------


def _as_matrix(pred_probs: object) -> Matrix | None:
    """Coerce the matrix once, into an array that can be handed on without another copy."""
    if pred_probs is None:
        return None
    matrix = as_pred_probs(pred_probs)
    return matrix.view(BFLOAT16_BITS) if matrix.dtype == np.uint16 else matrix


def _read_labels(labels: object, matrix: Matrix | None, known: Floats | None) -> Labels:
    """Coerce the labels, and check them by whatever tells how many classes there are."""
    if matrix is not None:
        return read_labels(labels, matrix.shape[1], len(matrix))
    if known is not None:
        return read_labels(labels, len(known), columns_of="the noise matrix")
    return coerce_labels_alone(labels)


def _count_classes(given: Labels, matrix: Matrix | None, known: Floats | None) -> int:
    if matrix is not None:
        return int(matrix.shape[1])
    return len(np.unique(given)) if known is None else len(known)


def _as_weights(sample_weight: object, n_examples: int) -> npt.NDArray[Any]:
    if isinstance(sample_weight, list | tuple) or is_a(sample_weight, "pandas", "Series"):
        sample_weight = np.asarray(sample_weight)
    weights = read_array(sample_weight, "sample_weight")[0]
    if len(weights.shape) == 0 or len(weights) != n_examples:
        raise ShapeError(
            f"sample_weight must have one entry for each of the {n_examples} examples; its shape "
            f"is {weights.shape}"
        )
    return weights


def _as_frame(label_issues: Any, given: Labels) -> Any:
    """Make a table of what the caller knows about issues; its own stays as it is."""
    if is_a(label_issues, "pandas", "DataFrame"):
        if "is_label_issue" not in label_issues.columns:
            raise InputError(
                "DataFrame label_issues must contain column: 'is_label_issue'. See "
                "CleanLearning.fit() documentation for label_issues column descriptions."
            )
        if len(label_issues) != len(given):
            raise ShapeError("label_issues and labels must have same length")
        if (
            "given_label" in label_issues.columns
            and (label_issues["given_label"].to_numpy() != given).any()
        ):
            raise LabelError("labels must match label_issues['given_label']")
        return label_issues.copy(deep=False)
    if not isinstance(label_issues, np.ndarray):
        raise InputError("label_issues must be either pandas.DataFrame or numpy.array")
    if label_issues.dtype.kind not in "biu":
        raise InputError("If label_issues is numpy.array, dtype must be 'bool' or 'int'.")
    mask = label_issues
    if label_issues.dtype.kind in "iu":
        mask = _mask_of(label_issues, len(given))
    elif mask.shape != given.shape:
        raise ShapeError("If label_issues is boolean numpy.array, must have same shape as labels")
    return pandas().DataFrame({"is_label_issue": mask})


def _mask_of(indices: npt.NDArray[Any], n_examples: int) -> Bools:
    if len(np.unique(indices)) != indices.size:
        raise InputError(
            "If label_issues.dtype is 'int', must contain unique integer indices corresponding to "
            "examples with label issues such as output by: "
            "filter.find_label_issues(..., return_indices_ranked_by=...)"
        )
    if indices.size and not -n_examples <= indices.min() <= indices.max() < n_examples:
        raise InputError(
            f"label_issues must hold indices of the {n_examples} examples, but reaches from "
            f"{indices.min()} to {indices.max()}; pass what was found in these data"
        )
    mask = np.zeros(n_examples, dtype=np.bool_)
    mask[indices] = True
    return mask


# --- Telling -------------------------------------------------------------------------------------


def _tell_of_what_is_unused(**values: object) -> None:
    for name, value in values.items():
        if value is not None:
            warn_caller(f"`{name}` is not used when `low_memory=True`.", UserWarning)


def _tell_of_features() -> None:
    warn_caller(
        "When X and pred_probs are both provided, the former may be ignored.",
        UserWarning,
    )
