from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest

from hydra_assets.markets.model import Exercise, MarketSpec
from hydra_assets.sources.simulated.chains import chain_rows
from hydra_assets.sources.simulated.market import SimulatedMarket, build_market
from hydra_assets.sources.simulated.mixture import log_density
from hydra_assets.sources.simulated.surface import fair_values, surface_of
from hydra_assets.sources.simulated.world import World

from .sim_specs import HOGS, MARKETS, MILK, OATS

START, LAST = date(2022, 1, 3), date(2022, 12, 30)


def market_of(spec: MarketSpec, world: World | None = None) -> SimulatedMarket:
    market = build_market(spec, world or World(), 7, START, LAST)
    assert market is not None
    return market


def chain(market: SimulatedMarket) -> pl.DataFrame:
    assert market.series is not None
    rows = slice(0, len(market.path.sessions))
    return chain_rows(market.path, market.futures, market.series, market.curve, rows)


@pytest.mark.parametrize("spec", MARKETS.values(), ids=list(MARKETS))
def test_quotes_are_well_formed(spec: MarketSpec) -> None:
    assert spec.options is not None
    rows = chain(market_of(spec))
    tick = spec.options.tick
    for name in ("bid", "ask", "settle"):
        prices = rows[name].drop_nulls()
        assert len(prices) > 1000
        assert prices.min() >= tick  # type: ignore[operator]
        assert (prices / tick - (prices / tick).round()).abs().max() < 1e-6  # type: ignore[operator]
    both = rows.drop_nulls(["bid", "ask"])
    assert (both["bid"] < both["ask"]).all()
    assert rows["bid"].is_null().eq(rows["bid_size"].is_null()).all()
    assert rows.select("session", "contract_month", "strike", "right").is_duplicated().sum() == 0
    assert (rows["expiry"] > rows["session"]).all()
    per_slice = rows.group_by("session", "expiry").agg(pl.col("strike").n_unique())["strike"]
    assert 12 <= per_slice.mean() <= 40  # type: ignore[operator]
    assert per_slice.max() <= 40  # type: ignore[operator]
    assert rows.group_by("session").agg(pl.col("expiry").n_unique())["expiry"].is_between(2, 4).all()


def test_milk_is_quoted_like_milk() -> None:
    """The real chain of 2012-01-03, 88 days to expiry: 35 % without bid, 22 of 55 strikes two-sided on both legs,
    median relative spread 30 %.
    """
    market = market_of(MILK)
    as_thin = replace(market.path, model=market.path.model.model_copy(update={"thinness": 1.0}))
    chains = chain(replace(market, path=as_thin))
    rows = chains.filter((pl.col("expiry") - pl.col("session")).dt.total_days().is_between(60, 120))
    both = rows.drop_nulls(["bid", "ask"]).with_columns(
        relative=(pl.col("ask") - pl.col("bid")) * 2 / (pl.col("ask") + pl.col("bid"))
    )
    assert 0.28 <= rows["bid"].is_null().mean() <= 0.45  # type: ignore[operator]
    assert 0.22 <= both["relative"].median() <= 0.36  # type: ignore[operator]
    slices = rows.group_by("session", "expiry").agg(pl.col("strike").n_unique().alias("strikes"))
    whole = (
        both.group_by("session", "expiry", "strike")
        .len()
        .filter(pl.col("len") == 2)
        .group_by("session", "expiry")
        .len()
    )
    share = slices.join(whole, on=["session", "expiry"]).select(pl.col("len") / pl.col("strikes")).to_series().mean()
    assert 0.3 <= share <= 0.5  # type: ignore[operator]
    # Wings are worse: cheap options have the wider relative spread.
    cheap = both.filter(pl.col("ask") < both["ask"].median())["relative"].median()
    assert cheap > 1.5 * both.filter(pl.col("ask") >= both["ask"].median())["relative"].median()  # type: ignore[operator]


def test_hogs_are_quoted_tighter_than_milk() -> None:
    spreads = []
    for spec in (HOGS, MILK):
        both = chain(market_of(spec)).drop_nulls(["bid", "ask"])
        spreads.append(((both["ask"] - both["bid"]) * 2 / (both["ask"] + both["bid"])).median())
    assert spreads[0] < 0.8 * spreads[1]  # type: ignore[operator]


def test_stale_quotes_stand_on_an_old_forward() -> None:
    """Without staleness, noise is symmetric around fair value; with it, errors grow by the days' moves."""
    errors = []
    for share in (0.0, 0.5):
        rows = chain(market_of(OATS, World(stale_share=share))).drop_nulls(["bid", "ask", "settle"])
        middle = (rows["bid"] + rows["ask"]) / 2 - rows["settle"]
        errors.append((middle / (rows["ask"] - rows["bid"])).abs().quantile(0.9))
    assert errors[1] > 1.1 * errors[0]  # type: ignore[operator]


