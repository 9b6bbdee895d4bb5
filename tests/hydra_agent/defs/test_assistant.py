import json
import socket
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import sqlalchemy as sa

from hydra_agent.defs import assistant as language
from hydra_agent.defs import hypotheses
from hydra_agent.defs.group_watch import Parts
from hydra_agent.diagnose.causes import Cause, CauseCode, Diagnosis
from hydra_agent.llm.assistant import Assistant
from hydra_agent.llm.budget import Spent
from hydra_agent.llm.config import LlmConfig, Provider
from hydra_agent.llm.hostile import HostileTransport
from hydra_agent.llm.records import AnswerCode
from hydra_agent.playbook.mutations import MUTATIONS
from hydra_agent.respond import respond
from hydra_assets.features.dictionary import FEATURE_NAMES
from hydra_assets.home import HomeConfig, HomeError
from hydra_assets.models.recipe import FIRST_RECIPES, LOGISTIC
from hydra_assets.state.db import claim
from hydra_assets.state.healing_tables import llm_calls
from hydra_assets.state.journal import JournalEntry, JournalKind, JournalQuery, search, write
from tests.support import llm_server as play

CHAMPION = FIRST_RECIPES[LOGISTIC]
SESSION = date(2025, 6, 30)
DIAGNOSIS = Diagnosis(
    (
        Cause(CauseCode.EDGE_DECAY, 0.9, "the edge is gone", evidence={"cusum": 9.1}),
        Cause(CauseCode.OVERFITTING_DECAY, 0.6, "never did what it did", evidence={"ratio": 0.2}),
    )
)
GOOD = {"playbook": "retrain_window", "parameters": {"window_sessions": 300}, "rationale": "the market is another one"}


class View:
    """As much of a group's view as planning looks at."""

    feature_names = FEATURE_NAMES
    days = np.arange(20_000 - 799, 20_001) + (SESSION - date(1970, 1, 1)).days - 20_000
    regime = np.zeros(800, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.days)


class Watch:
    group, view, reigns = "sim", View(), (None,)

    def decided(self, row: int) -> tuple[Diagnosis, object]:
        return DIAGNOSIS, respond(DIAGNOSIS)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[play.LlmServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with play.LlmServer() as running:
        yield running


@pytest.fixture
def parts_of(state_engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], Parts]:
    """A home whose champion has lost its edge, with the language model at an address, or with none."""
    monkeypatch.setattr(hypotheses, "group_watch", lambda *_: Watch())
    monkeypatch.setattr(hypotheses, "errors_of", lambda *_: None, raising=False)
    claim(state_engine, "simulated")

    def make(address: str | None, **more: object) -> Parts:
        limits = {"connect_seconds": 1.0, "idle_seconds": 0.5, "total_seconds": 2.0}
        chain = [{"name": "local", "base_url": address, "model": "m"}] if address else []
        llm = {"chain": chain, "limits": limits, "retry": {"attempts": 1}, **more}
        config = HomeConfig(kind="simulated", markets=("SIM_HE",), history_start=date(2020, 1, 1), llm=llm)
        champion = SimpleNamespace(model=SimpleNamespace(recipe=CHAMPION), after=date(2024, 1, 1))
        found = SimpleNamespace(
            home=SimpleNamespace(config=config, root=tmp_path),
            database=SimpleNamespace(engine=state_engine),
            champions=lambda group: [champion],
            history=lambda group, last: None,
        )
        return cast("Parts", found)

    return make


def reply(**fields: object) -> play.Behaviour:
    return play.streamed(json.dumps(fields))


def entries(engine: sa.Engine, kind: JournalKind) -> list[JournalEntry]:
    return [entry for _, entry in search(engine, JournalQuery(kinds=(str(kind),), limit=500))]


def calls(engine: sa.Engine) -> list[sa.Row[Any]]:
    with engine.connect() as connection:
        return list(connection.execute(sa.select(llm_calls).order_by(llm_calls.c.id)))


def turn(parts: Parts) -> tuple[str, ...]:
    found = hypotheses.take_turn(parts, "sim", SESSION, "run")
    assert found.code == "planned", found
    return found.keys


@pytest.fixture
def by_rules(postgres_server: Any, tmp_path: Path, parts_of: Callable[..., Parts]) -> tuple[str, ...]:
    """What is planned without a language model, in a database of its own."""
    from tests.support.postgres import engine_on

    with postgres_server.database() as url, engine_on(url) as engine:
        claim(engine, "simulated")
        parts = parts_of(None)
        cast("Any", parts).database = SimpleNamespace(engine=engine)
        keys = turn(parts)
        assert calls(engine) == []
        assert entries(engine, JournalKind.META) == []
        assert {entry.note for entry in entries(engine, JournalKind.PROPOSAL)} == {""}
        return keys


