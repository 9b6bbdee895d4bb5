"""What real chains are compared with: their own parity, the exchange's mark volatilities, and no-arbitrage.

Pure functions of the pipeline's frames; where a comparison has a target it comes back as a line.
"""

from datetime import time

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hydra_assets.columns import OPTION_QUOTES
from hydra_assets.markets.model import OptionTerms
from hydra_assets.options.clean import QuoteReason, QuoteTerms, clean
from hydra_assets.options.vol_surface import SliceReason
from hydra_assets.options.vols import implied_vols
from studies.targets import Line

EXCHANGE_EXPIRY = time(8, 0)
"""UTC, of the exchange behind the daily snapshots."""
SECONDS_A_YEAR = 365 * 86_400
WITHIN_SDS = 1.0
MIN_G = -1e-6
MILK_FORWARD, MILK_TOLERANCE = 17.57, 0.02


def daily_snapshots(chains: pl.DataFrame, terms: OptionTerms) -> pl.DataFrame:
    """``implied_vols`` of every daily snapshot, weekends and weekly expiries too, by the pipeline's own functions.

    The lake has the sessions of working days and the expiries that have a contract month. Here each day of the raw
    chain is a session of its own, with the forward and the instant that the exchange's mark volatilities are made of:
    its price of the expiry's underlying, and time from the snapshot to 08:00 UTC of the expiry.
    """
    at_expiry = pl.col("expiry").cast(pl.Datetime("us")).dt.replace_time_zone("UTC") + pl.duration(
        hours=EXCHANGE_EXPIRY.hour
    )
    day = pl.col("event_time").dt.date()
    rows = chains.filter(pl.col("record") == "price").with_columns(
        day.alias("session"),
        ((at_expiry - pl.col("event_time")).dt.total_seconds() / SECONDS_A_YEAR).alias("year_fraction"),
        (pl.col("expiry") - day).dt.total_days().alias("days_to_expiry"),
        pl.col("underlying_price").alias("underlying_settle"),
        pl.lit(0).alias("underlying_age_sessions"),
        pl.lit(0.0).alias("quote_age_hours"),
        pl.lit(str(terms.exercise)).alias("exercise"),
        pl.lit(str(terms.margin_style)).alias("margin_style"),
    )
    quotes = rows.filter(pl.col("year_fraction") > 0).select(
        *(pl.col(name).cast(kind) for name, kind in OPTION_QUOTES.schema.items()), pl.lit(0.0).alias("rate")
    )
    return implied_vols(clean(quotes, QuoteTerms(terms.tick, terms.strike_interval)))


def iv_differences(vols: pl.DataFrame) -> pl.DataFrame:
    """Own less vendor's volatility in vol points, of quotes within one standard deviation of the money."""
    sd = pl.col("vendor_iv") * pl.col("year_fraction").sqrt()
    near = vols.filter((pl.col("iv_status") == "ok") & (pl.col("log_moneyness").abs() <= WITHIN_SDS * sd))
    return near.select(
        "session",
        "expiry",
        "strike",
        (100.0 * (pl.col("iv") - pl.col("vendor_iv"))).alias("vol_points"),
        (100.0 * pl.col("iv_half_spread")).alias("half_spread_vol_points"),
    ).drop_nulls("vol_points")


def vendor_at_the_money(quotes: pl.DataFrame) -> pl.DataFrame:
    """The vendor's volatility at k = 0 of each slice, linear between the strikes on either side of the forward."""
    known = quotes.filter(pl.col("vendor_iv").is_finite() & pl.col("log_moneyness").is_not_null())
    smile = known.group_by("session", "expiry", "log_moneyness").agg(pl.col("vendor_iv").mean()).sort("log_moneyness")
    parts = []
    for (session, expiry), part in smile.group_by(["session", "expiry"]):
        k = part["log_moneyness"].to_numpy()
        if k.min(initial=np.inf) <= 0.0 <= k.max(initial=-np.inf):
            parts.append((session, expiry, float(np.interp(0.0, k, part["vendor_iv"].to_numpy()))))
    schema = {"session": pl.Date, "expiry": pl.Date, "vendor_atm_vol": pl.Float64}
    return pl.DataFrame(parts, schema=schema, orient="row")


