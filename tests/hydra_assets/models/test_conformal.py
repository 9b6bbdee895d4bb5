"""Venn–Abers pairs against isotonic regression itself; the exact guarantee and the band's coverage by simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression
from scipy.special import expit, logit
from scipy.stats import beta

from hydra_assets.models.artefact import sha256
from hydra_assets.models.calibration import OutOfFold, grouped
from hydra_assets.models.conformal import VennAbers, rounded, venn_abers
from hydra_assets.models.protocol import Floats, ModelError, ModelReason

DAY = np.datetime64("2020-01-01")


def rows(p: Floats, y: Floats, overlap: float = 1.0) -> OutOfFold:
    decided = np.full(len(p), DAY)
    return OutOfFold(p, y, np.ones(len(p)), decided, decided - 1, overlap)


def by_isotonic(p: Floats, y: Floats, new: float, label: float, weight: float = 1.0) -> float:
    """The pair's definition: isotonic regression with the new row in it, read at the new row."""
    s = rounded(np.append(p, new))
    w = np.append(np.full(len(p), weight), 1.0)
    x, mean, total = grouped(s, np.append(y, label), w)
    return float(isotonic_regression(mean, weights=total).x[np.searchsorted(x, s[-1])])


@settings(max_examples=40, deadline=None)
@given(st.integers(50, 90), st.integers(0, 10_000), st.sampled_from([0.01, 0.05, 0.5]), st.sampled_from([1.0, 1.5]))
def test_the_pair_is_isotonic_regression_with_one_more_row(n: int, seed: int, spread: float, overlap: float) -> None:
    rng = np.random.default_rng(seed)
    n = int(n * overlap)
    p = np.clip(rng.normal(0.5, spread, n), 0.0, 1.0)
    y = (rng.random(n) < p).astype(np.float64)
    fitted = venn_abers(rows(p, y, overlap))
    new = np.concatenate([p[:5], rng.random(5), [0.0, 1.0]])
    found = fitted.interval(new)
    for i, value in enumerate(new):
        assert found.p0[i] == pytest.approx(by_isotonic(p, y, value, 0.0, 1.0 / overlap), abs=1e-12)
        assert found.p1[i] == pytest.approx(by_isotonic(p, y, value, 1.0, 1.0 / overlap), abs=1e-12)


def test_by_hand() -> None:
    # Fifty zeros at 0.4, fifty ones at 0.6. A new row between: with label 0 it is 0 and with label 1 it is 1.
    p = np.repeat([0.4, 0.6], 50)
    y = np.repeat([0.0, 1.0], 50)
    found = venn_abers(rows(p, y)).interval(np.array([0.5, 0.4, 0.6]))
    # At 0.4 a one makes 1 of 51; at 0.6 a zero leaves 50 of 51.
    assert np.allclose(found.p0, [0.0, 0.0, 50 / 51], atol=1e-12)
    assert np.allclose(found.p1, [1.0, 1 / 51, 1.0], atol=1e-12)
    # p1 / (1 − p0 + p1): 1/2; (1/51) / (52/51); 1 / (1/51 + 1).
    assert np.allclose(found.probability, [1 / 2, 1 / 52, 51 / 52], atol=1e-12)


def test_band_by_hand() -> None:
    # One score, 100 rows, 40 ones: windows of 8, 16, 32 and 64 all hold the 100. Each bound at (1 − 0.9) / (2 · 4).
    y = np.repeat([1.0, 0.0], [40, 60])
    found = venn_abers(rows(np.full(100, 0.5), y)).interval(np.array([0.5, 0.4, 0.6]))
    low, high = beta.ppf(0.0125, 40, 61), beta.ppf(0.9875, 41, 60)
    # Below every score nothing bounds from below, above nothing from above.
    assert np.allclose(found.lower, [low, 0.0, low], atol=1e-12)
    assert np.allclose(found.upper, [high, high, 1.0], atol=1e-12)


