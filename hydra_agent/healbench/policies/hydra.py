"""HYDRA: the loop's own functions, driven session by session over a case.

observe, diagnose, respond -> amend, confirm or take back -> where the response asks for it: hypothesise, walk up to
the seal, judge with every trial so far, open the hold-out, promote. Order and rules are those of ``hydra_agent.defs``.
"""

from dataclasses import dataclass, field
from typing import Protocol, cast

import numpy as np

from hydra_agent.amend import amended
from hydra_agent.diagnose.causes import CauseCode, Diagnosis
from hydra_agent.diagnose.edge import RECENT_OUTCOMES
from hydra_agent.diagnose.triage import diagnose
from hydra_agent.healbench.case import Case, Event, EventKind, Promotion, Record, Voice
from hydra_agent.healbench.policies.court import Court
from hydra_agent.healbench.throne import Throne
from hydra_agent.observe.model import outcomes_due
from hydra_agent.observe.signals import Level
from hydra_agent.playbook.proposal import Proposal
from hydra_agent.respond import Response, ResponseCode, respond
from hydra_assets.models.recipe import Recipe
from hydra_assets.models.trained import TrainedModel
from hydra_assets.registry.succession import PROVISIONAL_SIZE
from hydra_assets.stats.eprocess import ECode

QUIET = Response(ResponseCode.NONE)


@dataclass(frozen=True, slots=True)
class Hydra:
    """The loop without a language model."""

    name: str = "hydra"

    def run(self, case: Case) -> Record:
        """Live through the case."""
        return Life(case, Court(case)).lived(self.name)


class Advice(Protocol):
    """A language model as far as a turn needs it: another order of the causes, and proposals of its own."""

    def reordered(self, diagnosis: Diagnosis) -> Diagnosis:
        """The same causes in another order."""
        ...

    def proposed(self, champion: Recipe, diagnosis: Diagnosis) -> tuple[Proposal, ...]:
        """Proposals that the playbook allows."""
        ...


