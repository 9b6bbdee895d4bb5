import os
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from hydra_assets.markets.contracts import contract_month, future_month
from hydra_assets.markets.expiry import (
    contracts_of,
    first_notice,
    front_contract,
    front_contracts,
    last_trade,
    listed_contracts,
    option_expiry,
    option_underlying_month,
)
from hydra_assets.markets.loader import load_markets
from hydra_assets.markets.sessions import calendar_of, trading_days

MARKETS = load_markets()
DATA = os.environ.get("HYDRA_REAL_DATA")


def month(text: str) -> date:
    return date(int(text[:4]), int(text[5:]), 1)


@pytest.mark.parametrize(
    ("symbol", "contract", "expected"),
    [
        ("HE", "2023-12", date(2023, 12, 14)),
        ("HE", "2024-02", date(2024, 2, 14)),
        ("ZC", "2023-12", date(2023, 12, 14)),
        ("ZC", "1999-12", date(1999, 12, 21)),
        ("ZC", "2000-03", date(2000, 3, 14)),
        ("LE", "2023-12", date(2023, 12, 29)),
        ("GF", "2023-11", date(2023, 11, 16)),
        ("GF", "2024-03", date(2024, 3, 28)),
        ("GF", "2024-05", date(2024, 5, 23)),
        ("NG", "2020-11", date(2020, 10, 28)),
        ("DC", "2012-02", date(2012, 3, 1)),
        ("DC", "2014-12", date(2014, 12, 30)),
        ("LBS", "1995-01", date(1995, 1, 13)),
        ("MW", "2022-05", date(2022, 5, 13)),
        ("BTC", "2026-08", date(2026, 8, 28)),
    ],
)
def test_last_trading_dates(symbol: str, contract: str, expected: date) -> None:
    assert last_trade(MARKETS[symbol], month(contract)) == expected


@pytest.mark.parametrize(
    ("symbol", "option_month", "expected"),
    [
        ("ZC", "2023-12", date(2023, 11, 24)),
        ("ZC", "2024-02", date(2024, 1, 26)),
        ("LE", "2023-12", date(2023, 12, 1)),
        ("HE", "2023-12", date(2023, 12, 14)),
        ("NG", "2020-11", date(2020, 10, 27)),
        ("BTC", "2026-09", date(2026, 9, 25)),
    ],
)
def test_option_expiries(symbol: str, option_month: str, expected: date) -> None:
    assert option_expiry(MARKETS[symbol], month(option_month)) == expected


@pytest.mark.parametrize(
    ("symbol", "option_month", "expected"),
    [
        ("ZC", "2023-12", "2023-12"),
        ("ZC", "2023-10", "2023-12"),
        ("ZC", "2024-01", "2024-03"),
        ("ZR", "2023-12", "2024-01"),
        ("LE", "2023-11", "2023-12"),
        ("HE", "2023-09", "2023-10"),
        ("DC", "2012-03", "2012-03"),
    ],
)
def test_serial_options_are_exercised_into_the_next_listed_future(
    symbol: str, option_month: str, expected: str
) -> None:
    assert option_underlying_month(MARKETS[symbol], month(option_month)) == month(expected)


def test_months_without_options() -> None:
    assert option_underlying_month(MARKETS["GF"], date(2024, 2, 1)) is None
    assert option_expiry(MARKETS["GF"], date(2024, 2, 1)) is None
    assert option_expiry(MARKETS["EH"], date(2020, 2, 1)) is None


def test_first_notice() -> None:
    assert first_notice(MARKETS["ZC"], date(2023, 12, 1)) == date(2023, 11, 30)
    assert first_notice(MARKETS["HE"], date(2023, 12, 1)) is None


@pytest.mark.parametrize("symbol", sorted(MARKETS))
def test_contract_table_is_in_order_on_trading_days_from_1970_to_2030(symbol: str) -> None:
    spec = MARKETS[symbol]
    table = contracts_of(spec)
    assert table["contract_month"].min() <= date(1970, 12, 1)
    assert table["contract_month"].max() >= date(2030, 12, 1)
    assert table["last_trade"].is_sorted()
    assert table["roll"].is_sorted()
    assert (table["roll"] <= table["last_trade"]).all()
    days = pl.Series(trading_days(spec.calendar)).cast(pl.Date)
    for column in ("last_trade", "roll"):
        assert table[column].is_in(days.implode()).all()
    gap = (table["last_trade"] - table["contract_month"]).dt.total_days()
    assert gap.min() >= -10
    assert gap.max() <= 36
    if spec.options is not None:
        for option_month in table["contract_month"].to_list()[::7]:
            expiry = option_expiry(spec, option_month)
            assert expiry is not None
            assert expiry <= last_trade(spec, option_month)


