import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hydra_assets.stats.eprocess import ECode, EConfig, EProcess, decide, e_process
from studies.eprocess_power import agrapa, first_at, newton, null_differences


def test_wealth_by_hand():
    # One session of warm-up, hardly any forgetting: s_1 = |2| = 2, s_2 = sqrt((4 + 1)/2), s_3 = sqrt((4 + 1 + 9)/3).
    rules = EConfig(clip=1.5, stakes=(0.1, 0.4), half_life_sessions=1e9, warm_up_sessions=1)
    track = e_process([2.0, 1.0, -3.0, 9.0], rules)
    x = np.array([0.0, 0.5, -1.5, 1.5])  # -3/1.5811 = -1.897 and 9/2.1602 = 4.17 are held
    for log_e, side in ((track.log_e_for, 1.0), (track.log_e_against, -1.0)):
        by_hand = 0.5 * (np.cumprod(1.0 + 0.1 * side * x) + np.cumprod(1.0 + 0.4 * side * x))
        assert np.exp(log_e) == pytest.approx(by_hand, rel=1e-6)


def test_volatility_forgets_at_its_half_life():
    # Weights 1/2 and 1: s^2 = (16/2 + 1) / (1/2 + 1) = 6
    rules = EConfig(stakes=(0.1,), half_life_sessions=1.0, warm_up_sessions=2)
    assert np.exp(e_process([4.0, 1.0, 3.0], rules).log_e_for[-1]) == pytest.approx(1.0 + 0.1 * 3.0 / 6.0**0.5)


@given(arrays(np.float64, 60, elements=st.floats(-10, 10) | st.just(np.nan)), st.integers(0, 60))
def test_session_by_session_gives_the_same_bytes(differences, cut):
    whole, part = e_process(differences), e_process(differences[:cut])
    assert whole.log_e_for[:cut].tobytes() == part.log_e_for.tobytes()
    assert whole.log_e_against[:cut].tobytes() == part.log_e_against.tobytes()


@given(st.sets(st.integers(0, 79), max_size=10))
def test_missing_sessions_are_no_bets(places):
    differences = np.random.default_rng(3).standard_normal(80)
    gaps = np.insert(differences, sorted(places), np.nan)
    there = np.isfinite(gaps)
    plain, holey = e_process(differences), e_process(gaps)
    assert (holey.log_e_for[there] == plain.log_e_for).all()
    before = np.maximum.accumulate(np.where(there, np.arange(len(gaps)), -1))
    assert (holey.log_e_for == np.where(before >= 0, holey.log_e_for[before], 0.0)).all()


def test_units_do_not_matter_and_signs_swap_the_sides():
    d = np.random.default_rng(4).standard_t(4, 300)
    plain, other = e_process(d), e_process(-1e-4 * d)
    assert other.log_e_for == pytest.approx(plain.log_e_against)
    assert other.log_e_against == pytest.approx(plain.log_e_for)


def test_columns_are_tracks_of_their_own():
    d = np.random.default_rng(5).standard_normal((100, 3))
    d[7, 1] = np.nan
    both = e_process(d)
    for j in range(3):
        assert (both.log_e_for[:, j] == e_process(d[:, j]).log_e_for).all()


@pytest.mark.parametrize("differences", [[], [np.nan] * 30, [0.0] * 100, [1.0] * 5])
def test_nothing_to_bet_on(differences):
    track = e_process(np.asarray(differences, dtype=np.float64))
    assert (track.log_e_for == 0.0).all()
    decision = decide(track)
    assert (decision.code, decision.session, decision.e_for, decision.e_against) == (ECode.WAIT, None, 1.0, 1.0)


def test_one_wild_session_is_bounded():
    d = np.random.default_rng(6).standard_normal(200)
    d[150] = 1e12
    step = np.diff(e_process(d).log_e_for)[149]
    assert 0.0 < step <= np.log1p(0.12 * 5.0)


