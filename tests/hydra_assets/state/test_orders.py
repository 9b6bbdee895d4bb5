from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa

from hydra_assets.state.orders import create_order, find_order, positions, record_fill, set_order_status
from hydra_assets.state.records import FillRecord, OrderRecord, OrderStatus, Side

ORDER = OrderRecord("SIM_HE|2026-01-05|1", "SIM_HE", "HE-2026-02", Side.BUY, 3, date(2026, 1, 5), 82.5)
FILL = FillRecord("x1", ORDER.order_ref, 2, 82.475, 4.2, datetime(2026, 1, 6, 15, tzinfo=UTC))


def test_an_order_of_a_name_exists_once(state_engine: sa.Engine) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(lambda _: create_order(state_engine, ORDER), range(8))) == 1
    assert create_order(state_engine, replace(ORDER, quantity=99)) is False
    assert find_order(state_engine, ORDER.order_ref) == ORDER


def test_status_moves_and_an_unknown_order_is_an_error(state_engine: sa.Engine) -> None:
    create_order(state_engine, ORDER)
    set_order_status(state_engine, ORDER.order_ref, OrderStatus.REJECTED, "price_collar")
    found = find_order(state_engine, ORDER.order_ref)
    assert found is not None
    assert (found.status, found.reason) == (OrderStatus.REJECTED, "price_collar")
    with pytest.raises(KeyError):
        set_order_status(state_engine, "nobody's", OrderStatus.FILLED)
    assert find_order(state_engine, "nobody's") is None


def test_positions_are_the_signed_sum_of_fills_each_counted_once(state_engine: sa.Engine) -> None:
    sell = replace(ORDER, order_ref="sell", side=Side.SELL)
    flat = replace(ORDER, order_ref="flat", contract="HE-2026-04")
    back = replace(flat, order_ref="back", side=Side.SELL)
    for order in (ORDER, sell, flat, back):
        create_order(state_engine, order)
    assert record_fill(state_engine, FILL) is True
    assert record_fill(state_engine, FILL) is False
    record_fill(state_engine, replace(FILL, exec_id="x2", order_ref="sell", quantity=3))
    record_fill(state_engine, replace(FILL, exec_id="x3", order_ref="flat"))
    record_fill(state_engine, replace(FILL, exec_id="x4", order_ref="back"))
    assert positions(state_engine) == {("SIM_HE", "HE-2026-02"): -1}


def test_nonsense_is_refused_by_the_database(state_engine: sa.Engine) -> None:
    with pytest.raises(sa.exc.IntegrityError):
        create_order(state_engine, replace(ORDER, quantity=0))
    with pytest.raises(sa.exc.IntegrityError):
        record_fill(state_engine, FILL)
