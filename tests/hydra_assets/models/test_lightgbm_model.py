"""LightGBM: same bytes, constraints that hold, early stopping on training rows, bins without look-ahead."""

import numpy as np
import pytest
from scipy.special import expit, logit

from hydra_assets.models.lightgbm_model import EarlyStopping, FittedLightGbm, LightGbm, SharedBins, trees_of
from hydra_assets.models.protocol import FeatureState, Floats, ModelError, ModelReason

NAMES = ("tilt", "carry", "skew", "empty")
SPEC = LightGbm(trees=25)
SEED = 4


def data(n: int = 900, seed: int = 2) -> tuple[Floats, Floats, Floats]:
    """Tilt raises the chance, carry lowers it; skew is noise with gaps; empty is missing throughout."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 4))
    y = (rng.random(n) < expit(1.2 * x[:, 0] - 0.8 * x[:, 1])).astype(np.float64)
    x[rng.random(n) < 0.2, 2] = np.nan
    x[:, 3] = np.nan
    return x, y, rng.uniform(0.3, 1.0, n)


def test_same_input_same_bytes_whatever_the_layout() -> None:
    x, y, w = data()
    text = SPEC.fit(x, y, w, NAMES, SEED).to_json()
    assert SPEC.fit(np.asfortranarray(x), y.astype(int), w, list(NAMES), SEED).to_json() == text
    assert SPEC.fit(x, y, w, NAMES, SEED + 1).to_json() != text


def test_one_tree_by_hand() -> None:
    # One stump, learning rate 1, no penalty: each leaf moves the log-odds of the base rate by Σ(y−p)/Σp(1−p).
    x = np.repeat([[0.0], [1.0]], 50, axis=0)
    y = np.concatenate([np.repeat([1.0, 0.0], [10, 40]), np.repeat([1.0, 0.0], [40, 10])])
    spec = LightGbm(
        trees=1, leaves=2, learning_rate=1.0, l2=0.0, min_rows_per_leaf=10, feature_share=1.0, row_share=1.0, min_rows=2
    )
    fitted = spec.fit(x, y, np.ones(100), ("tilt",), SEED)
    # Base rate 1/2, log-odds 0; left leaf: (10 − 25) / (50 · 0.25) = −1.2, right leaf +1.2.
    assert np.allclose(fitted.probability(np.array([[0.0], [1.0]])), expit([-1.2, 1.2]), atol=1e-6)


def test_weights_are_used() -> None:
    x, y, _ = data()
    heavy = np.where(y == 1.0, 1.0, 0.1)
    assert SPEC.fit(x, y, heavy, NAMES, SEED).probability(x).mean() > y.mean() + 0.2


def test_columns_that_say_nothing_are_named() -> None:
    x, y, w = data()
    assert SPEC.fit(x, y, w, NAMES, SEED).unused == {"empty": FeatureState.ALL_MISSING}


def test_monotone_constraints_hold_by_name() -> None:
    x, y, w = data()
    grid = np.linspace(-2.5, 2.5, 41)
    for name, column in (("tilt", 0), ("carry", 1)):
        rows = np.zeros((len(grid), 4))
        rows[:, column] = grid
        # Against the data: a falling effect of tilt (a rising one of carry) is not there, so the effect is flat.
        against = -1 if name == "tilt" else 1
        free = SPEC.fit(x, y, w, NAMES, SEED).probability(rows)
        held = LightGbm(trees=25, monotone={name: against}).fit(x, y, w, NAMES, SEED).probability(rows)
        assert np.ptp(free) > 0.1
        assert (against * np.diff(held) >= -1e-12).all()
        along = LightGbm(trees=25, monotone={name: -against}).fit(x, y, w, NAMES, SEED).probability(rows)
        assert (-against * np.diff(along) >= -1e-12).all()
        assert np.ptp(along) > 0.1


def test_interactions_keep_features_on_separate_branches() -> None:
    x, y, w = data()

    def together(node: dict[str, object], above: frozenset[int]) -> set[frozenset[int]]:
        if "split_feature" not in node:
            return {above}
        here = above | {int(node["split_feature"])}  # type: ignore[call-overload]
        return together(node["left_child"], here) | together(node["right_child"], here)  # type: ignore[arg-type]

    def branches(spec: LightGbm) -> set[frozenset[int]]:
        trees = trees_of(spec.fit(x, y, w, NAMES, SEED))
        return set().union(*(together(tree["tree_structure"], frozenset()) for tree in trees))

    assert any({0, 1} <= branch for branch in branches(SPEC))
    held = branches(LightGbm(trees=25, interactions=(("tilt",), ("carry", "skew"))))
    assert all(branch <= {0} or branch <= {1, 2} for branch in held)
    assert set().union(*held) == {0, 1, 2}
    # A feature in no group is not used.
    assert all(branch <= {0} for branch in branches(LightGbm(trees=25, interactions=(("tilt",),))))


@pytest.mark.parametrize("constraint", [{"monotone": {"smile": 1}}, {"interactions": (("tilt", "smile"),)}])
def test_an_unknown_name_in_a_constraint_is_refused(constraint: dict[str, object]) -> None:
    x, y, w = data()
    with pytest.raises(ModelError) as error:
        LightGbm.model_validate(constraint).fit(x, y, w, NAMES, SEED)
    assert (error.value.reason, error.value.field) == (ModelReason.UNKNOWN_FEATURE, "smile")


def test_early_stopping_ends_where_the_newer_rows_say() -> None:
    x, y, w = data()
    rng = np.random.default_rng(0)
    stopping = EarlyStopping(gap_rows=20, patience=5)
    learned = LightGbm(trees=300, early_stopping=stopping).fit(x, y, w, NAMES, SEED)
    noise = LightGbm(trees=300, early_stopping=stopping).fit(x, rng.permutation(y), w, NAMES, SEED)
    assert noise.trees < 15 < learned.trees < 300
    # Then fitted to all rows: the same as asking for that many trees at once.
    direct = LightGbm(trees=learned.trees).fit(x, y, w, NAMES, SEED)
    assert np.array_equal(direct.probability(x), learned.probability(x))


def test_early_stopping_needs_rows_on_both_sides_of_the_gap() -> None:
    x, y, w = data(n=200)
    with pytest.raises(ModelError, match="early_stopping"):
        LightGbm(early_stopping=EarlyStopping(gap_rows=170)).fit(x, y, w, NAMES, SEED)


def test_contributions_sum_to_the_log_odds() -> None:
    x, y, w = data()
    fitted = SPEC.fit(x, y, w, NAMES, SEED)
    found = fitted.contributions(x)
    assert found.shape == (len(x), 5)
    assert np.allclose(found.sum(axis=1), logit(fitted.probability(x)), atol=1e-9)
    assert not found[:, 3].any()
    assert fitted.contributions(x[:0]).shape == (0, 5)
    assert fitted.probability(x[:0]).shape == (0,)


def test_a_changed_text_is_never_parsed() -> None:
    x, y, w = data()
    content = SPEC.fit(x, y, w, NAMES, SEED).content()
    content["text"] = content["text"].replace("leaf_value=", "leaf_value= ", 1)
    with pytest.raises(ModelError, match="text_sha256"):
        FittedLightGbm.from_content(content)


def test_bins_of_the_rows_themselves_give_the_same_bytes() -> None:
    x, y, w = data()
    rows = np.arange(500)
    bins = SharedBins.of(SPEC, x, rows, NAMES)
    shared = SPEC.fit_on_bins(bins, rows, y[rows], w[rows], SEED)
    assert shared.to_json() == SPEC.fit(x[rows], y[rows], w[rows], NAMES, SEED).to_json()


def test_early_stopping_on_shared_bins_is_the_same_too() -> None:
    x, y, w = data()
    rows = np.arange(500)
    spec = LightGbm(trees=60, early_stopping=EarlyStopping(gap_rows=20, patience=5))
    shared = spec.fit_on_bins(SharedBins.of(spec, x, rows, NAMES), rows, y[rows], w[rows], SEED)
    assert shared.to_json() == spec.fit(x[rows], y[rows], w[rows], NAMES, SEED).to_json()


def test_later_rows_move_bins_of_all_rows_but_not_those_of_the_first_fold() -> None:
    x, y, w = data()
    rows = np.arange(500)
    later = x.copy()
    later[700:] = 10.0 * later[700:] + 3.0

    def fitted(matrix: Floats, edges: int) -> str:
        bins = SharedBins.of(SPEC, matrix, np.arange(edges), NAMES)
        return SPEC.fit_on_bins(bins, rows, y[rows], w[rows], SEED).to_json()

    assert fitted(x, 500) == fitted(later, 500)
    # The leak that edges of all rows would be.
    assert fitted(x, 900) != fitted(later, 900)


def test_bins_refuse_what_does_not_fit() -> None:
    x, y, w = data()
    bins = SharedBins.of(SPEC, x, np.arange(500), NAMES)
    with pytest.raises(ModelError, match="do not increase"):
        SPEC.fit_on_bins(bins, np.array([3, 2]), y[:2], w[:2], SEED)
    with pytest.raises(ModelError, match="max_bin"):
        LightGbm(max_bin=15).fit_on_bins(bins, np.arange(500), y[:500], w[:500], SEED)
    with pytest.raises(ModelError, match="edge_rows"):
        SharedBins.of(SPEC, x, np.arange(0), NAMES)
