"""Divergence: z-scores by hand, the type table, reasons, and no look-ahead."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from hydra_assets.signals.divergence import DivergenceReason, DivergenceType, divergence
from hydra_assets.signals.history import expanding_z

START = date(2024, 1, 1)


def test_expanding_z_by_hand() -> None:
    values = np.array([1.0, 3.0, np.nan, 5.0, 9.0])
    z, count = expanding_z(values, 2)
    assert count.tolist() == [0, 1, 2, 2, 3]
    # 5 against (1, 3): mean 2, sd sqrt 2. 9 against (1, 3, 5): mean 3, sd 2.
    assert z[3:] == pytest.approx([3.0 / np.sqrt(2.0), 3.0])
    assert np.isnan(z[:3]).all()


def test_appending_changes_no_earlier_z_to_the_last_bit() -> None:
    values = np.random.default_rng(1).standard_normal(500) + 50.0
    whole, part = expanding_z(values, 20)[0], expanding_z(values[:300], 20)[0]
    assert (whole[20:300] == part[20:]).all()
    assert expanding_z(np.full(100, 0.1), 20)[0][50:] == pytest.approx(np.full(50, np.nan), nan_ok=True)


def run(tilt: list[float | None], crowd: list[float | None]) -> pl.DataFrame:
    days = [START + timedelta(days=i) for i in range(len(tilt))]
    base = pl.DataFrame({"market": "SIM_HE", "session": days})
    return divergence(
        base.with_columns(pl.Series("tilt", tilt, dtype=pl.Float64)),
        base.with_columns(pl.Series("crowd_score", crowd, dtype=pl.Float64)),
        base,
    )


@pytest.mark.parametrize(
    ("tilt", "crowd", "kind", "direction"),
    [
        (3.0, -0.9, DivergenceType.BULLISH_DIVERGENCE, 1),
        (-3.0, 0.9, DivergenceType.BEARISH_DIVERGENCE, -1),
        (3.0, 0.99, DivergenceType.TREND_FOLLOW, 1),
        (-3.0, -0.99, DivergenceType.TREND_FOLLOW, -1),
        (0.0, 0.0, DivergenceType.NEUTRAL, 0),
    ],
)
def test_type_table(tilt: float, crowd: float, kind: DivergenceType, direction: int) -> None:
    rng = np.random.default_rng(2)
    past_tilt, past_crowd = rng.standard_normal(400), rng.uniform(-0.6, 0.6, 400)
    last = run([*past_tilt.tolist(), tilt], [*past_crowd.tolist(), crowd]).row(-1, named=True)
    assert (last["divergence_type"], last["divergence_direction"]) == (kind, direction)
    assert last["divergence_reason"] == DivergenceReason.OK


def test_absence_has_its_reason() -> None:
    rng = np.random.default_rng(3)
    tilt: list[float | None] = rng.standard_normal(200).tolist()
    crowd: list[float | None] = rng.uniform(-1, 1, 200).tolist()
    tilt[150], crowd[151] = None, None
    found = run(tilt, crowd)
    assert found["divergence_reason"][150:153].to_list() == [
        DivergenceReason.NO_OPTIONS_VIEW,
        DivergenceReason.NO_CROWD_VIEW,
        DivergenceReason.OK,
    ]
    assert found["divergence_reason"][0] == DivergenceReason.SHORT_HISTORY
    assert found["divergence_type"][150:152].to_list() == [DivergenceType.ABSENT] * 2
    assert found["divergence_direction"][150] is None


def test_the_future_changes_nothing() -> None:
    rng = np.random.default_rng(4)
    tilt, crowd = rng.standard_normal(300), rng.uniform(-1, 1, 300)
    other = tilt.copy()
    other[250:] += 10.0
    assert run(tilt.tolist(), crowd.tolist()).head(250).equals(run(other.tolist(), crowd.tolist()).head(250))
