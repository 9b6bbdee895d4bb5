"""Evidence by hand on small frames, and the evidence of a cutoff is that of the history cut there."""

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest

from hydra_assets.evaluation.evidence import (
    Played,
    cycle_evidence,
    facts_of,
    pooled_regimes,
    squared_errors,
    strategy_evidence,
)
from hydra_assets.evaluation.first_champion import judge_first
from hydra_assets.replay.market import MarketArrays
from hydra_assets.verdict import Severity, Verdict
from tests.support.groups import BLIND, BOOSTED, SEEING, Group, day, group

GREEN = (Verdict("contract", True, Severity.ERROR, "ok", ""),)
NAMES = ("logistic", "boosted")
GROUP = group(400, standing={"logistic": SEEING, "boosted": BOOSTED, "no_signal": BLIND})
PLAYED = GROUP.play({})
MARKET = PLAYED.market


def predicted(*rows: tuple[str, int, float | None]) -> pl.DataFrame:
    schema = {"market": pl.String, "session": pl.Date, "probability_up": pl.Float64}
    return pl.DataFrame([(m, day(t), p) for m, t, p in rows], schema=schema, orient="row")


def labelled(*rows: tuple[str, int, int, str]) -> pl.DataFrame:
    made = [(m, day(known), day(decided), day(decided + 1), name) for m, decided, known, name in rows]
    columns = ["market", "session", "decision_session", "entry_session", "label_class"]
    return pl.DataFrame(made, schema=columns, orient="row").with_columns(
        pl.lit("fixed_horizon").alias("label_kind"),
        pl.lit("ok").alias("label_reason"),
        pl.lit(0.01).alias("label_return"),
        pl.lit(0.001).alias("label_cost"),
        pl.lit(0.02).alias("label_sigma"),
    )


def test_squared_errors_fall_to_the_session_that_made_the_outcome_known() -> None:
    rows = predicted(
        ("SIM_HE", 0, 0.7), ("SIM_ZO", 0, 0.4), ("SIM_HE", 1, None), ("SIM_HE", 2, 0.5), ("SIM_HE", 3, 0.9)
    )
    known = labelled(
        ("SIM_HE", 0, 6, "up"),
        ("SIM_ZO", 0, 6, "up"),
        ("SIM_HE", 1, 7, "up"),  # no probability
        ("SIM_HE", 2, 8, "down"),
        ("SIM_ZO", 2, 8, "down"),  # not predicted
    )
    found = squared_errors(rows, known, SEEING, MARKET)
    assert found.shape == (400,)
    # ((0.7 - 1)^2 + (0.4 - 1)^2) / 2 and 0.5^2; the decision of session 3 has no outcome.
    assert found[6] == pytest.approx((0.09 + 0.36) / 2)
    assert found[8] == pytest.approx(0.25)
    assert int(np.isfinite(found).sum()) == 2


def test_an_outcome_on_no_session_of_the_replay_is_nobody_s() -> None:
    beyond = labelled(("SIM_HE", 0, 6, "up")).with_columns(pl.lit(date(1999, 1, 1)).alias("session"))
    assert np.isnan(squared_errors(predicted(("SIM_HE", 0, 0.7)), beyond, SEEING, MARKET)).all()


def test_a_span_goes_from_the_first_test_to_the_cutoff() -> None:
    # 100 sessions of training and six of embargo.
    assert PLAYED.span("logistic", day(399)) == slice(106, 400)
    assert PLAYED.span("logistic", day(150)) == slice(106, 151)
    assert PLAYED.span("logistic", day(106)) == slice(106, 107)
    for early in (105, 3):
        span = PLAYED.span("logistic", day(early))
        assert span.start == span.stop == 106
    nobody = replace(PLAYED, predictions={**PLAYED.predictions, "logistic": PLAYED.predictions["logistic"].head(0)})
    assert nobody.span("logistic", day(399)) == slice(0, 0)


def test_a_span_ends_with_the_last_session_that_anything_could_be_decided_on() -> None:
    fault = PLAYED.replay.fault.copy()
    fault[301:] = 4  # no volume from here on: the position of session 300 can never be left
    fault[250:260] = 4  # a gap is none of this
    ended = replace(PLAYED, replay=replace(PLAYED.replay, fault=fault))
    assert ended.span("logistic", day(399)) == slice(106, 301)
    assert ended.span("logistic", day(255)) == slice(106, 250)
    one_lives = fault.copy()
    one_lives[:, 0] = 0
    still = replace(PLAYED, replay=replace(PLAYED.replay, fault=one_lives))
    assert still.span("logistic", day(399)) == slice(106, 400)


def test_returns_and_costs_are_the_strategy_s_own_over_capital() -> None:
    for place, name in enumerate(PLAYED.predictions):
        net, cost = PLAYED.replay.net_cents[place], PLAYED.replay.cost_cents[:, place].sum(axis=0)
        assert PLAYED.returns(name).tolist() == (net / 100_000_000).tolist()
        assert PLAYED.costs(name).tolist() == (cost / 100_000_000).tolist()
    assert PLAYED.costs("logistic").sum() > 0.0


