"""Promotion, confirmation, retirement and rollback die at every boundary of their side effects; a re-run finishes.

Real PostgreSQL, ledger with its anchor, a registry in memory. What is asserted after each death: one champion at most,
an alias that names the champion of the record or the one before it, an intact ledger. After the re-run: the work is
done exactly once.
"""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import sqlalchemy as sa

from hydra_agent.defs import promoting, succession
from hydra_agent.defs.group_watch import Parts
from hydra_agent.past import VerdictCode
from hydra_agent.shadow import Step
from hydra_agent.watch import GroupWatch
from hydra_assets.models.baseline import FittedBaseRate
from hydra_assets.models.recalibrated import AS_IT_IS
from hydra_assets.models.recipe import Recipe
from hydra_assets.models.trained import TrainedModel
from hydra_assets.registry import champions as champions_module
from hydra_assets.registry.champions import Cause, Champion, Record, champions_of, crown
from hydra_assets.state.autonomy import AutonomyLevel
from hydra_assets.state.autonomy_log import set_level
from hydra_assets.state.chain import EntryKind
from hydra_assets.state.healing_tables import journal, trial_ledger
from hydra_assets.state.journal import JournalQuery, search
from hydra_assets.state.promotions import current_champion, stages_of
from hydra_assets.state.records import StageKind
from hydra_assets.state.tables import champion_stages, promotions
from hydra_assets.state.trial_ledger import LedgerError, TrialLedger
from hydra_assets.stats.eprocess import ECode
from tests.support.crashes import KilledError, dying
from tests.support.groups import BLIND, NAMES, SEEING
from tests.support.registry import MemoryRegistry

OLD, NEW, SESSION = date(2024, 3, 29), date(2024, 9, 30), date(2024, 10, 1)
KEY = f"sim.{SESSION}.{SEEING.sha256[:10]}"
BOUNDARIES = 40


def model(name: str, recipe: Recipe, cutoff: date) -> TrainedModel:
    return TrainedModel(name, recipe, cutoff, "snapshot", 500, FittedBaseRate(NAMES, {}, 0.5), AS_IT_IS, 0.5, True)


