"""The full answer, and everything that must not pass for one."""

import itertools

import pytest
from ib_async import Contract

from hydra_assets.markets.loader import load_markets
from hydra_assets.markets.model import IbTerms
from hydra_assets.state.records import Side
from hydra_exec.broker.ib.asking import PositionRow
from hydra_exec.broker.ib.contracts import Directory, ListingError
from hydra_exec.broker.ib.snapshot import sort_orders, sort_positions
from hydra_exec.broker.ib.words import NotWholeError
from hydra_exec.broker.port import LinkState, NoAnswerError, Notice, NoticeKind, OrderReport, Word
from tests.support.ib_scene import ACCOUNT, APRIL, HE_APRIL, HE_MAY, MAY, Clock, broker_on, hogs, of, scene, states
from tests.support.tws import Ask, Config, Future, Quote, Terminal, listing, script
from tests.support.tws import Side as TheirSide
from tests.support.tws.answers.account import values
from tests.support.tws.script import (
    Correct,
    External,
    Fail,
    HangUp,
    Ignore,
    Lost,
    Reject,
    ResetOnRequest,
    Restored,
    without_end,
)

FAR = Quote(bid=80.0, ask=90.0)
QUICK = {"ib": {"timeout_seconds": 0.2}}
QUESTIONS = (Ask.POSITIONS, Ask.ALL_OPEN_ORDERS, Ask.COMPLETED_ORDERS, Ask.EXECUTIONS)
FIRST = {Ask.POSITIONS: 2}
"""Positions are asked for once when the connection is made."""


def test_everything_is_in_it() -> None:
    with scene(script=script(Reject(3), Correct(price=84.9))) as s:
        s.show()
        filled, _ = s.send()
        s.show(FAR, MAY)
        working, order_id = s.send(s.ticket(Side.SELL, 2, 89.0, HE_MAY))
        refused, _ = s.send()
        s.hear()
        snapshot = s.broker.snapshot()
        assert (snapshot.account, snapshot.generation) == (ACCOUNT, 1)
        assert snapshot.asked_at <= snapshot.taken_at
        assert snapshot.positions == {HE_APRIL: 1}
        (order,) = snapshot.open_orders
        assert (order.wire_ref, order.order_id, order.word, order.filled, order.quantity, order.limit_price) == (
            working.wire_ref,
            order_id,
            Word.WORKING,
            0,
            2,
            89.0,
        )
        assert (order.contract, order.side, order.account) == (HE_MAY, Side.SELL, ACCOUNT)
        assert [(o.wire_ref, o.word, o.filled, o.perm_id) for o in snapshot.ended] == [
            (filled.wire_ref, Word.FILLED, 1, 9001),
            (refused.wire_ref, Word.REJECTED, 0, 9003),
        ]
        (fill,) = snapshot.executions
        assert (fill.wire_ref, fill.revision, fill.price) == (filled.wire_ref, 2, 84.9)
        (fee,) = snapshot.fees
        assert fee.exec_id == fill.exec_id
        assert snapshot.net_liquidation == pytest.approx(s.server.read(_equity))
        assert snapshot.foreign == {}


def _equity(tws: Terminal) -> float:
    return values(tws)["NetLiquidation"]


def test_what_came_with_the_answer_is_also_passed_on() -> None:
    with scene() as s:
        s.show(FAR)
        s.send()
        s.hear()
        s.broker.snapshot()
        assert states(s.hear()) == [Word.WORKING, Word.WORKING]


def test_orders_of_other_clients_and_of_earlier_connections_are_in_it() -> None:
    with scene() as s:
        s.show(FAR)
        mine, _ = s.send()
        other = broker_on(s.server, trading={"ib": {"client_id": 99}})
        other.connect()
        theirs = s.ticket(Side.SELL, 1, 89.0)
        other.place(theirs)
        other.settle()
        other.close()
        s.broker.close()
        s.broker.connect()
        known = {order.wire_ref: order.client_id for order in s.broker.snapshot().open_orders}
        assert known == {mine.wire_ref: 71, theirs.wire_ref: 99}


def test_a_position_in_what_is_none_of_our_contracts_is_foreign() -> None:
    futures = [*listing("HE", ("20250414",)), *listing("LE", ("20250430",), first_con_id=2000)]
    with scene(Config(futures=futures)) as s:
        s.play(External(2000, TheirSide.BUY, 4, 200.0))
        s.play(External(APRIL, TheirSide.BUY, 1, 85.0))
        snapshot = s.broker.snapshot()
        assert (snapshot.positions, snapshot.foreign) == ({HE_APRIL: 1}, {"FUT LEJ5 (2000)": 4})


EXPIRED = Future(999, "HE", "20250214", local_symbol="HEG5")
ODD = Future(1001, "HE", "20250514", multiplier="200", local_symbol="HEK5")
TWIN = Future(1009, "HE", "20250414", local_symbol="HEX5")


