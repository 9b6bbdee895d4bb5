"""Asset of the time-of-day curve: as-of reads of the raw intraday bars."""

from collections.abc import Sequence
from datetime import timedelta

import dagster as dg
import polars as pl

from hydra_assets.columns import RAW_INTRADAY_BARS, TIME_OF_DAY_CURVE
from hydra_assets.curated.time_of_day_curve import TimeOfDayConfig, time_of_day_curve
from hydra_assets.defs.derived import DerivedAsset, Inputs, Reader, build
from hydra_assets.home import HomeConfig
from hydra_assets.markets.model import MarketSpec
from hydra_assets.sources.base import Dataset
from hydra_assets.sources.registry import preference

CONFIG = TimeOfDayConfig()
COLUMNS = (
    "contract",
    "bar_start",
    "bar_minutes",
    "high",
    "low",
    "volume",
    "known_at",
    "source",
)


def time_of_day_assets(home_config: HomeConfig, markets: Sequence[MarketSpec]) -> list[dg.AssetsDefinition]:
    """The asset of ``time_of_day_curve``."""
    return [build(ASSET, home_config, markets)]


def _compute(inputs: Inputs) -> pl.DataFrame:
    calendar = inputs.home.calendars[inputs.part.market]
    sessions = inputs.part.sessions
    # Nothing is known before it happens: the partition of a bar of the window is not before the window's first session.
    start = calendar.previous_session(sessions[0], CONFIG.window_sessions)
    bars = inputs.rows(RAW_INTRADAY_BARS, COLUMNS, days_before=(inputs.part.first - start) // timedelta(days=1))
    ranks = {label: preference(inputs.market, Dataset.INTRADAY_BARS, label) for label in bars["source"].unique()}
    ranked = bars.with_columns(
        pl.col("source").replace_strict(ranks, default=None, return_dtype=pl.Int64).alias("source_rank")
    )
    return time_of_day_curve(ranked, inputs.part.market, calendar, sessions, CONFIG)


def _picture(rows: pl.DataFrame, _: Reader) -> bytes | None:
    from hydra_assets.defs.pictures import lines  # noqa: PLC0415  matplotlib is slow to import

    newest = rows.filter(time_of_day_reason="ok").sort("session").unique("market", keep="last", maintain_order=True)
    if newest.is_empty():
        return None
    flat = newest.explode("bucket_starts", "volume_shares").with_columns(pl.col("bucket_starts") / 60)
    return lines(flat, x="bucket_starts", y="volume_shares", title="Volume by local hour, newest", unit="share of day")


ASSET = DerivedAsset(TIME_OF_DAY_CURVE, "curated", (RAW_INTRADAY_BARS,), _compute, _picture)
