"""Signal assets: the crowd's score, the divergence of the two views, the rest of the pool, the feature vector."""

from collections.abc import Sequence

import dagster as dg
import polars as pl

from hydra_assets.columns import (
    COT_POSITIONS,
    COT_SCORES,
    CROSS_MARKET,
    DIVERGENCE,
    FEATURE_VECTOR,
    FUTURES_CURVE,
    GREEKS_FLOWS,
    IMPLIED_MOMENTS,
    REAL_WORLD_DENSITY,
)
from hydra_assets.defs.derived import DerivedAsset, Inputs, Reader, build
from hydra_assets.features.assemble import Sources, assemble
from hydra_assets.features.cross_market import HELD_COLUMNS, pool_features
from hydra_assets.features.curve_group import CURVE_COLUMNS
from hydra_assets.features.options_group import FLOW_COLUMNS, MOMENT_COLUMNS, REAL_WORLD_COLUMNS, VIEW_TENOR
from hydra_assets.home import HomeConfig
from hydra_assets.markets.model import MarketSpec
from hydra_assets.sentiment.cot import cot_scores
from hydra_assets.signals.divergence import divergence

CHANGE_DAYS = 30
"""Calendar days that hold the sessions before a change over five."""
POOL_DAYS = 150
"""Calendar days that hold 60 sessions of any market."""


def signal_assets(home_config: HomeConfig, markets: Sequence[MarketSpec]) -> list[dg.AssetsDefinition]:
    """All signal assets of a home.

    Each reads its inputs from their first session on, whatever the run's range: a score among its own past must not
    depend on which sessions a run happens to ask for.
    """
    return [build(asset, home_config, markets) for asset in ASSETS]


def _crowd(inputs: Inputs) -> pl.DataFrame:
    return cot_scores(inputs.rows(COT_POSITIONS, days_before=None), inputs.sessions)


def _gap(inputs: Inputs) -> pl.DataFrame:
    view = inputs.rows(IMPLIED_MOMENTS, MOMENT_COLUMNS, None).filter(pl.col("tenor") == VIEW_TENOR)
    return divergence(view, inputs.rows(COT_SCORES, days_before=None), inputs.sessions)


def _pool(inputs: Inputs) -> pl.DataFrame:
    curves = inputs.rows(FUTURES_CURVE, HELD_COLUMNS, POOL_DAYS, all_markets=True)
    return pool_features(curves, inputs.sessions)


def _features(inputs: Inputs) -> pl.DataFrame:
    sources = Sources(
        curve=inputs.rows(FUTURES_CURVE, CURVE_COLUMNS, POOL_DAYS),
        moments=inputs.rows(IMPLIED_MOMENTS, MOMENT_COLUMNS, CHANGE_DAYS),
        flows=inputs.rows(GREEKS_FLOWS, FLOW_COLUMNS),
        real_world=inputs.rows(REAL_WORLD_DENSITY, REAL_WORLD_COLUMNS),
        crowd=inputs.rows(COT_SCORES),
        divergence=inputs.rows(DIVERGENCE),
        pool=inputs.rows(CROSS_MARKET),
    )
    return assemble(sources, inputs.sessions)


def _crowd_picture(rows: pl.DataFrame, _: Reader) -> bytes | None:
    from hydra_assets.defs.pictures import lines  # noqa: PLC0415  matplotlib is slow to import

    return lines(rows, x="session", y="crowd_score", title="Crowd score among its published weeks", unit="score")


def _divergence_picture(rows: pl.DataFrame, _: Reader) -> bytes | None:
    from hydra_assets.defs.pictures import lines  # noqa: PLC0415  matplotlib is slow to import

    title = "Divergence of options and crowd"
    return lines(rows, x="session", y="divergence_z", title=title, unit="standard deviations", style=".")


ASSETS = (
    DerivedAsset(COT_SCORES, "signals", (COT_POSITIONS,), _crowd, _crowd_picture),
    DerivedAsset(DIVERGENCE, "signals", (IMPLIED_MOMENTS, COT_SCORES), _gap, _divergence_picture),
    DerivedAsset(CROSS_MARKET, "signals", (), _pool, pool_deps=(FUTURES_CURVE,)),
    DerivedAsset(
        FEATURE_VECTOR,
        "features",
        (FUTURES_CURVE, IMPLIED_MOMENTS, GREEKS_FLOWS, REAL_WORLD_DENSITY, COT_SCORES, DIVERGENCE, CROSS_MARKET),
        _features,
    ),
)
"""The signal assets in the order of the flow."""
