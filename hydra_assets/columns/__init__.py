"""The one column dictionary: every column of every dataset, with its type, unit, meaning and known-when rule.

Lake schemas, row validation, asset checks and the reference page (``docs/reference/columns.md``) all come from
here, so a column means the same thing wherever it stands.
"""

from hydra_assets.columns.column import UTC_US, Column
from hydra_assets.columns.curated import COT_POSITIONS, FUTURES_CURVE, OPTION_QUOTES
from hydra_assets.columns.dataset import DatasetSpec, Layer, PartitionedBy
from hydra_assets.columns.dictionary import COLUMNS
from hydra_assets.columns.downstream import (
    COT_SCORES,
    CROSS_MARKET,
    DIVERGENCE,
    FEATURE_CONTRIBUTIONS,
    FEATURE_VECTOR,
    FILLS,
    HEADLINE_SCORES,
    LABELS,
    ORDER_FLOW_SCORES,
    ORDERS,
    PREDICTION_OUTCOMES,
    PREDICTIONS,
    REGIMES,
    REPLAY_REPORT,
    SENTIMENT,
    TARGET_POSITIONS,
    WALK_FORWARD,
)
from hydra_assets.columns.options import (
    CLEAN_QUOTES,
    DENSITY_GATE,
    GREEKS_FLOWS,
    IMPLIED_DENSITY,
    IMPLIED_MOMENTS,
    IMPLIED_VOLS,
    REAL_WORLD_DENSITY,
    VOL_SURFACE,
)
from hydra_assets.columns.raw import (
    PROVENANCE,
    QUARANTINE,
    RAW_COT_REPORTS,
    RAW_FUTURES_BARS,
    RAW_HEADLINES,
    RAW_INTRADAY_BARS,
    RAW_OPTION_CHAINS,
    RAW_POSTS,
)
from hydra_assets.columns.sentiment import POST_SCORES
from hydra_assets.columns.time_of_day import TIME_OF_DAY_CURVE

DATASETS: dict[str, DatasetSpec] = {
    spec.name: spec
    for spec in (
        RAW_FUTURES_BARS,
        RAW_INTRADAY_BARS,
        RAW_OPTION_CHAINS,
        RAW_COT_REPORTS,
        RAW_HEADLINES,
        RAW_POSTS,
        QUARANTINE,
        FUTURES_CURVE,
        TIME_OF_DAY_CURVE,
        COT_POSITIONS,
        OPTION_QUOTES,
        CLEAN_QUOTES,
        IMPLIED_VOLS,
        VOL_SURFACE,
        IMPLIED_DENSITY,
        IMPLIED_MOMENTS,
        GREEKS_FLOWS,
        REAL_WORLD_DENSITY,
        DENSITY_GATE,
        COT_SCORES,
        HEADLINE_SCORES,
        POST_SCORES,
        ORDER_FLOW_SCORES,
        SENTIMENT,
        DIVERGENCE,
        CROSS_MARKET,
        FEATURE_VECTOR,
        LABELS,
        REGIMES,
        WALK_FORWARD,
        FEATURE_CONTRIBUTIONS,
        REPLAY_REPORT,
        PREDICTIONS,
        PREDICTION_OUTCOMES,
        TARGET_POSITIONS,
        ORDERS,
        FILLS,
    )
}
"""Every dataset by name, in the order of the flow."""

__all__ = [
    "CLEAN_QUOTES",
    "COLUMNS",
    "COT_POSITIONS",
    "COT_SCORES",
    "CROSS_MARKET",
    "DATASETS",
    "DENSITY_GATE",
    "DIVERGENCE",
    "FEATURE_CONTRIBUTIONS",
    "FEATURE_VECTOR",
    "FILLS",
    "FUTURES_CURVE",
    "GREEKS_FLOWS",
    "HEADLINE_SCORES",
    "IMPLIED_DENSITY",
    "IMPLIED_MOMENTS",
    "IMPLIED_VOLS",
    "LABELS",
    "OPTION_QUOTES",
    "ORDERS",
    "ORDER_FLOW_SCORES",
    "POST_SCORES",
    "PREDICTIONS",
    "PREDICTION_OUTCOMES",
    "PROVENANCE",
    "QUARANTINE",
    "RAW_COT_REPORTS",
    "RAW_FUTURES_BARS",
    "RAW_HEADLINES",
    "RAW_INTRADAY_BARS",
    "RAW_OPTION_CHAINS",
    "RAW_POSTS",
    "REAL_WORLD_DENSITY",
    "REGIMES",
    "REPLAY_REPORT",
    "SENTIMENT",
    "TARGET_POSITIONS",
    "TIME_OF_DAY_CURVE",
    "UTC_US",
    "VOL_SURFACE",
    "WALK_FORWARD",
    "Column",
    "DatasetSpec",
    "Layer",
    "PartitionedBy",
]
