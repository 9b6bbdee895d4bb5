"""Settlement cells to canonical rows: a price and an activity record of each contract.

Known when. Settlement, open, high, low and bid of a business date are known at that date's settlement publication.
``PrevDayVol`` and ``PrevDayOI`` are *the previous session's*: they become an activity record of that session, known
at the publication of the file that carries them. Where the transport dates the bytes later (``Last-Modified`` of a
download), the later instant holds.
"""

from collections.abc import Mapping

import polars as pl

from hydra_assets.markets.contracts import future_id_expr, option_id_expr
from hydra_assets.markets.model import MONTH_CODES, MarketSpec
from hydra_assets.markets.sessions import SessionCalendar
from hydra_assets.sources.base import (
    Dataset,
    Disposition,
    ParseContext,
    ParseError,
    ParseResult,
    Payload,
)
from hydra_assets.sources.cme_settlement_table import read_table

_KIND = {Dataset.FUTURES_BARS: "FUT", Dataset.OPTION_CHAINS: "OOF"}
_PRICES = {
    "open": "OpeningPrice",
    "high": "DHighPrice",
    "low": "DLowPrice",
    "settle": "SettlePrice",
    "bid": "BidPrice",
    "strike": "StrkPx",
}
_ACTIVITY = {"volume": "PrevDayVol", "open_interest": "PrevDayOI"}
_QUOTED = {
    Dataset.FUTURES_BARS: ("open", "high", "low", "settle", "bid"),
    Dataset.OPTION_CHAINS: ("settle", "bid"),
}


def parse_settlement(payload: Payload, context: ParseContext) -> ParseResult:
    """Canonical rows of a settlement file: one price and one activity record per contract row.

    The same file serves futures and options; ``payload.dataset`` says which rows are read, the others are set aside.
    A row belongs to the market whose root (``spec.root`` for futures, ``spec.options.root`` for options) is its
    ``Sym``; the clearing code ``ID`` decides only for a market that no row names by ``Sym``. Rejects:
    ``not_a_future_or_option``, ``other_dataset``, ``market_not_configured``, ``not_a_monthly_contract`` and
    ``no_values`` are set aside; ``ragged_row``, ``bad_contract_month``, ``bad_date``, ``not_a_session``,
    ``bad_number``, ``bad_option_terms`` are quarantined.

    Raises
    ------
    ParseError
        The payload is no settlement table, or its dataset is not one of a settlement file.
    """
    if payload.dataset not in _KIND:
        raise ParseError("wrong_dataset", f"a settlement file holds no {payload.dataset}")
    table = read_table(payload.content)
    typed = _with_market(_typed(table.cells), payload.dataset, context)
    judged = pl.concat(
        [_with_sessions(typed.filter(pl.col("market").is_null()), None)]
        + [
            _with_sessions(part, context.calendars[str(market)])
            for (market,), part in typed.filter(pl.col("market").is_not_null()).group_by("market", maintain_order=True)
        ]
    )
    judged = judged.with_columns(_verdict(payload.dataset))
    good = judged.filter(pl.col("reason").is_null())
    rows = [
        _records(part, payload, context.markets[str(market)], context.calendars[str(market)])
        for (market,), part in good.group_by("market", maintain_order=True)
    ]
    refused = judged.filter(pl.col("reason").is_not_null()).select(
        "source_row",
        pl.col("reason").struct.field("disposition"),
        pl.col("reason").struct.field("code").alias("reason"),
        pl.col("reason").struct.field("detail"),
        "raw",
    )
    empty = pl.DataFrame(schema=_row_schema(payload.dataset))
    return ParseResult(
        rows=pl.concat([empty, *rows]).sort("source_row", "record", descending=[False, True]),
        rejects=pl.concat([table.rejects, refused]).sort("source_row"),
        total_rows=table.total_rows,
        notes=table.notes,
    )


