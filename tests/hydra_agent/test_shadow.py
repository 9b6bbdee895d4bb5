"""A champion against its predecessor: confirmed, taken back, or neither, and nothing of it known before its time."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from hydra_agent import shadow
from hydra_agent.shadow import Step, steps
from hydra_assets.stats.eprocess import ECode, EConfig, e_process

Floats = NDArray[np.float64]
CONFIRM, ABORT = ECode.CONFIRM, ECode.ABORT


def alternating(n: int, mean: float) -> Floats:
    """Differences of one standard deviation about a mean, without chance."""
    return mean + np.where(np.arange(n) % 2 == 0, 1.0, -1.0)


def found(gap: Floats, since: int = 0, confirmed: bool = False, before: int = 0) -> list[Step]:
    """Steps of a champion whose differences on the sessions that it earned are ``gap``."""
    champion = np.concatenate([np.zeros(since + 1 + before), gap])
    return list(steps(champion, np.zeros(len(champion)), since, confirmed))


def test_confirmed_and_then_taken_back() -> None:
    gap = np.concatenate([alternating(130, 0.5), alternating(400, -0.5)])
    both = found(gap, since=10)
    assert [step.code for step in both] == [CONFIRM, ABORT]
    confirm, abort = both
    # By the process itself: the first row at which the wealth is 20, and then anew from the row after it.
    track = e_process(gap)
    first = int(np.flatnonzero(np.exp(track.log_e_for) >= 20.0)[0])
    assert confirm.row == 11 + first
    assert confirm.e_for == pytest.approx(float(np.exp(track.log_e_for[first])))
    assert confirm.e_for >= 20.0 > confirm.e_against
    again = e_process(gap[first + 1 :])
    second = int(np.flatnonzero(np.exp(again.log_e_against) >= 5.0)[0])
    assert abort.row == 11 + first + 1 + second
    assert abort.e_against >= 5.0
    # What turned at row 141 is not seen before it.
    assert confirm.row < 141 < abort.row


def test_taken_back_before_it_is_confirmed_ends_it() -> None:
    gap = np.concatenate([alternating(200, -0.5), alternating(400, 1.0)])
    [step] = found(gap)
    assert step.code is ABORT
    assert step.row < 200


def test_a_confirmed_champion_is_not_confirmed_again() -> None:
    assert [step.code for step in found(alternating(800, 0.5))] == [CONFIRM]
    assert found(alternating(800, 0.5), confirmed=True) == []
    [step] = found(alternating(200, -0.5), confirmed=True)
    assert step.code is ABORT


def test_equals_are_left_alone() -> None:
    assert found(alternating(1000, 0.0)) == []
    assert found(np.zeros(300)) == []


@pytest.mark.parametrize("day", [-1.0, -20.0, -1e6])
@pytest.mark.parametrize("at", [0, 25, 100])
def test_a_single_bad_day_changes_nothing(day: float, at: int) -> None:
    gap = alternating(300, 0.05)
    before = [step for step in found(gap) if step.code is ABORT]
    gap[at] = day
    assert [step for step in found(gap) if step.code is ABORT] == before == []


def test_it_earns_from_the_session_after_its_first_decision() -> None:
    gap = alternating(200, -0.5)
    [early] = found(gap, since=0)
    for since in (1, 40):
        [later] = found(gap, since=since)
        assert later == replace(early, row=early.row + since)
    # What came before it decided does not count, however bad.
    champion = np.concatenate([np.full(41, -5.0), alternating(200, 0.0)])
    assert list(steps(champion, np.zeros(241), 40)) == []


def test_only_the_difference_counts() -> None:
    rng = np.random.default_rng(1)
    shared = rng.standard_normal(500)
    gap = np.concatenate([[0.0], alternating(499, -0.3)])
    alone = list(steps(gap, np.zeros(500), 0))
    assert [step.code for step in alone] == [ABORT]
    paired = list(steps(shared + gap, shared, 0))
    assert [(s.code, s.row) for s in paired] == [(s.code, s.row) for s in alone]


def test_the_size_that_returns_are_in_does_not_matter() -> None:
    gap = np.concatenate([alternating(130, 0.5), alternating(300, -0.5)])
    plain, small = found(gap), found(1e-4 * gap)
    assert len(plain) == 2
    assert [(s.code, s.row) for s in small] == [(s.code, s.row) for s in plain]


@pytest.mark.parametrize("seed", range(5))
def test_no_step_knows_what_comes_after_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gap = np.concatenate([rng.normal(0.25, 1.0, 400), rng.normal(-0.25, 1.0, 400)])
    whole = found(gap, since=3)
    assert whole
    for n in (0, 1, 20, *(step.row - 4 + d for step in whole for d in (-1, 0, 1)), 700):
        cut = found(gap[:n], since=3)
        assert cut == [step for step in whole if step.row < 4 + n]


def test_nothing_is_taken_back_before_the_second_session(monkeypatch: pytest.MonkeyPatch) -> None:
    # With a warm-up of one session and large stakes the second difference would be enough.
    hasty = EConfig(clip=5.0, stakes=(0.199,), warm_up_sessions=1, abort=1.5)
    monkeypatch.setattr(shadow, "BETS", hasty)
    gap = np.full(50, -1.0)
    gap[1] = -100.0
    monkeypatch.setattr(shadow, "MIN_HOLD_SESSIONS", 0)
    [hasty_step] = found(gap)
    assert hasty_step.row == 2
    monkeypatch.setattr(shadow, "MIN_HOLD_SESSIONS", 30)
    [step] = found(gap)
    assert (step.code, step.row) == (ABORT, 30)
    track = e_process(gap, hasty)
    assert step.e_against == pytest.approx(float(np.exp(track.log_e_against[29])))
    assert found(gap[:29]) == []


def test_of_equals_few_are_ever_taken_back_and_fewer_confirmed() -> None:
    """Ville: at most one in five and one in twenty of champions that are no better, however long one looks."""
    rng = np.random.default_rng(7)
    codes = []
    for _ in range(300):
        first = next(iter(found(rng.standard_t(4, 500))), None)
        codes.append(None if first is None else first.code)
    assert codes.count(ABORT) <= 0.2 * 300 + 3 * np.sqrt(300 * 0.2 * 0.8)
    assert codes.count(CONFIRM) <= 0.05 * 300 + 3 * np.sqrt(300 * 0.05 * 0.95)


def test_before_its_first_session_there_is_nothing() -> None:
    assert list(steps(np.zeros(5), np.zeros(5), 4)) == []
    assert list(steps(np.zeros(5), np.zeros(5), 9)) == []
    assert list(steps(np.zeros(0), np.zeros(0), 0)) == []
