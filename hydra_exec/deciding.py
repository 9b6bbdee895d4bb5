"""One session's orders: what is wanted, less what is held, as the gate lets it pass. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from hydra_assets.markets.model import MarketSpec
from hydra_assets.state.records import OrderStatus, Side
from hydra_assets.state.system import SystemState
from hydra_exec.broker.port import BrokerKind
from hydra_exec.config import AccountLimits, PatienceConfig
from hydra_exec.journal.names import order_ref
from hydra_exec.journal.records import Algo, Order
from hydra_exec.market_days import ContractDay, MarketDay
from hydra_exec.plan import FLATTENING, Change, Motive, changes, worst_price
from hydra_exec.risk_gate.codes import GateCode
from hydra_exec.risk_gate.decide import decide
from hydra_exec.risk_gate.facts import Exposure, Limits, OrderWish, Situation
from hydra_exec.risk_gate.grid import PriceGrid
from hydra_exec.targets import TargetReason


@dataclass(frozen=True, slots=True)
class AccountDay:
    """The account at a session's cutoff. ``positions`` are the broker's own word; money is the account's.

    ``resting`` are the markets whose own breaker rests, ``unknown`` those with a ticket that nobody can tell of.
    """

    account: str
    broker: BrokerKind
    champion_simulated: bool
    positions: Mapping[str, int]
    reconciled: bool
    equity: float
    system: SystemState = SystemState.RUNNING
    account_breaker_rests: bool = False
    resting: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()
    existing: frozenset[str] = frozenset()
    """Orders that are on record."""
    flatten: Motive | None = None
    """Why everything is to be left, by a person's word."""


@dataclass(frozen=True, slots=True)
class Values:
    """Value and margin of what is held in each market, in money, at the last settles."""

    notional: Mapping[str, float] = field(default_factory=dict)
    margin: Mapping[str, float] = field(default_factory=dict)

    def with_orders(self, day: MarketDay, spec: MarketSpec, account: AccountDay, orders: Sequence[Order]) -> "Values":
        """The same once a market's passed orders are filled, where that is more: none of them may come to fill.

        What is decided on the account's other markets has to leave room for it.
        """
        lots = {c: held for c, held in account.positions.items() if contract_root(c) == spec.root}
        for order in orders:
            if order.status is not OrderStatus.DENIED:
                lots[order.contract] = lots.get(order.contract, 0) + order.side.sign * order.quantity
        notional = sum(_notional(day, spec, contract, held) for contract, held in lots.items())
        margin = sum(abs(held) for held in lots.values()) * (day.margin_per_lot or 0.0)
        return Values(
            {**self.notional, spec.symbol: max(notional, self.notional.get(spec.symbol, 0.0))},
            {**self.margin, spec.symbol: max(margin, self.margin.get(spec.symbol, 0.0))},
        )


def contract_root(contract: str) -> str:
    """Root of a future's id: ``HE`` of ``HE-2026-02``."""
    return contract.rsplit("-", 2)[0]


def limits_of(spec: MarketSpec, day_cap: int, account: AccountLimits, max_quote_age_seconds: float) -> Limits:
    """A market's limits as the gate takes them."""
    return Limits(
        grid=PriceGrid.of_tick(spec.tick),
        multiplier=spec.multiplier,
        max_position=spec.risk.max_position_contracts,
        max_quantity=day_cap,
        collar_fraction=spec.risk.price_collar_fraction,
        max_market_notional_share=account.max_notional_share,
        max_account_notional_share=account.max_notional_share,
        max_margin_share=account.max_margin_share,
        max_quote_age_seconds=max_quote_age_seconds,
    )


def flattening(account: AccountDay, market: str) -> Motive | None:
    """Why a market is to be left altogether, None where it is not."""
    if account.flatten is not None:
        return account.flatten
    if account.system is SystemState.LOCKDOWN:
        return Motive.LOCKDOWN
    return Motive.BREAKER if account.account_breaker_rests or market in account.resting else None


