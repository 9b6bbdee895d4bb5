"""CFTC commitments of traders: header dialects, parser, release calendar, source and the inverse writer."""

from hydra_assets.sources.cftc.calendar import release_time, release_times, restated_known_at, restated_known_at_expr
from hydra_assets.sources.cftc.layout import Family, Scope
from hydra_assets.sources.cftc.parse import parse_cot
from hydra_assets.sources.cftc.source import CftcSource
from hydra_assets.sources.cftc.write import write_disaggregated, write_legacy

__all__ = [
    "CftcSource",
    "Family",
    "Scope",
    "parse_cot",
    "release_time",
    "release_times",
    "restated_known_at",
    "restated_known_at_expr",
    "write_disaggregated",
    "write_legacy",
]
