"""Gates 1 to 7 on a long history with a known edge, and the sealed hold-out case by case."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from hydra_agent import arena
from hydra_agent.arena import Returns, evidence_of, played, squared_errors
from hydra_agent.frames import walk_of
from hydra_agent.judge.cycle import CycleVerdict, Trial, judge, matrix_of
from hydra_agent.judge.holdout import HOLDOUT_SESSIONS, HoldoutReason, HoldoutVerdict, judge_holdout
from hydra_agent.view import Walk
from hydra_assets.evaluation.strategies import walked
from hydra_assets.labels.known import LabelKind
from hydra_assets.verdict import Severity, Verdict
from tests.support.groups import SEEING, group
from tests.support.views import FIRST_ROW, skilled, view, view_on

GREEN = (Verdict("schema", True, Severity.ERROR, "ok", ""),)
RED = (*GREEN, Verdict("no_look_ahead", False, Severity.ERROR, "leak", ""))
CHAMPION = skilled("champion", 0.3, seed=1)
BETTER, EQUAL, WORSE = skilled("better", 0.9, 2), skilled("equal", 0.3, 3), skilled("worse", 0.0, 4)


def judged(
    *candidates: Walk,
    champion: Walk | None = CHAMPION,
    trials: tuple[Trial, ...] = (),
    contracts: tuple[Verdict, ...] = GREEN,
) -> CycleVerdict:
    returns = played(view().market, [*candidates, *([champion] if champion else [])])
    return judge(view(), candidates, champion, returns, trials, contracts)


def failed(verdict: CycleVerdict, name: str) -> str:
    report = verdict.report(name)
    assert report is not None
    assert report.first_failure is not None
    return str(report.first_failure.gate)


def test_the_better_passes_and_an_equal_or_a_worse_one_does_not() -> None:
    found = judged(EQUAL, BETTER, WORSE)
    assert found.passed == ("better",)
    assert found.sessions == len(view()) - FIRST_ROW
    assert [report.candidate for report in found.reports] == ["equal", "better", "worse"]
    assert failed(found, "equal") == failed(found, "worse") == "gate_3_paired_advantage"
    assert judged(EQUAL, BETTER, WORSE) == found


def test_the_champion_under_another_name_does_not_pass() -> None:
    assert failed(judged(replace(CHAMPION, name="twin")), "twin") == "gate_3_paired_advantage"


def test_without_a_champion_the_benchmark_is_cash() -> None:
    found = judged(skilled("some", 0.5, 5), WORSE, champion=None)
    assert found.passed == ("some",)
    assert failed(found, "worse") == "gate_3_paired_advantage"


def test_the_fittest_of_those_that_pass_comes_first() -> None:
    found = judged(skilled("good", 0.6, 6), skilled("best", 1.0, 7), champion=None)
    assert found.passed == ("best", "good")


def test_several_labels_are_compared_by_what_each_knows_beyond_its_base_rate() -> None:
    skewed = replace(BETTER, recipe=BETTER.recipe.model_copy(update={"label": LabelKind.TRIPLE_BARRIER}))
    seen, sides = view(), [skewed, CHAMPION]
    returns = played(seen.market, sides)
    span = arena.tested_span(seen, sides)
    own, reigning = evidence_of(seen, sides, returns, span)
    for walk, record in ((skewed, own), (CHAMPION, reigning)):
        of = seen.of(walk.recipe.label)
        due = [
            (0.25 + (walk.probability[t, j] - of.up[t, j]) ** 2 - (walk.base[t, j] - of.up[t, j]) ** 2)
            for t, j in np.argwhere(of.exit_row == 700)
        ]
        assert record.squared_errors[700 - span.start] == pytest.approx(np.mean(due))
    # A base rate that is said again knows nothing: a coin's quarter, whatever the label.
    said = np.where(np.isfinite(skewed.base), 0.3, np.nan)
    blind = replace(skewed, probability=said, base=said)
    errors = evidence_of(seen, [blind, CHAMPION], returns, span)[0].squared_errors
    assert errors[np.isfinite(errors)] == pytest.approx(0.25)
    # Sides of one label stand with their errors as they are.
    [alone] = evidence_of(seen, [skewed], returns, span)
    assert np.array_equal(alone.squared_errors, squared_errors(seen, skewed)[span], equal_nan=True)


def test_a_candidate_of_another_label_is_judged_with_the_longest_overlap() -> None:
    longer = replace(BETTER, recipe=BETTER.recipe.model_copy(update={"label": LabelKind.FIXED_HORIZON_10}))
    # Held for ten sessions a lean that turns every ten earns less, and is still worth more than the champion's.
    for candidates in ((longer,), (EQUAL, longer), (longer, EQUAL)):
        found = judged(*candidates)
        origin = found.report("better").verdicts[1]  # type: ignore[union-attr]
        assert (origin.status, origin.numbers["horizon_sessions"]) == ("passed", 11)
        assert origin.numbers["embargo_sessions"] == 11
    assert judged(BETTER).report("better").verdicts[1].numbers["horizon_sessions"] == 6  # type: ignore[union-attr]


def test_a_candidate_whose_label_the_home_does_not_have_yet_is_stopped() -> None:
    # Labels of an earlier version: every fold is without a training row.
    of, recipe = group(260), SEEING.model_copy(update={"label": LabelKind.FIXED_HORIZON_10})
    old = replace(of, labels=of.labels.filter(pl.col("label_kind") == "fixed_horizon"))
    predictions = walked(old.features, old.labels, recipe)
    assert set(predictions["fold_reason"]) == {"too_few_rows"}
    seen = view_on(old)
    sides = [
        walk_of("new", recipe, predictions, old.market),
        walk_of("old", SEEING, old.predictions["logistic"], old.market),
    ]
    found = judge(seen, sides[:1], sides[1], played(old.market, sides), (), GREEN)
    assert (found.passed, failed(found, "new")) == ((), "gate_2_out_of_sample")


def test_broken_inputs_stop_everything_at_the_first_gate() -> None:
    found = judged(BETTER, contracts=RED)
    assert (found.passed, failed(found, "better")) == ((), "gate_1_data_contracts")


def test_every_earlier_trial_raises_the_bar() -> None:
    days = view().days
    rng = np.random.default_rng(8)

    def trials(n: int, sharpe: float) -> tuple[Trial, ...]:
        found = 0.01 * (rng.standard_normal((n, len(days))) + sharpe * rng.standard_normal((n, 1)))
        return tuple(Trial(f"t{i}", days, found[i]) for i in range(n))

    some = skilled("some", 0.45, 9)
    assert judged(some, champion=None).passed == ("some",)
    found = judged(some, champion=None, trials=trials(200, 0.06))
    assert (found.passed, failed(found, "some")) == ((), "gate_5_deflated_sharpe")
    # A trial of sessions that are not judged, or of none, counts for nothing and stops nobody.
    elsewhere = Trial("old", np.arange(5), np.arange(5.0))
    empty = Trial("none", np.arange(0), np.empty(0))
    assert judged(some, champion=None, trials=(elsewhere, empty)).passed in {(), ("some",)}


def test_without_candidates_or_sessions_there_is_no_verdict() -> None:
    none = CycleVerdict((), (), 0)
    nothing = Returns(*(np.empty((0, len(view()))) for _ in range(3)))
    assert judge(view(), [], None, nothing, [], GREEN) == none
    late = replace(BETTER, starts=(), probability=np.full_like(BETTER.probability, np.nan))
    assert judged(late) == none
    assert none.report("late") is None


def test_trials_are_laid_on_the_judged_days() -> None:
    trials = [
        Trial("a", np.array([1, 3, 5]), np.array([0.1, 0.3, 0.5])),
        Trial("b", np.array([2, 9]), np.array([0.2, 0.9])),
        Trial("c", np.arange(0), np.empty(0)),
    ]
    found = matrix_of(trials, np.array([3, 4, 5, 9]))
    nan = np.nan
    assert np.array_equal(found, [[0.3, nan, 0.5, nan], [nan, nan, nan, 0.9], [nan, nan, nan, nan]], equal_nan=True)
    assert matrix_of([], np.array([1, 2])).shape == (0, 2)


SEALED = slice(300, 300 + HOLDOUT_SESSIONS)


def returns_of(*net: NDArray[np.float64]) -> Returns:
    made = np.stack(net)
    return Returns(made, made, np.zeros_like(made))


def noise(seed: int, mean: float = 0.0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(mean, 0.01, SEALED.stop)


def test_the_hold_out_passes_what_is_better_on_it() -> None:
    champion = noise(1)
    good = returns_of(champion + noise(2, 0.004), champion)
    found = judge_holdout(good, True, SEALED, 0.2, 5)
    assert (found.reason, found.passed, found.opened) == (HoldoutReason.PASSED, True, True)
    assert found.p_value is not None
    assert (found.level, found.sessions, found.p_value < 0.05) == (0.2, 126, True)
    # Against a better champion it is not.
    assert judge_holdout(returns_of(good.net[1], good.net[0]), True, SEALED, 0.2, 5).reason is HoldoutReason.NOT_BETTER


def test_the_hold_out_looks_at_its_own_sessions_alone() -> None:
    inside = noise(3, 0.004)
    outside = inside.copy()
    outside[: SEALED.start] = -1.0
    assert judge_holdout(returns_of(outside), False, SEALED, 0.2, 5) == judge_holdout(
        returns_of(inside), False, SEALED, 0.2, 5
    )
    spoiled = inside.copy()
    spoiled[SEALED] -= 0.006
    assert not judge_holdout(returns_of(spoiled), False, SEALED, 0.2, 5).passed


def test_without_a_champion_the_hold_out_asks_for_more_than_cash() -> None:
    assert judge_holdout(returns_of(noise(4, 0.004)), False, SEALED, 0.2, 5).passed
    assert judge_holdout(returns_of(noise(4, -0.004)), False, SEALED, 0.9, 5).reason is HoldoutReason.NOT_BETTER


def test_the_level_decides() -> None:
    returns = returns_of(noise(5, 0.0012))
    p = judge_holdout(returns, False, SEALED, 0.5, 5).p_value
    assert p is not None
    assert judge_holdout(returns, False, SEALED, p, 5).passed
    assert judge_holdout(returns, False, SEALED, p - 1e-6, 5).reason is HoldoutReason.NOT_BETTER


def test_without_wealth_nothing_is_opened() -> None:
    found = judge_holdout(returns_of(noise(6, 0.01)), False, SEALED, None, 5)
    assert found == HoldoutVerdict(HoldoutReason.NO_WEALTH, None, None, 126)
    assert not found.opened
    assert not found.passed


@pytest.mark.parametrize("broken", ["flat", "missing", "champion missing"])
def test_what_cannot_be_tested_is_an_opening_all_the_same(broken: str) -> None:
    candidate, champion = noise(7, 0.01), noise(8)
    if broken == "flat":
        candidate[SEALED] = 0.0
    elif broken == "missing":
        candidate[SEALED.start + 3] = np.nan
    else:
        champion[SEALED.start] = np.nan
    found = judge_holdout(returns_of(candidate, champion), True, SEALED, 0.2, 5)
    assert (found.reason, found.p_value, found.opened, found.passed) == (HoldoutReason.UNUSABLE, None, True, False)


def test_the_champion_again_is_not_better_on_the_hold_out() -> None:
    same = noise(9, 0.01)
    found = judge_holdout(returns_of(same, same), True, SEALED, 0.9, 5)
    assert (found.reason, found.p_value) == (HoldoutReason.NOT_BETTER, 1.0)
    # Twice its size is no skill.
    assert not judge_holdout(returns_of(2.0 * same, same), True, SEALED, 0.9, 5).passed
