"""Quotes: touch, age, and whether they may be traded on."""

from datetime import timedelta

import pytest

from hydra_exec.broker.ib.contracts import Listing
from hydra_exec.broker.ib.quotes import REAL_TIME, Quotes
from hydra_exec.broker.port import BrokerError, Notice, NoticeKind, Quote
from tests.support.ib_scene import APRIL, HE_APRIL, HE_MAY, MAY, TOUCH, Clock, Scene, of, scene
from tests.support.tws import Ask, Config, script
from tests.support.tws import Quote as Shown
from tests.support.tws.kinds import Out
from tests.support.tws.script import Drop, Grant, HangUp, Lost, Restored, Rights


@pytest.fixture(scope="module")
def where() -> Listing:
    with scene() as s:
        return s.broker.details(HE_APRIL)


def quote(s: Scene, contract: str = HE_APRIL) -> Quote | None:
    s.broker.quote(contract)
    s.broker.settle()
    return s.broker.quote(contract)


def test_the_touch_with_its_sizes_and_its_instant() -> None:
    clock = Clock()
    with scene(clock=clock) as s:
        s.show(TOUCH)
        first = quote(s)
        assert first == Quote(84.975, 85.025, clock.at, 7, 9, live=True)
        clock.at += timedelta(minutes=3)
        assert s.broker.quote(HE_APRIL) == first
        s.show(Shown(bid=84.9, ask=None))
        s.broker.settle()
        assert s.broker.quote(HE_APRIL) == Quote(84.9, None, clock.at, 1, None, live=True)
        assert s.asked(Ask.MARKET_DATA) == 1
        assert s.broker.link().live_data


def test_contracts_do_not_mix() -> None:
    with scene() as s:
        s.show(TOUCH)
        s.show(Shown(bid=90.0, ask=91.0), MAY)
        april, may = quote(s), quote(s, HE_MAY)
        assert april is not None
        assert may is not None
        assert (april.bid, may.bid) == (84.975, 90.0)


def test_a_contract_that_is_not_listed() -> None:
    with scene() as s, pytest.raises(BrokerError, match="no such contract"):
        s.broker.quote("HE-2031-04")


@pytest.mark.parametrize(("rights", "code"), [(Rights.DELAYED, 354), (Rights.NONE, 354), (Rights.COMPETING, 10197)])
def test_without_live_data_no_quote_is_live(rights: Rights, code: int) -> None:
    with scene(Config(rights=rights)) as s:
        s.show(TOUCH)
        assert quote(s) is None
        notes = [(n.kind, n.code) for n in of(s.hear(), Notice)]
        assert notes == [(NoticeKind.NO_LIVE_DATA, code)]
        assert not s.broker.link().live_data


def test_delayed_data_are_not_live() -> None:
    with scene(Config(rights=Rights.DELAYED)) as s:
        s.server.read(lambda tws: [setattr(session, "data_type", 3) for session in tws.sessions])
        s.show(TOUCH)
        heard = quote(s)
        assert heard is not None
        assert (heard.bid, heard.live) == (84.975, False)
        assert [n.code for n in of(s.hear(), Notice)] == [10167]
        assert not s.broker.link().live_data


def test_data_that_do_not_say_what_they_are_are_not_live() -> None:
    with scene(script=script(Drop(Out.MARKET_DATA_TYPE))) as s:
        s.show(TOUCH)
        heard = quote(s)
        assert heard is not None
        assert not heard.live


def test_another_session_takes_the_data_and_gives_them_back() -> None:
    clock = Clock()
    with scene(clock=clock) as s:
        s.show(TOUCH)
        quote(s)
        s.play(Grant(Rights.COMPETING))
        s.hear()
        taken = s.broker.quote(HE_APRIL)
        assert taken is not None
        assert (taken.live, s.broker.link().live_data) == (False, False)
        s.play(Grant(Rights.LIVE))
        clock.at += timedelta(seconds=59)
        quote(s)
        assert not s.broker.link().live_data
        clock.at += timedelta(seconds=1)
        again = quote(s)
        assert again is not None
        assert (again.live, again.at, s.broker.link().live_data) == (True, clock.at, True)


def test_data_that_are_lost_with_the_link_are_asked_for_again() -> None:
    with scene() as s:
        s.show(TOUCH)
        quote(s)
        s.play(Lost())
        s.play(Restored(data_lost=True))
        s.hear()
        s.hear()
        assert s.asked(Ask.MARKET_DATA) == 2
        s.show(Shown(bid=84.9, ask=84.95))
        s.broker.settle()
        heard = s.broker.quote(HE_APRIL)
        assert heard is not None
        assert (heard.bid, heard.live) == (84.9, True)


