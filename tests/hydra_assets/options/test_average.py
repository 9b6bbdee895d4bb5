from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from hydra_assets.options.average import MODELS, Average, aicc, akaike_weights, average, tail_weight
from hydra_assets.options.black76 import Floats
from hydra_assets.options.implied_vol import solve_normalised
from hydra_assets.options.slices import Fit, Index, SliceQuotes
from hydra_assets.options.ssvi import Ssvi, phi_cap


@dataclass(frozen=True)
class Bumps:
    """Mixture of two lognormals with mean one, ``[n]`` parameters."""

    weight: Floats
    forward: Floats
    s1: Floats
    s2: Floats

    def __len__(self) -> int:
        return len(self.weight)

    def take(self, index: Index) -> "Bumps":
        return Bumps(self.weight[index], self.forward[index], self.s1[index], self.s2[index])

    def _parts(self, k: Floats) -> list[tuple[Floats, Floats, Floats, Floats]]:
        second = (1.0 - self.weight * self.forward) / (1.0 - self.weight)
        parts = ((self.weight, self.forward, self.s1), (1.0 - self.weight, second, self.s2))
        return [(a[:, None], f[:, None], s[:, None], (k - np.log(f)[:, None]) / s[:, None]) for a, f, s in parts]

    def density(self, k: Floats) -> Floats:
        return sum(
            (a * np.exp(-0.5 * (d + 0.5 * s) ** 2) / (s * np.sqrt(2.0 * np.pi)) for a, _, s, d in self._parts(k)),
            np.zeros_like(k),
        )

    def distribution(self, k: Floats) -> Floats:
        return sum((a * ndtr(d + 0.5 * s) for a, _, s, d in self._parts(k)), np.zeros_like(k))

    def call(self, k: Floats) -> Floats:
        return sum(
            (a * (f * ndtr(0.5 * s - d) - np.exp(k) * ndtr(-d - 0.5 * s)) for a, f, s, d in self._parts(k)),
            np.zeros_like(k),
        )

    def total_variance(self, k: Floats) -> Floats:
        side = np.where(k >= 0.0, 1.0, -1.0)
        price = sum(
            (
                a * side * (f * ndtr(side * (0.5 * s - d)) - np.exp(k) * ndtr(side * (-d - 0.5 * s)))
                for a, f, s, d in self._parts(k)
            ),
            np.zeros_like(k),
        )
        return solve_normalised(-np.abs(k).ravel(), (price * np.exp(-0.5 * k)).ravel()).reshape(k.shape) ** 2


def constant(value: float, n: int = 1) -> Floats:
    return np.full(n, value)


SMILE = Ssvi(constant(0.04), constant(-0.4), constant(3.0))
BUMPS = Bumps(constant(0.3), constant(0.9), constant(0.08), constant(0.15))
NONE = Ssvi(constant(np.nan), constant(np.nan), constant(np.nan))


def mixed(*weights: float) -> Average:
    nothing = np.zeros(1)
    return Average((SMILE, BUMPS, NONE), np.array([weights]), nothing, nothing, nothing)


# SSVI (0.04, -0.4, 3) and 0.6 of it with 0.4 of a mixture of lognormals 0.3 (0.9 F, s 0.08) and 0.7 (s 0.15, mean F):
# density of ln(S_T/F) as (C'' - C') e^-k by central differences of step 1e-15 of the call price, and the call price,
# both with mpmath at 60 digits.
AT_60_DIGITS = [
    (-0.7, 0.0563364790123790957, 0.0338071221681616342, 0.503832882158797358),
    (-0.25, 0.766483423403863847, 0.714537159107342094, 0.23085459524232506),
    (-0.05, 1.87768979131381489, 2.22870477061609893, 0.0979706705874772407),
    (0.0, 2.10594441107884098, 2.2311143133321177, 0.0719550711044864962),
    (0.04, 2.18074847022075994, 2.1584183587512133, 0.0542696169791264049),
    (0.2, 1.25313430039170638, 1.14614705177525972, 0.0121649675765197829),
    (0.6, 0.00964595119707954866, 0.00634248188584686852, 0.0000550580498142564065),
]


