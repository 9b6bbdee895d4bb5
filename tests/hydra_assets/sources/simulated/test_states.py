from datetime import date

import numpy as np
import pytest

from hydra_assets.sources.simulated.curve import simulate_curve
from hydra_assets.sources.simulated.listing import futures_of
from hydra_assets.sources.simulated.market import build_market
from hydra_assets.sources.simulated.states import edge_size, simulate
from hydra_assets.sources.simulated.world import Edge, EdgeKind, World

from .sim_specs import CATTLE, HOGS, MARKETS

START = date(2020, 1, 2)
STATES = ("stressed", "scale", "view", "position", "drift", "edge_on", "shock_short", "shock_long", "jump")


def test_a_path_is_the_prefix_of_every_longer_one() -> None:
    short = simulate(HOGS, World(), 1, START, date(2020, 12, 31))
    long = simulate(HOGS, World(), 1, START, date(2022, 6, 30))
    n = len(short.sessions)
    for name in STATES:
        assert np.array_equal(getattr(short, name), getattr(long, name)[:n]), name
    assert np.array_equal(
        simulate_curve(short, futures_of(HOGS, short.sessions, 4)).log_price[:, :6],
        simulate_curve(long, futures_of(HOGS, long.sessions, 4)).log_price[:n, :6],
    )


def test_a_break_changes_nothing_before_it() -> None:
    broken = World(edge=Edge(break_session=200, after_break=0.0))
    whole = World(edge=Edge(break_session=None))
    a, b = (simulate(HOGS, world, 1, START, date(2021, 12, 31)) for world in (broken, whole))
    for name in STATES:
        assert np.array_equal(getattr(a, name)[:200], getattr(b, name)[:200]), name
    assert np.array_equal(a.shock_short[:201], b.shock_short[:201])
    assert not np.array_equal(a.shock_short[201:], b.shock_short[201:])


def test_seeds_and_markets_differ_and_markets_share_a_factor() -> None:
    end = date(2029, 12, 31)
    one, other = simulate(HOGS, World(), 1, START, end), simulate(CATTLE, World(), 1, START, end)
    assert not np.array_equal(one.view, simulate(HOGS, World(), 2, START, end).view)
    n = min(len(one.sessions), len(other.sessions))
    assert np.array_equal(one.sessions[:n], other.sessions[:n])
    assert abs(np.corrcoef(one.view[:n], other.view[:n])[0, 1]) < 0.3
    along = [0.8 * p.shock_short[:n] + 0.6 * p.shock_long[:n] for p in (one, other)]
    assert np.corrcoef(*along)[0, 1] == pytest.approx(0.15, abs=0.07)


def test_view_and_positions_have_unit_variance_and_their_persistence() -> None:
    paths = [simulate(spec, World(), seed, START, date(2029, 12, 31)) for spec in MARKETS.values() for seed in (1, 2)]
    for name, half_life in (("view", 15.0), ("position", 35.0)):
        values = [getattr(path, name) for path in paths]
        assert np.mean([np.var(v) for v in values]) == pytest.approx(1, abs=0.15)
        lagged = np.mean([np.mean(v[5:] * v[:-5]) for v in values]) / np.mean([np.mean(v**2) for v in values])
        assert lagged == pytest.approx(0.5 ** (5 / half_life), abs=0.03)


@pytest.mark.parametrize(
    "edge",
    [
        Edge(kind=EdgeKind.NONE),
        Edge(break_session=None, sharpe=1.5),
        Edge(break_session=0, sharpe=1.5, after_break=-1.0),
        Edge(kind=EdgeKind.SWITCHING, break_session=None, sharpe=3.0, mean_on_sessions=100, mean_off_sessions=100),
    ],
    ids=["none", "constant", "turned", "switching"],
)
def test_the_edge_has_the_stated_size(edge: Edge) -> None:
    """Standardised returns regressed on edge-on gaps: the slope is the planted one, within 4 standard errors."""
    world, gaps, returns, sizes = World(edge=edge), [], [], []
    for spec in MARKETS.values():
        for seed in (1, 2, 3):
            market = build_market(spec, world, seed, START, date(2024, 12, 31))
            assert market is not None
            path, curve = market.path, market.curve
            n = len(path.sessions)
            size = np.array([edge_size(edge, k, bool(path.edge_on[k])) for k in range(n)])
            where = 12  # a contract that is alive all the time
            step = np.diff(curve.log_price[:, where])
            gaps.append(path.gap[:-1])
            sizes.append(size[:-1])
            returns.append(np.clip(step / curve.sd[1:, where], -5, 5))
    gap, size, moved = (np.concatenate(x) for x in (gaps, sizes, returns))
    if edge.kind is EdgeKind.SWITCHING:
        assert 0.3 < np.mean(size > 0) < 0.7
        off = size == 0
        assert abs(np.polyfit(gap[off], moved[off], 1)[0]) < 4 / np.sqrt(off.sum())
        gap, moved, size = gap[~off], moved[~off], size[~off]
    slope = np.polyfit(gap, moved, 1)[0]
    assert slope == pytest.approx(size[0], abs=4 * np.std(moved) / (np.sqrt(len(gap)) * np.std(gap)))
    if edge.kind is not EdgeKind.NONE:
        assert abs(slope) > 0.05
