import numpy as np
import pytest
from scipy.special import ndtr, ndtri
from scipy.stats import norm

from hydra_assets.options.average import Average
from hydra_assets.options.black76 import Floats
from hydra_assets.options.maturities import (
    REASONS,
    ConstantMaturities,
    Expiries,
    MaturityReason,
    constant_maturities,
)
from hydra_assets.options.moments import COLUMN, LEVELS, Statistic, statistics
from hydra_assets.options.ssvi import Ssvi, phi_cap

FLAT = 1e-9


def board(
    session: list[int],
    days: list[float],
    underlying: list[int],
    vol: list[float],
    rho: float = 0.0,
    phi: float = FLAT,
    usable: list[bool] | None = None,
) -> Expiries:
    count = np.array(days)
    theta = np.array(vol) ** 2 * count / 365.0
    smiles = Ssvi(theta, np.full(len(days), rho), np.full(len(days), phi))
    values, _, _ = statistics(smiles, np.sqrt(theta))
    flags = np.ones(len(days), dtype=bool) if usable is None else np.array(usable)
    place, code = np.array(session, dtype=np.int64), np.array(underlying, dtype=np.int64)
    return Expiries(place, count, code, smiles, values, 0.01 * np.abs(values), flags)


def of(result: ConstantMaturities, name: Statistic, column: int = 0, row: int = 0) -> float:
    return float(result.values[row, column, COLUMN[name]])


def reasons(result: ConstantMaturities) -> list[list[MaturityReason]]:
    return [[REASONS[code] for code in row] for row in result.reason.tolist()]


def test_within_one_underlying_total_variance_is_linear_in_time() -> None:
    result = constant_maturities(board([0, 0], [20, 50], [1, 1], [0.2, 0.4]), 1, (30,))
    v = (2.0 * 0.04 * 20.0 + 0.16 * 50.0) / 3.0 / 365.0
    assert result.share[0, 0] == pytest.approx(1.0 / 3.0)
    assert of(result, Statistic.SD) == pytest.approx(np.sqrt(v), rel=1e-9)
    assert of(result, Statistic.ATM_TOTAL_VOL) == pytest.approx(np.sqrt(v), rel=1e-9)
    assert of(result, Statistic.MEAN) == pytest.approx(-0.5 * v, rel=1e-9)
    assert of(result, Statistic.KURT) == pytest.approx(3.0, abs=1e-8)
    for level, name in zip(LEVELS.tolist(), list(Statistic)[COLUMN[Statistic.Q01] :], strict=True):
        assert of(result, name) == pytest.approx(-0.5 * v + np.sqrt(v) * float(ndtri(level)), rel=1e-8)
    for name in (Statistic.TILT, Statistic.TILT_PROBABILITY, Statistic.TILT_MODE, Statistic.ASYMMETRY):
        assert abs(of(result, name)) < 1e-8
    assert not result.across[0, 0]


def test_a_smile_that_grows_with_time_is_met_exactly_at_the_money() -> None:
    # SSVI of one rho and phi has w(k) in proportion to theta, so to time: interpolation in time at fixed k is exact.
    truth = board([0, 0, 0], [20, 30, 50], [1, 1, 1], [0.3, 0.3, 0.3], -0.5, 4.0, [True, False, True])
    result = constant_maturities(truth, 1, (30,))
    for name in (Statistic.ATM_TOTAL_VOL, Statistic.ATM_SKEW_TOTAL_VOL, Statistic.ATM_CURVATURE_TOTAL_VOL):
        assert of(result, name) == pytest.approx(truth.values[1, COLUMN[name]], rel=1e-9), name
    for name in (Statistic.SD, Statistic.SKEW, Statistic.KURT, Statistic.RISK_REVERSAL_TOTAL_VOL, Statistic.TILT):
        assert of(result, name) == pytest.approx(truth.values[1, COLUMN[name]], rel=0.05), name


