"""Experiments: keys both ways, proposals by hand, verdicts."""

from datetime import date, timedelta

import pytest

from hydra_agent.experiment import TEST_SESSIONS, Experiment, propose
from hydra_agent.judge import VerdictCode, compare
from hydra_assets.models.evaluate import Score
from tests.support.groups import SEEING

START = date(2023, 1, 2)
DAYS = [START + timedelta(days=i) for i in range(500)]


@pytest.mark.parametrize("window", [None, 252])
def test_a_key_says_all_of_it(window: int | None) -> None:
    experiment = Experiment("sim", date(2025, 6, 30), window, 3)
    assert Experiment.from_key(experiment.key) == experiment
    assert experiment.key == f"sim.2025-06-30.w{window or 'all'}.s3"
    with pytest.raises(ValueError, match="is no experiment"):
        Experiment.from_key("../../etc/passwd")


def test_a_recipe_is_the_champion_s_with_another_window_and_seed() -> None:
    recipe = Experiment("sim", date(2025, 6, 30), 252, 3).recipe(SEEING)
    assert (recipe.window_sessions, recipe.seed) == (252, 3)
    assert recipe.model_copy(update={"window_sessions": None, "seed": SEEING.seed}) == SEEING


def test_proposals_repeat_and_move_on() -> None:
    first = propose("sim", DAYS, [])
    assert first is not None
    assert first == propose("sim", DAYS, [])
    assert first.cutoff == DAYS[-TEST_SESSIONS - 1]
    second = propose("sim", DAYS, [first.key])
    assert second is not None
    assert (second.seed, second.window_sessions) != (first.seed, first.window_sessions)
    assert propose("sim", DAYS[: 2 * TEST_SESSIONS - 1], []) is None


@pytest.mark.parametrize(
    ("candidate", "champion", "code"),
    [
        ((0.68, 0.002, 100), (0.69, 0.001, 100), VerdictCode.BETTER_ON_BOTH),
        ((0.69, 0.002, 100), (0.69, 0.001, 100), VerdictCode.WORSE_LOG_LOSS),
        ((0.68, 0.001, 100), (0.69, 0.001, 100), VerdictCode.WORSE_NET_RETURN),
        ((0.68, 0.002, 30), (0.69, 0.001, 30), VerdictCode.TOO_FEW_DECISIONS),
        ((0.68, 0.002, 100), None, VerdictCode.NO_CHAMPION),
    ],
)
def test_verdicts(candidate: tuple, champion: tuple | None, code: VerdictCode) -> None:
    own, other = (Score(*values, 0.5) if values else None for values in (candidate, champion))
    verdict = compare(own, other)
    assert verdict.code is code
    assert verdict.metrics["candidate_log_loss"] == candidate[0]


def test_scores_of_different_decisions_are_not_compared() -> None:
    with pytest.raises(ValueError, match="100 decisions, champion on 99"):
        compare(Score(0.6, 0.0, 100, 0.5), Score(0.6, 0.0, 99, 0.5))
