"""Evidence for the gates from walk-forwards and their replay, as it stood at a cutoff.

Everything here is causal: a walk-forward's fold, a calibration and a replayed session depend on the past alone, so the
evidence of a cutoff is the evidence of the whole history cut there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hydra_assets.models.labelled import KEY, outcomes, target
from hydra_assets.models.recipe import Recipe
from hydra_assets.models.splits import MIN_TEST_SESSIONS
from hydra_assets.replay.market import MarketArrays
from hydra_assets.replay.result import ReplayResult
from hydra_assets.stats.gate_records import CycleEvidence, StrategyEvidence, WalkForwardFacts
from hydra_assets.stats.returns import Floats
from hydra_assets.stats.trials import ledger_summary
from hydra_assets.verdict import Verdict

EPOCH = date(1970, 1, 1).toordinal()
VOL_STATES = {"calm": 0, "normal": 1, "stressed": 2}


@dataclass(frozen=True, slots=True)
class Played:
    """Strategies over the same sessions: their predictions by name, and the replay in the same order."""

    recipes: Mapping[str, Recipe]
    predictions: Mapping[str, pl.DataFrame]
    market: MarketArrays
    replay: ReplayResult

    def span(self, name: str, cutoff: date) -> slice:
        """Sessions from the strategy's first test up to the cutoff, as rows of the arrays; empty before it.

        It ends with the last session in which any market could be decided on: a position that nobody can leave, since
        volume or prices have ended for good, is no record of a strategy.
        """
        rows = self.predictions[name]
        if rows.is_empty():
            return slice(0, 0)
        first = int(np.searchsorted(self.market.days, _day(rows["session"].min())))
        until = int(np.searchsorted(self.market.days, _day(cutoff), side="right"))
        alive = np.flatnonzero((self.replay.fault[:until] == 0).any(axis=1))
        return slice(first, max(first, int(alive[-1]) + 1 if len(alive) else first))

    def returns(self, name: str) -> Floats:
        """Net profit over capital of every session, ``[session]``."""
        return np.asarray(self.replay.returns[self._place(name)])

    def costs(self, name: str) -> Floats:
        """Costs of every session over capital, ``[session]``."""
        cents = self.replay.cost_cents[:, self._place(name)].sum(axis=0)
        return np.asarray(cents / self.replay.capital_cents)

    def _place(self, name: str) -> int:
        return list(self.predictions).index(name)


def _day(value: object) -> int:
    if not isinstance(value, date):
        msg = f"{value!r} is no date"
        raise TypeError(msg)
    return value.toordinal() - EPOCH


def squared_errors(predictions: pl.DataFrame, labels: pl.DataFrame, recipe: Recipe, market: MarketArrays) -> Floats:
    """Mean (p - y)^2 of the decisions whose outcome each session made known, ``[session]``; NaN where none."""
    known = outcomes(labels, recipe.label)
    rows = predictions.drop_nulls("probability_up").join(known, on=KEY, how="inner", maintain_order="left")
    error = (rows["probability_up"].to_numpy() - target(rows)) ** 2
    day = rows["exit_session"].to_physical().cast(pl.Int64).to_numpy()
    there = np.isin(day, market.days)
    at = np.searchsorted(market.days, day[there])
    count = np.bincount(at, minlength=len(market.days)).astype(np.float64)
    total = np.bincount(at, error[there], minlength=len(market.days))
    return np.where(count > 0.0, total / np.maximum(count, 1.0), np.nan)


def strategy_evidence(played: Played, name: str, labels: pl.DataFrame, span: slice) -> StrategyEvidence:
    """One strategy's record over a span of sessions."""
    recipe = played.recipes[name]
    errors = squared_errors(played.predictions[name], labels, recipe, played.market)
    returns, costs = played.returns(name)[span], played.costs(name)[span]
    return StrategyEvidence(name, returns, costs, errors[span], len(recipe.features))


def facts_of(played: Played, name: str, span: slice) -> WalkForwardFacts:
    """How the returns came about: windows are the folds, a last one of less than a month goes with the one before."""
    recipe, rows = played.recipes[name], played.predictions[name]
    firsts = rows.group_by("fold").agg(pl.col("session").min()).sort("fold")["session"].to_physical().cast(pl.Int64)
    starts = np.searchsorted(played.market.days, firsts.to_numpy())
    inside = [int(start) - span.start for start in starts if span.start <= start < span.stop]
    length = span.stop - span.start
    if len(inside) > 1 and length - inside[-1] < MIN_TEST_SESSIONS:
        inside = inside[:-1]
    windows = tuple(zip(inside, [*inside[1:], length], strict=True)) if inside else ()
    return WalkForwardFacts(
        horizon_sessions=recipe.reach_sessions,
        embargo_sessions=recipe.plan.embargo_sessions,
        purged=True,
        net_of_costs=True,
        same_window=True,
        test_windows=windows,
    )


def pooled_regimes(regimes: pl.DataFrame, market: MarketArrays) -> NDArray[np.int64]:
    """Volatility state of the pool by session, ``[session]``: the rounded mean of the markets' filtered states.

    A session without any keeps the state before it; the calm one where there is none yet.
    """
    state = pl.col("regime_vol").replace_strict(VOL_STATES, default=None, return_dtype=pl.Float64)
    mean = regimes.group_by("session").agg(state.mean().round().alias("state")).drop_nulls().sort("session")
    days = pl.DataFrame({"session": pl.Series(market.days).cast(pl.Int32).cast(pl.Date)})
    found = days.join(mean, on="session", how="left", maintain_order="left")["state"].forward_fill().fill_null(0.0)
    return found.cast(pl.Int64).to_numpy()


def cycle_evidence(
    played: Played,
    names: Sequence[str],
    labels: pl.DataFrame,
    regimes: pl.DataFrame,
    contracts: Sequence[Verdict],
    cutoff: date,
) -> CycleEvidence | None:
    """Evidence of the named strategies against cash at a cutoff; None before the first tested session.

    The ledger is of these trials: a group's first ones.
    """
    spans = [played.span(name, cutoff) for name in names]
    span = slice(max(s.start for s in spans), min(s.stop for s in spans))
    if span.stop <= span.start:
        return None
    known = labels.filter(pl.col("session") <= cutoff)
    sides = tuple(strategy_evidence(played, name, known, span) for name in names)
    return CycleEvidence(
        candidates=sides,
        champion=None,
        walk_forward=facts_of(played, names[0], span),
        contracts=tuple(contracts),
        ledger=ledger_summary(np.stack([side.net_returns for side in sides])),
        regimes=pooled_regimes(regimes, played.market)[span] if len(regimes) else None,
    )
