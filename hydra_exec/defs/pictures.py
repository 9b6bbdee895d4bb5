"""Pictures of trading."""

import polars as pl

from hydra_assets.defs.pictures import canvas, png


def predicted_and_paid(rows: pl.DataFrame) -> bytes | None:
    """Slippage of each fill as it was expected and as it was paid, against the line on which the two are one."""
    both = rows.drop_nulls(["predicted_slippage_ticks", "arrival_slippage_ticks"])
    if both.is_empty():
        return None
    with canvas("Slippage at arrival, expected and paid", both["market"].unique().to_list()) as (figure, axes):
        for (market,), part in both.group_by(["market"], maintain_order=True):
            expected, paid = (part[f"{name}_slippage_ticks"].to_numpy() for name in ("predicted", "arrival"))
            axes.plot(expected, paid, ".", label=str(market))
        axes.axline((0.0, 0.0), slope=1.0, color="grey", linewidth=1)
        axes.set_xlabel("expected, ticks a lot")
        axes.set_ylabel("paid, ticks a lot")
        axes.legend(fontsize=8)
        return png(figure)
