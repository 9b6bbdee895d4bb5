"""Fit the options engine's errors on a full home of the simulated market: ``python -m studies.worlds.calibrate``.

Truth and engine are compared session by session at the same expiries (those the engine found usable). The errors are
measured in the engine's own standard errors, which makes quiet and noisy sessions alike.
"""

import argparse
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

from hydra_assets.home import DEFAULT_SIM_MARKETS, read_home
from hydra_assets.lake import Lake
from hydra_assets.markets.loader import load_markets
from hydra_assets.sources.simulated.market import SimulatedMarket, build_market
from hydra_assets.sources.simulated.world import World
from studies.worlds.calibration import (
    COMPONENTS,
    ERRORS,
    FILE,
    MOMENTS,
    PROBABILITIES,
    SCALED_BY,
    WIDTH_BINS,
    Calibration,
    Grades,
    Law,
    Line,
    MarketCalibration,
    save,
    se_terms,
)
from studies.worlds.memory import LAGS, Targets, autocorrelation, memory_of, tuned
from studies.worlds.slices import Slices, slices_of, tenor

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

KEY = ["market", "session"]
MIN_LINE_SESSIONS = 300
"""Sessions below which a slope is not estimated but taken for one: the kurtosis of the thinnest market has 57."""


def main() -> None:
    """Fit and write the file beside this module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="a simulated home with all datasets materialised")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name(FILE))
    options = parser.parse_args()
    found = calibrate(options.home)
    save(found, options.output)
    for name, market in found.markets.items():
        slopes = ", ".join(f"{m} {line.slope:.2f}" for m, line in market.lines.items())
        print(f"{name}: {market.sessions} sessions; slopes {slopes}")


def calibrate(home: Path) -> Calibration:
    """Calibration of the home's markets. The home must hold the default world, whatever its seed."""
    config = read_home(home)
    lake = Lake(str(home / "lake"))
    markets, days = {}, list[date]()
    for name in DEFAULT_SIM_MARKETS:
        moments = lake.read("implied_moments", markets=[name]).filter(pl.col("tenor").is_in(["60d", "90d"]))
        density = lake.read("implied_density", markets=[name], columns=[*KEY, "expiry", "grade"])
        days = moments["session"].unique().sort().to_list()
        market = build_market(load_markets()[name], World(), config.seed, config.history_start, days[-1])
        if market is None or len(market.path.sessions) != len(days):
            msg = f"{name}: the home's sessions are not those of the world from {config.history_start}"
            raise ValueError(msg)
        markets[name] = _market(market, moments, density)
    return Calibration(
        command="uv run python -m studies.worlds.calibrate --home HOME",
        seed=config.seed,
        first=str(days[0]),
        last=str(days[-1]),
        markets=markets,
    )


def _market(market: SimulatedMarket, moments: pl.DataFrame, density: pl.DataFrame) -> MarketCalibration:
    slices = slices_of(market)
    rank = grade_ranks(market, slices, density)
    near, far = (tenor(slices, rank > 0, days) for days in (60.0, 90.0))
    at_60, at_90 = (moments.filter(pl.col("tenor") == t).sort("session") for t in ("60d", "90d"))
    engine = {name: _numbers(at_60, name) for name in MOMENTS if name != "later_vol"}
    engine["later_vol"] = _numbers(at_90, "atm_vol")
    truth = near.values | {"later_vol": far.values["atm_vol"]}
    grade_b = (at_60["grade"] == "B").fill_null(value=False).to_numpy().astype(np.float64)
    engine["kurt"] = np.where(grade_b > 0.0, engine["kurt"], np.nan)
    se = {name: _numbers(at_60, f"{name}_se") for name in ERRORS}
    rows, first_place = np.arange(len(grade_b)), np.maximum(near.first, 0)
    with np.errstate(invalid="ignore"):
        terms = se_terms(
            grade_b,
            near.across.astype(np.float64),
            truth["atm_vol"],
            near.share,
            (slices.days[rows, first_place], slices.width[rows, first_place]),
        )
    lines, errors, scores, laws, coefficients = {}, {}, {}, {}, {}
    for name in MOMENTS:
        lines[name], error = _line(truth[name], engine[name])
        errors[name] = error
        scores[name] = error / (se[SCALED_BY[name]] if name in SCALED_BY else truth[name])
    for name in ERRORS:
        usable = np.isfinite(terms).all(axis=1) & (se[name] > 0.0)
        usable &= grade_b > 0.0 if name == "kurt" else True
        log_se = np.log(np.where(usable, se[name], 1.0))
        beta = np.linalg.lstsq(terms[usable], log_se[usable], rcond=None)[0]
        coefficients[name] = tuple(np.round(beta, 6).tolist())
        scores[f"{name}_se"] = np.where(usable, log_se - (np.where(usable[:, None], terms, 0.0) @ beta), np.nan)
    for name, values in scores.items():
        near_r, far_r = (autocorrelation(normal_scores(values), lag) for lag in LAGS)
        slow, decay = memory_of(near_r, far_r)
        levels = np.round(np.nanquantile(values, PROBABILITIES), 6)
        laws[name] = Law(quantiles=tuple(levels.tolist()), slow=slow, decay=decay)
    first = MarketCalibration(
        sessions=int(np.isfinite(scores["tilt"]).sum()),
        grades=_grades(slices, rank),
        lines=lines,
        laws=laws,
        se=coefficients,
        correlation=_correlation([normal_scores(scores[name]) for name in COMPONENTS]),
    )
    return tuned(market, slices, first, Targets(errors, rank))