def decide_market(
    day: MarketDay,
    work_session: date,
    spec: MarketSpec,
    account: AccountDay,
    values: Values,
    limits: AccountLimits,
    patience: PatienceConfig,
) -> list[Order]:
    """Orders of one market, passed or denied with the gate's code; none where nothing is to be changed."""
    held = {c: lots for c, lots in account.positions.items() if contract_root(c) == spec.root}
    out = []
    for change in changes(day.wanted, held, flattening(account, spec.symbol)):
        listed = day.contracts.get(change.contract)
        side = Side.of(change.lots)
        reduces = Exposure(held.get(change.contract, 0)).reduces(side, abs(change.lots))
        cap = max(day.day_cap, day.exit_cap) if reduces else day.day_cap
        hard = limits_of(spec, cap, limits, patience.max_quote_age_seconds)
        wish = _wish(day, spec, change, listed, cap)
        others = {contract: lots for contract, lots in held.items() if contract != change.contract}
        verdict = decide(wish, hard, _situation(day, spec, account, values, listed, held, others, wish))
        passed = verdict.code is GateCode.PASSED
        out.append(
            Order(
                order_ref=wish.order_ref,
                account=account.account,
                market=spec.symbol,
                contract=wish.contract,
                side=wish.side,
                quantity=wish.quantity,
                session=day.session,
                work_session=work_session,
                reference_price=listed.settle if listed else 0.0,
                limit_price=wish.limit_price,
                algo=algo_of(change, wish.quantity, patience),
                motive=str(change.motive),
                gate_code=str(verdict.code),
                status=OrderStatus.CREATED if passed else OrderStatus.DENIED,
                reason=verdict.message,
            )
        )
    return out


def algo_of(change: Change, quantity: int, patience: PatienceConfig) -> Algo:
    """How an order is worked: at once where everything is to be left."""
    if change.motive in FLATTENING:
        return Algo.AT_ONCE
    return Algo.TWAP if quantity > patience.twap_lots else Algo.PATIENCE


def _wish(day: MarketDay, spec: MarketSpec, change: Change, listed: ContractDay | None, cap: int) -> OrderWish:
    side = Side.of(change.lots)
    price = worst_price(side, listed.settle, spec.risk.chase_fraction, spec.tick) if listed else 0.0
    # What is more than a session bears is left for the next ones. Of a cap of nothing a lot is asked for: the gate
    # lets it pass where it only reduces.
    lots = min(abs(change.lots), max(cap, 1))
    return OrderWish(
        order_ref(spec.symbol, day.session, change.contract), spec.symbol, change.contract, side, lots, price
    )


def _situation(
    day: MarketDay,
    spec: MarketSpec,
    account: AccountDay,
    values: Values,
    listed: ContractDay | None,
    held: Mapping[str, int],
    others: Mapping[str, int],
    wish: OrderWish,
) -> Situation:
    rests = account.account_breaker_rests or spec.symbol in account.resting
    elsewhere = [market for market in values.notional if market != spec.symbol]
    return Situation(
        system=account.system,
        broker=account.broker,
        has_champion=day.wanted.reason is TargetReason.OK,
        champion_simulated=account.champion_simulated,
        exists=wish.order_ref in account.existing,
        reconciled=account.reconciled and spec.symbol not in account.unknown,
        breakers_active=not rests,
        exposure=Exposure(held.get(wish.contract, 0)),
        settle=listed.settle if listed else None,
        settle_age_sessions=listed.settle_age_sessions if listed else None,
        sessions_to_end=listed.sessions_to_end if listed else None,
        equity=account.equity,
        margin_per_lot=day.margin_per_lot,
        other_lots=sum(abs(lots) for lots in others.values()),
        other_market_notional=sum(_notional(day, spec, c, lots) for c, lots in others.items()),
        other_account_notional=sum(values.notional[market] for market in elsewhere),
        other_margin=sum(values.margin.get(market, 0.0) for market in elsewhere)
        + sum(abs(lots) for lots in others.values()) * (day.margin_per_lot or 0.0),
    )


def _notional(day: MarketDay, spec: MarketSpec, contract: str, lots: int) -> float:
    listed = day.contracts.get(contract)
    return abs(lots) * listed.settle * spec.multiplier if listed else 0.0