def _typed(cells: pl.DataFrame) -> pl.DataFrame:
    text = {name: pl.col(name).str.strip_chars() for name in cells.columns if name not in {"source_row", "raw"}}
    numbers = {**_PRICES, **_ACTIVITY}
    value = {name: text[column].cast(pl.Float64, strict=False) for name, column in numbers.items()}
    bad = pl.any_horizontal(
        (text[column] != "") & ~value[name].is_finite().fill_null(value=False) for name, column in numbers.items()
    )
    month, under = text["MMY"], text["UndlyMMY"]
    # A monthly contract has no day, or the day zero.
    digits = month.str.extract(r"^(\d{6})(?:00)?$", 1)
    return cells.select(
        "source_row",
        "raw",
        text["SecTyp"].str.to_uppercase().alias("kind"),
        text["Sym"].alias("sym"),
        text["ID"].alias("clearing"),
        text["BizDt"].str.to_date("%Y-%m-%d", strict=False).alias("event_session"),
        (digits + "01").str.to_date("%Y%m%d", strict=False).alias("contract_month"),
        month.str.contains(r"^\d{6}(?:\d{2}|[wW]\d)$").alias("dated_month"),
        (under.str.extract(r"^(\d{6})(?:00)?$", 1) + "01").str.to_date("%Y%m%d", strict=False).alias("under_month"),
        text["LastTrdDt"].str.to_date("%Y-%m-%d", strict=False).alias("expiry"),
        text["PutCall"].replace_strict({"0": "P", "1": "C"}, default=None, return_dtype=pl.String).alias("right"),
        bad.alias("bad_number"),
        *[expr.alias(name) for name, expr in value.items()],
    ).with_columns(
        # A bid of zero says that there is none.
        pl.when(pl.col("bid") != 0).then(pl.col("bid")).alias("bid"),
    )


def _with_market(rows: pl.DataFrame, dataset: Dataset, context: ParseContext) -> pl.DataFrame:
    roots: dict[str, str] = {}
    for symbol, spec in sorted(context.markets.items()):
        root = spec.root if dataset is Dataset.FUTURES_BARS else spec.options.root if spec.options else None
        if root is not None:
            roots.setdefault(root, symbol)
    ours = pl.col("kind") == _KIND[dataset]
    named = {
        alias: pl.when(ours).then(pl.col(column).replace_strict(roots, default=None, return_dtype=pl.String))
        for alias, column in (("by_sym", "sym"), ("by_id", "clearing"))
    }
    rows = rows.with_columns(**named)
    by_sym = rows["by_sym"].drop_nulls().unique().to_list()
    by_id = pl.when(~pl.col("by_id").is_in(by_sym)).then(pl.col("by_id"))
    return rows.with_columns(pl.coalesce("by_sym", by_id).alias("market")).drop("by_sym", "by_id")


def _with_sessions(rows: pl.DataFrame, calendar: SessionCalendar | None) -> pl.DataFrame:
    """Add ``is_session`` and ``previous_session`` of each row's business date (null before the calendar's second)."""
    if calendar is None:
        return rows.with_columns(
            pl.lit(value=False).alias("is_session"), pl.lit(None, dtype=pl.Date).alias("previous_session")
        )
    sessions = pl.Series("event_session", calendar.sessions).cast(pl.Date)
    previous = pl.DataFrame({"event_session": sessions, "previous_session": sessions.shift(1), "is_session": True})
    return (
        rows.join(previous, on="event_session", how="left", maintain_order="left")
        .with_columns(pl.col("is_session").fill_null(value=False))
        .select(*rows.columns, "is_session", "previous_session")
    )


def _verdict(dataset: Dataset) -> pl.Expr:
    """Why a row is refused: a struct of disposition, code and detail; null where it is good."""
    kind = pl.col("kind")
    terms_missing = pl.any_horizontal(pl.col("right", "expiry", "strike").is_null())
    values = [*_QUOTED[dataset], *_ACTIVITY]
    aside, bad = Disposition.SET_ASIDE, Disposition.QUARANTINED
    rules: list[tuple[pl.Expr, Disposition, str, str]] = [
        (~kind.is_in(list(_KIND.values())), aside, "not_a_future_or_option", "another security type"),
        (kind != _KIND[dataset], aside, "other_dataset", "read as part of the other dataset"),
        (pl.col("market").is_null(), aside, "market_not_configured", "no configured market has this root"),
        (
            pl.col("contract_month").is_null() & pl.col("dated_month"),
            aside,
            "not_a_monthly_contract",
            "a daily or weekly contract",
        ),
        (pl.col("contract_month").is_null(), bad, "bad_contract_month", "MMY is no YYYYMM"),
        (pl.col("event_session").is_null(), bad, "bad_date", "BizDt is no date"),
        (~pl.col("is_session"), bad, "not_a_session", "the market has no session on BizDt"),
        (pl.col("bad_number"), bad, "bad_number", "a cell that should hold a number does not"),
        (terms_missing, bad, "bad_option_terms", "PutCall, StrkPx or LastTrdDt cannot be read"),
        (pl.all_horizontal(pl.col(values).is_null()), aside, "no_values", "neither prices nor activity"),
    ]
    if dataset is Dataset.FUTURES_BARS:
        rules = [rule for rule in rules if rule[2] != "bad_option_terms"]
    verdicts = [
        pl.when(failed).then(
            pl.struct(
                pl.lit(str(disposition)).alias("disposition"),
                pl.lit(code).alias("code"),
                pl.lit(detail).alias("detail"),
            )
        )
        for failed, disposition, code, detail in rules
    ]
    return pl.coalesce(verdicts).alias("reason")


