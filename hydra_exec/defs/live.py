"""Trading at a real broker in Dagster: decide after the cutoff, work in the session's hours, watch the connection."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta

import dagster as dg

from hydra_assets import clock
from hydra_assets.defs.resources import DatabaseResource, HomeResource, LakeResource
from hydra_assets.state.alerts import AlertSink
from hydra_assets.state.records import Alert, AlertLevel
from hydra_exec.account_run import Account, AccountRun
from hydra_exec.assembly import ib_rig
from hydra_exec.broker.port import BrokerError, BrokerKind, RefusedError
from hydra_exec.connection.client_lock import ClientLockError
from hydra_exec.connection.log import silent_since
from hydra_exec.defs.account import AccountParts, account_of, parts_of
from hydra_exec.defs.demand import DEAD_MAN, demand, of_silence
from hydra_exec.defs.live_permit import live_permit
from hydra_exec.desk.desk import SessionWork, WorkOutcome
from hydra_exec.live_session import OpenSession, open_sessions, work_session
from hydra_exec.trading_log import last_traded, switched_on

WORK_JOB = "work_orders"
DEAD_MAN_SECONDS = 30
SILENT_AFTER = timedelta(seconds=25)
"""Signs of life come every 15 seconds; with the sensor's own interval the alarm is there within a minute."""
LOCKS = "locks"


@contextmanager
def live_account(parts: AccountParts, last: date) -> Iterator[tuple[Account, AccountRun]]:
    """The home's account at its real broker, with what it is decided from up to a session."""
    seen = last_traded(parts.database.engine, parts.config.account)
    data = parts.data(min(seen or last, last), last)
    runs: list[AccountRun] = []

    def price(contract: str) -> float | None:
        return runs[0].valuation.settles.get(contract)

    rig = ib_rig(parts_of(parts, price), locks=parts.home.root / LOCKS, permit=live_permit(parts))
    try:
        account = account_of(parts, rig)
        runs.append(AccountRun(account, data.days))
        runs[0].catch_up()
        yield account, runs[0]
    finally:
        rig.close()


@contextmanager
def _demanding(parts: AccountParts, account: Account) -> Iterator[None]:
    """Post what breakers and books demand at the end, however it ends; an account that was refused says nothing."""
    try:
        yield
    except RefusedError:
        raise
    except Exception:
        # Whatever went wrong goes on; what is known of breakers and books counts all the same.
        parts.demand(account)
        raise
    parts.demand(account)


@contextmanager
def told_of_failure(parts: AccountParts) -> Iterator[None]:
    """Raise an alarm where the broker cannot be used, and let the run fail with its reason: it can be run again."""
    try:
        yield
    except (BrokerError, ClientLockError) as error:
        sink = AlertSink(parts.database.engine, parts.home.config.webhook_url)
        sink.raise_alert(Alert(AlertLevel.CRITICAL, "broker_unusable", str(error), run_id=parts.run_id))
        raise dg.Failure(str(error)) from error


def decide_at_broker(parts: AccountParts, last: date) -> list[date]:
    """Decide on the newest finished session, and work what may be worked now; the sessions that were decided on.

    A history is none of a real broker's: of a range only the newest session is decided on, and only on its day.
    """
    finished = max(calendar.latest_finished(parts.home.now()) for calendar in parts.home.calendars.values())
    if last < finished or finished not in parts.ready(finished, finished):
        return []
    with live_account(parts, finished) as (account, run), _demanding(parts, account):
        done = run.run([finished])
        opened = [each for each in _opened(parts) if each.session > finished]
        if opened and switched_on(parts.database.engine):
            work_session(account, run, opened)
        return done


def work_at_broker(parts: AccountParts) -> SessionWork:
    """Work what was decided for the sessions that are open now, or open soon."""
    opened = _opened(parts)
    if not opened or not switched_on(parts.database.engine):
        return SessionWork(WorkOutcome.NOTHING_TO_DO)
    finished = max(calendar.latest_finished(parts.home.now()) for calendar in parts.home.calendars.values())
    with live_account(parts, finished) as (account, run), _demanding(parts, account):
        return work_session(account, run, opened)


def _opened(parts: AccountParts) -> list[OpenSession]:
    return open_sessions(parts.home.markets, parts.home.calendars, parts.home.now())


def work_job() -> dg.JobDefinition:
    """The job that works orders in the session's hours; it lasts as long as they do."""

    @dg.op(name="work_orders_now", description="Work the orders that were decided for the sessions that are open.")
    def work_now(
        context: dg.OpExecutionContext, home: HomeResource, lake: LakeResource, database: DatabaseResource
    ) -> None:
        parts = AccountParts(home, lake, database, context.run.run_id)
        if parts.config.broker is BrokerKind.SIMULATED:
            context.log.info("the simulated broker has no hours of its own: trade_champion works its sessions")
            return
        with told_of_failure(parts):
            worked = work_at_broker(parts)
        context.log.info(f"{worked.outcome}: {dict(worked.ends)}")
        if worked.outcome is WorkOutcome.UNRECOVERABLE:
            message = "journal and broker do not agree at the end of the session: see `hydra paper-trade status`"
            AlertSink(database.engine, home.config.webhook_url).raise_alert(
                Alert(AlertLevel.CRITICAL, "unreconciled", message, run_id=context.run.run_id)
            )
            raise dg.Failure(message)

    @dg.job(
        name=WORK_JOB,
        description="Work at a real broker what was decided, in the session's hours; nothing at the simulated one.",
        tags={"dagster/max_retries": "0"},
        executor_def=dg.in_process_executor,
    )
    def work() -> None:
        work_now()

    return work


def dead_man_sensor() -> dg.SensorDefinition:
    """Raise the alarm where a connection that should be alive says nothing for a minute."""

    @dg.sensor(
        name="dead_man",
        minimum_interval_seconds=DEAD_MAN_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="A connection to a broker that should be alive and is not heard of is an alarm.",
    )
    def dead_man(home: HomeResource, database: DatabaseResource) -> dg.SkipReason:
        silent = silent_since(database.engine, clock.now(), SILENT_AFTER)
        sink = AlertSink(database.engine, home.config.webhook_url)
        for each in silent:
            message = f"the {each.role} connection of {each.account} was last heard of at {each.last_at:%H:%M:%S} UTC"
            key = f"dead_man|{each.role}|{each.account}|{each.last_at.isoformat()}"
            sink.raise_alert(Alert(AlertLevel.CRITICAL, "dead_man", message, dedupe_key=key))
        demand(database.engine, sink, DEAD_MAN, of_silence(silent))
        return dg.SkipReason(f"{len(silent)} connections are silent")

    return dead_man
