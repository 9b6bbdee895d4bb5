"""Every fault begins at its session and nowhere before, does what its name says, and says what it did."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_agent.diagnose.causes import CauseCode
from hydra_agent.healbench.deliveries import FEEDS, Column
from hydra_agent.healbench.faults import Fault, FaultName, catalogue
from hydra_agent.healbench.faults.both import dry_and_dipping, stale_and_changed
from hydra_agent.healbench.faults.course import Dip, LabelShift, LiquidityDrought, RegimeChange, SignFlip, TransientDip
from hydra_agent.healbench.faults.data import CAN_STOP, WITH_UNIT, CorruptedFeature, Corruption, StaleSource, UnitChange
from hydra_agent.healbench.faults.elsewhere import TRAP, LookAhead
from hydra_agent.healbench.observed import FEATURES, LIMIT_SESSIONS
from hydra_agent.healbench.worlds import BenchWorld, Planted, WorldConfig, make_world
from hydra_agent.respond import ResponseCode
from hydra_agent.view import GroupView

SESSION = 300
MARKS = {FaultName.NONE, FaultName.HOSTILE_REPLIES, FaultName.TAMPERED_JOURNAL, FaultName.KILLED}
EVERY: list[Fault] = [
    *catalogue(SESSION),
    *(UnitChange(SESSION, feed) for feed in WITH_UNIT),
    *(StaleSource(SESSION, feed) for feed in CAN_STOP),
    *(CorruptedFeature(SESSION, kind=kind) for kind in Corruption),
    *(TransientDip(SESSION, kind) for kind in Dip),
]


@cache
def world() -> BenchWorld:
    return make_world(11, WorldConfig(years=2, edge=1.5))


def rng(seed: int = 3) -> np.random.Generator:
    return np.random.default_rng(seed)


def bytes_of(view: GroupView) -> list[bytes]:
    """Everything that a view of the worlds' own features holds."""
    market = view.market
    arrays = (market.days, market.settle, market.held_change, market.sigma_daily, market.adv, market.roll)
    seen = (view.features[:, :, : len(FEATURES)], view.up, view.exit_row, view.feed_level, view.feed_age, view.regime)
    return [np.ascontiguousarray(array).tobytes() for array in (*arrays, market.tradable, *seen)]


@pytest.mark.parametrize("fault", EVERY, ids=str)
def test_nothing_before_the_session_changes(fault: Fault) -> None:
    hit = fault.apply(world(), rng())
    assert bytes_of(hit.view.until(SESSION)) == bytes_of(world().view.until(SESSION))
    for name in ("gap", "known_gap", "probability", "base"):
        before, after = (getattr(each.truth, name)[:SESSION].tobytes() for each in (world(), hit))
        assert before == after, name
    # What the next session's return will be on average is already the fault's at the row before it.
    assert hit.truth.next_mean[: SESSION - 1].tobytes() == world().truth.next_mean[: SESSION - 1].tobytes()
    changed = bytes_of(hit.view) != bytes_of(world().view)
    assert changed is (fault.name not in MARKS | {FaultName.LOOK_AHEAD})
    assert hit.truth.planted
    assert all(planted.session >= SESSION for planted in hit.truth.planted)


@settings(max_examples=12, deadline=None)
@given(st.integers(60, 490), st.integers(0, 2**32 - 1), st.integers(0, len(catalogue(0)) - 1))
def test_nor_at_any_other_session_or_draw(session: int, seed: int, which: int) -> None:
    hit = catalogue(session)[which].apply(world(), rng(seed))
    assert bytes_of(hit.view.until(session)) == bytes_of(world().view.until(session))


def test_the_catalogue_has_the_whole_table_with_the_right_answers() -> None:
    assert [fault.name for fault in catalogue(5)] == [
        f"F{i}" for i in (0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 13)
    ]
    answers = {(fault.right_cause, fault.right_response) for fault in catalogue(5) if fault.right_cause is not None}
    assert answers == {
        (CauseCode.EDGE_REVERSED, ResponseCode.HALT),
        (CauseCode.EDGE_DECAY, ResponseCode.HALT),
        (CauseCode.UNIT_CHANGE, ResponseCode.BLOCK),
        (CauseCode.FEATURE_CORRUPTED, ResponseCode.MASK_FEATURE),
        (CauseCode.STALE_SOURCE, ResponseCode.BLOCK),
        (CauseCode.LIQUIDITY_DROUGHT, ResponseCode.SIZE_DOWN),
        (CauseCode.LABEL_SHIFT, ResponseCode.RECALIBRATE),
        (CauseCode.TRANSIENT, ResponseCode.WATCH),
    }


def test_the_same_draw_plants_the_same_fault() -> None:
    for fault in catalogue(SESSION):
        once, again = (fault.apply(world(), rng(9)) for _ in range(2))
        assert once.truth.planted == again.truth.planted
        assert bytes_of(once.view) == bytes_of(again.view)


