"""Training of one candidate: 48 walk-forward folds of 100 trees on 4 markets x 1,250 sessions x 60 features.

``uv run python -m benchmarks.models`` prints wall and processor seconds, with bin edges of each fold's own and shared
by twelve folds, on one worker and on two, and what calibration, intervals and Shapley values add. The whole candidate
(with replay and statistics) has 8 s on two cores. Everything runs with one thread per library; workers are threads
that fit folds side by side. ``--library-threads 2`` adds a run with LightGBM's own two threads instead, which on a busy
machine takes minutes. ``--coverage`` prints instead how often either interval holds the true chance, by simulation:
the figures of decision 0016.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

import hydra_assets.models.lightgbm_model as boosted
from benchmarks.table import Row, one_thread, print_table
from hydra_assets.models.calibration import OutOfFold, calibrate
from hydra_assets.models.conformal import LEVEL, venn_abers
from hydra_assets.models.factory import BASELINES, ModelSpec, Sharing, fit_folds
from hydra_assets.models.lightgbm_model import LightGbm
from hydra_assets.models.network import Network
from hydra_assets.models.protocol import Fitted, Floats, Ints
from hydra_assets.models.shap_values import explain_fold, stability

MARKETS, SESSIONS, FEATURES, FOLDS = 4, 1250, 60, 48
FIRST_TRAIN = 242
EMBARGO = 6
HORIZON = 5
TREES = 100
BUDGET_SECONDS = 8.0
"""Of the whole candidate; the models must leave room for replay and statistics."""
START = np.datetime64("2019-01-01")


@dataclass(frozen=True, slots=True)
class Candidate:
    """Rows in the order of time, purged training rows and test rows of each fold, and the sessions of both."""

    matrix: Floats
    target: Floats
    train: list[Ints]
    test: list[Ints]

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names."""
        return tuple(f"feature_{j}" for j in range(FEATURES))


def candidate(seed: int = 1) -> Candidate:
    """Autocorrelated features, a tenth of them missing, three of which move the chance a little."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((SESSIONS, MARKETS, FEATURES))
    level = np.empty_like(noise)
    level[0] = noise[0]
    for i in range(1, SESSIONS):
        level[i] = 0.95 * level[i - 1] + np.sqrt(1.0 - 0.95**2) * noise[i]
    x = level.reshape(-1, FEATURES)
    chance = expit(0.25 * (x[:, 0] - x[:, 1] + x[:, 2] * x[:, 3]))
    y = (rng.random(len(x)) < chance).astype(np.float64)
    x[rng.random(x.shape) < 0.1] = np.nan
    width = (SESSIONS - FIRST_TRAIN) // FOLDS
    starts = [FIRST_TRAIN + k * width for k in range(FOLDS)]
    train = [np.arange((start - EMBARGO - HORIZON) * MARKETS, dtype=np.int64) for start in starts]
    test = [np.arange(start * MARKETS, (start + width) * MARKETS, dtype=np.int64) for start in starts]
    return Candidate(x, y, train, test)


def fitted(of: Candidate, spec: ModelSpec, sharing: Sharing) -> list[Fitted]:
    """Fit all folds."""
    weights = [np.ones(len(rows)) for rows in of.train]
    return fit_folds(spec, of.matrix, of.target, weights, of.train, of.names, 7, sharing)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds of the faster of two runs: what the machine adds is not the work's."""
    runs = []
    for _ in range(2):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        runs.append((time.perf_counter() - wall, time.process_time() - cpu))
    return min(runs)


