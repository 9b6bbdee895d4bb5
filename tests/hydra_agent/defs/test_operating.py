from collections.abc import Mapping
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import polars as pl
import pytest
import sqlalchemy as sa

from hydra_agent.defs import operating
from hydra_agent.defs.asking import experiments
from hydra_agent.defs.demand import follow
from hydra_agent.defs.group_watch import Parts
from hydra_agent.defs.operating import OperatingError, answer, pause, resume, roll_back, set_autonomy
from hydra_agent.defs.operating_jobs import operating_jobs
from hydra_assets.defs.registry import RegistryResource
from hydra_assets.defs.resources import DatabaseResource, HomeResource, LakeResource
from hydra_assets.models.baseline import FittedBaseRate
from hydra_assets.models.recalibrated import AS_IT_IS
from hydra_assets.models.recipe import BOOSTED, FIRST_RECIPES, LOGISTIC
from hydra_assets.models.trained import TrainedModel
from hydra_assets.registry.champions import Cause, PromotionReason, Record, champions_of, crown
from hydra_assets.state.alerts import AlertSink
from hydra_assets.state.autonomy import AgentAction, AutonomyLevel
from hydra_assets.state.autonomy_log import ApprovalState, current_level, may, waiting
from hydra_assets.state.chain import EntryKind
from hydra_assets.state.content import record_partition_content
from hydra_assets.state.demands import post, settle
from hydra_assets.state.journal import JournalEntry, JournalKind, JournalQuery, search, write
from hydra_assets.state.promotions import stage_as_of, stages_of
from hydra_assets.state.system import Actor, Demand, SystemState
from hydra_assets.state.system_log import current_state, request_state
from hydra_assets.state.tables import system_state
from hydra_assets.state.trial_ledger import LedgerError, TrialLedger
from tests.support.registry import MemoryRegistry

R, D, H, L = SystemState
YES, NO = ApprovalState.APPROVED, ApprovalState.REJECTED
NEWEST = date(2025, 6, 30)


def demanded(state: SystemState) -> list[Demand]:
    return [Demand("agent.sim", state, "the edge is gone")]


def history(engine: sa.Engine) -> list[tuple[str, str, str]]:
    with engine.connect() as connection:
        rows = connection.execute(sa.select(system_state).order_by(system_state.c.id))
        return [(row.state, row.origin, row.reason) for row in rows]


def test_a_pause_is_a_person_s_even_where_the_agent_has_halted(state_engine: sa.Engine) -> None:
    sink = AlertSink(state_engine)
    follow(state_engine, sink, demanded(H), "run")
    pause(state_engine, "anna", "holiday")
    pause(state_engine, "anna", "again")
    assert history(state_engine)[1:] == [("HALTED", "operator", "anna: holiday")]
    assert follow(state_engine, sink, demanded(R), "run") is None
    assert current_state(state_engine) is H
    assert resume(state_engine, demanded(R), "anna", "back").after is R
    assert current_state(state_engine) is R


def test_no_word_ends_what_is_demanded(state_engine: sa.Engine) -> None:
    pause(state_engine, "anna", "")
    with pytest.raises(OperatingError, match=r"HALTED is demanded.*the edge is gone"):
        resume(state_engine, demanded(H), "anna", "")
    assert current_state(state_engine) is H
    resume(state_engine, demanded(R), "anna", "")
    with pytest.raises(OperatingError, match="nothing to resume"):
        resume(state_engine, demanded(R), "anna", "")


def test_a_resumption_leaves_what_the_agent_demands_to_the_agent(state_engine: sa.Engine) -> None:
    pause(state_engine, "anna", "")
    assert resume(state_engine, demanded(D), "anna", "back").after is D
    assert current_state(state_engine) is D
    follow(state_engine, AlertSink(state_engine), demanded(R), "run")
    assert current_state(state_engine) is R


