from datetime import UTC, date, datetime

import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from hydra_assets.lake.archive import Archive
from hydra_assets.sources.base import Dataset, FetchRequest, ParseError, Payload, PayloadState, SourceError
from hydra_assets.sources.cme_settlement import CmeSettlementSource, parse_settlement, settlement_name, write_settlement
from hydra_assets.sources.cme_settlement_table import COLUMNS
from hydra_assets.sources.http import HttpPolicy
from tests.support.cot import real
from tests.support.source_markets import context, market, payload, settings
from tests.support.vendor_server import VendorServer, conditional, ok, status, truncated_zip, zipped

FUTURES, OPTIONS = Dataset.FUTURES_BARS, Dataset.OPTION_CHAINS
HEADER = ",".join(COLUMNS)


def futures(**columns: object) -> pl.DataFrame:
    row: dict[str, object] = {
        "root": "HE",
        "contract_month": date(2025, 2, 1),
        "last_trade": date(2025, 2, 14),
        "session": date(2025, 1, 6),
        "settle": 81.325,
        "open": 80.5,
        "high": 82.0,
        "low": 80.4,
        "prev_volume": 12_345,
        "prev_open_interest": 67_890,
    }
    return pl.DataFrame([row | columns])


def options(**columns: object) -> pl.DataFrame:
    row: dict[str, object] = {
        "root": "HE",
        "underlying_root": "HE",
        "underlying_month": date(2025, 2, 1),
        "contract_month": date(2025, 1, 1),
        "expiry": date(2025, 1, 15),
        "right": "P",
        "strike": 82.5,
        "session": date(2025, 1, 6),
        "settle": 2.175,
        "bid": 2.1,
        "prev_volume": 7,
        "prev_open_interest": 40,
    }
    return pl.DataFrame([row | columns])


def line(**cells: str) -> str:
    row = {
        "BizDt": "2025-01-06",
        "Sym": "HE",
        "ID": "LN",
        "SecTyp": "FUT",
        "MMY": "202502",
        "LastTrdDt": "2025-02-14",
        "SettlePrice": "81.325",
        "PrevDayVol": "5",
        "PrevDayOI": "6",
    } | cells
    return ",".join(f'"{row.get(name, "")}"' for name in COLUMNS)


def reasons(content: bytes, dataset: Dataset = FUTURES) -> list[tuple[int, str, str]]:
    result = parse_settlement(payload(dataset, content), context())
    assert result.unaccounted() == []
    return result.rejects.select("source_row", "disposition", "reason").rows()


def test_the_real_file_gives_its_known_settlement_and_counts() -> None:
    content = real("formats/cme_settle/dme.settle.20220208.s.csv").read_bytes()
    oman = market("OQ", root="OQD")
    result = parse_settlement(payload(FUTURES, content), context(oman))
    assert result.total_rows == 664
    assert result.unaccounted() == []
    assert result.notes == ()
    assert result.rejects["reason"].value_counts().rows() == [("market_not_configured", 595)]
    first = result.rows.filter(pl.col("contract") == "OQD-2022-04")
    price, activity = first.filter(pl.col("record") == "price"), first.filter(pl.col("record") == "activity")
    assert price.select("event_session", "settle", "volume", "open_interest").row(0) == (
        date(2022, 2, 8),
        89.93,
        None,
        None,
    )
    assert activity.select("event_session", "settle", "volume", "open_interest").row(0) == (
        date(2022, 2, 7),
        None,
        3051.0,
        5378.0,
    )
    assert result.rows.filter(pl.col("record") == "price").height == 69


def test_real_daily_contracts_are_set_aside() -> None:
    content = real("formats/cme_settle/dme.settle.20220208.s.csv").read_bytes()
    result = parse_settlement(payload(FUTURES, content), context(market("DDI", root="DDI")))
    daily = result.rejects.filter(pl.col("reason") == "not_a_monthly_contract")
    assert daily.height == 61
    assert daily["disposition"].unique().to_list() == ["set_aside"]
    assert result.rows.is_empty()


def test_volume_and_open_interest_are_the_previous_sessions_and_known_with_this_file() -> None:
    # Monday's file: the activity is Friday's, and nobody knew it before Monday's publication.
    result = parse_settlement(payload(FUTURES, write_settlement(futures())), context())
    price, activity = result.rows.row(0, named=True), result.rows.row(1, named=True)
    assert (price["record"], price["event_session"]) == ("price", date(2025, 1, 6))
    assert (activity["record"], activity["event_session"]) == ("activity", date(2025, 1, 3))
    assert price["known_at"] == activity["known_at"] == datetime(2025, 1, 6, 22, tzinfo=UTC)
    assert activity["event_time"] == datetime(2025, 1, 3, 22, tzinfo=UTC)
    calendar = context().calendars["HE"]
    assert activity["known_at"] == calendar.activity_known_at(pl.Series([date(2025, 1, 3)]))[0]


