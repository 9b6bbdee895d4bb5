"""Speed of the embedded market: four markets, five years, from nothing to canonical rows, one process.

Run with ``uv run python benchmarks/simulated.py``; prints one line per dataset.
"""

import time
from datetime import UTC, date, datetime
from pathlib import Path

from hydra_assets.home import DEFAULT_SIM_MARKETS, HomeConfig
from hydra_assets.markets.loader import load_markets
from hydra_assets.markets.sessions import calendar_of
from hydra_assets.sources.base import Dataset, FetchRequest, ParseContext, SourceSettings
from hydra_assets.sources.simulated.source import SimulatedSource

START, LAST = date(2021, 1, 4), date(2025, 12, 31)


def main() -> None:
    """Fetch and parse everything once and print the table."""
    known = load_markets()
    specs = tuple(known[symbol] for symbol in DEFAULT_SIM_MARKETS)
    context = ParseContext({s.symbol: s for s in specs}, {s.symbol: calendar_of(s) for s in specs})
    home = HomeConfig(kind="simulated", markets=DEFAULT_SIM_MARKETS, history_start=START)
    source = SimulatedSource(SourceSettings(Path(), home, Path(), {s.symbol: s.sources for s in specs}))
    now = datetime(2026, 6, 1, tzinfo=UTC)
    print(f"{'dataset':<18} {'payloads':>8} {'MB':>7} {'rows':>9} {'fetch s':>8} {'parse s':>8}")
    totals = [0.0, 0.0]
    for dataset in Dataset:
        payloads = size = rows = 0
        fetched = parsed = 0.0
        mark = time.perf_counter()
        for payload in source.fetch(FetchRequest(dataset, specs, None, LAST, now)):
            fetched += time.perf_counter() - mark
            mark = time.perf_counter()
            result = source.parse(payload, context)
            parsed += time.perf_counter() - mark
            payloads, size, rows = payloads + 1, size + len(payload.content), rows + result.rows.height
            mark = time.perf_counter()
        totals = [totals[0] + fetched, totals[1] + parsed]
        print(f"{dataset:<18} {payloads:>8} {size / 1e6:>7.1f} {rows:>9} {fetched:>8.2f} {parsed:>8.2f}")
    print(f"{'all':<45} {totals[0]:>8.2f} {totals[1]:>8.2f}")


if __name__ == "__main__":
    main()
