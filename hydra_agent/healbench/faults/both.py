"""F13: two faults at once. Data come before the model: the cause and the answer are those of the data's fault."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hydra_agent.diagnose.causes import CauseCode
from hydra_agent.healbench.faults.course import LiquidityDrought, RegimeChange, TransientDip
from hydra_agent.healbench.faults.data import StaleSource
from hydra_agent.healbench.faults.protocol import Fault, FaultName
from hydra_agent.healbench.worlds import BenchWorld
from hydra_agent.respond import ResponseCode


@dataclass(frozen=True, slots=True)
class TwoAtOnce:
    """Two faults of one session. ``model`` changes the world, so it is planted first; ``data`` is to be found first."""

    data: Fault
    model: Fault
    name: ClassVar[FaultName] = FaultName.TWO_AT_ONCE

    @property
    def session(self) -> int:
        """The earlier of the two."""
        return min(self.data.session, self.model.session)

    @property
    def right_cause(self) -> CauseCode | None:
        """That of the data."""
        return self.data.right_cause

    @property
    def right_response(self) -> ResponseCode:
        """That of the data."""
        return self.data.right_response

    def apply(self, world: BenchWorld, rng: np.random.Generator) -> BenchWorld:
        """Plant both; the record holds both under their own names."""
        return self.data.apply(self.model.apply(world, rng), rng)


def stale_and_changed(session: int) -> TwoAtOnce:
    """F4 + F1: a source stops while the edge reverses."""
    return TwoAtOnce(StaleSource(session), RegimeChange(session))


def dry_and_dipping(session: int) -> TwoAtOnce:
    """F6 + F8: volume dries up in a few bad weeks."""
    return TwoAtOnce(LiquidityDrought(session), TransientDip(session))
