"""Whether a session's surfaces and densities can be believed: one table of findings, read as checks and as a gate.

Each rule looks at one (market, session). The asset checks count the sessions of a run that break a rule; the density
gate of a market is red in a session that breaks any of them, and red blocks new positions on a real source. A jump is
compared with the market's own earlier jumps only, so that a later session never changes an earlier verdict.
"""

from enum import StrEnum

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hydra_assets.arrays import floats
from hydra_assets.verdict import Severity, Verdict

MAX_RESIDUAL = 1e-6
MIN_DENSITY = -1e-9
MIN_CALENDAR_GAIN = -1e-9
MIN_GRADE_SHARE = 0.25
"""Of the slices between 14 and 200 days: in a thin market the far months never have eight liquid strikes."""
GRADED_DAYS = (14, 200)
MAX_PARITY_HALF_SPREADS = 3.0
MIN_PARITY_PAIRS = 3
JUMP_SCALES = 8.0
JUMP_HISTORY, MIN_JUMP_HISTORY = 250, 60
JUMP_TENOR = "60d"
JUMP_DAYS_BEFORE = 400
"""Calendar days of earlier moments that a jump is judged against: a little over 250 sessions."""
KEY = ["market", "session"]


class DensityRule(StrEnum):
    """What a session's options have to satisfy; also the names of the asset checks."""

    UNIT_MASS = "unit_mass"
    MARTINGALE = "martingale"
    BUTTERFLY = "butterfly"
    CALENDAR = "calendar"
    GRADE_SHARE = "grade_share"
    PARITY_FORWARD = "parity_forward"
    ATM_VOL_JUMP = "atm_vol_jump"
    SKEW_JUMP = "skew_jump"


BLOCKING_RULES = frozenset({DensityRule.UNIT_MASS, DensityRule.MARTINGALE, DensityRule.BUTTERFLY, DensityRule.CALENDAR})
"""What no repair downstream can make good: such numbers are wrong, not merely doubtful."""
ALLOWED_SHARE = {
    DensityRule.PARITY_FORWARD: 0.10,
    DensityRule.GRADE_SHARE: 0.10,
    DensityRule.ATM_VOL_JUMP: 0.01,
    DensityRule.SKEW_JUMP: 0.01,
}
"""Share of a run's sessions that may break a rule: stale pairs, thin days and announcements are a market's own."""
SURFACE_RULES = (DensityRule.CALENDAR, DensityRule.PARITY_FORWARD)
DENSITY_RULES = (DensityRule.UNIT_MASS, DensityRule.MARTINGALE, DensityRule.BUTTERFLY, DensityRule.GRADE_SHARE)
MOMENT_RULES = (DensityRule.ATM_VOL_JUMP, DensityRule.SKEW_JUMP)


class GateState(StrEnum):
    """State of a market's density gate in a session."""

    GREEN = "green"
    RED = "red"
    ABSENT = "absent"
    """No density of any expiry: nothing to believe or doubt."""


def surface_findings(surface: pl.DataFrame) -> pl.DataFrame:
    """Rules on ``vol_surface``: columns market, session, and one Boolean per rule, true where it is broken."""
    gap = pl.col("parity_gap_half_spreads").abs() > MAX_PARITY_HALF_SPREADS
    return _per_session(
        surface,
        (pl.col("calendar_min_dw") < MIN_CALENDAR_GAIN).any().alias(DensityRule.CALENDAR),
        (gap & (pl.col("parity_pairs") >= MIN_PARITY_PAIRS)).any().alias(DensityRule.PARITY_FORWARD),
    )


def density_findings(density: pl.DataFrame, surface: pl.DataFrame) -> pl.DataFrame:
    """Rules on ``implied_density``, with ``vol_surface`` of the same sessions for the slices that have none."""
    body = pl.col("grade").is_in(["A", "B", "C"])
    # A published density whose integral is not known is as bad as one that is wrong.
    holds = {
        DensityRule.UNIT_MASS: pl.col("mass_residual").abs() <= MAX_RESIDUAL,
        DensityRule.MARTINGALE: pl.col("martingale_residual").abs() <= MAX_RESIDUAL,
        DensityRule.BUTTERFLY: pl.col("min_density").fill_nan(None) >= MIN_DENSITY,
    }
    found = _per_session(
        density, *((body & ~good.fill_null(value=False)).any().alias(rule) for rule, good in holds.items())
    )
    near = pl.col("days_to_expiry").is_between(*GRADED_DAYS)
    good = density.filter(near & body).group_by(KEY).agg(pl.len().alias("good"))
    quoted = surface.filter(near & (pl.col("quotes_seen") > 0)).group_by(KEY).agg(pl.len().alias("slices"))
    share = quoted.join(good, on=KEY, how="left").select(
        *KEY,
        (pl.col("good").fill_null(0) < MIN_GRADE_SHARE * pl.col("slices")).alias(DensityRule.GRADE_SHARE),
    )
    return found.join(share, on=KEY, how="left", maintain_order="left").with_columns(
        pl.col(DensityRule.GRADE_SHARE).fill_null(value=False)
    )


