"""CFTC reports to canonical rows of ``raw_cot_reports``: one per market, report and trader category.

``known_at`` is the publication of the report's first print by the release calendar. A payload's own transport time is
no evidence for it: a yearly file fetched today holds weeks that were public years ago. Where the ingest finds the key
in the lake with other values, the row is a restatement and gets ``calendar.restated_known_at`` instead. Changes and
percentages in the files are not read; changes are recomputed from the levels.
"""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum

import polars as pl

from hydra_assets.columns import RAW_COT_REPORTS
from hydra_assets.sources.base import (
    REJECT_SCHEMA,
    Disposition,
    ParseContext,
    ParseError,
    ParseResult,
    Payload,
    rejects_frame,
)
from hydra_assets.sources.cftc.calendar import WEEKLY_SINCE, release_times
from hydra_assets.sources.cftc.cells import number_fields, typed_rows
from hydra_assets.sources.cftc.layout import (
    CATEGORIES,
    COMPONENTS,
    SPREADING,
    Family,
    Layout,
    declared_scope,
    detect,
)
from hydra_assets.sources.cftc.tables import Table, read_delivery

ROUNDING_CONTRACTS = 4
"""Sums may be off by the rounding of delta-adjusted options: half a contract per summand, at most seven and a total."""
OLDEST_REPORT = date(1962, 1, 1)
_OUTPUT = [c for c in RAW_COT_REPORTS.columns if c not in {"ingested_at", "source", "payload_sha256"}]


class Reason(StrEnum):
    """Why a payload row did not become canonical rows."""

    MALFORMED_ROW = "malformed_row"
    MISSING_CODE = "missing_code"
    MARKET_NOT_CONFIGURED = "market_not_configured"
    CODE_NOT_VALID_ON_DATE = "code_not_valid_on_date"
    BAD_DATE = "bad_date"
    DATE_MISMATCH = "date_mismatch"
    DATE_IN_FUTURE = "date_in_future"
    UNEXPECTED_WEEKDAY = "unexpected_weekday"
    UNKNOWN_SCOPE = "unknown_scope"
    BAD_NUMBER = "bad_number"
    MISSING_NUMBER = "missing_number"
    NEGATIVE_NUMBER = "negative_number"
    REPORTABLE_SUM_MISMATCH = "reportable_sum_mismatch"
    OPEN_INTEREST_MISMATCH = "open_interest_mismatch"
    DUPLICATE_ROW = "duplicate_row"
    CONFLICTING_ROWS = "conflicting_rows"


SET_ASIDE = frozenset({Reason.MARKET_NOT_CONFIGURED, Reason.CODE_NOT_VALID_ON_DATE, Reason.DUPLICATE_ROW})
"""Reasons of well-formed rows that are not ours; all others are quarantined."""


def parse_cot(payload: Payload, context: ParseContext) -> ParseResult:
    """Parse one delivery of any of the four report kinds in any of the three header dialects.

    Family and scope come from the header and the ``FutOnly_or_Combined`` column; where that column is missing (legacy
    text) the scope comes from ``payload.meta["scope"]`` or the CFTC's file names. ``meta["family"]``, where given,
    must agree with the header.

    Raises ParseError: the reasons of ``read_delivery`` and of ``layout.detect``, and ``ambiguous_report`` where the
    scope cannot be told or the evidence contradicts itself.
    """
    delivery = read_delivery(payload.content, payload.name)
    codes = _codes(context)
    latest = (payload.available_at or payload.fetched_at).date()
    wide: list[pl.DataFrame] = []
    rejects: list[pl.DataFrame] = []
    notes = list(delivery.notes)
    offset = 0
    for table in delivery.tables:
        layout = detect(table.header)
        if payload.meta.get("family") not in {None, str(layout.dialect.family)}:
            detail = f"{payload.name}: declared {payload.meta['family']}, the header is {layout.dialect.family}"
            raise ParseError("ambiguous_report", detail)
        notes += [f"new_column:{name}" for name in layout.unknown]
        scope = declared_scope(payload.meta.get("scope"), delivery.names)
        if scope is None and "scope" not in layout.positions:
            detail = f"{payload.name} does not say whether it is futures only or combined; declare the scope"
            raise ParseError("ambiguous_report", detail)
        typed = typed_rows(table, layout, scope).with_columns(pl.col("source_row") + offset)
        judged = typed.with_columns(_reason(layout, codes, latest).alias("reason"))
        bad = judged.filter(pl.col("reason").is_not_null())
        rejects += [_malformed(table, offset), _rejected(bad)]
        good = judged.filter(pl.col("reason").is_null()).drop("reason")
        matched, unmatched = _match(good, codes)
        rejects.append(unmatched)
        wide.append(matched.with_columns(pl.lit(str(layout.dialect.family)).alias("family")))
        offset += table.total_rows
    rows = pl.concat(wide, how="diagonal")
    rows, doubles = _without_duplicates(rows)
    canonical = _canonical(rows)
    evidence = payload.available_at or payload.fetched_at
    early = canonical.filter(pl.col("known_at") > evidence)["report_date"].unique().sort()
    notes += [f"ahead_of_schedule:{day}" for day in early]
    return ParseResult(
        rows=canonical,
        rejects=pl.concat([*rejects, doubles]).sort("source_row", "reason"),
        total_rows=offset,
        notes=tuple(dict.fromkeys(notes)),
    )


