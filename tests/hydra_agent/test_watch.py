"""A watched group: each session under the reign that it had, and rows as the datasets have them."""

import json
from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest

from hydra_agent import watch as module
from hydra_agent.diagnose.causes import Cause, CauseCode, Diagnosis
from hydra_agent.observe.health import Health
from hydra_agent.observe.signals import POOL, Family, Level, SignalReason, SignalTrack
from hydra_agent.view import GroupView, Reign
from hydra_agent.watch import GroupWatch
from hydra_assets.columns import CHAMPION_HEALTH, DIAGNOSIS
from hydra_assets.state.records import ChampionStage, StageKind
from tests.support.groups import day
from tests.support.views import skilled, view

N = 160


def track(name: str, scope: str, family: Family = Family.PERFORMANCE, alarms: tuple[int, ...] = ()) -> SignalTrack:
    statistic = np.arange(N, dtype=np.float64)
    statistic[3] = np.nan
    level = np.zeros(N, dtype=np.int8)
    level[list(alarms)] = Level.WARNING
    return SignalTrack(family, name, scope, statistic, 2.5, level, SignalReason.EDGE_FALLING)


def reign(since: int, version: int) -> Reign:
    zeros = np.zeros(N)
    return Reign(skilled("own", 0.5, n=N), version, since, zeros, zeros, 0.0, 0.01, 0.25)


HEALTHS = (
    Health((track("data", "SIM_HE"), track("elsewhere", "SIM_ZO")), N),
    Health((track("data", "SIM_HE"), track("edge", POOL, alarms=(60,))), N),
    Health((track("carry", "SIM_HE", Family.DRIFT, alarms=(101, 120)), track("edge", POOL)), N),
)
STAGES = (
    ChampionStage("sim", "aa", day(49), StageKind.PROVISIONAL, 0.25, ""),
    ChampionStage("sim", "aa", day(79), StageKind.FULL, 1.0, ""),
    ChampionStage("sim", "bb", day(99), StageKind.PROVISIONAL, 0.25, ""),
)
FALLING = Cause(CauseCode.EDGE_DECAY, 0.9, "it falls", evidence={"z": 2.0})
LATE = Cause(CauseCode.LATE_SOURCE, 0.8, "a report is late", scopes=("SIM_ZO",))


def watched(seen: GroupView | None = None) -> GroupWatch:
    """A watch whose health is given: nothing until row 50, then two reigns."""
    found = GroupWatch("sim", seen or view(N), (reign(50, 1), reign(100, 7)), STAGES)
    found.__dict__["healths"] = HEALTHS
    return found


def test_each_row_has_the_reign_and_the_health_that_it_had() -> None:
    found = watched()
    versions = [(row, None if (own := found.reign(row)) is None else own.version) for row in (0, 49, 50, 99, 100, 159)]
    assert versions == [(0, None), (49, None), (50, 1), (99, 1), (100, 7), (159, 7)]
    for row, place in ((0, 0), (49, 0), (50, 1), (99, 1), (100, 2)):
        assert found.health(row) is HEALTHS[place]


def test_health_is_observed_once_without_and_once_under_each_reign(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int | None] = []

    def observe(_: GroupView, own: Reign | None, *__: object) -> Health:
        asked.append(None if own is None else own.version)
        return HEALTHS[len(asked) - 1]

    monkeypatch.setattr(module, "observe", observe)
    monkeypatch.setattr(module, "observe_data", lambda _: ())
    found = GroupWatch("sim", view(N), (reign(50, 1), reign(100, 7)), STAGES)
    assert found.health(120) is HEALTHS[2]
    assert found.health(3) is HEALTHS[0]
    assert asked == [None, 1, 7]


@pytest.mark.parametrize(
    ("first", "last", "rows"),
    [
        (day(0), day(159), range(160)),
        (day(10), day(10), range(10, 11)),
        (date(2019, 1, 1), day(4), range(5)),
        (day(155), date.max, range(155, 160)),
        (day(20), day(10), range(20, 11)),
    ],
)
def test_rows_between_sessions(first: date, last: date, rows: range) -> None:
    assert list(watched().rows_between(first, last)) == list(rows)


