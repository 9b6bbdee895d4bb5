"""One asset of a derived dataset from a function of a market's range: what all of them have in common."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import dagster as dg
import polars as pl

from hydra_assets.columns import DatasetSpec
from hydra_assets.defs.ranges import MarketRange, Resources, derive
from hydra_assets.defs.resources import DatabaseResource, HomeResource, LakeResource
from hydra_assets.home import HomeConfig
from hydra_assets.markets.model import MarketSpec
from hydra_assets.partitions import MARKET, SESSION, market_session_partitions


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a computation may read: the home, the lake's rows of its own market or of all, and what was learned."""

    home: HomeResource
    lake: LakeResource
    part: MarketRange
    database: DatabaseResource

    @property
    def market(self) -> MarketSpec:
        """Contract facts of the market."""
        return self.home.markets[self.part.market]

    def rows(
        self,
        spec: DatasetSpec,
        columns: Sequence[str] | None = None,
        days_before: int | None = 0,
        all_markets: bool = False,
    ) -> pl.DataFrame:
        """Rows of the range and of so many calendar days before it; None for everything before it."""
        first = None if days_before is None else self.part.first - timedelta(days=days_before)
        return self.lake.lake.read(
            spec.name,
            markets=list(self.home.markets) if all_markets else [self.part.market],
            first=first,
            last=self.part.last,
            columns=None if columns is None else list(columns),
        )

    @property
    def sessions(self) -> pl.DataFrame:
        """Decided sessions of the range: columns market and session."""
        return pl.DataFrame(
            {"market": self.part.market, "session": self.part.sessions},
            schema={"market": pl.String, "session": pl.Date},
        )


BLOCK_DAYS = 250
Reader = Callable[[DatasetSpec, str, date | None], pl.DataFrame]
"""Other rows that a picture needs: of a dataset, a market and a session (None: all sessions)."""


@dataclass(frozen=True, slots=True)
class DerivedAsset:
    """A derived dataset, what it is made of, and how its pages look.

    ``notes`` are further numbers of a run's metadata; they and the picture are made once a run, of all its rows.
    ``by_block`` computes a long range a year at a time: for datasets whose sessions do not look at each other, it
    bounds the memory and changes nothing else.
    """

    spec: DatasetSpec
    group: str
    deps: Sequence[DatasetSpec]
    """What it is made of, partition by partition."""
    compute: Callable[[Inputs], pl.DataFrame]
    picture: Callable[[pl.DataFrame, Reader], bytes | None] | None = None
    notes: Callable[[pl.DataFrame, Reader], Mapping[str, object]] | None = None
    why_empty: Callable[[Inputs], Mapping[date, str]] | None = None
    by_block: bool = False
    pool_deps: Sequence[DatasetSpec] = ()
    """What it is made of in the same session of every market."""


def _blocks(part: MarketRange) -> list[MarketRange]:
    """The range in stretches of at most ``BLOCK_DAYS`` days, in order; those without a decided session are left out."""
    out = []
    for i in range(0, len(part.days), BLOCK_DAYS):
        days = part.days[i : i + BLOCK_DAYS]
        sessions = [day for day in part.sessions if days[0] <= day <= days[-1]]
        if sessions:
            out.append(replace(part, days=days, sessions=sessions))
    return out


def _every_market() -> dg.MultiPartitionMapping:
    """The same session of all markets."""
    return dg.MultiPartitionMapping(
        {
            MARKET: dg.DimensionPartitionMapping(MARKET, dg.AllPartitionMapping()),
            SESSION: dg.DimensionPartitionMapping(SESSION, dg.IdentityPartitionMapping()),
        }
    )


def _computed(asset: DerivedAsset, parts: Resources, part: MarketRange) -> pl.DataFrame:
    """All rows of a range, block by block in key order, so that the lake need not sort a copy of the whole."""
    blocks = _blocks(part) if asset.by_block else [part]
    found = (asset.compute(Inputs(parts.home, parts.lake, block, parts.database)) for block in blocks)
    return pl.concat([rows.sort(asset.spec.key, maintain_order=True) for rows in found], how="vertical_relaxed")


def build(asset: DerivedAsset, home_config: HomeConfig, markets: Sequence[MarketSpec]) -> dg.AssetsDefinition:
    """Dagster's definition of a derived asset: any range of partitions in one pass."""

    @dg.asset(
        name=asset.spec.name,
        group_name=asset.group,
        description=asset.spec.description,
        partitions_def=market_session_partitions(home_config, markets),
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[
            *(dep.name for dep in asset.deps),
            *(dg.AssetDep(dep.name, partition_mapping=_every_market()) for dep in asset.pool_deps),
        ],
        kinds={"deltalake", "polars", "numpy"},
    )
    def materialise(
        context: dg.AssetExecutionContext, home: HomeResource, lake: LakeResource, database: DatabaseResource
    ) -> dg.MaterializeResult[None]:
        why, picture, notes = asset.why_empty, asset.picture, asset.notes
        parts = Resources(home, lake, database)

        def read(spec: DatasetSpec, market: str, session: date | None) -> pl.DataFrame:
            return lake.lake.read(spec.name, markets=[market], first=session, last=session)

        return derive(
            context,
            asset.spec,
            parts,
            lambda part: _computed(asset, parts, part),
            (lambda rows: picture(rows, read)) if picture else None,
            (lambda part: why(Inputs(home, lake, part, database))) if why else None,
            (lambda rows: notes(rows, read)) if notes else None,
        )

    return materialise
