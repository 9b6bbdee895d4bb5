"""Dealers' hedging flows: gamma, vanna and charm exposure per strike, expiry and market.

An option's exposure is how much delta, in currency of the underlying, its open contracts gain

    per 1 % move of F    GEX = gamma * contracts * multiplier * F^2 * 0.01
    per vol point        vanna * 0.01 * contracts * multiplier * F
    per calendar day     charm / 365 * contracts * multiplier * F

where multiplier is currency per price unit of one contract. The unsigned figure adds absolute values over calls and
puts and assumes nothing. A signed figure needs to know who holds what, which no published number says: it stands under
a convention, named in its row. ``contracts`` is the open interest or the session's volume, the row's ``basis``.

What is missing stays missing: an option without contracts, volatility or rate adds nothing and is counted, and a figure
with no option known is null, not zero. Open interest is known one session late; the frame has it as it was known.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from hydra_assets.markets.model import MarginStyle
from hydra_assets.options.black76 import Floats
from hydra_assets.options.greeks import FlowGreeks, flow_greeks

PERCENT = 0.01
VOL_POINT = 0.01
DAYS_A_YEAR = 365.0
"""As in ``year_fraction``, which is ACT/365."""


class DealerConvention(StrEnum):
    """Which side the dealers are taken to hold."""

    LONG_CALLS_SHORT_PUTS = "long_calls_short_puts"
    """Customers sell calls against what they own and buy puts to protect it."""
    SHORT_CALLS_SHORT_PUTS = "short_calls_short_puts"
    """Customers buy every option."""


class Basis(StrEnum):
    """What counts the contracts; the name is the frame's column."""

    OPEN_INTEREST = "open_interest"
    VOLUME = "volume"


class Level(StrEnum):
    """What a row adds up."""

    STRIKE = "strike"
    EXPIRY = "expiry"
    MARKET = "market"


_SIDES = {
    DealerConvention.LONG_CALLS_SHORT_PUTS: (1.0, -1.0),
    DealerConvention.SHORT_CALLS_SHORT_PUTS: (-1.0, -1.0),
}
"""Dealers' sign for calls and for puts."""
_KEYS = {
    Level.STRIKE: ("market", "session", "expiry", "strike"),
    Level.EXPIRY: ("market", "session", "expiry"),
    Level.MARKET: ("market", "session"),
}
_NUMBERS = ("forward", "strike", "total_vol", "year_fraction", "rate", "multiplier", "open_interest", "volume")
INPUT_COLUMNS = ("market", "session", "expiry", "underlying_contract", "right", "margin_style", *_NUMBERS)


@dataclass(frozen=True, slots=True)
class Exposures:
    """Exposures of options held long, ``[n]``, in currency of delta; NaN where something is not known."""

    gex_per_percent: Floats
    vanna_per_vol_point: Floats
    charm_per_day: Floats


def exposures(greeks: FlowGreeks, forward: ArrayLike, multiplier: ArrayLike, contracts: ArrayLike) -> Exposures:
    """Exposures of each option; any shape, broadcast. A negative count of contracts is not known."""
    f, held = np.asarray(forward, dtype=np.float64), np.asarray(contracts, dtype=np.float64)
    notional = np.where(held >= 0.0, held, np.nan) * np.asarray(multiplier, dtype=np.float64) * f
    return Exposures(
        greeks.gamma * f * PERCENT * notional,
        greeks.vanna * VOL_POINT * notional,
        greeks.charm / DAYS_A_YEAR * notional,
    )


