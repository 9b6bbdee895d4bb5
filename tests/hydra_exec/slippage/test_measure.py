"""What a fill cost and was expected to cost: by hand."""

import math
from datetime import UTC, date, datetime

import polars as pl
import pytest

from hydra_assets.markets.loader import load_markets
from hydra_assets.replay.costs import cost_per_lot
from hydra_exec.accounting.reconciliation import RECONCILIATION_COLUMNS, slippage_reconciliation
from hydra_exec.slippage.measure import FILL_FACTS, LIQUIDITY_FACTS, MEASURED, by_order, measure, summary

MARKETS = load_markets()
HE, ZC = MARKETS["HE"], MARKETS["ZC"]
D1, D2 = date(2025, 3, 7), date(2025, 3, 10)
SCHEMA = {
    "market": pl.String,
    "session": pl.Date,
    "exec_id": pl.String,
    "order_ref": pl.String,
    "contract": pl.String,
    "side": pl.String,
    "quantity": pl.Int64,
    "fill_price": pl.Float64,
    "executed_at": pl.Datetime("us", "UTC"),
    "reference_price": pl.Float64,
    "mid_at_send": pl.Float64,
}


def fill(exec_id: str, price: float, **changed: object) -> dict[str, object]:
    """Two lots of hogs bought at 15:30 in winter; decided at 85, sent at a middle of 85.1."""
    return {
        "market": "HE",
        "session": D1,
        "exec_id": exec_id,
        "order_ref": "o1",
        "contract": "HE-2025-04",
        "side": "BUY",
        "quantity": 2,
        "fill_price": price,
        "executed_at": datetime(2025, 3, 7, 15, 30, tzinfo=UTC),
        "reference_price": 85.0,
        "mid_at_send": 85.1,
    } | changed


def measured(*rows: dict[str, object], adv: float | None = 20_000.0) -> pl.DataFrame:
    liquidity = pl.DataFrame(
        [(market, day, 0.02, adv, 0.8) for market in ("HE", "ZC") for day in (D1, D2)],
        schema=["market", "session", "sigma_daily", "adv", "impact_y"],
        orient="row",
        schema_overrides={"adv": pl.Float64},
    )
    assert liquidity.columns == list(LIQUIDITY_FACTS)
    return measure(pl.DataFrame(rows, schema=SCHEMA), liquidity, MARKETS)


def test_a_buy_by_hand() -> None:
    found = measured(fill("e1", 85.2))
    assert (found.columns, list(SCHEMA)) == (list(MEASURED), list(FILL_FACTS))
    row = found.row(0, named=True)
    assert HE.tick == 0.025
    assert row["decision_slippage_ticks"] == pytest.approx(8.0)
    assert row["arrival_slippage_ticks"] == pytest.approx(4.0)
    unit = 0.02 * 85.0 * math.sqrt(2 / 20_000) / 0.025
    assert row["impact_unit_ticks"] == pytest.approx(unit)
    assert row["predicted_slippage_ticks"] == pytest.approx(HE.liquidity.half_spread_ticks + 0.8 * unit)
    assert row["decision_slippage_money"] == pytest.approx(0.2 * 2 * HE.multiplier)
    assert row["arrival_slippage_money"] == pytest.approx(0.1 * 2 * HE.multiplier)
    half_spread = HE.liquidity.half_spread_ticks * HE.tick * HE.multiplier
    per_lot = cost_per_lot(half_spread, 0.0, 0.02, 85.0 * HE.multiplier, 2 / 20_000, 0.8)
    assert row["predicted_slippage_money"] == pytest.approx(2 * per_lot, abs=0.005)
    assert (row["hour_bucket"], row["size_bucket"]) == (9, "2-5")


def test_what_is_paid_is_positive_on_both_sides() -> None:
    found = measured(fill("e1", 84.9, side="SELL"), fill("e2", 85.2, side="SELL", order_ref="o2"))
    assert found["decision_slippage_ticks"].to_list() == pytest.approx([4.0, -8.0])
    assert found["arrival_slippage_ticks"].to_list() == pytest.approx([8.0, -4.0])


def test_the_orders_lots_make_the_impact_and_the_size() -> None:
    found = measured(fill("e1", 85.2), fill("e2", 85.2, quantity=4), fill("e3", 85.2, order_ref="o2", session=D2))
    assert found["impact_unit_ticks"].to_list() == pytest.approx(
        [0.02 * 85.0 * math.sqrt(q / 20_000) / 0.025 for q in (6, 6, 2)]
    )
    assert found["size_bucket"].to_list() == ["6-20", "6-20", "2-5"]
    sizes = [measured(fill("e", 85.0, quantity=n))["size_bucket"].item() for n in (1, 2, 5, 6, 20, 21)]
    assert sizes == ["1", "2-5", "2-5", "6-20", "6-20", "21+"]


