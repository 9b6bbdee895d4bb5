"""What a fit is explained with: folds that had ended by the cutoff, as numbers and as a picture."""

import json
from types import SimpleNamespace

from hydra_assets.defs.models import explanation
from hydra_assets.models.out_of_fold import out_of_fold
from tests.support.groups import BLIND, BOOSTED, day, group

GROUP = group(400, standing={"boosted": BOOSTED, "no_signal": BLIND})
HISTORY = SimpleNamespace(
    runs={name: out_of_fold(GROUP.features, GROUP.labels, r, explain_from=0) for name, r in GROUP.standing.items()},
    specs=GROUP.specs,
    last=day(399),
)


def test_only_folds_that_had_ended_explain() -> None:
    run = HISTORY.runs["boosted"]
    last_of_second = run.predictions.filter(fold=1)["session"].max()
    before, at = (explanation(HISTORY, cutoff, "boosted") for cutoff in (day(150), last_of_second))
    told = json.loads(at["shap.json"])
    assert set(told["folds"]) == {"0", "1"}
    assert set(told["features"]) == set(BOOSTED.features)
    assert max(found["mean_abs"] for found in told["features"].values()) > 0.0
    assert at["shap.png"].startswith(b"\x89PNG")
    assert not before or set(json.loads(before["shap.json"])["folds"]) <= {"0"}


def test_what_has_no_exact_values_or_is_unknown_explains_nothing() -> None:
    assert explanation(HISTORY, day(399), "no_signal") == {}
    assert explanation(HISTORY, day(399), "nobody") == {}
    assert explanation(HISTORY, day(50), "boosted") == {}
