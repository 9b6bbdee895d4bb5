"""Beliefs in log-odds by hand, and what the models that take them say before and after data."""

import numpy as np
import pytest
from scipy.special import logit

from hydra_assets.models.factory import from_json
from hydra_assets.models.lightgbm_model import LightGbm
from hydra_assets.models.linear import Logistic
from hydra_assets.models.prior import checked_prior, prior_parts
from hydra_assets.models.protocol import Floats, ModelError, ModelReason

NAMES = ("a", "b")
PRIOR = {"b": 0.2}


def data(slope: float = 0.0, n: int = 400) -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng(6)
    x = rng.standard_normal((n, 2))
    return x, (rng.random(n) < 1.0 / (1.0 + np.exp(-slope * x[:, 1]))).astype(np.float64), np.ones(n)


def test_parts_by_hand() -> None:
    matrix = np.array([[1.0, 2.0], [5.0, np.nan], [0.0, -4.0], [0.0, 3.5]])
    # 0.2 a unit, nothing for a gap, and no more beyond three units.
    assert prior_parts(PRIOR, matrix, NAMES) == pytest.approx(np.array([[0, 0.4], [0, 0], [0, -0.6], [0, 0.6]]))
    assert not prior_parts({}, matrix, NAMES).any()


def test_a_belief_about_no_column_is_refused() -> None:
    checked_prior(PRIOR, NAMES)
    with pytest.raises(ModelError, match="c: has a prior") as refused:
        checked_prior({"c": 0.1}, NAMES)
    assert refused.value.reason is ModelReason.UNKNOWN_FEATURE
    for spec in (LightGbm(prior={"c": 0.1}), Logistic(prior={"c": 0.1})):
        with pytest.raises(ModelError, match="c: has a prior"):
            spec.fit(*data(), NAMES, 1)


def test_trees_that_learn_nothing_leave_the_belief_on_the_base_rate() -> None:
    x, y, w = data()
    fitted = LightGbm(prior=PRIOR, trees=1, learning_rate=1e-9).fit(x, y, w, NAMES, 1)
    wanted = logit(y.mean()) + 0.2 * np.clip(x[:, 1], -3.0, 3.0)
    assert logit(fitted.probability(x)) == pytest.approx(wanted, abs=1e-6)
    shares = fitted.contributions(x)
    assert shares.sum(axis=1) == pytest.approx(wanted, abs=1e-6)
    # Less its mean, as a Shapley value is.
    assert shares[:, 1].mean() == pytest.approx(0.0, abs=1e-6)
    assert from_json(fitted.to_json()).probability(x).tolist() == fitted.probability(x).tolist()
    assert fitted.probability(x[:0]).shape == (0,)
    assert fitted.contributions(x[:0]).shape == (0, 3)


def test_a_logistic_starts_from_its_belief_and_data_move_it() -> None:
    def slope(believed: dict[str, float], true: float, sd: float) -> float:
        x, y, w = data(true)
        fitted = Logistic(prior=believed, prior_sd=sd).fit(x, y, w, NAMES, 1)
        at = np.array([[0.0, 0.0], [0.0, 1.0]])
        return float(np.diff(logit(fitted.probability(at)))[0])

    # Next to no room: the belief itself. Room, and data that say the contrary: away from it.
    assert slope(PRIOR, -1.0, 1e-4) == pytest.approx(0.2, abs=1e-3)
    assert slope({}, -1.0, 1e-4) == pytest.approx(0.0, abs=1e-3)
    assert slope(PRIOR, -1.0, 0.1) < 0.1
    assert slope(PRIOR, 0.2, 0.1) > slope({}, 0.2, 0.1)
