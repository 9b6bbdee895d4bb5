r"""LEAN (QuantConnect) data folders: zipped files per contract, whose names say what the rows are about.

A payload is one folder's files bundled into a plain zip (``csv_lean_files.bundle``), because a contract's quote, trade
and open interest stand in three archives and make one bar. Rows are numbered through the bundle in order of names.

==========================================================  ===============================================
``dc_quote_201203_20120401.csv``                            daily future: kind, a month that is not used, expiry
``dc_quote_american_call_150000_20120401.csv``              daily option: strike in 1/10000, expiry
``20120103_dc_minute_...csv``                               intraday, set aside
``20111230.csv``                                            universe, set aside
==========================================================  ===============================================

The month in a future's name cannot be trusted (two different futures carry ``201203``): the contract month is that
of the last future whose own last trading date is not more than a few days after the stated expiry. The stated expiry
is used as given.

Universe files repeat daily bars under the date of the session *before* them (the file dated 2013-10-04 holds the
bars of 2013-10-07): read by their date they would tell the future, so they are set aside.

Known when. Quotes and trades of a session at its settlement time. Open interest stamped with a session was on the
wire before that session opened (the minute files show 07:14 New York): it is the session's before, and known on the
stamped one.
"""

from datetime import date, timedelta

import polars as pl

from hydra_assets.markets.contracts import future_id, option_id_expr
from hydra_assets.markets.expiry import contracts_of, option_expiry, option_underlying_month
from hydra_assets.markets.model import MarketSpec
from hydra_assets.markets.sessions import SessionCalendar
from hydra_assets.sources.base import REJECT_SCHEMA, Dataset, ParseContext, ParseError, ParseResult, Payload
from hydra_assets.sources.csv_lean_files import lines_of, named, texts_of
from hydra_assets.sources.csv_maps import Known, LeanMap, When
from hydra_assets.sources.csv_rows import (
    LARGEST_NUMBER,
    bound_markets,
    by_record,
    date_faults,
    first_reason,
    shaped,
    stamped,
    vendor_root,
)
from hydra_assets.sources.csv_table import reject_rows

EXPIRY_SLACK = timedelta(days=5)
_FIELDS = {"quote": 11, "trade": 6, "openinterest": 2}
PRICES = ("open", "high", "low", "close", "bid", "ask", "bid_size", "ask_size")
ACTIVITY = ("volume", "open_interest")
SET_ASIDE = {
    "intraday_bar",
    "universe_file",
    "other_market",
    "other_dataset",
    "merged_into_bar",
    "no_value",
    "blank_line",
}
DETAILS = {
    "intraday_bar": "an intraday file; the daily one holds the bar",
    "universe_file": "repeats bars under the date of the session before them",
    "other_market": "another root",
    "other_dataset": "futures among options, or options among futures",
    "merged_into_bar": "its values stand in the bar of another row of the same contract and session",
    "no_value": "no value at all",
    "blank_line": "an empty line",
    "unknown_member": "a file whose name says nothing known",
    "ragged_row": "not the number of fields of its kind",
    "bad_date": "the date cannot be read",
    "date_out_of_range": "outside the exchange calendar",
    "not_a_session": "the exchange was closed on that date",
    "bad_number": "a value is no finite number",
    "negative_price": "a price or size below zero",
    "bad_expiry": "the expiry cannot be read or fits no listed contract",
    "duplicate_row": "a second row of the contract and session",
    "partial_session": "an unfinished newest session: most options have no row of it",
}


