"""Experiments: keys both ways, proposals by hand, verdicts, and a comparison on real fits."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from hydra_agent.evaluation import GroupData, evaluate, fit_recipe, judged_rows, round_trip_cost
from hydra_agent.experiment import TEST_SESSIONS, Experiment, propose
from hydra_agent.judge import VerdictCode, compare
from hydra_assets.markets.loader import load_markets
from hydra_assets.models.evaluate import Score
from hydra_assets.models.recipe import Recipe

START = date(2023, 1, 2)
DAYS = [START + timedelta(days=i) for i in range(500)]


@pytest.mark.parametrize("window", [None, 252])
def test_a_key_says_all_of_it(window: int | None) -> None:
    experiment = Experiment("sim", date(2025, 6, 30), window, 3)
    assert Experiment.from_key(experiment.key) == experiment
    assert experiment.key == f"sim.2025-06-30.w{window or 'all'}.s3"
    with pytest.raises(ValueError, match="is no experiment"):
        Experiment.from_key("../../etc/passwd")


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


def test_cost_by_hand() -> None:
    market = load_markets()["SIM_HE"]
    # 0.6 ticks of 0.025 at 400 a point is 6 dollars, 2.5 of fee, both twice; the contract at 80 is worth 32,000.
    assert round_trip_cost(market, 80.0) == pytest.approx(17.0 / 32_000.0)


def data(seed: int = 1) -> GroupData:
    rng = np.random.default_rng(seed)
    tilt = np.repeat(rng.standard_normal(50), 10)
    base = pl.DataFrame({"market": "SIM_HE", "session": DAYS})
    features = base.with_columns(pl.Series("tilt", tilt), pl.Series("noise", rng.standard_normal(500)))
    returns = 0.01 * rng.standard_normal(500) + 0.01 * np.roll(np.sign(tilt), 1)
    return GroupData(features, base.with_columns(pl.Series("held_return", returns)), {"SIM_HE": 0.0005})


def test_the_recipe_that_sees_the_edge_beats_the_one_that_does_not() -> None:
    group, cutoff = data(), DAYS[379]
    seeing, blind = Recipe(features=("tilt",)), Recipe(features=("noise",))
    assert evaluate(fit_recipe(seeing, group, cutoff), blind, group, cutoff).code is VerdictCode.BETTER_ON_BOTH
    assert evaluate(fit_recipe(blind, group, cutoff), seeing, group, cutoff).code is VerdictCode.WORSE_LOG_LOSS
    assert evaluate(fit_recipe(seeing, group, cutoff), seeing, group, cutoff).code is VerdictCode.WORSE_LOG_LOSS
    assert evaluate(None, seeing, group, cutoff).code is VerdictCode.NOT_TRAINABLE


def test_judged_sessions_overlap_no_label_that_was_trained_on() -> None:
    group, cutoff = data(), DAYS[379]
    rows = judged_rows(group, 5, cutoff)
    assert (rows["session"].min(), rows["session"].max()) == (DAYS[380], DAYS[499 - 6])
    assert rows["cost"].unique().to_list() == [0.0005]