def _records(rows: pl.DataFrame, payload: Payload, spec: MarketSpec, calendar: SessionCalendar) -> pl.DataFrame:
    """Price and activity records of one market's good rows."""
    quoted = _QUOTED[payload.dataset]
    rows = rows.with_columns(_identity(payload.dataset, spec))
    published = calendar.settlement_known_at(rows["event_session"])
    floor = pl.lit(payload.available_at, dtype=pl.Datetime("us", "UTC"))
    known = pl.max_horizontal(pl.Series("known_at", published), floor).alias("known_at")
    price = rows.with_columns(
        known,
        pl.Series("event_time", published),
        pl.lit("price").alias("record"),
        *[pl.lit(None, dtype=pl.Float64).alias(name) for name in _ACTIVITY],
    ).filter(pl.any_horizontal(pl.col(quoted).is_not_null()))
    activity = rows.with_columns(
        known,
        pl.col("previous_session").alias("event_session"),
        pl.Series("event_time", calendar.settlement_known_at(rows["previous_session"])),
        pl.lit("activity").alias("record"),
        *[pl.lit(None, dtype=pl.Float64).alias(name) for name in quoted],
    ).filter(pl.any_horizontal(pl.col(list(_ACTIVITY)).is_not_null()) & pl.col("event_session").is_not_null())
    return pl.concat([price, activity]).select(pl.col(n).cast(t) for n, t in _row_schema(payload.dataset).items())


def _identity(dataset: Dataset, spec: MarketSpec) -> list[pl.Expr]:
    if dataset is Dataset.FUTURES_BARS or spec.options is None:
        return [future_id_expr(spec.root, pl.col("contract_month")).alias("contract")]
    under = pl.coalesce("under_month", _underlying_month(spec.options.underlying_month))
    return [
        option_id_expr(spec.options.root, pl.col("expiry"), pl.col("right"), pl.col("strike")).alias("option"),
        future_id_expr(spec.root, under).alias("underlying_contract"),
    ]


def _underlying_month(months: Mapping[str, str]) -> pl.Expr:
    """Underlying month by the market's own map, where the file does not name it: the first not before the option's."""
    number = {MONTH_CODES.index(option) + 1: MONTH_CODES.index(future) + 1 for option, future in months.items()}
    month = pl.col("contract_month").dt.month().cast(pl.Int32)
    under = month.replace_strict(number, default=None, return_dtype=pl.Int32)
    return pl.date(pl.col("contract_month").dt.year() + (under < month).cast(pl.Int32), under, 1)


def _row_schema(dataset: Dataset) -> dict[str, pl.DataType]:
    identity: dict[str, pl.DataType] = (
        {"contract": pl.String(), "contract_month": pl.Date()}
        if dataset is Dataset.FUTURES_BARS
        else {
            "option": pl.String(),
            "underlying_contract": pl.String(),
            "expiry": pl.Date(),
            "strike": pl.Float64(),
            "right": pl.String(),
        }
    )
    return {
        "source_row": pl.Int64(),
        "market": pl.String(),
        **identity,
        "event_session": pl.Date(),
        "record": pl.String(),
        **dict.fromkeys((*_QUOTED[dataset], *_ACTIVITY), pl.Float64()),
        "event_time": pl.Datetime("us", "UTC"),
        "known_at": pl.Datetime("us", "UTC"),
    }
