"""Surfaces from frames: known smiles come back, every slice has a reason, and nothing of one session enters another."""

from functools import cache

import numpy as np
import polars as pl
import pytest

from hydra_assets.options.slices import VarianceSmile
from hydra_assets.options.vol_surface import MODEL_CLASSES, PARAMETERS, SliceReason, average_of, lee_slopes
from tests.support.chains import SESSION, Chain, Stages, fitted, noisy_chain, ssvi, stages, weekdays

THIN = (92.0, 96.0, 100.0, 104.0, 108.0, 112.0)
ONE_FUTURE = "HE 2026-12"


def row(surface: pl.DataFrame, days: int) -> dict[str, object]:
    return surface.row(by_predicate=pl.col("days_to_expiry") == days, named=True)


@pytest.mark.parametrize("exercise", ["european", "american"])
@pytest.mark.parametrize(("vol", "rho", "bend"), [(0.3, -0.3, 0.5), (0.2, 0.4, 0.3), (0.45, -0.7, 0.8)])
def test_a_noise_free_chain_gives_its_parameters_back(vol: float, rho: float, bend: float, exercise: str) -> None:
    smile = ssvi(vol, rho, bend, days=90)
    surface, _ = fitted(Chain(smile, days=90, exercise=exercise))
    found = row(surface, 90)
    tolerance = 1e-9 if exercise == "european" else 1e-4
    for name, true in zip(PARAMETERS["ssvi"], (smile.theta, smile.rho, smile.phi), strict=True):
        assert found[name] == pytest.approx(true[0], rel=tolerance), name
    assert (found["slice_reason"], found["fit_kind"], found["underlying_contract"]) == (
        "ok",
        "three_models",
        "HE 2026-11",
    )
    assert sum(found[f"weight_{name}"] for name in PARAMETERS) == pytest.approx(1.0)  # type: ignore[misc]
    assert found["atm_vol"] == pytest.approx(vol, rel=2e-3)
    assert found["largest_residual_half_spreads"] < 0.1  # type: ignore[operator]
    k = np.linspace(found["observed_k_min"], found["observed_k_max"], 41)[None, :]  # type: ignore[call-overload]
    again = np.sqrt(average_of(surface).total_variance(k))
    assert np.abs(again - np.sqrt(smile.total_variance(k))).max() < 0.002


def test_counts_and_reasons_of_a_slice_add_up() -> None:
    surface, _ = fitted(Chain(days=60))
    found = surface.row(0, named=True)
    rejected = dict(part.split("=") for part in found["quotes_rejected"].split(","))
    assert found["quotes_seen"] == 72 == found["quotes_used"] + sum(map(int, rejected.values()))
    assert set(rejected) == {"below_tick", "in_the_money"}
    assert found["parity_forward"] == pytest.approx(100.0, abs=1e-9)
    assert (found["parity_pairs"], found["synthetic_spread"]) == (5, False)
    assert found["median_half_spread_share"] == pytest.approx(0.04)


def test_a_slice_is_fitted_with_what_its_quotes_bear() -> None:
    smile = {days: ssvi(0.3, -0.5, 0.6, days) for days in (40, 60, 95)}
    surface, _ = fitted(
        Chain(smile[40], days=40),
        Chain(smile[60], days=60, strikes=THIN),
        Chain(smile[95], days=95, strikes=(97.0, 103.0)),
    )
    assert surface["fit_kind"].to_list() == ["three_models", "prior", "level"]
    assert surface["slice_reason"].to_list() == ["ok"] * 3
    assert surface["atm_vol"].to_list() == pytest.approx([0.3] * 3, abs=0.003)
    # The neighbour's shape is the truth here: theirs is the same.
    shape = surface["ssvi_phi"].to_numpy() * np.sqrt(surface["ssvi_theta"].to_numpy())
    assert surface["ssvi_rho"].to_list() == pytest.approx([-0.5] * 3, abs=0.01)
    assert shape.tolist() == pytest.approx([0.6] * 3, abs=0.01)
    # Alone and with wide quotes it leans to a symmetric shape.
    lone, _ = fitted(Chain(smile[60], days=60, strikes=THIN, half_spread=0.19))
    assert lone["fit_kind"].to_list() == ["prior"]
    assert -0.45 < lone["ssvi_rho"].item() < -0.01
    assert surface["weight_ssvi"].to_list()[1:] == [1.0, 1.0]
    assert surface["arbitrage_evidence"].to_list() == ["grid", "theorem", "theorem"]


