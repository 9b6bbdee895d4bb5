"""What a strategy was worth out of sample up to a cutoff: performance, calibration, regimes, capacity, the thesis."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from hydra_assets.evaluation.capacity import capacity_of, turnover_of
from hydra_assets.evaluation.evidence import Played, pooled_regimes, squared_errors
from hydra_assets.models.calibration import CurvePoint, calibration_curve
from hydra_assets.models.labelled import KEY, outcomes, target
from hydra_assets.stats.fitness import fitness
from hydra_assets.stats.performance import Capacity, Performance, performance, performance_by_regime
from hydra_assets.stats.returns import Floats
from hydra_assets.stats.thesis import ThesisVerdict, thesis_gate

REGIME_NAMES = ("calm", "normal", "stressed")
CURVE_BINS = 8


@dataclass(frozen=True, slots=True)
class Scores:
    """Figures of one strategy over its tested sessions up to a cutoff; what cannot be computed is left out."""

    name: str
    sessions: int
    performance: Performance
    by_regime: Mapping[str, Performance]
    brier: float | None
    brier_base_rate: float | None
    """Of the base rate that was known at each decision: what no signal scores."""
    curve: tuple[CurvePoint, ...]
    fitness: float | None
    turnover: float | None
    """Capital traded a year over capital."""
    capacity: Capacity | None
    """In multiples of the configured capital."""
    thesis: ThesisVerdict

    @property
    def metrics(self) -> dict[str, float]:
        """Named figures for the registry."""
        found = self.performance.metrics() | {"tested_sessions": float(self.sessions)}
        named = {"brier": self.brier, "brier_base_rate": self.brier_base_rate, "fitness": self.fitness}
        named |= {"turnover": self.turnover, "capacity": self.capacity.break_even if self.capacity else None}
        found |= {name: value for name, value in named.items() if value is not None}
        for regime, figures in self.by_regime.items():
            found |= {k: v for k, v in figures.metrics(f"{regime}_").items() if k.endswith(("sharpe", "hit_rate"))}
        thesis = {"thesis_lower": self.thesis.lower, "thesis_upper": self.thesis.upper}
        return found | {name: value for name, value in thesis.items() if value is not None}

    def to_json(self) -> str:
        """All of it, for a reader."""
        return json.dumps(_plain(asdict(self)), indent=1, sort_keys=True)


def _plain(value: Any) -> Any:
    """JSON has no NaN; numbers of NumPy are none of its own."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value


def scores_of(played: Played, name: str, labels: pl.DataFrame, regimes: pl.DataFrame, cutoff: date) -> Scores:
    """Score one strategy on what was known at a cutoff."""
    recipe, span = played.recipes[name], played.span(name, cutoff)
    returns, costs = played.returns(name)[span], played.costs(name)[span]
    known = labels.filter(pl.col("session") <= cutoff)
    rows = played.predictions[name]
    errors = squared_errors(rows, known, recipe, played.market)[span]
    blind = rows.with_columns(pl.col("base_rate").alias("probability_up"))
    base = squared_errors(blind, known, recipe, played.market)[span]
    done = rows.drop_nulls("probability_up").join(outcomes(known, recipe.label), on=KEY, how="inner")
    states = pooled_regimes(regimes, played.market)[span]
    found = performance(returns, costs, horizon_sessions=recipe.reach_sessions) if len(returns) else performance([0.0])
    return Scores(
        name=name,
        sessions=len(returns),
        performance=found,
        by_regime={
            REGIME_NAMES[state]: figures
            for state, figures in performance_by_regime(returns, states, recipe.reach_sessions).items()
        },
        brier=_mean(errors),
        brier_base_rate=_mean(base),
        curve=tuple(calibration_curve(done["probability_up"].to_numpy(), target(done), CURVE_BINS)),
        fitness=fitness(returns, costs, errors, len(recipe.features)).total if len(returns) else None,
        turnover=turnover_of(played, name, span),
        capacity=capacity_of(played, name, span),
        thesis=thesis_gate(returns, recipe.reach_sessions),
    )


def _mean(values: Floats) -> float | None:
    found = values[np.isfinite(values)]
    return float(found.mean()) if len(found) else None