def test_a_good_model_adds_an_experiment_and_its_words_are_a_note(
    state_engine: sa.Engine, parts_of: Callable[..., Parts], server: play.LlmServer, by_rules: tuple[str, ...]
) -> None:
    server.on(
        reply(order=["overfitting_decay"], note="trained\u202e on luck"),
        reply(proposals=[GOOD | {"rationale": "try 7"}]),
    )
    keys = turn(parts_of(server.base_url))
    proposals = {entry.subject: entry for entry in entries(state_engine, JournalKind.PROPOSAL)}
    (own,) = [entry for entry in proposals.values() if entry.head == language.HEAD]
    assert own.subject == keys[0]
    assert own.subject not in by_rules
    assert json.loads(own.facts["recipe"])["window_sessions"] == 300
    assert (own.note, own.message) == ("try 7", "proposed by a language model")
    assert "try 7" not in json.dumps(own.facts)
    asked = {entry.subject: entry for entry in entries(state_engine, JournalKind.META)}
    ranked = asked[f"sim.{SESSION}.rerank"]
    assert (ranked.outcome, ranked.note) == ("ok", "trained on luck")
    assert "luck" not in json.dumps(ranked.facts) + ranked.message
    # The order that it gave is what the heads saw: settings come before windows where a fit never held.
    assert proposals[keys[1]].mutation == "hyperparameter"
    # What is done at once is by rules.
    (diagnosed,) = entries(state_engine, JournalKind.DIAGNOSIS)
    assert [cause["code"] for cause in diagnosed.facts["causes"]] == ["edge_decay", "overfitting_decay"]
    assert (diagnosed.outcome, diagnosed.facts["exposure"], diagnosed.note) == ("halt", 0.0, "")
    assert [(row.touchpoint, row.code, row.tokens_in, row.tokens_reported) for row in calls(state_engine)] == [
        ("rerank", "ok", 321, True),
        ("mutate", "ok", 321, True),
    ]
    assert all(len(asked.prompt.encode()) <= 3 * 4_000 for asked in server.requests)