@dataclass(eq=False)
class Life:
    """One case lived through."""

    case: Case
    court: Court
    advice: Advice | None = None
    size: float = 1.0
    """Share of its size that the champion is trusted with."""
    last_turn: int = -(10**9)
    last_move: int = -(10**9)
    events: list[Event] = field(default_factory=list)
    promotions: list[Promotion] = field(default_factory=list)
    alarmed: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        t, _ = self.case.shape
        self.probability, self.base, self.exposure = self.case.silence()
        self.causes: list[CauseCode | None] = [None] * t
        self.responses = [ResponseCode.NONE] * t
        self.champion: str | None = None
        """Experiment that the champion comes from."""
        self._crown(Throne(self.case, self.case.recipe, self.case.setting.first, None, confirmed=True), 1.0)

    def lived(self, name: str) -> Record:
        """Go to the end of the path."""
        rows = self.case.shape[0]
        before = ResponseCode.NONE
        for row in range(self.case.setting.first, rows):
            response = self._session(row)
            if response.code not in {before, ResponseCode.NONE, ResponseCode.WATCH}:
                self.alarmed.append(row)
            before = response.code
        self._keep(rows)
        events = sorted(self.events, key=lambda event: event.row)
        return Record(
            name,
            self.probability,
            self.base,
            self.exposure,
            tuple(events),
            tuple(self.promotions),
            tuple(self.causes),
            tuple(self.alarmed),
            tuple(self.responses),
        )

    def _crown(self, throne: Throne, size: float) -> None:
        self.throne, self.size = throne, size
        self.coming = throne.steps(throne.since)

    def _keep(self, stop: int) -> None:
        """What the champion has said up to a row stands."""
        since = self.throne.since
        self.probability[since:stop] = self.throne.probability[since:stop]
        self.base[since:stop] = self.throne.base[since:stop]
        self.events += [event for event in self.throne.refits if event.row < stop]

    def _session(self, row: int) -> Response:
        throne = self.throne
        diagnosis, response = Diagnosis(()), QUIET
        if throne.worst[row] >= Level.WARNING:
            diagnosis = diagnose(self.case.view, throne.reign, throne.health, row)
            response = respond(diagnosis)
        self.causes[row] = diagnosis.top.code if diagnosis.top else None
        self.responses[row] = response.code
        symbols = self.case.view.symbols
        self.exposure[row] = [response.exposure_of(symbol) * self.size for symbol in symbols]
        if row + 1 == self.case.shape[0]:
            return response
        if not self._stage(row):
            self._amend(row, response)
            due = response.heal and row - self.last_turn >= self.case.setting.turn
            if due or row in self.case.forced_turns:
                self._turn(row, diagnosis)
        return response

    def _stage(self, row: int) -> bool:
        """Confirm, take back or retire; whether the champion is another one from the next session on."""
        if not self.coming or self.coming[0].row > row or self.size == 0.0:
            return False
        step, throne = self.coming.pop(0), self.throne
        if step.code is ECode.CONFIRM:
            if self.size < 1.0:
                self.size = 1.0
                self.court.confirmed(self.champion)
                self.events.append(Event(row, EventKind.CONFIRMED))
            return False
        if throne.before is None:
            self.size = 0.0
            self.events.append(Event(row, EventKind.RETIRED))
            return False
        self._keep(row + 1)
        self.events.append(Event(row, EventKind.TAKEN_BACK))
        back, self.champion = throne.before, None
        self._crown(Throne(self.case, back.recipe, row + 1, None, confirmed=True, fit_row=back.fit_row), 1.0)
        return True

    def _amend(self, row: int, response: Response) -> None:
        throne = self.throne
        voice = throne.voice(row)
        if not response.masked and not voice.masked and not response.recalibrate:
            return
        outcomes, said = np.empty(0), np.empty(0)
        if response.recalibrate and row - self.last_move >= self.case.setting.amend:
            up, then = (values[: row + 1].reshape(-1) for values in outcomes_due(self.case.view, throne.reign_now(row)))
            known = np.flatnonzero(np.isfinite(up) & np.isfinite(then))[-RECENT_OUTCOMES:]
            outcomes, said = up[known], then[known]
        # A voice has what is asked of a model: recipe, masked features, offset.
        changed = cast("Voice | None", amended(cast("TrainedModel", voice), response, outcomes, said))
        if changed is None:
            return
        kind = EventKind.MASKED if changed.masked != voice.masked else EventKind.RECALIBRATED
        if changed.offset != voice.offset:
            self.last_move = row
        self.events.append(Event(row, kind, ",".join(changed.masked) or f"{changed.offset:+.2f}"))
        throne.amend(row + 1, changed)
        self.coming = throne.steps(row)

    def _turn(self, row: int, diagnosis: Diagnosis) -> None:
        self.last_turn = row
        throne = self.throne
        extra: tuple[Proposal, ...] = ()
        if self.advice is not None:
            # What is done at once has been decided; words can only change what is tried.
            diagnosis = self.advice.reordered(diagnosis)
            extra = self.advice.proposed(throne.recipe, diagnosis)
        outcome = self.court.turn(row, throne.recipe, diagnosis, extra)
        self.events.append(Event(row, EventKind.TURN, outcome.message, outcome.experiments))
        if outcome.promoted is None:
            return
        self._promote(row, outcome.key, outcome.promoted)

    def _promote(self, row: int, key: str, recipe: Recipe) -> None:
        throne = self.throne
        self._keep(row + 1)
        self.events.append(Event(row, EventKind.PROMOTED, key))
        self.promotions.append(Promotion(row, recipe, throne.recipe))
        self.champion = key
        self._crown(Throne(self.case, recipe, row + 1, throne.voice(row), confirmed=False), PROVISIONAL_SIZE)
