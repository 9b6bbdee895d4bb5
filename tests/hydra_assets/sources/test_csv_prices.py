"""Futures bars by column map: the defects of each layout in small files, then the real files to the row."""

import time
from datetime import UTC, date, datetime

import polars as pl
import pytest

from hydra_assets.sources.base import ParseError, ParseResult
from tests.support.cot import real
from tests.support.tables import BARS, CHAINS, loaded, read, reasons

PST = "DATETIME,CARRY,CARRY_CONTRACT,PRICE,PRICE_CONTRACT,FORWARD,FORWARD_CONTRACT\n"
QUARANTINED, ASIDE = "quarantined", "set_aside"


def prices(result: ParseResult) -> list[tuple[str, date, float]]:
    rows = result.rows.filter(pl.col("record") == "price")
    return [(c, d, s) for c, d, s in rows.select("contract", "event_session", "settle").iter_rows()]


def test_a_row_of_three_contracts_gives_three_bars() -> None:
    text = PST + "2023-08-29 23:00:00,82.5,20231000,74.3,20231200,78.6,20240200\n"
    result = read(text.encode(), "pysystemtrade", "HE")
    day = date(2023, 8, 29)
    assert prices(result) == [("HE-2023-12", day, 74.3), ("HE-2024-02", day, 78.6), ("HE-2023-10", day, 82.5)]
    assert result.rows["source_row"].to_list() == [0, 0, 0]
    # 17:00 Chicago, daylight saving time.
    assert set(result.rows["known_at"]) == {datetime(2023, 8, 29, 22, 0, tzinfo=UTC)}


def test_carry_and_forward_of_one_contract_are_one_bar() -> None:
    text = PST + "2005-05-17 23:00:00,1.19,20050800,1.18,20050700,1.19,20050800\n"
    result = read(text.encode(), "pysystemtrade", "EH")
    assert [c for c, _, _ in prices(result)] == ["EH-2005-07", "EH-2005-08"]


def test_carry_and_forward_that_differ_both_reach_the_ingest() -> None:
    text = PST + "2005-05-17 23:00:00,1.20,20050800,1.18,20050700,1.19,20050800\n"
    assert [s for _, _, s in prices(read(text.encode(), "pysystemtrade", "EH"))] == [1.18, 1.19, 1.20]


@pytest.mark.parametrize(
    ("line", "how", "why"),
    [
        ("2023-08-29 19:00:00,,20231000,74.5,20231200,,20240200", ASIDE, "intraday_bar"),
        # A Sunday evening belongs to Monday's session.
        ("2017-10-29 23:00:00,,20231000,74.5,20231200,,20240200", ASIDE, "intraday_bar"),
        ("2012-04-06 23:00:00,,20231000,74.5,20231200,,20240200", QUARANTINED, "not_a_session"),
        ("2023-08-29 23:00:00,,20231000,,20231200,,20240200", ASIDE, "no_price"),
        ("2023-08-29 23:00:00,,20231000,x,20231200,,20240200", QUARANTINED, "bad_number"),
        ("2023-08-29 23:00:00,,20231000,inf,20231200,,20240200", QUARANTINED, "bad_number"),
        ("2023-08-29 23:00:00,,20231000,-74.5,20231200,,20240200", QUARANTINED, "not_positive_price"),
        ("2023-08-29 23:00:00,,20231000,0,20231200,,20240200", QUARANTINED, "not_positive_price"),
        ("2023-08-29 23:00:00,,20231000,74.5,20231300,,20240200", QUARANTINED, "bad_contract"),
        ("2023-08-29 23:00:00,,20231000,74.5,,,20240200", QUARANTINED, "bad_contract"),
        ("29.08.2023,,20231000,74.5,20231200,,20240200", QUARANTINED, "bad_date"),
        ("1023-08-29 23:00:00,,20231000,74.5,20231200,,20240200", QUARANTINED, "date_out_of_range"),
        ("2023-08-29 23:00:00,,20231000,74.5", QUARANTINED, "ragged_row"),
    ],
)
def test_a_row_that_is_no_daily_bar_keeps_its_reason(line: str, how: str, why: str) -> None:
    result = read(f"{PST}{line}\n".encode(), "pysystemtrade", "HE")
    assert result.rows.is_empty()
    assert reasons(result) == {(how, why): 1}
    assert result.rejects["raw"].to_list() == [line]


def test_volume_and_open_interest_are_known_a_session_after_the_settle() -> None:
    text = "date,rank,contract,last_trade_date,settle,open_interest,volume,ttm_days\n"
    text += "2004-07-02,1,LCQ04 Comdty,2004-08-31,85.325,64690.0,4308.0,60.0\n"
    result = read(text.encode(), "schwartz97", "LE")
    price, activity = result.rows.sort("record", descending=True).iter_rows(named=True)
    assert price["known_at"] == datetime(2004, 7, 2, 22, 0, tzinfo=UTC)
    assert (price["volume"], price["open_interest"]) == (None, None)
    # Monday the 5th is a holiday.
    assert activity["known_at"] == datetime(2004, 7, 6, 22, 0, tzinfo=UTC)
    assert activity["event_session"] == date(2004, 7, 2)
    assert (activity["settle"], activity["volume"], activity["open_interest"]) == (None, 4308.0, 64690.0)


