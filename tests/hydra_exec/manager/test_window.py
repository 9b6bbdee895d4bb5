from datetime import UTC, datetime, timedelta

import pytest

from hydra_exec.manager import Window

OPEN = datetime(2025, 11, 3, 14, 30, tzinfo=UTC)
WINDOW = Window(OPEN, OPEN + timedelta(hours=4))


@pytest.mark.parametrize(("hours", "share"), [(-1, -0.25), (0, 0.0), (1, 0.25), (2, 0.5), (4, 1.0), (5, 1.25)])
def test_share_and_instant_are_each_others_inverse(hours: float, share: float) -> None:
    assert WINDOW.share(OPEN + timedelta(hours=hours)) == share
    assert WINDOW.instant(share) == OPEN + timedelta(hours=hours)


def test_a_part() -> None:
    assert WINDOW.part(0.25, 0.5) == Window(OPEN + timedelta(hours=1), OPEN + timedelta(hours=2))


@pytest.mark.parametrize(
    ("start", "end"),
    [(OPEN, OPEN), (OPEN, OPEN - timedelta(1)), (OPEN.replace(tzinfo=None), OPEN), (OPEN, OPEN.replace(tzinfo=None))],
)
def test_what_is_no_window(start: datetime, end: datetime) -> None:
    with pytest.raises(ValueError, match="no window"):
        Window(start, end)
