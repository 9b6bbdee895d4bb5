"""Raw SVI: a published slice with arbitrage, exact recovery, the inner linear problem, independence of the batch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear

from hydra_assets.options.slices import SliceQuotes
from hydra_assets.options.svi import Svi, _linear, fit, jump_wings, min_g

# Gatheral & Jacquier (2014), Vogt's slice with a butterfly arbitrage at t = 1; values recomputed with 50 digits.
VOGT = Svi(*(np.array([v]) for v in (-0.041, 0.1331, 0.306, 0.3586, 0.4153)))
VOGT_K_W_G = np.array(
    [
        (-1.0, 0.092755652172, 0.267870358736),
        (-0.5, 0.05097657169, 0.356853572538),
        (0.0, 0.017426252555, 1.038649731282),
        (0.5, 0.023151565612, 0.069379211301),
        (0.78, 0.054911908842, -0.027949673252),
        (1.0, 0.086826709752, -0.027741695905),
        (1.5, 0.167151699886, 0.029123865658),
    ]
)
NAMES = ("a", "b", "rho", "m", "sigma")


def random_slices(n: int, seed: int) -> Svi:
    """Slices without arbitrage, of 4 to 40 % total volatility, with kinks and wings of every kind."""
    rng = np.random.default_rng(seed)
    size = 6 * n
    sd = np.exp(rng.uniform(np.log(0.04), np.log(0.4), size))
    m, sigma = rng.uniform(-1.2, 1.2, size), np.exp(rng.uniform(np.log(0.15), np.log(2.5), size))
    rho, b = rng.uniform(-0.8, 0.8, size), rng.uniform(0.05, 0.8, size)
    a = 1.0 - b * (np.sqrt(m * m + sigma * sigma) - rho * m)
    slices = Svi(a * sd**2, b * sd, rho, m * sd, sigma * sd).take(a + b * sigma * np.sqrt(1.0 - rho**2) > 0.1)
    return slices.take(min_g(slices)[0] > 1e-4).take(slice(0, n))


def quoted(truth: Svi, m: int, deviations: float, share: float = 0.01) -> SliceQuotes:
    sd = np.sqrt(truth.total_variance(np.zeros((len(truth), 1))))
    k = np.linspace(-deviations, deviations, m) * sd
    w = truth.total_variance(k)
    return SliceQuotes(k, w, share * w, np.ones_like(w, dtype=bool))


def noisy(truth: Svi, m: int, seed: int, share: float = 0.04) -> SliceQuotes:
    rng = np.random.default_rng(seed)
    clean = quoted(truth, m, 2.0, share)
    stale = np.where(rng.uniform(size=clean.w.shape) < 0.06, 1.4, 1.0)
    mid = clean.w * (1.0 + share * rng.uniform(-1.0, 1.0, clean.w.shape)) * stale
    return SliceQuotes(clean.k, mid, clean.half_spread, rng.uniform(size=clean.w.shape) < 0.9)


def same(left: Svi, right: Svi) -> bool:
    return all(np.array_equal(getattr(left, name), getattr(right, name), equal_nan=True) for name in NAMES)


def test_vogts_slice_to_the_published_digits() -> None:
    k = VOGT_K_W_G[None, :, 0]
    assert VOGT.total_variance(k)[0] == pytest.approx(VOGT_K_W_G[:, 1], abs=6e-13)
    assert VOGT.durrleman(k)[0] == pytest.approx(VOGT_K_W_G[:, 2], abs=6e-13)
    assert VOGT.total_variance(np.array([[0.22512]]))[0, 0] == pytest.approx(0.0116249032, abs=1e-10)
    least, where = min_g(VOGT)
    assert least[0] == pytest.approx(-0.03286357345362301, abs=1e-9)
    assert where[0] == pytest.approx(0.87926254162207, abs=1e-4)
    assert VOGT.durrleman(np.array([[0.64240787786938, 1.2569129919321]])) == pytest.approx(np.zeros((1, 2)), abs=1e-12)


def test_vogts_slice_in_jump_wings() -> None:
    found = jump_wings(VOGT, np.ones(1))
    expected = (0.017426252555, -0.175211140809, 0.699738104117, 1.316798218986, 0.011624903235)
    for name, value in zip(("v", "psi", "p", "c", "v_tilde"), expected, strict=True):
        assert getattr(found, name)[0] == pytest.approx(value, abs=6e-13)


def test_vogts_slice_is_found_and_dropped() -> None:
    k = np.linspace(-0.8, 1.4, 25)[None, :]
    w = VOGT.total_variance(k)
    found = fit(SliceQuotes(k, w, 0.01 * w, np.ones_like(k, dtype=bool)))
    assert found.fitted.tolist() == [False]
    assert np.isnan(found.slices.b[0])
    assert (found.residual == 0.0).all()
    assert found.min_g[0] == pytest.approx(-0.03286357, abs=1e-6)
    assert found.min_g_at[0] == pytest.approx(0.87926, abs=1e-3)


@pytest.mark.parametrize(("strikes", "deviations"), [(12, 1.6), (40, 2.5)])
def test_recovers_noise_free_slices_to_a_millionth_of_a_half_spread(strikes: int, deviations: float) -> None:
    truth = random_slices(400, 1)
    assert len(truth) == 400
    found = fit(quoted(truth, strikes, deviations))
    solved = found.fitted & (np.abs(found.residual).max(axis=1) < 1e-6)
    assert solved.mean() >= 0.99
    wide = solved & (np.abs(truth.m / truth.sigma) < 2.0)
    assert np.quantile(np.abs(found.slices.sigma / truth.sigma - 1.0)[wide], 0.95) < 1e-4


def test_derivatives_equal_differences() -> None:
    truth = random_slices(20, 2)
    k = np.linspace(-0.3, 0.3, 7) * np.ones((20, 1))
    w, first, second = truth.variance_and_derivatives(k)
    up, down = truth.total_variance(k + 1e-5), truth.total_variance(k - 1e-5)
    assert first == pytest.approx((up - down) / 2e-5, abs=1e-8)
    assert second == pytest.approx((up - 2.0 * w + down) / 1e-10, abs=1e-4)


def test_the_inner_problem_is_solved_exactly_inside_and_on_its_box() -> None:
    rng = np.random.default_rng(3)
    n, m = 60, 12
    columns = np.abs(rng.standard_normal((3, m, n))) + 0.1
    target, weight = rng.standard_normal((m, n)) + 2.0, rng.uniform(0.1, 1.0, (m, n))
    bound = np.full(n, 0.4)
    found, held = _linear(columns, target, weight, bound, np.zeros((3, n)))
    held_columns = 0
    for i in range(n):
        root = np.sqrt(weight[:, i])
        exact = lsq_linear(
            (columns[:, :, i] * root).T, target[:, i] * root, ([-np.inf, 0.0, 0.0], [np.inf, 0.4, 0.4]), tol=1e-14
        ).x
        if exact[0] + np.sqrt(exact[1] * exact[2]) < 1e-3:
            continue
        assert found[:, i] == pytest.approx(exact, abs=1e-6)
        held_columns += int(held[1:, i].sum())
    assert held_columns > 10


def test_a_slice_does_not_depend_on_its_batch_padding_or_place() -> None:
    quotes = noisy(random_slices(150, 4), 21, 4)
    together = fit(quotes)
    assert together.fitted.mean() > 0.5
    wide = SliceQuotes(
        *(np.concatenate([a, np.full((150, 6), np.nan)], axis=1) for a in (quotes.k, quotes.w, quotes.half_spread)),
        np.concatenate([quotes.used, np.zeros((150, 6), dtype=bool)], axis=1),
    )
    assert same(fit(wide).slices, together.slices)
    back = slice(None, None, -1)
    assert same(fit(quotes.take(back)).slices.take(back), together.slices)
    for i in (0, 7, 149):
        rows = slice(i, i + 1)
        assert same(fit(quotes.take(rows)).slices, together.slices.take(rows))


def test_too_few_quotes_and_empty_batches() -> None:
    quotes = noisy(random_slices(2, 5), 12, 5)
    quotes.used[:] = True
    quotes.used[0, 9:] = False
    assert fit(quotes).fitted.tolist()[0] is False
    for shape in ((0, 12), (3, 0)):
        empty = np.empty(shape)
        found = fit(SliceQuotes(empty, empty, empty, np.empty(shape, dtype=bool)))
        assert found.fitted.tolist() == [False] * shape[0]
        assert found.min_g.shape == (shape[0],)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_no_published_slice_has_a_butterfly_arbitrage_or_too_steep_a_wing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    k = np.sort(rng.uniform(-0.6, 0.6, (4, 14)), axis=1)
    w = rng.uniform(0.02, 0.2, 1) * np.exp(rng.uniform(0.0, 1.0, 1) * rng.standard_normal((4, 14)))
    found = fit(SliceQuotes(k, w, rng.uniform(0.01, 0.5, (4, 14)) * w, np.ones_like(k, dtype=bool)))
    slices = found.slices.take(found.fitted)
    assert (slices.b * (1.0 + np.abs(slices.rho)) <= 2.0 * (1 + 1e-12)).all()
    unit = np.sqrt(slices.total_variance(np.zeros((len(slices), 1))))
    grid = np.concatenate([np.linspace(-8, 8, 2001), np.linspace(-20, 20, 481)]) * unit
    assert (slices.total_variance(grid) > 0.0).all()
    assert (slices.durrleman(grid) >= -1e-6).all()


def test_wings_beyond_the_strikes_stay_sound() -> None:
    # Twelve wide quotes within 1.6 deviations leave the wings to the model: a bend far outside them would have negative
    # density and a tenth of the mass out there.
    truth = random_slices(200, 8)
    clean = quoted(truth, 12, 1.6, 0.10)
    noise = np.random.default_rng(8).uniform(-1.0, 1.0, clean.w.shape)
    found = fit(SliceQuotes(clean.k, clean.w + clean.half_spread * noise, clean.half_spread, clean.used))
    assert found.fitted.sum() > 100
    slices = found.slices.take(found.fitted)
    unit = np.sqrt(slices.total_variance(np.zeros((len(slices), 1))))
    grid = np.linspace(-20.0, 20.0, 801) * unit
    assert (slices.durrleman(grid) >= -1e-6).all()
    assert (slices.density(grid) * unit).sum(axis=1) * 0.05 == pytest.approx(np.ones(len(slices)), abs=0.02)
    assert (np.abs(slices.m) <= 2.5 * unit[:, 0]).all()
