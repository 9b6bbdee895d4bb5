"""Published densities: valid ones, no number that the grade does not bear, and the same whatever the unit of price."""

from functools import cache

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.options.batch import SLICE, batch_of, slice_ids
from hydra_assets.options.bootstrap import NORMAL_90, bootstrap
from hydra_assets.options.clean import QuoteTerms
from hydra_assets.options.density import Z_GRID
from hydra_assets.options.implied_density import COLUMNS, SEED, densities_of
from hydra_assets.options.moments import COLUMN
from hydra_assets.options.vol_surface import average_of
from tests.support.chains import TERMS, Chain, Stages, fitted, noisy_chain, ssvi, stages, weekdays

STEP = Z_GRID[1] - Z_GRID[0]
BODY = ("mean", "sd", "skew", "butterfly_25", "tilt", "tilt_probability", "tilt_mode", "tilt_quantiles")
BODY_TOO = ("mass_residual", "martingale_residual", "min_density", "observed_sd", "density", "quantiles", "atm_skew")


@cache
def noisy() -> Stages:
    """80 sessions of two random expiries each, with standard errors."""
    chains = [noisy_chain(i, d, day) for i, day in enumerate(weekdays(80)) for d in (30, 90)]
    return stages(pl.concat([chain.quotes() for chain in chains]), draws=20)


def body(found: Stages) -> pl.DataFrame:
    return found.density.filter(pl.col("grade").is_in(["A", "B", "C"]))


def test_every_published_density_has_mass_one_is_positive_and_has_its_mean_at_the_forward() -> None:
    rows = body(noisy())
    assert rows.height > 60
    assert rows["mass_residual"].abs().max() <= 1e-8  # type: ignore[operator]
    assert rows["martingale_residual"].abs().max() <= 1e-8  # type: ignore[operator]
    assert rows["min_density"].min() >= 0.0  # type: ignore[operator]
    grid = np.array(rows["density"].to_list())
    assert grid.shape == (rows.height, len(Z_GRID))
    assert grid.min() >= 0.0
    # The grid's own sums, which no code of the engine has made. Its points are an eighth of a deviation apart: a raw
    # SVI that bends more sharply than that is seen by the engine's quadrature and not by them.
    growth = np.exp(Z_GRID * rows["density_unit"].to_numpy()[:, None])
    for values in (grid, grid * growth):
        missing = np.abs(values.sum(axis=1) * STEP - 1.0)
        assert np.quantile(missing, 0.95) < 1e-3
        assert missing.max() < 0.05


def test_quantiles_are_those_of_the_grid() -> None:
    rows = body(noisy())
    rows = rows.filter((rows["density"].list.sum() * STEP - 1.0).abs() < 1e-3)  # without bends between its points
    grid = np.array(rows["density"].to_list())
    levels = (0.01, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99)
    prices = np.array(rows["quantiles"].to_list())
    z = np.log(prices / rows["forward"].to_numpy()[:, None]) / rows["density_unit"].to_numpy()[:, None]
    assert (np.diff(prices, axis=1) > 0.0).all()
    below = np.cumsum(0.5 * STEP * (grid[:, 1:] + grid[:, :-1]), axis=1)
    for column, level in enumerate(levels):
        at = [np.interp(z[i, column], Z_GRID[1:], below[i]) for i in range(rows.height)]
        assert np.abs(np.array(at) - level).max() < 4e-3


def test_call_prices_of_every_published_fit_fall_and_are_convex() -> None:
    found = noisy()
    surface = found.surface.filter(pl.col("slice_reason") == "ok")
    unit = surface["atm_vol"].to_numpy() * np.sqrt(surface["year_fraction"].to_numpy())
    strikes = np.exp(np.linspace(-8.0, 8.0, 2001) * unit[:, None])
    price = average_of(surface).call(np.log(strikes))
    slope = np.diff(price, axis=1) / np.diff(strikes, axis=1)
    assert surface.height > 100
    assert slope.max() <= 1e-12
    assert slope.min() >= -1.0 - 1e-12
    # Where neighbouring strikes are closest, rounding of the price is what is left of a second difference.
    rounding = 4e-16 * (1.0 + price[:, :-2]) / np.diff(strikes, axis=1).min(axis=1, keepdims=True)
    assert (np.diff(slope, axis=1) + 8.0 * rounding).min() >= 0.0


def test_the_grade_decides_what_is_null() -> None:
    rows = noisy().density
    assert set(rows["grade"]) == set("ABCDE")
    for grade in "ABCDE":
        of = rows.filter(pl.col("grade") == grade)
        known = {c: of[c].is_not_null().all() for c in (*COLUMNS, *(f"{c}_se" for c in COLUMNS), *BODY_TOO)}
        absent = {c: of[c].is_null().all() for c in known}
        assert known["atm_vol"]
        for name in ("kurt", "kurt_se"):
            assert known[name] if grade in "AB" else absent[name], (grade, name)
        for name in (*BODY, *BODY_TOO, *(f"{c}_se" for c in BODY)):
            assert known[name] if grade in "ABC" else absent[name], (grade, name)
        assert known["risk_reversal_25"] if grade in "ABCD" else absent["risk_reversal_25"]
    plain = rows.filter(pl.col("grade") == "A")
    assert (plain["grade_reasons"].str.len_chars() == 0).any()
    assert rows.filter(pl.col("grade") != "A")["grade_reasons"].str.len_chars().min() > 0  # type: ignore[operator]


