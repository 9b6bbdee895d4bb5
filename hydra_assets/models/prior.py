"""A prior in log-odds: what is believed of a feature before any row is seen, and what data then correct.

Thin markets give few independent outcomes: five years of four markets are about a thousand, and a signal worth an
annual Sharpe ratio of 2 is a correlation of 0.17 with the label. A model that starts from nothing spends most of them
on finding a direction that its thesis had said beforehand. The prior states that thesis where everybody sees it, in the
recipe: log-odds by unit of a feature, zero where the feature is missing. The gates judge what comes of it.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from hydra_assets.models.protocol import Floats, ModelError, ModelReason

Prior = Mapping[str, float]
CLIP = 3.0
"""Units of the feature, usually standard deviations, beyond which belief does not grow."""


def checked_prior(prior: Prior, names: Sequence[str]) -> None:
    """Refuse a prior on a column that is not there."""
    for name in prior:
        if name not in names:
            raise ModelError(ModelReason.UNKNOWN_FEATURE, name, "has a prior, but no such column")


def prior_parts(prior: Prior, matrix: Floats, names: Sequence[str]) -> Floats:
    """Log-odds by feature ``[n, f]`` that the prior gives rows ``[n, f]``; zero for a missing value."""
    slopes = np.array([prior.get(name, 0.0) for name in names])
    parts: Floats = np.clip(np.where(np.isnan(matrix), 0.0, matrix), -CLIP, CLIP) * slopes
    return parts
