"""The server's time: it stands still until the test moves it."""

from datetime import UTC, datetime, timedelta

START = datetime(2025, 3, 3, 15, 0, tzinfo=UTC)


class VirtualClock:
    """Counts steps of one length. Nothing that the server decides reads any other clock."""

    def __init__(self, start: datetime = START, step: timedelta = timedelta(minutes=1)) -> None:
        self.now = start
        self.step = 0
        self.length = step

    def tick(self) -> int:
        """One step on; returns its number."""
        self.now += self.length
        self.step += 1
        return self.step

    def advance(self, by: timedelta) -> None:
        """Time that passes within a step, as pacing rules see it."""
        self.now += by