def test_slices_without_parameters_say_why() -> None:
    bad = Chain(days=95).quotes()
    surface = stages(
        pl.concat(
            [
                Chain(days=40).quotes(),
                Chain(days=60, strikes=(124.0, 126.0)).quotes(),  # a level needs one quote near the money
                bad.with_columns(pl.col("underlying_settle") * 1.15),
                Chain(days=150).quotes().with_columns(pl.lit(None, pl.Float64).alias("bid")),
            ]
        )
    ).surface
    wanted = [SliceReason.OK, SliceReason.NOT_FITTED, SliceReason.FORWARD_MISMATCH, SliceReason.TOO_FEW_QUOTES]
    assert surface["slice_reason"].to_list() == wanted
    numbers = [*(c for names in PARAMETERS.values() for c in names), "weight_ssvi", "atm_vol", "fit_kind"]
    assert (
        surface.select(pl.any_horizontal(pl.col(numbers).is_not_null()))["ssvi_theta"].to_list() == [True] + [False] * 3
    )


@pytest.mark.parametrize(("factor", "reason"), [(1.15, "forward_mismatch"), (0.87, "forward_mismatch"), (1.005, "ok")])
def test_only_a_forward_from_another_month_is_a_mismatch(factor: float, reason: str) -> None:
    quotes = Chain(days=60).quotes().with_columns(pl.col("underlying_settle") * factor)
    assert stages(quotes).surface["slice_reason"].to_list() == [reason]


def test_a_thin_slice_below_the_expiry_before_it_goes_and_a_full_one_is_held_above() -> None:
    def surface(strikes: tuple[float, ...], underlying: str) -> pl.DataFrame:
        low = Chain(ssvi(0.22, days=60), days=60, strikes=strikes, underlying=underlying)
        around = [Chain(ssvi(0.35, days=d), days=d, underlying=ONE_FUTURE) for d in (40, 95)]
        return fitted(low, *around)[0]

    everywhere = Chain().strikes
    thin = surface(THIN, ONE_FUTURE)
    assert thin["slice_reason"].to_list() == ["ok", "calendar_arbitrage", "ok"]
    assert thin["calendar_min_dw"].is_null().to_list() == [True, True, False]
    full = surface(everywhere, ONE_FUTURE)
    assert full["slice_reason"].to_list() == ["ok"] * 3
    assert full["calendar_min_dw"].to_list()[1] == pytest.approx(0.0, abs=1e-12)
    assert full["arbitrage_evidence"].to_list() == ["theorem"] * 3
    # Of another future it is another animal, and keeps its own volatility.
    other = surface(everywhere, "HE 2026-10")
    assert row(other, 60)["atm_vol"] == pytest.approx(0.22, rel=2e-3)
    assert row(other, 60)["calendar_min_dw"] is None


