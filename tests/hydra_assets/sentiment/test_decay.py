"""Half-lives by hand, and what has no weight."""

import numpy as np
import pytest

from hydra_assets.sentiment.decay import half_life_weight


def test_by_hand() -> None:
    # 2^0, 2^-1, 2^-2, 2^-0.5
    assert half_life_weight([0.0, 4.0, 8.0, 2.0], 4.0) == pytest.approx([1.0, 0.5, 0.25, 2**-0.5])


def test_the_future_and_the_unknown_have_no_weight() -> None:
    assert np.isnan(half_life_weight([-1.0, np.nan], 4.0)).all()


@pytest.mark.parametrize("half_life", [0.0, -1.0, float("nan")])
def test_a_half_life_is_positive(half_life: float) -> None:
    with pytest.raises(ValueError, match="half-life"):
        half_life_weight([1.0], half_life)
