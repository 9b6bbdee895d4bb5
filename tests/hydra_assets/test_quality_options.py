"""Rules on options: each red on its own violation and on nothing else, none of them with knowledge of the future."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hydra_assets.columns import DENSITY_GATE
from hydra_assets.quality_options import (
    ALLOWED_SHARE,
    BLOCKING_RULES,
    DENSITY_RULES,
    JUMP_HISTORY,
    MIN_JUMP_HISTORY,
    MOMENT_RULES,
    SURFACE_RULES,
    DensityRule,
    GateState,
    check_rule,
    density_findings,
    density_gate,
    jumps,
    moment_findings,
    surface_findings,
)
from hydra_assets.verdict import Severity
from tests.support.chains import Chain, stages

FIRST = date(2024, 1, 1)
DAYS = [FIRST + timedelta(i) for i in range(400)]
BEFORE, TODAY = DAYS[:-1], DAYS[-1]


def surface(**cells: object) -> pl.DataFrame:
    """Three sound slices of today's ``vol_surface``; ``cells`` are the second one's."""
    rows = pl.DataFrame(
        {
            "market": "HE",
            "session": TODAY,
            "expiry": [TODAY + timedelta(d) for d in (30, 60, 90)],
            "days_to_expiry": [30, 60, 90],
            "quotes_seen": 40,
            "calendar_min_dw": [None, 0.002, 0.001],
            "parity_pairs": 5,
            "parity_gap_half_spreads": [0.4, -2.9, None],
        }
    )
    return changed(rows, cells)


def density(**cells: object) -> pl.DataFrame:
    """Three sound slices of today's ``implied_density``, one of them without a body; ``cells`` are the second one's."""
    rows = pl.DataFrame(
        {
            "market": "HE",
            "session": TODAY,
            "expiry": [TODAY + timedelta(d) for d in (30, 60, 90)],
            "days_to_expiry": [30, 60, 90],
            "grade": ["A", "C", "E"],
            "mass_residual": [1e-9, -9e-7, None],
            "martingale_residual": [9e-7, 0.0, None],
            "min_density": [1e-12, 0.0, None],
        }
    )
    return changed(rows, cells)


def changed(rows: pl.DataFrame, cells: dict[str, object]) -> pl.DataFrame:
    second = pl.int_range(pl.len()) == 1
    return rows.with_columns(
        pl.when(second).then(pl.lit(v, rows.schema[c])).otherwise(c).alias(c) for c, v in cells.items()
    )


def moments(atm_vol: float | None = None, skew: float | None = None) -> pl.DataFrame:
    """A quiet year of 60-day moments, and today's, with another tenor that is never looked at."""
    calm = np.random.default_rng(0).standard_normal((len(DAYS), 2)) * [0.002, 0.02] + [0.3, -0.2]
    rows = pl.DataFrame({"market": "HE", "session": DAYS, "tenor": "60d", "atm_vol": calm[:, 0], "skew": calm[:, 1]})
    today = pl.col("session") == TODAY
    rows = rows.with_columns(
        pl.when(today & pl.lit(v is not None)).then(pl.lit(v, pl.Float64)).otherwise(c).alias(c)
        for c, v in (("atm_vol", atm_vol), ("skew", skew))
    )
    wild = rows.with_columns(pl.lit("30d").alias("tenor"), pl.col("atm_vol") * (pl.int_range(pl.len()) % 2 + 1))
    return pl.concat([wild, rows])


def gate(
    surface_rows: pl.DataFrame | None = None,
    density_rows: pl.DataFrame | None = None,
    moment_rows: pl.DataFrame | None = None,
) -> tuple[str, str]:
    found = density_gate(
        surface() if surface_rows is None else surface_rows,
        density() if density_rows is None else density_rows,
        moments() if moment_rows is None else moment_rows,
        pl.DataFrame({"market": ["HE"], "session": [TODAY]}),
    )
    assert tuple(found.columns) == DENSITY_GATE.columns
    return found["gate_state"].item(), found["gate_reasons"].item()


def test_a_sound_session_is_green_and_names_no_rule() -> None:
    assert gate() == ("green", "")


VIOLATIONS = [
    (DensityRule.UNIT_MASS, {"density_rows": density(mass_residual=1.1e-6)}),
    (DensityRule.UNIT_MASS, {"density_rows": density(mass_residual=-0.2)}),
    (DensityRule.UNIT_MASS, {"density_rows": density(mass_residual=float("nan"))}),
    (DensityRule.MARTINGALE, {"density_rows": density(martingale_residual=-1.1e-6)}),
    (DensityRule.UNIT_MASS, {"density_rows": density(mass_residual=None)}),
    (DensityRule.MARTINGALE, {"density_rows": density(martingale_residual=float("nan"))}),
    (DensityRule.MARTINGALE, {"density_rows": density(martingale_residual=None)}),
    (DensityRule.BUTTERFLY, {"density_rows": density(min_density=None)}),
    (DensityRule.BUTTERFLY, {"density_rows": density(min_density=float("nan"))}),
    (DensityRule.BUTTERFLY, {"density_rows": density(min_density=-1e-8)}),
    (DensityRule.CALENDAR, {"surface_rows": surface(calendar_min_dw=-2e-9)}),
    (DensityRule.PARITY_FORWARD, {"surface_rows": surface(parity_gap_half_spreads=3.1)}),
    (DensityRule.PARITY_FORWARD, {"surface_rows": surface(parity_gap_half_spreads=-3.1)}),
    (DensityRule.GRADE_SHARE, {"density_rows": density().with_columns(pl.lit("D").alias("grade"))}),
    (DensityRule.ATM_VOL_JUMP, {"moment_rows": moments(atm_vol=0.36)}),
    (DensityRule.SKEW_JUMP, {"moment_rows": moments(skew=0.5)}),
]


