"""Labels by hand: entry on the next session, purging at a cutoff."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from hydra_assets.features.labels import labels

DAYS = [date(2025, 1, 1) + timedelta(days=i) for i in range(12)]


def held(returns: list[float | None]) -> pl.DataFrame:
    return pl.DataFrame(
        {"market": "SIM_HE", "session": DAYS[: len(returns)], "held_return": pl.Series(returns, dtype=pl.Float64)}
    )


def test_by_hand() -> None:
    # Decision on day 0, entry at the settle of day 1, exit at that of day 3: returns of days 2 and 3.
    frame = labels(held([None, 0.5, 0.10, -0.20, 0.30, 0.0, 0.0]), horizon=2)
    assert frame["session"].to_list() == DAYS[:4]
    assert frame["entry_session"].to_list() == DAYS[1:5]
    assert frame["exit_session"].to_list() == DAYS[3:7]
    assert frame["label_return"].to_list() == pytest.approx([1.1 * 0.8 - 1, 0.8 * 1.3 - 1, 0.3, 0.0])
    assert frame["label_up"].to_list() == [0, 1, 1, 0]


def test_the_decision_day_and_the_entry_day_earn_nothing() -> None:
    base = held([0.01] * 10)
    moved = base.with_columns(
        pl.when(pl.col("session") <= DAYS[1]).then(0.9).otherwise("held_return").alias("held_return")
    )
    assert labels(base, 3)["label_return"][0] == labels(moved, 3)["label_return"][0]


def test_a_missing_return_removes_the_labels_that_need_it() -> None:
    frame = labels(held([0.01] * 5 + [None] + [0.01] * 6), horizon=2)
    # The return of day 5 belongs to the decisions of days 2 and 3.
    assert set(DAYS[:9]) - set(frame["session"].to_list()) == {DAYS[2], DAYS[3]}
    assert np.isfinite(frame["label_return"].to_numpy()).all()


def test_markets_do_not_run_into_each_other() -> None:
    two = pl.concat([held([0.01] * 8), held([0.02] * 8).with_columns(pl.lit("SIM_ZO").alias("market"))])
    frame = labels(two, horizon=2)
    assert frame.group_by("market").len().sort("market")["len"].to_list() == [5, 5]
    assert frame.filter(pl.col("market") == "SIM_HE")["label_return"].unique().len() == 1
