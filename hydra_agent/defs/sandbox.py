"""The sandbox: the champion or a candidate played again on chosen sessions, or under stress. In memory; writes nothing.

A candidate is played up to its seal and no further: the hold-out behind it is opened by gate 8 or by nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from hydra_agent.arena import played, tested_span
from hydra_agent.defs.group_watch import Parts, recipe_walk
from hydra_agent.defs.hypotheses import planned_of
from hydra_agent.defs.laboratory import bench_of, cut_history
from hydra_agent.defs.operating import OperatingError
from hydra_agent.experiment.task import ExperimentKey
from hydra_agent.frames import session_of, view_of
from hydra_assets.defs.group import GroupHistory
from hydra_assets.evaluation.stressed import stressed
from hydra_assets.models.protocol import ModelError
from hydra_assets.models.recipe import Recipe
from hydra_assets.registry.champions import champion_as_of
from hydra_assets.state.journal import JournalEntry
from hydra_assets.stats.performance import performance
from hydra_assets.stress.frame import report_frame
from hydra_assets.stress.plan import BootstrapPaths, CopulaPaths, Scenario, StressPlan

LEAST_SESSIONS = 20


@dataclass(frozen=True, slots=True)
class Record:
    """What a recipe would have earned on the chosen sessions, after costs, over capital."""

    name: str
    sessions: int
    net: float
    costs: float
    sharpe: float | None
    """Annual; None where too little varies."""
    max_drawdown: float | None


@dataclass(frozen=True, slots=True)
class Played:
    """Records over the same sessions, the one that was asked for first."""

    group: str
    first: date
    last: date
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class _Side:
    """Who is played, on which history, and the reigning recipe beside it."""

    group: str
    name: str
    recipe: Recipe
    history: GroupHistory
    champion: tuple[str, Recipe] | None


def _side(parts: Parts, group: str, candidate: str | None) -> _Side:
    if candidate is None:
        champion = champion_as_of(parts.champions(group), date.max)
        if champion is None:
            raise OperatingError(f"{group} has no champion; name a candidate with --candidate")
        return _Side(group, champion.model.name, champion.model.recipe, parts.history(group, date.max), None)
    plan = _plan(parts, candidate)
    bench = bench_of(parts, plan.model_group, plan.session)
    reigning = bench.champion
    beside = None if reigning is None else (f"champion ({reigning.model.name})", reigning.model.recipe)
    return _Side(plan.model_group, candidate, _recipe(plan), bench.known, beside)


def _plan(parts: Parts, candidate: str) -> JournalEntry:
    if not ExperimentKey.fits(candidate):
        raise OperatingError(f"{candidate!r} is no experiment; `hydra experiments` lists their keys")
    try:
        return planned_of(parts, [candidate])[candidate]
    except KeyError as unknown:
        raise OperatingError(f"nobody has planned {candidate}; `hydra experiments` lists what was") from unknown


def _recipe(plan: JournalEntry) -> Recipe:
    return Recipe.model_validate_json(plan.facts["recipe"])


def replayed(
    parts: Parts, group: str, candidate: str | None = None, first: date | None = None, last: date | None = None
) -> Played:
    """Play a recipe's walk-forward on chosen sessions, a candidate beside the champion that it was tried against.

    Raises
    ------
    OperatingError
        Nobody to play, or no session that was tested out of sample among those chosen.
    """
    side = _side(parts, group, candidate)
    history = side.history
    view = view_of(history.features, history.labels, history.regimes, history.curve, history.market)
    named = [(side.name, side.recipe), *([side.champion] if side.champion else [])]
    try:
        walks = [recipe_walk(history, name, recipe) for name, recipe in named]
    except ModelError as refused:
        raise OperatingError(f"{side.name} cannot be trained: {refused}") from refused
    returns = played(history.market, walks, factors=history.factors)
    tested = tested_span(view, walks)
    days = [session_of(view, row) for row in range(len(view))]
    chosen = [t for t in range(tested.start, tested.stop) if (first or date.min) <= days[t] <= (last or date.max)]
    if len(chosen) < LEAST_SESSIONS:
        seal = " (what comes after is sealed)" if candidate else ""
        where = f"{days[tested.start]} to {days[tested.stop - 1]}{seal}" if tested.stop > tested.start else "none"
        raise OperatingError(f"{len(chosen)} tested sessions are fewer than {LEAST_SESSIONS}; those tested are {where}")
    rows = slice(chosen[0], chosen[-1] + 1)
    records = tuple(
        _record(name, returns.net[i, rows], returns.costs[i, rows], recipe.horizon_sessions)
        for i, (name, recipe) in enumerate(named)
    )
    return Played(side.group, days[chosen[0]], days[chosen[-1]], records)


def _record(
    name: str,
    net: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    costs: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    horizon: int,
) -> Record:
    found = performance(net, horizon_sessions=horizon, minimum=LEAST_SESSIONS)
    ratio = None if found.sharpe is None else found.sharpe.ratio
    return Record(name, len(net), float(net.sum()), float(costs.sum()), ratio, found.max_drawdown)


def stress(
    parts: Parts, group: str, candidate: str | None = None, scenarios: Sequence[str] = (), last: date | None = None
) -> pl.DataFrame:
    """A recipe's decisions under stress: one row a scenario, as ``stress_report`` has them.

    Raises
    ------
    OperatingError
        Nobody to play, or a scenario that does not exist.
    """
    unknown = [name for name in scenarios if name not in set(Scenario)]
    if unknown:
        raise OperatingError(f"there is no scenario {', '.join(unknown)}; there are {', '.join(Scenario)}")
    side = _side(parts, group, candidate)
    history = side.history if last is None else cut_history(side.history, min(last, side.history.last))
    cutoff = history.features["session"].max()
    if not isinstance(cutoff, date):
        raise OperatingError(f"{group} has no session up to {last}")
    play = history.play({side.name: side.recipe})
    if play.predictions[side.name].is_empty():
        raise OperatingError(f"nothing of {side.name} was tested out of sample up to {cutoff}")
    wanted = {Scenario(name) for name in scenarios} or set(Scenario)
    found = report_frame(stressed(play, side.name, history.factors, cutoff, _plan_of(wanted)))
    return found.filter(pl.col("scenario").is_in([str(scenario) for scenario in wanted]))


def _plan_of(wanted: set[Scenario]) -> StressPlan:
    """The usual plan without the paths that nobody asked for: they are what takes time."""
    plan = StressPlan()
    bootstrap = plan.stationary_bootstrap if Scenario.STATIONARY_BOOTSTRAP in wanted else BootstrapPaths(paths=0)
    copula = plan.copula if Scenario.COPULA in wanted else CopulaPaths(paths=0)
    return plan.model_copy(update={"stationary_bootstrap": bootstrap, "copula": copula})
