"""The base rate, by hand."""

import numpy as np

from hydra_assets.models.baseline import BaseRate


def test_weighted_share_of_ones() -> None:
    x = np.array([[1.0], [2.0], [3.0], [4.0]])
    spec = BaseRate(min_rows=4, min_rows_of_a_class=1)
    fitted = spec.fit(x, np.array([1.0, 0.0, 1.0, 0.0]), np.array([3.0, 1.0, 2.0, 2.0]), ("tilt",), 1)
    # (3 + 2) / 8
    assert fitted.base_rate == 0.625
    assert fitted.probability(np.array([[np.nan], [9.0]])).tolist() == [0.625, 0.625]
    assert fitted.probability(np.empty((0, 1))).shape == (0,)