@pytest.mark.parametrize(
    ("futures", "held"),
    [
        ([*listing("HE", ("20250414",)), EXPIRED], 999),
        ([*listing("HE", ("20250414",)), ODD], 1001),
        ([*listing("HE", ("20250414", "20250514")), TWIN], 1000),
        ([*listing("HE", ("20250414", "20250514")), TWIN], 1009),
    ],
)
def test_a_position_in_a_month_of_ours_that_is_not_known_is_no_answer(futures: list[Future], held: int) -> None:
    with scene(Config(futures=futures)) as s:
        s.play(External(held, TheirSide.BUY, 1, 85.0))
        with pytest.raises(NoAnswerError, match=r"none of the months that are known of our markets"):
            s.broker.snapshot()
        assert s.broker.link().state is LinkState.UP
        # What is closed again is held no more, and hides nothing.
        s.play(External(held, TheirSide.SELL, 1, 85.0))
        assert s.broker.snapshot().positions == {}


@pytest.mark.parametrize("held", [None, 1000])
def test_a_market_of_which_nothing_is_known_is_no_answer_whatever_is_held(held: int | None) -> None:
    futures = [Future(1000, "HE", "20250414", multiplier="200"), *listing("LE", ("20250430",), 2000)]
    with scene(Config(futures=futures), markets=[hogs(), load_markets()["LE"]]) as s:
        if held is not None:
            s.play(External(held, TheirSide.BUY, 1, 85.0))
        with pytest.raises(NoAnswerError, match="is worth 200 / 1"):
            s.broker.snapshot()


def test_a_market_that_the_broker_refuses_to_list_is_no_answer() -> None:
    with scene(script=script(Fail(Ask.CONTRACT, 1, 200, "No security definition has been found"))) as s:
        s.play(External(APRIL, TheirSide.BUY, 1, 85.0))
        with pytest.raises(NoAnswerError, match="HE: the broker lists no such contract"):
            s.broker.snapshot()
        # Contracts are asked for with the next connection.
        s.broker.close()
        s.broker.connect()
        assert s.broker.snapshot().positions == {HE_APRIL: 1}


@pytest.mark.parametrize("ask", QUESTIONS)
@pytest.mark.parametrize("fault", [without_end, Ignore])
def test_an_answer_without_its_end_is_none(ask: Ask, fault: object) -> None:
    nth = FIRST.get(ask, 1)
    plan = script(fault(ask, nth))  # type: ignore[operator]
    with scene(script=plan, trading=QUICK) as s:
        s.play(External(APRIL, TheirSide.BUY, 1, 85.0))
        with pytest.raises(NoAnswerError, match="no end of the answer"):
            s.broker.snapshot()
        # A question without a number leaves the connection in doubt, one with a number does not.
        assert s.broker.link().state is (LinkState.UP if ask is Ask.EXECUTIONS else LinkState.DOWN)
        s.broker.connect()
        assert s.broker.snapshot().positions == {HE_APRIL: 1}


@pytest.mark.parametrize("ask", QUESTIONS)
@pytest.mark.parametrize("code", [100, 321, 322, 99_999])
def test_an_answer_that_is_a_code_is_none(ask: Ask, code: int) -> None:
    with scene(script=script(Fail(ask, FIRST.get(ask, 1), code, "Error processing request"))) as s:
        s.play(External(APRIL, TheirSide.BUY, 1, 85.0))
        with pytest.raises(NoAnswerError, match=f"code {code}"):
            s.broker.snapshot()
        assert s.broker.link().state is LinkState.UP
        assert s.broker.snapshot().positions == {HE_APRIL: 1}


@pytest.mark.parametrize("ask", QUESTIONS)
def test_an_answer_that_the_connection_does_not_outlive_is_none(ask: Ask) -> None:
    with scene(script=script(ResetOnRequest(ask, FIRST.get(ask, 1), acted=True))) as s:
        with pytest.raises(NoAnswerError, match="the connection was lost"):
            s.broker.snapshot()
        assert [n.kind for n in of(s.hear(), Notice)] == [NoticeKind.DISCONNECTED]
        s.broker.connect()
        assert s.broker.snapshot().generation == 2


def test_equity_that_is_not_told_is_none() -> None:
    with scene(script=script(Fail(Ask.SUMMARY, 1, 322))) as s:
        assert s.broker.snapshot().net_liquidation is None


def test_what_a_terminal_remembers_that_has_lost_the_broker_is_no_answer() -> None:
    with scene() as s:
        s.play(Lost())
        s.hear()
        with pytest.raises(NoAnswerError, match="lost the broker"):
            s.broker.snapshot()
        s.play(Restored())
        s.hear()
        assert s.broker.snapshot().positions == {}


def test_a_link_that_turns_meanwhile_spoils_the_answer() -> None:
    turned = []

    with scene() as s:

        def clock() -> object:
            # The first instant that is read is that of the question.
            if not turned:
                turned.append(True)
                s.server.play(Lost())
                s.server.play(Restored())
            return Clock().at

        s.broker._clock = clock  # type: ignore[assignment]
        with pytest.raises(NoAnswerError, match="link changed"):
            s.broker.snapshot()


