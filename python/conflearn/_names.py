"""The names of filters, scores and methods: spelled here once, the same as in the core."""

from typing import Literal, get_args

ClassicFilter = Literal[
    "prune_by_noise_rate",
    "prune_by_class",
    "both",
    "confident_learning",
    "predicted_neq_given",
    "low_normalized_margin",
    "low_self_confidence",
]
Kind = Literal["probabilities", "logits", "scores"]
ClassicScore = Literal["self_confidence", "normalized_margin", "confidence_weighted_entropy"]
#: Rules that are fitted to all rows, and then judge each by itself: filter and score at once.
JudgeName = Literal["relative_confidence", "noise_floor"]
Filter = Literal[ClassicFilter, JudgeName]
#: What users say: a filter, or that it is to be chosen for them.
FilterChoice = Literal[Filter, "auto"]
Score = Literal[ClassicScore, JudgeName]
Aggregate = Literal["exponential_moving_average", "softmin", "mean", "median", "min"]
Weighting = Literal["uniform", "accuracy", "log_loss"]
PriorMethod = Literal["cnt", "eqn", "marginal", "marginal_ps"]
CountMethod = Literal["off_diagonal", "off_diagonal_calibrated", "off_diagonal_custom"]
WeightMode = Literal["hard", "soft", "importance"]
Prune = Literal["hard", "soft"]
Response = Literal["predict_proba", "decision_function"]

KINDS: tuple[Kind, ...] = get_args(Kind)
FILTERS: tuple[Filter, ...] = get_args(Filter)
FILTER_CHOICES: tuple[FilterChoice, ...] = get_args(FilterChoice)
CLASSIC_FILTERS: tuple[ClassicFilter, ...] = get_args(ClassicFilter)
PRUNING_FILTERS: tuple[ClassicFilter, ...] = ("prune_by_noise_rate", "prune_by_class", "both")
JUDGES: tuple[JudgeName, ...] = get_args(JudgeName)
#: Filters that look at a row by itself. The others take so many of the worst, and of equals the
#: lower row: they need to know which row is lower.
UNRANKED_FILTERS: tuple[Filter, ...] = ("confident_learning", "predicted_neq_given", *JUDGES)
#: Filters that flag scores below a cut.
CUT_FILTERS: tuple[Filter, ...] = ("noise_floor",)
SCORES: tuple[Score, ...] = get_args(Score)
CLASSIC_SCORES: tuple[ClassicScore, ...] = get_args(ClassicScore)
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