class Home:
    """One home's state, with a champion of the recipe BLIND."""

    def __init__(self, engine: sa.Engine, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.engine, self.registry = engine, MemoryRegistry()
        self.ledger = TrialLedger(engine, root)
        set_level(engine, AutonomyLevel.AUTONOMOUS, "test", "nobody is asked")
        self.parts = cast(
            "Parts",
            SimpleNamespace(
                home=SimpleNamespace(root=root),
                database=SimpleNamespace(engine=engine),
                registry=SimpleNamespace(registry=self.registry),
            ),
        )
        self.new = model(KEY, SEEING, SESSION)
        monkeypatch.setattr(promoting, "fitted", lambda *_: (self.new, Record()))
        monkeypatch.setattr(promoting, "newest_watched", lambda *_: SESSION)
        crown(engine, self.registry, "sim", model("old", BLIND, OLD), Record(), Cause("by_test", size_fraction=1.0))

    @property
    def effects(self) -> list[tuple[object, str]]:
        """Everything that leaves a trace."""
        return [
            (TrialLedger, "append"),
            (TrialLedger, "_move_anchor"),
            (promoting, "write"),
            (succession, "write"),
            (succession, "record_stage"),
            (champions_module, "promote"),
            (self.registry, "register"),
            (self.registry, "point_champion"),
        ]

    def champions(self) -> list[Champion]:
        return champions_of(self.engine, self.registry, "sim")

    def passed(self) -> None:
        """The ledger of a cycle whose candidate passed all gates."""
        facts: dict[str, Any] = {
            "recipe": SEEING.model_dump_json(),
            "champion_recipe_sha256": BLIND.sha256,
            "head": "technical",
            "mutations": [{"id": "retrain_window"}],
        }
        self.ledger.append(EntryKind.TRIAL, "sim", KEY, facts)
        verdict = {"code": str(VerdictCode.PROMOTE), "cycle": f"sim.{SESSION}", "session": SESSION.isoformat()}
        self.ledger.append(EntryKind.VERDICT, "sim", KEY, verdict)

    def sound(self) -> None:
        """What has to hold at any moment."""
        champion = current_champion(self.engine, "sim")
        assert champion is not None
        assert self.registry.aliases["sim"] in {champion.version, champion.previous_version}
        assert self.ledger.verdict().intact


@pytest.fixture
def home(state_engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    return Home(state_engine, tmp_path, monkeypatch)


def deaths(home: Home, reset: Callable[[], None], work: Callable[[], object], done: Callable[[], None]) -> int:
    """Die at each boundary in turn, each time from a fresh start; the number of boundaries."""
    for fatal in range(BOUNDARIES):
        reset()
        with dying(home.effects, fatal) as points:
            try:
                work()
            except KilledError:
                pass
            else:
                assert points.passed > 4
                done()
                return points.passed
        home.sound()
        work()
        done()
        work()
        done()
    pytest.fail("more boundaries than this test goes through")


def wipe(home: Home) -> None:
    """Back to the old champion alone; the tables are append-only for everybody else."""
    with home.engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        for table in (trial_ledger, journal, champion_stages, promotions):
            connection.execute(sa.delete(table))
    home.ledger.anchor_file.unlink(missing_ok=True)
    home.registry.entries.clear()
    home.registry.aliases.clear()
    crown(home.engine, home.registry, "sim", model("old", BLIND, OLD), Record(), Cause("by_test", size_fraction=1.0))


def test_a_promotion_dies_anywhere_and_is_made_once(home: Home) -> None:
    def reset() -> None:
        wipe(home)
        home.passed()

    def done() -> None:
        assert [c.model.recipe for c in home.champions()] == [BLIND, SEEING]
        champion = current_champion(home.engine, "sim")
        assert champion is not None
        assert home.registry.aliases["sim"] == champion.version == 2
        assert [s.size_fraction for s in stages_of(home.engine, "sim")] == [1.0, 0.25]
        kinds = [entry.kind for entry in home.ledger.verified("sim")]
        assert kinds == [EntryKind.TRIAL, EntryKind.VERDICT, EntryKind.PROMOTION]
        assert [entry.outcome for _, entry in search(home.engine, JournalQuery())] == ["provisional"]

    boundaries = deaths(home, reset, lambda: promoting.promote_passed(home.parts, "sim", SESSION, "run"), done)
    print(f"{boundaries} boundaries of a promotion, one champion at each")
    assert boundaries >= 12


def step(code: ECode) -> Step:
    return Step(code, 3, 25.0, 6.0)


def test_a_confirmation_dies_anywhere_and_is_made_once(home: Home) -> None:
    def work() -> None:
        succession._confirm(home.parts, "sim", home.champions()[-1], SESSION, step(ECode.CONFIRM), "run")

    def done() -> None:
        assert [s.stage for s in stages_of(home.engine, "sim")] == [StageKind.FULL, StageKind.FULL]
        assert [entry.kind for entry in home.ledger.verified("sim")] == [EntryKind.CONFIRMATION]
        assert len(search(home.engine, JournalQuery())) == 1

    assert deaths(home, lambda: wipe(home), work, done) >= 8


def test_a_retirement_dies_anywhere_and_is_made_once(home: Home) -> None:
    def work() -> None:
        succession._retire(home.parts, "sim", home.champions()[-1], SESSION, step(ECode.ABORT), "run")

    def done() -> None:
        assert [s.stage for s in stages_of(home.engine, "sim")] == [StageKind.FULL, StageKind.RETIRED]
        assert [entry.kind for entry in home.ledger.verified("sim")] == [EntryKind.ROLLBACK]

    assert deaths(home, lambda: wipe(home), work, done) >= 8


def test_a_rollback_dies_anywhere_and_is_made_once(home: Home) -> None:
    days = np.arange(5, dtype=np.int64) + (SESSION - date(1970, 1, 1)).days - 2
    view = type("View", (), {"days": days, "__len__": lambda _: 5})()
    watch = cast("GroupWatch", SimpleNamespace(view=view))

    def reset() -> None:
        wipe(home)
        cause = Cause("experiment", "run", NEW, 0.25)
        crown(home.engine, home.registry, "sim", home.new, Record(), cause)

    def work() -> None:
        old, new = home.champions()[:2]
        current = current_champion(home.engine, "sim")
        assert current is not None
        # As ``keep_stage`` would: once it is taken back, somebody else reigns and nothing is to be done.
        if current.version == new.version:
            succession._take_back(home.parts, "sim", new, old, watch, step(ECode.ABORT), "run")
        champions_module.repair_alias(home.engine, home.registry, "sim")

    def done() -> None:
        assert [c.version for c in home.champions()] == [1, 2, 1]
        assert home.champions()[-1].model.recipe == BLIND
        assert home.registry.aliases["sim"] == 1
        assert [entry.kind for entry in home.ledger.verified("sim")] == [EntryKind.ROLLBACK]
        assert len(search(home.engine, JournalQuery())) == 1

    assert deaths(home, reset, work, done) >= 8


def test_a_touched_ledger_promotes_nobody(home: Home) -> None:
    home.passed()
    with home.engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        connection.execute(sa.text("UPDATE hydra.trial_ledger SET body = replace(body, 'technical', 'research')"))
    with pytest.raises(LedgerError, match="was changed"):
        promoting.promote_passed(home.parts, "sim", SESSION, "run")
    assert [c.model.recipe for c in home.champions()] == [BLIND]


def test_a_candidate_judged_against_another_champion_is_not_promoted(home: Home) -> None:
    home.passed()
    other = BLIND.model_copy(update={"seed": 99})
    crown(home.engine, home.registry, "sim", model("other", other, NEW), Record(), Cause("by_a_person"))
    found = promoting.promote_passed(home.parts, "sim", SESSION, "run")
    assert found == "judged_against_another_champion"
    assert home.champions()[-1].model.recipe == other
