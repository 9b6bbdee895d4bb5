"""What a replayed group was worth at a cutoff, printed: scores with bands, regimes, gates and their power."""

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl

from hydra_assets.columns import FUTURES_CURVE
from hydra_assets.defs.group import GroupHistory
from hydra_assets.evaluation.contracts import input_contracts
from hydra_assets.evaluation.evidence import Played, cycle_evidence
from hydra_assets.evaluation.first_champion import judge_first
from hydra_assets.evaluation.scores import Scores, scores_of
from hydra_assets.evaluation.strategies import played
from hydra_assets.features.curve_group import held_returns
from hydra_assets.models.recipe import FIRST_RECIPES, STRATEGIES
from hydra_assets.replay.costs import CENTS
from hydra_assets.replay.market import MarketArrays
from hydra_assets.stats.returns import SESSIONS_PER_YEAR
from studies.targets import show


def judged(history: GroupHistory, play: Played, cutoff: date, title: str) -> None:
    """Print scores, regimes, gates and power of a replay at a cutoff."""
    print(f"\n{title}")
    labels, regimes = history.labels, history.regimes
    scores = {name: scores_of(play, name, labels, regimes, cutoff) for name in STRATEGIES}
    show(pl.DataFrame([_worth(found) for found in scores.values()], infer_schema_length=None))
    show(pl.DataFrame([_traded(play, found, cutoff) for found in scores.values()], infer_schema_length=None))
    by_regime = [
        {"strategy": name, "regime": regime, "sessions": part.sessions, "net Sharpe": ratio.ratio, "se": ratio.se}
        for name, found in scores.items()
        for regime, part in found.by_regime.items()
        if (ratio := part.sharpe) is not None
    ]
    if by_regime:
        show(pl.DataFrame(by_regime))
    known = history.features.filter(pl.col("session") <= cutoff)
    newest: dict[str, date] = dict(known.group_by("market").agg(pl.col("session").max()).iter_rows())
    held = held_returns(history.lake.read(FUTURES_CURVE.name, markets=[*newest], last=cutoff))
    contracts = input_contracts(known, labels, held, newest, cutoff)
    verdict = judge_first(cycle_evidence(play, list(FIRST_RECIPES), labels, regimes, contracts, cutoff))
    for report in verdict.reports:
        print(f"{report.candidate}: {'passes' if report.passed else 'does not pass'}")
        for gate in report.verdicts:
            print(f"    {gate.gate:24} {gate.status:16} {gate.reason:24} {gate.message}")
        print(f"    power: {report.power.message if report.power else 'none: the returns cannot be judged'}")
    print(f"first champion: {verdict.chosen or 'none'} ({verdict.reason})")


def _worth(found: Scores) -> dict[str, object]:
    gate, brier, base = found.thesis, found.brier, found.brier_base_rate
    return {
        "strategy": found.name,
        "sessions": found.sessions,
        "net Sharpe": gate.sharpe,
        "lower": gate.lower,
        "upper": gate.upper,
        "thesis gate": f"{'green' if gate.green else 'red'}, {gate.reason}",
        "Brier": None if brier is None else f"{brier:.5f}",
        "less base rate's": None if brier is None or base is None else f"{brier - base:+.5f}",
    }


def _traded(play: Played, found: Scores, cutoff: date) -> dict[str, object]:
    """What was done for it, a year: returns in percent of capital, costs in money."""
    place, span = list(play.predictions).index(found.name), play.span(found.name, cutoff)
    figures, years = found.performance.metrics(), max(found.sessions, 1) / SESSIONS_PER_YEAR
    # A replay that the gates judge keeps its positions and fills.
    fills, held = (np.asarray(books)[place, span, 0] for books in (play.replay.fills, play.replay.positions))
    moved = np.flatnonzero(fills)
    cost = float(play.replay.cost_cents[:, place, span].sum()) / CENTS
    lots = int(np.abs(fills).sum())
    return {
        "strategy": found.name,
        "return %": 100.0 * figures.get("annual_return", 0.0),
        "volatility %": 100.0 * figures.get("annual_volatility", 0.0),
        "worst drawdown %": 100.0 * figures.get("max_drawdown", 0.0),
        "sessions with a fill": len(moved),
        "last fill": _day(play.market.days[span][moved[-1]]) if len(moved) else None,
        "held at the end": int(held[-1]) if len(held) else 0,
        "lots a year": lots / years,
        "costs a year": cost / years,
        "cost a lot": cost / lots if lots else None,
    }


def volume_ends(market: MarketArrays) -> date:
    """The last session whose average volume is known, of a replay of one market."""
    return _day(market.days[np.isfinite(market.adv[:, 0])][-1])


def with_volume_carried_on(history: GroupHistory) -> tuple[Played, float]:
    """The same probabilities, where the last average volume is carried on over sessions without one; that average."""
    market = history.market
    known = pl.Series(market.adv[:, 0]).fill_nan(None).fill_null(strategy="forward").fill_null(float("nan")).to_numpy()
    assumed = replace(market, adv=known[:, None])
    again = played(history.predictions, STRATEGIES, assumed)
    return Played(STRATEGIES, history.predictions, assumed, again), float(known[-1])


def _day(number: np.int64) -> date:
    return date.fromordinal(int(number) + date(1970, 1, 1).toordinal())
