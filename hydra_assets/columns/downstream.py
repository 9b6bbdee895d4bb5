"""Datasets from the signals to the fills."""

from hydra_assets.columns.dataset import derived
from hydra_assets.features.dictionary import FEATURE_NAMES

COT_SCORES = derived(
    "cot_scores",
    "Speculators' net position as a score in [-1, +1] among its published weeks, or the reason why there is none.",
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
    ),
    (),
    ("crowd_reason",),
)

DIVERGENCE = derived(
    "divergence",
    "Gap between the options' tilt and the crowd's score, each against its own past, with type and direction.",
    (
        "tilt",
        "crowd_score",
        "tilt_z",
        "crowd_z",
        "divergence_gap",
        "divergence_z",
        "history_sessions",
        "divergence_type",
        "divergence_direction",
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

PREDICTIONS = derived(
    "predictions",
    "Probability of a positive held return by the champion as of the session; no champion is a legal answer.",
    ("model_group", "model_version", "model_sha256", "probability_up", "prediction_reason"),
    (),
    ("model_group", "prediction_reason"),
)

TARGET_POSITIONS = derived(
    "target_positions",
    "Wanted position in one real contract, from the champion's prediction.",
    ("contract", "probability_up", "target_contracts", "target_reason", "limit_reference"),
    (),
    ("target_contracts", "target_reason"),
)

ORDERS = derived(
    "orders",
    "Limit orders decided at the session's cutoff, sent or denied by the risk gate.",
    ("order_ref", "contract", "side", "quantity", "limit_price", "gate_code"),
    ("order_ref",),
    ("contract", "side", "quantity", "limit_price", "gate_code"),
)

FILLS = derived(
    "fills",
    "Executions in the session's bar of orders sent after an earlier cutoff.",
    ("exec_id", "order_ref", "ordered_session", "contract", "side", "quantity", "fill_price", "fee"),
    ("exec_id",),
    ("order_ref", "contract", "side", "quantity", "fill_price"),
)
