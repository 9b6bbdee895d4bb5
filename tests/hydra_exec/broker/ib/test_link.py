"""What a connection knows, and what becomes of it: lost, restored, gone."""

from contextlib import closing

import pytest

from hydra_assets.markets.loader import load_markets
from hydra_exec.broker.port import (
    BrokerError,
    LinkState,
    NoAnswerError,
    Notice,
    NoticeKind,
    NotSentError,
    OrderReport,
    Word,
)
from tests.support.ib_scene import APRIL, HE_APRIL, HE_MAY, Scene, broker_on, hogs, of, scene, states
from tests.support.tws import Ask, Config, Future, MarketRule, Quote, listing
from tests.support.tws.script import (
    Flow,
    HangUp,
    Lost,
    Restored,
    Say,
)
from tests.support.tws.threaded import ThreadedTws

FAR = Quote(bid=80.0, ask=90.0)
QUICK = {"ib": {"timeout_seconds": 0.2}}


def test_a_market_that_the_broker_does_not_list_leaves_no_full_answer() -> None:
    with scene(markets=[hogs(), load_markets()["ZC"], load_markets()["SIM_LE"]]) as s:
        assert s.broker.details(HE_APRIL).con_id == APRIL
        with pytest.raises(NoAnswerError, match="ZC: the broker lists no such contract"):
            s.broker.snapshot()
        with pytest.raises(BrokerError, match="lists no such contract"):
            s.broker.quote("ZC-2025-05")


def test_a_market_that_is_another_contract_there_is_not_traded() -> None:
    futures = [Future(1000, "HE", "20250414", multiplier="200"), *listing("LE", ("20250430",), 2000)]
    with scene(Config(futures=futures), markets=[hogs(), load_markets()["LE"]]) as s:
        with pytest.raises(NotSentError, match="is worth 200 / 1"):
            s.broker.place(s.ticket())
        assert any("is worth 200 / 1" in n.text for n in of(s.heard, Notice))
        assert s.broker.details("LE-2025-04").con_id == 2000
        assert s.asked(Ask.PLACE_ORDER) == 0


def test_a_month_that_is_at_fault_leaves_the_others() -> None:
    futures = [*listing("HE", ("20250414",)), Future(1001, "HE", "20250514", multiplier="200")]
    with scene(Config(futures=futures)) as s:
        s.show(FAR)
        ticket, _ = s.send()
        with pytest.raises(NotSentError, match="is worth 200 / 1"):
            s.broker.place(s.ticket(contract=HE_MAY))
        assert any("is worth 200 / 1" in n.text for n in of(s.heard, Notice))
        assert [order.wire_ref for order in s.broker.snapshot().open_orders] == [ticket.wire_ref]


def test_what_the_broker_says_of_a_contract() -> None:
    rule = MarketRule(67, ((0.0, 0.025), (100.0, 0.1)))
    futures = [Future(1000, "HE", "20250414", trading_hours="20250303:0830-20250303:1305")]
    with scene(Config(futures=futures, rules=[rule])) as s:
        assert [s.broker.tick(HE_APRIL, price) for price in (85.0, 120.0)] == [0.025, 0.1]
        one = s.broker.details(HE_APRIL)
        assert (one.last_trade.isoformat(), one.time_zone) == ("2025-04-14", "US/Central")
        assert one.trading_hours == "20250303:0830-20250303:1305"


def test_orders_in_units_of_the_broker() -> None:
    futures = [Future(1000, "ZR", "20250514", "CBOT", "2000", 0.5, price_magnifier=100)]
    with scene(Config(futures=futures), markets=[load_markets()["ZR"]]) as s:
        s.show(Quote(bid=1412.5, ask=1413.0))
        s.send(s.ticket(limit=14.13, contract="ZR-2025-05"))
        (fill,) = [m for m in s.hear() if hasattr(m, "base_exec_id")]
        assert fill.price == 14.13
        assert s.server.read(lambda tws: [o.limit_price for o in tws.broker.orders.values()]) == [1413.0]
        s.broker.quote("ZR-2025-05")
        s.hear()
        quote = s.broker.quote("ZR-2025-05")
        assert quote is not None
        assert (quote.bid, quote.ask) == (14.125, 14.13)


