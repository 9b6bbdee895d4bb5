import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.stats.sharpe import sharpe_per_session
from hydra_assets.stats.trials import clusters, correlations, leaders_of, ledger_summary

SESSIONS = 80
EAST = np.sqrt(2.0) * np.cos(2.0 * np.pi * np.arange(SESSIONS) / SESSIONS)
NORTH = np.sqrt(2.0) * np.sin(2.0 * np.pi * np.arange(SESSIONS) / SESSIONS)


def at(cosine: float) -> np.ndarray:
    """Unit variance, mean zero, correlated exactly so with EAST."""
    return cosine * EAST + np.sqrt(1.0 - cosine**2) * NORTH


def test_chain_does_not_melt():
    # b correlates 0.96 with a, c 0.96 with b but 2 0.96^2 - 1 = 0.8432 with a: c is a trial of its own.
    rows = np.stack([EAST, at(0.96), at(0.8432)])
    assert correlations(rows)[0] == pytest.approx([1.0, 0.96, 0.8432])
    assert correlations(rows)[1, 2] == pytest.approx(0.96)
    assert clusters(rows).tolist() == [0, 0, 1]
    assert leaders_of(clusters(rows)).tolist() == [0, 2]


def test_threshold_and_sign():
    rows = np.stack([EAST, at(0.949), 5.0 * at(0.951) + 3.0, -EAST])
    assert clusters(rows).tolist() == [0, 1, 0, 2]


def test_common_sessions_only():
    random = np.random.default_rng(2)
    rows = 1e3 + random.standard_normal((3, 300))
    rows[1] += 3.0 * rows[0]
    rows[0, :60], rows[1, 200:] = np.nan, np.nan
    expected = np.corrcoef(rows[0, 60:200], rows[1, 60:200])[0, 1]
    found = correlations(rows)
    assert found[0, 1] == pytest.approx(expected, rel=1e-9)
    rows[2, 259:] = np.nan
    rows[2, :200] = np.nan  # 59 sessions left, none in common with the second
    assert np.isnan(correlations(rows)[2, [0, 1]]).all()


def test_trials_hardly_evaluated_together_count_apart():
    rows = np.stack([EAST, EAST])
    assert clusters(rows).tolist() == [0, 0]
    rows[1, :21] = np.nan
    assert clusters(rows).tolist() == [0, 1]


def test_summary_by_hand():
    # Ratios per session 0.1, (a duplicate), 0.3, and a trial that never traded: variance of two is 0.02.
    rows = np.stack([EAST + 0.1, EAST + 0.2, NORTH + 0.3, np.zeros(SESSIONS)])
    found = ledger_summary(rows)
    assert (found.trials, found.effective_trials) == (4, 2)
    assert found.sharpe_variance == pytest.approx(0.02)
    assert ledger_summary(rows[:2]).sharpe_variance is None
    nothing = ledger_summary(np.zeros((2, 80)))
    assert (nothing.trials, nothing.effective_trials, nothing.sharpe_variance) == (2, 0, None)


def test_gaps_do_not_enter_the_ratio():
    rows = np.stack([EAST + 0.1, NORTH + 0.3])
    longer = np.full((2, 200), np.nan)
    longer[0, :80], longer[1, 100:180] = rows
    assert ledger_summary(longer).sharpe_variance == pytest.approx(float(sharpe_per_session(rows).var(ddof=1)))


@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_later_trials_change_nothing(seed, kept):
    random = np.random.default_rng(seed)
    rows = random.standard_normal((3, 100))[random.integers(0, 3, 12)] + 0.3 * random.standard_normal((12, 100))
    assert clusters(rows[:kept]).tolist() == clusters(rows)[:kept].tolist()
