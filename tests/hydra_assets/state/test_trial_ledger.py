"""The ledger in a real database: one unbroken chain whoever writes at once, and nothing done to it stays unseen."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from hydra_assets.state.chain import Anchor, ChainReason, EntryKind
from hydra_assets.state.healing_tables import trial_ledger
from hydra_assets.state.trial_ledger import ANCHOR_FILE, LedgerError, TrialLedger

TRIAL, VERDICT = EntryKind.TRIAL, EntryKind.VERDICT


@pytest.fixture
def ledger(state_engine: sa.Engine, tmp_path: Path) -> TrialLedger:
    return TrialLedger(state_engine, tmp_path)


def filled(ledger: TrialLedger, n: int = 5) -> TrialLedger:
    for i in range(n):
        ledger.append(TRIAL, "sim", f"e{i}", {"n": i}, bytes(16))
    return ledger


def bypassed(ledger: TrialLedger, statement: str) -> None:
    """What the owner of the database can do: the trigger does not fire for a replica."""
    with ledger.engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        assert connection.execute(sa.text(statement)).rowcount > 0


def test_what_is_appended_is_read_back(ledger: TrialLedger) -> None:
    assert (ledger.entries(), ledger.anchor(), ledger.verdict().reason) == ([], None, ChainReason.EMPTY)
    first = ledger.append(TRIAL, "sim", "e1", {"sharpe": 0.1 + 0.2, "who": "é\x00"}, b"\x00\xff" * 8)
    second = ledger.append(VERDICT, "grains", "e1", {})
    assert ledger.entries() == ledger.verified() == [first, second]
    assert [type(entry.kind) for entry in ledger.entries()] == [EntryKind, EntryKind]
    assert ledger.entries()[0].series == b"\x00\xff" * 8
    assert first.facts == {"sharpe": 0.1 + 0.2, "who": "é\x00"}
    assert ledger.verified("grains") == [second]
    assert ledger.verified("sim") == [first]
    assert ledger.anchor() == Anchor(2, second.sha256)
    assert ledger.verdict().reason is ChainReason.INTACT


def test_appending_again_changes_nothing(ledger: TrialLedger) -> None:
    first = ledger.append(TRIAL, "sim", "e1", {"n": 1})
    for subject in ("e2", "e3", "e4"):
        ledger.append(TRIAL, "sim", subject, {})
    # Not even with other facts: what was recorded first is what happened.
    assert ledger.append(TRIAL, "sim", "e1", {"n": 2}, b"") == first
    assert len(ledger.verified()) == 4
    assert [e.seq for e in ledger.entries()] == [1, 2, 3, 4]
    # Another kind, group or subject is another entry.
    for kind, group, subject in ((VERDICT, "sim", "e1"), (TRIAL, "grains", "e1"), (TRIAL, "sim", "e9")):
        assert ledger.append(kind, group, subject, {"n": 1}) != first
    assert len(ledger.verified()) == 7


def test_facts_without_a_spelling_leave_no_entry(ledger: TrialLedger) -> None:
    with pytest.raises(ValueError, match="JSON"):
        ledger.append(TRIAL, "sim", "e1", {"sharpe": float("nan")})
    assert (ledger.entries(), ledger.anchor()) == ([], None)


def test_threads_that_append_at_once_make_one_chain(ledger: TrialLedger) -> None:
    def write(i: int) -> None:
        # Every subject twice, by different threads.
        TrialLedger(ledger.engine, ledger.anchor_file.parent).append(TRIAL, "sim", f"e{i // 2}", {"n": i // 2})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(48)))
    entries = ledger.verified()
    assert [entry.seq for entry in entries] == list(range(1, 25))
    assert {entry.subject for entry in entries} == {f"e{i}" for i in range(24)}
    assert ledger.anchor() == Anchor(24, entries[-1].sha256)
    assert [path.name for path in ledger.anchor_file.parent.iterdir()] == [ANCHOR_FILE]


@pytest.mark.parametrize(
    "statement",
    ["UPDATE hydra.trial_ledger SET body = '{}'", "DELETE FROM hydra.trial_ledger", "TRUNCATE hydra.trial_ledger"],
)
def test_the_database_refuses_to_change_it(ledger: TrialLedger, statement: str) -> None:
    filled(ledger)
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), ledger.engine.begin() as connection:
        connection.execute(sa.text(statement))
    assert len(ledger.verified()) == 5


def test_the_database_takes_no_second_entry_of_a_number(ledger: TrialLedger) -> None:
    [entry] = filled(ledger, 1).entries()
    other = {name: getattr(entry, name) for name in entry.__dataclass_fields__} | {"kind": "verdict"}
    with pytest.raises(sa.exc.IntegrityError), ledger.engine.begin() as connection:
        connection.execute(sa.insert(trial_ledger).values(other))


EDITS = {
    "UPDATE hydra.trial_ledger SET seq = 9 WHERE seq = 3": ChainReason.EDITED,
    "UPDATE hydra.trial_ledger SET kind = 'verdict' WHERE seq = 3": ChainReason.EDITED,
    "UPDATE hydra.trial_ledger SET model_group = 'grains' WHERE seq = 3": ChainReason.EDITED,
    "UPDATE hydra.trial_ledger SET subject = 'e9' WHERE seq = 3": ChainReason.EDITED,
    "UPDATE hydra.trial_ledger SET body = body || ' ' WHERE seq = 3": ChainReason.EDITED,
    "UPDATE hydra.trial_ledger SET series = NULL WHERE seq = 3": ChainReason.EDITED,
    "UPDATE hydra.trial_ledger SET series = set_bit(series, 77, 1) WHERE seq = 5": ChainReason.EDITED,
    "UPDATE hydra.trial_ledger SET previous = repeat('0', 64) WHERE seq = 3": ChainReason.EDITED,
    "UPDATE hydra.trial_ledger SET sha256 = repeat('0', 64) WHERE seq = 5": ChainReason.EDITED,
}


@pytest.mark.parametrize("edit", list(EDITS))
def test_an_edit_past_the_trigger_is_found(ledger: TrialLedger, edit: str) -> None:
    bypassed(filled(ledger), edit)
    found = ledger.verdict()
    # An entry that is missing at its place is found before the one it was made.
    assert found.reason in {EDITS[edit], ChainReason.BROKEN_LINK}
    for group in (None, "grains"):
        with pytest.raises(LedgerError, match="touched"):
            ledger.verified(group)


def test_a_kind_that_there_is_not_is_an_edit(ledger: TrialLedger) -> None:
    bypassed(filled(ledger), "UPDATE hydra.trial_ledger SET kind = 'triumph' WHERE seq = 2")
    with pytest.raises(LedgerError, match="entry 2 is a 'triumph'"):
        ledger.verified()


@pytest.mark.parametrize(
    ("gone", "reason"),
    [
        ("DELETE FROM hydra.trial_ledger WHERE seq = 2", ChainReason.BROKEN_LINK),
        ("DELETE FROM hydra.trial_ledger WHERE seq > 3", ChainReason.CUT_OFF),
    ],
)
def test_a_deletion_past_the_trigger_is_found_for_ever(ledger: TrialLedger, gone: str, reason: ChainReason) -> None:
    bypassed(filled(ledger), gone)
    assert ledger.verdict().reason is reason
    # Entries that are appended later, and more of them than were cut off, do not hide it.
    for i in range(5, 10):
        ledger.append(TRIAL, "sim", f"e{i}", {"n": i})
        assert not ledger.verdict().intact
    with pytest.raises(LedgerError):
        ledger.verified()


def test_an_older_anchor_is_fine_and_is_moved_on(ledger: TrialLedger) -> None:
    entries = filled(ledger).entries()
    # As a kill between the entry and its anchor leaves it.
    ledger.anchor_file.write_text(json.dumps({"seq": 3, "sha256": entries[2].sha256}))
    assert ledger.verified() == entries
    ledger.append(TRIAL, "sim", "e4", {})
    assert ledger.anchor() == Anchor(5, entries[4].sha256)
    # To append what is there does not move it back.
    ledger.append(TRIAL, "sim", "e0", {})
    assert ledger.anchor() == Anchor(5, entries[4].sha256)


def _directory(file: Path) -> None:
    file.mkdir()


def _text(text: str | bytes) -> Callable[[Path], None]:
    def write(file: Path) -> None:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())

    return write


BROKEN = (
    _directory,
    *map(_text, ("", "{", "[]", "7", "null", "{}", '{"seq": null, "sha256": ""}', '{"seq": 1e999, "sha256": ""}')),
    _text(b"\xff\xfe"),
)


def test_an_anchor_that_cannot_be_read_stops_everything(ledger: TrialLedger) -> None:
    filled(ledger, 2)
    for broken in BROKEN:
        ledger.anchor_file.unlink()
        broken(ledger.anchor_file)
        for what in (ledger.verified, ledger.verdict, ledger.anchor):
            with pytest.raises(LedgerError, match=r"ledger\.anchor cannot be read"):
                what()
        if ledger.anchor_file.is_dir():
            ledger.anchor_file.rmdir()
            ledger.anchor_file.touch()


def test_an_anchor_of_no_entry_is_a_cut(ledger: TrialLedger) -> None:
    filled(ledger, 2)
    for seq in (0, -1, 99, 10**30):
        ledger.anchor_file.write_text(json.dumps({"seq": seq, "sha256": "0" * 64}))
        assert ledger.verdict().reason is ChainReason.CUT_OFF
        ledger.append(TRIAL, "sim", f"more {seq}", {})
        assert ledger.verdict().reason is ChainReason.CUT_OFF
