import numpy as np
import pytest

from hydra_assets.options import mixture, svi
from hydra_assets.options.average import Average, average
from hydra_assets.options.black76 import Floats
from hydra_assets.options.bootstrap import (
    NORMAL_90,
    Uncertainty,
    between_models,
    bootstrap,
    strike_rank,
    tempered_weights,
    uncertainty,
    uniforms,
)
from hydra_assets.options.moments import COLUMN, Statistic, at_the_money, statistics
from hydra_assets.options.slices import SliceQuotes
from hydra_assets.options.ssvi import Ssvi, fit_slices, phi_cap

U64 = np.uint64


def smiles(n: int, seed: int = 4) -> Ssvi:
    rng = np.random.default_rng(seed)
    theta, rho = rng.uniform(0.01, 0.06, n), rng.uniform(-0.6, 0.6, n)
    return Ssvi(theta, rho, rng.uniform(0.1, 0.7, n) * phi_cap(theta, rho))


def chain(truth: Ssvi, strikes: int = 16, span: float = 2.0, share: float = 0.05, padding: int = 0) -> SliceQuotes:
    """Exact quotes of half-spread ``share`` of their total variance, padded with rubbish."""
    k = np.sqrt(truth.theta)[:, None] * np.linspace(-span, span, strikes)
    w = truth.total_variance(k)
    shape = (len(truth), padding)
    return SliceQuotes(
        np.hstack([k, np.full(shape, np.nan)]),
        np.hstack([w, np.full(shape, -1.0)]),
        np.hstack([share * w, np.full(shape, np.nan)]),
        np.hstack([np.ones_like(k, dtype=bool), np.zeros(shape, dtype=bool)]),
    )


def ids(n: int) -> np.ndarray:
    return np.arange(n, dtype=U64) + U64(1000)


def both(truth: Ssvi, weight: float = 0.5) -> Average:
    other = Ssvi(truth.theta * 1.2, truth.rho, truth.phi / np.sqrt(1.2))
    weights = np.tile([weight, 1.0 - weight, 0.0], (len(truth), 1))
    nothing = np.zeros(len(truth))
    return Average((truth, other, truth), weights, nothing, nothing, nothing)


def run(n: int = 6, padding: int = 0, rows: slice = slice(None)) -> Uncertainty:
    truth = smiles(n).take(rows)
    quotes = chain(truth, padding=padding)
    mixed = both(truth)
    values, _, _ = statistics(mixed, at_the_money(mixed))
    return uncertainty(mixed, values, quotes, fit_slices(quotes).slices, 7, ids(n)[rows])


def test_splitmix_is_splitmix() -> None:
    # First output of SplitMix64 seeded with zero: the finaliser of its increment, 0xE220A8397B1DCDAF.
    from hydra_assets.options.bootstrap import _GOLDEN, _mixed

    assert _mixed(np.array([_GOLDEN], dtype=U64))[0] == 0xE220A8397B1DCDAF


def test_uniforms_are_uniform_and_independent_along_every_axis() -> None:
    u = uniforms(3, ids(40)[:, None, None], np.arange(60, dtype=U64)[None, :, None], np.arange(40, dtype=U64))
    assert u.min() > 0.0
    assert u.max() < 1.0
    counts = np.histogram(u, bins=64, range=(0.0, 1.0))[0]
    expected = u.size / 64
    # Chi-square of 63 degrees: 115 is its 99.99 % quantile.
    assert float(((counts - expected) ** 2 / expected).sum()) < 115.0
    for axis in range(3):
        v = np.moveaxis(u, axis, 0)
        correlation = np.corrcoef(v[1:].ravel(), v[:-1].ravel())[0, 1]
        assert abs(correlation) < 4.0 / np.sqrt(u.size)
    assert len(np.unique(u)) == u.size
    assert not np.isin(
        u, uniforms(4, ids(40)[:, None, None], np.arange(60, dtype=U64)[None, :, None], np.arange(40, dtype=U64))
    ).any()