def _codes(context: ParseContext) -> pl.DataFrame:
    """Configured contract market codes with validity: ``code``, ``market``, ``valid_from``, ``valid_to``."""
    return pl.DataFrame(
        [
            (code.code, symbol, code.valid_from or date.min, code.valid_to or date.max)
            for symbol, spec in context.markets.items()
            for code in spec.cftc_codes
        ],
        schema={"code": pl.String, "market": pl.String, "valid_from": pl.Date, "valid_to": pl.Date},
        orient="row",
    )


def _reason(layout: Layout, codes: pl.DataFrame, latest: date) -> pl.Expr:
    """First reason against a row, null for a sound one. Another market's row is not judged further."""
    family = layout.dialect.family
    day, numeric = pl.col("report_date"), number_fields(layout)
    needed = ["open_interest", *(f for f in numeric if "traders" not in f and f != "open_interest")]
    checks: list[tuple[pl.Expr, Reason]] = [
        (pl.col("code").is_null(), Reason.MISSING_CODE),
        (~pl.col("code").is_in(codes["code"].unique().to_list()), Reason.MARKET_NOT_CONFIGURED),
        (day.is_null() | (day < OLDEST_REPORT), Reason.BAD_DATE),
        (pl.col("yymmdd") != day.dt.strftime("%y%m%d"), Reason.DATE_MISMATCH),
        (day > latest, Reason.DATE_IN_FUTURE),
        ((day.dt.weekday() > 5) | ((day.dt.weekday() > 2) & (day >= WEEKLY_SINCE)), Reason.UNEXPECTED_WEEKDAY),
        (pl.col("scope").is_null(), Reason.UNKNOWN_SCOPE),
        (pl.col("bad") != "", Reason.BAD_NUMBER),
        (pl.any_horizontal(pl.col(needed).is_null()), Reason.MISSING_NUMBER),
        (pl.any_horizontal(pl.col(numeric) < 0), Reason.NEGATIVE_NUMBER),
        (
            pl.any_horizontal(
                (_side_sum(family, side) - pl.col(f"total_reportable.{side}")).abs() > ROUNDING_CONTRACTS
                for side in ("long", "short")
            ),
            Reason.REPORTABLE_SUM_MISMATCH,
        ),
        (
            pl.any_horizontal(
                (pl.col(f"total_reportable.{side}") + pl.col(f"nonreportable.{side}") - pl.col("open_interest")).abs()
                > ROUNDING_CONTRACTS
                for side in ("long", "short")
            ),
            Reason.OPEN_INTEREST_MISMATCH,
        ),
    ]
    return pl.coalesce([pl.when(test).then(pl.lit(str(reason))) for test, reason in checks])


def _side_sum(family: Family, side: str) -> pl.Expr:
    """Long (short) positions of the reportable categories, spreading counted on both sides."""
    return pl.sum_horizontal(
        pl.col(f"{c}.{q}") for c in COMPONENTS[family] for q in (side, "spread") if q != "spread" or c in SPREADING
    )


def _identity() -> pl.Expr:
    return pl.concat_str(
        pl.col("code").fill_null("?"), pl.col("report_date").cast(pl.String).fill_null("?"), separator=" "
    )


