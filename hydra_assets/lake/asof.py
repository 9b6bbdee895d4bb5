"""As-of reads: what was known at each session's cutoff, for many sessions in one vectorised pass.

Pure functions over frames. For one cutoff the rule is: per key the newest version with ``known_at <= cutoff``;
among different events the newest event; past the staleness limit nothing.
"""

from datetime import date

import numpy as np
import polars as pl

from hydra_assets.markets.sessions import SessionCalendar


def known_versions(
    rows: pl.DataFrame, calendar: SessionCalendar, sessions: list[date], key: tuple[str, ...], max_lag: int
) -> pl.DataFrame:
    """Per target session, key and event at most ``max_lag`` sessions old: the newest version known at the cutoff.

    Parameters
    ----------
    rows
        ``[n]`` raw rows with ``event_session``, ``known_at``, the key columns and ``source_rank`` (0 is the market's
        preferred source). Preference is applied among what was known at the cutoff, never before: a better source
        that prints later must not erase what was there.
    calendar, sessions
        The market's calendar and the target sessions (all must be sessions of it).
    key
        Columns that name one thing (a contract and record, an option and record), without the event.
    max_lag
        Greatest age of an event, in sessions; an event on a day without session counts to the next session.

    Returns
    -------
    The rows' columns plus ``target`` (session) and ``lag`` (sessions between event and target), one row per
    (target, key, lag).
    """
    targets = np.array(sessions, dtype="datetime64[D]")
    index = np.searchsorted(calendar.sessions, targets)
    frame = pl.DataFrame(
        {
            "target": pl.Series(sessions, dtype=pl.Date),
            "target_index": index.astype(np.int64),
            "target_cutoff": pl.Series(calendar.cutoffs[index]).dt.replace_time_zone("UTC"),
        }
    )
    events = rows["event_session"].to_numpy().astype("datetime64[D]")
    indexed = rows.with_columns(pl.Series("event_index", np.searchsorted(calendar.sessions, events).astype(np.int64)))
    if len(index):
        lowest, highest = int(index.min()), int(index.max())
        indexed = indexed.filter(pl.col("event_index").is_between(lowest - max_lag, highest))
    joined = [
        indexed.join(
            frame.with_columns((pl.col("target_index") - lag).alias("event_index")), on="event_index", how="inner"
        )
        .filter(pl.col("known_at") <= pl.col("target_cutoff"))
        .with_columns(pl.lit(lag, dtype=pl.Int64).alias("lag"))
        for lag in range(max_lag + 1)
    ]
    return (
        pl.concat(joined)
        .sort(
            [*key, "target", "lag", "source_rank", "event_session", "known_at"],
            descending=[*[False] * (len(key) + 2), True, False, False],
            maintain_order=True,
        )
        .unique([*key, "target", "lag"], keep="last", maintain_order=True)
        .drop("event_index", "target_index", "target_cutoff")
    )


def latest_known(
    rows: pl.DataFrame, calendar: SessionCalendar, sessions: list[date], key: tuple[str, ...], max_lag: int
) -> pl.DataFrame:
    """Newest known event per target session and key, at most ``max_lag`` sessions old; see ``known_versions``."""
    return known_versions(rows, calendar, sessions, key, max_lag).unique(
        [*key, "target"], keep="first", maintain_order=True
    )


def as_of(rows: pl.DataFrame, cutoff: object, key: tuple[str, ...]) -> pl.DataFrame:
    """Per full key the newest version with ``known_at <= cutoff``: the state of a raw table at one instant."""
    return (
        rows.filter(pl.col("known_at") <= pl.lit(cutoff))
        .sort([*key, "known_at"], maintain_order=True)
        .unique(list(key), keep="last", maintain_order=True)
    )
