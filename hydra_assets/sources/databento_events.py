"""Events to rows: resolve instruments, place events in sessions, and let each record grow by what became known."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from hydra_assets.markets.sessions import SessionCalendar
from hydra_assets.sources.base import REJECT_SCHEMA, Dataset, ParseContext
from hydra_assets.sources.databento_records import (
    ACTIVITY_VALUES,
    EVENT_SCHEMA,
    PRICE_VALUES,
    VALUES,
    Reason,
    disposition,
)
from hydra_assets.sources.databento_symbology import Kind, resolve

_IDENTITY: dict[Dataset, tuple[str, ...]] = {
    Dataset.FUTURES_BARS: ("contract", "contract_month"),
    Dataset.OPTION_CHAINS: ("option", "underlying_contract", "expiry", "strike", "right"),
}
_CHAIN_VALUES = ("close", "settle", "bid", "ask", "bid_size", "ask_size")


def consolidate(
    found: Sequence[pl.DataFrame],
    instruments: pl.DataFrame,
    dataset: Dataset,
    context: ParseContext,
    emit_from: date | None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Canonical rows and rejects of events (frames of EVENT_SCHEMA); every event ends in one of them."""
    everything = pl.concat([pl.DataFrame(schema=EVENT_SCHEMA), *found])
    resolved = resolve(everything.filter(pl.col("reason").is_null()), instruments)
    judged = resolved.with_columns(_contract_reason(dataset).alias("reason"))
    refused = [everything.filter(pl.col("reason").is_not_null()), judged.filter(pl.col("reason").is_not_null())]
    rows = []
    good = judged.filter(pl.col("reason").is_null())
    for (market,), part in good.group_by("market", maintain_order=True):
        placed = _placed(part, context.calendars[str(market)], emit_from)
        refused.append(placed.filter(pl.col("reason").is_not_null()))
        for record, values in (("price", _price_values(dataset)), ("activity", ACTIVITY_VALUES)):
            kept, dropped = _grown(placed.filter(pl.col("reason").is_null()), record, values, dataset)
            rows.append(_stamped(kept, record, context.calendars[str(market)]))
            refused.append(dropped)
    schema = _row_schema(dataset)
    out = pl.concat(
        [pl.DataFrame(schema=schema), *(part.select(pl.col(n).cast(t) for n, t in schema.items()) for part in rows)]
    ).sort("source_row", "record", descending=[False, True])
    rejects = pl.concat([_rejects(part) for part in refused])
    # A record that has become a row, or is refused for a first reason, is accounted for.
    rejects = rejects.join(out, on="source_row", how="anti").unique("source_row", keep="first", maintain_order=True)
    return out, rejects.sort("source_row")


def _contract_reason(dataset: Dataset) -> pl.Expr:
    kind = pl.col("kind")
    wanted = Kind.FUTURE if dataset is Dataset.FUTURES_BARS else Kind.OPTION
    complete = pl.col("contract" if dataset is Dataset.FUTURES_BARS else "option").is_not_null()
    rules = [
        (~pl.col("resolved"), Reason.UNKNOWN_INSTRUMENT),
        (kind == str(Kind.SPREAD), Reason.SPREAD),
        (kind == str(Kind.OTHER), Reason.NOT_A_FUTURE_OR_OPTION),
        (kind != str(wanted), Reason.OTHER_DATASET),
        (pl.col("market").is_null(), Reason.MARKET_NOT_CONFIGURED),
        (pl.col("dated"), Reason.NOT_A_MONTHLY_CONTRACT),
        (~complete, Reason.INCOMPLETE_DEFINITION),
    ]
    return pl.coalesce([pl.when(failed).then(pl.lit(str(reason))) for failed, reason in rules])


def _placed(rows: pl.DataFrame, calendar: SessionCalendar, emit_from: date | None) -> pl.DataFrame:
    """Add ``event_session`` (null where none) and the reason of an event that has no place."""
    is_quote = pl.col("quoted_at").is_not_null()
    sessions = pl.Series("session", calendar.sessions).cast(pl.Date)
    # The last session has no next one, at which its activity would be known.
    usable = sessions.head(len(sessions) - 1).implode()
    quoted = calendar.session_for(rows["at"])
    placed = rows.with_columns(pl.when(is_quote).then(quoted).otherwise("about").alias("event_session"))
    inside = pl.col("event_session").is_in(usable).fill_null(value=False)
    is_bar = pl.col("close").is_not_null() | pl.col("open").is_not_null()
    too_early = pl.lit(value=False) if emit_from is None else pl.col("event_session") < emit_from
    return placed.with_columns(
        pl.coalesce(
            # A bar of a Sunday evening, or of a holiday's electronic hours.
            pl.when(~inside & is_bar).then(pl.lit(str(Reason.OUTSIDE_A_SESSION))),
            pl.when(~inside).then(pl.lit(str(Reason.NOT_A_SESSION))),
            pl.when(too_early).then(pl.lit(str(Reason.BEFORE_WINDOW))),
        ).alias("reason")
    ).with_columns(
        pl.when(is_quote)
        .then("floor")
        .otherwise(
            pl.max_horizontal(
                "floor", pl.Series("rule", calendar.settlement_known_at(_inside(placed["event_session"], sessions)))
            )
        )
        .alias("price_known_at"),
        pl.max_horizontal(
            "floor",
            pl.Series("rule", calendar.activity_known_at(_inside(placed["event_session"], sessions.head(-1)))),
        ).alias("activity_known_at"),
    )


