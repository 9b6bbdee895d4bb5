"""LEAN folders: names that say everything, contracts whose rows stand in three archives, and the real milk chain."""

import io
import zipfile
from datetime import UTC, date, datetime

import polars as pl
import pytest

from hydra_assets.sources.base import Dataset, ParseError, ParseResult
from hydra_assets.sources.csv_lean_files import bundle
from tests.support.cot import real
from tests.support.tables import BARS, CHAINS, loaded, read, reasons

QUARANTINED, ASIDE = "quarantined", "set_aside"
QUOTE = "20120103 00:00,17.42,17.67,16.4,17.5,1,17.55,17.82,17.42,17.62,3"


def archive(files: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as zipped:
        for name, text in files.items():
            zipped.writestr(name, text)
    return out.getvalue()


def parse(files: dict[str, str], dataset: Dataset = BARS, symbol: str = "DC") -> ParseResult:
    return read(bundle([("part.zip", archive(files))]), "lean", symbol, dataset)


def folder(relative: str) -> ParseResult:
    base = real(f"options/lean_milk/Data/{relative}")
    content = bundle([(path.name, path.read_bytes()) for path in sorted(base.iterdir())])
    return read(content, "lean", "DC", CHAINS if relative.startswith("futureoption") else BARS, relative)


def test_quote_trade_and_open_interest_of_a_contract_make_one_bar() -> None:
    result = parse(
        {
            "dc_quote_201203_20120401.csv": QUOTE,
            "dc_trade_201203_20120401.csv": "20120103 00:00,17.5,17.7,17.45,17.56,450",
            "dc_openinterest_201203_20120401.csv": "20120103 00:00,3905",
        }
    )
    price = result.rows.filter(pl.col("record") == "price").row(0, named=True)
    assert price["contract"] == "DC-2012-03"
    assert (price["bid"], price["ask"], price["bid_size"], price["ask_size"]) == (17.5, 17.62, 1, 3)
    assert (price["open"], price["high"], price["low"], price["close"], price["settle"]) == (
        17.5,
        17.7,
        17.45,
        17.56,
        None,
    )
    assert price["known_at"] == datetime(2012, 1, 3, 22, 0, tzinfo=UTC)
    activity = result.rows.filter(pl.col("record") == "activity")
    # Open interest on the wire in the morning is the previous session's; volume becomes known the next one.
    assert activity.select("event_session", "volume", "open_interest", "known_at").rows() == [
        (date(2011, 12, 30), None, 3905.0, datetime(2012, 1, 3, 22, 0, tzinfo=UTC)),
        (date(2012, 1, 3), 450.0, None, datetime(2012, 1, 4, 22, 0, tzinfo=UTC)),
    ]


def test_the_month_in_a_futures_name_is_not_believed() -> None:
    result = parse({f"dc_quote_201203_{day}.csv": QUOTE for day in ("20120301", "20120401", "20131017", "20121028")})
    # 2013-10-17: the price of September came late in a shutdown. 2012-10-28 is a Sunday.
    assert result.rows["contract"].to_list() == ["DC-2012-02", "DC-2012-03", "DC-2012-10", "DC-2013-09"]


def test_an_option_is_what_its_name_says_with_one_side_missing() -> None:
    name = "dc_quote_american_put_152500_20120401.csv"
    rows = parse({name: "20120103 00:00,,,,,0,0.07,0.08,0.07,0.07,25"}, CHAINS).rows
    row = rows.row(0, named=True)
    assert (row["option"], row["underlying_contract"]) == ("DC-2012-04-01-P-15.25", "DC-2012-03")
    assert (row["bid"], row["ask"], row["ask_size"]) == (None, 0.07, 25.0)


def test_a_trade_beside_a_quote_is_merged_and_accounted_for() -> None:
    names = ("dc_quote_american_call_185000_20120401.csv", "dc_trade_american_call_185000_20120401.csv")
    lines = ("20120103 00:00,0.08,0.33,0.08,0.08,1,0.5,0.5,0.38,0.38,1", "20120103 00:00,0.34,0.34,0.34,0.34,2")
    rows = parse(dict(zip(names, lines, strict=True)), CHAINS).rows
    assert rows.select("record", "source_row", "bid", "ask", "close", "volume").rows() == [
        ("price", 0, 0.08, 0.38, 0.34, None),
        ("activity", 1, None, None, None, 2.0),
    ]


@pytest.mark.parametrize(
    ("name", "line", "how", "why"),
    [
        ("hg_quote_201203_20120401.csv", QUOTE, ASIDE, "other_market"),
        ("dc_quote_american_call_150000_20120401.csv", QUOTE, ASIDE, "other_dataset"),
        ("20120103_dc_minute_quote_201203_20120401.csv", "54540000,1,1,1,1,1,1,1,1,1,1", ASIDE, "intraday_bar"),
        ("readme.csv", QUOTE, QUARANTINED, "unknown_member"),
        ("dc_quote_201203_20120401.csv", QUOTE + ",1", QUARANTINED, "ragged_row"),
        ("dc_quote_201203_20120401.csv", QUOTE.replace("17.62", "x"), QUARANTINED, "bad_number"),
        ("dc_quote_201203_20120401.csv", QUOTE.replace("17.62", "-17.62"), QUARANTINED, "negative_price"),
        ("dc_quote_201203_20120401.csv", QUOTE.replace("20120103 ", "2012-01-03 "), QUARANTINED, "bad_date"),
        ("dc_quote_201203_20120401.csv", QUOTE.replace("20120103", "20120102"), QUARANTINED, "not_a_session"),
        ("dc_quote_201203_20121399.csv", QUOTE, QUARANTINED, "bad_expiry"),
        ("dc_quote_201203_20120401.csv", "20120103 00:00,,,,,,,,,,", ASIDE, "no_value"),
    ],
)
def test_a_row_that_is_no_bar_keeps_its_reason(name: str, line: str, how: str, why: str) -> None:
    result = parse({name: line})
    assert result.rows.is_empty()
    assert reasons(result) == {(how, why): 1}
    assert line in result.rejects["raw"].item()


def test_two_rows_of_one_contract_and_session_are_not_merged_in_silence() -> None:
    result = parse({"dc_trade_201203_20120401.csv": "20120103 00:00,1,1,1,1,5\n20120103 00:00,2,2,2,2,6\n"})
    assert reasons(result) == {(QUARANTINED, "duplicate_row"): 1}
    assert result.rows["close"].drop_nulls().to_list() == [1.0]


def test_a_whole_newest_session_is_no_unfinished_one() -> None:
    day = "{} 00:00,1,1,1,1,1,2,2,2,2,1"
    strikes = range(150_000, 180_000, 5_000)
    names = [f"dc_quote_american_call_{k}_20120401.csv" for k in strikes]
    both = "\n".join([day.format("20120103"), day.format("20120104")])
    assert reasons(parse(dict.fromkeys(names, both), CHAINS)) == {}
    some = {name: both if i < 2 else day.format("20120103") for i, name in enumerate(names)}
    assert reasons(parse(some, CHAINS)) == {(QUARANTINED, "partial_session"): 2}


@pytest.mark.parametrize("content", [b"no zip", bundle([("a.zip", b"no zip")]), archive({"dc_quote": "x" * 99})[:-30]])
def test_a_broken_archive_is_a_parse_error(content: bytes) -> None:
    with pytest.raises(ParseError) as error:
        read(content, "lean", "DC")
    assert error.value.reason == "bad_zip"


def test_a_bomb_is_not_unpacked() -> None:
    bomb = archive({"dc_quote_201203_20120401.csv": "0" * 1000})
    # The directory claims a gigabyte; nothing of it is read.
    claimed = bomb.replace((1000).to_bytes(4, "little"), (2**30).to_bytes(4, "little"))
    with pytest.raises(ParseError) as error:
        read(claimed, "lean", "DC")
    assert error.value.reason in {"too_large", "bad_zip"}


def test_a_bundle_depends_on_its_files_alone() -> None:
    files = [("b.zip", b"2"), ("a.zip", b"1")]
    assert bundle(files) == bundle(files[::-1])


def test_the_milk_options_to_the_row() -> None:
    result = folder("futureoption/cme/daily/dc/20120401")
    assert result.total_rows == 84 + 12 + 7
    assert loaded(result) == 84 + 7
    assert reasons(result) == {(QUARANTINED, "partial_session"): 12}
    assert all("20120104" in raw for raw in result.rejects["raw"])
    price = result.rows.filter(pl.col("record") == "price")
    assert (price.height, price["strike"].n_unique()) == (84, 55)
    assert set(price["expiry"]) == {date(2012, 4, 1)}
    assert set(price["underlying_contract"]) == {"DC-2012-03"}
    assert set(price["event_session"]) == {date(2012, 1, 3)}
    assert price["bid"].is_null().sum() == 29
    assert price["ask"].is_null().sum() == 0
    two_sided = price.drop_nulls("bid").group_by("strike").agg(pl.col("right").n_unique())
    assert (two_sided["right"] == 2).sum() == 22
    spread = price.drop_nulls("bid").select((pl.col("ask") - pl.col("bid")) / ((pl.col("ask") + pl.col("bid")) / 2))
    assert spread.to_series().median() == pytest.approx(0.30, abs=0.01)
    assert result.rows["open_interest"].is_null().all()
    assert result.rows.filter(pl.col("record") == "activity")["volume"].sum() == 35


def test_parity_of_the_milk_options_gives_the_futures_close() -> None:
    options = folder("futureoption/cme/daily/dc/20120401").rows.drop_nulls("bid")
    mid = options.with_columns(((pl.col("bid") + pl.col("ask")) / 2).alias("mid"))
    calls, puts = (mid.filter(pl.col("right") == right) for right in "CP")
    pairs = calls.join(puts, on="strike", suffix="_put")
    forward = (pairs["strike"] + pairs["mid"] - pairs["mid_put"]).median()
    futures = folder("future/cme/daily").rows
    close = futures.filter((pl.col("contract") == "DC-2012-03") & (pl.col("record") == "price"))["close"].item()
    assert close == 17.56
    assert forward == pytest.approx(17.57, abs=0.02)


def test_the_milk_futures_to_the_row() -> None:
    result = folder("future/cme/daily")
    assert (result.total_rows, result.rejects.height) == (19 + 17 + 11, 0)
    assert result.rows.filter(pl.col("record") == "price").height == 17
    interest = result.rows.drop_nulls("open_interest")
    assert interest.height == 19
    assert interest["contract"].n_unique() == 19
    assert set(interest["event_session"]) == {date(2011, 12, 30)}
    assert result.rows["volume"].sum() == 829


@pytest.mark.parametrize(
    ("relative", "total", "why"),
    [
        ("future/cme/minute/dc", 3_122, "intraday_bar"),
        ("futureoption/cme/minute/dc/20120401", 6_094, "intraday_bar"),
        ("future/cme/universes/dc", 48, "universe_file"),
        ("futureoption/cme/universes/dc/20120401", 170, "universe_file"),
    ],
)
def test_minutes_and_universes_are_accounted_for(relative: str, total: int, why: str) -> None:
    result = folder(relative)
    assert result.rows.is_empty()
    assert reasons(result) == {(ASIDE, why): total}


def test_universe_files_would_tell_the_future() -> None:
    """The file dated Friday 2013-10-04 holds the trades that the minute file dates Monday 2013-10-07."""
    universe = pl.read_csv(real("options/lean_milk/Data/future/cme/universes/dc/20131004.csv"), infer_schema=False)
    friday = dict(universe.select("#expiry", "open").iter_rows())
    with zipfile.ZipFile(real("options/lean_milk/Data/future/cme/minute/dc/20131007_trade.zip")) as minutes:
        first = {n[-12:-4]: minutes.read(n).decode().split("\n")[0].split(",")[1] for n in minutes.namelist()}
    shared = [expiry for expiry in friday if expiry in first]
    assert sum(float(friday[e]) == float(first[e]) for e in shared) > 0.7 * len(shared)
