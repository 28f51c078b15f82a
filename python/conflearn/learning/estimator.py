"""`CleanLearning`: a classifier around a classifier, which learns from noisy labels."""

from dataclasses import replace
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from conflearn._coerce import (
    NamedLabels,
    as_bool,
    as_n_threads,
    as_pred_probs,
    one_of,
    readable_again,
)
from conflearn._coerce.objects import Array
from conflearn._names import (
    CLASSIC_FILTERS,
    JUDGES,
    PRUNES,
    RESPONSES,
    SCORES,
    FilterChoice,
    Kind,
    Prune,
    Response,
    Score,
    WeightMode,
)
from conflearn._options import read_options
from conflearn._warn import warn_caller
from conflearn.analysis import Analysis, analyze
from conflearn.errors import (
    InputError,
    OptionError,
    ProbabilityError,
    ShapeError,
    WeightWarning,
)
from conflearn.learning.folds import cut, is_splitter
from conflearn.learning.learner import (
    Learner,
    check_classifier,
    coding_of,
    is_routing,
    response_of,
    weight_name,
)
from conflearn.learning.probabilities import judge, read_examples, read_groups, read_weights
from conflearn.noise_model import NoiseModel, estimate_noise_model
from conflearn.weights import sample_weights

__all__ = ["CleanLearning"]


Method: TypeAlias = Response | Literal["auto"]

_METHODS: tuple[Method, ...] = ("auto", *RESPONSES)

#: What is meant by what a classifier answers.
_KINDS: dict[Response, Kind] = {"predict_proba": "probabilities", "decision_function": "scores"}


def _is_in_range(matrix: Array) -> bool:
    """Whether these may be probabilities; whoever passes bfloat16 has them from a network."""
    return matrix.dtype == np.uint16 or bool(matrix.min() >= 0 and matrix.max() <= 1)


class _Task(NamedTuple):
    """What `fit` and `find_label_issues` are given, read."""

    X: Any
    labels: NamedLabels
    classifier: Any
    #: Under which name the classifier takes weights; None if it takes none.
    weight_name: str | None
    #: The caller's weights.
    weights: Array | None
    #: More arguments for the classifier's ``fit``, and for the splitter.
    params: dict[str, Any]
    split_params: dict[str, Any]

    def params_with(self, weights: Array | None) -> dict[str, Any]:
        """Add weights under the name that the classifier knows them by."""
        if weights is None or self.weight_name is None:
            return self.params
        return self.params | {self.weight_name: weights}


def _where_the_classifier_has(method: str) -> Any:
    """Let a method exist where the classifier has it."""

    def check(self: "CleanLearning") -> bool:
        return hasattr(getattr(self, "classifier_", self._classifier()), method)

    return available_if(check)


