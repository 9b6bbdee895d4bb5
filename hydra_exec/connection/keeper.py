"""What to do about a connection now: a pure verdict, and a keeper that carries it out.

Reconnecting is not recovering. After every connection, and after 1101 and 1102, trading stays locked until the journal
was compared with a full answer; so the keeper forgets that it was whenever something of the kind is heard.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from hydra_exec.broker.port import (
    BrokerError,
    Link,
    LinkState,
    Message,
    Notice,
    NoticeKind,
    Refusal,
    RefusedError,
)
from hydra_exec.connection import heartbeat
from hydra_exec.connection.backoff import Backoff
from hydra_exec.connection.blackout import Blackout


class KeeperCode(StrEnum):
    """What is to be done."""

    OK = "ok"
    CONNECT = "connect"
    WAIT_BACKOFF = "wait_backoff"
    BLACKOUT = "blackout"
    """Around the terminal's restart: neither connect nor trade."""
    ASK_HEARTBEAT = "ask_heartbeat"
    DEAD = "dead"
    """A connection that says nothing: alarm, let go of it and begin anew."""
    RECONCILE_NEEDED = "reconcile_needed"


@dataclass(frozen=True, slots=True)
class KeeperVerdict:
    """``until`` says when a wait is over, where there is one."""

    code: KeeperCode
    until: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class KeeperRules:
    """The policy: how long to wait, and when the terminal restarts."""

    backoff: Backoff = field(default_factory=Backoff)
    blackout: Blackout | None = None


@dataclass(frozen=True, slots=True)
class KeeperView:
    """What is known about the connection."""

    link: LinkState
    failed: int = 0
    """Attempts to connect that have failed since the last one that did not."""
    last_attempt: datetime | None = None
    last_heard: datetime | None = None
    last_asked: datetime | None = None
    reconciled: bool = False


def keep(now: datetime, view: KeeperView, rules: KeeperRules) -> KeeperVerdict:
    """What to do now; the first that applies, in the order of the code."""
    end = rules.blackout.end(now) if rules.blackout else None
    if end is not None:
        return KeeperVerdict(KeeperCode.BLACKOUT, end, "the terminal restarts")
    if view.link is LinkState.DOWN:
        return _begin_anew(now, view, rules)
    if heartbeat.dead(now, view.last_heard):
        return KeeperVerdict(KeeperCode.DEAD, None, f"nothing was heard since {view.last_heard:%Y-%m-%d %H:%M:%S} UTC")
    if heartbeat.due(now, view.last_heard, view.last_asked):
        return KeeperVerdict(KeeperCode.ASK_HEARTBEAT)
    if view.link is LinkState.DEGRADED:
        return KeeperVerdict(KeeperCode.OK, None, "the terminal has lost the broker")
    return KeeperVerdict(KeeperCode.OK if view.reconciled else KeeperCode.RECONCILE_NEEDED)


def _begin_anew(now: datetime, view: KeeperView, rules: KeeperRules) -> KeeperVerdict:
    ready = now if view.last_attempt is None else view.last_attempt + rules.backoff.wait(view.failed)
    if now >= ready:
        return KeeperVerdict(KeeperCode.CONNECT)
    return KeeperVerdict(KeeperCode.WAIT_BACKOFF, ready, f"{view.failed} attempts have failed")


class Connected(Protocol):
    """Of a broker, what a keeper drives: ``broker.port.Broker`` and the guarded one both have it."""

    @property
    def now(self) -> Callable[[], datetime]:
        """The broker's clock."""
        ...

    @property
    def link(self) -> Callable[[], Link]:
        """How the connection stands."""
        ...

    @property
    def connect(self) -> Callable[[], Link]:
        """Open a connection."""
        ...

    @property
    def close(self) -> Callable[[], None]:
        """Let go of it."""
        ...


