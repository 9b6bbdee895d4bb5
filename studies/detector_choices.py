"""What the defaults of the CUSUM rest on: whitening, mean or median, and how far a single value may go.

``uv run python -m studies.detector_choices`` finds for each variant the threshold at which panels of 53 features alarm
0.4 times a year on the worst null, and prints it with the median delay behind shifts of 0.5, 1 and 2 standard
deviations, as ``studies.detector_nulls`` does for the detectors that were chosen.
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from hydra_assets.stats.detectors.cusum import Cusum
from hydra_assets.stats.detectors.reference import Reference
from hydra_assets.stats.returns import SESSIONS_PER_YEAR
from studies.detector_draws import NULLS, draw, panels
from studies.detector_nulls import BATCH, LIVE, REFERENCE, onsets
from studies.detector_tables import AFTER, BEFORE, SHIFTS, median_delay

Floats = NDArray[np.float64]

SHARE = 0.4
GRID = np.concatenate([np.arange(4.0, 40.0, 0.25), np.arange(40.0, 300.0, 2.0)])
_MAD_TO_SD = 1.4826
DELAY_NULLS = ("normal", "student t4", "AR 0.9", "GARCH t")
VARIANTS = [
    (estimate, whiten, Cusum(k, clip))
    for estimate, whiten, k, clip in (
        ("mean", False, 0.5, 4.0),
        ("mean", True, 0.5, 50.0),
        ("mean", True, 0.5, 4.0),
        ("mean", True, 0.5, 3.0),
        ("mean", True, 0.5, 2.0),
        ("mean", True, 0.5, 1.5),
        ("median", True, 0.5, 4.0),
        ("median", True, 0.5, 2.0),
        ("mean", True, 0.25, 4.0),
        ("mean", True, 0.25, 2.0),
        ("mean", True, 0.25, 1.5),
        ("median", True, 0.25, 2.0),
        ("mean", True, 0.1, 2.0),
    )
]


def reference_of(training: Floats, estimate: str, whiten: bool) -> Reference:
    """Reference by mean and standard deviation as it is used, or with median and MAD in their place."""
    fitted = Reference.fit(training, whiten=whiten)
    if estimate == "mean":
        return fitted
    figures = fitted.figures.copy()
    figures[0], figures[1] = _robust(training)
    z = (training - figures[0]) / figures[1]
    if whiten:
        figures[3], figures[4] = _robust(z[1:] - figures[2] * z[:-1])
    measured = Reference(figures, fitted.sample, fitted.reason)
    return Reference(figures, np.sort(measured.standardised(training), axis=0), fitted.reason)


def _robust(values: Floats) -> tuple[Floats, Floats]:
    middle = np.median(values, axis=0)
    return middle, _MAD_TO_SD * np.median(np.abs(values - middle), axis=0)


def alarms(job: tuple[str, int]) -> list[NDArray[np.int64]]:
    """Alarms of one batch of panels at each threshold of the grid, by variant."""
    null, seed = job
    values = panels(null, np.random.default_rng([seed, NULLS.index(null)]), REFERENCE + LIVE, BATCH)
    references = {
        (estimate, whiten): reference_of(values[:REFERENCE], estimate, whiten)
        for estimate, whiten in {(e, w) for e, w, _ in VARIANTS}
    }
    return [
        onsets(cusum.statistics(values[REFERENCE:], references[estimate, whiten]).statistic, GRID, BATCH)
        for estimate, whiten, cusum in VARIANTS
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--panels", type=int, default=60, help="panels per null, five years each")
    parser.add_argument("--columns", type=int, default=400)
    parser.add_argument("--seed", type=int, default=31)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    batches = max(1, given.panels // BATCH)
    years = batches * BATCH * LIVE / SESSIONS_PER_YEAR
    rates = np.zeros((len(NULLS), len(VARIANTS), len(GRID)))
    jobs = [(null, given.seed + i) for null in NULLS for i in range(batches)]
    with ProcessPoolExecutor(given.processes, initializer=partial(os.nice, 10)) as pool:
        for (null, _), counts in zip(jobs, pool.map(alarms, jobs), strict=True):
            rates[NULLS.index(null)] += np.asarray(counts) / years
    shifts = " / ".join(f"{s:g}" for s in SHIFTS)
    out = Table("reference", "detector", "threshold", "worst null", *DELAY_NULLS, title=f"delay behind {shifts} sd")
    for v, (estimate, whiten, cusum) in enumerate(VARIANTS):
        bad = np.flatnonzero(rates[:, v].max(axis=0) > SHARE)
        place = int(bad[-1]) + 1 if len(bad) else 0
        worst = NULLS[int(rates[:, v, max(place - 1, 0)].argmax())]
        cells = []
        for null in DELAY_NULLS:
            values = draw(null, np.random.default_rng(7), REFERENCE + BEFORE + AFTER, given.columns)
            reference, live = reference_of(values[:REFERENCE], estimate, whiten), values[REFERENCE:]
            step = (np.arange(len(live)) >= BEFORE)[:, None]
            delays = [
                median_delay(cusum.statistics(live + s * step, reference).statistic, GRID[place], BEFORE)
                for s in SHIFTS
            ]
            cells.append(" / ".join(delays))
        label = f"{estimate}, {'innovations' if whiten else 'levels'}"
        out.add_row(label, cusum.name, f"{GRID[place]:g}", worst, *cells)
    Console(width=150).print(out)


if __name__ == "__main__":
    main()
