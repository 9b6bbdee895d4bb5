"""One pass of fits: which slice gets which, the neighbours' shape, and the calendar over all of them."""

from dataclasses import fields

import numpy as np
import pytest

from hydra_assets.options.average import MODELS
from hydra_assets.options.slices import SliceQuotes
from hydra_assets.options.smile_fits import (
    FULL_STRIKES,
    KINDS,
    LONE_SHAPE,
    QUOTES_PER_WING,
    THIN_STRIKES,
    Layout,
    SmileFits,
    calendar_gains,
    fit_smiles,
    merged,
    without,
)
from hydra_assets.options.ssvi import Ssvi

WIDTH = 12


def quotes(*strikes: list[float], theta: float = 0.01, rho: float = -0.4, half_spread: float = 2e-4) -> SliceQuotes:
    """One slice a list of k, on an SSVI smile of phi sqrt(theta) = 0.6."""
    n = len(strikes)
    k, used = np.zeros((n, WIDTH)), np.zeros((n, WIDTH), dtype=np.bool_)
    for i, row in enumerate(strikes):
        k[i, : len(row)], used[i, : len(row)] = row, True
    smile = Ssvi(*(np.full(n, x) for x in (theta, rho, 0.6 / np.sqrt(theta))))
    return SliceQuotes(k, np.where(used, smile.total_variance(k), 0.0), np.full((n, WIDTH), half_spread), used)


def layout(rows: SliceQuotes, group: list[int] | None = None, years: list[float] | None = None) -> Layout:
    """Every slice on a future of its own, all of one session, unless said otherwise."""
    n = len(rows)
    strikes = np.array([len(set(k[used].tolist())) for k, used in zip(rows.k, rows.used, strict=True)], dtype=np.int64)
    return Layout(
        np.arange(n) if group is None else np.array(group),
        np.zeros(n, dtype=np.int64),
        np.full(n, 0.2) if years is None else np.array(years),
        strikes,
    )


def spread(puts: int, calls: int) -> list[float]:
    return [*(-0.03 * (i + 1) for i in range(puts)), *(0.03 * i for i in range(calls))]


@pytest.mark.parametrize(
    ("puts", "calls", "kind"),
    [
        (4, FULL_STRIKES - 4, "three_models"),
        (QUOTES_PER_WING, FULL_STRIKES - QUOTES_PER_WING, "three_models"),
        (FULL_STRIKES - 1, 1, "prior"),  # nearly one-sided
        (4, 3, "prior"),
        (2, THIN_STRIKES - 2, "prior"),
        (2, THIN_STRIKES - 3, "level"),
        (0, 1, "level"),
    ],
)
def test_the_count_of_quotes_decides_what_is_fitted(puts: int, calls: int, kind: str) -> None:
    rows = quotes(spread(puts, calls))
    found = fit_smiles(rows, layout(rows))
    assert KINDS[found.kind[0]] == kind
    assert found.average.standing.tolist() == [True]
    mixture = found.average.models[MODELS.index("mixture")]
    assert np.isfinite(mixture.total_variance(np.zeros((1, 1)))[0, 0]) == (kind == "three_models")
    assert np.isnan(found.svi_min_g[0])  # raw SVI wants ten


def test_raw_svi_joins_from_ten_quotes_on() -> None:
    rows = quotes(spread(5, 5), spread(5, 4))
    found = fit_smiles(rows, layout(rows))
    assert np.isfinite(found.svi_min_g).tolist() == [True, False]
    assert (found.average.weights[:, MODELS.index("svi")] > 0.0).tolist()[1] is False


def test_no_quote_has_no_kind_and_no_smile() -> None:
    rows = quotes([], spread(5, 5))
    found = fit_smiles(rows, layout(rows))
    assert found.kind.tolist() == [-1, 0]
    assert found.average.standing.tolist() == [False, True]
    assert np.isnan(found.average.total_variance(np.zeros((2, 1)))[0, 0])


def test_a_level_takes_its_neighbours_mean_shape_and_its_own_height() -> None:
    rows = quotes(spread(5, 5), spread(6, 5), [0.0])
    found = fit_smiles(rows, layout(rows))
    ssvi = found.average.models[MODELS.index("ssvi")]
    assert isinstance(ssvi, Ssvi)
    assert ssvi.rho.tolist() == pytest.approx([-0.4] * 3, abs=1e-6)
    assert (ssvi.phi * np.sqrt(ssvi.theta)).tolist() == pytest.approx([0.6] * 3, abs=1e-5)
    alone = fit_smiles(rows.take(slice(2, 3)), layout(rows.take(slice(2, 3)))).average.models[MODELS.index("ssvi")]
    assert isinstance(alone, Ssvi)
    assert alone.rho.tolist() == [0.0]
    assert (alone.phi * np.sqrt(alone.theta)).tolist() == pytest.approx([LONE_SHAPE])
    assert alone.theta.tolist() == pytest.approx([0.01])


