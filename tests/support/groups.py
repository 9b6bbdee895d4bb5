"""A small market group whose parts belong together: prices, what they earn, a feature that foresees it, labels."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache, cached_property

import numpy as np
import polars as pl

from hydra_assets.columns import FEATURE_VECTOR, LABELS
from hydra_assets.evaluation.evidence import Played
from hydra_assets.evaluation.strategies import played, walked
from hydra_assets.labels.known import LabelKind, known_labels, round_trip_fraction
from hydra_assets.markets.loader import load_markets
from hydra_assets.markets.model import MarketSpec
from hydra_assets.models.baseline import BaseRate
from hydra_assets.models.lightgbm_model import LightGbm
from hydra_assets.models.linear import Logistic
from hydra_assets.models.recipe import Recipe
from hydra_assets.replay.inputs import market_arrays
from hydra_assets.replay.market import MarketArrays

MARKETS = ("SIM_HE", "SIM_ZO")
START = date(2020, 1, 1)
NAMES = ("tilt", "carry")
SEEING = Recipe(features=NAMES, model=Logistic(), first_train_sessions=100, refit_sessions=40)
BOOSTED = SEEING.model_copy(update={"model": LightGbm(trees=8)})
BLIND = SEEING.model_copy(update={"model": BaseRate()})
STANDING: Mapping[str, Recipe] = {"logistic": SEEING, "no_signal": BLIND}
PRICES = {"SIM_HE": 80.0, "SIM_ZO": 350.0}


@cache
def spec(market: str) -> MarketSpec:
    """A market's specification; reading all files takes a while."""
    return load_markets()[market]


def day(i: int) -> date:
    """Session number i; every day is one."""
    return START + timedelta(days=i)


@dataclass(frozen=True)
class Group:
    """Rows of ``feature_vector``, ``labels``, ``futures_curve`` (of a replay), ``regimes`` and held returns."""

    features: pl.DataFrame
    labels: pl.DataFrame
    curve: pl.DataFrame
    regimes: pl.DataFrame
    held: pl.DataFrame
    standing: Mapping[str, Recipe]

    def until(self, session: date) -> "Group":
        """What the group's tables held at the cutoff of a session."""
        frames = {name: getattr(self, name) for name in ("features", "labels", "curve", "regimes", "held")}
        return replace(self, **{name: rows.filter(pl.col("session") <= session) for name, rows in frames.items()})

    @property
    def specs(self) -> list[MarketSpec]:
        """The markets of the arrays."""
        return [spec(market) for market in MARKETS]

    @cached_property
    def market(self) -> MarketArrays:
        """Arrays of a replay."""
        return market_arrays(self.curve, self.specs)

    @cached_property
    def predictions(self) -> dict[str, pl.DataFrame]:
        """Calibrated walk-forwards of the standing recipes."""
        return {name: walked(self.features, self.labels, recipe) for name, recipe in self.standing.items()}

    def play(self, others: Mapping[str, Recipe]) -> Played:
        """The standing recipes and further ones, replayed."""
        recipes = {**self.standing, **others}
        walks = self.predictions | {name: walked(self.features, self.labels, recipe) for name, recipe in others.items()}
        return Played(recipes, walks, self.market, played(walks, recipes, self.market))


def group(n: int = 400, edge: float = 0.006, seed: int = 1, standing: Mapping[str, Recipe] = STANDING) -> Group:
    """A group of two markets over n sessions.

    A session earns one per cent of noise and ``edge`` in the direction of the tilt of the session before; the tilt
    stands still for ten sessions. Both contracts move alike; the front is changed once, half-way.
    """
    rng = np.random.default_rng(seed)
    parts = [_market(name, n, edge, rng) for name in MARKETS]
    features, curve, held = (pl.concat(frames) for frames in zip(*parts, strict=True))
    made = [known_labels(held.filter(pl.col("market") == name), kind) for name in MARKETS for kind in LabelKind]
    states = np.array(["calm", "normal", "stressed"])[np.arange(n) // 25 % 3]
    regimes = pl.DataFrame({"session": [day(i) for i in range(n)], "regime_vol": states})
    return Group(
        features=features,
        labels=pl.concat(made).select(LABELS.columns).sort("session", "market", "label_kind", maintain_order=True),
        curve=curve,
        regimes=pl.concat([regimes.with_columns(pl.lit(name).alias("market")) for name in MARKETS]),
        held=held,
        standing=standing,
    )


def _market(
    name: str, n: int, edge: float, rng: np.random.Generator
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    tilt = np.repeat(rng.standard_normal(n // 10 + 1), 10)[:n]
    returns = 0.01 * rng.standard_normal(n) + edge * np.sign(np.roll(tilt, 1))
    returns[0] = np.nan
    price = PRICES[name] * np.cumprod(1.0 + np.nan_to_num(returns))
    days = [day(i) for i in range(n)]
    base = pl.DataFrame({"market": pl.repeat(name, n, eager=True), "session": days})
    values = {"tilt": tilt, "carry": rng.standard_normal(n), "features_missing": np.full(n, 51)}
    features = base.with_columns(
        pl.Series(column, values[column]).cast(dtype) if column in values else pl.lit(None, dtype).alias(column)
        for column, dtype in FEATURE_VECTOR.schema.items()
        if column not in base.columns
    ).select(FEATURE_VECTOR.columns)
    first = np.arange(n) < n // 2
    near, far = f"{name}-1", f"{name}-2"
    contracts = [
        base.with_columns(
            pl.lit(contract).alias("contract"),
            pl.lit(month).alias("contract_month"),
            pl.Series("role", np.where(is_front, "front", "back")),
            pl.Series("settle", price * scale),
            pl.lit(0, pl.Int64).alias("settle_age_sessions"),
            pl.lit(40_000, pl.Int64).alias("volume"),
        )
        for contract, month, is_front, scale in (
            (near, date(2030, 1, 1), first, 1.0),
            (far, date(2030, 6, 1), ~first, 1.02),
        )
    ]
    cost = round_trip_fraction(spec(name), pl.col("settle"))
    held = base.with_columns(
        pl.Series("held_contract", np.where(first, near, far)),
        pl.Series("held_return", returns, nan_to_null=True),
        pl.Series("settle", price * np.where(first, 1.0, 1.02)),
    ).with_columns(cost.alias("round_trip_cost"))
    return features, pl.concat(contracts), held