def test_fair_values_keep_the_bounds_of_american_options() -> None:
    """Parity of American options on futures: F e^{-rT} - K <= C - P <= F - K e^{-rT}; never below intrinsic."""
    market = market_of(HOGS)
    path, series = market.path, market.series
    assert series is not None
    surface = surface_of(path, market.futures, series, market.curve, slice(100, 110))
    row, which = np.nonzero(series.listed[100:110])
    row, which = np.repeat(row, 60), np.repeat(which, 60)
    forward, years, sd, _ = surface.at(row, which)
    strike = forward * np.exp(np.tile(np.linspace(-3.5, 3.5, 60), len(row) // 60) * sd)
    call, put = fair_values(path, surface, row, which, strike)
    discount = np.exp(-path.world.rate * years)
    tiny = 1e-5 * strike
    assert np.all(call - put >= forward * discount - strike - tiny)
    assert np.all(call - put <= forward - strike * discount + tiny)
    assert np.all(call >= np.maximum(forward - strike, 0) - tiny)
    assert np.all(put >= np.maximum(strike - forward, 0) - tiny)
    for values in (call, put):
        slope = np.diff(values.reshape(-1, 60), axis=1) / np.diff(strike.reshape(-1, 60), axis=1)
        assert np.all(np.diff(slope, axis=1) > -1e-9)


def test_european_chains_are_the_density_itself() -> None:
    """Discount taken out, calls differentiate twice to the known density and their butterfly sums to one."""
    assert HOGS.options is not None
    spec = HOGS.model_copy(update={"options": HOGS.options.model_copy(update={"exercise": Exercise.EUROPEAN})})
    market = market_of(spec)
    assert market.series is not None
    surface = surface_of(market.path, market.futures, market.series, market.curve, slice(50, 51))
    e = int(np.flatnonzero(market.series.listed[50])[1])
    n = 4001
    zero, which = np.zeros(n, dtype=np.int64), np.full(n, e)
    forward, years, sd, density = surface.at(zero, which)
    strike = forward * np.exp(np.linspace(-7, 7, n) * sd)
    call, put = fair_values(market.path, surface, zero, which, strike)
    undiscounted = call * np.exp(market.path.world.rate * years)
    assert call - put == pytest.approx(np.exp(-market.path.world.rate * years) * (forward - strike), abs=1e-9)
    slope = np.diff(undiscounted) / np.diff(strike)
    middle = 0.5 * (strike[1:] + strike[:-1])
    mass = np.diff(slope)
    assert mass.sum() == pytest.approx(1, abs=1e-6)
    assert np.sum(mass * strike[1:-1]) == pytest.approx(forward[0], rel=1e-6)
    implied = mass / np.diff(middle) * strike[1:-1]
    known = log_density(density, np.log(strike / forward))[1:-1]
    assert np.abs(implied - known).max() < 1e-4 * known.max()


def test_variance_forecast_is_right_on_average() -> None:
    """Realised variance to expiry over the variance priced, less the premium of 1.08: one on average."""
    ratios = []
    for seed in range(12):
        for spec in (HOGS, MILK):
            market = build_market(spec, World(), seed, date(2015, 1, 2), date(2020, 12, 31))
            assert market is not None
            assert market.series is not None
            rows = slice(0, len(market.path.sessions) - 130)
            surface = surface_of(market.path, market.futures, market.series, market.curve, rows)
            for k in range(0, rows.stop, 120):
                e = int(np.flatnonzero(market.series.listed[k])[1])
                end = market.path.index(market.series.expiry[e].item())
                under = market.series.underlying[e]
                moved = np.diff(market.curve.log_price[k : end + 1, under])
                ratios.append(np.sum(moved**2) / (surface.variance[k, e] / 1.08))
    assert len(ratios) > 200
    assert np.mean(ratios) == pytest.approx(1, abs=4 * np.std(ratios) / np.sqrt(len(ratios)))
    assert np.mean(ratios) == pytest.approx(1, abs=0.15)


def test_activity_is_the_session_before() -> None:
    rows = chain(market_of(HOGS))
    first = rows.filter(pl.col("session") == rows["session"].min())
    assert first["open_interest"].null_count() == first.height
    later = rows.filter(pl.col("session") > rows["session"].min())
    assert (later["previous_session"] < later["session"]).all()
    assert later["open_interest"].null_count() < 0.05 * later.height
    keys = ["contract_month", "strike", "right"]
    change = later.sort("session").with_columns(d=pl.col("open_interest").diff().over(keys)).drop_nulls("d")
    assert change["d"].abs().median() < 0.2 * later["open_interest"].median()  # type: ignore[operator]
