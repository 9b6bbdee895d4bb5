"""SSVI on the shared interface: warm starts, thin slices, bad input, one slice's independence of all others."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.options.slices import SliceQuotes
from hydra_assets.options.ssvi import Ssvi, atm_only, fit_slices, fit_with_prior, phi_cap, raw_of, slices_of


def random_slices(n: int, seed: int) -> Ssvi:
    rng = np.random.default_rng(seed)
    theta, rho = np.exp(rng.uniform(np.log(0.002), np.log(0.2), n)), rng.uniform(-0.8, 0.8, n)
    return Ssvi(theta, rho, phi_cap(theta, rho) * rng.uniform(0.1, 0.9, n))


def noisy(truth: Ssvi, m: int, seed: int, share: float = 0.04) -> SliceQuotes:
    rng = np.random.default_rng(seed)
    k = np.linspace(-2.0, 2.0, m) * np.sqrt(truth.theta)[:, None]
    w = truth.total_variance(k)
    stale = rng.uniform(size=w.shape) < 0.06
    mid = w * (1.0 + share * rng.uniform(-1.0, 1.0, w.shape)) * np.where(stale, 1.4, 1.0)
    return SliceQuotes(k, mid, share * w, rng.uniform(size=w.shape) < 0.9)


def same(left: Ssvi, right: Ssvi) -> bool:
    return all(
        np.array_equal(getattr(left, name), getattr(right, name), equal_nan=True) for name in ("theta", "rho", "phi")
    )


def test_density_integrates_to_one_and_is_the_slope_of_its_distribution() -> None:
    truth = Ssvi(np.array([0.04, 0.01]), np.array([-0.5, 0.3]), np.array([2.0, 5.0]))
    k = np.linspace(-20.0, 20.0, 4001) * np.sqrt(truth.theta)[:, None]
    step = (k[:, 1] - k[:, 0])[:, None]
    p = truth.density(k)
    # At rho -0.5 and phi at 0.24 of its cap, 2e-6 of the mass lies past 20 standard deviations.
    assert (p * step).sum(axis=1) == pytest.approx(np.ones(2), abs=1e-5)
    slope = (truth.distribution(k + 1e-5) - truth.distribution(k - 1e-5)) / 2e-5
    assert p == pytest.approx(slope, abs=1e-6 * p.max())
    # d call / dK = -(1 - distribution), both per unit of the forward.
    near = np.linspace(-0.3, 0.3, 21) * np.ones((2, 1))
    by_strike = (truth.call(near + 1e-5) - truth.call(near - 1e-5)) / (2e-5 * np.exp(near))
    assert -by_strike == pytest.approx(1.0 - truth.distribution(near), abs=1e-7)


def test_raw_parameters_go_there_and_back() -> None:
    truth = random_slices(100, 0)
    back = slices_of(raw_of(truth))
    assert back.phi == pytest.approx(truth.phi, rel=1e-12)
    assert np.isnan(raw_of(Ssvi(*(np.array([np.nan]) for _ in range(3))))).all()


def test_a_warm_start_ends_where_the_cold_fit_ends() -> None:
    quotes = noisy(random_slices(300, 1), 21, 1)
    cold = fit_slices(quotes)
    warm = fit_slices(quotes, cold.slices)
    # Both stop short of the optimum by their tolerance, a thousandth of a standard error here.
    assert np.quantile(np.abs(warm.slices.theta / cold.slices.theta - 1.0), 0.99) < 1e-4
    assert np.quantile(np.abs(warm.slices.rho - cold.slices.rho), 0.99) < 1e-3
    assert warm.fitted.all()


def test_too_few_quotes_or_no_start_is_not_fitted_and_touches_nobody() -> None:
    quotes = noisy(random_slices(6, 2), 9, 2)
    quotes.used[:] = True
    alone = fit_slices(quotes.take(slice(3, 6)))
    quotes.used[0, 4:] = False
    quotes.k[1, :6] = np.nan
    quotes.w[2, :6] = -1.0
    found = fit_slices(quotes)
    assert found.fitted.tolist() == [False, False, False, True, True, True]
    assert np.isnan(found.slices.theta[:3]).all()
    assert (found.residual[:3] == 0.0).all()
    assert same(found.slices.take(slice(3, 6)), alone.slices)
    again = fit_slices(quotes, found.slices)
    assert again.fitted.tolist() == found.fitted.tolist()


def test_an_empty_batch_and_a_batch_without_strikes() -> None:
    for shape in ((0, 5), (3, 0)):
        empty = np.empty(shape)
        quotes = SliceQuotes(empty, empty, empty, np.empty(shape, dtype=bool))
        assert fit_slices(quotes).fitted.tolist() == [False] * shape[0]
        assert atm_only(quotes).fitted.tolist() == [False] * shape[0]


@pytest.mark.parametrize("method", ["cold", "warm", "prior", "atm"])
def test_a_slice_does_not_depend_on_its_batch_padding_or_place(method: str) -> None:
    truth = random_slices(300, 3)
    quotes = noisy(truth, 13, 3)
    start = random_slices(300, 4)

    def run(batch: SliceQuotes, near: Ssvi) -> Ssvi:
        if method == "prior":
            return fit_with_prior(batch, near, np.full(len(batch), 2.0)).slices
        if method == "atm":
            return atm_only(batch, near).slices
        return fit_slices(batch, near if method == "warm" else None).slices

    together = run(quotes, start)
    wide = SliceQuotes(
        *(np.concatenate([a, np.full((300, 6), np.nan)], axis=1) for a in (quotes.k, quotes.w, quotes.half_spread)),
        np.concatenate([quotes.used, np.zeros((300, 6), dtype=bool)], axis=1),
    )
    assert same(run(wide, start), together)
    assert same(
        run(quotes.take(slice(None, None, -1)), start.take(slice(None, None, -1))).take(slice(None, None, -1)), together
    )
    for i in (0, 7, 255, 256, 299):
        rows = slice(i, i + 1)
        assert same(run(quotes.take(rows), start.take(rows)), together.take(rows))


def test_a_prior_gives_the_shape_that_two_quotes_cannot() -> None:
    truth = random_slices(50, 5)
    k = np.array([-0.3, 0.3]) * np.sqrt(truth.theta)[:, None]
    # Today's level is 30 % up on yesterday's; the shape (rho, phi sqrt(theta)) is unchanged.
    today = Ssvi(1.3 * truth.theta, truth.rho, truth.phi / np.sqrt(1.3))
    w = today.total_variance(k)
    found = fit_with_prior(SliceQuotes(k, w, 0.05 * w, np.ones_like(k, dtype=bool)), truth, np.full(50, 1.0))
    assert found.slices.theta == pytest.approx(today.theta, rel=1e-6)
    assert found.slices.rho == pytest.approx(truth.rho, abs=1e-6)


def test_strength_moves_a_thin_fit_from_its_quotes_to_its_prior() -> None:
    truth, prior = random_slices(50, 6), random_slices(50, 7)
    k = np.linspace(-1.2, 1.2, 6) * np.sqrt(truth.theta)[:, None]
    quotes = SliceQuotes(k, truth.total_variance(k), 0.02 * truth.total_variance(k), np.ones_like(k, dtype=bool))
    weak = fit_with_prior(quotes, prior, np.full(50, 1e-12)).slices
    strong = fit_with_prior(quotes, prior, np.full(50, 1e9)).slices
    assert np.quantile(np.abs(weak.rho - truth.rho), 0.9) < 1e-3
    assert strong.rho == pytest.approx(prior.rho, abs=1e-3)
    assert (fit_with_prior(quotes, prior, np.zeros(50)).slices.phi <= phi_cap(weak.theta, weak.rho) * 2.0).all()


def test_level_at_the_money_from_near_quotes_only() -> None:
    k = np.array([[-0.05, 0.0, 0.04, 0.5]])
    w = np.array([[0.04, 0.05, 0.04, 9.0]])
    half_spread = np.array([[0.001, 0.002, 0.001, 0.001]])
    quotes = SliceQuotes(k, w, half_spread, np.ones_like(k, dtype=bool))
    # Weights 1/half_spread^2: (0.04 * 4 + 0.05 + 0.04 * 4) / 9.
    flat = atm_only(quotes)
    assert flat.slices.theta == pytest.approx([0.37 / 9.0], rel=1e-7)
    assert flat.slices.phi[0] * np.sqrt(flat.slices.theta[0]) < 1e-8
    prior = Ssvi(np.array([0.09]), np.array([-0.4]), np.array([2.0]))
    shaped = atm_only(quotes, prior).slices
    assert shaped.rho[0] == -0.4
    assert shaped.phi[0] * np.sqrt(shaped.theta[0]) == pytest.approx(0.6, rel=1e-12)
    far = SliceQuotes(k[:, 3:], w[:, 3:] / 1000.0, half_spread[:, 3:], np.ones((1, 1), dtype=bool))
    assert not atm_only(far).fitted[0]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_no_fit_of_any_kind_has_a_butterfly_arbitrage(seed: int) -> None:
    rng = np.random.default_rng(seed)
    k = np.sort(rng.uniform(-0.6, 0.6, (4, 7)), axis=1)
    w = rng.uniform(0.001, 0.2, (4, 7))
    quotes = SliceQuotes(k, w, rng.uniform(0.01, 0.5, (4, 7)) * w, rng.uniform(size=(4, 7)) < 0.9)
    prior = random_slices(4, seed)
    strength = 10.0 ** rng.uniform(-3, 3, 4)
    for found in (fit_slices(quotes), fit_with_prior(quotes, prior, strength), atm_only(quotes, prior)):
        slices = found.slices.take(found.fitted)
        assert (slices.phi <= phi_cap(slices.theta, slices.rho) * (1 + 1e-12)).all()
        g = slices.durrleman(np.linspace(-8, 8, 2001) * np.sqrt(slices.theta)[:, None])
        assert (g > -1e-6).all()
