"""The rest of the pool: what the other markets did, up to the session before.

Cutoffs differ between markets, so a market looks at the others' sessions strictly before its own session: those were
decided whatever the hour.
"""

import numpy as np
import polars as pl

from hydra_assets.arrays import floats
from hydra_assets.features.curve_group import KEY, MONTH, QUARTER, held_returns
from hydra_assets.features.returns import momentum, realised_vol

HELD_COLUMNS = (*KEY, "contract_month", "role", "settle", "held_return")
MAX_AGE_DAYS = 7
"""Calendar days after which another market's last session says nothing about today."""


def pool_features(curves: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
    """What the other markets of ``curves`` say for each (market, session) of ``sessions``.

    Parameters
    ----------
    curves
        ``futures_curve`` of every market of the home, at least 60 sessions before the first wanted one.
    sessions
        Columns market and session.

    Returns
    -------
    market, session, ``pool_markets`` (others with a value), ``pool_momentum`` (mean of their momentum over 20
    sessions), ``pool_vol_change`` (mean log ratio of their 20- to 60-session volatility); null without any.
    """
    own = [_states(part) for part in held_returns(curves).partition_by("market", maintain_order=True)]
    states = pl.concat(own) if own else _states(held_returns(curves))
    wanted = sessions.select(KEY).sort("session", maintain_order=True)
    seen = []
    for (other,), state in states.partition_by("market", as_dict=True, maintain_order=True).items():
        # The newest of its sessions strictly before ours.
        before = state.drop("market").with_columns((pl.col("session") + pl.duration(days=1)).alias("from")).sort("from")
        seen.append(
            wanted.filter(pl.col("market") != other).join_asof(
                before.drop("session"),
                left_on="session",
                right_on="from",
                strategy="backward",
                tolerance=f"{MAX_AGE_DAYS - 1}d",
            )
        )
    rows = pl.concat(seen) if seen else wanted.with_columns(*(pl.lit(None, pl.Float64).alias(n) for n in _NAMES))
    # Added in the order of the markets' names, so that a mean has one last bit.
    pooled = rows.group_by(KEY, maintain_order=True).agg(
        pl.col("momentum").count().cast(pl.Int64).alias("pool_markets"),
        pl.col("momentum").mean().alias("pool_momentum"),
        pl.col("vol_change").mean().alias("pool_vol_change"),
    )
    return (
        sessions.select(KEY)
        .join(pooled, on=KEY, how="left", maintain_order="left")
        .with_columns(pl.col("pool_markets").fill_null(0))
    )


_NAMES = ("momentum", "vol_change")


def _states(rows: pl.DataFrame) -> pl.DataFrame:
    r = np.log1p(floats(rows, "held_return"))
    with np.errstate(invalid="ignore", divide="ignore"):
        change = np.log(realised_vol(r, MONTH) / realised_vol(r, QUARTER))
    return rows.select(KEY).with_columns(
        pl.Series("momentum", momentum(r, MONTH), nan_to_null=True),
        pl.Series("vol_change", np.where(np.isfinite(change), change, np.nan), nan_to_null=True),
    )
