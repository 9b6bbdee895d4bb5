"""Readings of the options by hand: z, noise, weights and their signs, change, the real-world expiry taken."""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.signals.options_view import expected_returns, option_readings, options_view, reading
from hydra_assets.signals.thresholds import DivergenceConfig, ViewWeights

START = date(2024, 1, 1)
NAN = float("nan")
CONFIG = DivergenceConfig(min_view_sessions=2, min_scale_sessions=2, change_sessions=1)
STATISTICS = ("tilt", "risk_reversal_25", "skew", "expected_return", "kurt")


def rows(n: int, **columns: Sequence[float | None]) -> pl.DataFrame:
    """Readings of one market; what is not given is missing."""
    days = [START + timedelta(days=i) for i in range(n)]
    frame = pl.DataFrame({"market": "SIM_HE", "session": days, "grade": "B"})
    return frame.with_columns(
        pl.Series(f"{name}{end}", columns.get(f"{name}{end}", [None] * n), dtype=pl.Float64)
        for name in STATISTICS
        for end in ("", "_se")
    )


def test_a_reading_by_hand() -> None:
    found = reading(np.array([1.0, 3.0, 2.5, 5.0]), np.array([0.1, 0.1, 0.5, NAN]), CONFIG)
    # 2.5 against (1, 3): mean 2, sd sqrt 2. 5 against (1, 3, 2.5): mean 13/6, variance ((7/6)^2+(5/6)^2+(1/3)^2)/2.
    sd = np.sqrt((49 / 36 + 25 / 36 + 4 / 36) / 2)
    assert found.z[2:] == pytest.approx([0.5 / np.sqrt(2), (5 - 13 / 6) / sd])
    assert found.se[2] == pytest.approx(0.5 / np.sqrt(2))
    # 0.5 away with an error of 0.5 is noise; without an error nothing can be told from noise.
    assert found.noise.tolist() == [False, False, True, True]
    assert found.counted[2:].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(("error", "noise"), [(0.5 / 1.645 * 1.001, True), (0.5 / 1.645 * 0.999, False)])
def test_noise_is_the_mean_inside_the_90_percent_interval(error: float, noise: bool) -> None:
    found = reading(np.array([1.0, 3.0, 2.5]), np.array([0.1, 0.1, error]), CONFIG)
    assert bool(found.noise[2]) is noise


def test_the_view_by_hand() -> None:
    """Tilt 5 against (1, 3): z = 3/sqrt 2. Risk reversal .03 against (.01, .03): z = error = 1/sqrt 2: noise."""
    frame = rows(
        3,
        tilt=[1.0, 3.0, 5.0],
        tilt_se=[0.1] * 3,
        risk_reversal_25=[0.01, 0.03, 0.03],
        risk_reversal_25_se=[0.01] * 3,
    )
    found = options_view(frame, CONFIG).row(2, named=True)
    # The tilt points down, the risk reversal up.
    assert found["options_view"] == pytest.approx((-3 / np.sqrt(2) + 1 / np.sqrt(2)) / 2)
    assert (found["tilt_noise"], found["risk_reversal_25_noise"], found["skew_noise"]) == (False, True, None)
    assert (found["options_readings"], found["options_noise"], found["options_z"]) == (2, None, None)


def test_noise_counts_as_neutral_and_the_scale_is_the_raw_view_s() -> None:
    rng = np.random.default_rng(1)
    tilt, skew = rng.standard_normal(30), rng.standard_normal(30)
    errors = [0.05] * 30
    frame = rows(30, tilt=tilt.tolist(), tilt_se=errors, skew=skew.tolist(), skew_se=[*([0.05] * 29), 50.0])
    found = options_view(frame, CONFIG)

    def z(values: np.ndarray, t: int) -> float:
        return float((values[t] - values[:t].mean()) / values[:t].std(ddof=1))

    raw = np.array([(-z(tilt, t) + z(skew, t)) / 2 for t in range(2, 30)])
    last = found.row(-1, named=True)
    assert found["options_view"].to_numpy()[2:] == pytest.approx(raw)
    assert last["options_z"] == pytest.approx(-z(tilt, 29) / 2 / raw[:-1].std(ddof=1))
    # The error of what counts: the tilt's.
    assert last["options_z_se"] == pytest.approx(0.05 / tilt[:29].std(ddof=1) / 2 / raw[:-1].std(ddof=1))
    assert last["options_noise"] is False
    assert last["options_history"] == 27


def test_all_readings_in_their_noise_are_a_view_in_its_noise() -> None:
    rng = np.random.default_rng(2)
    frame = rows(20, tilt=rng.standard_normal(20).tolist(), tilt_se=[100.0] * 20)
    found = options_view(frame, CONFIG)
    assert found["options_noise"].to_list()[4:] == [True] * 16
    assert found["options_z"].to_list()[4:] == [0.0] * 16
    assert found["options_z_se"][-1] > 50.0


def test_without_a_tilt_there_is_no_view() -> None:
    rng = np.random.default_rng(3)
    frame = rows(20, skew=rng.standard_normal(20).tolist(), skew_se=[0.1] * 20)
    found = options_view(frame, CONFIG)
    assert found["options_view"].null_count() == found["options_noise"].null_count() == 20
    assert found["skew_z"].null_count() == 2
    assert found["options_readings"].to_list() == [0] * 20


