"""All targets of the options engine in one table: S1 to S7 and A1 to A4; A5 to A9 are a study of their own.

``uv run --group bench python -m benchmarks.options`` asks the three benchmarks of prices, early exercise and fits for
their rows, and measures S7 itself: ten years of one market, 2,500 sessions of 6 expiries of 40 quotes out of the money,
through the functions of the assets, in a process of its own that is held to one core. ``--only S7`` measures that,
``--sessions N`` fewer of it.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from importlib import import_module
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.table import Row, one_thread, print_table
from hydra_assets.columns import OPTION_QUOTES
from hydra_assets.sources.simulated.mixture import call_value, mixture

PARTS = ("benchmarks.options_pricing", "benchmarks.options_american", "benchmarks.options_fits")
SESSIONS, EXPIRIES, STRIKES = 2500, 6, 40
REACH_SDS = 2.5
FORWARD, TICK, HALF_SPREAD, RATE = 80.0, 0.001, 0.05, 0.04
MAX_SECONDS, MAX_SECONDS_BOOTSTRAP, MAX_RSS_GB = 25.0, 75.0, 1.0
MULTIPLIER = 40_000.0 / 100.0
FIRST = date(2016, 1, 4)


@dataclass(frozen=True, slots=True)
class Stage:
    """Processor seconds and the rows that came out of one step, and the process's peak memory after it."""

    name: str
    seconds: float
    rows: int
    peak_gb: float


def peak_gb() -> float:
    """Peak resident memory of this process so far, in units of 2^30 bytes.

    From /proc where there is one: the peak of getrusage is inherited from the parent process.
    """
    status = Path("/proc/self/status")
    if status.exists():
        high = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(high.split()[1]) / 1024**2
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


def ten_years(sessions: int) -> pl.DataFrame:
    """Rows of ``option_quotes`` with ``rate``: mixtures of two lognormals, half-spreads of 5 %, noise within them."""
    random = np.random.default_rng(7)
    n = sessions * EXPIRIES
    days = np.tile(np.array([25, 60, 90, 150, 210, 330]), sessions)
    years = days / 365.0
    sd = np.repeat(np.exp(random.normal(np.log(0.3), 0.25, sessions)), EXPIRIES) * np.sqrt(years)
    density = mixture((sd**2)[:, None], random.uniform(-0.9, 0.9, n)[:, None])
    forward = np.repeat(FORWARD * np.exp(np.cumsum(random.normal(0.0, 0.01, sessions))), EXPIRIES)
    moneyness = np.exp(np.linspace(-REACH_SDS, REACH_SDS, STRIKES) * sd[:, None])
    call = call_value(density, moneyness)
    price = forward[:, None] * np.exp(-RATE * years)[:, None] * np.where(moneyness >= 1.0, call, call - 1.0 + moneyness)
    half = np.maximum(HALF_SPREAD * price, 0.5 * TICK)
    mid = price + half * np.clip(0.5 * random.standard_normal(price.shape), -0.9, 0.9)
    bid = TICK * np.floor((mid - half) / TICK)
    weekdays = np.busday_offset(np.datetime64(FIRST), np.arange(sessions))
    session = np.repeat(weekdays, EXPIRIES)
    expiry = session + days.astype("timedelta64[D]")
    each = {
        "session": pl.Series(session).cast(pl.Date),
        "expiry": pl.Series(expiry).cast(pl.Date),
        "days_to_expiry": days.astype(np.int64),
        "year_fraction": years,
        "underlying_settle": forward,
        # Two expiries on each future, so that the calendar binds.
        "underlying_contract": np.array([f"HE-{2000 + i // 2}-01" for i in range(EXPIRIES)])[np.arange(n) % EXPIRIES],
    }
    slices = pl.DataFrame(each).with_row_index("slice")
    quotes = pl.DataFrame(
        {
            "slice": np.repeat(np.arange(n, dtype=np.uint32), STRIKES),
            "strike": (forward[:, None] * moneyness).ravel(),
            "right": np.where(moneyness >= 1.0, "C", "P").ravel(),
            "bid": np.where(bid > 0.0, bid, np.nan).ravel(),
            "ask": (TICK * np.ceil((mid + half) / TICK)).ravel(),
        }
    ).with_columns(pl.col("bid").fill_nan(None), pl.int_range(pl.len()).cast(pl.String).alias("option"))
    constants = {
        "market": "HE",
        "underlying_age_sessions": 0,
        "quote_age_hours": 1.0,
        "exercise": "american",
        "margin_style": "premium_upfront",
        "open_interest": 100.0,
        "volume": 10.0,
    }
    rows = quotes.join(slices, on="slice", maintain_order="left")
    rows = rows.with_columns(pl.lit(value).alias(name) for name, value in constants.items())
    return rows.select(
        *((pl.col(n) if n in rows.columns else pl.lit(None)).cast(t).alias(n) for n, t in OPTION_QUOTES.schema.items()),
        pl.lit(RATE).alias("rate"),
    )


