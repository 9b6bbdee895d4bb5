"""A recipe: everything that makes a model but the data. A champion is a recipe; its refits follow the same one."""

import hashlib
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hydra_assets.features.dictionary import FEATURE_NAMES, FEATURES
from hydra_assets.features.labels import HORIZON_SESSIONS
from hydra_assets.sentiment.composite import enforce_sentiment_cap

_GROUPS = {feature.name: str(feature.group) for feature in FEATURES}


class Recipe(BaseModel):
    """Features, labels, window and hyperparameters of a gradient-boosted classifier."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: tuple[str, ...] = FEATURE_NAMES
    horizon_sessions: Annotated[int, Field(ge=1, le=60)] = HORIZON_SESSIONS
    window_sessions: Annotated[int, Field(ge=60)] | None = None
    """Newest labelled sessions of each market that are trained on; None for all of them."""
    trees: Annotated[int, Field(ge=1, le=2000)] = 60
    leaves: Annotated[int, Field(ge=2, le=255)] = 7
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.05
    min_rows_per_leaf: Annotated[int, Field(ge=1)] = 40
    l2: Annotated[float, Field(ge=0)] = 5.0
    feature_share: Annotated[float, Field(gt=0, le=1)] = 0.7
    row_share: Annotated[float, Field(gt=0, le=1)] = 0.7
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 7

    @model_validator(mode="after")
    def _sentiment_keeps_its_share(self) -> Self:
        # A name that the dictionary does not have is refused where the features are read.
        if known := [name for name in self.features if name in _GROUPS]:
            enforce_sentiment_cap(known, _GROUPS)
        return self

    @property
    def sha256(self) -> str:
        """Digest of the recipe's own content."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


FIRST_RECIPE = Recipe()
"""The recipe that a group starts with."""
