"""The benchmark's output: tables for a terminal, Parquet, and a picture."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from hydra_agent.healbench.checks import Count
from hydra_agent.healbench.markdown import page
from hydra_agent.healbench.measure import Row
from hydra_agent.healbench.scores import (
    HEADLINE_FAULTS,
    HYDRA,
    Target,
    damage,
    diagnosis,
    false_promotions,
    loss,
    regret,
)

RUNS, SUMMARY, PICTURE, PAGE = "runs.parquet", "regret.parquet", "regret.png", "tables.md"


def frame_of(rows: Sequence[Row]) -> pl.DataFrame:
    """Rows of all runs."""
    return pl.DataFrame(rows, infer_schema_length=None)


def regrets(frame: pl.DataFrame) -> pl.DataFrame:
    """Normalised regret of every policy on every fault with its interval; on F0 and F8 the loss against do nothing."""
    found = []
    for fault in frame["fault"].unique(maintain_order=True).to_list():
        for policy in frame["policy"].unique(maintain_order=True).to_list():
            quiet = fault in {"F0", "F8", "F9"}
            estimate = (loss if quiet else regret)(frame, fault, policy)
            of = frame.filter((pl.col("fault") == fault) & (pl.col("policy") == policy))
            figures = "loss" if quiet else "regret"
            record = {"fault": fault, "policy": policy, "figure": figures, "value": estimate.value}
            record |= {"low": estimate.low, "high": estimate.high, "paths": len(of)}
            record |= {"net_a_path": of["value"].mean(), "seconds": of["seconds"].mean()}
            found.append(record)
    return pl.DataFrame(found, infer_schema_length=None)


def tables(console: Console, frame: pl.DataFrame, summary: pl.DataFrame, targets: Sequence[Target]) -> None:
    """Regrets, promotions, targets and diagnosis."""
    faults = summary["fault"].unique(maintain_order=True).to_list()
    shown = Table("policy", *faults, title="normalised regret (F0, F8, F9: share of do nothing's profit lost)")
    for policy in summary["policy"].unique(maintain_order=True).to_list():
        of = {row["fault"]: row for row in summary.filter(pl.col("policy") == policy).iter_rows(named=True)}
        cells = (f"{of[f]['value']:.2f}\n{of[f]['low']:.2f}..{of[f]['high']:.2f}" for f in faults)
        shown.add_row(policy, *cells)
    console.print(shown)
    costs = (f"{fault} {damage(frame, fault)}" for fault in faults if fault in HEADLINE_FAULTS)
    console.print(f"share of do nothing's profit that the fault takes: {', '.join(costs)}")
    console.print(_promotions(frame))
    met = Table("fault", "target", "found", "limit", "of", "met", title="targets, 90 % intervals")
    for target in targets:
        sign = "<=" if target.at_most else ">="
        said = "yes" if target.met else ("NO" if target.shown_missed else "no, luck not excluded")
        met.add_row(
            target.fault, target.what, str(target.found), f"{sign} {target.limit:g}", str(target.found.of), said
        )
    console.print(met)
    if HYDRA in frame["policy"].to_list():
        found = diagnosis(frame)
        console.print(f"diagnosis: top-1 {found.top_1}, macro-F1 {found.macro_f1:.2f}")


def _promotions(frame: pl.DataFrame) -> Table:
    columns = ("policy", "promotions", "false", "harmful", "false a path-year of F0", "healed", "sessions to heal")
    out = Table(*columns, "experiments", "CPU s a path", title="promotions, healing and compute")
    for policy in frame["policy"].unique(maintain_order=True).to_list():
        of = frame.filter(pl.col("policy") == policy)
        changed = of.filter(pl.col("fault").is_in(["F1", "F5"]))
        healed = changed.filter(pl.col("healed_in") >= 0)
        time = f"{np.median(healed['healed_in'].to_numpy()):.0f}" if len(healed) else "-"
        figures = (int(of[name].sum()) for name in ("promotions", "false_promotions", "harmful_promotions"))
        share = f"{len(healed)} of {len(changed)}"
        quiet = str(false_promotions(frame, policy))
        work = (f"{of['experiments'].to_numpy().mean():.1f}", f"{of['seconds'].to_numpy().mean():.2f}")
        out.add_row(policy, *map(str, figures), quiet, share, time, *work)
    return out


def checks_lines(hostile: Count, tampered: Count) -> list[str]:
    """What no path shows."""
    return [
        f"F10: {hostile.found} schema escapes in {hostile.of} fuzzed replies (0)",
        f"F11: {tampered.found} of {tampered.of} edits of the journal detected (all)",
        "F12: studies.heal_kill9 and tests/hydra_agent/defs kill the loop; no path shows it",
    ]


def write(folder: Path, frame: pl.DataFrame, summary: pl.DataFrame, targets: Sequence[Target]) -> None:
    """Runs and summary as Parquet, all tables as Markdown, and the regrets drawn."""
    folder.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(folder / RUNS)
    summary.write_parquet(folder / SUMMARY)
    (folder / PAGE).write_text(page(frame, summary, targets), encoding="utf-8")
    draw(folder / PICTURE, summary.filter(pl.col("figure") == "regret"))


def draw(path: Path, summary: pl.DataFrame) -> None:
    """Regrets by fault, a mark for each policy with its interval."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  slow to import, and not always wanted
    from matplotlib.figure import Figure  # noqa: PLC0415  likewise

    if summary.is_empty():
        return
    figure = Figure(figsize=(10, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    faults = summary["fault"].unique(maintain_order=True).to_list()
    policies = summary["policy"].unique(maintain_order=True).to_list()
    for k, policy in enumerate(policies):
        of = summary.filter(pl.col("policy") == policy)
        at = [faults.index(fault) + 0.8 * (k / max(len(policies) - 1, 1) - 0.5) for fault in of["fault"]]
        value, low, high = (of[name].to_numpy() for name in ("value", "low", "high"))
        axes.errorbar(at, value, [value - low, high - value], fmt="o", ms=4, capsize=2, label=policy)
    axes.axhline(0.0, color="0.6", lw=0.8)
    axes.axhline(1.0, color="0.6", lw=0.8)
    axes.set_xticks(range(len(faults)), faults)
    axes.set_ylim(-0.5, 2.0)
    axes.set_ylabel("normalised regret")
    axes.set_title("0: the oracle; 1: do nothing")
    axes.legend(fontsize=8, ncols=3)
    figure.savefig(path, dpi=110)