def flows(options: pl.DataFrame, convention: DealerConvention = DealerConvention.LONG_CALLS_SHORT_PUTS) -> pl.DataFrame:
    """Add up the exposures of any number of sessions.

    Parameters
    ----------
    options
        One row per option (market, session, expiry, strike, right): ``INPUT_COLUMNS``. ``right`` is C or P,
        ``total_vol`` is sigma sqrt(T) at the strike, ``rate`` continuously compounded per year, ``multiplier``
        currency per price unit of one contract. Nulls are allowed in every number but the strike.
    convention
        Whom the signed figures take to hold what.

    Returns
    -------
    One row per ``level``, ``basis`` and group, in order of level, basis and keys. ``expiry`` and
    ``underlying_contract`` are null at the level market, ``strike`` is null above the level strike.
    ``gex_*_per_percent``, ``vanna_*_per_vol_point`` and ``charm_*_per_day``, each ``unsigned`` and ``signed``, are in
    currency of delta; ``contracts`` is their count, ``put_contracts`` that of the puts among them; ``options`` counts
    the options of the group and ``options_missing`` those that are not in the figures. All figures are null where no
    option is known.

    Raises
    ------
    ValueError
        A column is not there, ``right`` or ``margin_style`` has an unknown code, a strike is missing, or an option is
        there twice; the message names market, session and field.
    """
    rows = _sorted(options)
    number = {name: rows[name].cast(pl.Float64).to_numpy() for name in _NUMBERS}
    is_call = (rows["right"] == "C").to_numpy()
    upfront = (rows["margin_style"] == MarginStyle.PREMIUM_UPFRONT).to_numpy()
    f, k, s, t, r = (number[name] for name in ("forward", "strike", "total_vol", "year_fraction", "rate"))
    greeks = flow_greeks(f, k, s, t, r, is_call, upfront)
    held = {basis: exposures(greeks, f, number["multiplier"], number[basis]) for basis in Basis}
    sign = np.where(is_call, *_SIDES[convention])
    out = []
    for level in Level:
        groups, group = _groups(rows, level)
        out += [
            groups.with_columns(
                pl.lit(str(basis)).alias("basis"),
                pl.lit(str(convention)).alias("dealer_convention"),
                *_sums(held[basis], sign, is_call, number[basis], group, len(groups)),
            )
            for basis in Basis
        ]
    return pl.concat(out)


def _sorted(options: pl.DataFrame) -> pl.DataFrame:
    if absent := [name for name in INPUT_COLUMNS if name not in options.columns]:
        raise ValueError(f"option flows need the columns {', '.join(absent)}")
    known = [str(style) for style in MarginStyle]
    _refuse(options, ~pl.col("right").is_in(["C", "P"]).fill_null(value=False), "right", "is neither C nor P")
    _refuse(options, ~pl.col("margin_style").is_in(known).fill_null(value=False), "margin_style", "is unknown")
    _refuse(options, pl.col("strike").is_null() | pl.col("strike").is_nan(), "strike", "is missing")
    option = (*_KEYS[Level.STRIKE], "right")
    # One order of addition whatever the order of the rows: the last bit of a sum depends on it.
    rows = options.sort(option)
    _refuse(rows, ~_starts(option), "strike", "is there twice for one right")
    return rows


def _starts(keys: tuple[str, ...]) -> pl.Expr:
    """Whether a row of a sorted frame is the first of its keys."""
    return pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift()) for name in keys) | (
        pl.int_range(pl.len()) == 0
    )


def _refuse(options: pl.DataFrame, bad: pl.Expr, field: str, complaint: str) -> None:
    if len(found := options.filter(bad)):
        row = found.row(0, named=True)
        raise ValueError(f"{row['market']} {row['session']}: {field} {row[field]!r} of {row['expiry']} {complaint}")


def _groups(rows: pl.DataFrame, level: Level) -> tuple[pl.DataFrame, NDArray[np.intp]]:
    """The level's groups with null for the keys it adds over, and the group of each row ``[n]``."""
    keys = _KEYS[level]
    starts = rows.select(_starts(keys)).to_series().to_numpy()
    first, group = np.flatnonzero(starts), np.cumsum(starts) - 1
    kept = {*keys, *(("underlying_contract",) if "expiry" in keys else ())}
    names = ("market", "session", "expiry", "underlying_contract", "strike")
    columns = [pl.col(name) if name in kept else pl.lit(None, rows.schema[name]).alias(name) for name in names]
    return rows[first].select(pl.lit(str(level)).alias("level"), *columns), group


def _sums(
    held: Exposures, sign: Floats, is_call: NDArray[np.bool_], contracts: Floats, group: NDArray[np.intp], n: int
) -> list[pl.Series]:
    parts = {
        "gex_{}_per_percent": held.gex_per_percent,
        "vanna_{}_per_vol_point": held.vanna_per_vol_point,
        "charm_{}_per_day": held.charm_per_day,
    }
    known = np.logical_and.reduce([np.isfinite(values) for values in parts.values()])
    count, missing = np.bincount(group, minlength=n), np.bincount(group[~known], minlength=n)

    def total(name: str, values: Floats) -> pl.Series:
        # Adds in the order of the rows, so a group's bits do not depend on the others.
        added = np.bincount(group, weights=np.where(known, values, 0.0), minlength=n)
        return pl.Series(name, np.where(count > missing, added, np.nan)).fill_nan(None)

    columns = []
    for name, values in parts.items():
        columns += [total(name.format("unsigned"), np.abs(values)), total(name.format("signed"), sign * values)]
    columns += [total("contracts", contracts), total("put_contracts", np.where(is_call, 0.0, contracts))]
    columns += [pl.Series("options", count, pl.Int64), pl.Series("options_missing", missing, pl.Int64)]
    return columns
