"""Groups per session: states, reasons, preference, and agreement with the score that runs today."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.sentiment.cot import CotReason
from hydra_assets.sentiment.cot_config import PREFERENCE, CotConfig, Group
from hydra_assets.sentiment.cot_groups import cot_groups
from hydra_assets.sentiment.cot_sentiment import cot_sentiment

FIRST = date(2022, 1, 4)
DISAGGREGATED = ("managed_money", "producer_merchant", "swap_dealer", "other_reportable")
LEGACY = ("noncommercial", "commercial")


def series(shares: np.ndarray, family: str, category: str, market: str = "SIM_ZO") -> pl.DataFrame:
    """Two sessions a week: Friday, when the report comes out, and Monday."""
    n = len(shares)
    days = [FIRST + timedelta(days=7 * i) for i in range(n)]
    weekly = pl.DataFrame(
        {
            "market": market,
            "family": family,
            "scope": "futures_only",
            "category": category,
            "coverage": "published",
            "report_date": days,
            "missing_weeks": pl.Series([0] * n, dtype=pl.Int64),
            "open_interest": 1000.0,
            "long_contracts": 300.0,
            "short_contracts": 100.0,
            "net_share": pl.Series(shares, dtype=pl.Float64, nan_to_null=True),
            "traders_long": 30.0,
            "traders_short": 20.0,
        }
    )
    return pl.concat(
        [
            weekly.with_columns(
                (pl.col("report_date") + timedelta(days=age)).alias("session"),
                pl.lit(age, pl.Int64).alias("report_age_days"),
            )
            for age in (3, 6)
        ]
    )


def positions(weeks: int, seed: int = 1) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    names = [("disaggregated", c) for c in DISAGGREGATED] + [("legacy", c) for c in LEGACY]
    frame = pl.concat([series(rng.uniform(-0.4, 0.4, weeks), *name) for name in names])
    return frame.sort("market", "session", "family", "scope", "category")


def sessions_of(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select("market", "session").unique(maintain_order=True)


def test_preference() -> None:
    assert PREFERENCE[Group.CROWD] == (
        ("disaggregated", "futures_only", "managed_money"),
        ("disaggregated", "combined", "managed_money"),
        ("legacy", "futures_only", "noncommercial"),
        ("legacy", "combined", "noncommercial"),
    )
    assert [series[2] for series in PREFERENCE[Group.SWAP_DEALERS]] == ["swap_dealer"] * 2


def test_every_session_has_every_group() -> None:
    frame = positions(40)
    found = cot_groups(frame, sessions_of(frame))
    assert found.height == 80 * 4
    last = found.tail(4)
    assert last["group"].to_list() == [str(group) for group in Group]
    assert last["category"].to_list() == list(DISAGGREGATED)
    assert last["reason"].to_list() == [CotReason.OK] * 4


def test_a_score_of_a_group_by_hand() -> None:
    shares = np.array([0.1, 0.2, 0.3, 0.25])
    frame = series(shares, "disaggregated", "swap_dealer")
    found = cot_groups(frame, sessions_of(frame), CotConfig(window_weeks=4, min_weeks=3))
    last = found.filter(pl.col("group") == "swap_dealers").sort("session").row(-1, named=True)
    # Above two of four, below one. Against (0.1, 0.2, 0.3): mean 0.2, sd 0.1.
    assert (last["score"], last["z"], last["change_1w"]) == (0.25, pytest.approx(0.5), pytest.approx(-0.05))
    assert last["confidence"] == pytest.approx(np.exp(-6 / 30))
    assert found.filter(pl.col("group") == "crowd")["reason"].unique().to_list() == [CotReason.NO_REPORT]


def test_dropped_from_the_report() -> None:
    """Weeks 30 to 39 leave the market out: other markets' reports say so; then it comes back."""
    frame = positions(50)
    week = (pl.col("report_date") - FIRST).dt.total_days() // 7
    back = frame.filter(~week.is_between(30, 39)).with_columns(
        pl.when(week == 40).then(10).otherwise("missing_weeks").alias("missing_weeks")
    )
    out = (
        frame.filter(week.is_between(30, 39))
        .with_columns(
            pl.lit("not_published").alias("coverage"), pl.lit(FIRST + timedelta(days=7 * 29)).alias("report_date")
        )
        .with_columns((pl.col("session") - pl.col("report_date")).dt.total_days().alias("report_age_days"))
    )
    whole = pl.concat([back, out]).sort("session", maintain_order=True)
    found = cot_sentiment(whole, sessions_of(whole))
    gone = found.filter(pl.col("report_date") == FIRST + timedelta(days=7 * 29)).slice(2)
    assert gone.height == 20
    assert gone["crowd_reason"].unique().to_list() == [CotReason.NOT_PUBLISHED]
    assert gone["crowd_change_reason"].unique().to_list() == [CotReason.NOT_PUBLISHED]
    for name in ("crowd_score", "crowd_score_z", "crowd_change_1w", "crowd_confidence", "producers_score", "net_share"):
        assert gone[name].null_count() == 20
    first, second = (
        found.filter(pl.col("report_date") == FIRST + timedelta(days=7 * w)).row(0, named=True) for w in (40, 41)
    )
    assert (first["crowd_reason"], first["crowd_change_reason"], first["crowd_change_1w"]) == ("ok", "gap", None)
    assert first["history_weeks"] == 31
    assert (second["crowd_change_reason"], second["crowd_change_1w"] is None) == ("ok", False)
    before = found.filter(pl.col("report_date") == FIRST + timedelta(days=7 * 28)).row(0, named=True)
    assert first["crowd_confidence"] < second["crowd_confidence"] < before["crowd_confidence"]