def test_zero_open_interest_at_the_newest_days_only_is_not_published_yet() -> None:
    text = "Symbol,Date,Open,High,Low,Close,Volume,Open Interest\n"
    text += "HEZ23,2023-08-30,1,1,1,1,5,0\nHEZ23,2023-08-29,1,1,1,1,7,12\nHEZ23,2023-08-28,1,1,1,1,0,0\n"
    activity = read(text.encode(), "barchart", "HE").rows.filter(pl.col("record") == "activity")
    assert activity.select("event_session", "volume", "open_interest").rows() == [
        (date(2023, 8, 30), 5.0, None),
        (date(2023, 8, 29), 7.0, 12.0),
        (date(2023, 8, 28), 0.0, 0.0),
    ]


def test_another_root_is_another_market() -> None:
    text = "Symbol,Date,Open,High,Low,Close,Volume,Open Interest\nLEZ23,2023-08-30,1,1,1,1,5,9\n"
    assert reasons(read(text.encode(), "barchart", "HE")) == {(ASIDE, "other_market"): 1}
    named = read(text.encode(), "barchart", "HE", **{"root.HE": "LE"})
    assert set(named.rows["contract"]) == {"HE-2023-12"}


def test_a_plain_table_with_its_own_contract_names() -> None:
    text = "settle,contract,date,open,high,low,close,volume,open_interest\n81.5,HEZ25,2025-03-03,,,,81.4,10,NA\n"
    result = read(text.encode(), "generic_prices", "HE")
    row = result.rows.row(0, named=True)
    assert (row["contract"], row["settle"], row["close"], row["open"]) == ("HE-2025-12", 81.5, 81.4, None)
    assert result.rows["record"].to_list() == ["price", "activity"]


def test_a_map_without_options_does_not_serve_them() -> None:
    with pytest.raises(ParseError, match="other_dataset"):
        read(PST.encode(), "pysystemtrade", "HE", CHAINS)


def test_a_payload_of_no_configured_market_is_refused() -> None:
    with pytest.raises(ParseError, match="no_market"):
        read(PST.encode(), "pysystemtrade", "QQ")


@pytest.mark.parametrize(
    ("name", "symbol", "total", "closes", "rows", "rejects"),
    [
        ("LEANHOG", "HE", 30473, 11859, 28741, {(ASIDE, "intraday_bar"): 18613, (QUARANTINED, "not_a_session"): 1}),
        ("OATIES", "ZO", 43254, 12806, 18934, {(ASIDE, "intraday_bar"): 30447, (QUARANTINED, "not_a_session"): 1}),
        ("LIVECOW", "LE", 38188, 12549, 30261, {(ASIDE, "intraday_bar"): 25637, (QUARANTINED, "not_a_session"): 2}),
        (
            "CORN",
            "ZC",
            37896,
            12326,
            31726,
            {(ASIDE, "intraday_bar"): 25531, (ASIDE, "no_price"): 27, (QUARANTINED, "not_a_session"): 12},
        ),
        ("RICE", "ZR", 46112, 7995, 13575, {(ASIDE, "intraday_bar"): 38109, (QUARANTINED, "not_a_session"): 8}),
        ("ETHANOL", "EH", 4628, 4606, 9199, {(ASIDE, "intraday_bar"): 22}),
    ],
)
def test_pysystemtrade_files_to_the_row(
    name: str, symbol: str, total: int, closes: int, rows: int, rejects: dict[tuple[str, str], int]
) -> None:
    content = real(f"prices/pysystemtrade/multiple_prices_csv/{name}.csv").read_bytes()
    result = read(content, "pysystemtrade", symbol)
    assert (result.total_rows, loaded(result), result.rows.height) == (total, closes, rows)
    assert reasons(result) == rejects
    assert result.notes == ()
    assert result.rows.select("contract", "event_session").is_duplicated().sum() == 0
    assert (result.rows["known_at"] > result.rows["event_session"].cast(pl.Datetime("us", "UTC"))).all()


def test_lean_hogs_first_and_last_closes() -> None:
    content = real("prices/pysystemtrade/multiple_prices_csv/LEANHOG.csv").read_bytes()
    bars = read(content, "pysystemtrade", "HE").rows.sort("event_session", maintain_order=True)
    first = bars.filter(pl.col("event_session") == date(1974, 7, 22))
    assert first.select("contract", "settle").rows() == [("HE-1975-07", 44.0), ("HE-1975-06", 43.35)]
    # The last day of the file has hours and no daily close.
    assert bars["event_session"].max() == date(2023, 8, 30)


