"""One observation per realised expiry of a market: a density, and where the price came out.

The density is the slice's at the session whose days to expiry are nearest to 30 (23 to 37; of two equally near, the
later). Horizons must not overlap, or the outcomes are serially dependent and neither the likelihood nor the tests of
uniformity hold: an observation starts at a session not before the previous one's outcome was known and its expiry
past. Monthly expiries are at least 28 days apart, which leaves 23 if the outcome is known within five; of weekly ones
every fourth is taken. Of several contracts with one expiry, the first by name, for their horizons are the same days.

Outcomes are taken up in the order in which they became known. So a later outcome, even a late one of an old expiry,
changes no earlier observation; it is left out if its horizon overlaps one that was taken before.
"""

from typing import Any

import polars as pl

from hydra_assets.options.real_world_grid import POINTS

HORIZON_DAYS = 30
HORIZON_TOLERANCE_DAYS = 7
EXPIRY = ("market", "expiry", "underlying_contract")
COLUMNS = (*EXPIRY, "session", "known_session", "days_to_expiry", "unit", "forward", "density", "log_return")


def observations(densities: pl.DataFrame, outcomes: pl.DataFrame) -> pl.DataFrame:
    """Choose the observations of every market, sorted by market and then as they became known.

    Parameters
    ----------
    densities
        One row per slice: ``market``, ``session``, ``expiry``, ``underlying_contract``, ``days_to_expiry``, ``unit``
        (sqrt of the ATM total variance), ``density`` (129 numbers per unit of z), ``forward``.
    outcomes
        One row per realised expiry: ``market``, ``expiry``, ``underlying_contract``, ``settle_at_expiry`` (of the
        underlying contract), ``known_session`` (the first session at whose cutoff it is known).

    Returns
    -------
    ``COLUMNS``, with ``log_return`` = ln(settle_at_expiry / forward). Slices without a whole density, unit or forward
    are passed over for the next nearest session; so are prices at or below zero, which have no log return.

    Raises
    ------
    ValueError
        If an expiry has two outcomes: naming the market, the expiry and the contract.
    """
    twice = outcomes.filter(pl.struct(EXPIRY).is_duplicated()).sort(EXPIRY)
    if len(twice):
        market, expiry, contract = twice.select(EXPIRY).row(0)
        msg = f"{market}: two outcomes of the expiry {expiry} of {contract}"
        raise ValueError(msg)
    distance = (pl.col("days_to_expiry") - HORIZON_DAYS).abs()
    candidates = (
        densities.filter(
            distance <= HORIZON_TOLERANCE_DAYS,
            _positive("unit"),
            _positive("forward"),
            pl.col("density").list.len() == POINTS,
            pl.col("density").list.eval(pl.element().is_finite().fill_null(False)).list.all(),
            pl.col("density").list.sum() > 0.0,
        )
        .join(outcomes.filter(_positive("settle_at_expiry")), on=EXPIRY, how="inner")
        .filter(pl.col("session") < pl.col("known_session"))
        .with_columns(
            (pl.col("settle_at_expiry") / pl.col("forward")).log().alias("log_return"), distance.alias("near")
        )
        .sort("market", "known_session", "expiry", "underlying_contract", "near", "session", descending=_LATEST_LAST)
    )
    taken = _without_overlap(candidates)
    return candidates[taken].select(COLUMNS)


_LATEST_LAST = [False, False, False, False, False, True]


def _positive(column: str) -> pl.Expr:
    return pl.col(column).is_finite() & (pl.col(column) > 0.0)


def _without_overlap(candidates: pl.DataFrame) -> list[int]:
    """Rows of the observations: each choice bounds the next, so this walks the candidates once, in order."""
    taken: list[int] = []
    market: Any = None
    last_expiry: tuple[Any, ...] = ()
    free_from: Any = None
    columns = ("market", "expiry", "underlying_contract", "session", "known_session")
    for i, row in enumerate(candidates.select(columns).iter_rows()):
        session, known = row[3:]
        if row[0] != market:
            market, last_expiry, free_from = row[0], (), None
        if row[:3] == last_expiry or (free_from is not None and session < free_from):
            continue
        taken.append(i)
        last_expiry, free_from = row[:3], max(known, row[1])
    return taken
