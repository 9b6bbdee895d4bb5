"""Daily P&L: by hand, and every cent of random fills found again."""

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_exec.accounting.daily_pnl import PNL_COLUMNS, daily_pnl, rolled_lots
from hydra_exec.accounting.positions import positions

D1, D2, D3 = (date(2025, 3, day) for day in (3, 4, 5))
A, B = "HE-2025-04", "HE-2025-06"
MULTIPLIERS = {"HE": 400.0, "ZC": 50.0}
Fill = tuple[str, date, str, str, int, float, float | None]


def fills(*rows: Fill) -> pl.DataFrame:
    schema = {
        "market": pl.String,
        "session": pl.Date,
        "contract": pl.String,
        "side": pl.String,
        "quantity": pl.Int64,
        "fill_price": pl.Float64,
        "fee": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def settles(*rows: tuple[str, date, str, float | None]) -> pl.DataFrame:
    schema = {"market": pl.String, "session": pl.Date, "contract": pl.String, "settle": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def sessions(*rows: tuple[str, date]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"market": pl.String, "session": pl.Date}, orient="row")


HE_DAYS = sessions(("HE", D1), ("HE", D2), ("HE", D3))


def test_bought_carried_and_sold_by_hand() -> None:
    found = daily_pnl(
        fills(("HE", D1, A, "BUY", 2, 84.5, 4.94), ("HE", D3, A, "SELL", 2, 86.5, 4.94)),
        settles(("HE", D1, A, 85.0), ("HE", D2, A, 86.0), ("HE", D3, A, 84.0)),
        HE_DAYS,
        MULTIPLIERS,
        100_000.0,
    )
    assert found.columns == list(PNL_COLUMNS)
    # market, session, held, traded, rolled, carried, traded, fee, roll, net, equity
    assert found.rows() == [
        ("HE", D1, 2, 2, 0, 0.0, 400.0, 4.94, 0.0, 395.06, 100_395.06),
        ("HE", D2, 2, 0, 0, 800.0, 0.0, 0.0, 0.0, 800.0, 101_195.06),
        ("HE", D3, 0, 2, 0, -1_600.0, 2_000.0, 4.94, 0.0, 395.06, 101_590.12),
    ]
    assert found["account_equity"][-1] == pytest.approx(100_000 + 2 * (86.5 - 84.5) * 400 - 9.88)


def test_a_short_earns_when_the_price_falls() -> None:
    found = daily_pnl(
        fills(("HE", D1, A, "SELL", 1, 85.0, 0.0)),
        settles(("HE", D1, A, 85.0), ("HE", D2, A, 84.0)),
        HE_DAYS,
        MULTIPLIERS,
        0.0,
    )
    assert found["net_money"].to_list() == [0.0, 400.0, 0.0]


def test_a_session_without_a_settle_delays_a_move() -> None:
    found = daily_pnl(
        fills(("HE", D1, A, "BUY", 1, 85.0, 0.0)),
        settles(("HE", D1, A, 85.0), ("HE", D2, A, None), ("HE", D3, A, 87.0)),
        HE_DAYS,
        MULTIPLIERS,
        0.0,
    )
    assert found["carried_money"].to_list() == [0.0, 0.0, 800.0]


def test_what_never_settled_stands_at_its_first_fill() -> None:
    found = daily_pnl(
        fills(("HE", D1, A, "BUY", 1, 85.0, None), ("HE", D2, A, "BUY", 1, 86.0, None)),
        settles(("HE", D3, A, 85.5)),
        HE_DAYS,
        MULTIPLIERS,
        0.0,
    )
    assert found["net_money"].to_list() == [0.0, -400.0, 400.0]


def test_a_roll_is_told_apart_and_is_part_of_the_net() -> None:
    found = daily_pnl(
        fills(
            ("HE", D1, A, "BUY", 3, 85.0, 0.0),
            ("HE", D2, A, "SELL", 3, 84.9, 6.0),
            ("HE", D2, B, "BUY", 2, 90.1, 4.0),
        ),
        settles(("HE", D1, A, 85.0), ("HE", D2, A, 85.0), ("HE", D2, B, 90.0)),
        HE_DAYS.head(2),
        MULTIPLIERS,
        0.0,
    )
    row = found.row(1, named=True)
    assert (row["traded_contracts"], row["rolled_contracts"], row["position_contracts"]) == (5, 2, 2)
    # Two of the three lots sold, at 0.1 below the settle, and both lots bought, at 0.1 above: 80 + 4 and 80 + 4.
    assert row["roll_result_money"] == -168.0
    assert row["net_money"] == -(3 * 40.0 + 6.0 + 2 * 40.0 + 4.0)


@pytest.mark.parametrize(
    ("before", "after", "rolled"),
    [
        ({A: 2}, {B: 2}, {A: 2, B: 2}),
        ({A: -2}, {B: -3}, {A: 2, B: 2}),
        ({A: 2}, {A: 1, B: 1}, {A: 1, B: 1}),
        ({A: 2}, {B: -2}, {}),
        ({A: 2}, {}, {}),
        ({}, {A: 1, B: 1}, {}),
        ({A: 2, B: -2}, {B: -1}, {}),
        ({A: 1, "C": 1}, {B: 2}, {A: 1, "C": 1, B: 2}),
    ],
)
def test_rolled_lots_stay_on_their_side(before: dict[str, int], after: dict[str, int], rolled: dict[str, int]) -> None:
    assert rolled_lots(before, after) == rolled


def test_equity_is_the_accounts_and_counts_every_market_of_the_session() -> None:
    days = sessions(("HE", D1), ("ZC", D1), ("ZC", D2))
    found = daily_pnl(
        fills(("HE", D1, A, "BUY", 1, 84.0, 0.0), ("ZC", D1, "ZC-2025-05", "BUY", 1, 452.0, 0.0)),
        settles(("HE", D1, A, 85.0), ("ZC", D1, "ZC-2025-05", 450.0), ("ZC", D2, "ZC-2025-05", 451.0)),
        days,
        MULTIPLIERS,
        1_000.0,
    )
    assert found.select("market", "session", "net_money", "account_equity").rows() == [
        ("HE", D1, 400.0, 1_300.0),
        ("ZC", D1, -100.0, 1_300.0),
        ("ZC", D2, 50.0, 1_350.0),
    ]


def test_a_fill_of_no_session_is_refused() -> None:
    with pytest.raises(ValueError, match="1 fills are of no session that is booked, the first of HE in 2025-03-05"):
        daily_pnl(fills(("HE", D3, A, "BUY", 1, 85.0, 0.0)), settles(), HE_DAYS.head(2), MULTIPLIERS, 0.0)


N = 8
DAYS = [D1 + timedelta(days=i) for i in range(N)]
CONTRACTS = {A: "HE", B: "HE", "ZC-2025-05": "ZC"}
prices = st.integers(1_000, 400_000).map(lambda x: x / 1_000)
random_fills = st.lists(
    st.tuples(
        st.sampled_from(DAYS),
        st.sampled_from(sorted(CONTRACTS)),
        st.sampled_from(["BUY", "SELL"]),
        st.integers(1, 9),
        prices,
        st.none() | st.integers(0, 9_999).map(lambda cents: cents / 100),
    ),
    max_size=30,
)
random_settles = st.dictionaries(st.tuples(st.sampled_from(DAYS), st.sampled_from(sorted(CONTRACTS))), prices)


@given(random_fills, random_settles)
def test_the_sum_of_all_sessions_is_the_cash_of_all_fills_and_what_is_held_at_the_last_settle(
    drawn: list[tuple[date, str, str, int, float, float | None]], marks: dict[tuple[date, str], float]
) -> None:
    done = sorted(drawn, key=lambda fill: fill[0])
    frame = fills(*((CONTRACTS[c], day, c, side, n, price, fee) for day, c, side, n, price, fee in done))
    table = settles(*((CONTRACTS[c], day, c, price) for (day, c), price in marks.items()))
    days = sessions(*((market, day) for market in MULTIPLIERS for day in DAYS))
    found = daily_pnl(frame, table, days, MULTIPLIERS, 50_000.0)

    cents = 0
    held: dict[str, int] = {}
    stands_at: dict[str, float] = {}
    for _, contract, side, n, price, fee in done:
        lots = n if side == "BUY" else -n
        cents -= round(100 * lots * price * MULTIPLIERS[CONTRACTS[contract]]) + round(100 * (fee or 0.0))
        held[contract] = held.get(contract, 0) + lots
        stands_at.setdefault(contract, price)
    for (_, contract), price in sorted(marks.items()):
        stands_at[contract] = price
    cents += sum(round(100 * n * stands_at[c] * MULTIPLIERS[CONTRACTS[c]]) for c, n in held.items() if n)

    def whole(name: str) -> int:
        return sum(round(100 * value) for value in found[name])

    assert whole("net_money") == cents
    assert whole("carried_money") + whole("traded_money") - whole("fee_money") == cents
    last = found.filter(pl.col("session") == DAYS[-1])
    assert {round(100 * equity) for equity in last["account_equity"]} == {5_000_000 + cents}
    by_contract = positions(frame, {}, days.filter(pl.col("session") == DAYS[-1]))
    for market in MULTIPLIERS:
        own = by_contract.filter(pl.col("market") == market)["position_contracts"].sum()
        assert own == last.filter(pl.col("market") == market)["position_contracts"].item()
