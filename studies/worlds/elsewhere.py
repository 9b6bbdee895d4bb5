"""The engine's errors in a world that the calibration has not seen: ``python -m studies.worlds.elsewhere``.

The full options chain of another seed, quotes to 60-day moments, in one process and without a home; beside it what is
drawn for the same world. Takes some minutes of one core.
"""

import argparse
from datetime import UTC, date, datetime, time
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hydra_assets.curated.quotes import option_quotes
from hydra_assets.home import DEFAULT_SIM_MARKETS, HomeConfig
from hydra_assets.markets.loader import load_markets
from hydra_assets.markets.model import MarketSpec
from hydra_assets.markets.rates import discount_rates
from hydra_assets.markets.sessions import calendar_of
from hydra_assets.options.clean import QuoteTerms, clean
from hydra_assets.options.implied_density import densities_of
from hydra_assets.options.implied_moments import moments_of
from hydra_assets.options.vol_surface import fit_surface
from hydra_assets.options.vols import implied_vols
from hydra_assets.sources.base import Dataset, ParseContext, Payload, SourceSettings
from hydra_assets.sources.simulated.chains import chain_rows
from hydra_assets.sources.simulated.market import SimulatedMarket, build_market
from hydra_assets.sources.simulated.source import CHAIN_MAP, NAME, SimulatedSource, write_chain
from hydra_assets.sources.simulated.world import World
from studies.worlds.calibrate import grade_ranks
from studies.worlds.calibration import load
from studies.worlds.cheap import curve_rows, grid_of
from studies.worlds.draws import draw, moment_rows
from studies.worlds.memory import autocorrelation
from studies.worlds.slices import slices_of, tenor

Floats = NDArray[np.float64]
SHOWN = ("tilt", "tilt_mode", "risk_reversal_25", "skew", "kurt", "atm_vol")
BOOTSTRAP_DRAWS = 60
"""As a home's default."""


def main() -> None:
    """Print, by market, the size and memory of the errors and the shares of sessions with moments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=77)
    parser.add_argument("--markets", nargs="+", default=list(DEFAULT_SIM_MARKETS))
    parser.add_argument("--first", type=date.fromisoformat, default=date(2024, 1, 2))
    parser.add_argument("--last", type=date.fromisoformat, default=date(2025, 6, 30))
    options = parser.parse_args()
    print(f"{'market':8}{'moment':18}{'middle 90 %':>22}{'rms':>18}{'ac 1':>14}{'grade B':>14}{'there':>14}")
    for name in options.markets:
        compare(load_markets()[name], options.seed, options.first, options.last)


def compare(spec: MarketSpec, seed: int, first: date, last: date) -> None:
    """Print the rows of one market: the engine's number, then the drawn one."""
    market = build_market(spec, World(), seed, first, last)
    if market is None:
        msg = f"{spec.symbol} has no session from {first} to {last}"
        raise ValueError(msg)
    slices, keys = slices_of(market), grid_of(market).keys
    density, moments = engine(market)
    near = tenor(slices, grade_ranks(market, slices, density) > 0, 60.0)
    drawn = draw(market, slices, load().markets[spec.symbol])
    rows = [frame.filter(tenor="60d") for frame in (moments, moment_rows(keys, slices, drawn))]
    truths = near.values, drawn.view.values
    for name in SHOWN:
        cells = []
        for frame, truth in zip(rows, truths, strict=True):
            error = frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy() - truth[name]
            low, high = np.nanquantile(error, [0.05, 0.95])
            grade_b = float((frame["grade"] == "B").sum()) / frame.height
            there = frame[name].count() / frame.height
            cells.append((high - low, np.sqrt(np.nanmean(error**2)), autocorrelation(error, 1), grade_b, there))
        pairs = zip(*cells, strict=True)
        text = "".join(f"{a:>12.4f}{b:>8.4f}" if k < 2 else f"{a:>8.2f}{b:>6.2f}" for k, (a, b) in enumerate(pairs))
        print(f"{spec.symbol:8}{name:18}{text}", flush=True)


def engine(market: SimulatedMarket) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of ``implied_density`` and ``implied_moments`` of all sessions, from quotes on."""
    grid, spec = grid_of(market), market.path.spec
    terms = spec.options
    if terms is None or market.series is None:
        msg = f"{spec.symbol} has no options"
        raise ValueError(msg)
    everything = slice(0, len(grid.sessions))
    chain = chain_rows(market.path, market.futures, market.series, market.curve, everything)
    payload = Payload(
        dataset=Dataset.OPTION_CHAINS,
        source=NAME,
        name="chain.csv",
        content=write_chain(spec, chain),
        fetched_at=datetime.combine(grid.sessions[-1], time(23, 59), UTC),
        meta={"market": spec.symbol, "map": CHAIN_MAP},
    )
    context = ParseContext({spec.symbol: spec}, {spec.symbol: calendar_of(spec)})
    home = HomeConfig(kind="simulated", markets=(spec.symbol,), history_start=grid.sessions[0])
    source = SimulatedSource(SourceSettings(Path(), home, Path(), {}))
    raw = source.parse(payload, context).rows
    # The partition's session, which an ingest adds and nothing here reads.
    raw = raw.with_columns(pl.lit(0, pl.Int64).alias("source_rank"), pl.col("event_session").alias("session"))
    cutoffs = grid.frame.select("session", "cutoff")
    quotes = option_quotes(raw, curve_rows(market, grid), spec.symbol, grid.calendar, grid.sessions, terms, cutoffs)
    rates = pl.DataFrame({"session": grid.sessions, "rate": discount_rates(spec, grid.sessions)})
    rated = quotes.join(rates, on="session", how="left", maintain_order="left")
    cleaned = clean(rated, QuoteTerms(terms.tick, terms.strike_interval)).with_columns(pl.col("rate").fill_nan(None))
    vols = implied_vols(cleaned)
    surface = fit_surface(cleaned, vols)
    density = densities_of(surface, vols, BOOTSTRAP_DRAWS)
    return density, moments_of(density, surface, grid.keys)


if __name__ == "__main__":
    main()
