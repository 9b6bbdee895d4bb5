"""Whatever goes wrong: an answer that is called full is the truth, and what was heard is what was said."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hydra_assets.state.records import Side
from hydra_exec.broker.ib.broker import IBBroker
from hydra_exec.broker.port import BrokerError, ExecutionReport, Message, OrderReport, Snapshot, Ticket, Word
from tests.support.ib_scene import APRIL, HE_APRIL, TOUCH, broker_on
from tests.support.tws import Quote, Script, script, strategies
from tests.support.tws.script import DelayAck
from tests.support.tws.threaded import ThreadedTws

ATTEMPTS = 14
QUICK = {"ib": {"timeout_seconds": 0.15}}
QUOTES = (TOUCH, Quote(bid=84.0, ask=84.05), Quote(bid=86.0, ask=86.05))


def faults() -> st.SearchStrategy[Script]:
    """Any but rows that a terminal leaves out of an answer, or says late: those nobody could notice."""
    fault = st.one_of(
        strategies.pieces(),
        strategies.order_faults().filter(lambda fault: not isinstance(fault, DelayAck)),
        strategies.queries(),
        strategies.connections(),
    )
    return st.lists(fault, max_size=4).map(script)


def _try(broker: IBBroker, ticket: Ticket | None) -> None:
    try:
        broker.connect()
        if ticket is not None:
            broker.place(ticket)
        broker.settle()
    except BrokerError:
        pass


def _full_answer(broker: IBBroker, server: ThreadedTws) -> Snapshot | None:
    for _ in range(ATTEMPTS):
        try:
            broker.connect()
            return broker.snapshot()
        except BrokerError:
            server.step()
    return None


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(faults(), st.lists(st.sampled_from(QUOTES), min_size=1, max_size=4))
def test_a_full_answer_is_the_truth(plan: Script, quotes: list[Quote]) -> None:
    heard: list[Message] = []
    with ThreadedTws(script=plan) as server:
        broker = broker_on(server, trading=QUICK)
        try:
            for number, quote in enumerate(quotes):
                server.show(APRIL, quote)
                _try(broker, Ticket(f"ref-{number}", HE_APRIL, Side.BUY if number % 2 else Side.SELL, 1, 85.0))
                server.step()
            answer = _full_answer(broker, server)
            broker.settle()
            heard += broker.wait(0)
            if answer is None:
                return
            truth = server.read(
                lambda tws: (
                    {held.con_id: held.quantity for held in tws.broker.positions.values()},
                    {fill.exec_id: (fill.quantity, fill.price) for fill in tws.broker.fills},
                    {order.perm_id for order in tws.broker.orders.values() if order.live},
                    set(tws.broker.executions),
                    list(tws.complaints),
                )
            )
            positions, fills, alive, revisions, complaints = truth
            assert answer.positions == ({HE_APRIL: positions[APRIL]} if APRIL in positions else {})
            assert {fill.exec_id: (fill.quantity, fill.price) for fill in answer.executions} == fills
            assert {order.perm_id for order in answer.open_orders} == alive
            assert {fee.exec_id for fee in answer.fees} == set(fills)
            # Nothing is made up on the way.
            assert {m.exec_id for m in heard if isinstance(m, ExecutionReport)} <= revisions
            ended = {m.perm_id for m in heard if isinstance(m, OrderReport) and m.word in {Word.FILLED, Word.CANCELLED}}
            assert not ended & alive
            assert complaints == []
        finally:
            broker.close()
