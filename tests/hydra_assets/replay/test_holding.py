"""From probabilities to the shares that are held: by hand, against Kelly's own, and blind to what comes later."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.replay.holding import held_shares, net_of_cost, neutral_shares, over_horizon, round_trip_share
from hydra_assets.replay.sizing import check_payoffs, signed_kelly
from tests.hydra_assets.replay.worlds import world

NAN = float("nan")
PROBABILITIES = st.floats(0.0, 1.0)
RATES = st.floats(0.02, 0.98)


def one(values: list[float]) -> np.ndarray:
    return np.array(values)[:, None]


def test_shares_by_hand() -> None:
    # At an even base rate 2p - 1. At a base rate of 0.4 a short wins 2/3 of what it loses: 0.7 - 0.3 / (2/3) = 0.25.
    found = neutral_shares(np.array([0.6, 0.5, 0.2, 0.3, 0.4]), np.array([0.5, 0.5, 0.5, 0.4, 0.4]))
    assert found == pytest.approx([0.2, 0.0, -0.6, -0.25, 0.0], abs=1e-12)


@pytest.mark.parametrize(("horizon", "scale"), [(5, 1.0), (20, 0.5), (3, (5 / 3) ** 0.5)])
def test_a_share_is_staked_against_what_its_own_horizon_can_lose(horizon: int, scale: float) -> None:
    market, said, base = world([80.0] * 4), np.full((4, 1), 0.6), np.full((4, 1), 0.5)
    worth = 0.2 - round_trip_share(market, horizon)
    found = held_shares(said, base, market, horizon)
    assert found[:, 0] == pytest.approx(scale * worth[0, 0] * np.arange(1, 5).clip(max=horizon) / horizon)
    # Nothing is staked more than once.
    assert held_shares(np.full((4, 1), 1.0), base, market, 1).max() == 1.0


@given(PROBABILITIES, RATES)
def test_they_are_kelly_s_at_the_payoffs_of_no_return(p: float, base: float) -> None:
    payoff = (1.0 - base) / base
    check_payoffs(payoff, 1.0 / payoff)
    share = float(neutral_shares(np.array(p), np.array(base)))
    assert share == float(signed_kelly(p, None, payoff, 1.0 / payoff))
    assert -1.0 <= share <= 1.0
    # Worth taking is what lies off the base rate; p = p0 alone is worth nothing.
    if abs(p - base) > 1e-9:
        assert np.sign(share) == np.sign(p - base)
    else:
        assert abs(share) < 1e-6


def test_what_is_missing_or_certain_is_no_share() -> None:
    p = np.array([NAN, 0.6, 0.6, 0.6])
    base = np.array([0.5, NAN, 0.0, 1.0])
    assert np.isnan(neutral_shares(p, base)).all()


def test_a_bet_earns_its_round_trip_or_is_none() -> None:
    shares = np.array([0.2, -0.2, 0.05, -0.05, 0.0, 0.3, NAN])
    cost = np.array([0.1, 0.1, 0.1, 0.1, 0.1, NAN, 0.1])
    found = net_of_cost(shares, cost)
    assert found[:6] == pytest.approx([0.1, -0.1, 0.0, 0.0, 0.0, 0.0])
    assert np.isnan(found[6])


@given(st.floats(-1.0, 1.0), st.floats(0.0, 2.0))
def test_costs_never_turn_a_bet_round_nor_make_it_larger(share: float, cost: float) -> None:
    left = float(net_of_cost(np.array(share), np.array(cost)))
    assert abs(left) <= abs(share)
    assert left * share >= 0.0


def test_a_round_trip_by_hand() -> None:
    # Half-spread 6 and fee 2.50, twice: 17 of money. A lot at 80 moves 0.02 * 80 * 400 = 640 in a session, twice as
    # much in four, of which the mean absolute part is sqrt(2 / pi).
    market = world([80.0, 40.0, NAN, 80.0], sigma_daily=[0.02, 0.02, 0.02, NAN])
    found = round_trip_share(market, 4)[:, 0]
    assert found[0] == pytest.approx(17.0 / (np.sqrt(2.0 / np.pi) * 1_280.0))
    assert found[1] == pytest.approx(2.0 * found[0])
    assert np.isnan(found[2:]).all()
    assert round_trip_share(market, 1)[0, 0] == pytest.approx(2.0 * found[0])
    # A flat price has no move that could pay for anything.
    assert np.isnan(round_trip_share(world([80.0], sigma_daily=[0.0]), 4)).all()


def test_a_position_is_the_mean_of_the_last_decisions() -> None:
    shares = one([0.3, 0.6, 0.9, 0.0, -0.6])
    traded = np.ones((5, 1), dtype=bool)
    # Over three sessions: 0.3/3, 0.9/3, 1.8/3, 1.5/3, 0.3/3.
    assert over_horizon(shares, traded, 3)[:, 0] == pytest.approx([0.1, 0.3, 0.6, 0.5, 0.1])
    assert over_horizon(shares, traded, 1).tolist() == shares.tolist()
    # A horizon longer than the history: the decisions before it are none.
    assert over_horizon(shares, traded, 10)[:, 0] == pytest.approx([0.03, 0.09, 0.18, 0.18, 0.12])


def test_a_missing_decision_is_none_of_its_own_session_and_zero_in_the_mean() -> None:
    traded = np.ones((4, 1), dtype=bool)
    found = over_horizon(one([0.6, NAN, 0.9, 0.3]), traded, 3)[:, 0]
    assert found[[0, 2, 3]] == pytest.approx([0.2, 0.5, 0.4])
    assert np.isnan(found[1])


def test_closed_sessions_are_passed_over() -> None:
    shares = np.array([[0.6, 0.2], [0.7, 0.4], [0.9, 0.8]])
    traded = np.array([[True, True], [False, True], [True, True]])
    found = over_horizon(shares, traded, 2)
    # The first market's window is sessions 0 and 2, whatever stands at its closed one.
    assert found[[0, 2], 0] == pytest.approx([0.3, 0.75])
    assert np.isnan(found[1, 0])
    assert found[:, 1] == pytest.approx([0.1, 0.3, 0.6])
    assert np.isnan(over_horizon(shares, np.zeros((3, 2), dtype=bool), 2)).all()


@given(st.integers(1, 60), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_later_sessions_change_no_earlier_byte(n: int, horizon: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shares = rng.uniform(-1.0, 1.0, (60, 2))
    shares[rng.random((60, 2)) < 0.1] = NAN
    traded = rng.random((60, 2)) < 0.9
    whole = over_horizon(shares, traded, horizon)
    assert whole[:n].tobytes() == over_horizon(shares[:n], traded[:n], horizon).tobytes()
    moved = shares.copy()
    moved[n:] = 1.0 - moved[n:]
    assert whole[:n].tobytes() == over_horizon(moved, traded, horizon)[:n].tobytes()


@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_no_position_is_beyond_its_largest_decision(horizon: int, seed: int) -> None:
    shares = np.random.default_rng(seed).uniform(-1.0, 1.0, (40, 1))
    found = over_horizon(shares, np.ones((40, 1), dtype=bool), horizon)
    assert np.abs(found).max() <= np.abs(shares).max() + 1e-12


@pytest.mark.parametrize(("shape", "horizon"), [((3, 1), 0), ((3, 1), -2), ((4, 1), 2), ((3, 2), 2)])
def test_what_makes_no_sense_is_refused(shape: tuple[int, int], horizon: int) -> None:
    with pytest.raises(ValueError, match="horizon of"):
        over_horizon(np.zeros((3, 1)), np.ones(shape, dtype=bool), horizon)