def timed(name: str, stages: list[Stage], work: Callable[[], pl.DataFrame]) -> pl.DataFrame:
    """Run one step on the clock of this process."""
    mark = time.process_time()
    rows = work()
    stages.append(Stage(name, time.process_time() - mark, rows.height, peak_gb()))
    return rows


def child(quotes: Path, bootstrap: bool) -> None:
    """Run the chain of assets over the quotes on one core; the stages go to stdout as JSON.

    As in the assets, a step's input is gone when the last step that reads it is done.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    from hydra_assets.options.clean import QuoteTerms, clean  # noqa: PLC0415  compiled outside the clock, in the child
    from hydra_assets.options.greeks_flows import flows_of  # noqa: PLC0415
    from hydra_assets.options.implied_density import densities_of  # noqa: PLC0415
    from hydra_assets.options.vol_surface import fit_surface  # noqa: PLC0415
    from hydra_assets.options.vols import implied_vols  # noqa: PLC0415

    stages = [Stage("start", 0.0, 0, peak_gb())]
    judged = timed("clean_quotes", stages, lambda: clean(pl.read_parquet(quotes), QuoteTerms(TICK, 1.0)))
    vols = timed("implied_vols", stages, lambda: implied_vols(judged))
    surface = timed("vol_surface", stages, lambda: fit_surface(judged, vols))
    draws = {} if bootstrap else {"draws": 0}
    timed("implied_density", stages, lambda: densities_of(surface, vols, **draws))
    timed("greeks_flows", stages, lambda: flows_of(judged, surface, MULTIPLIER))
    print(json.dumps([asdict(stage) for stage in stages]))


def backfill(sessions: int) -> list[Row]:
    """S7, without and with the bootstrap; fewer sessions are measured as they are and scaled up in the verdict."""
    scale = SESSIONS / sessions
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "quotes.parquet"
        ten_years(sessions).write_parquet(file)
        for bootstrap, limit in ((False, MAX_SECONDS), (True, MAX_SECONDS_BOOTSTRAP)):
            command = [sys.executable, "-m", "benchmarks.options", "--child", str(file)]
            run = subprocess.run(  # noqa: S603  our own command line
                [*command, *(["--bootstrap"] if bootstrap else [])], capture_output=True, text=True, check=False
            )
            if run.returncode:
                sys.stderr.write(run.stderr)
                raise SystemExit("the measured process failed")
            stages = [Stage(**stage) for stage in json.loads(run.stdout.splitlines()[-1])]
            seconds = scale * sum(stage.seconds for stage in stages)
            how = "with" if bootstrap else "without"
            what = f"{sessions * EXPIRIES * STRIKES:,} quotes, {sessions * EXPIRIES:,} slices, {how} bootstrap"
            print(f"\nS7, {what}: processor seconds, rows, peak memory so far")
            for stage in stages:
                print(f"    {stage.name:18}{stage.seconds:8.2f}{stage.rows:>12,}{stage.peak_gb:8.2f} GB")
            note = "" if scale == 1.0 else f" (scaled by {scale:.1f})"
            rows.append(Row("S7", what, f"<= {limit:.0f} s", f"{seconds:.1f} s{note}", seconds <= limit))
            peak = max(stage.peak_gb for stage in stages)
            rows.append(
                Row("S7", f"    its peak memory, {how}", f"<= {MAX_RSS_GB:.0f} GB", f"{peak:.2f} GB", peak <= 1.0)
            )
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=[*(name.rsplit("_", 1)[1] for name in PARTS), "S7"])
    parser.add_argument("--sessions", type=int, default=SESSIONS)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--bootstrap", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        child(options.child, options.bootstrap)
        return
    rows: list[Row] = []
    for name in PARTS:
        if options.only in (None, name.rsplit("_", 1)[1]):
            print(f"{name} ...", flush=True)
            rows += import_module(name).rows()
    if options.only in (None, "S7"):
        rows += backfill(options.sessions)
    print_table(sorted(rows, key=lambda row: row.id), "Options engine: targets and what is measured")


if __name__ == "__main__":
    one_thread()
    main()
