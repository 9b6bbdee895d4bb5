"""Datasets from the signals to the fills."""

from hydra_assets.columns.dataset import derived
from hydra_assets.features.dictionary import FEATURE_NAMES

_READINGS = ("tilt", "risk_reversal_25", "skew", "expected_return")
_GROUPS = ("producers", "swap_dealers", "others")

COT_SCORES = derived(
    "cot_scores",
    "Where each group of traders stands among its published weeks, with changes, or the reason why not.",
    (
        "family",
        "scope",
        "category",
        "report_date",
        "report_age_days",
        "history_weeks",
        "net_share",
        "crowd_score",
        "crowd_confidence",
        "crowd_reason",
        "crowd_score_z",
        "crowd_change_1w",
        "crowd_change_z",
        "crowd_change_reason",
        "open_interest_relative",
        "crowd_traders",
        "crowd_concentration",
        "gap_weeks",
        *(f"{group}_{what}" for group in _GROUPS for what in ("score", "z", "change_1w", "reason")),
    ),
    (),
    ("crowd_reason",),
)

HEADLINE_SCORES = derived(
    "headline_scores",
    "What the headlines known at the cutoff say of the market, without syndicated copies, fading with age.",
    (
        "headline_score",
        "headline_confidence",
        "headline_count",
        "headline_copies",
        "headline_age_days",
        "headline_reason",
    ),
    (),
    ("headline_reason",),
)

ORDER_FLOW_SCORES = derived(
    "order_flow_scores",
    "Accumulation against liquidation, from price, open interest and volume as known at the cutoff.",
    (
        "order_flow_score",
        "order_flow_confidence",
        "order_flow_age_days",
        "flow_z",
        "open_interest_change",
        "flow_volume_ratio",
        "size_imbalance",
        "order_flow_reason",
    ),
    (),
    ("order_flow_reason",),
)

SENTIMENT = derived(
    "sentiment",
    "The sources' scores, weighted by confidence and faded by age; absent sources are left out.",
    ("sentiment_score", "sentiment_confidence", "sentiment_sources", "sentiment_reason"),
    (),
    ("sentiment_sources", "sentiment_reason"),
)

DIVERGENCE = derived(
    "divergence",
    "The options' view and the sentiment, each against its own past and its own noise: type, direction, size.",
    (
        *(f"{reading}_z" for reading in _READINGS),
        *(f"{reading}_noise" for reading in _READINGS),
        "options_readings",
        "options_z",
        "options_z_se",
        "options_noise",
        "options_change_z",
        "options_change_noise",
        "kurt_z",
        "kurt_noise",
        "grade",
        "sentiment_score",
        "sentiment_z",
        "sentiment_change_z",
        "divergence_gap",
        "divergence_z",
        "history_sessions",
        "divergence_type",
        "divergence_direction",
        "divergence_confidence",
        "suggested_bias",
        "size_factor",
        "divergence_reason",
    ),
    (),
    ("divergence_type", "divergence_reason"),
)

CROSS_MARKET = derived(
    "cross_market",
    "What the home's other markets did up to the session before: momentum and change of volatility.",
    ("pool_markets", "pool_momentum", "pool_vol_change"),
    (),
    ("pool_markets",),
)

FEATURE_VECTOR = derived(
    "feature_vector",
    "What options, crowd, curve and calendar said at the session's cutoff; missing stays missing.",
    (*FEATURE_NAMES, "features_missing"),
    (),
    (),
)

LABELS = derived(
    "labels",
    "What became of earlier decisions, under the session at whose cutoff it was known.",
    (
        "label_kind",
        "decision_session",
        "entry_session",
        "label_return",
        "label_cost",
        "label_rolls",
        "label_sigma",
        "label_vol_units",
        "label_class",
        "label_barrier",
        "label_reason",
    ),
    ("label_kind", "decision_session"),
    ("label_reason",),
)

REGIMES = derived(
    "regimes",
    "Volatility and trend state of the market, filtered by a switching model of its past.",
    (
        "regime_vol",
        "regime_vol_probability",
        "regime_trend",
        "regime_trend_probability",
        "regime_probability_calm",
        "regime_probability_stressed",
        "regime_probability_up",
        "regime_probability_down",
        "regime_reason",
    ),
    (),
    ("regime_reason",),
)

_ESTIMATES = ("probability_raw", "probability_up", "probability_lower", "probability_upper", "base_rate")

WALK_FORWARD = derived(
    "walk_forward",
    "Out-of-fold probability of a rise by each recipe and by no signal, calibrated by what earlier folds were worth.",
    ("strategy", "fold", "trained_until", "training_rows", *_ESTIMATES, "calibration", "fold_reason"),
    ("strategy",),
    ("fold_reason",),
)

FEATURE_CONTRIBUTIONS = derived(
    "feature_contributions",
    "What each feature added to the log-odds of an out-of-fold probability (Shapley values).",
    ("strategy", "fold", "feature", "contribution"),
    ("strategy", "feature"),
    ("contribution",),
)

REPLAY_REPORT = derived(
    "replay_report",
    "What each recipe's out-of-fold probabilities would have traded and earned, by market, after all costs.",
    (
        "strategy",
        "position_lots",
        "fill_lots",
        "gross_money",
        "spread_money",
        "fee_money",
        "impact_money",
        "roll_money",
        "net_money",
        "account_equity",
        "breaker_state",
        "market_fault",
    ),
    ("strategy",),
    ("position_lots", "net_money", "account_equity", "breaker_state", "market_fault"),
)

PREDICTIONS = derived(
    "predictions",
    "Probability of a positive held return by the champion as of the session; no champion is a legal answer.",
    (
        "model_group",
        "model_version",
        "model_sha256",
        *_ESTIMATES,
        "model_label",
        "horizon_sessions",
        "thesis_gate",
        "prediction_reason",
    ),
    (),
    ("model_group", "prediction_reason"),
)

PREDICTION_OUTCOMES = derived(
    "prediction_outcomes",
    "Predictions with what became of them, under the session that made it known; written once, never changed.",
    (
        "decision_session",
        "model_group",
        "model_version",
        "model_sha256",
        "feature_sha256",
        "probability_raw",
        "probability_up",
        "base_rate",
        "label_kind",
        "label_return",
        "label_cost",
        "label_class",
        "squared_error",
    ),
    ("decision_session",),
    ("model_sha256", "feature_sha256", "probability_up", "label_class", "squared_error"),
)

CHAMPION_HEALTH = derived(
    "champion_health",
    "What is watched of the data, the features, the champion's probabilities and its edge; drift only where it alarms.",
    (
        "model_group",
        "model_version",
        "health_family",
        "health_signal",
        "health_scope",
        "health_statistic",
        "health_threshold",
        "health_level",
        "health_reason",
    ),
    ("health_family", "health_signal", "health_scope", "health_reason"),
    ("model_group", "health_level"),
)

DIAGNOSIS = derived(
    "diagnosis",
    "Ranked causes of what is wrong with a group, by rules, and what is done at once: how much a market may trade.",
    (
        "model_group",
        "model_version",
        "cause",
        "cause_confidence",
        "causes",
        "response",
        "exposure",
        "champion_stage",
        "size_fraction",
        "masked_features",
    ),
    (),
    ("model_group", "cause", "response", "exposure"),
)
