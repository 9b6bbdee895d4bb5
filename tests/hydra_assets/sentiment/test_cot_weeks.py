"""Published weeks by hand: z-scores, changes, gaps, concentration, confidence, and no look-ahead."""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.sentiment.cot_config import ChangeReason, CotConfig
from hydra_assets.sentiment.cot_weeks import published_weeks, trailing_median, trailing_z

FIRST = date(2024, 1, 2)
SMALL = CotConfig(window_weeks=4, min_weeks=2)


def weeks(
    shares: list[float | None], dates: list[date] | None = None, **columns: Sequence[float | None]
) -> pl.DataFrame:
    """``cot_positions`` of managed money, one session (the Friday after) a week."""
    days = dates or [FIRST + timedelta(days=7 * i) for i in range(len(shares))]
    n = len(shares)
    given_columns = {
        "missing_weeks": pl.Series([0] * n, dtype=pl.Int64),
        "open_interest": pl.Series([1000.0] * n),
        "long_contracts": pl.Series([300.0] * n),
        "short_contracts": pl.Series([100.0] * n),
        "traders_long": pl.Series([30.0] * n),
        "traders_short": pl.Series([20.0] * n),
    }
    named = {name: pl.Series(value, strict=False) for name, value in columns.items()}
    return pl.DataFrame(
        {
            "market": "SIM_HE",
            "session": [d + timedelta(days=3) for d in days],
            "family": "disaggregated",
            "scope": "futures_only",
            "category": "managed_money",
            "coverage": "published",
            "report_date": days,
            "report_age_days": pl.Series([3] * n, dtype=pl.Int64),
            "net_share": pl.Series(shares, dtype=pl.Float64),
        }
    ).with_columns(*(column.alias(name) for name, column in (given_columns | named).items()))


def test_trailing_z_by_hand() -> None:
    values = np.array([1.0, 3.0, 5.0, np.nan, 9.0, 9.0])
    # 5 against (1, 3): mean 2, sd sqrt 2. First 9 against (3, 5) in a window of three: mean 4, sd sqrt 2.
    # Second 9 against (5, 9): mean 7, sd sqrt 8.
    expected = [np.nan, np.nan, 3 / np.sqrt(2), np.nan, 5 / np.sqrt(2), 2 / np.sqrt(8)]
    assert trailing_z(values, 3, 2) == pytest.approx(expected, nan_ok=True)
    # The window of two leaves the second 9 with a single value, 9: the missing one stays missing.
    assert np.isnan(trailing_z(values, 2, 2)[4:]).all()
    assert np.isnan(trailing_z(np.full(9, 0.1), 4, 2)).all()
    assert trailing_z(np.array([]), 4, 2).shape == (0,)


def test_trailing_median_by_hand() -> None:
    assert trailing_median(np.array([4.0, 1.0, 3.0, 2.0, 8.0]), 4).tolist() == [4.0, 2.5, 3.0, 2.5, 2.5]


def test_a_change_is_the_share_minus_last_week_s() -> None:
    found = published_weeks(weeks([0.10, 0.13, 0.11, 0.19]), SMALL)
    assert found["change_reason"].to_list() == [ChangeReason.FIRST_REPORT] + [ChangeReason.OK] * 3
    assert found["change_1w"].to_list() == [None, pytest.approx(0.03), pytest.approx(-0.02), pytest.approx(0.08)]
    # 0.08 against (0.03, -0.02): mean 0.005, sd 0.05 / sqrt 2.
    assert found["change_z"].to_list() == [None, None, None, pytest.approx(0.075 * np.sqrt(2) / 0.05)]


def test_no_change_across_a_gap_and_the_score_knows_published_weeks_only() -> None:
    days = [FIRST + timedelta(days=7 * i) for i in (0, 1, 2, 12, 13)]
    found = published_weeks(weeks([0.1, 0.2, 0.3, 0.4, 0.35], days, missing_weeks=[0, 0, 0, 9, 0]), SMALL)
    assert found["change_reason"].to_list()[3:] == [ChangeReason.GAP, ChangeReason.OK]
    assert found["change_1w"].to_list()[3:] == [None, pytest.approx(-0.05)]
    assert found["history_weeks"].to_list() == [1, 2, 3, 4, 4]
    # Four published weeks with itself: 0.4 is above three of them; 0.35 above 0.2 and 0.3, below 0.4.
    assert found["score"].to_list()[3:] == [3 / 4, 1 / 4]
    # Nine weeks missing, half of them still counting one week later.
    assert found["gap_weeks"].to_list() == [0.0, 0.0, 0.0, 9.0, 4.5]
    assert found["confidence"][3] == pytest.approx(np.exp(-9 / 8))