def test_lean_hogs_are_read_fast() -> None:
    content = real("prices/pysystemtrade/multiple_prices_csv/LEANHOG.csv").read_bytes()
    read(content, "pysystemtrade", "HE")
    started = time.process_time()
    read(content, "pysystemtrade", "HE")
    assert time.process_time() - started < 2.0


@pytest.mark.parametrize(
    ("name", "symbol", "total", "kept", "rejects"),
    [
        ("corn", "ZC", 20682, (20680, 20339), {(QUARANTINED, "bad_contract"): 2}),
        ("live_cattle", "LE", 9360, (9354, 9354), {(QUARANTINED, "not_a_session"): 1, (ASIDE, "no_price"): 5}),
        ("lumber", "LBS", 15816, (15808, 15796), {(QUARANTINED, "not_a_session"): 8}),
    ],
)
def test_schwartz97_files_to_the_row(
    name: str, symbol: str, total: int, kept: tuple[int, int], rejects: dict[tuple[str, str], int]
) -> None:
    result = read(real(f"prices/schwartz97/{name}.csv.gz").read_bytes(), "schwartz97", symbol)
    assert result.total_rows == total
    assert reasons(result) == rejects
    records = dict(result.rows["record"].value_counts().iter_rows())
    assert (records["price"], records["activity"]) == kept
    assert result.rows.select("contract", "event_session", "record").is_duplicated().sum() == 0
    # Prices of whole contracts stay where their market was; a misread year would mix them.
    life = result.rows.group_by("contract").agg(pl.col("contract_month").first() - pl.col("event_session").min())
    assert life["contract_month"].dt.total_days().max() < 800


def test_schwartz97_empty_is_missing_not_zero() -> None:
    result = read(real("prices/schwartz97/lumber.csv.gz").read_bytes(), "schwartz97", "LBS")
    last = result.rows.filter((pl.col("contract") == "LBS-2011-03") & (pl.col("event_session") == date(2010, 9, 7)))
    activity = last.filter(pl.col("record") == "activity").row(0, named=True)
    assert (activity["open_interest"], activity["volume"]) == (62.0, None)
    assert (result.rows["volume"] == 0).sum() == 0


def test_the_wheat_contract_to_the_row() -> None:
    content = real("prices/single_contract/MWK22-Daily--historical-data.csv").read_bytes()
    result = read(content, "barchart", "MW")
    assert (result.total_rows, loaded(result), reasons(result)) == (385, 385, {})
    assert set(result.rows["contract"]) == {"MW-2022-05"}
    newest = result.rows.filter(pl.col("record") == "activity").sort("event_session", descending=True).head(3)
    assert newest.select("event_session", "volume", "open_interest").rows() == [
        (date(2022, 3, 29), 440.0, None),
        (date(2022, 3, 28), 1981.0, None),
        (date(2022, 3, 25), 3479.0, 26285.0),
    ]
    oldest = result.rows.filter(pl.col("event_session") == date(2020, 9, 18))
    assert oldest.filter(pl.col("record") == "activity")["open_interest"].to_list() == [1.0]
    bar = result.rows.filter((pl.col("event_session") == date(2022, 3, 25)) & (pl.col("record") == "price"))
    assert bar.select("open", "high", "low", "settle").row(0) == (1086.0, 1109.0, 1071.25, 1104.25)


def test_the_dalian_report_to_the_row() -> None:
    name = "DCE_20211028_1635487856657_Daily.txt"
    result = read(real(f"formats/{name}").read_bytes(), "dce", "DCE_A", BARS, name)
    kinds = reasons(result)
    assert result.total_rows == 242
    assert loaded(result) == 6
    assert kinds.pop((ASIDE, "subtotal")) + kinds.pop((ASIDE, "other_market")) == 236
    assert kinds == {}
    bar = result.rows.filter(pl.col("contract") == "A-2022-01").sort("record", descending=True)
    assert bar["event_session"].to_list() == [date(2021, 10, 28)] * 2
    assert bar.select("open", "settle").row(0) == (6167.0, 6153.0)
    assert bar.select("volume", "open_interest").row(1) == (133_393.0, 111_930.0)


def test_the_dalian_report_has_no_trades_as_zeros() -> None:
    text = "Contract\tOpen\t\tHigh\tLow\tClose\tSettle\tVolume\tOI\na2204\t0\t\t0\t0\t4,021\t4,021\t0\t3\t\n"
    row = read(text.encode(), "dce", "DCE_A", BARS, "DCE_20211028_1_Daily.txt").rows.row(0, named=True)
    assert (row["open"], row["high"], row["low"], row["close"], row["settle"]) == (None, None, None, 4021.0, 4021.0)
    with pytest.raises(ParseError, match="no_date_in_name"):
        read(text.encode(), "dce", "DCE_A", BARS, "report.txt")