def test_zero_mean_reaches_twenty_in_at_most_one_of_twenty():
    # 400 tracks of 500 sessions: at most 0.05, 0.011 standard error; stake 0.12 alone wins most often by chance.
    rng = np.random.default_rng(7)
    for draws in (rng.standard_normal((500, 400)), rng.standard_t(4, (500, 400))):
        track = e_process(draws, EConfig(stakes=(0.12,)))
        for side in (track.log_e_for, track.log_e_against):
            assert (side.max(axis=0) >= np.log(20.0)).mean() <= 0.05 + 3 * 0.011
            # A martingale has mean one; 80 bets of variance 0.0144: standard error sqrt((exp(1.15) - 1)/400) = 0.074.
            assert np.exp(side[99]).mean() == pytest.approx(1.0, abs=0.3)


def test_a_better_candidate_is_confirmed_and_a_worse_one_aborted():
    d = np.random.default_rng(8).standard_normal(1000)
    better, worse = decide(e_process(d + 0.25)), decide(e_process(d - 0.25))
    assert better.code is ECode.CONFIRM
    assert worse.code is ECode.ABORT
    # log-growth at stakes .06 and .12 of a mean of .25: .12 .25 - .12^2/2 = .0228; ln 20 = 3.0 takes about 130 sessions
    assert 60 < better.session < 260
    assert worse.session < better.session


def logs(*values):
    return np.log(np.array(values))


@pytest.mark.parametrize(
    ("e_for", "e_against", "code", "session"),
    [
        ((1.0, 20.0, 3.0), (1.0, 1.0, 4.9), ECode.CONFIRM, 1),
        ((1.0, 19.9, 3.0), (1.0, 1.0, 5.0), ECode.ABORT, 2),
        ((1.0, 20.0, 3.0), (5.0, 1.0, 1.0), ECode.ABORT, 0),
        ((1.0, 20.0, 3.0), (1.0, 5.0, 1.0), ECode.ABORT, 1),
        ((1.0, 20.0, 3.0), (1.0, 1.0, 9.0), ECode.CONFIRM, 1),
        ((1.0, 19.0, 3.0), (1.0, 1.0, 4.9), ECode.WAIT, None),
    ],
)
def test_the_level_that_is_reached_first_decides(e_for, e_against, code, session):
    # a margin for rounding of the levels themselves
    decision = decide(EProcess(logs(*e_for) + 1e-12, logs(*e_against) + 1e-12))
    assert (decision.code, decision.session) == (code, session)
    assert decision.e_for == pytest.approx(3.0)


def test_bad_input():
    for rules in (
        {"stakes": ()},
        {"stakes": (0.2,)},
        {"stakes": (-0.1,)},
        {"warm_up_sessions": 0},
        {"half_life_sessions": 0.0},
        {"abort": 1.0},
    ):
        with pytest.raises(ValueError, match=r"each must be|a warm-up"):
            EConfig(**rules)
    with pytest.raises(ValueError, match="one track"):
        decide(e_process(np.zeros((30, 2))))
    with pytest.raises(ValueError, match="series or columns"):
        e_process(np.zeros((2, 2, 2)))


def test_overlap_of_positions_is_harmless_and_that_of_returns_is_not():
    shares = {}
    for null in ("overlapping positions", "five-session returns"):
        differences = null_differences(null, np.random.default_rng(9), 700, 150)
        assert differences.mean() == pytest.approx(0.0, abs=0.05)
        shares[null] = np.isfinite(first_at(e_process(differences).log_e_for, 20.0)).mean()
    # measured over five years: 0.035 and 0.43
    assert shares["overlapping positions"] <= 0.05 + 3 * 0.018
    assert shares["five-session returns"] > 0.2


def test_adaptive_stakes_of_the_study_use_the_past_alone_and_stay_in_bounds():
    differences = null_differences("normal", np.random.default_rng(10), 200, 5)
    changed = differences.copy()
    changed[100:] += 3.0
    for bet in (agrapa, newton):
        for plain, other in zip(bet(differences), bet(changed), strict=True):
            assert np.isfinite(other).all()
            assert (plain[:100] == other[:100]).all()
            # wealth is a martingale under the null and grows under the shift on one side only
        assert bet(changed)[0][-1].mean() > 10.0 > bet(changed)[1][-1].mean()
