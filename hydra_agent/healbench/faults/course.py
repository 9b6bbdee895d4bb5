"""Faults of the course: the edge, the drift or the volume of the world itself change, and prices with them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

import numpy as np

from hydra_agent.diagnose.causes import CauseCode
from hydra_agent.healbench.faults.protocol import FaultName
from hydra_agent.healbench.worlds import BenchWorld, Planted
from hydra_agent.respond import ResponseCode


@dataclass(frozen=True, slots=True)
class RegimeChange:
    """F1: from the session on the edge is ``factor`` times what it was: -1 (Sharpe +1 to -1) or 0 (+1 to 0)."""

    session: int
    factor: float = -1.0
    name: ClassVar[FaultName] = FaultName.REGIME_CHANGE
    right_response: ClassVar[ResponseCode] = ResponseCode.HALT

    @property
    def right_cause(self) -> CauseCode:
        """A reversed edge is told apart from one that has gone."""
        return CauseCode.EDGE_REVERSED if self.factor < 0.0 else CauseCode.EDGE_DECAY

    def apply(self, world: BenchWorld, rng: np.random.Generator) -> BenchWorld:
        """Scale beta for good."""
        del rng
        planted = Planted(self.name, self.session, about=f"beta x {self.factor:g}")
        return _scaled(world, slice(self.session, None), self.factor).marked(planted)


@dataclass(frozen=True, slots=True)
class SignFlip:
    """F5: the edge turns its sign. The path is that of F1 at -1; here the loss from flip to halt is looked at."""

    session: int
    name: ClassVar[FaultName] = FaultName.SIGN_FLIP
    right_cause: ClassVar[CauseCode] = CauseCode.EDGE_REVERSED
    right_response: ClassVar[ResponseCode] = ResponseCode.HALT

    def apply(self, world: BenchWorld, rng: np.random.Generator) -> BenchWorld:
        """Turn beta for good."""
        del rng
        return _scaled(world, slice(self.session, None), -1.0).marked(Planted(self.name, self.session))


class Dip(StrEnum):
    """What a dip that passes is made of."""

    QUIET = "quiet"
    """30 sessions without an edge."""
    UNLUCKY = "unlucky"
    """15 sessions in which things go against the edge at twice its size, as luck sometimes has it."""


@dataclass(frozen=True, slots=True)
class TransientDip:
    """F8: a few bad weeks; ``kind`` None draws one."""

    session: int
    kind: Dip | None = None
    name: ClassVar[FaultName] = FaultName.TRANSIENT_DIP
    right_cause: ClassVar[CauseCode] = CauseCode.TRANSIENT
    right_response: ClassVar[ResponseCode] = ResponseCode.WATCH

    def apply(self, world: BenchWorld, rng: np.random.Generator) -> BenchWorld:
        """Change beta for a while."""
        kind = self.kind or tuple(Dip)[int(rng.integers(len(Dip)))]
        length, factor = (30, 0.0) if kind is Dip.QUIET else (15, -2.0)
        span = slice(self.session, self.session + length)
        return _scaled(world, span, factor).marked(Planted(self.name, span.start, span.stop, kind))


@dataclass(frozen=True, slots=True)
class LabelShift:
    """F7: prices drift, so that rises become more frequent whatever the gap says.

    0.11 standard deviations a session move the base rate of five sessions from one half to about 0.6.
    """

    session: int
    drift: float = 0.11
    name: ClassVar[FaultName] = FaultName.LABEL_SHIFT
    right_cause: ClassVar[CauseCode] = CauseCode.LABEL_SHIFT
    right_response: ClassVar[ResponseCode] = ResponseCode.RECALIBRATE

    def apply(self, world: BenchWorld, rng: np.random.Generator) -> BenchWorld:
        """Let all markets drift for good."""
        del rng
        course = world.truth.course.changed("drift", slice(self.session, None), self.drift)
        return world.on(course).marked(Planted(self.name, self.session))


@dataclass(frozen=True, slots=True)
class LiquidityDrought:
    """F6: volume falls to ``factor`` of what it was for ``sessions``."""

    session: int
    factor: float = 0.05
    sessions: int = 60
    name: ClassVar[FaultName] = FaultName.LIQUIDITY_DROUGHT
    right_cause: ClassVar[CauseCode] = CauseCode.LIQUIDITY_DROUGHT
    right_response: ClassVar[ResponseCode] = ResponseCode.SIZE_DOWN

    def apply(self, world: BenchWorld, rng: np.random.Generator) -> BenchWorld:
        """Dry up all markets."""
        del rng
        span = slice(self.session, self.session + self.sessions)
        course = world.truth.course.changed("volume", span, self.factor)
        return world.on(course).marked(Planted(self.name, span.start, span.stop))


def _scaled(world: BenchWorld, span: slice, factor: float) -> BenchWorld:
    course = world.truth.course
    return world.on(course.changed("beta", span, factor * course.beta[span]))
