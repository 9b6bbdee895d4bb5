"""Positions, costs and books by hand."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.tws import BrokerExecution, BrokerOrder, BrokerPosition, Liquidity, Quote, Side, Status
from tests.support.tws.account import apply, effective
from tests.support.tws.book import Book
from tests.support.tws.clock import START

FLAT = BrokerPosition(1000, 0, 0.0)
VALUE = 400.0


def fill(side: Side, quantity: int, price: float, fee: float = 0.0, exec_id: str = "a.01.01") -> BrokerExecution:
    return BrokerExecution(
        exec_id, 1, 1, 1, "", "DU1", 1000, side, quantity, price, START, quantity, price, fee * quantity, None
    )


def order(number: int, side: Side, quantity: int, limit: float | None = None) -> BrokerOrder:
    kind = "MKT" if limit is None else "LMT"
    return BrokerOrder(
        number, number, 1, number, "", "DU1", 1000, side, quantity, kind, limit, None, "DAY", Status.SUBMITTED
    )


def test_a_long_is_opened_added_to_reduced_and_turned() -> None:
    held, realized = apply(FLAT, fill(Side.BUY, 2, 85.0, fee=2.0), VALUE)
    assert (held.quantity, held.average_cost, realized) == (2, 34002.0, None)
    held, realized = apply(held, fill(Side.BUY, 2, 86.0, fee=2.0), VALUE)
    assert (held.quantity, held.average_cost, realized) == (4, 34202.0, None)
    held, realized = apply(held, fill(Side.SELL, 1, 87.0, fee=2.0), VALUE)
    assert (held.quantity, held.average_cost, realized) == (3, 34202.0, 34800 - 34202 - 2)
    held, realized = apply(held, fill(Side.SELL, 5, 80.0, fee=2.0), VALUE)
    assert (held.quantity, held.average_cost) == (-2, 31998.0)
    assert realized == 3 * (32000 - 34202 - 2)


def test_a_short_is_cheaper_by_its_commission() -> None:
    held, _ = apply(FLAT, fill(Side.SELL, 1, 85.0, fee=2.0), VALUE)
    assert (held.quantity, held.average_cost) == (-1, 33998.0)
    held, realized = apply(held, fill(Side.BUY, 1, 84.0, fee=2.0), VALUE)
    assert (held.quantity, held.average_cost, realized) == (0, 0.0, 400 - 4)


FILLS = st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 5), st.integers(3000, 4000)), max_size=12)


@given(FILLS, st.integers(3000, 4000))
def test_profit_is_what_the_money_says(trades: list[tuple[Side, int, int]], mark: int) -> None:
    """Realised and open profit together are the money that came and went, the rest at the mark, less commissions."""
    held, money, fees = FLAT, 0.0, 0.0
    for side, quantity, ticks in trades:
        price = ticks / 40
        held, _ = apply(held, fill(side, quantity, price, fee=2.47), VALUE)
        money -= side.sign * quantity * price * VALUE
        fees += 2.47 * quantity
    open_profit = held.quantity * (mark / 40 * VALUE - held.average_cost)
    assert held.realized_pnl + open_profit == pytest.approx(money + held.quantity * mark / 40 * VALUE - fees, abs=1e-5)


def test_the_last_revision_counts_at_the_place_of_the_first() -> None:
    first, second = fill(Side.BUY, 1, 85.0, exec_id="a.01.01"), fill(Side.BUY, 1, 86.0, exec_id="b.01.01")
    revised = replace(first, exec_id="a.01.02", price=84.0)
    assert (first.base, first.revision, revised.base, revised.revision) == ("a.01", 1, "a.01", 2)
    assert effective([first, second, revised]) == [revised, second]


def matched(book: Book, *orders: BrokerOrder) -> list[tuple[int, int, float]]:
    return [(match.perm_id, match.quantity, match.price) for match in book.match(orders)]


def test_a_marketable_order_takes_the_touch_and_no_more_than_is_there() -> None:
    book = Book(Liquidity())
    book.show(Quote(84.975, 85.025, bid_size=2, ask_size=3))
    assert matched(book, order(1, Side.BUY, 2), order(2, Side.BUY, 2, 85.1)) == [(1, 2, 85.025), (2, 1, 85.025)]
    assert matched(book, order(3, Side.BUY, 1)) == []
    assert matched(book, order(4, Side.SELL, 5, 84.975)) == [(4, 2, 84.975)]
    book.refresh()
    assert matched(book, order(3, Side.BUY, 1)) == [(3, 1, 85.025)]


def test_a_resting_order_fills_at_its_own_price() -> None:
    book = Book(Liquidity())
    book.show(Quote(84.975, 85.025))
    resting = order(1, Side.BUY, 2, 85.0)
    assert matched(book, resting) == []
    book.show(Quote(84.9, 84.95))
    assert matched(book, resting) == [(1, 2, 85.0)]


def test_volume_limits_what_fills_in_a_step() -> None:
    book = Book(Liquidity(adv=100, adv_share=0.03))
    book.show(Quote(84.975, 85.025))
    assert matched(book, order(1, Side.BUY, 10)) == [(1, 3, 85.025)]
    assert Liquidity(adv=5, adv_share=0.01).per_step == 1
    assert Liquidity().per_step is None


def test_price_goes_before_arrival() -> None:
    book = Book(Liquidity(adv=1, adv_share=1.0))
    book.show(Quote(84.975, 85.025))
    assert matched(book, order(1, Side.SELL, 1, 84.95), order(2, Side.SELL, 1, 84.9)) == [(2, 1, 84.975)]


def test_an_empty_side_fills_nobody() -> None:
    book = Book(Liquidity())
    assert matched(book, order(1, Side.BUY, 1)) == []
    assert (Quote(None, None).mark, Quote(84.0, None).mark, Quote(84.0, 86.0).mark) == (None, 84.0, 85.0)
