"""Fill rules: by hand, and against the loopback TWS' book on paths and orders of any kind."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.state.records import Side
from hydra_exec.broker.port import ExecutionReport, OrderReport, Word
from hydra_exec.broker.simulated.config import SimConfig
from hydra_exec.broker.simulated.matching import Allowance, Match, Touch, WorkingOrder, impact_ticks, match
from hydra_exec.broker.simulated.path import DayBar, PathKey, quote_path, quotes
from tests.support.sim_broker import CONTRACT, FIRST, TERMS, broker_on, tape, ticket
from tests.support.tws.book import Liquidity
from tests.support.tws.book import Quote as TwsQuote
from tests.support.tws.broker import Terms
from tests.support.tws.contracts import Wanted
from tests.support.tws.records import Side as TwsSide
from tests.support.tws.requests import PlaceOrder
from tests.support.tws.script import EndDay, Script
from tests.support.tws.terminal import Config, Terminal

TICK = 0.025
TOUCH = Touch(84.975, 85.025)
BUY, SELL = Side.BUY, Side.SELL


def allowances(lots: int = 100, taken: int = 0) -> dict[Side, Allowance]:
    return {side: Allowance(lots, 1_000, taken) for side in Side}


def test_what_finds_the_quote_takes_it_and_what_rests_gets_its_limit() -> None:
    orders = [
        WorkingOrder(1, BUY, 2, 85.05, resting=False),
        WorkingOrder(2, BUY, 2, 85.05, resting=True),
        WorkingOrder(3, SELL, 1, 84.975, resting=False),
        WorkingOrder(4, BUY, 1, 85.0, resting=False),
        WorkingOrder(5, SELL, 1, 85.0, resting=True),
    ]
    found, rest = match(orders, TOUCH, allowances(), 0.0, TICK)
    assert found == [
        Match(1, 2, 85.025, took=True),
        Match(2, 2, 85.05, took=False),
        Match(3, 1, 84.975, took=True),
    ]
    assert rest == [4]


def test_a_cap_goes_by_price_then_arrival() -> None:
    orders = [WorkingOrder(n, BUY, 2, limit, resting=False) for n, limit in ((1, 85.05), (2, 85.1), (3, 85.05))]
    used = allowances(3)
    assert [(m.number, m.quantity) for m in match(orders, TOUCH, used, 0.0, TICK)[0]] == [(2, 2), (1, 1)]
    assert (used[BUY].lots, used[BUY].taken, used[SELL].lots) == (0, 3, 3)


def test_without_a_quote_everything_rests_once() -> None:
    orders = [WorkingOrder(1, BUY, 1, 85.0, resting=False), WorkingOrder(2, BUY, 1, 85.0, resting=True)]
    assert match(orders, None, allowances(), 0.0, TICK) == ([], [1])


def test_impact_is_the_square_root_law_of_what_was_taken_whatever_the_pieces() -> None:
    impact = 0.08
    # k Q^(1/2) for each of four lots: 0.08 * 2 = 0.16, that is 6.4 ticks.
    assert impact_ticks(impact, TICK, 0, 4) == 6
    whole = impact * 4**1.5
    pieces = sum(impact * (math.pow(n + 1, 1.5) - math.pow(n, 1.5)) for n in range(4))
    assert pieces == pytest.approx(whole)
    rounded = sum(impact_ticks(impact, TICK, n, 1) * TICK for n in range(4))
    assert rounded == pytest.approx(whole, abs=4 * 0.5 * TICK)


def test_impact_worsens_the_touch_as_far_as_the_limit() -> None:
    def price(side: Side, limit: float) -> float:
        return match([WorkingOrder(1, side, 4, limit, False)], TOUCH, allowances(), 0.08, TICK)[0][0].price

    assert price(BUY, 90.0) == 85.175
    assert price(SELL, 80.0) == 84.825
    assert price(BUY, 85.1) == 85.1
    assert price(SELL, 84.9) == 84.9


@given(
    st.lists(
        st.builds(
            WorkingOrder,
            number=st.integers(1, 1_000),
            side=st.sampled_from(Side),
            remaining=st.integers(1, 9),
            limit_price=st.integers(3380, 3420).map(lambda ticks: round(ticks * TICK, 10)),
            resting=st.booleans(),
        ),
        max_size=6,
        unique_by=lambda order: order.number,
    ),
    st.integers(0, 12),
    st.floats(0.0, 1.0),
)
def test_impact_changes_prices_never_quantities_and_never_beyond_the_limit(
    orders: list[WorkingOrder], cap: int, impact: float
) -> None:
    plain, rest = match(orders, TOUCH, allowances(cap), 0.0, TICK)
    moved, same_rest = match(orders, TOUCH, allowances(cap), impact, TICK)
    assert [(m.number, m.quantity, m.took) for m in plain] == [(m.number, m.quantity, m.took) for m in moved]
    assert rest == same_rest
    by_number = {order.number: order for order in orders}
    for before, after in zip(plain, moved, strict=True):
        order = by_number[before.number]
        assert (after.price - before.price) * order.side.sign >= 0
        assert (order.limit_price - after.price) * order.side.sign >= 0
        assert abs(after.price / TICK - round(after.price / TICK)) < 1e-9
    for side in Side:
        assert sum(m.quantity for m in plain if by_number[m.number].side is side) <= cap


STEPS = 8
CON_ID = 1000
limits = st.integers(3385, 3415).map(lambda ticks: round(ticks * TICK, 10))
acts = st.one_of(
    st.tuples(st.just("place"), st.sampled_from(Side), st.integers(1, 6), limits),
    st.tuples(st.just("amend"), st.integers(0, 9), limits),
    st.tuples(st.just("cancel"), st.integers(0, 9)),
    st.just(("step",)),
    st.just(("step",)),
)


class Both:
    """The same acts at both brokers, on the same quotes."""

    def __init__(self, bar: DayBar, seed: int, cap: int) -> None:
        path = quotes(quote_path(bar, STEPS, PathKey(seed, CONTRACT, FIRST)), TERMS.half_spread_ticks, TERMS.tick)
        shown = [TwsQuote(bid, ask) for bid, ask in zip(path.bids.tolist(), path.asks.tolist(), strict=True)]
        terms = Terms(commission=TERMS.fee_per_contract, liquidity=Liquidity(adv=cap, adv_share=1.0))
        self.tws = Terminal(Config(terms=terms, tape=lambda step: {CON_ID: shown[step]}), Script())
        self.tws.show(CON_ID, shown[0])
        config = SimConfig(seed=seed, steps=STEPS, impact=False)
        self.sim = broker_on([tape(bars={CONTRACT: bar}, day_cap=cap * STEPS)], config=config)
        self.sim.begin(FIRST)
        self.heard: list[object] = []
        self.orders: list[tuple[Side, int]] = []
        self.step = 0

    def act(self, act: tuple[object, ...]) -> None:
        match act:
            case ("place", Side() as side, int(quantity), float(limit)):
                self.orders.append((side, quantity))
                self._send(len(self.orders) - 1, limit, new=True)
            case ("amend", int(which), float(limit)) if self.orders:
                self._send(which % len(self.orders), limit, new=False)
            case ("cancel", int(which)) if self.orders:
                ref = which % len(self.orders)
                self.tws.desk.cancel(1, ref + 1)
                self.sim.cancel(OrderReport(Word.WORKING, 0, self.sim.now(), wire_ref=str(ref)))
            case ("step",) if self.step < STEPS - 1:
                self.step += 1
                self.tws.step()
                self._pass()
            case _:
                pass

    def end(self) -> None:
        while self.step < STEPS - 1:
            self.act(("step",))
        self.tws.play(EndDay())
        self._pass()
        assert self.sim.finished

    def _pass(self) -> None:
        self.heard += self.sim.wait(0.0)
        before = self.sim.now()
        self.heard += self.sim.wait(1.0)
        assert self.sim.now() > before

    def _send(self, ref: int, limit: float, *, new: bool) -> None:
        side, quantity = self.orders[ref]
        wanted = Wanted(CON_ID, "", "", "", "", "", "", "")
        told = PlaceOrder(ref + 1, wanted, TwsSide(str(side)), quantity, "LMT", limit, None, "DAY", "", str(ref), True)
        live = [o.live for o in self.tws.broker.orders.values() if o.order_ref == str(ref)]
        if new or any(live):  # an id of an order that has ended would be error 103
            self.tws.desk.place(1, told)
        send = self.sim.place if new else self.sim.amend
        send(ticket(str(ref), side, quantity, limit))


@given(
    st.integers(0, 2**32),
    st.integers(1, 5),
    st.tuples(limits, limits, limits, limits),
    st.lists(acts, min_size=8, max_size=25),
)
def test_the_same_fills_as_the_loopback_tws(
    seed: int, cap: int, prices: tuple[float, ...], acted: list[tuple[object, ...]]
) -> None:
    both = Both(DayBar(prices[0], prices[1], max(prices), min(prices)), seed, cap)
    for act in acted:
        both.act(act)
    both.end()
    theirs = [(e.order_ref, str(e.side), e.quantity, e.price) for e in both.tws.broker.executions.values()]
    ours = [(e.wire_ref, str(e.side), e.quantity, e.price) for e in both.sim.snapshot().executions]
    assert ours == theirs
    assert [
        (e.wire_ref, str(e.side), e.quantity, e.price) for e in both.heard if isinstance(e, ExecutionReport)
    ] == ours
    ended = {o.order_ref: (o.filled, str(o.status)) for o in both.tws.broker.orders.values()}
    words = {Word.FILLED: "Filled", Word.CANCELLED: "Cancelled"}
    assert {r.wire_ref: (r.filled, words[r.word]) for r in both.sim.snapshot().ended} == ended
    held = both.tws.broker.positions[CON_ID].quantity if CON_ID in both.tws.broker.positions else 0
    assert both.sim.snapshot().positions.get(CONTRACT, 0) == held
