"""The network: one by hand, and the stored weights against scikit-learn's own prediction."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.neural_network import MLPClassifier  # type: ignore[import-untyped,unused-ignore]

from hydra_assets.models.linear import Design
from hydra_assets.models.network import FittedNetwork, Network
from hydra_assets.models.protocol import Floats

NAMES = ("tilt", "carry", "skew")


def data(n: int = 800, seed: int = 5) -> tuple[Floats, Floats, Floats]:
    """The sign of tilt times carry decides: nothing that a linear form can see."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 3))
    y = (rng.random(n) < expit(3.0 * x[:, 0] * x[:, 1])).astype(np.float64)
    x[rng.random((n, 3)) < 0.05] = np.nan
    return x, y, rng.uniform(0.5, 1.0, n)


def test_by_hand() -> None:
    one, ints = np.array([1.0]), np.array([0], dtype=np.int64)
    design = Design(ints, ints[:0], 0.0 * one, 0.0 * one, one)
    weights = (np.array([[0.5, -1.0]]), np.array([[2.0], [1.0]]))
    fitted = FittedNetwork(("a",), {}, design, weights, (np.array([0.0, 0.5]), np.array([-0.25])))
    # x = 2: hidden tanh(1), tanh(−1.5); log-odds 2·0.7615942 − 0.9051483 − 0.25 = 0.3680401.
    assert fitted.probability(np.array([[2.0]]))[0] == pytest.approx(1 / (1 + np.exp(-0.3680401)), abs=1e-7)


@pytest.mark.parametrize("hidden", [(8,), (6, 4)])
def test_stored_weights_predict_as_scikit_learn_does(hidden: tuple[int, ...]) -> None:
    x, y, w = data()
    spec = Network(hidden=hidden, passes=20)
    fitted = spec.fit(x, y, w, NAMES, 11)
    peer = MLPClassifier(
        hidden_layer_sizes=hidden,
        activation="tanh",
        alpha=spec.weight_decay,
        batch_size=spec.batch_rows,
        learning_rate_init=spec.learning_rate,
        max_iter=spec.passes,
        n_iter_no_change=spec.passes,
        random_state=11,
    )
    columns = fitted.design.columns(x)
    with pytest.warns(match="Maximum iterations"):
        peer.fit(columns, y, sample_weight=w)
    assert np.allclose(fitted.probability(x), peer.predict_proba(columns)[:, 1], atol=1e-10)


def test_learns_what_a_line_cannot() -> None:
    x, y, w = data()
    new, outcome, _ = data(seed=6)
    p = Network(passes=150, weight_decay=0.01).fit(x, y, w, NAMES, 1).probability(new)
    # A line gets half of them right; the rule itself about 80 %.
    assert np.mean((p > 0.5) == (outcome == 1.0)) > 0.68


def test_the_seed_decides() -> None:
    x, y, w = data()
    spec = Network(passes=5)
    assert spec.fit(x, y, w, NAMES, 1).to_json() == spec.fit(x, y, w, NAMES, 1).to_json()
    assert spec.fit(x, y, w, NAMES, 1).to_json() != spec.fit(x, y, w, NAMES, 2).to_json()


def test_a_row_does_not_depend_on_the_rows_beside_it() -> None:
    x, y, w = data()
    fitted = Network(passes=5).fit(x, y, w, NAMES, 1)
    assert fitted.probability(x[5:9]).tobytes() == fitted.probability(x)[5:9].tobytes()
