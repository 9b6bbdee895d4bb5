"""Who follows whom: judged on real evidence, promoted exactly once, whatever breaks in between."""

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa

from hydra_assets.evaluation.contracts import input_contracts
from hydra_assets.evaluation.refit import RefitVerdict, judge_refit
from hydra_assets.models.calibration import Method
from hydra_assets.models.recalibrated import AS_IT_IS
from hydra_assets.models.snapshot import training_snapshot
from hydra_assets.models.trained import TrainedModel, train
from hydra_assets.registry import champions, succession
from hydra_assets.registry.champions import Cause, Champion, Record, champion_as_of, champions_of, crown
from hydra_assets.registry.port import RegistryError, VersionState
from hydra_assets.registry.succession import NOT_TRAINABLE, REFIT_HELD_BACK, Case, Outcome, succeed
from hydra_assets.state.promotions import current_champion, record_stage, stages_of
from hydra_assets.state.records import ChampionStage, StageKind
from hydra_assets.state.tables import promotions
from hydra_assets.stats.gate_records import GateConfig
from hydra_assets.verdict import Severity, Verdict
from tests.support.groups import BLIND, BOOSTED, MARKETS, NAMES, SEEING, Group, day, group
from tests.support.registry import MemoryRegistry

FIRST = {"boosted": BOOSTED, "logistic": SEEING}
STANDING = {**FIRST, "no_signal": BLIND}
EDGE = group(470, standing=STANDING)
NO_EDGE = group(470, edge=0.0, standing=STANDING)
GREEN = (Verdict("schema", True, Severity.ERROR, "ok", ""),)
RED = (*GREEN, Verdict("no_look_ahead", False, Severity.ERROR, "leak", ""))
EARLY, CUTOFF, NEXT = 50, 399, 460


@pytest.fixture(autouse=True)
def _small_recipes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(succession, "FIRST_RECIPES", FIRST)


def case(of: Group = EDGE, last: int = CUTOFF, names: tuple[str, ...] = NAMES, **changes: object) -> Case:
    snapshot = training_snapshot(of.features, of.labels, names, SEEING.label, day(last))
    return replace(Case("sim", snapshot, GREEN, of, f"run {last}", newest=True, gates=GateConfig()), **changes)


