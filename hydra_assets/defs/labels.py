"""What a model is to learn and what it is judged by: labels under the session that made them known, and regimes."""

from collections.abc import Sequence

import dagster as dg
import polars as pl

from hydra_assets.columns import FUTURES_CURVE, LABELS, REGIMES
from hydra_assets.defs.derived import DerivedAsset, Inputs, Reader, build
from hydra_assets.features.curve_group import held_returns
from hydra_assets.home import HomeConfig
from hydra_assets.labels.known import LabelKind, known_labels, round_trip_fraction
from hydra_assets.markets.model import MarketSpec
from hydra_assets.regimes.switching import switching_regimes

GROUP = "features"
HELD_COLUMNS = ("market", "session", "contract_month", "role", "settle", "held_contract", "held_return")
LABEL_DAYS = 120
"""Calendar days that hold the longest path of a label and the volatility before it."""


def _labels(inputs: Inputs) -> pl.DataFrame:
    held = held_returns(inputs.rows(FUTURES_CURVE, HELD_COLUMNS, LABEL_DAYS))
    priced = held.with_columns(round_trip_fraction(inputs.market, pl.col("settle")).alias("round_trip_cost"))
    made = pl.concat([known_labels(priced, kind) for kind in LabelKind])
    return made.filter(pl.col("session").is_in(inputs.part.sessions)).select(LABELS.columns)


def _regimes(inputs: Inputs) -> pl.DataFrame:
    held = held_returns(inputs.rows(FUTURES_CURVE, HELD_COLUMNS, days_before=None))
    found = switching_regimes(held).rename({f"probability_{n}": f"regime_probability_{n}" for n in _STATES})
    return inputs.sessions.join(found, on=["market", "session"], how="inner", maintain_order="left")


_STATES = ("calm", "stressed", "up", "down")


def _label_picture(rows: pl.DataFrame, _: Reader) -> bytes | None:
    from hydra_assets.defs.pictures import lines  # noqa: PLC0415  matplotlib is slow to import

    fixed = rows.filter(pl.col("label_kind") == LabelKind.FIXED_HORIZON)
    return lines(
        fixed, x="session", y="label_vol_units", title="What the right side would have kept", unit="sigma", style="."
    )


def _regime_picture(rows: pl.DataFrame, _: Reader) -> bytes | None:
    from hydra_assets.defs.pictures import lines  # noqa: PLC0415  matplotlib is slow to import

    title = "Probability of the stressed state, filtered"
    return lines(rows, x="session", y="regime_probability_stressed", title=title, unit="probability")


ASSETS = (
    DerivedAsset(LABELS, GROUP, (FUTURES_CURVE,), _labels, _label_picture),
    DerivedAsset(REGIMES, GROUP, (FUTURES_CURVE,), _regimes, _regime_picture),
)


def label_assets(home_config: HomeConfig, markets: Sequence[MarketSpec]) -> list[dg.AssetsDefinition]:
    """Labels and regimes of a home."""
    return [build(asset, home_config, markets) for asset in ASSETS]
