"""Amendments of a champion that change no recipe and no fit: a feature masked, the base rate moved. Pure."""

from dataclasses import replace

import numpy as np
from scipy.special import expit

from hydra_agent.respond import Response
from hydra_agent.view import Floats
from hydra_assets.models.calibration import log_odds
from hydra_assets.models.trained import TrainedModel

OFFSET_SD = 0.3
"""In log-odds, seven points of probability: how far a base rate is thought to move before it is seen to."""
LEAST_OFFSET = 0.02
MOST_MASKED = 3
"""Of more features than these the surest are masked: a model without a quarter of them is another model."""
_STEPS = 20


def offset_of(outcomes: Floats, said: Floats) -> float:
    """Log-odds by which what was said has to be moved: the mode under a normal prior of ``OFFSET_SD``, by Newton.

    ``outcomes`` (0 or 1) and ``said`` are ``[n]``, of the newest decisions; 0 where there are none.
    """
    z, offset = log_odds(said), 0.0
    for _ in range(_STEPS):
        p = expit(z + offset)
        gradient = float((outcomes - p).sum()) - offset / OFFSET_SD**2
        step = gradient / (float((p * (1.0 - p)).sum()) + OFFSET_SD**-2)
        offset += step
        if abs(step) < 1e-9:
            break
    return offset


def amended(model: TrainedModel, response: Response, outcomes: Floats, said: Floats) -> TrainedModel | None:
    """The champion as a response wants it, None where it is so already.

    ``outcomes`` (0 or 1) and ``said`` are ``[n]``, of the newest decisions; ``said`` is what the fit says *without* an
    offset. So the offset is learned anew each time and not added to the one before, which was learned from the same
    outcomes. A feature is unmasked once the diagnosis no longer names it.
    """
    named = dict.fromkeys(name for name in response.masked if name in model.recipe.features)
    masked = tuple(sorted(list(named)[:MOST_MASKED]))
    offset = model.offset
    if response.recalibrate and len(outcomes):
        found = offset_of(np.asarray(outcomes, dtype=np.float64), np.asarray(said, dtype=np.float64))
        offset = found if abs(found - model.offset) >= LEAST_OFFSET else offset
    if masked == model.masked and offset == model.offset:
        return None
    return replace(model, masked=masked, offset=offset)
