"""False alarms of detectors where nothing changes, thresholds that keep to a budget, and the delay they cost.

``uv run python -m studies.detector_nulls --write`` simulates panels of 53 features (half of each feature's variance is
one of five common factors): normal, Student-t4, exponential, AR(1) of 0.3 and 0.9, GARCH(1, 1) with Student-t6 shocks;
504 sessions of reference, 1,260 sessions live. An alarm of a panel is a session on which an episode of any of its
features begins. For each detector and each rate of a ladder the threshold is found at which the worst null keeps to the
rate; fresh panels then measure what every null does there. Calibration (one series of outcomes) and performance (one
series of returns) likewise. ``--write`` replaces hydra_assets/stats/detectors/thresholds.json; without it the tables
that are stored are used for what follows.

Then: rates at the shares of the budget, the budget's sum, the median delay behind shifts of 0.5, 1 and 2 standard
deviations, and the run lengths of customary settings.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from hydra_assets.stats.detectors import thresholds
from hydra_assets.stats.detectors.alarms import episodes
from hydra_assets.stats.detectors.calibration import CalibrationCusum
from hydra_assets.stats.detectors.cusum import Cusum
from hydra_assets.stats.detectors.edge import EdgeCusum
from hydra_assets.stats.detectors.kolmogorov import KolmogorovSmirnov
from hydra_assets.stats.detectors.library import DELTA_LADDER, Adwin, Kswin
from hydra_assets.stats.detectors.page_hinkley import PageHinkley
from hydra_assets.stats.detectors.psi import Psi
from hydra_assets.stats.detectors.reference import Reference
from hydra_assets.stats.detectors.track import Detector
from hydra_assets.stats.returns import SESSIONS_PER_YEAR
from studies.detector_draws import FEATURES, NULLS, OUTCOME_NULLS, RETURN_NULLS, draw, outcomes, panels
from studies.detector_tables import budget_table, delay_tables, fact_table, rate_table

Floats = NDArray[np.float64]

REFERENCE, LIVE = 504, 1260
RATES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
BATCH = 5
SLOW_EVERY = 4
"""KSWIN and ADWIN take ten times as long as all others together and see one batch in four."""
SERIES_BATCH = 500
TABLE = Path(thresholds.__file__).with_name("thresholds.json")
FALLS = (0.063, 0.126, 0.252)
"""Sharpe +1 to 0 and +1 to -1 in one market, and the latter pooled over four."""

FEATURE_GRIDS: dict[Detector, Floats] = {
    Cusum(0.5): np.arange(6.0, 40.0, 0.25),
    Cusum(0.25): np.arange(10.0, 70.0, 0.5),
    PageHinkley(): np.geomspace(40.0, 400.0, 120),
    Psi(): np.geomspace(0.3, 6.0, 120),
    KolmogorovSmirnov(): np.arange(1.6, 6.0, 0.04),
    Kswin(): np.arange(3.0, 12.0, 0.1),
    Adwin(): np.array([-np.log10(delta) - 0.01 for delta in DELTA_LADDER]),
}
CALIBRATIONS = {CalibrationCusum(ratio): np.arange(1.5, 30.0, 0.1) for ratio in (1.5, 2.0)}
EDGES = {EdgeCusum(fall, 0.0): np.arange(0.3, 12.0, 0.05) for fall in FALLS}
GRIDS: dict[str, Floats] = {
    d.name: grid for family in (FEATURE_GRIDS, CALIBRATIONS, EDGES) for d, grid in family.items()
}


def onsets(statistic: Floats, grid: Floats, groups: int) -> NDArray[np.int64]:
    """Sessions with a new episode in any column of a group, summed over groups, at each threshold: ``[len(grid)]``."""
    highest = np.nanmax(np.where(np.isfinite(statistic), statistic, -np.inf), axis=0)
    group = np.arange(statistic.shape[1]) // (statistic.shape[1] // groups)
    counts = np.zeros(len(grid), dtype=np.int64)
    for i, h in enumerate(grid):
        columns = np.flatnonzero(highest > h)
        rows, places = np.nonzero(episodes(statistic[:, columns], h).onset)
        counts[i] = len(np.unique(rows * groups + group[columns[places]]))
    return counts


def feature_counts(job: tuple[str, int, int]) -> tuple[dict[str, NDArray[np.int64]], dict[str, float]]:
    """Alarms at each threshold and years watched, by detector, over one batch of panels: (null, seed, panels)."""
    null, seed, count = job
    values = panels(null, np.random.default_rng([seed, NULLS.index(null)]), REFERENCE + LIVE, count)
    reference = Reference.fit(values[:REFERENCE])
    found, years = {}, {}
    for detector, grid in FEATURE_GRIDS.items():
        if isinstance(detector, Kswin | Adwin) and seed % SLOW_EVERY:
            continue
        statistic = detector.statistics(values[REFERENCE:], reference).statistic
        found[detector.name] = onsets(statistic, grid, count)
        years[detector.name] = float(np.isfinite(statistic[:, 0]).sum()) * count / SESSIONS_PER_YEAR
    return found, years


def series_counts(job: tuple[str, int, int]) -> tuple[dict[str, NDArray[np.int64]], dict[str, float]]:
    """Likewise for the detectors of one series: (null, seed, series)."""
    null, seed, count = job
    found = {}
    if null in OUTCOME_NULLS:
        y, p = outcomes(null, np.random.default_rng([seed, 100 + OUTCOME_NULLS.index(null)]), LIVE, count)
        for chart, grid in CALIBRATIONS.items():
            found[chart.name] = onsets(chart.statistics(y, p).statistic, grid, count)
    else:
        noise = draw(null, np.random.default_rng([seed, 200 + RETURN_NULLS.index(null)]), LIVE, count)
        for edge, grid in EDGES.items():
            found[edge.name] = onsets(edge.statistics(noise + edge.good_mean).statistic, grid, count)
    return found, dict.fromkeys(found, LIVE * count / SESSIONS_PER_YEAR)


@dataclass(slots=True)
class Tally:
    """Alarms at each threshold of a grid, summed over batches of panels, which are independent of each other."""

    counts: Floats
    squares: Floats
    batches: int = 0
    years: float = 0.0

    def add(self, counts: NDArray[np.int64], years: float) -> None:
        """Add one batch."""
        self.counts += counts
        self.squares += counts.astype(np.float64) ** 2
        self.batches += 1
        self.years += years

    def rate(self) -> Floats:
        """Alarms a year."""
        return self.counts / self.years

    def standard_error(self) -> Floats:
        """Of the rate, from the spread over batches; at least that of one alarm.

        Alarms come in clusters where features share their volatility, so they are no Poisson process.
        """
        spread = self.squares - self.counts**2 / self.batches
        scale = self.batches / max(self.batches - 1, 1)
        out: Floats = np.sqrt(np.maximum(spread * scale, 1.0)) / self.years
        return out


Tallies = dict[str, dict[str, Tally]]


def gather(work: Any, jobs: Sequence[tuple[str, int, int]], processes: int) -> Tallies:
    """Run all batches: detector, null -> tally."""
    out: Tallies = {}
    with ProcessPoolExecutor(processes, initializer=partial(os.nice, 10)) as pool:
        for (null, *_), (found, years) in zip(jobs, pool.map(work, jobs), strict=True):
            for name, counts in found.items():
                zeros = np.zeros(len(counts))
                tally = out.setdefault(name, {}).setdefault(null, Tally(zeros, zeros.copy()))
                tally.add(counts, years[name])
    return out


def simulate(count: int, series: int, first_seed: int, processes: int) -> Tallies:
    """Simulate every null and every detector once."""
    features = [(null, first_seed + i, BATCH) for null in NULLS for i in range(max(1, count // BATCH))]
    single = [
        (null, first_seed + i, SERIES_BATCH)
        for null in (*OUTCOME_NULLS, *RETURN_NULLS)
        for i in range(max(1, series // SERIES_BATCH))
    ]
    return gather(feature_counts, features, processes) | gather(series_counts, single, processes)


def derive(tuned: Tallies, checked: Tallies) -> dict[str, Any]:
    """Thresholds of each detector: the lowest from which on no null of ``tuned`` exceeds the rate.

    A null exceeds a rate where its own rate and one standard error do.
    """
    entries: dict[str, Any] = {}
    for name, nulls in tuned.items():
        grid = GRIDS[name]
        worst = np.max([tally.rate() + tally.standard_error() for tally in nulls.values()], axis=0)
        rows = []
        for rate in RATES:
            bad = np.flatnonzero(worst > rate)
            place = int(bad[-1]) + 1 if len(bad) else 0
            if place in (0, len(grid)):
                print(f"{name}: the threshold of {rate:g} lies outside the grid", file=sys.stderr)
            if place == len(grid):
                continue
            measured = {
                null: {
                    "rate": round(float(tally.rate()[place]), 4),
                    "standard_error": round(float(tally.standard_error()[place]), 4),
                }
                for null, tally in checked[name].items()
            }
            rows.append({"rate": rate, "threshold": round(float(grid[place]), 4), "measured": measured})
        columns = FEATURES if name in {d.name for d in FEATURE_GRIDS} else 1
        entries[name] = {"columns": columns, "thresholds": rows}
    return entries


def main() -> None:
    """Print all tables; with ``--write`` make the stored one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument(
        "--panels", type=int, default=300, help="panels per null, five years each; half as many to check"
    )
    parser.add_argument("--series", type=int, default=10000, help="series per null, likewise")
    parser.add_argument("--columns", type=int, default=400, help="series per delay and run length")
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    mark = time.perf_counter()
    if given.write:
        tuned = simulate(given.panels, given.series, given.seed, given.processes)
        checked = simulate(given.panels // 2, given.series // 2, given.seed + 10**6, given.processes)
        content = {
            "command": f"uv run python -m studies.detector_nulls --write --panels {given.panels} "
            f"--series {given.series} --seed {given.seed}",
            "reference_sessions": REFERENCE,
            "live_sessions": LIVE,
            "detectors": derive(tuned, checked),
        }
        TABLE.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        thresholds.table.cache_clear()
    console = Console(width=150)
    for each in (
        rate_table(),
        budget_table(),
        *delay_tables([*FEATURE_GRIDS], [*CALIBRATIONS], [*EDGES], given.columns),
        fact_table(given.columns),
    ):
        console.print(each)
    console.print(f"{time.perf_counter() - mark:.0f} s")


if __name__ == "__main__":
    main()
