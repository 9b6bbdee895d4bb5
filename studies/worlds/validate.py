"""Fast worlds against the full chain on one world: ``python -m studies.worlds.validate --home HOME``.

Both start from the same latent states, so what differs is what was drawn. The calibration comes from the same home:
this shows that the drawing is faithful to it, not how much the engine's errors vary from world to world.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import rankdata

from hydra_assets.features.dictionary import FEATURES
from hydra_assets.home import DEFAULT_SIM_MARKETS, read_home
from hydra_assets.labels.known import LabelKind
from hydra_assets.lake import Lake
from hydra_assets.sources.simulated.truth import world_truth
from hydra_assets.sources.simulated.world import World
from studies.worlds.world import fast_worlds, world_frames

Floats = NDArray[np.float64]
KEY = ["market", "session"]
COLUMNS = ("mean", "sd", "ac 1", "ac 5", "gap", "missing", "IC")
LIMITS = {"mean": 0.25, "sd": 0.2, "ac 1": 0.1, "ac 5": 0.1, "gap": 0.07, "missing": 0.05, "IC": 0.05}
"""Differences from which a feature counts as worse represented: of the mean in standard deviations, of the standard
deviation as a fraction, else absolute. A correlation over 5,000 dependent sessions has a standard error of about
0.03."""
TIMED_SEEDS = tuple(range(11, 21))


@dataclass(frozen=True, slots=True)
class Moments:
    """A feature's numbers in the order of ``COLUMNS``: within markets, averaged over them."""

    numbers: tuple[float, ...]

    def worse(self, other: "Moments") -> list[str]:
        """Names of the numbers in which the other is off by more than its limit."""
        out = []
        for name, own, there in zip(COLUMNS, self.numbers, other.numbers, strict=True):
            unit = self.numbers[1] if name in ("mean", "sd") else 1.0
            if abs(own - there) > LIMITS[name] * max(unit, 1e-12):
                out.append(name)
        return out


def main() -> None:
    """Print the table, the worse features and the speed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="a full simulated home of the default world")
    options = parser.parse_args()
    config = read_home(options.home)
    lake = Lake(str(options.home / "lake"))
    full = lake.read("feature_vector", markets=list(DEFAULT_SIM_MARKETS)).sort("session")
    first, last = config.history_start, full["session"].to_list()[-1]
    fast = world_frames(World(), config.seed, (first, last))
    latent = world_truth(World(), config.seed, fast.specs, first, last)["latent"]
    fixed = fast.labels.filter(pl.col("label_kind") == LabelKind.FIXED_HORIZON)
    outcomes = fixed.select("market", pl.col("decision_session").alias("session"), "label_return")
    beside = latent.select(*KEY, "gap").join(outcomes, on=KEY, how="left")
    _compare_exact(lake, fast.labels, fast.regimes)
    print_table(fast.features, full, beside)
    for count in (1, len(TIMED_SEEDS)):
        began = process_time()
        fast_worlds(1.0, TIMED_SEEDS[:count])
        print(f"{(process_time() - began) / count:.2f} s CPU a world of four markets and five years, {count} at a time")


def _compare_exact(lake: Lake, made: pl.DataFrame, regimes: pl.DataFrame) -> None:
    """Say whether labels and regimes, which nothing was drawn for, are those of the home."""
    for name, rows in (("labels", made), ("regimes", regimes)):
        stored = lake.read(name, markets=list(DEFAULT_SIM_MARKETS))
        key = [c for c in ("market", "session", "label_kind", "decision_session") if c in stored.columns]
        same = stored.sort(key).equals(rows.select(stored.columns).sort(key))
        print(f"{name}: {rows.height} rows, {'equal to' if same else 'NOT equal to'} the full chain's")


def print_table(fast: pl.DataFrame, full: pl.DataFrame, beside: pl.DataFrame) -> None:
    """Print both worlds' numbers of every feature, full chain first, and their correlation with each other."""
    head = "".join(f"{name:>17}" for name in COLUMNS)
    print(f"\n{'feature':26}{'same':>6}{head}")
    both = beside.join(full, on=KEY, how="left").join(fast, on=KEY, how="left", suffix="_fast").sort(KEY)
    poor = []
    for feature in FEATURES:
        exact, drawn = (moments_of(both, f"{feature.name}{end}") for end in ("", "_fast"))
        alike = _within(both, lambda part: _alike(part, feature.name))  # noqa: B023  called at once
        cells = "".join(f"{_short(a):>9}{_short(b):>8}" for a, b in zip(exact.numbers, drawn.numbers, strict=True))
        print(f"{feature.name:26}{alike:6.2f}{cells}")
        if found := exact.worse(drawn):
            poor.append(f"{feature.name} ({', '.join(found)})")
    print("\nWorse represented: " + ("; ".join(poor) if poor else "none"))


def moments_of(rows: pl.DataFrame, name: str) -> Moments:
    """Numbers of one feature; ``rows`` in order of market and session, with gap and label_return."""
    return Moments(
        (
            _within(rows, lambda part: float(np.nanmean(_of(part, name)))),
            _within(rows, lambda part: float(np.nanstd(_of(part, name)))),
            _within(rows, lambda part: _lagged(_of(part, name), 1)),
            _within(rows, lambda part: _lagged(_of(part, name), 5)),
            _within(rows, lambda part: _correlation(_of(part, name), _of(part, "gap"))),
            rows[name].null_count() / rows.height,
            _within(rows, lambda part: rank_correlation(_of(part, name), _of(part, "label_return"))),
        )
    )


def rank_correlation(x: Floats, y: Floats) -> float:
    """Spearman's over the pairs that are both there."""
    both = np.isfinite(x) & np.isfinite(y)
    return _correlation(rankdata(x[both]), rankdata(y[both])) if both.sum() > 2 else float("nan")


def _within(rows: pl.DataFrame, number: Callable[[pl.DataFrame], float]) -> float:
    return float(np.nanmean([number(part) for part in rows.partition_by("market", maintain_order=True)]))


def _alike(rows: pl.DataFrame, name: str) -> float:
    return _correlation(_of(rows, name), _of(rows, f"{name}_fast"))


def _of(rows: pl.DataFrame, name: str) -> Floats:
    return rows[name].cast(pl.Float64).fill_null(np.nan).to_numpy()


def _lagged(x: Floats, lag: int) -> float:
    return _correlation(x[lag:], x[:-lag])


def _correlation(x: Floats, y: Floats) -> float:
    both = np.isfinite(x) & np.isfinite(y)
    if both.sum() < 3 or np.ptp(x[both]) == 0.0 or np.ptp(y[both]) == 0.0:
        return float("nan")
    return float(np.corrcoef(x[both], y[both])[0, 1])


def _short(x: float) -> str:
    return f"{x:.0f}" if abs(x) >= 100 else f"{x:.3f}"


if __name__ == "__main__":
    main()
