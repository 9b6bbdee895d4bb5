"""Reigns on worlds of the healing benchmark, without its policies."""

import numpy as np

from hydra_agent.arena import Returns, played
from hydra_agent.healbench.lab import ArrayLab, fold_starts
from hydra_agent.healbench.oracle import oracle_walk
from hydra_agent.healbench.worlds import BenchWorld
from hydra_agent.view import Floats, Reign, Walk
from hydra_assets.models.recipe import Recipe
from hydra_assets.replay.market import MarketArrays


def oracle_returns(world: BenchWorld) -> Returns:
    """The oracle's profit through the same shares, replay and costs as everybody's, ``[1, T]``."""
    return played(world.truth.market, [oracle_walk(world)])


def first_reign(market: MarketArrays, lab: ArrayLab, recipe: Recipe, from_row: int, every: int | None = None) -> Reign:
    """Let the recipe of a first champion reign from a row on to the end of the lab's view.

    Parameters
    ----------
    market
        What its decisions are replayed on: the true one.
    lab
        The laboratory of the view that it decides by.
    recipe, from_row
        The champion, walked forward before ``from_row`` as its plan says; what that earned is what is expected of it.
    every
        Sessions between two refits from then on; None never refits: the model of ``from_row`` stays.

    Raises
    ------
    ValueError
        Where no fold of the recipe lies before ``from_row``.
    """
    rows = len(lab.view)
    before = fold_starts(recipe, from_row)
    if not before:
        msg = f"no fold of the recipe begins before row {from_row}"
        raise ValueError(msg)
    after = [from_row] if every is None else list(range(from_row, rows, every))
    trial, walk = (lab.decided("champion", recipe, starts, rows) for starts in (before, after))
    # One batch, since a replay costs the same for two; of the trial only what was known at ``from_row`` is looked at.
    returns = played(market, [trial, walk])
    expected = returns.net[0, before[0] : from_row]
    return Reign(
        walk=walk,
        version=1,
        since=from_row,
        net=_since(returns.net[1], from_row),
        gross=_since(returns.gross[1], from_row),
        expected_net=float(expected.mean()),
        expected_sd=float(expected.std(ddof=1)),
        expected_brier=_brier(trial.until(from_row), lab.view.until(from_row).up),
    )


def _since(values: Floats, row: int) -> Floats:
    out = values.copy()
    out[:row] = np.nan
    return out


def _brier(walk: Walk, up: Floats) -> float:
    return float(np.nanmean((walk.probability - up) ** 2))
