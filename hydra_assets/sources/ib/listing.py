"""Contract details, as they were answered, against the market's file: names, scale of prices, remarks. Pure.

One quoted unit of price on one contract is worth ``multiplier / priceMagnifier`` there. Where that is our multiplier
the units are the same; where ours is the plain multiplier, we count in whole units of currency and they in parts of it.
Anything else is another contract, and nothing of it is believed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from statistics import median
from typing import Any

from hydra_assets.markets.contracts import future_id
from hydra_assets.markets.expiry import last_trade
from hydra_assets.markets.model import MarketSpec
from hydra_assets.sources.ib.codes import AskError, Fault

Details = Mapping[str, Any]
"""One contract's details by the names of the API, its ``contract`` within."""
DECIMALS = 9
"""Prices are exact to a billionth: what a factor of 100 leaves behind the last digit is none of the price."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One contract month. ``scale``: their price is ours times this."""

    contract: str
    month: date
    con_id: int
    last_trade: date
    scale: float
    magnifier: int
    remarks: tuple[str, ...]

    def inward(self, price: float) -> float:
        """One of their prices as we count."""
        return round(price / self.scale, DECIMALS)


def wanted(spec: MarketSpec) -> dict[str, str]:
    """What names every month of a market's future; AskError where the file does not say."""
    terms = spec.ib
    if terms is None:
        raise AskError(Fault.NOT_LISTED, f"{spec.symbol}: the market's file does not say under ib how it is listed")
    return {
        "secType": "FUT",
        "symbol": terms.symbol,
        "exchange": terms.exchange,
        "currency": terms.currency,
        "tradingClass": terms.trading_class,
    }


def listed(spec: MarketSpec, details: Details) -> Listed:
    """One month of a market's future; remarks tell what differs without making prices wrong.

    Raises
    ------
    AskError
        Currency or value of a unit of price are not those of the market's file, or no month can be read.
    """
    contract = details["contract"]
    name = str(contract.get("localSymbol") or contract.get("conId"))
    # The month of the last trade is another one for natural gas (before) and milk (after).
    month = _day(f"{details.get('contractMonth') or str(contract.get('lastTradeDateOrContractMonth'))[:6]}01")
    ends = _day(str(details.get("realExpirationDate") or contract.get("lastTradeDateOrContractMonth"))[:8])
    if month is None or ends is None:
        raise AskError(Fault.OTHER_TERMS, f"{spec.symbol}: {name} has no month or last trading date that can be read")
    scale = price_scale(spec, details)
    magnifier = int(details.get("priceMagnifier") or 1)
    remarks = []
    tick = float(details.get("minTick") or math.nan)
    if not any(math.isclose(tick * factor / scale, spec.tick, rel_tol=1e-6) for factor in (1, magnifier)):
        remarks.append(f"other_tick:{name}:{tick:g}")
    expected = last_trade(spec, month)
    if expected != ends:
        remarks.append(f"other_last_trade:{name}:{ends}")
    return Listed(future_id(spec.root, month), month, int(contract["conId"]), ends, scale, magnifier, tuple(remarks))


def price_scale(spec: MarketSpec, details: Details) -> float:
    """What their prices are of ours; AskError where currency or multiplier are others than the market's file says."""
    contract = details["contract"]
    name = str(contract.get("localSymbol") or contract.get("conId"))
    if contract.get("currency") != spec.currency:
        raise AskError(Fault.OTHER_TERMS, f"{name} is in {contract.get('currency')}, the file says {spec.currency}")
    try:
        value = float(contract.get("multiplier") or math.nan)
    except ValueError:
        value = math.nan
    parts = int(details.get("priceMagnifier") or 1)
    if math.isclose(spec.multiplier, value / parts, rel_tol=1e-9):
        return 1.0
    if math.isclose(spec.multiplier, value, rel_tol=1e-9):
        return float(parts)
    text = f"{name} is worth {contract.get('multiplier')} / {parts} a unit of price, the file says {spec.multiplier:g}"
    raise AskError(Fault.OTHER_TERMS, text)


def strike_factor(strikes: Sequence[float], price: float, under: Listed) -> float:
    """What makes our strikes of theirs: the factor that puts their middle nearest to the underlying's price (ours).

    Strikes are told in units of currency or in the units of prices, and the details do not say in which.
    """
    middle = median(strikes)
    factors = (1.0 / under.scale, under.magnifier / under.scale)
    return min(factors, key=lambda factor: abs(math.log(middle * factor / price)))


def _day(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007  a date, not an instant
    except ValueError:
        return None


def expiry_of(details: Details) -> date | None:
    """Last trading date of an option, None where it cannot be read."""
    return _day(str(details["contract"].get("lastTradeDateOrContractMonth"))[:8])