@pytest.mark.parametrize(("rule", "rows"), VIOLATIONS, ids=lambda value: str(value) if isinstance(value, str) else "")
def test_each_violation_is_red_under_its_own_rule(rule: DensityRule, rows: dict[str, pl.DataFrame]) -> None:
    assert gate(**rows) == ("red", str(rule))


def test_every_rule_has_a_violation_above_and_belongs_to_one_table() -> None:
    assert {rule for rule, _ in VIOLATIONS} == set(DensityRule)
    assert sorted((*SURFACE_RULES, *DENSITY_RULES, *MOMENT_RULES)) == sorted(DensityRule)


def test_what_is_just_allowed_is_green() -> None:
    assert gate(surface(calendar_min_dw=-9e-10))[0] == "green"
    assert gate(surface(parity_gap_half_spreads=9.0, parity_pairs=2))[0] == "green"  # too few pairs to say so
    assert gate(density_rows=density(min_density=-9e-10))[0] == "green"
    assert gate(moment_rows=moments(atm_vol=0.31))[0] == "green"


def test_several_violations_are_named_in_order() -> None:
    rows = density(mass_residual=0.1, min_density=-1.0)
    assert gate(surface(calendar_min_dw=-1.0), rows, moments(skew=3.0)) == (
        "red",
        "unit_mass,butterfly,calendar,skew_jump",
    )


def test_the_share_of_grades_counts_slices_within_200_days_that_were_quoted() -> None:
    one_of_four = pl.concat([surface(), surface().tail(1).with_columns(pl.col("expiry") + pl.duration(days=20))])
    one = density().with_columns(pl.Series("grade", ["C", "D", "D"]))
    assert gate(one_of_four, one)[0] == "green"
    one_of_five = pl.concat([one_of_four, surface().tail(1).with_columns(pl.col("expiry") + pl.duration(days=27))])
    assert gate(one_of_five, one) == ("red", "grade_share")
    far = one_of_five.with_columns(
        pl.when(pl.int_range(pl.len()) > 2).then(210).otherwise("days_to_expiry").alias("days_to_expiry")
    )
    assert gate(far, one)[0] == "green"
    bare = one_of_five.with_columns(
        pl.when(pl.int_range(pl.len()) > 2).then(0).otherwise("quotes_seen").alias("quotes_seen")
    )
    assert gate(bare, one)[0] == "green"
    soon = density().with_columns(pl.lit(10).alias("days_to_expiry"))
    assert gate(surface(), soon) == ("red", "grade_share")  # good ones that expire within 14 days do not count


def test_without_any_density_the_gate_is_absent_whatever_else_is_wrong() -> None:
    assert gate(density_rows=density().clear())[0] == "absent"
    assert gate(surface().clear(), density().clear(), moments().clear()) == ("absent", "")
    assert gate(surface(calendar_min_dw=-1.0), density().clear(), moments(skew=3.0))[0] == "absent"


def test_a_density_of_volatility_alone_breaks_no_rule_of_mass() -> None:
    rows = density().tail(1)
    assert gate(surface().tail(1).with_columns(pl.lit(210).alias("days_to_expiry")), rows)[0] == "green"


def test_every_wanted_session_has_one_row_and_other_sessions_say_nothing() -> None:
    sessions = pl.DataFrame({"market": ["HE"] * 3, "session": [TODAY, DAYS[5], TODAY + timedelta(1)]})
    bad = density(mass_residual=1.0).with_columns(pl.lit(DAYS[7]).alias("session"))
    found = density_gate(surface(), pl.concat([density(), bad]), moments(), sessions)
    assert found["session"].to_list() == sessions["session"].to_list()
    assert found["gate_state"].to_list() == ["green", "absent", "absent"]


def test_the_market_that_breaks_a_rule_is_red_alone() -> None:
    both = [
        rows.with_columns(pl.lit("LE").alias("market")) for rows in (surface(), density(min_density=-1.0), moments())
    ]
    sessions = pl.DataFrame({"market": ["HE", "LE"], "session": [TODAY] * 2})
    found = density_gate(
        pl.concat([surface(), both[0]]), pl.concat([density(), both[1]]), pl.concat([moments(), both[2]]), sessions
    )
    assert found.select("market", "gate_state").rows() == [("HE", "green"), ("LE", "red")]