def test_data_that_are_kept_with_the_link_are_not() -> None:
    with scene() as s:
        s.show(TOUCH)
        quote(s)
        s.play(Lost())
        s.play(Restored(data_lost=False))
        s.hear()
        s.hear()
        assert s.asked(Ask.MARKET_DATA) == 1


def test_a_new_connection_listens_to_what_the_old_one_did() -> None:
    with scene() as s:
        s.show(TOUCH, APRIL)
        quote(s)
        s.play(HangUp())
        s.hear()
        stale = s.broker.quote(HE_APRIL)
        assert stale is not None
        assert not stale.live
        s.broker.connect()
        s.broker.settle()
        heard = s.broker.quote(HE_APRIL)
        assert heard is not None
        assert heard.live
        assert s.asked(Ask.MARKET_DATA) == 2


def test_ticks_alone(where: Listing) -> None:
    clock = Clock()
    quotes = Quotes(clock)
    quotes.price(5, 1, 85.0, 2)
    assert quotes.of(HE_APRIL) is None
    quotes.asked(where, 5)
    quotes.kind(5, REAL_TIME)
    quotes.size(5, 0, 3)
    assert quotes.of(HE_APRIL) is None
    quotes.price(5, 1, 85.0, 2)
    quotes.price(5, 2, 85.1, 4)
    clock.at += timedelta(seconds=1)
    quotes.size(5, 0, 7)
    quotes.size(5, 3, 8)
    quotes.price(5, 4, 99.0, 1)
    assert quotes.of(HE_APRIL) == Quote(85.0, 85.1, clock.at, 7, 8, live=True)
    # Ticks of the delayed kind are not believed, whatever was said of them.
    quotes.price(5, 66, 84.0, 1)
    delayed = quotes.of(HE_APRIL)
    assert delayed is not None
    assert (delayed.bid, delayed.live, quotes.live) == (84.0, False, False)
    # Data that were taken away and come back by themselves.
    quotes.refuse(5, 10197)
    quotes.kind(5, REAL_TIME)
    assert quotes.live


def test_a_subscription_begins_with_nothing(where: Listing) -> None:
    clock = Clock()
    quotes = Quotes(clock)
    quotes.asked(where, 5)
    quotes.kind(5, REAL_TIME)
    quotes.price(5, 1, 85.0, 2)
    assert quotes.of(HE_APRIL) is None
    quotes.price(5, 2, 85.1, 4)
    assert quotes.of(HE_APRIL) == Quote(85.0, 85.1, clock.at, 2, 4, live=True)
    quotes.lost()
    assert quotes.of(HE_APRIL) == Quote(85.0, 85.1, clock.at, 2, 4, live=False)
    clock.at += timedelta(hours=8)
    quotes.asked(where, 6)
    quotes.kind(6, REAL_TIME)
    assert quotes.of(HE_APRIL) is None
    # One side alone does not bring back what the other was.
    quotes.price(6, 1, 79.0, 2)
    quotes.size(6, 3, 4)
    assert quotes.of(HE_APRIL) is None
    quotes.price(6, 2, -1.0, 0)
    assert quotes.of(HE_APRIL) == Quote(79.0, None, clock.at, 2, None, live=True)


def test_a_side_that_does_not_move_stays_as_it_was(where: Listing) -> None:
    clock = Clock()
    quotes = Quotes(clock)
    quotes.asked(where, 5)
    quotes.kind(5, REAL_TIME)
    quotes.price(5, 1, 85.0, 2)
    quotes.price(5, 2, 85.1, 4)
    clock.at += timedelta(minutes=30)
    quotes.price(5, 1, 85.025, 3)
    assert quotes.of(HE_APRIL) == Quote(85.025, 85.1, clock.at, 3, 4, live=True)


def test_data_that_come_back_by_themselves_begin_with_nothing(where: Listing) -> None:
    quotes = Quotes(Clock())
    quotes.asked(where, 5)
    quotes.kind(5, REAL_TIME)
    quotes.price(5, 1, 85.0, 2)
    quotes.price(5, 2, 85.1, 4)
    quotes.refuse(5, 10197)
    assert quotes.of(HE_APRIL) is not None
    quotes.kind(5, REAL_TIME)
    quotes.price(5, 1, 79.0, 2)
    assert quotes.of(HE_APRIL) is None


@pytest.mark.parametrize("kind", [2, 3, 4])
def test_frozen_and_delayed_data_are_not_live(where: Listing, kind: int) -> None:
    quotes = Quotes(Clock())
    quotes.asked(where, 5)
    assert quotes.live
    quotes.kind(5, kind)
    quotes.price(5, 1, 85.0, 2)
    quotes.price(5, 2, 85.1, 2)
    heard = quotes.of(HE_APRIL)
    assert heard is not None
    assert (heard.live, quotes.live) == (False, False)
