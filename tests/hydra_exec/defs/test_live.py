"""Trading at Interactive Brokers through Dagster: the real job, the real client, a real socket, a real database."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
import sqlalchemy as sa

from hydra_assets.defs.resources import DatabaseResource, HomeResource, LakeResource
from hydra_assets.markets.sessions import calendar_of
from hydra_assets.state.demands import posted
from hydra_assets.state.execution_tables import heartbeats, orders, trading_sessions
from hydra_assets.state.records import Side
from hydra_assets.state.system import SystemState
from hydra_assets.state.system_log import current_state
from hydra_assets.state.tables import alerts
from hydra_exec.broker.simulated.tape import working_window
from hydra_exec.defs.account import AccountParts
from hydra_exec.defs.live import WORK_JOB
from hydra_exec.defs.live_permit import lake_facts, live_verdict
from hydra_exec.journal.journal import Journal
from hydra_exec.journal.names import order_ref
from hydra_exec.journal.records import Order
from hydra_exec.live_gate.conditions import LiveCondition
from hydra_exec.trading_log import home_id, switch
from tests.support.frames import complete
from tests.support.ib_scene import ACCOUNT, APRIL, HE_APRIL, OTHER_PORT, TOUCH, hogs
from tests.support.pipeline import Pipeline, make_pipeline
from tests.support.postgres import engine_on
from tests.support.tws import Config, Terms
from tests.support.tws.clock import VirtualClock
from tests.support.tws.terminal import Terminal
from tests.support.tws.threaded import ThreadedTws

FIRST, DECIDED, SESSION = date(2025, 2, 20), date(2025, 3, 3), date(2025, 3, 4)


def instant(share: float) -> datetime:
    """An instant in the session's hours."""
    opens, closes = working_window(hogs(), calendar_of(hogs()), SESSION)
    return opens + share * (closes - opens)


def decided(account: str = ACCOUNT, quantity: int = 2) -> Order:
    return Order(
        order_ref=order_ref("HE", DECIDED, HE_APRIL),
        account=account,
        market="HE",
        contract=HE_APRIL,
        side=Side.BUY,
        quantity=quantity,
        session=DECIDED,
        work_session=SESSION,
        reference_price=85.0,
        limit_price=86.0,
        motive="target",
        gate_code="passed",
    )


@contextmanager
def paper_home(
    tmp_path: Path, url: str, patch: pytest.MonkeyPatch, server: ThreadedTws, share: float, **trading: Any
) -> Iterator[tuple[Pipeline, sa.Engine]]:
    """A real home that trades hogs on paper at the server, at an instant of the session."""
    now = instant(share)
    patch.setenv("HYDRA_NOW", now.isoformat())

    def at(tws: Terminal) -> None:
        tws.clock.now = now

    server.read(at)
    server.show(APRIL, TOUCH)
    ib = {"paper_port": server.port, "live_port": OTHER_PORT, "timeout_seconds": 2.0}
    config = {
        "kind": "real",
        "markets": ["HE"],
        "history_start": DECIDED,
        "trading": {"broker": "ib", "account": ACCOUNT, "ib": ib, **trading},
    }
    pipeline = make_pipeline(tmp_path / "home", config, url, patch)
    with engine_on(url) as engine:
        yield pipeline, engine


def execute(pipeline: Pipeline) -> dg.ExecuteInProcessResult:
    import hydra_exec.definitions as execution  # reads the home when it is imported

    job = execution.build_defs().resolve_job_def(WORK_JOB)
    return job.execute_in_process(instance=pipeline.instance, raise_on_error=False)


def sessions(engine: sa.Engine) -> list[tuple[str, str, date]]:
    columns = (trading_sessions.c.broker, trading_sessions.c.outcome, trading_sessions.c.session)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.select(*columns).order_by(trading_sessions.c.id))]


