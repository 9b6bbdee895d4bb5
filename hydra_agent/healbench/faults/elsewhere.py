"""Faults that no feed shows: a trap laid for candidates, and what the runner does to replies, journal and process."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from hydra_agent.healbench.faults.protocol import FaultName
from hydra_agent.healbench.worlds import BenchWorld, Planted
from hydra_agent.respond import ResponseCode

TRAP = "order_flow_score"
"""Name under which the trap is offered: one of the dictionary that the worlds do not use."""


@dataclass(frozen=True, slots=True)
class LookAhead:
    """F9: a feature whose history holds the label, as a backfilled vendor's does, and whose live values are noise.

    Rows whose outcome was known at the session say it with noise of the same size; all others are noise of that spread.
    Its column exists in all of the view, so the feature is new before the session, and everything else as it was.
    """

    session: int
    name: ClassVar[FaultName] = FaultName.LOOK_AHEAD
    right_cause: ClassVar[None] = None
    right_response: ClassVar[ResponseCode] = ResponseCode.NONE

    def apply(self, world: BenchWorld, rng: np.random.Generator) -> BenchWorld:
        """Add the column."""
        view = world.view
        known = (view.exit_row >= 0) & (view.exit_row < self.session)
        foreseen = np.where(known, 2.0 * view.up - 1.0, rng.standard_normal(view.up.shape))
        trap = 0.5 * (foreseen + rng.standard_normal(view.up.shape))
        features = np.concatenate([view.features, trap[:, :, None]], axis=2)
        shown = replace(view, feature_names=(*view.feature_names, TRAP), features=features)
        return world.shown(shown).marked(Planted(self.name, self.session, about=TRAP))


@dataclass(frozen=True, slots=True)
class Marked:
    """F0 and F10 to F12: the path stays as it is, and the runner acts at the session if the name tells it to."""

    name: FaultName
    session: int
    right_cause: ClassVar[None] = None
    right_response: ClassVar[ResponseCode] = ResponseCode.NONE

    def apply(self, world: BenchWorld, rng: np.random.Generator) -> BenchWorld:
        """Leave a mark."""
        del rng
        return world.marked(Planted(self.name, self.session))
