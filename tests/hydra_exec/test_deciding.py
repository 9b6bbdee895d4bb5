"""Orders of several markets in one session: what the first takes, the next cannot have."""

from dataclasses import replace
from datetime import date

import pytest

from hydra_assets.markets.loader import load_markets
from hydra_assets.state.records import OrderStatus
from hydra_exec.broker.port import BrokerKind
from hydra_exec.config import AccountLimits, PatienceConfig
from hydra_exec.deciding import AccountDay, Values, decide_market
from hydra_exec.journal.records import Order
from hydra_exec.market_days import ContractDay, MarketDay
from hydra_exec.plan import Wanted
from hydra_exec.risk_gate.codes import GateCode
from hydra_exec.targets import TargetReason

SESSION = date(2025, 3, 3)
SPECS = load_markets()
SETTLES = {"HE": 85.0, "LE": 200.0}
ACCOUNT = AccountDay("SIM", BrokerKind.SIMULATED, True, {}, True, equity=1_000_000.0)


def day(market: str, lots: int, margin_per_lot: float | None = 1_000.0) -> MarketDay:
    contract, settle = f"{market}-2025-04", SETTLES[market]
    wanted = Wanted(market, SESSION, contract, lots, TargetReason.OK, {contract: settle}, frozenset())
    return MarketDay(market, SESSION, wanted, {contract: ContractDay(settle, 0, 20, False)}, 1_000, margin_per_lot)


def decided(lots: dict[str, int], limits: AccountLimits, account: AccountDay = ACCOUNT) -> list[Order]:
    """Orders of the markets one after the other, as a session's decision goes through them."""
    values, out = Values(), []
    for market, wanted in lots.items():
        spec = SPECS[market].model_copy(
            update={"risk": SPECS[market].risk.model_copy(update={"max_position_contracts": 1_000})}
        )
        each = day(market, wanted)
        made = decide_market(each, SESSION, spec, account, values, limits, PatienceConfig())
        values = values.with_orders(each, spec, account, made)
        out += made
    return out


@pytest.mark.parametrize(
    ("limits", "lots", "codes"),
    [
        # 40 lots of hogs are worth 1.36 M, 20 of cattle 1.6 M.
        (AccountLimits(max_notional_share=3.0), {"HE": 40, "LE": 20}, ["passed", "passed"]),
        (AccountLimits(max_notional_share=2.9), {"HE": 40, "LE": 20}, ["passed", "notional"]),
        (AccountLimits(max_notional_share=2.9), {"LE": 20, "HE": 40}, ["passed", "notional"]),
        (AccountLimits(max_notional_share=2.9), {"HE": -40, "LE": 20}, ["passed", "notional"]),
        (AccountLimits(max_margin_share=0.06), {"HE": 40, "LE": 20}, ["passed", "passed"]),
        (AccountLimits(max_margin_share=0.059), {"HE": 40, "LE": 20}, ["passed", "margin"]),
    ],
)
def test_the_accounts_limits_hold_for_all_markets_together(
    limits: AccountLimits, lots: dict[str, int], codes: list[str]
) -> None:
    orders = decided(lots, limits)
    print([(order.order_ref, order.gate_code, order.reason) for order in orders])
    assert [order.gate_code for order in orders] == codes


def test_an_order_that_was_denied_takes_no_room() -> None:
    account = replace(ACCOUNT, unknown=frozenset({"HE"}))
    first, second = decided({"HE": 40, "LE": 20}, AccountLimits(max_notional_share=2.9), account)
    assert (first.status, second.gate_code) == (OrderStatus.DENIED, GateCode.PASSED)


@pytest.mark.parametrize(
    ("held", "wanted", "exit_cap", "ordered", "code"),
    [
        (0, 3, 5, 1, GateCode.PARTICIPATION),
        (2, 3, 5, 1, GateCode.PARTICIPATION),
        (3, 0, 5, -3, GateCode.PASSED),
        (8, 2, 5, -5, GateCode.PASSED),
        (3, 0, 0, -1, GateCode.PASSED),
        (-3, 0, 2, 2, GateCode.PASSED),
    ],
)
def test_where_the_volume_is_not_known_nothing_is_entered_and_what_is_held_is_left(
    held: int, wanted: int, exit_cap: int, ordered: int, code: GateCode
) -> None:
    account = replace(ACCOUNT, positions={"HE-2025-04": held} if held else {})
    unknown = replace(day("HE", wanted), day_cap=0, exit_cap=exit_cap)
    (order,) = decide_market(unknown, SESSION, SPECS["HE"], account, Values(), AccountLimits(), PatienceConfig())
    assert (abs(order.quantity), order.gate_code) == (abs(ordered), code)
    assert order.side.sign * ordered > 0


def test_what_is_left_keeps_its_room_until_it_is_left() -> None:
    spec = SPECS["HE"]
    account = replace(ACCOUNT, positions={"HE-2025-04": 10})
    held = Values({"HE": 340_000.0}, {"HE": 10_000.0})
    made = decide_market(day("HE", 0), SESSION, spec, account, held, AccountLimits(), PatienceConfig())
    assert [(order.side.sign * order.quantity, order.gate_code) for order in made] == [(-10, GateCode.PASSED)]
    assert held.with_orders(day("HE", 0), spec, account, made) == held