@pytest.mark.parametrize(("k", "alone", "both", "call"), AT_60_DIGITS)
def test_density_and_price_to_sixty_digits(k: float, alone: float, both: float, call: float) -> None:
    at, peak = np.array([[k]]), 2.2
    assert abs(mixed(1.0, 0.0, 0.0).density(at)[0, 0] - alone) <= 1e-14 * peak
    assert abs(mixed(0.6, 0.4, 0.0).density(at)[0, 0] - both) <= 1e-14 * peak
    assert mixed(0.6, 0.4, 0.0).call(at)[0, 0] == pytest.approx(call, abs=2e-16)


def test_total_variance_is_implied_by_the_average_price_far_into_the_tails() -> None:
    k = np.array([[-1.5, -0.6, -0.2, 0.0, 0.3, 0.9]])
    both = mixed(0.6, 0.4, 0.0)
    s = np.sqrt(both.total_variance(k))
    d1 = -k / s + 0.5 * s
    side = np.where(k >= 0.0, 1.0, -1.0)
    black = side * (ndtr(side * d1) - np.exp(k) * ndtr(side * (d1 - s)))
    put = np.where(k < 0.0, both.call(k) + np.expm1(k), both.call(k))
    np.testing.assert_allclose(black[:, 1:], put[:, 1:], rtol=1e-9)
    # Where the put by parity has lost its digits the leg itself still orders the variances between the models'.
    one, two = SMILE.total_variance(k), BUMPS.total_variance(k)
    assert (s[0, 0] ** 2 >= min(one[0, 0], two[0, 0])) & (s[0, 0] ** 2 <= max(one[0, 0], two[0, 0]))
    np.testing.assert_array_equal(mixed(1.0, 0.0, 0.0).total_variance(k), one)


def test_a_model_of_no_weight_is_not_looked_at_and_none_at_all_is_nan() -> None:
    k = np.array([[-0.1, 0.2]])
    np.testing.assert_array_equal(mixed(0.0, 1.0, 0.0).density(k), BUMPS.density(k))
    nothing = mixed(0.0, 0.0, 0.0)
    assert not nothing.standing[0]
    for function in (nothing.density, nothing.distribution, nothing.call, nothing.total_variance):
        assert np.isnan(function(k)).all()


def test_aicc_of_two_quotes_by_hand() -> None:
    # |r| = 0.5 costs 8 * 0.125 = 1, 3 costs 8 * 2.5 = 20, 9 is cut at 4 and costs 8 * 3.5 = 28; 5 quotes, 1 parameter.
    residual = np.array([[0.5, -3.0, 9.0, 0.0, 0.0, 7.0]])
    used = np.array([[True, True, True, True, True, False]])
    assert aicc(residual, used, 1)[0] == pytest.approx(49.0 + 2.0 + 4.0 / 3.0)
    assert aicc(residual, used, 4)[0] == np.inf


def test_weights_follow_the_scores() -> None:
    weights = akaike_weights(np.array([[10.0, 12.0, np.inf], [np.inf] * 3, [0.0, 100.0, 2.0]]))
    np.testing.assert_allclose(weights[0], [1.0 / (1.0 + np.exp(-1.0)), 1.0 / (1.0 + np.e), 0.0])
    assert not weights[1].any()
    np.testing.assert_allclose(weights[2], [1.0 / (1.0 + np.exp(-1.0)), 0.0, 1.0 / (1.0 + np.e)])


def quotes_of(n: int, m: int, count: int) -> SliceQuotes:
    k = np.tile(np.linspace(-0.3, 0.3, m), (n, 1))
    return SliceQuotes(k, np.full((n, m), 0.04), np.full((n, m), 0.002), np.tile(np.arange(m) < count, (n, 1)))


