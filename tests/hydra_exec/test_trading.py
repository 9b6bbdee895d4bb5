"""Limits and fills by hand."""

from datetime import date, timedelta

import pytest

from hydra_assets.state.records import Side
from hydra_exec.broker import Bar, SimulatedBroker, WorkingOrder
from hydra_exec.risk_gate import GateCode, Limits
from hydra_exec.targets import TargetReason
from hydra_exec.trading import Target, limit_price, trade

DAYS = [date(2025, 3, 3) + timedelta(days=i) for i in range(6)]
LIMITS = Limits(max_position=5, max_quantity=10, price_collar_fraction=0.05, tick=0.25)


def target(day: int, contracts: int, contract: str = "HE-2025-04", reason: TargetReason = TargetReason.OK) -> Target:
    return Target(DAYS[day], contract, contracts, reason, {"HE-2025-04": 100.0, "HE-2025-06": 90.0})


def bar(low: float, high: float, contract: str = "HE-2025-04") -> dict[str, Bar]:
    return {contract: Bar(low, high)}


def broker(**positions: int) -> SimulatedBroker:
    return SimulatedBroker(0.25, 2.5, {name.replace("_", "-"): held for name, held in positions.items()}, [])


def test_limits_are_on_the_grid_on_the_far_side() -> None:
    assert limit_price(Side.BUY, 100.0, 0.6, 0.25) == 100.25
    assert limit_price(Side.SELL, 100.0, 0.6, 0.25) == 99.75
    assert limit_price(Side.BUY, 100.0, 1.0, 0.25) == 100.25
    assert limit_price(Side.SELL, 100.1, 0.0, 0.25) == 100.0


@pytest.mark.parametrize(
    ("side", "low", "high", "fills"),
    [
        (Side.BUY, 99.75, 103.0, True),
        (Side.BUY, 100.0, 103.0, False),  # touched, not traded through
        (Side.BUY, 101.0, 103.0, False),
        (Side.SELL, 99.0, 100.25, True),
        (Side.SELL, 99.0, 100.0, False),
    ],
)
def test_an_order_fills_only_where_the_bar_trades_through(side: Side, low: float, high: float, fills: bool) -> None:
    account = broker()
    account.submit(WorkingOrder("a", "HE-2025-04", side, 2, 100.0, DAYS[0]))
    done = account.advance(DAYS[1], bar(low, high))
    assert [(d.quantity, d.price, d.fee, d.session) for d in done] == ([(2, 100.0, 5.0, DAYS[1])] if fills else [])
    assert account.positions() == ({"HE-2025-04": 2 if side is Side.BUY else -2} if fills else {})
    assert account.advance(DAYS[2], bar(0.25, 500.0)) == []  # a day order is gone after its day


def test_an_order_is_one_order_and_never_fills_in_its_own_session() -> None:
    account = broker()
    for _ in range(2):
        account.submit(WorkingOrder("a", "HE-2025-04", Side.BUY, 2, 100.0, DAYS[0]))
    assert account.advance(DAYS[0], bar(1.0, 500.0)) == []
    assert len(account.advance(DAYS[1], bar(1.0, 500.0))) == 1
    assert account.positions() == {"HE-2025-04": 2}


def test_the_order_is_the_difference_from_the_broker_s_position() -> None:
    days = [target(0, 3), target(1, 3), target(2, 3), target(3, -2)]
    bars = {DAYS[1]: bar(103.0, 104.0), DAYS[2]: bar(99.0, 101.0), DAYS[3]: bar(99.0, 101.0)}
    traded = trade("SIM_HE", days, bars, broker(), LIMITS, 1.0)
    # The first order stayed unfilled and is sent again; the second filled; then nothing is left to do until the turn.
    assert [(d.session, d.intent.side, d.intent.quantity, d.intent.held) for d in traded.decisions] == [
        (DAYS[0], Side.BUY, 3, 0),
        (DAYS[1], Side.BUY, 3, 0),
        (DAYS[3], Side.SELL, 5, 3),
    ]
    assert [(e.session, e.order_ref) for e in traded.executions] == [(DAYS[2], f"SIM_HE/{DAYS[1]}/HE-2025-04")]
    assert traded.executions[0].price == 100.25


def test_a_roll_leaves_before_it_enters() -> None:
    days = [target(0, 2, "HE-2025-06"), target(1, 2, "HE-2025-06"), target(2, 2, "HE-2025-06")]
    bars = {
        DAYS[1]: bar(99.0, 101.0) | bar(89.0, 91.0, "HE-2025-06"),
        DAYS[2]: bar(99.0, 101.0) | bar(89.0, 91.0, "HE-2025-06"),
    }
    traded = trade("SIM_HE", days, bars, broker(HE_2025_04=2), LIMITS, 1.0)
    assert [(d.intent.contract, d.intent.side, d.intent.quantity) for d in traded.decisions] == [
        ("HE-2025-04", Side.SELL, 2),
        ("HE-2025-06", Side.BUY, 2),
    ]


@pytest.mark.parametrize("reason", [r for r in TargetReason if r is not TargetReason.OK])
def test_without_a_sound_target_what_is_held_is_kept(reason: TargetReason) -> None:
    account = broker(HE_2025_04=2)
    traded = trade("SIM_HE", [target(0, 0, reason=reason)], {}, account, LIMITS, 1.0)
    assert traded.decisions == ()
    assert account.positions() == {"HE-2025-04": 2}


def test_a_denied_order_never_reaches_the_broker() -> None:
    lame = Target(DAYS[0], "HE-2025-04", 3, TargetReason.OK, {})
    account = broker()
    traded = trade("SIM_HE", [lame], {}, account, LIMITS, 1.0)
    assert [d.code for d in traded.decisions] == [GateCode.STALE_INPUT]
    assert account.advance(DAYS[1], bar(0.25, 500.0)) == []


def test_a_large_change_is_carried_over_the_cap() -> None:
    capped = Limits(max_position=5, max_quantity=2, price_collar_fraction=0.05, tick=0.25)
    bars = {day: bar(99.0, 101.0) for day in DAYS}
    traded = trade("SIM_HE", [target(i, 5) for i in range(4)], bars, broker(), capped, 1.0)
    assert [d.intent.quantity for d in traded.decisions] == [2, 2, 1]
