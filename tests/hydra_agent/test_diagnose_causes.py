"""Causes from signals set by hand: each signal has its cause, and data explain away what lies below them."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest

from hydra_agent.diagnose.attribution import attribute
from hydra_agent.diagnose.causes import CauseCode, Diagnosis
from hydra_agent.diagnose.triage import diagnose
from hydra_agent.healbench.worlds import WorldConfig, make_world
from hydra_agent.observe.health import Health
from hydra_agent.observe.signals import POOL, Family, Floats, Level, SignalReason, SignalTrack
from hydra_agent.respond import ACT_FROM, ResponseCode, respond
from hydra_agent.view import GroupView, Reign, Walk
from hydra_assets.models.recipe import FIRST_RECIPES, LOGISTIC

SINCE, ROW = 300, 450


@cache
def seen() -> GroupView:
    return make_world(5, WorldConfig(years=2)).view


def track(
    family: Family, name: str, scope: str, reason: SignalReason, level: Level, statistic: float = 2.0, since: int = ROW
) -> SignalTrack:
    rows = len(seen())
    levels, values = np.zeros(rows, dtype=np.int8), np.zeros(rows)
    levels[since:], values[since:] = level, statistic
    return SignalTrack(family, name, scope, values, 1.0, levels, reason)


def drift(name: str, reason: SignalReason, statistic: float = 2.0, since: int = ROW) -> SignalTrack:
    return track(Family.DRIFT, name, "SIM_HE", reason, Level.WARNING, statistic, since)


def reign(probability: Floats | None = None) -> Reign:
    shape = seen().up.shape
    said = np.full(shape, 0.5) if probability is None else probability
    walk = Walk("champion", FIRST_RECIPES[LOGISTIC], said, np.full(shape, 0.5), ())
    net = np.full(shape[0], -0.001)
    net[::2] = 0.0005
    return Reign(walk, 1, SINCE, net, net, 0.0005, 0.005, 0.25)


def found(tracks: Sequence[SignalTrack], own: Reign | None = None) -> Diagnosis:
    return diagnose(seen(), own, Health(tuple(tracks), len(seen())), ROW + 20)


UNIT = track(Family.CONTRACT, "prices", "SIM_ZO", SignalReason.UNIT_CHANGE, Level.CRITICAL, 4.6)
LATE = track(Family.FRESHNESS, "reports", "SIM_HE", SignalReason.LATE, Level.WARNING, 6.0)
STALE = track(Family.FRESHNESS, "reports", "SIM_HE", SignalReason.STALE, Level.CRITICAL, 12.0)
DRY = track(Family.ACTIVITY, "volume", "SIM_HE", SignalReason.DROUGHT, Level.WARNING, 0.8)
DORMANT = track(Family.ACTIVITY, "volume", "SIM_HE", SignalReason.DORMANT, Level.CRITICAL, 0.99)
DIP = track(Family.PERFORMANCE, "edge_warning", POOL, SignalReason.EDGE_FALLING, Level.WARNING)
GONE = track(Family.PERFORMANCE, "edge", POOL, SignalReason.EDGE_GONE, Level.CRITICAL)


@pytest.mark.parametrize(
    ("signal", "code", "scopes"),
    [
        (UNIT, CauseCode.UNIT_CHANGE, ("SIM_ZO",)),
        (LATE, CauseCode.LATE_SOURCE, ("SIM_HE",)),
        (STALE, CauseCode.STALE_SOURCE, ("SIM_HE",)),
        (DRY, CauseCode.LIQUIDITY_DROUGHT, ("SIM_HE",)),
        (DORMANT, CauseCode.DORMANT_MARKET, ("SIM_HE",)),
    ],
)
def test_each_signal_of_the_data_has_its_cause(signal: SignalTrack, code: CauseCode, scopes: tuple[str, ...]) -> None:
    (cause,) = found([signal]).causes
    assert (cause.code, cause.scopes) == (code, scopes)
    assert cause.confidence >= ACT_FROM


def test_without_a_signal_nothing_is_wrong() -> None:
    assert found([]).top is None
    assert found([], reign()).causes == ()


@pytest.mark.parametrize("reason", [SignalReason.FROZEN, SignalReason.GAPS, SignalReason.INCONSISTENT])
def test_a_feature_that_is_wrong_alone_is_corrupted_since_its_onset(reason: SignalReason) -> None:
    (cause,) = found([drift("carry", reason, since=ROW - 5)]).causes
    assert (cause.code, cause.features, cause.since_row) == (CauseCode.FEATURE_CORRUPTED, ("carry",), ROW - 5)
    assert cause.confidence >= ACT_FROM


def test_a_mean_that_has_moved_is_watched_only() -> None:
    (cause,) = found([drift("carry", SignalReason.SHIFTED)]).causes
    assert cause.code is CauseCode.FEATURE_CORRUPTED
    assert cause.confidence < ACT_FROM


def test_the_most_striking_feature_is_the_broken_one_and_drags_others_along() -> None:
    (cause,) = found(
        [drift("carry", SignalReason.INCONSISTENT, 8.0), drift("slope", SignalReason.INCONSISTENT, 7.9)]
    ).causes
    assert cause.features == ("carry",)
    assert cause.confidence >= ACT_FROM


def test_many_features_of_several_groups_are_another_market() -> None:
    names = ("carry", "slope", "options_z", "tilt_z", "crowd_score_z", "momentum_20")
    (cause,) = found([drift(name, SignalReason.SHIFTED) for name in names]).causes
    assert cause.code is CauseCode.REGIME_CHANGE
    assert set(cause.features) == set(names)


def test_a_dip_is_watched_until_the_edge_is_gone() -> None:
    (dip,) = found([DIP], reign()).causes
    assert (dip.code, dip.confidence < ACT_FROM) == (CauseCode.TRANSIENT, True)
    (gone,) = found([DIP, GONE], reign()).causes
    assert gone.code in {CauseCode.EDGE_DECAY, CauseCode.EDGE_REVERSED}
    assert gone.since_row == ROW
    assert gone.evidence["sharpe_since"] < 0.0


def test_an_edge_whose_claims_are_answered_backwards_has_turned_round() -> None:
    move = seen().market.held_change / (seen().market.settle * seen().market.terms.multiplier)
    ahead = np.nan_to_num(np.vstack([move[3:], np.zeros((3, move.shape[1]))]))
    foreseen = np.where(ahead > 0.0, 0.6, 0.4)
    backwards = found([GONE], reign(1.0 - foreseen)).top
    forwards = found([GONE], reign(foreseen)).top
    assert backwards is not None
    assert forwards is not None
    assert backwards.code is CauseCode.EDGE_REVERSED
    assert forwards.code is CauseCode.EDGE_DECAY
    assert backwards.evidence["z_against_zero"] < 0.0 < forwards.evidence["z_against_zero"]


def test_an_edge_that_fell_from_the_start_was_never_there() -> None:
    early = track(Family.PERFORMANCE, "edge", POOL, SignalReason.EDGE_GONE, Level.CRITICAL, since=SINCE + 10)
    top = found([early], reign()).top
    assert top is not None
    assert top.code is CauseCode.OVERFITTING_DECAY


def test_a_shifted_base_rate_that_still_tells_apart_is_recalibrated() -> None:
    odds = track(Family.CALIBRATION, "odds", POOL, SignalReason.MISCALIBRATED, Level.WARNING)
    low = found([odds], reign(np.full(seen().up.shape, 0.25))).top
    assert low is not None
    assert (low.code, low.confidence >= ACT_FROM) == (CauseCode.LABEL_SHIFT, True)
    right = found([odds], reign(np.full(seen().up.shape, float(np.nanmean(seen().up[SINCE:ROW]))))).top
    assert right is not None
    assert right.confidence < ACT_FROM


@pytest.mark.parametrize("data", [UNIT, STALE, DRY])
def test_a_cause_in_the_data_stands_above_one_in_the_model_and_halves_it(data: SignalTrack) -> None:
    alone = found([GONE], reign()).top
    both = found([GONE, data], reign())
    assert alone is not None
    assert both.causes[0].code in {CauseCode.UNIT_CHANGE, CauseCode.STALE_SOURCE, CauseCode.LIQUIDITY_DROUGHT}
    assert both.causes[1].code is alone.code
    assert both.causes[1].confidence == pytest.approx(0.5 * alone.confidence)


@pytest.mark.parametrize("name", ["edge", "carry"])
def test_a_report_that_is_late_ends_no_halt_and_lifts_no_mask(name: str) -> None:
    own = track(Family.PERFORMANCE, "edge", POOL, SignalReason.EDGE_GONE, Level.CRITICAL, since=ROW - 1)
    before = own if name == "edge" else drift("carry", SignalReason.GAPS, since=ROW - 1)
    causes = found([before, LATE], reign()).causes
    assert causes[0].code is not CauseCode.LATE_SOURCE
    assert causes[0].confidence >= ACT_FROM
    assert respond(Diagnosis(causes)).code in {ResponseCode.HALT, ResponseCode.MASK_FEATURE, ResponseCode.SIZE_DOWN}
    assert respond(Diagnosis(causes)).exposure_of("SIM_LE") == (0.0 if name == "edge" else 1.0)


def test_what_happens_later_changes_nothing() -> None:
    tracks = [UNIT, DIP, drift("carry", SignalReason.GAPS)]
    rows = ROW + 21
    cut = Health(
        tuple(
            SignalTrack(t.family, t.name, t.scope, t.statistic[:rows], t.threshold, t.level[:rows], t.reason)
            for t in tracks
        ),
        rows,
    )
    assert diagnose(seen().until(rows), None, cut, ROW + 20) == found(tracks)


def test_attribution_names_the_feature_that_pushed_the_wrong_way() -> None:
    contributions = np.array([[1.0, 0.1], [1.0, -0.1], [1.0, 0.1], [1.0, -0.1]])
    errors = np.array([0.5, 0.5, -0.5, -0.5])
    recent = np.array([False, False, True, True])
    shap = attribute(("carry", "slope"), contributions, errors, recent)
    # Recently it added a half a decision, before it saved a half.
    assert shap.harm == pytest.approx({"carry": 1.0, "slope": 0.0})
    assert (shap.decisions, shap.reference_decisions) == (2, 2)
    (cause,) = diagnose(
        seen(), None, Health((drift("carry", SignalReason.INCONSISTENT),), len(seen())), ROW + 20, shap
    ).causes
    assert cause.evidence["share_of_errors"] == pytest.approx(1.0)
