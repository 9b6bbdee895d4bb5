"""Real chains through the pipeline, beside what is known of them: milk, Bitcoin and Ether, Henry Hub.

``HYDRA_REAL_DATA=... uv run python -m studies.real_chains`` loads the option chains of that folder into a home of their
own, materialises every dataset, and prints what came out beside its target. ``--home DIR`` keeps the home, and reads it
where it is already there.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl

from hydra_assets.home import HomeConfig, Span, write_home
from hydra_assets.lake import Lake
from hydra_assets.markets.loader import load_markets
from hydra_assets.sources.detect import detect_sources
from hydra_console.bootstrap.environment import ensure, stop
from hydra_console.runner import JobRequest, Progress, run_job
from studies.real_comparisons import (
    at_the_money_jumps,
    daily_snapshots,
    iv_differences,
    milk_lines,
    settlement_lines,
    violations,
)
from studies.targets import Line, print_targets, show

NOW = "2026-11-20T23:45:00+00:00"
SPANS = {
    "BTC": (date(2026, 7, 6), date(2026, 7, 31)),
    "DC": (date(2012, 1, 3), date(2012, 1, 3)),
    "ETH": (date(2026, 7, 6), date(2026, 7, 31)),
    "NG": (date(2020, 10, 15), date(2020, 10, 16)),
}
CRYPTO = ("BTC", "ETH")
MAX_IV_DIFFERENCE_VOL_POINTS = 0.25
SHOWN = ("forward", "parity_forward", "quotes_seen", "quotes_used", "slice_reason", "atm_vol", "grade", "grade_reasons")


def load(home: Path, data: Path) -> None:
    """Make the home and materialise every dataset of every market over its span."""
    specs = load_markets()
    detected = detect_sources(data, [specs[symbol] for symbol in SPANS])
    config = HomeConfig(
        kind="real",
        markets=tuple(SPANS),
        history_start=min(first for first, _ in SPANS.values()),
        history_end=max(last for _, last in SPANS.values()),
        data=str(data),
        spans={market: Span(first=first, last=last) for market, (first, last) in SPANS.items()},
        bindings={market: tuple(found) for market, found in detected.bindings.items()},
    )
    write_home(home, config)
    ensure(home)
    from hydra_assets.defs.jobs import DATASETS_JOB, range_tags  # noqa: PLC0415  the home must be there

    with dg.DagsterInstance.get() as instance:
        for market, (first, last) in SPANS.items():
            request = JobRequest("hydra_assets.definitions", DATASETS_JOB, range_tags([market], first, last))
            outcome = run_job(instance, request, _show_step)
            print(f"{market}: {sum(outcome.materialised.values())} partitions in {outcome.seconds:.0f} s")
            for failure in outcome.failures:
                print(f"    {failure.step}: {failure.message}")
            if not outcome.success:
                raise SystemExit(f"{market} could not be loaded")


def _show_step(progress: Progress) -> None:
    if sys.stderr.isatty():
        print(f"\r{progress.done}/{progress.total} {progress.step:40}", end="", file=sys.stderr, flush=True)


def compare(lake: Lake) -> list[Line]:
    """Every comparison, from the datasets of the lake; tables are printed on the way."""
    quotes, vols, surface, density = (
        {market: lake.read(name, markets=[market]) for market in SPANS}
        for name in ("clean_quotes", "implied_vols", "vol_surface", "implied_density")
    )
    for market in SPANS:
        print(f"\n{market}: what became of its quotes, and the grades of its expiries")
        show(quotes[market].group_by("quote_reason").agg(pl.len().alias("quotes")).sort("quotes", descending=True))
        grades = density[market].select("session", "expiry", "grade", "grade_reasons")
        graded = surface[market].join(grades, on=["session", "expiry"], how="left")
        if graded.height <= 3:
            show(graded.select(SHOWN))
        show(graded.group_by("slice_reason", "grade").agg(pl.len().alias("slices")).sort("slice_reason", "grade"))
    lines = milk_lines(quotes["DC"], surface["DC"])
    for market in CRYPTO:
        terms = load_markets()[market].options
        assert terms is not None  # noqa: S101  both markets have options
        raw = lake.read("raw_option_chains", markets=[market]).filter(pl.col("source") == "csv:deribit")
        daily = daily_snapshots(raw, terms)
        every_day = iv_differences(daily)
        lines += [
            _close_to_mark(market, "sessions", iv_differences(vols[market])),
            _close_to_mark(market, "days, every expiry", every_day),
        ]
        print(f"\n{market}: own less mark volatility by expiry, in vol points, strikes within 1 sd")
        show(_by_expiry(every_day))
        lines += at_the_money_jumps(market, surface[market], quotes[market])
    for market in SPANS:
        lines += violations(market, surface[market], density[market])
    return lines + settlement_lines(quotes["NG"], surface["NG"], density["NG"])


def _close_to_mark(market: str, what: str, difference: pl.DataFrame) -> Line:
    size = difference["vol_points"].abs().to_numpy()
    days = difference["session"].n_unique()
    name = f"{market}: own less mark vol, {days} {what}, median, vol points"
    return Line("iv", name, float(np.median(size)) if len(size) else float("nan"), 0.0, MAX_IV_DIFFERENCE_VOL_POINTS)


def _by_expiry(difference: pl.DataFrame) -> pl.DataFrame:
    size = pl.col("vol_points").abs()
    return (
        difference.group_by("expiry")
        .agg(
            pl.len().alias("quotes"),
            size.median().alias("median"),
            size.quantile(0.95, "linear").alias("p95"),
            pl.col("vol_points").mean().alias("mean"),
            pl.col("half_spread_vol_points").median().alias("half-spread"),
        )
        .sort("expiry")
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, help="make the home here and keep it, or read it")
    options = parser.parse_args(arguments)
    data = os.environ.get("HYDRA_REAL_DATA")
    home = (options.home or Path(tempfile.mkdtemp(prefix="hydra-real-chains-"))).absolute()
    if not (home / "home.yaml").exists() and not data:
        raise SystemExit("HYDRA_REAL_DATA does not name the folder of real files")
    os.environ |= {"HYDRA_HOME": str(home), "HYDRA_NOW": NOW}
    os.environ.pop("HYDRA_POSTGRES_URL", None)
    try:
        if not (home / "home.yaml").exists():
            load(home, Path(str(data)))
        print_targets(compare(Lake(str(home / "lake"))))
    finally:
        stop(home)
        if not options.home:
            shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
