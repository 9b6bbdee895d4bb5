"""The technical head: the same model on other data, with other settings, or without what harms it."""

from dataclasses import dataclass

from hydra_agent.diagnose.causes import CauseCode
from hydra_agent.heads.base import Situation, possible
from hydra_agent.playbook.mutations import (
    BOUNDS,
    Hyperparameter,
    Mutation,
    QuarantineFeature,
    RefitEvery,
    RetrainWindow,
)
from hydra_agent.playbook.proposal import Proposal

WINDOWS = (252, 378, 504, 756, 1008, None)
STEPS = (0.5, 2.0)
CHANGED = frozenset({CauseCode.EDGE_DECAY, CauseCode.EDGE_REVERSED, CauseCode.REGIME_CHANGE})
SETTINGS = ("prior_sd", "learning_rate", "trees", "leaves", "l2", "min_rows_per_leaf", "feature_share")
HARMFUL = 3
"""Features that harm most and are tried to be left out."""

Idea = tuple[tuple[Mutation, ...], str]


@dataclass(frozen=True, slots=True)
class TechnicalHead:
    """Proposes in every cycle."""

    name: str = "technical"
    every_sessions: int = 1

    def propose(self, situation: Situation) -> list[Proposal]:
        """What the diagnosis asks for first, then one setting at a time, then pairs of the first."""
        top = situation.diagnosis.top
        code = top.code if top else None
        windows: list[Idea] = [
            ((RetrainWindow(window_sessions=w),), f"train on {w or 'all'} sessions")
            for w in WINDOWS
            if w is None or w < situation.sessions
        ]
        if code in CHANGED:
            # A market that has changed is learned from what came after: short windows first, fitted more often.
            windows.sort(key=lambda idea: _window(idea[0][0]))
        out = self._quarantine(situation)
        settings = self._settings(situation)
        schedule: list[Idea] = [((RefitEvery(refit_sessions=n),), f"fit every {n} sessions") for n in (21, 42, 126)]
        if code is CauseCode.OVERFITTING_DECAY:
            ideas = out + settings + windows + schedule
        else:
            ideas = out + windows + schedule + settings
        pairs: list[Idea] = [
            ((*one[0], *other[0]), f"{one[1]} and {other[1]}")
            for one in windows[:3]
            for other in (*settings, *schedule)
        ]
        return possible(self.name, situation, ideas + pairs)

    def _quarantine(self, situation: Situation) -> list[Idea]:
        named = [
            name
            for cause in situation.diagnosis.causes
            if cause.code is CauseCode.FEATURE_CORRUPTED
            for name in cause.features
        ]
        harmful = [name for name, harm in situation.harm[:HARMFUL] if harm > 0.0]
        return [
            ((QuarantineFeature(feature=name),), f"without {name}, which {why}")
            for names, why in ((named, "is corrupted"), (harmful, "harms most"))
            for name in names
        ]

    def _settings(self, situation: Situation) -> list[Idea]:
        model = situation.champion.model.model_dump()
        out: list[Idea] = []
        for name in SETTINGS:
            if name not in model:
                continue
            low, high = BOUNDS[name]
            for step in STEPS:
                value = model[name] * step
                value = round(value) if isinstance(model[name], int) else value
                if low <= value <= high:
                    words = f"{name} of {value:g} instead of {model[name]:g}"
                    out.append(((Hyperparameter.model_validate({"name": name, "value": float(value)}),), words))
        return out


def _window(mutation: Mutation) -> float:
    window = mutation.window_sessions if isinstance(mutation, RetrainWindow) else None
    return float("inf") if window is None else float(window)
