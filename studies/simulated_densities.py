"""Densities of the simulated market's own asset graph against the simulator's true ones: the same table as for A5.

``uv run python -m studies.simulated_densities`` makes a simulated home, materialises every dataset, reads
``implied_density`` from its lake, and only then looks at the truth. ``--home DIR`` keeps the home, and reads it where
it is already there; ``--days N`` is the length of its history.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
from numpy.typing import NDArray

from hydra_assets.home import DEFAULT_SIM_MARKETS, HomeConfig, read_home, write_home
from hydra_assets.lake import Lake
from hydra_assets.markets.loader import markets_of
from hydra_assets.options.density import Z_GRID
from hydra_assets.sources.simulated.truth import world_truth
from hydra_assets.sources.simulated.world import World
from hydra_console.bootstrap.environment import ensure, stop
from hydra_console.runner import JobRequest, Progress, run_job
from studies.targets import Line, print_targets, show

NOW = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
LAST = date(2026, 11, 20)
KEY = ["market", "session", "expiry"]
MOMENTS = ("mean", "sd", "skew", "kurt")
NORMAL_90 = 1.6448536269514722
Floats = NDArray[np.float64]


def load(home: Path, days: int) -> None:
    """Make the home and materialise reports and datasets over all of its history."""
    first = LAST - timedelta(days=days)
    config = HomeConfig(kind="simulated", markets=DEFAULT_SIM_MARKETS, history_start=first, history_end=LAST)
    write_home(home, config)
    ensure(home)
    from hydra_assets.defs.jobs import (  # noqa: PLC0415  the home must be there
        DATASETS_JOB,
        REPORTS_JOB,
        range_tags,
        week_tags,
    )

    tags = {REPORTS_JOB: week_tags(first, LAST), DATASETS_JOB: range_tags(DEFAULT_SIM_MARKETS, first, LAST)}
    with dg.DagsterInstance.get() as instance:
        for job, range_of_job in tags.items():
            outcome = run_job(instance, JobRequest("hydra_assets.definitions", job, range_of_job), _show_step)
            print(f"{job}: {sum(outcome.materialised.values()):,} partitions in {outcome.seconds:.0f} s")
            if not outcome.success:
                raise SystemExit("\n".join(f"{f.step}: {f.message}" for f in outcome.failures))


def _show_step(progress: Progress) -> None:
    if sys.stderr.isatty():
        print(f"\r{progress.done}/{progress.total} {progress.step:40}", end="", file=sys.stderr, flush=True)


def truth_of(home: Path) -> pl.DataFrame:
    """True densities of the home's options: parameters of two lognormals per market, session and expiry."""
    config = read_home(home)
    specs = list(markets_of(config, home).values())
    return world_truth(World(), config.seed, specs, config.history_start, LAST)["density"]


def scores(density: pl.DataFrame, truth: pl.DataFrame) -> pl.DataFrame:
    """One row per published density: its distance from the truth, errors of its moments, and what the intervals hold.

    Slices below grade C have no density and no row. L1 is over the published grid of z; ``flat_l1`` is that of a
    lognormal at the slice's own at-the-money volatility.
    """
    shown = density.filter(pl.col("density").is_not_null())
    both = shown.join(truth.drop("forward"), on=KEY, how="inner", maintain_order="left")
    unit = both["density_unit"].to_numpy()[:, None]
    k, step = Z_GRID * unit, float(Z_GRID[1] - Z_GRID[0])
    found = np.array(both["density"].to_list()).reshape(len(both), len(Z_GRID))
    weight, mean, sd = _components(both)
    true = np.zeros_like(k)
    for p, m, s in zip(weight, mean, sd, strict=True):
        true += p[:, None] * _normal(k, m, s) * unit
    flat = _normal(k, -0.5 * unit[:, 0] ** 2, unit[:, 0]) * unit
    exact = dict(zip(MOMENTS, _moments(weight, mean, sd), strict=True))
    out = both.select(*KEY, "grade", "days_to_expiry").with_columns(
        pl.Series("l1", np.abs(found - true).sum(axis=1) * step),
        pl.Series("flat_l1", np.abs(flat - true).sum(axis=1) * step),
    )
    for name in MOMENTS:
        own, se = (both[column].cast(pl.Float64).fill_null(np.nan).to_numpy() for column in (name, f"{name}_se"))
        away = np.abs(own - exact[name]) / (exact["sd"] if name == "sd" else 1.0)
        inside = pl.Series(np.abs(own - exact[name]) <= NORMAL_90 * se)
        known = pl.Series(np.isfinite(own) & np.isfinite(se))
        out = out.with_columns(
            pl.Series(f"{name}_error", away, nan_to_null=True),
            pl.when(known).then(inside).alias(f"{name}_covered"),
        )
    return out