@pytest.mark.parametrize(
    ("last", "windows"),
    [
        (105, ()),
        (110, ((0, 5),)),  # a first fold that has just begun is one all the same
        (145, ((0, 40),)),
        (164, ((0, 59),)),  # 19 sessions of a second one go with the first
        (165, ((0, 40), (40, 60))),
        (399, ((0, 40), (40, 80), (80, 120), (120, 160), (160, 200), (200, 240), (240, 294))),
    ],
)
def test_windows_are_the_folds(last: int, windows: tuple[tuple[int, int], ...]) -> None:
    facts = facts_of(PLAYED, "logistic", PLAYED.span("logistic", day(last)))
    assert facts.test_windows == windows
    assert (facts.horizon_sessions, facts.embargo_sessions) == (6, 6)
    assert facts.purged
    assert facts.net_of_costs
    assert facts.same_window


def arrays(n: int) -> MarketArrays:
    return group(n).market


def states(*rows: tuple[str, int, str | None]) -> pl.DataFrame:
    schema = {"market": pl.String, "session": pl.Date, "regime_vol": pl.String}
    return pl.DataFrame([(m, day(t), state) for m, t, state in rows], schema=schema, orient="row")


def test_regimes_are_the_rounded_mean_of_the_markets() -> None:
    rows = states(
        ("A", 1, "stressed"),
        ("B", 1, "stressed"),
        ("A", 2, "calm"),
        ("B", 2, "stressed"),
        ("A", 3, "calm"),
        ("B", 3, "calm"),
        ("C", 3, "normal"),
        ("A", 4, None),
        ("A", 5, None),
        ("B", 5, "stressed"),
        ("A", 7, "unheard of"),
        ("A", 8, "normal"),
    )
    # 0 before any; (2+2)/2; (0+2)/2; 1/3 is calm; kept where nobody has a state; B alone; kept; kept; normal; kept.
    assert pooled_regimes(rows, arrays(10)).tolist() == [0, 2, 1, 0, 0, 2, 2, 2, 1, 1]
    assert pooled_regimes(rows.head(0), arrays(3)).tolist() == [0, 0, 0]


def same(one: object, other: object) -> bool:
    assert one is not None
    assert other is not None
    sides = zip(one.candidates, other.candidates, strict=True)
    arrays = ("net_returns", "costs", "squared_errors")
    return (
        all(getattr(a, name).tobytes() == getattr(b, name).tobytes() for a, b in sides for name in arrays)
        and one.walk_forward == other.walk_forward
        and one.ledger == other.ledger
        and one.regimes.tobytes() == other.regimes.tobytes()
    )


def evidence(of: Group, play: Played, last: int) -> object:
    return cycle_evidence(play, NAMES, of.labels, of.regimes, GREEN, day(last))


@pytest.mark.parametrize("last", [130, 200, 365, 399])
def test_the_evidence_of_a_cutoff_is_that_of_the_history_cut_there(last: int) -> None:
    cut = GROUP.until(day(last))
    found = evidence(GROUP, PLAYED, last)
    assert same(found, evidence(cut, cut.play({}), last))
    assert len(found.candidates[0].net_returns) == last - 105
    if last >= 365:
        one, other = judge_first(found), judge_first(evidence(cut, cut.play({}), last))
        assert one == other


def test_before_the_first_test_there_is_no_evidence() -> None:
    for last in (5, 105):
        assert evidence(GROUP, PLAYED, last) is None
    assert evidence(GROUP, PLAYED, 106) is not None
    short = GROUP.until(day(100))
    assert evidence(short, short.play({}), 100) is None


def test_candidates_are_compared_over_the_sessions_that_all_have() -> None:
    later = BLIND.model_copy(update={"first_train_sessions": 200})
    play = GROUP.play({"later": later})
    found = cycle_evidence(play, ("logistic", "later"), GROUP.labels, GROUP.regimes.head(0), GREEN, day(350))
    assert found is not None
    assert {len(side.net_returns) for side in found.candidates} == {350 - 206 + 1}
    assert found.candidates[0].net_returns.tolist() == play.returns("logistic")[206:351].tolist()
    assert found.regimes is None
    assert found.champion is None
    assert found.contracts == GREEN
    assert found.ledger.trials == 2


def test_a_strategy_s_record_holds_only_outcomes_of_its_span() -> None:
    span = PLAYED.span("logistic", day(300))
    found = strategy_evidence(PLAYED, "logistic", GROUP.labels, span)
    assert (found.name, found.features, len(found.squared_errors)) == ("logistic", 2, 195)
    # The first tested decision is known six sessions later.
    assert np.isnan(found.squared_errors[:6]).all()
    assert np.isfinite(found.squared_errors[6:]).all()
