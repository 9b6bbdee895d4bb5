"""Records of the live gate in a real database: whatever is done to them closes the gate."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from hydra_assets.state.chain import ChainReason
from hydra_exec.live_gate.record_log import ANCHOR_FILE, RecordError, RecordLog
from hydra_exec.live_gate.records import Drill, DrillKind, OperatorWord

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
LIVE, PAPER = "U7654321", "DU1234567"


@pytest.fixture
def log(state_engine: sa.Engine, tmp_path: Path) -> RecordLog:
    return RecordLog(state_engine, tmp_path)


def filled(log: RecordLog) -> RecordLog:
    log.drill(DrillKind.BREAKER, PAPER, passed=True, detail="daily loss", at=AT)
    log.drill(DrillKind.RECONNECT, PAPER, passed=False, detail="two orders left", at=AT)
    log.drill(DrillKind.RECONNECT, PAPER, passed=True, detail="", at=AT + timedelta(days=1))
    log.operator_record(LIVE, "Ada", "28 good days", AT + timedelta(days=90), AT + timedelta(days=2))
    return log


def bypassed(engine: sa.Engine, statement: str) -> None:
    """What the owner of the database can do: the trigger does not fire for a replica."""
    with engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        assert connection.execute(sa.text(statement)).rowcount > 0


def test_what_is_recorded_is_read_back(log: RecordLog) -> None:
    assert (log.read().chain.reason, log.read().drills, log.read().words) == (ChainReason.EMPTY, (), ())
    found = filled(log).read()
    assert found.chain.reason is ChainReason.INTACT
    assert found.drills == (
        Drill(DrillKind.BREAKER, PAPER, AT, True, "daily loss"),
        Drill(DrillKind.RECONNECT, PAPER, AT, False, "two orders left"),
        Drill(DrillKind.RECONNECT, PAPER, AT + timedelta(days=1), True, ""),
    )
    assert found.words == (OperatorWord(LIVE, "Ada", "28 good days", AT + timedelta(days=2), AT + timedelta(days=90)),)
    anchor = log.anchor()
    assert anchor is not None
    assert (anchor.seq, anchor.sha256) == (4, log.entries()[-1].sha256)


def test_the_same_record_again_changes_nothing(log: RecordLog) -> None:
    filled(filled(log))
    assert len(log.entries()) == 4


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE hydra.gate_records SET body = replace(body, '2026-07-30', '2027-07-30') WHERE seq = 4", "edited"),
        ("UPDATE hydra.gate_records SET body = replace(body, 'false', 'true') WHERE seq = 2", "edited"),
        ("UPDATE hydra.gate_records SET account = 'U0000001' WHERE seq = 4", "edited"),
        ("UPDATE hydra.gate_records SET kind = 'fill' WHERE seq = 2", "edited"),
        ("UPDATE hydra.gate_records SET kind = 'nonsense' WHERE seq = 2", "edited"),
        ("DELETE FROM hydra.gate_records WHERE seq = 2", "broken_link"),
        ("DELETE FROM hydra.gate_records WHERE seq = 1", "broken_link"),
        ("DELETE FROM hydra.gate_records WHERE seq = 4", "cut_off"),
        ("DELETE FROM hydra.gate_records", "cut_off"),
        ("UPDATE hydra.gate_records SET seq = 7 - seq WHERE seq IN (3, 4)", "edited"),
    ],
)
def test_whatever_is_done_to_the_rows_leaves_nothing_to_believe(
    log: RecordLog, state_engine: sa.Engine, statement: str, reason: str
) -> None:
    filled(log)
    if "7 - seq" in statement:
        # Two rows cannot change places at once under the key.
        bypassed(state_engine, "UPDATE hydra.gate_records SET seq = 99 WHERE seq = 3")
        bypassed(state_engine, "UPDATE hydra.gate_records SET seq = 3 WHERE seq = 4")
        statement = "UPDATE hydra.gate_records SET seq = 4 WHERE seq = 99"
    bypassed(state_engine, statement)
    found = log.read()
    assert (found.chain.reason, found.chain.intact, found.drills, found.words) == (reason, False, (), ())
    with pytest.raises(RecordError, match="the records were touched"):
        log.operator_record(LIVE, "Eve", "again", AT + timedelta(days=90), AT + timedelta(days=3))
    # A drill goes on record, and does not heal what was done.
    log_anchor = log.anchor_file.read_bytes()
    if "nonsense" not in statement:
        log.drill(DrillKind.BREAKER, PAPER, passed=True, detail="", at=AT + timedelta(days=4))
        assert not log.read().chain.intact
        assert log.anchor_file.read_bytes() == log_anchor


def test_ordinary_statements_cannot_touch_them(log: RecordLog, state_engine: sa.Engine) -> None:
    filled(log)
    for statement in ("DELETE FROM hydra.gate_records", "UPDATE hydra.gate_records SET body = ''"):
        with pytest.raises(sa.exc.DBAPIError), state_engine.begin() as connection:
            connection.execute(sa.text(statement))
    assert log.read().chain.intact


@pytest.mark.parametrize(
    ("touch", "reason"),
    [
        (lambda file: file.unlink(), ChainReason.CUT_OFF),
        (lambda file: file.write_text("{", encoding="utf-8"), ChainReason.EDITED),
        (lambda file: file.write_text("[1]", encoding="utf-8"), ChainReason.EDITED),
        (
            lambda file: file.write_text(json.dumps({"seq": 4, "sha256": "0" * 64}), encoding="utf-8"),
            ChainReason.CUT_OFF,
        ),
        (
            lambda file: file.write_text(json.dumps({"seq": 9, "sha256": "0" * 64}), encoding="utf-8"),
            ChainReason.CUT_OFF,
        ),
    ],
)
def test_an_anchor_that_was_touched_closes_it_too(
    log: RecordLog, tmp_path: Path, touch: Callable[[Path], object], reason: ChainReason
) -> None:
    filled(log)
    touch(tmp_path / ANCHOR_FILE)
    assert (log.read().chain.reason, log.read().words) == (reason, ())


def test_an_older_anchor_is_what_a_kill_leaves_and_the_next_record_moves_it(log: RecordLog, tmp_path: Path) -> None:
    log.drill(DrillKind.BREAKER, PAPER, passed=True, detail="", at=AT)
    old = (tmp_path / ANCHOR_FILE).read_bytes()
    filled(log)
    (tmp_path / ANCHOR_FILE).write_bytes(old)
    assert log.read().chain.intact
    filled(log)
    anchor = log.anchor()
    assert anchor is not None
    assert anchor.seq == len(log.entries())


@pytest.mark.parametrize("again", [DrillKind.BREAKER, DrillKind.RECONNECT], ids=["the same", "another"])
def test_a_kill_before_the_first_anchor_is_mended_by_the_next_record(
    log: RecordLog, tmp_path: Path, again: DrillKind
) -> None:
    log.drill(DrillKind.BREAKER, PAPER, passed=True, detail="", at=AT)
    (tmp_path / ANCHOR_FILE).unlink()
    assert not log.read().chain.intact
    log.drill(again, PAPER, passed=True, detail="", at=AT)
    assert log.read().chain.intact


def test_an_anchor_that_is_gone_from_more_than_one_record_is_never_made_again(log: RecordLog, tmp_path: Path) -> None:
    filled(log)
    (tmp_path / ANCHOR_FILE).unlink()
    log.drill(DrillKind.BREAKER, PAPER, passed=True, detail="", at=AT + timedelta(days=9))
    assert not log.anchor_file.exists()
    assert not log.read().chain.intact


@pytest.mark.parametrize("blank", ["account", "operator", "reason"])
def test_a_word_names_account_operator_and_reason(log: RecordLog, blank: str) -> None:
    said = {"account": LIVE, "operator": "Ada", "reason": "because"} | {blank: "  "}
    with pytest.raises(RecordError, match="names the account, the operator and the reason"):
        log.operator_record(**said, expires_at=AT, at=AT)


def test_instants_have_an_offset(log: RecordLog) -> None:
    naive = datetime(2026, 5, 1)  # noqa: DTZ001 - what is to be refused
    with pytest.raises(RecordError, match="no UTC offset"):
        log.operator_record(LIVE, "Ada", "because", naive, AT)
    with pytest.raises(RecordError, match="no UTC offset"):
        log.drill(DrillKind.BREAKER, PAPER, passed=True, detail="", at=naive)
    assert log.entries() == []


def test_many_writers_make_one_chain(log: RecordLog) -> None:
    def one(i: int) -> None:
        log.drill(DrillKind.BREAKER, PAPER, passed=True, detail=str(i), at=AT + timedelta(seconds=i))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(12)))
    assert log.read().chain.intact
    assert len(log.read().drills) == 12
