"""The names of filters, scores and methods: spelled here once, the same as in the core."""

from typing import Literal, get_args

Filter = Literal[
    "prune_by_noise_rate",
    "prune_by_class",
    "both",
    "confident_learning",
    "predicted_neq_given",
    "low_normalized_margin",
    "low_self_confidence",
]
Kind = Literal["probabilities", "logits", "scores"]
Score = Literal["self_confidence", "normalized_margin", "confidence_weighted_entropy"]
Aggregate = Literal["exponential_moving_average", "softmin", "mean", "median", "min"]
Weighting = Literal["uniform", "accuracy", "log_loss"]
PriorMethod = Literal["cnt", "eqn", "marginal", "marginal_ps"]
CountMethod = Literal["off_diagonal", "off_diagonal_calibrated", "off_diagonal_custom"]
WeightMode = Literal["hard", "soft", "importance"]
Prune = Literal["hard", "soft"]
Response = Literal["predict_proba", "decision_function"]

KINDS: tuple[Kind, ...] = get_args(Kind)
FILTERS: tuple[Filter, ...] = get_args(Filter)
PRUNING_FILTERS: tuple[Filter, ...] = ("prune_by_noise_rate", "prune_by_class", "both")
SCORES: tuple[Score, ...] = get_args(Score)
AGGREGATES: tuple[Aggregate, ...] = get_args(Aggregate)
WEIGHTINGS: tuple[Weighting, ...] = get_args(Weighting)
PRIOR_METHODS: tuple[PriorMethod, ...] = get_args(PriorMethod)
COUNT_METHODS: tuple[CountMethod, ...] = get_args(CountMethod)
WEIGHT_MODES: tuple[WeightMode, ...] = get_args(WeightMode)
PRUNES: tuple[Prune, ...] = get_args(Prune)
RESPONSES: tuple[Response, ...] = get_args(Response)

# Below the Python face, choices that users do not make:
Several = Literal["most_probable", "row_argmax"]
Adjust = Literal["no", "present_classes", "all_classes"]
Layout = Literal["by_given", "by_true"]
Spread = Literal["off_diagonal", "nonzero_less_one"]