def test_what_was_decided_is_worked_in_its_hours(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert VirtualClock().length == timedelta(minutes=1)
    with (
        ThreadedTws(Config()) as server,
        paper_home(tmp_path, database_url, monkeypatch, server, 0.7) as (pipeline, engine),
    ):
        journal = Journal(engine, ACCOUNT, home_id(engine))
        journal.decide([decided()])
        assert execute(pipeline).success
        journal.load()
        assert dict(journal.positions) == {HE_APRIL: 2}
        assert server.read(lambda tws: tws.broker.positions[APRIL].quantity) == 2
        assert server.read(lambda tws: list(tws.complaints)) == []
        assert sessions(engine) == [("ib", "clean", SESSION)]
        assert execute(pipeline).success, "again, and nothing is sent twice"
        assert server.read(lambda tws: len(tws.broker.orders)) == 1
        with engine.connect() as connection:
            status, reason = connection.execute(sa.select(orders.c.status, orders.c.reason)).one()
            assert (status, reason) == ("done", "filled")
            assert connection.execute(sa.select(heartbeats.c.role, heartbeats.c.expected)).one() == ("trading", False)


def test_what_the_operator_switched_off_is_not_worked(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        ThreadedTws(Config()) as server,
        paper_home(tmp_path, database_url, monkeypatch, server, 0.7) as (pipeline, engine),
    ):
        Journal(engine, ACCOUNT, home_id(engine)).decide([decided()])
        switch(engine, on=False, actor="test", reason="holiday")
        assert execute(pipeline).success
        assert server.read(lambda tws: len(tws.broker.orders)) == 0
        assert sessions(engine) == []


@pytest.mark.parametrize(
    ("trading", "said"),
    [
        ({"account": "U7654321"}, "paper"),
        ({"account": "DU0000001"}, "DU0000001"),
        ({"mode": "live", "account": "U7654321"}, ""),
        ({"mode": "live"}, ""),
    ],
)
def test_what_is_not_paper_is_refused_and_a_person_is_told(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, trading: dict[str, Any], said: str
) -> None:
    with (
        ThreadedTws(Config()) as server,
        paper_home(tmp_path, database_url, monkeypatch, server, 0.7, **trading) as (pipeline, engine),
    ):
        account = str(trading.get("account", ACCOUNT))
        Journal(engine, account, home_id(engine)).decide([decided(account)])
        assert not execute(pipeline).success
        assert server.read(lambda tws: len(tws.broker.orders)) == 0
        with engine.connect() as connection:
            told = connection.execute(sa.select(alerts.c.code, alerts.c.message)).all()
        print(told)
        # A terminal that is not there is also a reason to risk nothing new; a refusal says nothing of what is held.
        assert [code for code, _ in told if code != "execution_demand"] == ["broker_unusable"]
        assert said in told[-1][1]


def test_a_broker_that_nobody_reaches_lets_nothing_new_be_risked(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = {"ib": {"paper_port": OTHER_PORT, "timeout_seconds": 1.0}}
    with (
        ThreadedTws(Config()) as server,
        paper_home(tmp_path, database_url, monkeypatch, server, 0.7, **nobody) as (pipeline, engine),
    ):
        Journal(engine, ACCOUNT, home_id(engine)).decide([decided()])
        assert not execute(pipeline).success
        assert sessions(engine) == [("ib", "unrecoverable", SESSION)]
        with engine.connect() as connection:
            assert [each.demand.origin for each in posted(connection) if each.demand.state is SystemState.HALTED] == [
                "reconciliation"
            ]
        assert current_state(engine) is SystemState.HALTED


@pytest.mark.parametrize(
    ("said", "green"),
    [
        ([("green", DECIDED)], True),
        ([("red", DECIDED)], False),
        ([], None),
        ([("green", FIRST)], None),
        ([("green", date(2025, 2, 28)), (None, DECIDED)], None),
        ([("red", date(2025, 2, 28)), ("green", DECIDED)], True),
    ],
    ids=["green", "red", "nothing", "old", "silent since", "green since"],
)
def test_a_gate_is_green_by_its_newest_word_of_these_days(
    tmp_path: Path,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    said: list[tuple[str | None, date]],
    green: bool | None,
) -> None:
    with (
        ThreadedTws(Config()) as server,
        paper_home(tmp_path, database_url, monkeypatch, server, 0.7) as (pipeline, _),
    ):
        rows = pl.DataFrame(
            [("HE", day, word) for word, day in said],
            schema={"market": pl.String, "session": pl.Date, "thesis_gate": pl.String},
            orient="row",
        ).with_columns(pl.lit("real").alias("model_group"), pl.lit("ok").alias("prediction_reason"))
        pipeline.lake.replace("predictions", "HE", FIRST, DECIDED, complete("predictions", rows))
        lake = LakeResource(uri=str(tmp_path / "home" / "lake"))
        home, database = HomeResource(path=str(tmp_path / "home")), DatabaseResource(url=database_url)
        parts = AccountParts(home, lake, database, "")
        assert lake_facts(parts, set()).thesis_green is green


def test_outside_the_hours_nothing_is_done(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        ThreadedTws(Config()) as server,
        paper_home(tmp_path, database_url, monkeypatch, server, 1.01) as (pipeline, engine),
    ):
        Journal(engine, ACCOUNT, home_id(engine)).decide([decided()])
        assert execute(pipeline).success
        assert server.read(lambda tws: len(tws.heard)) == 0


def test_a_live_account_is_refused_with_everything_that_is_missing(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = "U7654321"
    with ThreadedTws(Config(terms=Terms(account=account))) as server:
        live = {"paper_port": OTHER_PORT, "live_port": server.port, "timeout_seconds": 2.0}
        trading = {"mode": "live", "account": account, "ib": live}
        with paper_home(tmp_path, database_url, monkeypatch, server, 0.7, **trading) as (pipeline, engine):
            Journal(engine, account, home_id(engine)).decide([decided(account)])
            assert not execute(pipeline).success
            with engine.connect() as connection:
                message = connection.scalar(sa.select(alerts.c.message)) or ""
            verdict = live_verdict(parts_of_home(pipeline, database_url), account)
            print(message)
            assert [missing.code for missing in verdict.missing] == [
                LiveCondition.PAPER_SESSIONS,
                LiveCondition.SLIPPAGE_BIAS,
                LiveCondition.SLIPPAGE_CORRELATION,
                LiveCondition.HEALING_CYCLE,
                LiveCondition.DENSITY_GATE,
                LiveCondition.THESIS_GATE,
                LiveCondition.BREAKER_DRILL,
                LiveCondition.RECONNECT_DRILL,
                LiveCondition.OPERATOR_RECORD,
            ]
            assert all(missing.sentence in message for missing in verdict.missing)
            assert server.read(lambda tws: len(tws.broker.orders)) == 0


def parts_of_home(pipeline: Pipeline, url: str) -> AccountParts:
    home, lake = HomeResource(path=str(pipeline.home)), LakeResource(uri=str(pipeline.home / "lake"))
    return AccountParts(home, lake, DatabaseResource(url=url), "")
