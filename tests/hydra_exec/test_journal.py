"""Where a market stands, from the orders and fills on record in a real database."""

from datetime import UTC, date, datetime, time, timedelta

import sqlalchemy as sa

from hydra_assets.state.records import Side
from hydra_exec.broker import Bar, Execution, SimulatedBroker, WorkingOrder
from hydra_exec.journal import last_ordered, orders_between, record, standing
from hydra_exec.risk_gate import GateCode, Intent, Limits
from hydra_exec.targets import TargetReason
from hydra_exec.trading import Decision, Target, Traded, trade

MARKET, CONTRACT = "SIM_LE", "LE-2026-12"
DAYS = [date(2026, 10, 1) + timedelta(days=i) for i in range(6)]
LIMITS = Limits(max_position=5, max_quantity=10, price_collar_fraction=0.05, tick=0.25)


def end_of(day: date) -> datetime:
    return datetime.combine(day, time(20), tzinfo=UTC)


def sell(day: date, quantity: int, code: GateCode = GateCode.PASSED) -> Decision:
    return Decision(f"{MARKET}/{day}/{CONTRACT}", day, Intent(MARKET, CONTRACT, Side.SELL, quantity, 100.0, 0), code)


def fill(ordered: date, day: date, quantity: int) -> Execution:
    reference = f"{MARKET}/{ordered}/{CONTRACT}"
    return Execution(f"{reference}/{day}", reference, CONTRACT, Side.SELL, quantity, 100.0, 2.5, day)


def test_a_fill_counts_however_long_ago_it_was_ordered(state_engine: sa.Engine) -> None:
    record(state_engine, MARKET, Traded((sell(DAYS[0], 5),), (fill(DAYS[0], DAYS[1], 5),)), DAYS[5], end_of, "run")
    assert last_ordered(state_engine, MARKET) == DAYS[0]
    assert standing(state_engine, MARKET, DAYS[4], end_of(DAYS[4])).positions == {CONTRACT: -5}
    assert standing(state_engine, MARKET, DAYS[1], end_of(DAYS[1])).positions == {CONTRACT: -5}
    assert standing(state_engine, MARKET, DAYS[0], end_of(DAYS[0])).positions == {}


def test_only_the_last_sessions_accepted_orders_are_still_working(state_engine: sa.Engine) -> None:
    decisions = (sell(DAYS[0], 5), sell(DAYS[1], 3), sell(DAYS[2], 9, GateCode.NO_CHAMPION))
    record(state_engine, MARKET, Traded(decisions, ()), DAYS[2], end_of, "run")
    assert standing(state_engine, MARKET, DAYS[1], end_of(DAYS[1])).working == (
        WorkingOrder(f"{MARKET}/{DAYS[1]}/{CONTRACT}", CONTRACT, Side.SELL, 3, 100.0, DAYS[1]),
    )
    assert standing(state_engine, MARKET, DAYS[2], end_of(DAYS[2])).working == ()
    assert standing(state_engine, MARKET, DAYS[3], end_of(DAYS[3])).working == ()


def test_another_market_changes_nothing(state_engine: sa.Engine) -> None:
    record(state_engine, MARKET, Traded((sell(DAYS[0], 5),), (fill(DAYS[0], DAYS[1], 5),)), DAYS[1], end_of, "run")
    other = standing(state_engine, "SIM_HE", DAYS[1], end_of(DAYS[1]))
    assert (last_ordered(state_engine, "SIM_HE"), other.positions, other.working) == (None, {}, ())


def test_trading_any_tail_again_orders_nothing_more(state_engine: sa.Engine) -> None:
    """One contract more at every repetition is how a position is lost sight of."""
    wanted = Target(DAYS[0], CONTRACT, -5, TargetReason.OK, {CONTRACT: 100.0})
    targets = [Target(day, wanted.contract, wanted.contracts, wanted.reason, wanted.settles) for day in DAYS]
    bars = {day: {CONTRACT: Bar(99.0, 101.0)} for day in DAYS}

    def live(first: int) -> None:
        last = last_ordered(state_engine, MARKET)
        days = [day for day in DAYS[first:] if last is None or day > last]
        previous = days[0] - timedelta(days=1)
        before = standing(state_engine, MARKET, previous, end_of(previous))
        broker = SimulatedBroker(0.25, 2.5, before.positions, before.working)
        again = [target for target in targets if target.session in days]
        record(state_engine, MARKET, trade(MARKET, again, bars, broker, LIMITS, 1.0), DAYS[-1], end_of, "run")

    live(0)
    first = orders_between(state_engine, MARKET, DAYS[0], DAYS[-1])
    assert first["quantity"].to_list() == [5]
    for start in (5, 3, 1, 5):
        live(start)
        assert orders_between(state_engine, MARKET, DAYS[0], DAYS[-1]).equals(first)
        assert standing(state_engine, MARKET, DAYS[-1], end_of(DAYS[-1])).positions == {CONTRACT: -5}
