from itertools import combinations

import numpy as np
import pytest

from hydra_assets.stats.overfitting import Statistic, blocks_for, no_advantage, pbo
from hydra_assets.stats.returns import ReturnsError, ReturnsReason

A = [3.0, -1.0, 2.0, 0.0]
B = [0.4, 1.5, 0.5, 1.1]
# in     mean A  mean B  best   out    mean A  mean B
# 1 2     1.0     0.95    A     3 4     1.0     0.8    A first
# 1 3     2.5     0.45    A     2 4    -0.5     1.3    A last, and below zero
# 1 4     1.5     0.75    A     2 3     0.5     1.0    A last
# 2 3     0.5     1.0     B     1 4     1.5     0.75   B last
# 2 4    -0.5     1.3     B     1 3     2.5     0.45   B last
# 3 4     1.0     0.8     A     1 2     1.0     0.95   A first


def test_textbook_by_hand():
    found = pbo([A, B], blocks=4, statistic=Statistic.MEAN)
    assert found.probability == pytest.approx(4.0 / 6.0)
    assert (found.candidates, found.blocks, found.choices) == (2, 4, 6)


def test_no_advantage_by_hand():
    assert no_advantage([A, B], blocks=4).probability == pytest.approx(1.0 / 6.0)
    # At zero exactly there is no advantage either: B alone lifted by -0.45 is zero in sessions 1 and 3.
    assert no_advantage([np.array(B) - 0.45], blocks=4).probability == pytest.approx(1.0 / 6.0)


def slow_pbo(rows: np.ndarray, blocks: int) -> float:
    """Plain loops over the definition, Sharpe ratios, no ties."""
    parts = np.split(rows, blocks, axis=1)
    overfitted = []
    for chosen in combinations(range(blocks), blocks // 2):
        inside = np.concatenate([parts[b] for b in chosen], axis=1)
        outside = np.concatenate([parts[b] for b in range(blocks) if b not in chosen], axis=1)
        best = (inside.mean(axis=1) / inside.std(axis=1)).argmax()
        out = outside.mean(axis=1) / outside.std(axis=1)
        w = (out <= out[best]).sum() / (len(rows) + 1)
        overfitted.append(np.log(w / (1 - w)) <= 0)
    return float(np.mean(overfitted))


@pytest.mark.parametrize("k", [2, 3, 5])
def test_sharpe_against_plain_loops(k):
    rows = np.random.default_rng(k).standard_normal((k, 60)) + 0.05 * np.arange(k)[:, None]
    assert pbo(rows, blocks=6).probability == pytest.approx(slow_pbo(rows, 6))


def test_equally_good_candidates_fail_the_textbook_and_pass_the_gate():
    # Ten candidates, all far better than the champion and equally so: their order is luck, their advantage is not.
    rows = np.random.default_rng(12).standard_normal((10, 1250)) + 0.2
    assert pbo(rows).probability > 0.4
    assert no_advantage(rows).probability < 0.01


def test_useless_candidates_fail_the_gate():
    rows = np.random.default_rng(13).standard_normal((10, 1250))
    rows -= rows.mean(axis=1, keepdims=True)  # what is won in one half is lost in the other
    # but for the one choice in about 2^10 where all ten are below zero in sample
    assert no_advantage(rows).probability > 0.995


def test_one_better_candidate_passes_both():
    rows = np.random.default_rng(14).standard_normal((10, 1250))
    rows[3] += 0.3
    assert pbo(rows).probability == 0.0
    assert no_advantage(rows).probability == 0.0


def test_blocks():
    # sixteen blocks of 20 sessions need 320; 319 make seven pairs
    assert [blocks_for(n) for n in (39, 40, 319, 320, 5000)] == [0, 2, 14, 16, 16]
    assert pbo(np.random.default_rng(1).standard_normal((2, 1250))).choices == 12870


def test_sessions_that_do_not_divide_are_all_used():
    # Blocks of 2 and 3; the first candidate's means are 1 and 1/6, and with a last return of 1 instead 1 and -1/3:
    # best in the first block, it loses in the second; there the other is best, and gains in the first.
    rows = np.array([[1.0, 1.0, -1.0, -1.0, 2.5], [0.2, 0.2, 0.1, 0.1, 0.1]])
    assert no_advantage(rows, blocks=2).probability == 0.0
    rows[0, 4] = 1.0
    assert no_advantage(rows, blocks=2).probability == 0.5


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (np.ones((1, 60)), ReturnsReason.NOT_A_SERIES),
        (np.full((2, 60), np.nan), ReturnsReason.MISSING_RETURN),
        (np.ones((2, 39)), ReturnsReason.TOO_FEW_SESSIONS),
    ],
)
def test_bad_input(rows, reason):
    with pytest.raises(ReturnsError) as error:
        pbo(rows)
    assert error.value.reason is reason
    with pytest.raises(ReturnsError):
        no_advantage(np.ones((2, 60)), blocks=3)