def fit_of(slices: object, residual: float, quotes: SliceQuotes, fitted: bool = True) -> Fit[object]:
    return Fit(slices, np.where(quotes.used, residual, 0.0), np.full(len(quotes), fitted))  # type: ignore[arg-type,type-var]


def test_the_average_and_its_quality() -> None:
    quotes = quotes_of(1, 14, 12)
    fits = {
        "mixture": fit_of(BUMPS, 0.2, quotes),
        "ssvi": fit_of(SMILE, -0.4, quotes),
        "svi": fit_of(NONE, 0.0, quotes, False),
    }
    result = average(fits, quotes)
    # Deviance 8 * 12 * r^2/2, parameters 3 and 4, corrections 2*3*4/8 and 2*4*5/7.
    first, second = 48.0 * 0.16 + 6.0 + 3.0, 48.0 * 0.04 + 8.0 + 40.0 / 7.0
    share = 1.0 / (1.0 + np.exp(0.5 * (first - second)))
    np.testing.assert_allclose(result.weights[0], [share, 1.0 - share, 0.0])
    off = abs(-0.4 * share + 0.2 * (1.0 - share))
    assert result.rmse[0] == pytest.approx(off)
    assert result.largest_residual[0] == pytest.approx(off)
    assert result.down_weighted[0] == 0.0


def test_stale_quotes_are_counted_over_the_quotes_used() -> None:
    quotes = quotes_of(1, 20, 10)
    residual = np.where(quotes.used, 0.1, 0.0)
    residual[0, :3] = [5.0, -7.0, 1.2]
    result = average({"ssvi": Fit(SMILE, residual, np.array([True]))}, quotes)
    assert result.down_weighted[0] == pytest.approx(0.3)
    assert result.largest_residual[0] == 7.0


def test_a_slice_of_four_quotes_falls_back_on_the_plainest_fit_and_of_none_on_nothing() -> None:
    quotes = quotes_of(1, 6, 4)
    plain = average({"ssvi": fit_of(SMILE, 0.1, quotes), "mixture": fit_of(BUMPS, 0.0, quotes)}, quotes)
    np.testing.assert_array_equal(plain.weights, [[1.0, 0.0, 0.0]])
    empty = quotes_of(1, 6, 0)
    nothing = average({"ssvi": fit_of(NONE, 0.0, empty, False)}, empty)
    np.testing.assert_array_equal(nothing.weights, [[0.0, 0.0, 0.0]])
    assert np.isnan([nothing.rmse[0], nothing.largest_residual[0], nothing.down_weighted[0]]).all()
    with pytest.raises(KeyError, match="spline"):
        average({"spline": fit_of(SMILE, 0.0, quotes)}, quotes)
    assert MODELS == ("ssvi", "mixture", "svi")


def test_a_wing_that_no_quote_can_reach_is_left_out() -> None:
    # Mean-one mixture with 1e-3 of a component of eight times the volatility: 1e-3 * 2 N(-2.5) beyond 20 of 0.1.
    quotes = quotes_of(1, 14, 12)
    wild = Bumps(constant(1e-3), constant(1.0), constant(0.8), constant(0.1))
    tame = Bumps(constant(1e-3), constant(1.0), constant(0.2), constant(0.1))
    assert tail_weight(wild)[0] == pytest.approx(1e-3 * ndtr(-2.5 + 0.4), rel=0.05)
    assert tail_weight(tame)[0] < 1e-15
    for smiles, stays in ((wild, False), (tame, True)):
        fits = {"ssvi": fit_of(SMILE, 0.5, quotes), "mixture": fit_of(smiles, 0.0, quotes)}
        assert (average(fits, quotes).weights[0, 1] > 0.0) == stays
    # SSVI is never left out, however heavy its tail.
    steep = Ssvi(constant(0.9), constant(-0.99), constant(1.05))
    assert tail_weight(steep)[0] > 1e-5
    assert average({"ssvi": fit_of(steep, 0.0, quotes)}, quotes).weights[0, 0] == 1.0