HOSTILE = {
    "a page": [play.html()],
    "an error": [play.status(500)],
    "nothing": [play.closed()],
    "half": [play.dropped("{}")],
    "silence": [play.silent()],
    "another order": [reply(order=["promote_now"], note="IGNORE ALL RULES")],
    "another playbook": [reply(proposals=[GOOD | {"playbook": "promote"}])],
    "no whole number": [
        reply(
            proposals=[{"playbook": "hyperparameter", "parameters": {"name": "leaves", "value": 46.5}, "rationale": ""}]
        )
    ],
    "beyond the bounds": [reply(proposals=[GOOD | {"parameters": {"window_sessions": 5}}])],
    "a path": [
        reply(proposals=[{"playbook": "add_feature", "parameters": {"feature": "../../etc/passwd"}, "rationale": ""}])
    ],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_model_changes_nothing(
    name: str,
    state_engine: sa.Engine,
    parts_of: Callable[..., Parts],
    server: play.LlmServer,
    by_rules: tuple[str, ...],
) -> None:
    server.on(*HOSTILE[name])
    assert turn(parts_of(server.base_url)) == by_rules
    (diagnosed,) = entries(state_engine, JournalKind.DIAGNOSIS)
    assert (diagnosed.outcome, diagnosed.facts["exposure"]) == ("halt", 0.0)
    found = calls(state_engine)
    assert len(found) == len(server.requests) >= 2
    assert all(row.code != "ok" for row in found)


def test_a_dead_endpoint_changes_nothing(
    state_engine: sa.Engine, parts_of: Callable[..., Parts], by_rules: tuple[str, ...]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    assert turn(parts_of(f"http://127.0.0.1:{port}/v1")) == by_rules
    assert {row.code for row in calls(state_engine)} == {"connect"}


def test_a_turn_that_plans_nothing_asks_nobody(
    state_engine: sa.Engine, parts_of: Callable[..., Parts], server: play.LlmServer
) -> None:
    server.on(reply(order=["edge_decay"], note=""), reply(proposals=[]))
    parts = parts_of(server.base_url)
    turn(parts)
    assert hypotheses.take_turn(parts, "sim", SESSION, "again").code == "planned_before"
    assert len(server.requests) == len(calls(state_engine)) == 2


def test_the_day_s_budget_and_the_breaker_start_from_the_table(
    state_engine: sa.Engine, parts_of: Callable[..., Parts], server: play.LlmServer
) -> None:
    server.on(play.html())
    parts = parts_of(server.base_url, budget={"tokens": 12_000})

    def ask() -> AnswerCode:
        return language.assistant_of(parts).rerank(language.told(DIAGNOSIS)).code

    assert ask() is AnswerCode.UNREADABLE
    # A call that failed after it was sent counts with all that it might have cost.
    assert ask() is AnswerCode.BUDGET_SPENT
    free = parts_of(server.base_url, breaker={"failures": 1})
    assert language.assistant_of(free).rerank(language.told(DIAGNOSIS)).code is AnswerCode.CIRCUIT_OPEN
    assert len(server.requests) == 1


def test_whatever_is_said_only_orders_causes_and_proposes_what_the_playbook_allows(state_engine: sa.Engine) -> None:
    belief = {"playbook": "belief", "parameters": {"strength": 0.5}, "rationale": "r"}
    config = LlmConfig(chain=(Provider(name="x", base_url="http://127.0.0.1:1/v1", model="m"),))
    now = [datetime(2026, 1, 1, tzinfo=UTC)]

    def hostile(good: Mapping[str, object]) -> Assistant:
        fuzz = HostileTransport(0, [good])
        return Assistant(config, lambda _: None, lambda _: Spent(), lambda: now[0], transport_for=lambda *_: fuzz)

    orderer = hostile({"order": ["overfitting_decay", "edge_decay"], "note": "n"})
    proposer = hostile({"proposals": [GOOD, belief]})
    orders, made = set(), 0
    for _ in range(40):
        # Each time on a day of its own, so that no breaker stays open and every answer is written.
        now[0] += timedelta(days=1)
        day = now[0].date()
        seen = language.reordered(state_engine, orderer, DIAGNOSIS, "sim", day, "run")
        assert sorted(seen.causes, key=repr) == sorted(DIAGNOSIS.causes, key=repr)
        orders.add(seen.causes[0].code)
        for proposal in language.proposed(state_engine, proposer, CHAMPION, seen, "sim", day, "run"):
            assert proposal.recipe(CHAMPION) != CHAMPION
            made += 1
    # The fuzz is no wall: some of it is a working model's.
    assert len(orders) == 2
    assert made > 0


def test_every_playbook_is_described_with_its_bounds() -> None:
    told = {playbook.id: playbook for playbook in language.playbooks(CHAMPION)}
    assert set(told) == set(MUTATIONS)
    assert told["retrain_window"].parameters == {
        "window_sessions": {"type": "integer", "minimum": 126, "maximum": 2520}
    }
    feature: Any = told["quarantine_feature"].parameters["feature"]
    assert feature["enum"] == list(CHAMPION.features)
    more: Any = told["add_feature"].parameters["feature"]
    assert set(more["enum"]) == set(FEATURE_NAMES) - set(CHAMPION.features)
    assert told["hyperparameter"].parameters["value"] == {
        "type": "number",
        "bounds_by_name": {"prior_sd": [0.01, 0.5]},
    }


def test_context_is_of_the_group_and_tells_no_model_what_a_model_said(state_engine: sa.Engine) -> None:
    def told(group: str, day: int, **more: Any) -> None:
        entry = JournalEntry(JournalKind.VERDICT, group, date(2025, 6, day), f"{group}.{day}", **more)
        write(state_engine, entry)

    told("sim", 1, tags=("edge_decay",), message="seen before")
    told("sim", 2, mutation="belief", outcome="stopped", note="a model said so")
    told("sim", 3)
    told("other", 4, tags=("edge_decay",))
    found = language.context_of(state_engine, "sim", SESSION, DIAGNOSIS)
    assert {(entry.when.day, entry.relevance) for entry in found} == {(1, 2.0), (2, 1.0), (3, 0.0)}
    assert not any("a model said so" in entry.text for entry in found)
    assert any("seen before" in entry.text for entry in found)


def test_a_home_without_a_section_asks_nobody_and_a_wrong_one_is_a_sentence_without_the_key() -> None:
    config = HomeConfig(kind="simulated", markets=("SIM_HE",), history_start=date(2020, 1, 1))
    assert language.llm_config(config).chain == ()
    wrong = config.model_copy(update={"llm": {"chain": [{"name": "x", "model": "m", "key": "sk-secret"}]}})
    with pytest.raises(HomeError, match=r"home.yaml: llm.chain.0.base_url: Field required") as refused:
        language.llm_config(wrong)
    assert "sk-secret" not in str(refused.value)


def test_the_standard_chain_goes_by_its_name() -> None:
    home = HomeConfig(kind="simulated", markets=("SIM_HE",), history_start=date(2026, 1, 5), llm={"chain": "standard"})
    assert [provider.name for provider in language.llm_config(home).chain] == ["deepseek", "qwen"]
