"""From predictions to a wanted position in one real contract, sized as in the replay."""

from enum import StrEnum

import numpy as np
import polars as pl

from hydra_assets.evaluation.strategies import shares_of, size_factors
from hydra_assets.labels.known import SPECS, LabelKind
from hydra_assets.labels.spec import TripleBarrier
from hydra_assets.models.outcomes import label_of
from hydra_assets.replay.inputs import aligned
from hydra_assets.replay.market import MarketArrays, faults
from hydra_assets.replay.sizing import kelly_lots, sizing_tables
from hydra_assets.replay.tables import ReplayConfig

MAX_SETTLE_AGE_SESSIONS = 0
KEY = ("market", "session")
BLOCK = "block"
"""Response of ``diagnosis`` to data that cannot be believed."""


class TargetReason(StrEnum):
    """Why the wanted position is what it is. Anything but ``ok`` keeps what is held and adds nothing."""

    OK = "ok"
    NO_CHAMPION = "no_champion"
    NO_FEATURES = "no_features"
    NO_PRICE = "no_price"
    STALE_SETTLE = "stale_settle"
    NO_SIZE = "no_size"
    """There is a probability and no size to it: no outcome was known when its model was fitted, or the market has no
    volatility or volume to size by (a fault of the replay, which keeps what it holds there too)."""
    DENSITY_GATE_RED = "density_gate_red"
    """The session's options cannot be believed (``density_gate``), and with them neither can the prediction."""
    THESIS_GATE_RED = "thesis_gate_red"
    """The champion has not shown a net Sharpe ratio above zero out of sample: nothing is traded on a real source."""
    NOT_OBSERVED = "not_observed"
    """Nobody has looked at the session's health: what is not known to be sound is not traded on."""
    BLOCKED = "blocked"
    """The session's data cannot be believed (``diagnosis``), and an order could only be wrong."""


def wanted_lots(
    predictions: pl.DataFrame, divergence: pl.DataFrame, market: MarketArrays, config: ReplayConfig
) -> pl.DataFrame:
    """Whole lots that predictions are worth: market, session, ``lots`` (Float64, null where there is no decision).

    Each session's position is the mean of its last decisions as its champion's label is held (``replay.holding``), a
    fraction of Kelly under the replay's caps, on the configured capital.

    Parameters
    ----------
    predictions
        Rows of ``predictions`` of a group, from a horizon before the first wanted session on.
    divergence
        market, session and size_factor of the same markets.
    market
        Arrays of the group's markets, from the volatility's window before the first wanted session on.
    """
    shares = np.full(market.settle.shape, np.nan)
    decided = label_of(predictions.drop_nulls("horizon_sessions"))
    for (kind, horizon), own in decided.partition_by(["label_kind", "horizon_sessions"], as_dict=True).items():
        spec = SPECS[LabelKind(kind)]
        barriers = spec if isinstance(spec, TripleBarrier) else None
        found = shares_of(predictions, market, horizon, barriers)
        shares = np.where(np.isfinite(aligned(own, "horizon_sessions", market)), found, shares)
    sizes = sizing_tables(market, config.sizing)
    factor = size_factors(divergence, market)
    lots = kelly_lots(shares, float(config.capital_cents), sizes.rate, sizes.cap_rate, sizes.cap_lots, factor)
    # As in the replay: a session with a fault decides nothing; a size of zero would be an order to leave.
    lots = np.where(faults(market) == 0, lots, np.nan)
    days = pl.Series(market.days).cast(pl.Int32).cast(pl.Date)
    return pl.concat(
        pl.DataFrame(
            {
                "market": pl.repeat(symbol, len(days), eager=True),
                "session": days,
                "lots": pl.Series(lots[:, j], nan_to_null=True),
            }
        )
        for j, symbol in enumerate(market.terms.symbols)
    )


def target_positions(
    predictions: pl.DataFrame,
    lots: pl.DataFrame,
    front: pl.DataFrame,
    red: pl.DataFrame,
    diagnosis: pl.DataFrame,
    real: bool,
) -> pl.DataFrame:
    """Wanted positions of one market: rows of ``target_positions``, in the session's contract.

    Parameters
    ----------
    predictions
        ``[n]`` rows of ``predictions``.
    lots
        As ``wanted_lots`` makes them.
    front
        The contract of each session (``traded_contracts``): session, contract, settle, settle_age_sessions.
    red
        Sessions, column ``session``, whose density gate is red.
    diagnosis
        session, exposure (share of its size that the market may trade) and response of ``diagnosis``.
    real
        Whether the home is on a real source: only there the density gate and the thesis gate block.
    """
    rows = (
        predictions.join(
            front.select("session", "contract", "settle", "settle_age_sessions"),
            on="session",
            how="left",
            maintain_order="left",
        )
        .join(lots, on=KEY, how="left", maintain_order="left")
        .join(diagnosis.select("session", "exposure", "response"), on="session", how="left", maintain_order="left")
        .with_columns(pl.col("session").is_in(red["session"].implode()).alias("gate_red"))
    )
    cases = (
        (pl.col("settle").is_null(), TargetReason.NO_PRICE),
        (pl.col("settle_age_sessions") > MAX_SETTLE_AGE_SESSIONS, TargetReason.STALE_SETTLE),
        (pl.col("lots").is_null(), TargetReason.NO_SIZE),
        (pl.col("gate_red") & real, TargetReason.DENSITY_GATE_RED),
        (pl.col("thesis_gate").ne_missing("green") & real, TargetReason.THESIS_GATE_RED),
        (pl.col("exposure").is_null(), TargetReason.NOT_OBSERVED),
        (pl.col("response") == BLOCK, TargetReason.BLOCKED),
    )
    # The first case that holds decides: each is put before the ones after it.
    reason: pl.Expr = pl.lit(str(TargetReason.OK))
    for case, code in reversed(cases):
        reason = pl.when(case).then(pl.lit(str(code))).otherwise(reason)
    reason = pl.when(pl.col("prediction_reason") != TargetReason.OK).then("prediction_reason").otherwise(reason)
    return rows.with_columns(reason.alias("target_reason")).select(
        "market",
        "session",
        "contract",
        "probability_up",
        pl.when(pl.col("target_reason") == TargetReason.OK)
        # Whole contracts towards zero: a part of one is none.
        .then((pl.col("lots") * pl.col("exposure")).cast(pl.Int64))
        .otherwise(0)
        .alias("target_contracts"),
        "target_reason",
        pl.col("settle").alias("limit_reference"),
    )
