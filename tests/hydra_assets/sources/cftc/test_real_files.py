"""The real files, with values read from them by eye."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from hydra_assets.sources.base import ParseResult
from hydra_assets.sources.cftc import parse_cot
from hydra_assets.sources.cftc.calendar import report_date_of_week
from hydra_assets.sources.cftc.layout import detect
from hydra_assets.sources.cftc.source import vintage_time
from hydra_assets.sources.cftc.write import disaggregated_header, legacy_header
from tests.support.cot import context, payload, real

VINTAGES = "cot/legacy_fut_vintages_2025"


def parse(path: Path) -> ParseResult:
    result = parse_cot(payload(path.read_bytes(), path.name, available_at=vintage_time(path.name)), context())
    assert result.unaccounted() == []
    assert result.notes == ()
    assert set(result.rejects["reason"]) == {"market_not_configured"}
    return result


def row(result: ParseResult, market: str, day: date, category: str) -> dict[str, object]:
    found = result.rows.filter(
        (pl.col("market") == market) & (pl.col("report_date") == day) & (pl.col("category") == category)
    )
    return found.select(
        "open_interest",
        "long_contracts",
        "short_contracts",
        "spread_contracts",
        "traders_long",
        "traders_short",
        "traders_spread",
    ).row(0, named=True)


def weeks(result: ParseResult, market: str) -> list[date]:
    return sorted(result.rows.filter(pl.col("market") == market)["report_date"].unique())


def test_legacy_combined() -> None:
    result = parse(real("cot/legacy_comb_2026/annualof.txt"))
    assert result.total_rows == 3242
    assert set(result.rows["family"]) == {"legacy"}
    assert set(result.rows["scope"]) == {"combined"}
    assert len(weeks(result, "ZC")) == 9
    assert weeks(result, "ZO") == [date(2026, 1, 13), date(2026, 1, 20), date(2026, 1, 27), date(2026, 2, 3)]
    assert len(weeks(result, "DY")) == 7
    assert result.rejects.height == 3242 - result.rows["source_row"].n_unique()
    corn = date(2026, 3, 3)
    assert tuple(row(result, "ZC", corn, "noncommercial").values()) == (2018287, 316243, 254754, 660327, 172, 158, 215)
    assert tuple(row(result, "ZC", corn, "commercial").values()) == (2018287, 866352, 898700, None, 366, 389, None)
    assert tuple(row(result, "ZC", corn, "total_reportable").values()) == (
        2018287,
        1842923,
        1813782,
        None,
        667,
        652,
        None,
    )
    assert tuple(row(result, "ZC", corn, "nonreportable").values()) == (2018287, 175364, 204505, None, None, None, None)
    assert tuple(row(result, "ZO", date(2026, 2, 3), "noncommercial").values()) == (4142, 1228, 1390, 196, 6, 7, 3)


def test_disaggregated_futures() -> None:
    result = parse(real("cot/disagg_fut_2021/f_year.txt"))
    assert result.total_rows == 2178
    assert set(result.rows["family"]) == {"disaggregated"}
    assert set(result.rows["scope"]) == {"futures_only"}
    assert len(weeks(result, "ZC")) == 11
    assert (weeks(result, "ZC")[0], weeks(result, "ZC")[-1]) == (date(2021, 1, 5), date(2021, 3, 16))
    day = date(2021, 3, 16)
    assert tuple(row(result, "ZC", day, "managed_money").values()) == (1790781, 385346, 24560, 169767, 122, 17, 67)
    assert tuple(row(result, "ZC", day, "swap_dealer").values()) == (1790781, 325718, 42889, 44838, 26, 12, 22)
    assert tuple(row(result, "ZC", day, "producer_merchant").values()) == (
        1790781,
        467946,
        1229440,
        None,
        273,
        401,
        None,
    )
    # Oats: the one swap dealer's count is suppressed, the zeros are zeros.
    assert tuple(row(result, "ZO", day, "swap_dealer").values()) == (4374, 121, 0, 0, None, 0, 0)
    assert tuple(row(result, "ZO", day, "other_reportable").values()) == (4374, 608, 0, 15, 4, 0, None)


@pytest.mark.parametrize(
    ("vintage", "total", "corn_weeks"),
    [
        ("2025-01-13T23-00-02Z", 310, 1),
        ("2025-01-17T23-00-02Z", 626, 2),
        ("2025-01-24T23-00-02Z", 946, 3),
        ("2025-01-31T23-00-01Z", 1271, 4),
        ("2025-02-07T23-00-02Z", 1587, 5),
    ],
)
def test_vintages(vintage: str, total: int, corn_weeks: int) -> None:
    result = parse(real(f"{VINTAGES}/annual.asof_{vintage}.txt"))
    assert result.total_rows == total
    assert set(result.rows["scope"]) == {"futures_only"}
    assert len(weeks(result, "ZC")) == corn_weeks
    assert weeks(result, "ZO") == []
    first = row(result, "ZC", date(2025, 1, 7), "noncommercial")
    assert (first["open_interest"], first["long_contracts"], first["short_contracts"]) == (1682563, 506413, 186600)
    # The week of the national day of mourning came out on Monday.
    known = result.rows.filter(pl.col("report_date") == date(2025, 1, 7))["known_at"].unique().to_list()
    assert known == [datetime(2025, 1, 13, 20, 30, tzinfo=UTC)]
    public = vintage_time(f"annual.asof_{vintage}.txt")
    assert public is not None
    assert result.rows["known_at"].max() <= public  # type: ignore[operator]


def test_public_reporting_workbook() -> None:
    """Five sheets of site fields; legacy and futures only, whatever the file is called."""
    result = parse(real("cot/legacy_socrata_multiyear/CoT_Disagg_FutsOnly.xlsx"))
    assert result.total_rows == 4475
    assert set(result.rows["family"]) == {"legacy"}
    assert set(result.rows["scope"]) == {"futures_only"}
    assert len(weeks(result, "ZC")) == 895
    day = date(2026, 2, 24)
    assert tuple(row(result, "ZC", day, "noncommercial").values()) == (1656135, 319669, 310841, 412594, 143, 156, 167)
    assert row(result, "ZC", day, "total_reportable")["short_contracts"] == 1493104
    mondays = [d for d in weeks(result, "ZC") if d.weekday() == 0]
    assert mondays == [
        date(2009, 11, 9),
        date(2012, 12, 24),
        date(2012, 12, 31),
        date(2017, 7, 3),
        date(2018, 12, 24),
        date(2018, 12, 31),
        date(2020, 12, 21),
        date(2023, 7, 3),
        date(2025, 11, 10),
    ]


def test_as_of_dates_of_seventeen_years_are_those_of_the_calendar() -> None:
    days = weeks(parse(real("cot/legacy_socrata_multiyear/CoT_Disagg_FutsOnly.xlsx")), "ZC")
    assert [report_date_of_week(d - timedelta(days=d.weekday())) for d in days] == days
    # No week is missing, the three shutdowns included.
    assert len(days) == (days[-1] - days[0]).days // 7 + 1


def test_workbook_and_vintage_agree_where_they_overlap() -> None:
    book = parse(real("cot/legacy_socrata_multiyear/CoT_Disagg_FutsOnly.xlsx")).rows
    text = parse(real(f"{VINTAGES}/annual.asof_2025-02-07T23-00-02Z.txt")).rows.filter(pl.col("market") == "ZC")
    columns = [c for c in text.columns if c != "source_row"]
    both = book.filter(pl.col("report_date").is_in(text["report_date"].unique().to_list()))
    key = ["report_date", "category"]
    assert both.select(columns).sort(key).equals(text.select(columns).sort(key))


def test_written_headers_are_the_real_ones() -> None:
    for relative, header in (
        ("cot/legacy_comb_2026/annualof.txt", legacy_header()),
        ("cot/disagg_fut_2021/f_year.txt", disaggregated_header()),
    ):
        with real(relative).open() as file:
            assert file.readline().strip() == ",".join(f'"{name}"' for name in header)
        assert detect(header).unknown == ()