class Home:
    """A database and a registry that dates succeed each other in."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine, self.registry = engine, MemoryRegistry()

    @property
    def champions(self) -> list[Champion]:
        return champions_of(self.engine, self.registry, "sim")

    def run(self, of: Case) -> Outcome:
        return succeed(self.engine, self.registry, self.champions, of)

    @property
    def rows(self) -> list[tuple[int, int | None, str, str]]:
        columns = (promotions.c[name] for name in ("version", "previous_version", "reason", "run_id"))
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.select(*columns).order_by(promotions.c.id))]

    @property
    def versions(self) -> int:
        return len(self.registry.entries.get("sim", []))


@pytest.fixture
def home(state_engine: sa.Engine) -> Home:
    return Home(state_engine)


def test_without_an_edge_there_is_no_champion_and_the_newest_candidates_are_kept(home: Home) -> None:
    older = home.run(case(NO_EDGE, newest=False))
    assert older.code == "none_passed"
    assert [report.candidate for report in older.reports] == list(FIRST)
    assert (home.rows, home.versions, older.model) == ([], 0, None)
    newest = home.run(case(NO_EDGE))
    assert (newest.code, home.rows, home.versions, home.registry.aliases) == ("none_passed", [], 2, {})
    assert set(home.registry.states.values()) == {VersionState.CANDIDATE}
    for entry, name in zip(home.registry.entries["sim"], FIRST, strict=True):
        assert entry.parameters["name"] == name
        assert f'"candidate": "{name}"' in entry.attachments["gates.json"].decode()
        assert "stopped" in newest.message
        assert entry.metrics["tested_sessions"] == 294.0
        kept = TrainedModel.from_bytes(entry.artefact, entry.sha256)
        assert (kept.recipe, kept.cutoff) == (FIRST[name], day(CUTOFF))
    # Again, and there is no more than before.
    assert home.run(case(NO_EDGE)).code == "none_passed"
    assert home.versions == 2


def test_before_the_first_test_there_is_nothing_to_judge(home: Home) -> None:
    found = home.run(case(last=EARLY))
    assert (found.code, found.reports, home.versions, home.rows) == ("no_evidence", (), 0, [])
    # Some sessions are evidence, and far too few of it.
    some = home.run(case(last=150))
    assert (some.code, home.rows) == ("none_passed", [])
    assert "test_windows_too_few: 45 sessions" in some.message


def test_a_strong_edge_is_crowned_and_refitted_on_the_next_date(home: Home) -> None:
    first = home.run(
        case(parameters={"code_version": "7"}, files=lambda name: {"shap.json": name.encode()}),
    )
    assert first.code == "first_champion"
    assert first.model is not None
    assert first.scores is not None
    assert first.model.thesis_green
    assert first.model.recipe == FIRST[first.model.name]
    assert first.model.cutoff == day(CUTOFF)
    assert first.model.snapshot_sha256 == case().snapshot.sha256
    assert first.model.recalibration.calibrator.method is Method.PLATT
    assert home.rows == [(1, None, "first_champion", "run 399")]
    current = current_champion(home.engine, "sim")
    assert current is not None
    assert (current.sha256, current.recipe_sha256) == (first.model.sha256, first.model.recipe.sha256)
    assert home.registry.aliases == {"sim": 1}
    [entry] = home.registry.entries["sim"]
    assert entry.metrics["thesis_lower"] > 0.0
    assert set(entry.attachments) == {"scores.json", "gates.json", "shap.json"}
    assert entry.attachments["shap.json"] == first.model.name.encode()
    assert entry.parameters["code_version"] == "7"
    assert entry.parameters["snapshot_sha256"] == case().snapshot.sha256

    second = home.run(case(last=NEXT))
    assert second.code == "scheduled_refit"
    assert second.model is not None
    assert (second.model.name, second.model.recipe) == (first.model.name, first.model.recipe)
    assert home.rows == [(1, None, "first_champion", "run 399"), (2, 1, "scheduled_refit", "run 460")]
    assert home.registry.aliases == {"sim": 2}
    assert home.registry.states["sim", 1] is VersionState.ARCHIVED

    # It begins with a part of its size, and a refit of the same recipe changes nothing about that.
    [stage] = stages_of(home.engine, "sim")
    assert (stage.stage, stage.size_fraction, stage.effective_after) == (StageKind.PROVISIONAL, 0.25, day(CUTOFF))
    assert stage.recipe_sha256 == first.model.recipe.sha256

    # Repeating either date, or one before, changes nothing.
    before = (home.rows, home.versions, dict(home.registry.aliases))
    assert home.run(case()).code == "already_fitted"
    assert home.run(case(last=NEXT)).code == "already_fitted"
    assert home.run(case(last=300)).code == "older_than_champion"
    assert (home.rows, home.versions, home.registry.aliases) == before
    both = home.champions
    sessions = (CUTOFF, CUTOFF + 1, NEXT, NEXT + 1)
    assert [getattr(champion_as_of(both, day(i)), "version", None) for i in sessions] == [None, 1, 1, 2]


@pytest.mark.parametrize("reach", [CUTOFF, 430])
def test_a_history_past_the_cutoff_promotes_the_same_bytes(home: Home, reach: int) -> None:
    whole = home.run(case())
    other = Home(home.engine)
    cut = succeed(home.engine, other.registry, [], case(EDGE.until(day(reach)))) if reach == CUTOFF else None
    assert whole.model is not None
    if cut is not None:
        assert cut.model is not None
        assert cut.model.sha256 == whole.model.sha256
        assert cut.reports == whole.reports
        assert cut.scores == whole.scores
    later = pl.col("session") > day(reach)
    moved = replace(
        EDGE,
        features=EDGE.features.with_columns(pl.when(later).then(9.0).otherwise("tilt").alias("tilt")),
        labels=EDGE.labels.with_columns(
            pl.when(later).then(pl.lit("up")).otherwise("label_class").alias("label_class")
        ),
        regimes=EDGE.regimes.with_columns(
            pl.when(later).then(pl.lit("calm")).otherwise("regime_vol").alias("regime_vol")
        ),
    )
    again = succeed(home.engine, MemoryRegistry(), [], case(moved))
    assert again.model is not None
    assert again.model.sha256 == whole.model.sha256


def test_a_planted_leak_stops_at_the_first_gate(home: Home) -> None:
    ahead = EDGE.held.select(
        "market", "session", pl.col("held_return").shift(-1).over("market", order_by="session").alias("ahead")
    )
    rows = EDGE.features.join(ahead, on=["market", "session"], how="left", maintain_order="left")
    leaky = replace(EDGE, features=rows.with_columns(pl.col("ahead").alias("carry")).select(EDGE.features.columns))
    expected = dict.fromkeys(MARKETS, day(CUTOFF))
    contracts = input_contracts(leaky.features, leaky.labels, leaky.held, expected, day(CUTOFF))
    found = home.run(case(leaky, contracts=contracts))
    assert (found.code, home.rows) == ("none_passed", [])
    for report in found.reports:
        assert report.first_failure is not None
        assert report.first_failure.gate.value == "gate_1_data_contracts"
    assert "no_look_ahead (leak)" in found.message


def test_a_refit_on_broken_inputs_is_held_back(home: Home) -> None:
    home.run(case())
    found = home.run(case(last=NEXT, contracts=RED))
    assert (found.code, found.message, found.model) == (REFIT_HELD_BACK, "contract_broken", None)
    assert len(home.rows) == home.versions == 1
    # Once they are sound it is due still.
    assert home.run(case(last=NEXT)).code == "scheduled_refit"


def test_a_refit_of_a_recipe_gone_bad_is_held_back(home: Home) -> None:
    home.run(case())
    # Its probabilities lean the wrong way, and a coin's would have been better.
    worse = replace(EDGE)
    worse.__dict__["predictions"] = {
        name: rows.with_columns((1.0 - pl.col("probability_up")).alias("probability_up"))
        for name, rows in EDGE.predictions.items()
    }
    found = home.run(case(worse, last=NEXT))
    assert (found.code, found.message) == (REFIT_HELD_BACK, "miscalibrated")
    assert len(home.rows) == 1


def test_a_refit_is_held_against_the_fit_and_not_against_its_amendments(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = home.run(case()).model
    assert first is not None
    seen: list[list[float]] = []

    def listening(*sides: Any) -> RefitVerdict:
        seen.append(np.asarray(sides[3]).tolist())
        return judge_refit(*sides)

    monkeypatch.setattr(succession, "judge_refit", listening)
    amended = replace(first, masked=first.recipe.features[:1], offset=0.7)
    decided = EDGE.features.filter(pl.col("session") == day(NEXT))
    assert not amended.predicted(decided).equals(first.predicted(decided))
    found = []
    for reigning in (first, amended):
        crown(home.engine, home.registry, "sim", reigning, Record(), Cause("amended"))
        found.append(home.run(case(last=NEXT, contracts=RED)).message)
    assert found == ["contract_broken", "contract_broken"]
    assert len(seen[0]) > 0
    assert np.array_equal(seen[0], seen[1], equal_nan=True)


def test_a_champion_of_another_recipe_is_refitted_by_its_own(home: Home) -> None:
    other = SEEING.model_copy(update={"features": ("tilt",), "seed": 3})
    snapshot = case().snapshot
    found = train("tilt alone", other, snapshot, AS_IT_IS, thesis_green=False)
    crown(home.engine, home.registry, "sim", found, Record(), Cause("experiment"))
    refit = home.run(case(last=NEXT))
    assert refit.code == "scheduled_refit"
    assert refit.model is not None
    assert (refit.model.name, refit.model.recipe) == ("tilt alone", other)


def test_a_snapshot_that_cannot_carry_the_recipe_promotes_nobody(home: Home) -> None:
    found = home.run(case(names=("tilt",)))
    assert (found.code, home.rows, home.versions) == (NOT_TRAINABLE, [], 0)
    assert "carry" in found.message
    home.run(case())
    refit = home.run(case(last=NEXT, names=("tilt",)))
    assert (refit.code, len(home.rows)) == (NOT_TRAINABLE, 1)
    # Candidates that cannot be fitted leave nothing to keep.
    none = Home(home.engine)
    assert succeed(home.engine, none.registry, [], case(NO_EDGE, names=("tilt",))).code == "none_passed"
    assert none.versions == 0


def test_a_registry_that_is_down_leaves_no_row(home: Home) -> None:
    home.registry.down = True
    with pytest.raises(RegistryError, match="does not answer"):
        succeed(home.engine, home.registry, [], case())
    assert home.rows == []
    home.registry.down = False
    assert home.run(case()).code == "first_champion"
    reigning = home.champions
    home.registry.down = True
    for last in (NEXT, CUTOFF):
        with pytest.raises(RegistryError, match="does not answer"):
            succeed(home.engine, home.registry, reigning, case(last=last))
    assert len(home.rows) == 1


def test_killed_between_registration_and_promotion_there_is_one_champion(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(champions, "promote", killed)
        with pytest.raises(KeyboardInterrupt):
            home.run(case())
    assert (home.rows, home.versions, home.registry.aliases) == ([], 1, {})
    assert home.run(case()).code == "first_champion"
    assert home.rows == [(1, None, "first_champion", "run 399")]
    assert (home.versions, home.registry.aliases) == (1, {"sim": 1})


def test_killed_between_promotion_and_alias_the_alias_follows(home: Home) -> None:
    home.registry.mute = True
    with pytest.raises(RegistryError, match="alias"):
        home.run(case())
    assert (len(home.rows), home.registry.aliases) == (1, {})
    home.registry.mute = False
    assert home.run(case()).code == "already_fitted"
    assert (len(home.rows), home.versions, home.registry.aliases) == (1, 1, {"sim": 1})


def test_after_a_retired_champion_somebody_may_come_first_again(home: Home) -> None:
    first = home.run(case())
    assert first.model is not None
    retired = ChampionStage("sim", first.model.recipe.sha256, day(CUTOFF + 1), StageKind.RETIRED, 0.0, "worse")
    assert record_stage(home.engine, retired)
    assert home.run(case(last=NEXT)).code == "first_champion"
    assert [stage.stage for stage in stages_of(home.engine, "sim")] == [
        StageKind.PROVISIONAL,
        StageKind.RETIRED,
        StageKind.PROVISIONAL,
    ]
