from datetime import date
from types import SimpleNamespace
from typing import Any, cast

import polars as pl
import pytest
import sqlalchemy as sa

from hydra_agent.defs import demand
from hydra_agent.defs.demand import conclude_watch, demands_of, follow
from hydra_agent.defs.diagnosing import Finding, Shadow
from hydra_agent.defs.group_watch import Parts
from hydra_agent.diagnose.causes import Cause, CauseCode, Diagnosis
from hydra_agent.observe.signals import Family, Level, Signal, SignalReason
from hydra_agent.respond import respond
from hydra_assets.state.alerts import AlertSink
from hydra_assets.state.demands import post
from hydra_assets.state.journal import JournalKind, JournalQuery, search
from hydra_assets.state.system import Actor, Demand, SystemState
from hydra_assets.state.system_log import current_state, request_state
from hydra_assets.state.tables import alerts, system_state

R, D, H, L = SystemState


def finding(*codes: CauseCode, group: str = "sim") -> Finding:
    diagnosis = Diagnosis(tuple(Cause(code, 0.9, f"it is {code}") for code in codes))
    signal = Signal(Family.PERFORMANCE, "edge", "*", float("nan"), 4.0, Level.CRITICAL, SignalReason.EDGE_GONE)
    return Finding(
        group=group,
        session=date(2025, 6, 30),
        champion="version 1, logistic",
        stage="full",
        size_fraction=1.0,
        signals=(signal,) if codes else (),
        causes=diagnosis.causes,
        response=respond(diagnosis),
        exposure={"SIM_HE": 0.0},
        errors=None,
        shadow=Shadow("cash", 0.5, 2.0),
    )


def after(engine: sa.Engine, *states: SystemState) -> SystemState:
    follow(engine, AlertSink(engine), [Demand("agent.sim", state, str(state)) for state in states], "run")
    return current_state(engine)


def rows(engine: sa.Engine, table: sa.Table) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(sa.select(table).order_by(table.c.id)))


def said(engine: sa.Engine, state: SystemState, origin: str = "operator") -> None:
    assert request_state(engine, state, actor=Actor.PERSON, origin=origin, reason="test").after is state


def test_the_strictest_demand_holds_and_its_tightening_is_critical(state_engine: sa.Engine) -> None:
    assert after(state_engine, R) is R
    assert rows(state_engine, alerts) == []
    assert after(state_engine, D, H, R) is H
    (row,) = rows(state_engine, system_state)
    assert (row.origin, row.actor, row.previous, row.reason) == ("agent", "software", "RUNNING", "HALTED")
    (alert,) = rows(state_engine, alerts)
    assert (alert.level, alert.code, alert.run_id) == ("CRITICAL", "agent_demand", "run")
    assert after(state_engine, H) is H
    assert len(rows(state_engine, system_state)) == len(rows(state_engine, alerts)) == 1


def test_what_the_agent_tightened_it_loosens_without_an_alarm(state_engine: sa.Engine) -> None:
    after(state_engine, H)
    assert after(state_engine, D) is D
    assert after(state_engine, R) is R
    assert len(rows(state_engine, alerts)) == 1


@pytest.mark.parametrize("theirs", [D, H, L])
def test_what_somebody_else_tightened_stays(state_engine: sa.Engine, theirs: SystemState) -> None:
    said(state_engine, theirs)
    assert after(state_engine, R) is theirs
    assert after(state_engine) is theirs


def test_the_agent_goes_back_no_further_than_where_others_stood(state_engine: sa.Engine) -> None:
    said(state_engine, D, origin="data")
    assert after(state_engine, H) is H
    assert after(state_engine, R) is D
    assert after(state_engine, R) is D


def test_after_a_person_has_resumed_the_agent_may_tighten_and_loosen_again(state_engine: sa.Engine) -> None:
    after(state_engine, H)
    said(state_engine, R)
    assert after(state_engine, H) is H
    assert after(state_engine, R) is R


def test_what_others_demand_holds_beside_and_is_not_the_agent_s_alarm(state_engine: sa.Engine) -> None:
    post(state_engine, "execution", [Demand("breakers", H, "drawdown")])
    assert after(state_engine, D) is H
    assert rows(state_engine, alerts) == []
    (row,) = rows(state_engine, system_state)
    assert (row.origin, row.reason) == ("execution", "drawdown")
    post(state_engine, "execution", [])
    assert after(state_engine, D) is D
    assert rows(state_engine, alerts) == []


def test_demands_are_those_of_the_responses() -> None:
    found = [finding(), finding(CauseCode.STALE_SOURCE, group="a"), finding(CauseCode.EDGE_DECAY, group="b")]
    assert [(each.origin, each.state) for each in demands_of(found)] == [
        ("agent.sim", R),
        ("agent.a", D),
        ("agent.b", H),
    ]
    assert demands_of(found)[2].reason == "b: it is edge_decay"


def parts(engine: sa.Engine, later: int) -> Parts:
    rows = pl.DataFrame({"session": [date(2025, 7, 1)] * later})
    lake = SimpleNamespace(lake=SimpleNamespace(read=lambda *_, **__: rows))
    home = SimpleNamespace(markets={"SIM_HE": None}, config=SimpleNamespace(webhook_url=None))
    return cast("Parts", SimpleNamespace(home=home, lake=lake, database=SimpleNamespace(engine=engine)))


def test_a_watch_of_today_is_on_record_and_decides_the_state(
    state_engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demand, "findings", lambda *_: [finding(CauseCode.EDGE_DECAY)])
    verdict = conclude_watch(parts(state_engine, 0), date(2025, 6, 30), "run")
    assert verdict is not None
    assert (verdict.before, verdict.after) == (R, H)
    ((_, entry),) = search(state_engine, JournalQuery(kinds=(str(JournalKind.OBSERVATION),)))
    assert (entry.outcome, entry.tags, entry.subject) == ("CRITICAL", ("edge_gone",), "sim.2025-06-30")
    assert entry.facts["shadow"] == {"against": "cash", "e_for": 0.5, "e_against": 2.0}
    assert entry.facts["signals"][0]["statistic"] is None
    assert conclude_watch(parts(state_engine, 0), date(2025, 6, 30), "again") is None
    assert len(search(state_engine, JournalQuery())) == 1


def test_a_watch_of_the_past_changes_nothing(state_engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demand, "findings", lambda *_: [finding(CauseCode.EDGE_DECAY)])
    assert conclude_watch(parts(state_engine, 4), date(2025, 6, 30), "run") is None
    assert (current_state(state_engine), search(state_engine, JournalQuery())) == (R, [])