def test_stale_and_young() -> None:
    frame = positions(40).with_columns(
        pl.when(pl.col("session") == FIRST + timedelta(days=7 * 35 + 3))
        .then(15)
        .otherwise("report_age_days")
        .alias("report_age_days")
    )
    found = cot_sentiment(frame, sessions_of(frame)).sort("session")
    assert found["crowd_reason"].to_list()[:52] == [CotReason.SHORT_HISTORY] * 50 + [CotReason.OK] * 2
    assert found["crowd_change_1w"].to_list()[:3] == [None, None, found["net_share"][2] - found["net_share"][0]]
    stale = found.row(70, named=True)
    assert (stale["crowd_reason"], stale["crowd_change_reason"], stale["crowd_score"]) == ("stale", "stale", None)


def test_legacy_stands_in() -> None:
    frame = positions(40).filter((pl.col("family") == "legacy") | (pl.col("report_date") > FIRST + timedelta(days=70)))
    found = cot_groups(frame, sessions_of(frame))
    early = found.filter(pl.col("session") == FIRST + timedelta(days=7 * 30 + 3))
    assert early.select("group", "category", "reason").rows() == [
        ("crowd", "noncommercial", "ok"),
        ("producers", "commercial", "ok"),
        ("swap_dealers", "swap_dealer", "short_history"),
        ("others", "other_reportable", "short_history"),
    ]
    assert found.tail(4)["category"].to_list() == list(DISAGGREGATED)


def test_a_value_that_came_later_says_nothing_before() -> None:
    """Open interest is missing on Friday and there on Monday: Friday has no position of that week."""
    frame = positions(40)
    friday = FIRST + timedelta(days=7 * 36 + 3)
    late = frame.with_columns(pl.when(pl.col("session") == friday).then(None).otherwise("net_share").alias("net_share"))
    found = cot_groups(late, sessions_of(late)).filter(pl.col("group") == "crowd")
    on = {row["session"]: row for row in found.iter_rows(named=True)}
    assert (on[friday]["reason"], on[friday]["score"], on[friday]["share"]) == ("no_report", None, None)
    assert on[friday + timedelta(days=3)]["reason"] == "ok"


def test_no_positions_at_all() -> None:
    wanted = pl.DataFrame({"market": ["HE"], "session": [FIRST]})
    found = cot_sentiment(positions(3).clear(), wanted)
    assert found.select("crowd_reason", "swap_dealers_reason", "crowd_score").rows() == [
        ("no_report", "no_report", None)
    ]
    assert found.schema == cot_sentiment(positions(3), wanted).schema


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.integers(27, 39))
def test_later_reports_and_other_ranges_change_no_byte(seed: int, kept: int) -> None:
    frame = positions(40, seed)
    wanted = sessions_of(frame)
    until = FIRST + timedelta(days=7 * kept)
    whole = cot_sentiment(frame, wanted).filter(pl.col("session") < until)
    known = frame.filter(pl.col("session") < until)
    assert whole.equals(cot_sentiment(known, wanted.filter(pl.col("session") < until)))
    assert whole.tail(5).equals(cot_sentiment(known, whole.tail(5).select("market", "session")))
