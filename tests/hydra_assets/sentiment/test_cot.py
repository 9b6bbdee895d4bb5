"""The crowd's score by hand, its reasons, and its blindness to what was published later."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.sentiment.cot import CotReason, mid_rank_score
from hydra_assets.sentiment.cot_config import CotConfig
from hydra_assets.sentiment.cot_sentiment import cot_sentiment

FIRST = date(2024, 1, 2)


def positions(
    shares: list[float | None], *, category: str = "managed_money", family: str = "disaggregated"
) -> pl.DataFrame:
    """One session a week: the report of Tuesday is known on the Friday after."""
    weeks = [FIRST + timedelta(days=7 * i) for i in range(len(shares))]
    return pl.DataFrame(
        {
            "market": "SIM_HE",
            "session": [w + timedelta(days=3) for w in weeks],
            "family": family,
            "scope": "futures_only",
            "category": category,
            "coverage": "published",
            "report_date": weeks,
            "report_age_days": pl.Series([3] * len(shares), dtype=pl.Int64),
            "missing_weeks": pl.Series([0] * len(shares), dtype=pl.Int64),
            "open_interest": 1000.0,
            "long_contracts": 300.0,
            "short_contracts": 100.0,
            "net_share": pl.Series(shares, dtype=pl.Float64),
            "traders_long": 30.0,
            "traders_short": 20.0,
        }
    )


def scores(frame: pl.DataFrame) -> pl.DataFrame:
    return cot_sentiment(frame, frame.select("market", "session").unique(maintain_order=True))


def test_mid_rank_by_hand() -> None:
    values = np.array([3.0, 1.0, 2.0, 2.0, 5.0])
    # [3]: 0; [3,1]: (0-1)/2; [3,1,2]: (1-1)/3; [1,2,2] window of three: (1-0)/3; [2,2,5]: (2-0)/3.
    assert mid_rank_score(values, 3, 1) == pytest.approx([0.0, -0.5, 0.0, 1 / 3, 2 / 3])
    assert np.isnan(mid_rank_score(values, 3, 3)[:2]).all()


def test_a_steadily_longer_crowd_scores_near_one_after_half_a_year() -> None:
    found = scores(positions([0.001 * i for i in range(40)]))
    assert found["crowd_reason"].to_list() == [CotReason.SHORT_HISTORY] * (CotConfig().min_weeks - 1) + [
        CotReason.OK
    ] * (41 - CotConfig().min_weeks)
    last = found.row(-1, named=True)
    assert last["crowd_score"] == pytest.approx(39 / 40)
    assert last["crowd_confidence"] == pytest.approx(np.sqrt(40 / 156) * np.exp(-0.1))
    assert found["crowd_score"].null_count() == CotConfig().min_weeks - 1


def test_the_same_report_seen_on_many_sessions_counts_once() -> None:
    weekly = positions([0.01 * ((i * 7) % 11) for i in range(40)])
    daily = pl.concat(
        [
            weekly,
            weekly.with_columns(pl.col("session") + timedelta(days=3), pl.lit(6, pl.Int64).alias("report_age_days")),
        ]
    ).sort("session")
    later = scores(daily).filter(pl.col("report_age_days") == 3)["crowd_score"]
    assert later.to_list() == scores(weekly)["crowd_score"].to_list()


def test_reasons() -> None:
    frame = positions([0.01 * (i % 7) for i in range(40)])
    i = pl.int_range(pl.len())
    frame = frame.with_columns(
        pl.when(i == 30).then(pl.lit("not_published")).otherwise("coverage").alias("coverage"),
        pl.when(i == 31).then(40).otherwise("report_age_days").alias("report_age_days"),
    )
    asked = frame.select("market", "session").vstack(
        pl.DataFrame({"market": ["SIM_HE"], "session": [FIRST - timedelta(days=30)]})
    )
    reasons = cot_sentiment(frame, asked)["crowd_reason"].to_list()
    assert reasons[30:33] == [CotReason.NOT_PUBLISHED, CotReason.STALE, CotReason.OK]
    assert reasons[-1] == CotReason.NO_REPORT


def test_legacy_stands_in_where_there_is_no_disaggregated_report() -> None:
    legacy = positions([0.01 * (i % 9) for i in range(40)], category="noncommercial", family="legacy")
    disaggregated = positions([0.02 * (i % 5) for i in range(40)]).tail(30)
    found = scores(pl.concat([legacy, disaggregated]).sort("session"))
    assert found.row(33, named=True)["family"] == "legacy"
    assert found.row(38, named=True)["family"] == "disaggregated"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1.0, 1.0), min_size=30, max_size=60), st.integers(27, 29))
def test_later_reports_change_no_earlier_score(shares: list[float], kept: int) -> None:
    frame = positions(list(shares))
    whole, part = scores(frame), scores(frame.head(kept))
    assert whole.head(kept).equals(part)
    assert whole["crowd_score"].drop_nulls().is_between(-1.0, 1.0).all()