def test_across_underlyings_standardised_densities_are_mixed_and_flagged() -> None:
    expiries = board([0, 0], [30, 70], [1, 2], [0.2, 0.5], -0.4, 3.0)
    result = constant_maturities(expiries, 1, (60,))
    assert result.across[0, 0]
    assert result.share[0, 0] == pytest.approx(0.75)
    sd_1, sd_2 = expiries.values[:, COLUMN[Statistic.SD]]
    want = 0.25 * sd_1 * np.sqrt(60.0 / 30.0) + 0.75 * sd_2 * np.sqrt(60.0 / 70.0)
    assert of(result, Statistic.SD) == pytest.approx(want)
    for name in (Statistic.SKEW, Statistic.KURT):
        one, two = expiries.values[:, COLUMN[name]]
        assert of(result, name) == pytest.approx(0.25 * one + 0.75 * two)
    mean = of(result, Statistic.MEAN)
    z = (of(result, Statistic.Q25) - mean) / want
    own = expiries.values[:, COLUMN[Statistic.MEAN]] + expiries.values[:, COLUMN[Statistic.SD]] * z
    below = expiries.smiles.distribution(own[:, None])[:, 0]
    assert 0.25 * below[0] + 0.75 * below[1] == pytest.approx(0.25, abs=1e-14)


def test_two_lognormals_of_different_underlyings_stay_one() -> None:
    result = constant_maturities(board([0, 0], [30, 70], [1, 2], [0.2, 0.2]), 1, (60,))
    v = 0.04 * 60.0 / 365.0
    assert of(result, Statistic.MEAN) == pytest.approx(-0.5 * v, rel=1e-8)
    assert of(result, Statistic.Q10) == pytest.approx(-0.5 * v + np.sqrt(v) * norm.ppf(0.1), rel=1e-8)
    above = of(result, Statistic.TILT_PROBABILITY) + ndtr(-0.5 * np.sqrt(v))
    assert above == pytest.approx(ndtr(-0.5 * np.sqrt(v)), abs=1e-9)


def test_a_pair_of_one_underlying_comes_first_and_then_the_tightest() -> None:
    days, underlying = [10.0, 25.0, 35.0, 80.0, 45.0], [1, 1, 2, 1, 1]
    result = constant_maturities(board([0] * 5, days, underlying, [0.3] * 5), 1, (30, 40, 60))
    assert result.first[0].tolist() == [1, 1, 4]
    assert result.second[0].tolist() == [4, 4, 3]
    assert not result.across.any()
    split = constant_maturities(board([0] * 3, [10.0, 25.0, 35.0], [1, 1, 2], [0.3] * 3), 1, (30,))
    assert (split.first[0, 0], split.second[0, 0], bool(split.across[0, 0])) == (1, 2, True)


