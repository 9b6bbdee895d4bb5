"""Change-point regimes: the closed form without changes, then changes."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy.special import ndtr
from scipy.stats import t as student

from hydra_assets.regimes.changepoint import changepoint_regimes
from hydra_assets.regimes.spec import REGIME_SCHEMA, ChangePointSpec

SPEC = ChangePointSpec(first_sessions=60)


def held(r: np.ndarray, market: str = "SIM_HE") -> pl.DataFrame:
    session = [date(2015, 1, 1) + timedelta(days=i) for i in range(len(r))]
    return pl.DataFrame({"market": market, "session": session, "held_return": pl.Series(r, nan_to_null=True)})


def noise(n: int, seed: int = 1) -> np.ndarray:
    return 0.01 * np.random.default_rng(seed).standard_normal(n)


def test_without_changes_it_is_the_conjugate_posterior() -> None:
    r = noise(100) + 0.002
    frame = changepoint_regimes(
        held(r), ChangePointSpec(first_sessions=60, expected_sessions=1e15, longest_sessions=200)
    )
    x = np.log1p(r)
    x = x / np.sqrt(np.mean(x[:60] ** 2))
    for n in (61, 100):
        # k = 63 + n, m = sum x / k, a = 5/2 + n/2, b = 5/2 + (sum x^2 - k m^2) / 2: Murphy (2007), eqs. 86-89.
        k, a = 63 + n, 2.5 + n / 2
        m = x[:n].sum() / k
        b = 2.5 + 0.5 * (np.sum(x[:n] ** 2) - k * m * m)
        up = ndtr((m / np.sqrt(b / a) - 1 / np.sqrt(252)) * np.sqrt(k))
        assert frame["probability_up"][n - 1] == pytest.approx(up, rel=1e-9)


def test_one_change_by_hand() -> None:
    # Two observations after which the run lengths are 0, 1 and 2: w(0) = H, w(1) : w(2) = H p(x2 | prior) :
    # (1 - H) p(x2 | x1), p Student's t with 2a degrees at m, squared scale b (k + 1) / (a k).
    from hydra_assets.regimes.changepoint import _segments

    h, x1, x2 = 0.1, 1.0, -3.0
    spec = ChangePointSpec(first_sessions=60, expected_sessions=1 / h, longest_sessions=20)
    _, trend = _segments(np.array([x1, x2]), spec)
    k, a = 63 + np.arange(3), 2.5 + np.arange(3) / 2

    def density(m: float, b: float, r: int) -> float:
        return float(student.pdf(x2, 2 * a[r], m, np.sqrt(b * (k[r] + 1) / (a[r] * k[r]))))

    m1, b1 = x1 / 64, 2.5 + 0.5 * (x1**2 - 64 * (x1 / 64) ** 2)
    fresh, grown = h * density(0.0, 2.5, 0), (1 - h) * density(m1, b1, 1)
    w = np.array([h, (1 - h) * fresh / (fresh + grown), (1 - h) * grown / (fresh + grown)])
    m = np.array([0.0, x2 / 64, (x1 + x2) / 65])
    b = 2.5 + 0.5 * np.array([0.0, x2**2 - 64 * (x2 / 64) ** 2, x1**2 + x2**2 - 65 * ((x1 + x2) / 65) ** 2])
    drift = m / np.sqrt(b / a)
    assert trend[0, 1] == pytest.approx(w @ ndtr((-drift - 1 / np.sqrt(252)) * np.sqrt(k)), rel=1e-9)
    assert trend[2, 1] == pytest.approx(w @ ndtr((drift - 1 / np.sqrt(252)) * np.sqrt(k)), rel=1e-9)


def test_changes_of_volatility_and_drift_get_their_names() -> None:
    r = noise(400)
    r[200:260] *= 3.0
    r[260:320] *= 0.3
    r[340:400] += 0.008
    frame = changepoint_regimes(held(r), SPEC)
    assert dict(frame.schema) == REGIME_SCHEMA
    assert (frame["regime_vol"][210:260] == "stressed").all()
    assert (frame["regime_vol"][285:320] == "calm").sum() >= 30
    assert (frame["regime_trend"][375:] == "up").all()


def test_returns_without_drift_mostly_have_no_trend() -> None:
    frame = changepoint_regimes(held(noise(1500, 2)), SPEC).filter(pl.col("regime_reason") == "ok")
    assert (frame["regime_trend"] == "none").sum() > 0.5 * len(frame)


@pytest.mark.parametrize("longest", [20, 252])
def test_later_rows_change_nothing_before_them_and_markets_are_apart(longest: int) -> None:
    spec = ChangePointSpec(first_sessions=60, longest_sessions=longest)
    r = noise(200)
    r[150], r[120:] = np.nan, r[120:] * 4
    whole = changepoint_regimes(held(r), spec)
    for n in (61, 130, 199):
        assert_frame_equal(changepoint_regimes(held(r[:n]), spec), whole.head(n), check_exact=True)
    both = changepoint_regimes(pl.concat([held(noise(90, 3), "SIM_ZO"), held(r)]), spec)
    assert_frame_equal(both.filter(pl.col("market") == "SIM_HE"), whole, check_exact=True)


def test_reasons() -> None:
    r = noise(100)
    r[[10, 80]] = np.nan
    frame = changepoint_regimes(held(r), SPEC)
    reason = frame["regime_reason"].to_list()
    # Sixty observations, one hole among them: the sixty-second row is the first with sixty before it.
    assert (set(reason[:61]), reason[61], reason[80]) == ({"short_history"}, "ok", "no_observation")
    assert frame["regime_vol"][80] is None
    assert set(changepoint_regimes(held(np.zeros(70)), SPEC)["regime_reason"][60:]) == {"no_variation"}
    assert changepoint_regimes(held(np.zeros(0))).height == 0
