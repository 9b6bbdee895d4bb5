"""Drawn engine output: truth where there is no error, errors as calibrated, nothing from the future."""

from datetime import date

import numpy as np
import pytest

from hydra_assets.markets.loader import load_markets
from hydra_assets.sources.simulated.market import SimulatedMarket, build_market
from hydra_assets.sources.simulated.world import World
from studies.worlds.calibration import (
    COMPONENTS,
    MOMENTS,
    PROBABILITIES,
    Calibration,
    Law,
    Line,
    MarketCalibration,
    bin_of,
    load,
    quantile,
    save,
)
from studies.worlds.cheap import grid_of
from studies.worlds.draws import draw, moment_rows
from studies.worlds.memory import autocorrelation, memory_of
from studies.worlds.slices import slices_of

MARKETS = ("SIM_HE", "SIM_ZO", "SIM_LE", "SIM_DC")


def simulated(last: date = date(2026, 11, 20), symbol: str = "SIM_HE") -> SimulatedMarket:
    market = build_market(load_markets()[symbol], World(), 7, date(2021, 11, 22), last)
    assert market is not None
    return market


def altered(**changes: object) -> MarketCalibration:
    return load().markets["SIM_HE"].model_copy(update=changes)


def law(value: float, slow: float = 0.0, decay: float = 0.5) -> Law:
    spread = np.linspace(-value, value, len(PROBABILITIES))
    return Law(quantiles=tuple(spread.tolist()), slow=slow, decay=decay)


def test_without_errors_the_truth_is_drawn() -> None:
    exact = altered(lines=dict.fromkeys(MOMENTS, Line(level=0.0, slope=1.0)), laws=dict.fromkeys(COMPONENTS, law(0.0)))
    market = simulated()
    drawn = draw(market, slices_of(market), exact)
    there = drawn.view.first >= 0
    assert there.sum() > 900
    for name in ("tilt", "skew", "risk_reversal_25", "atm_vol"):
        assert np.array_equal(drawn.moments[name], drawn.view.values[name], equal_nan=True)
    assert np.array_equal(drawn.moments["later_vol"], drawn.later.values["atm_vol"], equal_nan=True)
    assert np.isnan(drawn.moments["kurt"][drawn.grade < 2]).all()
    assert np.isfinite(drawn.moments["kurt"][drawn.grade == 2]).all()


def test_the_line_is_applied() -> None:
    lines = dict.fromkeys(MOMENTS, Line(level=0.5, slope=2.0))
    market = simulated()
    drawn = draw(market, slices_of(market), altered(lines=lines, laws=dict.fromkeys(COMPONENTS, law(0.0))))
    there = drawn.view.first >= 0
    assert drawn.moments["tilt"][there] == pytest.approx(0.5 + 2.0 * drawn.view.values["tilt"][there])


def test_errors_remember_as_they_are_told_to() -> None:
    # Volatilities are scaled by their own slow level, so the error's autocorrelation is that of the drawn part.
    market = simulated()
    for slow, decay, wanted in ((0.0, 0.5, 0.0), (1.0, 0.9, 0.9), (0.5, 0.9, 0.45)):
        laws = dict.fromkeys(COMPONENTS, law(0.01, slow, decay))
        drawn = draw(market, slices_of(market), altered(laws=laws))
        relative = drawn.off["atm_vol"] / drawn.view.values["atm_vol"]
        assert autocorrelation(relative, 1) == pytest.approx(wanted, abs=0.1)


def test_grades_come_in_their_shares() -> None:
    for symbol in MARKETS:
        market = simulated(symbol=symbol)
        slices, calibration = slices_of(market), load().markets[symbol]
        rank = draw(market, slices, calibration).rank
        place = bin_of(slices.width, calibration.grades)
        usual = (np.array(calibration.grades.unusable)[place], np.array(calibration.grades.grade_c)[place])
        for k, share in enumerate(usual):
            assert np.mean(rank[slices.listed] == k) == pytest.approx(np.mean(share[slices.listed]), abs=0.05)
        assert (rank[~slices.listed] == 0).all()


def test_later_sessions_change_no_draw() -> None:
    short, long = simulated(date(2023, 3, 31)), simulated()
    n = len(short.path.sessions)
    frames = [
        moment_rows(grid_of(m).keys, s, draw(m, s, load().markets["SIM_HE"]))
        for m, s in ((m, slices_of(m)) for m in (short, long))
    ]
    for tenor in ("60d", "90d"):
        one, two = (frame.filter(tenor=tenor) for frame in frames)
        assert one.equals(two.head(n))


def test_rows_say_why_there_are_no_moments() -> None:
    market = simulated(symbol="SIM_DC")
    slices = slices_of(market)
    rows = moment_rows(grid_of(market).keys, slices, draw(market, slices, load().markets["SIM_DC"]))
    assert set(rows["moments_reason"]) == {"ok", "not_bracketed", "no_usable_slice"}
    view = rows.filter(tenor="60d")
    assert (view["tilt"].is_not_null() == (view["moments_reason"] == "ok")).all()
    assert view.filter(grade="C")["kurt"].null_count() == view.filter(grade="C").height
    assert (view.filter(moments_reason="no_usable_slice")["slices_usable"] == 0).all()


def test_calibration_is_of_all_markets_and_reads_back(tmp_path) -> None:  # type: ignore[no-untyped-def]
    found = load()
    assert tuple(found.markets) == MARKETS
    for market in found.markets.values():
        np.linalg.cholesky(np.array(market.correlation))
        assert np.array(market.correlation).shape == (len(COMPONENTS), len(COMPONENTS))
        assert all(np.all(np.diff(one.quantiles) >= 0.0) for one in market.laws.values())
    save(found, tmp_path / "again.json")
    assert Calibration.model_validate_json((tmp_path / "again.json").read_text()) == found


def test_quantile_is_linear_between_levels_and_flat_outside() -> None:
    one = law(1.0)
    assert quantile(one, np.array([0.0, 0.5, 1.0])) == pytest.approx([-1.0, 0.0, 1.0])


def test_memory_of_two_autocorrelations() -> None:
    # 0.5 * 0.8 = 0.4 at lag 1 and 0.5 * 0.8^5 = 0.16384 at lag 5.
    assert memory_of(0.4, 0.16384) == (0.5, 0.8)
