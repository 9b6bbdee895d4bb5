"""What to ask for: contract months, spans of history, expiries and options around the money. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from hydra_assets.markets.contracts import add_months
from hydra_assets.markets.expiry import option_expiry, option_underlying_month
from hydra_assets.markets.model import MarketSpec
from hydra_assets.sources.ib.codes import AskError, Fault
from hydra_assets.sources.ib.listing import Details, Listed, expiry_of

LOOK_BACK = timedelta(days=7)
"""Days before the window that are asked again: activity is known a session later, settlements hours later."""
HISTORY = timedelta(days=730)
"""How far back Interactive Brokers serves contracts that have expired."""
_DAYS_A_REQUEST = 365
_SERIAL_MONTHS = 3
"""An option month lies at most so many months before the future it is exercised into."""


@dataclass(frozen=True, slots=True)
class Span:
    """A window of history as a request says it."""

    end: str
    """UTC, as ``20250301-23:00:00``."""
    duration: str


def span_of(first: date | None, last: date, now: datetime) -> tuple[date, Span]:
    """First day that is asked for, and the request's words for it and what follows up to ``last`` or ``now``."""
    end = min(datetime.combine(last + timedelta(days=2), time(), UTC), now)
    begin = max(first - LOOK_BACK, now.date() - HISTORY) if first is not None else now.date() - HISTORY
    days = max((end.date() - begin).days + 1, 1)
    duration = f"{days} D" if days <= _DAYS_A_REQUEST else f"{math.ceil(days / 365)} Y"
    return begin, Span(f"{end:%Y%m%d-%H:%M:%S}", duration)


def months_wanted(months: Sequence[Listed], first: date, last: date, count: int) -> list[Listed]:
    """Months that traded in a window, the nearest first: all that ended in it, and ``count`` that outlive it."""
    alive = sorted((month for month in months if month.last_trade >= first), key=lambda month: month.month)
    ended = [month for month in alive if month.last_trade <= last]
    return [*ended, *[month for month in alive if month.last_trade > last][:count]]


def class_expiries(
    spec: MarketSpec, under: Listed, parameters: Sequence[Mapping[str, Any]], classes: Sequence[str], today: date
) -> list[tuple[str, str]]:
    """Trading class and expiry (``yyyymmdd``) of the options on a future that are worth asking for, nearest first.

    Named classes are taken with all their expiries. Without a name, expiries must be those of the market's file, and a
    class of the options' own root comes before others.

    Raises
    ------
    AskError
        Several classes have the file's expiries and none has the options' root.
    """
    here = [one for one in parameters if spec.ib is None or one["exchange"] == spec.ib.exchange]
    if classes:
        found = [
            (str(one["tradingClass"]), expiry)
            for one in here
            if one["tradingClass"] in classes
            for expiry in one["expirations"]
        ]
    else:
        known = {f"{day:%Y%m%d}" for day in _expiries(spec, under)}
        fitting = {str(one["tradingClass"]): known & set(one["expirations"]) for one in here}
        fitting = {name: days for name, days in fitting.items() if days}
        root = spec.options.root if spec.options else ""
        if len(fitting) > 1 and root not in fitting:
            names = ", ".join(sorted(fitting))
            text = f"{under.contract}: options of the classes {names}; name some as option_classes in the binding"
            raise AskError(Fault.SEVERAL_CLASSES, text)
        chosen = root if root in fitting else next(iter(fitting), "")
        found = [(chosen, expiry) for expiry in fitting.get(chosen, ())]
    return sorted({pair for pair in found if pair[1] >= f"{today:%Y%m%d}"}, key=lambda pair: (pair[1], pair[0]))


def around_the_money(options: Sequence[Details], centre: Mapping[int, float], most: int) -> list[Details]:
    """At most so many options, by turns of the expiries and from the strike nearest to the money outwards.

    ``centre``: the underlying's price in the units of strikes, by its number.
    """
    by_expiry: dict[tuple[Any, ...], list[Details]] = {}
    for one in options:
        contract = one["contract"]
        if one.get("underConId") in centre and contract.get("strike") and expiry_of(one) is not None:
            by_expiry.setdefault((expiry_of(one), contract.get("tradingClass", "")), []).append(one)

    def distance(one: Details) -> tuple[float, float, str]:
        strike = float(one["contract"]["strike"])
        return abs(math.log(strike / centre[one["underConId"]])), strike, str(one["contract"].get("right"))

    queues = [sorted(by_expiry[key], key=distance) for key in sorted(by_expiry)]
    # A call and its put together: parity needs both.
    ordered = [queue[turn : turn + 2] for turn in range(0, max(map(len, queues), default=0), 2) for queue in queues]
    return [one for pair in ordered for one in pair][:most]


def _expiries(spec: MarketSpec, under: Listed) -> set[date]:
    months = [add_months(under.month, -back) for back in range(_SERIAL_MONTHS + 1)]
    found = (option_expiry(spec, month) for month in months if option_underlying_month(spec, month) == under.month)
    return {day for day in found if day is not None}
