"""The one clock: wall time, or the instant that ``HYDRA_NOW`` pins (tests, replays of a past day)."""

import os
from datetime import UTC, datetime


def now() -> datetime:
    """Return the current instant in UTC; ValueError where ``HYDRA_NOW`` is not an ISO instant with an offset."""
    pinned = os.environ.get("HYDRA_NOW")
    if not pinned:
        return datetime.now(UTC)
    instant = datetime.fromisoformat(pinned)
    if instant.tzinfo is None:
        msg = f"HYDRA_NOW={pinned!r} has no UTC offset; write e.g. 2026-11-20T23:00:00+00:00"
        raise ValueError(msg)
    return instant.astimezone(UTC)