def batch(n: int, seed: int = 5) -> Average:
    rng = np.random.default_rng(seed)
    theta, rho = rng.uniform(0.01, 0.08, n), rng.uniform(-0.7, 0.7, n)
    smile = Ssvi(theta, rho, rng.uniform(0.1, 0.9, n) * phi_cap(theta, rho))
    bumps = Bumps(
        rng.uniform(0.2, 0.8, n), rng.uniform(0.9, 1.05, n), rng.uniform(0.06, 0.2, n), rng.uniform(0.1, 0.3, n)
    )
    weights = np.stack([share := rng.uniform(0.0, 1.0, n), 1.0 - share, np.zeros(n)], axis=1)
    weights[::4] = [1.0, 0.0, 0.0]
    return Average((smile, bumps, smile), weights, share, share, share)


def test_a_slice_does_not_depend_on_its_batch() -> None:
    whole = batch(33)
    k = np.tile(np.linspace(-0.8, 0.8, 31), (33, 1))
    for i in (0, 1, 18, 32):
        one, at = whole.take(slice(i, i + 1)), k[i : i + 1]
        for name in ("density", "distribution", "call", "total_variance"):
            np.testing.assert_array_equal(getattr(whole, name)(k)[i], getattr(one, name)(at)[0], err_msg=name)


@settings(max_examples=30, deadline=None)
@given(rho=st.floats(-0.9, 0.9), share=st.floats(0.02, 0.98), weight=st.floats(0.0, 1.0), first=st.floats(0.85, 1.1))
def test_prices_fall_and_are_convex_in_strike(rho: float, share: float, weight: float, first: float) -> None:
    theta = constant(0.03)
    smile = Ssvi(theta, constant(rho), share * phi_cap(theta, constant(rho)))
    bumps = Bumps(constant(0.4), constant(first), constant(0.06), constant(0.2))
    nothing = np.zeros(1)
    both = Average((smile, bumps, NONE), np.array([[weight, 1.0 - weight, 0.0]]), nothing, nothing, nothing)
    k = np.linspace(-1.2, 1.2, 401)[None]
    call, strike = both.call(k)[0], np.exp(k[0])
    slope = np.diff(call) / np.diff(strike)
    assert (slope <= 1e-13).all()
    assert (slope >= -1.0 - 1e-12).all()
    assert (np.diff(slope) >= -1e-12).all()
    assert (both.density(k) >= 0.0).all()
    assert (np.diff(both.distribution(k)[0]) >= 0.0).all()


def test_weights_and_quality_do_not_depend_on_batch_or_padding() -> None:
    rng = np.random.default_rng(8)
    n, m = 21, 13
    quotes = quotes_of(n, m, 11)
    models = batch(n).models
    residual = {name: np.where(quotes.used, rng.normal(0.0, 0.5, (n, m)), 0.0) for name in ("ssvi", "mixture")}

    def averaged(rows: slice, padding: int) -> Average:
        def wide(values: Floats) -> Floats:
            return np.pad(values[rows], ((0, 0), (0, padding)))

        part = SliceQuotes(*(wide(values) for values in (quotes.k, quotes.w, quotes.half_spread, quotes.used)))
        fits = {
            name: Fit(model.take(rows), wide(residual[name]), np.ones(len(part), dtype=bool))
            for name, model in zip(residual, models, strict=False)
        }
        return average(fits, part)

    whole = averaged(slice(None), 0)
    assert ((whole.weights > 0.0).sum(axis=1) == 2).any()
    for i in (0, 9, 20):
        for other, at in ((averaged(slice(i, i + 1), 0), 0), (averaged(slice(None), 6), i)):
            for name in ("weights", "rmse", "largest_residual", "down_weighted"):
                np.testing.assert_array_equal(getattr(whole, name)[i], getattr(other, name)[at], err_msg=name)