def test_publication_follows_the_clock_change() -> None:
    before = parse_settlement(payload(FUTURES, write_settlement(futures(session=date(2025, 3, 7)))), context())
    after = parse_settlement(payload(FUTURES, write_settlement(futures(session=date(2025, 3, 10)))), context())
    assert before.rows["known_at"][0] == datetime(2025, 3, 7, 22, tzinfo=UTC)
    assert after.rows["known_at"][0] == datetime(2025, 3, 10, 21, tzinfo=UTC)
    assert after.rows["event_session"].to_list() == [date(2025, 3, 10), date(2025, 3, 7)]


def test_a_later_transport_is_evidence_and_an_earlier_one_is_not() -> None:
    content = write_settlement(futures())
    late, early = datetime(2025, 1, 7, 3, tzinfo=UTC), datetime(2025, 1, 6, 3, tzinfo=UTC)
    assert set(parse_settlement(payload(FUTURES, content, available_at=late), context()).rows["known_at"]) == {late}
    known = set(parse_settlement(payload(FUTURES, content, available_at=early), context()).rows["known_at"])
    assert known == {datetime(2025, 1, 6, 22, tzinfo=UTC)}


def test_one_file_serves_both_datasets() -> None:
    content = write_settlement(futures(), options())
    assert reasons(content) == [(1, "set_aside", "other_dataset")]
    assert reasons(content, OPTIONS) == [(0, "set_aside", "other_dataset")]
    row = parse_settlement(payload(OPTIONS, content), context()).rows.row(0, named=True)
    assert row["option"] == "HE-2025-01-15-P-82.5"
    assert row["underlying_contract"] == "HE-2025-02"
    assert (row["right"], row["strike"], row["settle"], row["bid"]) == ("P", 82.5, 2.175, 2.1)


def test_underlying_month_comes_from_the_market_where_the_file_does_not_name_it() -> None:
    text = line(SecTyp="OOF", MMY="202511", StrkPx="80", PutCall="1", LastTrdDt="2025-11-14")
    serial = f"{HEADER}\n{text}\n".encode()
    row = parse_settlement(payload(OPTIONS, serial), context()).rows.row(0, named=True)
    assert (row["underlying_contract"], row["right"]) == ("HE-2025-12", "C")


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"SecTyp": "SPOT"}, ("set_aside", "not_a_future_or_option")),
        ({"SecTyp": "OOF"}, ("set_aside", "other_dataset")),
        ({"Sym": "XX"}, ("set_aside", "market_not_configured")),
        ({"MMY": "20250207"}, ("set_aside", "not_a_monthly_contract")),
        ({"MMY": "202502W2"}, ("set_aside", "not_a_monthly_contract")),
        ({"MMY": "202513"}, ("quarantined", "bad_contract_month")),
        ({"BizDt": "06.01.2025"}, ("quarantined", "bad_date")),
        ({"BizDt": "2025-01-05"}, ("quarantined", "not_a_session")),
        ({"BizDt": "2025-01-01"}, ("quarantined", "not_a_session")),
        ({"BizDt": "9999-12-31"}, ("quarantined", "not_a_session")),
        ({"SettlePrice": "81,3"}, ("quarantined", "ragged_row")),
        ({"SettlePrice": "n/a"}, ("quarantined", "bad_number")),
        ({"SettlePrice": "inf"}, ("quarantined", "bad_number")),
        ({"SettlePrice": "", "PrevDayVol": "", "PrevDayOI": ""}, ("set_aside", "no_values")),
    ],
)
def test_each_refused_row_has_its_reason(cells: dict[str, str], expected: tuple[str, str]) -> None:
    text = line(**cells).replace('"81,3"', "81,3")
    assert reasons(f"{HEADER}\n{text}\n".encode()) == [(0, *expected)]


def test_option_terms_that_cannot_be_read_are_quarantined() -> None:
    rows = [line(SecTyp="OOF", StrkPx="80", PutCall="2"), line(SecTyp="OOF", StrkPx="", PutCall="1")]
    assert [r[2] for r in reasons("\n".join([HEADER, *rows]).encode(), OPTIONS)] == ["bad_option_terms"] * 2


def test_the_clearing_code_decides_only_where_no_row_has_the_symbol() -> None:
    by_code = f"{HEADER}\n{line(Sym='XYZ', ID='HE')}\n".encode()
    assert parse_settlement(payload(FUTURES, by_code), context()).rows.height == 2
    both = f"{HEADER}\n{line(Sym='XYZ', ID='HE')}\n{line()}\n".encode()
    assert reasons(both) == [(0, "set_aside", "market_not_configured")]