def test_a_week_that_no_session_saw_is_not_called_a_gap() -> None:
    days = [FIRST + timedelta(days=7 * i) for i in (0, 1, 3)]
    found = published_weeks(weeks([0.1, 0.2, 0.3], days), SMALL)
    assert found["change_reason"][2] == ChangeReason.UNSEEN
    assert found["change_1w"][2] is None


@pytest.mark.parametrize(("step", "reason"), [(5, "ok"), (6, "ok"), (8, "ok"), (9, "ok"), (10, "gap"), (4, "gap")])
def test_a_holiday_week_is_a_week(step: int, reason: str) -> None:
    days = [FIRST, FIRST + timedelta(days=step)]
    assert published_weeks(weeks([0.1, 0.2], days, missing_weeks=[0, 1]), SMALL)["change_reason"][1] == reason


def test_concentration_and_confidence_by_hand() -> None:
    frame = weeks(
        [0.1] * 4,
        open_interest=[1000.0, 1000.0, 250.0, 4000.0],
        traders_long=[30.0, 5.0, 30.0, None],
        traders_short=[20.0, 5.0, 20.0, 2.0],
    )
    found = published_weeks(frame, SMALL)
    # (300 / 30) / (100 / 20) = 2; (300 / 5) / (100 / 5) = 3.
    assert found["concentration"].to_list() == [
        pytest.approx(np.log(2)),
        pytest.approx(np.log(3)),
        pytest.approx(np.log(2)),
        None,
    ]
    assert found["traders"].to_list() == [50.0, 10.0, 50.0, None]
    assert found["open_interest_relative"].to_list() == [1.0, 1.0, 0.25, 4.0]
    assert found["confidence"].to_list() == [
        pytest.approx(np.sqrt(1 / 4)),
        # 10 of 20 traders.
        pytest.approx(np.sqrt(2 / 4) * np.sqrt(0.5)),
        # A quarter of the usual open interest.
        pytest.approx(np.sqrt(3 / 4) * 0.5),
        # Suppressed counts as three, the most that it can be: 5 of 20. Open interest above its median adds nothing.
        pytest.approx(np.sqrt(0.25)),
    ]


def test_a_restatement_does_not_count() -> None:
    first = weeks([0.1, 0.2, 0.3])
    again = first.tail(1).with_columns(pl.col("session") + timedelta(days=3), pl.lit(-0.9).alias("net_share"))
    assert published_weeks(pl.concat([first, again]), SMALL).equals(published_weeks(first, SMALL))


def test_nothing_published_gives_no_rows() -> None:
    found = published_weeks(weeks([None, None]), SMALL)
    assert found.is_empty()
    assert found.schema == published_weeks(weeks([0.1]), SMALL).schema


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1.0, 1.0), min_size=12, max_size=40), st.integers(1, 11), st.lists(st.booleans()))
def test_later_weeks_change_no_bit(shares: list[float], kept: int, gaps: list[bool]) -> None:
    steps = [7 * (4 if i < len(gaps) and gaps[i] else 1) for i in range(len(shares))]
    days = [FIRST + timedelta(days=sum(steps[: i + 1])) for i in range(len(shares))]
    frame = weeks(list(shares), days, missing_weeks=[step // 7 - 1 for step in steps])
    whole = published_weeks(frame, SMALL)
    assert whole.head(kept).equals(published_weeks(frame.head(kept), SMALL))
    assert whole["confidence"].is_between(0.0, 1.0).all()
    assert whole["score"].drop_nulls().is_between(-1.0, 1.0).all()
    assert (whole["change_1w"].is_null() == (whole["change_reason"] != "ok")).all()
