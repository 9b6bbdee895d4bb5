"""Drift of features: each way in which one can be wrong is found, and a market that is merely wilder is not."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from hydra_agent.healbench.faults.data import CorruptedFeature, Corruption
from hydra_agent.healbench.worlds import BenchWorld, WorldConfig, make_world
from hydra_agent.observe.drift import DriftThresholds, drift_signals
from hydra_agent.observe.innovations import RATES, innovations, long_run_ratio
from hydra_agent.observe.signals import Floats, Level, SignalReason
from hydra_agent.view import GroupView

SINCE, ROW = 630, 700
THRESHOLDS = DriftThresholds(level=14.25)


@cache
def world() -> BenchWorld:
    return make_world(2_000_011, WorldConfig(years=4))


def alarms(seen: GroupView, after: int = ROW, within: int = 100) -> set[tuple[str, SignalReason]]:
    tracks = drift_signals(seen, SINCE, THRESHOLDS)
    span = slice(after, after + within)
    return {(track.name, track.reason) for track in tracks if (track.level[span] >= Level.WARNING).any()}


def test_nothing_is_said_before_the_reign_and_row_t_knows_rows_up_to_t() -> None:
    whole = drift_signals(world().view, SINCE, THRESHOLDS)
    cut = drift_signals(world().view.until(800), SINCE, THRESHOLDS)
    for one, other in zip(whole, cut, strict=True):
        assert np.isnan(one.statistic[:SINCE]).all()
        np.testing.assert_array_equal(one.statistic[:800], other.statistic)
        np.testing.assert_array_equal(one.level[:800], other.level)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Corruption.FROZEN, SignalReason.FROZEN),
        (Corruption.NOISE, SignalReason.INCONSISTENT),
        (Corruption.SCALE, SignalReason.INCONSISTENT),
        (Corruption.SIGN_FLIP, SignalReason.INCONSISTENT),
        (Corruption.GAPS, SignalReason.GAPS),
    ],
)
def test_a_corrupted_feature_is_found_by_what_is_wrong_with_it(kind: Corruption, reason: SignalReason) -> None:
    hit = CorruptedFeature(ROW, "options_z", kind).apply(world(), np.random.default_rng(0)).view
    assert ("options_z", reason) in alarms(hit)
    assert ("options_z", reason) not in alarms(world().view)


def test_a_chain_that_bears_no_density_is_no_gap_of_a_feature() -> None:
    seen = world().view
    features = seen.features.copy()
    chain = [seen.feature_names.index(name) for name in ("options_z", "tilt_z", "risk_reversal", "implied_skew")]
    chain += [seen.feature_names.index(name) for name in ("atm_vol", "vol_premium", "divergence_z")]
    features[ROW : ROW + 60, :, chain] = np.nan
    found = alarms(replace(seen, features=features), within=60)
    assert not {reason for name, reason in found if name in {"options_z", "tilt_z"}} & {SignalReason.GAPS}


def rates(count: int, wild: Floats) -> tuple[Floats, Floats]:
    """An AR(1) volatility whose shocks are ``wild`` times as large, and the market's volatility beside it."""
    rng = np.random.default_rng(4)
    x = np.zeros(count)
    for t in range(1, count):
        x[t] = 0.9 * x[t - 1] + wild[t] * rng.standard_normal()
    return x[:, None], 0.01 * wild


def test_a_rate_is_measured_by_the_markets_volatility() -> None:
    wild = np.where(np.arange(1200) < 700, 1.0, 4.0)
    x, sigma = rates(1200, wild)
    assert "atm_vol" in RATES
    assert "momentum_20" not in RATES
    as_rate = innovations(x, ["atm_vol"], sigma, slice(0, 600))[710:, 0]
    as_other = innovations(x, ["momentum_20"], sigma, slice(0, 600))[710:, 0]
    assert as_rate.std() == pytest.approx(1.0, abs=0.15)
    assert as_other.std() == pytest.approx(4.0, abs=0.5)


def test_the_long_run_variance_of_noise_is_its_variance_and_of_a_walk_far_more() -> None:
    rng = np.random.default_rng(2)
    noise = rng.standard_normal((4000, 1))
    slow = np.convolve(noise[:, 0], np.full(5, 0.2), "same")[:, None]
    assert long_run_ratio(noise)[0] == pytest.approx(1.0, abs=0.25)
    # A mean of five has five times its own variance in the long run.
    assert long_run_ratio(slow / slow.std())[0] == pytest.approx(5.0, rel=0.25)
