"""The chain of the fills: what a link says, and that no column beside it says anything else."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from hydra_assets.state.chain import GENESIS, Anchor, ChainReason, EntryKind
from hydra_assets.state.records import Side
from hydra_exec.journal.chained import ChainedFill, chain_on, facts_of, verify_fills
from hydra_exec.journal.records import FillKind, FillLine
from tests.support.journal_scene import APRIL

AT = datetime(2026, 1, 6, 16, 30, 0, 250, tzinfo=timezone(timedelta(hours=1)))
BOUGHT = FillLine("a", 1, "a.01", APRIL, Side.BUY, 2, 82.5, AT, 9001, "t")
REVISED = replace(BOUGHT, revision=2, exec_id="a.02", quantity=1)
TAKEN_OVER = FillLine("x", 1, "x", APRIL, Side.SELL, 1, 82.0, AT, 0, None, FillKind.ADJUSTMENT)


def chain() -> list[ChainedFill]:
    return chain_on(None, "DU1", [BOUGHT, REVISED, TAKEN_OVER])


def test_a_link_says_all_that_the_broker_said_in_utc() -> None:
    assert facts_of(BOUGHT) == {
        "kind": "fill",
        "base_exec_id": "a",
        "revision": 1,
        "perm_id": 9001,
        "wire_ref": "t",
        "contract": APRIL,
        "side": "BUY",
        "quantity": 2,
        "price": 82.5,
        "executed_at": "2026-01-06T15:30:00.000250+00:00",
    }


def test_a_link_is_the_same_wherever_the_machine_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    before = facts_of(BOUGHT)
    monkeypatch.setenv("TZ", "America/Chicago")
    time.tzset()
    try:
        assert facts_of(BOUGHT) == before
    finally:
        monkeypatch.undo()
        time.tzset()


def test_links_follow_one_another_from_the_first() -> None:
    first, second, third = chain()
    assert (first.entry.seq, first.entry.previous, first.fill) == (1, GENESIS, BOUGHT)
    assert (second.entry.seq, second.entry.previous) == (2, first.entry.sha256)
    assert (third.entry.seq, third.entry.previous) == (3, second.entry.sha256)
    assert {(e.entry.kind, e.entry.model_group, e.entry.series) for e in chain()} == {(EntryKind.FILL, "DU1", None)}
    assert [e.entry.subject for e in chain()] == ["a.01", "a.02", "x"]
    assert [e.entry.facts for e in chain()] == [facts_of(fill) for fill in (BOUGHT, REVISED, TAKEN_OVER)]


def test_a_link_after_an_anchor_continues_its_chain() -> None:
    first, second, _ = chain()
    assert chain_on(Anchor(1, first.entry.sha256), "DU1", [REVISED]) == [second]


def test_a_chain_as_it_was_written_is_believed() -> None:
    assert verify_fills([]).reason is ChainReason.EMPTY
    assert verify_fills(chain()).reason is ChainReason.INTACT


def test_a_body_that_was_edited_shows() -> None:
    first, second, third = chain()
    edited = replace(
        second, entry=replace(second.entry, body=second.entry.body.replace('"quantity":1', '"quantity":3'))
    )
    found = verify_fills([first, edited, third])
    assert (found.reason, found.seq) == (ChainReason.EDITED, 2)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": FillKind.ADJUSTMENT},
        {"base_exec_id": "b"},
        {"exec_id": "b.01"},
        {"revision": 3},
        {"perm_id": 1},
        {"wire_ref": None},
        {"contract": "HE-2026-05"},
        {"side": Side.SELL},
        {"quantity": 3},
        {"price": 82.525},
        {"executed_at": datetime(2026, 1, 6, 15, 30, tzinfo=UTC)},
    ],
)
def test_a_column_that_was_edited_shows(change: dict[str, object]) -> None:
    first, second, third = chain()
    edited = replace(second, fill=replace(second.fill, **change))  # type: ignore[arg-type]
    found = verify_fills([first, edited, third])
    assert (found.reason, found.seq) == (ChainReason.EDITED, 2)
    assert found.message == "the columns of fill 2 are not what its link says"
