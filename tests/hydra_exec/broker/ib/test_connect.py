"""Connections: made, refused, lost, restored."""

import itertools
import threading
from contextlib import closing

import pytest

from hydra_exec.broker.port import (
    BrokerError,
    BrokerKind,
    LinkState,
    Notice,
    NoticeKind,
    Refusal,
    RefusedError,
)
from tests.support.ib_scene import ACCOUNT, HE_APRIL, broker_on, of, scene
from tests.support.tws import Ask, Config, Out, Quote, Terms, script
from tests.support.tws.script import (
    ClientIdInUse,
    Drop,
    Fail,
    Ignore,
    Outage,
    ResetOnRequest,
    Split,
    without_end,
)
from tests.support.tws.threaded import ThreadedTws

FAR = Quote(bid=80.0, ask=90.0)
QUICK = {"ib": {"timeout_seconds": 0.2}}


def test_a_connection() -> None:
    with scene() as s:
        link = s.broker.link()
        assert (link.state, link.generation, link.live_data) == (LinkState.UP, 1, True)
        assert (s.broker.kind, s.broker.account) == (BrokerKind.IB, ACCOUNT)
        assert [n.kind for n in of(s.heard, Notice) if n.kind is not NoticeKind.INFORMATION] == [NoticeKind.CONNECTED]
        assert {n.code for n in of(s.heard, Notice)} == {0, 2104, 2106, 2158}
        assert s.broker.connect() == link
        assert s.asked(Ask.START) == 1


@pytest.mark.parametrize("version", [176, 177, 178])
def test_every_version_of_the_protocol(version: int) -> None:
    with scene(Config(server_version=version), script(Split((1, 7)))) as s:
        s.show(FAR)
        ticket, _ = s.send()
        (order,) = s.broker.snapshot().open_orders
        assert (order.wire_ref, order.contract) == (ticket.wire_ref, HE_APRIL)


def test_nothing_is_left_behind() -> None:
    before = set(threading.enumerate())
    with ThreadedTws() as server:
        broker = broker_on(server)
        broker.connect()
        broker.close()
        broker.close()
        assert broker.link().state is LinkState.DOWN
        left = [thread.name for thread in set(threading.enumerate()) - before]
        assert left == ["loopback TWS"]
        # The server has the end of the socket to read before it knows; every look is a turn of its loop.
        looks = (server.read(lambda tws: len(tws.sessions)) for _ in range(10_000))
        assert 0 in looks
        assert broker.connect().generation == 2
        broker.close()


def test_nobody_listens() -> None:
    before = set(threading.enumerate())
    with ThreadedTws() as server:
        broker = broker_on(server)
        server.play(Outage(1))
        with pytest.raises(BrokerError, match="is it running"):
            broker.connect()
        assert broker.link().generation == 0
    assert set(threading.enumerate()) - before == set()


def test_a_terminal_that_hangs_up_is_not_waited_for() -> None:
    with ThreadedTws(script=script(ResetOnRequest(Ask.START))) as server, closing(broker_on(server)) as broker:
        with pytest.raises(BrokerError, match="ended the connection"):
            broker.connect()
        assert broker.connect().generation == 1


def test_a_client_id_that_is_taken_is_told_at_once() -> None:
    with ThreadedTws(script=script(ClientIdInUse(1))) as server, closing(broker_on(server)) as broker:
        with pytest.raises(RefusedError, match="client id 71 is in use") as refused:
            broker.connect()
        assert refused.value.code is Refusal.CLIENT_ID_IN_USE
        assert broker.connect().generation == 1
        with closing(broker_on(server)) as second, pytest.raises(RefusedError):
            second.connect()


@pytest.mark.parametrize(
    ("account", "trading", "code"),
    [
        ("U1234567", {}, Refusal.WRONG_PORT),
        ("DU7654321", {}, Refusal.WRONG_ACCOUNT),
        ("U1234567", {"account": "U1234567"}, Refusal.NOT_PAPER),
    ],
)
def test_an_account_that_is_not_meant_is_refused(account: str, trading: dict[str, object], code: Refusal) -> None:
    config = Config(terms=Terms(account=account))
    with ThreadedTws(config) as server, closing(broker_on(server, trading=trading)) as broker:
        with pytest.raises(RefusedError) as refused:
            broker.connect()
        assert refused.value.code is code
        assert broker.link().state is LinkState.DOWN
        # Nothing but questions was ever said to such a login.
        asked = server.read(lambda tws: {int(fields[0]) for fields in tws.heard})
        assert asked <= {Ask.START, Ask.POSITIONS}
        assert list(broker.wait(0)) == []


def test_ports_that_do_not_tell_the_modes_apart() -> None:
    with ThreadedTws() as server:
        broker = broker_on(server, trading={"ib": {"live_port": server.port}})
        with pytest.raises(RefusedError) as refused:
            broker.connect()
        assert refused.value.code is Refusal.WRONG_PORT
        assert server.read(lambda tws: tws.heard) == []


@pytest.mark.parametrize("reason", [None, "no drill was passed"])
def test_live_is_the_same_with_a_permit(reason: str | None) -> None:
    config = Config(terms=Terms(account="U1234567"))
    with ThreadedTws(config) as server:
        trading = {
            "mode": "live",
            "account": "U1234567",
            "ib": {"paper_port": 1, "live_port": server.port},
        }
        asked: list[str] = []

        def permit(account: str) -> str | None:
            asked.append(account)
            return reason

        with closing(broker_on(server, trading=trading, permit=permit)) as broker:
            if reason is None:
                assert broker.connect().state is LinkState.UP
            else:
                with pytest.raises(RefusedError, match=reason):
                    broker.connect()
        assert asked == ["U1234567"]


@pytest.mark.parametrize(
    "fault",
    [
        without_end(Ask.POSITIONS),
        Ignore(Ask.POSITIONS),
        Fail(Ask.POSITIONS, code=321),
        without_end(Ask.CONTRACT),
        Fail(Ask.CONTRACT, code=322),
        Drop(Out.NEXT_VALID_ID),
        ResetOnRequest(Ask.POSITIONS),
        ResetOnRequest(Ask.CONTRACT),
        ResetOnRequest(Ask.START),
    ],
)
def test_a_connection_that_is_not_whole_is_none(fault: object) -> None:
    generations = itertools.count(1)
    with ThreadedTws(script=script(fault)) as server:  # type: ignore[arg-type]
        broker = broker_on(server, trading=QUICK, next_generation=lambda: next(generations))
        with closing(broker):
            with pytest.raises(BrokerError):
                broker.connect()
            assert broker.link().state is LinkState.DOWN
            assert broker.connect().generation == 1