def parse_lean(payload: Payload, context: ParseContext, column_map: LeanMap) -> ParseResult:
    """Canonical rows of a bundle or of a single LEAN archive, futures or options as the payload's dataset says.

    A contract's quote row and trade row of a session become one price record; the row that is not its ``source_row``
    is set aside as ``merged_into_bar``. The last quote of the session is its bid and ask; a side without a quote is
    null. Quarantined: ``unknown_member``, ``ragged_row``, ``bad_date``, ``date_out_of_range``, ``not_a_session``,
    ``bad_number``, ``negative_price``, ``bad_expiry``, ``duplicate_row``, ``partial_session``. Set aside:
    ``intraday_bar``, ``universe_file``, ``other_market``, ``other_dataset``, ``merged_into_bar``, ``no_value``,
    ``blank_line``.
    ParseError: ``bad_zip``, ``too_large``, ``wrong_encoding``, ``no_market``.
    """
    specs = bound_markets(payload, context)
    if len(specs) != 1:
        raise ParseError("no_market", f"{payload.name}: a LEAN folder belongs to one market")
    spec = specs[0]
    root = vendor_root(payload, spec).lower()
    members = [named(name, text, root, payload.dataset, column_map) for name, text in sorted(texts_of(payload.content))]
    frame = lines_of(members)
    total = frame.height
    calendar = context.calendars[spec.symbol]
    judged = _judged(frame, spec, calendar, payload.dataset, column_map)
    good = judged.filter(pl.col("reason").is_null())
    rows = _bars(good, calendar, payload.dataset)
    rows = rows.with_columns(pl.lit(spec.symbol).alias("market"))
    out = shaped(rows, payload.dataset).sort("source_row", maintain_order=True)
    spare = good.join(out.select("source_row").unique(), on="source_row", how="anti")
    merged = pl.when(pl.any_horizontal(pl.col(c).is_not_null() for c in (*PRICES, *ACTIVITY)))
    spare = spare.with_columns(merged.then(pl.lit("merged_into_bar")).otherwise(pl.lit("no_value")).alias("reason"))
    columns = ["source_row", "reason", "raw"]
    refused = pl.concat([judged.filter(pl.col("reason").is_not_null()).select(columns), spare.select(columns)])
    refused = refused.with_columns(pl.col("reason").replace_strict(DETAILS).alias("detail"))
    rejects = reject_rows(refused, "", SET_ASIDE) if refused.height else pl.DataFrame(schema=REJECT_SCHEMA)
    return ParseResult(out, rejects, total)


def _field(index: int) -> pl.Expr:
    text = pl.col("fields").list.get(index, null_on_oob=True).str.strip_chars()
    return pl.when(text != "").then(text)


def _judged(
    frame: pl.DataFrame, spec: MarketSpec, calendar: SessionCalendar, dataset: Dataset, column_map: LeanMap
) -> pl.DataFrame:
    kind = pl.col("kind")
    layout = {
        "quote": {"bid": 4, "bid_size": 5, "ask": 9, "ask_size": 10},
        "trade": {"open": 1, "high": 2, "low": 3, "close": 4, "volume": 5},
        "openinterest": {"open_interest": 1},
    }
    values = []
    for name in (*PRICES, *ACTIVITY):
        value = pl.lit(None, dtype=pl.Float64)
        for which, places in layout.items():
            if name in places:
                number = _field(places[name]).cast(pl.Float64, strict=False)
                value = (
                    pl.when(kind == which).then(pl.when(number.abs() < LARGEST_NUMBER).then(number)).otherwise(value)
                )
        values.append(value.alias(name))
    unreadable = [
        _field(i).is_not_null() & ~(_field(i).cast(pl.Float64, strict=False).abs() < LARGEST_NUMBER).fill_null(False)
        for i in range(1, 11)
    ]
    below_zero = [_field(i).cast(pl.Float64, strict=False) < 0 for i in range(1, 11)]
    moment = _field(0).str.to_datetime("%Y%m%d %H:%M", time_unit="us", strict=False)
    contracts = _contract_of(frame, spec, dataset)
    faults = [
        (pl.col("set_aside").is_not_null(), "member"),
        (pl.col("line").str.strip_chars() == "", "blank_line"),
        (pl.col("fields").list.len() != kind.replace_strict(_FIELDS, default=0), "ragged_row"),
        *date_faults(When(column="time"), spec, calendar),
        (pl.any_horizontal(unreadable), "bad_number"),
        (pl.any_horizontal(below_zero), "negative_price"),
        (pl.col("contract").is_null(), "bad_expiry"),
    ]
    typed = frame.with_columns(*values, moment.alias("moment"), contracts).with_columns(
        pl.col("moment").dt.date().alias("event_session")
    )
    judged = typed.with_columns(first_reason(faults)).with_columns(
        pl.when(pl.col("reason") == "member").then("set_aside").otherwise("reason").alias("reason")
    )
    judged = _without_repeats(_without_partial_session(judged, dataset, column_map))
    root = spec.options.root if spec.options else spec.root
    return judged.with_columns(
        option_id_expr(root, pl.col("expiry"), pl.col("right"), pl.col("strike")).alias("option"),
        pl.lit(None, dtype=pl.String).alias("record"),
        pl.col("contract").alias("underlying_contract"),
    )


