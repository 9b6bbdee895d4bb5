"""The stress report of one recipe: all scenarios replayed, every path measured, one verdict."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from hydra_assets.replay.costs import CENTS
from hydra_assets.replay.decisions import Decisions
from hydra_assets.replay.market import MarketArrays, faults
from hydra_assets.replay.tables import ReplayConfig
from hydra_assets.stats.returns import MIN_SESSIONS, is_flat
from hydra_assets.stats.superior import block_length
from hydra_assets.stress.bootstrap import bootstrap_batches
from hydra_assets.stress.copula_paths import CopulaModel, copula_batches, copula_model
from hydra_assets.stress.dated import DatedWorld, dated_worlds
from hydra_assets.stress.measures import outcomes, verdict
from hydra_assets.stress.path_replay import PathBooks, replay_paths
from hydra_assets.stress.paths import PathBatch, Wishes, World, earning_lag, from_session, paths_at_once, stack
from hydra_assets.stress.plan import DATED, SCENARIOS, Scenario, StressPlan
from hydra_assets.stress.records import (
    GRAVITY,
    HARMLESS,
    Finding,
    PathOutcome,
    ScenarioResult,
    StressReason,
    StressReport,
)

_DEFAULT = StressPlan()


def stress_report(
    market: MarketArrays, decisions: Decisions, config: ReplayConfig, plan: StressPlan = _DEFAULT
) -> StressReport:
    """Stress one recipe's out-of-sample decisions.

    Parameters
    ----------
    market
        ``[session, market]`` arrays of the sessions walked forward.
    decisions
        ``[1, session, market]`` calibrated probabilities (or signed shares of Kelly) of the same sessions. What lies
        before the first decision is left out.
    config
        The replay's own; fills at the settle or at the open.
    plan
        Scenarios, seed and limits. The same plan and input give the same report to the bit.

    Raises
    ------
    ValueError
        On what a programmer got wrong: shapes, several candidates, lots, limit orders, a probability outside [0, 1].
        Data that cannot be judged gives a report with a reason.
    """
    if decisions.values.shape[1:] != market.settle.shape:
        msg = f"decisions are {decisions.values.shape}, prices {market.settle.shape}"
        raise ValueError(msg)
    world = World(market, Wishes.of(decisions, config))
    decided = ((faults(market) == 0) & ~world.wishes.missing).any(axis=1)
    world = from_session(world, int(np.argmax(decided)))
    findings, stop = _input_findings(world, plan)
    if stop:
        return _report(world, market, config, plan, findings)
    unstressed = stack([world])
    books = replay_paths(unstressed, config)
    run = _Run(world, config, plan, books)
    results = [_result(Scenario.UNSTRESSED, run.outcomes(books), plan)]
    if not books.positions.any():
        findings.append(Finding(StressReason.NEVER_TRADED, None, "no decision was large enough for one lot"))
        return _report(world, market, config, plan, findings, results)
    block, model = _block(books, config, plan), None
    if plan.stationary_bootstrap.paths:
        results.append(_bootstrap(run, block))
    if plan.copula.paths:
        model = copula_model(world, earning_lag(world.market, config.fills), plan.copula.least_sessions)
        results.append(_copula(run, block, model))
    results += _dated(run)
    return _report(world, market, config, plan, findings, results, block, model)


@dataclass(frozen=True, slots=True)
class _Run:
    """What all scenarios share; ``books`` are those of the unstressed run."""

    world: World
    config: ReplayConfig
    plan: StressPlan
    books: PathBooks

    def outcomes(self, books: PathBooks, dated: Sequence[DatedWorld] = ()) -> tuple[PathOutcome, ...]:
        return outcomes(books, self.books, self.plan.limits, self.world.market.terms.symbols, dated)

    def replayed(self, batches: Iterable[PathBatch]) -> list[PathOutcome]:
        return [one for paths in batches for one in self.outcomes(replay_paths(paths, self.config))]


def _input_findings(world: World, plan: StressPlan) -> tuple[list[Finding], bool]:
    """What is wrong with the input, and whether it forbids a replay."""
    usable = faults(world.market) == 0
    sessions = len(usable)
    if sessions < plan.least_sessions:
        text = f"{sessions} sessions, {plan.least_sessions} needed"
        return [Finding(StressReason.TOO_FEW_SESSIONS, None, text)], True
    decidable, gap = int(usable.sum()), int((usable & world.wishes.missing).sum())
    if gap == decidable:
        text = f"none of {decidable} usable sessions of the markets has a decision"
        return [Finding(StressReason.NO_DECISION, None, text)], True
    findings = [
        Finding(StressReason.MARKET_MISSING, None, f"{symbol} has no usable session")
        for symbol, seen in zip(world.market.terms.symbols, usable.any(axis=0), strict=True)
        if not seen
    ]
    if gap > plan.limits.missing_share * decidable:
        text = f"{gap} of {decidable} decisions are missing"
        findings.append(Finding(StressReason.DECISIONS_MOSTLY_MISSING, None, text))
    return findings, False


def _block(books: PathBooks, config: ReplayConfig, plan: StressPlan) -> int:
    """Mean block in sessions: as told, or by the unstressed net returns and the label's horizon."""
    told, returns = plan.stationary_bootstrap.block_sessions, books.returns[0]
    if told is not None:
        return told
    least = plan.stationary_bootstrap.least_horizons * config.sizing.horizon_sessions
    return least if len(returns) < MIN_SESSIONS or is_flat(returns) else block_length(returns, least)


