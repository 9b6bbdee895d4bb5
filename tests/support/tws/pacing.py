"""The rules that Interactive Brokers publishes for historical requests, on the virtual clock.

No identical request within 15 seconds; fewer than six of the same contract, exchange and kind of data within two
seconds; no more than 60 within ten minutes, of which a bid-ask request counts as two. Bars of a minute or longer are
free of the last.
"""

from collections import deque
from datetime import datetime, timedelta

from .requests import History

SAME = timedelta(seconds=15)
BURST, BURST_LIMIT = timedelta(seconds=2), 6
WINDOW, WINDOW_LIMIT = timedelta(minutes=10), 60
SMALL_BARS = "sec"


class Pacing:
    """Requests that were let through, and whether the next one may."""

    def __init__(self) -> None:
        self._seen: deque[tuple[datetime, tuple[object, ...], tuple[object, ...], int]] = deque()

    def allows(self, ask: History, now: datetime) -> bool:
        """Count a request; False where it breaks a rule. A refused request counts for nothing."""
        while self._seen and now - self._seen[0][0] >= WINDOW:
            self._seen.popleft()
        source = (ask.contract, ask.what)
        same = (*source, ask.end, ask.bar_size, ask.duration)
        weight = (2 if ask.what == "BID_ASK" else 1) if SMALL_BARS in ask.bar_size else 0
        if any(now - when < SAME and seen == same for when, seen, _, _ in self._seen):
            return False
        burst = sum(now - when < BURST and seen == source for when, _, seen, _ in self._seen)
        if burst + 1 >= BURST_LIMIT:
            return False
        if weight and sum(entry[3] for entry in self._seen) + weight > WINDOW_LIMIT:
            return False
        self._seen.append((now, same, source, weight))
        return True
