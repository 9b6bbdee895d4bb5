"""The live gate: closed for each condition by itself, open with all of them, and never by what is not known."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.state.chain import ChainReason, ChainVerdict
from hydra_exec.live_gate.conditions import (
    HealingCycle,
    LiveCondition,
    LiveFacts,
    SessionEnd,
    WorkedSession,
    counted_sessions,
    evaluate,
)
from hydra_exec.live_gate.records import Drill, DrillKind, GateRecords, OperatorWord

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
ACCOUNT = "U7654321"
CLEAN, RECOVERED, LOST, NOTHING, OPEN = (
    SessionEnd.CLEAN,
    SessionEnd.RECOVERED,
    SessionEnd.UNRECOVERABLE,
    SessionEnd.NOTHING_TO_DO,
    SessionEnd.UNDER_WAY,
)


def session(days_ago: int, ended: SessionEnd = CLEAN) -> WorkedSession:
    at = NOW - timedelta(days=days_ago, hours=1)
    return WorkedSession("DU1234567", paper=True, real_sources=True, wall_date=at.date(), started_at=at, ended=ended)


def word(account: str = ACCOUNT, **changed: datetime) -> OperatorWord:
    spoken = OperatorWord(account, "Ada", "28 good days", NOW - timedelta(days=1), NOW + timedelta(days=30))
    return replace(spoken, **changed)


DRILLS = tuple(Drill(kind, "DU1234567", NOW - timedelta(days=5), True, "") for kind in DrillKind)
INTACT = ChainVerdict(ChainReason.INTACT, None, "3 entries")
GOOD = LiveFacts(
    account=ACCOUNT,
    now=NOW,
    sessions=[session(days) for days in range(28, 0, -1)],
    bias_half_spreads=0.49,
    correlation=0.31,
    cycles=[HealingCycle("livestock", 7, NOW - timedelta(days=30), None, real_data=True)],
    density_green=True,
    thesis_green=True,
    records=GateRecords(INTACT, DRILLS, (word(),)),
)


def codes(facts: LiveFacts) -> list[LiveCondition]:
    return [missing.code for missing in evaluate(facts).missing]


def test_with_everything_it_is_open_and_says_nothing() -> None:
    verdict = evaluate(GOOD)
    assert (verdict.open, verdict.missing, verdict.reason, verdict.account) == (True, (), None, ACCOUNT)


def test_with_nothing_every_condition_is_named_with_what_there_is_and_what_is_needed() -> None:
    nothing = LiveFacts(
        ACCOUNT, NOW, [], None, None, [], None, None, GateRecords(ChainVerdict(ChainReason.EMPTY, None, "no entry yet"))
    )
    verdict = evaluate(nothing)
    assert not verdict.open
    assert [m.code for m in verdict.missing] == [
        c for c in LiveCondition if c not in {LiveCondition.CHAIN_BROKEN, LiveCondition.OPERATOR_EXPIRED}
    ]
    assert [(m.have, m.need) for m in verdict.missing] == [
        ("0", "28"),
        ("not known", "within 0.5 half-spreads"),
        ("not known", "above 0.3"),
        ("none", "30 days"),
        ("not known", "green"),
        ("not known", "green"),
        ("none", "passed"),
        ("none", "passed"),
        ("none", ACCOUNT),
    ]
    assert verdict.reason is not None
    assert verdict.reason.startswith("0 of 28 sessions at the real broker on paper, with real sources")
    assert all(m.sentence in verdict.reason for m in verdict.missing)


@pytest.mark.parametrize(
    ("changed", "missing"),
    [
        ({"sessions": GOOD.sessions[1:]}, LiveCondition.PAPER_SESSIONS),
        ({"bias_half_spreads": 0.5}, LiveCondition.SLIPPAGE_BIAS),
        ({"bias_half_spreads": -0.5}, LiveCondition.SLIPPAGE_BIAS),
        ({"bias_half_spreads": math.nan}, LiveCondition.SLIPPAGE_BIAS),
        ({"bias_half_spreads": None}, LiveCondition.SLIPPAGE_BIAS),
        ({"correlation": 0.3}, LiveCondition.SLIPPAGE_CORRELATION),
        ({"correlation": math.nan}, LiveCondition.SLIPPAGE_CORRELATION),
        ({"correlation": math.inf}, LiveCondition.SLIPPAGE_CORRELATION),
        ({"correlation": None}, LiveCondition.SLIPPAGE_CORRELATION),
        ({"cycles": []}, LiveCondition.HEALING_CYCLE),
        ({"density_green": False}, LiveCondition.DENSITY_GATE),
        ({"density_green": None}, LiveCondition.DENSITY_GATE),
        ({"thesis_green": False}, LiveCondition.THESIS_GATE),
        ({"thesis_green": None}, LiveCondition.THESIS_GATE),
        ({"records": GateRecords(INTACT, DRILLS[1:], (word(),))}, LiveCondition.BREAKER_DRILL),
        ({"records": GateRecords(INTACT, DRILLS[:1], (word(),))}, LiveCondition.RECONNECT_DRILL),
        ({"records": GateRecords(INTACT, DRILLS, ())}, LiveCondition.OPERATOR_RECORD),
        ({"account": "U0000001"}, LiveCondition.OPERATOR_RECORD),
        ({"records": GateRecords(INTACT, DRILLS, (word(expires_at=NOW),))}, LiveCondition.OPERATOR_EXPIRED),
        (
            {"records": GateRecords(INTACT, DRILLS, (word(at=NOW + timedelta(seconds=1)),))},
            LiveCondition.OPERATOR_EXPIRED,
        ),
    ],
)
def test_one_condition_alone_closes_it(changed: dict[str, object], missing: LiveCondition) -> None:
    assert codes(replace(GOOD, **changed)) == [missing]  # type: ignore[arg-type]


def test_a_broken_chain_takes_every_record_with_it() -> None:
    broken = ChainVerdict(ChainReason.EDITED, 2, "entry 2 was changed after it was written")
    verdict = evaluate(replace(GOOD, records=GateRecords(broken, DRILLS, (word(),))))
    assert [m.code for m in verdict.missing] == [
        LiveCondition.CHAIN_BROKEN,
        LiveCondition.BREAKER_DRILL,
        LiveCondition.RECONNECT_DRILL,
        LiveCondition.OPERATOR_RECORD,
    ]
    assert "entry 2 was changed" in verdict.missing[0].sentence


def test_the_newest_drill_and_the_newest_word_hold() -> None:
    failed = replace(DRILLS[0], passed=False, at=NOW)
    assert codes(replace(GOOD, records=GateRecords(INTACT, (*DRILLS, failed), (word(),)))) == [
        LiveCondition.BREAKER_DRILL
    ]
    assert codes(replace(GOOD, records=GateRecords(INTACT, (failed, *DRILLS), (word(),)))) == []
    taken_back = word(at=NOW, expires_at=NOW)
    words = (word(), taken_back, word("U0000001"))
    assert codes(replace(GOOD, records=GateRecords(INTACT, DRILLS, words))) == [LiveCondition.OPERATOR_EXPIRED]


@pytest.mark.parametrize(
    ("cycle", "held"),
    [
        (HealingCycle("g", 1, NOW - timedelta(days=30), None, real_data=True), True),
        (HealingCycle("g", 1, NOW - timedelta(days=29, hours=23), None, real_data=True), False),
        (HealingCycle("g", 1, NOW - timedelta(days=300), None, real_data=False), False),
        (HealingCycle("g", 1, NOW - timedelta(days=300), NOW - timedelta(days=271), real_data=True), False),
        (HealingCycle("g", 1, NOW - timedelta(days=300), NOW - timedelta(days=270), real_data=True), True),
    ],
)
def test_a_promotion_held_thirty_days_or_it_did_not(cycle: HealingCycle, held: bool) -> None:
    assert codes(replace(GOOD, cycles=[cycle])) == ([] if held else [LiveCondition.HEALING_CYCLE])


@pytest.mark.parametrize(
    ("sessions", "count"),
    [
        ([session(3), session(2), session(1)], 3),
        ([session(3), session(2, LOST), session(1)], 1),
        ([session(3), session(2), session(1, LOST)], 0),
        # Killed: another session began after it.
        ([session(3), session(2, OPEN), session(1, RECOVERED)], 1),
        # Under way: the newest, and of today.
        ([session(3), session(2), session(0, OPEN)], 2),
        # Killed, and nobody has come back since.
        ([session(3), session(2), session(1, OPEN)], 0),
        ([session(3), session(2, NOTHING), session(1)], 2),
        # Two sessions on one date are one date.
        ([session(2), session(1), session(1)], 2),
        ([], 0),
    ],
)
def test_sessions_that_count(sessions: list[WorkedSession], count: int) -> None:
    assert len(counted_sessions(sessions, NOW)) == count


def test_what_is_not_paper_or_not_real_does_not_count_and_still_resets() -> None:
    for other in ({"paper": False}, {"real_sources": False}):
        good = [session(3), replace(session(2), **other), session(1)]  # type: ignore[arg-type]
        assert len(counted_sessions(good, NOW)) == 2
        bad = [session(3), replace(session(2, LOST), **other), session(1)]  # type: ignore[arg-type]
        assert len(counted_sessions(bad, NOW)) == 1


ends = st.sampled_from(SessionEnd)


@given(st.lists(ends, max_size=60))
def test_the_count_is_at_most_the_run_since_the_last_failure(drawn: list[SessionEnd]) -> None:
    sessions = [session(len(drawn) - i, ended) for i, ended in enumerate(drawn)]
    run = 0
    for ended in drawn:
        run = 0 if ended in {LOST, OPEN} else run + (ended in {CLEAN, RECOVERED})
    assert len(counted_sessions(sessions, NOW)) == run
    assert evaluate(replace(GOOD, sessions=sessions)).open == (run >= 28)
