"""The faults of the benchmark's table, each a plug-in behind ``protocol.Fault``; ``catalogue`` has them all."""

from hydra_agent.healbench.faults.both import dry_and_dipping, stale_and_changed
from hydra_agent.healbench.faults.course import LabelShift, LiquidityDrought, RegimeChange, SignFlip, TransientDip
from hydra_agent.healbench.faults.data import CorruptedFeature, StaleSource, UnitChange
from hydra_agent.healbench.faults.elsewhere import LookAhead, Marked
from hydra_agent.healbench.faults.protocol import Fault, FaultName

__all__ = ["Fault", "FaultName", "catalogue"]


def catalogue(session: int) -> tuple[Fault, ...]:
    """F0 to F13 at a session: F1 in its two sizes, F13 in its two pairs; what is left open is drawn when applied."""
    return (
        Marked(FaultName.NONE, session),
        RegimeChange(session, -1.0),
        RegimeChange(session, 0.0),
        UnitChange(session),
        CorruptedFeature(session),
        StaleSource(session),
        SignFlip(session),
        LiquidityDrought(session),
        LabelShift(session),
        TransientDip(session),
        LookAhead(session),
        Marked(FaultName.HOSTILE_REPLIES, session),
        Marked(FaultName.TAMPERED_JOURNAL, session),
        Marked(FaultName.KILLED, session),
        stale_and_changed(session),
        dry_and_dipping(session),
    )