def test_the_engines_own_frames_are_green() -> None:
    found = stages(pl.concat([Chain(days=d, jitter=0.3, underlying="HE 2026-12").quotes() for d in (30, 60, 90)]))
    wanted = found.surface.select("market", "session").unique()
    rows = density_gate(found.surface, found.density, found.moments, wanted)
    assert rows.select("gate_state", "gate_reasons").rows() == [("green", "")]


# --- jumps -----------------------------------------------------------------------------------------------


def extended(values: NDArray[np.float64], last: float) -> NDArray[np.float64]:
    return np.concatenate([values, np.full(1, last)])


def test_a_jump_is_eight_scales_of_the_changes_before_it() -> None:
    steps = np.tile([1.0, -1.0, 1.0, -1.0], 30)
    values: NDArray[np.float64] = np.concatenate([np.zeros(1), np.cumsum(steps)])
    for size, wanted in ((8 * 1.4826 - 0.01, False), (8 * 1.4826 + 0.01, True)):
        found = jumps(extended(values, values[-1] + size))
        assert found[-1] == wanted
        assert not found[:-1].any()
        assert jumps(extended(values, values[-1] - size))[-1] == wanted


def test_a_short_history_judges_nothing() -> None:
    calm = np.linspace(0.0, 0.6, MIN_JUMP_HISTORY + 1)  # as many changes as are needed
    assert jumps(extended(calm, 50.0))[-1]
    assert not jumps(extended(calm[1:], 50.0)).any()


def test_a_missing_value_is_no_jump_and_no_change_on_either_side() -> None:
    values = np.linspace(0.0, 2.0, 200)
    values[150] = np.nan
    values[151:] += 40.0
    assert not jumps(values).any()
    values[170:] += 40.0
    assert np.flatnonzero(jumps(values)).tolist() == [170]


def test_the_standard_forgets_what_is_older_than_a_year() -> None:
    loud = np.tile([5.0, 0.0], 100)
    quiet = np.tile([0.01, 0.0], JUMP_HISTORY // 2 + 1)
    assert jumps(extended(np.concatenate([loud, quiet]), 2.0))[-1]
    assert not jumps(extended(np.concatenate([loud, quiet[:100]]), 2.0))[-1]


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 299), st.sampled_from([0.0, 1e6, float("nan")]))
def test_a_later_value_never_changes_an_earlier_verdict(seed: int, cut: int, later: float) -> None:
    rng = np.random.default_rng(seed)
    values = np.cumsum(rng.standard_t(2, 300))
    values[rng.random(300) < 0.05] = np.nan
    other = values.copy()
    other[cut:] = later
    assert np.array_equal(jumps(values)[:cut], jumps(other)[:cut])
    assert np.array_equal(jumps(values)[:cut], jumps(values[:cut]))


def test_moments_are_judged_at_sixty_days_and_by_their_own_market() -> None:
    found = moment_findings(moments(atm_vol=0.36))
    assert found.height == len(DAYS)
    assert found.filter(pl.col(DensityRule.ATM_VOL_JUMP))["session"].to_list() == [TODAY]
    assert not found[DensityRule.SKEW_JUMP].any()
    other = moments().with_columns(pl.lit("BTC").alias("market"), pl.col("atm_vol") * 3.0)
    both = moment_findings(pl.concat([moments(atm_vol=0.36), other]))
    assert both.filter(pl.col("market") == "HE").equals(found)
    cut = moments(atm_vol=0.36).filter(pl.col("session") < TODAY)
    assert moment_findings(cut).equals(found.filter(pl.col("session") < TODAY))


# --- checks of a run -------------------------------------------------------------------------------------


def findings(rule: DensityRule, broken: int, of: int = 100) -> pl.DataFrame:
    rows = {"market": ["HE"] * of, "session": DAYS[:of], rule: [i < broken for i in range(of)]}
    return pl.DataFrame(rows, schema={"market": pl.String, "session": pl.Date, rule: pl.Boolean})


@pytest.mark.parametrize("rule", list(DensityRule))
def test_a_check_allows_a_sound_markets_share_and_no_more(rule: DensityRule) -> None:
    allowed = round(100 * ALLOWED_SHARE.get(rule, 0.0))
    good, bad = (check_rule(rule, findings(rule, n)) for n in (allowed, allowed + 1))
    assert good.passed
    assert not bad.passed
    assert (good.reason, bad.reason) == ("ok", str(rule))
    assert bad.numbers == {"sessions": 100, "broken": allowed + 1}
    assert f"the last HE on {DAYS[allowed]}" in bad.message
    assert bad.severity == (Severity.ERROR if rule in BLOCKING_RULES else Severity.WARN)
    assert (rule in BLOCKING_RULES) == (allowed == 0)


def test_a_run_without_rows_passes_every_check() -> None:
    assert all(check_rule(rule, findings(rule, 0, 0)).passed for rule in DensityRule)
    none = density_findings(density().clear(), surface().clear()), surface_findings(surface().clear())
    for found, rules in zip(none, (DENSITY_RULES, SURFACE_RULES), strict=True):
        assert found.is_empty()
        assert set(rules) <= set(found.columns)
    assert {GateState.GREEN, GateState.RED, GateState.ABSENT} == set(GateState)