def _inside(days: pl.Series, sessions: pl.Series) -> pl.Series:
    return days.to_frame("d").select(pl.when(pl.col("d").is_in(sessions.implode())).then("d")).to_series()


def _grown(
    rows: pl.DataFrame, record: str, values: Sequence[str], dataset: Dataset
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Versions of each contract's record in the order in which they became known, each with all known by then."""
    key = [_IDENTITY[dataset][0], "event_session"]
    known = pl.col(f"{record}_known_at")
    part = rows.filter(pl.any_horizontal(pl.col(values).is_not_null())).with_columns(known.alias("known_at"))
    silent = rows.filter(pl.all_horizontal(pl.col(VALUES).is_null()))
    part = part.sort([*key, "known_at", "rank", "at", "source_row"])
    dropped = [_because(silent, Reason.NO_VALUES)]
    if record == "price":
        best = pl.when(pl.col("settle").is_not_null()).then("rank").cum_max().over(key)
        stepped_back = (pl.col("settle").is_not_null() & (pl.col("rank") < best)).fill_null(value=False)
        part = part.with_columns(stepped_back.alias("back"))
        dropped.append(_because(part.filter("back"), Reason.SUPERSEDED_BY_FINAL))
        part = part.filter(~pl.col("back"))
        # Only the last quote before the cutoff counts; a missing side of it is missing, not the side of an older one.
        newest = pl.col("quoted_at") == pl.col("quoted_at").max().over(key)
        newest = newest & (
            pl.col("source_row") == pl.col("source_row").filter(newest.fill_null(value=False)).max().over(key)
        )
        part = part.with_columns((pl.col("quoted_at").is_null() | newest).alias("counts"))
        dropped.append(_because(part.filter(~pl.col("counts")), Reason.EARLIER_QUOTE))
        part = part.filter("counts")
    part = part.with_columns(pl.col([*values, "quoted_at"]).forward_fill().over(key))
    last = pl.col("source_row") == pl.col("source_row").last().over([*key, "known_at"])
    dropped.append(_because(part.filter(~last), Reason.MERGED))
    part = part.filter(last)
    state = pl.struct([*values, "quoted_at"])
    repeated = (state == state.shift(1).over(key)).fill_null(value=False)
    dropped.append(_because(part.filter(repeated), Reason.REPEATED_VALUE))
    return part.filter(~repeated), pl.concat(dropped, how="diagonal")


def _stamped(rows: pl.DataFrame, record: str, calendar: SessionCalendar) -> pl.DataFrame:
    other = PRICE_VALUES if record == "activity" else ACTIVITY_VALUES
    settled = pl.Series("settled", calendar.settlement_known_at(rows["event_session"]))
    event = pl.coalesce("quoted_at", settled) if record == "price" else settled
    return rows.with_columns(
        pl.lit(record).alias("record"),
        event.alias("event_time"),
        *[pl.lit(None, dtype=pl.Float64).alias(name) for name in other],
    )


def _because(rows: pl.DataFrame, reason: Reason) -> pl.DataFrame:
    return rows.with_columns(pl.lit(str(reason)).alias("reason"))


def _rejects(rows: pl.DataFrame) -> pl.DataFrame:
    """Rejects with the record's readable fields where a person must look at them."""
    reasons = rows["reason"].unique().to_list()
    kept = [name for name in EVENT_SCHEMA if name not in {"reason", "source_row"}]
    quarantined = pl.col("disposition") == "quarantined"
    return (
        rows.with_columns(
            pl.col("reason")
            .replace_strict({r: str(disposition(r)) for r in reasons}, return_dtype=pl.String)
            .alias("disposition"),
        )
        .with_columns(
            pl.when(quarantined).then(pl.struct(kept).struct.json_encode()).otherwise(pl.lit("")).alias("raw"),
            pl.when(quarantined)
            .then(pl.concat_str(pl.lit("DBN record: "), "reason"))
            .otherwise(pl.lit(""))
            .alias("detail"),
        )
        .select(pl.col(n).cast(t) for n, t in REJECT_SCHEMA.items())
    )


def _price_values(dataset: Dataset) -> Sequence[str]:
    return PRICE_VALUES if dataset is Dataset.FUTURES_BARS else _CHAIN_VALUES


def _row_schema(dataset: Dataset) -> dict[str, pl.DataType]:
    types: dict[str, pl.DataType] = {"contract_month": pl.Date(), "expiry": pl.Date(), "strike": pl.Float64()}
    identity = {name: types.get(name, pl.String()) for name in _IDENTITY[dataset]}
    return {
        "source_row": pl.Int64(),
        "market": pl.String(),
        **identity,
        "event_session": pl.Date(),
        "record": pl.String(),
        **dict.fromkeys((*_price_values(dataset), *ACTIVITY_VALUES), pl.Float64()),
        "event_time": pl.Datetime("us", "UTC"),
        "known_at": pl.Datetime("us", "UTC"),
    }
