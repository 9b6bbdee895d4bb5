"""``cot_positions``: the newest CFTC report known at each cutoff, with its coverage state and our own changes.

The file's change columns are ignored: they are computed by the publisher against a row that may since have been
restated, and across weeks in which the market was not in the report.
"""

from datetime import date, timedelta

import polars as pl

from hydra_assets.columns import COT_POSITIONS, RAW_COT_REPORTS

SERIES = ("family", "scope", "category")
VALUES = (
    "open_interest",
    "long_contracts",
    "short_contracts",
    "spread_contracts",
    "traders_long",
    "traders_short",
    "traders_spread",
)
WEEK = timedelta(days=7)


def cot_positions(
    reports: pl.DataFrame, market: str, cutoffs: pl.DataFrame, expected: pl.DataFrame, has_code: bool
) -> pl.DataFrame:
    """Positions of one market at each session's cutoff.

    Parameters
    ----------
    reports
        Rows of ``raw_cot_reports`` of *all* markets of the home: the others tell a report that is late from one in
        which this market does not stand.
    cutoffs
        ``[n]`` sessions: columns ``session`` and ``cutoff`` (UTC).
    expected
        ``[n]`` sessions: ``session`` and ``expected_report``, the newest report date that the release calendar says
        is public at the cutoff.
    has_code
        Whether the market has a CFTC code at all.

    Returns
    -------
    Rows of ``cot_positions``: one per session, family, scope and category that the market ever stood in by then;
    none where it never did. Values are missing where the report is older than the staleness limit.
    """
    if not has_code or reports.is_empty() or cutoffs.is_empty():
        return pl.DataFrame(schema=COT_POSITIONS.schema)
    own = reports.filter(pl.col("market") == market)
    newest = _newest_known(own, cutoffs, list(SERIES)).join(expected, on="session")
    anyone = _newest_known(reports.with_columns(category=pl.lit("*")), cutoffs, ["family", "scope"]).select(
        "session", "family", "scope", pl.col("report_date").alias("anyone_report")
    )
    state = newest.join(anyone, on=["session", "family", "scope"], how="left")
    now = _version(own, state, "report_date").rename({"known_at": "report_known_at"})
    before = _version(own, state, "previous_report").select(
        "session", *SERIES, (pl.col("long_contracts") - pl.col("short_contracts")).alias("previous_net")
    )
    limit = RAW_COT_REPORTS.staleness_days
    age = (pl.col("session") - pl.col("report_date")).dt.total_days()
    fresh = pl.col("report_age_days") <= limit
    gap_days = (pl.col("report_date") - pl.col("previous_report")).dt.total_days()
    net = pl.col("long_contracts") - pl.col("short_contracts")
    coverage = (
        pl.when(pl.col("report_date") >= pl.col("expected_report"))
        .then(pl.lit("published"))
        .when(pl.col("anyone_report") > pl.col("report_date"))
        .then(pl.lit("not_published"))
        .otherwise(pl.lit("late"))
    )
    return (
        now.join(before, on=["session", *SERIES], how="left")
        .with_columns(
            pl.lit(market).alias("market"),
            coverage.alias("coverage"),
            age.alias("report_age_days"),
            ((gap_days / 7).round() - 1).clip(lower_bound=0).fill_null(0).cast(pl.Int64).alias("missing_weeks"),
        )
        .with_columns(pl.when(fresh).then(pl.col(name)).alias(name) for name in VALUES)
        .with_columns(net.alias("net_contracts"))
        .with_columns(
            pl.when(pl.col("open_interest") > 0)
            .then((pl.col("net_contracts") / pl.col("open_interest")).clip(-1, 1))
            .alias("net_share"),
            # Monday reports of holiday weeks make the step 6 or 8 days; anything longer is a gap.
            pl.when(gap_days.is_between(5, 9))
            .then(pl.col("net_contracts") - pl.col("previous_net"))
            .alias("net_change_1w"),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in COT_POSITIONS.schema.items())
        .sort(COT_POSITIONS.key)
    )


def _newest_known(reports: pl.DataFrame, cutoffs: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Newest report date known at each cutoff and the newest before it that was known then, per series."""
    first_known = reports.group_by([*by, "report_date"]).agg(pl.col("known_at").min()).sort("known_at", "report_date")
    newest = pl.col("report_date").cum_max().over(by)
    before = newest.shift(1).over(by)
    # A date that is no new maximum, or the maximum that a new one replaces, may be the second of all so far.
    second = pl.when(before.is_not_null()).then(pl.min_horizontal("report_date", before))
    running = first_known.with_columns(newest.alias("report_date"), second.alias("previous_report")).sort(
        "known_at", maintain_order=True
    )
    running = running.with_columns(pl.col("previous_report").cum_max().over(by))
    series = running.select(by).unique(maintain_order=True)
    grid = cutoffs.join(series, how="cross").sort("cutoff")
    return (
        grid.join_asof(
            running, left_on="cutoff", right_on="known_at", by=by, strategy="backward", check_sortedness=False
        )
        .drop("known_at")
        .filter(pl.col("report_date").is_not_null())
    )


def _version(reports: pl.DataFrame, state: pl.DataFrame, which: str) -> pl.DataFrame:
    """The version of each named report that was known at the cutoff, joined to the state's rows."""
    versions = reports.select(*SERIES, "report_date", "known_at", *VALUES).sort("known_at")
    return state.sort("cutoff").join_asof(
        versions.with_columns(pl.col("known_at").alias("version_at")).rename({"report_date": "version_of"}),
        left_on="cutoff",
        right_on="version_at",
        by_left=[*SERIES, which],
        by_right=[*SERIES, "version_of"],
        strategy="backward",
        check_sortedness=False,
    )


def monday_of(day: date) -> date:
    """Monday of a date's week: the key of a report-week partition."""
    return day - timedelta(days=day.weekday())
