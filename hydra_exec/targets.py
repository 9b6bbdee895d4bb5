"""From a probability to a wanted position in one real contract."""

from enum import StrEnum

import polars as pl

FULL_SIZE_EDGE = 0.10
"""Probability above (below) one half at which the position is at its limit; linear in between."""
MAX_SETTLE_AGE_SESSIONS = 0


class TargetReason(StrEnum):
    """Why the wanted position is what it is. Anything but ``ok`` keeps what is held and adds nothing."""

    OK = "ok"
    NO_CHAMPION = "no_champion"
    NO_FEATURES = "no_features"
    NO_PRICE = "no_price"
    STALE_SETTLE = "stale_settle"
    DENSITY_GATE_RED = "density_gate_red"
    """The session's options cannot be believed (``density_gate``), and with them neither can the prediction."""


def target_positions(
    predictions: pl.DataFrame, front: pl.DataFrame, max_contracts: int, red: pl.DataFrame
) -> pl.DataFrame:
    """Size the predictions of one market: rows of ``target_positions``.

    target = round(limit * clip((p - 1/2) / 0.10, -1, 1)), in the session's front contract.

    Parameters
    ----------
    predictions
        ``[n]`` rows of ``predictions``.
    front
        The front row of each session of ``futures_curve``: session, contract, settle, settle_age_sessions.
    max_contracts
        The market's position limit.
    red
        Sessions, column ``session``, whose density gate blocks; empty on a simulated source, where red only warns.
    """
    rows = predictions.join(
        front.select("session", "contract", "settle", "settle_age_sessions"),
        on="session",
        how="left",
        maintain_order="left",
    ).with_columns(pl.col("session").is_in(red["session"].implode()).alias("gate_red"))
    reason = (
        pl.when(pl.col("prediction_reason") != TargetReason.OK)
        .then("prediction_reason")
        .when(pl.col("settle").is_null())
        .then(pl.lit(str(TargetReason.NO_PRICE)))
        .when(pl.col("settle_age_sessions") > MAX_SETTLE_AGE_SESSIONS)
        .then(pl.lit(str(TargetReason.STALE_SETTLE)))
        .when("gate_red")
        .then(pl.lit(str(TargetReason.DENSITY_GATE_RED)))
        .otherwise(pl.lit(str(TargetReason.OK)))
    )
    share = ((pl.col("probability_up") - 0.5) / FULL_SIZE_EDGE).clip(-1.0, 1.0)
    size = (share * max_contracts).round(mode="half_away_from_zero").cast(pl.Int64)
    return rows.with_columns(reason.alias("target_reason")).select(
        "market",
        "session",
        "contract",
        "probability_up",
        pl.when(pl.col("target_reason") == TargetReason.OK).then(size).otherwise(0).alias("target_contracts"),
        "target_reason",
        pl.col("settle").alias("limit_reference"),
    )
