"""The watch of a group as of a session, made once a process for as long as nothing changes under it."""

from datetime import date
from typing import cast

import dagster as dg
import polars as pl

from hydra_agent.frames import reign_of, reigns_of, view_of, walk_of
from hydra_agent.view import Walk
from hydra_agent.watch import GroupWatch
from hydra_assets.defs.group import GroupHistory, group_history
from hydra_assets.defs.registry import RegistryResource
from hydra_assets.defs.resources import DatabaseResource, HomeResource, LakeResource
from hydra_assets.defs.training import specs_of
from hydra_assets.models.recipe import FIRST_RECIPES, Recipe
from hydra_assets.registry.champions import Champion, champions_of
from hydra_assets.state.promotions import stages_of


class Parts:
    """The four resources of whatever works on a group."""

    def __init__(
        self, home: HomeResource, lake: LakeResource, database: DatabaseResource, registry: RegistryResource
    ) -> None:
        self.home, self.lake, self.database, self.registry = home, lake, database, registry

    @staticmethod
    def of(context: dg.AssetExecutionContext | dg.OpExecutionContext) -> "Parts":
        """Take them from a run's context."""
        found = context.resources
        return Parts(
            cast("HomeResource", found.home),
            cast("LakeResource", found.lake),
            cast("DatabaseResource", found.database),
            cast("RegistryResource", found.registry),
        )

    def champions(self, group: str) -> list[Champion]:
        """All promotions of a group."""
        return champions_of(self.database.engine, self.registry.registry, group)

    def history(self, group: str, last: date) -> GroupHistory:
        """Everything of a group up to a session."""
        return group_history(self.lake.lake, specs_of(self.home, group), last, self.database.engine)


def recipe_walk(history: GroupHistory, name: str, recipe: Recipe) -> Walk:
    """Walk-forward of a recipe over a history; a standing one has been walked already."""
    if FIRST_RECIPES.get(name) == recipe:
        return walk_of(name, recipe, history.predictions[name], history.market)
    return walk_of(name, recipe, history.walk(recipe), history.market)


def group_watch(parts: Parts, group: str, last: date) -> GroupWatch | None:
    """The watch of a group up to a session; None before its first features."""
    history = parts.history(group, last)
    if history.features.is_empty():
        return None
    champions = parts.champions(group)
    stages = stages_of(parts.database.engine, group)
    key = (
        id(history),
        tuple((c.sha256, c.after) for c in champions),
        tuple((s.stage, s.effective_after) for s in stages),
    )
    if key in _NEWEST and _NEWEST[key][0] is history:
        return _NEWEST[key][1]
    view = view_of(history.features, history.labels, history.regimes, history.curve, history.market)
    started = reigns_of(champions)
    ends = [*(after for after, _ in started[1:]), None][: len(started)]
    reigns = tuple(
        reign_of(
            view,
            history.features,
            champions,
            one,
            end,
            recipe_walk(history, one[1].model.name, one[1].model.recipe),
            history.factors,
        )
        for one, end in zip(started, ends, strict=True)
        if one[0] < last
    )
    watch = GroupWatch(group, view, reigns, tuple(stages))
    _NEWEST.clear()
    _NEWEST[key] = history, watch
    return watch


_NEWEST: dict[tuple[object, ...], tuple[GroupHistory, GroupWatch]] = {}


def newest_session(history: GroupHistory) -> date:
    """Newest session of a history's features."""
    found = history.features.select(pl.col("session").max()).item()
    return cast("date", found)
