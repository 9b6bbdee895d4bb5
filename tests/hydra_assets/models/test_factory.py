"""Architecture is configuration: every kind from a mapping, to text and back, and over folds without look-ahead."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hydra_assets.models.artefact import sealed, sha256
from hydra_assets.models.factory import BASELINES, ModelSpec, Sharing, fit_folds, from_json, model_spec
from hydra_assets.models.protocol import Floats, Ints, ModelError, ModelReason

NAMES = ("tilt", "carry", "regime")
CONFIGURATIONS: list[dict[str, object]] = [
    {"kind": "lightgbm", "trees": 10, "monotone": {"tilt": 1}},
    {"kind": "logistic"},
    {"kind": "network", "passes": 4},
    {"kind": "base_rate"},
    {"kind": "ensemble", "members": [{"kind": "lightgbm", "trees": 5}, {"kind": "logistic"}], "weights": [1, 3]},
    {
        "kind": "regimes",
        "regime_feature": "regime",
        "min_rows_of_a_regime": 100,
        "base": {"kind": "ensemble", "members": [{"kind": "base_rate"}, {"kind": "logistic"}]},
    },
]
SPECS: list[ModelSpec] = [model_spec(configuration) for configuration in CONFIGURATIONS]


def data(n: int = 500, seed: int = 12) -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 3))
    y = (rng.random(n) < 0.5 + 0.3 * np.tanh(x[:, 0])).astype(np.float64)
    x[rng.random(n) < 0.1, 1] = np.nan
    x[:, 2] = np.arange(n) // 10 % 2
    return x, y, rng.uniform(0.5, 1.0, n)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.kind)
def test_a_specification_survives_its_own_text(spec: ModelSpec) -> None:
    assert model_spec(json.loads(spec.model_dump_json())) == spec
    with pytest.raises(ValidationError):
        spec.min_rows = 3  # type: ignore[misc]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.kind)
def test_same_bytes_and_the_same_probabilities_from_the_text(spec: ModelSpec) -> None:
    x, y, w = data()
    fitted = spec.fit(x, y, w, NAMES, 3)
    text = fitted.to_json()
    assert spec.fit(x.copy(), y.copy(), w.copy(), NAMES, 3).to_json() == text
    back = from_json(text, sha256(text))
    assert back.to_json() == text
    assert (back.kind, back.feature_names, back.unused) == (spec.kind, NAMES, {})
    p = fitted.probability(x)
    assert back.probability(x).tobytes() == p.tobytes()
    assert ((p >= 0.0) & (p <= 1.0)).all()
    assert "pickle" not in text
    with pytest.raises(ModelError) as error:
        fitted.probability(x[:, :2])
    assert error.value.reason is ModelReason.SHAPE
    infinite = x.copy()
    infinite[4, 1] = np.inf
    with pytest.raises(ModelError) as error:
        fitted.probability(infinite)
    assert (error.value.reason, error.value.field) == (ModelReason.INFINITE_FEATURE, "carry")


@pytest.mark.parametrize("configuration", [{"kind": "oracle"}, {"kind": "lightgbm", "trees": 46.5}, {"trees": 5}, {}])
def test_unknown_configuration_is_refused(configuration: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        model_spec(configuration)


def test_sound_text_of_no_model_is_refused() -> None:
    with pytest.raises(ModelError) as error:
        from_json(sealed("oracle", {}))
    assert error.value.reason is ModelReason.UNKNOWN_KIND
    with pytest.raises(ModelError) as error:
        from_json(sealed("logistic", {"feature_names": []}))
    assert error.value.reason is ModelReason.DAMAGED_ARTEFACT


def test_two_baselines_stand_beside_every_model() -> None:
    assert [spec.kind for spec in BASELINES] == ["logistic", "base_rate"]


def folds() -> list[Ints]:
    """Seven expanding folds, the last two rolling."""
    ends = [200, 240, 280, 320, 360, 400, 440]
    return [np.arange(0 if end < 400 else end - 300, end, dtype=np.int64) for end in ends]


def fitted_folds(x: Floats, y: Floats, sharing: Sharing, spec: ModelSpec = SPECS[0]) -> list[str]:
    rows = folds()
    weights = [np.linspace(0.5, 1.0, len(fold)) for fold in rows]
    return [fitted.to_json() for fitted in fit_folds(spec, x, y, weights, rows, NAMES, 3, sharing)]


def test_folds_of_their_own_edges_are_single_fits() -> None:
    x, y, _ = data()
    for spec in SPECS[:2]:
        alone = [spec.fit(x[rows], y[rows], np.linspace(0.5, 1.0, len(rows)), NAMES, 3).to_json() for rows in folds()]
        assert fitted_folds(x, y, Sharing(folds_per_edges=1), spec) == alone


def test_shared_edges_are_those_of_the_first_fold_of_a_block() -> None:
    x, y, _ = data()
    own, shared = (fitted_folds(x, y, Sharing(folds_per_edges=n)) for n in (1, 3))
    assert [a == b for a, b in zip(own, shared, strict=True)] == [True, False, False] * 2 + [True]


def test_threads_change_no_byte() -> None:
    x, y, _ = data()
    assert fitted_folds(x, y, Sharing(workers=2)) == fitted_folds(x, y, Sharing(workers=1))


@settings(max_examples=8, deadline=None)
@given(st.sampled_from([200, 240, 280, 320, 360, 400, 440]), st.integers(1, 8))
def test_nothing_after_a_fold_changes_its_bytes(end: int, folds_per_edges: int) -> None:
    x, y, _ = data()
    other_x, other_y = x.copy(), y.copy()
    other_x[end:] = 7.0 - 3.0 * other_x[end:]
    other_y[end:] = 1.0 - other_y[end:]
    sharing = Sharing(folds_per_edges=folds_per_edges)
    before = [i for i, rows in enumerate(folds()) if rows[-1] < end]
    plain, perturbed = fitted_folds(x, y, sharing), fitted_folds(other_x, other_y, sharing)
    assert [plain[i] for i in before] == [perturbed[i] for i in before]
    if end < 440:
        assert plain[-1] != perturbed[-1]


def test_folds_out_of_order_share_no_edges() -> None:
    x, y, w = data()
    rows = [np.arange(300), np.arange(200)]
    weights = [w[part] for part in rows]
    with pytest.raises(ModelError, match="order of time"):
        fit_folds(SPECS[0], x, y, weights, rows, NAMES, 3)
    assert len(fit_folds(SPECS[0], x, y, weights, rows, NAMES, 3, Sharing(folds_per_edges=1))) == 2


def test_a_bad_fold_is_an_error_not_a_gap() -> None:
    x, y, w = data()
    with pytest.raises(ModelError, match="too_few_rows"):
        fit_folds(SPECS[0], x, y, [w[:50], w[:300]], [np.arange(50), np.arange(300)], NAMES, 3, Sharing(workers=2))
    with pytest.raises(ModelError, match="weights"):
        fit_folds(SPECS[0], x, y, [w[:300]], folds(), NAMES, 3)