def moment_findings(moments: pl.DataFrame) -> pl.DataFrame:
    """Rules on ``implied_moments``: ``moments`` needs the market's earlier sessions too, about a year of them."""
    rows = moments.filter(pl.col("tenor") == JUMP_TENOR).sort(KEY, maintain_order=True)
    parts = [
        part.select(
            *KEY,
            pl.Series(DensityRule.ATM_VOL_JUMP, jumps(floats(part, "atm_vol"))),
            pl.Series(DensityRule.SKEW_JUMP, jumps(floats(part, "skew"))),
        )
        for part in rows.partition_by("market", maintain_order=True)
    ]
    empty = {"market": pl.String(), "session": pl.Date(), **dict.fromkeys(map(str, MOMENT_RULES), pl.Boolean())}
    return pl.concat(parts) if parts else pl.DataFrame(schema=empty)


def jumps(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each value, ``[n]`` with NaN for missing, is far from the one before by the standard of earlier changes.

    The standard is 1.4826 times the median absolute change of the last 250, at least 60, before it.
    """
    change = np.full(len(values), np.nan)
    change[1:] = np.abs(np.diff(values))
    out = np.zeros(len(values), dtype=np.bool_)
    for i in np.flatnonzero(np.isfinite(change)):
        earlier = change[max(0, i - JUMP_HISTORY) : i]
        earlier = earlier[np.isfinite(earlier)]
        if len(earlier) >= MIN_JUMP_HISTORY:
            out[i] = change[i] > JUMP_SCALES * max(1.4826 * float(np.median(earlier)), 1e-12)
    return out


def check_rule(rule: DensityRule, findings: pl.DataFrame) -> Verdict:
    """A rule over a run: the sessions that break it, against the share that a sound market breaks."""
    broken = findings.filter(pl.col(rule))
    passed = broken.height <= ALLOWED_SHARE.get(rule, 0.0) * findings.height
    newest = f", the last {broken['market'][-1]} on {broken['session'][-1]}" if broken.height else ""
    return Verdict(
        str(rule),
        passed,
        Severity.ERROR if rule in BLOCKING_RULES else Severity.WARN,
        "ok" if passed else str(rule),
        f"{broken.height} of {findings.height} sessions break it{newest}",
        {"sessions": findings.height, "broken": broken.height},
    )


def density_gate(
    surface: pl.DataFrame, density: pl.DataFrame, moments: pl.DataFrame, sessions: pl.DataFrame
) -> pl.DataFrame:
    """State of the gate: one row per (market, session) of ``sessions`` with ``gate_state`` and ``gate_reasons``.

    ``moments`` needs about a year of earlier sessions; ``surface`` and ``density`` the wanted ones.
    """
    found = sessions.select(KEY)
    for frame in (surface_findings(surface), density_findings(density, surface), moment_findings(moments)):
        found = found.join(frame, on=KEY, how="left", maintain_order="left")
    reasons = pl.concat_str(
        [pl.when(pl.col(rule)).then(pl.lit(str(rule))) for rule in DensityRule], separator=",", ignore_nulls=True
    )
    return found.with_columns(reasons.alias("gate_reasons")).select(
        *KEY,
        pl.when(pl.col(DensityRule.UNIT_MASS).is_null())
        .then(pl.lit(str(GateState.ABSENT)))
        .when(pl.col("gate_reasons") == "")
        .then(pl.lit(str(GateState.GREEN)))
        .otherwise(pl.lit(str(GateState.RED)))
        .alias("gate_state"),
        "gate_reasons",
    )


def _per_session(rows: pl.DataFrame, *rules: pl.Expr) -> pl.DataFrame:
    return rows.group_by(KEY, maintain_order=True).agg(*rules).sort(KEY)
