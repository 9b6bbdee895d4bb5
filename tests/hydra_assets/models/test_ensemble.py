"""Ensembles: the weighted mean by hand, members that read back, weights that fit."""

import numpy as np
import pytest
from pydantic import ValidationError

from hydra_assets.models.baseline import BaseRate, FittedBaseRate
from hydra_assets.models.ensemble import Ensemble, FittedEnsemble, read_single
from hydra_assets.models.linear import Logistic
from hydra_assets.models.network import Network
from hydra_assets.models.protocol import Fitted, Floats, ModelError, ModelReason


def data() -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng(8)
    x = rng.standard_normal((300, 2))
    return x, (rng.random(300) < 0.5 + 0.3 * np.tanh(x[:, 0])).astype(float), np.ones(300)


def test_weighted_mean_by_hand() -> None:
    members = (FittedBaseRate(("a",), {}, 0.2), FittedBaseRate(("a",), {}, 0.8))
    fitted = FittedEnsemble(("a",), {}, members, (0.75, 0.25))
    # 0.75 · 0.2 + 0.25 · 0.8
    assert np.allclose(fitted.probability(np.array([[1.0]])), 0.35, rtol=1e-15)


def test_members_are_fitted_to_the_same_rows_with_seeds_of_their_own() -> None:
    x, y, w = data()
    network = Network(passes=5)
    fitted = Ensemble(members=(Logistic(), network, network), weights=(2, 1, 1)).fit(x, y, w, ("a", "b"), 20)
    assert fitted.shares == (0.5, 0.25, 0.25)
    alone: list[Fitted] = [
        Logistic().fit(x, y, w, ("a", "b"), 0),
        *(network.fit(x, y, w, ("a", "b"), seed) for seed in (21, 22)),
    ]
    assert [member.content() for member in fitted.members] == [member.content() for member in alone]
    expected = 0.5 * alone[0].probability(x) + 0.25 * (alone[1].probability(x) + alone[2].probability(x))
    assert np.allclose(fitted.probability(x), expected, rtol=1e-14)


def test_equal_shares_without_weights() -> None:
    x, y, w = data()
    assert Ensemble(members=(BaseRate(),) * 4).fit(x, y, w, ("a", "b"), 1).shares == (0.25,) * 4


@pytest.mark.parametrize("weights", [(1.0,), (1.0, 0.0), (1.0, -1.0)])
def test_weights_must_fit_the_members(weights: tuple[float, ...]) -> None:
    with pytest.raises(ValidationError):
        Ensemble(members=(BaseRate(), Logistic()), weights=weights)


def test_no_ensembles_of_ensembles() -> None:
    with pytest.raises(ValidationError):
        Ensemble.model_validate({"members": [{"kind": "ensemble", "members": [{"kind": "logistic"}]}]})


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ModelError) as error:
        read_single("oracle", {})
    assert error.value.reason is ModelReason.UNKNOWN_KIND
