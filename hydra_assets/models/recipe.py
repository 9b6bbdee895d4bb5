"""A recipe: everything that makes a model but the data. A champion is a recipe; its refits follow the same one."""

import hashlib
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from hydra_assets.features.dictionary import FEATURE_NAMES
from hydra_assets.features.labels import HORIZON_SESSIONS


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

    @property
    def sha256(self) -> str:
        """Digest of the recipe's own content."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


FIRST_RECIPE = Recipe()
"""The recipe that a group starts with."""
