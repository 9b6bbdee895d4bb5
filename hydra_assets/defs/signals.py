"""Signal assets: the crowd's score, the divergence of the two views, the feature vector."""

from collections.abc import Sequence

import dagster as dg
import polars as pl

from hydra_assets.columns import COT_POSITIONS, COT_SCORES, DIVERGENCE, FEATURE_VECTOR, FUTURES_CURVE, IMPLIED_MOMENTS
from hydra_assets.defs.derived import DerivedAsset, Inputs, Reader, build
from hydra_assets.features.assemble import assemble
from hydra_assets.home import HomeConfig
from hydra_assets.markets.model import MarketSpec
from hydra_assets.sentiment.cot import cot_scores
from hydra_assets.signals.divergence import divergence

VIEW_TENOR = "60d"
"""Horizon of the options view."""
CURVE_COLUMNS = (
    "market",
    "session",
    "contract",
    "contract_month",
    "role",
    "settle",
    "settle_age_sessions",
    "carry",
    "days_to_last_trade",
    "held_return",
)


def signal_assets(home_config: HomeConfig, markets: Sequence[MarketSpec]) -> list[dg.AssetsDefinition]:
    """All signal assets of a home.

    Each reads its inputs from their first session on, whatever the run's range: a score among its own past must not
    depend on which sessions a run happens to ask for.
    """
    return [build(asset, home_config, markets) for asset in ASSETS]


def _view(inputs: Inputs, days_before: int | None = 0) -> pl.DataFrame:
    """The options view: moments at 60 days."""
    return inputs.rows(IMPLIED_MOMENTS, days_before=days_before).filter(pl.col("tenor") == VIEW_TENOR)


def _crowd(inputs: Inputs) -> pl.DataFrame:
    return cot_scores(inputs.rows(COT_POSITIONS, days_before=None), inputs.sessions)


def _gap(inputs: Inputs) -> pl.DataFrame:
    return divergence(_view(inputs, None), inputs.rows(COT_SCORES, days_before=None), inputs.sessions)


def _features(inputs: Inputs) -> pl.DataFrame:
    curve = inputs.rows(FUTURES_CURVE, CURVE_COLUMNS, days_before=None)
    return assemble(curve, _view(inputs), inputs.rows(COT_SCORES), inputs.rows(DIVERGENCE), inputs.sessions)


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
    DerivedAsset(FEATURE_VECTOR, "features", (FUTURES_CURVE, IMPLIED_MOMENTS, COT_SCORES, DIVERGENCE), _features),
)
"""The signal assets in the order of the flow."""
