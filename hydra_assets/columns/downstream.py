"""Datasets from the fitted surfaces to the fills."""

from hydra_assets.columns.dataset import DatasetSpec, Layer, PartitionedBy, checked

_MARKET_SESSION = ("market", "session")


def _derived(
    name: str, description: str, columns: tuple[str, ...], key: tuple[str, ...], required: tuple[str, ...]
) -> DatasetSpec:
    return checked(
        DatasetSpec(
            name=name,
            description=description,
            layer=Layer.DERIVED,
            partitioned_by=PartitionedBy.MARKET_SESSION,
            columns=(*_MARKET_SESSION, *columns),
            key=(*_MARKET_SESSION, *key),
            required=(*_MARKET_SESSION, *key, *required),
        )
    )


VOL_SURFACE = _derived(
    "vol_surface",
    "One SSVI slice per expiry, fitted robustly to the session's usable quotes; slices without a fit say why.",
    (
        "expiry",
        "underlying_contract",
        "days_to_expiry",
        "year_fraction",
        "forward",
        "quotes_seen",
        "quotes_used",
        "quotes_rejected",
        "synthetic_spread",
        "slice_reason",
        "atm_total_variance",
        "ssvi_rho",
        "ssvi_phi",
        "rmse_half_spreads",
        "atm_vol",
    ),
    ("expiry",),
    ("quotes_seen", "quotes_used", "slice_reason"),
)

IMPLIED_DENSITY = _derived(
    "implied_density",
    "Risk-neutral density of each fitted slice, with its residuals, moments and tilt over the lognormal.",
    (
        "expiry",
        "underlying_contract",
        "days_to_expiry",
        "year_fraction",
        "atm_vol",
        "density",
        "mass_residual",
        "martingale_residual",
        "min_durrleman_g",
        "implied_sd",
        "implied_skew",
        "tilt",
        "tilt_probability",
    ),
    ("expiry",),
    ("density", "mass_residual", "martingale_residual"),
)

IMPLIED_MOMENTS = _derived(
    "implied_moments",
    "The session's density at the expiry nearest 60 days in a few numbers, or the reason why there are none.",
    (
        "expiry",
        "underlying_contract",
        "days_to_expiry",
        "atm_vol",
        "implied_vol_of_density",
        "implied_skew",
        "tilt",
        "tilt_probability",
        "slices_usable",
        "moments_reason",
    ),
    (),
    ("moments_reason",),
)

COT_SCORES = _derived(
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

DIVERGENCE = _derived(
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

FEATURE_VECTOR = _derived(
    "feature_vector",
    "What options, crowd, curve and calendar said at the session's cutoff; missing stays missing.",
    (
        "tilt",
        "tilt_z",
        "atm_vol",
        "implied_skew",
        "vol_premium",
        "crowd_score",
        "crowd_confidence",
        "report_age_days",
        "divergence_z",
        "carry",
        "momentum_20",
        "momentum_60",
        "realised_vol_20",
        "season_sin",
        "season_cos",
        "days_to_last_trade",
        "slices_usable",
        "features_missing",
    ),
    (),
    (),
)

PREDICTIONS = _derived(
    "predictions",
    "Probability of a positive held return by the champion as of the session; no champion is a legal answer.",
    ("model_group", "model_version", "model_sha256", "probability_up", "prediction_reason"),
    (),
    ("model_group", "prediction_reason"),
)

TARGET_POSITIONS = _derived(
    "target_positions",
    "Wanted position in one real contract, from the champion's prediction.",
    ("contract", "probability_up", "target_contracts", "target_reason", "limit_reference"),
    (),
    ("target_contracts", "target_reason"),
)

ORDERS = _derived(
    "orders",
    "Limit orders decided at the session's cutoff, sent or denied by the risk gate.",
    ("order_ref", "contract", "side", "quantity", "limit_price", "gate_code"),
    ("order_ref",),
    ("contract", "side", "quantity", "limit_price", "gate_code"),
)

FILLS = _derived(
    "fills",
    "Executions in the session's bar of orders sent after an earlier cutoff.",
    ("exec_id", "order_ref", "ordered_session", "contract", "side", "quantity", "fill_price", "fee"),
    ("exec_id",),
    ("order_ref", "contract", "side", "quantity", "fill_price"),
)
