"""Interactive Brokers' published limits on historical requests. Pure: the time is given.

No identical request within 15 seconds; fewer than six for the same contract, exchange and kind of data within two
seconds; no more than 60 within ten minutes, of which one for BID_ASK counts as two; no more than 50 open at a time.
Bars of a minute or longer are free of the third.

Source: Interactive Brokers, "TWS API: historical data limitations".
"""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

IDENTICAL = timedelta(seconds=15)
BURST, BURST_LIMIT = timedelta(seconds=2), 6
WINDOW, WINDOW_LIMIT = timedelta(minutes=10), 60
OPEN_LIMIT = 50
_NOW = timedelta(0)


class PacingCode(StrEnum):
    """Whether a request may go, and which limit holds it back."""

    OK = "ok"
    IDENTICAL = "identical"
    BURST = "burst"
    WINDOW = "window"
    OPEN = "open"
    """Too many are unanswered; how long that lasts cannot be told."""


@dataclass(frozen=True, slots=True)
class HistoryRequest:
    """A historical request, as far as the limits look at it."""

    contract: str
    exchange: str
    what: str
    """Kind of data: TRADES, MIDPOINT, BID_ASK ..."""
    bar_size: str
    end: str
    duration: str

    @property
    def source(self) -> tuple[str, str, str]:
        """What a burst is counted by."""
        return self.contract, self.exchange, self.what

    @property
    def weight(self) -> int:
        """How much it counts in the ten minutes."""
        if "sec" not in self.bar_size:
            return 0
        return 2 if self.what == "BID_ASK" else 1


@dataclass(frozen=True, slots=True)
class PacingVerdict:
    """``wait`` is how long until the limit that was met no longer holds the request back."""

    code: PacingCode
    wait: timedelta = _NOW


class HistoryPacing:
    """What was sent and what is open."""

    def __init__(self) -> None:
        self._sent: deque[tuple[datetime, HistoryRequest]] = deque()
        self._open = 0

    def verdict(self, request: HistoryRequest, now: datetime) -> PacingVerdict:
        """Whether a request may be sent now; changes nothing."""
        if self._open >= OPEN_LIMIT:
            return PacingVerdict(PacingCode.OPEN)
        recent = [(when, sent) for when, sent in self._sent if now - when < WINDOW]
        same = [when for when, sent in recent if sent == request and now - when < IDENTICAL]
        if same:
            return PacingVerdict(PacingCode.IDENTICAL, same[-1] + IDENTICAL - now)
        burst = [when for when, sent in recent if sent.source == request.source and now - when < BURST]
        if len(burst) + 1 >= BURST_LIMIT:
            return PacingVerdict(PacingCode.BURST, burst[1 - BURST_LIMIT] + BURST - now)
        excess = sum(sent.weight for _, sent in recent) + request.weight - WINDOW_LIMIT
        if request.weight and excess > 0:
            for when, sent in recent:
                excess -= sent.weight
                if excess <= 0:
                    return PacingVerdict(PacingCode.WINDOW, when + WINDOW - now)
        return PacingVerdict(PacingCode.OK)

    def sent(self, request: HistoryRequest, now: datetime) -> None:
        """A request has gone."""
        while self._sent and now - self._sent[0][0] >= WINDOW:
            self._sent.popleft()
        self._sent.append((now, request))
        self._open += 1

    def answered(self) -> None:
        """One of the open requests has ended, whatever its answer was."""
        self._open = max(self._open - 1, 0)
