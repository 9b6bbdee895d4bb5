"""Markets, contexts and settings for the tests of the vendors' file formats."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from hydra_assets.home import HomeConfig
from hydra_assets.markets.model import (
    Cutoff,
    Exercise,
    Expiry,
    ExpiryRule,
    Liquidity,
    MarginStyle,
    MarketSpec,
    OptionTerms,
    Settlement,
    SourceBinding,
)
from hydra_assets.markets.sessions import calendar_of
from hydra_assets.sources.base import Dataset, ParseContext, Payload, SourceSettings

FETCHED = datetime(2026, 6, 1, 12, tzinfo=UTC)


def market(symbol: str = "HE", root: str = "HE", option_root: str = "HE", terms: tuple[str, ...] = ()) -> MarketSpec:
    """A hog-like market: sessions of the Lean Hog calendar, settlements public at 16:00, decided at 17:30 Chicago."""
    months = {letter: letter for letter in "GJKMNQVZ"} | {"F": "G", "H": "J", "U": "V", "X": "Z"}
    return MarketSpec(
        symbol=symbol,
        name=symbol,
        group="livestock",
        exchange="CME",
        calendar="CMEGlobex_Lean_Hog",
        timezone="America/Chicago",
        cutoff=Cutoff(at=time(17, 30)),
        settlement_published=time(16, 0),
        currency="USD",
        price_unit="cents per pound",
        tick=0.025,
        multiplier=400,
        root=root,
        contract_months="GJKMNQVZ",
        settlement=Settlement.CASH,
        last_trade=Expiry(rule=ExpiryRule.NTH_BUSINESS_DAY, n=10),
        roll_days_before_expiry=5,
        options=OptionTerms(
            root=option_root,
            exercise=Exercise.AMERICAN,
            margin_style=MarginStyle.PREMIUM_UPFRONT,
            expiry=Expiry(rule=ExpiryRule.SAME_AS_FUTURE),
            tick=0.025,
            strike_interval=1,
            underlying_month=months,
        ),
        headline_terms=terms,
        liquidity=Liquidity(half_spread_ticks=1, fee_per_contract=1, typical_daily_volume=1000),
    )


def context(*specs: MarketSpec) -> ParseContext:
    """Context of these markets, or of HE alone."""
    chosen = specs or (market(),)
    return ParseContext({s.symbol: s for s in chosen}, {s.symbol: calendar_of(s) for s in chosen})


def payload(
    dataset: Dataset,
    content: bytes,
    *,
    fetched_at: datetime = FETCHED,
    available_at: datetime | None = None,
    meta: Mapping[str, str] | None = None,
) -> Payload:
    """A payload of these bytes."""
    return Payload(dataset, "test", "payload", content, fetched_at, available_at, meta or {})


def settings(home: Path, source: Any, datasets: tuple[str, ...], **options: Any) -> SourceSettings:
    """Settings of a real home whose HE binds one source; its data folder is ``home/data``."""
    config = HomeConfig(kind="real", markets=("HE",), history_start=date(2025, 1, 2))
    binding = SourceBinding(source=source, datasets=datasets, options=options)
    return SourceSettings(home, config, home / "data", {"HE": (binding,)})
