"""Waits between attempts."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from hydra_exec.connection.backoff import Backoff


def test_without_jitter_waits_double_to_the_cap() -> None:
    plain = Backoff(first_s=1, factor=2, cap_s=60, jitter=0)
    waits = [plain.wait(failed).total_seconds() for failed in range(9)]
    assert waits == [0, 1, 2, 4, 8, 16, 32, 60, 60]
    assert plain.wait(10**9) == timedelta(seconds=60)


@given(st.integers(1, 10_000), st.integers(0, 2**64 - 1))
def test_jitter_is_bounded_and_told_in_advance(failed: int, seed: int) -> None:
    waits = Backoff(jitter=0.2, seed=seed)
    plain = Backoff(jitter=0).wait(failed)
    wait = waits.wait(failed)
    assert 0.8 * plain <= wait <= min(1.2 * plain, timedelta(seconds=60))
    assert wait == Backoff(jitter=0.2, seed=seed).wait(failed)


def test_two_seeds_do_not_come_back_together() -> None:
    waits = {Backoff(seed=seed).wait(3) for seed in range(20)}
    assert len(waits) == 20
    assert min(waits) < timedelta(seconds=4) < max(waits)


def test_a_factor_of_one_never_grows() -> None:
    assert Backoff(first_s=5, factor=1, jitter=0).wait(10_000) == timedelta(seconds=5)
