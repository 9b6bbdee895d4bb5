"""A simulated world as the frames that modelling reads, in seconds: ``fast_world``."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache

import polars as pl

from hydra_assets.columns import FEATURE_VECTOR, FUTURES_CURVE, LABELS, REGIMES, DatasetSpec
from hydra_assets.features.assemble import Sources, assemble
from hydra_assets.features.cross_market import pool_features
from hydra_assets.features.curve_group import held_returns
from hydra_assets.home import DEFAULT_SIM_MARKETS
from hydra_assets.labels.known import LabelKind, known_labels, round_trip_fraction
from hydra_assets.markets.loader import load_markets
from hydra_assets.markets.model import MarketSpec
from hydra_assets.regimes.switching import switching_regimes
from hydra_assets.sentiment.composite import sentiment
from hydra_assets.sentiment.cot_sentiment import cot_sentiment
from hydra_assets.sentiment.order_flow import order_flow_scores
from hydra_assets.signals.assessment import divergence_signals
from hydra_assets.sources.simulated.market import SimulatedMarket, build_market
from hydra_assets.sources.simulated.truth import Attainable, Knowledge, attainable_sharpe
from hydra_assets.sources.simulated.world import Edge, EdgeKind, World
from studies.worlds.calibration import Calibration, load
from studies.worlds.cheap import Grid, curve_rows, grid_of, positions_of, report_frame
from studies.worlds.draws import draw, moment_rows
from studies.worlds.flows import flow_rows, real_world_rows
from studies.worlds.slices import slices_of
from studies.worlds.texts import headline_frame, post_frame

START = date(2021, 11, 22)
"""First session of every world: that of the home on which the options engine's errors were measured."""
_KEY = ["market", "session"]
_REGIME_NAMES = {f"probability_{n}": f"regime_probability_{n}" for n in ("calm", "stressed", "up", "down")}


@dataclass(frozen=True, slots=True)
class WorldFrames:
    """One world, all markets in one frame each, sorted by market and session.

    ``features`` has the columns of the dataset ``feature_vector``, ``labels`` those of ``labels`` (both kinds, under
    the session that made them known), ``regimes`` those of ``regimes``. ``curve`` holds the front rows of
    ``futures_curve`` with all of its columns.
    """

    world: World
    seed: int
    first: date
    last: date
    specs: tuple[MarketSpec, ...]
    features: pl.DataFrame
    curve: pl.DataFrame
    labels: pl.DataFrame
    regimes: pl.DataFrame

    def attainable(
        self, first_session: date, last_session: date, knowledge: Knowledge = Knowledge.PUBLISHED
    ) -> Attainable:
        """What an oracle earns, net of costs, by decisions from the first to the last session, both included.

        The oracle counts sessions. They are counted in the market that has most; the others' holidays move their ends
        by a few sessions.
        """
        by_market = self.curve.group_by("market").agg(pl.len().alias("n")).sort("n", "market", descending=[True, False])
        days = self.curve.filter(pl.col("market") == by_market["market"][0])["session"].sort()
        span = int((days < first_session).sum()), int((days <= last_session).sum())
        return attainable_sharpe(self.world, self.seed, self.specs, self.first, span, knowledge)


def edge_of(edge: Edge | float) -> Edge:
    """An edge as given, or one of that size that is constant and never breaks; 0 is no edge."""
    if isinstance(edge, Edge):
        return edge
    kind = EdgeKind.CONSTANT if edge > 0.0 else EdgeKind.NONE
    return Edge(kind=kind, sharpe=edge, break_session=None)


def fast_world(
    edge: Edge | float,
    seed: int,
    years: int = 5,
    markets: Sequence[str] = DEFAULT_SIM_MARKETS,
    calibration: Calibration | None = None,
) -> WorldFrames:
    """Simulate a world and compute its frames.

    Parameters
    ----------
    edge
        Size of the planted edge: an ``Edge``, or its ``sharpe`` without a break (``EDGES`` has those of a net
        attainable Sharpe ratio of about 1 and 2).
    seed, years
        Seed of the world, and its length from ``START``.
    markets
        Simulated markets for which there is a calibration.
    calibration
        Errors of the options engine; the committed ones where None.

    Returns
    -------
    The frames. Rows of a session are the same, byte for byte, whatever later sessions the world has.
    """
    return fast_worlds(edge, [seed], years, markets, calibration)[0]


def fast_worlds(
    edge: Edge | float,
    seeds: Sequence[int],
    years: int = 5,
    markets: Sequence[str] = DEFAULT_SIM_MARKETS,
    calibration: Calibration | None = None,
) -> list[WorldFrames]:
    """Worlds of several seeds, each as ``fast_world`` makes it; cheaper, for their regimes are fitted side by side."""
    last = START.replace(year=START.year + years) - timedelta(days=1)
    world = World(edge=edge_of(edge))
    made = [_without_regimes(world, seed, (START, last), markets, calibration or load()) for seed in seeds]
    return _with_regimes(made)