@pytest.mark.parametrize("data_lost", [False, True])
def test_a_link_that_is_lost_and_restored(*, data_lost: bool) -> None:
    with scene() as s:
        s.show(FAR)
        s.send()
        report = of(s.hear(), OrderReport)[-1]
        s.play(Lost(Flow.HELD, Flow.HELD))
        assert [n.kind for n in of(s.hear(), Notice)] == [NoticeKind.LINK_LOST]
        assert s.broker.link().state is LinkState.DEGRADED
        with pytest.raises(NotSentError, match="1100"):
            s.broker.place(s.ticket())
        with pytest.raises(NotSentError, match="1100"):
            s.broker.amend(s.ticket())
        s.broker.cancel(report)
        s.play(Restored(data_lost))
        kind = NoticeKind.LINK_RESTORED_DATA_LOST if data_lost else NoticeKind.LINK_RESTORED
        heard = s.hear()
        assert [n.kind for n in of(heard, Notice)] == [kind]
        assert states(heard)[-1] is Word.CANCELLED
        assert s.broker.link().state is LinkState.UP
        assert s.broker.link().generation == 1
        # The client would ask for the account by itself, under a number that an order may have.
        assert s.asked(Ask.SUMMARY) == 0


def test_what_happens_while_the_link_is_lost_is_passed_on() -> None:
    with scene() as s:
        s.show(FAR)
        s.send()
        s.hear()
        s.play(Lost(Flow.LIVE))
        s.show(Quote(bid=84.0, ask=85.0))
        heard = s.hear()
        assert Word.FILLED in states(heard)
        assert s.broker.link().state is LinkState.DEGRADED
        assert s.truth() == {APRIL: 1}


def test_a_terminal_that_says_it_has_lost_its_server() -> None:
    with scene() as s:
        s.play(Say(2110, "Connectivity between Trader Workstation and server is broken."))
        s.hear()
        assert s.broker.link().state is LinkState.DEGRADED


def test_codes_about_nothing_are_notices() -> None:
    with scene() as s:
        s.play(Say(2103, "farm"))
        s.play(Say(99_999, "new"))
        notes = [(n.kind, n.code, n.text, n.generation) for n in of(s.hear(), Notice)]
        assert notes == [(NoticeKind.INFORMATION, 2103, "farm", 1), (NoticeKind.UNKNOWN_CODE, 99_999, "new", 1)]


def test_a_terminal_that_drops_us_is_gone_before_its_socket_is() -> None:
    with scene() as s:
        s.play(Say(1300, "socket port has been reset"))
        assert [n.kind for n in of(s.hear(), Notice)] == [NoticeKind.DISCONNECTED]
        assert s.broker.link().state is LinkState.DOWN
        assert s.broker.connect().generation == 2


def test_a_lost_connection_is_told_once_and_the_next_one_knows_all() -> None:
    with scene() as s:
        s.show(FAR)
        ticket, _ = s.send(s.ticket(contract=HE_MAY, limit=70.0))
        s.hear()
        s.play(HangUp())
        s.hear()
        assert [n.kind for n in s.heard if isinstance(n, Notice) and n.kind is NoticeKind.DISCONNECTED] == [
            NoticeKind.DISCONNECTED
        ]
        s.broker.connect()
        (order,) = s.broker.snapshot().open_orders
        assert (order.wire_ref, order.generation) == (ticket.wire_ref, 2)
        s.broker.cancel(order)
        assert {m.generation for m in of(s.hear(), OrderReport)} == {2}
        assert s.broker.snapshot().open_orders == ()


def test_reports_that_come_before_a_connection_counts_are_kept() -> None:
    # The fill comes while contracts are asked for: it is told once the contract has a name.
    with ThreadedTws() as server:
        first = broker_on(server)
        with closing(first):
            first.connect()
            server.show(APRIL, FAR)

            Scene(server, first).send()
            first.settle()
        second = broker_on(server, next_generation=lambda: 2)
        session_of = second._new_session

        def opening() -> object:
            session = session_of()
            asked = session.contracts

            async def contracts(markets: object) -> object:
                server.show(APRIL, Quote(bid=84.0, ask=85.0))
                return await asked(markets)  # type: ignore[arg-type]

            session.contracts = contracts  # type: ignore[method-assign, assignment]
            return session

        second._new_session = opening  # type: ignore[method-assign, assignment]
        with closing(second):
            second.connect()
            second.settle()
            heard = second.wait(0)
        (fill,) = [m for m in heard if hasattr(m, "base_exec_id")]
        assert (fill.contract, fill.generation) == (HE_APRIL, 2)
        assert {m.generation for m in heard} == {2}
