"""Sample weights: labels that share returns with others count for less, old ones if wanted too.

With c_s the number of a market's labels that earn the return of session s, the average uniqueness of label i is

    u_i = mean of 1 / c_s over the sessions that it earns,

1 where it shares none, 1/h where h labels run at all times. Source: M. Lopez de Prado, *Advances in Financial Machine
Learning* (2018), 4.3-4.5; return attribution 4.6, time decay 4.7. Weights say what overlaps *within a training set*:
compute them on its rows alone, after the masks of a fold.

A loss is the log loss under weights. ``return_weighted`` asks for the probability where being right pays: with R_i the
label's return and sigma_i the volatility of its horizon as known at the decision,

    w_i = u_i m_i sum(u) / sum(u m),   m_i = min(|R_i| / sigma_i, 3).

Volatility units, since positions are sized by volatility; three at most, so that no crash is a training set of its
own; as much weight in all as u has, since priors and least leaves are set against independent labels. The bare fit
then says E[|R|; up] / E|R|, which is above one half where the mean return is above zero; the calibrator learns on
plain outcomes what that is worth as a probability.
"""

from enum import StrEnum

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hydra_assets.labels.spec import EntryAt

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_SIGMAS = 3.0


class Loss(StrEnum):
    """What a fit makes small."""

    LOG = "log_loss"
    """Every decision counts the same, but for what it shares with others."""
    RETURN_WEIGHTED = "return_weighted"
    """A decision counts by how far the price moved."""


def loss_weights(unique: Floats, label_return: Floats, label_sigma: Floats, loss: Loss) -> Floats:
    """Weights of training rows under a loss, ``[n]``, from uniqueness u, R and sigma of the same rows.

    ``unique`` itself for the log loss, and where no price has moved at all.
    """
    if loss is Loss.LOG:
        return unique
    moved = unique * np.minimum(np.abs(label_return) / label_sigma, MOST_SIGMAS)
    total = moved.sum()
    return moved * (unique.sum() / total) if total > 0.0 else unique


def training_weights(rows: pl.DataFrame, sessions: pl.DataFrame, loss: Loss) -> Floats:
    """Weights of training rows with ``label_return`` and ``label_sigma``; otherwise as ``average_uniqueness``."""
    unique = average_uniqueness(rows, sessions)
    if loss is Loss.LOG:
        return unique
    return loss_weights(unique, rows["label_return"].to_numpy(), rows["label_sigma"].to_numpy(), loss)


def average_uniqueness(rows: pl.DataFrame, sessions: pl.DataFrame, entry: EntryAt = EntryAt.NEXT_SETTLE) -> Floats:
    """Return u ``[n]`` in the order of the rows, in (0, 1].

    Parameters
    ----------
    rows
        market, entry_session and exit_session of the training labels, none null.
    sessions
        market and session of every session there is, labelled or not: the whole frame of labels.
    entry
        A position entered at a settle earns nothing on its entry session, one entered at the open does.

    Raises
    ------
    ValueError
        A null or unknown entry or exit, or an exit that leaves a label no session to earn.
    """
    out = np.empty(len(rows))
    entry_day, exit_day = (_days(rows[name]) for name in ("entry_session", "exit_session"))
    for market, at in _rows_of_markets(rows):
        calendar = np.unique(_days(sessions.filter(pl.col("market") == market)["session"]))
        for day in (entry_day[at], exit_day[at]):
            if not np.isin(day, calendar).all():
                msg = f"{market}: a label is entered or left on no session of the market"
                raise ValueError(msg)
        first = np.searchsorted(calendar, entry_day[at]) + (entry is EntryAt.NEXT_SETTLE)
        out[at] = _one_market(first, np.searchsorted(calendar, exit_day[at]), len(calendar))
    return out


def sample_weights(
    rows: pl.DataFrame, sessions: pl.DataFrame, entry: EntryAt = EntryAt.NEXT_SETTLE, oldest: float = 1.0
) -> Floats:
    """Return uniqueness times decay, scaled to mean 1 over the rows, ``[n]``; arguments as in ``average_uniqueness``.

    ``oldest`` in (-1, 1] is the factor towards which a market's labels fall from 1 for the newest, linearly in
    cumulated uniqueness; 1 is no decay, below zero the oldest share -oldest gets weight zero.
    """
    if not -1.0 < oldest <= 1.0:
        msg = f"the oldest label's factor {oldest} is not in (-1, 1]"
        raise ValueError(msg)
    if not len(rows):
        return np.zeros(0)
    unique = average_uniqueness(rows, sessions, entry)
    weight = unique.copy()
    order = _days(rows["entry_session"])
    for _, at in _rows_of_markets(rows):
        weight[at] *= _decay(unique[at], order[at], oldest)
    scaled: Floats = weight / weight.mean()
    return scaled


def _days(values: pl.Series) -> Ints:
    if values.null_count():
        msg = f"weights need rows with {values.name}"
        raise ValueError(msg)
    return values.cast(pl.Date).to_physical().cast(pl.Int64).to_numpy()


def _rows_of_markets(rows: pl.DataFrame) -> list[tuple[str, Ints]]:
    numbered = rows.select("market").with_row_index("row")
    parts = numbered.partition_by("market", as_dict=True, maintain_order=True)
    return [(str(key[0]), part["row"].cast(pl.Int64).to_numpy()) for key, part in parts.items()]


def _one_market(first: Ints, last: Ints, n_sessions: int) -> Floats:
    """Uniqueness of labels that earn the sessions ``first`` to ``last`` of their market, by number."""
    if (last < first).any():
        msg = "a label earns at least one session after its entry"
        raise ValueError(msg)
    steps = np.zeros(n_sessions + 1, dtype=np.int64)
    np.add.at(steps, first, 1)
    np.add.at(steps, last + 1, -1)
    running = np.cumsum(steps)[:-1]
    share = np.concatenate([[0.0], np.cumsum(1.0 / np.maximum(running, 1))])
    unique: Floats = (share[last + 1] - share[first]) / (last + 1 - first)
    return unique


def _decay(unique: Floats, order: Ints, oldest: float) -> Floats:
    """D = max(0, a + b x), x the cumulated uniqueness of the labels in time order, d = 1 for the newest."""
    ranked = np.argsort(order, kind="stable")
    x = np.empty(len(unique))
    x[ranked] = np.cumsum(unique[ranked])
    total = x.max()
    slope = (1.0 - oldest) / total if oldest >= 0.0 else 1.0 / ((oldest + 1.0) * total)
    factor: Floats = np.maximum(0.0, 1.0 - slope * (total - x))
    return factor
