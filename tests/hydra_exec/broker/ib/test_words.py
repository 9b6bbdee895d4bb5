"""Words and numbers of TWS in ours."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_exec.broker.ib.order_ids import OrderIds
from hydra_exec.broker.ib.words import NotWholeError, Revision, at_least, ended_word, revision, whole, word
from hydra_exec.broker.port import Word


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("ApiPending", Word.WORKING),
        ("PendingSubmit", Word.WORKING),
        ("PreSubmitted", Word.WORKING),
        ("Submitted", Word.WORKING),
        ("PendingCancel", Word.CANCELLING),
        ("ApiCancelled", Word.CANCELLED),
        ("Cancelled", Word.CANCELLED),
        ("Filled", Word.FILLED),
        ("Inactive", Word.UNCLEAR),
        ("ApiUpdate", Word.UNCLEAR),
        ("submitted", Word.UNCLEAR),
        ("", Word.UNCLEAR),
    ],
)
def test_states(state: str, said: Word) -> None:
    assert word(state) is said


def test_inactive_is_a_refusal_where_a_code_or_the_list_of_ended_orders_says_so() -> None:
    assert word("Inactive", rejected=True) is Word.REJECTED
    assert word("Submitted", rejected=True) is Word.WORKING
    assert ended_word("Inactive", 0) is Word.REJECTED
    assert ended_word("Inactive", 2) is Word.CANCELLED
    assert ended_word("Cancelled", 0) is Word.CANCELLED
    assert ended_word("Something", 0) is Word.UNCLEAR


@pytest.mark.parametrize(
    ("exec_id", "expected"),
    [
        ("0000e0d5.6789.01.01", Revision("0000e0d5.6789.01", 1)),
        ("0000e0d5.6789.01.12", Revision("0000e0d5.6789.01", 12)),
        ("plain", Revision("plain", 0)),
        ("a.b", Revision("a.b", 0)),
        ("", Revision("", 0)),
    ],
)
def test_revisions(exec_id: str, expected: Revision) -> None:
    assert revision(exec_id) == expected


@given(st.integers(-(10**9), 10**9))
def test_whole_numbers_stay(quantity: int) -> None:
    assert whole(float(quantity)) == at_least(float(quantity)) == quantity


@pytest.mark.parametrize("quantity", [0.5, -1.25, math.nan, math.inf, 1e-9])
def test_what_is_no_whole_number_is_never_cut(quantity: float) -> None:
    with pytest.raises(NotWholeError):
        whole(quantity)


def test_away_from_zero() -> None:
    assert [at_least(q) for q in (0.1, -0.1, 1.5, -1.5, 0.0)] == [1, -1, 2, -2, 0]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=20))
def test_ids_go_up_whatever_the_terminal_says(connections: list[tuple[int, int]]) -> None:
    ids, given_ = OrderIds(), [0]
    for next_valid, floor in connections:
        ids.raise_to(next_valid, floor)
        given_ += [ids.take(), ids.take()]
        assert given_[-2] >= max(next_valid, floor + 1)
    assert given_ == sorted(set(given_))


def test_ids_go_above_what_was_seen() -> None:
    ids = OrderIds()
    ids.seen(7)
    ids.seen(3)
    assert ids.take() == 8