def _components(rows: pl.DataFrame) -> tuple[Floats, Floats, Floats]:
    """Weights, log means and log standard deviations of the two components, ``[2, n]`` each."""
    minor = rows["minor_weight"].to_numpy()
    sd = np.array([rows["minor_sd"].to_numpy(), rows["major_sd"].to_numpy()])
    mean = np.log([rows["minor_mean"].to_numpy(), rows["major_mean"].to_numpy()]) - 0.5 * sd * sd
    return np.array([minor, 1.0 - minor]), mean, sd


def _normal(k: Floats, mean: Floats, sd: Floats) -> Floats:
    z = (k - mean[:, None]) / sd[:, None]
    p: Floats = np.exp(-0.5 * z * z) / (sd[:, None] * np.sqrt(2.0 * np.pi))
    return p


def _moments(weight: Floats, mean: Floats, sd: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Mean, standard deviation, skew and kurtosis of a mixture of normals, ``[n]`` each."""
    middle = (weight * mean).sum(axis=0)
    d, v = mean - middle, sd * sd
    second = (weight * (v + d**2)).sum(axis=0)
    third = (weight * (3.0 * d * v + d**3)).sum(axis=0)
    fourth = (weight * (3.0 * v**2 + 6.0 * d**2 * v + d**4)).sum(axis=0)
    return middle, np.sqrt(second), third / second**1.5, fourth / second**2


def summary(table: pl.DataFrame, by: str) -> pl.DataFrame:
    """Medians and coverage in groups."""
    return (
        table.group_by(by)
        .agg(
            pl.len().alias("densities"),
            pl.col("l1").median().alias("L1 median"),
            pl.col("l1").quantile(0.95, "linear").alias("L1 p95"),
            pl.col("flat_l1").median().alias("flat vol L1"),
            (100.0 * pl.col("sd_error").median()).alias("sd error %"),
            pl.col("skew_error").median().alias("skew error"),
            *((100.0 * pl.col(f"{name}_covered").mean()).alias(f"{name} in 90 %") for name in MOMENTS),
        )
        .sort(by)
    )


def targets(table: pl.DataFrame) -> list[Line]:
    """The targets of the accuracy study, on the densities that the assets published."""
    l1, sd, skew = (table[name].drop_nulls().to_numpy() for name in ("l1", "sd_error", "skew_error"))
    lines = [
        Line("A5", "L1 error of the density, median", float(np.median(l1)), 0.0, 0.030),
        Line("A5", "L1 error of the density, p95", float(np.quantile(l1, 0.95)), 0.0, 0.13),
        Line("A5", "error of sd, median, %", 100.0 * float(np.median(sd)), 0.0, 0.5),
        Line("A5", "error of skew, median", float(np.median(skew)), 0.0, 0.035),
    ]
    for name in MOMENTS:
        covered = table[f"{name}_covered"].drop_nulls().to_numpy()
        if len(covered):
            lines.append(Line("A9", f"coverage of {name}, %", 100.0 * float(covered.mean()), 88.0, 97.0))
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, help="make the home here and keep it, or read it")
    parser.add_argument("--days", type=int, default=730)
    options = parser.parse_args(arguments)
    home = (options.home or Path(tempfile.mkdtemp(prefix="hydra-simulated-densities-"))).absolute()
    os.environ |= {"HYDRA_HOME": str(home), "HYDRA_NOW": NOW.isoformat()}
    os.environ.pop("HYDRA_POSTGRES_URL", None)
    try:
        if not (home / "home.yaml").exists():
            load(home, options.days)
        density = Lake(str(home / "lake")).read("implied_density")
        table = scores(density, truth_of(home))
        whole = density["density"].count()
        print(f"{density.height:,} slices, {whole:,} of grade C or better, {table.height:,} with a known truth")
        for by in ("market", "grade"):
            show(summary(table, by))
        print_targets(targets(table))
    finally:
        stop(home)
        if not options.home:
            shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