def grade_ranks(market: SimulatedMarket, slices: Slices, density: pl.DataFrame) -> NDArray[np.int64]:
    """Rank of each slice's grade in the places of ``slices``: 0 below C or absent, 1 C, 2 B or better."""
    if market.series is None:
        msg = f"{market.path.spec.symbol} has no options"
        raise ValueError(msg)
    rows = market.path.sessions
    at = np.searchsorted(rows, density["session"].to_numpy().astype("datetime64[D]"))
    series = np.searchsorted(market.series.expiry, density["expiry"].to_numpy().astype("datetime64[D]"))
    ranks = density["grade"].replace_strict({"A": 2, "B": 2, "C": 1}, default=0, return_dtype=pl.Int64).to_numpy()
    table = np.zeros((len(rows), len(market.series.expiry)), dtype=np.int64)
    table[at, series] = ranks
    return np.where(slices.listed, table[np.arange(len(rows))[:, None], np.maximum(slices.series, 0)], 0)


def _numbers(frame: pl.DataFrame, name: str) -> Floats:
    return frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy()


def _line(truth: Floats, engine: Floats) -> tuple[Line, Floats]:
    """Least-squares line and what is left, ``[n]``; the outermost hundredth of errors does not tilt it."""
    both = np.isfinite(truth) & np.isfinite(engine)
    apart = np.abs(engine - truth)
    fitted = both & (apart <= np.nanquantile(apart[both], 0.99))
    slope, level = np.polyfit(truth[fitted], engine[fitted], 1)
    if fitted.sum() < MIN_LINE_SESSIONS:
        slope, level = 1.0, float(np.mean(engine[fitted] - truth[fitted]))
    line = Line(level=round(float(level), 6), slope=round(float(slope), 6))
    return line, np.where(both, engine - line.level - line.slope * truth, np.nan)


def normal_scores(values: Floats) -> Floats:
    """Normal scores of the finite values by rank, ``[n]``, NaN elsewhere."""
    out = np.full(len(values), np.nan)
    there = np.isfinite(values)
    out[there] = ndtri((rankdata(values[there]) - 0.5) / there.sum())
    return out


def _correlation(columns: list[Floats]) -> tuple[tuple[float, ...], ...]:
    """Correlations of pairs that are both there, moved to the nearest positive definite matrix by its eigenvalues."""
    n = len(columns)
    out = np.eye(n)
    for i in range(n):
        for j in range(i):
            both = np.isfinite(columns[i]) & np.isfinite(columns[j])
            out[i, j] = out[j, i] = np.corrcoef(columns[i][both], columns[j][both])[0, 1] if both.sum() > 30 else 0.0
    values, vectors = np.linalg.eigh(out)
    fixed = (vectors * np.maximum(values, 1e-3)) @ vectors.T
    size = np.sqrt(np.diag(fixed))
    return tuple(tuple(row) for row in np.round(fixed / np.outer(size, size), 4).tolist())


def _grades(slices: Slices, rank: NDArray[np.int64]) -> Grades:
    """Shares by width; the memory is a first guess that ``tuned`` corrects."""
    listed = slices.listed
    edges = np.round(np.quantile(slices.width[listed], np.arange(1, WIDTH_BINS) / WIDTH_BINS), 4)
    place = np.searchsorted(edges, slices.width[listed], side="left")
    counts = np.array([[np.sum(rank[listed][place == b] == k) for k in range(3)] for b in range(WIDTH_BINS)])
    shares = np.round(counts / counts.sum(axis=1, keepdims=True), 4)
    return Grades(
        edges=tuple(edges.tolist()),
        unusable=tuple(shares[:, 0].tolist()),
        grade_c=tuple(shares[:, 1].tolist()),
        slow=0.5,
        decay=0.95,
        common=0.1,
    )


if __name__ == "__main__":
    main()