def test_shapes_are_borrowed_within_a_session_only() -> None:
    rows = quotes(spread(5, 5), [0.0])
    apart = Layout(np.arange(2), np.array([0, 1]), np.full(2, 0.2), np.array([10, 1]))
    ssvi = fit_smiles(rows, apart).average.models[MODELS.index("ssvi")]
    assert isinstance(ssvi, Ssvi)
    assert ssvi.rho[1] == 0.0
    assert ssvi.rho[0] == pytest.approx(-0.4, abs=1e-6)


def noisy(seed: int) -> SliceQuotes:
    """Twelve slices of ten quotes with more noise than a smile bears."""
    rng = np.random.default_rng(seed)
    rows = quotes(*[spread(5, 5)] * 12)
    return SliceQuotes(
        rows.k, rows.w + np.where(rows.used, 3e-4 * rng.standard_normal(rows.k.shape), 0.0), rows.half_spread, rows.used
    )


def test_a_broken_calendar_takes_all_expiries_of_its_future_to_ssvi_and_no_other() -> None:
    rows = noisy(3)
    group = [i // 3 for i in range(12)]
    years = [0.1, 0.2, 0.3] * 4
    found = fit_smiles(rows, layout(rows, group, years))
    by_group = found.by_theorem.reshape(4, 3)
    fell_back = by_group.all(axis=1)
    assert fell_back.any()
    weights = found.average.weights[found.by_theorem]
    assert (weights[:, MODELS.index("ssvi")] == 1.0).all()
    gain = found.calendar_gain.reshape(4, 3)
    assert np.isnan(gain[:, 0]).all()
    assert np.nanmin(gain) >= -1e-10
    # On futures of their own nothing binds: the same quotes keep their three models.
    free = fit_smiles(rows, layout(rows, years=years))
    assert np.isnan(free.calendar_gain).all()
    assert free.by_theorem.sum() < found.by_theorem.sum()


def test_gains_are_those_of_the_expiry_before_in_time_whatever_the_order_of_the_rows() -> None:
    rows = quotes(*[spread(5, 5)] * 3)
    factor = np.array([3.0, 1.0, 2.0])[:, None]
    rows = SliceQuotes(rows.k, rows.w * factor, rows.half_spread, rows.used)
    at = layout(rows, [0, 0, 0], [0.3, 0.1, 0.2])
    found = fit_smiles(rows, at)
    assert np.isnan(found.calendar_gain).tolist() == [False, True, False]
    only = calendar_gains(found.average, at, only=np.array([True, True, False]))
    # Without the middle one, the last one's gain is over the first.
    assert np.isnan(only).tolist() == [False, True, True]
    assert only[0] > found.calendar_gain[0]


def test_a_slice_has_the_same_bits_whatever_stands_beside_it() -> None:
    rows, at = noisy(5), None
    at = layout(rows, [i // 3 for i in range(12)], [0.1, 0.2, 0.3] * 4)
    # Sessions of their own, so that nothing is lent.
    at = Layout(at.group, at.group, at.years, at.strikes)
    whole = fit_smiles(rows, at)
    for i in range(0, 12, 3):
        part = slice(i, i + 3)
        alone = fit_smiles(
            rows.take(part), Layout(at.group[part] * 0, at.group[part] * 0, at.years[part], at.strikes[part])
        )
        assert_same(alone, whole, part)


def assert_same(alone: SmileFits, whole: SmileFits, part: slice) -> None:
    for f in fields(SmileFits):
        if f.name != "average":
            assert np.array_equal(getattr(alone, f.name), getattr(whole, f.name)[part], equal_nan=True), f.name
    assert np.array_equal(alone.average.weights, whole.average.weights[part])
    k = np.linspace(-0.4, 0.4, 21)[None, :].repeat(3, axis=0)
    assert np.array_equal(alone.average.call(k), whole.average.take(part).call(k))


def test_without_and_merged_change_only_the_rows_they_are_told() -> None:
    rows = noisy(7)
    smiles = fit_smiles(rows, layout(rows)).average
    gone = np.arange(12) < 4
    fewer = without(smiles, gone)
    assert fewer.standing.tolist() == (~gone).tolist()
    assert np.isnan(fewer.rmse[gone]).all()
    assert np.array_equal(fewer.rmse[~gone], smiles.rmse[~gone])
    back = merged(smiles, fewer, gone)
    assert np.array_equal(back.weights, smiles.weights)
    assert np.array_equal(back.rmse, smiles.rmse)