def test_an_expiry_on_the_day_stands_alone() -> None:
    expiries = board([0, 0, 0], [20.0, 30.0, 40.0], [1, 2, 1], [0.2, 0.3, 0.4], -0.3, 2.0)
    result = constant_maturities(expiries, 1, (30,))
    assert (result.first[0, 0], result.second[0, 0]) == (1, 1)
    np.testing.assert_allclose(result.values[0, 0], expiries.values[1], rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(result.se[0, 0], expiries.se[1])


def test_nothing_is_extrapolated() -> None:
    session, days = [0, 0, 1, 2, 2], [20.0, 25.0, 100.0, 50.0, 70.0]
    usable = [True, True, True, False, True]
    result = constant_maturities(board(session, days, [1] * 5, [0.3] * 5, usable=usable), 4)
    before, after, none = (
        MaturityReason.ALL_EXPIRE_BEFORE,
        MaturityReason.ALL_EXPIRE_AFTER,
        MaturityReason.NO_USABLE_EXPIRY,
    )
    assert reasons(result) == [[before] * 3, [after] * 3, [after, after, before], [none] * 3]
    assert np.isnan(result.values).all()
    assert (result.first == -1).all()


def test_no_expiry_at_all() -> None:
    empty = board([], [], [], [])
    assert reasons(constant_maturities(empty, 2, (30,))) == [[MaturityReason.NO_USABLE_EXPIRY]] * 2


def test_errors_add_up_with_their_shares_and_make_the_interval() -> None:
    expiries = board([0, 0], [20, 40], [1, 1], [0.3, 0.3], -0.4, 3.0)
    expiries.se[:] = 0.0
    expiries.se[:, COLUMN[Statistic.SD]] = [0.01, 0.02]
    expiries.se[:, COLUMN[Statistic.TILT]] = [0.1, 0.3]
    result = constant_maturities(expiries, 1, (30,))
    # d sqrt(v/2 + v'/2) = (sd d sd + sd' d sd') / (2 sd_t).
    own = expiries.values[:, COLUMN[Statistic.SD]]
    want = (own[0] * 0.01 + own[1] * 0.02) / (2.0 * of(result, Statistic.SD))
    assert result.se[0, 0, COLUMN[Statistic.SD]] == pytest.approx(want)
    assert result.se[0, 0, COLUMN[Statistic.TILT]] == pytest.approx(0.2)
    np.testing.assert_allclose(result.high - result.values, 1.6448536269514722 * result.se)
    np.testing.assert_allclose(result.values - result.low, 1.6448536269514722 * result.se)


def test_what_a_grade_forbids_stays_missing() -> None:
    expiries = board([0, 0], [20, 40], [1, 1], [0.3, 0.3], -0.4, 3.0)
    expiries.values[0, COLUMN[Statistic.KURT]] = np.nan
    result = constant_maturities(expiries, 1, (30, 40))
    assert np.isnan(of(result, Statistic.KURT))
    assert np.isfinite(of(result, Statistic.SKEW))
    assert np.isfinite(of(result, Statistic.TILT))
    # The expiry on the target's day does not need the other.
    assert np.isfinite(of(result, Statistic.KURT, column=1))


def random_board(sessions: int) -> Expiries:
    rng = np.random.default_rng(12)
    n = sessions * 5
    session = np.repeat(np.arange(sessions), 5)
    theta, rho = rng.uniform(0.005, 0.08, n), rng.uniform(-0.6, 0.6, n)
    smile = Ssvi(theta, rho, rng.uniform(0.1, 0.8, n) * phi_cap(theta, rho))
    other = Ssvi(theta, -rho, smile.phi)
    weights = np.stack([a := rng.uniform(0.0, 1.0, n), 1.0 - a, 0.0 * a], axis=1)
    mixed = Average((smile, other, smile), weights, a, a, a)
    unit: Floats = np.sqrt(theta)
    values, _, _ = statistics(mixed, unit)
    usable = rng.uniform(size=n) < 0.8
    return Expiries(
        session,
        rng.integers(5, 130, n).astype(float),
        rng.integers(0, 3, n),
        mixed,
        values,
        0.1 * np.abs(values),
        usable,
    )


def test_a_session_does_not_depend_on_the_others() -> None:
    expiries = random_board(40)
    whole = constant_maturities(expiries, 40)
    assert {reason for row in reasons(whole) for reason in row} >= {MaturityReason.OK, MaturityReason.ALL_EXPIRE_AFTER}
    assert whole.across.any()
    for i in (0, 13, 39):
        rows = np.flatnonzero(expiries.session == i)
        one = constant_maturities(
            Expiries(
                np.zeros(len(rows), dtype=np.int64),
                *(getattr(expiries, name)[rows] for name in ("days", "underlying")),
                expiries.smiles.take(rows),
                *(getattr(expiries, name)[rows] for name in ("values", "se", "usable")),
            ),
            1,
        )
        for name in ("values", "se", "low", "high", "share", "across", "reason"):
            np.testing.assert_array_equal(getattr(whole, name)[i], getattr(one, name)[0], err_msg=name)


def test_order_of_the_slices_is_of_no_matter() -> None:
    expiries = random_board(10)
    shuffled = np.random.default_rng(0).permutation(50)
    again = Expiries(
        *(getattr(expiries, name)[shuffled] for name in ("session", "days", "underlying")),
        expiries.smiles.take(shuffled),
        *(getattr(expiries, name)[shuffled] for name in ("values", "se", "usable")),
    )
    np.testing.assert_array_equal(constant_maturities(expiries, 10).values, constant_maturities(again, 10).values)
