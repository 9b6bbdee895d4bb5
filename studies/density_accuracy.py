"""How well densities, their moments and their intervals agree with known truths: targets A5 to A9 and what is measured.

``uv run --group bench python -m studies.density_accuracy`` makes chains of a thin market around five known truths
(``studies/truths``), sends them through the pipeline's own functions, and prints the tables; ``--quick`` takes one draw
of five and no peers from outside. A new truth is one line in ``studies/truths/__init__.py``.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import gcd

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rich.progress import track

from hydra_assets.options.average import MODELS, Average
from hydra_assets.options.batch import batch_of, slice_ids
from hydra_assets.options.bootstrap import Uncertainty, uncertainty
from hydra_assets.options.clean import QuoteTerms, clean
from hydra_assets.options.moments import FINE, Statistic, at_the_money, statistics
from hydra_assets.options.slices import SliceQuotes, SmileSlices
from hydra_assets.options.smile_fits import Layout, fit_smiles
from hydra_assets.options.ssvi import Ssvi
from hydra_assets.options.vols import implied_vols
from studies.targets import Line, print_targets, show
from studies.truths import BUILDERS, FORWARD, YEARS, Floats
from studies.truths.chains import (
    DRAWS,
    EXPIRY,
    HALF_SPREADS,
    SEED,
    SESSION,
    STRIKES,
    TICK,
    Cell,
    bids_and_asks,
    design,
    option_quotes,
)
from studies.truths.peers import flat_at_the_money, oipd_density, smoothing_spline
from studies.truths.scores import Yardstick, true_statistics

AVERAGE, OIPD = "AICc average", "oipd"
OIPD_SLICES = 60
TERMS = QuoteTerms(tick=TICK, strike_interval=0.05 * FORWARD)
BUTTERFLY_POINTS, BUTTERFLY_SDS, BUTTERFLY_FLOOR = 2001, 8.0, -1e-6
CALENDAR_FLOOR = -1e-9
UNPUBLISHED = (Statistic.ATM_SKEW_TOTAL_VOL, Statistic.ATM_CURVATURE_TOTAL_VOL, Statistic.MODE)
"""Statistics that no dataset gives an interval."""
KURT_STRIKES = 12
"""Kurtosis is published from grade B on: fewer strikes do not identify it."""


@dataclass(frozen=True, slots=True)
class Estimates:
    """What the pipeline makes of the cells' chains."""

    quotes: SliceQuotes
    average: Average
    values: Floats
    uncertainty: Uncertainty

    @property
    def published(self) -> dict[str, SmileSlices]:
        """The single models, NaN where one does not stand, and their average."""
        return {**dict(zip(MODELS, self.average.models, strict=True)), AVERAGE: self.average}


def fitted(cells: Sequence[Cell], group: NDArray[np.int64], years: Floats) -> tuple[SliceQuotes, Average, pl.DataFrame]:
    """Chains through the pipeline's rules, inversion and fits; cells of one ``group`` are expiries of one future."""
    slices = pl.DataFrame({"market": [cell.name for cell in cells]}).with_columns(session=SESSION, expiry=EXPIRY)
    quotes = batch_of(implied_vols(clean(option_quotes(list(cells)), TERMS)), slices).quotes
    layout = Layout(group, np.arange(len(cells)), years, quotes.used.sum(axis=1))
    return quotes, fit_smiles(quotes, layout).average, slices


def estimate(cells: Sequence[Cell]) -> Estimates:
    """Fits, statistics and intervals, each cell the one expiry of its future."""
    quotes, smiles, slices = fitted(cells, np.arange(len(cells)), np.full(len(cells), YEARS))
    values = statistics(smiles, at_the_money(smiles), FINE)[0]
    base = smiles.models[0]
    assert isinstance(base, Ssvi)  # noqa: S101  the order of MODELS
    return Estimates(quotes, smiles, values, uncertainty(smiles, values, quotes, base, SEED, slice_ids(slices)))


def accuracy(cells: Sequence[Cell], found: Estimates) -> pl.DataFrame:
    """Scores of every estimator that sees all cells; a model's where it stands."""
    yardstick = Yardstick.of(cells)
    parts = [
        yardstick.score("flat ATM vol", flat_at_the_money(found.quotes, yardstick.x)),
        yardstick.score("smoothing spline", smoothing_spline(found.quotes, yardstick.x)),
    ]
    for name, slices in found.published.items():
        with np.errstate(all="ignore"):
            parts.append(yardstick.score_slices(name, slices, at_the_money(slices)))
    return pl.concat(parts)


