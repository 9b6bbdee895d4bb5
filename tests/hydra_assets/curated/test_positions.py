"""Positions at each cutoff: releases, shutdowns, markets that drop out, restatements, changes across gaps."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from hydra_assets.curated.positions import cot_positions
from hydra_assets.defs.curated import expected_reports
from hydra_assets.defs.ranges import cutoff_frame
from hydra_assets.sources.cftc.calendar import close_of_report, release_time
from tests.support.frames import CHICAGO, complete

TUESDAYS = [date(2024, 10, 1) + timedelta(days=7 * i) for i in range(8)]


def report(
    market: str, day: date, long: float, short: float = 100.0, known_at: datetime | None = None
) -> dict[str, object]:
    return {
        "market": market,
        "report_week": day - timedelta(days=day.weekday()),
        "report_date": day,
        "cftc_code": "054642",
        "family": "disaggregated",
        "scope": "futures_only",
        "category": "managed_money",
        "open_interest": 1000.0,
        "long_contracts": long,
        "short_contracts": short,
        "event_time": close_of_report(day),
        "known_at": known_at or release_time(day),
    }


def frame(*rows: dict[str, object]) -> pl.DataFrame:
    return complete("raw_cot_reports", pl.DataFrame(list(rows)))


def positions(reports: pl.DataFrame, first: date, last: date, market: str = "HE") -> dict[date, dict[str, object]]:
    cutoffs = cutoff_frame(CHICAGO, CHICAGO.between(first, last))
    out = cot_positions(reports, market, cutoffs, expected_reports(cutoffs), has_code=True)
    return {row["session"]: row for row in out.iter_rows(named=True)}


def test_tuesday_is_seen_on_friday_after_the_release() -> None:
    rows = frame(*(report("HE", day, 200.0 + 10 * i) for i, day in enumerate(TUESDAYS[:3])))
    seen = positions(rows, date(2024, 10, 10), date(2024, 10, 18))
    assert seen[date(2024, 10, 10)]["report_date"] == TUESDAYS[0]
    assert seen[date(2024, 10, 11)]["report_date"] == TUESDAYS[1]
    friday = seen[date(2024, 10, 18)]
    assert (friday["report_date"], friday["net_contracts"], friday["net_change_1w"]) == (TUESDAYS[2], 120.0, 10.0)
    assert friday["net_share"] == pytest.approx(0.12)
    assert friday["coverage"] == "published"


def test_no_report_of_the_2025_shutdown_is_seen_before_its_actual_date() -> None:
    weeks = [date(2025, 9, 23) + timedelta(days=7 * i) for i in range(4)]
    seen = positions(frame(*(report("HE", day, 200.0) for day in weeks)), date(2025, 9, 29), date(2025, 11, 28))
    for session, row in seen.items():
        assert row["report_known_at"] <= CHICAGO.cutoff(session)
    assert seen[date(2025, 11, 18)]["report_date"] == date(2025, 9, 23)
    assert seen[date(2025, 11, 19)]["report_date"] == date(2025, 9, 30)
    stale = seen[date(2025, 11, 18)]
    assert (stale["coverage"], stale["long_contracts"], stale["report_age_days"]) == ("published", None, 56)


def test_a_market_that_drops_out_is_told_from_a_report_that_is_late() -> None:
    both = [report("HE", day, 200.0) for day in TUESDAYS[:2]] + [report("ZO", day, 50.0) for day in TUESDAYS[:4]]
    seen = positions(frame(*both), date(2024, 10, 21), date(2024, 10, 25))
    assert seen[date(2024, 10, 25)]["coverage"] == "not_published"
    late = positions(frame(*(report("HE", day, 200.0) for day in TUESDAYS[:2])), date(2024, 10, 21), date(2024, 10, 25))
    assert late[date(2024, 10, 25)]["coverage"] == "late"


def test_a_change_is_never_computed_across_a_gap() -> None:
    rows = frame(*(report("HE", TUESDAYS[i], 200.0 + i) for i in (0, 3, 4)))
    seen = positions(rows, date(2024, 10, 28), date(2024, 11, 1))
    after_gap = seen[date(2024, 10, 28)]
    assert (after_gap["report_date"], after_gap["net_change_1w"], after_gap["missing_weeks"]) == (TUESDAYS[3], None, 2)
    assert seen[date(2024, 11, 1)]["net_change_1w"] == 1.0


def test_a_restatement_is_used_from_its_own_time_and_in_changes_too() -> None:
    restated_at = datetime(2024, 10, 16, 12, tzinfo=UTC)
    rows = frame(
        *(report("HE", day, 200.0 + 10 * i) for i, day in enumerate(TUESDAYS[:3])),
        report("HE", TUESDAYS[1], 300.0, known_at=restated_at),
    )
    seen = positions(rows, date(2024, 10, 14), date(2024, 10, 18))
    assert seen[date(2024, 10, 15)]["long_contracts"] == 210.0
    assert seen[date(2024, 10, 16)]["long_contracts"] == 300.0
    assert seen[date(2024, 10, 18)]["net_change_1w"] == -80.0


def test_a_market_without_code_or_reports_has_no_rows() -> None:
    cutoffs = cutoff_frame(CHICAGO, CHICAGO.between(date(2024, 10, 1), date(2024, 10, 10)))
    rows = frame(report("ZO", TUESDAYS[0], 10.0))
    assert cot_positions(rows, "HE", cutoffs, expected_reports(cutoffs), has_code=True).is_empty()
    assert cot_positions(rows, "ZO", cutoffs, expected_reports(cutoffs), has_code=False).is_empty()


def test_a_week_that_is_published_late_is_missing_until_then() -> None:
    late = datetime(2024, 10, 23, 12, tzinfo=UTC)
    rows = [report("HE", TUESDAYS[0], 200.0), report("HE", TUESDAYS[2], 230.0)]
    held_back = report("HE", TUESDAYS[1], 215.0, known_at=late)
    seen = positions(frame(*rows, held_back), date(2024, 10, 18), date(2024, 10, 24))
    friday, thursday = seen[date(2024, 10, 18)], seen[date(2024, 10, 24)]
    assert (friday["report_date"], friday["missing_weeks"], friday["net_change_1w"]) == (TUESDAYS[2], 1, None)
    assert (thursday["report_date"], thursday["missing_weeks"], thursday["net_change_1w"]) == (TUESDAYS[2], 0, 15.0)
    # What came later changes nothing before it.
    assert positions(frame(*rows), date(2024, 10, 18), date(2024, 10, 22)) == {
        day: row for day, row in seen.items() if day <= date(2024, 10, 22)
    }
