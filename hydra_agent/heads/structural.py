"""The structural head: another model, label, horizon, loss or belief, or a group of features less."""

from dataclasses import dataclass

from hydra_agent.diagnose.causes import CauseCode
from hydra_agent.heads.base import Situation, possible
from hydra_agent.heads.technical import Idea
from hydra_agent.playbook.mutations import (
    Architecture,
    Belief,
    Blend,
    DropGroup,
    Horizon,
    Label,
    LossFunction,
    RetrainWindow,
)
from hydra_agent.playbook.proposal import Proposal

SHORT_WINDOW = 504


@dataclass(frozen=True, slots=True)
class StructuralHead:
    """Proposes once a month."""

    name: str = "structural"
    every_sessions: int = 21

    def propose(self, situation: Situation) -> list[Proposal]:
        """Beliefs first where the edge has turned, labels where market or outcomes have changed, models otherwise."""
        beliefs: list[Idea] = [
            ((Belief(strength=strength),), f"the thesis at {strength:g} of its strength")
            for strength in (0.0, 0.5, 2.0)
        ]
        free: list[Idea] = [
            (
                (Belief(strength=0.0), RetrainWindow(window_sessions=SHORT_WINDOW)),
                "no belief, and only what came lately",
            )
        ]
        models: list[Idea] = [
            ((Architecture(kind="logistic"),), "a linear model"),
            ((Architecture(kind="lightgbm"),), "boosted trees"),
            ((Blend(),), "a blend of both"),
        ]
        groups: list[Idea] = [
            ((DropGroup.model_validate({"group": group}),), f"without {group}")
            for group in ("sentiment", "flows", "curve", "divergence", "crowd", "options")
        ]
        # Barriers move with volatility, and end a position that has moved; without them it is held to its horizon.
        labels: list[Idea] = [
            ((Label(method="triple_barrier"),), "leave at price barriers"),
            ((Label(method="fixed_horizon"),), "hold to the horizon"),
        ]
        # An edge that is not there any more over this many sessions may be quicker now, or slower.
        horizons: list[Idea] = [
            ((Horizon(sessions=5),), "look five sessions ahead"),
            ((Horizon(sessions=10),), "look ten sessions ahead"),
            ((Horizon(sessions=3),), "look three sessions ahead"),
        ]
        # Being right on the small moves of a quiet market earns nothing.
        losses: list[Idea] = [
            ((LossFunction(loss="return_weighted"),), "learn more from what moved more"),
            ((LossFunction(loss="log_loss"),), "learn the same from every decision"),
        ]
        top = situation.diagnosis.top
        match top.code if top is not None else None:
            case CauseCode.EDGE_REVERSED | CauseCode.EDGE_DECAY:
                ideas = [*free, *beliefs, *horizons, *models, *labels, *losses, *groups]
            case CauseCode.REGIME_CHANGE | CauseCode.LABEL_SHIFT:
                ideas = [*labels, *horizons, *losses, *models, *beliefs, *groups]
            case _:
                ideas = [*models, *beliefs, *labels, *horizons, *losses, *groups]
        return possible(self.name, situation, ideas)
