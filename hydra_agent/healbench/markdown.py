"""The benchmark's tables as Markdown, for the page that keeps them."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import polars as pl

from hydra_agent.healbench.scores import (
    HEADLINE_FAULTS,
    HYDRA,
    Estimate,
    Target,
    damage,
    diagnosis,
    false_promotions,
    share,
)

QUIET = {"F0", "F8", "F9"}
EDGE = ("F1", "F5")


def page(frame: pl.DataFrame, summary: pl.DataFrame, targets: Sequence[Target]) -> str:
    """Regrets, what faults take, targets, promotions and healing, causes."""
    parts = (_regrets(summary), _damage(frame), _targets(targets), _promotions(frame), _causes(frame))
    return "\n\n".join(part for part in parts if part) + "\n"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _interval(value: float, low: float, high: float, digits: int = 2) -> str:
    if np.isnan(value):
        return "-"
    return f"{value:.{digits}f}" if np.isnan(low) else f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def _of(found: Estimate, digits: int = 3) -> str:
    return _interval(found.value, found.low, found.high, digits)


def _regrets(summary: pl.DataFrame) -> str:
    faults, policies = (summary[name].unique(maintain_order=True).to_list() for name in ("fault", "policy"))
    found = {(row["policy"], row["fault"]): row for row in summary.iter_rows(named=True)}
    rows = [
        [policy, *(_interval(*(found[policy, fault][name] for name in ("value", "low", "high"))) for fault in faults)]
        for policy in policies
    ]
    return table(["policy", *(f"{fault} (loss)" if fault in QUIET else fault for fault in faults)], rows)


def _damage(frame: pl.DataFrame) -> str:
    faults = [fault for fault in HEADLINE_FAULTS if fault in frame["fault"].to_list()]
    return table(["fault", *faults], [["takes of do nothing's profit", *(_of(damage(frame, f), 2) for f in faults)]])


def _targets(targets: Sequence[Target]) -> str:
    rows = []
    for target in targets:
        met = "yes" if target.met else ("**no**" if target.shown_missed else "no, luck not excluded")
        limit = f"{'≤' if target.at_most else '≥'} {target.limit:g}"
        rows.append([target.fault, target.what, _of(target.found), limit, str(target.found.of), met])
    return table(["fault", "target", "found, 90 % interval", "limit", "of", "met"], rows) if rows else ""


def _promotions(frame: pl.DataFrame) -> str:
    """By policy: promotions with bounds a path-year of all paths, what became of paths whose edge changed, and work."""
    rows = []
    for policy in frame["policy"].unique(maintain_order=True).to_list():
        of = frame.filter(pl.col("policy") == policy)
        changed = of.filter(pl.col("fault").is_in(EDGE))
        healed, halted = (changed.filter(pl.col(name) >= 0)[name].to_numpy() for name in ("healed_in", "halt_in"))
        years = int(of["path_years"].sum())
        rows.append(
            [
                policy,
                str(int(of["promotions"].sum())),
                *(_bounded(int(of[f"{kind}_promotions"].sum()), years) for kind in ("false", "harmful")),
                _of(false_promotions(frame, policy)),
                f"{len(halted)} of {len(changed)}" + (f", {np.median(halted):.0f}" if len(halted) else ""),
                f"{len(healed)} of {len(changed)}" + (f", {np.median(healed):.0f}" if len(healed) else ""),
                f"{of['experiments'].to_numpy().mean():.1f}",
                f"{of['seconds'].to_numpy().mean():.2f}",
            ]
        )
    header = ["policy", "promotions", "false", "harmful", "false a path-year of F0", "halts on F1, F5, median sessions"]
    return table([*header, "earns again, median sessions", "experiments a path", "CPU s a path"], rows)


def _bounded(count: int, years: int) -> str:
    return f"{count} (≤ {share(min(count, years), years).high:.2%} a year)"


def _causes(frame: pl.DataFrame) -> str:
    """What was diagnosed on each fault, and how soon the right response came."""
    own = frame.filter(pl.col("policy") == HYDRA)
    if own.is_empty():
        return ""
    rows = []
    for (fault, kind), of in own.group_by(["fault", "variant"], maintain_order=True):
        seen = of.filter(pl.col("right_response_in") >= 0)["right_response_in"].to_numpy()
        counted = ", ".join(f"{cause} {n}" for cause, n in Counter(of["cause"].to_list()).most_common())
        delay = f"{np.median(seen):.0f}" if len(seen) and fault not in QUIET else "-"
        rows.append([f"{fault} {kind}".strip(), of["right_cause"][0], counted, delay])
    found = diagnosis(frame)
    table_ = table(["fault", "right cause", "diagnosed", "sessions to the right response, median"], rows)
    return f"{table_}\n\nTop-1 diagnosis {_of(found.top_1, 2)} of {found.top_1.of}, macro-F1 {found.macro_f1:.2f}."
