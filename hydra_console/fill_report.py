"""What fills have cost against what was expected, and what was earned, by market, hour and size."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl
import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from hydra_assets.columns import DAILY_PNL, FILLS, SLIPPAGE_RECONCILIATION
from hydra_assets.lake import Lake
from hydra_assets.markets.model import MarketSpec
from hydra_exec.slippage.measure import summary
from hydra_exec.slippage.versions import as_of

MONEY = ("predicted_slippage_money", "arrival_slippage_money")
GROUPS: dict[str, tuple[str, ...]] = {
    "by_market": ("market",),
    "by_hour": ("market", "hour_bucket"),
    "by_size": ("market", "size_bucket"),
}
"""Ticks of two markets are not comparable, so hours and sizes are those of a market."""


def fill_report(
    engine: sa.Engine,
    lake: Lake,
    markets: Mapping[str, MarketSpec],
    first: date | None = None,
    last: date | None = None,
) -> dict[str, Any]:
    """Fills of some markets in a range of sessions, for JSON.

    ``total`` and each record of ``by_market``, ``by_hour`` (local hour) and ``by_size`` (lots of the order) have:
    ``fills`` and ``lots`` whose slippage was expected and measured; their mean ticks a lot and money, expected and
    paid; ``bias_half_spreads`` and ``correlation``, as the live gate takes them; ``fee_money``. ``unmeasured`` counts
    fills that no expectation is known of. ``net_money`` is what the market earned in the range, fills or none.
    """
    symbols = list(markets)

    def read(dataset: str, *columns: str) -> pl.DataFrame:
        return lake.read(dataset, markets=symbols, first=first, last=last, columns=list(columns) or None)

    fees = read(FILLS.name, "market", "session", "exec_id", "fee")
    rows = read(SLIPPAGE_RECONCILIATION.name).join(fees, on=["market", "session", "exec_id"], how="left")
    earned = read(DAILY_PNL.name, "market", "session", "net_money")
    net = dict(earned.group_by("market").agg(pl.col("net_money").sum()).iter_rows())
    total = _figures(rows, ())[0] if rows.height else None
    if total is not None:
        # A tick of one market is not a tick of another.
        total = {name: value for name, value in total.items() if not name.endswith("_ticks")}
        total["net_money"] = round(sum(net.values()), 2)
    out: dict[str, Any] = {"first": first, "last": last, "total": total}
    out |= {name: _figures(rows, by) if rows.height else [] for name, by in GROUPS.items()}
    for row in out["by_market"]:
        row["net_money"] = round(net[row["market"]], 2) if row["market"] in net else None
    out["versions"] = [_version(engine, spec, last) for spec in markets.values()]
    return out


def _figures(rows: pl.DataFrame, by: Sequence[str]) -> list[dict[str, Any]]:
    """Figures of each group, all rows as one where ``by`` is empty, in the order of the groups."""
    known = pl.all_horizontal(pl.col("arrival_slippage_ticks", "predicted_slippage_ticks").is_not_null())
    sums = (
        *(pl.col(name).filter(known).sum().round(2) for name in MONEY),
        pl.col("fee").sum().round(2).alias("fee_money"),
        known.not_().sum().alias("unmeasured"),
    )
    if not by:
        return pl.concat([summary(rows), rows.select(sums)], how="horizontal").to_dicts()
    money = rows.group_by(*by).agg(sums)
    return money.join(summary(rows, by), on=list(by), how="left").sort(*by).to_dicts()


def _version(engine: sa.Engine, spec: MarketSpec, last: date | None) -> dict[str, Any]:
    """What holds of a market's impact after a range: the learnt version, or the market's own Y where there is none."""
    found = as_of(engine, spec.symbol, date.max if last is None else last)
    return {
        "market": spec.symbol,
        "impact_y": spec.liquidity.impact_y if found is None else found.impact_y,
        "pessimism": 1.0 if found is None else found.pessimism,
        "effective_after": None if found is None else found.effective_after,
        "fills": 0 if found is None else found.fills,
        "reason": "the market's own" if found is None else str(found.figures.get("reason", "")),
    }


def show_fill_report(report: Mapping[str, Any], watermark: str | None, console: Console) -> None:
    """Print the report for a person."""
    if watermark:
        console.print(watermark, style="bold yellow")
    total = report["total"]
    if total is None:
        console.print("no fill of an order of ours in these sessions")
    else:
        correlation = "not known" if total["correlation"] is None else f"{total['correlation']:.2f}"
        bias = "not known" if total["bias_half_spreads"] is None else f"{total['bias_half_spreads']:+.2f}"
        without = f", {total['unmeasured']} more without an expectation" if total["unmeasured"] else ""
        console.print(
            f"{total['fills']} fills of {total['lots']} lots{without}: slippage expected {total[MONEY[0]]:,.2f}, paid "
            f"{total[MONEY[1]]:,.2f}; bias {bias} half-spreads, correlation {correlation}; fees "
            f"{total['fee_money']:,.2f}; net P&L {total['net_money']:,.2f}"
        )
        for name, by in GROUPS.items():
            console.print(_table(report[name], by))
    versions = Table("market", "impact Y", "pessimism", "after", "fills", "from", title="impact that holds")
    for row in report["versions"]:
        words = (f"{row['impact_y']:.3f}", f"{row['pessimism']:.2f}", str(row["effective_after"] or ""))
        versions.add_row(row["market"], *words, str(row["fills"]), row["reason"])
    console.print(versions)


def _table(rows: Sequence[Mapping[str, Any]], by: Sequence[str]) -> Table:
    table = Table(*(name.removesuffix("_bucket") for name in by))
    money = ("net P&L",) if len(by) == 1 else ()
    columns = ("fills", "lots", "expected, ticks", "paid, ticks", "expected", "paid", "bias, half-spreads")
    for name in (*columns, "correlation", "fees", *money):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            *(str(row[name]) for name in by),
            *(str(row[name] or 0) for name in ("fills", "lots")),
            *(_number(row[f"{name}_slippage_ticks"]) for name in ("predicted", "arrival")),
            *(_number(row[name]) for name in MONEY),
            _number(row["bias_half_spreads"], "+.2f"),
            _number(row["correlation"]),
            _number(row["fee_money"]),
            *((_number(row["net_money"]),) if money else ()),
        )
    return table


def _number(value: float | None, form: str = ",.2f") -> str:
    return "" if value is None else f"{value:{form}}"
