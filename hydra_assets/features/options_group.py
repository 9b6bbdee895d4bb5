"""Features of the options: the shape of the 60-day density, its changes, the term structure and the flows.

Every row of the inputs was computed as of its own session's cutoff; a change over five sessions is that of the market's
own sessions and needs both ends.
"""

import polars as pl

KEY = ("market", "session")
VIEW_TENOR = "60d"
"""Horizon of the options view."""
LONG_TENOR = "90d"
CHANGE_SESSIONS = 5
GRADE_RANKS = {"A": 4.0, "B": 3.0, "C": 2.0, "D": 1.0, "E": 0.0}
MIN_KURT_RANK = 3.0
"""Kurtosis is trusted at grade B or better."""
VIEW_DAYS = 60
DAYS_A_YEAR = 365.0
MARKET_LEVEL = "market"
MOMENT_COLUMNS = (
    *KEY,
    "tenor",
    "grade",
    "tilt",
    "tilt_mode",
    "tilt_probability",
    "risk_reversal_25",
    "skew",
    "kurt",
    "atm_vol",
    "slices_usable",
    "moments_reason",
)
FLOW_COLUMNS = (
    *KEY,
    "level",
    "basis",
    *(
        f"{name}_{side}_{unit}"
        for name, unit in (("gex", "per_percent"), ("vanna", "per_vol_point"), ("charm", "per_day"))
        for side in ("unsigned", "signed")
    ),
    "contracts",
    "put_contracts",
)
REAL_WORLD_COLUMNS = (*KEY, "expiry", "days_to_expiry", "expected_log_return", "probability_above_forward")


def moment_features(moments: pl.DataFrame) -> pl.DataFrame:
    """One row per (market, session): features from ``implied_moments`` (columns ``MOMENT_COLUMNS``).

    Needs ``CHANGE_SESSIONS`` sessions before the first wanted one.
    """
    ordered = moments.sort(KEY, maintain_order=True)
    view = ordered.filter(pl.col("tenor") == VIEW_TENOR)
    later = ordered.filter(pl.col("tenor") == LONG_TENOR).select(*KEY, pl.col("atm_vol").alias("later_vol"))
    rank = pl.col("grade").replace_strict(GRADE_RANKS, default=None, return_dtype=pl.Float64)
    rows = view.with_columns(
        rank.alias("grade_rank"),
        pl.col("risk_reversal_25").alias("risk_reversal"),
        pl.col("skew").alias("implied_skew"),
        pl.when(rank >= MIN_KURT_RANK).then("kurt").alias("implied_kurt"),
        *(
            (pl.col(name) - pl.col(name).shift(CHANGE_SESSIONS).over("market")).alias(f"{as_name}_change_5")
            for name, as_name in (("tilt", "tilt"), ("skew", "implied_skew"), ("atm_vol", "atm_vol"))
        ),
    )
    return rows.join(later, on=KEY, how="left", maintain_order="left").select(
        *KEY,
        *("tilt", "tilt_change_5", "tilt_mode", "tilt_probability", "risk_reversal"),
        *("implied_skew", "implied_skew_change_5", "implied_kurt", "atm_vol", "atm_vol_change_5"),
        (pl.col("later_vol") - pl.col("atm_vol")).alias("vol_term_slope"),
        "grade_rank",
        "slices_usable",
        "moments_reason",
    )


def real_world_features(densities: pl.DataFrame) -> pl.DataFrame:
    """Expected return a year and P(S_T > F) of the expiry nearest 60 days (columns ``REAL_WORLD_COLUMNS``)."""
    away = (pl.col("days_to_expiry") - VIEW_DAYS).abs()
    near = densities.sort(*KEY, away, "expiry", maintain_order=True).unique(KEY, keep="first", maintain_order=True)
    return near.select(
        *KEY,
        (pl.col("expected_log_return") * DAYS_A_YEAR / pl.col("days_to_expiry")).alias("real_world_return"),
        pl.col("probability_above_forward").alias("real_world_above_forward"),
    )


def flow_features(flows: pl.DataFrame) -> pl.DataFrame:
    """Balances and put shares of a market from ``greeks_flows`` (columns ``FLOW_COLUMNS``)."""
    whole = flows.filter(pl.col("level") == MARKET_LEVEL)
    interest = whole.filter(pl.col("basis") == "open_interest")
    volume = whole.filter(pl.col("basis") == "volume")
    share = pl.when(pl.col("contracts") > 0.0).then(pl.col("put_contracts") / pl.col("contracts"))
    return interest.select(
        *KEY,
        _balance("gex", "per_percent").alias("gamma_balance"),
        _balance("vanna", "per_vol_point").alias("vanna_balance"),
        _balance("charm", "per_day").alias("charm_balance"),
        share.alias("put_share"),
    ).join(volume.select(*KEY, share.alias("put_share_volume")), on=KEY, how="left", maintain_order="left")


def _balance(name: str, unit: str) -> pl.Expr:
    unsigned = pl.col(f"{name}_unsigned_{unit}")
    return pl.when(unsigned > 0.0).then(pl.col(f"{name}_signed_{unit}") / unsigned)
