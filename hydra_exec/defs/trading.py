"""Trading assets: what is wanted, what was decided, what was filled."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import dagster as dg
import polars as pl

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
from hydra_assets.defs.ranges import MarketRange, Resources, derive
from hydra_assets.defs.resources import DatabaseResource, HomeResource, LakeResource
from hydra_assets.home import HomeConfig
from hydra_assets.markets.model import MarketSpec
from hydra_assets.markets.sessions import SessionCalendar
from hydra_assets.partitions import group_of_session, market_session_partitions
from hydra_assets.quality_options import GateState
from hydra_assets.replay.inputs import CURVE_COLUMNS, market_arrays
from hydra_assets.replay.tables import ReplayConfig
from hydra_exec.broker.port import BrokerKind
from hydra_exec.config import trading_config
from hydra_exec.contracts import traded_contracts
from hydra_exec.defs.account import WINDOW_DAYS, AccountParts, trade_history
from hydra_exec.defs.live import decide_at_broker, told_of_failure
from hydra_exec.desk.desk import WorkOutcome
from hydra_exec.journal.frames import fills_between, orders_between
from hydra_exec.targets import target_positions, wanted_lots

NO_PREDICTION = "no_prediction"
NO_ORDER = "no_order"
NO_FILL = "no_fill"
PREDICTED = ("market", "session", "probability_up", "base_rate", "model_label", "horizon_sessions")
LOOK_BACK_DAYS = 20
"""Calendar days that hold the sessions over which open interest is compared."""


def executed_until(calendar: SessionCalendar, session: date) -> datetime:
    """The instant up to which executions are a session's: its cutoff, as for everything else.

    Some markets trade on after their settlement.
    """
    return calendar.cutoff(session)


def trading_assets(home_config: HomeConfig, markets: Sequence[MarketSpec]) -> list[dg.AssetsDefinition]:
    """Targets, orders and fills of a home."""
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
            predictions, gate, diagnosis = (
                lake.lake.read(spec.name, markets=[part.market], first=part.first, last=part.last)
                for spec in (PREDICTIONS, DENSITY_GATE, DIAGNOSIS)
            )
            start = part.first - timedelta(days=LOOK_BACK_DAYS)
            curve = lake.lake.read(FUTURES_CURVE.name, markets=[part.market], first=start, last=part.last)
            red = gate.filter(pl.col("gate_state") == GateState.RED)
            lots = _wanted(home, lake, part)
            contracts = traded_contracts(curve)
            return target_positions(predictions, lots, contracts, red, diagnosis, home.config.kind == "real")

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
        parts = AccountParts(home, lake, database, context.run.run_id)
        account = parts.config.account
        _trade(context, parts)

        def compute(part: MarketRange) -> pl.DataFrame:
            return orders_between(database.engine, account, part.market, part.sessions[0], part.sessions[-1])

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
        account = trading_config(home.config).account

        def compute(part: MarketRange) -> pl.DataFrame:
            calendar = home.calendars[part.market]
            before = calendar.previous_session(part.sessions[0])
            span = executed_until(calendar, before), executed_until(calendar, part.sessions[-1])
            rows = fills_between(database.engine, account, part.market, home.markets[part.market].root, *span)
            return rows.with_columns(calendar.session_for(rows["executed_at"]).alias("session"))

        return derive(
            context,
            FILLS,
            Resources(home, lake, database),
            compute,
            why_empty=lambda part: dict.fromkeys(part.days, NO_FILL),
        )

    return [wanted, ordered, filled]


def _trade(context: dg.AssetExecutionContext, parts: AccountParts) -> None:
    """Take the account through what it has not seen, up to the run's last session."""
    last = max(date.fromisoformat(key.split("|")[1]) for key in context.partition_keys)
    if parts.config.broker is not BrokerKind.SIMULATED:
        with told_of_failure(parts):
            decided = decide_at_broker(parts, last)
        context.log.info(f"decided at the broker: {[str(day) for day in decided]}")
        return
    finished = max(calendar.latest_finished(parts.home.now()) for calendar in parts.home.calendars.values())
    ends: dict[WorkOutcome, int] = {}

    def count(_session: date, outcome: WorkOutcome) -> None:
        ends[outcome] = ends.get(outcome, 0) + 1

    done = trade_history(parts, min(last, finished), count)
    if done:
        context.log.info(f"traded {len(done)} sessions, {done[0]} to {done[-1]}: {ends}")


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
        ReplayConfig(capital=trading_config(home.config).capital),
    )


def _targets_picture(rows: pl.DataFrame) -> bytes | None:
    from hydra_assets.defs.pictures import lines  # noqa: PLC0415  matplotlib is slow to import

    return lines(rows, x="session", y="target_contracts", title="Wanted position", unit="contracts")