@pytest.mark.parametrize(
    ("fault", "before", "during", "after"),
    [
        (RegimeChange(SESSION, -1.0), 1.5, -1.5, -1.5),
        (RegimeChange(SESSION, 0.0), 1.5, 0.0, 0.0),
        (SignFlip(SESSION), 1.5, -1.5, -1.5),
        (TransientDip(SESSION, Dip.QUIET), 1.5, 0.0, 1.5),
        (TransientDip(SESSION, Dip.UNLUCKY), 1.5, -3.0, 1.5),
    ],
)
def test_the_edge_takes_its_course(fault: Fault, before: float, during: float, after: float) -> None:
    truth = fault.apply(world(), rng()).truth
    beta = truth.course.beta
    assert (beta[SESSION - 1], beta[SESSION], beta[-1]) == (before, during, after)
    # The oracle knows the edge in force: it says what the gap is worth with it.
    np.testing.assert_array_equal(np.sign(truth.next_mean[SESSION]), np.sign(during * truth.gap[SESSION]))
    said = (truth.probability - truth.base)[SESSION : SESSION + 10]
    if during == 0.0:
        assert (said == 0.0).all()
    else:
        follows = np.corrcoef(said.ravel(), truth.known_gap[SESSION : SESSION + 10].ravel())[0, 1]
        assert follows * np.sign(during) > 0.9


def test_a_label_shift_moves_the_base_rate_and_no_bet() -> None:
    plain = make_world(4, WorldConfig(years=12))
    hit = LabelShift(SESSION).apply(plain, rng())
    known = np.isfinite(plain.view.up[SESSION:])
    rise = hit.view.up[SESSION:][known].mean() - plain.view.up[SESSION:][known].mean()
    assert rise == pytest.approx(0.1, abs=0.03)
    assert hit.truth.base[-1, 0] == pytest.approx(0.595, abs=0.01)


def test_a_drought_dries_up_volume_and_comes_to_an_end() -> None:
    hit = LiquidityDrought(SESSION).apply(world(), rng())
    plain, dry = world().truth.market.adv, hit.truth.market.adv
    # Volume is published a session late, and averaged over twenty.
    assert dry[SESSION + 30] == pytest.approx(0.05 * plain[SESSION + 30], rel=0.1)
    assert dry[SESSION + 90] == pytest.approx(plain[SESSION + 90])
    np.testing.assert_array_equal(hit.truth.market.settle, world().truth.market.settle)
    # Who does not trade keeps what he has.
    interest = hit.view.feed_level[:, :, Column.REPORTS]
    np.testing.assert_allclose(interest, world().view.feed_level[:, :, Column.REPORTS], atol=1.0)


