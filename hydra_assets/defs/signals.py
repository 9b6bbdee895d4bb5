"""Signal assets: sources of sentiment, their composite, the divergence, the rest of the pool, the feature vector."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

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
    HEADLINE_SCORES,
    IMPLIED_MOMENTS,
    ORDER_FLOW_SCORES,
    POST_SCORES,
    RAW_HEADLINES,
    RAW_POSTS,
    REAL_WORLD_DENSITY,
    SENTIMENT,
)
from hydra_assets.defs.derived import DerivedAsset, Inputs, Reader, build
from hydra_assets.defs.ranges import cutoff_frame
from hydra_assets.defs.resources import HomeResource
from hydra_assets.features.assemble import Sources, assemble
from hydra_assets.features.cross_market import HELD_COLUMNS, pool_features
from hydra_assets.features.curve_group import CURVE_COLUMNS
from hydra_assets.features.options_group import FLOW_COLUMNS, MOMENT_COLUMNS, REAL_WORLD_COLUMNS
from hydra_assets.home import HomeConfig
from hydra_assets.markets.model import MarketSpec
from hydra_assets.sentiment.composite import sentiment
from hydra_assets.sentiment.cot_sentiment import cot_sentiment
from hydra_assets.sentiment.headlines import TextScorer, headline_scores
from hydra_assets.sentiment.order_flow import order_flow_scores
from hydra_assets.sentiment.posts import post_scores
from hydra_assets.sentiment.text_classifier import load_transformer
from hydra_assets.signals.assessment import divergence_signals

GROUP = "signals"
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
    return cot_sentiment(inputs.rows(COT_POSITIONS, days_before=None), inputs.sessions)


def _decided(inputs: Inputs) -> pl.DataFrame:
    """Decided sessions of the range with their cutoffs."""
    cutoffs = cutoff_frame(inputs.home.calendars[inputs.part.market], inputs.part.sessions)
    return inputs.sessions.join(cutoffs, on="session", how="left", maintain_order="left")


def _headlines(inputs: Inputs) -> pl.DataFrame:
    held = inputs.rows(RAW_HEADLINES, ("market", "headline_id", "title", "known_at"), days_before=None)
    terms = {inputs.part.market: inputs.market.headline_terms}
    return headline_scores(held, _decided(inputs), terms, transformer=_voice(inputs.home))


def _posts(inputs: Inputs) -> pl.DataFrame:
    held = inputs.rows(RAW_POSTS, ("market", "post_id", "text", "author", "known_at"), days_before=None)
    terms = {inputs.part.market: inputs.market.headline_terms}
    return post_scores(held, _decided(inputs), terms, transformer=_voice(inputs.home))


def _voice(home: HomeResource) -> TextScorer | None:
    """The home's own transformer, read once a process; TransformerError where it is named and cannot be read."""
    named = home.config.transformer
    return None if named is None else _loaded(home.root / named)


@lru_cache(maxsize=1)
def _loaded(directory: Path) -> TextScorer:
    return load_transformer(directory)


def _order_flow(inputs: Inputs) -> pl.DataFrame:
    columns = ("market", "session", "contract", "volume", "open_interest", "held_return")
    curve = inputs.rows(FUTURES_CURVE, columns, days_before=None)
    return order_flow_scores(curve, inputs.sessions).rename({"volume_ratio": "flow_volume_ratio"})


def _sentiment(inputs: Inputs) -> pl.DataFrame:
    sources = {
        "cot": inputs.rows(COT_SCORES),
        "headlines": inputs.rows(HEADLINE_SCORES),
        "posts": inputs.rows(POST_SCORES),
        "order_flow": inputs.rows(ORDER_FLOW_SCORES),
    }
    return sentiment(sources, inputs.sessions)


def _divergence(inputs: Inputs) -> pl.DataFrame:
    return divergence_signals(
        inputs.rows(IMPLIED_MOMENTS, days_before=None),
        inputs.rows(REAL_WORLD_DENSITY, days_before=None),
        inputs.rows(SENTIMENT, days_before=None),
        inputs.sessions,
    )


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
        order_flow=inputs.rows(ORDER_FLOW_SCORES),
        headlines=inputs.rows(HEADLINE_SCORES),
        sentiment=inputs.rows(SENTIMENT),
        divergence=inputs.rows(DIVERGENCE),
        pool=inputs.rows(CROSS_MARKET),
    )
    return assemble(sources, inputs.sessions)


def _line(column: str, title: str, unit: str, style: str = "-") -> Callable[[pl.DataFrame, Reader], bytes | None]:
    """Picture of one column over the run's sessions."""

    def draw(rows: pl.DataFrame, _: Reader) -> bytes | None:
        from hydra_assets.defs.pictures import lines  # noqa: PLC0415  matplotlib is slow to import

        return lines(rows, x="session", y=column, title=title, unit=unit, style=style)

    return draw


CROWD_LINE = _line("crowd_score", "Crowd score among its published weeks", "score")
HEADLINE_LINE = _line("headline_score", "What the headlines say", "score")
POST_LINE = _line("post_score", "What social posts say", "score")
SENTIMENT_LINE = _line("sentiment_score", "Sentiment of all sources", "score")
DIVERGENCE_LINE = _line("divergence_z", "Divergence of options and sentiment", "standard deviations", ".")
ASSETS = (
    DerivedAsset(COT_SCORES, GROUP, (COT_POSITIONS,), _crowd, CROWD_LINE),
    DerivedAsset(HEADLINE_SCORES, GROUP, (RAW_HEADLINES,), _headlines, HEADLINE_LINE),
    DerivedAsset(POST_SCORES, GROUP, (RAW_POSTS,), _posts, POST_LINE),
    DerivedAsset(ORDER_FLOW_SCORES, GROUP, (FUTURES_CURVE,), _order_flow),
    DerivedAsset(
        SENTIMENT, GROUP, (COT_SCORES, HEADLINE_SCORES, POST_SCORES, ORDER_FLOW_SCORES), _sentiment, SENTIMENT_LINE
    ),
    DerivedAsset(DIVERGENCE, GROUP, (IMPLIED_MOMENTS, REAL_WORLD_DENSITY, SENTIMENT), _divergence, DIVERGENCE_LINE),
    DerivedAsset(CROSS_MARKET, GROUP, (), _pool, pool_deps=(FUTURES_CURVE,)),
    DerivedAsset(
        FEATURE_VECTOR,
        "features",
        (
            FUTURES_CURVE,
            IMPLIED_MOMENTS,
            GREEKS_FLOWS,
            REAL_WORLD_DENSITY,
            COT_SCORES,
            HEADLINE_SCORES,
            ORDER_FLOW_SCORES,
            SENTIMENT,
            DIVERGENCE,
            CROSS_MARKET,
        ),
        _features,
    ),
)
"""The signal assets in the order of the flow."""
