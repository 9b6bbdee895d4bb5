"""Who is champion: standings and champions of a session by hand, and a record that the alias follows."""

from dataclasses import replace
from datetime import date

import pytest
import sqlalchemy as sa

from hydra_assets.models.baseline import FittedBaseRate
from hydra_assets.models.protocol import ModelError, ModelReason
from hydra_assets.models.recalibrated import AS_IT_IS
from hydra_assets.models.recipe import Recipe
from hydra_assets.models.trained import TrainedModel
from hydra_assets.registry import champions as module
from hydra_assets.registry.champions import (
    Cause,
    Champion,
    Record,
    Standing,
    champion_as_of,
    champions_of,
    crown,
    register,
    repair_alias,
    standing_of,
)
from hydra_assets.registry.port import RegistryError, VersionState
from hydra_assets.state.promotions import PromotionConflictError, current_champion, promote, stages_of
from hydra_assets.state.records import ChampionStage, Promotion, StageKind
from tests.support.groups import BLIND, NAMES
from tests.support.registry import MemoryRegistry

MARCH, JUNE, SEPTEMBER = date(2024, 3, 31), date(2024, 6, 30), date(2024, 9, 30)
WHY = Cause("by_test", "run 1")


def model(cutoff: date, rate: float = 0.5, recipe: Recipe = BLIND) -> TrainedModel:
    return TrainedModel("x", recipe, cutoff, "snapshot", 500, FittedBaseRate(NAMES, {}, rate), AS_IT_IS, rate, False)


def champion(version: int, cutoff: date, rate: float = 0.5, after: date | None = None) -> Champion:
    fitted = model(cutoff, rate)
    return Champion(version, fitted.sha256, fitted, after or cutoff)


FIRST, SECOND = champion(1, MARCH), champion(2, JUNE)


@pytest.mark.parametrize(
    ("reigning", "cutoff", "standing"),
    [
        ([], MARCH, Standing.NO_CHAMPION),
        ([FIRST], JUNE, Standing.REFIT_DUE),
        ([FIRST], MARCH, Standing.ALREADY_FITTED),
        ([FIRST, SECOND], SEPTEMBER, Standing.REFIT_DUE),
        ([FIRST, SECOND], date(2024, 7, 1), Standing.REFIT_DUE),
        ([FIRST, SECOND], JUNE, Standing.ALREADY_FITTED),
        # Fitted once, whoever came after: the past keeps the champion that it had.
        ([FIRST, SECOND], MARCH, Standing.ALREADY_FITTED),
        ([FIRST, SECOND], date(2024, 4, 1), Standing.OLDER_THAN_CHAMPION),
        ([FIRST, SECOND], date(2023, 12, 31), Standing.OLDER_THAN_CHAMPION),
        # Whatever the order of promotions, the newest cutoff counts.
        ([SECOND, FIRST], date(2024, 5, 1), Standing.OLDER_THAN_CHAMPION),
        # Taken back in July to the fit of March: what was known before July is not fitted any more, June's neither.
        ([FIRST, SECOND, champion(1, MARCH, after=date(2024, 7, 15))], date(2024, 7, 1), Standing.OLDER_THAN_CHAMPION),
        ([FIRST, SECOND, champion(1, MARCH, after=date(2024, 7, 15))], date(2024, 7, 16), Standing.REFIT_DUE),
    ],
)
def test_standings(reigning: list[Champion], cutoff: date, standing: Standing) -> None:
    assert standing_of(reigning, cutoff) is standing


def test_a_session_has_the_champion_that_knew_only_earlier_ones() -> None:
    both = [FIRST, SECOND]
    assert champion_as_of([], MARCH) is None
    assert champion_as_of(both, date(2024, 3, 31)) is None
    assert champion_as_of(both, date(2024, 4, 1)) is FIRST
    assert champion_as_of(both, date(2024, 6, 30)) is FIRST
    assert champion_as_of(both, date(2024, 7, 1)) is SECOND
    again = champion(3, JUNE, rate=0.6)
    assert champion_as_of([*both, again], date(2024, 7, 1)) is again
    # A promotion of an older fit does not take the sessions of a newer one.
    late = champion(4, MARCH, rate=0.7)
    assert champion_as_of([*both, late], date(2024, 7, 1)) is SECOND
    assert champion_as_of([*both, late], date(2024, 4, 1)) is late
    # What counts is since when it decides and not what it was trained on.
    back = champion(1, MARCH, after=SEPTEMBER)
    assert champion_as_of([*both, back], SEPTEMBER) is SECOND
    assert champion_as_of([*both, back], date(2024, 10, 1)) is back
    assert champion_as_of([*both, back], date.max) is back


def test_an_entry_says_all_of_a_model() -> None:
    registry = MemoryRegistry()
    fitted = model(MARCH)
    record = Record({"sharpe": 1.2}, {"note": "why"}, {"scores.json": b"{}"})
    found = register(registry, "sim", fitted, record, VersionState.CANDIDATE)
    [entry] = registry.entries["sim"]
    assert (found.version, entry.sha256, entry.artefact) == (1, fitted.sha256, fitted.to_bytes())
    assert entry.parameters == {
        "name": "x",
        "recipe": BLIND.model_dump_json(),
        "recipe_sha256": BLIND.sha256,
        "cutoff": "2024-03-31",
        "snapshot_sha256": "snapshot",
        "note": "why",
    }
    assert entry.metrics == {"training_rows": 500.0, "sharpe": 1.2}
    assert entry.attachments == {"scores.json": b"{}"}
    assert registry.states["sim", 1] is VersionState.CANDIDATE
    assert register(registry, "sim", model(MARCH), Record(), VersionState.CANDIDATE) == found
    assert register(registry, "sim", model(JUNE), Record(), VersionState.CANDIDATE).version == 2


