"""Labels under the session that made them known: each once, none before its time, and none that changes later."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from hydra_assets.columns import COLUMNS
from hydra_assets.labels.known import SPECS, LabelKind, kind_of, known_labels, round_trip_fraction
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


def test_every_kind_has_a_specification_and_a_place_in_the_column_dictionary() -> None:
    assert set(SPECS) == set(LabelKind)
    assert COLUMNS["label_kind"].allowed == COLUMNS["model_label"].allowed
    assert set(COLUMNS["label_kind"].allowed) == set(LabelKind)
    found = {(barriers, h): kind_of(barriers, h) for barriers in (False, True) for h in (3, 5, 10)}
    assert found == {
        (False, 3): LabelKind.FIXED_HORIZON_3,
        (False, 5): LabelKind.FIXED_HORIZON,
        (False, 10): LabelKind.FIXED_HORIZON_10,
        (True, 3): None,
        (True, 5): LabelKind.TRIPLE_BARRIER_5,
        (True, 10): LabelKind.TRIPLE_BARRIER,
    }
    assert all(SPECS[kind].horizon_sessions == h for (_, h), kind in found.items() if kind is not None)


@pytest.mark.parametrize(
    ("kind", "earned", "barrier"),
    [
        # Decision on row 24, entry at the settle of row 25: three sessions, five, ten.
        (LabelKind.FIXED_HORIZON_3, (0.01, -0.02, 0.03), "vertical"),
        (LabelKind.FIXED_HORIZON, (0.01, -0.02, 0.03, 0.02, -0.01), "vertical"),
        (LabelKind.FIXED_HORIZON_10, (0.01, -0.02, 0.03, 0.02, -0.01, 0.04, 0.01, -0.02, 0.01, 0.02), "vertical"),
        # 0.01 sqrt(5) is 2.2 %: the fourth session ends at 1.01 * 0.98 * 1.03 * 1.02 - 1 = 4.0 %, left at the fifth.
        (LabelKind.TRIPLE_BARRIER_5, (0.01, -0.02, 0.03, 0.02, -0.01), "upper"),
        # 0.01 sqrt(10) is 3.2 %: met at the fourth session too, left at the fifth.
        (LabelKind.TRIPLE_BARRIER, (0.01, -0.02, 0.03, 0.02, -0.01), "upper"),
    ],
)
def test_labels_of_every_kind_by_hand(kind: LabelKind, earned: tuple[float, ...], barrier: str) -> None:
    # 25 moves of one per cent in log-return up and down give a volatility of one per cent a session.
    calm = [float(np.expm1(0.01 * (-1) ** i)) for i in range(25)]
    path = [0.5, 0.01, -0.02, 0.03, 0.02, -0.01, 0.04, 0.01, -0.02, 0.01, 0.02]
    frame = held(36).with_columns(pl.Series("held_return", [*calm, *path]))
    [row] = known_labels(frame, kind).filter(pl.col("decision_session") == DAYS[24]).rows(named=True)
    assert row["label_return"] == pytest.approx(np.prod(1.0 + np.array(earned)) - 1.0)
    assert (row["entry_session"], row["session"]) == (DAYS[25], DAYS[25 + len(earned)])
    assert row["label_sigma"] == pytest.approx(0.01 * np.sqrt(SPECS[kind].horizon_sessions))
    assert row["label_barrier"] == barrier


def test_cost_by_hand() -> None:
    market = load_markets()["SIM_HE"]
    # 0.6 ticks of 0.025 at 400 a point is 6 dollars, 2.5 of fee, both twice; the contract at 80 is worth 32,000.
    fractions = pl.DataFrame({"settle": [80.0, -80.0, 0.0]}).select(round_trip_fraction(market, pl.col("settle")))
    assert fractions.to_series().to_list() == [pytest.approx(17 / 32_000), pytest.approx(17 / 32_000), None]