def test_an_address_is_the_strikes_rank_whatever_the_column() -> None:
    k = np.array([[0.2, -0.1, 9.0, 0.0]])
    used = np.array([[True, True, False, True]])
    ranks = strike_rank(SliceQuotes(k, k, k, used))
    np.testing.assert_array_equal(ranks[0, [0, 1, 3]], [2, 0, 1])


def test_a_level_has_the_variance_of_its_redrawn_quotes() -> None:
    # Flat smile, only its level free to speak of: every refit averages m mids, each uniform within +-h, variance h^2/3.
    theta = np.full(40, 0.04)
    truth = Ssvi(theta, np.zeros(40), np.full(40, 1e-3))
    quotes = chain(truth, strikes=24, span=1.0)
    variance, stood = bootstrap(quotes, fit_slices(quotes).slices, 7, ids(40))
    assert (stood == 60).all()
    se = np.sqrt(variance[:, COLUMN[Statistic.ATM_TOTAL_VOL]]).mean()
    h, s = 0.05 * 0.04, 0.2
    least = h / np.sqrt(3.0 * 24.0) / (2.0 * s)
    # A level with two shape parameters is known less well than a mean: by at most sqrt(9/4) for a parabola's centre.
    assert least * 0.95 < se < 1.6 * least


def test_wider_quotes_leave_more_open_and_no_spread_nothing() -> None:
    truth = smiles(4)
    found = []
    for share in (1e-6, 0.02, 0.08):
        quotes = chain(truth, share=share)
        found.append(bootstrap(quotes, fit_slices(quotes).slices, 7, ids(4))[0][:, COLUMN[Statistic.SD]])
    assert (np.sqrt(found[0]) < 1e-6).all()
    assert (found[2] > 4.0 * found[1]).all()


def test_models_that_disagree_widen_the_interval_by_their_weighted_variance() -> None:
    truth = smiles(3)
    mixed = both(truth, 0.3)
    values, _, _ = statistics(mixed, at_the_money(mixed))
    between, disagreement = between_models(mixed, values)
    one, two = (statistics(m, np.sqrt(m.theta))[0] for m in (mixed.models[0], mixed.models[1]))  # type: ignore[attr-defined]
    column = COLUMN[Statistic.SD]
    want = 0.3 * (one - values)[:, column] ** 2 + 0.7 * (two - values)[:, column] ** 2
    np.testing.assert_allclose(between[:, column], want, rtol=1e-6)
    np.testing.assert_allclose(disagreement, (two - one)[:, column] / values[:, column], rtol=1e-6)


def test_models_that_stand_are_weighed_by_tempered_aicc_and_wild_wings_not_at_all() -> None:
    truth = smiles(2)
    quotes = chain(truth, strikes=12)
    shifted = Ssvi(truth.theta * 1.05, truth.rho, truth.phi / np.sqrt(1.05))
    nothing = np.zeros(2)
    sure = Average((truth, shifted, shifted), np.array([[1.0, 0.0, 0.0]] * 2), nothing, nothing, nothing)
    weights = tempered_weights(sure, quotes)
    # An exact model has no deviance; one 5 % up, with half-spreads of 5 %, is off by about one half-spread a quote.
    k = quotes.k
    off = np.abs((shifted.total_variance(k) - quotes.w) / quotes.half_spread)
    deviance = (8.0 * np.where(off <= 1.0, 0.5 * off**2, off - 0.5)).sum(axis=1)
    first, second, third = 6.0 + 24.0 / 8.0, deviance + 8.0 + 40.0 / 7.0, deviance + 10.0 + 60.0 / 6.0
    want = np.stack([np.ones(2), np.exp((first - second) / 32.0), np.exp((first - third) / 32.0)], axis=1)
    np.testing.assert_allclose(weights, want / want.sum(axis=1, keepdims=True), rtol=1e-9)
    values, _, _ = statistics(sure, at_the_money(sure))
    assert (between_models(sure, values, quotes)[0][:, COLUMN[Statistic.SD]] > 0.0).all()
    assert not between_models(sure, values)[0].any()
    wild = Ssvi(np.full(2, 0.9), np.full(2, -0.99), np.full(2, 1.05))
    missing = Ssvi(np.full(2, np.nan), truth.rho, truth.phi)
    alone = Average((truth, wild, missing), sure.weights, nothing, nothing, nothing)
    np.testing.assert_array_equal(tempered_weights(alone, quotes), [[1.0, 0.0, 0.0]] * 2)