def oipd_scores(cells: Sequence[Cell]) -> pl.DataFrame:
    """Scores of ``oipd`` on some cells, one after the other."""
    yardstick = Yardstick.of(cells)
    density = np.empty(yardstick.x.shape)
    for i, cell in enumerate(track(cells, description="oipd", disable=not sys.stderr.isatty())):
        strike, bid, ask = bids_and_asks(cell)
        there = np.isfinite(bid)
        density[i] = oipd_density(strike[there], bid[there], ask[there], yardstick.x[i])
    return yardstick.score(OIPD, density)


def spread_out(cells: Sequence[Cell], wanted: int) -> list[Cell]:
    """At most as many cells, in even steps that have no factor in common with the design's, so that all levels come."""
    step = -(-len(cells) // wanted)
    while gcd(step, len(HALF_SPREADS) * len(STRIKES) * DRAWS * 2) > 1:
        step += 1
    return list(cells[::step])


def butterfly_violations(found: Estimates) -> dict[str, int]:
    """Slices with g < -1e-6 on 2,001 points to 8 standard deviations, by what is published.

    g has the sign of the density: g = p sqrt(2 pi w) e^(d2^2/2), with p and w of the slice itself.
    """
    count = {}
    for name, slices in found.published.items():
        with np.errstate(all="ignore"):
            k = at_the_money(slices)[:, None] * np.linspace(-BUTTERFLY_SDS, BUTTERFLY_SDS, BUTTERFLY_POINTS)
            w, p = slices.total_variance(k), slices.density(k)
            g = p * np.sqrt(2.0 * np.pi * w) * np.exp(0.5 * (k / np.sqrt(w) + 0.5 * np.sqrt(w)) ** 2)
            count[name] = int((g < BUTTERFLY_FLOOR).any(axis=1).sum())
    return count


def calendar_violations(truths: Sequence[str]) -> tuple[int, int, int]:
    """Pairs of neighbouring expiries of one future whose published total variance falls, of how many, and withdrawals.

    Each chain of the design has two later expiries: its truth with 0.06 and 0.09 of independent log standard deviation.
    Withdrawn are slices of fewer than eight quotes, if they do not go with their neighbours.
    """
    first = design(tuple(truths), draws=1)
    expiries = [[replace(cell, truth=f"{cell.truth}{later}") for cell in first] for later in ("", "+0.06", "+0.09")]
    n = len(first)
    group, years = np.tile(np.arange(n), len(expiries)), np.repeat(YEARS * np.arange(1.0, 1.0 + len(expiries)), n)
    _, smiles, _ = fitted([cell for part in expiries for cell in part], group, years)
    falls = total = 0
    for i in range(len(expiries) - 1):
        before, after = (smiles.take(slice(j * n, (j + 1) * n)) for j in (i, i + 1))
        with np.errstate(all="ignore"):
            k = at_the_money(after)[:, None] * np.linspace(-BUTTERFLY_SDS, BUTTERFLY_SDS, BUTTERFLY_POINTS)
            gain = after.total_variance(k) - before.total_variance(k)
        falls += int((gain < CALENDAR_FLOOR).any(axis=1).sum())
        total += int(np.isfinite(gain).any(axis=1).sum())
    return falls, total, int((~smiles.standing).sum())


def coverage(cells: Sequence[Cell], found: Estimates) -> pl.DataFrame:
    """Share of 90 % intervals that hold the truth, by statistic and truth; a slice without an interval is left out."""
    names = sorted({cell.truth for cell in cells})
    exact = dict(zip(names, true_statistics(names), strict=True))
    true = np.array([exact[cell.truth] for cell in cells])
    low, high = found.uncertainty.low, found.uncertainty.high
    parts = []
    for column, statistic in enumerate(Statistic):
        if statistic in UNPUBLISHED:
            continue
        known = np.isfinite(low[:, column])
        if statistic is Statistic.KURT:
            known &= np.array([cell.strikes >= KURT_STRIKES for cell in cells])
        parts.append(
            pl.DataFrame(
                {
                    "statistic": str(statistic),
                    "truth": [cell.truth for cell in cells],
                    "stale": [cell.stale for cell in cells],
                    "covered": (low[:, column] <= true[:, column]) & (true[:, column] <= high[:, column]),
                }
            ).filter(pl.Series(known))
        )
    return pl.concat(parts)


def summary(scores: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Medians and the 95th percentile of L1 in groups; ``failed`` are cells without an answer."""
    return (
        scores.with_columns(pl.col("l1", "sd_error", "skew_error").fill_nan(None))
        .group_by(by, maintain_order=True)
        .agg(
            pl.len().alias("slices"),
            pl.col("l1").null_count().alias("failed"),
            pl.col("l1").median().alias("L1 median"),
            pl.col("l1").quantile(0.95, "linear").alias("L1 p95"),
            (100.0 * pl.col("sd_error").median()).alias("sd error %"),
            pl.col("skew_error").median().alias("skew error"),
        )
    )


def targets(
    scores: pl.DataFrame, covered: pl.DataFrame, butterflies: dict[str, int], calendar: tuple[int, int, int]
) -> list[Line]:
    """Targets A5 to A9."""
    own = summary(scores.filter(pl.col("estimator") == AVERAGE), ["estimator"]).row(0, named=True)
    lines = [
        Line("A5", "L1 error of the density, median", own["L1 median"], 0.0, 0.030),
        Line("A5", "L1 error of the density, p95", own["L1 p95"], 0.0, 0.13),
        Line("A5", "error of sd, median, %", own["sd error %"], 0.0, 0.5),
        Line("A5", "error of skew, median", own["skew error"], 0.0, 0.035),
        Line("A5", "slices without a density", own["failed"], 0.0, 0.0),
    ]
    theirs = scores.filter((pl.col("estimator") == OIPD) & pl.col("l1").is_finite())
    if len(theirs):
        ours = scores.filter((pl.col("estimator") == AVERAGE) & pl.col("cell").is_in(theirs["cell"].to_list()))
        a, b = (summary(part, ["estimator"]).row(0, named=True) for part in (ours, theirs))
        lines.append(
            Line("A6", f"L1 median over oipd's, same {len(theirs)} slices", a["L1 median"] / b["L1 median"], 0, 0.5)
        )
        lines.append(Line("A6", "L1 p95 over oipd's", a["L1 p95"] / b["L1 p95"], 0, 0.7))
    halves = summary(scores.filter(pl.col("estimator") == AVERAGE), ["stale"])
    median = dict(halves.select("stale", "L1 median").iter_rows())
    lines.append(Line("A7", "L1 median, 12 % of quotes stale over clean", median[True] / median[False], 0.0, 1.8))
    lines += [Line("A8", f"slices with a butterfly arbitrage, {name}", n, 0.0, 0.0) for name, n in butterflies.items()]
    falls, pairs, withdrawn = calendar
    what = f"pairs of expiries with a calendar arbitrage, of {pairs}; {withdrawn} withdrawn"
    lines.append(Line("A8", what, falls, 0.0, 0.0))
    for (statistic,), part in covered.group_by(["statistic"], maintain_order=True):
        lines.append(Line("A9", f"coverage of {statistic}, %", 100.0 * _mean(part), 88.0, 97.0))
        worst = min((100.0 * _mean(group), str(name)) for (name,), group in part.group_by(["truth"]))
        lines.append(Line("A9", f"    its worst truth, {worst[1]}, %", worst[0], 80.0, 100.0))
    return lines


def _mean(covered: pl.DataFrame) -> float:
    return float(covered["covered"].to_numpy().mean())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one draw of five, no oipd")
    parser.add_argument("--truths", nargs="+", choices=list(BUILDERS), default=list(BUILDERS))
    parser.add_argument("--oipd", type=int, default=OIPD_SLICES, metavar="N", help="slices for oipd, 0 for none")
    options = parser.parse_args(arguments)
    cells = design(tuple(options.truths), 1 if options.quick else DRAWS)
    print(f"{len(cells)} chains of {', '.join(options.truths)}")
    start = time.perf_counter()
    found = estimate(cells)
    scores = accuracy(cells, found)
    print(f"fits, intervals and scores in {time.perf_counter() - start:.0f} s")
    wanted = 0 if options.quick else options.oipd
    if wanted:
        scores = pl.concat([scores, oipd_scores(spread_out(cells, wanted))])
    show(summary(scores, ["estimator"]))
    own = scores.filter(pl.col("estimator") == AVERAGE)
    for by in (["truth"], ["strikes"], ["half_spread"], ["stale"]):
        show(summary(own, by))
    covered = coverage(cells, found)
    show(
        covered.with_columns((100.0 * pl.col("covered").cast(pl.Float64)).alias("covered")).pivot(
            "truth", index="statistic", values="covered", aggregate_function="mean"
        )
    )
    print_targets(targets(scores, covered, butterfly_violations(found), calendar_violations(options.truths)))


if __name__ == "__main__":
    main()