def test_crowning_is_a_row_and_an_alias_once(state_engine: sa.Engine) -> None:
    registry = MemoryRegistry()
    for _ in range(2):
        crown(state_engine, registry, "sim", model(MARCH), Record(), WHY)
    assert current_champion(state_engine, "sim") == Promotion(
        "sim", 1, "sim/1", model(MARCH).sha256, BLIND.sha256, None, "by_test", MARCH, "run 1"
    )
    assert registry.aliases == {"sim": 1}
    crown(state_engine, registry, "sim", model(JUNE), Record(), WHY)
    second = current_champion(state_engine, "sim")
    assert second is not None
    assert (second.version, second.previous_version) == (2, 1)
    assert registry.aliases == {"sim": 2}
    assert registry.states == {("sim", 1): VersionState.ARCHIVED, ("sim", 2): VersionState.CANDIDATE}
    found = champions_of(state_engine, registry, "sim")
    assert [(c.version, c.model.cutoff, c.sha256) for c in found] == [
        (1, MARCH, model(MARCH).sha256),
        (2, JUNE, model(JUNE).sha256),
    ]
    assert [(c.after, c.reason) for c in found] == [(MARCH, "by_test"), (JUNE, "by_test")]
    assert champions_of(state_engine, registry, "grains") == []
    assert stages_of(state_engine, "sim") == []


def test_a_promotion_takes_effect_when_its_cause_says_and_at_its_size(state_engine: sa.Engine) -> None:
    registry = MemoryRegistry()
    first = Cause("first_champion", "run 1", size_fraction=0.25)
    second = Cause("experiment", "run 2", effective_after=SEPTEMBER, size_fraction=1.0)
    other = BLIND.model_copy(update={"seed": 8})
    for _ in range(2):
        crown(state_engine, registry, "sim", model(MARCH), Record(), first)
    for _ in range(2):
        crown(state_engine, registry, "sim", model(JUNE, recipe=other), Record(), second)
    stages = [(s.recipe_sha256, s.effective_after, s.stage, s.size_fraction) for s in stages_of(state_engine, "sim")]
    assert stages == [
        (BLIND.sha256, MARCH, StageKind.PROVISIONAL, 0.25),
        (other.sha256, SEPTEMBER, StageKind.FULL, 1.0),
    ]
    assert [s.reason for s in stages_of(state_engine, "sim")] == ["first_champion", "experiment"]
    found = champions_of(state_engine, registry, "sim")
    assert [c.after for c in found] == [MARCH, SEPTEMBER]
    assert champion_as_of(found, SEPTEMBER) is found[0]
    assert champion_as_of(found, date(2024, 10, 1)) is found[1]


def test_a_predecessor_comes_back_as_the_version_that_it_was(state_engine: sa.Engine) -> None:
    registry = MemoryRegistry()
    for fitted, cause in (
        (model(MARCH), WHY),
        (model(JUNE), WHY),
        (model(MARCH), Cause("rolled_back", "run 3", effective_after=SEPTEMBER, size_fraction=1.0)),
    ):
        crown(state_engine, registry, "sim", fitted, Record(), cause)
    current = current_champion(state_engine, "sim")
    assert current is not None
    assert (current.version, current.previous_version, current.effective_after) == (1, 2, SEPTEMBER)
    assert registry.aliases == {"sim": 1}
    assert len(registry.entries["sim"]) == 2
    assert [c.version for c in champions_of(state_engine, registry, "sim")] == [1, 2, 1]


def test_the_alias_is_repaired_from_the_record(state_engine: sa.Engine) -> None:
    registry = MemoryRegistry()
    assert not repair_alias(state_engine, registry, "sim")
    crown(state_engine, registry, "sim", model(MARCH), Record(), WHY)
    assert not repair_alias(state_engine, registry, "sim")
    for wrong in ({}, {"sim": 7}):
        registry.aliases = dict(wrong)
        assert repair_alias(state_engine, registry, "sim")
        assert registry.aliases == {"sim": 1}


def test_a_champion_of_meanwhile_is_not_overruled(state_engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = MemoryRegistry()
    crown(state_engine, registry, "sim", model(MARCH), Record(), WHY)
    real = module.promote

    def overtaken(engine: sa.Engine, promotion: Promotion, stage: ChampionStage | None = None) -> None:
        monkeypatch.setattr(module, "promote", real)
        crown(engine, registry, "sim", model(SEPTEMBER), Record(), WHY)
        real(engine, promotion, stage)

    monkeypatch.setattr(module, "promote", overtaken)
    with pytest.raises(PromotionConflictError):
        crown(state_engine, registry, "sim", model(JUNE), Record(), WHY)
    current = current_champion(state_engine, "sim")
    assert current is not None
    assert current.sha256 == model(SEPTEMBER).sha256
    assert registry.aliases["sim"] == current.version


def test_damage_to_a_champion_is_seen(state_engine: sa.Engine) -> None:
    registry = MemoryRegistry()
    crown(state_engine, registry, "sim", model(MARCH), Record(), WHY)
    [entry] = registry.entries["sim"]
    registry.entries["sim"] = [
        replace(entry, artefact=entry.artefact.replace(b'"training_rows":500', b'"training_rows":501'))
    ]
    with pytest.raises(ModelError) as damaged:
        champions_of(state_engine, registry, "sim")
    assert damaged.value.reason is ModelReason.DAMAGED_ARTEFACT
    promote(state_engine, Promotion("grains", 1, "grains/9", "a", "b", None, "by_test", MARCH))
    with pytest.raises(RegistryError, match="grains/9"):
        champions_of(state_engine, registry, "grains")
