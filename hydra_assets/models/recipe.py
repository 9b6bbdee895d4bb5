"""A recipe: everything that makes a model but the data. A champion is a recipe; its refits follow the same one."""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from hydra_assets.features.dictionary import FEATURE_NAMES, FEATURES
from hydra_assets.labels.known import SPECS, LabelKind
from hydra_assets.labels.spec import TripleBarrier
from hydra_assets.models.baseline import BaseRate
from hydra_assets.models.factory import ModelSpec
from hydra_assets.models.lightgbm_model import LightGbm
from hydra_assets.models.linear import Logistic
from hydra_assets.models.splits import MIN_TEST_SESSIONS, WalkForwardPlan
from hydra_assets.models.weights import Loss
from hydra_assets.sentiment.composite import enforce_sentiment_cap

_GROUPS = {feature.name: str(feature.group) for feature in FEATURES}


class Recipe(BaseModel):
    """Features, labels, architecture with its hyperparameters, windows and refit schedule."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: Annotated[tuple[str, ...], Field(min_length=1)] = FEATURE_NAMES
    label: LabelKind = LabelKind.FIXED_HORIZON
    loss: Loss = Loss.LOG
    """What a fit makes small; probabilities are calibrated and judged in the same way whatever it is."""
    model: ModelSpec = LightGbm()
    window_sessions: Annotated[int, Field(ge=60)] | None = None
    """Newest sessions that are trained on; None for all of them."""
    first_train_sessions: Annotated[int, Field(ge=60)] = 252
    """Sessions before the first walk-forward test."""
    refit_sessions: Annotated[int, Field(ge=MIN_TEST_SESSIONS)] = 63
    """Sessions between two fits of the walk-forward; about the quarter between two scheduled refits."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 7

    @model_validator(mode="after")
    def _sentiment_keeps_its_share(self) -> Self:
        # A name that the dictionary does not have is refused where the features are read.
        if known := [name for name in self.features if name in _GROUPS]:
            enforce_sentiment_cap(known, _GROUPS)
        return self

    @model_serializer(mode="wrap")
    def _plain_loss_is_not_named(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Recipes written before there was another loss keep their text, and with it their digest.
        content: dict[str, Any] = handler(self)
        if self.loss is Loss.LOG:
            del content["loss"]
        return content

    @property
    def barriers(self) -> TripleBarrier | None:
        """Barriers at which a position of the label is left before its horizon; None where there are none."""
        spec = SPECS[self.label]
        return spec if isinstance(spec, TripleBarrier) else None

    @property
    def reach_sessions(self) -> int:
        """Sessions from a decision to its latest exit."""
        return SPECS[self.label].reach_sessions

    @property
    def horizon_sessions(self) -> int:
        """Sessions that a label earns at most."""
        return SPECS[self.label].horizon_sessions

    @property
    def plan(self) -> WalkForwardPlan:
        """How the recipe's walk-forward is laid; the embargo is the label's reach."""
        return WalkForwardPlan(
            label_reach_sessions=self.reach_sessions,
            embargo_sessions=self.reach_sessions,
            first_train_sessions=self.first_train_sessions,
            test_sessions=self.refit_sessions,
            train_sessions=self.window_sessions,
        )

    @property
    def sha256(self) -> str:
        """Digest of the recipe's own content, however its beliefs are ordered: an artefact orders them by name."""
        return hashlib.sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()


BOOSTED, LOGISTIC, NO_SIGNAL = "boosted", "logistic", "no_signal"
THESIS: Mapping[str, float] = {"options_z": 0.1, "crowd_score_z": -0.1}
"""What HYDRA exists to test: prices go where options lean, and away from where the crowd stands. 0.1 in log-odds is 2.5
points of probability per standard deviation, an information coefficient of about 0.06 on each side."""
THESIS_FEATURES = (
    "options_z",
    "tilt_z",
    "risk_reversal",
    "implied_skew",
    "real_world_above_forward",
    "vol_premium",
    "carry",
    "momentum_20",
    "momentum_60",
    "crowd_score_z",
    "producers_z",
    "divergence_z",
)
"""Both sides of the thesis, each read in several ways, and what else is known to move a futures' return."""
FIRST_RECIPES: Mapping[str, Recipe] = {
    BOOSTED: Recipe(
        features=THESIS_FEATURES,
        model=LightGbm(
            prior=THESIS,
            trees=40,
            learning_rate=0.02,
            leaves=3,
            min_rows_per_leaf=200,
            l2=50.0,
            feature_share=0.5,
            row_share=0.7,
        ),
    ),
    LOGISTIC: Recipe(features=THESIS_FEATURES, model=Logistic(prior=THESIS, prior_sd=0.05)),
}
"""The recipes that a group without a champion is tried with: few, since every trial raises the bar for all. Chosen on
simulated worlds that no study reports on (docs/studies/recipes.md)."""
STRATEGIES: Mapping[str, Recipe] = {**FIRST_RECIPES, NO_SIGNAL: Recipe(features=THESIS_FEATURES, model=BaseRate())}
"""What every walk-forward holds: the recipes, and beside them the baseline that knows no feature."""