def test_a_slice_without_a_grade_has_no_row_and_no_draws_no_standard_error() -> None:
    far = Chain(days=60, strikes=(124.0, 126.0, 128.0, 130.0, 132.0), jitter=0.0)
    surface, vols = fitted(Chain(days=30), far)
    assert surface["slice_reason"].to_list() == ["ok", "ok"]
    density = densities_of(surface, vols, draws=0)
    assert density["days_to_expiry"].to_list() == [30]
    assert density["sd"].is_not_null().all()
    assert density.select(pl.col("^.*_se$").null_count()).row(0) == (1,) * (len(COLUMNS) + 1)


def test_a_known_smile_gives_its_known_moments() -> None:
    smile = ssvi(0.3, -0.3, 0.5, days=60)
    k = np.linspace(-1.2, 1.2, 24_001)[None, :]
    p = smile.density(k)[0] * (k[0, 1] - k[0, 0])
    mean = (p * k[0]).sum()
    sd = np.sqrt((p * (k[0] - mean) ** 2).sum())
    skew = (p * (k[0] - mean) ** 3).sum() / sd**3
    found = stages(Chain(smile).quotes(), draws=60).density.row(0, named=True)
    assert found["grade"] == "A"
    for name, true in (("mean", mean), ("sd", sd), ("skew", skew), ("atm_vol", 0.3)):
        assert abs(found[name] - true) < 1.5 * NORMAL_90 * found[f"{name}_se"], name
    assert found["sd"] == pytest.approx(sd, rel=3e-3)


@settings(max_examples=12)
@given(
    vol=st.floats(0.2, 0.4),
    rho=st.floats(-0.6, 0.6),
    bend=st.floats(0.1, 0.7),
    days=st.integers(45, 100),
    exercise=st.sampled_from(["european", "american"]),
)
def test_dropping_the_outermost_strikes_of_a_clean_chain_moves_sd_less_than_its_interval(
    vol: float, rho: float, bend: float, days: int, exercise: str
) -> None:
    chain = Chain(ssvi(vol, rho, bend, days), days=days, exercise=exercise)
    surface, vols = fitted(chain)
    whole = densities_of(surface, vols, draws=40).row(0, named=True)
    low, high = (surface[name].item() + e for name, e in (("observed_k_min", 1e-9), ("observed_k_max", -1e-9)))
    inner = tuple(x for x in chain.strikes if low < np.log(x / 100.0) < high)
    fewer_surface, fewer_vols = fitted(Chain(ssvi(vol, rho, bend, days), days=days, exercise=exercise, strikes=inner))
    fewer = densities_of(fewer_surface, fewer_vols, draws=0).row(0, named=True)
    assert fewer_surface["quotes_used"].item() == surface["quotes_used"].item() - 2
    assert abs(fewer["sd"] - whole["sd"]) < NORMAL_90 * whole["sd_se"]
    assert abs(fewer["atm_vol"] - whole["atm_vol"]) < NORMAL_90 * whole["atm_vol_se"]


@pytest.mark.parametrize("exercise", ["european", "american"])
def test_the_unit_of_price_changes_no_volatility_and_no_moment(exercise: str) -> None:
    quotes = Chain(days=60, exercise=exercise, jitter=0.5).quotes()
    in_price_units = ("bid", "ask", "strike", "underlying_settle")
    one = stages(quotes, draws=20)
    ten = stages(
        quotes.with_columns(pl.col(in_price_units) * 10.0),
        draws=20,
        terms=QuoteTerms(TERMS.tick * 10, TERMS.strike_interval * 10),
    )
    assert one.vols["iv"].to_numpy() == pytest.approx(ten.vols["iv"].to_numpy(), rel=1e-9)
    assert one.density["grade"].to_list() == ten.density["grade"].to_list() == ["A"]
    for name in COLUMNS:
        for end in ("", "_se"):
            values, again = (f.density[f"{name}{end}"].item() for f in (one, ten))
            assert again == pytest.approx(values, rel=1e-7, abs=1e-12), name
    for name in ("quantiles", "quantiles_se"):
        values, again = (f.density[name].item().to_list() for f in (one, ten))
        assert again == pytest.approx([10.0 * x for x in values], rel=1e-7), name


def test_standard_errors_are_the_quotes_noise_and_the_choice_of_model() -> None:
    found = noisy()
    good = found.surface.filter(pl.col("slice_reason") == "ok", pl.col("fit_kind") == "three_models")
    smiles, batch = average_of(good), batch_of(found.vols, good)
    within, _ = bootstrap(batch.quotes, smiles.models[0], SEED, slice_ids(good), 20)  # type: ignore[arg-type]
    rows = good.join(found.density, on=SLICE, how="left", maintain_order="left")
    for name in ("sd", "skew"):
        noise = np.sqrt(within[:, COLUMN[COLUMNS[name]]])
        se = rows[f"{name}_se"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        known = np.isfinite(se)
        assert known.sum() > 60
        assert (se[known] >= noise[known]).all()
        # Three models never agree on a noisy chain.
        assert np.median(se[known] / noise[known]) > 1.05, name


def test_standard_errors_depend_on_the_name_of_the_slice_and_not_on_its_place() -> None:
    surface, vols = fitted(Chain(days=60, jitter=0.3), Chain(days=60, jitter=0.3, market="SIM_LE"))
    both = densities_of(surface, vols, draws=20)
    again = densities_of(surface.reverse(), vols.reverse(), draws=20)
    assert both.equals(again.reverse())
    lean, cattle = both["sd_se"].to_list()
    assert lean != cattle
    assert lean == pytest.approx(cattle, rel=0.5)
    assert both["sd"][0] == both["sd"][1]
