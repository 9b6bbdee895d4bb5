"""Specifications of simulated markets that these tests own, so that a change of the packaged ones moves no number."""

from datetime import time

from hydra_assets.markets.model import (
    CftcCode,
    Cutoff,
    Exercise,
    Expiry,
    ExpiryRule,
    Liquidity,
    MarginStyle,
    MarketSpec,
    OptionTerms,
    Settlement,
)


def _spec(symbol: str, **facts: object) -> MarketSpec:
    common: dict[str, object] = {
        "symbol": symbol,
        "root": symbol.removeprefix("SIM_"),
        "exchange": "CME",
        "timezone": "America/Chicago",
        "cutoff": Cutoff(at=time(16, 30)),
        "settlement_published": time(15, 0),
        "currency": "USD",
        "settlement": Settlement.CASH,
        "roll_days_before_expiry": 8,
    }
    return MarketSpec.model_validate(common | facts)


HOGS = _spec(
    "SIM_HE",
    name="Simulated lean hogs",
    group="livestock",
    calendar="CMEGlobex_Lean_Hog",
    price_unit="cents/lb",
    tick=0.025,
    multiplier=400,
    contract_months="GJKMNQVZ",
    last_trade=Expiry(rule=ExpiryRule.NTH_BUSINESS_DAY, n=10),
    options=OptionTerms(
        root="HE",
        exercise=Exercise.AMERICAN,
        margin_style=MarginStyle.PREMIUM_UPFRONT,
        expiry=Expiry(rule=ExpiryRule.SAME_AS_FUTURE),
        tick=0.025,
        strike_interval=1.0,
        underlying_month={m: m for m in "GJKMNQVZ"},
    ),
    cftc_codes=(CftcCode(code="054642"),),
    headline_terms=("lean hog", "hogs"),
    liquidity=Liquidity(half_spread_ticks=1.0, fee_per_contract=2.5, typical_daily_volume=12000),
)
OATS = _spec(
    "SIM_ZO",
    name="Simulated oats",
    group="grains",
    calendar="CMEGlobex_Grains",
    price_unit="cents/bu",
    tick=0.25,
    multiplier=50,
    contract_months="HKNUZ",
    settlement=Settlement.PHYSICAL,
    first_notice_business_days_before_month=1,
    last_trade=Expiry(rule=ExpiryRule.BUSINESS_DAY_BEFORE_15TH),
    options=OptionTerms(
        root="OO",
        exercise=Exercise.AMERICAN,
        margin_style=MarginStyle.PREMIUM_UPFRONT,
        expiry=Expiry(rule=ExpiryRule.FRIDAY_BEFORE_FIRST_NOTICE),
        tick=0.125,
        strike_interval=10.0,
        underlying_month=dict(zip("FGHJKMNQUVXZ", "HHHKKNNUUZZZ", strict=True)),
    ),
    cftc_codes=(CftcCode(code="004603"),),
    headline_terms=("oats",),
    liquidity=Liquidity(half_spread_ticks=2.0, fee_per_contract=2.5, typical_daily_volume=500),
)
MILK = _spec(
    "SIM_DC",
    name="Simulated class III milk",
    group="dairy",
    calendar="CMEGlobex_Lean_Hog",
    price_unit="USD/cwt",
    tick=0.01,
    multiplier=2000,
    contract_months="FGHJKMNQUVXZ",
    last_trade=Expiry(rule=ExpiryRule.DAY_BEFORE_USDA_PRICE),
    options=OptionTerms(
        root="DC",
        exercise=Exercise.AMERICAN,
        margin_style=MarginStyle.PREMIUM_UPFRONT,
        expiry=Expiry(rule=ExpiryRule.SAME_AS_FUTURE),
        tick=0.01,
        strike_interval=0.25,
        underlying_month={m: m for m in "FGHJKMNQUVXZ"},
    ),
    cftc_codes=(CftcCode(code="052641"),),
    headline_terms=("milk",),
    liquidity=Liquidity(half_spread_ticks=2.0, fee_per_contract=2.5, typical_daily_volume=1200),
)
CATTLE = _spec(
    "SIM_LE",
    name="Simulated live cattle",
    group="livestock",
    calendar="CMEGlobex_Live_Cattle",
    price_unit="cents/lb",
    tick=0.025,
    multiplier=400,
    contract_months="GJMQVZ",
    settlement=Settlement.PHYSICAL,
    first_notice_business_days_before_month=0,
    last_trade=Expiry(rule=ExpiryRule.LAST_BUSINESS_DAY),
    options=OptionTerms(
        root="LE",
        exercise=Exercise.AMERICAN,
        margin_style=MarginStyle.PREMIUM_UPFRONT,
        expiry=Expiry(rule=ExpiryRule.FIRST_FRIDAY),
        tick=0.025,
        strike_interval=1.0,
        underlying_month=dict(zip("FGHJKMNQUVXZ", "GGJJMMQQVVZZ", strict=True)),
    ),
    cftc_codes=(CftcCode(code="057642"),),
    headline_terms=("cattle",),
    liquidity=Liquidity(half_spread_ticks=1.0, fee_per_contract=2.5, typical_daily_volume=15000),
)
MARKETS = {spec.symbol: spec for spec in (HOGS, OATS, CATTLE, MILK)}