def test_no_calendar_violation_within_one_underlying_on_noisy_groups() -> None:
    days = weekdays(60)
    chains = [noisy_chain(i, d, day, ONE_FUTURE) for i, day in enumerate(days) for d in (20, 45, 75, 120)]
    surface = fitted(*chains)[0].filter(pl.col("slice_reason") == "ok")
    assert surface.height > 180
    pairs = surface.with_row_index("later").with_columns(
        pl.col("later").shift(1).over("session", order_by="expiry").alias("earlier")
    )
    pairs = pairs.drop_nulls("earlier")
    smiles = average_of(surface)
    earlier, later = (smiles.take(pairs[c].cast(pl.Int64).to_numpy()) for c in ("earlier", "later"))
    unit = np.sqrt(later.total_variance(np.zeros((len(later), 1))))
    k = np.linspace(-6.5, 6.5, 387) * unit  # off the grid that the fit itself looks at
    gain = (later.total_variance(k) - earlier.total_variance(k)).min(axis=1)
    assert len(gain) > 100
    assert gain.min() >= -1e-9
    assert pairs["calendar_min_dw"].min() >= -1e-10  # type: ignore[operator]
    assert {"theorem", "grid"} == set(pairs["arbitrage_evidence"])


def test_the_smiles_come_back_from_the_rows_bit_for_bit() -> None:
    chains = [noisy_chain(i, d, day) for i, day in enumerate(weekdays(12)) for d in (30, 75)]
    surface, _ = fitted(*chains)
    smiles = average_of(surface)
    for i, name in enumerate(PARAMETERS):
        assert isinstance(smiles.models[i], MODEL_CLASSES[name])
    k = np.linspace(-1.0, 1.0, 33)[None, :].repeat(surface.height, axis=0)
    with np.errstate(all="ignore"):
        own = np.sqrt(smiles.total_variance(np.zeros((len(smiles), 1)))[:, 0] / surface["year_fraction"].to_numpy())
        # The row's own figures were taken from the fitted smiles, before any frame.
        assert np.array_equal(own, surface["atm_vol"].fill_null(np.nan).to_numpy(), equal_nan=True)
        left, right = lee_slopes(smiles)
        again = average_of(pl.DataFrame(surface.to_dicts(), schema=surface.schema))
        assert np.array_equal(again.call(k), smiles.call(k), equal_nan=True)
    good = (surface["slice_reason"] == "ok").to_numpy()
    assert np.array_equal(left[good], surface["lee_slope_left"].to_numpy()[good])
    assert np.array_equal(right[good], surface["lee_slope_right"].to_numpy()[good])
    assert max(left.max(), right.max()) <= 2.0
    for model in smiles.models:
        if isinstance(model, VarianceSmile):
            assert len(model) == surface.height


@cache
def many() -> Stages:
    """300 sessions of one to three expiries on one or two futures, some of them thin, with standard errors."""
    return stages(pl.concat([q for i, day in enumerate(weekdays(300)) for q in quotes_of(i, day)]), draws=20)


def quotes_of(i: int, day: object) -> list[pl.DataFrame]:
    """A session's chains; every third has two on one future."""
    maturities = ((60,), (25, 75), (25, 50, 110))[i % 3]
    underlying = (None, None, ONE_FUTURE)[i % 3]
    return [noisy_chain(i, d, day, underlying if d < 100 else None).quotes() for d in maturities]  # type: ignore[arg-type]


@pytest.mark.parametrize("i", [0, 1, 128, 170, 299])
def test_the_rows_of_a_session_are_the_same_alone_and_among_300(i: int) -> None:
    day = weekdays(300)[i]
    alone = stages(pl.concat(quotes_of(i, day)), draws=20)
    for dataset, rows in many().named().items():
        assert rows.filter(pl.col("session") == day).equals(alone.named()[dataset]), dataset


def test_the_batch_of_300_has_every_kind_of_row() -> None:
    found = many()
    assert found.surface.height > 512  # several passes of every engine
    assert set(found.surface["fit_kind"].drop_nulls()) == {"three_models", "prior", "level"}
    assert {"theorem", "grid"} == set(found.surface["arbitrage_evidence"].drop_nulls())
    assert set("ABCDE") <= set(found.density["grade"])
    assert found.density["sd_se"].is_not_null().sum() > 200
    assert found.surface["session"].min() == SESSION