def test_hours_are_local_in_summer_too() -> None:
    summer = fill("e1", 85.0, session=D2, executed_at=datetime(2025, 3, 10, 15, 30, tzinfo=UTC))
    corn = fill("e2", 450.0, market="ZC", order_ref="o2")
    assert ZC.timezone == HE.timezone == "America/Chicago"
    assert measured(summer, corn)["hour_bucket"].to_list() == [10, 9]


@pytest.mark.parametrize("adv", [None, 0.0])
def test_what_cannot_be_computed_is_missing(adv: float | None) -> None:
    row = measured(fill("e1", 85.2, mid_at_send=None), adv=adv).row(0, named=True)
    for name in ("arrival_slippage_ticks", "impact_unit_ticks", "predicted_slippage_ticks", "predicted_slippage_money"):
        assert row[name] is None
    assert row["decision_slippage_ticks"] == pytest.approx(8.0)
    aggregated = by_order(measured(fill("e1", 85.2, mid_at_send=None))).row(0, named=True)
    assert (aggregated["fills"], aggregated["arrival_slippage_ticks"]) == (0, None)


def test_an_order_is_the_mean_of_its_lots() -> None:
    found = by_order(measured(fill("e1", 85.2), fill("e2", 85.3, quantity=6), fill("e3", 85.2, order_ref="o2")))
    rows = {row["order_ref"]: row for row in found.iter_rows(named=True)}
    assert (rows["o1"]["quantity"], rows["o1"]["fills"]) == (8, 2)
    assert rows["o1"]["arrival_slippage_ticks"] == pytest.approx((2 * 4.0 + 6 * 8.0) / 8)
    assert rows["o1"]["size_bucket"] == "6-20"


def test_bias_is_in_half_spreads_and_weighed_by_lots() -> None:
    half = HE.liquidity.half_spread_ticks
    found = measured(*(fill(f"e{i}", 85.1 + 0.025 * i, quantity=i, order_ref=f"o{i}") for i in (1, 2, 3, 4)))
    whole = summary(found)
    actual = sum(i * i for i in (1, 2, 3, 4)) / 10
    expected = sum(i * (half + 0.8 * 0.02 * 85 * math.sqrt(i / 20_000) / 0.025) for i in (1, 2, 3, 4)) / 10
    row = whole.row(0, named=True)
    assert (row["fills"], row["lots"]) == (4, 10)
    assert row["arrival_slippage_ticks"] == pytest.approx(actual)
    assert row["predicted_slippage_ticks"] == pytest.approx(expected)
    assert row["bias_half_spreads"] == pytest.approx((actual - expected) / half)
    assert row["correlation"] == pytest.approx(
        pl.DataFrame({"a": [1, 2, 3, 4], "b": [i**0.5 for i in (1, 2, 3, 4)]}).select(pl.corr("a", "b")).item()
    )


def test_figures_by_bucket_and_none_where_there_is_nothing_to_say() -> None:
    found = measured(fill("e1", 85.2), fill("e2", 85.2, quantity=1, order_ref="o2"), fill("e3", 85.0, mid_at_send=None))
    by_size = summary(found, ["market", "size_bucket"])
    assert by_size.select("market", "size_bucket", "fills", "correlation").rows() == [
        ("HE", "1", 1, None),
        ("HE", "2-5", 1, None),
    ]
    same = measured(*(fill(f"e{i}", 85.2, order_ref=f"o{i}") for i in range(4)))
    assert summary(same)["correlation"].to_list() == [None]
    nothing = summary(found.clear())
    assert nothing.select("fills", "bias_half_spreads", "correlation").rows() == [(0, None, None)]


def test_reconciliation_is_one_row_a_fill() -> None:
    liquidity = pl.DataFrame(
        {"market": ["HE"], "session": [D1], "sigma_daily": [0.02], "adv": [1e4], "impact_y": [0.8]}
    )
    rows = pl.DataFrame([fill("e2", 85.2), fill("e1", 85.1)], schema=SCHEMA)
    found = slippage_reconciliation(rows, liquidity, MARKETS)
    assert found.columns == list(RECONCILIATION_COLUMNS)
    assert found["exec_id"].to_list() == ["e1", "e2"]
    assert slippage_reconciliation(rows.clear(), liquidity, MARKETS).schema == found.schema
