"""The arena: walks played through the same sessions in one replay, and what each has to show for it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hydra_agent.view import Floats, GroupView, Walk, cut_market
from hydra_assets.models.splits import MIN_TEST_SESSIONS
from hydra_assets.replay.batched import replay
from hydra_assets.replay.decisions import DecisionKind, Decisions, candidates_last
from hydra_assets.replay.holding import held_shares
from hydra_assets.replay.market import MarketArrays
from hydra_assets.replay.result import ReplayResult
from hydra_assets.replay.tables import ReplayConfig
from hydra_assets.stats.gate_records import StrategyEvidence, WalkForwardFacts

COIN = 0.25
"""Squared error of one half, whatever becomes of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Returns:
    """Profit over the starting capital of walks in their order, ``[walk, T]`` each: net = gross - costs."""

    net: Floats
    gross: Floats
    costs: Floats


def shares_of_walk(market: MarketArrays, walk: Walk) -> Floats:
    """Signed Kelly shares that a walk is worth after costs, held as its recipe's label is, ``[T, M]``.

    ``evaluation.strategies.shares_of_recipe`` on arrays.
    """
    recipe = walk.recipe
    return held_shares(walk.probability, walk.base, market, recipe.horizon_sessions, recipe.barriers)


def replay_of(
    market: MarketArrays,
    walks: Sequence[Walk],
    config: ReplayConfig | None = None,
    factors: Floats | None = None,
    detail: bool = False,
) -> ReplayResult:
    """Replay walks over their common sessions, the first of the market's, in one batch.

    ``factors`` ``[T, M]`` or ``[walk, T, M]`` are size factors; ``detail`` keeps positions and fills.
    """
    rows = len(walks[0].probability)
    seen = cut_market(market, slice(0, rows))
    values = np.stack([shares_of_walk(seen, walk) for walk in walks])
    sized = None if factors is None else factors[..., :rows, :]
    decisions = Decisions(DecisionKind.KELLY, candidates_last(values), size_factor=sized)
    return replay(seen, decisions, config or ReplayConfig(), detail=detail)


def played(
    market: MarketArrays,
    walks: Sequence[Walk],
    config: ReplayConfig | None = None,
    factors: Floats | None = None,
) -> Returns:
    """What walks earned, one by one, in one replay."""
    result = replay_of(market, walks, config, factors)
    gross = np.asarray(result.gross_cents / result.capital_cents)
    return Returns(result.returns, gross, gross - result.returns)


def squared_errors(view: GroupView, walk: Walk) -> Floats:
    """Mean (p - y)^2 of the decisions whose outcome each session made known, ``[T]``; NaN where none.

    y is of the walk's own label.
    """
    view, rows = view.of(walk.recipe.label), len(walk.probability)
    known = (view.exit_row[:rows] >= 0) & (view.exit_row[:rows] < rows) & np.isfinite(walk.probability)
    at = view.exit_row[:rows][known]
    error = (walk.probability[known] - view.up[:rows][known]) ** 2
    count = np.bincount(at, minlength=rows).astype(np.float64)
    total = np.bincount(at, error, minlength=rows)
    return np.where(count > 0.0, total / np.maximum(count, 1.0), np.nan)


def errors_beside_coin(view: GroupView, walk: Walk) -> Floats:
    """Squared errors less those of the walk's own base rate, beside a coin's quarter: comparable over labels, ``[T]``.

    A label that rises in a third of all cases is foreseen with 2/9 by knowing nothing. What a recipe knows is what it
    has over the base rate of its own label, as known at each decision.
    """
    blind = replace(walk, probability=np.where(np.isfinite(walk.probability), walk.base, np.nan))
    return COIN + squared_errors(view, walk) - squared_errors(view, blind)


def tested_span(view: GroupView, walks: Sequence[Walk]) -> slice:
    """Sessions that all walks have tested, to the last in which any market could be decided on; may be empty."""
    rows = min(len(walk.probability) for walk in walks)
    first = max(walk.starts[0] if walk.starts else rows for walk in walks)
    market = view.market
    alive = np.flatnonzero((market.priced & (market.adv > 0.0))[:rows].any(axis=1))
    return slice(first, max(first, int(alive[-1]) + 1 if len(alive) else first))


def evidence_of(view: GroupView, walks: Sequence[Walk], returns: Returns, span: slice) -> tuple[StrategyEvidence, ...]:
    """Each walk's record over a span of sessions.

    Walks of one label stand with their squared errors, walks of several with what they have over their base rates.
    """
    several = len({walk.recipe.label for walk in walks}) > 1
    return tuple(
        StrategyEvidence(
            walk.name,
            returns.net[i, span],
            returns.costs[i, span],
            (errors_beside_coin if several else squared_errors)(view, walk)[span],
            len(walk.recipe.features),
        )
        for i, walk in enumerate(walks)
    )


def facts_of(walk: Walk, span: slice) -> WalkForwardFacts:
    """How a walk's returns came about: windows are its folds, a short last one goes with the one before."""
    recipe = walk.recipe
    inside = [start - span.start for start in walk.starts if span.start <= start < span.stop]
    length = span.stop - span.start
    if not inside or inside[0] > 0:
        inside = [0, *inside]
    if len(inside) > 1 and length - inside[-1] < MIN_TEST_SESSIONS:
        inside = inside[:-1]
    return WalkForwardFacts(
        horizon_sessions=recipe.reach_sessions,
        embargo_sessions=recipe.plan.embargo_sessions,
        purged=True,
        net_of_costs=True,
        same_window=True,
        test_windows=tuple(zip(inside, [*inside[1:], length], strict=True)),
    )
