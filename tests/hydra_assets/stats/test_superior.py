import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.special import ndtr

from hydra_assets.stats.returns import ReturnsError, ReturnsReason
from hydra_assets.stats.superior import block_length, paired_differences, stationary_variance, superiority, widening


def standard(seed: int, k: int, n: int) -> np.ndarray:
    """White noise of mean zero and variance one exactly."""
    rows = np.random.default_rng(seed).standard_normal((k, n))
    return (rows - rows.mean(axis=1, keepdims=True)) / rows.std(axis=1, keepdims=True)


def test_differences_by_hand():
    # sd of the candidate 0.02, of the champion 0.01: half the candidate less the champion
    signs = np.tile([1.0, -1.0, -1.0, 1.0], 10)
    champion = 0.01 * np.tile([1.0, -1.0], 20) + 0.001
    candidate = 0.02 * signs + 0.003
    assert paired_differences(candidate, champion)[0] == pytest.approx(0.5 * candidate - champion)
    assert (paired_differences(candidate, None)[0] == candidate).all()
    assert paired_differences(candidate, np.full(40, 0.001))[0] == pytest.approx(candidate - 0.001)


def test_leverage_is_no_advantage():
    champion = 0.01 * standard(1, 1, 500)[0] + 0.002
    for size in (0.5, 2.0, 1.0, 3.7):
        differences = paired_differences(size * champion, champion)
        assert (differences == 0.0).all()
        found = superiority(differences)
        assert (found.p_values, found.superior) == ((1.0,), (False,))


def test_stationary_variance_by_hand():
    # e = 1, -1, 2, -2: gamma = 5/2, -7/4, 1, -1/2; b = 2, stay 1/2, n = 4
    # kappa_1 = 3/4 1/2 + 1/4 1/8 = 13/32; kappa_2 = 1/2 1/4 + 1/2 1/4 = 1/4; kappa_3 = 1/4 1/8 + 3/4 1/2 = 13/32
    # 5/2 + 2 (-7/4 13/32 + 1/4 - 1/2 13/32) = 5/2 + 2 (-9/4 13/32 + 1/4) = 3 - 117/64
    rows = np.array([[1.0, -1.0, 2.0, -2.0]]) + 7.0
    assert stationary_variance(rows, 2) == pytest.approx([3.0 - 117.0 / 64.0])
    # a block of one session is the plain bootstrap: all kappa are zero
    assert stationary_variance(rows, 1) == pytest.approx([2.5])


def test_bootstrap_variance_of_white_noise():
    # 1 - (2b - 1)/n = 1 - 19/250 = 0.924, since the mean is the sample's own; 4,000 series leave an error of 0.005
    rows = np.random.default_rng(19).standard_normal((4000, 250))
    assert stationary_variance(rows, 10).mean() == pytest.approx(1.0 - 19.0 / 250.0, abs=0.015)


def test_widening_by_hand():
    # White noise: the fixed-b factor alone. n = 1500, b = 5: x = 0.005, 1 + 2.1859 0.005/1.6449 = 1.00665
    white = np.random.default_rng(31).standard_normal((300, 1500))
    assert np.median(widening(white, 5)) == pytest.approx(1.00665, abs=0.004)
    # AR(1) of 0.3: long-run variance 1.3/0.7 = 1.857 of unit variance; blocks of 5 see 1 + 2 0.24/0.76 = 1.632
    dependent = lfilter([1.0], [1.0, -0.3], white, axis=1)
    assert np.median(widening(dependent, 5)) == pytest.approx(np.sqrt(1.857 / 1.632) * 1.00665, abs=0.01)
    # AR(1) of -0.3: blocks see too much already, nothing is taken back
    swinging = lfilter([1.0], [1.0, 0.3], white, axis=1)
    assert np.median(widening(swinging, 5)) == pytest.approx(1.00665, abs=1e-4)


