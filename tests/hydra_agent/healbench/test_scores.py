"""Scores from rows made by hand: bounds against published values, regrets and targets against sums on paper."""

import math

import numpy as np
import polars as pl
import pytest

from hydra_agent.healbench import __main__ as command
from hydra_agent.healbench.checks import Count, hostile_replies, tampered_journal
from hydra_agent.healbench.markdown import page
from hydra_agent.healbench.report import regrets
from hydra_agent.healbench.scores import (
    Estimate,
    Headline,
    Regret,
    Target,
    TargetKind,
    costly,
    damage,
    diagnosis,
    false_promotions,
    headline,
    loss,
    median_regret,
    regret,
    resampled,
    share,
    targets,
)
from hydra_agent.healbench.suite import Job as SuiteJob
from hydra_agent.healbench.suite import case_of, jobs_of, names, run_job

BASE = {
    "variant": "", "about": "", "fault_row": 1512, "path_years": 9.0, "seconds": 1.0, "turns": 0, "experiments": 0,
    "confirmed": 0, "taken_back": 0, "retired": 0, "edited": False, "cause": "none", "right_cause": "none", "alarms": 0,
    "right_response_in": 0, "masked_right": True, "healed_in": -1, "halted_before": False, "halt_in": 30,
    "lost_to_halt": 0.02, "promotions": 0, "false_promotions": 0, "harmful_promotions": 0, "brier": 0.24,
    "participation": 0.5, "trapped": False, "realised": 0.0,
}  # fmt: skip


def frame(values: dict[tuple[str, str], list[float]], **changed: object) -> pl.DataFrame:
    rows = [
        BASE
        | {"fault": fault, "policy": policy, "seed": seed, "value": value, "value_reign": 2.0 * value, "undamaged": 1.0}
        | changed
        for (fault, policy), sides in values.items()
        for seed, value in enumerate(sides)
    ]
    return pl.DataFrame(rows)


WORLDS = frame(
    {
        ("F0", "do nothing"): [1.0, 3.0],
        ("F0", "hydra"): [0.9, 3.0],
        ("F0", "oracle"): [1.5, 3.5],
        ("F1", "do nothing"): [-1.0, -1.0],
        ("F1", "retrain 63"): [-0.5, -0.5],
        ("F1", "hydra"): [0.0, -0.4],
        ("F1", "oracle"): [1.0, 1.0],
    }
)


def test_bounds_are_those_of_clopper_and_pearson() -> None:
    # Rule of three: nothing in 100 leaves at most 3 % at 95 %, one-sided.
    assert share(0, 100).high == pytest.approx(1.0 - 0.05 ** (1 / 100))
    assert (share(0, 100).low, share(100, 100).high) == (0.0, 1.0)
    # Clopper and Pearson (1934): 3 of 10 has the two-sided 90 % interval 0.087 to 0.607.
    assert (share(3, 10).low, share(3, 10).high) == pytest.approx((0.0873, 0.6066), abs=1e-4)
    assert math.isnan(share(0, 0).value)


def test_regret_is_of_sums_over_worlds() -> None:
    assert regret(WORLDS, "F1", "do nothing").value == 1.0
    assert regret(WORLDS, "F1", "oracle").value == 0.0
    assert regret(WORLDS, "F1", "hydra").value == pytest.approx((-0.4 - 2.0) / (-2.0 - 2.0))
    assert math.isnan(regret(WORLDS, "F1", "nobody").value)


def test_loss_is_against_do_nothing_over_the_reign() -> None:
    assert loss(WORLDS, "F0", "hydra").value == pytest.approx(1.0 - 3.9 / 4.0)


def test_a_bootstrap_interval_holds_the_figure() -> None:
    rng = np.random.default_rng(0)
    rows = np.stack([rng.normal(1.0, 0.1, 200), rng.normal(2.0, 0.1, 200)], axis=1)
    found = resampled(rows, lambda one, other: one / other)
    assert found.low < 0.5 < found.high
    assert found.high - found.low < 0.02


def test_the_headline_is_the_median_and_the_ratio() -> None:
    found = headline(WORLDS)
    assert found.all.median == pytest.approx(0.6) == median_regret(WORLDS, "hydra")
    assert found.all.over_best_retrain == pytest.approx(0.6 / 0.75)
    assert found.worst_loss == pytest.approx(0.025)
    assert (found.false_promotions.value, found.false_promotions.of) == (0.0, 18)
    assert "0.60, 0.80 of the best periodic retrain (<= 0.40, <= 0.70)" in str(found)


def test_a_fault_that_takes_nothing_has_nothing_to_heal() -> None:
    assert damage(WORLDS, "F1").value == pytest.approx(2.0)
    rows = frame(
        {("F1", "do nothing"): [-1.0] * 8, ("F2", "do nothing"): [0.99] * 8, ("F3", "do nothing"): [-9.0, 9.9]}
    )
    assert costly(rows) == ["F1", "F3"]
    seen = frame({("F3", "do nothing"): [-9.0, 9.9] * 4})
    assert damage(seen, "F3").low < 0.1 < damage(seen, "F3").value
    assert costly(seen) == []


