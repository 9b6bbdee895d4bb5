import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_exec.manager.twap import Slice, slices


def test_a_small_order_is_one_slice_over_the_whole_window() -> None:
    assert slices(5, 5) == (Slice(0, 5, 0.0, 1.0),)
    assert slices(1, 5, (1.0, 9.0)) == (Slice(0, 1, 0.0, 1.0),)


def test_slices_are_as_even_as_lots_allow() -> None:
    assert slices(11, 5) == (Slice(0, 4, 0.0, 1 / 3), Slice(1, 4, 1 / 3, 2 / 3), Slice(2, 3, 2 / 3, 1.0))


def test_a_slice_has_its_share_of_the_volume_not_of_the_time() -> None:
    # Half the volume goes in the first quarter, the other half in the last: the middle is dead.
    assert slices(4, 2, (5.0, 0.0, 0.0, 5.0)) == (Slice(0, 2, 0.0, 0.25), Slice(1, 2, 0.25, 1.0))
    # Quarters of (1, 3): the first quarter fills bucket one, the others a third of bucket two each.
    edges = [part.end_share for part in slices(4, 1, (1.0, 3.0))]
    assert edges == pytest.approx([0.5, 2 / 3, 5 / 6, 1.0], abs=1e-12)
    assert slices(4, 2, (0.0, 7.0))[0].end_share == 0.75
    # A thousandth of the volume waits in an empty first bucket for the second.
    assert slices(1000, 1, (0.0, 1.0))[0].end_share == pytest.approx(0.5005, abs=1e-12)


@pytest.mark.parametrize(
    "profile", [(0.0, 0.0), (1.0, -0.5), (math.nan, 1.0), (1.0, math.nan), (math.inf, 1.0), (1.0, math.inf)]
)
@pytest.mark.parametrize("quantity", [1, 10])
def test_what_is_no_profile(profile: tuple[float, ...], quantity: int) -> None:
    with pytest.raises(ValueError, match="volume profile"):
        slices(quantity, 5, profile)


@pytest.mark.parametrize(("quantity", "most"), [(0, 5), (-1, 5), (5, 0)])
def test_what_is_no_order(quantity: int, most: int) -> None:
    with pytest.raises(ValueError, match="lots in slices of"):
        slices(quantity, most)


@given(st.integers(1, 60), st.integers(1, 12), st.lists(st.floats(0.01, 100.0), max_size=8))
def test_slices_cover_the_order_and_the_window(quantity: int, most: int, profile: list[float]) -> None:
    cut = slices(quantity, most, profile)
    assert sum(part.quantity for part in cut) == quantity
    assert all(1 <= part.quantity <= most for part in cut)
    assert len(cut) == math.ceil(quantity / most)
    assert (cut[0].start_share, cut[-1].end_share) == (0.0, 1.0)
    assert all(before.end_share == after.start_share for before, after in pairwise(cut))
    assert all(part.start_share < part.end_share for part in cut)
    assert [part.number for part in cut] == list(range(len(cut)))