def test_one_model_alone_disagrees_with_nobody() -> None:
    mixed = both(smiles(2), 1.0)
    values, _, _ = statistics(mixed, at_the_money(mixed))
    between, disagreement = between_models(mixed, values)
    assert not between.any()
    assert not disagreement.any()


def test_interval_is_the_value_and_1_645_standard_errors() -> None:
    result = run()
    np.testing.assert_allclose(result.se**2, result.within + result.between)
    np.testing.assert_allclose(result.high - result.low, 2.0 * NORMAL_90 * result.se)
    assert pytest.approx(1.645, abs=2e-4) == NORMAL_90
    assert (result.se > 0.0).all()


def test_a_slice_does_not_depend_on_its_batch_or_its_padding() -> None:
    whole, padded = run(35), run(35, padding=5)
    for i in (0, 20, 34):
        one = run(35, rows=slice(i, i + 1))
        for name in Uncertainty.__slots__:
            np.testing.assert_array_equal(getattr(whole, name)[i], getattr(one, name)[0], err_msg=name)
            np.testing.assert_array_equal(getattr(whole, name)[i], getattr(padded, name)[i], err_msg=name)


def test_another_slice_id_or_seed_draws_other_numbers() -> None:
    truth = smiles(1)
    quotes = chain(truth)
    start = fit_slices(quotes).slices
    first = bootstrap(quotes, start, 7, ids(1))[0]
    assert (bootstrap(quotes, start, 8, ids(1))[0] != first).all()
    assert (bootstrap(quotes, start, 7, ids(2)[1:])[0] != first).all()


def test_a_slice_without_a_fit_is_nan_and_spoils_nothing() -> None:
    truth = smiles(3)
    quotes = chain(truth)
    quotes.used[1] = False
    variance, stood = bootstrap(quotes, fit_slices(quotes).slices, 7, ids(3))
    assert np.isnan(variance[1]).all()
    assert stood.tolist() == [60, 0, 60]
    alone = bootstrap(quotes.take(slice(2, 3)), fit_slices(quotes).slices.take(slice(2, 3)), 7, ids(3)[2:])[0]
    np.testing.assert_array_equal(variance[2], alone[0])


def test_the_outermost_strikes_move_sd_less_than_its_interval() -> None:
    truth = smiles(30, seed=9)
    rng = np.random.default_rng(1)
    full = chain(truth, strikes=20, span=2.2)
    noisy = SliceQuotes(
        full.k, full.w + full.half_spread * rng.uniform(-0.5, 0.5, full.k.shape), full.half_spread, full.used
    )
    inner = noisy.used.copy()
    inner[:, [0, -1]] = False
    cut = SliceQuotes(noisy.k, noisy.w, noisy.half_spread, inner)
    column = COLUMN[Statistic.SD]

    def sd_of(quotes: SliceQuotes) -> tuple[Floats, Floats]:
        base = fit_slices(quotes)
        mixed = average({"ssvi": base, "mixture": mixture.fit(quotes), "svi": svi.fit(quotes)}, quotes)
        values, _, _ = statistics(mixed, at_the_money(mixed))
        return values[:, column], uncertainty(mixed, values, quotes, base.slices, 7, ids(30)).se[:, column]

    for whole, inner_only in ((noisy, cut), (full, SliceQuotes(full.k, full.w, full.half_spread, inner))):
        (sd, _), (less, se) = sd_of(whole), sd_of(inner_only)
        assert (np.abs(sd - less) < NORMAL_90 * se).all()
