"""Datasets of the options engine, from the judged quotes to the densities and flows."""

from hydra_assets.columns.dataset import DatasetSpec, Layer, PartitionedBy, checked, derived
from hydra_assets.columns.option_columns import STATISTICS

_MARKET_SESSION = ("market", "session")
_SLICE = ("expiry", "underlying_contract", "days_to_expiry", "year_fraction")
_QUOTE = ("option", "expiry", "underlying_contract", "strike", "right", "days_to_expiry", "year_fraction")


CLEAN_QUOTES = derived(
    "clean_quotes",
    "Every quote of the session with the one reason why it is not used, or `used`.",
    (
        *_QUOTE,
        "exercise",
        "margin_style",
        "rate",
        "underlying_settle",
        "bid",
        "ask",
        "settle",
        "mid",
        "half_spread",
        "synthetic_spread",
        "log_moneyness",
        "vendor_iv",
        "volume",
        "open_interest",
        "quote_reason",
    ),
    ("option",),
    ("expiry", "strike", "right", "quote_reason"),
)

IMPLIED_VOLS = derived(
    "implied_vols",
    "Implied volatility of every standing quote, freed of early exercise and discount, or why it has none.",
    (
        *_QUOTE,
        "rate",
        "synthetic_spread",
        "forward",
        "log_moneyness",
        "european_price",
        "early_exercise_premium",
        "iv",
        "iv_half_spread",
        "total_variance",
        "half_spread_variance",
        "vendor_iv",
        "iv_status",
    ),
    ("option",),
    ("expiry", "strike", "right", "forward", "iv_status"),
)

VOL_SURFACE = derived(
    "vol_surface",
    "Three smiles per expiry, their weights and what speaks for them; slices without one say why.",
    (
        *_SLICE,
        "forward",
        "rate",
        "exercise",
        "margin_style",
        "parity_forward",
        "parity_pairs",
        "parity_gap_half_spreads",
        "quotes_seen",
        "quotes_used",
        "quotes_rejected",
        "synthetic_spread",
        "slice_reason",
        "fit_kind",
        "strikes_used",
        "median_half_spread_share",
        "ssvi_theta",
        "ssvi_rho",
        "ssvi_phi",
        "mixture_weight",
        "mixture_mean_1",
        "mixture_mean_2",
        "mixture_sd_1",
        "mixture_sd_2",
        "svi_a",
        "svi_b",
        "svi_rho",
        "svi_m",
        "svi_sigma",
        "weight_ssvi",
        "weight_mixture",
        "weight_svi",
        "rmse_half_spreads",
        "largest_residual_half_spreads",
        "down_weighted_share",
        "svi_min_g",
        "lee_slope_left",
        "lee_slope_right",
        "calendar_min_dw",
        "arbitrage_evidence",
        "observed_k_min",
        "observed_k_max",
        "atm_vol",
    ),
    ("expiry",),
    ("quotes_seen", "quotes_used", "slice_reason"),
)

IMPLIED_DENSITY = derived(
    "implied_density",
    "Risk-neutral density of each slice of grade C or better (D and E: volatility only), with residuals and intervals.",
    (
        *_SLICE,
        "forward",
        "grade",
        "grade_reasons",
        "synthetic_spread",
        "density_unit",
        "density",
        "quantiles",
        "quantiles_se",
        "mass_residual",
        "martingale_residual",
        "min_density",
        "atm_skew",
        "atm_curvature",
        "observed_sd",
        "observed_skew",
        "extrapolated_left",
        "extrapolated_right",
        *(column for name in STATISTICS for column in (name, f"{name}_se")),
    ),
    ("expiry",),
    ("grade", "grade_reasons"),
)

IMPLIED_MOMENTS = derived(
    "implied_moments",
    "Moments at 30, 60 and 90 days and at each expiry, with 90 % intervals, or the reason why there are none.",
    (
        "tenor",
        "tenor_days",
        "underlying_contract",
        "mixed_underlyings",
        "grade",
        *(column for name in STATISTICS for column in (name, f"{name}_se", f"{name}_lo", f"{name}_hi")),
        "slices_usable",
        "moments_reason",
    ),
    ("tenor",),
    ("moments_reason",),
)

GREEKS_FLOWS = checked(
    DatasetSpec(
        name="greeks_flows",
        description="Gamma, vanna and charm exposure per strike, expiry and market, by open interest and by volume.",
        layer=Layer.DERIVED,
        partitioned_by=PartitionedBy.MARKET_SESSION,
        columns=(
            *_MARKET_SESSION,
            "level",
            "basis",
            "expiry",
            "underlying_contract",
            "strike",
            "dealer_convention",
            "gex_unsigned_per_percent",
            "gex_signed_per_percent",
            "vanna_unsigned_per_vol_point",
            "vanna_signed_per_vol_point",
            "charm_unsigned_per_day",
            "charm_signed_per_day",
            "contracts",
            "put_contracts",
            "options",
            "options_missing",
        ),
        key=(*_MARKET_SESSION, "level", "basis", "expiry", "underlying_contract", "strike"),
        # An expiry's row has no strike, the market's no expiry.
        required=(*_MARKET_SESSION, "level", "basis", "dealer_convention", "options", "options_missing"),
    )
)

REAL_WORLD_DENSITY = derived(
    "real_world_density",
    "Densities adjusted for risk and recalibrated on the market's expiries realised before the session.",
    (
        *_SLICE,
        "forward",
        "grade",
        "density_unit",
        "real_world_density",
        "expected_log_return",
        "expected_log_return_se",
        "expected_return",
        "expected_return_se",
        "real_world_sd",
        "real_world_skew",
        "probability_above_forward",
        "risk_gamma",
        "calibration_a",
        "calibration_b",
        "expiries_realised",
        "real_world_reason",
    ),
    ("expiry",),
    ("real_world_density", "real_world_reason"),
)

DENSITY_GATE = derived(
    "density_gate",
    "Whether a market's options can be believed in a session: red blocks new positions on a real source.",
    ("gate_state", "gate_reasons"),
    (),
    ("gate_state",),
)
