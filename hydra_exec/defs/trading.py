"""Trading assets: what is wanted, what was ordered, what was filled; one job for the three."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

import dagster as dg
import polars as pl
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from hydra_assets.columns import (
    DENSITY_GATE,
    DIAGNOSIS,
    DIVERGENCE,
    FILLS,
    FUTURES_CURVE,
    ORDERS,
    PREDICTIONS,
    RAW_FUTURES_BARS,
    TARGET_POSITIONS,
)
from hydra_assets.defs.ranges import MarketRange, Resources, cutoff_frame, derive
from hydra_assets.defs.resources import DatabaseResource, HomeResource, LakeResource
from hydra_assets.features.curve_group import held_returns
from hydra_assets.home import HomeConfig
from hydra_assets.markets.model import MarketSpec
from hydra_assets.markets.sessions import SessionCalendar
from hydra_assets.partitions import group_of_session, market_session_partitions
from hydra_assets.quality_options import GateState
from hydra_assets.replay.inputs import CURVE_COLUMNS, market_arrays
from hydra_assets.replay.tables import ReplayConfig
from hydra_assets.state.system import SystemState
from hydra_assets.state.system_log import current_state
from hydra_exec.broker import Bar, SimulatedBroker
from hydra_exec.journal import fills_between, last_ordered, orders_between, record, standing
from hydra_exec.risk_gate import Limits
from hydra_exec.targets import TargetReason, target_positions, wanted_lots
from hydra_exec.trading import Target, trade

TRADE_JOB = "trade_champion"
NO_PREDICTION = "no_prediction"
NO_ORDER = "no_order"
NO_FILL = "no_fill"
PREDICTED = ("market", "session", "probability_up", "base_rate", "model_label", "horizon_sessions")
WINDOW_DAYS = 120
"""Calendar days that hold the volatility's window and any horizon before a session."""


def limits_of(market: MarketSpec) -> Limits:
    """Hard limits of a market as the gate takes them."""
    return Limits(
        max_position=market.risk.max_position_contracts,
        max_quantity=max(int(market.liquidity.participation_cap * market.liquidity.typical_daily_volume), 1),
        price_collar_fraction=market.risk.price_collar_fraction,
        tick=market.tick,
    )


def targets_of(rows: pl.DataFrame, curve: pl.DataFrame) -> list[Target]:
    """Rows of ``target_positions`` as targets, with the fresh settles of their session, in session order."""
    fresh = curve.filter(pl.col("settle_age_sessions") == 0)
    settles: dict[date, dict[str, float]] = {}
    for session, contract, settle in fresh.select("session", "contract", "settle").iter_rows():
        settles.setdefault(session, {})[contract] = settle
    columns = ("session", "contract", "target_contracts", "target_reason")
    return [
        Target(session, contract, contracts, TargetReason(reason), settles.get(session, {}))
        for session, contract, contracts, reason in rows.sort("session").select(columns).iter_rows()
    ]


def bars_of(raw: pl.DataFrame, cutoffs: pl.DataFrame) -> dict[date, dict[str, Bar]]:
    """Bars of each session as known at its cutoff; a bar without a range is the point of its settle."""
    known = (
        raw.filter((pl.col("record") == "price") & (pl.col("event_session") == pl.col("session")))
        .join(cutoffs, on="session", how="inner")
        .filter(pl.col("known_at") <= pl.col("cutoff"))
        .sort("known_at", "source", maintain_order=True)
        .unique(["session", "contract"], keep="last", maintain_order=True)
        .select(
            "session",
            "contract",
            pl.min_horizontal(pl.coalesce("low", "settle"), "settle").alias("low"),
            pl.max_horizontal(pl.coalesce("high", "settle"), "settle").alias("high"),
        )
        .drop_nulls()
    )
    out: dict[date, dict[str, Bar]] = {}
    for session, contract, low, high in known.iter_rows():
        out.setdefault(session, {})[contract] = Bar(low, high)
    return out


def filled_at(calendar: SessionCalendar, session: date) -> datetime:
    """The instant that simulated fills of a session are stamped with: its settlement."""
    return calendar.at_local(session, calendar.settlement_published)


