"""A model group's shared work: inputs up to a session, the standing recipes walked forward, and their replay.

Folds and the account are of the whole group, while datasets are written market by market and models date by date.
Whoever comes first computes; the others of the process take the same, for as long as the lake holds the same.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

import polars as pl
import sqlalchemy as sa

from hydra_assets.columns import DIVERGENCE, FEATURE_VECTOR, FUTURES_CURVE, LABELS, REGIMES, TIME_OF_DAY_CURVE
from hydra_assets.evaluation.evidence import Played
from hydra_assets.evaluation.strategies import played, size_factors
from hydra_assets.lake import Lake
from hydra_assets.markets.model import MarketSpec
from hydra_assets.models.out_of_fold import OutOfFoldRun, out_of_fold
from hydra_assets.models.recalibrated import recalibrated
from hydra_assets.models.recipe import STRATEGIES, Recipe
from hydra_assets.replay.impact_versions import no_versions, with_impact_versions
from hydra_assets.replay.inputs import CURVE_COLUMNS, market_arrays
from hydra_assets.replay.market import MarketArrays
from hydra_assets.replay.time_of_day import WINDOW_COLUMNS, with_time_of_day
from hydra_assets.state.slippage import impact_multipliers
from hydra_assets.stats.returns import Floats

WORKERS = 2
"""Threads that fit folds; a home's run has no more of a machine than that by default."""
INPUTS = (FEATURE_VECTOR, LABELS, FUTURES_CURVE, REGIMES, DIVERGENCE, TIME_OF_DAY_CURVE)


def groups_of(markets: Sequence[MarketSpec]) -> dict[str, list[str]]:
    """Markets by model group."""
    out: dict[str, list[str]] = {}
    for market in markets:
        out.setdefault(market.group, []).append(market.symbol)
    return out


@dataclass(frozen=True)
class GroupHistory:
    """Everything of a group's markets up to a session, and what is computed from it once."""

    lake: Lake
    specs: tuple[MarketSpec, ...]
    last: date
    impact: pl.DataFrame = field(default_factory=no_versions, compare=False)
    """What was learned of impact: ``VERSION_SCHEMA``."""

    def _read(self, dataset: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
        symbols = [spec.symbol for spec in self.specs]
        return self.lake.read(dataset, markets=symbols, last=self.last, columns=None if columns is None else [*columns])

    @cached_property
    def features(self) -> pl.DataFrame:
        """Rows of ``feature_vector``."""
        return self._read(FEATURE_VECTOR.name)

    @cached_property
    def labels(self) -> pl.DataFrame:
        """Rows of ``labels``."""
        return self._read(LABELS.name)

    @cached_property
    def regimes(self) -> pl.DataFrame:
        """Rows of ``regimes``."""
        return self._read(REGIMES.name)

    @cached_property
    def curve(self) -> pl.DataFrame:
        """Rows of ``futures_curve`` with the columns of a replay."""
        return self._read(FUTURES_CURVE.name, CURVE_COLUMNS)

    @cached_property
    def market(self) -> MarketArrays:
        """Arrays of a replay, with what was learned of impact and the hours in which orders work."""
        return with_impact_versions(self._market, self.impact)

    @cached_property
    def _market(self) -> MarketArrays:
        arrays = market_arrays(self.curve, self.specs)
        hours = {spec.symbol: spec.liquidity.working_hours for spec in self.specs}
        chosen = {symbol: own for symbol, own in hours.items() if own is not None}
        if not chosen:
            return arrays
        return with_time_of_day(arrays, self._read(TIME_OF_DAY_CURVE.name, WINDOW_COLUMNS), chosen)

    @cached_property
    def factors(self) -> Floats:
        """Size factors of ``divergence``, ``[session, market]``."""
        return size_factors(self._read(DIVERGENCE.name, ("market", "session", "size_factor")), self.market)

    @cached_property
    def runs(self) -> Mapping[str, OutOfFoldRun]:
        """Raw walk-forward of each standing recipe, with contributions."""
        return {
            name: out_of_fold(self.features, self.labels, recipe, explain_from=0, workers=WORKERS)
            for name, recipe in STRATEGIES.items()
        }

    @cached_property
    def predictions(self) -> Mapping[str, pl.DataFrame]:
        """Calibrated walk-forward of each standing recipe."""
        return {name: recalibrated(run.predictions, self.labels, STRATEGIES[name]) for name, run in self.runs.items()}

    @cached_property
    def played(self) -> Played:
        """The standing recipes replayed."""
        return self._played(STRATEGIES, self.predictions)

    def play(self, others: Mapping[str, Recipe]) -> Played:
        """The standing recipes and further ones, replayed in one pass."""
        if not others:
            return self.played
        walks = {**self.predictions, **{name: self.walk(recipe) for name, recipe in others.items()}}
        return self._played({**STRATEGIES, **others}, walks)

    def walk(self, recipe: Recipe) -> pl.DataFrame:
        """Calibrated walk-forward of any recipe."""
        key = recipe.sha256
        if key not in self._walks:
            run = out_of_fold(self.features, self.labels, recipe, workers=WORKERS)
            self._walks[key] = recalibrated(run.predictions, self.labels, recipe)
        return self._walks[key]

    @cached_property
    def _walks(self) -> dict[str, pl.DataFrame]:
        return {}

    def _played(self, recipes: Mapping[str, Recipe], walks: Mapping[str, pl.DataFrame]) -> Played:
        return Played(recipes, walks, self.market, played(walks, recipes, self.market, self.factors))


def group_history(lake: Lake, specs: Sequence[MarketSpec], last: date, engine: sa.Engine) -> GroupHistory:
    """The history of a group's markets up to a session; the same object while lake and database hold the same."""
    impact = impact_multipliers(engine, specs).filter(pl.col("effective_after") <= last)
    tables = (*(_state(lake, spec.name) for spec in INPUTS), *impact.rows())
    key = (*tables, tuple(spec.symbol for spec in specs), last)
    if key not in _NEWEST:
        _NEWEST.clear()
        _NEWEST[key] = GroupHistory(lake, tuple(specs), last, impact)
    return _NEWEST[key]


def _state(lake: Lake, dataset: str) -> tuple[str, int] | None:
    """A table's own identity and version: what it holds never changes under them."""
    if not lake.exists(dataset):
        return None
    table = lake.table(dataset)
    return str(table.metadata().id), table.version()


_NEWEST: dict[tuple[object, ...], GroupHistory] = {}


def by_strategy(frames: Mapping[str, pl.DataFrame], pick: Callable[[pl.DataFrame], pl.DataFrame]) -> pl.DataFrame:
    """Frames of the strategies under their names, each through ``pick``."""
    return pl.concat([pick(rows).with_columns(pl.lit(name).alias("strategy")) for name, rows in frames.items()])


def count_reasons(rows: pl.DataFrame, column: str) -> dict[str, Any]:
    """How often each code stands in a column."""
    return dict(rows[column].value_counts().sort(column).iter_rows())