def test_of_a_few_worlds_no_interval_is_made_up() -> None:
    found = resampled(np.array([[1.0, 2.0]] * 5), lambda one, other: one / other)
    assert (found.value, found.of) == (0.5, 5)
    assert np.isnan([found.low, found.high]).all()
    assert not Target("F8", "loss", TargetKind.HARM, found, 0.02, True).shown_missed


def test_false_promotions_are_a_rate_per_path_year() -> None:
    rows = frame({("F0", "hydra"): [1.0, 1.0]}, false_promotions=1)
    assert false_promotions(rows, "hydra").value == pytest.approx(2 / 18)


def test_targets_say_whether_they_are_met_and_whether_luck_explains_it() -> None:
    found = {(target.fault, target.what): target for target in targets(WORLDS)}
    loss_target = found["F0", "loss against do nothing"]
    assert (loss_target.met, loss_target.shown_missed) == (False, False)
    hits = found["F1", "hits in 60 sessions over the optimal CUSUM's"]
    assert (hits.found.value, hits.met) == (1.0, True)
    assert Target("F0", "", TargetKind.NULL, Estimate(0.5, 0.4, 0.6, 9), 0.1, True).shown_missed


def test_diagnosis_counts_each_cause_alike() -> None:
    rows = pl.DataFrame(
        {
            "policy": ["hydra"] * 4,
            "right_cause": ["none", "none", "edge_decay", "stale_source"],
            "cause": ["none", "none", "none", "stale_source"],
        }
    )
    found = diagnosis(rows)
    assert found.top_1.value == 0.75
    assert found.macro_f1 == pytest.approx((0.8 + 0.0 + 1.0) / 3)


def test_nothing_gets_past_the_reader_and_no_edit_past_the_chain() -> None:
    assert hostile_replies(200) == Count(0, 200)
    found = tampered_journal(6)
    assert found.found == found.of > 50


def test_the_page_has_every_table_and_every_policy() -> None:
    rows = frame({("F1", "do nothing"): [1.0] * 6, ("F1", "hydra"): [1.5] * 6, ("F1", "oracle"): [2.0] * 6})
    text = page(rows, regrets(rows), targets(rows))
    assert "| hydra | 0.50 [0.50, 0.50] |" in text
    assert "| takes of do nothing's profit | 0.00 [0.00, 0.00] |" in text
    assert "| hydra | 0 | 0 (≤ 5.40% a year) | 0 (≤ 5.40% a year) | - | 6 of 6, 30 | 0 of 6 |" in text
    assert "| F1 | none | none 6 | 0 |" in text
    assert "Top-1 diagnosis 1.00" in text
    for block in text.split("\n\n"):
        assert len({line.count("|") for line in block.splitlines()}) == 1


def test_harm_fails_the_command_and_slow_healing_does_not() -> None:
    fine = Headline(Regret(0.3, 0.5), Regret(0.3, 0.5), (), 0.0, share(0, 600))
    bad = Estimate(0.5, 0.4, 0.6, 9)
    harm = Target("F8", "model changed", TargetKind.NULL, bad, 0.02, True)
    slow = Target("F3", "masked", TargetKind.HEAL, bad, 0.02, True)
    ok = Count(0, 5), Count(7, 7)
    assert command.missed([slow], *ok, fine) == []
    assert len(command.missed([harm], *ok, fine)) == 1
    assert command.missed([], Count(1, 5), ok[1], fine) == ["F10: 1 escapes"]
    assert command.missed([], ok[0], Count(6, 7), fine) == ["F11: 1 edits not detected"]
    assert len(command.missed([], *ok, Headline(fine.all, fine.costly, (), 0.0, share(9, 603)))) == 1


def test_jobs_hold_both_ends_of_the_scale_and_the_same_worlds() -> None:
    jobs = jobs_of(("F0", "F2"), 2, 3, ("hydra",))
    assert [(job.seed, job.place) for job in jobs] == [(1, 0), (1, 3), (2, 0), (2, 3), (3, 0)]
    assert {job.policies for job in jobs} == {("do nothing", "hydra", "oracle")}
    assert len(names()) == 13
    one, other = case_of(3, 5)[0], case_of(3, 5)[0]
    np.testing.assert_array_equal(one.view.feed_level, other.view.feed_level)
    assert one.fault_row == other.fault_row


def test_a_job_measures_every_policy_on_one_world() -> None:
    rows = run_job(SuiteJob(1, 2_000_031, ("do nothing", "retrain 126", "oracle")))
    by = {row["policy"]: row for row in rows}
    assert set(by) == {"do nothing", "retrain 126", "oracle"}
    worst, best = float(by["do nothing"]["value"] or 0.0), float(by["oracle"]["value"] or 0.0)
    assert worst < 0.0 < best
    found = regrets(pl.DataFrame(rows, infer_schema_length=None))
    assert found.filter(pl.col("policy") == "oracle")["value"].to_list() == [0.0]


def test_an_unknown_policy_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.parsed(["--policies", "luck"])
    assert "no policy luck" in capsys.readouterr().err
    assert command.parsed(["--policies", "hydra;detect, retrain"]).policies == ("hydra", "detect, retrain")
