"""Comparisons of real chains, on frames made up so that the answer is known."""

from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest

from hydra_assets.markets.loader import load_markets
from hydra_assets.options.black76 import price
from studies.real_comparisons import (
    at_the_money_jumps,
    daily_snapshots,
    iv_differences,
    milk_lines,
    vendor_at_the_money,
    violations,
)

VOL, FORWARD = 0.5, 60_000.0
SNAPSHOT, EXPIRY = datetime(2026, 7, 4, 4, 0, tzinfo=UTC), date(2026, 7, 24)


def chain() -> pl.DataFrame:
    """Raw rows of one snapshot whose mids are exactly Black's at 08:00 UTC of the expiry."""
    years = (20 * 24 + 4) / (365 * 24)
    strike = np.arange(48_000.0, 73_000.0, 1_000.0)
    is_call = strike >= FORWARD
    mid = price(np.full(len(strike), FORWARD), strike, np.full(len(strike), VOL * years**0.5), is_call)
    return pl.DataFrame(
        {
            "option": [f"BTC-{k:.0f}" for k in strike],
            "strike": strike,
            "right": np.where(is_call, "C", "P"),
            "bid": mid - 5.0,
            "ask": mid + 5.0,
        }
    ).with_columns(
        pl.lit("BTC").alias("market"),
        pl.lit("price").alias("record"),
        pl.lit(EXPIRY).alias("expiry"),
        pl.lit(SNAPSHOT).alias("event_time"),
        pl.lit(FORWARD).alias("underlying_price"),
        pl.lit(VOL + 0.001).alias("vendor_iv"),
        *(pl.lit(None, dtype=pl.String).alias(name) for name in ("underlying_contract",)),
        *(
            pl.lit(None, dtype=pl.Float64).alias(name)
            for name in ("bid_size", "ask_size", "settle", "volume", "open_interest")
        ),
    )


def test_a_snapshot_is_inverted_at_its_own_instant_and_forward() -> None:
    terms = load_markets()["BTC"].options
    assert terms is not None
    vols = daily_snapshots(chain(), terms)
    assert vols["iv"].to_numpy() == pytest.approx(VOL, abs=1e-9)
    difference = iv_differences(vols)
    # A tenth of a vol point below the vendor's, and only strikes within one standard deviation.
    assert difference["vol_points"].to_numpy() == pytest.approx(-0.1, abs=1e-6)
    reach = np.abs(np.log(difference["strike"].to_numpy() / FORWARD)).max()
    assert 0.09 < reach <= (VOL + 0.001) * ((20 * 24 + 4) / (365 * 24)) ** 0.5
    assert len(difference) < len(vols)


def surface_and_quotes(own: list[float], vendor: list[float]) -> tuple[pl.DataFrame, pl.DataFrame]:
    sessions = [date(2026, 7, 6 + i) for i in range(len(own))]
    surface = pl.DataFrame({"session": sessions, "expiry": EXPIRY, "atm_vol": own})
    quotes = pl.concat(
        pl.DataFrame(
            {"session": sessions, "expiry": EXPIRY, "log_moneyness": k, "vendor_iv": [v + 0.3 * k for v in vendor]}
        )
        for k in (-0.02, 0.01)
    )
    return surface, quotes


def test_vendor_volatility_is_read_at_the_money() -> None:
    _, quotes = surface_and_quotes([0.5], [0.4])
    assert vendor_at_the_money(quotes)["vendor_atm_vol"].to_list() == pytest.approx([0.4])
    one_side = quotes.filter(pl.col("log_moneyness") > 0)
    assert vendor_at_the_money(one_side).is_empty()


def test_jumps_are_compared_day_by_day() -> None:
    same = at_the_money_jumps("BTC", *surface_and_quotes([0.5, 0.52, 0.49], [0.4, 0.42, 0.39]))
    assert [line.measured for line in same] == pytest.approx([1.0, 1.0])
    assert all(line.met for line in same)
    wild = at_the_money_jumps("BTC", *surface_and_quotes([0.5, 0.56, 0.49], [0.4, 0.42, 0.39]))
    assert not any(line.met for line in wild)
    alone = at_the_money_jumps("BTC", *surface_and_quotes([0.5], [0.4]))
    assert not any(line.met for line in alone), "no move is no evidence"


def test_violations_are_counted() -> None:
    surface = pl.DataFrame(
        {"weight_svi": [0.5, 0.0, 0.5], "svi_min_g": [-0.1, -0.1, 0.2], "calendar_min_dw": [None, -1e-3, 0.1]}
    )
    density = pl.DataFrame(
        {
            "density": [[1.0], [1.0]],
            "min_density": [0.0, -0.2],
            "mass_residual": [0.0, 1e-3],
            "martingale_residual": [0.0, 0.0],
        }
    )
    assert [line.measured for line in violations("NG", surface, density)] == [2, 1, 1]


def test_the_milk_lines_find_a_used_one_sided_quote() -> None:
    quotes = pl.DataFrame(
        {"bid": [1.0, None, None], "ask": [1.1, 0.2, 0.1], "quote_reason": ["used", "one_sided", "used"]}
    )
    forward, one_sided, reasons = milk_lines(quotes, pl.DataFrame({"parity_forward": [17.58]}))
    assert (forward.met, one_sided.measured, reasons.met) == (True, 1, True)
    assert not milk_lines(quotes, pl.DataFrame({"parity_forward": [17.60]}))[0].met
