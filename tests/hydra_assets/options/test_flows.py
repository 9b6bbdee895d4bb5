"""Flows against figures by hand, what is missing, and sums that do not depend on their company."""

from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from hydra_assets.options.flows import INPUT_COLUMNS, DealerConvention, exposures, flows
from hydra_assets.options.greeks import FlowGreeks, flow_greeks

SCHEMA = dict.fromkeys(INPUT_COLUMNS, pl.Float64) | {
    "market": pl.String,
    "session": pl.Date,
    "expiry": pl.Date,
    "underlying_contract": pl.String,
    "right": pl.String,
    "margin_style": pl.String,
}
FIGURES = [
    f"{name}_{kind}_per_{unit}"
    for name, unit in (("gex", "percent"), ("vanna", "vol_point"), ("charm", "day"))
    for kind in ("unsigned", "signed")
]
SESSION, MARCH, JUNE = date(2025, 1, 6), date(2025, 3, 14), date(2025, 6, 13)


def option(strike: float, right: str, **other: Any) -> dict[str, Any]:
    return {
        "market": "HE",
        "session": SESSION,
        "expiry": MARCH,
        "underlying_contract": "HEH5",
        "right": right,
        "margin_style": "premium_upfront",
        "forward": 80.0,
        "strike": strike,
        "total_vol": 0.15,
        "year_fraction": 0.25,
        "rate": 0.05,
        "multiplier": 400.0,
        "open_interest": 100.0,
        "volume": 10.0,
    } | other


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=SCHEMA)


def only(result: pl.DataFrame, level: str, basis: str = "open_interest") -> pl.DataFrame:
    return result.filter(pl.col("level") == level, pl.col("basis") == basis)


def test_exposures_in_round_numbers() -> None:
    # Gamma .02, F 80, 100 contracts of 400: 1 % is .8, delta moves by .016, of 100 * 400 * 80 = 3,200,000.
    one = np.array(1.0)
    greeks = FlowGreeks(delta=one, gamma=0.02 * one, vega=one, vanna=0.5 * one, charm=-0.73 * one)
    held = exposures(greeks, 80.0, 400.0, 100.0)
    assert held.gex_per_percent == pytest.approx(51_200.0)
    assert held.vanna_per_vol_point == pytest.approx(16_000.0)
    assert held.charm_per_day == pytest.approx(-6_400.0)


def test_call_and_put_of_one_strike() -> None:
    result = only(flows(frame(option(85.0, "C"), option(85.0, "P", open_interest=300.0))), "strike").row(0, named=True)
    g = flow_greeks(80.0, 85.0, 0.15, 0.25, 0.05, np.array([True, False]), True)
    unit = 400.0 * 80.0
    gamma, vanna, charm = float(g.gamma[0]) * 0.8, float(g.vanna[0]) * 0.01, g.charm / 365.0
    assert result["gex_unsigned_per_percent"] == pytest.approx(gamma * 400 * unit)
    assert result["gex_signed_per_percent"] == pytest.approx(gamma * (100 - 300) * unit)
    assert result["vanna_unsigned_per_vol_point"] == pytest.approx(abs(vanna) * 400 * unit)
    assert result["vanna_signed_per_vol_point"] == pytest.approx(vanna * (100 - 300) * unit)
    assert result["charm_unsigned_per_day"] == pytest.approx((abs(charm[0]) * 100 + abs(charm[1]) * 300) * unit)
    assert result["charm_signed_per_day"] == pytest.approx((charm[0] * 100 - charm[1] * 300) * unit)
    assert (result["contracts"], result["options"], result["options_missing"]) == (400.0, 2, 0)
    assert result["put_contracts"] == 300.0
    assert result["dealer_convention"] == "long_calls_short_puts"


def test_dealers_who_sold_everything_are_short_all_of_it() -> None:
    rows = frame(option(85.0, "C"), option(75.0, "P"))
    result = flows(rows, DealerConvention.SHORT_CALLS_SHORT_PUTS)
    assert result["gex_signed_per_percent"].to_list() == (-result["gex_unsigned_per_percent"]).to_list()
    assert set(result["dealer_convention"]) == {"short_calls_short_puts"}


def test_levels_and_their_keys() -> None:
    june = {"expiry": JUNE, "underlying_contract": "HEM5"}
    rows = frame(option(85.0, "C"), option(85.0, "P"), option(90.0, "C"), option(85.0, "C", **june))
    result = flows(rows)
    keys = ["level", "expiry", "underlying_contract", "strike", "options"]
    assert result.filter(pl.col("basis") == "volume").select(keys).rows() == [
        ("strike", MARCH, "HEH5", 85.0, 2),
        ("strike", MARCH, "HEH5", 90.0, 1),
        ("strike", JUNE, "HEM5", 85.0, 1),
        ("expiry", MARCH, "HEH5", None, 3),
        ("expiry", JUNE, "HEM5", None, 1),
        ("market", None, None, None, 4),
    ]
    for basis in ("open_interest", "volume"):
        whole = only(result, "market", basis)
        for level in ("strike", "expiry"):
            for figure in FIGURES:
                assert only(result, level, basis)[figure].sum() == pytest.approx(whole[figure][0], rel=1e-13)
    # Every count of contracts is a tenth of the other basis.
    for figure in FIGURES:
        by_volume, by_interest = (result.filter(pl.col("basis") == b)[figure] for b in ("volume", "open_interest"))
        assert (by_volume * 10.0).to_list() == pytest.approx(by_interest.to_list(), rel=1e-13)