def _rejected(bad: pl.DataFrame, detail: pl.Expr | None = None) -> pl.DataFrame:
    """Rows with a ``reason`` as rejects. A set-aside row keeps its identity only: its payload is archived whole."""
    aside = pl.col("reason").is_in([str(r) for r in SET_ASIDE])
    named = pl.when(pl.col("bad") != "").then(pl.concat_str(_identity(), pl.lit(": "), pl.col("bad").str.strip_chars()))
    return bad.select(
        "source_row",
        pl.when(aside)
        .then(pl.lit(str(Disposition.SET_ASIDE)))
        .otherwise(pl.lit(str(Disposition.QUARANTINED)))
        .alias("disposition"),
        "reason",
        (pl.coalesce(named, _identity()) if detail is None else detail).alias("detail"),
        pl.when(aside)
        .then(pl.concat_str(pl.col("name").fill_null(""), pl.lit(" "), _identity()))
        .otherwise(pl.col("raw"))
        .alias("raw"),
    ).cast(pl.Schema(REJECT_SCHEMA))


def _malformed(table: Table, offset: int) -> pl.DataFrame:
    return rejects_frame(
        [
            (m.source_row + offset, Disposition.QUARANTINED, Reason.MALFORMED_ROW, m.detail, m.raw)
            for m in table.malformed
        ]
    )


def _match(good: pl.DataFrame, codes: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of the markets for which their code stands on their date, and rejects for those that no market claims."""
    joined = good.join(codes, on="code", how="left", maintain_order="left")
    valid = joined.filter(pl.col("report_date").is_between("valid_from", "valid_to")).drop("valid_from", "valid_to")
    outside = good.join(valid.select("source_row").unique(), on="source_row", how="anti")
    return valid, _rejected(outside.with_columns(pl.lit(str(Reason.CODE_NOT_VALID_ON_DATE)).alias("reason")))


def _without_duplicates(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Keep the first of identical rows of a key; of differing ones none, since nothing tells which is right."""
    key = ["market", "family", "scope", "report_date"]
    values = ["code", *(c for c in rows.columns if c == "open_interest" or "." in c)]
    rows = rows.sort("source_row").with_columns(
        pl.struct(values).n_unique().over(key).alias("variants"), pl.int_range(pl.len()).over(key).alias("place")
    )
    conflicting, repeated = pl.col("variants") > 1, pl.col("place") > 0
    reason = (
        pl.when(conflicting)
        .then(pl.lit(str(Reason.CONFLICTING_ROWS)))
        .when(repeated)
        .then(pl.lit(str(Reason.DUPLICATE_ROW)))
    )
    rows = rows.with_columns(reason.alias("reason"))
    bad = rows.filter(pl.col("reason").is_not_null())
    detail = pl.concat_str(pl.col("market"), pl.lit(" "), _identity(), pl.lit(" "), pl.col("scope"))
    kept = rows.filter(pl.col("reason").is_null()).drop("reason", "variants", "place")
    return kept, _rejected(bad, detail)


def _canonical(rows: pl.DataFrame) -> pl.DataFrame:
    """Wide rows to one row per category, with the columns of ``raw_cot_reports``."""
    parts = [_family_rows(rows.filter(pl.col("family") == str(family)), family) for family in CATEGORIES]
    return pl.concat(parts).sort("source_row", "market", maintain_order=True)


def _family_rows(rows: pl.DataFrame, family: Family) -> pl.DataFrame:
    rows = rows.join(release_times(rows["report_date"], family), on="report_date", how="left")
    columns: Mapping[str, str] = {
        "long": "long_contracts",
        "short": "short_contracts",
        "spread": "spread_contracts",
        "traders_long": "traders_long",
        "traders_short": "traders_short",
        "traders_spread": "traders_spread",
    }
    return pl.concat(
        rows.select(
            pl.col("market"),
            pl.col("report_date").dt.truncate("1w").alias("report_week"),
            pl.col("report_date"),
            pl.col("code").alias("cftc_code"),
            pl.col("family"),
            pl.col("scope"),
            pl.lit(category).alias("category"),
            pl.col("open_interest"),
            *(
                (pl.col(f"{category}.{q}") if f"{category}.{q}" in rows.columns else pl.lit(None, pl.Float64)).alias(c)
                for q, c in columns.items()
            ),
            pl.col("event_time"),
            pl.col("known_at"),
            pl.col("source_row"),
        ).select(_OUTPUT)
        for category in CATEGORIES[family]
    )