def test_a_fill_meanwhile_has_everything_asked_anew() -> None:
    with scene() as s:
        session = s.broker._session
        assert session is not None
        asked, fills = session.ended_orders, iter([True])

        async def ended_orders() -> list[OrderReport]:
            if next(fills, False):
                s.server.play(External(APRIL, TheirSide.BUY, 1, 85.0))
            return await asked()

        session.ended_orders = ended_orders  # type: ignore[method-assign]
        assert s.broker.snapshot().positions == {HE_APRIL: 1}
        assert s.asked(Ask.ALL_OPEN_ORDERS) == 2
        fills = itertools.repeat(True)  # type: ignore[assignment]
        with pytest.raises(NoAnswerError, match="fills came"):
            s.broker.snapshot()


def test_a_row_that_cannot_be_read_spoils_the_answer() -> None:
    with scene() as s:
        session = s.broker._session
        assert session is not None
        asked = session.ended_orders

        async def ended_orders() -> list[OrderReport]:
            session._ib.client.decoder.interpret(["101", "not an order"])
            return await asked()

        session.ended_orders = ended_orders  # type: ignore[method-assign]
        with pytest.raises(NoAnswerError, match="could not be read"):
            s.broker.snapshot()


def test_without_a_connection_there_is_no_answer() -> None:
    with scene() as s:
        s.play(HangUp())
        s.hear()
        with pytest.raises(NoAnswerError, match="no connection"):
            s.broker.snapshot()


def test_a_message_that_cannot_be_read_is_told() -> None:
    futures = [*listing("HE", ("20250414",))]
    with scene(Config(futures=futures)) as s:
        s.show(FAR)
        s.send()
        s.hear()
        session = s.broker._session
        assert session is not None
        decoder = session._ib.client.decoder
        decoder.interpret(["5", "not an order"])
        decoder.interpret(["3", "one", "Submitted"])
        kinds = [n.kind for n in of(s.broker.wait(0), Notice)]
        assert kinds == [NoticeKind.UNKNOWN_CODE, NoticeKind.UNKNOWN_CODE]


def test_positions_by_account_and_contract() -> None:
    ours = Directory(names={1: HE_APRIL, 2: HE_MAY}, markets={"HE": IbTerms(symbol="HE", exchange="CME")})
    rows = [
        PositionRow("DU1", Contract(conId=1), 3.0),
        PositionRow("DU1", Contract(conId=2), 0.0),
        PositionRow("DU2", Contract(conId=1), 7.0),
        PositionRow("DU1", Contract(conId=9, secType="STK", symbol="X"), -0.25),
        PositionRow("DU1", Contract(conId=1), 4.0),
        PositionRow("DU2", Contract(conId=1), 8.0),
        PositionRow("DU1", Contract(conId=8, secType="FUT", symbol="HE"), 0.0),
        PositionRow("DU2", Contract(conId=8, secType="FUT", symbol="HE"), 1.0),
        PositionRow("DU1", Contract(conId=7, secType="FOP", symbol="HE", exchange="CME"), 2.0),
        PositionRow("DU1", Contract(conId=6, secType="FUT", symbol="HE", exchange="EUREX"), 3.0),
    ]
    foreign = {"STK X (9)": -1, "FOP HE (7)": 2, "FUT HE (6)": 3}
    assert sort_positions(rows, "DU1", ours) == ({HE_APRIL: 4}, foreign)
    with pytest.raises(NotWholeError):
        sort_positions([PositionRow("DU1", Contract(conId=1), 1.5)], "DU1", ours)
    for exchange in ("", "CME"):
        unknown = Contract(conId=8, secType="FUT", symbol="HE", exchange=exchange)
        with pytest.raises(ListingError, match=r"FUT HE \(8\)"):
            sort_positions([PositionRow("DU1", unknown, 0.5)], "DU1", ours)


def test_an_order_once_with_the_most_that_was_said_to_be_filled() -> None:
    at = Clock().at
    named = OrderReport(Word.WORKING, 0, at, "ref", 9001, 4, 71, 1, HE_APRIL, Side.BUY, 5, 85.0, ACCOUNT, "Submitted")
    state = OrderReport(Word.WORKING, 2, at, perm_id=9001, order_id=4, client_id=71, detail="Submitted")
    over = OrderReport(Word.CANCELLED, 1, at, perm_id=9002, order_id=4, client_id=71, detail="Cancelled")
    alive, ended = sort_orders([named, state, over])
    assert [(o.wire_ref, o.filled, o.quantity) for o in alive] == [("ref", 2, 5)]
    assert [(o.perm_id, o.filled) for o in ended] == [(9002, 1)]
    assert sort_orders([state, named])[0][0].filled == 2