def trading_assets(home_config: HomeConfig, markets: Sequence[MarketSpec]) -> list[dg.AssetsDefinition]:
    """All trading assets of a home."""
    partitions = market_session_partitions(home_config, markets)
    policy = dg.BackfillPolicy.single_run()

    @dg.asset(
        name=TARGET_POSITIONS.name,
        group_name="trading",
        description=TARGET_POSITIONS.description,
        partitions_def=partitions,
        backfill_policy=policy,
        deps=[
            *(spec.name for spec in (PREDICTIONS, FUTURES_CURVE, DIVERGENCE, DENSITY_GATE)),
            dg.AssetDep(DIAGNOSIS.name, partition_mapping=group_of_session()),
        ],
        kinds={"deltalake", "polars"},
    )
    def wanted(
        context: dg.AssetExecutionContext, home: HomeResource, lake: LakeResource, database: DatabaseResource
    ) -> dg.MaterializeResult[None]:
        def compute(part: MarketRange) -> pl.DataFrame:
            predictions, curve, gate, diagnosis = (
                lake.lake.read(spec.name, markets=[part.market], first=part.first, last=part.last)
                for spec in (PREDICTIONS, FUTURES_CURVE, DENSITY_GATE, DIAGNOSIS)
            )
            red = gate.filter(pl.col("gate_state") == GateState.RED)
            lots = _wanted(home, lake, part)
            return target_positions(predictions, lots, held_returns(curve), red, diagnosis, home.config.kind == "real")

        return derive(
            context,
            TARGET_POSITIONS,
            Resources(home, lake, database),
            compute,
            _targets_picture,
            lambda part: dict.fromkeys(part.days, NO_PREDICTION),
        )

    @dg.asset(
        name=ORDERS.name,
        group_name="trading",
        description=ORDERS.description,
        partitions_def=partitions,
        backfill_policy=policy,
        deps=[TARGET_POSITIONS.name, RAW_FUTURES_BARS.name],
        kinds={"deltalake", "postgresql"},
    )
    def ordered(
        context: dg.AssetExecutionContext, home: HomeResource, lake: LakeResource, database: DatabaseResource
    ) -> dg.MaterializeResult[None]:
        def compute(part: MarketRange) -> pl.DataFrame:
            _trade_range(home, lake, database, part, context.run.run_id)
            return orders_between(database.engine, part.market, part.sessions[0], part.sessions[-1])

        return derive(
            context,
            ORDERS,
            Resources(home, lake, database),
            compute,
            why_empty=lambda part: dict.fromkeys(part.days, NO_ORDER),
        )

    @dg.asset(
        name=FILLS.name,
        group_name="trading",
        description=FILLS.description,
        partitions_def=partitions,
        backfill_policy=policy,
        deps=[ORDERS.name],
        kinds={"deltalake", "postgresql"},
    )
    def filled(
        context: dg.AssetExecutionContext, home: HomeResource, lake: LakeResource, database: DatabaseResource
    ) -> dg.MaterializeResult[None]:
        def compute(part: MarketRange) -> pl.DataFrame:
            calendar = home.calendars[part.market]
            span = calendar.at_local(part.sessions[0], time.min), filled_at(calendar, part.sessions[-1])
            rows = fills_between(database.engine, part.market, *span)
            return rows.with_columns(calendar.session_for(rows["filled_at"]).alias("session"))

        return derive(
            context,
            FILLS,
            Resources(home, lake, database),
            compute,
            why_empty=lambda part: dict.fromkeys(part.days, NO_FILL),
        )

    return [wanted, ordered, filled]


def _wanted(home: HomeResource, lake: LakeResource, part: MarketRange) -> pl.DataFrame:
    """Lots that the group's predictions are worth: the volatility target is split among all its markets."""
    specs = [spec for spec in home.markets.values() if spec.group == home.markets[part.market].group]
    symbols = [spec.symbol for spec in specs]
    first = part.first - timedelta(days=WINDOW_DAYS)

    def read(dataset: str, columns: Sequence[str]) -> pl.DataFrame:
        return lake.lake.read(dataset, markets=symbols, first=first, last=part.last, columns=list(columns))

    curve = read(FUTURES_CURVE.name, CURVE_COLUMNS)
    if curve.is_empty():
        return pl.DataFrame(schema={"market": pl.String, "session": pl.Date, "lots": pl.Float64})
    return wanted_lots(
        read(PREDICTIONS.name, PREDICTED),
        read(DIVERGENCE.name, ("market", "session", "size_factor")),
        market_arrays(curve, specs),
        ReplayConfig(),
    )


def _trade_range(
    home: HomeResource, lake: LakeResource, database: DatabaseResource, part: MarketRange, run_id: str
) -> None:
    """Trade the sessions of a range that lie after the market's last recorded order; the past stays as it was.

    Sessions without an order may be traded again: from where the market stood before them, they give the same again.
    """
    market, calendar = home.markets[part.market], home.calendars[part.market]
    last = last_ordered(database.engine, part.market)
    sessions = [s for s in part.sessions if last is None or s > last]
    if not sessions:
        return
    previous = calendar.previous_session(sessions[0])
    before = standing(database.engine, part.market, previous, filled_at(calendar, previous))
    span = {"markets": [part.market], "first": sessions[0], "last": sessions[-1]}
    rows, curve, raw = (
        lake.lake.read(name, **span)  # type: ignore[arg-type]
        for name in (TARGET_POSITIONS.name, FUTURES_CURVE.name, RAW_FUTURES_BARS.name)
    )
    liquidity = market.liquidity
    broker = SimulatedBroker(market.tick, liquidity.fee_per_contract, before.positions, before.working)
    traded = trade(
        part.market,
        targets_of(rows.filter(pl.col("session").is_in(sessions)), curve),
        bars_of(raw, cutoff_frame(calendar, sessions)),
        broker,
        limits_of(market),
        liquidity.half_spread_ticks,
        current_state(database.engine).strictness >= SystemState.HALTED.strictness,
    )
    record(database.engine, part.market, traded, sessions[-1], lambda day: filled_at(calendar, day), run_id)


def trading_jobs() -> list[UnresolvedAssetJobDefinition]:
    """The daily trade job. A run that failed is looked at, never retried by itself; a repeated one changes nothing."""
    return [
        dg.define_asset_job(
            TRADE_JOB,
            selection=dg.AssetSelection.assets(TARGET_POSITIONS.name, ORDERS.name, FILLS.name),
            description="Champion's predictions to targets, risk gate, orders and fills over the run's range.",
            tags={"dagster/max_retries": "0"},
            executor_def=dg.in_process_executor,
        )
    ]


def _targets_picture(rows: pl.DataFrame) -> bytes | None:
    from hydra_assets.defs.pictures import lines  # noqa: PLC0415  matplotlib is slow to import

    return lines(rows, x="session", y="target_contracts", title="Wanted position", unit="contracts")
