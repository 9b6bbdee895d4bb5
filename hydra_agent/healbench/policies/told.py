"""What is reachable without knowing the edge: told of the fault when it begins and ends, and answering it rightly."""

from dataclasses import dataclass

from scipy.special import expit

from hydra_agent.healbench.case import Case, Event, EventKind, Record, Voice
from hydra_agent.healbench.faults.protocol import FaultName
from hydra_agent.healbench.policies.simple import RetrainEvery
from hydra_agent.healbench.worlds import Planted
from hydra_agent.view import Floats
from hydra_assets.models.calibration import log_odds
from hydra_assets.models.linear import Logistic

TOLD = "told of the fault"
HEALED_AFTER = 252
"""Sessions of another edge after which a model is trained on nothing else."""


@dataclass(frozen=True, slots=True)
class Told:
    """The champion's recipe refitted every quarter, and the table's right response while the fault lasts.

    It trades nothing while the edge is not above zero; where it has turned round, a model without beliefs that knows
    nothing from before begins a year later. Between this policy and the oracle lies what only the edge itself would
    tell; between HYDRA and this policy what finding the fault costs.
    """

    name: str = TOLD

    def run(self, case: Case) -> Record:
        """Refit by the calendar, respond by what is known of the fault."""
        found = RetrainEvery(case.setting.refit).run(case)
        probability, base, exposure = found.probability.copy(), found.base.copy(), found.exposure.copy()
        events = list(found.events)
        for planted in case.world.truth.planted:
            span = slice(planted.session, planted.until)
            match FaultName(planted.name):
                case FaultName.REGIME_CHANGE | FaultName.SIGN_FLIP:
                    exposure[case.world.truth.course.beta <= 0.0] = 0.0
                    events += _healed(case, planted, probability, base, exposure)
                case FaultName.UNIT_CHANGE:
                    exposure[span, case.view.symbols.index(planted.market)] = 0.0
                case FaultName.STALE_SOURCE:
                    exposure[span] = 0.0
                case FaultName.LIQUIDITY_DROUGHT:
                    exposure[span] = case.world.truth.course.volume[span, None]
                case FaultName.CORRUPTED_FEATURE:
                    _masked(case, planted, probability, base)
                case FaultName.LABEL_SHIFT:
                    moved = log_odds(case.world.truth.base[span]) - log_odds(base[span])
                    probability[span] = expit(log_odds(probability[span]) + moved)
                    base[span] = case.world.truth.base[span]
                case _:
                    pass
        return Record(self.name, probability, base, exposure, tuple(events))


def _masked(case: Case, planted: Planted, probability: Floats, base: Floats) -> None:
    feature = planted.about.partition(":")[0]
    if feature not in case.recipe.features:
        return
    first, refit, rows = case.setting.first, case.setting.refit, case.shape[0]
    for fit_row in range(first, rows, refit):
        start, end = max(fit_row, planted.session), min(fit_row + refit, rows)
        if start < end:
            probability[start:end], base[start:end] = case.spoken(Voice(case.recipe, fit_row, (feature,)), start, end)


def _healed(case: Case, planted: Planted, probability: Floats, base: Floats, exposure: Floats) -> list[Event]:
    """Trade a model of the sessions since the edge turned, once there is a year of them."""
    begin = planted.session + HEALED_AFTER
    if begin >= case.shape[0] or case.world.truth.course.beta[begin] >= 0.0:
        return []
    starts = list(range(begin, case.shape[0], case.setting.refit))
    for start, end in zip(starts, [*starts[1:], case.shape[0]], strict=True):
        recipe = case.recipe.model_copy(
            update={"model": Logistic(prior_sd=0.1), "window_sessions": start - planted.session}
        )
        probability[start:end], base[start:end] = case.spoken(Voice(recipe, start), start, end)
        exposure[start:end] = 1.0
    return [Event(start, EventKind.REFIT) for start in starts]
