"""Our futures and those that Interactive Brokers lists, checked against each other before a price is believed. Pure.

One quoted unit of price on one contract is worth ``multiplier / priceMagnifier`` there. Where that is our multiplier
the units are the same; where our multiplier is the plain one, we count in whole units of currency and they in parts of
it (dollars here, cents there), and prices are converted on the way. Anything else is another contract.

``minTick`` and the increments of a market rule may be in units of currency where prices are in hundredths; they are
taken times the magnifier where that, and not the bare number, makes our tick.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from ib_async import Contract, ContractDetails, PriceIncrement

from hydra_assets.markets.contracts import future_id
from hydra_assets.markets.model import IbTerms, MarketSpec
from hydra_exec.broker.port import BrokerError

_DECIMALS = 9
"""Prices are exact to a billionth: what a factor of 100 leaves behind the last digit is none of the price."""


class ListingError(BrokerError):
    """The broker's contract is not the one that the market's file describes."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One contract month as the broker lists it, in our units of price but for ``scale``."""

    contract: str
    con_id: int
    symbol: str
    local_symbol: str
    trading_class: str
    exchange: str
    currency: str
    scale: float
    """Their price is ours times this."""
    increments: tuple[tuple[float, float], ...]
    """(from price, tick), ascending."""
    last_trade: date
    time_zone: str
    trading_hours: str
    """As the broker writes them: ``20260105:0830-20260105:1305;20260106:CLOSED``, in ``time_zone``."""
    liquid_hours: str

    def tick(self, price: float) -> float:
        """Price increment that holds at a price."""
        size = abs(price)
        return next((tick for start, tick in reversed(self.increments) if size >= start), self.increments[0][1])

    def outward(self, price: float) -> float:
        """One of our prices as it is sent."""
        return round(price * self.scale, _DECIMALS)

    def inward(self, price: float) -> float:
        """One of their prices as we count."""
        return round(price / self.scale, _DECIMALS)

    def wire(self) -> Contract:
        """How a request names it."""
        return Contract(
            conId=self.con_id, secType="FUT", symbol=self.symbol, exchange=self.exchange, currency=self.currency
        )


@dataclass(frozen=True, slots=True)
class Directory:
    """What was found for our markets."""

    listings: Mapping[str, Listing] = field(default_factory=dict)
    names: Mapping[int, str] = field(default_factory=dict)
    """Our contract by the broker's id."""
    faults: Mapping[str, str] = field(default_factory=dict)
    """Sentences by contract, or by market root where they are about no month."""
    markets: Mapping[str, IbTerms] = field(default_factory=dict)
    """What was asked for, by market root."""

    def find(self, contract: str) -> Listing:
        """The listing of one of our contracts; ListingError with the reason where there is none."""
        found = self.listings.get(contract)
        if found is None:
            fault = self.faults.get(contract) or self.faults.get(_root(contract))
            raise ListingError(fault or f"{contract}: the broker lists no such contract")
        return found

    @property
    def unlisted(self) -> tuple[str, ...]:
        """Faults of the markets of which no month is known: what is held of them could not be told."""
        known = {_root(contract) for contract in self.listings}
        return tuple(text for name, text in self.faults.items() if _root(name) in self.markets.keys() - known)

    def claims(self, contract: Contract) -> bool:
        """Whether a future is of one of our markets, be its month known or not; what is not told of it fits."""
        return contract.secType == "FUT" and any(
            contract.symbol == terms.symbol
            and contract.exchange in {"", terms.exchange}
            and (not terms.trading_class or contract.tradingClass in {"", terms.trading_class})
            for terms in self.markets.values()
        )

    def of(self, con_id: int) -> Listing | None:
        """The listing of a contract of the broker's, None where it is none of ours."""
        name = self.names.get(con_id)
        return None if name is None else self.listings[name]


def directory(found: Iterable[Listing], faults: Mapping[str, str], specs: Iterable[MarketSpec] = ()) -> Directory:
    """Everything that was found for these markets. Of two contracts of one month neither is kept."""
    listings: dict[str, Listing] = {}
    twice: dict[str, str] = {}
    for one in found:
        other = listings.setdefault(one.contract, one)
        if other is not one:
            twice[one.contract] = (
                f"{one.contract}: the broker lists {other.local_symbol} and {one.local_symbol}; "
                f"say in the market's file, under ib, which trading_class is meant"
            )
    kept = {name: one for name, one in listings.items() if name not in twice}
    markets = {spec.root: spec.ib for spec in specs if spec.ib is not None}
    wrong = {**faults, **twice}
    told = {_root(name) for name in (*listings, *wrong)}
    for root, terms in markets.items():
        if root not in told:
            wrong[root] = f"{root}: the broker lists no such contract ({terms.symbol} at {terms.exchange})"
    return Directory(kept, {one.con_id: name for name, one in kept.items()}, wrong, markets)


