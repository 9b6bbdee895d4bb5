"""The checks of an order when it is decided. Pure."""

import math
from collections.abc import Iterator

from hydra_assets.state.system import SystemState
from hydra_exec.broker.port import BrokerKind
from hydra_exec.risk_gate.codes import GateCode, Verdict
from hydra_exec.risk_gate.facts import Limits, OrderWish, Situation

CLOSED_TO_RISK = frozenset({SystemState.HALTED, SystemState.LOCKDOWN})
ROUNDING = 1e-9
"""Relative: a limit that stands exactly at a collar is within it."""
PASSED = Verdict(GateCode.PASSED)


def decide(order: OrderWish, limits: Limits, situation: Situation) -> Verdict:
    """Judge an order; the first denial in the order of ``GateCode``."""
    checks = (_permission, _price, _size, _money)
    return next((denial for check in checks for denial in check(order, limits, situation)), PASSED)


def within(value: float, bound: float) -> bool:
    """Whether a figure is at most a bound, but for rounding; never where either is NaN or infinite."""
    return math.isfinite(value) and math.isfinite(bound) and value <= bound + ROUNDING * abs(bound)


def _reduces(order: OrderWish, situation: Situation) -> bool:
    return situation.exposure.reduces(order.side, order.quantity)


def _permission(order: OrderWish, _limits: Limits, situation: Situation) -> Iterator[Verdict]:
    """Whether there may be such an order at all."""
    if situation.exists:
        yield Verdict(GateCode.DUPLICATE, f"{order.order_ref} is on record already")
    if situation.champion_simulated and situation.broker is not BrokerKind.SIMULATED:
        yield Verdict(GateCode.SIMULATED_CHAMPION, f"a simulated champion's order for the broker {situation.broker}")
    if _reduces(order, situation):
        return
    if situation.system in CLOSED_TO_RISK:
        yield Verdict(GateCode.HALTED, f"the system is {situation.system} and the order does not only reduce")
    if not situation.has_champion:
        yield Verdict(GateCode.NO_CHAMPION, f"nothing vouches for a new position in {order.market}")
    if not situation.breakers_active:
        yield Verdict(GateCode.BREAKER, f"a breaker of {order.market} or of the account rests")
    if not situation.reconciled:
        yield Verdict(GateCode.UNRECONCILED, "journal and broker differ, or a ticket is in state unknown")


def _price(order: OrderWish, limits: Limits, situation: Situation) -> Iterator[Verdict]:
    """Whether the limit is a price, and one near what the contract was last worth."""
    settle, age, price = situation.settle, situation.settle_age_sessions, order.limit_price
    oldest = limits.max_exit_settle_age_sessions if _reduces(order, situation) else 0
    if settle is None or age is None or not 0 <= age <= oldest or not (math.isfinite(settle) and settle > 0.0):
        yield Verdict(
            GateCode.STALE_INPUT,
            f"{order.contract} has no settle of at most {oldest} sessions ago",
            {} if settle is None or age is None else {"settle": settle, "age_sessions": age},
        )
    elif not limits.grid.has(price):
        yield Verdict(GateCode.BAD_PRICE, f"a limit of {price}", {"limit_price": price})
    elif not within(abs(price - settle), limits.collar_fraction * settle):
        yield Verdict(
            GateCode.PRICE_COLLAR,
            f"a limit of {price} is further than {limits.collar_fraction:.1%} from the settle {settle}",
            {"limit_price": price, "settle": settle, "collar_fraction": limits.collar_fraction},
        )


def _size(order: OrderWish, limits: Limits, situation: Situation) -> Iterator[Verdict]:
    """Lots: time left for a new position, the market's limit, the participation cap."""
    reduces, left = _reduces(order, situation), situation.sessions_to_end
    if not reduces and (left is None or left < limits.min_sessions_to_end):
        yield Verdict(
            GateCode.CONTRACT_NEAR_END,
            f"{order.contract} has {'unknown' if left is None else left} sessions left",
            {} if left is None else {"sessions_to_end": left, "min_sessions_to_end": limits.min_sessions_to_end},
        )
    lots = abs(situation.exposure.after(order.side, order.quantity)) + abs(situation.other_lots)
    if not reduces and lots > limits.max_position:
        yield Verdict(
            GateCode.POSITION_LIMIT,
            f"{lots} lots in {order.market}, {limits.max_position} are allowed",
            {"lots_after": lots, "max_position": limits.max_position},
        )
    # A market must be left somehow, be its volume nothing or not known: lot by lot.
    most = max(limits.max_quantity, 1) if reduces else limits.max_quantity
    if order.quantity > most:
        yield Verdict(
            GateCode.PARTICIPATION,
            f"{order.quantity} lots at once, {most} are allowed",
            {"quantity": order.quantity, "max_quantity": most},
        )


def _money(order: OrderWish, limits: Limits, situation: Situation) -> Iterator[Verdict]:
    """Value and margin of all positions after the order, as shares of the equity.

    Called with a settle that was found sound. An order that reduces is held to no share; of it, only NaN and infinity
    are denied.
    """
    lots, settle = abs(situation.exposure.after(order.side, order.quantity)), situation.settle or math.nan
    market = lots * settle * limits.multiplier + situation.other_market_notional
    account = market + situation.other_account_notional
    yield from _share(
        order, situation, GateCode.NOTIONAL, ("market_notional", market), limits.max_market_notional_share
    )
    yield from _share(
        order, situation, GateCode.NOTIONAL, ("account_notional", account), limits.max_account_notional_share
    )
    lot = situation.margin_per_lot
    margin = None if lot is None else lots * lot + situation.other_margin
    yield from _share(order, situation, GateCode.MARGIN, ("margin", margin), limits.max_margin_share)


def _share(
    order: OrderWish, situation: Situation, code: GateCode, figure: tuple[str, float | None], share: float
) -> Iterator[Verdict]:
    (name, value), equity = figure, situation.equity
    if _reduces(order, situation):
        sound = all(math.isfinite(number) for number in (value, equity, share) if number is not None)
    else:
        sound = value is not None and equity is not None and within(abs(value), share * equity)
    if not sound:
        known = {name: value, "equity": equity, "max_share": share}
        yield Verdict(
            code,
            f"{name} after the order is beyond {share} of the equity, or one of the two is not known",
            {key: number for key, number in known.items() if number is not None},
        )
