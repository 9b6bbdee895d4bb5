"""Every denial of the gate, and what passes."""

from dataclasses import replace

import pytest

from hydra_assets.state.records import Side
from hydra_exec.risk_gate import GateCode, Intent, Limits, Situation, check

LIMITS = Limits(max_position=5, max_quantity=4, price_collar_fraction=0.05, tick=0.025)
GOOD = Intent("SIM_HE", "HE-2025-12", Side.BUY, 2, 80.025, held=1)
FRESH = Situation(has_champion=True, settle=80.0, settle_age_sessions=0)


def test_a_good_order_passes() -> None:
    assert check(GOOD, LIMITS, FRESH) is GateCode.PASSED


@pytest.mark.parametrize(
    ("order", "situation", "code"),
    [
        ({}, {"has_champion": False}, GateCode.NO_CHAMPION),
        ({}, {"halted": True}, GateCode.HALTED),
        ({}, {"halted": True, "has_champion": False}, GateCode.HALTED),
        ({}, {"settle": None, "settle_age_sessions": None}, GateCode.STALE_INPUT),
        ({}, {"settle_age_sessions": 1}, GateCode.STALE_INPUT),
        ({"limit_price": 80.03}, {}, GateCode.BAD_PRICE),
        ({"limit_price": 0.0}, {}, GateCode.BAD_PRICE),
        ({"limit_price": float("nan")}, {}, GateCode.BAD_PRICE),
        ({"limit_price": float("inf")}, {}, GateCode.BAD_PRICE),
        ({"limit_price": 84.025}, {}, GateCode.PRICE_COLLAR),
        ({"limit_price": 75.975}, {}, GateCode.PRICE_COLLAR),
        ({"held": 4}, {}, GateCode.POSITION_LIMIT),
        ({"side": Side.SELL, "quantity": 4, "held": -2}, {}, GateCode.POSITION_LIMIT),
        ({"side": Side.SELL, "quantity": 5, "held": 3}, {}, GateCode.PARTICIPATION),
    ],
)
def test_denials(order: dict[str, object], situation: dict[str, object], code: GateCode) -> None:
    assert check(replace(GOOD, **order), LIMITS, replace(FRESH, **situation)) is code


def test_taking_risk_away_needs_no_champion_and_no_room() -> None:
    exit_order = replace(GOOD, side=Side.SELL, quantity=3, held=9)
    assert check(exit_order, LIMITS, replace(FRESH, has_champion=False)) is GateCode.PASSED
    through_zero = replace(GOOD, side=Side.SELL, quantity=4, held=3)
    assert check(through_zero, LIMITS, replace(FRESH, has_champion=False)) is GateCode.NO_CHAMPION


def test_a_halt_lets_risk_be_taken_away() -> None:
    exit_order = replace(GOOD, side=Side.SELL, quantity=3, held=3)
    assert check(exit_order, LIMITS, replace(FRESH, halted=True)) is GateCode.PASSED
    turned = replace(GOOD, side=Side.SELL, quantity=4, held=3)
    assert check(turned, LIMITS, replace(FRESH, halted=True)) is GateCode.HALTED
