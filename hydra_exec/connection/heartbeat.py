"""When to ask whether the terminal is still there, and when its silence is an alarm. Pure.

A gateway that waits for a second factor after its restart keeps its socket and says nothing: only an answer shows life.
"""

from datetime import datetime, timedelta

EVERY = timedelta(seconds=15)
DEAD_AFTER = timedelta(seconds=60)


def due(now: datetime, last_heard: datetime | None, last_asked: datetime | None) -> bool:
    """Whether to ask now: nothing was heard for ``EVERY``, nor asked within it."""
    return all(at is None or now - at >= EVERY for at in (last_heard, last_asked))


def dead(now: datetime, last_heard: datetime | None) -> bool:
    """Whether nothing was heard for ``DEAD_AFTER``."""
    return last_heard is not None and now - last_heard >= DEAD_AFTER