def test_missing_open_interest_is_not_zero() -> None:
    rows = frame(option(85.0, "C", open_interest=None), option(90.0, "C", open_interest=0.0))
    unknown, zero = only(flows(rows), "strike").rows(named=True)
    assert [unknown[name] for name in (*FIGURES, "contracts")] == [None] * 7
    assert (unknown["options"], unknown["options_missing"]) == (1, 1)
    assert [zero[name] for name in (*FIGURES, "contracts")] == [0.0] * 7
    assert zero["options_missing"] == 0
    market = only(flows(rows), "market").row(0, named=True)
    assert (market["contracts"], market["options"], market["options_missing"]) == (0.0, 2, 1)
    assert only(flows(rows), "strike", "volume")["options_missing"].to_list() == [0, 0]


@pytest.mark.parametrize(
    "bad",
    [
        {"total_vol": None},
        {"total_vol": 0.0},
        {"forward": float("nan")},
        {"year_fraction": 0.0},
        {"rate": None},
        {"multiplier": None},
        {"open_interest": -5.0, "volume": -1.0},
        {"open_interest": float("nan"), "volume": None},
    ],
)
def test_an_option_that_cannot_be_valued_is_counted_and_leaves_the_others(bad: dict[str, Any]) -> None:
    alone = flows(frame(option(85.0, "C")))
    both = flows(frame(option(85.0, "C"), option(90.0, "P", **bad)))
    for level in ("expiry", "market"):
        for basis in ("open_interest", "volume"):
            a, b = only(alone, level, basis), only(both, level, basis)
            assert_frame_equal(a.select(FIGURES), b.select(FIGURES), check_exact=True)
            assert b["options_missing"].to_list() == [1]
    assert only(both, "strike")["gex_unsigned_per_percent"].null_count() == 1


def test_a_margined_premium_needs_no_rate() -> None:
    margined = flows(frame(option(85.0, "C", margin_style="futures_style", rate=None)))
    undiscounted = flows(frame(option(85.0, "C", rate=0.0)))
    assert_frame_equal(margined, undiscounted, check_exact=True)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([option(85.0, "call")], "HE 2025-01-06: right 'call' of 2025-03-14 is neither C nor P"),
        ([option(85.0, "C", margin_style="cash")], "HE 2025-01-06: margin_style 'cash' of 2025-03-14 is unknown"),
        ([option(float("nan"), "C")], "HE 2025-01-06: strike nan of 2025-03-14 is missing"),
        ([option(85.0, "C"), option(85.0, "C")], "HE 2025-01-06: strike 85.0 of 2025-03-14 is there twice"),
    ],
)
def test_rows_that_are_no_options_are_refused_by_name(rows: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        flows(frame(*rows))


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ValueError, match="need the columns rate, volume"):
        flows(frame(option(85.0, "C")).drop("rate", "volume"))


def test_no_options_no_rows() -> None:
    full, empty = flows(frame(option(85.0, "C"))), flows(frame())
    assert empty.schema == full.schema
    assert len(empty) == 0


def chain(market: str, session: date, seed: int, n: int = 30) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [
        option(
            float(strike),
            right,
            market=market,
            session=session,
            expiry=expiry,
            total_vol=float(rng.uniform(0.05, 0.4)),
            open_interest=float(rng.integers(0, 5000)) if rng.random() < 0.8 else None,
            volume=float(rng.integers(0, 500)),
        )
        for expiry in (MARCH, JUNE)
        for strike in np.linspace(60.0, 110.0, n)
        for right in ("C", "P")
    ]
    return frame(*rows)


def test_a_session_has_the_same_bits_in_every_batch_and_order() -> None:
    parts = [chain(m, date(2025, 1, d), 100 * d + len(m)) for m in ("HE", "GFX") for d in (6, 7, 8)]
    whole = flows(pl.concat(parts).sample(fraction=1.0, shuffle=True, seed=3))
    alone = pl.concat([flows(p) for p in parts])
    order = ["level", "basis", "market", "session", "expiry", "strike"]
    assert_frame_equal(whole.sort(order), alone.sort(order), check_exact=True)


@settings(max_examples=40)
@given(st.lists(st.integers(0, 10_000), min_size=8, max_size=8))
def test_unsigned_bounds_signed_and_doubles_with_the_contracts(held: list[int]) -> None:
    rows = frame(
        *(
            option(70.0 + 5.0 * (i // 2), "CP"[i % 2], open_interest=float(q), volume=2.0 * q)
            for i, q in enumerate(held)
        )
    )
    result = flows(rows)
    for unsigned, signed in zip(FIGURES[::2], FIGURES[1::2], strict=True):
        assert (result[unsigned] >= result[signed].abs() * (1.0 - 1e-14)).all()
    interest, volume = (result.filter(pl.col("basis") == b).select(FIGURES) for b in ("open_interest", "volume"))
    assert_frame_equal(interest * 2.0, volume, check_exact=True)