def test_p_value_is_the_normal_one_for_white_noise():
    # t-values 0, 1, 1.645, 2.5 over 1,000 sessions; 2,000 replications have a standard error of at most 0.011
    for seed, t in enumerate((0.0, 1.0, 1.645, 2.5)):
        rows = standard(seed, 1, 1000) + t / np.sqrt(1000.0)
        assert superiority(rows, replications=2000).p_values[0] == pytest.approx(ndtr(-t), abs=0.035)


def test_step_wise_finds_all_that_are_better():
    rows = standard(20, 6, 800)
    rows[[1, 4]] += 0.25
    found = superiority(rows)
    assert found.superior == (False, True, False, False, True, False)
    assert found.p_value <= 0.01
    assert max(found.p_values[1], found.p_values[4]) < 0.01 < min(found.p_values[i] for i in (0, 2, 3, 5))
    assert superiority(rows[[1, 4]]).superior == (True, True)


def test_all_superior_in_several_steps():
    # The second is found only after the first has left: arch's own StepM raises on an empty rest here.
    from arch.bootstrap import StepM

    rows = standard(21, 2, 300)
    rows[0] += 0.5
    rows[1] *= 0.05
    rows[1] += 0.02
    theirs = StepM(np.zeros(300), -rows.T, block_size=2, reps=500, seed=1)
    with pytest.raises(ValueError, match="zero-size array"):
        theirs.compute()
    assert superiority(rows).superior == (True, True)


def test_nobody_is_named_for_being_best_of_ten_at_five_percent():
    # t-values of the ten: one at 1.9 (p = 0.029 alone), nine at zero. The best of ten needs about 2.5.
    rows = standard(22, 10, 1000)
    rows[0] += 1.9 / np.sqrt(1000.0)
    found = superiority(rows)
    assert found.p_values[0] < 0.05
    assert found.p_value > 0.1
    assert found.superior == (False,) * 10


def test_units_of_one_candidate_do_not_move_the_others():
    rows = standard(23, 4, 400) + np.array([[0.15], [0.0], [0.05], [-0.05]])
    plain, scaled = superiority(rows), superiority(rows * np.array([[1.0], [1000.0], [0.01], [1.0]]))
    assert plain == scaled
    assert plain.superior[0]


def test_deterministic_and_seeded():
    rows = standard(24, 3, 300) + 0.05
    assert superiority(rows) == superiority(rows)
    assert superiority(rows, seed=1).p_values != superiority(rows, seed=2).p_values


def test_a_candidate_without_a_difference_stays_out():
    rows = standard(25, 3, 300) + 0.2
    with_it = superiority(np.insert(rows, 1, 0.0, axis=0))
    without = superiority(rows)
    assert with_it.p_values == (without.p_values[0], 1.0, *without.p_values[1:])
    assert with_it.superior == (without.superior[0], False, *without.superior[1:])


def test_block_rule():
    white = standard(26, 5, 1000)
    assert block_length(white) <= 4
    assert block_length(white, horizon_sessions=9) == 9
    shocks = np.random.default_rng(27).standard_normal((5, 1019))
    held = np.stack([np.convolve(row, np.ones(20), "valid") for row in shocks])
    assert 15 <= block_length(held) <= 100
    assert block_length(white[:, :60], horizon_sessions=20) == 6


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda rows: rows[:, :19], ReturnsReason.TOO_FEW_SESSIONS),
        (lambda rows: np.where(rows == rows[1, 3], np.nan, rows), ReturnsReason.MISSING_RETURN),
    ],
)
def test_bad_input(change, reason):
    with pytest.raises(ReturnsError) as error:
        superiority(change(standard(28, 2, 60)))
    assert error.value.reason is reason


def test_bad_champion():
    rows = standard(29, 2, 60)
    for champion, reason in (
        (rows[0, :50], ReturnsReason.NOT_A_SERIES),
        (rows[0] * np.nan, ReturnsReason.MISSING_RETURN),
    ):
        with pytest.raises(ReturnsError) as error:
            paired_differences(rows, champion)
        assert error.value.reason is reason