class CleanLearning(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # no types
    """Train any classifier on noisy labels as if the wrong ones were not there.

    `fit` judges each example by cross-validation, finds the labels that are likely wrong, and
    trains the classifier once more: without them, or with weights.

    Parameters
    ----------
    classifier : estimator, optional
        A classifier of scikit-learn's conventions; clones of it are fitted. By default a
        `LogisticRegression`.
    cv : int, splitter or iterable, default 5
        How to cut the data, see `cross_val_pred_probs`.
    prune : {"hard", "soft"}, default "hard"
        Leave flagged examples out; or keep them all, each with the probability that its label is
        right as its weight, see `sample_weights`.
    reweight : bool or "auto", default "auto"
        Divide the weight of each example given class k by P(given = k | true = k), so that what
        is left of a class counts for all of it. ``auto`` is True for ``prune="hard"`` where the
        classifier takes weights, else False. True for a classifier that takes none is told by a
        `WeightWarning`.
    filter_by, frac_noise, num_to_remove_per_class, min_examples_per_class, confident_joint, cut
        Which examples to flag, see `find_label_issues`. Classes are in the order of ``classes_``.
        With ``filter_by="auto"``, which needs probabilities, filter and cut are chosen by them, see
        `recommend`; ``analysis_`` says which.
    rank_by : str, default "self_confidence"
        The score by which issues are ranked, see `label_quality_scores`.
    method : {"auto", "predict_proba", "decision_function"}, default "auto"
        What to ask the classifier for in cross-validation: decision values serve where a
        classifier has no probabilities.
    encode_labels : bool or "auto", default "auto"
        Whether the classifier is trained on the numbers 0..K-1 in place of the labels, see
        `cross_val_pred_probs`. Predictions are labels in any case.
    n_jobs : int, optional
        Number of folds to train at a time, in worker processes of joblib. The rest runs when they
        are done, so that processes and threads never multiply.
    n_threads : int, optional
        Number of threads that look for issues; by default `conflearn.n_threads()`.
    random_state : int or RandomState, optional
        Seed of the order in which examples come into folds, where `cv` is an int. The classifier
        has its own.

    Attributes
    ----------
    classifier_ : estimator
        The classifier, trained on what is left.
    classes_ : ndarray of shape (K,)
        The classes in `y`, ascending.
    sample_weight_ : ndarray of shape (N,), float64
        How much each example counted in that training: 0 for those left out.
    analysis_ : Analysis
        What was found: flagged examples, ranks, scores, joint. This and the next five are of the
        latest call of `fit` or `find_label_issues`.
    label_issues_mask_ : ndarray of shape (N,), bool
        The flagged examples.
    label_quality_scores_ : ndarray of shape (N,), float64
        The score `rank_by` of each label.
    noise_model_ : NoiseModel
        Noise rates, estimated from these data, or from `confident_joint` if that is given.
    pred_probs_ : ndarray of shape (N, K)
        Out-of-sample probabilities, or decision values.
    n_features_in_, feature_names_in_
        Of `X`, if the classifier tells them.

    See Also
    --------
    cross_val_pred_probs : The cross-validation alone.
    sample_weights : The weights alone.

    Notes
    -----
    Examples that no model can judge, such as the only one of a class, are kept: see
    `cross_val_pred_probs`.

    References
    ----------
    Northcutt, Jiang, Chuang: Confident Learning, JAIR 70 (2021).

    Examples
    --------
    >>> import conflearn
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> X = np.r_[0:1:20j, 2:3:20j].reshape(-1, 1)
    >>> y = np.repeat(["low", "high"], 20)
    >>> y[[3, 7, 30]] = ["high", "high", "low"]
    >>> clean = conflearn.CleanLearning(LogisticRegression(), random_state=0).fit(X, y)
    >>> clean.predict([[0.2], [2.5]])
    array(['low', 'high'], dtype='<U4')
    >>> clean.label_issues_mask_.nonzero()[0]
    array([ 3,  7, 30])
    >>> clean.find_label_issues(X, y)[["index", "given", "suggested"]][0].item()
    (3, 'high', 'low')
    """

    def __init__(
        self,
        classifier: Any = None,
        *,
        cv: Any = 5,
        prune: Prune = "hard",
        reweight: bool | Literal["auto"] = "auto",
        filter_by: FilterChoice = "prune_by_noise_rate",
        frac_noise: float = 1.0,
        num_to_remove_per_class: Any = None,
        min_examples_per_class: int = 1,
        confident_joint: Any = None,
        cut: float | None = None,
        rank_by: Score = "self_confidence",
        method: Method = "auto",
        encode_labels: bool | Literal["auto"] = "auto",
        n_jobs: int | None = None,
        n_threads: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.classifier = classifier
        self.cv = cv
        self.prune = prune
        self.reweight = reweight
        self.filter_by = filter_by
        self.frac_noise = frac_noise
        self.num_to_remove_per_class = num_to_remove_per_class
        self.min_examples_per_class = min_examples_per_class
        self.confident_joint = confident_joint
        self.cut = cut
        self.rank_by = rank_by
        self.method = method
        self.encode_labels = encode_labels
        self.n_jobs = n_jobs
        self.n_threads = n_threads
        self.random_state = random_state

    # --- Learning --------------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: object = None,
        pred_probs: object = None,
        groups: object = None,
        **fit_params: Any,
    ) -> "CleanLearning":
        """Find the label issues, and train the classifier on what is left.

        Parameters
        ----------
        X : array_like of N examples
            Whatever the classifier reads.
        y : array_like of shape (N,)
            Given labels: strings, whole numbers, bools or categories.
        sample_weight : array_like of shape (N,), optional
            Weights of the examples in training. Those for the noise are multiplied with them.
        pred_probs : array_like of shape (N, K), optional
            Out-of-sample probabilities, a column for each class in ascending order; in place of
            cross-validation. They may be ``pred_probs_`` of an earlier call on the same data. For a
            classifier without probabilities, numbers outside [0, 1] are taken for decision values.
        groups : array_like of shape (N,), optional
            Examples of a group are held out together.
        **fit_params
            More arguments for the classifier's ``fit``. What has N entries is cut like `X`. With
            metadata routing, what classifier and splitter request.

        Returns
        -------
        CleanLearning
            Itself.

        Raises
        ------
        InputError
            If shapes do not fit, there is only one class, or pruning leaves only one.
        OptionError
            If an option does not exist, or asks for weights that the classifier does not take.
        """
        if X is None:
            raise InputError("X is None, but must hold the examples to train on")
        task = self._read(X, y, sample_weight, groups, fit_params)
        matrix, response = self._read_pred_probs(task, pred_probs)
        self._check_options(task, response)
        mode = self._mode(task, response)
        self._find(task, matrix, response)
        weights = self._weights(task, mode)
        kept = None
        if self.prune == "hard":
            kept = np.flatnonzero(~self.label_issues_mask_)
            self._refuse_a_single_class(task.labels, kept)
        learner = Learner.fit(
            task.classifier,
            task.X,
            task.labels,
            kept,
            task.params_with(task.weights if mode is None else weights),
            coding_of(task.classifier, self.encode_labels),
        )
        self._learner, self.classifier_ = learner, learner.classifier
        self.classes_, self.sample_weight_ = task.labels.classes, weights
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(learner.classifier, name):
                setattr(self, name, getattr(learner.classifier, name))
            elif hasattr(self, name):
                delattr(self, name)  # of an earlier fit
        return self

    def find_label_issues(
        self,
        X: Any,
        y: Any,
        sample_weight: object = None,
        pred_probs: object = None,
        groups: object = None,
        **fit_params: Any,
    ) -> "np.recarray[Any, Any]":
        """Find the label issues, and train nothing on what is left.

        Sets ``analysis_``, ``label_issues_mask_``, ``label_quality_scores_``, ``noise_model_`` and
        ``pred_probs_``. To go on with training, pass the latter on: ``fit(X, y,
        pred_probs=clean.pred_probs_)`` saves the cross-validation.

        Parameters
        ----------
        X, y, sample_weight, pred_probs, groups, **fit_params
            As in `fit`. `X` may be None if there are `pred_probs`.

        Returns
        -------
        recarray of shape (M,)
            The issues, the worst first, with fields ``index``, ``given``, ``suggested``, ``score``
            and ``reason``: see `Analysis.to_records`. Goes into ``pandas.DataFrame(...)`` or
            ``polars.DataFrame(...)`` as it is.

        Raises
        ------
        InputError, OptionError
            As in `fit`.
        """
        if X is None and pred_probs is None:
            raise InputError("X is None, but must hold the examples, unless there are pred_probs")
        task = self._read(X, y, sample_weight, groups, fit_params)
        matrix, response = self._read_pred_probs(task, pred_probs)
        self._check_options(task, response)
        self._find(task, matrix, response)
        return self.analysis_.to_records()

    def _read(
        self,
        X: Any,
        y: Any,
        sample_weight: object,
        groups: object,
        fit_params: dict[str, Any],
    ) -> _Task:
        """Read the data, and hand out what is meant for classifier and splitter."""
        classifier = self._classifier()
        check_classifier(classifier)
        X, labels = read_examples(X, y)
        n_examples = len(labels.codes)
        if groups is not None:
            groups = read_groups(groups, n_examples)
        name = weight_name(classifier)
        params, split_params = dict(fit_params), {}
        if is_routing():
            routed = process_routing(
                self, "fit", sample_weight=sample_weight, groups=groups, **fit_params
            )
            params = dict(routed.classifier.fit)
            if is_splitter(self.cv):
                split_params = dict(routed.splitter.split)
            sample_weight = params.pop(name, None) if name is not None else sample_weight
        elif sample_weight is None and name is not None:
            sample_weight = params.pop(name, None)
        if groups is not None:
            split_params["groups"] = groups
        if sample_weight is not None and name is None:
            raise OptionError(
                f"sample_weight is given, but {type(classifier).__name__}.fit takes no weights; "
                "leave it out, or pass another classifier"
            )
        weights = None if sample_weight is None else read_weights(sample_weight, n_examples)
        return _Task(X, labels, classifier, name, weights, params, split_params)

    def _read_pred_probs(self, task: _Task, pred_probs: object) -> tuple[Array | None, Response]:
        """Read the matrix, if there is one, and say what the numbers are or will be."""
        if pred_probs is None:
            return None, response_of(task.classifier, self.method)
        method = one_of(self.method, _METHODS, "method")
        response = response_of(task.classifier, "auto") if method == "auto" else method
        matrix = as_pred_probs(pred_probs, kind=_KINDS[response])
        if method == "auto" and response == "decision_function" and _is_in_range(matrix):
            response = "predict_proba"  # of another model: those of this one have negative numbers
        n_examples, n_classes = len(task.labels.codes), len(task.labels.classes)
        if matrix.shape != (n_examples, n_classes):
            raise ShapeError(
                f"pred_probs must have a row for each of the {n_examples} examples and a column "
                f"for each of the {n_classes} classes in y, in ascending order; its shape is "
                f"{matrix.shape}"
            )
        return readable_again(matrix), response

    def _check_options(self, task: _Task, response: Response) -> None:
        """Refuse options that make no sense: training the models may take hours."""
        read_options(
            len(task.labels.classes),
            self.filter_by,
            self.frac_noise,
            self.num_to_remove_per_class,
            self.min_examples_per_class,
            self.confident_joint,
            self.cut,
        )
        one_of(self.rank_by, SCORES, "rank_by")
        other = {
            "filter_by": f"one of {', '.join(CLASSIC_FILTERS)}",
            "rank_by": "'self_confidence' or 'normalized_margin'",
        }
        for name, instead in other.items():
            asked = getattr(self, name)
            needs_probabilities = asked in ("confidence_weighted_entropy", "auto", *JUDGES)
            if needs_probabilities and response == "decision_function":
                raise OptionError(
                    f"{name}={asked!r} needs probabilities, which decision values are not; pass "
                    f"{instead}"
                )
        as_n_threads(self.n_threads)

    def _find(self, task: _Task, matrix: Array | None, response: Response) -> None:
        """Judge the examples, unless that has been done, and analyse."""
        classes, codes = task.labels
        if matrix is None:
            matrix = judge(
                task.classifier,
                task.X,
                task.labels,
                parts=cut(self.cv, task.X, task.labels, task.split_params, self.random_state),
                params=task.params_with(task.weights),
                response=response,
                coding=coding_of(task.classifier, self.encode_labels),
                n_jobs=self.n_jobs,
            )
        # Everything is of this call: nothing that was found in other data has a part in it.
        try:
            analysis = analyze(
                codes,
                matrix,
                filter_by=self.filter_by,
                frac_noise=self.frac_noise,
                num_to_remove_per_class=self.num_to_remove_per_class,
                min_examples_per_class=self.min_examples_per_class,
                confident_joint=self.confident_joint,
                cut=self.cut,
                rank_by=self.rank_by,
                kind=_KINDS[response],
                n_threads=self.n_threads,
            )
        except ProbabilityError as error:
            fault, advice, _ = str(error).partition("; pass kind=")
            if not advice:
                raise
            raise ProbabilityError(
                f"{fault}; pass probabilities (the softmax of logits), or for decision values "
                "CleanLearning(method='decision_function')"
            ) from error
        self.analysis_: Analysis = replace(analysis, classes=tuple(classes.tolist()))
        self.label_issues_mask_: npt.NDArray[np.bool_] = analysis.mask
        self.label_quality_scores_: npt.NDArray[np.float64] = analysis.scores[self.rank_by]
        self.noise_model_: NoiseModel = (
            analysis.noise_model
            if self.confident_joint is None
            else estimate_noise_model(self.confident_joint, codes)
        )
        self.pred_probs_: Array = matrix

    # --- Weights ---------------------------------------------------------------------------------

    def _mode(self, task: _Task, response: Response) -> WeightMode | None:
        """Say which weights there shall be, None for none but the caller's; or why not."""
        prune = one_of(self.prune, PRUNES, "prune")
        is_auto = isinstance(self.reweight, str) and self.reweight == "auto"
        reweight = None if is_auto else as_bool(self.reweight, "reweight")
        kind = type(task.classifier).__name__
        if prune == "soft":
            if task.weight_name is None:
                raise OptionError(
                    f"prune='soft' trains with weights, but {kind}.fit takes none; pass "
                    "prune='hard', or another classifier"
                )
            if response == "decision_function":
                raise OptionError(
                    "prune='soft' needs probabilities, but decision values are all there is; pass "
                    f"prune='hard', or wrap {kind} in CalibratedClassifierCV"
                )
            return "importance" if reweight else "soft"
        if task.weight_name is None and reweight:
            warn_caller(
                f"reweight=True has no effect, for {kind}.fit takes no weights: flagged examples "
                "are left out, and all others count alike. Pass reweight=False to accept that, or "
                "another classifier",
                WeightWarning,
            )
        return None if task.weight_name is None or reweight is False else "hard"

    def _weights(self, task: _Task, mode: WeightMode | None) -> Array:
        """Weigh every example: 0 for one that is left out."""
        codes = task.labels.codes
        if mode is None:
            weights = (~self.label_issues_mask_).astype(np.float64)
        elif mode == "hard":
            weights = sample_weights(codes, self.noise_model_, mask=self.label_issues_mask_)
        else:
            weights = sample_weights(
                codes,
                self.pred_probs_,
                mode=mode,
                noise_model=self.noise_model_,
                n_threads=self.n_threads,
            )
        return weights if task.weights is None else weights * task.weights

    def _refuse_a_single_class(self, labels: NamedLabels, kept: npt.NDArray[np.int64]) -> None:
        left = np.unique(labels.codes[kept])
        if len(left) < 2:  # noqa: PLR2004 - as few as can be told apart
            name = "no class" if not len(left) else f"class {labels.classes[left[0]].item()!r} only"
            raise InputError(
                f"pruning by filter_by={self.filter_by!r} leaves examples of {name}; look at the "
                "issues by find_label_issues, and pass prune='soft', a smaller frac_noise or "
                "another filter"
            )

    # --- Predicting ------------------------------------------------------------------------------

    def predict(self, X: Any) -> Array:
        """Predict the class of each example.

        Parameters
        ----------
        X : array_like of M examples
            Whatever the classifier reads.

        Returns
        -------
        ndarray of shape (M,)
            Labels, of those in ``classes_``.
        """
        check_is_fitted(self)
        return self._learner.predict(X)

    @_where_the_classifier_has("predict_proba")  # type: ignore[untyped-decorator]  # no types
    def predict_proba(self, X: Any) -> Array:
        """Predict the probability of each class.

        Parameters
        ----------
        X : array_like of M examples
            Whatever the classifier reads.

        Returns
        -------
        ndarray of shape (M, K)
            A column for each of ``classes_``; 0 for a class of which pruning has left nothing.
        """
        check_is_fitted(self)
        return self._learner.columns(X, "predict_proba")

    @_where_the_classifier_has("decision_function")  # type: ignore[untyped-decorator]  # no types
    def decision_function(self, X: Any) -> Array:
        """Give the classifier's decision values.

        Parameters
        ----------
        X : array_like of M examples
            Whatever the classifier reads.

        Returns
        -------
        ndarray of shape (M,) or (M, K)
            As the classifier gives them; a class of which pruning has left nothing has the lowest.
        """
        check_is_fitted(self)
        if len(self._learner.seen) < len(self.classes_):
            return self._learner.columns(X, "decision_function")
        return np.asarray(self.classifier_.decision_function(X))

    # --- scikit-learn's ways ---------------------------------------------------------------------

    def _classifier(self) -> Any:
        if self.classifier is not None:
            return self.classifier
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(max_iter=1000)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "classifier_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self._classifier()).input_tags
        return tags

    def get_metadata_routing(self) -> MetadataRouter:
        """Say who gets which metadata: scikit-learn asks for it.

        Returns
        -------
        MetadataRouter
            ``fit`` hands on to the classifier's ``fit`` and, if `cv` is one, the splitter's
            ``split`` what these request.
        """
        to = MethodMapping().add(caller="fit", callee="fit")
        router = (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(classifier=self._classifier(), method_mapping=to)
        )
        if is_splitter(self.cv):
            to = MethodMapping().add(caller="fit", callee="split")
            router.add(splitter=self.cv, method_mapping=to)
        return router