def _bootstrap(run: _Run, block: int) -> ScenarioResult:
    scenario, told = Scenario.STATIONARY_BOOTSTRAP, run.plan.stationary_bootstrap
    random = np.random.default_rng((run.plan.seed, SCENARIOS.index(scenario)))
    lag = earning_lag(run.world.market, run.config.fills)
    batches = bootstrap_batches(run.world, lag, told.paths, block, random, f"#{scenario}")
    return _result(scenario, run.replayed(batches), run.plan)


def _copula(run: _Run, block: int, model: CopulaModel | None) -> ScenarioResult:
    scenario, told = Scenario.COPULA, run.plan.copula
    if model is None:
        text = f"fewer than {told.least_sessions} sessions with all returns and signals"
        return ScenarioResult(scenario, StressReason.TOO_FEW_SESSIONS, text, ())
    seed = (run.plan.seed, SCENARIOS.index(scenario))
    batches = copula_batches(run.world, model, told.paths, block, seed, f"#{scenario}")
    return _result(scenario, run.replayed(batches), run.plan)


def _dated(run: _Run) -> list[ScenarioResult]:
    """All scenarios with dates, their worlds replayed together."""
    worlds = [one for scenario in DATED for one in dated_worlds(scenario, run.world, run.books, run.plan)]
    found: list[PathOutcome] = []
    width = paths_at_once(run.world.market)
    for low in range(0, len(worlds), width):
        some = worlds[low : low + width]
        found += run.outcomes(replay_paths(stack([one.world for one in some]), run.config), some)
    results = []
    for scenario in DATED:
        own = [outcome for one, outcome in zip(worlds, found, strict=True) if one.scenario is scenario]
        results.append(_result(scenario, own, run.plan))
    return results


def _result(scenario: Scenario, paths: Iterable[PathOutcome], plan: StressPlan) -> ScenarioResult:
    own = tuple(paths)
    if not own:
        return ScenarioResult(scenario, StressReason.NOTHING_AT_STAKE, "no date at which the book could be hurt", ())
    return ScenarioResult(scenario, *verdict(own, plan.limits), own)


def _report(
    world: World,
    given: MarketArrays,
    config: ReplayConfig,
    plan: StressPlan,
    findings: list[Finding],
    results: Sequence[ScenarioResult] = (),
    block: int | None = None,
    model: CopulaModel | None = None,
) -> StressReport:
    wrong = findings + [
        Finding(result.reason, result.scenario, result.message) for result in results if result.reason not in HARMLESS
    ]
    return StressReport(
        symbols=world.market.terms.symbols,
        first_session=len(given.days) - len(world.market.days),
        sessions=len(world.market.days),
        capital=config.capital_cents / CENTS,
        plan=plan,
        block_sessions=block,
        copula_degrees=None if model is None else model.copula.degrees,
        findings=tuple(sorted(wrong, key=lambda finding: GRAVITY.index(finding.reason))),
        results=tuple(results),
    )
