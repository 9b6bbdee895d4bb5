"""Promotions of one writer at a time, and the size that a champion begins with in the same transaction."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date

import pytest
import sqlalchemy as sa

from hydra_assets.state.promotions import (
    PromotionConflictError,
    current_champion,
    promote,
    record_stage,
    stage_as_of,
    stages_of,
)
from hydra_assets.state.records import ChampionStage, Promotion, StageKind

DAY = date(2024, 5, 1)
FIRST = Promotion("livestock", 1, "models:/livestock/1", "aa", "bb", None, "first champion", DAY)
BEGUN = ChampionStage("livestock", "bb", DAY, StageKind.PROVISIONAL, 0.25, "first_champion", {"e_for": 1.5}, "run 1")


def test_first_and_next_champion(state_engine: sa.Engine) -> None:
    assert current_champion(state_engine, "livestock") is None
    promote(state_engine, FIRST)
    second = replace(FIRST, version=2, previous_version=1, reason="better", effective_after=date(2024, 6, 1))
    promote(state_engine, second)
    assert current_champion(state_engine, "livestock") == second
    assert current_champion(state_engine, "grains") is None
    assert stages_of(state_engine, "livestock") == []


def test_promotion_against_a_champion_that_is_gone_is_refused_with_its_size(state_engine: sa.Engine) -> None:
    promote(state_engine, FIRST, BEGUN)
    late = replace(BEGUN, recipe_sha256="cc", effective_after=date(2024, 6, 1))
    with pytest.raises(PromotionConflictError, match="the champion is 1"):
        promote(state_engine, replace(FIRST, version=3), late)
    assert current_champion(state_engine, "livestock") == FIRST
    assert stages_of(state_engine, "livestock") == [BEGUN]


def test_of_concurrent_promotions_against_one_champion_one_wins(state_engine: sa.Engine) -> None:
    promote(state_engine, FIRST)

    def attempt(version: int) -> bool:
        try:
            promote(
                state_engine,
                replace(FIRST, version=version, previous_version=1),
                replace(BEGUN, recipe_sha256=str(version)),
            )
        except PromotionConflictError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(attempt, range(2, 8))) == 1
    [stage] = stages_of(state_engine, "livestock")
    current = current_champion(state_engine, "livestock")
    assert current is not None
    assert stage.recipe_sha256 == str(current.version)


def test_a_stage_is_recorded_once(state_engine: sa.Engine) -> None:
    assert record_stage(state_engine, BEGUN)
    assert not record_stage(state_engine, replace(BEGUN, size_fraction=1.0, reason="again"))
    assert stages_of(state_engine, "livestock") == [BEGUN]
    assert stages_of(state_engine, "grains") == []


def test_the_size_of_a_session_is_of_the_newest_stage_before_it(state_engine: sa.Engine) -> None:
    full = replace(BEGUN, stage=StageKind.FULL, size_fraction=1.0, effective_after=date(2024, 7, 1), figures={})
    other = replace(BEGUN, recipe_sha256="cc", effective_after=date(2024, 6, 1))
    back = replace(full, effective_after=date(2024, 6, 1))
    # Recorded in another order than they take effect; of one session the later record counts.
    for stage in (BEGUN, full, other, back):
        assert record_stage(state_engine, stage)
    stages = stages_of(state_engine, "livestock")
    assert stages == [BEGUN, other, back, full]
    assert stage_as_of(stages, DAY) is None
    for session, stage in (
        (date(2024, 5, 2), BEGUN),
        (date(2024, 6, 1), BEGUN),
        (date(2024, 6, 2), back),
        (date(2024, 7, 1), back),
        (date(2024, 7, 2), full),
        (date.max, full),
    ):
        assert stage_as_of(stages, session) == stage
    assert stage_as_of([], DAY) is None


def test_an_unknown_stage_is_refused_by_the_database(state_engine: sa.Engine) -> None:
    with pytest.raises(sa.exc.IntegrityError, match="ck_champion_stages_stage"), state_engine.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO hydra.champion_stages (model_group, recipe_sha256, effective_after, stage, size_fraction,"
                " reason, figures) VALUES ('g', 'r', '2024-01-01', 'king', 9, '', '{}')"
            )
        )
