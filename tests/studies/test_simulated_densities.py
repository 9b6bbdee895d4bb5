"""Scores against the simulator's truth: the truth itself scores zero, and its moments are those of its density."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from hydra_assets.options.density import Z_GRID
from hydra_assets.sources.simulated.mixture import MINOR_WEIGHT, log_density, mixture
from studies.simulated_densities import MOMENTS, scores, summary, targets

VARIANCE, SHIFT = np.array([0.01, 0.04, 0.09]), np.array([-0.9, 0.0, 0.7])


def truth() -> pl.DataFrame:
    law = mixture(VARIANCE, SHIFT)
    return pl.DataFrame(
        {
            "market": ["A", "A", "B"],
            "session": date(2026, 1, 5),
            "expiry": [date(2026, 3, 6), date(2026, 4, 6), date(2026, 4, 6)],
            "forward": 80.0,
            "total_variance": VARIANCE,
            "minor_weight": MINOR_WEIGHT,
            "minor_mean": law.mean_minor,
            "major_mean": law.mean_major,
            "minor_sd": law.sd_minor,
            "major_sd": law.sd_major,
        }
    )


def exact() -> pl.DataFrame:
    """The truth as the asset would publish it; moments by quadrature."""
    law, unit = mixture(VARIANCE, SHIFT), np.sqrt(VARIANCE)
    k = np.linspace(-10.0, 10.0, 4001)[:, None] * unit
    p = log_density(law, k) * (k[1] - k[0])
    mean = (p * k).sum(axis=0)
    central = [(p * (k - mean) ** n).sum(axis=0) for n in (2, 3, 4)]
    moments = (mean, np.sqrt(central[0]), central[1] / central[0] ** 1.5, central[2] / central[0] ** 2)
    grid = log_density(law, Z_GRID[:, None] * unit) * unit
    return (
        truth()
        .select("market", "session", "expiry", "forward")
        .with_columns(
            pl.lit("A").alias("grade"),
            pl.lit(60).alias("days_to_expiry"),
            pl.Series("density_unit", unit),
            pl.Series("density", grid.T.tolist()),
            *(pl.Series(name, values) for name, values in zip(MOMENTS, moments, strict=True)),
            *(pl.lit(1e-6).alias(f"{name}_se") for name in MOMENTS),
        )
    )


def test_the_truth_itself_scores_zero() -> None:
    table = scores(exact(), truth())
    assert table["l1"].to_numpy() == pytest.approx(0.0, abs=1e-12)
    for name in MOMENTS:
        assert table[f"{name}_error"].to_numpy() == pytest.approx(0.0, abs=1e-9), name
        assert table[f"{name}_covered"].all(), name
    assert (table["flat_l1"] > 0.01).all()


def test_errors_are_seen_and_missing_moments_are_not_counted() -> None:
    moved = exact().with_columns(
        pl.col("sd") * 1.02,
        pl.lit(None, dtype=pl.Float64).alias("kurt"),
        pl.col("density").list.eval(pl.element().shift(4).fill_null(0.0)),
    )
    table = scores(moved, truth())
    # Half a standard deviation to the side.
    assert table["l1"].to_numpy() == pytest.approx(np.full(3, 0.4), abs=0.15)
    assert table["sd_error"].to_numpy() == pytest.approx(0.02, abs=1e-6)
    assert not table["sd_covered"].any()
    assert table["kurt_covered"].null_count() == 3
    assert {line.what for line in targets(table) if not line.met} >= {"error of sd, median, %", "coverage of sd, %"}
    assert summary(table, "market")["densities"].to_list() == [2, 1]


def test_a_density_without_a_truth_is_left_out() -> None:
    other = exact().with_columns(pl.lit("C").alias("market"))
    assert scores(pl.concat([exact(), other]), truth()).height == 3