def column(view: GroupView, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return view.features[:, :, view.feature_names.index(name)]


@pytest.mark.parametrize("feed", WITH_UNIT)
def test_a_unit_change_is_seen_in_the_level_of_its_feed_alone(feed: Column) -> None:
    hit = UnitChange(SESSION, feed, market=1).apply(world(), rng())
    (planted,) = hit.truth.planted
    assert (planted.about, planted.market, planted.until) == (FEEDS[feed].name, "SIM_ZO", planted.session + 60)
    ratio = hit.view.feed_level / world().view.feed_level
    wrong = slice(planted.session, planted.session + 60)
    assert ratio[wrong, 1, feed] == pytest.approx(100.0)
    rest = np.ones(ratio.shape, dtype=bool)
    rest[wrong, 1, feed] = False
    np.testing.assert_array_equal(hit.view.feed_level[rest], world().view.feed_level[rest])
    assert planted.session - SESSION < FEEDS[feed].due_sessions
    # Money is made and lost at true prices.
    assert hit.truth.market is world().truth.market


def test_prices_in_another_unit_hit_what_looks_across_the_change() -> None:
    hit = UnitChange(SESSION, Column.PRICES, market=2).apply(world(), rng()).view
    jump, plain = column(hit, "momentum_20")[:, 2], column(world().view, "momentum_20")[:, 2]
    # One return of ln 100 among twenty: the move over its own path's length is about one.
    assert jump[SESSION + 1] == pytest.approx(1.0, abs=0.05)
    between = slice(SESSION + 20, SESSION + 60)
    np.testing.assert_allclose(jump[between], plain[between], rtol=1e-9, atol=1e-12)
    # And the way back, when it is mended.
    assert jump[SESSION + 61] == pytest.approx(-1.0, abs=0.05)
    np.testing.assert_allclose(jump[SESSION + 80 :], plain[SESSION + 80 :], rtol=1e-9, atol=1e-12)
    assert hit.up[SESSION - 4, 2] == 1.0
    assert hit.market.sigma_daily[SESSION, 2] > 0.5


def test_premiums_in_another_unit_bear_no_density() -> None:
    hit = UnitChange(SESSION, Column.OPTIONS, market=2).apply(world(), rng()).view
    assert np.isnan(column(hit, "atm_vol")[SESSION : SESSION + 60, 2]).all()
    assert np.isfinite(column(hit, "real_world_above_forward")[SESSION:, :2]).all()


@pytest.mark.parametrize("feed", CAN_STOP)
def test_a_stale_source_grows_old_and_then_goes_missing(feed: Column) -> None:
    hit = StaleSource(SESSION, feed).apply(world(), rng()).view
    age = hit.feed_age[:, 0, feed]
    assert (np.diff(age[SESSION : SESSION + 60]) == 1.0).all()
    assert age[SESSION + 70] < 5.0
    names = {Column.VOLUMES: "volume_ratio", Column.OPTIONS: "real_world_above_forward"}
    name = names.get(feed, "crowd_score_z" if feed is Column.REPORTS else "headline_score")
    value = column(hit, name)[:, 0]
    # Volume is a ratio to a mean that goes on without it.
    if feed is not Column.VOLUMES:
        fresh = age[SESSION : SESSION + 60] <= LIMIT_SESSIONS[FEEDS[feed].kind]
        newest = int(SESSION - age[SESSION])
        assert (value[SESSION : SESSION + 60][fresh] == value[newest]).all()
        assert np.isnan(value[SESSION : SESSION + 60][~fresh]).all()
    assert np.isnan(value[SESSION + 10 : SESSION + 60]).all()


def test_prices_cannot_go_stale_silently() -> None:
    with pytest.raises(ValueError, match="cannot stop"):
        StaleSource(SESSION, Column.PRICES).apply(world(), rng())


def test_each_corruption_is_of_its_kind() -> None:
    name = "real_world_above_forward"
    plain = column(world().view, name)
    hit = {kind: column(CorruptedFeature(SESSION, name, kind).apply(world(), rng()).view, name) for kind in Corruption}
    after, before = slice(SESSION, None), slice(0, SESSION)
    assert (hit[Corruption.FROZEN][after] == plain[SESSION - 1]).all()
    assert (hit[Corruption.SCALE][after] == 10.0 * plain[after]).all()
    assert np.isnan(hit[Corruption.GAPS][after]).mean() == pytest.approx(0.7, abs=0.06)
    mirrored = hit[Corruption.SIGN_FLIP][after] + plain[after]
    np.testing.assert_allclose(mirrored - 2.0 * np.nanmean(plain[before], axis=0), 0.0, atol=1e-12)
    noise = hit[Corruption.NOISE][after]
    assert abs(np.corrcoef(noise.ravel(), plain[after].ravel())[0, 1]) < 0.12
    assert noise.std() == pytest.approx(np.nanstd(plain[before]), rel=0.15)


def test_only_the_corrupted_feature_changes() -> None:
    hit = CorruptedFeature(SESSION, "tilt_z", Corruption.NOISE).apply(world(), rng())
    kept = [j for j, name in enumerate(FEATURES) if name != "tilt_z"]
    np.testing.assert_array_equal(hit.view.features[:, :, kept], world().view.features[:, :, kept])
    assert hit.truth.planted == (Planted(FaultName.CORRUPTED_FEATURE, SESSION, None, "tilt_z:noise"),)


def test_the_trap_knows_the_past_and_nothing_of_what_comes() -> None:
    hit = LookAhead(SESSION).apply(world(), rng())
    assert hit.view.feature_names == (*FEATURES, TRAP)
    trap, up = column(hit.view, TRAP), hit.view.up

    def known(span: slice) -> float:
        both = np.isfinite(up[span])
        return float(np.corrcoef(trap[span][both], up[span][both])[0, 1])

    assert known(slice(30, SESSION - 6)) > 0.6
    assert abs(known(slice(SESSION - 6, None))) < 0.15


def test_two_at_once_are_both_there_and_data_come_first() -> None:
    hit = stale_and_changed(SESSION).apply(world(), rng())
    assert [planted.name for planted in hit.truth.planted] == [FaultName.REGIME_CHANGE, FaultName.STALE_SOURCE]
    assert hit.truth.course.beta[-1] == -1.5
    assert np.nanmax(hit.view.feed_age[SESSION + 59]) >= 59.0
    assert stale_and_changed(SESSION).right_cause is CauseCode.STALE_SOURCE
    dry = dry_and_dipping(SESSION).apply(world(), rng())
    assert {planted.name for planted in dry.truth.planted} == {FaultName.LIQUIDITY_DROUGHT, FaultName.TRANSIENT_DIP}
    assert dry.truth.course.volume[SESSION] == 0.05
    assert dry.truth.course.beta[SESSION] != 1.5
    assert dry_and_dipping(SESSION).right_response is ResponseCode.SIZE_DOWN