def rows(of: Candidate, library_threads: int) -> list[Row]:
    """Measure all of it."""
    lightgbm = LightGbm(trees=TREES)
    own, shared = Sharing(folds_per_edges=1), Sharing()
    jobs: dict[str, Callable[[], object]] = {
        "48 x 100 trees, own edges, 1 worker": lambda: fitted(of, lightgbm, own),
        "48 x 100 trees, shared edges, 1 worker": lambda: fitted(of, lightgbm, shared),
        "48 x 100 trees, own edges, 2 workers": lambda: fitted(of, lightgbm, Sharing(2, 1)),
        "48 x 100 trees, shared edges, 2 workers": lambda: fitted(of, lightgbm, Sharing(2)),
        "48 x 100 trees, shared edges, 2 workers, 255 bins": lambda: fitted(
            of, LightGbm(trees=TREES, max_bin=255), Sharing(2)
        ),
        "48 x both baselines": lambda: [fitted(of, spec, own) for spec in BASELINES],
        "1 network of 60 passes": lambda: Network().fit(of.matrix, of.target, np.ones(len(of.matrix)), of.names, 7),
    }
    models = fitted(of, lightgbm, shared)
    probability = np.concatenate(
        [model.probability(of.matrix[test]) for model, test in zip(models, of.test, strict=True)]
    )
    tested = np.concatenate(of.test)
    decided = START + tested // MARKETS
    until = np.concatenate(
        [
            np.full(len(test), START + train[-1] // MARKETS + HORIZON)
            for train, test in zip(of.train, of.test, strict=True)
        ]
    )
    weights = np.ones(len(tested))
    out_of_fold = OutOfFold(probability, of.target[tested], weights, decided, until, overlap=float(HORIZON))
    jobs |= {
        "48 x prediction of the test rows": lambda: [
            model.probability(of.matrix[test]) for model, test in zip(models, of.test, strict=True)
        ],
        "48 x Shapley values of the test rows, and their stability": lambda: stability(
            [explain_fold(model, of.matrix[test]) for model, test in zip(models, of.test, strict=True)]
        ),
        "calibration and interval": lambda: (calibrate(out_of_fold), venn_abers(out_of_fold)),
    }
    found = []
    for index, (what, work) in enumerate(jobs.items(), start=1):
        wall, cpu = timed(work)
        measured = f"{wall:.2f} s, {cpu:.2f} s of processor"
        found.append(Row(f"M{index}", what, f"<= {BUDGET_SECONDS:.0f} s", measured, wall <= BUDGET_SECONDS))
    if library_threads > 1:
        boosted.THREADS = library_threads
        mark = time.perf_counter()
        fitted(of, lightgbm, shared)
        wall = time.perf_counter() - mark
        what = f"48 x 100 trees, shared edges, {library_threads} threads of LightGBM's own"
        found.append(Row("M0", what, "for comparison", f"{wall:.2f} s", wall <= BUDGET_SECONDS))
    return found


def coverage_rows(worlds: int = 60, asked: int = 100) -> list[Row]:
    """Share of true chances inside the pair and inside the band, and their mean widths."""
    found = []
    for n in (100, 300, 1000, 3000):
        rng = np.random.default_rng(1)
        inside, widths = np.zeros((worlds, 2)), np.zeros((worlds, 2))
        for world in range(worlds):
            # Scores that are too bold: the true log-odds are 0.4 times theirs plus 0.1.
            score = expit(rng.normal(0.0, 0.6, n + asked))
            chance = expit(0.4 * logit(score) + 0.1)
            y = (rng.random(n) < chance[:n]).astype(np.float64)
            decided = np.full(n, START)
            interval = venn_abers(OutOfFold(score[:n], y, np.ones(n), decided, decided - 1), LEVEL).interval(score[n:])
            for i, (low, high) in enumerate(((interval.p0, interval.p1), (interval.lower, interval.upper))):
                inside[world, i] = np.mean((low <= chance[n:]) & (chance[n:] <= high))
                widths[world, i] = np.mean(high - low)
        for i, (name, target) in enumerate((("pair", 0.0), ("band", LEVEL))):
            share, width = float(inside[:, i].mean()), float(widths[:, i].mean())
            wanted = f">= {target:.0%}" if target else "none stated"
            found.append(Row(f"{n}", f"{name}, {n} labels", wanted, f"{share:.1%}, width {width:.3f}", share >= target))
    return found


def main() -> None:
    """Measure and print; on a busy machine only the processor seconds say something."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library-threads", type=int, default=1)
    parser.add_argument("--coverage", action="store_true")
    arguments = parser.parse_args()
    one_thread()
    if arguments.coverage:
        print_table(coverage_rows(), "How often an interval holds the true chance")
        return
    print_table(rows(candidate(), arguments.library_threads), "One candidate: models")


if __name__ == "__main__":
    main()
