"""Labels by the session at which they became known: what a training set of that session may hold.

A label of session t is decided by prices after t. Kept under t, it would change while the future arrives; kept under
the session of its exit, a partition holds what was known at its own cutoff and never changes.
"""

from enum import StrEnum

import polars as pl

from hydra_assets.labels.make import make_labels
from hydra_assets.labels.spec import FixedHorizon, LabelReason, TripleBarrier
from hydra_assets.markets.model import MarketSpec

KEY = ("market", "session")


class LabelKind(StrEnum):
    """How a label is made."""

    FIXED_HORIZON = "fixed_horizon"
    """Of five sessions, the standing recipes' own."""
    FIXED_HORIZON_3 = "fixed_horizon_3"
    FIXED_HORIZON_10 = "fixed_horizon_10"
    TRIPLE_BARRIER = "triple_barrier"
    """Of at most ten sessions."""
    TRIPLE_BARRIER_5 = "triple_barrier_5"


SPECS: dict[LabelKind, FixedHorizon] = {
    LabelKind.FIXED_HORIZON: FixedHorizon(),
    LabelKind.FIXED_HORIZON_3: FixedHorizon(horizon_sessions=3),
    LabelKind.FIXED_HORIZON_10: FixedHorizon(horizon_sessions=10),
    LabelKind.TRIPLE_BARRIER: TripleBarrier(horizon_sessions=10),
    LabelKind.TRIPLE_BARRIER_5: TripleBarrier(horizon_sessions=5),
}
"""What the dataset holds: few, since each is computed for every session of every market. Three sessions are too few for
barriers: what is seen at a settle is left at the next one, so that a path would have one chance to end early."""


def kind_of(barriers: bool, horizon_sessions: int) -> LabelKind | None:
    """The label with or without price barriers of a horizon; None where the dataset holds none."""
    for kind, spec in SPECS.items():
        if isinstance(spec, TripleBarrier) is barriers and spec.horizon_sessions == horizon_sessions:
            return kind
    return None


def round_trip_fraction(market: MarketSpec, price: pl.Expr) -> pl.Expr:
    """Cost of entry and exit together, as a fraction of one contract's value at a price; null at a price of zero."""
    return pl.when(price != 0.0).then(market.round_trip_money / (price.abs() * market.multiplier))


def known_labels(held: pl.DataFrame, kind: LabelKind) -> pl.DataFrame:
    """Labels of a market under the session at which they became known.

    Parameters
    ----------
    held
        As for ``make_labels``: from ``vol_sessions`` before the first decision that is wanted.
    kind
        Which of ``SPECS``.

    Returns
    -------
    The columns of LABEL_SCHEMA without ``exit_session``; ``session`` is the exit, ``decision_session`` the session
    whose features the label belongs to. A session that can have no label is known as such at its horizon, with the
    reason; one whose path is not over yet has no row.
    """
    spec = SPECS[kind]
    made = make_labels(held, spec)
    horizon = pl.col("session").shift(-spec.reach_sessions).over("market")
    known = pl.when(pl.col("label_reason") == LabelReason.OK).then("exit_session").otherwise(horizon)
    return (
        made.with_columns(known.alias("known"), pl.lit(str(kind)).alias("label_kind"))
        .filter(pl.col("known").is_not_null() & (pl.col("label_reason") != LabelReason.NOT_YET_KNOWN))
        .rename({"session": "decision_session"})
        .rename({"known": "session"})
        .drop("exit_session")
    )
