"""From a chain to its slice and moments: reasons per quote and slice, recovery, bad input."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from hydra_assets.options.black76 import price
from hydra_assets.options.quotes import QuoteReason, clean
from hydra_assets.options.ssvi import Ssvi, total_variance
from hydra_assets.options.surface import MomentsReason, SliceReason, densities_of, fit_surface, moments_at_target

DAY = date(2025, 3, 3)
TICK = {"SIM_HE": 0.025}
SCHEMA = {
    "market": pl.String,
    "session": pl.Date,
    "expiry": pl.Date,
    "underlying_contract": pl.String,
    "strike": pl.Float64,
    "right": pl.String,
    "bid": pl.Float64,
    "ask": pl.Float64,
    "settle": pl.Float64,
    "underlying_settle": pl.Float64,
    "underlying_age_sessions": pl.Int64,
    "days_to_expiry": pl.Int64,
    "year_fraction": pl.Float64,
    "quote_age_hours": pl.Float64,
}
TRUTH = Ssvi(np.array([0.012]), np.array([0.35]), np.array([5.0]))


def chain(days: int = 60, session: date = DAY, truth: Ssvi = TRUTH, width: float = 0.05) -> pl.DataFrame:
    rows = []
    strikes = np.arange(76.0, 106.0, 2.0)
    k = np.log(strikes / 90.0)[None, :]
    w = total_variance(truth, k)[0][0]
    for right in ("C", "P"):
        values = price(np.full(len(strikes), 90.0), strikes, np.sqrt(w), np.full(len(strikes), right == "C"))
        for strike, value in zip(strikes.tolist(), values.tolist(), strict=True):
            quote = (round(value - width, 6), round(value + width, 6), None, 90.0, 0, days, days / 365, 2.0)
            rows.append(("SIM_HE", session, session + timedelta(days=days), "HE-2025-06", strike, right, *quote))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def one(**changes: object) -> str:
    row = chain().filter((pl.col("strike") == 92.0) & (pl.col("right") == "C"))
    changed = row.with_columns(pl.lit(value, dtype=SCHEMA[name]).alias(name) for name, value in changes.items())
    return clean(changed, TICK)["quote_reason"][0]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, QuoteReason.USED),
        ({"days_to_expiry": 2}, QuoteReason.NEAR_EXPIRY),
        ({"underlying_settle": None}, QuoteReason.NO_FORWARD),
        ({"underlying_settle": float("nan")}, QuoteReason.NO_FORWARD),
        ({"underlying_age_sessions": 3}, QuoteReason.NO_FORWARD),
        ({"strike": 88.0}, QuoteReason.IN_THE_MONEY),
        ({"strike": 0.0}, QuoteReason.NOT_A_NUMBER),
        ({"bid": None}, QuoteReason.ONE_SIDED),
        ({"ask": float("nan")}, QuoteReason.ONE_SIDED),
        ({"bid": None, "ask": None}, QuoteReason.NO_PRICE),
        ({"bid": None, "ask": None, "settle": 3.0}, QuoteReason.USED),
        ({"bid": 3.0, "ask": 2.9}, QuoteReason.CROSSED),
        ({"bid": 0.0, "ask": 0.05}, QuoteReason.BELOW_TICK),
        ({"bid": 1.0, "ask": 4.0}, QuoteReason.WIDE),
        ({"quote_age_hours": 100.0}, QuoteReason.OLD),
        ({"bid": 199.0, "ask": 200.0}, QuoteReason.ABOVE_BOUND),
    ],
)
def test_each_quote_leaves_with_its_reason(changes: dict[str, object], reason: QuoteReason) -> None:
    assert one(**changes) == reason


def test_a_clean_chain_gives_back_its_smile() -> None:
    surface = fit_surface(chain(width=0.03), TICK)
    row = surface.row(0, named=True)
    assert row["slice_reason"] == SliceReason.OK
    assert row["quotes_seen"] == 30
    rejected = dict(part.split("=") for part in row["quotes_rejected"].split(","))
    assert row["quotes_used"] + sum(map(int, rejected.values())) == 30
    assert row["atm_total_variance"] == pytest.approx(0.012, rel=1e-6)
    assert row["ssvi_rho"] == pytest.approx(0.35, abs=1e-4)
    assert row["atm_vol"] == pytest.approx(np.sqrt(0.012 * 365 / 60), rel=1e-6)


def test_too_few_quotes_and_one_wing_have_reasons_and_no_numbers() -> None:
    few = chain().filter(pl.col("strike").is_between(88.0, 92.0))
    calls = chain(days=90).filter((pl.col("strike") >= 90.0) & (pl.col("right") == "C"))
    surface = fit_surface(pl.concat([few, calls]), TICK)
    assert surface["slice_reason"].to_list() == [SliceReason.TOO_FEW_QUOTES, SliceReason.ONE_WING]
    assert surface["atm_vol"].null_count() == 2
    assert len(densities_of(surface)) == 0


def test_a_bad_slice_spoils_no_other() -> None:
    spoiled = chain(days=30).with_columns(pl.lit(float("nan")).alias("bid"), pl.lit(None, pl.Float64).alias("ask"))
    surface = fit_surface(pl.concat([spoiled, chain()]), TICK)
    assert surface["slice_reason"].to_list() == [SliceReason.TOO_FEW_QUOTES, SliceReason.OK]


def test_no_quotes_at_all() -> None:
    surface = fit_surface(chain().head(0), TICK)
    density = densities_of(surface)
    moments = moments_at_target(density, surface, pl.DataFrame({"market": ["SIM_HE"], "session": [DAY]}))
    assert (len(surface), len(density)) == (0, 0)
    assert moments["moments_reason"].to_list() == [MomentsReason.NO_QUOTES]
    assert moments["tilt"].to_list() == [None]


def test_an_unknown_market_is_named() -> None:
    with pytest.raises(KeyError, match="SIM_HE"):
        fit_surface(chain(), {})


def test_moments_come_from_the_expiry_nearest_sixty_days() -> None:
    quotes = pl.concat([chain(days=d) for d in (10, 40, 75, 110)])
    surface = fit_surface(quotes, TICK)
    moments = moments_at_target(densities_of(surface), surface, pl.DataFrame({"market": ["SIM_HE"], "session": [DAY]}))
    row = moments.row(0, named=True)
    assert (row["days_to_expiry"], row["slices_usable"], row["moments_reason"]) == (75, 4, MomentsReason.OK)
    assert row["tilt"] < 0.0 < row["implied_skew"]


def test_sessions_do_not_depend_on_each_other() -> None:
    second = Ssvi(np.array([0.02]), np.array([-0.2]), np.array([3.0]))
    both = pl.concat([chain(), chain(session=DAY + timedelta(days=1), truth=second, width=0.11)])
    together = fit_surface(both, TICK)
    alone = fit_surface(both.filter(pl.col("session") > DAY), TICK)
    assert together.filter(pl.col("session") > DAY).equals(alone)
    assert densities_of(together).filter(pl.col("session") > DAY).equals(densities_of(alone))
