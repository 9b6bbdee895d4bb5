"""``option_quotes``: each session's chain as known at its cutoff, joined to its underlying's settle and day count."""

from datetime import date

import polars as pl

from hydra_assets.columns import OPTION_QUOTES, RAW_OPTION_CHAINS
from hydra_assets.lake.asof import latest_known
from hydra_assets.markets.model import OptionTerms
from hydra_assets.markets.sessions import SessionCalendar

SECONDS_A_DAY = 86_400
YEAR_DAYS = 365


def option_quotes(
    chains: pl.DataFrame,
    curve: pl.DataFrame,
    market: str,
    calendar: SessionCalendar,
    sessions: list[date],
    terms: OptionTerms | None,
    cutoffs: pl.DataFrame,
) -> pl.DataFrame:
    """Chain of one market over its sessions.

    Parameters
    ----------
    chains
        Rows of ``raw_option_chains`` of the market with ``source_rank``, from a few sessions before the first one.
    curve
        ``futures_curve`` of the same sessions: the underlying's settle is the one known at the same cutoff.
    cutoffs
        ``session`` and ``cutoff`` (UTC), ``[n]``.

    Returns
    -------
    Rows of ``option_quotes``: options quoted or settled within the staleness limit and not past expiry at the
    cutoff. ``year_fraction`` is ACT/365 from the cutoff to the end of the expiry date in UTC; where the market's terms
    name the instant at which options end, from the session's newest quote to that instant. Activity is the newest
    known, one session behind the quote as its publisher releases it.
    """
    if terms is None or chains.is_empty() or not sessions:
        return pl.DataFrame(schema=OPTION_QUOTES.schema)
    quote_lag = RAW_OPTION_CHAINS.staleness_days or 0
    key = ("option", "record")
    prices = latest_known(chains.filter(pl.col("record") == "price"), calendar, sessions, key, quote_lag)
    # One vendor's chain a session: the preferred one among those that are newest.
    newest = pl.col("source_rank").sort_by("lag", "source_rank").first().over("target")
    prices = prices.filter(pl.col("source_rank") == newest)
    activity = latest_known(
        chains.filter(pl.col("record") == "activity").select(
            "option", "record", "source_rank", "event_session", "known_at", "volume", "open_interest"
        ),
        calendar,
        sessions,
        key,
        quote_lag + 1,
    ).select("option", "target", "volume", "open_interest")
    underlying = curve.select(
        pl.col("session").alias("target"),
        pl.col("contract").alias("underlying_contract"),
        pl.col("settle").alias("underlying_settle"),
        pl.col("settle_age_sessions").alias("underlying_age_sessions"),
    )
    end, start = _end_of_life(terms, calendar.timezone), pl.col("cutoff")
    if terms.expires_at is not None:
        # To the minute, then also from the chain's own instant: a snapshot may be hours older than the cutoff.
        start = pl.min_horizontal(pl.col("event_time").max().over("session"), start)
    return (
        prices.drop("volume", "open_interest", "session", "market")
        .join(activity, on=["option", "target"], how="left")
        .join(underlying, on=["target", "underlying_contract"], how="left")
        .rename({"target": "session"})
        .join(cutoffs, on="session")
        .with_columns(
            pl.lit(market).alias("market"),
            (pl.col("expiry") - pl.col("session")).dt.total_days().alias("days_to_expiry"),
            ((end - start).dt.total_seconds() / (SECONDS_A_DAY * YEAR_DAYS)).alias("year_fraction"),
            ((pl.col("cutoff") - pl.col("event_time")).dt.total_seconds() / 3600).alias("quote_age_hours"),
            pl.lit(str(terms.exercise)).alias("exercise"),
            pl.lit(str(terms.margin_style)).alias("margin_style"),
        )
        .filter((pl.col("days_to_expiry") >= 0) & (end > pl.col("cutoff")))
        .select(pl.col(name).cast(dtype) for name, dtype in OPTION_QUOTES.schema.items())
        .sort(OPTION_QUOTES.key)
    )


def _end_of_life(terms: OptionTerms, timezone: str) -> pl.Expr:
    if terms.expires_at is None:
        return pl.col("expiry").cast(pl.Datetime("us")).dt.replace_time_zone("UTC") + pl.duration(days=1)
    return pl.col("expiry").dt.combine(terms.expires_at).dt.replace_time_zone(timezone).dt.convert_time_zone("UTC")
