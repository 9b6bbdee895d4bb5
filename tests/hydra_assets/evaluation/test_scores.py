"""Scores up to a cutoff: by hand where they are simple, nothing later in them, and JSON that any reader takes."""

import json
import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from hydra_assets.evaluation.scores import Scores, scores_of
from hydra_assets.stats.fitness import fitness
from hydra_assets.stats.performance import performance
from hydra_assets.stats.thesis import ThesisReason
from tests.support.groups import day, group

GROUP = group(400)
PLAYED = GROUP.play({})


def scored(last: int, name: str = "logistic") -> Scores:
    return scores_of(PLAYED, name, GROUP.labels, GROUP.regimes, day(last))


def test_figures_are_of_the_tested_sessions_up_to_the_cutoff() -> None:
    found = scored(350)
    span = slice(106, 351)
    returns, costs = PLAYED.returns("logistic")[span], PLAYED.costs("logistic")[span]
    assert (found.name, found.sessions) == ("logistic", 245)
    assert found.performance == performance(returns, costs, horizon_sessions=6)
    assert found.thesis.sharpe == pytest.approx(math.sqrt(252.0) * returns.mean() / returns.std())
    # The group's edge is a strong one.
    assert found.thesis.green
    assert found.thesis.reason is ThesisReason.ABOVE_ZERO
    # Who knows nothing has nothing to trade here, and that is no thesis.
    assert not scored(350, "no_signal").thesis.green


def test_brier_by_hand() -> None:
    found = scored(350)
    known = GROUP.labels.filter(
        (pl.col("label_kind") == "fixed_horizon") & (pl.col("label_reason") == "ok") & (pl.col("session") <= day(350))
    ).select("market", "label_class", pl.col("session").alias("exit"), pl.col("decision_session").alias("session"))
    rows = PLAYED.predictions["logistic"].join(known, on=["market", "session"])
    up = (pl.col("label_class") == "up").cast(pl.Float64)
    own = rows.group_by("exit").agg(((pl.col("probability_up") - up) ** 2).mean().alias("e"))["e"].mean()
    base = rows.group_by("exit").agg(((pl.col("base_rate") - up) ** 2).mean().alias("e"))["e"].mean()
    assert found.brier == pytest.approx(own)
    assert found.brier_base_rate == pytest.approx(base)
    assert own < base
    # Eight bins of equally many rows, all of them counted.
    assert len(found.curve) == 8
    assert sum(point.rows for point in found.curve) == rows.height
    mean = sum(point.observed * point.rows for point in found.curve) / rows.height
    assert mean == pytest.approx((rows["label_class"] == "up").mean())


def test_fitness_and_regimes_are_of_the_same_span() -> None:
    found = scored(350)
    span = slice(106, 351)
    returns, costs = PLAYED.returns("logistic")[span], PLAYED.costs("logistic")[span]
    assert set(found.by_regime) == {"calm", "normal", "stressed"}
    assert sum(part.sessions for part in found.by_regime.values()) == 245
    # 25 sessions of each state in turns.
    calm = np.arange(400)[span] // 25 % 3 == 0
    assert found.by_regime["calm"] == performance(returns[calm], horizon_sessions=6)
    # A constant error of the same mean: fitness reads no more of it.
    assert found.brier is not None
    assert found.fitness == pytest.approx(fitness(returns, costs, np.full(245, found.brier), 2).total)


@pytest.mark.parametrize("last", [130, 250, 350])
def test_nothing_after_the_cutoff_is_in_them(last: int) -> None:
    cut = GROUP.until(day(last))
    later = pl.col("session") > day(last)
    labels = GROUP.labels.with_columns(pl.when(later).then(pl.lit("up")).otherwise("label_class").alias("label_class"))
    own = scored(last)
    assert scores_of(cut.play({}), "logistic", cut.labels, cut.regimes, day(last)) == own
    assert scores_of(PLAYED, "logistic", labels, cut.regimes, day(last)) == own


def test_metrics_are_numbers_with_names() -> None:
    metrics = scored(350).metrics
    named = {"sharpe", "sharpe_se", "tested_sessions", "brier", "brier_base_rate", "fitness", "calm_sharpe"}
    assert named | {"thesis_lower", "thesis_upper", "stressed_hit_rate", "max_drawdown"} <= set(metrics)
    assert all(isinstance(value, float) and math.isfinite(value) for value in metrics.values())
    assert metrics["tested_sessions"] == 245.0


@pytest.mark.parametrize("last", [5, 106, 108, 130, 350])
def test_json_holds_what_there_is_and_no_nan(last: int) -> None:
    found = scored(last)

    def refuse(name: str) -> None:
        pytest.fail(f"{name} in the JSON")

    read = json.loads(found.to_json(), parse_constant=refuse)
    assert set(read) == set(Scores.__slots__)
    assert read["sessions"] == max(0, last - 105)
    assert read["name"] == "logistic"
    assert all(math.isfinite(value) for value in found.metrics.values())


def test_nan_becomes_null_in_json() -> None:
    odd = scored(350)
    broken = replace(odd, by_regime={}, brier=float("nan"), brier_base_rate=np.float64("inf"), fitness=0.5)
    read = json.loads(broken.to_json())
    assert (read["brier"], read["brier_base_rate"], read["fitness"]) == (None, None, 0.5)


def test_before_the_first_test_there_is_nothing_and_it_says_so() -> None:
    found = scored(50)
    assert (found.sessions, found.brier, found.fitness, found.curve) == (0, None, None, ())
    assert not found.thesis.green
    assert found.thesis.reason is ThesisReason.TOO_FEW_SESSIONS
    assert found.metrics["tested_sessions"] == 0.0
    assert "sharpe" not in found.metrics
