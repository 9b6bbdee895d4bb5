"""Option assets: the fitted surface, its densities, and the moments that signals are made of."""

from collections.abc import Sequence
from datetime import date

import dagster as dg
import polars as pl

from hydra_assets.columns import IMPLIED_DENSITY, IMPLIED_MOMENTS, OPTION_QUOTES, VOL_SURFACE
from hydra_assets.defs.ranges import MarketRange, Resources, derive
from hydra_assets.defs.resources import DatabaseResource, HomeResource, LakeResource
from hydra_assets.home import HomeConfig
from hydra_assets.markets.model import MarketSpec
from hydra_assets.options.surface import densities_of, fit_surface, moments_at_target
from hydra_assets.partitions import market_session_partitions

NO_QUOTES = "no_quotes"
NO_OPTIONS = "no_options"
NO_USABLE_SLICE = "no_usable_slice"


def session_frame(part: MarketRange) -> pl.DataFrame:
    """The sessions of a market's range: columns market and session."""
    return pl.DataFrame(
        {"market": part.market, "session": part.sessions}, schema={"market": pl.String, "session": pl.Date}
    )


def options_assets(home_config: HomeConfig, markets: Sequence[MarketSpec]) -> list[dg.AssetsDefinition]:
    """All option assets of a home."""
    partitions = market_session_partitions(home_config, markets)
    policy = dg.BackfillPolicy.single_run()

    @dg.asset(
        name=VOL_SURFACE.name,
        group_name="options",
        description=VOL_SURFACE.description,
        partitions_def=partitions,
        backfill_policy=policy,
        deps=[OPTION_QUOTES.name],
        kinds={"deltalake", "polars", "numpy"},
    )
    def surface(
        context: dg.AssetExecutionContext, home: HomeResource, lake: LakeResource, database: DatabaseResource
    ) -> dg.MaterializeResult[None]:
        resources = Resources(home, lake, database)

        def compute(part: MarketRange) -> pl.DataFrame:
            options = home.markets[part.market].options
            if options is None:
                return pl.DataFrame(schema=VOL_SURFACE.schema)
            quotes = lake.lake.read(OPTION_QUOTES.name, markets=[part.market], first=part.first, last=part.last)
            return fit_surface(quotes, {part.market: options.tick})

        def why(part: MarketRange) -> dict[date, str]:
            offered = home.markets[part.market].options is not None
            return dict.fromkeys(part.days, NO_QUOTES if offered else NO_OPTIONS)

        return derive(context, VOL_SURFACE, resources, compute, _surface_picture, why)

    @dg.asset(
        name=IMPLIED_DENSITY.name,
        group_name="options",
        description=IMPLIED_DENSITY.description,
        partitions_def=partitions,
        backfill_policy=policy,
        deps=[VOL_SURFACE.name],
        kinds={"deltalake", "polars", "numpy"},
    )
    def density(
        context: dg.AssetExecutionContext, home: HomeResource, lake: LakeResource, database: DatabaseResource
    ) -> dg.MaterializeResult[None]:
        resources = Resources(home, lake, database)

        def compute(part: MarketRange) -> pl.DataFrame:
            return densities_of(
                lake.lake.read(VOL_SURFACE.name, markets=[part.market], first=part.first, last=part.last)
            )

        return derive(
            context,
            IMPLIED_DENSITY,
            resources,
            compute,
            _density_picture,
            lambda part: dict.fromkeys(part.days, NO_USABLE_SLICE),
        )

    @dg.asset(
        name=IMPLIED_MOMENTS.name,
        group_name="options",
        description=IMPLIED_MOMENTS.description,
        partitions_def=partitions,
        backfill_policy=policy,
        deps=[IMPLIED_DENSITY.name, VOL_SURFACE.name],
        kinds={"deltalake", "polars"},
    )
    def moments(
        context: dg.AssetExecutionContext, home: HomeResource, lake: LakeResource, database: DatabaseResource
    ) -> dg.MaterializeResult[None]:
        resources = Resources(home, lake, database)

        def compute(part: MarketRange) -> pl.DataFrame:
            columns = [name for name in IMPLIED_DENSITY.columns if name != "density"]
            dense, fitted = (
                lake.lake.read(name, markets=[part.market], first=part.first, last=part.last, columns=wanted)
                for name, wanted in ((IMPLIED_DENSITY.name, columns), (VOL_SURFACE.name, ["market", "session"]))
            )
            return moments_at_target(dense, fitted, session_frame(part))

        return derive(context, IMPLIED_MOMENTS, resources, compute, _moments_picture)

    return [surface, density, moments]


def _surface_picture(rows: pl.DataFrame) -> bytes | None:
    from hydra_assets.defs.model_pictures import fitted_smiles  # noqa: PLC0415  matplotlib is slow to import

    return fitted_smiles(rows)


def _density_picture(rows: pl.DataFrame) -> bytes | None:
    from hydra_assets.defs.model_pictures import density_fan  # noqa: PLC0415  matplotlib is slow to import

    return density_fan(rows)


def _moments_picture(rows: pl.DataFrame) -> bytes | None:
    from hydra_assets.defs.pictures import lines  # noqa: PLC0415  matplotlib is slow to import

    title = "Tilt of the implied density over the lognormal"
    return lines(rows, x="session", y="tilt", title=title, unit="standard deviations")
