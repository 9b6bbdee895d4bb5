"""Scores of probabilities by hand."""

import numpy as np
import polars as pl
import pytest

from hydra_assets.models.evaluate import score

ROWS = pl.DataFrame({"label_class": ["up", "down", "up"], "label_return": [0.02, -0.01, 0.03]})


def test_score_by_hand() -> None:
    found = score(ROWS, np.array([0.8, 0.4, 0.5]), np.array([0.001, 0.001, 0.001]))
    assert found.log_loss == pytest.approx(-(np.log(0.8) + np.log(0.6) + np.log(0.5)) / 3)
    # Long earns 2 % less cost, short 1 % less cost, a coin toss stays out and pays nothing.
    assert found.net_return == pytest.approx((0.019 + 0.009) / 3)
    assert (found.decisions, found.hit_rate) == (3, pytest.approx(2 / 3))
    assert found.metrics("own") == {
        "own_log_loss": found.log_loss,
        "own_net_return": found.net_return,
        "own_decisions": 3.0,
        "own_hit_rate": found.hit_rate,
    }


def test_a_certainty_that_fails_costs_no_more_than_the_floor_allows() -> None:
    found = score(ROWS, np.array([0.0, 0.0, 1.0]), np.zeros(3))
    assert found.log_loss == pytest.approx(-(np.log(1e-6) + 2 * np.log1p(-1e-6)) / 3)


def test_what_cannot_be_scored_is_refused() -> None:
    with pytest.raises(ValueError, match="1 missing"):
        score(ROWS, np.array([0.8, np.nan, 0.5]), np.zeros(3))
    with pytest.raises(ValueError, match="0 rows"):
        score(ROWS.head(0), np.empty(0), np.empty(0))
