"""Settlement files from frames: how the embedded market speaks the clearing house's layout."""

from datetime import date

import polars as pl

from hydra_assets.sources.cme_settlement_table import COLUMNS, write_table

_FUTURES: dict[str, pl.DataType] = {
    "root": pl.String(),
    "contract_month": pl.Date(),
    "last_trade": pl.Date(),
    "session": pl.Date(),
    "settle": pl.Float64(),
}
_OPTIONS: dict[str, pl.DataType] = {
    "root": pl.String(),
    "underlying_root": pl.String(),
    "underlying_month": pl.Date(),
    "expiry": pl.Date(),
    "right": pl.String(),
    "strike": pl.Float64(),
    "session": pl.Date(),
    "settle": pl.Float64(),
}


def write_settlement(
    futures: pl.DataFrame | None = None, options: pl.DataFrame | None = None, *, exchange: str = "CME"
) -> bytes:
    """Write one settlement file; the file of a session carries the *previous* session's volume and open interest.

    Parameters
    ----------
    futures
        ``[n]`` rows: ``root`` str, ``contract_month`` date (first of month), ``last_trade`` date, ``session`` date,
        ``settle`` float; optional ``open``, ``high``, ``low``, ``bid`` float, ``prev_volume`` and
        ``prev_open_interest`` numbers (of the session before ``session``). A null is an empty cell.
    options
        ``[m]`` rows: ``root`` str (the option's), ``underlying_root`` str, ``underlying_month`` date, ``expiry``
        date (last trade), ``right`` C or P, ``strike`` float, ``session`` date, ``settle`` float; optional
        ``contract_month`` date (the option's own month, where it is a serial one; ``underlying_month`` otherwise),
        ``bid`` float, ``prev_volume``, ``prev_open_interest``.
    exchange
        Value of the exchange cells.

    Several sessions may share a file. Prices are written as the shortest decimals that read back to the same float.
    """
    parts = []
    if futures is not None and futures.height:
        _check(futures, _FUTURES, "futures")
        parts.append(_future_cells(futures, exchange))
    if options is not None and options.height:
        _check(options, _OPTIONS, "options")
        parts.append(_option_cells(options, exchange))
    return write_table(pl.concat(parts) if parts else pl.DataFrame(schema=dict.fromkeys(COLUMNS, pl.String())))


def settlement_name(session: date, exchange: str = "CME") -> str:
    """File name of a session's settlement file: ``cme.settle.20220208.s.csv``."""
    return f"{exchange.lower()}.settle.{session:%Y%m%d}.s.csv"


def _future_cells(futures: pl.DataFrame, exchange: str) -> pl.DataFrame:
    cells = {
        "BizDt": _day("session"),
        "Sym": pl.col("root"),
        "ID": pl.col("root"),
        "SecTyp": pl.lit("FUT"),
        "MMY": pl.col("contract_month").dt.strftime("%Y%m"),
        "MatDt": _day("last_trade"),
        "Exch": pl.lit(exchange),
        "LastTrdDt": _day("last_trade"),
        "BidPrice": _number(futures, "bid"),
        "OpeningPrice": _number(futures, "open"),
        "SettlePrice": _number(futures, "settle"),
        "DHighPrice": _number(futures, "high"),
        "DLowPrice": _number(futures, "low"),
        "PrevDayVol": _count(futures, "prev_volume"),
        "PrevDayOI": _count(futures, "prev_open_interest"),
    }
    return _select(futures, cells)


def _option_cells(options: pl.DataFrame, exchange: str) -> pl.DataFrame:
    month = "contract_month" if "contract_month" in options.columns else "underlying_month"
    cells = {
        "BizDt": _day("session"),
        "Sym": pl.col("root"),
        "ID": pl.col("root"),
        "StrkPx": _number(options, "strike"),
        "SecTyp": pl.lit("OOF"),
        "MMY": pl.col(month).dt.strftime("%Y%m"),
        "MatDt": _day("expiry"),
        "PutCall": pl.col("right").replace_strict({"P": "0", "C": "1"}, return_dtype=pl.String),
        "Exch": pl.lit(exchange),
        "LastTrdDt": _day("expiry"),
        "BidPrice": _number(options, "bid"),
        "SettlePrice": _number(options, "settle"),
        "PrevDayVol": _count(options, "prev_volume"),
        "PrevDayOI": _count(options, "prev_open_interest"),
        "UndlyExch": pl.lit(exchange),
        "UndlyID": pl.col("underlying_root"),
        "UndlySecTyp": pl.lit("FUT"),
        "UndlyMMY": pl.col("underlying_month").dt.strftime("%Y%m"),
    }
    return _select(options, cells)


def _select(frame: pl.DataFrame, cells: dict[str, pl.Expr]) -> pl.DataFrame:
    return frame.select(cells.get(name, pl.lit("")).cast(pl.String).fill_null("").alias(name) for name in COLUMNS)


def _check(frame: pl.DataFrame, schema: dict[str, pl.DataType], what: str) -> None:
    missing = [name for name in schema if name not in frame.columns]
    if missing:
        msg = f"{what}: no column {', '.join(missing)}"
        raise ValueError(msg)


def _day(name: str) -> pl.Expr:
    return pl.col(name).dt.strftime("%Y-%m-%d")


def _number(frame: pl.DataFrame, name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Float64).cast(pl.String) if name in frame.columns else pl.lit("")


def _count(frame: pl.DataFrame, name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Int64).cast(pl.String) if name in frame.columns else pl.lit("")
