"""One bad slice among good ones: it ends under its own reason, and the other sessions keep every bit."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import polars as pl
import pytest

from tests.support.chains import SESSION, Chain, Stages, stages, weekdays

DAYS = weekdays(3)
BAD = DAYS[1]
SESSIONS = pl.DataFrame({"market": "SIM_HE", "session": DAYS})
DRAWS = 20
PRICES = ("bid", "ask")
GOOD = {day: Chain(session=day, days=60, jitter=0.3, seed=4).quotes() for day in DAYS}


def every(**cells: object) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """The same value in every row of some columns."""
    return lambda rows: rows.with_columns(pl.lit(v, rows.schema[c]).alias(c) for c, v in cells.items())


def today(rows: pl.DataFrame) -> pl.DataFrame:
    """The chain on its last day."""
    return every(days_to_expiry=0, year_fraction=0.0)(rows).with_columns(pl.col("session").alias("expiry"))


def times(column: str, factor: float) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """A column times a factor."""
    return lambda rows: rows.with_columns(pl.col(column) * factor)


@dataclass(frozen=True, slots=True)
class Bad:
    """What is done to the slice; the reason of its out-of-the-money quotes, of the slice and of its 60-day moments."""

    name: str
    spoil: Callable[[pl.DataFrame], pl.DataFrame]
    quotes: str | None
    surface: str | None
    moments: str = "no_usable_slice"
    grade: str | None = None


CASES = [
    Bad("empty chain", lambda rows: rows.clear(), None, None, "no_quotes"),
    Bad("one strike", lambda rows: rows.filter(pl.col("strike") == 100.0), "used", "ok", grade="E"),
    Bad("all bids missing", every(bid=None), "one_sided", "too_few_quotes"),
    Bad("all prices missing", every(bid=None, ask=None), "no_price", "too_few_quotes"),
    Bad(
        "crossed quotes",
        lambda rows: rows.with_columns(pl.col("ask").alias("bid"), pl.col("bid").alias("ask")).filter(
            pl.col("ask") > 0.0
        ),
        "crossed",
        "too_few_quotes",
    ),
    Bad("zero prices", every(bid=0.0, ask=0.0), "not_positive", "too_few_quotes"),
    Bad("negative prices", every(bid=-1.0, ask=-0.5), "not_positive", "too_few_quotes"),
    Bad("negative strikes", times("strike", -1.0), "not_positive", "too_few_quotes"),
    Bad("NaN", every(bid=np.nan, ask=np.nan), "not_a_number", "too_few_quotes"),
    Bad("infinity", every(ask=np.inf), "not_a_number", "too_few_quotes"),
    Bad("expiry today", today, "near_expiry", "too_few_quotes"),
    Bad("strikes x100", times("strike", 100.0), "strike_unit", "forward_mismatch"),
    Bad("forward of the wrong month", times("underlying_settle", 1.15), "used", "forward_mismatch"),
    Bad("no forward", every(underlying_settle=None), "no_forward", "too_few_quotes"),
    Bad("forward not a number", every(underlying_settle=np.nan), "not_a_number", "too_few_quotes"),
    Bad("old forward", every(underlying_age_sessions=4), "no_forward", "too_few_quotes"),
    Bad("no rate", every(rate=np.nan), "no_rate", "too_few_quotes"),
    Bad("all quotes stale", every(quote_age_hours=72.0), "old", "too_few_quotes"),
]


@cache
def without() -> Stages:
    """The run without the bad session."""
    return stages(pl.concat([GOOD[day] for day in DAYS if day != BAD]), SESSIONS, DRAWS)


@cache
def run(name: str) -> Stages:
    """The run with one spoilt slice between two good sessions."""
    case = next(case for case in CASES if case.name == name)
    rows = {**GOOD, BAD: case.spoil(GOOD[BAD])}
    return stages(pl.concat([rows[day] for day in DAYS]), SESSIONS, DRAWS)


def of_bad(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(pl.col("session") == BAD)


def first(codes: pl.Series) -> str | None:
    return str(codes[0]) if len(codes) else None


def ends(found: Stages) -> dict[str, str | None]:
    """Codes of the bad session, by the dataset that says them."""
    judged = of_bad(found.clean)
    # Both legs are judged, but for reasons that hold for every quote an in-the-money one has its own.
    codes = judged.filter(pl.col("quote_reason") != "in_the_money")["quote_reason"].value_counts(sort=True)
    surface, density = of_bad(found.surface)["slice_reason"], of_bad(found.density)["grade"]
    tenor = of_bad(found.moments).filter(pl.col("tenor") == "60d")["moments_reason"]
    return {
        "clean_quotes": first(codes["quote_reason"]),
        "vol_surface": first(surface),
        "implied_density": first(density),
        "implied_moments": first(tenor),
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_bad_slice_ends_under_its_own_reason(case: Bad) -> None:
    found = run(case.name)
    assert ends(found) == {
        "clean_quotes": case.quotes,
        "vol_surface": case.surface,
        "implied_density": case.grade,
        "implied_moments": case.moments,
    }
    if case.quotes not in {None, "used"}:
        # One reason for every quote that is not out for its own, and the slice repeats it with its count.
        reasons = set(of_bad(found.clean)["quote_reason"]) - {"in_the_money", "below_tick"}
        assert reasons == {case.quotes}
        assert f"{case.quotes}=" in of_bad(found.surface)["quotes_rejected"].item()
        assert of_bad(found.vols).is_empty()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_bad_slice_says_no_number_that_it_does_not_know(case: Bad) -> None:
    found = run(case.name)
    moments = of_bad(found.moments).filter(pl.col("tenor").is_in(["30d", "60d", "90d"]))
    assert moments.height == 3
    assert moments["sd"].null_count() == 3
    if case.surface == "ok":
        # A level alone: the volatility at the money is known, the shape is not.
        expiry = of_bad(found.density)
        assert expiry["atm_vol"].item() == pytest.approx(0.3, abs=0.03)
        assert expiry.select("sd", "skew", "kurt", "risk_reversal_25", "density").null_count().row(0) == (1,) * 5
        return
    surface, flows = of_bad(found.surface), of_bad(found.flows)
    assert surface.select("atm_vol", "weight_ssvi", "fit_kind").null_count().row(0) == (surface.height,) * 3
    assert flows["gex_unsigned_per_percent"].null_count() == flows.height
    assert (flows["options_missing"] == flows["options"]).all()
    listed = of_bad(found.clean).filter(pl.col("strike") > 0.0).height
    assert flows.filter(pl.col("level") == "market")["options"].to_list() == ([listed] * 2 if listed else [])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_other_sessions_keep_every_bit(case: Bad) -> None:
    alone = without().named()
    for dataset, rows in run(case.name).named().items():
        others = rows.filter(pl.col("session") != BAD)
        assert others.height > 0
        assert others.equals(alone[dataset].filter(pl.col("session") != BAD)), dataset


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_bad_slice_alone_ends_as_it_does_among_others(case: Bad) -> None:
    alone = stages(case.spoil(GOOD[BAD]), SESSIONS.filter(pl.col("session") == BAD), DRAWS).named()
    for dataset, rows in run(case.name).named().items():
        assert of_bad(rows).equals(alone[dataset]), dataset


def test_all_bad_slices_at_once_leave_the_next_expiry_of_their_session_every_bit() -> None:
    bad, good = [], []
    for day, case in zip(weekdays(len(CASES)), CASES, strict=True):
        bad.append(case.spoil(Chain(session=day, days=60, jitter=0.3, seed=4).quotes()))
        good.append(Chain(session=day, days=120, jitter=0.3, seed=5).quotes())
    together, alone = stages(pl.concat([*bad, *good])), stages(pl.concat(good))
    for dataset in ("clean_quotes", "implied_vols", "vol_surface", "implied_density"):
        rows = together.named()[dataset]
        of_good = rows.filter(pl.col("expiry") == pl.col("session").dt.offset_by("120d"))
        assert of_good.equals(alone.named()[dataset]), dataset
    assert set(together.surface["slice_reason"]) == {"ok", "too_few_quotes", "forward_mismatch"}


def test_the_table_of_bad_input() -> None:
    lines = []
    for case in CASES:
        found = ends(run(case.name))
        said = [(where, code) for where, code in found.items() if code not in {None, "used", "ok"}]
        where, code = said[0]
        assert (where, code) in {
            ("clean_quotes", case.quotes),
            ("vol_surface", case.surface),
            ("implied_density", case.grade),
            ("implied_moments", case.moments),
        }
        lines.append(f"{case.name:<28}{where:<17}{code:<18}{found['vol_surface'] or '-':<18}{found['implied_moments']}")
    header = f"{'input':<28}{'ends in':<17}{'code':<18}{'vol_surface':<18}60-day moments"
    print("\n" + "\n".join([header, *lines]))
    assert len(lines) == len(CASES) >= 14


def test_quotes_of_no_session_at_all_give_empty_frames_and_reasoned_moments() -> None:
    found = stages(GOOD[SESSION].clear(), SESSIONS)
    for dataset, rows in found.named().items():
        assert rows.is_empty() == (dataset != "implied_moments"), dataset
    assert found.moments["moments_reason"].to_list() == ["no_quotes"] * 9
