"""Tables of intraday bars: each defect in a small file, when a bar is known, and whose session it is."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from hydra_assets.columns import RAW_INTRADAY_BARS
from hydra_assets.lake.validate import faults
from hydra_assets.sources.base import Dataset, FetchRequest, ParseError, ParseResult, Payload
from hydra_assets.sources.csv_intraday import parse_intraday
from hydra_assets.sources.csv_intraday_map import IntradayKnown, IntradayMap
from tests.support.tables import MAPS, NOW, binding, context, markets, read, reasons, source

BARS = Dataset.INTRADAY_BARS
HEAD = "bar_start,bar_minutes,contract,open,high,low,close,volume\n"
GOOD = "2025-03-04T14:30:00Z,30,HEJ25,80,81,79.5,80.5,120"
QUARANTINED, ASIDE = "quarantined", "set_aside"


def bars(*lines: str, **meta: str) -> ParseResult:
    return read((HEAD + "".join(f"{line}\n" for line in lines)).encode(), "generic_intraday", "HE", BARS, **meta)


def parsed(known: IntradayKnown, *lines: str, available: datetime | None = None) -> pl.DataFrame:
    own = MAPS["generic_intraday"].model_copy(update={"known": known})
    assert isinstance(own, IntradayMap)
    content = (HEAD + "".join(f"{line}\n" for line in lines)).encode()
    payload = Payload(BARS, "csv:x", "x.csv", content, NOW, available, {"markets": "HE"})
    return parse_intraday(payload, context(), own).rows


def test_a_bar_by_hand() -> None:
    row = bars(GOOD).rows.row(0, named=True)
    assert row == {
        "market": "HE",
        "contract": "HE-2025-04",
        "bar_start": datetime(2025, 3, 4, 14, 30, tzinfo=UTC),
        "bar_minutes": 30,
        "open": 80.0,
        "high": 81.0,
        "low": 79.5,
        "close": 80.5,
        "volume": 120.0,
        "event_time": datetime(2025, 3, 4, 15, 0, tzinfo=UTC),
        # A file of which nobody knows when it was written is known when it was had.
        "known_at": NOW,
        "source_row": 0,
    }


@pytest.mark.parametrize(
    ("line", "how", "why"),
    [
        ("04.03.2025 14:30,30,HEJ25,80,81,79.5,80.5,120", QUARANTINED, "bad_instant"),
        (",30,HEJ25,80,81,79.5,80.5,120", QUARANTINED, "bad_instant"),
        ("1025-03-04T14:30:00Z,30,HEJ25,80,81,79.5,80.5,120", QUARANTINED, "date_out_of_range"),
        ("2025-03-04T14:30:00Z,0,HEJ25,80,81,79.5,80.5,120", QUARANTINED, "bad_bar_length"),
        ("2025-03-04T14:30:00Z,7.5,HEJ25,80,81,79.5,80.5,120", QUARANTINED, "bad_bar_length"),
        ("2025-03-04T14:30:00Z,,HEJ25,80,81,79.5,80.5,120", QUARANTINED, "bad_bar_length"),
        ("2025-03-04T14:30:00Z,30,April,80,81,79.5,80.5,120", QUARANTINED, "bad_contract"),
        ("2025-03-04T14:30:00Z,30,,80,81,79.5,80.5,120", QUARANTINED, "bad_contract"),
        ("2025-03-04T14:30:00Z,30,HEJ25,,81,79.5,80.5,120", QUARANTINED, "bad_number"),
        ("2025-03-04T14:30:00Z,30,HEJ25,80,81,79.5,80.5,many", QUARANTINED, "bad_number"),
        ("2025-03-04T14:30:00Z,30,HEJ25,80,inf,79.5,80.5,120", QUARANTINED, "bad_number"),
        ("2025-03-04T14:30:00Z,30,HEJ25,80,81,0,80.5,120", QUARANTINED, "not_positive_price"),
        ("2025-03-04T14:30:00Z,30,HEJ25,80,81,79.5,80.5,-1", QUARANTINED, "negative_volume"),
        ("2025-03-04T14:30:00Z,30,HEJ25,80,79,81,80.5,120", QUARANTINED, "high_below_low"),
        ("2025-03-04T14:30:00Z,30,HEJ25,82,81,79.5,80.5,120", QUARANTINED, "price_outside_range"),
        ("2025-03-04T14:30:00Z,30,HEJ25,80,81,79.5,79,120", QUARANTINED, "price_outside_range"),
        ("2025-03-04T14:30:00Z,30,HEJ25,80,80,80,80,0", ASIDE, "nothing_traded"),
        # Saturday noon: the next cutoff is Monday's.
        ("2025-03-08T18:00:00Z,30,HEJ25,80,81,79.5,80.5,120", ASIDE, "outside_a_session"),
        ("2025-03-04T14:30:00Z,30,HEJ25,80", QUARANTINED, "ragged_row"),
    ],
)
def test_a_row_that_is_no_bar_keeps_its_reason(line: str, how: str, why: str) -> None:
    result = bars(GOOD, line)
    assert result.rows["source_row"].to_list() == [0]
    assert reasons(result) == {(how, why): 1}
    assert result.rejects["raw"].to_list() == [line]


def test_only_the_first_bar_of_a_contract_and_time_counts() -> None:
    other_length, other_month = GOOD.replace(",30,", ",60,"), GOOD.replace("HEJ25", "HEM25")
    result = bars(GOOD, GOOD, GOOD.replace(",120", ",121"), other_length, other_month)
    assert result.rows["source_row"].to_list() == [0, 3, 4]
    assert reasons(result) == {(QUARANTINED, "duplicate_bar"): 2}


def test_hours_of_the_binding_are_local_and_may_run_over_midnight() -> None:
    # Chicago is six hours behind UTC in winter and five in summer.
    winter = ("2025-03-04T14:30:00Z", "2025-03-04T14:29:00Z", "2025-03-04T18:35:00Z", "2025-03-04T18:36:00Z")
    summer = ("2025-07-08T13:30:00Z", "2025-07-08T13:29:00Z")
    lines = [GOOD.replace("2025-03-04T14:30:00Z", start) for start in (*winter, *summer)]
    result = bars(*lines, **{"hours.HE": "08:30-13:05"})
    assert result.rows["source_row"].to_list() == [0, 2, 4]
    assert reasons(result) == {(QUARANTINED, "outside_hours"): 3}
    # 17:00 to 16:00 of the next day: the hour between is closed, as 16:30 (22:30 UTC) shows.
    night = [GOOD.replace("14:30:00Z", clock) for clock in ("23:00:00Z", "06:00:00Z", "21:30:00Z", "22:00:00Z")]
    result = bars(*night, **{"hours.HE": "17:00-16:00"})
    assert result.rows["source_row"].to_list() == [0, 1, 2]


@pytest.mark.parametrize("hours", ["8:30-13:05", "08:30", "25:00-26:00", "08:30-08:30"])
def test_hours_that_nobody_can_read_are_refused(hours: str) -> None:
    with pytest.raises(ParseError, match="hours"):
        bars(GOOD, **{"hours.HE": hours})


def test_when_a_bar_is_known() -> None:
    end = datetime(2025, 3, 4, 15, 0, tzinfo=UTC)
    feed = IntradayKnown(rule="bar_end", transport_minutes=2)
    assert parsed(feed, GOOD)["known_at"].to_list() == [end + timedelta(minutes=2)]
    # HE's settlement is public at 16:00 or 17:00 Chicago, whatever the file's age; an evening's bar is the next day's.
    published = markets()["HE"].settlement_published
    evening = GOOD.replace("2025-03-04T14:30", "2025-03-05T00:00")
    local = [t.astimezone() for t in parsed(IntradayKnown(rule="settlement"), GOOD, evening)["known_at"]]
    cal = context().calendars["HE"]
    assert local == [cal.at_local(datetime(2025, 3, day).date(), published) for day in (4, 5)]  # noqa: DTZ001
    earlier = datetime(2025, 3, 6, 3, 0, tzinfo=UTC)
    assert parsed(IntradayKnown(), GOOD, available=earlier)["known_at"].to_list() == [earlier]
    # A bar that was not over when its file was had is not known before its end; the ingest refuses what lies ahead.
    assert parsed(IntradayKnown(), GOOD, available=end - timedelta(minutes=5))["known_at"].to_list() == [end]


def test_a_bar_of_the_future_is_refused_by_the_validation() -> None:
    rows = bars(GOOD.replace("2025-03-04T14:30", f"{NOW + timedelta(days=3):%Y-%m-%dT15:00}")).rows
    judged = faults(
        rows.with_columns(
            session=pl.lit(NOW.date()), ingested_at=pl.lit(NOW), source=pl.lit("x"), payload_sha256=pl.lit("x")
        ),
        RAW_INTRADAY_BARS,
        NOW,
    )
    assert judged["fault"].to_list() == ["event_in_future"]


def test_local_times_that_clocks_skip_or_repeat_are_unreadable() -> None:
    own = MAPS["generic_intraday"].model_copy(
        update={"start_formats": ("%Y-%m-%d %H:%M",), "timezone": "America/Chicago", "minutes": 30}
    )
    assert isinstance(own, IntradayMap)
    head = "bar_start,contract,open,high,low,close,volume\n"
    clocks = ("2025-03-09 02:30", "2025-11-02 01:30", "2025-03-10 02:30")
    content = head + "".join(f"{clock},202504,80,81,79.5,80.5,120\n" for clock in clocks)
    result = parse_intraday(Payload(BARS, "csv:x", "x", content.encode(), NOW, meta={"markets": "HE"}), context(), own)
    assert result.rows["bar_start"].to_list() == [datetime(2025, 3, 10, 7, 30, tzinfo=UTC)]
    assert reasons(result) == {(QUARANTINED, "bad_instant"): 2}


def test_a_folder_is_read_with_the_hours_of_its_binding(tmp_path: Path) -> None:
    (tmp_path / "he.csv").write_text(f"{HEAD}{GOOD}\n{GOOD.replace('14:30', '13:30')}\n", encoding="utf-8")
    bound = binding("generic_intraday", ["*.csv"], BARS, hours="08:30-13:05")
    csv = source(tmp_path, tmp_path, {"HE": (bound,)})
    assert csv.check().ok
    (payload,) = csv.fetch(FetchRequest(BARS, (markets()["HE"],), None, NOW.date(), NOW))
    assert payload.meta["hours.HE"] == "08:30-13:05"
    result = csv.parse(payload, context())
    assert result.rows.height == 1
    assert reasons(result) == {(QUARANTINED, "outside_hours"): 1}