def test_half_a_file_keeps_its_whole_rows() -> None:
    content = write_settlement(pl.concat([futures(), futures(contract_month=date(2025, 4, 1))]))
    assert reasons(content[:-40]) == [(1, "quarantined", "ragged_row")]


def test_shuffled_rows_and_columns_are_read_alike() -> None:
    frame = pl.concat([futures(), futures(contract_month=date(2025, 4, 1), settle=85.0)])
    straight = parse_settlement(payload(FUTURES, write_settlement(frame)), context()).rows
    table = [row.split(",") for row in write_settlement(frame.reverse()).decode().splitlines()]
    turned = "\n".join(",".join(reversed(row)) for row in table).encode()
    shuffled = parse_settlement(payload(FUTURES, turned), context()).rows
    key = ["contract", "record"]
    assert shuffled.drop("source_row").sort(key).equals(straight.drop("source_row").sort(key))


def test_new_and_missing_columns_are_noted_and_required_ones_refused() -> None:
    text = write_settlement(futures()).decode().splitlines()
    wider = f'{text[0]},Extra\n{text[1]},"x"\n'.encode()
    assert parse_settlement(payload(FUTURES, wider), context()).notes == ("new_column:Extra",)
    without_bid = HEADER.replace("BidPrice,", "") + "\n"
    assert parse_settlement(payload(FUTURES, without_bid.encode()), context()).notes == ("missing_column:BidPrice",)
    with pytest.raises(ParseError, match="missing_column: no SettlePrice"):
        parse_settlement(payload(FUTURES, HEADER.replace("SettlePrice,", "").encode()), context())


@pytest.mark.parametrize(
    ("content", "reason", "state"),
    [
        (b"", "zero_length", PayloadState.EMPTY),
        (b"<html>maintenance</html>", "html_instead_of_csv", PayloadState.UNREADABLE),
        (HEADER.encode("utf-16"), "wrong_encoding", PayloadState.UNREADABLE),
        (zipped("a.csv", HEADER.encode())[:-30], "broken_zip", PayloadState.UNREADABLE),
        (b"a,b,c\n1,2,3\n", "missing_column", PayloadState.UNREADABLE),
    ],
)
def test_what_is_no_settlement_file_is_refused(content: bytes, reason: str, state: PayloadState) -> None:
    with pytest.raises(ParseError) as caught:
        parse_settlement(payload(FUTURES, content), context())
    assert (caught.value.reason, caught.value.state) == (reason, state)


def test_zip_of_one_file_is_read() -> None:
    content = write_settlement(futures())
    inside = parse_settlement(payload(FUTURES, zipped("x.csv", content)), context()).rows
    assert inside.equals(parse_settlement(payload(FUTURES, content), context()).rows)


PRICES = st.one_of(st.none(), st.floats(0.001, 1e6, allow_nan=False).map(lambda x: float(f"{x:.7g}")))
COUNTS = st.one_of(st.none(), st.integers(0, 10**7))


@examples(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.sampled_from([1, 3, 5]), PRICES, PRICES, COUNTS, COUNTS),
        min_size=1,
        max_size=20,
        unique_by=lambda row: (row[0], row[1]),
    )
)
def test_written_futures_read_back_exactly(rows: list[tuple[int, int, float, float, int, int]]) -> None:
    frame = pl.DataFrame(
        [
            {
                "root": "HE",
                "contract_month": date(2025 + month // 12, month % 12 + 1, 1),
                "last_trade": date(2030, 1, 1),
                "session": date(2025, 1, 5 + day),
                "settle": settle,
                "open": opened,
                "prev_volume": volume,
                "prev_open_interest": interest,
            }
            for month, day, settle, opened, volume, interest in rows
        ],
        schema_overrides={
            "settle": pl.Float64,
            "open": pl.Float64,
            "prev_volume": pl.Int64,
            "prev_open_interest": pl.Int64,
        },
    )
    result = parse_settlement(payload(FUTURES, write_settlement(frame)), context())
    assert result.unaccounted() == []
    back = {(r["source_row"], r["record"]): r for r in result.rows.iter_rows(named=True)}
    sundays = 0
    for i, row in enumerate(frame.iter_rows(named=True)):
        if row["session"].weekday() >= 5:
            sundays += 1
            continue
        price, activity = back.get((i, "price"), {}), back.get((i, "activity"), {})
        assert (price.get("settle"), price.get("open")) == (row["settle"], row["open"])
        assert (activity.get("volume"), activity.get("open_interest")) == (
            row["prev_volume"],
            row["prev_open_interest"],
        )
    assert len({r for r, _ in back}) + result.rejects.height == frame.height


@examples(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=400), st.integers(0, 4000), st.integers(0, 30), st.sampled_from([FUTURES, OPTIONS]))
def test_whatever_the_bytes_only_the_parsers_own_error(noise: bytes, at: int, cut: int, dataset: Dataset) -> None:
    valid = write_settlement(pl.concat([futures(), futures(settle=None)]), options())
    for content in (noise, valid[:at] + noise + valid[at + cut :], (HEADER + "\n").encode() + noise):
        try:
            result = parse_settlement(payload(dataset, content), context())
        except ParseError:
            continue
        assert result.unaccounted() == []


