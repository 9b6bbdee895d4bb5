"""Constant maturities and expiries of a session: always three tenors, with numbers or with the reason why not."""

from datetime import date
from functools import cache

import numpy as np
import polars as pl
import pytest

from hydra_assets.columns import IMPLIED_MOMENTS
from hydra_assets.options.bootstrap import NORMAL_90
from hydra_assets.options.implied_density import COLUMNS
from hydra_assets.options.implied_moments import moments_of, statistics_of
from hydra_assets.options.moments import COLUMN, Statistic, per_year
from tests.support.chains import SESSION, Chain, Stages, ssvi, stages, weekdays

TENORS = ["30d", "60d", "90d"]
ONE_FUTURE = "HE 2026-12"
DAYS = weekdays(7)
THIN = (96.0, 100.0, 104.0)


def chains(day: date, i: int) -> list[Chain]:
    """What is listed on the i-th session."""
    listed: dict[int, list[tuple[int, str | None]]] = {
        0: [(25, ONE_FUTURE), (55, ONE_FUTURE), (110, ONE_FUTURE)],
        1: [(25, "HE 2026-10"), (75, "HE 2026-12")],
        2: [(40, None)],
        3: [(60, None)],
        4: [],
        6: [(100, None)],
    }
    if i == 5:
        return [Chain(session=day, days=60, strikes=THIN)]
    return [Chain(session=day, days=d, underlying=u, jitter=0.3) for d, u in listed[i]]


@cache
def found() -> Stages:
    """Seven sessions: one future, two futures, too early, on the tenor, no quotes, only a thin expiry, too late."""
    quotes = pl.concat([c.quotes() for i, day in enumerate(DAYS) for c in chains(day, i)])
    sessions = pl.DataFrame({"market": "SIM_HE", "session": DAYS})
    return stages(quotes, sessions, draws=20)


def of(i: int) -> pl.DataFrame:
    return found().moments.filter(pl.col("session") == DAYS[i])


def tenor(i: int, name: str) -> dict[str, float]:
    return of(i).row(by_predicate=pl.col("tenor") == name, named=True)


def test_every_session_has_its_three_tenors_and_its_graded_expiries() -> None:
    for i in range(len(DAYS)):
        rows = of(i)
        constant = rows.filter(pl.col("tenor").is_in(TENORS))
        assert constant["tenor"].to_list() == TENORS
        assert constant["tenor_days"].to_list() == [30, 60, 90]
        expiries = rows.filter(~pl.col("tenor").is_in(TENORS))
        graded = found().density.filter(pl.col("session") == DAYS[i])
        assert expiries["tenor"].to_list() == graded["expiry"].cast(pl.String).to_list()
        assert expiries["tenor_days"].to_list() == graded["days_to_expiry"].to_list()
        assert rows["tenor_days"].is_sorted()
    assert not found().moments.select(IMPLIED_MOMENTS.key).is_duplicated().any()


@pytest.mark.parametrize(
    ("i", "reasons", "usable"),
    [
        (0, ["ok", "ok", "ok"], 3),
        (1, ["ok", "ok", "not_bracketed"], 2),
        (2, ["not_bracketed"] * 3, 1),
        (3, ["not_bracketed", "ok", "not_bracketed"], 1),
        (4, ["no_quotes"] * 3, 0),
        (5, ["no_usable_slice"] * 3, 0),
        (6, ["not_bracketed"] * 3, 1),
    ],
)
def test_a_tenor_has_numbers_or_the_reason_why_not(i: int, reasons: list[str], usable: int) -> None:
    rows = of(i).filter(pl.col("tenor").is_in(TENORS))
    assert rows["moments_reason"].to_list() == reasons
    assert rows["slices_usable"].to_list() == [usable] * 3
    known = [reason == "ok" for reason in reasons]
    for name in ("sd", "sd_se", "sd_lo", "sd_hi", "skew", "atm_vol", "grade", "underlying_contract"):
        assert rows[name].is_not_null().to_list() == known, name


def test_total_variance_is_linear_in_time_between_two_expiries_of_one_future() -> None:
    density = found().density.filter(pl.col("session") == DAYS[0])
    sd, atm, mean = (density[name].to_list() for name in ("sd", "atm_vol", "mean"))
    for name, days, (i, j), share in (
        ("30d", 30, (0, 1), 5 / 30),
        ("60d", 60, (1, 2), 5 / 55),
        ("90d", 90, (1, 2), 35 / 55),
    ):
        row = tenor(0, name)
        assert row["sd"] ** 2 == pytest.approx((1 - share) * sd[i] ** 2 + share * sd[j] ** 2, rel=1e-12)
        w = [atm[x] ** 2 * (25, 55, 110)[x] for x in (i, j)]
        assert row["atm_vol"] ** 2 * days == pytest.approx((1 - share) * w[0] + share * w[1], rel=1e-12)
        assert row["mean"] == pytest.approx((1 - share) * mean[i] + share * mean[j], rel=1e-12)
        assert row["mixed_underlyings"] is False
        assert row["underlying_contract"] == ONE_FUTURE


