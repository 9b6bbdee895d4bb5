"""Null rates of the e-process where nobody is better, and the time it takes where somebody is.

``uv run python -m studies.eprocess_power`` draws tracks of paired differences of five years and counts how often the
evidence for the candidate ever reaches 20, and that against it 5, where the true mean difference is zero:

normal, student t4, GARCH t     independent or with volatility in clusters
skewed                          many small gains and few large losses: exponential
overlapping positions           daily results of positions of five overlapping sleeves, each held five sessions
five-session returns            what must not be done: overlapping five-session results, one starting each session

and then the sessions until 20 for, and until 5 against, at information ratios of 0.5, 1.1 and 2, normal differences,
beside the one stake that is best for the true ratio, which nobody knows, and two adaptive ones on the same held
differences: aGRAPA and online Newton steps.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from hydra_assets.stats.eprocess import EConfig, e_process
from hydra_assets.stats.returns import SESSIONS_PER_YEAR
from studies.detector_draws import HORIZON, draw
from studies.gate_nulls import lower_bound, upper_bound

Floats = NDArray[np.float64]

NULLS = ("normal", "student t4", "GARCH t", "skewed", "overlapping positions", "five-session returns")
NOT_CLAIMED = NULLS[-1]
RATIOS = (0.5, 1.1, 2.0)
CHUNK = 500


def null_differences(null: str, rng: np.random.Generator, sessions: int, tracks: int) -> Floats:
    """Differences of mean zero, ``[sessions, tracks]``."""
    if null == "skewed":
        return -draw("exponential", rng, sessions, tracks)
    if null == "overlapping positions":
        signals = draw("normal", rng, sessions + HORIZON, tracks)
        total = np.cumsum(signals, axis=0)
        held = (total[HORIZON:] - total[:-HORIZON]) / HORIZON
        return held * draw("GARCH t", rng, sessions, tracks)
    if null == "five-session returns":
        total = np.cumsum(draw("normal", rng, sessions + HORIZON, tracks), axis=0)
        return np.asarray(total[HORIZON:] - total[:-HORIZON])
    return draw(null, rng, sessions, tracks)


def first_at(log_wealth: Floats, level: float) -> Floats:
    """Sessions until the wealth reaches the level, infinite where it never does: ``[tracks]``."""
    reached = log_wealth >= np.log(level)
    return np.where(reached.any(axis=0), reached.argmax(axis=0) + 1.0, np.inf)


def ladder(differences: Floats, config: EConfig | None = None) -> tuple[Floats, Floats]:
    """Ours: logarithms of the wealth for and against."""
    track = e_process(differences, config)
    return track.log_e_for, track.log_e_against


def agrapa(differences: Floats) -> tuple[Floats, Floats]:
    """Stake mu/(sigma^2 + mu^2) of the past, in [0, 1/2] (Waudby-Smith and Ramdas 2024, section B.3)."""
    return _adaptive(differences, _agrapa_stakes)


def newton(differences: Floats) -> tuple[Floats, Floats]:
    """Online Newton steps on the logarithm of the wealth, stake in [0, 1/2] (section B.4)."""
    return _adaptive(differences, _newton_stakes)


def _adaptive(differences: Floats, stakes: Callable[[Floats], Floats]) -> tuple[Floats, Floats]:
    """Unit volatility is known here, which favours the adaptive stakes a little."""
    clip = EConfig().clip
    x = np.clip(differences, -clip, clip) / clip
    up, down = (np.cumsum(np.log1p(stakes(side * x) * side * x), axis=0) for side in (1.0, -1.0))
    return up, down


def _agrapa_stakes(x: Floats) -> Floats:
    n = np.arange(1.0, len(x) + 1.0)[:, None]
    start = 1.0 / EConfig().clip ** 2
    mean = np.cumsum(np.insert(x[:-1], 0, 0.0, axis=0), axis=0) / n
    square = (start + np.cumsum(np.insert(x[:-1] ** 2, 0, 0.0, axis=0), axis=0)) / n
    return np.clip(mean / square, 0.0, 0.5)


def _newton_stakes(x: Floats) -> Floats:
    out = np.empty_like(x)
    stake, curvature = np.zeros(x.shape[1]), np.ones(x.shape[1])
    for t in range(len(x)):
        out[t] = stake
        slope = -x[t] / (1.0 + stake * x[t])
        curvature = curvature + slope * slope
        stake = np.clip(stake - 2.0 / (2.0 - np.log(3.0)) * slope / curvature, 0.0, 0.5)
    return out


def null_table(tracks: int, years: int, seed: int) -> tuple[Table, bool]:
    """How often levels are ever reached, and whether every rate that is claimed is in order."""
    out = Table(
        "differences", "20 for (<= 0.05)", "5 against (<= 0.20)", title=f"{tracks} null tracks of {years} years"
    )
    order = True
    for i, null in enumerate(NULLS):
        hits = np.zeros(2, dtype=np.int64)
        for chunk in range(0, tracks, CHUNK):
            rng = np.random.default_rng([seed, i, chunk])
            d = null_differences(null, rng, years * SESSIONS_PER_YEAR, min(CHUNK, tracks - chunk))
            up, down = ladder(d)
            hits += [np.isfinite(first_at(up, 20.0)).sum(), np.isfinite(first_at(down, 5.0)).sum()]
        cells = []
        for count, nominal in zip(hits.tolist(), (0.05, 0.20), strict=True):
            bad = lower_bound(count, tracks) > nominal
            order = order and (not bad or null == NOT_CLAIMED)
            mark = " (no claim)" if null == NOT_CLAIMED else " TOO MANY" if bad else ""
            cells.append(f"{count / tracks:.4f} (<= {upper_bound(count, tracks):.4f}){mark}")
        out.add_row(null, *cells)
    return out, order


def power_table(tracks: int, years: int, seed: int) -> Table:
    """Median sessions to 20 for at each information ratio and to 5 against at its negative, with shares reached."""
    columns = [f"{label} at {sign}{r:g}" for label, sign in (("20 for", "+"), ("5 against", "-")) for r in RATIOS]
    bets = (("ladder", ladder), ("of the true ratio", None), ("aGRAPA", agrapa), ("online Newton", newton))
    out = Table("stake", *columns, title=f"median sessions (share reached in {years} years), {tracks} tracks")
    for name, bet in bets:
        cells = []
        for side, level in ((0, 20.0), (1, 5.0)):
            for ratio in RATIOS:
                mean = (1.0, -1.0)[side] * ratio / SESSIONS_PER_YEAR**0.5
                first = []
                for chunk in range(0, tracks, CHUNK):
                    rng = np.random.default_rng([seed, 1000, chunk])
                    d = draw("normal", rng, years * SESSIONS_PER_YEAR, min(CHUNK, tracks - chunk)) + mean
                    wealth = bet(d) if bet else ladder(d, EConfig(stakes=(abs(mean),)))
                    first.append(first_at(wealth[side], level))
                times = np.concatenate(first)
                middle = float(np.median(times))
                shown = f"{middle:.0f}" if np.isfinite(middle) else "never"
                cells.append(f"{shown} ({np.isfinite(times).mean():.0%})")
        out.add_row(name, *cells)
    return out


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nulls", type=int, default=4000)
    parser.add_argument("--power", type=int, default=1000)
    parser.add_argument("--years", type=int, default=5)
    parser.add_argument("--power-years", type=int, default=20)
    parser.add_argument("--seed", type=int, default=20)
    given = parser.parse_args()
    mark = time.perf_counter()
    console = Console(width=150)
    table, order = null_table(given.nulls, given.years, given.seed)
    console.print(table)
    console.print(power_table(given.power, given.power_years, given.seed))
    console.print(f"{time.perf_counter() - mark:.0f} s; null rates {'in order' if order else 'NOT IN ORDER'}")


if __name__ == "__main__":
    main()
