from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import sqlalchemy as sa

from hydra_assets.state.candidates import candidates_of, record_candidate
from hydra_assets.state.promotions import PromotionConflictError, current_champion, promote
from hydra_assets.state.records import Candidate, Promotion

FIRST = Promotion("livestock", 1, "models:/livestock/1", "aa", "bb", None, "first champion")


def test_first_and_next_champion(state_engine: sa.Engine) -> None:
    assert current_champion(state_engine, "livestock") is None
    promote(state_engine, FIRST)
    second = replace(FIRST, version=2, previous_version=1, reason="better")
    promote(state_engine, second)
    assert current_champion(state_engine, "livestock") == second
    assert current_champion(state_engine, "grains") is None


def test_promotion_against_a_champion_that_is_gone_is_refused(state_engine: sa.Engine) -> None:
    promote(state_engine, FIRST)
    with pytest.raises(PromotionConflictError, match="the champion is 1"):
        promote(state_engine, replace(FIRST, version=3))
    assert current_champion(state_engine, "livestock") == FIRST


def test_of_concurrent_promotions_against_one_champion_one_wins(state_engine: sa.Engine) -> None:
    promote(state_engine, FIRST)

    def attempt(version: int) -> bool:
        try:
            promote(state_engine, replace(FIRST, version=version, previous_version=1))
        except PromotionConflictError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(attempt, range(2, 8))) == 1


def test_candidates_keep_their_metrics(state_engine: sa.Engine) -> None:
    candidate = Candidate("e1", "livestock", 1, {"sharpe": 1.25}, "not_better")
    record_candidate(state_engine, candidate)
    record_candidate(state_engine, replace(candidate, verdict="better"))
    assert candidates_of(state_engine, "livestock") == [replace(candidate, verdict="better")]
