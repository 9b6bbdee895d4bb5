"""Labels under the session that made them known: each once, none before its time, and none that changes later."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from hydra_assets.labels.known import SPECS, LabelKind, known_labels, round_trip_fraction
from hydra_assets.labels.make import make_labels
from hydra_assets.markets.loader import load_markets

DAYS = [date(2024, 1, 1) + timedelta(days=i) for i in range(160)]
N = 120


def held(n: int = N, hole: int | None = None) -> pl.DataFrame:
    returns = np.random.default_rng(5).standard_normal(160)[:n] * 0.02
    frame = pl.DataFrame(
        {
            "market": "SIM_HE",
            "session": DAYS[:n],
            "held_contract": "HE-2025-01",
            "held_return": returns,
            "round_trip_cost": 0.001,
        }
    )
    missing = pl.int_range(pl.len()) == (-1 if hole is None else hole)
    return frame.with_columns(pl.when(missing).then(None).otherwise("held_return").alias("held_return"))


@pytest.mark.parametrize("kind", list(LabelKind))
def test_every_finished_decision_stands_once_under_its_exit(kind: LabelKind) -> None:
    rows = known_labels(held(), kind)
    made = make_labels(held(), SPECS[kind]).filter(pl.col("label_reason") != "not_yet_known")
    ok = made.filter(pl.col("label_reason") == "ok")
    both = rows.filter(pl.col("label_reason") == "ok").join(
        ok, left_on=["market", "decision_session"], right_on=["market", "session"], suffix="_made"
    )
    assert both.height == ok.height > 50
    assert (both["session"] == both["exit_session"]).all()
    assert (both["label_return"] == both["label_return_made"]).all()
    assert rows["decision_session"].n_unique() == rows.height
    assert (rows["session"] > rows["decision_session"]).all()
    assert rows["label_kind"].unique().to_list() == [str(kind)]


@pytest.mark.parametrize("kind", list(LabelKind))
@pytest.mark.parametrize("hole", [None, 70])
def test_a_partition_never_changes(kind: LabelKind, hole: int | None) -> None:
    whole = known_labels(held(hole=hole), kind)
    for n in (60, 75, 80, 100):
        part = known_labels(held(n, hole if hole is not None and hole < n else None), kind)
        assert whole.filter(pl.col("session") <= DAYS[n - 1]).equals(part)


def test_a_decision_without_a_label_is_known_as_such_at_its_horizon() -> None:
    rows = known_labels(held(hole=70), LabelKind.FIXED_HORIZON)
    reach = SPECS[LabelKind.FIXED_HORIZON].reach_sessions
    assert reach == 6
    without = rows.filter((pl.col("label_reason") != "ok") & (pl.col("decision_session") == DAYS[67]))
    assert without["session"].to_list() == [DAYS[67 + reach]]
    assert without["label_return"].to_list() == [None]
    # The first nineteen sessions have too few returns behind them for a volatility.
    early = rows.filter(pl.col("decision_session") == DAYS[3]).row(0, named=True)
    assert (early["label_reason"], early["session"]) == ("no_vol", DAYS[3 + reach])


def test_cost_by_hand() -> None:
    market = load_markets()["SIM_HE"]
    # 0.6 ticks of 0.025 at 400 a point is 6 dollars, 2.5 of fee, both twice; the contract at 80 is worth 32,000.
    fractions = pl.DataFrame({"settle": [80.0, -80.0, 0.0]}).select(round_trip_fraction(market, pl.col("settle")))
    assert fractions.to_series().to_list() == [pytest.approx(17 / 32_000), pytest.approx(17 / 32_000), None]