def test_out_of_lockdown_the_way_leads_to_halted(state_engine: sa.Engine) -> None:
    request_state(state_engine, L, actor=Actor.SOFTWARE, origin="risk", reason="limit")
    with pytest.raises(OperatingError, match="LOCKDOWN"):
        pause(state_engine, "anna", "")
    assert resume(state_engine, demanded(R), "anna", "").after is H
    assert current_state(state_engine) is H
    assert resume(state_engine, demanded(R), "anna", "").after is R


def test_an_answer_is_given_once_and_says_what_goes_on(state_engine: sa.Engine) -> None:
    key = "sim.2025-06-30.0a1b2c3d4e"
    assert not may(state_engine, AgentAction.PROMOTE, "sim", key, "it passed")
    found = answer(state_engine, key, YES, "anna", "looks right")
    assert found.next == operating.Goes("promotion_job", {"dagster/partition": "sim|2025-06-30"})
    assert may(state_engine, AgentAction.PROMOTE, "sim", key, "")
    ((_, entry),) = search(state_engine, JournalQuery(kinds=(str(JournalKind.OPERATOR),)))
    assert (entry.session, entry.outcome, entry.message) == (NEWEST, "approved", "anna approved promote: looks right")
    with pytest.raises(OperatingError, match=r"nothing waits for an answer. Nobody is promoted past the gates"):
        answer(state_engine, key, YES, "anna", "")


def test_a_rejection_leads_nowhere(state_engine: sa.Engine) -> None:
    may(state_engine, AgentAction.EXPERIMENT, "sim", "sim.2025-06-30", "edge")
    assert answer(state_engine, "sim.2025-06-30", NO, "anna", "").next is None
    assert not may(state_engine, AgentAction.EXPERIMENT, "sim", "sim.2025-06-30", "")
    assert waiting(state_engine) == []


def test_of_several_requests_of_one_subject_one_has_to_be_named(state_engine: sa.Engine) -> None:
    for action in (AgentAction.EXPERIMENT, AgentAction.ROLL_BACK):
        may(state_engine, action, "sim", "sim.2025-06-30", "")
    with pytest.raises(OperatingError, match="--action: experiment, roll_back"):
        answer(state_engine, "sim.2025-06-30", YES, "anna", "")
    found = answer(state_engine, "sim.2025-06-30", YES, "anna", "", "experiment")
    tags = {"dagster/partition": "sim|2025-06-30", "hydra/heal": "approved"}
    assert found.next == operating.Goes("hypotheses_job", tags)
    record = {
        "dataset": "diagnosis",
        "market": "SIM_HE",
        "run_id": "r",
        "sha256": "",
        "reason": None,
        "code_version": "1",
    }
    days = [date(2025, 7, 1), date(2025, 7, 2)]
    rows = [record | {"session": day, "row_count": 4, "delta_version": 1} for day in days]
    record_partition_content(state_engine, pl.DataFrame(rows))
    found = answer(state_engine, "sim.2025-06-30", YES, "anna", "")
    assert found.next is not None
    # What was asked on Monday and answered on Wednesday takes effect after Wednesday.
    assert found.next.job == "watch_job"
    assert set(found.next.tags.values()) == {"sim|2025-07-02"}


def test_what_nobody_asked_for_is_refused_with_what_waits(state_engine: sa.Engine) -> None:
    may(state_engine, AgentAction.PROMOTE, "sim", "sim.2025-06-30.0a1b2c3d4e", "")
    with pytest.raises(OperatingError, match=r"what waits: promote sim.2025-06-30.0a1b2c3d4e"):
        answer(state_engine, "sim.2025-06-30.ffffffffff", YES, "anna", "")


def test_autonomy_is_set_by_name(state_engine: sa.Engine) -> None:
    assert set_autonomy(state_engine, "semi_auto", "anna", "try") == (AutonomyLevel.SUPERVISED, AutonomyLevel.SEMI_AUTO)
    assert current_level(state_engine) is AutonomyLevel.SEMI_AUTO
    with pytest.raises(OperatingError, match="OBSERVE_ONLY, SUPERVISED"):
        set_autonomy(state_engine, "full", "anna", "")


