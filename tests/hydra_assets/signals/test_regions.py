"""Data of the picture: regions of the plane, points in it, runs of one type."""

from datetime import date, timedelta

import numpy as np
import polars as pl

from hydra_assets.signals.regions import plane_points, region_map, spans

START = date(2024, 1, 1)


def test_regions_by_hand() -> None:
    found = region_map(reach_sd=2.0, points=5)
    assert found.options_z.tolist() == found.sentiment_z.tolist() == [-2.0, -1.0, 0.0, 1.0, 2.0]
    bull, bear, trend, over, rest = (
        "bullish_divergence",
        "bearish_divergence",
        "trend_follow",
        "sentiment_overreaction",
        "neutral",
    )
    assert found.kind.tolist() == [
        [trend, trend, rest, bear, bear],
        [trend, trend, rest, bear, bear],
        [over, rest, rest, rest, over],
        [bull, bull, rest, trend, trend],
        [bull, bull, rest, trend, trend],
    ]


def test_what_the_plane_does_not_show_has_a_plane_of_its_own() -> None:
    calm = region_map(points=61).kind
    fresh, volatile = region_map(points=61, fresh=True).kind, region_map(points=61, volatile=True).kind
    assert set(fresh[fresh != calm]) == {"early_signal"}
    assert set(volatile[volatile != calm]) == {"volatility_play"}
    assert set(calm[volatile != calm]) == {"neutral"}
    # Early signals lie where options lean and sentiment is flat: 40 rows of 61 by 19 columns inside one sd.
    axis = np.linspace(-3.0, 3.0, 61)
    assert (fresh == "early_signal").sum() == (np.abs(axis) >= 1.0).sum() * (np.abs(axis) < 1.0).sum()


def signals(kinds: list[str], market: str = "SIM_HE") -> pl.DataFrame:
    n = len(kinds)
    return pl.DataFrame(
        {
            "market": market,
            "session": [START + timedelta(days=i) for i in range(n)],
            "options_z": [None if k == "absent" else 0.5 for k in kinds],
            "options_z_se": 0.1,
            "options_noise": False,
            "sentiment_z": 0.2,
            "divergence_type": kinds,
            "divergence_direction": 0,
        },
        schema_overrides={"options_z": pl.Float64},
    )


def test_points_are_the_sessions_with_a_type() -> None:
    found = plane_points(signals(["absent", "neutral", "absent", "trend_follow"]))
    assert found["divergence_type"].to_list() == ["neutral", "trend_follow"]


def test_runs_of_one_type() -> None:
    frame = pl.concat([signals(["neutral", "neutral", "absent", "neutral"]), signals(["neutral"], "SIM_ZO")])
    found = spans(frame.sort("session", descending=True))
    assert found.rows() == [
        ("SIM_HE", START, START + timedelta(days=1), 2, "neutral"),
        ("SIM_HE", START + timedelta(days=2), START + timedelta(days=2), 1, "absent"),
        ("SIM_HE", START + timedelta(days=3), START + timedelta(days=3), 1, "neutral"),
        ("SIM_ZO", START, START, 1, "neutral"),
    ]
    assert found["sessions"].sum() == frame.height
    assert spans(frame.clear()).is_empty()
