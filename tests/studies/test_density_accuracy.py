"""The accuracy study on a small part of its design: the truth scores zero, and the engine beats the short cuts."""

import numpy as np
import polars as pl
import pytest

from hydra_assets.options.moments import COLUMN, Statistic
from studies.density_accuracy import (
    AVERAGE,
    accuracy,
    butterfly_violations,
    coverage,
    estimate,
    spread_out,
    summary,
    targets,
)
from studies.targets import Line
from studies.truths import BUILDERS, moments, quantiles, truth
from studies.truths.chains import Cell, design
from studies.truths.scores import Yardstick, true_statistics

CELLS = [
    Cell(name, strikes, 0.05, stale, 0)
    for name in ("mixture", "bates")
    for strikes in (12, 20)
    for stale in (False, True)
]


def test_the_truth_scores_zero_and_a_shifted_one_what_it_should() -> None:
    yardstick = Yardstick.of(CELLS)
    exact = yardstick.score("truth", yardstick.density)
    for column in ("l1", "sd_error", "skew_error"):
        assert exact[column].to_numpy() == pytest.approx(0.0, abs=1e-5), column
    moved = yardstick.score("moved", np.roll(yardstick.density, 500, axis=1))
    # Ten standard deviations to the side: nothing in common.
    assert moved["l1"].to_numpy() == pytest.approx(2.0, abs=1e-3)


@pytest.mark.parametrize("name", ["lognormal", "mixture", "heston", "bates", "announcement"])
def test_true_statistics_are_the_truths(name: str) -> None:
    (found,) = true_statistics([name])
    known = moments(truth(name))
    wanted = {Statistic.SD: known.sd, Statistic.SKEW: known.skew, Statistic.KURT: known.kurtosis}
    for statistic, value in wanted.items():
        assert found[COLUMN[statistic]] == pytest.approx(value, abs=1e-6), statistic
    levels = {Statistic.Q05: 0.05, Statistic.Q50: 0.5, Statistic.Q99: 0.99}
    exact = quantiles(truth(name), np.array(list(levels.values())))
    assert [found[COLUMN[s]] for s in levels] == pytest.approx(exact.tolist(), abs=1e-8)


def test_a_part_of_the_study_end_to_end() -> None:
    found = estimate(CELLS)
    scores = accuracy(CELLS, found)
    table = summary(scores, ["estimator"])
    l1 = dict(table.select("estimator", "L1 median").iter_rows())
    assert l1[AVERAGE] < 0.6 * l1["flat ATM vol"]
    assert l1[AVERAGE] < l1["smoothing spline"]
    covered = coverage(CELLS, found)
    assert covered.filter(pl.col("statistic") == "sd").height == len(CELLS)
    butterflies = butterfly_violations(found)
    assert butterflies[AVERAGE] == 0
    lines = targets(scores, covered, butterflies, (0, 1, 0))
    assert {line.target for line in lines} == {"A5", "A7", "A8", "A9"}
    assert all(np.isfinite(line.measured) for line in lines)


def test_the_cells_for_slow_peers_have_every_level_of_the_design() -> None:
    cells = design(tuple(BUILDERS))
    for wanted in (30, 40, 60):
        chosen = spread_out(cells, wanted)
        assert 0.6 * wanted <= len(chosen) <= wanted
        for level in ("truth", "strikes", "half_spread", "stale", "draw"):
            everywhere = {getattr(cell, level) for cell in cells}
            assert {getattr(cell, level) for cell in chosen} == everywhere, (wanted, level)


def test_a_line_is_met_within_its_range_only() -> None:
    assert Line("A5", "x", 0.02, 0.0, 0.03).met
    assert not Line("A5", "x", 0.04, 0.0, 0.03).met
    assert not Line("A9", "x", 98.0, 88.0, 97.0).met
    assert not Line("A9", "x", float("nan"), 88.0, 97.0).met
    assert "MISSED" in str(Line("A9", "x", 98.0, 88.0, 97.0))
