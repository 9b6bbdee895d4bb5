"""The constants of ``edge_sizes``: ``python -m hydra_agent.healbench.calibrate --worlds 200``.

An edge is found by the secant rule on common seeds; the ratio is that of ``oracle.expected_net`` (mean) to the realised
profit (standard deviation), sessions from the second year on, averaged over worlds.
"""

import argparse
import sys

import numpy as np
from scipy.stats import norm

from hydra_agent.healbench.edge_sizes import DRAG, PEAKED
from hydra_agent.healbench.lab import replay_of
from hydra_agent.healbench.observed import HORIZON
from hydra_agent.healbench.oracle import expected_of, oracle_walk
from hydra_agent.healbench.worlds import BenchWorld, WorldConfig, make_world
from hydra_assets.replay.tables import ReplayConfig
from hydra_assets.sources.simulated.world import SESSIONS_PER_YEAR

FIRST_SEED = 1_000_001
"""Worlds that are judged should have others."""
TARGETS = (1.0, 2.0)
TOLERANCE = 0.01


def attained(world: BenchWorld) -> float:
    """Annual Sharpe ratio of the oracle, net, without the luck of the path in its numerator."""
    late = slice(SESSIONS_PER_YEAR, None)
    result = replay_of(world.truth.market, [oracle_walk(world)], ReplayConfig(), detail=True)
    mean = expected_of(world, result)[0, late].mean()
    return float(mean / result.returns[0, late].std() * np.sqrt(SESSIONS_PER_YEAR))


def attained_by(edge: float, worlds: int) -> tuple[float, float]:
    """Mean over worlds of an edge, and its standard error."""
    found = [attained(make_world(FIRST_SEED + i, WorldConfig(edge=edge))) for i in range(worlds)]
    return float(np.mean(found)), float(np.std(found, ddof=1) / np.sqrt(worlds))


def edge_for(target: float, worlds: int) -> tuple[float, float, float]:
    """Edge for a target, rounded to two digits, with the ratio found there and its standard error."""
    low, high = 0.6 * target, 0.8 * target
    at_low, at_high = attained_by(low, worlds)[0], attained_by(high, worlds)[0]
    while abs(at_high - target) > TOLERANCE:
        new = high + (target - at_high) * (high - low) / (at_high - at_low)
        low, at_low = high, at_high
        high, at_high = new, attained_by(new, worlds)[0]
    rounded = round(high, 2)
    return (rounded, *attained_by(rounded, worlds))


def label_law(worlds: int) -> tuple[float, float]:
    """``PEAKED`` and ``DRAG`` by regression of outcomes on the mean that their probability was made from."""
    edge = 1.5
    x, y = [], []
    for i in range(worlds):
        world = make_world(FIRST_SEED + i, WorldConfig(edge=edge))
        known = np.isfinite(world.view.up)
        x.append((norm.ppf(world.truth.probability) + DRAG)[known] / PEAKED)
        y.append(world.view.up[known])
    slope, level = np.polyfit(np.concatenate(x), np.concatenate(y) - 0.5, 1)
    return float(slope / norm.pdf(0.0)), float(-level / norm.pdf(0.0))


def main() -> None:
    """Find and print the constants."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=200)
    worlds = parser.parse_args().worlds
    peaked, drag = label_law(worlds)
    sys.stdout.write(f"label of {HORIZON} sessions: peaked {peaked:.3f}, drag {drag:.3f}, {worlds} worlds\n")
    for target in TARGETS:
        edge, ratio, error = edge_for(target, worlds)
        sys.stdout.write(f"net {target:.0f}: edge {edge:.2f}, attained {ratio:.3f} +- {error:.3f}, {worlds} worlds\n")


if __name__ == "__main__":
    main()
