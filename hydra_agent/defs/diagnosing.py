"""A group's diagnosis as a person reads it: signals, causes, whose errors they are, and what is done about it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from hydra_agent.arena import played
from hydra_agent.defs.group_watch import Parts, group_watch
from hydra_agent.defs.succession import predecessor_of
from hydra_agent.diagnose.attribution import Attribution, attribute
from hydra_agent.diagnose.causes import Cause
from hydra_agent.frames import said_by, session_of
from hydra_agent.observe.signals import Level, Signal
from hydra_agent.respond import Response
from hydra_agent.shadow import BETS
from hydra_agent.view import GroupView, Reign
from hydra_agent.watch import GroupWatch
from hydra_assets.defs.group import GroupHistory
from hydra_assets.registry.champions import Champion, champion_as_of
from hydra_assets.state.promotions import stage_as_of
from hydra_assets.state.records import StageKind
from hydra_assets.stats.eprocess import e_process

RECENT_SESSIONS = 63
"""Sessions before the newest whose errors are held against those of the reign before them."""


@dataclass(frozen=True, slots=True)
class Shadow:
    """The champion's bet against its predecessor, or against cash: wealth for it and against it, from 1."""

    against: str
    """``version 3`` or ``cash``."""
    e_for: float
    e_against: float


@dataclass(frozen=True, slots=True)
class Finding:
    """Everything that is known of a group's health at its newest session."""

    group: str
    session: date
    champion: str
    """Version and recipe; empty where nobody reigns."""
    stage: str
    size_fraction: float
    signals: tuple[Signal, ...]
    """Of WARNING and more, gravest first."""
    causes: tuple[Cause, ...]
    response: Response
    exposure: dict[str, float]
    """By market the share of its size that it may trade: the response's times the champion's."""
    errors: Attribution | None
    """None where nobody reigns, nobody asked, or the model has no exact contributions."""
    shadow: Shadow | None

    def record(self) -> dict[str, Any]:
        """The same for programs; JSON has no NaN."""
        errors = asdict(self.errors) if self.errors is not None else None
        return {
            "group": self.group,
            "session": self.session.isoformat(),
            "champion": self.champion,
            "stage": self.stage,
            "size_fraction": self.size_fraction,
            "signals": [
                {
                    "family": str(s.family),
                    "name": s.name,
                    "scope": s.scope,
                    "level": s.level.name,
                    "reason": str(s.reason),
                    "statistic": s.statistic if np.isfinite(s.statistic) else None,
                    "threshold": s.threshold,
                }
                for s in self.signals
            ],
            "causes": [
                asdict(c) | {"code": str(c.code), "evidence": {k: _number(v) for k, v in c.evidence.items()}}
                for c in self.causes
            ],
            "response": str(self.response.code),
            "demand": str(self.response.demand),
            "experiments_warranted": self.response.heal,
            "masked": list(self.response.masked),
            "exposure": self.exposure,
            "errors": errors,
            "shadow": asdict(self.shadow) if self.shadow is not None else None,
        }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def diagnosed(parts: Parts, group: str, last: date = date.max, *, explain: bool = True) -> Finding | None:
    """Look at a group as of a session; None before its first features. Writes nothing.

    ``explain`` attributes errors to features, which nothing is decided by.
    """
    watch = group_watch(parts, group, last)
    if watch is None:
        return None
    row = len(watch.view) - 1
    diagnosis, response = watch.decided(row)
    session, reign = session_of(watch.view, row), watch.reign(row)
    champions = parts.champions(group)
    # What is decided on a session is in force on the next.
    stage = stage_as_of(watch.stages, date.max) if reign is not None else None
    size = stage.size_fraction if stage is not None else (1.0 if reign is not None else 0.0)
    history = parts.history(group, last)
    return Finding(
        group=group,
        session=session,
        champion=_named(champions) if reign is not None else "",
        stage=str(stage.stage if stage is not None else StageKind.FULL) if reign is not None else "none",
        size_fraction=size,
        signals=tuple(watch.health(row).at(row, Level.WARNING)),
        causes=diagnosis.causes,
        response=response,
        exposure={symbol: response.exposure_of(symbol) * size for symbol in watch.view.symbols},
        errors=errors_of(history, watch.view, reign, champions) if explain and reign is not None else None,
        shadow=shadow_of(history, watch, champions),
    )


def _named(champions: Sequence[Champion]) -> str:
    newest = champion_as_of(champions, date.max)
    return f"version {newest.version}, {newest.model.name}" if newest is not None else ""


def errors_of(
    history: GroupHistory, view: GroupView, reign: Reign, champions: Sequence[Champion], recent: int = RECENT_SESSIONS
) -> Attribution | None:
    """SHAP of errors over a reign: its last sessions against those before, each decision by the fit that made it."""
    days = [session_of(view, row) for row in range(reign.since, len(view))]
    deciding = [champion_as_of(champions, day) for day in days]
    values, at = [], []
    for champion in dict.fromkeys(c.version for c in deciding if c is not None):
        one = next(c for c in champions if c.version == champion)
        own = [day for day, c in zip(days, deciding, strict=True) if c is not None and c.version == champion]
        rows = history.features.filter(pl.col("session").is_in(own), pl.col("market").is_in(view.symbols))
        found = one.model.contributions(rows) if len(rows) else None
        if found is None:
            if len(rows):
                return None
            continue
        values.append(found[:, :-1])
        at.append(rows.select("market", "session"))
    if not values:
        return None
    keys = pl.concat(at)
    row = np.searchsorted(view.days, keys["session"].to_physical().to_numpy().astype(np.int64))
    column = np.array([view.symbols.index(market) for market in keys["market"]])
    view = view.of(reign.walk.recipe.label)
    known = np.where(view.exit_row >= 0, view.up, np.nan)
    errors = (known - reign.walk.probability)[row, column]
    return attribute(reign.walk.recipe.features, np.concatenate(values), errors, row >= len(view) - recent)


def shadow_of(history: GroupHistory, watch: GroupWatch, champions: Sequence[Champion]) -> Shadow | None:
    """Where the newest champion's bets stand; None where nobody reigns or it is retired."""
    stage = stage_as_of(watch.stages, date.max)
    if not watch.reigns or (stage is not None and stage.stage is StageKind.RETIRED):
        return None
    reign = watch.reigns[-1]
    predecessor = predecessor_of(champions, reign)
    other = np.zeros(len(watch.view))
    if predecessor is not None:
        model = predecessor.model
        said = said_by("shadow", model.recipe, history.features, history.market, lambda _: predecessor)
        other = played(history.market, [said], factors=history.factors).net[0]
    start = reign.since + 1
    if stage is not None and stage.stage is StageKind.FULL and stage.reason == "confirmed":
        # A confirmed champion's wealth begins anew.
        start = max(start, watch.rows_between(date.min, stage.effective_after).stop)
    gap = (np.nan_to_num(reign.net) - other)[start:]
    against = "cash" if predecessor is None else f"version {predecessor.version}"
    if not len(gap):
        return Shadow(against, 1.0, 1.0)
    track = e_process(gap, BETS)
    for_it, against_it = (float(np.exp(min(side[-1], 600.0))) for side in (track.log_e_for, track.log_e_against))
    return Shadow(against, for_it, against_it)
