"""Paths of the stationary bootstrap: whole sessions of all markets, returns and decisions together.

Blocks of consecutive sessions are drawn with random starts and geometric lengths of mean b (Politis and Romano, "The
stationary bootstrap", JASA 89, 1994), around the end. What is drawn is a session's outcome *with the cutoff that it is
earned from*: the position that earns the outcome of row r is decided with the decision, volatility, price and volume
of row r - L, also where a new block begins; L is 2 for fills at the settle (``paths.earning_lag``). So a decision
always meets the return that it met, sized on the volatility that was known, and the edge is kept in full. What a new
block costs is the change of position into it, once in b sessions, which makes costs too high: the mean block is
therefore several label horizons (``BootstrapPaths.least_horizons``).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydra_assets.replay.market import Flags
from hydra_assets.stress.paths import PathBatch, World, batch, paths_at_once

Rows = NDArray[np.int64]


def stationary_rows(count: int, length: int, paths: int, block: float, random: np.random.Generator) -> Rows:
    """Draw places 0 to ``count - 1``, ``[length, path]``: the next one, or with chance 1 / block any."""
    new = random.random((length, paths)) * block < 1.0
    starts = random.integers(0, count, (length, paths))
    rows = np.empty((length, paths), dtype=np.int64)
    rows[0] = starts[0]
    for t in range(1, length):
        rows[t] = np.where(new[t], starts[t], (rows[t - 1] + 1) % count)
    return rows


def bootstrap_batches(
    world: World, lag: int, paths: int, block: float, random: np.random.Generator, label: str
) -> Iterator[PathBatch]:
    """Yield all paths, as many at once as fit; the draws do not depend on how many those are."""
    sessions = len(world.market.days)
    rows = lag + stationary_rows(sessions - lag, sessions + lag, paths, block, random)
    width = paths_at_once(world.market)
    for low in range(0, paths, width):
        high = min(low + width, paths)
        labels = [f"{label}{path}" for path in range(low, high)]
        yield resampled(world, rows[:-lag, low:high], rows[lag:, low:high] - lag, labels)


def resampled(world: World, outcome: Rows, cutoff: Rows, labels: list[str]) -> PathBatch:
    """Batch whose session t has the outcome of row ``outcome[t]`` and the cutoff of row ``cutoff[t]``.

    Both ``[session, path]``. A market is open where it was at the cutoff's row and its outcome is known.
    """
    market = world.market

    def taken(array: Any, rows: Rows) -> Any:
        return None if array is None else np.ascontiguousarray(array[rows].transpose(0, 2, 1))

    change, settle = taken(market.held_change, outcome), taken(market.settle, cutoff)
    columns = {
        "settle": settle,
        "held_change": change,
        "sigma_daily": taken(market.sigma_daily, cutoff),
        "adv": taken(market.adv, cutoff),
        "roll": taken(market.roll, outcome),
        "tradable": taken(market.tradable, cutoff) & np.isfinite(change),
        "open": None,
        "cap_factor": taken(market.cap_factor, cutoff),
        "impact_factor": taken(market.impact_factor, cutoff),
    }
    if market.open is not None:
        # A fill at the open earns what the outcome's session earned after its open.
        same: Flags = np.asarray((outcome == cutoff)[:, None, :])
        after = taken(market.settle, outcome) - taken(market.open, outcome)
        columns["open"] = np.where(same, taken(market.open, cutoff), settle - after)
    wishes = world.wishes
    return batch(market, columns, taken(wishes.shares, cutoff), taken(wishes.factor, cutoff), labels)
