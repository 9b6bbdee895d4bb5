"""The commands of the healing loop in a home that has computed nothing yet: help, answers, refusals, JSON."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa

from hydra_assets import clock
from hydra_assets.home import HomeConfig, write_home
from hydra_assets.state.autonomy import AgentAction, AutonomyLevel
from hydra_assets.state.autonomy_log import current_level, may, set_level
from hydra_assets.state.journal import JournalEntry, JournalKind, write
from hydra_assets.state.llm_log import LlmCall, record_call
from hydra_assets.state.system import SystemState
from hydra_assets.state.system_log import current_state
from hydra_console.bootstrap.environment import Environment
from tests.support.command import Hydra
from tests.support.postgres import engine_on

COMMANDS = {
    ("diagnose",): "nothing is written",
    ("experiments",): "the gate that decided",
    ("journal",): "plain words",
    ("promote",): "past the gates",
    ("reject",): "not asked for again",
    ("rollback",): "--reason",
    ("pause",): "hydra resume",
    ("resume",): "LOCKDOWN",
    ("autonomy",): "OBSERVE_ONLY",
    ("sandbox", "replay"): "seal",
    ("sandbox", "stress"): "flash_crash",
}


@pytest.fixture
def engine(home_environment: Environment) -> Iterator[sa.Engine]:
    """The database of the bootstrapped home of this test process, as a simulated home of two markets."""
    config = HomeConfig(kind="simulated", markets=("SIM_HE", "SIM_ZO"), history_start=date(2025, 12, 1))
    write_home(home_environment.home, config)
    with engine_on(home_environment.url) as found:
        yield found
        set_level(found, AutonomyLevel.AUTONOMOUS, "test", "as it was")
    (home_environment.home / "home.yaml").unlink()


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_teaches_without_a_home(words: tuple[str, ...], hydra: Hydra, tmp_path: Path) -> None:
    code, out, _ = hydra(*words, "--help")
    assert code == 0
    assert COMMANDS[words] in " ".join(out.split())


@pytest.mark.parametrize("words", [w for w in COMMANDS if w not in {("rollback",), ("pause",), ("resume",)}])
def test_without_a_home_a_sentence_says_what_to_run(
    words: tuple[str, ...], hydra: Hydra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYDRA_HOME", str(tmp_path / "none"))
    code, out, err = hydra(*words)
    assert (code, out) == (1, "")
    assert "is no home yet: run `hydra cycle`" in err


def test_where_nothing_was_computed_it_is_said(hydra: Hydra, engine: sa.Engine) -> None:
    assert "nothing was computed yet" in hydra("diagnose")[2]
    assert hydra("diagnose", "--json")[1].strip() == "[]"
    assert "no experiment yet" in hydra("experiments")[1]
    code, _, err = hydra("sandbox", "replay")
    assert (code, err) == (1, "hydra: sim has no champion; name a candidate with --candidate\n")
    code, _, err = hydra("rollback", "--reason", "r")
    assert (code, err) == (1, "hydra: sim has no champion: there is nothing to take back\n")
    status = json.loads(hydra("status", "--json")[1])["healing"]
    assert status["groups"] == [{"group": "sim", "session": None}]
    assert status["llm"] is None
    assert status["ledger"]["intact"]
    assert "health        sim: not watched yet" in hydra("status")[1]


def test_trading_that_has_not_begun_is_said(hydra: Hydra, engine: sa.Engine) -> None:
    out = hydra("status")[1]
    for line in (
        "trading       simulated broker, account SIM, paper, switched on; not traded yet",
        "positions     none; equity 1,000,000.00",
        "intents       0 orders open, 0 tickets at the broker",
        "breakers      all active",
        "connection    none was made yet",
    ):
        assert line in out
    found = json.loads(hydra("paper-trade", "status", "--json")[1])
    assert (found["positions"], found["last_session"], found["last_reconciliation"]) == ([], None, None)
    shown = hydra("paper-trade", "status")[1]
    assert "SIMULATED - simulated prices, no real orders, no real fills" in shown
    assert "switch          on (nobody has said otherwise)" in shown
    assert "SIM_HE did not trade on 2025-12-06" in hydra("why", "SIM_HE", "2025-12-06")[2]


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (("diagnose", "-g", "hogs"), "there is no group hogs; there are sim"),
        (("journal", "--kind", "gossip"), "there is no kind gossip; there are observation"),
        (("journal", "--from", "yesterday"), "--from 'yesterday' is no date"),
        (("sandbox", "replay", "-c", "../../etc"), "'../../etc' is no experiment"),
        (("sandbox", "replay", "-c", "sim.2025-06-30.0a1b2c3d4e"), "nobody has planned sim.2025-06-30.0a1b2c3d4e"),
        (("sandbox", "stress", "-s", "flood"), "there is no scenario flood"),
        (("promote", "sim.2025-06-30.0a1b2c3d4e"), "Nobody is promoted past the gates"),
        (("autonomy", "AUTONOMOUS"), "say why with --reason"),
        (("autonomy", "full", "-r", "x"), "there is no level full; there are OBSERVE_ONLY"),
    ],
)
def test_refusals_are_a_sentence(words: tuple[str, ...], refusal: str, hydra: Hydra, engine: sa.Engine) -> None:
    code, out, err = hydra(*words)
    assert (code, out) == (1, "")
    assert refusal in err
    assert err.count("\n") == 1


def test_what_waits_is_listed_answered_and_continued(hydra: Hydra, engine: sa.Engine) -> None:
    assert hydra("autonomy", "supervised", "-r", "by hand")[1] == "autonomy is SUPERVISED (it was AUTONOMOUS)\n"
    key = "sim.2025-06-30.0a1b2c3d4e"
    assert not may(engine, AgentAction.PROMOTE, "sim", key, "it passed all gates")
    assert key in hydra("promote")[1]
    (row,) = json.loads(hydra("promote", "--json")[1])
    assert (row["subject"], row["action"], row["state"]) == (key, "promote", "waiting")
    assert f"waiting       promote {key}" in hydra("status")[1]
    code, out, _ = hydra("promote", key, "-r", "looks right")
    assert code == 0
    assert '-j promotion_job --tags \'{"dagster/partition": "sim|2025-06-30"}\'' in " ".join(out.split())
    assert may(engine, AgentAction.PROMOTE, "sim", key, "")
    assert not may(engine, AgentAction.EXPERIMENT, "sim", "sim.2025-06-30", "the edge is gone")
    assert "the champion stays" in hydra("reject", "sim.2025-06-30")[1]
    assert not may(engine, AgentAction.ROLL_BACK, "sim", "sim.2025-06-30", "worse in use")
    found = json.loads(hydra("promote", "sim.2025-06-30", "--json")[1])
    assert (found["state"], found["next"]["job"]) == ("approved", "watch_job")
    assert "nothing waits" in hydra("promote")[1]


def test_what_the_language_model_may_still_cost_is_said(
    hydra: Hydra, engine: sa.Engine, home_environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOME_KEY", raising=False)
    chain = [
        {"name": "local", "base_url": "http://127.0.0.1:8080/v1", "model": "m"},
        {"name": "far", "base_url": "https://example.org/v1", "model": "m", "key_variable": "SOME_KEY"},
    ]
    config = HomeConfig(kind="simulated", markets=("SIM_HE",), history_start=date(2025, 12, 1))
    llm = {"chain": chain, "budget": {"tokens": 1000, "money": 0.5}}
    write_home(home_environment.home, config.model_copy(update={"llm": llm}))
    spent = LlmCall(clock.now(), "filter", "local", "m", "", "", "", "ok", "", 100, 50, True, 0.125, 1.0, 1)
    record_call(engine, spent)
    assert "language      local, far (no key): 850 tokens and 0.38 of money left today" in hydra("status")[1]
    found = json.loads(hydra("status", "--json")[1])["healing"]["llm"]
    assert found == {"chain": ["local", "far"], "without_key": ["far"], "tokens_left": 850, "money_left": 0.375}
    write_home(home_environment.home, config.model_copy(update={"llm": {"chain": [{"name": "x", "api_key": "sk-1"}]}}))
    code, _, err = hydra("status")
    assert code == 1
    assert "home.yaml: llm.chain.0.base_url: Field required" in err
    assert "sk-1" not in err


def test_the_grid_is_shown_with_the_level_that_holds(hydra: Hydra, engine: sa.Engine) -> None:
    found = json.loads(hydra("autonomy", "semi_auto", "-r", "x", "--json")[1])
    assert found["level"] == current_level(engine) == "SEMI_AUTO"
    assert (found["grid"]["SEMI_AUTO"]["promote"], found["grid"]["SEMI_AUTO"]["experiment"]) == ("ask", "free")
    assert "SEMI_AUTO (now)" in hydra("autonomy")[1]


def test_a_pause_holds_until_a_person_resumes(hydra: Hydra, engine: sa.Engine) -> None:
    assert hydra("pause", "-r", "holiday")[1] == "the system is HALTED (it was RUNNING)\n"
    assert "it was so already" in hydra("pause", "-r", "again")[1]
    assert current_state(engine) is SystemState.HALTED
    assert hydra("resume", "-r", "back")[1] == "the system is RUNNING (it was HALTED)\n"
    assert json.loads(hydra("pause", "-r", "x", "--json")[1]) == {"before": "RUNNING", "after": "HALTED"}
    assert json.loads(hydra("resume", "-r", "x", "--json")[1]) == {"before": "HALTED", "after": "RUNNING"}
    code, _, err = hydra("resume", "-r", "back")
    assert (code, err) == (1, "hydra: the system is RUNNING; there is nothing to resume\n")


def test_the_journal_is_searched_by_options_and_in_words(hydra: Hydra, engine: sa.Engine) -> None:
    march, may_ = date(2025, 3, 14), date(2025, 5, 2)
    for day, outcome in ((march, "stopped"), (may_, "stopped"), (may_, "promote")):
        write(
            engine,
            JournalEntry(
                JournalKind.VERDICT,
                "sim",
                day,
                f"words.{day}.{outcome}",
                head="technical",
                outcome=outcome,
                message="[bold]as it is[/bold]",
                note="a model said so",
            ),
        )

    def subjects(*words: str) -> list[str]:
        return [row["subject"] for row in json.loads(hydra("journal", *words, "--json")[1])]

    assert subjects("--text", "words.", "--outcome", "promote") == [f"words.{may_}.promote"]
    assert subjects("--from", "2025-03-01", "--to", "2025-03-31", "--kind", "verdict") == [f"words.{march}.stopped"]
    assert subjects("experiments that failed in march 2025") == [f"words.{march}.stopped"]
    assert subjects("--text", "words.", "-n", "2") == [f"words.{may_}.promote", f"words.{may_}.stopped"]
    # An option wins over what the question said.
    assert subjects("experiments that failed in march 2025", "--to", "2025-05-31") == [
        f"words.{may_}.stopped",
        f"words.{march}.stopped",
    ]
    _, out, err = hydra("journal", "experiments that failed in march 2025 purple")
    assert "read by rules as kinds=verdict" in err
    assert "not understood: purple" in err
    words = " ".join(out.replace("│", " ").split())
    assert "[bold]as it is[/bold] [note: a model said so]" in words