def test_contract_ids_say_their_month() -> None:
    table = contracts_of(MARKETS["LE"])
    assert [future_month(c) for c in table["contract"].to_list()] == table["contract_month"].to_list()


def test_front_moves_at_the_roll_and_not_before() -> None:
    spec = MARKETS["HE"]
    december = contracts_of(spec).filter(pl.col("contract") == "HE-2023-12").row(0, named=True)
    calendar = calendar_of(spec)
    assert december["roll"] == calendar.previous_session(date(2023, 12, 14), spec.roll_days_before_expiry)
    assert front_contract(spec, calendar.previous_session(december["roll"])) == date(2023, 12, 1)
    assert front_contract(spec, december["roll"]) == date(2024, 2, 1)


def test_front_of_a_delivered_market_is_gone_before_notice() -> None:
    spec = MARKETS["ZC"]
    sessions = pl.Series(calendar_of(spec).between(date(1972, 1, 3), date(2029, 12, 31)))
    fronts = front_contracts(spec, sessions)
    notice = {
        row["contract_month"]: min(row["first_notice"], row["last_trade"])
        for row in contracts_of(spec).iter_rows(named=True)
    }
    assert all(session < notice[front] for session, front in zip(sessions, fronts, strict=True))
    assert fronts.is_sorted()
    after = front_contracts(spec, sessions, place=1)
    assert (after > fronts).all()


def test_vectorised_fronts_agree_with_single_ones() -> None:
    spec = MARKETS["DC"]
    sessions = calendar_of(spec).between(date(2020, 1, 2), date(2020, 6, 30))
    assert front_contracts(spec, pl.Series(sessions)).to_list() == [front_contract(spec, s) for s in sessions]


def test_no_front_past_the_table() -> None:
    assert front_contracts(MARKETS["HE"], pl.Series([date(2032, 6, 1)])).to_list() == [None]


def test_listed_contracts_hold_the_dying_one_until_its_last_day() -> None:
    spec = MARKETS["HE"]
    assert listed_contracts(spec, date(2023, 12, 14), 6) == [
        date(2023, 12, 1),
        date(2024, 2, 1),
        date(2024, 4, 1),
        date(2024, 5, 1),
        date(2024, 6, 1),
    ]
    assert listed_contracts(spec, date(2023, 12, 15), 6)[0] == date(2024, 2, 1)


LEAN_MILK = (
    "2012-02:0301 2012-04:0501 2012-05:0530 2012-06:0703 2012-07:0731 2012-08:0828 2012-09:1002 2012-11:1204 "
    "2013-01:0129 2013-02:0226 2013-03:0402 2013-05:0604 2013-06:0702 2013-07:0730 2013-08:0904 2013-10:1029 "
    "2013-11:1203 2013-12:1231 2014-02:0304 2014-03:0401 2014-04:0429 2014-05:0603 2014-06:0701 2014-07:0729 "
    "2014-08:0903 2014-10:1104 2014-11:1202 2014-12:1230 2015-02:0303"
)


@pytest.mark.parametrize("pair", LEAN_MILK.split())
def test_milk_ends_the_day_before_the_class_price(pair: str) -> None:
    text, day = pair.split(":")
    ends = last_trade(MARKETS["DC"], month(text))
    assert (ends.month, ends.day) == (int(day[:2]), int(day[2:]))


@pytest.mark.skipif(DATA is None, reason="HYDRA_REAL_DATA is not set")
@pytest.mark.parametrize(
    ("name", "symbol", "contracts", "differing"),
    [("corn", "ZC", 74, 0), ("live_cattle", "LE", 43, 1), ("lumber", "LBS", 98, 10)],
)
def test_rules_against_a_vendors_last_trading_dates(name: str, symbol: str, contracts: int, differing: int) -> None:
    """The few that differ are the vendor's: it has live cattle of December 2004 end a session before the rule."""
    file = Path(str(DATA)) / "prices" / "schwartz97" / f"{name}.csv.gz"
    table = pl.read_csv(file, infer_schema=False, null_values=["None", ""])
    pairs = table.select("contract", "last_trade_date").unique().drop_nulls().rows()
    ends = [(contract_month(c, date(int(d[:4]) - 1, int(d[5:7]), 1)), date.fromisoformat(d)) for c, d in pairs]
    assert len(ends) == contracts
    away = [abs((last_trade(MARKETS[symbol], m) - d).days) for m, d in ends]
    assert sum(a > 0 for a in away) == differing
    assert max(away) <= 1
