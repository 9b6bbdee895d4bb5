"""Volume over the trading hours: shares of a curve, cut to the hours."""

from datetime import date, time

import polars as pl
import pytest

from hydra_assets.markets.model import WorkingHours
from hydra_exec.volume_profile import PARTS, profiles, split

DAY = date(2026, 1, 5)
MORNING = WorkingHours(start=time(9), end=time(12))


def curve(starts: list[float], shares: list[float] | None, minutes: int = 60) -> pl.DataFrame:
    return pl.DataFrame(
        {"session": [DAY], "bucket_minutes": [minutes], "bucket_starts": [starts], "volume_shares": [shares]},
        schema_overrides={"volume_shares": pl.List(pl.Float64), "bucket_starts": pl.List(pl.Float64)},
    )


def test_hours_are_cut_into_equal_parts() -> None:
    assert [(h.start, h.end) for h in split(MORNING, 3)] == [
        (time(9), time(10)),
        (time(10), time(11)),
        (time(11), time(12)),
    ]


def test_shares_are_those_of_the_hours_alone() -> None:
    found = profiles(curve([480.0, 540.0, 600.0, 660.0], [0.5, 0.1, 0.3, 0.1]), MORNING)[DAY]
    assert len(found) == PARTS
    assert sum(found) == pytest.approx(1.0)
    thirds = [sum(found[i : i + 4]) for i in (0, 4, 8)]
    assert thirds == pytest.approx([0.2, 0.6, 0.2])


def test_what_is_not_known_or_not_traded_gives_none() -> None:
    assert profiles(curve([540.0], None), MORNING) == {}
    assert profiles(curve([0.0], [1.0]), MORNING) == {}