@examples(max_examples=60, deadline=None)
@given(st.lists(st.text(alphabet='",x\r1 ', max_size=6), min_size=len(COLUMNS) - 1, max_size=len(COLUMNS) + 1))
def test_cells_full_of_quotes_lose_nothing(cells: list[str]) -> None:
    content = f"{HEADER}\n{','.join(cells)}\n{line()}\n".encode()
    result = parse_settlement(payload(FUTURES, content), context())
    assert result.unaccounted() == []
    assert result.rows.filter(pl.col("source_row") == result.total_rows - 1).height == 2


def request(first: date | None, last: date) -> FetchRequest:
    return FetchRequest(FUTURES, (market(),), first, last, datetime(2025, 1, 8, 23, tzinfo=UTC))


def test_source_delivers_the_files_of_the_window(tmp_path) -> None:
    folder = tmp_path / "data" / "settle"
    folder.mkdir(parents=True)
    for day in (date(2024, 6, 3), date(2025, 1, 6), date(2025, 1, 7), date(2025, 1, 9)):
        (folder / settlement_name(day)).write_bytes(write_settlement(futures(session=day)))
    source = CmeSettlementSource(settings(tmp_path, "cme_settlement", (str(FUTURES),), files=["settle/*.csv"]))
    names = [p.name for p in source.fetch(request(date(2025, 1, 7), date(2025, 1, 9)))]
    # The clock stands on the 8th: a file of the 9th is not delivered whatever the window says.
    assert names == ["settle/cme.settle.20250106.s.csv", "settle/cme.settle.20250107.s.csv"]
    assert next(p.name for p in source.fetch(request(None, date(2025, 1, 9)))).endswith("20240603.s.csv")
    assert source.check().ok
    outside = CmeSettlementSource(settings(tmp_path, "cme_settlement", (str(FUTURES),), files=["../*.csv"]))
    with pytest.raises(SourceError, match="bad_pattern"):
        list(outside.fetch(request(None, date(2025, 1, 9))))


def test_source_asks_the_server_per_session_and_only_for_what_changed(tmp_path) -> None:
    modified = "Tue, 07 Jan 2025 01:00:00 GMT"
    content = write_settlement(futures(session=date(2025, 1, 6)))
    with VendorServer() as vendor:
        vendor.on("/settle/cme.settle.20250106.s.csv", conditional(content, '"1"', modified))
        vendor.on("/settle/cme.settle.20250107.s.csv", status(503), status(503), ok(b"x"))
        bound = settings(tmp_path, "cme_settlement", (str(FUTURES),), base_url=vendor.url("/settle/"))
        source = CmeSettlementSource(bound, HttpPolicy(attempts=2, backoff_base=0.0, min_interval=0.0))
        delivered: list[Payload] = []
        with pytest.raises(SourceError) as caught:
            delivered.extend(source.fetch(request(date(2025, 1, 6), date(2025, 1, 7))))
        assert caught.value.state is PayloadState.UNREACHABLE
        assert [(p.content, p.available_at) for p in delivered] == [(content, datetime(2025, 1, 7, 1, tzinfo=UTC))]
        rows = source.parse(delivered[0], context()).rows
        assert rows["known_at"].unique().to_list() == [datetime(2025, 1, 7, 1, tzinfo=UTC)]
        Archive(tmp_path / "archive").store(delivered[0].sha256, content)
        again = list(source.fetch(request(date(2025, 1, 6), date(2025, 1, 7))))
        assert [p.content for p in again] == [content, b"x"]
        assert [p.available_at for p in again] == [datetime(2025, 1, 7, 1, tzinfo=UTC), None]
        assert "if-none-match" in vendor.requests[-2].headers


def test_truncated_zip_from_the_server_is_unreadable(tmp_path) -> None:
    with VendorServer() as vendor:
        vendor.on("/f/cme.settle.20250106.s.csv", truncated_zip("a.csv", write_settlement(futures())))
        bound = settings(tmp_path, "cme_settlement", (str(FUTURES),), base_url=vendor.url("/f"))
        source = CmeSettlementSource(bound, HttpPolicy(attempts=1, min_interval=0.0))
        (item,) = source.fetch(request(date(2025, 1, 6), date(2025, 1, 6)))
        with pytest.raises(ParseError, match="broken_zip"):
            source.parse(item, context())