def test_health_rows_of_a_market_are_its_own_and_the_group_s() -> None:
    found = watched().health_rows("SIM_HE", day(0), day(159))
    assert found.columns == list(CHAMPION_HEALTH.columns)
    assert found.schema == CHAMPION_HEALTH.schema
    assert found.equals(found.sort(CHAMPION_HEALTH.key))
    assert set(found["market"]) == {"SIM_HE"}
    count = {(name, version): n for name, version, n in found.group_by("health_signal", "model_version").len().rows()}
    assert count == {
        ("data", None): 50,
        ("data", 1): 50,
        ("edge", 1): 50,
        ("edge", 7): 60,
        # Drift is kept only where it alarms.
        ("carry", 7): 2,
    }
    alarm = found.row(by_predicate=(pl.col("session") == day(60)) & (pl.col("health_signal") == "edge"), named=True)
    assert (alarm["health_level"], alarm["health_reason"], alarm["health_statistic"]) == (
        "WARNING",
        "edge_falling",
        60.0,
    )
    assert (alarm["health_scope"], alarm["health_threshold"], alarm["model_group"]) == (POOL, 2.5, "sim")
    missing = found.row(by_predicate=pl.col("session") == day(3), named=True)
    assert (missing["health_statistic"], missing["health_level"], missing["health_reason"]) == (
        None,
        "OK",
        "not_watched",
    )
    # A part of the range is the part of its rows.
    part = watched().health_rows("SIM_HE", day(95), day(104))
    assert part.equals(found.filter(pl.col("session").is_between(day(95), day(104))))
    assert watched().health_rows("SIM_HE", day(20), day(10)).schema == CHAMPION_HEALTH.schema


def test_a_market_has_no_rows_on_its_holidays() -> None:
    seen = view(N)
    tradable = seen.market.tradable.copy()
    tradable[5, 0] = False
    found = watched(replace(seen, market=replace(seen.market, tradable=tradable)))
    assert day(5) not in set(found.health_rows("SIM_HE", day(0), day(9))["session"])
    assert day(5) in set(found.health_rows("SIM_ZO", day(0), day(9))["session"])


@pytest.fixture
def diagnosed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Diagnoses by hand; the rows that were asked for."""
    asked: list[int] = []

    def diagnose(_: GroupView, own: Reign | None, health: Health, row: int) -> Diagnosis:
        asked.append(row)
        assert health is HEALTHS[0 if own is None else 1 if own.version == 1 else 2]
        return Diagnosis({60: (LATE,), 110: (FALLING, LATE)}.get(row, ()))

    monkeypatch.setattr(module, "diagnose", diagnose)
    return asked


def test_diagnosis_rows_say_what_is_wrong_and_what_may_be_traded(diagnosed: list[int]) -> None:
    found = watched()
    rows = {symbol: found.diagnosis_rows(symbol, day(0), day(159)) for symbol in ("SIM_HE", "SIM_ZO")}
    # Both markets share a session's diagnosis.
    assert diagnosed == list(range(N))
    hogs, oats = (rows[symbol].to_dicts() for symbol in ("SIM_HE", "SIM_ZO"))
    assert rows["SIM_HE"].schema == DIAGNOSIS.schema

    def at(row: int, of: list[dict[str, object]]) -> tuple[object, ...]:
        own = of[row]
        return tuple(own[name] for name in ("cause", "response", "model_version", "champion_stage", "size_fraction"))

    assert at(0, hogs) == ("none", "none", None, "none", 0.0)
    assert at(50, hogs) == ("none", "none", 1, "provisional", 0.25)
    assert at(79, hogs)[3:] == ("provisional", 0.25)
    assert at(80, hogs)[3:] == ("full", 1.0)
    assert at(100, hogs) == ("none", "none", 7, "provisional", 0.25)
    assert at(110, hogs)[:2] == ("edge_decay", "halt")
    # A late source halves the one market that it is late in, at a quarter of its size.
    assert at(60, oats) == ("late_source", "size_down", 1, "provisional", 0.25)
    assert [of[60]["exposure"] for of in (hogs, oats)] == [0.25, 0.125]
    assert [of[110]["exposure"] for of in (hogs, oats)] == [0.0, 0.0]
    assert [of[0]["exposure"] for of in (hogs, oats)] == [0.0, 0.0]
    assert hogs[0]["cause_confidence"] is None
    assert hogs[110]["cause_confidence"] == 0.9
    causes = json.loads(str(hogs[110]["causes"]))
    assert [cause["code"] for cause in causes] == ["edge_decay", "late_source"]
    assert causes[0]["evidence"] == {"z": 2.0}


def test_without_stages_a_champion_has_its_whole_size(diagnosed: list[int]) -> None:
    bare = replace(watched(), stages=())
    bare.__dict__["healths"] = HEALTHS
    rows = bare.diagnosis_rows("SIM_HE", day(49), day(50)).to_dicts()
    assert [(row["champion_stage"], row["exposure"]) for row in rows] == [("none", 0.0), ("full", 1.0)]
    assert diagnosed == [49, 50]


def test_a_retired_champion_trades_nothing(diagnosed: list[int]) -> None:
    retired = replace(STAGES[2], stage=StageKind.RETIRED, size_fraction=0.0, effective_after=day(119))
    found = replace(watched(), stages=(*STAGES, retired))
    found.__dict__["healths"] = HEALTHS
    rows = found.diagnosis_rows("SIM_HE", day(119), day(120)).to_dicts()
    assert [(row["champion_stage"], row["exposure"]) for row in rows] == [("provisional", 0.25), ("retired", 0.0)]
    assert diagnosed == [119, 120]
