"""Option assets: from every quote's verdict to densities, moments, flows and the gate on them."""

from collections.abc import Callable, Sequence
from datetime import date

import dagster as dg
import polars as pl

from hydra_assets.columns import (
    CLEAN_QUOTES,
    DENSITY_GATE,
    FUTURES_CURVE,
    GREEKS_FLOWS,
    IMPLIED_DENSITY,
    IMPLIED_MOMENTS,
    IMPLIED_VOLS,
    OPTION_QUOTES,
    REAL_WORLD_DENSITY,
    VOL_SURFACE,
)
from hydra_assets.defs.derived import DerivedAsset, Inputs, Reader, build
from hydra_assets.home import HomeConfig
from hydra_assets.markets.model import MarketSpec
from hydra_assets.markets.rates import discount_rates
from hydra_assets.options.clean import QuoteTerms, clean
from hydra_assets.options.greeks_flows import flows_of
from hydra_assets.options.implied_density import densities_of
from hydra_assets.options.implied_moments import moments_of
from hydra_assets.options.real_world_density import history_of, real_world_densities, scores_of
from hydra_assets.options.vol_surface import fit_surface
from hydra_assets.options.vols import implied_vols
from hydra_assets.quality_options import JUMP_DAYS_BEFORE, density_gate

GROUP = "options"
NO_QUOTES = "no_quotes"
NO_OPTIONS = "no_options"
NO_USABLE_QUOTE = "no_usable_quote"
NO_USABLE_SLICE = "no_usable_slice"
HISTORY_COLUMNS = (
    "market",
    "session",
    "expiry",
    "underlying_contract",
    "days_to_expiry",
    "forward",
    "density_unit",
    "density",
)
CURVE_COLUMNS = ("market", "session", "contract", "settle", "settle_age_sessions")
MOMENT_COLUMNS = ("market", "session", "tenor", "atm_vol", "skew")


def _why(reason: str) -> Callable[[Inputs], dict[date, str]]:
    """Reason of the empty partitions of a market that has options; ``no_options`` for one that has none."""

    def why(inputs: Inputs) -> dict[date, str]:
        return dict.fromkeys(inputs.part.days, reason if inputs.market.options is not None else NO_OPTIONS)

    return why


def _clean_quotes(inputs: Inputs) -> pl.DataFrame:
    options = inputs.market.options
    if options is None:
        return pl.DataFrame(schema=CLEAN_QUOTES.schema)
    rates = pl.DataFrame(
        {"session": inputs.part.sessions, "rate": discount_rates(inputs.market, inputs.part.sessions)},
        schema={"session": pl.Date(), "rate": pl.Float64()},
    )
    quotes = inputs.rows(OPTION_QUOTES).join(rates, on="session", how="left", maintain_order="left")
    return clean(quotes, QuoteTerms(options.tick, options.strike_interval)).with_columns(pl.col("rate").fill_nan(None))


def _implied_vols(inputs: Inputs) -> pl.DataFrame:
    return implied_vols(inputs.rows(CLEAN_QUOTES))


def _vol_surface(inputs: Inputs) -> pl.DataFrame:
    return fit_surface(inputs.rows(CLEAN_QUOTES), inputs.rows(IMPLIED_VOLS))


def _implied_density(inputs: Inputs) -> pl.DataFrame:
    draws = inputs.home.config.bootstrap_draws
    return densities_of(inputs.rows(VOL_SURFACE), inputs.rows(IMPLIED_VOLS), draws)


def _implied_moments(inputs: Inputs) -> pl.DataFrame:
    return moments_of(inputs.rows(IMPLIED_DENSITY), inputs.rows(VOL_SURFACE), inputs.sessions)


def _greeks_flows(inputs: Inputs) -> pl.DataFrame:
    return flows_of(inputs.rows(CLEAN_QUOTES), inputs.rows(VOL_SURFACE), inputs.market.multiplier)


