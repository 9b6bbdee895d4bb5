"""Standardising and differencing by hand, to the last bit the same whatever comes later."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.signals.history import expanding_scale, expanding_z, lagged_change

NAN = float("nan")


def test_expanding_scale_by_hand() -> None:
    apart, sd, count = expanding_scale(np.array([1.0, 3.0, NAN, 5.0, 9.0]), 2)
    # 5 against (1, 3): mean 2, sd sqrt 2. 9 against (1, 3, 5): mean 3, sd 2.
    assert apart[3:] == pytest.approx([3.0, 6.0])
    assert sd[3:] == pytest.approx([np.sqrt(2.0), 2.0])
    assert np.isnan(apart[:3]).all()
    assert np.isnan(sd[:3]).all()
    assert count.tolist() == [0, 1, 2, 2, 3]
    z, _ = expanding_z(np.array([1.0, 3.0, NAN, 5.0, 9.0]), 2)
    assert z[3:] == pytest.approx([3.0 / np.sqrt(2.0), 3.0])


@pytest.mark.parametrize("values", [np.array([]), np.full(5, NAN), np.full(5, 0.1)])
def test_nothing_to_standardise_with(values: np.ndarray) -> None:
    z, count = expanding_z(values, 2)
    assert np.isnan(z).all()
    assert len(z) == len(count) == len(values)


def test_lagged_change_by_hand() -> None:
    values = np.array([1.0, 2.0, NAN, 7.0, 11.0, 16.0])
    assert lagged_change(values, 2, unbroken=False) == pytest.approx([NAN, NAN, NAN, 5.0, NAN, 9.0], nan_ok=True)
    # From 2 to 7 there is a hole between.
    assert lagged_change(values, 2, unbroken=True) == pytest.approx([NAN, NAN, NAN, NAN, NAN, 9.0], nan_ok=True)
    for n in range(7):
        assert np.isnan(lagged_change(np.arange(float(n)), 6, unbroken=True)).all()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.just(NAN), st.floats(-1e3, 1e3)), min_size=8, max_size=40),
    st.integers(1, 7),
    st.integers(1, 5),
    st.booleans(),
)
def test_later_values_change_no_bit(values: list[float], kept: int, lag: int, unbroken: bool) -> None:
    whole, part = np.array(values), np.array(values[:kept])
    for of_whole, of_part in zip(expanding_scale(whole, 2), expanding_scale(part, 2), strict=True):
        assert of_whole[:kept].tobytes() == of_part.tobytes()
    changes = lagged_change(whole, lag, unbroken=unbroken)[:kept]
    assert changes.tobytes() == lagged_change(part, lag, unbroken=unbroken).tobytes()
