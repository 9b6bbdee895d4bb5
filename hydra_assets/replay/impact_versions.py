"""From versions of a market's impact to the factor of a replay: each session pays what was known of impact before it.

The square-root law is linear in Y, so a learned Y and its pessimism p are a factor on the impact of the market's own,

    p Y_version / Y_market,

and multiply what the hours of working make of it. A version that takes effect after session E is what a fill in a later
session costs: it stands in the rows from E on, since costs of a fill in session t+1 are made from row t.
"""

from dataclasses import replace

import numpy as np
import polars as pl

from hydra_assets.replay.market import Floats, MarketArrays, known_factor

VERSION_SCHEMA: dict[str, pl.DataType] = {
    "market": pl.String(),
    "effective_after": pl.Date(),
    "multiplier": pl.Float64(),
}
"""One version: the session after which it holds, and its impact over that of the market's own terms."""


def no_versions() -> pl.DataFrame:
    """The versions of markets of which nothing was learned."""
    return pl.DataFrame(schema=VERSION_SCHEMA)


def with_impact_versions(market: MarketArrays, versions: pl.DataFrame) -> MarketArrays:
    """Market with the impact that was known at the time; itself where there is no version of any of its markets.

    Parameters
    ----------
    versions
        ``VERSION_SCHEMA``, at most one a market and session; in any order.
    """
    own = versions.filter(pl.col("market").is_in(market.terms.symbols))
    if own.is_empty():
        return market
    learned = np.full(market.settle.shape, np.nan)
    for j, symbol in enumerate(market.terms.symbols):
        learned[:, j] = _standing(market, own.filter(pl.col("market") == symbol).sort("effective_after"))
    if market.impact_factor is None:
        return replace(market, impact_factor=learned)
    both = known_factor(market.impact_factor, learned) * known_factor(learned, learned)
    neither = np.isnan(learned) & np.isnan(market.impact_factor)
    return replace(market, impact_factor=np.where(neither, np.nan, both))


def _standing(market: MarketArrays, versions: pl.DataFrame) -> Floats:
    """Multiplier of the newest version at each row, ``[session]``; NaN before the first."""
    after = versions["effective_after"].to_physical().cast(pl.Int64).to_numpy()
    multiplier = np.concatenate([[np.nan], versions["multiplier"].to_numpy()])
    return np.asarray(multiplier[np.searchsorted(after, market.days, side="right")])
