"""Markets, payloads and balanced reports for tests of the CFTC source."""

import itertools
import os
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import strategies as st

from hydra_assets.markets.model import (
    CftcCode,
    Cutoff,
    Expiry,
    ExpiryRule,
    Liquidity,
    MarketSpec,
    Settlement,
)
from hydra_assets.sources.base import Dataset, ParseContext, Payload
from hydra_assets.sources.cftc.layout import CATEGORIES, COMPONENTS, LEGACY_SITE, SPREADING, Family

FETCHED = datetime(2026, 11, 20, 23, 0, tzinfo=UTC)
MARKETS = {
    "ZC": "002602",
    "ZO": "004603",
    "HE": "054642",
    "LE": "057642",
    "DC": "052641",
    "DY": "052645",
    "ZR": "039601",
}
QUANTITY_COLUMNS = (
    "open_interest",
    "long_contracts",
    "short_contracts",
    "spread_contracts",
    "traders_long",
    "traders_short",
    "traders_spread",
)


def market(symbol: str, *codes: CftcCode) -> MarketSpec:
    """A market of which only the CFTC codes matter."""
    return MarketSpec(
        symbol=symbol,
        name=symbol,
        group="test",
        exchange="CME",
        calendar="weekdays",
        timezone="America/Chicago",
        cutoff=Cutoff(at=time(17, 0)),
        settlement_published=time(14, 0),
        currency="USD",
        price_unit="cents",
        tick=0.25,
        multiplier=50,
        root=symbol,
        contract_months="HKNUZ",
        settlement=Settlement.CASH,
        last_trade=Expiry(rule=ExpiryRule.LAST_BUSINESS_DAY),
        roll_days_before_expiry=5,
        cftc_codes=codes,
        liquidity=Liquidity(half_spread_ticks=1, fee_per_contract=2, typical_daily_volume=100),
    )


def context(markets: Mapping[str, str] | None = None) -> ParseContext:
    """Parse context of markets by code."""
    specs = {symbol: market(symbol, CftcCode(code=code)) for symbol, code in (markets or MARKETS).items()}
    return ParseContext(specs, {})


def payload(
    content: bytes,
    name: str = "annual.txt",
    *,
    meta: Mapping[str, str] | None = None,
    available_at: datetime | None = None,
    fetched_at: datetime = FETCHED,
) -> Payload:
    """A delivery of the CFTC."""
    return Payload(Dataset.COT_REPORTS, "cftc", name, content, fetched_at, available_at, dict(meta or {}))


def real(relative: str) -> Path:
    """A real file, or a skip that says how to get it."""
    root = os.environ.get("HYDRA_REAL_DATA")
    if not root:
        pytest.skip("HYDRA_REAL_DATA is not set: no real files to test against")
    path = Path(root) / relative
    if not path.exists():
        pytest.skip(f"{relative} is not under HYDRA_REAL_DATA")
    return path


def balanced(family: Family, code: str, day: date, draw: list[int]) -> list[dict[str, object]]:
    """One report whose sums add up, from non-negative numbers (repeated as needed)."""
    numbers = itertools.cycle(draw)
    rows: dict[str, dict[str, object]] = {}
    long_total = short_total = 0
    for category in COMPONENTS[family]:
        long, short = next(numbers), next(numbers)
        spread = next(numbers) if category in SPREADING else None
        rows[category] = {"long_contracts": long, "short_contracts": short, "spread_contracts": spread}
        long_total += long + (spread or 0)
        short_total += short + (spread or 0)
    open_interest = max(long_total, short_total) + next(numbers)
    rows["total_reportable"] = {"long_contracts": long_total, "short_contracts": short_total, "spread_contracts": None}
    rows["nonreportable"] = {
        "long_contracts": open_interest - long_total,
        "short_contracts": open_interest - short_total,
        "spread_contracts": None,
    }
    out = []
    for category in CATEGORIES[family]:
        counted = category != "nonreportable"
        traders = {
            "traders_long": _suppressed(next(numbers)) if counted else None,
            "traders_short": _suppressed(next(numbers)) if counted else None,
            "traders_spread": _suppressed(next(numbers)) if category in SPREADING else None,
        }
        head = {"cftc_code": code, "report_date": day, "category": category, "open_interest": open_interest}
        out.append(head | rows[category] | traders)
    return out


def _suppressed(number: int) -> int | None:
    """Trader counts below four are not published."""
    return number if number == 0 or number >= 4 else None


REPORT_SCHEMA: dict[str, pl.DataType] = {
    "cftc_code": pl.String(),
    "report_date": pl.Date(),
    "category": pl.String(),
    **{name: pl.Float64() for name in QUANTITY_COLUMNS},
}


def frame(rows: list[dict[str, object]]) -> pl.DataFrame:
    """Report rows as the writer takes them."""
    return pl.DataFrame(rows, schema=REPORT_SCHEMA)


def weekly(family: Family, codes: list[str], weeks: int, first: date = date(2025, 3, 4)) -> pl.DataFrame:
    """A deterministic frame of several markets and weeks."""
    rows: list[dict[str, object]] = []
    for i, code in enumerate(codes):
        for week in range(weeks):
            numbers = [(i + 3) * 101 + week * 7 + k * 13 for k in range(11)]
            rows += balanced(family, code, first + timedelta(days=7 * week), numbers)
    return frame(rows)


@st.composite
def reports(draw: st.DrawFn, family: Family) -> pl.DataFrame:
    """Balanced reports of one to three markets over one to four weeks since 1998."""
    codes = draw(st.lists(st.sampled_from(sorted(MARKETS.values())), min_size=1, max_size=3, unique=True))
    weeks = draw(st.lists(st.integers(0, 1400), min_size=1, max_size=4, unique=True))
    rows: list[dict[str, object]] = []
    for code in codes:
        for week in weeks:
            numbers = draw(st.lists(st.integers(0, 500_000), min_size=3, max_size=12))
            rows += balanced(family, code, date(1998, 1, 6) + timedelta(days=7 * week), numbers)
    return frame(rows)


def edited(content: bytes, column: int, value: str, row: int = 0) -> bytes:
    """A cell replaced in a file without quoted commas before it."""
    lines = content.decode().split("\n")
    cells = lines[1 + row].split(",")
    cells[column] = value
    lines[1 + row] = ",".join(cells)
    return "\n".join(lines).encode()


def site_row(rows: list[dict[str, object]]) -> dict[str, object]:
    """A legacy report under the public reporting site's names, nulls left out."""
    day = rows[0]["report_date"]
    assert isinstance(day, date)
    row: dict[str, object] = {
        "id": f"{day:%y%m%d}{rows[0]['cftc_code']}F",
        "market_and_exchange_names": "CORN - CHICAGO BOARD OF TRADE",
        "report_date_as_yyyy_mm_dd": f"{day}T00:00:00.000",
        "cftc_contract_market_code": rows[0]["cftc_code"],
        "open_interest_all": str(rows[0]["open_interest"]),
        "futonly_or_combined": "FutOnly",
        # The old crop year's column, whose name looks as if it were the total's.
        "noncomm_positions_spread": "123456789",
    }
    for r in rows:
        for quantity, column in zip(
            ("long", "short", "spread", "traders_long", "traders_short", "traders_spread"),
            QUANTITY_COLUMNS[1:],
            strict=True,
        ):
            field = f"{r['category']}.{quantity}"
            if r[column] is not None:
                row[LEGACY_SITE.fields[field][0]] = str(r[column])
            elif field in LEGACY_SITE.fields and quantity.startswith("traders"):
                row[LEGACY_SITE.fields[field][0]] = "."
    return row
