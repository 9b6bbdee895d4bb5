"""The simulated broker: a session from begin to close, and books that outlive whoever trades with it."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.state.records import Side
from hydra_exec.broker.port import (
    Broker,
    BrokerError,
    BrokerKind,
    ExecutionReport,
    FeeReport,
    LinkState,
    Message,
    Notice,
    NotSentError,
    OrderReport,
    Sessions,
    Word,
)
from hydra_exec.broker.simulated.broker import SimulatedBroker
from hydra_exec.broker.simulated.config import SimConfig
from hydra_exec.broker.simulated.log import MemoryStore
from hydra_exec.broker.simulated.path import DayBar
from hydra_exec.broker.simulated.records import Began, Expired, Filled, Record, Taken, line_of, record_of
from hydra_exec.broker.simulated.tape import SessionTape, SimTerms
from tests.support.sim_broker import BAR, CONTRACT, FIRST, TERMS, broker_on, days, played_out, tape, ticket

BUY, SELL = Side.BUY, Side.SELL
OTHER = "ZC-2025-05"
CORN = SimTerms("ZC", tick=0.25, half_spread_ticks=0.5, fee_per_contract=2.0, currency="USD")
AT_ONCE = 90.0
"""A buy that any quote of the session reaches."""


def begun(broker: SimulatedBroker) -> SimulatedBroker:
    broker.begin(FIRST)
    return broker


def fills_in(heard: Sequence[Message]) -> list[ExecutionReport]:
    return [message for message in heard if isinstance(message, ExecutionReport)]


def test_it_is_a_broker_that_has_sessions() -> None:
    broker = broker_on([tape()])
    port: Broker = broker
    sessions: Sessions = broker
    assert (port.kind, port.account, sessions.session, sessions.finished) == (BrokerKind.SIMULATED, "SIM", None, True)


def test_a_session_of_steps_that_ends_with_the_close() -> None:
    broker = begun(broker_on([tape()]))
    opens = tape().opens_at
    instants = [broker.now()]
    while not broker.finished:
        assert broker.wait(0.5) == []
        instants.append(broker.now())
    assert instants == [opens + timedelta(minutes=10 * i) for i in range(26)]
    assert broker.wait(90.0) == []
    assert broker.now() == tape().closes_at + timedelta(seconds=90)


def test_waiting_for_no_time_moves_nothing() -> None:
    broker = begun(broker_on([tape()]))
    assert (broker.wait(0.0), broker.wait(-1.0), broker.now()) == ([], [], tape().opens_at)


def test_begin_is_idempotent_and_never_goes_back() -> None:
    first, second = days(2)
    broker = broker_on([tape(first), tape(second)])
    broker.begin(first)
    broker.wait(1.0)
    broker.begin(first)
    assert broker.now() == tape().opens_at + timedelta(minutes=10)
    broker.begin(second)
    assert (broker.session, broker.now()) == (second, tape(second).opens_at)
    with pytest.raises(BrokerError, match="2025-03-04 already and cannot go back to 2025-03-03"):
        broker.begin(first)


def test_what_is_heard_of_an_order_that_fills_at_once() -> None:
    broker = begun(broker_on([tape()]))
    assert broker.place(ticket("a", BUY, 2, AT_ONCE)) == 1
    accepted, fill, done, fee = broker.wait(60.0)
    assert broker.now() == tape().opens_at, "what is heard at once takes no time"
    quote = broker.quote(CONTRACT)
    assert quote is not None
    assert isinstance(accepted, OrderReport)
    assert (accepted.word, accepted.perm_id, accepted.order_id, accepted.generation) == (Word.WORKING, 1_000_001, 1, 1)
    assert fill == ExecutionReport(
        exec_id="sim.00000001.01",
        base_exec_id="sim.00000001",
        revision=1,
        contract=CONTRACT,
        side=BUY,
        quantity=2,
        price=quote.ask or 0.0,
        executed_at=broker.now(),
        perm_id=1_000_001,
        wire_ref="a",
        order_id=1,
        client_id=0,
        generation=1,
        account="SIM",
    )
    assert isinstance(done, OrderReport)
    assert (done.word, done.filled, done.wire_ref) == (Word.FILLED, 2, "a")
    assert fee == FeeReport("sim.00000001.01", 4.94, "USD", 1)
    shot = broker.snapshot()
    assert (dict(shot.positions), shot.open_orders, shot.executions, shot.ended) == (
        {CONTRACT: 2},
        (),
        (fill,),
        (done,),
    )
    assert shot.fees == (fee,)


def test_a_resting_order_fills_at_its_own_limit_when_the_quote_comes() -> None:
    broker = begun(broker_on([tape()]))
    broker.place(ticket("a", BUY, 1, 84.1))
    fills = fills_in(played_out(broker))
    assert [fill.price for fill in fills] == [84.1]


def test_a_day_order_ends_with_its_session() -> None:
    broker = begun(broker_on([tape()]))
    broker.place(ticket("a", BUY, 1, 80.0))
    last = played_out(broker)[-1]
    assert isinstance(last, OrderReport)
    assert (last.word, last.detail, last.at) == (Word.CANCELLED, "end of day", tape().closes_at)
    assert broker.snapshot().open_orders == ()
    broker.place(ticket("b", BUY, 1, AT_ONCE))
    refused = broker.wait(0.0)[0]
    assert isinstance(refused, OrderReport)
    assert (refused.word, refused.detail) == (Word.REJECTED, "201 no session is open")


def test_cancel_and_amend() -> None:
    broker = begun(broker_on([tape()]))
    broker.place(ticket("a", BUY, 1, 80.0))
    (accepted,) = broker.wait(1.0)
    assert isinstance(accepted, OrderReport)
    broker.amend(ticket("a", BUY, 1, 81.0))
    (amended,) = broker.wait(1.0)
    assert isinstance(amended, OrderReport)
    assert (amended.limit_price, amended.perm_id, amended.word) == (81.0, accepted.perm_id, Word.WORKING)
    broker.amend(ticket("a", BUY, 1, 81.01))
    assert broker.wait(1.0) == [amended], "a limit off the grid changes nothing"
    broker.cancel(accepted)
    (ended,) = broker.wait(1.0)
    assert isinstance(ended, OrderReport)
    assert (ended.word, ended.filled) == (Word.CANCELLED, 0)
    broker.cancel(accepted)
    broker.amend(ticket("a", BUY, 1, AT_ONCE))
    assert broker.wait(1.0) == [ended, ended]
    assert broker.snapshot().positions == {}


def test_an_order_that_rested_and_is_moved_over_the_quote_fills_at_its_limit() -> None:
    broker = begun(broker_on([tape()]))
    broker.place(ticket("a", BUY, 1, 80.0))
    broker.amend(ticket("a", BUY, 1, 89.0))
    (fill,) = fills_in(broker.wait(1.0))
    assert fill.price == 89.0


def test_who_is_not_known_is_not_found() -> None:
    broker = begun(broker_on([tape()]))
    broker.amend(ticket("nobody", BUY, 1, 80.0))
    broker.cancel(OrderReport(Word.WORKING, 0, broker.now(), wire_ref="nobody", perm_id=5))
    heard = broker.wait(0.0)
    assert [(m.code, m.wire_ref) for m in heard if isinstance(m, Notice)] == [(10147, "nobody")] * 2


@pytest.mark.parametrize(
    ("quantity", "limit", "why"),
    [(0, 85.0, "434"), (-1, 85.0, "434"), (1, 85.01, "110")],
    ids=["none", "short", "grid"],
)
def test_orders_that_no_broker_takes(quantity: int, limit: float, why: str) -> None:
    broker = begun(broker_on([tape()]))
    broker.place(ticket("a", BUY, quantity, limit))
    (refused,) = broker.wait(1.0)
    assert isinstance(refused, OrderReport)
    assert refused.word is Word.REJECTED
    assert refused.detail.startswith(why)
    assert broker.snapshot().ended == (refused,)


@pytest.mark.parametrize("limit", [float("nan"), float("inf")])
def test_a_limit_that_is_no_number_is_never_sent(limit: float) -> None:
    store = MemoryStore()
    broker = begun(broker_on([tape()], store))
    before = list(store.lines)
    with pytest.raises(NotSentError, match="no limit price"):
        broker.place(ticket("a", BUY, 1, limit))
    assert store.lines == before


def test_without_a_connection_nothing_is_sent_and_nothing_heard() -> None:
    broker = begun(broker_on([tape()], connect=False))
    assert (broker.link().state, broker.link().generation) == (LinkState.DOWN, 0)
    for send in (broker.place, broker.amend):
        with pytest.raises(NotSentError, match="connect first"):
            send(ticket("a", BUY, 1, AT_ONCE))
    assert (broker.connect().generation, broker.connect().generation) == (1, 1)
    broker.place(ticket("a", BUY, 1, AT_ONCE))
    broker.close()
    assert broker.connect().generation == 2
    assert broker.wait(0.0) == [], "what was not heard on a connection is not said on the next"
    assert [e.generation for e in broker.snapshot().executions] == [2]


def test_a_name_is_taken_once_and_the_first_order_lives_on() -> None:
    broker = begun(broker_on([tape()]))
    broker.place(ticket("a", BUY, 1, 80.0))
    (first,) = broker.wait(1.0)
    assert broker.place(ticket("a", BUY, 5, AT_ONCE)) == 2
    refused, truth = broker.wait(1.0)
    assert isinstance(refused, OrderReport)
    assert (refused.word, refused.wire_ref, refused.perm_id, refused.order_id) == (Word.REJECTED, "a", 0, 2)
    assert truth == first
    shot = broker.snapshot()
    assert (shot.open_orders, shot.ended, shot.executions) == ((first,), (), ())


def test_a_contract_without_a_bar_has_no_quote_and_fills_nothing() -> None:
    broker = begun(broker_on([tape(bars={})]))
    assert broker.quote(CONTRACT) is None
    broker.place(ticket("a", BUY, 1, AT_ONCE))
    heard = played_out(broker)
    assert [m.word for m in heard if isinstance(m, OrderReport)] == [Word.WORKING, Word.CANCELLED]
    assert broker.snapshot().executions == ()


def test_a_session_without_tapes_is_over_at_once() -> None:
    broker = broker_on([])
    broker.begin(FIRST)
    assert (broker.session, broker.finished) == (FIRST, True)


def test_markets_with_other_hours_step_and_close_by_themselves() -> None:
    corn = tape(bars={OTHER: DayBar(450.0)}, opens_hour=15, minutes=500, terms=CORN)
    broker = begun(broker_on([tape(), corn]))
    assert broker.quote(OTHER) is None
    broker.place(ticket("corn", BUY, 1, 500.0, OTHER))
    broker.place(ticket("hogs", BUY, 1, 80.0))
    heard = played_out(broker)
    (fill,) = fills_in(heard)
    # It was there before the open: it rests, and gets its own limit when the market opens.
    assert (fill.executed_at, fill.price) == (corn.opens_at, 500.0)
    ended = [m for m in heard if isinstance(m, OrderReport) and m.word is Word.CANCELLED]
    assert [(m.wire_ref, m.at) for m in ended] == [("hogs", tape().closes_at)]
    assert broker.now() == corn.closes_at
    quote = broker.quote(CONTRACT)
    assert quote is not None
    assert quote.at == tape().closes_at - timedelta(minutes=10), "the last that was heard"


def test_the_days_cap_is_spread_over_the_steps_and_ends_it() -> None:
    broker = begun(broker_on([tape(day_cap=3)]))
    broker.place(ticket("a", BUY, 10, AT_ONCE))
    broker.place(ticket("b", SELL, 2, 80.0))
    fills = fills_in(played_out(broker))
    opens = tape().opens_at
    assert [(f.quantity, f.executed_at - opens) for f in fills if f.side is BUY] == [
        (1, timedelta(minutes=10 * i)) for i in range(3)
    ]
    assert sum(f.quantity for f in fills if f.side is SELL) == 2


def test_without_volume_nothing_fills() -> None:
    broker = begun(broker_on([tape(day_cap=0)]))
    broker.place(ticket("a", BUY, 1, AT_ONCE))
    assert fills_in(played_out(broker)) == []


def test_impact_is_paid_by_what_takes_and_can_be_switched_off() -> None:
    def prices(*, impact: bool) -> list[float]:
        broker = begun(broker_on([tape(impact=0.2)], config=SimConfig(impact=impact)))
        broker.place(ticket("a", BUY, 4, AT_ONCE))
        return [fill.price for fill in fills_in(played_out(broker))]

    plain, moved = prices(impact=False), prices(impact=True)
    # Two lots a step. 0.2 sqrt(2) = 0.283 a lot, then 0.2 (8 - 2.83) / 2 = 0.517: eleven and twenty-one ticks.
    assert [round((b - a) / 0.025) for a, b in zip(plain, moved, strict=True)] == [11, 21]


def test_rejects_and_delays_are_drawn_by_the_orders_name() -> None:
    config = SimConfig(reject_rate=0.2, delay_rate=0.3, ack_delay_steps=3)

    def words(names: list[str]) -> dict[str, tuple[Word, timedelta]]:
        broker = begun(broker_on([tape(day_cap=10_000)], config=config))
        for name in names:
            broker.place(ticket(name, BUY, 1, 80.0))
        out = {}
        for _ in range(5):
            for message in broker.wait(1.0):
                assert isinstance(message, OrderReport)
                out[message.wire_ref] = (message.word, broker.now() - tape().opens_at)
        return out

    names = [f"order {i}" for i in range(500)]
    heard = words(names)
    assert heard == words(names[::-1])
    assert set(heard) == set(names)
    refused = sum(word is Word.REJECTED for word, _ in heard.values())
    late = sum(after == timedelta(minutes=30) for _, after in heard.values())
    assert {after for _, after in heard.values()} == {timedelta(0), timedelta(minutes=30)}
    assert abs(refused - 100) < 4 * (500 * 0.2 * 0.8) ** 0.5
    assert abs(late - 150) < 4 * (500 * 0.3 * 0.7) ** 0.5


def test_what_is_late_is_heard_when_the_session_ends_and_the_snapshot_does_not_wait() -> None:
    broker = begun(broker_on([tape()], config=SimConfig(delay_rate=1.0, ack_delay_steps=1_000)))
    broker.place(ticket("a", BUY, 1, AT_ONCE))
    assert len(broker.snapshot().executions) == 1
    heard: list[Message] = []
    while not broker.finished:
        assert heard == []
        heard += broker.wait(1.0)
    assert [type(m) for m in heard] == [OrderReport, ExecutionReport, OrderReport, FeeReport]


def test_the_next_session_lets_the_rest_of_this_one_pass() -> None:
    first, second = days(2)
    broker = broker_on([tape(first), tape(second)])
    broker.begin(first)
    broker.place(ticket("rests", BUY, 1, 84.1))
    broker.place(ticket("never", BUY, 1, 80.0))
    broker.begin(second)
    heard = broker.wait(0.0)
    assert [fill.wire_ref for fill in fills_in(heard)] == ["rests"]
    last = heard[-1]
    assert isinstance(last, OrderReport)
    assert (last.wire_ref, last.word, last.at) == ("never", Word.CANCELLED, tape(first).closes_at)
    shot = broker.snapshot()
    assert (dict(shot.positions), shot.executions, shot.ended) == ({CONTRACT: 1}, (), ())


def test_an_order_is_on_record_when_place_returns() -> None:
    store = MemoryStore()
    broker = begun(broker_on([tape()], store))
    broker.place(ticket("a", BUY, 1, 80.0))
    found = broker_on([tape()], MemoryStore(store.lines)).snapshot().open_orders
    assert [(order.wire_ref, order.word) for order in found] == [("a", Word.WORKING)]


def test_a_store_that_fails_ends_it_before_anybody_believes_a_fill() -> None:
    class Full(MemoryStore):
        def append(self, lines: Sequence[str], *, flush: bool = True) -> None:
            raise OSError("no space")

    broker = broker_on([tape()], Full())
    with pytest.raises(OSError, match="no space"):
        broker.begin(FIRST)
    assert broker.wait(0.0) == []
    for ask in (broker.snapshot, lambda: broker.place(ticket("a", BUY, 1, AT_ONCE)), lambda: broker.wait(1.0)):
        with pytest.raises(BrokerError, match="open it anew"):
            ask()


def test_lines_are_read_as_they_were_written() -> None:
    store = MemoryStore()
    broker = begun(broker_on([tape()], store))
    broker.place(ticket("a", BUY, 3, AT_ONCE))
    broker.place(ticket("b", BUY, 1, 80.0))
    broker.amend(ticket("b", BUY, 1, 81.0))
    played_out(broker)
    assert [line_of(record_of(line)) for line in store.lines] == store.lines
    assert {type(record_of(line)) for line in store.lines} | {Expired} == set(get_args(Record))
    assert record_of(line_of(Expired("HE-2025-04"))) == Expired("HE-2025-04")


@pytest.mark.parametrize("line", ["", "{}", "[]", '{"is": "filled"}', '{"is": "moved", "at": "yesterday"}', "3"])
def test_a_line_that_is_none(line: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        record_of(line)


limits = st.integers(3330, 3470).map(lambda ticks: round(ticks * 0.025, 10))
acts = st.one_of(
    st.tuples(st.just("place"), st.sampled_from(Side), st.integers(1, 6), limits, st.sampled_from([CONTRACT, OTHER])),
    st.tuples(st.just("amend"), st.integers(0, 9), limits),
    st.tuples(st.just("cancel"), st.integers(0, 9)),
    st.just(("begin",)),
    st.just(("wait",)),
    st.just(("wait",)),
)
CONFIG = SimConfig(seed=11, steps=6, reject_rate=0.1, delay_rate=0.2, ack_delay_steps=2)


def two_markets(session_no: int) -> list[SessionTape]:
    session = days(session_no + 1)[session_no]
    bar = DayBar(450.0, 449.0, 452.0, 448.0) if session_no != 1 else None
    return [
        tape(session, bars={CONTRACT: BAR}, day_cap=5, impact=0.05),
        tape(session, bars={OTHER: bar} if bar else {}, day_cap=2, opens_hour=15, terms=CORN),
    ]


TAPES = [each for i in range(4) for each in two_markets(i)]


def run(broker: SimulatedBroker, acted: list[tuple[object, ...]], first: int) -> SimulatedBroker:
    """Carry out acts; orders are named by their place among all acts."""
    for place, act in enumerate(acted, start=first):
        match act:
            case ("place", Side() as side, int(quantity), float(limit), str(contract)):
                price = limit if contract == CONTRACT else float(round(limit * 5.3))
                broker.place(ticket(f"{place % 12}", side, quantity, price, contract))
            case ("amend", int(which), float(limit)):
                broker.amend(ticket(f"{which}", Side.BUY, 1, limit))
            case ("cancel", int(which)):
                broker.cancel(OrderReport(Word.WORKING, 0, broker.now(), wire_ref=f"{which}"))
            case ("begin",):
                later = [s for s in days(4) if broker.session is None or s > broker.session]
                if later:
                    broker.begin(later[0])
            case _:
                # What is to be heard takes no time; whether a restart lost it must not matter to the clock.
                broker.wait(0.0)
                broker.wait(60.0)
    return broker


@given(st.lists(acts, max_size=30), st.integers(0, 30))
def test_the_same_acts_leave_the_same_bytes_and_a_restart_anywhere_changes_nothing(
    acted: list[tuple[object, ...]], cut: int
) -> None:
    acted = [("begin",), *acted]
    store, again, restarted = MemoryStore(), MemoryStore(), MemoryStore()
    whole = run(broker_on(TAPES, store, CONFIG), acted, 0)
    run(broker_on(TAPES, again, CONFIG), acted, 0)
    assert store.lines == again.lines
    run(broker_on(TAPES, restarted, CONFIG), acted[:cut], 0)
    rest = run(broker_on(TAPES, MemoryStore(restarted.lines), CONFIG), acted[cut:], cut)
    assert rest.snapshot() == whole.snapshot()
    assert (rest.now(), rest.session, rest.finished) == (whole.now(), whole.session, whole.finished)


@given(st.lists(acts, max_size=40))
def test_fills_never_exceed_caps_or_orders_and_add_up_to_the_position(acted: list[tuple[object, ...]]) -> None:
    store = MemoryStore()
    broker = run(broker_on(TAPES, store, CONFIG), [("begin",), *acted], 0)
    orders: dict[int, Taken] = {}
    session = 0
    of_day: dict[tuple[int, str, Side], int] = {}
    of_step: dict[tuple[int, str, Side, int], int] = {}
    of_order: dict[int, int] = {}
    held: dict[str, int] = {}
    for record in map(record_of, store.lines):
        match record:
            case Began():
                session += 1
            case Taken(perm_id):
                orders[perm_id] = record
            case Filled(perm_id, step, quantity):
                contract, side = orders[perm_id].contract, orders[perm_id].side
                day = (session, contract, side)
                of_day[day] = of_day.get(day, 0) + quantity
                of_step[*day, step] = of_step.get((*day, step), 0) + quantity
                of_order[perm_id] = of_order.get(perm_id, 0) + quantity
                held[contract] = held.get(contract, 0) + side.sign * quantity
            case _:
                pass
    caps = {CONTRACT: 5, OTHER: 2}
    assert all(lots <= caps[key[1]] for key, lots in of_day.items())
    assert all(lots <= 1 for lots in of_step.values())
    assert all(lots <= orders[perm_id].quantity for perm_id, lots in of_order.items())
    assert broker.snapshot().positions == {contract: lots for contract, lots in held.items() if lots}


def test_perm_ids_and_fills_count_on_over_restarts() -> None:
    store = MemoryStore()
    broker = begun(broker_on([tape()], store))
    broker.place(ticket("a", BUY, 1, AT_ONCE))
    later = broker_on([tape()], MemoryStore(store.lines))
    later.place(ticket("b", BUY, 1, AT_ONCE))
    shot = later.snapshot()
    assert [e.exec_id for e in shot.executions] == ["sim.00000001.01", "sim.00000002.01"]
    assert all(a.perm_id < b.perm_id for a, b in pairwise(shot.ended))
    assert TERMS.fee_per_contract == shot.fees[1].fee