def world_frames(
    world: World,
    seed: int,
    span: tuple[date, date],
    markets: Sequence[str] = DEFAULT_SIM_MARKETS,
    calibration: Calibration | None = None,
) -> WorldFrames:
    """Frames of any world over the sessions of ``span``, both ends included; as ``fast_world``."""
    return _with_regimes([_without_regimes(world, seed, span, markets, calibration or load())])[0]


def _with_regimes(worlds: Sequence[WorldFrames]) -> list[WorldFrames]:
    """Fit all markets of all worlds in one pass; a market's regimes do not depend on what is fitted beside it."""
    if not worlds:
        return []
    held = pl.concat(
        w.curve.with_columns(pl.concat_str(pl.lit(f"{i:04d}|"), "market").alias("market")) for i, w in enumerate(worlds)
    )
    found = switching_regimes(held).rename(_REGIME_NAMES)
    found = found.with_columns(
        pl.col("market").str.slice(0, 4).cast(pl.Int64).alias("world"), pl.col("market").str.slice(5)
    )
    parts = found.partition_by("world", as_dict=True, include_key=False)
    return [replace(w, regimes=_typed(parts[(i,)], REGIMES).sort(_KEY)) for i, w in enumerate(worlds)]


def _without_regimes(
    world: World, seed: int, span: tuple[date, date], markets: Sequence[str], errors: Calibration
) -> WorldFrames:
    specs = tuple(_market_specs()[name] for name in markets)
    built = [build_market(spec, world, seed, *span) for spec in specs]
    simulated = [market for market in built if market is not None]
    grids = [grid_of(market) for market in simulated]
    curves = [curve_rows(market, grid) for market, grid in zip(simulated, grids, strict=True)]
    reports = pl.concat([report_frame(market, grid) for market, grid in zip(simulated, grids, strict=True)])
    pool = pool_features(pl.concat(curves), pl.concat([grid.keys for grid in grids]))
    features, labels, fronts = [], [], []
    for market, grid, curve in zip(simulated, grids, curves, strict=True):
        features.append(_features(market, grid, curve, (reports, pool), errors))
        front = held_returns(curve)
        fronts.append(front)
        priced = front.with_columns(round_trip_fraction(grid.spec, pl.col("settle")).alias("round_trip_cost"))
        labels += [known_labels(priced, kind) for kind in LabelKind]
    return WorldFrames(
        world=world,
        seed=seed,
        first=span[0],
        last=span[1],
        specs=specs,
        features=_typed(pl.concat(features), FEATURE_VECTOR).sort(_KEY),
        curve=_typed(pl.concat(fronts), FUTURES_CURVE).sort(_KEY),
        labels=_typed(pl.concat(labels), LABELS).sort(LABELS.key),
        regimes=pl.DataFrame(),
    )


def _typed(rows: pl.DataFrame, spec: DatasetSpec) -> pl.DataFrame:
    """Columns of a dataset with its types, as the lake would give them back."""
    return rows.select(pl.col(name).cast(dtype) for name, dtype in spec.schema.items())


@lru_cache(maxsize=1)
def _market_specs() -> dict[str, MarketSpec]:
    return load_markets()


def _features(
    market: SimulatedMarket,
    grid: Grid,
    curve: pl.DataFrame,
    shared: tuple[pl.DataFrame, pl.DataFrame],
    calibration: Calibration,
) -> pl.DataFrame:
    """Vectors of one market; ``shared`` are the reports and the pool of all."""
    reports, pool = shared
    keys = grid.keys
    slices = slices_of(market)
    drawn = draw(market, slices, calibration.markets[grid.spec.symbol])
    moments = moment_rows(keys, slices, drawn)
    real_world = real_world_rows(market, keys, slices, drawn, curve)
    crowd = cot_sentiment(positions_of(reports, grid), keys)
    headlines = headline_frame(market, grid)
    order_flow = order_flow_scores(curve, keys).rename({"volume_ratio": "flow_volume_ratio"})
    told = {"cot": crowd, "headlines": headlines, "posts": post_frame(market, grid), "order_flow": order_flow}
    mood = sentiment(told, keys)
    sources = Sources(
        curve=curve,
        moments=moments,
        flows=flow_rows(market, keys, slices),
        real_world=real_world,
        crowd=crowd,
        headlines=headlines,
        order_flow=order_flow,
        sentiment=mood,
        divergence=divergence_signals(moments, real_world, mood, keys),
        pool=pool.filter(pl.col("market") == grid.spec.symbol),
    )
    return assemble(sources, keys)