def about(spec: MarketSpec, details: ContractDetails) -> str:
    """Our contract that details are about, the market's root where they name no month."""
    try:
        return spec.root if details.contract is None else future_id(spec.root, _month(spec, details, details.contract))
    except ListingError:
        return spec.root


def wanted(spec: MarketSpec) -> Contract:
    """What to ask contract details for: every listed month of a market."""
    terms = spec.ib
    if terms is None:
        msg = f"{spec.symbol}: the market's file does not say under ib how the broker lists it"
        raise ListingError(msg)
    return Contract(
        secType="FUT",
        symbol=terms.symbol,
        exchange=terms.exchange,
        currency=terms.currency,
        tradingClass=terms.trading_class,
    )


def rule_of(details: ContractDetails) -> int | None:
    """Number of the market rule at the contract's own exchange, None where it has none."""
    contract = details.contract
    exchanges = details.validExchanges.split(",")
    rules = details.marketRuleIds.split(",")
    here = exchanges.index(contract.exchange) if contract is not None and contract.exchange in exchanges else 0
    number = rules[here] if here < len(rules) else ""
    return int(number) if number.isdigit() else None


def listing(spec: MarketSpec, details: ContractDetails, rule: Sequence[PriceIncrement]) -> Listing:
    """One month of a market; ``rule`` may be empty, then the contract's own least tick holds at every price.

    Raises
    ------
    ListingError
        Currency, value of a unit of price or tick are not those of the market's file.
    """
    contract = details.contract
    if contract is None:
        msg = f"{spec.symbol}: contract details without a contract"
        raise ListingError(msg)
    name = future_id(spec.root, _month(spec, details, contract))
    if contract.currency != spec.currency:
        msg = f"{name}: the broker's is in {contract.currency}, the market's file says {spec.currency}"
        raise ListingError(msg)
    return Listing(
        contract=name,
        con_id=contract.conId,
        symbol=contract.symbol,
        local_symbol=contract.localSymbol,
        trading_class=contract.tradingClass,
        exchange=contract.exchange,
        currency=contract.currency,
        scale=_scale(spec, name, contract.multiplier, details.priceMagnifier),
        increments=_increments(spec, name, details, rule),
        last_trade=_last_trade(name, details, contract),
        time_zone=details.timeZoneId,
        trading_hours=details.tradingHours,
        liquid_hours=details.liquidHours,
    )


def _root(contract: str) -> str:
    return contract.partition("-")[0]


def _month(spec: MarketSpec, details: ContractDetails, contract: Contract) -> date:
    # The month of the last trade is another one for natural gas (before) and milk (after).
    text = details.contractMonth or contract.lastTradeDateOrContractMonth[:6]
    try:
        return datetime.strptime(text, "%Y%m").date()  # noqa: DTZ007 - a month, not an instant
    except ValueError:
        msg = f"{spec.symbol}: {contract.localSymbol} has no contract month that can be read ({text!r})"
        raise ListingError(msg) from None


def _last_trade(name: str, details: ContractDetails, contract: Contract) -> date:
    text = details.realExpirationDate or contract.lastTradeDateOrContractMonth
    try:
        return datetime.strptime(text[:8], "%Y%m%d").date()  # noqa: DTZ007 - a date, not an instant
    except ValueError:
        msg = f"{name}: no last trading date that can be read ({text!r})"
        raise ListingError(msg) from None


def _scale(spec: MarketSpec, name: str, multiplier: str, magnifier: int) -> float:
    try:
        value = float(multiplier)
    except ValueError:
        value = math.nan
    parts = magnifier or 1
    if math.isclose(spec.multiplier, value / parts, rel_tol=1e-9):
        return 1.0
    if math.isclose(spec.multiplier, value, rel_tol=1e-9):
        return float(parts)
    msg = (
        f"{name}: the broker's contract is worth {multiplier or 'nothing'} / {parts} a unit of price, "
        f"the market's file says {spec.multiplier:g}"
    )
    raise ListingError(msg)


def _increments(
    spec: MarketSpec, name: str, details: ContractDetails, rule: Sequence[PriceIncrement]
) -> tuple[tuple[float, float], ...]:
    steps = sorted((step.lowEdge, step.increment) for step in rule) or [(0.0, details.minTick)]
    least = min(increment for _, increment in steps)
    scale = _scale(spec, name, details.contract.multiplier if details.contract else "", details.priceMagnifier)
    for factor in (1.0, float(details.priceMagnifier or 1)):
        if math.isclose(least * factor / scale, spec.tick, rel_tol=1e-9):
            return tuple(
                (round(start * factor / scale, _DECIMALS), round(increment * factor / scale, _DECIMALS))
                for start, increment in steps
            )
    msg = f"{name}: the broker's least tick is {least:g}, the market's file says {spec.tick:g}"
    raise ListingError(msg)
