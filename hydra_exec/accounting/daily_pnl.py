"""What each market earned in each session, and what the account is worth. Pure, in whole cents.

With lots n, the price p that a contract stands at and its multiplier m, a session earns

    carried = sum over contracts of n_before (p_now - p_before) m
    traded  = sum over fills of signed lots (p_now - fill price) m
    net     = carried + traded - fees

A contract stands at its last settle; before its first one, at the price of its first fill. A session without a settle
delays a move and never loses it. Every value is rounded to whole cents before it is subtracted, so that the sum over
sessions is, to the cent, what all fills have cost and what is held at the end is worth.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from hydra_exec.accounting.positions import signed_quantity

CENTS = 100.0
PNL_COLUMNS = (
    "market",
    "session",
    "position_contracts",
    "traded_contracts",
    "rolled_contracts",
    "carried_money",
    "traded_money",
    "fee_money",
    "roll_result_money",
    "net_money",
    "account_equity",
)
"""Money in the markets' currency. ``traded_contracts`` counts both sides; ``rolled_contracts`` are lots that went from
one contract to another, and ``roll_result_money`` is their share of traded money less fees, rounded: it is part of
``net_money`` and not added to it."""

_SCHEMA = {name: pl.Float64() if name.endswith(("_money", "_equity")) else pl.Int64() for name in PNL_COLUMNS} | {
    "market": pl.String(),
    "session": pl.Date(),
}


@dataclass(frozen=True, slots=True)
class Deal:
    """A fill: ``lots`` bought positive, ``fee`` of the whole fill in money."""

    contract: str
    lots: int
    price: float
    fee: float


@dataclass(slots=True)
class MarketLedger:
    """One market's lots and the prices that they stand at."""

    multiplier: float
    lots: dict[str, int] = field(default_factory=dict)
    prices: dict[str, float] = field(default_factory=dict)

    def value(self, lots: Mapping[str, int], prices: Mapping[str, float]) -> int:
        """Cents that lots are worth."""
        return sum(round(CENTS * held * prices[contract] * self.multiplier) for contract, held in lots.items() if held)

    def session(self, deals: Iterable[Deal], settles: Mapping[str, float]) -> "Earned":
        """Book a session."""
        before, prices_before, deals = dict(self.lots), dict(self.prices), list(deals)
        for deal in deals:
            self.lots[deal.contract] = self.lots.get(deal.contract, 0) + deal.lots
            self.prices.setdefault(deal.contract, deal.price)
        self.prices.update(settles)
        carried = self.value(before, self.prices) - self.value(before, prices_before)
        cash = [round(CENTS * deal.lots * deal.price * self.multiplier) for deal in deals]
        fees = [round(CENTS * deal.fee) for deal in deals]
        traded = self.value(self.lots, self.prices) - self.value(before, self.prices) - sum(cash)
        rolled = rolled_lots(before, self.lots)
        each = [
            (deal, round(CENTS * deal.lots * self.prices[deal.contract] * self.multiplier) - paid - fee)
            for deal, paid, fee in zip(deals, cash, fees, strict=True)
        ]
        return Earned(
            carried=carried,
            traded=traded,
            fees=sum(fees),
            traded_lots=sum(abs(deal.lots) for deal in deals),
            rolled_lots=sum(rolled.values()) // 2,
            roll=sum(_share(rolled, contract, each) for contract in rolled),
        )


@dataclass(frozen=True, slots=True)
class Earned:
    """A market's session in cents and lots."""

    carried: int
    traded: int
    fees: int
    traded_lots: int
    rolled_lots: int
    roll: int

    @property
    def net(self) -> int:
        """After fees."""
        return self.carried + self.traded - self.fees


def rolled_lots(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """Lots of each contract that were left for, or entered from, another on the same side; each counts at both ends."""
    out: dict[str, int] = {}
    for sign in (1, -1):
        change = {
            contract: max(sign * after.get(contract, 0), 0) - max(sign * before.get(contract, 0), 0)
            for contract in sorted({*before, *after})
        }
        moved = min(sum(n for n in change.values() if n > 0), -sum(n for n in change.values() if n < 0))
        for direction in (1, -1):
            left = moved
            for contract, lots in change.items():
                part = min(max(direction * lots, 0), left)
                left -= part
                if part:
                    out[contract] = out.get(contract, 0) + part
    return out


def _share(rolled: Mapping[str, int], contract: str, each: Iterable[tuple[Deal, int]]) -> int:
    own = [(abs(deal.lots), money) for deal, money in each if deal.contract == contract]
    return round(sum(money for _, money in own) * rolled[contract] / sum(lots for lots, _ in own))


def daily_pnl(
    fills: pl.DataFrame,
    settles: pl.DataFrame,
    sessions: pl.DataFrame,
    multipliers: Mapping[str, float],
    capital: float,
) -> pl.DataFrame:
    """Rows of ``PNL_COLUMNS``, one for each market and session.

    Parameters
    ----------
    fills
        market, session (in which it was done), contract, side, quantity, fill_price and fee (of the whole fill, null
        where it is not known yet) of every fill of the account, by its last revision.
    settles
        market, session, contract and settle, fresh ones only.
    sessions
        market and session, from the account's first one on. Equity of a session counts every market up to it.
    multipliers
        Money per unit of price and contract, by market.
    capital
        Equity before the first session.

    Raises
    ------
    ValueError
        A fill in a session that is not among ``sessions``: its money would silently be lost.
    """
    wanted = sessions.select("market", "session").unique().sort("session", "market")
    lost = fills.join(wanted, on=["market", "session"], how="anti")
    if not lost.is_empty():
        market, session = lost.select("market", "session").row(0)
        msg = f"{lost.height} fills are of no session that is booked, the first of {market} in {session}"
        raise ValueError(msg)
    deals = _deals(fills)
    prices = _settles(settles)
    ledgers = {market: MarketLedger(multipliers[market]) for market in wanted["market"].unique()}
    equity = round(CENTS * capital)
    rows: list[tuple[object, ...]] = []
    for (session,), part in wanted.group_by("session", maintain_order=True):
        assert isinstance(session, date)  # noqa: S101 - the key's type
        booked = []
        for market in part["market"]:
            ledger = ledgers[market]
            earned = ledger.session(deals.get((market, session), ()), prices.get((market, session), {}))
            equity += earned.net
            booked.append((market, sum(ledger.lots.values()), earned))
        for market, held, earned in booked:
            money = (earned.carried, earned.traded, earned.fees, earned.roll, earned.net, equity)
            lots = (held, earned.traded_lots, earned.rolled_lots)
            rows.append((market, session, *lots, *(cents / CENTS for cents in money)))
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row").sort("market", "session")


def _deals(fills: pl.DataFrame) -> dict[tuple[str, date], list[Deal]]:
    out: dict[tuple[str, date], list[Deal]] = {}
    rows = fills.select("market", "session", "contract", signed_quantity(), "fill_price", pl.col("fee").fill_null(0.0))
    for market, session, contract, lots, price, fee in rows.iter_rows():
        out.setdefault((market, session), []).append(Deal(contract, lots, price, fee))
    return out


def _settles(settles: pl.DataFrame) -> dict[tuple[str, date], dict[str, float]]:
    out: dict[tuple[str, date], dict[str, float]] = {}
    known = settles.select("market", "session", "contract", "settle").drop_nulls()
    for market, session, contract, settle in known.iter_rows():
        out.setdefault((market, session), {})[contract] = settle
    return out