class KeeperLog(Protocol):
    """Where a keeper writes."""

    def event(self, event: str, generation: int, detail: str = "") -> None:
        """A connection was made, lost, restored or refused."""
        ...

    def beat(self, now: datetime, state: str, *, expected: bool) -> None:
        """A sign of life; ``expected`` says whether silence from here on is an alarm."""
        ...


UNSETTLING = frozenset(
    {
        NoticeKind.DISCONNECTED,
        NoticeKind.LINK_LOST,
        NoticeKind.LINK_RESTORED,
        NoticeKind.LINK_RESTORED_DATA_LOST,
    }
)
"""Notices after which what was reconciled on their connection no longer counts."""


class ConnectionKeeper:
    """Drives one broker. Whoever reads the broker's messages hands them to ``hear``, or restored links go unnoticed.

    Parameters
    ----------
    broker
        Connected and closed here; everything else is done by others.
    rules
        The policy.
    alive
        Asks the terminal for a sign of life; whether there was one.
    log
        Written at every change and every sign of life.
    """

    def __init__(
        self, broker: Connected, rules: KeeperRules, *, alive: Callable[[], bool], log: KeeperLog | None = None
    ) -> None:
        self._broker = broker
        self._rules = rules
        self._alive = alive
        self._log = log
        self._failed = 0
        self._last_attempt: datetime | None = None
        self._last_heard: datetime | None = None
        self._last_asked: datetime | None = None
        self._reconciled: int | None = None

    def reconciled(self) -> None:
        """The journal was compared with a full answer of this connection."""
        self._reconciled = self._broker.link().generation

    def hear(self, messages: Sequence[Message]) -> None:
        """Messages of the broker, as its ``wait`` gave them."""
        if messages:
            self._sign_of_life()
        for message in messages:
            if not isinstance(message, Notice) or message.kind not in {*UNSETTLING, NoticeKind.CONNECTED}:
                continue
            self._write(message.kind, message.generation, message.text)
            if message.kind in UNSETTLING and message.generation == self._reconciled:
                self._reconciled = None

    def verdict(self) -> KeeperVerdict:
        """What is to be done now; does nothing."""
        link = self._broker.link()
        view = KeeperView(
            link=link.state,
            failed=self._failed,
            last_attempt=self._last_attempt,
            last_heard=self._last_heard,
            last_asked=self._last_asked,
            reconciled=self._reconciled == link.generation,
        )
        return keep(self._broker.now(), view, self._rules)

    def step(self) -> KeeperVerdict:
        """Do what is to be done now, and say what it was.

        Raises
        ------
        RefusedError
            The account must not be traded on; trying again would not change that.
        """
        verdict = self.verdict()
        match verdict.code:
            case KeeperCode.CONNECT:
                self._connect()
            case KeeperCode.ASK_HEARTBEAT:
                self._last_asked = self._broker.now()
                if self._alive():
                    self._sign_of_life()
            case KeeperCode.DEAD:
                self._write("dead", self._broker.link().generation, verdict.reason)
                self._reconciled = None
                self._broker.close()
            case _:
                pass
        return verdict

    def stop(self) -> None:
        """Let go of the connection; silence is expected from here on."""
        self._reconciled = None
        self._broker.close()
        if self._log is not None:
            self._log.beat(self._broker.now(), "closed", expected=False)

    def _connect(self) -> Link | None:
        self._last_attempt = self._broker.now()
        try:
            link = self._broker.connect()
        except RefusedError as error:
            self._write(error.code, self._broker.link().generation, str(error))
            if error.code is not Refusal.CLIENT_ID_IN_USE:
                raise
            self._failed += 1
            return None
        except BrokerError as error:
            self._failed += 1
            self._write("failed", self._broker.link().generation, str(error))
            return None
        self._failed = 0
        self._sign_of_life()
        return link

    def _sign_of_life(self) -> None:
        self._last_heard = self._broker.now()
        if self._log is not None:
            self._log.beat(self._last_heard, str(self._broker.link().state), expected=True)

    def _write(self, event: str, generation: int, detail: str) -> None:
        if self._log is not None:
            self._log.event(str(event), generation, detail)
