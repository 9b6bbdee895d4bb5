"""What is done about a connection: the verdict alone, and the keeper on the real client."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta

import pytest

from hydra_exec.broker.port import LinkState, Notice, NoticeKind, RefusedError
from hydra_exec.connection import heartbeat
from hydra_exec.connection.backoff import Backoff
from hydra_exec.connection.blackout import Blackout
from hydra_exec.connection.keeper import ConnectionKeeper, KeeperCode, KeeperRules, KeeperVerdict, KeeperView, keep
from tests.support.ib_scene import Clock, Scene, broker_on
from tests.support.tws import Ask, script
from tests.support.tws.script import ClientIdInUse, HangUp, Ignore, Lost, Outage, Restored
from tests.support.tws.threaded import ThreadedTws

NOW = datetime(2026, 1, 15, 15, tzinfo=UTC)
SECOND = timedelta(seconds=1)
K = KeeperCode
RULES = KeeperRules(Backoff(first_s=2, jitter=0), Blackout(time(23, 45), "America/New_York", timedelta(minutes=5)))
UP = {"link": LinkState.UP, "last_heard": NOW}


@pytest.mark.parametrize(
    ("view", "code"),
    [
        (KeeperView(LinkState.DOWN), K.CONNECT),
        (KeeperView(LinkState.DOWN, 1, NOW - SECOND), K.WAIT_BACKOFF),
        (KeeperView(LinkState.DOWN, 1, NOW - 2 * SECOND), K.CONNECT),
        (KeeperView(LinkState.DOWN, 0, NOW), K.CONNECT),
        (KeeperView(LinkState.UP, last_heard=NOW), K.RECONCILE_NEEDED),
        (KeeperView(LinkState.UP, last_heard=NOW, reconciled=True), K.OK),
        (KeeperView(LinkState.UP, last_heard=NOW - 14 * SECOND, reconciled=True), K.OK),
        (KeeperView(LinkState.UP, last_heard=NOW - 15 * SECOND, reconciled=True), K.ASK_HEARTBEAT),
        (KeeperView(LinkState.UP, last_heard=NOW - 59 * SECOND, last_asked=NOW - SECOND, reconciled=True), K.OK),
        (KeeperView(LinkState.UP, last_heard=NOW - 60 * SECOND, last_asked=NOW, reconciled=True), K.DEAD),
        (KeeperView(LinkState.DEGRADED, last_heard=NOW), K.OK),
        (KeeperView(LinkState.DEGRADED, last_heard=NOW - 20 * SECOND), K.ASK_HEARTBEAT),
        (KeeperView(LinkState.DEGRADED, last_heard=NOW - 99 * SECOND), K.DEAD),
        (KeeperView(LinkState.UP), K.ASK_HEARTBEAT),
    ],
)
def test_verdicts(view: KeeperView, code: KeeperCode) -> None:
    assert keep(NOW, view, RULES).code is code
    assert keep(NOW, view, KeeperRules(RULES.backoff)).code is code


@pytest.mark.parametrize("link", list(LinkState))
def test_around_the_restart_nothing_is_done(link: LinkState) -> None:
    restart = datetime(2026, 1, 16, 4, 45, tzinfo=UTC)
    verdict = keep(restart, KeeperView(link), RULES)
    assert verdict == KeeperVerdict(K.BLACKOUT, restart + timedelta(minutes=5), "the terminal restarts")


def test_a_wait_says_until_when() -> None:
    verdict = keep(NOW, KeeperView(LinkState.DOWN, 3, NOW - SECOND), RULES)
    assert (verdict.code, verdict.until) == (K.WAIT_BACKOFF, NOW + 7 * SECOND)


def test_silence() -> None:
    assert not heartbeat.dead(NOW, None)
    assert [heartbeat.dead(NOW, NOW - n * SECOND) for n in (59, 60)] == [False, True]
    assert heartbeat.due(NOW, None, None)
    assert [heartbeat.due(NOW, NOW - n * SECOND, None) for n in (14, 15)] == [False, True]
    assert not heartbeat.due(NOW, NOW - 20 * SECOND, NOW - SECOND)


@dataclass
class Written:
    """A log that a test reads."""

    events: list[tuple[str, int]] = field(default_factory=list)
    beats: list[tuple[str, bool]] = field(default_factory=list)

    def event(self, event: str, generation: int, detail: str = "") -> None:
        self.events.append((event, generation))

    def beat(self, now: datetime, state: str, *, expected: bool) -> None:
        self.beats.append((state, expected))


@dataclass
class Kept:
    """A keeper of the real client on a loopback TWS, under a clock that the test moves."""

    server: ThreadedTws
    clock: Clock = field(default_factory=Clock)
    log: Written = field(default_factory=Written)
    timeout_s: float = 2.0

    def __post_init__(self) -> None:
        self.broker = broker_on(self.server, clock=self.clock, trading={"ib": {"timeout_seconds": self.timeout_s}})
        self.keeper = ConnectionKeeper(self.broker, RULES, alive=self.broker.settle, log=self.log)
        self.scene = Scene(self.server, self.broker)

    @property
    def unlocked(self) -> bool:
        """Whether nothing has to be asked of the connection before it is traded on."""
        return self.broker.link().state is LinkState.UP and self.keeper.verdict().code is K.OK

    def hear(self) -> None:
        self.keeper.hear(self.scene.hear())

    def steps(self, count: int) -> Sequence[KeeperCode]:
        return [self.keeper.step().code for _ in range(count)]


def test_a_connection_is_locked_until_it_is_reconciled() -> None:
    with ThreadedTws() as server:
        kept = Kept(server)
        assert not kept.unlocked
        assert kept.steps(2) == [K.CONNECT, K.RECONCILE_NEEDED]
        kept.hear()
        assert not kept.unlocked
        kept.keeper.reconciled()
        assert kept.unlocked
        assert kept.steps(1) == [K.OK]
        assert kept.log.events == [("connected", 1)]
        kept.keeper.stop()
        assert not kept.unlocked
        assert kept.log.beats[-1] == ("closed", False)
        assert kept.log.beats[0] == ("up", True)


def test_the_notice_of_a_connection_that_was_reconciled_locks_nothing() -> None:
    with ThreadedTws() as server:
        kept = Kept(server)
        kept.steps(1)
        kept.keeper.reconciled()
        kept.hear()
        assert kept.unlocked
        kept.keeper.stop()


@pytest.mark.parametrize("data_lost", [False, True])
def test_a_restored_link_is_locked_again(*, data_lost: bool) -> None:
    with ThreadedTws() as server:
        kept = Kept(server)
        kept.steps(1)
        kept.hear()
        kept.keeper.reconciled()
        server.play(Lost())
        kept.hear()
        assert not kept.unlocked
        assert kept.steps(1) == [K.OK]
        server.play(Restored(data_lost))
        kept.hear()
        assert not kept.unlocked
        assert kept.steps(1) == [K.RECONCILE_NEEDED]
        kept.keeper.reconciled()
        assert kept.unlocked
        restored = "link_restored_data_lost" if data_lost else "link_restored"
        assert [event for event, _ in kept.log.events] == ["connected", "link_lost", restored]
        kept.keeper.stop()


def test_a_link_that_was_lost_and_restored_between_two_looks_is_locked_too() -> None:
    with ThreadedTws() as server:
        kept = Kept(server)
        kept.steps(1)
        kept.hear()
        kept.keeper.reconciled()
        server.play(Lost())
        server.play(Restored())
        kept.hear()
        assert not kept.unlocked
        kept.keeper.stop()


def test_a_lost_connection_comes_back_with_patience_and_locked() -> None:
    with ThreadedTws() as server:
        kept = Kept(server)
        kept.steps(1)
        kept.hear()
        kept.keeper.reconciled()
        server.play(Outage(1))
        kept.hear()
        assert not kept.unlocked
        assert kept.steps(2) == [K.CONNECT, K.WAIT_BACKOFF]
        kept.clock.at += 2 * SECOND
        assert kept.steps(2) == [K.CONNECT, K.WAIT_BACKOFF]
        server.step()
        kept.clock.at += 4 * SECOND
        assert kept.steps(2) == [K.CONNECT, K.RECONCILE_NEEDED]
        kept.hear()
        assert kept.broker.link().generation == 2
        assert not kept.unlocked
        kept.keeper.reconciled()
        assert kept.unlocked
        assert kept.log.events == [
            ("connected", 1),
            ("disconnected", 1),
            ("failed", 1),
            ("failed", 1),
            ("connected", 2),
        ]
        server.play(HangUp())
        kept.hear()
        assert kept.steps(1) == [K.CONNECT]
        kept.keeper.stop()


def test_a_connection_that_somebody_else_made_is_locked() -> None:
    with ThreadedTws() as server:
        kept = Kept(server)
        kept.steps(1)
        kept.keeper.reconciled()
        kept.broker.close()
        kept.broker.connect()
        assert not kept.unlocked
        assert kept.steps(1) == [K.RECONCILE_NEEDED]
        kept.keeper.reconciled()
        # What is told late of the connection before says nothing of this one.
        kept.keeper.hear([Notice(NoticeKind.DISCONNECTED, 0, "", kept.clock.at, generation=1)])
        assert kept.unlocked
        kept.keeper.hear([Notice(NoticeKind.LINK_RESTORED, 1102, "", kept.clock.at, generation=2)])
        assert not kept.unlocked
        kept.keeper.stop()


def test_a_sign_of_life_is_asked_for_when_nothing_is_heard() -> None:
    with ThreadedTws() as server:
        kept = Kept(server)
        kept.steps(1)
        kept.hear()
        kept.keeper.reconciled()
        before = kept.scene.asked(Ask.CURRENT_TIME)
        kept.clock.at += 15 * SECOND
        assert kept.steps(2) == [K.ASK_HEARTBEAT, K.OK]
        assert kept.scene.asked(Ask.CURRENT_TIME) == before + 1
        assert kept.unlocked
        kept.keeper.stop()


def test_a_terminal_that_says_nothing_for_a_minute_is_dead() -> None:
    silent = script([Ignore(Ask.CURRENT_TIME, nth) for nth in range(1, 9)])
    with ThreadedTws(script=silent) as server:
        kept = Kept(server, timeout_s=0.1)
        kept.steps(1)
        kept.keeper.reconciled()
        for _ in range(3):
            kept.clock.at += 15 * SECOND
            assert kept.steps(2) == [K.ASK_HEARTBEAT, K.OK]
        kept.clock.at += 15 * SECOND
        assert kept.steps(1) == [K.DEAD]
        assert kept.broker.link().state is LinkState.DOWN
        assert kept.log.events[-1] == ("dead", 1)
        assert kept.log.beats == [("up", True)]
        assert kept.steps(1) == [K.CONNECT]
        assert kept.broker.link().generation == 2
        kept.keeper.stop()


def test_around_the_restart_trading_is_locked_and_a_lost_connection_waits() -> None:
    with ThreadedTws() as server:
        kept = Kept(server)
        kept.clock.at = datetime(2026, 1, 16, 4, 39, tzinfo=UTC)
        kept.steps(1)
        kept.hear()
        kept.keeper.reconciled()
        assert kept.unlocked
        kept.clock.at += timedelta(minutes=1)
        assert not kept.unlocked
        server.play(HangUp())
        kept.hear()
        assert kept.steps(2) == [K.BLACKOUT, K.BLACKOUT]
        assert kept.scene.asked(Ask.START) == 1
        kept.clock.at += timedelta(minutes=11)
        assert kept.steps(1) == [K.CONNECT]
        kept.keeper.stop()


def test_a_client_id_that_is_taken_is_tried_again_and_an_account_that_is_not_meant_is_not() -> None:
    with ThreadedTws(script=script(ClientIdInUse(1))) as server:
        kept = Kept(server)
        assert kept.steps(2) == [K.CONNECT, K.WAIT_BACKOFF]
        assert kept.log.events == [("client_id_in_use", 0)]
        kept.clock.at += 2 * SECOND
        assert kept.steps(1) == [K.CONNECT]
        kept.keeper.stop()
        stranger = broker_on(server, trading={"account": "DU7654321"})
        with pytest.raises(RefusedError):
            ConnectionKeeper(stranger, RULES, alive=stranger.settle).step()
        stranger.close()
