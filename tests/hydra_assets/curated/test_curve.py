"""The futures curve by hand: roles, roll, carry, held return, and what was known when."""

import math
from datetime import date, timedelta

import polars as pl
import pytest

from hydra_assets.curated.curve import futures_curve
from tests.support.frames import CHICAGO, bars, complete

DAYS = CHICAGO.between(date(2025, 3, 3), date(2025, 3, 14))
CONTRACTS = pl.DataFrame(
    {
        "contract": ["HE-2025-04", "HE-2025-05", "HE-2025-06"],
        "last_trade": [date(2025, 4, 14), date(2025, 5, 14), date(2025, 6, 13)],
        "first_notice": [None, None, None],
        "roll": [DAYS[5], date(2025, 5, 1), date(2025, 6, 1)],
    },
    schema_overrides={"first_notice": pl.Date},
)


def raw(*frames: pl.DataFrame) -> pl.DataFrame:
    return pl.concat(frames).with_columns(pl.lit(0, dtype=pl.Int64).alias("source_rank"))


def prices() -> pl.DataFrame:
    return bars(
        [
            (contract, day, base + i)
            for i, day in enumerate(DAYS)
            for contract, base in (("HE-2025-04", 80.0), ("HE-2025-05", 90.0), ("HE-2025-06", 100.0))
        ]
    )


def activity(day: date, contract: str, open_interest: float) -> pl.DataFrame:
    row = pl.DataFrame({"contract": [contract], "event_session": [day], "open_interest": [open_interest]})
    known = CHICAGO.activity_known_at(row["event_session"])
    return complete(
        "raw_futures_bars",
        row.with_columns(
            pl.lit("HE").alias("market"),
            pl.lit("activity").alias("record"),
            pl.lit(date(2025, 4, 1)).alias("contract_month"),
            known.alias("known_at"),
            CHICAGO.settlement_known_at(row["event_session"]).alias("event_time"),
            CHICAGO.session_for(known).alias("session"),
        ),
    )


def test_roles_follow_the_roll_calendar() -> None:
    curve = futures_curve(raw(prices()), "HE", CHICAGO, DAYS, CONTRACTS)
    roles = {(r["session"], r["contract"][-2:]): r["role"] for r in curve.iter_rows(named=True)}
    assert [roles[DAYS[4], month] for month in ("04", "05", "06")] == ["front", "next", "deferred"]
    assert [roles[DAYS[5], month] for month in ("04", "05", "06")] == ["expiring", "front", "next"]


def test_carry_and_slope_by_formula() -> None:
    curve = futures_curve(raw(prices()), "HE", CHICAGO, DAYS, CONTRACTS)
    first = curve.filter((pl.col("session") == DAYS[0]) & (pl.col("role") == "front")).row(0, named=True)
    assert first["carry"] == pytest.approx(math.log(80 / 90) / (1 / 12), rel=1e-12)
    years = [(d - DAYS[0]).days / 365.25 for d in CONTRACTS["last_trade"]]
    logs = [math.log(x) for x in (80, 90, 100)]
    mean_t, mean_y = sum(years) / 3, sum(logs) / 3
    slope = sum((t - mean_t) * (y - mean_y) for t, y in zip(years, logs, strict=True)) / sum(
        (t - mean_t) ** 2 for t in years
    )
    assert first["slope"] == pytest.approx(slope, rel=1e-10)
    assert curve.filter(pl.col("role") != "front")["carry"].null_count() == 2 * len(DAYS)


def test_a_roll_earns_no_return() -> None:
    curve = futures_curve(raw(prices()), "HE", CHICAGO, DAYS, CONTRACTS)
    held = {r["session"]: r for r in curve.filter(pl.col("role") == "front").iter_rows(named=True)}
    assert held[DAYS[5]]["held_contract"] == "HE-2025-04"
    assert held[DAYS[5]]["held_return"] == pytest.approx(85 / 84 - 1)
    assert held[DAYS[6]]["held_contract"] == "HE-2025-05"
    assert held[DAYS[6]]["held_return"] == pytest.approx(96 / 95 - 1)
    assert held[DAYS[0]]["held_return"] is None


def test_open_interest_is_one_session_late() -> None:
    curve = futures_curve(raw(prices(), activity(DAYS[2], "HE-2025-04", 1234.0)), "HE", CHICAGO, DAYS, CONTRACTS)
    april = {r["session"]: r["open_interest"] for r in curve.iter_rows(named=True) if r["contract"] == "HE-2025-04"}
    assert april[DAYS[2]] is None
    assert april[DAYS[3]] == 1234.0


def test_a_stale_settle_is_shown_with_its_age_and_earns_nothing() -> None:
    gap = prices().filter(~((pl.col("contract") == "HE-2025-04") & (pl.col("event_session") == DAYS[2])))
    curve = futures_curve(raw(gap), "HE", CHICAGO, DAYS, CONTRACTS)
    row = curve.filter((pl.col("session") == DAYS[2]) & (pl.col("contract") == "HE-2025-04")).row(0, named=True)
    assert (row["settle"], row["settle_age_sessions"], row["held_return"]) == (81.0, 1, None)


def test_session_by_session_equals_the_batch() -> None:
    batch = futures_curve(raw(prices()), "HE", CHICAGO, DAYS, CONTRACTS)
    single = pl.concat([futures_curve(raw(prices()), "HE", CHICAGO, [day], CONTRACTS) for day in DAYS])
    assert single.sort("session", "contract").equals(batch)


def test_a_later_restatement_leaves_earlier_sessions_alone() -> None:
    restated = bars([("HE-2025-04", DAYS[1], 70.0)], known_after=timedelta(days=3))
    plain = futures_curve(raw(prices()), "HE", CHICAGO, DAYS, CONTRACTS)
    with_it = futures_curve(raw(prices(), restated), "HE", CHICAGO, DAYS, CONTRACTS)
    cut = CHICAGO.session_for(restated["known_at"])[0]
    before = pl.col("session") < cut
    assert with_it.filter(before).equals(plain.filter(before))


def test_an_expired_contract_is_not_listed() -> None:
    after = CHICAGO.next_session(date(2025, 4, 14))
    late = bars([("HE-2025-04", date(2025, 4, 14), 84.0), ("HE-2025-05", after, 91.0)])
    curve = futures_curve(raw(late), "HE", CHICAGO, [after], CONTRACTS)
    assert curve["contract"].to_list() == ["HE-2025-05"]