def at_the_money_jumps(market: str, surface: pl.DataFrame, quotes: pl.DataFrame) -> list[Line]:
    """Day-to-day moves of at-the-money volatility, own over the exchange's, of the same expiries and days."""
    both = (
        surface.filter(pl.col("atm_vol").is_finite())
        .join(vendor_at_the_money(quotes), on=["session", "expiry"])
        .sort("expiry", "session")
        .with_columns(
            (100.0 * pl.col(name).diff().over("expiry").abs()).alias(f"{name}_jump")
            for name in ("atm_vol", "vendor_atm_vol")
        )
        .drop_nulls("atm_vol_jump")
    )
    own, vendor = both["atm_vol_jump"].to_numpy(), both["vendor_atm_vol_jump"].to_numpy()
    if both.is_empty():
        return [Line("jump", f"{market}: day-to-day moves of ATM vol", float("nan"), 0.0, 1.0)]
    print(
        f"\n{market}: {both.height} day-to-day moves of ATM vol, vol points: median, p95 and largest "
        f"{_three(own)}; the exchange's {_three(vendor)}"
    )
    ratios = {
        "root mean square": float(np.sqrt((own**2).mean() / (vendor**2).mean())),
        "largest": float(own.max() / vendor.max()),
    }
    return [
        Line("jump", f"{market}: ATM vol moves over the exchange's, 5 % allowed, {name}", ratio, 0.0, 1.05)
        for name, ratio in ratios.items()
    ]


def _three(moves: NDArray[np.float64]) -> str:
    return ", ".join(f"{q:.3f}" for q in np.quantile(moves, [0.5, 0.95, 1.0]))


def violations(market: str, surface: pl.DataFrame, density: pl.DataFrame) -> list[Line]:
    """Published slices with a butterfly or calendar arbitrage, or a mass or mean that is off."""
    in_average = pl.col("weight_svi") > 0.0
    butterflies = (
        surface.filter(in_average & (pl.col("svi_min_g") < MIN_G)).height
        + density.filter(pl.col("min_density") < 0.0).height
    )
    calendar = surface.filter(pl.col("calendar_min_dw") < -1e-9).height
    off = density.filter((pl.col("mass_residual").abs() > 1e-6) | (pl.col("martingale_residual").abs() > 1e-6)).height
    return [
        Line("arb", f"{market}: butterfly arbitrage in {density['density'].count()} densities", butterflies, 0.0, 0.0),
        Line("arb", f"{market}: calendar arbitrage in {surface.height} slices", calendar, 0.0, 0.0),
        Line("arb", f"{market}: densities with a residual above 1e-6", off, 0.0, 0.0),
    ]


def milk_lines(quotes: pl.DataFrame, surface: pl.DataFrame) -> list[Line]:
    """Parity forward of the milk chain, and its one-sided strikes refused with their reason."""
    forward = surface["parity_forward"].drop_nulls()
    one_sided = pl.col("bid").is_null() != pl.col("ask").is_null()
    used = quotes.filter(one_sided & (pl.col("quote_reason") == QuoteReason.USED)).height
    return [
        Line(
            "DC",
            "milk: parity forward",
            float(forward[0]) if len(forward) else float("nan"),
            MILK_FORWARD - MILK_TOLERANCE,
            MILK_FORWARD + MILK_TOLERANCE,
        ),
        Line("DC", f"milk: one-sided quotes used, of {quotes.filter(one_sided).height}", used, 0.0, 0.0),
        Line("DC", "milk: quotes without a reason", quotes["quote_reason"].null_count(), 0.0, 0.0),
    ]


def settlement_lines(quotes: pl.DataFrame, surface: pl.DataFrame, density: pl.DataFrame) -> list[Line]:
    """The Henry Hub board: settlements only, so every used quote and every slice carries the synthetic-spread flag."""
    used = quotes.filter(pl.col("quote_reason") == QuoteReason.USED)
    unflagged = used.filter(~pl.col("synthetic_spread")).height
    known = surface.filter(pl.col("forward").is_not_null())
    unfitted = known.filter(pl.col("slice_reason") != SliceReason.OK).height
    slices = surface.filter((pl.col("quotes_used") > 0) & ~pl.col("synthetic_spread").fill_null(value=False)).height
    return [
        Line("NG", f"Henry Hub: used quotes without the flag, of {used.height}", unflagged, 0.0, 0.0),
        Line("NG", "Henry Hub: slices of them without the flag", slices, 0.0, 0.0),
        Line(
            "NG",
            f"Henry Hub: expiries without a reason, of {surface.height}",
            surface["slice_reason"].null_count(),
            0,
            0,
        ),
        Line(
            "NG", f"Henry Hub: without parameters, of {known.height} expiries that have a forward", unfitted, 0.0, 0.0
        ),
        Line("NG", "Henry Hub: expiries with a density", density["density"].count(), 1.0, float("inf")),
    ]
