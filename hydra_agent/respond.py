"""From a diagnosis to what is done at once: trade less, mask a feature, recalibrate, and whether to experiment. Pure.

Whatever trades less is done in the same session and needs nobody's leave; only what trades again, or otherwise, has to
prove itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hydra_agent.diagnose.causes import Cause, CauseCode, Diagnosis
from hydra_assets.state.system import SystemState

ACT_FROM = 0.5
"""Confidence below which a cause is watched and nothing is done."""
LATE_SIZE, DECAY_SIZE = 0.5, 0.25


class ResponseCode(StrEnum):
    """What is done, gravest first."""

    BLOCK = "block"
    """No new position on data that cannot be believed, and no experiment either."""
    HALT = "halt"
    SIZE_DOWN = "size_down"
    MASK_FEATURE = "mask_feature"
    RECALIBRATE = "recalibrate"
    WATCH = "watch"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Response:
    """What a session's diagnosis comes to."""

    code: ResponseCode
    exposure: Mapping[str, float] = field(default_factory=dict)
    """Share of its size that a market may trade; markets that are not named trade ``group_exposure``."""
    group_exposure: float = 1.0
    masked: tuple[str, ...] = ()
    """Features to be taken for missing."""
    recalibrate: bool = False
    heal: bool = False
    """Whether experiments are warranted."""
    demand: SystemState = SystemState.RUNNING
    """What the system's state has to be at least."""
    because: tuple[CauseCode, ...] = ()

    def exposure_of(self, symbol: str) -> float:
        """Share of its size that a market may trade."""
        return min(self.exposure.get(symbol, 1.0), self.group_exposure)


_BY_CAUSE: Mapping[CauseCode, ResponseCode] = {
    CauseCode.UNIT_CHANGE: ResponseCode.BLOCK,
    CauseCode.STALE_SOURCE: ResponseCode.BLOCK,
    CauseCode.LATE_SOURCE: ResponseCode.SIZE_DOWN,
    CauseCode.DORMANT_MARKET: ResponseCode.SIZE_DOWN,
    CauseCode.LIQUIDITY_DROUGHT: ResponseCode.SIZE_DOWN,
    CauseCode.FEATURE_CORRUPTED: ResponseCode.MASK_FEATURE,
    CauseCode.REGIME_CHANGE: ResponseCode.WATCH,
    CauseCode.LABEL_SHIFT: ResponseCode.RECALIBRATE,
    CauseCode.OVERFITTING_DECAY: ResponseCode.HALT,
    CauseCode.EDGE_REVERSED: ResponseCode.HALT,
    CauseCode.EDGE_DECAY: ResponseCode.HALT,
    CauseCode.TRANSIENT: ResponseCode.WATCH,
}
HEALS = frozenset({CauseCode.OVERFITTING_DECAY, CauseCode.EDGE_REVERSED, CauseCode.EDGE_DECAY})
"""Causes that another recipe can cure; a feed's faults are cured at the feed, a feature's by leaving it out."""
_STATE = {ResponseCode.BLOCK: SystemState.DEGRADED, ResponseCode.HALT: SystemState.HALTED}


def respond(diagnosis: Diagnosis) -> Response:
    """Answer all causes that are sure enough: exposures of the strictest, experiments only on sound data."""
    acted = [cause for cause in diagnosis.causes if cause.confidence >= ACT_FROM]
    if not acted:
        return Response(ResponseCode.WATCH if diagnosis.causes else ResponseCode.NONE)
    codes = {_BY_CAUSE[cause.code] for cause in acted}
    code = next(each for each in ResponseCode if each in codes)
    exposure: dict[str, float] = {}
    group = 1.0
    for cause in acted:
        if not cause.scopes:
            group = min(group, _size(cause, None))
        for scope in cause.scopes:
            exposure[scope] = min(exposure.get(scope, 1.0), _size(cause, scope))
    return Response(
        code=code,
        exposure=exposure,
        group_exposure=group,
        masked=tuple(name for cause in acted if cause.code is CauseCode.FEATURE_CORRUPTED for name in cause.features),
        recalibrate=ResponseCode.RECALIBRATE in codes,
        heal=code is not ResponseCode.BLOCK and any(cause.code in HEALS for cause in acted),
        demand=_STATE.get(code, SystemState.RUNNING),
        because=tuple(cause.code for cause in acted),
    )


def _size(cause: Cause, scope: str | None) -> float:
    match cause.code:
        case CauseCode.UNIT_CHANGE | CauseCode.STALE_SOURCE | CauseCode.DORMANT_MARKET:
            return 0.0
        case CauseCode.LATE_SOURCE:
            return LATE_SIZE
        case CauseCode.LIQUIDITY_DROUGHT:
            return max(0.0, min(1.0, cause.evidence.get(f"volume_ratio_{scope}", 0.0)))
        case CauseCode.EDGE_REVERSED | CauseCode.EDGE_DECAY:
            return 0.0
        case CauseCode.OVERFITTING_DECAY:
            return DECAY_SIZE
        case _:
            return 1.0
