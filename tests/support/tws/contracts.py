"""Listed futures and options on them, and which of them a request means."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

from .fields import number, whole


@dataclass(frozen=True, slots=True)
class Future:
    """One listed contract month, with what contract details say of it."""

    con_id: int
    symbol: str
    expiry: str
    """``yyyymmdd``."""
    exchange: str = "CME"
    multiplier: str = "400"
    min_tick: float = 0.025
    currency: str = "USD"
    local_symbol: str = ""
    trading_class: str = ""
    long_name: str = "Lean Hogs"
    time_zone: str = "US/Central"
    market_rule: int = 67
    price_magnifier: int = 1
    trading_hours: str = ""
    liquid_hours: str = ""

    @property
    def month(self) -> str:
        """``yyyymm`` of the expiry."""
        return self.expiry[:6]

    @property
    def value_per_point(self) -> float:
        """Money per unit of price and contract."""
        return float(self.multiplier) / self.price_magnifier

    def on_grid(self, price: float) -> bool:
        """Whether the price is a whole number of ticks."""
        ticks = price / self.min_tick
        return abs(ticks - round(ticks)) < 1e-6


@dataclass(frozen=True, slots=True)
class FutureOption:
    """One option on a future, which can be looked at and not traded."""

    con_id: int
    under_con_id: int
    symbol: str
    expiry: str
    """``yyyymmdd``."""
    strike: float
    right: str
    exchange: str = "CME"
    multiplier: str = "400"
    min_tick: float = 0.025
    currency: str = "USD"
    trading_class: str = ""
    time_zone: str = "US/Central"
    price_magnifier: int = 1

    @property
    def local_symbol(self) -> str:
        """The class with expiry, right and strike."""
        return f"{self.trading_class}{self.expiry} {self.right}{self.strike:g}"


Listed = Future | FutureOption


@dataclass(frozen=True, slots=True)
class MarketRule:
    """Price increments by the price from which they hold."""

    rule: int
    increments: Sequence[tuple[float, float]]


MONTH_CODES = "FGHJKMNQUVXZ"


def chain(
    under: Future, expiry: str, strikes: Iterable[float], first_con_id: int = 5000, trading_class: str = ""
) -> list[FutureOption]:
    """Calls and puts of one expiry on a future, with consecutive ids."""
    wanted = [(strike, right) for strike in strikes for right in "CP"]
    return [
        FutureOption(
            con_id=first_con_id + i,
            under_con_id=under.con_id,
            symbol=under.symbol,
            expiry=expiry,
            strike=strike,
            right=right,
            exchange=under.exchange,
            multiplier=under.multiplier,
            min_tick=under.min_tick,
            currency=under.currency,
            trading_class=trading_class or under.symbol,
            price_magnifier=under.price_magnifier,
        )
        for i, (strike, right) in enumerate(wanted)
    ]


def listing(symbol: str, expiries: Iterable[str], first_con_id: int = 1000, exchange: str = "CME") -> list[Future]:
    """Contract months of one symbol, with consecutive ids and the exchange's local symbols."""
    return [
        Future(
            con_id=first_con_id + i,
            symbol=symbol,
            expiry=expiry,
            exchange=exchange,
            local_symbol=f"{symbol}{MONTH_CODES[int(expiry[4:6]) - 1]}{expiry[3]}",
            trading_class=symbol,
        )
        for i, expiry in enumerate(expiries)
    ]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The twelve fields by which a client names a contract."""

    con_id: int
    symbol: str
    sec_type: str
    expiry: str
    exchange: str
    currency: str
    local_symbol: str
    trading_class: str
    strike: float = 0.0
    right: str = ""

    @classmethod
    def of(cls, fields: Sequence[str]) -> "Wanted":
        """Out of a request; ``fields`` begin with the contract's id."""
        con_id, symbol, sec_type, expiry, strike, right, _mult, exchange, _primary, currency, local, klass = fields[:12]
        return cls(
            whole(con_id), symbol, sec_type, expiry, exchange, currency, local, klass, number(strike) or 0.0, right
        )


@dataclass
class Catalogue:
    """What the broker lists."""

    futures: list[Future]
    rules: dict[int, MarketRule] = field(default_factory=dict)
    options: list[FutureOption] = field(default_factory=list)

    def __getitem__(self, con_id: int) -> Future:
        return next(future for future in self.futures if future.con_id == con_id)

    def find(self, wanted: Wanted, today: date, *, expired: bool = False) -> list[Future]:
        """Contracts that answer the description, nearest expiry first. An id alone is enough and overrides the rest."""
        if wanted.con_id:
            return [future for future in self.futures if future.con_id == wanted.con_id]
        asked = (
            ("symbol", wanted.symbol),
            ("exchange", wanted.exchange),
            ("currency", wanted.currency),
            ("local_symbol", wanted.local_symbol),
            ("trading_class", wanted.trading_class),
        )
        found = [
            future
            for future in self.futures
            if wanted.sec_type in {"", "FUT"}
            and future.expiry.startswith(wanted.expiry)
            and all(not value or getattr(future, name) == value for name, value in asked)
            and (expired or future.expiry >= f"{today:%Y%m%d}")
        ]
        return sorted(found, key=lambda future: future.expiry)

    def look(self, wanted: Wanted, today: date, *, expired: bool = False) -> list[Listed]:
        """Futures and options that answer the description; what is traded is found by ``find`` alone."""
        if wanted.con_id:
            return [listed for listed in (*self.futures, *self.options) if listed.con_id == wanted.con_id]
        if wanted.sec_type != "FOP":
            return [*self.find(wanted, today, expired=expired)]
        asked = [
            (name, getattr(wanted, name))
            for name in ("symbol", "exchange", "currency", "trading_class", "strike", "right")
        ]
        return [
            option
            for option in self.options
            if option.expiry.startswith(wanted.expiry)
            and all(not value or getattr(option, name) == value for name, value in asked)
            and (expired or option.expiry >= f"{today:%Y%m%d}")
        ]

    def rule(self, number: int) -> MarketRule | None:
        """A market rule: one that was set, else the tick of the contracts that name it."""
        if number in self.rules:
            return self.rules[number]
        ticks = [future.min_tick for future in self.futures if future.market_rule == number]
        return MarketRule(number, ((0.0, ticks[0]),)) if ticks else None
