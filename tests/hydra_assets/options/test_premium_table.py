"""The committed table is what the pricer gives, and stands for it between its nodes."""

from importlib.resources import files

import numpy as np
import pytest

from hydra_assets.options.american import FINE, european_put, exercise_boundary, put_premium
from hydra_assets.options.black76 import Floats
from hydra_assets.options.premium_table import (
    BOUNDARY_SHAPE,
    EXCESS_RANGE,
    FILE,
    RATE_TIME_RANGE,
    SHAPE,
    TOTAL_VOL_RANGE,
    PremiumTable,
    boundary_column,
    excess_nodes,
    premium_table,
    rate_time_nodes,
    root_columns,
    total_vol_nodes,
)


@pytest.fixture(scope="module")
def saved() -> dict[str, Floats]:
    with (files("hydra_assets.options") / "data" / FILE).open("rb") as file, np.load(file, allow_pickle=False) as table:
        return dict(table)


def test_the_file_is_small(saved: dict[str, Floats]) -> None:
    assert saved["root"].shape == SHAPE
    assert saved["boundary"].shape == BOUNDARY_SHAPE
    assert sum(values.nbytes for values in saved.values()) < 200_000


@pytest.mark.parametrize("j", [0, 11, 37])
def test_a_slice_made_anew_is_the_one_in_the_file(saved: dict[str, Floats], j: int) -> None:
    vols = total_vol_nodes()
    rate_time = np.full_like(vols, rate_time_nodes(SHAPE[2])[j])
    # Single precision of values up to one.
    assert np.abs(root_columns(excess_nodes(), vols, rate_time) - saved["root"][:, :, j]).max() < 1e-7
    rate_time = np.full_like(vols, rate_time_nodes(BOUNDARY_SHAPE[1])[2 * j])
    assert boundary_column(vols, rate_time) == pytest.approx(saved["boundary"][:, 2 * j], rel=1e-11)


def test_between_the_nodes_it_stands_for_the_pricer() -> None:
    rng = np.random.default_rng(11)
    n = 1_500
    s = np.exp(rng.uniform(*np.log(TOTAL_VOL_RANGE), n))
    r = np.exp(rng.uniform(*np.log(RATE_TIME_RANGE), n))
    y = 10 ** rng.uniform(-3, np.log10(EXCESS_RANGE[1]), n)
    log_forward, expected = np.empty(n), np.empty(n)
    for start in range(0, n, 100):
        i = slice(start, start + 100)
        boundary = exercise_boundary(s[i], r[i], FINE)
        log_forward[i] = boundary[0] + y[i] * s[i]
        expected[i] = put_premium(log_forward[i], s[i], r[i], boundary, FINE) / np.exp(-r[i])
    fraction, excess = premium_table().lookup(log_forward / s, s, r)
    assert np.abs(excess - y).max() < 1e-5
    root_error = np.sqrt(fraction / r) - np.sqrt(expected / european_put(log_forward, s) / r)
    assert np.abs(root_error).max() < 3e-6


def test_at_its_nodes_the_spline_is_the_file(saved: dict[str, Floats]) -> None:
    rates = rate_time_nodes(SHAPE[2])
    j, s, y = np.array([0, 9, 20, 37]), np.full(4, total_vol_nodes()[4]), excess_nodes()[30]
    at_nodes = boundary_column(s, rates[j])
    table = PremiumTable.of_nodes(saved["root"], saved["boundary"])
    fraction, excess = table.lookup(at_nodes + y, s, rates[j])
    # The boundary's own nodes lie elsewhere, so that y is met to five digits only.
    assert excess == pytest.approx(y, abs=1e-5)
    assert np.sqrt(fraction / rates[j]) == pytest.approx(saved["root"][30, 4, j], abs=2e-6)


def test_outside_its_ranges_it_gives_the_nearest_edge() -> None:
    table = premium_table()
    far, edge = table.lookup(np.array([30.0]), np.array([0.3]), np.array([0.05])), 12.0
    x_b = 30.0 - far[1][0]
    assert far[0] == pytest.approx(table.lookup(np.array([x_b + edge]), np.array([0.3]), np.array([0.05]))[0], rel=1e-9)
    low = table.lookup(np.array([0.0]), np.array([1e-9]), np.array([0.05]))
    assert low[0] == table.lookup(np.array([0.0]), np.array([TOTAL_VOL_RANGE[0]]), np.array([0.05]))[0]


def test_a_table_of_another_shape_is_refused(saved: dict[str, Floats]) -> None:
    with pytest.raises(ValueError, match="premium table of"):
        PremiumTable.of_nodes(saved["root"][1:], saved["boundary"])
