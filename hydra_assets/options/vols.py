"""From standing quotes to implied volatilities: ``implied_vols``.

American quotes lose their early-exercise premium, discounted ones their discount; what is left is a European price of
the forward measure, whose total volatility is solved to machine precision. Half-spreads go over to volatility at the
European vega. Below 0.3 volatility points they say more about rounding than about the market, and are floored there.
"""

from typing import Any

import numpy as np
import polars as pl

from hydra_assets.options.clean import QuoteReason
from hydra_assets.options.deamericanise import to_european
from hydra_assets.options.implied_vol import IvStatus, half_spread_in_vol

FLOOR_VOL_POINTS = 0.3
_CARRIED = (
    "market",
    "session",
    "option",
    "expiry",
    "underlying_contract",
    "strike",
    "right",
    "days_to_expiry",
    "year_fraction",
    "rate",
    "synthetic_spread",
    "log_moneyness",
    "vendor_iv",
)


def implied_vols(quotes: pl.DataFrame) -> pl.DataFrame:
    """Invert the quotes that stand.

    Parameters
    ----------
    quotes
        Rows of ``clean_quotes``; those with another reason than ``used`` are left out.

    Returns
    -------
    Rows of ``implied_vols``, one per standing quote. ``iv_status`` says why a quote has no volatility; its numbers are
    then null.
    """
    rows = quotes.filter(pl.col("quote_reason") == QuoteReason.USED).select(
        *_CARRIED, pl.col("underlying_settle").alias("forward"), "mid", "half_spread", "exercise", "margin_style"
    )
    forward, strike, years = (rows[name].to_numpy() for name in ("forward", "strike", "year_fraction"))
    upfront = (rows["margin_style"] != "futures_style").to_numpy()
    rate = np.where(upfront, rows["rate"].to_numpy(), 0.0)
    is_call = (rows["right"] == "C").to_numpy()
    result = to_european(
        rows["mid"].to_numpy(),
        forward,
        strike,
        rate,
        years,
        is_call,
        (rows["exercise"] == "american").to_numpy(),
        upfront,
    )
    growth = np.exp(rate * years)
    s, root = result.total_vol, np.sqrt(years)
    with np.errstate(invalid="ignore"):
        width = half_spread_in_vol(
            -np.abs(rows["log_moneyness"].to_numpy()),
            s,
            rows["half_spread"].to_numpy() * growth / np.sqrt(forward * strike),
        )
        width = np.maximum(width, FLOOR_VOL_POINTS / 100.0 * root)
    solved = result.status == IvStatus.OK
    names = np.array([status.name.lower() for status in IvStatus], dtype=object)
    numbers: dict[str, Any] = {
        "european_price": result.european_undiscounted,
        "early_exercise_premium": rows["mid"].to_numpy() - result.european_undiscounted / growth,
        "iv": s / root,
        "iv_half_spread": width / root,
        "total_variance": s * s,
        "half_spread_variance": 2.0 * s * width,
    }
    good = pl.Series(solved)
    return rows.drop("mid", "half_spread", "exercise", "margin_style").with_columns(
        *(pl.when(good).then(pl.Series(values)).alias(name) for name, values in numbers.items()),
        pl.Series("iv_status", names[result.status].tolist(), dtype=pl.String),
    )