def _contract_of(frame: pl.DataFrame, spec: MarketSpec, dataset: Dataset) -> pl.Expr:
    """Future of each expiry: its own, or for options the one they are exercised into."""
    names: dict[date, str | None] = {}
    for expiry in frame["expiry"].unique().drop_nulls().to_list():
        month = _month_ending(spec, expiry, options=dataset is Dataset.OPTION_CHAINS)
        names[expiry] = future_id(spec.root, month) if month is not None else None
    key = pl.col("expiry")
    mapped = key.replace_strict(list(names), list(names.values()), default=None, return_dtype=pl.String)
    return mapped.alias("contract")


def _month_ending(spec: MarketSpec, expiry: date, *, options: bool) -> date | None:
    """Contract month whose last trade, or whose options' expiry, is the last not after the stated date plus slack."""
    months = contracts_of(spec)["contract_month"].to_list()
    near = [m for m in months if abs((m - expiry).days) < 200]
    if not options:
        table = contracts_of(spec).filter(pl.col("last_trade") <= expiry + EXPIRY_SLACK)
        inside = table.height and (expiry - table["last_trade"][-1]).days < 60
        return table["contract_month"][-1] if inside else None
    ends = [(option_expiry(spec, m), m) for m in near]
    past = [(end, m) for end, m in ends if end is not None and end <= expiry + EXPIRY_SLACK]
    if not past or (expiry - max(past)[0]).days >= 60:
        return None
    return option_underlying_month(spec, max(past)[1])


def _without_partial_session(judged: pl.DataFrame, dataset: Dataset, column_map: LeanMap) -> pl.DataFrame:
    """Mark the newest session of an expiry's option quotes where most of its contracts have no row of it."""
    if dataset is not Dataset.OPTION_CHAINS:
        return judged
    quotes = judged.filter(pl.col("reason").is_null() & (pl.col("kind") == "quote"))
    counts = quotes.group_by("expiry", "event_session").agg(pl.col("name").n_unique().alias("n")).sort("event_session")
    partial = counts.filter(
        (pl.col("event_session") == pl.col("event_session").max().over("expiry"))
        & (pl.col("n") < column_map.partial_session_share * pl.col("n").shift(1).over("expiry"))
    ).select("expiry", "event_session", pl.lit(True).alias("partial"))
    marked = judged.join(partial, on=["expiry", "event_session"], how="left", maintain_order="left")
    unfinished = pl.col("reason").is_null() & pl.col("partial").fill_null(False)
    return marked.with_columns(
        pl.when(unfinished).then(pl.lit("partial_session")).otherwise("reason").alias("reason")
    ).drop("partial")


def _without_repeats(judged: pl.DataFrame) -> pl.DataFrame:
    """Mark a second row of one contract, kind and session: which of them counts cannot be told."""
    again = pl.col("source_row") > pl.col("source_row").min().over(
        "reason", "contract", "kind", "right", "strike", "expiry", "event_session"
    )
    return judged.with_columns(
        pl.when(pl.col("reason").is_null() & again).then(pl.lit("duplicate_row")).otherwise("reason").alias("reason")
    )


def _bars(good: pl.DataFrame, calendar: SessionCalendar, dataset: Dataset) -> pl.DataFrame:
    """One price and one activity record per contract and session from its quote, trade and open interest rows."""
    days = good["event_session"].unique().drop_nulls().to_list()
    before = {day: calendar.previous_session(day) for day in days}
    earlier = pl.col("event_session").replace_strict(
        list(before), list(before.values()), default=None, return_dtype=pl.Date
    )
    placed = good.with_columns(
        pl.when(pl.col("kind") == "openinterest").then(earlier).otherwise("event_session").alias("event_session")
    )
    key = ["option" if dataset is Dataset.OPTION_CHAINS else "contract", "event_session"]
    facts = ["contract", "underlying_contract", "option", "expiry", "strike", "right"]
    records = by_record(placed, PRICES, ACTIVITY)
    merged = records.group_by([*key, "record"], maintain_order=True).agg(
        pl.col("source_row").first(),
        *[pl.col(c).first() for c in facts if c not in key],
        *[pl.col(c).drop_nulls().first() for c in (*PRICES, *ACTIVITY)],
        pl.col("moment").first(),
    )
    merged = merged.with_columns(
        pl.lit(None, dtype=pl.Datetime("us", "UTC")).alias("written_at"),
        (pl.col("contract") + "-01")
        .str.slice(pl.col("contract").str.len_chars() - 7, 10)
        .str.to_date("%Y-%m-%d", strict=False)
        .alias("contract_month"),
    )
    return stamped(merged, Known(), calendar)
