"""Pictures for metadata: small, labelled, watermarked where the data are simulated."""

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

MAX_LINES = 6


@contextmanager
def canvas(title: str, markets: list[str]) -> Iterator[tuple[Figure, Axes]]:
    """A figure of one panel, closed afterwards; simulated markets get a watermark that cannot be missed."""
    figure, axes = plt.subplots(figsize=(8, 4), dpi=90, layout="constrained")
    axes.set_title(title)
    axes.grid(visible=True, alpha=0.3)
    watermark(figure, markets)
    try:
        yield figure, axes
    finally:
        plt.close(figure)


def watermark(figure: Figure, markets: list[str]) -> None:
    """Write SIMULATED across a figure that shows a simulated market."""
    if any(market.startswith("SIM_") for market in markets):
        figure.text(0.5, 0.5, "SIMULATED", fontsize=48, color="grey", alpha=0.18, ha="center", va="center", rotation=20)


def png(figure: Figure) -> bytes:
    """Figure as PNG bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def as_markdown(image: bytes) -> str:
    """PNG bytes as an inline Markdown picture, which the Dagster UI shows."""
    return f"![picture](data:image/png;base64,{base64.b64encode(image).decode()})"


def lines(
    rows: pl.DataFrame, *, x: str, y: str, title: str, unit: str, per: str = "market", style: str = "-"
) -> bytes | None:
    """One line per value of ``per`` (at most six), None where there is nothing to draw."""
    drawn = rows.drop_nulls([x, y]).sort(x)
    if drawn.is_empty():
        return None
    with canvas(title, drawn[per].unique().to_list()) as (figure, axes):
        for (name,), part in list(drawn.group_by([per], maintain_order=True))[:MAX_LINES]:
            axes.plot(part[x].to_numpy(), part[y].to_numpy(), style, label=str(name), linewidth=1, markersize=2)
        axes.set_ylabel(unit)
        axes.legend(fontsize=8)
        return png(figure)


def counts_per_partition(rows: pl.DataFrame, date_column: str, title: str) -> bytes | None:
    """Rows per partition date and market: gaps and doublings are seen at a glance."""
    counted = rows.group_by("market", date_column).len()
    return lines(counted, x=date_column, y="len", title=title, unit="rows", style=".")


def smile(rows: pl.DataFrame) -> bytes | None:
    """Bid and offer of the out-of-the-money options of the newest session's best-quoted expiry."""
    quoted = rows.filter(pl.col("bid").is_not_null() & pl.col("ask").is_not_null())
    if quoted.is_empty():
        return None
    last = quoted.filter(pl.col("session") == quoted["session"].max())
    best = last.group_by("market", "expiry").len().sort("len", descending=True).row(0)
    chain = last.filter((pl.col("market") == best[0]) & (pl.col("expiry") == best[1])).sort("strike")
    with canvas(f"{best[0]} chain of {chain['session'][0]}, expiry {best[1]}", [best[0]]) as (figure, axes):
        for right, colour in (("C", "tab:blue"), ("P", "tab:red")):
            side = chain.filter(pl.col("right") == right)
            axes.vlines(
                side["strike"], side["bid"], side["ask"], colors=colour, label={"C": "calls", "P": "puts"}[right]
            )
        if chain["underlying_settle"].is_not_null().any():
            axes.axvline(float(chain["underlying_settle"].drop_nulls()[0]), color="grey", linestyle=":")
        axes.set_xlabel("strike")
        axes.set_ylabel("premium, bid to offer")
        axes.legend(fontsize=8)
        return png(figure)