def test_across_two_futures_volatilities_are_mixed_and_flagged() -> None:
    density = found().density.filter(pl.col("session") == DAYS[1])
    one, two = density["atm_vol"].to_list()
    row = tenor(1, "60d")
    share = (60 - 25) / (75 - 25)
    assert row["mixed_underlyings"] is True
    assert row["atm_vol"] == pytest.approx((1 - share) * one + share * two, rel=1e-12)
    per_root_day = [sd / np.sqrt(days) for sd, days in zip(density["sd"].to_list(), (25, 75), strict=True)]
    mixed = (1 - share) * per_root_day[0] + share * per_root_day[1]
    assert row["sd"] == pytest.approx(mixed * np.sqrt(60), rel=1e-12)
    flagged = found().moments.filter(pl.col("mixed_underlyings"))
    assert flagged.select("session", "tenor").rows() == [(DAYS[1], "30d"), (DAYS[1], "60d")]


def test_an_expiry_on_the_tenor_stands_alone_with_its_own_numbers() -> None:
    constant, own = tenor(3, "60d"), tenor(3, str(DAYS[3].replace(month=11, day=3)))
    assert own["tenor_days"] == 60
    assert constant["mixed_underlyings"] is False
    for name in COLUMNS:
        for end in ("", "_se", "_lo", "_hi"):
            assert constant[f"{name}{end}"] == pytest.approx(own[f"{name}{end}"], rel=1e-7, abs=1e-9), name


def test_intervals_are_the_value_and_1645_standard_errors() -> None:
    rows = found().moments.filter(pl.col("sd_se").is_not_null())
    assert rows.height >= 12
    assert pytest.approx(1.645, abs=2e-4) == NORMAL_90
    for name in COLUMNS:
        value, se = rows[name], rows[f"{name}_se"]
        assert (rows[f"{name}_lo"] - (value - NORMAL_90 * se)).abs().max() == 0.0
        assert (rows[f"{name}_hi"] - (value + NORMAL_90 * se)).abs().max() == 0.0
        assert se.min() >= 0.0  # type: ignore[operator]


def test_expiries_have_the_numbers_and_errors_of_their_density() -> None:
    rows = found().moments.filter(~pl.col("tenor").is_in(TENORS))
    density = found().density.with_columns(pl.col("expiry").cast(pl.String).alias("tenor"))
    both = rows.join(density, on=["market", "session", "tenor"], suffix="_density")
    assert both.height == rows.height == density.height
    for name in COLUMNS:
        for end in ("", "_se"):
            assert both[f"{name}{end}"].equals(both[f"{name}{end}_density"], null_equal=True, check_names=False), name


def test_a_tenor_has_the_worse_grade_of_its_two_expiries() -> None:
    narrow = Chain(days=75, strikes=tuple(np.arange(82.0, 122.0, 2.0).tolist()))
    rows = stages(pl.concat([Chain(days=25).quotes(), narrow.quotes()]))
    grades = dict(rows.density.select("days_to_expiry", "grade").rows())
    assert grades[25] < grades[75] <= "C"
    assert rows.moments.filter(pl.col("tenor") == "60d")["grade"].item() == grades[75]


def test_two_markets_are_kept_apart() -> None:
    hogs = [Chain(days=d, underlying=ONE_FUTURE) for d in (25, 75)]
    cattle = Chain(ssvi(0.15, days=40), days=40, market="SIM_LE")
    rows = stages(pl.concat([c.quotes() for c in (*hogs, cattle)])).moments
    alone = stages(pl.concat([c.quotes() for c in hogs])).moments
    assert rows.filter(pl.col("market") == "SIM_HE").equals(alone)
    assert rows.filter(pl.col("market") == "SIM_LE", pl.col("tenor").is_in(TENORS))["sd"].null_count() == 3


def test_statistics_come_back_from_the_rows() -> None:
    density = found().density
    values, se = statistics_of(density)
    years = density["year_fraction"].to_numpy()
    for name, statistic in COLUMNS.items():
        column = COLUMN[statistic]
        again = per_year(values, years)[:, column]
        assert again == pytest.approx(
            density[name].cast(pl.Float64).fill_null(np.nan).to_numpy(), rel=1e-14, nan_ok=True
        )
    median = density["quantiles"].list.get(4).fill_null(np.nan).to_numpy()
    assert np.exp(values[:, COLUMN[Statistic.Q50]]) * 100.0 == pytest.approx(median, rel=1e-14, nan_ok=True)
    assert np.isnan(values[:, COLUMN[Statistic.MODE]]).all()
    assert np.isfinite(se[density["sd"].is_not_null().to_numpy(), COLUMN[Statistic.Q50]]).all()


def test_no_density_at_all_gives_reasons_and_no_error() -> None:
    empty, surface = found().density.clear(), found().surface
    sessions = pl.DataFrame({"market": ["SIM_HE"], "session": [SESSION]})
    rows = moments_of(empty, surface, sessions)
    assert rows["moments_reason"].to_list() == ["no_usable_slice"] * 3
    assert moments_of(empty, surface.clear(), sessions)["moments_reason"].to_list() == ["no_quotes"] * 3
