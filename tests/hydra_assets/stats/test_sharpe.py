import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.stats.returns import ReturnsError, ReturnsReason
from hydra_assets.stats.sharpe import mertens_se, power, sharpe, sharpe_gain, sharpe_influence

FOUR = np.array([0.01, 0.03, -0.01, 0.01])
YEAR = np.sqrt(252.0)


def test_four_returns_by_hand():
    # mean 0.01; deviations 0, 0.02, -0.02, 0: variance 8e-4/4, sd 0.01 sqrt(2); ratio 1/sqrt(2)
    # z = 0, sqrt(2), -sqrt(2), 0: third moment 0, fourth (4 + 4)/4 = 2
    # Lo (1 + 1/4)/4; Mertens (1 + (2 - 1)/2/4)/4 = 1.125/4
    # psi = z - (z^2 - 1)/(2 sqrt 2), in units of 1/(2 sqrt 2): 1, 3, -5, 1
    #   gamma_0 = (1 + 9 + 25 + 1)/8/4 = 1.125, gamma_1 = (3 - 15 - 5)/8/4 = -17/32
    #   lag 1: 1.125 - 17/32 = 19/32
    found = sharpe(FOUR, horizon_sessions=1, minimum=4)
    assert found.ratio == pytest.approx(YEAR / np.sqrt(2.0))
    assert (found.skewness, found.kurtosis) == pytest.approx((0.0, 2.0), abs=1e-12)
    assert found.se_lo == pytest.approx(YEAR * np.sqrt(1.25 / 4.0))
    assert found.se_mertens == pytest.approx(YEAR * np.sqrt(1.125 / 4.0))
    assert found.se_hac == pytest.approx(YEAR * np.sqrt(19.0 / 32.0 / 4.0))
    assert found.se == found.se_mertens
    assert (found.lag, found.sessions) == (1, 4)


def test_hac_without_lag_is_mertens():
    returns = np.random.default_rng(3).gamma(2.0, 0.01, 400) - 0.015
    found = sharpe(returns, horizon_sessions=0)
    assert found.se_hac == pytest.approx(found.se_mertens, rel=1e-12)
    assert sharpe_influence(returns).mean() == pytest.approx(0.0, abs=1e-12)


def test_published_error():
    # Lo (2002), table 1: a monthly Sharpe ratio of 0.5 over 60 observations has standard error 0.137.
    assert mertens_se(0.5, 60, 0.0, 3.0) == pytest.approx(0.137, abs=5e-4)


def test_overlap_widens_the_error():
    # Sums of five independent shocks: the variance of the mean is five times what independence would make of it.
    shocks = np.random.default_rng(5).standard_normal(5004)
    held = np.convolve(shocks, np.ones(5), "valid") / np.sqrt(5.0)
    found = sharpe(held, horizon_sessions=25)
    assert 1.9 < found.se_hac / found.se_mertens < 2.4
    assert found.se == found.se_hac


def test_band():
    found = sharpe(FOUR, minimum=4)
    low, high = found.band(0.90)
    assert high - found.ratio == pytest.approx(1.6448536 * found.se)
    assert found.ratio - low == pytest.approx(1.6448536 * found.se)


def test_bad_returns():
    for series, reason in ((np.zeros(50), ReturnsReason.CONSTANT_RETURNS), (FOUR, ReturnsReason.TOO_FEW_SESSIONS)):
        with pytest.raises(ReturnsError) as error:
            sharpe(series)
        assert error.value.reason is reason
    with pytest.raises(ReturnsError):
        sharpe(np.sin(np.arange(25.0)), horizon_sessions=25)


@given(st.floats(0.01, 100.0), st.integers(0, 2**32 - 1))
def test_size_does_not_matter(size, seed):
    returns = np.random.default_rng(seed).standard_normal(60) + 0.1
    plain, scaled = sharpe(returns, 3), sharpe(size * returns, 3)
    assert scaled.ratio == pytest.approx(plain.ratio)
    assert scaled.se_hac == pytest.approx(plain.se_hac)


def test_gain_is_paired():
    random = np.random.default_rng(8)
    champion = random.standard_normal(1000)
    candidate = 3.0 * (champion + 0.1 * random.standard_normal(1000) + 0.02)
    gain, error = sharpe_gain(candidate, champion)
    assert gain == pytest.approx(sharpe(candidate).ratio - sharpe(champion).ratio)
    # Correlated 0.995: the error is a small part of what two independent ratios would have.
    assert error < 0.2 * sharpe(candidate).se
    assert sharpe_gain(champion, champion) == (0.0, 0.0)
    assert sharpe_gain(candidate, None)[0] == pytest.approx(sharpe(candidate).ratio)
    with pytest.raises(ValueError, match="against"):
        sharpe_gain(candidate, champion[:-1])


def test_power_of_known_cases():
    # 0.5 sqrt(5)/sqrt(0.2) - 1.645 = 0.855, Phi = 0.804; with 1.25 years 1.25 - 1.645 = -0.395, Phi = 0.3465
    assert power(0.5, 1260, 0.9) == pytest.approx(0.8037, abs=1e-3)
    assert power(0.5, 315, 0.9) == pytest.approx(0.3465, abs=1e-3)
    # Against cash: 0.5 sqrt(5) - 1.645 = -0.527, Phi = 0.299
    assert power(0.5, 1260, None) == pytest.approx(0.299, abs=1e-3)
    assert power(0.0, 1260, 0.9) == pytest.approx(0.05)
    assert (power(0.5, 1260, 1.0), power(0.0, 1260, 1.0)) == (1.0, 0.05)
    with pytest.raises(ValueError, match="correlation"):
        power(0.5, 1260, 1.5)


def test_power_is_what_a_simulation_sees():
    # 400 paired t-tests at a true gain of 1 and correlation 0.5 over a year: Phi(1 - 1.645) = 0.2595 +- 3 se.
    random = np.random.default_rng(11)
    common = random.standard_normal((400, 252))
    first, second = (np.sqrt(0.5) * (common + random.standard_normal((400, 252))) for _ in range(2))
    gap = first + 1.0 / YEAR - second
    seen = (gap.mean(axis=1) / gap.std(axis=1) * YEAR > 1.6448536).mean()
    assert abs(seen - power(1.0, 252, 0.5)) < 3.0 * np.sqrt(0.26 * 0.74 / 400)
