"""True slices: tabled statistics are those of the density, and a maturity is interpolated by the engine's rules."""

from datetime import date

import numpy as np
import pytest

from hydra_assets.markets.loader import load_markets
from hydra_assets.options.moments import Statistic
from hydra_assets.sources.simulated.market import SimulatedMarket, build_market
from hydra_assets.sources.simulated.mixture import log_density, mixture
from hydra_assets.sources.simulated.world import World
from studies.worlds.slices import Slices, _tabled, slices_of, tenor


@pytest.fixture(scope="module")
def slices() -> Slices:
    return slices_of(simulated())


def simulated() -> SimulatedMarket:
    market = build_market(load_markets()["SIM_HE"], World(), 7, date(2024, 1, 2), date(2024, 6, 28))
    assert market is not None
    return market


@pytest.mark.parametrize(("sd", "shift"), [(0.0113, -1.03), (0.077, 0.31), (0.1234, -0.57), (0.31, 0.99)])
def test_statistics_between_the_nodes_are_those_of_the_density(sd: float, shift: float) -> None:
    law = mixture(np.array([sd**2]), np.array([shift]))
    k = np.linspace(-12.0, 12.0, 40_001) * sd
    p = log_density(law, k)
    p /= p.sum()
    mean = (p * k).sum()
    spread = np.sqrt((p * (k - mean) ** 2).sum())
    skew, kurt = (((p * (k - mean) ** n).sum() / spread**n) for n in (3, 4))
    median = k[np.searchsorted(np.cumsum(p), 0.5)]
    found = _tabled(np.array([[sd]]), np.array([[shift]]))[0, 0]
    assert found[:4] == pytest.approx([mean, spread, skew, kurt], rel=2e-3, abs=2e-4 * sd)
    assert found[6] == pytest.approx(median, abs=2e-3 * sd)


def two(slices: Slices, underlying: tuple[int, int]) -> tuple[Slices, np.ndarray]:
    """One session with expiries in 30 and 90 days whose volatilities at the money are 3 and 6 % to expiry."""
    values = np.zeros((1, 2, slices.values.shape[2]))
    names = [Statistic.SD, Statistic.ATM_TOTAL_VOL]
    for name, pair in zip(names, [(0.03, 0.06), (0.03, 0.06)], strict=True):
        values[0, :, list(_names()).index(name)] = pair
    values[0, :, list(_names()).index(Statistic.SKEW)] = (0.2, 0.6)
    made = Slices(
        surface=slices.surface,
        series=np.array([[0, 1]]),
        days=np.array([[30.0, 90.0]]),
        width=np.array([[3.0, 6.0]]),
        underlying=np.array([underlying]),
        sd=np.array([[0.03, 0.06]]),
        shift=np.zeros((1, 2)),
        values=values,
    )
    return made, np.ones((1, 2), dtype=np.bool_)


def _names() -> tuple[Statistic, ...]:
    from studies.worlds.slices import TABLED

    return TABLED


def test_variance_of_one_underlying_accrues(slices: Slices) -> None:
    # Half way: (0.03^2 + 0.06^2)/2 = 0.00225, its root 0.0474342 over sqrt(60/365) = 0.4054414 is 0.116994 a year.
    found = tenor(*two(slices, (5, 5)), 60.0)
    assert (found.first[0], found.second[0], found.share[0], bool(found.across[0])) == (0, 1, 0.5, False)
    assert found.values["atm_vol"][0] == pytest.approx(0.116994, abs=1e-6)
    assert found.values["skew"][0] == pytest.approx(0.4)


def test_volatilities_of_two_underlyings_are_averaged(slices: Slices) -> None:
    # 0.03/sqrt(30/365) = 0.1046422 and 0.06/sqrt(90/365) = 0.1208305 a year: their mean is 0.1127364.
    found = tenor(*two(slices, (5, 6)), 60.0)
    assert bool(found.across[0])
    assert found.values["atm_vol"][0] == pytest.approx(0.1127364, abs=1e-6)


def test_nothing_is_extrapolated(slices: Slices) -> None:
    made, usable = two(slices, (5, 5))
    for target in (29.0, 91.0):
        assert tenor(made, usable, target).first[0] == -1
    usable[0, 1] = False
    found = tenor(made, usable, 60.0)
    assert found.first[0] == -1
    assert np.isnan(found.values["tilt"][0])


def test_expiries_stand_in_order_and_on_the_listing(slices: Slices) -> None:
    days = np.where(slices.listed, slices.days, np.inf)
    assert (np.diff(days, axis=1)[slices.listed[:, 1:]] > 0.0).all()
    assert simulated().series is not None
    assert np.isfinite(slices.values[slices.listed]).all()
    assert np.isnan(slices.values[~slices.listed]).all()