def test_a_weight_of_zero_leaves_a_reading_out() -> None:
    rng = np.random.default_rng(4)
    tilt = rng.standard_normal(20).tolist()
    only = CONFIG.model_copy(update={"weights": ViewWeights(tilt=1.0, risk_reversal_25=0.0, skew=0.0)})
    with_skew = rows(20, tilt=tilt, tilt_se=[0.1] * 20, skew=rng.standard_normal(20).tolist(), skew_se=[0.1] * 20)
    without = rows(20, tilt=tilt, tilt_se=[0.1] * 20)
    assert options_view(with_skew, only)["options_z"].equals(options_view(without, only)["options_z"])


def test_change_by_hand() -> None:
    """With the tilt alone the view is minus its z; the change is noise until it passes 1.645 of both errors."""
    tilt = [0.0, 2.0, 0.5, 1.5, 1.0, 4.0]
    for error, noise in ((0.1, False), (5.0, True)):
        found = options_view(rows(6, tilt=tilt, tilt_se=[error] * 6), CONFIG)
        view = found["options_view"].to_numpy()
        change = np.diff(view)
        expected = (change[4] - change[2:4].mean()) / change[2:4].std(ddof=1)
        assert found["options_change_z"][5] == pytest.approx(expected)
        assert found["options_change_noise"][5] is noise


@pytest.mark.parametrize(("before", "now"), [(5.0, 0.01), (0.01, 5.0)])
def test_a_change_has_the_errors_of_both_sessions(before: float, now: float) -> None:
    tilt = [0.0, 2.0, 0.5, 1.5, 1.0, 4.0]
    found = options_view(rows(6, tilt=tilt, tilt_se=[0.01] * 4 + [before, now]), CONFIG)
    assert found["options_change_noise"][5] is True


def test_an_error_of_parameters_is_no_noise_of_a_change() -> None:
    rng = np.random.default_rng(5)
    n = 30
    frame = rows(
        n,
        tilt=rng.standard_normal(n).tolist(),
        tilt_se=[0.01] * n,
        expected_return=(0.01 * rng.standard_normal(n)).tolist(),
        expected_return_se=[1.0] * n,
    )
    found = options_view(frame, CONFIG)
    assert found["expected_return_noise"].to_list()[2:] == [True] * (n - 2)
    assert found["options_change_noise"].sum() < 0.2 * n


def real_world(days: list[int], returns: list[float], reasons: list[str]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "market": "SIM_HE",
            "session": START,
            "days_to_expiry": days,
            "expected_return": returns,
            "expected_return_se": [0.1] * len(days),
            "real_world_reason": reasons,
        }
    )


@pytest.mark.parametrize(
    ("days", "reasons", "taken"),
    [
        ([20, 50, 80], ["ok"] * 3, 1),
        # Equally far: the earlier. Not fitted: the next. Beyond 45 days of the tenor: none.
        ([50, 70], ["ok"] * 2, 0),
        ([70, 50], ["ok"] * 2, 1),
        ([55, 30], ["too_few_expiries", "ok"], 1),
        ([10, 106], ["ok"] * 2, None),
        ([15, 200], ["ok"] * 2, 0),
        ([0, 105], ["ok"] * 2, 1),
    ],
)
def test_the_nearest_expiry_scaled_to_the_tenor(days: list[int], reasons: list[str], taken: int | None) -> None:
    returns = [0.01 * (i + 1) for i in range(len(days))]
    found = expected_returns(real_world(days, returns, reasons), DivergenceConfig())
    if taken is None:
        assert found.is_empty()
    else:
        assert found["expected_return"].to_list() == [pytest.approx(returns[taken] * 60 / days[taken])]
        assert found["expected_return_se"].to_list() == [pytest.approx(0.1 * 60 / days[taken])]


def test_kurtosis_needs_grade_b_and_the_tenor_is_taken() -> None:
    one = {f"{n}{e}": 1.0 for n in ("tilt", "risk_reversal_25", "skew", "kurt") for e in ("", "_se")}
    moments = pl.DataFrame(
        [
            {"market": "SIM_HE", "session": START + timedelta(days=i), "tenor": tenor, "grade": grade} | one
            for i, (grade, tenor) in enumerate([("A", "60d"), ("B", "60d"), ("C", "60d"), (None, "60d"), ("A", "30d")])
        ]
    )
    found = option_readings(moments, real_world([60], [0.02], ["ok"]), DivergenceConfig())
    assert found["kurt"].to_list() == found["kurt_se"].to_list() == [1.0, 1.0, None, None]
    assert found["expected_return"].to_list() == [0.02, None, None, None]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(5, 59))
def test_later_sessions_change_no_byte(seed: int, kept: int) -> None:
    rng = np.random.default_rng(seed)
    columns: dict[str, Sequence[float | None]] = {}
    for name in STATISTICS:
        values = rng.standard_normal(60)
        columns[name] = [None if u < 0.1 else float(v) for u, v in zip(rng.uniform(size=60), values, strict=True)]
        columns[f"{name}_se"] = rng.uniform(0.05, 0.8, 60).tolist()
    frame = rows(60, **columns)
    assert options_view(frame, CONFIG).head(kept).equals(options_view(frame.head(kept), CONFIG))
