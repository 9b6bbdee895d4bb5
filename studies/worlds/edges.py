"""Edges whose net pooled attainable Sharpe ratio is about 1 and 2: ``python -m studies.worlds.edges``.

The attainable ratio is that of ``truth.attainable_sharpe``: an oracle that knows the options' view without noise and
the published positions, net of costs, ``expected`` (the drift it knows less costs, over the realised risk), which does
not have the luck of a path in its numerator. It is averaged over seeds; the edge is found by the secant rule.
"""

import argparse
from collections.abc import Mapping
from datetime import date

import numpy as np

from hydra_assets.home import DEFAULT_SIM_MARKETS
from hydra_assets.markets.loader import load_markets
from hydra_assets.sources.simulated.truth import Knowledge, attainable_sharpe
from hydra_assets.sources.simulated.world import Edge, EdgeKind, World

EDGES: Mapping[float, float] = {0.0: 0.0, 1.0: 0.77, 2.0: 1.38}
"""Net attainable Sharpe ratio to ``Edge.sharpe`` of a constant edge without a break. Measured over 24 seeds of 1,008
sessions in the four default markets: 0.993 +- 0.019 and 2.007 +- 0.033."""
TARGETS = (1.0, 2.0)
SESSIONS = (252, 1260)
"""Of the world: the first year is what a first model is trained on."""
FIRST_SEED = 1_000_001
"""Seeds of this study; worlds that are judged should have others."""
START = date(2021, 11, 22)
TOLERANCE = 0.01


def attainable(sharpe: float, seeds: int) -> tuple[float, float]:
    """Mean attainable ratio over seeds and its standard error, for a constant edge without a break."""
    known = load_markets()
    specs = [known[name] for name in DEFAULT_SIM_MARKETS]
    world = World(edge=Edge(kind=EdgeKind.CONSTANT, sharpe=sharpe, break_session=None))
    found = [
        attainable_sharpe(world, FIRST_SEED + i, specs, START, SESSIONS, Knowledge.PUBLISHED).expected
        for i in range(seeds)
    ]
    return float(np.mean(found)), float(np.std(found, ddof=1) / np.sqrt(seeds))


def find(target: float, seeds: int) -> tuple[float, float, float]:
    """Edge for a target, rounded to two digits, with the mean ratio found there and its standard error."""
    low, high = 0.5 * target, target
    at_low, at_high = attainable(low, seeds)[0], attainable(high, seeds)[0]
    for _ in range(8):
        new = high + (target - at_high) * (high - low) / (at_high - at_low)
        low, at_low = high, at_high
        high, at_high = new, attainable(new, seeds)[0]
        if abs(at_high - target) < TOLERANCE:
            break
    rounded = round(high, 2)
    return (rounded, *attainable(rounded, seeds))


def main() -> None:
    """Find and print the edges."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=24)
    options = parser.parse_args()
    for target in TARGETS:
        edge, ratio, se = find(target, options.seeds)
        print(f"target {target:.0f}: Edge.sharpe {edge:.2f}, attainable {ratio:.3f} +- {se:.3f}, {options.seeds} seeds")


if __name__ == "__main__":
    main()
