"""Every pair of state and evidence against a table of its own, and what no script of evidence can do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_exec.order_state import LIVE, Evidence, Progress, TicketState, executed, moved, told

COLUMNS = "sending accepted fill fill_all cancel_asked cancelled rejected unclear not_found withdrawn"
TABLE = """
created          sent .       .                .      .              .         .         .       .      .
sent             .    working partially_filled filled pending_cancel cancelled rejected  unknown absent withdrawn
working          .    .       partially_filled filled pending_cancel cancelled rejected  unknown .      .
partially_filled .    .       .                filled pending_cancel cancelled cancelled unknown .      .
pending_cancel   .    .       .                filled .              cancelled cancelled unknown absent .
unknown          .    working partially_filled filled .              cancelled rejected  .       absent .
filled           .    .       .                .      .              .         .         .       .      .
cancelled        .    .       .                filled .              .         .         .       .      .
rejected         .    working partially_filled filled .              cancelled .         .       .      .
absent           .    working partially_filled filled .              cancelled rejected  .       .      .
withdrawn        .    .       .                .      .              .         .         .       .      .
"""
ROWS = {row.split()[0]: row.split()[1:] for row in TABLE.strip().splitlines()}
CASES = [
    (TicketState(state), Evidence(evidence), TicketState(state if cell == "." else cell))
    for state, cells in ROWS.items()
    for evidence, cell in zip(COLUMNS.split(), cells, strict=True)
]


def test_the_table_has_every_pair() -> None:
    assert [(state, evidence) for state, evidence, _ in CASES] == [(s, e) for s in TicketState for e in Evidence]


@pytest.mark.parametrize(("state", "evidence", "after"), CASES)
def test_every_pair(state: TicketState, evidence: Evidence, after: TicketState) -> None:
    assert moved(state, evidence) is after
    assert told(Progress(5, state), evidence).state is after


def test_what_lives() -> None:
    assert {str(state) for state in LIVE} == {"sent", "working", "partially_filled", "pending_cancel", "unknown"}


def test_a_new_ticket_is_created_and_empty() -> None:
    new = Progress(3)
    assert (new.state, new.executed, new.reported, new.filled, new.unexplained) == (TicketState.CREATED, 0, 0, 0, 0)
    assert new.remaining == 0  # the broker has not been told


@pytest.mark.parametrize("state", TicketState)
def test_what_may_still_fill(state: TicketState) -> None:
    assert Progress(5, state, executed=2).remaining == (3 if state in LIVE else 0)
    assert Progress(5, state, executed=9).remaining == 0


def test_filled_is_the_most_that_was_said_and_what_no_execution_told_is_open() -> None:
    progress = Progress(5, TicketState.PARTIALLY_FILLED, executed=1, reported=3)
    assert (progress.filled, progress.remaining, progress.unexplained) == (3, 2, 2)
    progress = Progress(5, TicketState.PARTIALLY_FILLED, executed=3, reported=1)
    assert (progress.filled, progress.remaining, progress.unexplained) == (3, 2, 0)


def test_a_late_state_takes_nothing_back() -> None:
    progress = told(Progress(5, TicketState.SENT), Evidence.ACCEPTED, reported=3)
    assert (progress.state, progress.reported) == (TicketState.PARTIALLY_FILLED, 3)
    late = told(progress, Evidence.ACCEPTED, reported=1)
    assert late == progress


def test_all_filled_is_filled_whatever_the_state_said() -> None:
    assert told(Progress(5, TicketState.SENT), Evidence.ACCEPTED, reported=5).state is TicketState.FILLED
    assert executed(Progress(5, TicketState.SENT), 5).state is TicketState.FILLED
    assert executed(Progress(5, TicketState.CANCELLED), 5).state is TicketState.FILLED
    assert executed(Progress(5, TicketState.SENT), 6).state is TicketState.FILLED  # more than was ordered


def test_a_fill_before_its_acknowledgement_and_one_while_a_cancel_is_on_its_way() -> None:
    early = executed(Progress(5, TicketState.SENT), 1)
    assert (early.state, early.executed) == (TicketState.PARTIALLY_FILLED, 1)
    assert executed(Progress(5, TicketState.PENDING_CANCEL), 4).state is TicketState.PENDING_CANCEL
    assert executed(Progress(5, TicketState.CANCELLED), 4).state is TicketState.CANCELLED
    assert executed(Progress(5, TicketState.SENT), 0).state is TicketState.SENT


def test_a_revision_takes_back_what_states_had_said_too() -> None:
    progress = Progress(5, TicketState.PARTIALLY_FILLED, executed=3, reported=3)
    down = executed(progress, 2)
    assert (down.executed, down.reported, down.filled) == (2, 2, 2)
    assert executed(Progress(5, TicketState.PARTIALLY_FILLED, executed=3, reported=1), 1).reported == 0
    assert executed(Progress(5, TicketState.PARTIALLY_FILLED, executed=1, reported=3), 2).reported == 3
    assert executed(Progress(5, TicketState.PARTIALLY_FILLED, executed=2, reported=0), 0).filled == 0


def test_what_was_filled_says_nothing_of_a_rest_that_is_not_found() -> None:
    progress = Progress(5, TicketState.UNKNOWN, executed=2, reported=2)
    absent = told(progress, Evidence.NOT_FOUND)
    assert absent == Progress(5, TicketState.ABSENT, 2, 2)
    assert told(absent, Evidence.UNCLEAR) == executed(absent, 2) == absent
    assert told(absent, Evidence.ACCEPTED).state is TicketState.PARTIALLY_FILLED


def test_asking_for_its_end_does_not_tell_what_became_of_a_partly_filled_ticket() -> None:
    unknown = Progress(5, TicketState.UNKNOWN, executed=2, reported=2)
    assert told(unknown, Evidence.CANCEL_ASKED) == unknown


def test_a_refusal_of_what_has_filled_in_part_ends_the_rest() -> None:
    assert told(Progress(5, TicketState.UNKNOWN, executed=2), Evidence.REJECTED).state is TicketState.CANCELLED
    assert told(Progress(5, TicketState.SENT), Evidence.REJECTED, reported=2).state is TicketState.CANCELLED


EVIDENCE = st.lists(st.tuples(st.sampled_from(Evidence), st.integers(0, 7)), max_size=12)
ENDERS = {Evidence.FILL_ALL, Evidence.CANCELLED, Evidence.REJECTED, Evidence.NOT_FOUND, Evidence.WITHDRAWN}


@given(st.integers(1, 6), EVIDENCE)
def test_what_is_filled_never_falls_and_only_the_brokers_word_ends_what_was_sent(
    quantity: int, script: list[tuple[Evidence, int]]
) -> None:
    progress = told(Progress(quantity), Evidence.SENDING)
    for evidence, reported in script:
        after = told(progress, evidence, reported)
        assert after.filled >= progress.filled
        if progress.state in LIVE and after.state not in LIVE:
            assert evidence in ENDERS or after.filled >= quantity
        assert after.remaining + min(after.filled, quantity) <= quantity
        assert after.state is not TicketState.CREATED
        progress = after


@given(st.integers(1, 6), st.lists(st.integers(0, 7), min_size=1, max_size=8))
def test_executions_add_up_whatever_revisions_come(quantity: int, totals: list[int]) -> None:
    progress = told(Progress(quantity), Evidence.SENDING)
    for total in totals:
        progress = executed(progress, total)
        assert progress.executed == progress.filled == total
        assert progress.unexplained == 0
