"""Pictures of the loop: health, causes, gates, equities. matplotlib is imported when one is drawn."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hydra_assets.stats.gate_records import CandidateReport, GateCode, GateStatus

_GRADES = {"OK": 0, "INFO": 1, "WARNING": 2, "CRITICAL": 3}


def health_picture(rows: pl.DataFrame) -> bytes | None:
    """Gravest level of each family by session: one row a family, darker is graver."""
    from hydra_assets.defs.pictures import canvas, png  # noqa: PLC0415  matplotlib is slow to import

    if rows.is_empty():
        return None
    grade = pl.col("health_level").replace_strict(_GRADES, return_dtype=pl.Int64)
    worst = rows.group_by("session", "health_family").agg(grade.max().alias("grade"))
    wide = worst.pivot("session", index="health_family", values="grade", sort_columns=True).sort("health_family")
    names, values = wide["health_family"].to_list(), wide.drop("health_family").fill_null(0).to_numpy()
    sessions = rows["session"].unique().sort()
    title = f"Health from {sessions[0]} to {sessions[-1]}: white sound, yellow a warning, red critical"
    with canvas(title, rows["market"].unique().to_list()) as (figure, axes):
        axes.imshow(values, aspect="auto", cmap="YlOrRd", vmin=0, vmax=3, interpolation="nearest")
        axes.set_yticks(range(len(names)), names)
        ticks = np.linspace(0, len(sessions) - 1, min(6, len(sessions))).astype(int)
        axes.set_xticks(ticks, [str(sessions[int(i)]) for i in ticks], fontsize=8)
        axes.grid(visible=False)
        return png(figure)


def causes_picture(rows: pl.DataFrame) -> bytes | None:
    """How much each market may trade, by session."""
    from hydra_assets.defs.pictures import lines  # noqa: PLC0415  matplotlib is slow to import

    return lines(rows, x="session", y="exposure", title="Share of its size that a market may trade", unit="fraction")


def waterfall_picture(reports: Sequence[CandidateReport], symbols: Sequence[str]) -> bytes | None:
    """Gates of a cycle's candidates: green passed, red failed, grey not applicable; a candidate a row."""
    from hydra_assets.defs.pictures import canvas, png  # noqa: PLC0415  matplotlib is slow to import

    if not reports:
        return None
    code = {GateStatus.PASSED: 1.0, GateStatus.FAILED: -1.0, GateStatus.NOT_APPLICABLE: 0.0}
    gates = list(GateCode)
    values = np.full((len(reports), len(gates)), np.nan)
    for i, report in enumerate(reports):
        for verdict in report.verdicts:
            values[i, gates.index(verdict.gate)] = code[verdict.status]
    with canvas("Gates of this cycle's candidates", list(symbols)) as (figure, axes):
        axes.imshow(values, aspect="auto", cmap="RdYlGn", vmin=-1.3, vmax=1.3)
        axes.set_xticks(range(len(gates)), [gate.value for gate in gates], rotation=30, ha="right", fontsize=7)
        axes.set_yticks(range(len(reports)), [report.candidate for report in reports], fontsize=6)
        axes.grid(visible=False)
        return png(figure)


def equity_picture(
    days: NDArray[np.int64],
    curves: dict[str, NDArray[np.float64]],
    title: str,
    symbols: Sequence[str],
    sealed_from: int | None = None,
) -> bytes | None:
    """Cumulative net profit over capital; around the first curve two standard errors of its gap to the second."""
    from hydra_assets.defs.pictures import canvas, png  # noqa: PLC0415  matplotlib is slow to import

    if not curves or not len(days):
        return None
    x = days.astype("datetime64[D]")
    with canvas(title, list(symbols)) as (figure, axes):
        for name, returns in curves.items():
            axes.plot(x, np.cumsum(np.nan_to_num(returns)), label=name, linewidth=1)
        if len(curves) > 1:
            one, other = list(curves.values())[:2]
            gap = np.nan_to_num(one - other)
            band = 2.0 * np.sqrt(np.cumsum((gap - gap.mean()) ** 2))
            middle = np.cumsum(np.nan_to_num(one))
            axes.fill_between(x, middle - band, middle + band, alpha=0.15)
        if sealed_from is not None:
            axes.axvline(x[sealed_from], color="grey", linestyle=":", linewidth=1)
        axes.set_ylabel("fraction of capital")
        axes.legend(fontsize=8)
        return png(figure)


def harm_picture(harm: Sequence[tuple[str, float]], symbols: Sequence[str]) -> bytes | None:
    """What each feature added to the champion's errors of late, more than before: SHAP of errors."""
    from hydra_assets.defs.model_pictures import bars  # noqa: PLC0415  matplotlib is slow to import

    names, values = [name for name, _ in harm], [value for _, value in harm]
    title = "SHAP of errors: to the right is harm, more than before"
    return bars(names, values, title, "log loss a decision", list(symbols))


def as_inline(image: bytes) -> str:
    """A picture as the Dagster UI shows it."""
    from hydra_assets.defs.pictures import as_markdown  # noqa: PLC0415  matplotlib is slow to import

    return as_markdown(image)
