"""Shapley values against their definition, and stability by hand."""

from itertools import permutations

import numpy as np
import pytest
from scipy.special import logit
from scipy.stats import spearmanr

from hydra_assets.models.ensemble import Ensemble
from hydra_assets.models.lightgbm_model import FittedLightGbm, LightGbm, trees_of
from hydra_assets.models.linear import Logistic
from hydra_assets.models.network import Network
from hydra_assets.models.protocol import Floats, ModelError, ModelReason
from hydra_assets.models.shap_values import FoldShap, explain_fold, stability

NAMES = ("up", "down", "noise")


def data(n: int = 800, seed: int = 2) -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 3))
    y = (rng.random(n) < 1 / (1 + np.exp(-1.5 * x[:, 0] + 0.7 * x[:, 1]))).astype(np.float64)
    return x, y, np.ones(n)


def expected_value(node: dict[str, object], row: Floats, known: frozenset[int]) -> float:
    """E[tree | known features]: unknown splits go both ways, by training weight (Lundberg et al. 2020, algorithm 1)."""
    if "leaf_value" in node:
        return float(node["leaf_value"])  # type: ignore[arg-type]
    left, right = node["left_child"], node["right_child"]
    feature = int(node["split_feature"])  # type: ignore[call-overload]
    if feature in known:
        chosen = left if row[feature] <= node["threshold"] else right
        return expected_value(chosen, row, known)  # type: ignore[arg-type]
    counts = [child.get("leaf_count", child.get("internal_count")) for child in (left, right)]  # type: ignore[attr-defined]
    values = [expected_value(child, row, known) for child in (left, right)]  # type: ignore[arg-type]
    return float(np.average(values, weights=counts))


def shapley(fitted: FittedLightGbm, row: Floats) -> Floats:
    """Mean over all orders of what each feature adds when it becomes known."""
    found = np.zeros(3)
    roots = [tree["tree_structure"] for tree in trees_of(fitted)]
    for order in permutations(range(3)):
        for position, feature in enumerate(order):
            before, after = frozenset(order[:position]), frozenset(order[: position + 1])
            for root in roots:
                found[feature] += (expected_value(root, row, after) - expected_value(root, row, before)) / 6.0
    return found


def test_boosting_gives_the_shapley_values_of_their_definition() -> None:
    x, y, w = data()
    fitted = LightGbm(trees=2, leaves=4, learning_rate=0.3, feature_share=1.0).fit(x, y, w, NAMES, 1)
    found = fitted.contributions(x[:3])
    for i in range(3):
        assert np.allclose(found[i, :3], shapley(fitted, x[i]), atol=1e-9)
    assert np.allclose(found.sum(axis=1), logit(fitted.probability(x[:3])), atol=1e-9)


@pytest.mark.parametrize(
    "spec", [LightGbm(trees=40, feature_share=1.0), Logistic(prior_sd=1.0)], ids=lambda spec: spec.kind
)
def test_size_and_direction(spec: LightGbm | Logistic) -> None:
    x, y, w = data()
    fold = explain_fold(spec.fit(x, y, w, NAMES, 1), x)
    assert fold.mean_abs.argsort().tolist() == [2, 1, 0]
    assert fold.direction[0] > 0.9
    assert fold.direction[1] < -0.9


def test_mean_and_direction_by_hand() -> None:
    class Two:
        kind = "two"
        feature_names = ("a", "b")

        def contributions(self, matrix: Floats) -> Floats:
            return np.array([[0.2, -0.1, 9.0], [-0.4, 0.3, 9.0], [0.0, 0.2, 9.0]])

    fold = explain_fold(Two(), np.array([[3.0, 1.0], [1.0, np.nan], [2.0, 5.0]]))  # type: ignore[arg-type]
    assert np.allclose(fold.mean_abs, [0.2, 0.2], rtol=1e-15)
    # a ranks as its contributions do. b: the row with a gap does not count; 1 → −0.1, 5 → 0.2.
    assert np.allclose(fold.direction, [1.0, 1.0])


def test_stability_by_hand() -> None:
    folds = [
        FoldShap(NAMES, np.array([3.0, 2.0, 1.0]), np.array([0.9, -0.5, np.nan])),
        FoldShap(NAMES, np.array([3.0, 1.0, 2.0]), np.array([0.8, 0.5, np.nan])),
        FoldShap(NAMES, np.array([6.0, 3.0, 0.0]), np.array([0.1, -0.2, np.nan])),
    ]
    found = stability(folds)
    assert np.allclose(found.mean_abs, [4.0, 2.0, 1.0], rtol=1e-15)
    # up: 3 of 3; down: |−1 + 1 − 1| / 3; noise never had a direction.
    assert np.allclose(found.sign_agreement, [1.0, 1 / 3, np.nan], equal_nan=True)
    # Pairs: (1,2) 1/2, (1,3) 1, (2,3) 1/2.
    assert found.rank_correlation == pytest.approx(2 / 3, rel=1e-14)
    pairs = [spearmanr(folds[i].mean_abs, folds[j].mean_abs).statistic for i, j in ((0, 1), (0, 2), (1, 2))]
    assert found.rank_correlation == pytest.approx(np.mean(pairs), rel=1e-12)


def test_stability_of_one_fold_and_of_folds_that_rank_nothing() -> None:
    fold = FoldShap(NAMES, np.array([3.0, 2.0, 1.0]), np.array([0.9, -0.5, np.nan]))
    assert np.isnan(stability([fold]).rank_correlation)
    flat = FoldShap(NAMES, np.zeros(3), np.full(3, np.nan))
    assert np.isnan(stability([fold, flat, flat]).rank_correlation)
    with pytest.raises(ModelError):
        stability([])
    with pytest.raises(ModelError, match="feature_names"):
        stability([fold, FoldShap(("a", "b", "c"), fold.mean_abs, fold.direction)])


def test_what_has_no_exact_values_is_refused() -> None:
    x, y, w = data()
    for spec in (Network(passes=3), Ensemble(members=(Logistic(),))):
        with pytest.raises(ModelError) as error:
            explain_fold(spec.fit(x, y, w, NAMES, 1), x)
        assert error.value.reason is ModelReason.NO_EXPLANATION
    with pytest.raises(ModelError):
        explain_fold(Logistic().fit(x, y, w, NAMES, 1), x[:0])
