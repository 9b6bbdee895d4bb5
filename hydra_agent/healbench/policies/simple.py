"""Policies without a loop: the two ends, and refits by the calendar."""

from dataclasses import dataclass

from hydra_agent.healbench.case import Case, Event, EventKind, Record, Voice

DO_NOTHING, ORACLE = "do nothing", "oracle"


@dataclass(frozen=True, slots=True)
class DoNothing:
    """The first champion's fit for ever."""

    name: str = DO_NOTHING

    def run(self, case: Case) -> Record:
        """Say everything with one fit."""
        first, rows = case.setting.first, case.shape[0]
        probability, base, exposure = case.silence()
        probability[first:], base[first:] = case.spoken(Voice(case.recipe, first), first, rows)
        return Record(self.name, probability, base, exposure)


@dataclass(frozen=True, slots=True)
class RetrainEvery:
    """The same recipe fitted anew to everything known, every so many sessions, whatever comes of it."""

    sessions: int

    @property
    def name(self) -> str:
        """Name in tables."""
        return f"retrain {self.sessions}"

    def run(self, case: Case) -> Record:
        """Refit by the calendar."""
        rows = case.shape[0]
        probability, base, exposure = case.silence()
        starts = list(range(case.setting.first, rows, self.sessions))
        for start, end in zip(starts, [*starts[1:], rows], strict=True):
            probability[start:end], base[start:end] = case.spoken(Voice(case.recipe, start), start, end)
        events = tuple(Event(start, EventKind.REFIT) for start in starts[1:])
        return Record(self.name, probability, base, exposure, events)


@dataclass(frozen=True, slots=True)
class Oracle:
    """Does nothing up to the fault and from then on knows the true edge, and what every source should have said."""

    name: str = ORACLE

    def run(self, case: Case) -> Record:
        """Say the truth from the fault's session on."""
        before = DoNothing().run(case)
        probability, base = before.probability, before.base
        truth = case.world.truth
        probability[case.fault_row :] = truth.probability[case.fault_row :]
        base[case.fault_row :] = truth.base[case.fault_row :]
        return Record(self.name, probability, base, before.exposure)