def test_overlap_widens() -> None:
    y = np.repeat([1.0, 0.0], [400, 600])
    p = np.full(1000, 0.5)
    wide, narrow = (venn_abers(rows(p, y, overlap)).interval(p[:1]) for overlap in (10.0, 1.0))
    assert wide.lower[0] < narrow.lower[0] < narrow.upper[0] < wide.upper[0]
    # 40 ones of 100 independent rows: as by hand above.
    assert wide.lower[0] == pytest.approx(beta.ppf(0.0125, 40, 61), abs=1e-9)


def simulated(n: int, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Scores that are too bold, their true chance, and labels."""
    p = expit(rng.normal(0.0, 0.6, n))
    truth = expit(0.4 * logit(p) + 0.1)
    return p, truth, (rng.random(n) < truth).astype(np.float64)


def test_one_of_the_pair_is_calibrated_exactly() -> None:
    """E[y | p_y] = p_y, of which E[y] = E[p_y] and E[(y − p_y) p_y] = 0 follow; in any size, so at 60 rows too."""
    rng = np.random.default_rng(3)
    gaps, slopes, between = [], [], []
    for _ in range(250):
        p, _, y = simulated(60, rng)
        new, _, outcome = simulated(20, rng)
        found = venn_abers(rows(p, y)).interval(new)
        chosen = np.where(outcome == 1.0, found.p1, found.p0)
        gaps.append(np.mean(outcome - chosen))
        slopes.append(np.mean((outcome - chosen) * chosen))
        between.append((found.p0.mean(), outcome.mean(), found.p1.mean()))
    for sample in (gaps, slopes):
        assert abs(np.mean(sample)) < 3.0 * np.std(sample) / np.sqrt(len(sample))
    # Neither alone is: p0 is too low on average, p1 too high, so the test above could fail.
    low, middle, high = np.mean(between, axis=0)
    assert low < middle - 0.02 < middle + 0.02 < high


@pytest.mark.parametrize("n", [100, 500])
def test_the_band_covers_the_true_chance(n: int) -> None:
    rng = np.random.default_rng(5)
    covered, widths, pair = [], [], []
    for _ in range(25):
        p, _, y = simulated(n, rng)
        new, truth, _ = simulated(100, rng)
        found = venn_abers(rows(p, y), level=0.8).interval(new)
        covered.append(np.mean((found.lower <= truth) & (truth <= found.upper)))
        pair.append(np.mean((found.p0 <= truth) & (truth <= found.p1)))
        widths.append(np.mean(found.upper - found.lower))
    assert np.mean(covered) >= 0.8
    # And says something: an interval of everything would cover as well.
    assert np.mean(widths) < {100: 0.6, 500: 0.35}[n]
    # What the pair is not: an interval for the true chance.
    assert np.mean(pair) < 0.7


def test_bounds_are_in_order_even_where_the_score_is_upside_down() -> None:
    rng = np.random.default_rng(7)
    p, truth, _ = simulated(2000, rng)
    y = (rng.random(2000) < 1.0 - expit(4.0 * logit(truth))).astype(np.float64)
    found = venn_abers(rows(p, y)).interval(np.linspace(0.0, 1.0, 101))
    for low, high in ((found.lower, found.upper), (found.p0, found.p1)):
        assert ((low >= 0.0) & (low <= high) & (high <= 1.0)).all()


def test_text_and_back() -> None:
    p, _, y = simulated(300, np.random.default_rng(1))
    fitted = venn_abers(rows(p, y))
    text = fitted.to_json()
    back = VennAbers.from_json(text, sha256(text))
    assert back.to_json() == text
    assert back.interval(p).probability.tobytes() == fitted.interval(p).probability.tobytes()


def test_too_few_rows_and_missing_probabilities_are_refused() -> None:
    p, _, y = simulated(400, np.random.default_rng(1))
    with pytest.raises(ModelError) as error:
        venn_abers(rows(p, y, overlap=10.0))
    assert error.value.reason is ModelReason.TOO_FEW_ROWS
    with pytest.raises(ModelError) as error:
        venn_abers(rows(p, y)).interval(np.array([0.5, np.nan]))
    assert error.value.reason is ModelReason.MISSING_PROBABILITY
