"""Two lognormals: closed forms, recovery of one and two humps, no spikes, independence of the batch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.options.black76 import price
from hydra_assets.options.mixture import LognormalMixture, _in_prices, _model, fit
from hydra_assets.options.observations import observations
from hydra_assets.options.robust import Window
from hydra_assets.options.slices import SliceQuotes

NAMES = LognormalMixture.__slots__


def random_slices(n: int, seed: int) -> LognormalMixture:
    rng = np.random.default_rng(seed)
    scale = np.exp(rng.uniform(np.log(0.04), np.log(0.4), n))
    p, distance = rng.uniform(0.25, 0.75, n), rng.uniform(-2.0, 2.0, n) * scale
    m2 = 1.0 / (p * np.exp(distance) + 1.0 - p)
    s1, s2 = rng.uniform(0.5, 1.2, n) * scale, rng.uniform(0.5, 1.2, n) * scale
    return LognormalMixture(p, np.exp(distance) * m2, m2, s1, s2)


def spread_of(slices: LognormalMixture) -> np.ndarray:
    p, mu1, mu2 = slices.weight, np.log(slices.mean_ratio_1), np.log(slices.mean_ratio_2)
    return np.sqrt(p * slices.s1**2 + (1 - p) * slices.s2**2 + p * (1 - p) * (mu1 - mu2) ** 2)


def quoted(truth: LognormalMixture, m: int, deviations: float, share: float = 0.02) -> SliceQuotes:
    k = np.linspace(-deviations, deviations, m) * spread_of(truth)[:, None]
    w = truth.total_variance(k)
    return SliceQuotes(k, w, share * w, np.ones_like(w, dtype=bool))


def noisy(truth: LognormalMixture, m: int, seed: int) -> SliceQuotes:
    rng = np.random.default_rng(seed)
    clean = quoted(truth, m, 2.0)
    mid = clean.w + clean.half_spread * rng.uniform(-1.0, 1.0, clean.w.shape)
    return SliceQuotes(clean.k, mid, clean.half_spread, rng.uniform(size=clean.w.shape) < 0.9)


def same(left: LognormalMixture, right: LognormalMixture) -> bool:
    return all(np.array_equal(getattr(left, name), getattr(right, name), equal_nan=True) for name in NAMES)


def test_equal_components_are_one_lognormal() -> None:
    one = LognormalMixture(*(np.array([v]) for v in (0.3, 1.0, 1.0, 0.2, 0.2)))
    k = np.linspace(-1.5, 1.5, 13)[None, :]
    assert one.total_variance(k) == pytest.approx(np.full((1, 13), 0.04), rel=1e-12)
    expected = price(np.ones(13), np.exp(k[0]), np.full(13, 0.2), np.ones(13, dtype=bool))
    assert one.call(k)[0] == pytest.approx(expected, rel=1e-12)
    z = k / 0.2 + 0.1
    assert one.density(k) == pytest.approx(np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi) / 0.2, rel=1e-12)


def test_a_call_by_hand_is_the_weighted_call_of_its_components() -> None:
    # 0.25 * Black(F = 0.88, s = 0.1) + 0.75 * Black(F = 1.04, s = 0.05), struck at 0.95.
    m = LognormalMixture(*(np.array([v]) for v in (0.25, 0.88, 1.04, 0.1, 0.05)))
    strike, call = np.array([0.95]), np.array([True])
    parts = [price(np.array([f]), strike, np.array([s]), call)[0] for f, s in ((0.88, 0.1), (1.04, 0.05))]
    assert m.call(np.log([[0.95]]))[0, 0] == pytest.approx(0.25 * parts[0] + 0.75 * parts[1], rel=1e-13)


def test_density_has_mass_one_and_mean_f_and_is_the_slope_of_its_distribution() -> None:
    truth = random_slices(50, 1)
    reach = spread_of(truth)[:, None]
    k = np.linspace(-14.0, 14.0, 2801) * reach
    step = 0.01 * reach[:, 0]
    p = truth.density(k)
    assert p.sum(axis=1) * step == pytest.approx(np.ones(50), abs=1e-10)
    assert (p * np.exp(k)).sum(axis=1) * step == pytest.approx(np.ones(50), abs=1e-10)
    h = 1e-5 * reach
    assert p * reach == pytest.approx(
        (truth.distribution(k + h) - truth.distribution(k - h)) / 2e-5, abs=1e-8 * (p * reach).max()
    )
    near = np.linspace(-1.0, 1.0, 11) * reach
    by_strike = (truth.call(near + h) - truth.call(near - h)) / (2.0 * h * np.exp(near))
    assert -by_strike == pytest.approx(1.0 - truth.distribution(near), abs=1e-6)


def test_total_variance_stays_a_number_where_prices_underflow() -> None:
    truth = random_slices(20, 2)
    far = np.array([-400.0, 400.0]) * spread_of(truth)[:, None]
    expected = np.maximum(truth.s1, truth.s2)[:, None] ** 2 + np.zeros((1, 2))
    assert truth.total_variance(far) == pytest.approx(expected, rel=0.2)


def test_recovers_densities_with_one_hump_and_with_two() -> None:
    truth = random_slices(300, 3)
    quotes = quoted(truth, 25, 2.2)
    found = fit(quotes)
    assert found.fitted.all()
    k = np.linspace(-6.0, 6.0, 601) * spread_of(truth)[:, None]
    step = 0.02 * spread_of(truth)
    distance = (np.abs(found.slices.density(k) - truth.density(k))).sum(axis=1) * step
    assert np.median(distance) < 0.002
    assert np.quantile(distance, 0.95) < 0.05
    assert np.quantile(np.abs(found.residual).max(axis=1), 0.9) < 0.2


def test_residuals_are_of_total_variance() -> None:
    quotes = noisy(random_slices(20, 4), 15, 4)
    found = fit(quotes)
    expected = (found.slices.total_variance(quotes.k) - quotes.w) / quotes.half_spread
    assert found.residual[quotes.used] == pytest.approx(expected[quotes.used], abs=1e-9)
    assert (found.residual[~quotes.used] == 0.0).all()


def test_jacobian_equals_differences_and_residuals_those_of_variance_to_first_order() -> None:
    truth = random_slices(30, 5)
    quotes = quoted(truth, 9, 1.5)
    data = observations(quotes)
    prices = _in_prices(data)
    window = Window(
        *(np.ascontiguousarray(a.T) for a in (prices.k, prices.w, prices.inverse)), prices.constants, data.scale
    )
    p, m1, m2 = truth.weight, truth.mean_ratio_1, truth.mean_ratio_2
    scale = data.scale
    raw = np.stack([np.log(p / (1 - p)), np.log(m1 / m2) / scale, np.log(truth.s1 / scale), np.log(truth.s2 / scale)])
    residual, jacobian = _model(raw, window)
    assert np.abs(residual).max() < 1e-8
    for a in range(4):
        h = np.zeros((4, 1))
        h[a] = 1e-6
        difference = (_model(raw + h, window)[0] - _model(raw - h, window)[0]) / 2e-6
        assert jacobian[a] == pytest.approx(difference, abs=1e-5 * np.abs(jacobian[a]).max())
    shifted = raw + 1e-5
    by_price = _model(shifted, window)[0]
    e = np.exp(shifted)
    q = e[0] / (1 + e[0])
    ratio = np.exp(shifted[1] * scale)
    near = 1 / (q * ratio + 1 - q)
    w = LognormalMixture(q, ratio * near, near, e[2] * scale, e[3] * scale).total_variance(quotes.k)
    near_enough = 1e-2 * np.abs(by_price).max()
    np.testing.assert_allclose(by_price.T, (w - quotes.w) / quotes.half_spread, atol=near_enough)


def test_no_component_is_narrower_than_half_the_distance_of_strikes() -> None:
    # One quote of nine is dear by six half-spreads: without the bound a spike of density would explain it.
    k = np.linspace(-0.3, 0.3, 9)[None, :]
    w = np.full((1, 9), 0.04)
    w[0, 4] *= 0.7
    slices = fit(SliceQuotes(k, w, 0.05 * w, np.ones_like(k, dtype=bool))).slices
    assert min(slices.s1[0], slices.s2[0]) >= 0.5 * 0.075 * (1 - 1e-12)


def test_a_slice_does_not_depend_on_its_batch_padding_or_place() -> None:
    quotes = noisy(random_slices(150, 6), 15, 6)
    together = fit(quotes).slices
    wide = SliceQuotes(
        *(np.concatenate([a, np.full((150, 6), np.nan)], axis=1) for a in (quotes.k, quotes.w, quotes.half_spread)),
        np.concatenate([quotes.used, np.zeros((150, 6), dtype=bool)], axis=1),
    )
    assert same(fit(wide).slices, together)
    back = slice(None, None, -1)
    assert same(fit(quotes.take(back)).slices.take(back), together)
    for i in (0, 7, 149):
        rows = slice(i, i + 1)
        assert same(fit(quotes.take(rows)).slices, together.take(rows))


def test_too_few_quotes_and_empty_batches() -> None:
    quotes = noisy(random_slices(3, 7), 12, 7)
    quotes.used[:] = True
    alone = fit(quotes.take(slice(1, 3))).slices
    quotes.used[0, 5:] = False
    found = fit(quotes)
    assert found.fitted.tolist() == [False, True, True]
    assert np.isnan(found.slices.s1[0])
    assert same(found.slices.take(slice(1, 3)), alone)
    for shape in ((0, 12), (3, 0)):
        empty = np.empty(shape)
        assert fit(SliceQuotes(empty, empty, empty, np.empty(shape, dtype=bool))).fitted.tolist() == [False] * shape[0]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_every_fit_is_a_density_with_mean_f_and_prices_that_fall_and_are_convex(seed: int) -> None:
    rng = np.random.default_rng(seed)
    k = np.sort(rng.uniform(-0.6, 0.6, (4, 9)), axis=1)
    w = rng.uniform(0.001, 0.2, (4, 9))
    found = fit(SliceQuotes(k, w, rng.uniform(0.01, 0.5, (4, 9)) * w, np.ones_like(k, dtype=bool)))
    assert found.fitted.all()
    s = found.slices
    assert s.weight * s.mean_ratio_1 + (1 - s.weight) * s.mean_ratio_2 == pytest.approx(np.ones(4), abs=1e-12)
    assert ((s.weight > 0.0) & (s.weight < 1.0)).all()
    strike = np.linspace(0.3, 3.0, 201)
    call = s.call(np.log(strike) + np.zeros((4, 1)))
    assert (np.diff(call, axis=1) <= 1e-15).all()
    assert (np.diff(call, 2, axis=1) >= -1e-14).all()
