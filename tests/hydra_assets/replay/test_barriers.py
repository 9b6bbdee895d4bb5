"""Decisions of a barrier label are held as long as their label is, to the session, and by what was known alone."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.labels.known import SPECS, LabelKind
from hydra_assets.labels.make import make_labels
from hydra_assets.labels.spec import TripleBarrier
from hydra_assets.replay.barriers import still_held
from hydra_assets.replay.holding import held_shares
from tests.hydra_assets.replay.worlds import world
from tests.support.groups import MARKETS, day, group

GROUP = group(260, edge=0.0)
BARRIERS = [kind for kind, spec in SPECS.items() if isinstance(spec, TripleBarrier)]


def barriers(kind: LabelKind) -> TripleBarrier:
    spec = SPECS[kind]
    assert isinstance(spec, TripleBarrier)
    return spec


def test_by_hand() -> None:
    # 0.01 sqrt(4) is 2 %. The decision of session 0 is entered at 100 and sees 103 at session 2.
    market = world([100.0, 100.0, 103.0, 103.0, 103.0, 103.0], sigma_daily=0.01)
    held = still_held(market, TripleBarrier(horizon_sessions=4))[:, :, 0]
    # By age: made at this session, one, two, three sessions before.
    assert held[:, 2].tolist() == [True, True, False, True]
    assert held[:, 3].tolist() == [True, True, True, False]
    assert held[:, 4].tolist() == [True] * 4
    # Upwards at once is met at session 2 and left at the settle of session 3: the decision of session 2 is without it.
    said, base = np.full((6, 1), 0.6), np.full((6, 1), 0.5)
    free = world([100.0] * 6, sigma_daily=0.01)
    spec = TripleBarrier(horizon_sessions=4)
    ratio = held_shares(said, base, market, 4, spec) / held_shares(said, base, market, 4)
    # Nearly: what a round trip takes from each share moves with the price.
    assert ratio[:, 0] == pytest.approx([1, 1, 2 / 3, 3 / 4, 1, 1], rel=1e-3)
    assert held_shares(said, base, free, 4, spec).tolist() == held_shares(said, base, free, 4).tolist()


@pytest.mark.parametrize("kind", BARRIERS)
def test_label_and_profit_are_about_the_same_sessions(kind: LabelKind) -> None:
    spec, market = barriers(kind), GROUP.market
    held = still_held(market, spec)
    early = 0
    for j, name in enumerate(MARKETS):
        own = GROUP.held.filter(pl.col("market") == name)
        labels = make_labels(own, spec).filter(pl.col("label_reason") == "ok")
        returns = own.sort("session")["held_return"].fill_null(0.0).to_numpy()
        assert len(labels) > 200
        for row in labels.iter_rows(named=True):
            t = (row["session"] - day(0)).days
            ages = [k for k in range(spec.horizon_sessions) if held[k, t + k, j]]
            # Once left it is not taken up again.
            assert ages == list(range(len(ages)))
            # A decision of s is the position from the settle of s+1 to that of s+2: the label's entry and exit.
            assert day(t + len(ages) + 1) == row["exit_session"]
            earned = np.prod(1.0 + returns[t + 2 : t + 2 + len(ages)]) - 1.0
            assert earned == pytest.approx(row["label_return"], abs=1e-12)
            early += len(ages) < spec.horizon_sessions
    assert early > 50


@given(seed=st.integers(0, 50), cut=st.integers(5, 60))
def test_nothing_later_is_known(seed: int, cut: int) -> None:
    rng = np.random.default_rng(seed)
    prices = 100.0 * np.exp(np.cumsum(0.02 * rng.standard_normal((70, 2)), axis=0))
    moved = prices.copy()
    moved[cut:] *= np.exp(0.1 * rng.standard_normal((70 - cut, 2)))
    spec = barriers(LabelKind.TRIPLE_BARRIER)
    one, other = still_held(world(prices), spec), still_held(world(moved), spec)
    assert (one[:, :cut] == other[:, :cut]).all()


def test_sessions_without_trade_do_not_count() -> None:
    prices = np.array([100.0, 100.0, 103.0, 103.0, 103.0, 103.0])
    whole = still_held(world(prices, sigma_daily=0.01), TripleBarrier(horizon_sessions=4))
    gap = np.insert(prices, 2, np.nan)
    tradable = np.isfinite(gap)
    found = still_held(world(gap, sigma_daily=0.01, tradable=tradable), TripleBarrier(horizon_sessions=4))
    assert (found[:, tradable] == whole).all()


def test_an_exit_at_the_very_settle_is_refused() -> None:
    with pytest.raises(ValueError, match="settle after"):
        still_held(world([100.0] * 6), TripleBarrier(horizon_sessions=4, exit_lag_sessions=0))
