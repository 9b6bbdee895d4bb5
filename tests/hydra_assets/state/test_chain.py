"""The chain finds every edit, deletion, insertion, swap and cut; its digests are what any other program computes."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.state.chain import (
    GENESIS,
    Anchor,
    ChainReason,
    Entry,
    EntryKind,
    canonical,
    linked,
    read_series,
    series_bytes,
    verify,
)

SERIES = series_bytes(np.array([19000, 19001]), np.array([0.01, -0.02]))


def chain(n: int = 10) -> list[Entry]:
    """A chain of n entries of two groups; every third has a series."""
    entries: list[Entry] = []
    for i in range(n):
        before = Anchor(entries[-1].seq, entries[-1].sha256) if entries else None
        kind = EntryKind.TRIAL if i % 3 == 0 else EntryKind.VERDICT
        series = SERIES if kind is EntryKind.TRIAL else None
        entries.append(linked(before, kind, ("sim", "grains")[i % 2], f"e{i}", {"n": i, "sharpe": i / 7}, series))
    return entries


CHAIN = chain()
ANCHOR = Anchor(CHAIN[-1].seq, CHAIN[-1].sha256)
INTACT = verify(CHAIN, ANCHOR)


def resealed(entry: Entry) -> Entry:
    """The entry as someone writes it who knows how digests are made."""
    before = None if entry.seq == 1 else Anchor(entry.seq - 1, entry.previous)
    return linked(before, entry.kind, entry.model_group, entry.subject, entry.facts, entry.series)


def test_a_digest_is_what_another_program_computes() -> None:
    entry = linked(None, EntryKind.TRIAL, "sim", "e0", {"b": 1.5, "a": "é"}, b"xy")
    body = '{"a":"\\u00e9","b":1.5}'
    assert (entry.seq, entry.previous, entry.body) == (1, GENESIS, body)
    held = hashlib.sha256(b"xy").hexdigest()
    whole = json.dumps({"of": [1, "trial", "sim", "e0", body, held, "0" * 64]}, separators=(",", ":"))
    assert entry.sha256 == hashlib.sha256(whole.encode()).hexdigest()
    after = linked(Anchor(1, entry.sha256), EntryKind.VERDICT, "sim", "e0", {}, None)
    assert (after.seq, after.previous) == (2, entry.sha256)
    assert entry.facts == {"a": "é", "b": 1.5}


def test_verdicts_by_hand() -> None:
    assert (INTACT.reason, INTACT.seq, INTACT.intact) == (ChainReason.INTACT, None, True)
    assert verify([], None).reason is ChainReason.EMPTY
    assert verify([], None).intact
    edited = [*CHAIN[:4], replace(CHAIN[4], body=CHAIN[4].body.replace("4", "5")), *CHAIN[5:]]
    assert (verify(edited, ANCHOR).reason, verify(edited, ANCHOR).seq) == (ChainReason.EDITED, 5)
    # Whoever makes the edited entry's digest anew breaks the link to the next one.
    sealed = [*CHAIN[:4], resealed(edited[4]), *CHAIN[5:]]
    assert (verify(sealed, ANCHOR).reason, verify(sealed, ANCHOR).seq) == (ChainReason.BROKEN_LINK, 6)
    gone = [*CHAIN[:4], *CHAIN[5:]]
    assert (verify(gone, ANCHOR).reason, verify(gone, ANCHOR).seq) == (ChainReason.BROKEN_LINK, 6)
    assert (verify(CHAIN[1:], None).reason, verify(CHAIN[1:], None).seq) == (ChainReason.BROKEN_LINK, 2)
    cut = verify(CHAIN[:7], ANCHOR)
    assert (cut.reason, cut.seq, cut.intact) == (ChainReason.CUT_OFF, 8, False)
    assert "once had 10 entries" in cut.message
    assert verify([], ANCHOR).seq == 1


@pytest.mark.parametrize("seq", range(1, 11))
def test_an_anchor_that_is_older_than_the_chain_is_fine(seq: int) -> None:
    assert verify(CHAIN, Anchor(seq, CHAIN[seq - 1].sha256)).reason is ChainReason.INTACT
    assert verify(CHAIN, Anchor(seq, "f" * 64)).reason is ChainReason.CUT_OFF


@pytest.mark.parametrize("anchor", [Anchor(0, GENESIS), Anchor(-1, CHAIN[-1].sha256), Anchor(11, CHAIN[-1].sha256)])
@pytest.mark.parametrize("entries", [CHAIN, CHAIN[:1], []])
def test_an_anchor_of_no_entry_is_no_anchor(anchor: Anchor, entries: list[Entry]) -> None:
    assert verify(entries, anchor).reason is ChainReason.CUT_OFF


def test_a_chain_written_anew_from_its_beginning_is_not_the_anchored_one() -> None:
    other = [linked(None, EntryKind.TRIAL, "sim", "e0", {"n": 99}, None)]
    for entry in CHAIN[1:]:
        before = Anchor(other[-1].seq, other[-1].sha256)
        other.append(linked(before, entry.kind, entry.model_group, entry.subject, entry.facts, entry.series))
    assert verify(other, None).intact
    found = verify(other, ANCHOR)
    assert (found.reason, found.seq) == (ChainReason.CUT_OFF, 10)


TEXTS = st.text(max_size=8)
CHANGED = {
    "seq": st.integers(-2, 20),
    "kind": st.sampled_from(EntryKind),
    "model_group": TEXTS,
    "subject": TEXTS,
    "body": TEXTS,
    "series": st.none() | st.binary(max_size=8),
    "previous": st.sampled_from([GENESIS, *(entry.sha256 for entry in CHAIN)]),
    "sha256": st.sampled_from([GENESIS, *(entry.sha256 for entry in CHAIN)]),
}


@given(place=st.integers(0, 9), name=st.sampled_from(sorted(CHANGED)), data=st.data())
def test_every_edit_of_a_field_is_found(place: int, name: str, data: st.DataObject) -> None:
    value = data.draw(CHANGED[name].filter(lambda new: new != getattr(CHAIN[place], name)))
    touched = [*CHAIN[:place], replace(CHAIN[place], **{name: value}), *CHAIN[place + 1 :]]
    found = verify(touched, ANCHOR)
    assert found.reason in {ChainReason.EDITED, ChainReason.BROKEN_LINK}
    assert found.seq in {touched[place].seq, CHAIN[place].seq}


@given(place=st.integers(0, 9), bit=st.integers(0, 8 * len(SERIES) - 1))
def test_every_bit_of_a_series_counts(place: int, bit: int) -> None:
    entry = CHAIN[place - place % 3]
    assert entry.series is not None
    flipped = bytearray(entry.series)
    flipped[bit // 8] ^= 1 << bit % 8
    touched = [replace(each, series=bytes(flipped)) if each is entry else each for each in CHAIN]
    assert verify(touched, ANCHOR).reason is ChainReason.EDITED


@given(rows=st.permutations(range(10)).filter(lambda rows: rows != list(range(10))))
def test_every_other_order_is_found(rows: list[int]) -> None:
    assert not verify([CHAIN[i] for i in rows], ANCHOR).intact


@given(kept=st.lists(st.booleans(), min_size=10, max_size=10).filter(lambda kept: not all(kept)))
def test_every_deletion_and_every_cut_is_found(kept: list[bool]) -> None:
    assert not verify([entry for entry, stays in zip(CHAIN, kept, strict=True) if stays], ANCHOR).intact


@given(place=st.integers(0, 10), of=st.integers(0, 9), numbered=st.booleans())
def test_every_insertion_is_found(place: int, of: int, numbered: bool) -> None:
    """A second copy of an entry, or one made to follow the entry before it."""
    new = CHAIN[of]
    if numbered:
        before = Anchor(place, CHAIN[place - 1].sha256) if place else None
        new = linked(before, EntryKind.PROMOTION, "sim", "mine", {"sharpe": 3.0}, None)
    found = verify([*CHAIN[:place], new, *CHAIN[place:]], ANCHOR)
    # What follows the newest entry is the one place at which a new entry belongs.
    assert found.intact == (numbered and place == 10)


@given(
    days=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20),
    data=st.data(),
)
def test_series_survive_the_round_trip_to_the_bit(days: list[int], data: st.DataObject) -> None:
    returns = data.draw(st.lists(st.floats(width=64), min_size=len(days), max_size=len(days)))
    content = series_bytes(np.array(days, dtype=np.int64), np.array(returns, dtype=np.float64))
    assert len(content) == 16 * len(days)
    again, values = read_series(content)
    assert again.tolist() == days
    assert values.tobytes() == np.array(returns, dtype=np.float64).tobytes()
    # What is read can be written to.
    values += 1.0


def test_series_bytes_are_little_endian_days_and_doubles() -> None:
    assert series_bytes(np.array([1]), np.array([1.0])).hex() == "0100000000000000" + "000000000000f03f"


@pytest.mark.parametrize("content", [b"x", SERIES[:-1], SERIES[:8]])
def test_other_lengths_are_no_series(content: bytes) -> None:
    with pytest.raises(ValueError, match="no series"):
        read_series(content)
    with pytest.raises(ValueError, match="days"):
        series_bytes(np.arange(3), np.zeros(2))
    with pytest.raises(ValueError, match="days"):
        series_bytes(np.zeros((2, 2), dtype=np.int64), np.zeros((2, 2)))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_facts_without_a_spelling_in_json_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        linked(None, EntryKind.TRIAL, "sim", "e0", {"deep": [{"sharpe": value}]}, None)


def test_equal_facts_have_one_spelling() -> None:
    assert canonical({"b": [1, 2.5], "a": None}) == canonical({"a": None, "b": [1, 2.5]}) == '{"a":null,"b":[1,2.5]}'
