"""Regime-conditional models: each regime its own, the pooled one where a regime cannot carry a model."""

import numpy as np
import pytest

from hydra_assets.models.linear import Logistic
from hydra_assets.models.protocol import Floats, ModelError, ModelReason
from hydra_assets.models.regime_model import Regimes

NAMES = ("tilt", "regime", "carry")
BASE = Logistic(prior_sd=1.0, min_rows=50)
SPEC = Regimes(regime_feature="regime", base=BASE, min_rows_of_a_regime=200)


def data() -> tuple[Floats, Floats, Floats]:
    """Tilt works one way in regime 0 (600 rows), the other in 1 (500); 2 has 100 rows, 3 one class, 40 no label."""
    rng = np.random.default_rng(9)
    regime = np.repeat([0.0, 1.0, 2.0, 3.0, np.nan], [600, 500, 100, 260, 40])
    tilt = rng.standard_normal(len(regime))
    slope = np.select([regime == 0.0, regime == 1.0], [1.5, -1.5], 0.0)
    y = (rng.random(len(regime)) < 1 / (1 + np.exp(-slope * tilt))).astype(np.float64)
    y[regime == 3.0] = 1.0
    return np.stack([tilt, regime, rng.standard_normal(len(regime))], axis=1), y, np.ones(len(regime))


def test_each_regime_by_its_own_model_the_rest_by_the_pooled_one() -> None:
    x, y, w = data()
    fitted = SPEC.fit(x, y, w, NAMES, 1)
    assert sorted(fitted.by_regime) == [0, 1]
    others = x[:, [0, 2]]
    pooled = BASE.fit(others, y, w, ("tilt", "carry"), 1)
    p = fitted.probability(x)
    for regime in (0.0, 1.0):
        own = x[:, 1] == regime
        alone = BASE.fit(others[own], y[own], w[own], ("tilt", "carry"), 1)
        assert p[own].tobytes() == alone.probability(others[own]).tobytes()
        assert p[own].tobytes() != pooled.probability(others[own]).tobytes()
    # Too few rows, one class, no label: the pooled model.
    rest = ~np.isin(x[:, 1], (0.0, 1.0))
    assert rest.sum() == 400
    assert p[rest].tobytes() == pooled.probability(others[rest]).tobytes()


def test_the_sign_is_learned_by_regime() -> None:
    x, y, w = data()
    fitted = SPEC.fit(x, y, w, NAMES, 1)
    rows = np.array([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 7.0, 0.0]])
    p = fitted.probability(rows)
    assert p[0] > 0.7
    assert p[1] < 0.3
    # A regime that training never saw.
    assert p[2] == fitted.pooled.probability(rows[2:, [0, 2]])[0]


def test_no_member_sees_the_label_as_a_feature() -> None:
    x, y, w = data()
    fitted = SPEC.fit(x, y, w, NAMES, 1)
    assert fitted.feature_names == NAMES
    assert fitted.pooled.feature_names == ("tilt", "carry")


def test_a_missing_column_and_broken_labels_are_refused() -> None:
    x, y, w = data()
    with pytest.raises(ModelError) as error:
        Regimes(regime_feature="weather", base=BASE).fit(x, y, w, NAMES, 1)
    assert (error.value.reason, error.value.field) == (ModelReason.UNKNOWN_FEATURE, "weather")
    x[3, 1] = 0.5
    with pytest.raises(ModelError, match="whole numbers"):
        SPEC.fit(x, y, w, NAMES, 1)


def test_what_is_wrong_with_the_pooled_rows_is_not_hidden() -> None:
    x, y, w = data()
    with pytest.raises(ModelError) as error:
        SPEC.fit(x, np.ones_like(y), w, NAMES, 1)
    assert error.value.reason is ModelReason.ONE_CLASS
