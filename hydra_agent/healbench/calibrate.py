"""The constants of ``edge_sizes``: ``python -m hydra_agent.healbench.calibrate --worlds 200``.

An edge is found by the secant rule on common seeds; the ratio is that of ``oracle.expected_net`` (mean) to the realised
profit (standard deviation), sessions from the second year on, averaged over worlds.
"""

import argparse
import sys

import numpy as np
from scipy.stats import norm

from hydra_agent.arena import replay_of
from hydra_agent.healbench.edge_sizes import DRAG, PEAKED
from hydra_agent.healbench.lab import ArrayLab
from hydra_agent.healbench.observed import HORIZON
from hydra_agent.healbench.oracle import expected_of, oracle_walk
from hydra_agent.healbench.worlds import BenchWorld, WorldConfig, make_world
from hydra_agent.view import Floats
from hydra_assets.models.linear import Logistic
from hydra_assets.models.recipe import FIRST_RECIPES, LOGISTIC, Recipe
from hydra_assets.sources.simulated.world import SESSIONS_PER_YEAR

FIRST_SEED = 1_000_001
"""Worlds that are judged should have others."""
TARGETS = (1.0, 2.0)
TOLERANCE = 0.01
EVERY = (1, 2, 5)


def attained(world: BenchWorld) -> float:
    """Annual Sharpe ratio of the oracle, net, without the luck of the path in its numerator."""
    late = slice(SESSIONS_PER_YEAR, None)
    result = replay_of(world.truth.market, [oracle_walk(world)], detail=True)
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


def thinned(worlds: int, recipe: Recipe) -> Floats:
    """Net Sharpe ratio of a recipe, without luck, that is trained on each of ``EVERY`` so-many-th sessions."""
    found = []
    for i in range(worlds):
        world = make_world(FIRST_SEED + i)
        walks = [ArrayLab(world.view, every).walk({"a": recipe}, len(world.view))["a"] for every in EVERY]
        result = replay_of(world.truth.market, walks, detail=True)
        late = slice(walks[0].starts[0], None)
        mean, sd = expected_of(world, result)[:, late].mean(axis=1), result.returns[:, late].std(axis=1)
        found.append(mean / sd * np.sqrt(SESSIONS_PER_YEAR))
    return np.asarray(np.mean(found, axis=0))


def main() -> None:
    """Find and print the constants."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--thinned", type=int, default=24, help="worlds of the comparison of ArrayLab's `every`")
    options = parser.parse_args()
    worlds = options.worlds
    peaked, drag = label_law(worlds)
    sys.stdout.write(f"label of {HORIZON} sessions: peaked {peaked:.3f}, drag {drag:.3f}, {worlds} worlds\n")
    for target in TARGETS:
        edge, ratio, error = edge_for(target, worlds)
        sys.stdout.write(f"net {target:.0f}: edge {edge:.2f}, attained {ratio:.3f} +- {error:.3f}, {worlds} worlds\n")
    believing = FIRST_RECIPES[LOGISTIC].model_copy(update={"refit_sessions": SESSIONS_PER_YEAR})
    for name, recipe in (("prior", believing), ("no prior", believing.model_copy(update={"model": Logistic()}))):
        ratios = ", ".join(f"{ratio:.3f}" for ratio in thinned(options.thinned, recipe))
        sys.stdout.write(f"trained on every {EVERY} sessions, {name}: {ratios}, {options.thinned} worlds\n")


if __name__ == "__main__":
    main()
