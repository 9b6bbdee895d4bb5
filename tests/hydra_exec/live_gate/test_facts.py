"""Facts of the live gate out of a real database."""

from datetime import UTC, date, datetime
from pathlib import Path

import sqlalchemy as sa

from hydra_assets.state.db import claim
from hydra_assets.state.execution_tables import trading_sessions
from hydra_assets.state.tables import promotions
from hydra_exec.live_gate.conditions import SessionEnd
from hydra_exec.live_gate.facts import LakeFacts, gather, healing_cycles, worked_sessions
from hydra_exec.live_gate.record_log import RecordLog
from hydra_exec.live_gate.records import DrillKind

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PREFIXES = ("DU", "DF")


def add_session(engine: sa.Engine, account: str, broker: str, outcome: str | None, **changed: object) -> None:
    values = {
        "account": account,
        "broker": broker,
        "real_sources": True,
        "wall_date": date(2026, 5, 29),
        "session": date(2026, 5, 28),
        "started_at": datetime(2026, 5, 29, 14, tzinfo=UTC),
        "outcome": outcome,
    } | changed
    with engine.begin() as connection:
        connection.execute(sa.insert(trading_sessions).values(values))


def promote(engine: sa.Engine, version: int, recipe: str, reason: str, day: int, group: str = "g") -> None:
    values = {
        "model_group": group,
        "version": version,
        "model_uri": "",
        "sha256": "",
        "recipe_sha256": recipe,
        "reason": reason,
        "effective_after": date(2020, 1, 1),
        "recorded_at": datetime(2026, 5, day, tzinfo=UTC),
    }
    with engine.begin() as connection:
        connection.execute(sa.insert(promotions).values(values))


def test_only_the_real_brokers_sessions_and_an_outcome_that_is_none_of_ours_is_no_good_one(
    state_engine: sa.Engine,
) -> None:
    add_session(state_engine, "SIM", "simulated", "clean")
    add_session(state_engine, "DU1", "ib", "clean")
    add_session(state_engine, "U1", "ib", "recovered", real_sources=False)
    add_session(state_engine, "DF1", "ib", None)
    add_session(state_engine, "DU1", "ib", "splendid")
    found = worked_sessions(state_engine, PREFIXES)
    assert [(s.account, s.paper, s.real_sources, s.ended) for s in found] == [
        ("DU1", True, True, SessionEnd.CLEAN),
        ("U1", False, False, SessionEnd.RECOVERED),
        ("DF1", True, True, SessionEnd.UNDER_WAY),
        ("DU1", True, True, SessionEnd.UNRECOVERABLE),
    ]
    assert (found[0].wall_date, found[0].started_at) == (date(2026, 5, 29), datetime(2026, 5, 29, 14, tzinfo=UTC))


def test_a_promotion_by_experiment_ends_with_another_recipe_of_its_group(state_engine: sa.Engine) -> None:
    claim(state_engine, "real")
    promote(state_engine, 1, "a", "first_champion", 1)
    promote(state_engine, 2, "b", "experiment", 2)
    promote(state_engine, 9, "z", "first_champion", 3, group="other")
    promote(state_engine, 3, "b", "scheduled_refit", 4)
    promote(state_engine, 4, "a", "rolled_back", 20)
    promote(state_engine, 5, "c", "experiment", 21)
    found = healing_cycles(state_engine)
    assert [(c.version, c.promoted_at.day, c.ended_at and c.ended_at.day, c.real_data) for c in found] == [
        (2, 2, 20, True),
        (5, 21, None, True),
    ]


def test_a_simulated_home_heals_nothing_real(state_engine: sa.Engine) -> None:
    promote(state_engine, 2, "b", "experiment", 2)
    assert [c.real_data for c in healing_cycles(state_engine)] == [False]
    claim(state_engine, "simulated")
    assert [c.real_data for c in healing_cycles(state_engine)] == [False]


def test_facts_are_gathered_whole(state_engine: sa.Engine, tmp_path: Path) -> None:
    log = RecordLog(state_engine, tmp_path)
    log.drill(DrillKind.BREAKER, "DU1", passed=True, detail="", at=NOW)
    add_session(state_engine, "DU1", "ib", "clean")
    found = gather(state_engine, log, "U1", PREFIXES, NOW, LakeFacts(0.1, 0.5, True, None))
    assert (found.account, found.now, len(found.sessions), list(found.cycles)) == ("U1", NOW, 1, [])
    assert (found.bias_half_spreads, found.correlation, found.density_green, found.thesis_green) == (
        0.1,
        0.5,
        True,
        None,
    )
    assert found.records == log.read()
