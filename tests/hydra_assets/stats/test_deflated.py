import numpy as np
import pytest

from hydra_assets.stats.deflated import deflated_probability, deflated_sharpe, expected_maximum
from hydra_assets.stats.returns import ReturnsError
from hydra_assets.stats.sharpe import sharpe
from hydra_assets.stats.trials import LedgerSummary

# Bailey and Lopez de Prado (2014), the numerical example: 250 sessions a year, annual Sharpe ratio 2.5 over 1,250
# sessions, variance of the trials' annual ratios 1/2, third and fourth moments -3 and 10.
RATIO, VARIANCE = 2.5 / np.sqrt(250.0), 0.5 / 250.0


def test_published_hurdle():
    assert expected_maximum(VARIANCE, 100) == pytest.approx(0.1132, abs=5e-5)


@pytest.mark.parametrize(
    ("trials", "skewness", "kurtosis", "published"), [(100, -3, 10, 0.9004), (46, -3, 10, 0.9505), (88, 0, 3, 0.9505)]
)
def test_published_probabilities(trials, skewness, kurtosis, published):
    hurdle = expected_maximum(VARIANCE, trials)
    assert deflated_probability(RATIO, 1250, skewness, kurtosis, hurdle) == pytest.approx(published, abs=5e-5)


def test_two_trials_by_hand():
    # Phi^-1(1/2) = 0 and 1 - 1/(2e) = 0.81606 is Phi(0.90043): 0.57722 0.90043 = 0.51974
    assert expected_maximum(1.0, 2) == pytest.approx(0.51974, abs=2e-5)
    assert expected_maximum(4.0, 2) == pytest.approx(2 * 0.51974, abs=4e-5)


def test_approximation_of_the_maximum():
    # The formula is the paper's approximation: within 3 % of the mean of the best of 30 standard normals.
    best = np.random.default_rng(1).standard_normal((20_000, 30)).max(axis=1)
    assert expected_maximum(1.0, 30) == pytest.approx(best.mean(), rel=0.03)


def test_one_trial_has_no_hurdle():
    assert expected_maximum(None, 1) == 0.0
    for trials, variance in ((0, 1.0), (2, None), (2, np.nan), (2, -1.0)):
        with pytest.raises(ValueError, match="trials"):
            expected_maximum(variance, trials)


def test_of_returns():
    returns = np.random.default_rng(4).standard_normal(1000) * 0.01 + 0.001
    ledger = LedgerSummary(50, 40, 0.001)
    found, own = deflated_sharpe(returns, ledger, 0), sharpe(returns, 0)
    hurdle = expected_maximum(0.001, 40)
    paper = deflated_probability(own.ratio / np.sqrt(252.0), 1000, own.skewness, own.kurtosis, hurdle)
    assert found.probability == pytest.approx(paper, abs=1e-12)
    assert (found.expected_maximum, found.effective_trials) == (hurdle, 40)


def test_overlap_lowers_it_and_never_raises_it():
    shocks = np.random.default_rng(6).standard_normal(2004) + 0.02
    held = np.convolve(shocks, np.ones(5), "valid")
    none = LedgerSummary(1, 1, None)
    assert deflated_sharpe(held, none, 10).probability < deflated_sharpe(held, none, 0).probability - 0.01
    swinging = np.diff(shocks) + 0.05
    assert deflated_sharpe(swinging, none, 5).probability == deflated_sharpe(swinging, none, 0).probability


def test_more_trials_lower_it():
    returns = np.random.default_rng(9).standard_normal(1000) + 0.1
    found = [deflated_sharpe(returns, LedgerSummary(n, n, 0.001)).probability for n in (1, 2, 10, 100, 1000)]
    assert found == sorted(found, reverse=True)
    assert found[0] > found[-1] + 0.1


def test_bad_returns():
    with pytest.raises(ReturnsError):
        deflated_sharpe(np.zeros(100), LedgerSummary(1, 1, None))
