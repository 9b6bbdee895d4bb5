"""The structural head: another model, a blend, another strength of belief, or a group of features less."""

from dataclasses import dataclass

from hydra_agent.diagnose.causes import CauseCode
from hydra_agent.heads.base import Situation, possible
from hydra_agent.heads.technical import Idea
from hydra_agent.playbook.mutations import Architecture, Belief, Blend, DropGroup, RetrainWindow
from hydra_agent.playbook.proposal import Proposal

SHORT_WINDOW = 504


@dataclass(frozen=True, slots=True)
class StructuralHead:
    """Proposes once a month."""

    name: str = "structural"
    every_sessions: int = 21

    def propose(self, situation: Situation) -> list[Proposal]:
        """Beliefs first where the edge has turned, models first otherwise."""
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
        top = situation.diagnosis.top
        turned = top is not None and top.code in {CauseCode.EDGE_REVERSED, CauseCode.EDGE_DECAY}
        return possible(
            self.name, situation, [*free, *beliefs, *models, *groups] if turned else [*models, *beliefs, *groups]
        )
