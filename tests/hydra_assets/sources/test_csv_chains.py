"""Option chains by column map: the meaning of each vendor's columns, then the real files to the row."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from hydra_assets.sources.base import ParseError, ParseResult
from tests.support.cot import real
from tests.support.tables import BARS, CHAINS, loaded, read, reasons

CRYPTO = (
    "snapshot_utc,exchange,underlying,instrument,expiry,strike,type,mark_price,bid,ask,mark_iv,delta,gamma,vega,theta,"
    "open_interest,volume_24h,underlying_price\n"
)
DERIBIT = "2026-07-04 12:24:07,deribit,BTC,BTC-28AUG26-48000-C,2026-08-28,48000,call,0.25,0.24,0.26,50,,,,,37.5,2,60000"
OKX = DERIBIT.replace("deribit", "okx").replace(",50,", ",0.5,")
HENRY = (
    "futures-expirationDate,tradeDate,options-priorSettle,options-strikePrice,futures-priorSettle,options-id,"
    "futures-productId,options-optiontype,options-updated,options-mdKey,futures-productName,futures-updated\n"
)
QUARANTINED, ASIDE = "quarantined", "set_aside"


def price(result: ParseResult) -> dict[str, object]:
    return result.rows.filter(pl.col("record") == "price").row(0, named=True)


def test_deribit_prices_in_coin_become_dollars_by_the_expirys_forward() -> None:
    row = price(read((CRYPTO + DERIBIT + "\n").encode(), "deribit", "BTC,ETH", CHAINS))
    assert row["option"] == "BTC-2026-08-28-C-48000"
    assert (row["bid"], row["ask"], row["settle"]) == pytest.approx((14_400, 15_600, 15_000))
    assert row["underlying_price"] == 60_000
    assert row["underlying_contract"] == "BTC-2026-08"
    assert row["vendor_iv"] == pytest.approx(0.5)
    assert row["event_time"] == datetime(2026, 7, 4, 12, 24, 7, tzinfo=UTC)
    assert row["known_at"] == datetime(2026, 7, 4, 12, 29, 7, tzinfo=UTC)


def test_okx_converts_by_the_index_and_does_not_call_it_an_underlying() -> None:
    row = price(read((CRYPTO + OKX + "\n").encode(), "okx", "BTC", CHAINS))
    assert row["option"] == "BTC_OKX-2026-08-28-C-48000"
    assert (row["bid"], row["vendor_iv"]) == pytest.approx((14_400, 0.5))
    assert row["underlying_price"] is None
    with pytest.raises(ParseError, match="other_dataset"):
        read((CRYPTO + OKX + "\n").encode(), "okx", "BTC", BARS)


def test_open_interest_of_a_snapshot_is_known_with_it() -> None:
    rows = read((CRYPTO + DERIBIT + "\n").encode(), "deribit", "BTC", CHAINS).rows
    activity = rows.filter(pl.col("record") == "activity").row(0, named=True)
    assert (activity["open_interest"], activity["volume"], activity["bid"]) == (37.5, 2.0, None)
    assert activity["known_at"] == datetime(2026, 7, 4, 12, 29, 7, tzinfo=UTC)


def test_a_side_without_a_quote_is_null_and_a_weekly_option_has_no_listed_future() -> None:
    line = DERIBIT.replace(",0.24,0.26,", ",,0.26,").replace("2026-08-28", "2026-08-21")
    row = price(read(f"{CRYPTO}{line}\n".encode(), "deribit", "BTC", CHAINS))
    assert (row["bid"], row["underlying_contract"]) == (None, None)
    assert row["ask"] == pytest.approx(15_600)


@pytest.mark.parametrize(
    ("old", "new", "how", "why"),
    [
        (",60000", ",", QUARANTINED, "no_rate"),
        (",60000", ",0", QUARANTINED, "no_rate"),
        (",call,", ",CALL?,", QUARANTINED, "bad_right"),
        (",48000,call", ",0,call", QUARANTINED, "bad_strike"),
        (",48000,call", ",,call", QUARANTINED, "bad_strike"),
        (",48000,call", ",4x,call", QUARANTINED, "bad_number"),
        ("2026-08-28", "28.08.26", QUARANTINED, "bad_expiry"),
        ("2026-08-28", "2026-07-03", QUARANTINED, "expired_option"),
        (",0.24,", ",-0.24,", QUARANTINED, "negative_price"),
        ("2026-07-04 12:24:07", "2026-07-04", QUARANTINED, "bad_date"),
        (",BTC,", ",SOL,", ASIDE, "other_market"),
        (",0.25,0.24,0.26,50,,,,,37.5,2,", ",,,,50,,,,,,,", ASIDE, "no_value"),
    ],
)
def test_a_row_that_is_no_option_keeps_its_reason(old: str, new: str, how: str, why: str) -> None:
    line = DERIBIT.replace(old, new)
    assert line != DERIBIT
    result = read(f"{CRYPTO}{line}\n".encode(), "deribit", "BTC", CHAINS)
    assert result.rows.is_empty()
    assert reasons(result) == {(how, why): 1}
    assert result.rejects["raw"].to_list() == [line]


def test_forwards_of_monthly_expiries_are_futures() -> None:
    lines = [DERIBIT, DERIBIT.replace("48000", "50000"), DERIBIT.replace("2026-08-28", "2026-08-21")]
    result = read((CRYPTO + "\n".join(lines) + "\n").encode(), "deribit", "BTC", BARS)
    assert result.rows.select("contract", "settle", "source_row").rows() == [("BTC-2026-08", 60_000.0, 0)]
    assert reasons(result) == {(ASIDE, "repeated_in_file"): 1, (ASIDE, "not_a_listed_future"): 1}


def henry_line(month: str, strike: str, right: str, settle: str, future: str, stamp: str = "17:55:05") -> str:
    stamps = f"2020-10-15 17:56:10,LNE,Henry Hub Natural Gas Futures,2020-10-15 {stamp}"
    return f"{month},2020-10-15,{settle},{strike},{future},1352,444,{right},{stamps}\n"


def test_henry_hub_strikes_months_and_the_vendors_own_time() -> None:
    text = HENRY + henry_line("2021-01-01", "10250.0", "call", "0.0165", "3.396")
    row = price(read(text.encode(), "henryhub", "NG", CHAINS))
    # The expiration column is the contract month; European options end four business days before it.
    assert (row["option"], row["underlying_contract"]) == ("LNE-2020-12-28-C-10.25", "NG-2021-01")
    assert (row["settle"], row["bid"], row["underlying_price"]) == (0.0165, None, 3.396)
    # 17:56:10 Chicago, later than the settlement publication.
    assert row["known_at"] == datetime(2020, 10, 15, 22, 56, 10, tzinfo=UTC)


def test_one_price_written_at_once_for_several_months_is_a_filler() -> None:
    months = ["2025-07-01", "2025-08-01", "2025-09-01"]
    filler = "".join(henry_line(m, "2000.0", "put", "0.3", "2.775", "20:22:12") for m in months)
    good = henry_line("2020-11-01", "2000.0", "put", "0.01", "2.775", "20:20:59")
    bars = read((HENRY + good + filler).encode(), "henryhub", "NG", BARS)
    assert bars.rows.select("contract", "settle").rows() == [("NG-2020-11", 2.775)]
    assert reasons(bars) == {(QUARANTINED, "repeated_settlement"): 3}
    options = read((HENRY + good + filler).encode(), "henryhub", "NG", CHAINS).rows
    assert options["underlying_price"].to_list() == [2.775, None, None, None]
    assert options["settle"].to_list() == [0.01, 0.3, 0.3, 0.3]


def test_a_plain_chain() -> None:
    text = "date,expiry,strike,right,bid,ask,settle,volume,open_interest\n2025-03-03,2025-06-13,82.5,P,,1.5,1.2,,40\n"
    rows = read(text.encode(), "generic_chain", "HE", CHAINS).rows
    assert rows["option"].to_list() == ["HE-2025-06-13-P-82.5"] * 2
    assert rows.select("record", "settle", "open_interest").rows() == [("price", 1.2, None), ("activity", None, 40.0)]


def test_a_market_without_options_is_refused() -> None:
    with pytest.raises(ParseError, match="no_options"):
        read((CRYPTO + DERIBIT + "\n").encode(), "deribit", "EH", CHAINS)


def days(exchange: str) -> list[Path]:
    return sorted(real(f"options/crypto_daily/{exchange}").glob("*.csv"))


@pytest.mark.parametrize(("exchange", "files", "total"), [("deribit", 28, 44_004), ("okx", 6, 8_362)])
def test_crypto_chains_to_the_row(exchange: str, files: int, total: int) -> None:
    results = [read(path.read_bytes(), exchange, "BTC,ETH", CHAINS, path.name) for path in days(exchange)]
    assert len(results) == files
    assert sum(r.total_rows for r in results) == total
    assert sum(loaded(r) for r in results) == total
    assert all(r.rejects.is_empty() and r.notes == () for r in results)
    rows = pl.concat([r.rows for r in results])
    assert rows.height == 2 * total
    assert rows.select("option", "event_session", "record").is_duplicated().sum() == 0
    assert set(rows["market"]) == {"BTC", "ETH"}
    assert rows["vendor_iv"].drop_nulls().is_between(0.05, 3).all()
    # The snapshot's time wanders: each day is known at its own.
    known = rows.group_by("event_session").agg(pl.col("known_at").n_unique(), pl.col("event_time").first())
    assert set(known["known_at"]) == {1}
    assert known["event_time"].dt.time().n_unique() > files - 2


def test_deribit_and_okx_of_one_day_do_not_share_a_key_and_agree_in_dollars() -> None:
    rows = [
        read(days(exchange)[0].read_bytes(), exchange, "BTC,ETH", CHAINS).rows.filter(pl.col("record") == "price")
        for exchange in ("deribit", "okx")
    ]
    assert not set(rows[0]["option"]) & set(rows[1]["option"])
    terms = ["market", "expiry", "strike", "right"]
    both = rows[0].join(rows[1], on=terms, suffix="_okx").filter(pl.col("settle") > 0.01 * pl.col("underlying_price"))
    assert both.height > 300
    gap = ((both["settle_okx"] / both["settle"]).log()).abs()
    assert gap.median() < 0.03


def test_deribit_parity_gives_the_stored_forward() -> None:
    """In dollars and undiscounted, call minus put is forward minus strike; the marks agree with the forward."""
    rows = read(days("deribit")[0].read_bytes(), "deribit", "BTC", CHAINS).rows.filter(pl.col("record") == "price")
    calls, puts = (rows.filter(pl.col("right") == right) for right in "CP")
    pairs = calls.join(puts, on=["expiry", "strike"], suffix="_put")
    forward = pairs["settle"] - pairs["settle_put"] + pairs["strike"]
    assert ((forward / pairs["underlying_price"]).log()).abs().max() < 2e-3
    assert pairs.group_by("expiry").agg(pl.col("underlying_price").mean())["underlying_price"].n_unique() > 5


def test_the_henry_hub_board_to_the_row() -> None:
    content = real("options/henryhub/henry_hub_european_options.2020-10-15.csv").read_bytes()
    options = read(content, "henryhub", "NG", CHAINS)
    assert (options.total_rows, options.rows.height, options.rejects.height) == (16_176, 16_176, 0)
    assert options.rows["expiry"].n_unique() == 75
    assert (options.rows["strike"].min(), options.rows["strike"].max()) == (0.05, 20.0)
    assert options.rows.select("bid", "ask", "volume", "open_interest").null_count().row(0) == (16_176,) * 4
    first = options.rows.row(0, named=True)
    assert (first["option"], first["settle"]) == ("LNE-2020-12-28-C-10", 0.0109)
    assert options.rows["known_at"].min() > datetime(2020, 10, 15, 22, 54, tzinfo=UTC)


def test_the_henry_hub_futures_without_the_fillers() -> None:
    content = real("options/henryhub/henry_hub_european_options.2020-10-15.csv").read_bytes()
    bars = read(content, "henryhub", "NG", BARS)
    assert bars.rows.height == 56
    assert reasons(bars) == {(ASIDE, "repeated_in_file"): 16_101, (QUARANTINED, "repeated_settlement"): 19}
    settles = dict(bars.rows.sort("contract").select("contract", "settle").iter_rows())
    assert settles["NG-2020-11"] == 2.775
    assert settles["NG-2021-01"] == pytest.approx(3.396)
    assert max(settles) == "NG-2025-06"
    # Each option's own parity says the same as the future that was kept.
    rows = read(content, "henryhub", "NG", CHAINS).rows
    calls, puts = (rows.filter(pl.col("right") == right) for right in "CP")
    near = calls.join(puts, on=["expiry", "strike", "underlying_contract"], suffix="_put").filter(
        (pl.col("settle") - pl.col("settle_put")).abs() < 0.3
    )
    implied = near.with_columns((pl.col("settle") - pl.col("settle_put") + pl.col("strike")).alias("forward"))
    gaps = implied.group_by("underlying_contract").agg(
        (pl.col("forward").median() - pl.col("underlying_price").first()).abs().alias("gap")
    )
    assert gaps.drop_nulls().height == 56
    assert gaps["gap"].drop_nulls().max() < 0.08


def test_snapshots_of_a_weekend_are_kept_with_their_date() -> None:
    saturday = read(days("deribit")[0].read_bytes(), "deribit", "BTC", CHAINS).rows
    assert set(saturday["event_session"]) == {date(2026, 7, 4)}
    assert (saturday["known_at"] - saturday["event_time"]).unique().to_list() == [timedelta(minutes=5)]