@pytest.fixture
def throne(state_engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parts:
    """A group whose logistic champion was followed by boosted trees on a quarter of their size."""
    registry = MemoryRegistry()
    for name, day, size in ((LOGISTIC, date(2025, 1, 1), 1.0), (BOOSTED, date(2025, 3, 1), 0.25)):
        recipe, rate = FIRST_RECIPES[name], FittedBaseRate(FIRST_RECIPES[name].features, {}, 0.5)
        model = TrainedModel(name, recipe, day, "snapshot", 500, rate, AS_IT_IS, 0.5, False)
        crown(state_engine, registry, "sim", model, Record(), Cause("experiment", "", day, size))
    monkeypatch.setattr(operating, "newest_session", lambda history: NEWEST)
    found = SimpleNamespace(
        home=SimpleNamespace(root=tmp_path),
        database=SimpleNamespace(engine=state_engine),
        registry=SimpleNamespace(registry=registry),
        champions=lambda group: champions_of(state_engine, registry, group),
        history=lambda group, last: None,
    )
    return cast("Parts", found)


def test_a_person_takes_back_to_the_predecessor_at_full_size(throne: Parts, state_engine: sa.Engine) -> None:
    found = roll_back(throne, "sim", None, "anna", "I do not trust it")
    assert (found.version, found.to_version, found.decides_as, found.effective_after) == (2, 1, 1, NEWEST)
    newest = throne.champions("sim")[-1]
    assert (newest.version, newest.reason, newest.after) == (1, PromotionReason.BY_A_PERSON, NEWEST)
    stage = stage_as_of(stages_of(state_engine, "sim"), date.max)
    assert stage is not None
    assert (stage.size_fraction, stage.effective_after) == (1.0, NEWEST)
    assert cast("Any", throne.registry.registry).aliases == {"sim": 1}
    (entry,) = TrialLedger(state_engine, throne.home.root).verified("sim")
    assert (entry.kind, entry.facts["actor"]) == (EntryKind.ROLLBACK, "anna")
    ((_, written),) = search(state_engine, JournalQuery(kinds=(str(JournalKind.ROLLBACK),)))
    assert "I do not trust it" in written.message


def test_who_cannot_be_gone_back_to_is_refused(throne: Parts) -> None:
    for to, words in ((7, "never had a champion of version 7; it had 1, 2"), (2, "is the champion already")):
        with pytest.raises(OperatingError, match=words):
            roll_back(throne, "sim", to, "anna", "")
    with pytest.raises(OperatingError, match="has no champion"):
        roll_back(throne, "nobody", None, "anna", "")
    assert [champion.version for champion in throne.champions("sim")] == [1, 2]


def test_a_touched_ledger_stops_a_rollback(throne: Parts, state_engine: sa.Engine) -> None:
    TrialLedger(state_engine, throne.home.root).append(EntryKind.TRIAL, "sim", "x", {})
    with state_engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE hydra.trial_ledger DISABLE TRIGGER append_only"))
        connection.execute(sa.text("UPDATE hydra.trial_ledger SET body = 'x'"))
    with pytest.raises(LedgerError, match="touched"):
        roll_back(throne, "sim", None, "anna", "")
    assert [champion.version for champion in throne.champions("sim")] == [1, 2]


def test_experiments_are_told_with_the_gate_that_decided(throne: Parts, state_engine: sa.Engine) -> None:
    ledger = TrialLedger(state_engine, throne.home.root)
    gates = [
        {"gate": "gate_1", "status": "passed", "reason": "ok"},
        {"gate": "gate_3", "status": "failed", "reason": "not_superior"},
        {"gate": "gate_5", "status": "failed", "reason": "deflated"},
    ]
    told = {"stopped": (gates, None), "holdout": (gates[:1], "not_better"), "promote": (gates[:1], "passed")}
    for name, (found, holdout) in told.items():
        write(
            state_engine, JournalEntry(JournalKind.PROPOSAL, "sim", NEWEST, name, head="technical", mutation="belief")
        )
        ledger.append(EntryKind.VERDICT, "sim", name, {"code": name, "gates": found, "holdout": holdout})
    write(state_engine, JournalEntry(JournalKind.PROPOSAL, "sim", NEWEST, "waits", message="try it"))
    rows = experiments(throne, "sim", 10)
    assert [(row.key, row.verdict, row.gate) for row in rows] == [
        ("waits", "planned", ""),
        ("promote", "promote", ""),
        ("holdout", "holdout", "holdout: not_better"),
        ("stopped", "stopped", "gate_3: not_superior"),
    ]
    assert [row.key for row in experiments(throne, None, 1)] == ["waits"]
    assert experiments(throne, "other", 5) == []


def test_each_is_a_job_with_run_config(database_url: str, state_engine: sa.Engine, tmp_path: Path) -> None:
    resources = {
        "home": HomeResource(path=str(tmp_path)),
        "lake": LakeResource(uri=str(tmp_path)),
        "database": DatabaseResource(url=database_url),
        "registry": RegistryResource(uri=""),
    }
    jobs = {job.name: job for job in operating_jobs()}
    assert set(jobs) == {
        f"{name}_job"
        for name in (
            "diagnose",
            "answer",
            "rollback",
            "sandbox_replay",
            "sandbox_stress",
            "pause",
            "resume",
            "autonomy",
        )
    }

    def run(name: str, op: str, config: Mapping[str, object], *, fail: bool = True) -> bool:
        run_config = {"ops": {op: {"config": dict(config)}}}
        done = jobs[name].execute_in_process(run_config=run_config, resources=resources, raise_on_error=fail)
        return done.success

    assert run("pause_job", "pause_trading", {"reason": "holiday"})
    assert history(state_engine) == [("HALTED", "operator", "a person in Dagster: holiday")]
    assert run("autonomy_job", "set_autonomy_level", {"level": "OBSERVE_ONLY", "reason": "try"})
    assert current_level(state_engine) is AutonomyLevel.OBSERVE_ONLY
    assert not may(state_engine, AgentAction.ROLL_BACK, "sim", "sim.2025-06-30", "worse")
    answers = {"subject": "sim.2025-06-30", "approve": True}
    assert run("answer_job", "answer_approval", answers)
    # The second time nothing waits: a run that was repeated fails and does nothing.
    assert not run("answer_job", "answer_approval", answers, fail=False)


def test_a_resumption_looks_at_the_demands_of_all(state_engine: sa.Engine) -> None:
    pause(state_engine, "anna", "")
    post(state_engine, "execution", [Demand("breakers", H, "drawdown")])
    with pytest.raises(OperatingError, match=r"HALTED is demanded.*drawdown"):
        resume(state_engine, demanded(R), "anna", "")
    post(state_engine, "execution", [Demand("breakers", D, "one market rests")])
    assert resume(state_engine, demanded(R), "anna", "back").after is D
    assert history(state_engine)[-1] == ("DEGRADED", "execution", "one market rests")
    post(state_engine, "execution", [])
    settle(state_engine)
    assert current_state(state_engine) is R


def test_a_lockdown_that_is_demanded_is_not_left(state_engine: sa.Engine) -> None:
    post(state_engine, "execution", [Demand("breakers", L, "the account is gone")])
    settle(state_engine)
    with pytest.raises(OperatingError, match=r"LOCKDOWN is demanded.*the account is gone"):
        resume(state_engine, demanded(R), "anna", "")
    post(state_engine, "execution", [])
    assert resume(state_engine, demanded(R), "anna", "").after is H