def _real_world_density(inputs: Inputs) -> pl.DataFrame:
    history = inputs.rows(IMPLIED_DENSITY, HISTORY_COLUMNS, days_before=None)
    curve = inputs.rows(FUTURES_CURVE, CURVE_COLUMNS, days_before=None)
    return real_world_densities(inputs.rows(IMPLIED_DENSITY), history_of(history, curve), inputs.sessions)


def _density_gate(inputs: Inputs) -> pl.DataFrame:
    moments = inputs.rows(IMPLIED_MOMENTS, MOMENT_COLUMNS, days_before=JUMP_DAYS_BEFORE)
    return density_gate(inputs.rows(VOL_SURFACE), inputs.rows(IMPLIED_DENSITY), moments, inputs.sessions)


def _picture(name: str) -> Callable[[pl.DataFrame, Reader], bytes | None]:
    """Picture by its name in ``option_pictures``, imported when it is drawn: matplotlib is slow to import."""

    def draw(rows: pl.DataFrame, read: Reader) -> bytes | None:
        from hydra_assets.defs import option_pictures  # noqa: PLC0415  see above

        image: bytes | None = getattr(option_pictures, name)(rows, read)
        return image

    return draw


def _real_world_notes(rows: pl.DataFrame, read: Reader) -> dict[str, object]:
    """Per market: log-score of the real-world density against the risk-neutral one, and tests of uniformity."""
    out: dict[str, object] = {}
    for market in rows["market"].unique().sort().to_list():
        densities, curve = (read(spec, market, None) for spec in (IMPLIED_DENSITY, FUTURES_CURVE))
        last = rows.filter(pl.col("market") == market)["session"].max()
        history = history_of(densities, curve).filter(pl.col("known_session") <= last)
        out[f"{market}_out_of_sample"] = scores_of(history)
    return out


ASSETS = (
    DerivedAsset(
        CLEAN_QUOTES,
        GROUP,
        (OPTION_QUOTES,),
        _clean_quotes,
        _picture("quote_reasons"),
        why_empty=_why(NO_QUOTES),
        by_block=True,
    ),
    DerivedAsset(
        IMPLIED_VOLS,
        GROUP,
        (CLEAN_QUOTES,),
        _implied_vols,
        _picture("quoted_vols"),
        why_empty=_why(NO_USABLE_QUOTE),
        by_block=True,
    ),
    DerivedAsset(
        VOL_SURFACE,
        GROUP,
        (CLEAN_QUOTES, IMPLIED_VOLS),
        _vol_surface,
        _picture("fitted_smiles"),
        why_empty=_why(NO_QUOTES),
        by_block=True,
    ),
    DerivedAsset(
        IMPLIED_DENSITY,
        GROUP,
        (VOL_SURFACE, IMPLIED_VOLS),
        _implied_density,
        _picture("density_fan"),
        why_empty=_why(NO_USABLE_SLICE),
        by_block=True,
    ),
    DerivedAsset(
        IMPLIED_MOMENTS,
        GROUP,
        (IMPLIED_DENSITY, VOL_SURFACE),
        _implied_moments,
        _picture("moments_history"),
        by_block=True,
    ),
    DerivedAsset(
        GREEKS_FLOWS,
        GROUP,
        (CLEAN_QUOTES, VOL_SURFACE),
        _greeks_flows,
        _picture("gamma_by_strike"),
        why_empty=_why(NO_QUOTES),
        by_block=True,
    ),
    DerivedAsset(
        REAL_WORLD_DENSITY,
        GROUP,
        (IMPLIED_DENSITY, FUTURES_CURVE),
        _real_world_density,
        _picture("real_world_returns"),
        _real_world_notes,
        _why(NO_USABLE_SLICE),
    ),
    DerivedAsset(DENSITY_GATE, GROUP, (VOL_SURFACE, IMPLIED_DENSITY, IMPLIED_MOMENTS), _density_gate),
)
"""The option assets in the order of the flow."""


def options_assets(home_config: HomeConfig, markets: Sequence[MarketSpec]) -> list[dg.AssetsDefinition]:
    """All option assets of a home."""
    return [build(asset, home_config, markets) for asset in ASSETS]
