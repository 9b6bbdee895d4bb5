"""What is listed when: futures and option series of a simulated market, from its specification alone."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hydra_assets.markets.contracts import add_months, month_letter
from hydra_assets.markets.expiry import last_trade, option_expiry, option_underlying_month
from hydra_assets.markets.model import MarketSpec

AHEAD_MONTHS = 30
"""Contract months considered beyond the last session; more than any market lists."""


@dataclass(frozen=True, slots=True)
class Futures:
    """Contract months ``[m]`` in order, their last trades ``[m]``, and whether each is listed, ``[n, m]``."""

    months: tuple[date, ...]
    last_trade: NDArray[np.datetime64]
    listed: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class OptionSeries:
    """Option series ``[e]`` in order of expiry: own month, expiry, number of the underlying in ``Futures.months``.

    ``listed`` is ``[n, e]``; a series is no longer listed on its expiry date.
    """

    months: tuple[date, ...]
    expiry: NDArray[np.datetime64]
    underlying: NDArray[np.int64]
    listed: NDArray[np.bool_]


def futures_of(spec: MarketSpec, sessions: NDArray[np.datetime64], listed: int) -> Futures:
    """Futures of the sessions: the ``listed`` nearest months that have not had their last trade."""
    first = sessions[0].item()
    named = [month for month in _months(sessions) if month_letter(month.month) in spec.contract_months]
    months = [month for month in named if last_trade(spec, month) >= first]
    last = np.array([last_trade(spec, month) for month in months], dtype="datetime64[D]")
    return Futures(tuple(months), last, _nearest(sessions, last, listed, "left"))


def option_series_of(
    spec: MarketSpec, sessions: NDArray[np.datetime64], futures: Futures, listed: int
) -> OptionSeries | None:
    """Option series of the sessions: the ``listed`` nearest expiries whose future is listed; None without options."""
    if spec.options is None:
        return None
    position = {month: i for i, month in enumerate(futures.months)}
    found: dict[date, tuple[date, int]] = {}
    for month in _months(sessions):
        future, expiry = option_underlying_month(spec, month), option_expiry(spec, month)
        if future in position and expiry is not None:
            # Of months with one expiry the last is kept: an option's id does not name its month.
            found[expiry] = (month, position[future])
    expiries = sorted(found)
    ends = np.array(expiries, dtype="datetime64[D]")
    under = np.array([found[e][1] for e in expiries], dtype=np.int64)
    mask = _nearest(sessions, ends, listed, "right") & futures.listed[:, under]
    return OptionSeries(tuple(found[e][0] for e in expiries), ends, under, mask)


def _months(sessions: NDArray[np.datetime64]) -> list[date]:
    first, last = sessions[0].item(), sessions[-1].item()
    count = (last.year - first.year) * 12 + last.month - first.month + AHEAD_MONTHS
    return [add_months(first, n) for n in range(-2, count)]


def _nearest(
    sessions: NDArray[np.datetime64], ends: NDArray[np.datetime64], count: int, side: Literal["left", "right"]
) -> NDArray[np.bool_]:
    """Whether each of the ordered ends ``[m]`` is among the ``count`` first ones that are still ahead, ``[n, m]``."""
    first = np.searchsorted(ends, sessions, side=side)
    number = np.arange(len(ends))[None, :]
    return np.asarray((number >= first[:, None]) & (number < first[:, None] + count))
