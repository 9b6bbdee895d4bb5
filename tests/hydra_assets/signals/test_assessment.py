"""Divergence from the pipeline's frames: types and bias end to end, reasons, confidence, and no look-ahead."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.signals.assessment import COLUMNS, SignalReason, divergence_signals
from hydra_assets.signals.classification import SignalType
from hydra_assets.signals.thresholds import DivergenceConfig

START = date(2022, 1, 3)
N = 320
CONFIG = DivergenceConfig()
SMALL = DivergenceConfig(min_view_sessions=5, min_sentiment_sessions=5, min_scale_sessions=3)


class World:
    """Two quiet views of one market; tests set the last session."""

    def __init__(self, seed: int = 1, n: int = N, market: str = "SIM_HE") -> None:
        rng = np.random.default_rng(seed)
        self.market, self.n = market, n
        self.lean = np.clip(0.5 * rng.standard_normal(n), -0.9, 0.9)
        self.score = rng.uniform(-0.5, 0.5, n)
        self.kurt = 3.5 + 0.1 * rng.standard_normal(n)
        self.errors = np.full(n, 0.02)
        self.kurt_errors = np.full(n, 0.01)
        self.grade: list[str | None] = ["B"] * n
        self.confidence = np.full(n, 0.8)

    def frames(self) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        """Moments, real-world densities, sentiment, sessions."""
        days = [START + timedelta(days=i) for i in range(self.n)]
        base = pl.DataFrame({"market": self.market, "session": days})
        numbers = {
            # A longer upper tail: risk reversal and skew up, tilt down.
            "tilt": -0.05 * self.lean,
            "tilt_se": 0.05 * self.errors,
            "risk_reversal_25": 0.02 * self.lean,
            "risk_reversal_25_se": 0.02 * self.errors,
            "skew": self.lean,
            "skew_se": self.errors,
            "kurt": self.kurt,
            "kurt_se": self.kurt_errors,
        }
        moments = base.with_columns(
            pl.lit("60d").alias("tenor"),
            pl.Series("grade", self.grade, dtype=pl.String),
            *(pl.Series(name, values, nan_to_null=True) for name, values in numbers.items()),
        )
        real_world = base.with_columns(
            pl.lit(58, pl.Int64).alias("days_to_expiry"),
            pl.Series("expected_return", 0.01 * self.lean, nan_to_null=True),
            pl.Series("expected_return_se", 0.01 * self.errors),
            pl.lit("ok").alias("real_world_reason"),
        )
        sentiment = base.with_columns(
            pl.Series("sentiment_score", self.score, nan_to_null=True),
            pl.Series("sentiment_confidence", self.confidence),
        )
        return moments, real_world, sentiment, base

    def signals(self, config: DivergenceConfig = CONFIG) -> pl.DataFrame:
        return divergence_signals(*self.frames(), config)


def last(world: World, config: DivergenceConfig = CONFIG) -> dict[str, object]:
    return world.signals(config).row(-1, named=True)


@pytest.mark.parametrize(
    ("lean", "score", "kind", "direction", "bias"),
    [
        (2.0, -0.45, SignalType.BULLISH_DIVERGENCE, 1, "long"),
        (-2.0, 0.45, SignalType.BEARISH_DIVERGENCE, -1, "short"),
        (2.0, 0.45, SignalType.TREND_FOLLOW, 1, "long"),
        (-2.0, -0.45, SignalType.TREND_FOLLOW, -1, "short"),
        (0.0, 1.0, SignalType.SENTIMENT_OVERREACTION, -1, "short"),
        (0.0, -1.0, SignalType.SENTIMENT_OVERREACTION, 1, "long"),
        (2.0, 0.0, SignalType.EARLY_SIGNAL, 1, "long"),
        (-2.0, 0.0, SignalType.EARLY_SIGNAL, -1, "short"),
        (0.0, 0.0, SignalType.NEUTRAL, 0, "flat"),
    ],
)
def test_types_end_to_end(lean: float, score: float, kind: SignalType, direction: int, bias: str) -> None:
    world = World()
    world.lean[-6:-1], world.score[-6:-1] = 0.0, 0.0
    world.lean[-1], world.score[-1] = lean, score
    found = last(world)
    assert (found["divergence_type"], found["divergence_direction"], found["suggested_bias"]) == (kind, direction, bias)
    assert (found["divergence_reason"], found["size_factor"]) == (SignalReason.OK, 1.0)


def test_an_options_view_that_has_stood_there_is_no_early_signal() -> None:
    world = World()
    world.lean[-8:], world.score[-8:] = 2.0, 0.0
    assert last(world)["divergence_type"] == SignalType.NEUTRAL


def test_a_lean_inside_its_noise_counts_as_none() -> None:
    world = World()
    # Short, not extreme: -0.36 over the uniform's sd of 0.289.
    world.lean[-1], world.score[-1] = 2.0, -0.36
    assert last(world)["divergence_type"] == SignalType.BULLISH_DIVERGENCE
    world.errors[-1] = 2.0
    found = last(world)
    assert (found["options_noise"], found["options_z"]) == (True, 0.0)
    assert found["divergence_type"] == SignalType.NEUTRAL
    world.score[-1] = -1.0
    assert last(world)["divergence_type"] == SignalType.SENTIMENT_OVERREACTION


def test_a_move_inside_its_noise_is_no_early_signal() -> None:
    world = World()
    world.lean[-6:-1], world.score[-6:] = 0.0, 0.0
    world.lean[-1] = 2.0
    assert last(world)["divergence_type"] == SignalType.EARLY_SIGNAL
    # What the options said a week ago is not known well enough to say that they have moved.
    world.errors[-6] = 3.0
    found = last(world)
    assert (found["options_change_noise"], found["options_noise"]) == (True, False)
    assert found["divergence_type"] == SignalType.NEUTRAL


def test_kurtosis_inside_its_noise_is_not_volatile() -> None:
    world = World()
    world.lean[-1] = world.score[-1] = 0.0
    world.kurt[-1], world.kurt_errors[-1] = 4.5, 1.0
    found = last(world)
    assert (found["kurt_noise"], found["divergence_type"], found["size_factor"]) == (True, SignalType.NEUTRAL, 1.0)
    assert isinstance(found["kurt_z"], float)
    assert found["kurt_z"] > 5.0


@pytest.mark.parametrize(
    ("grade", "kind", "size"),
    [("A", "volatility_play", 0.5), ("B", "volatility_play", 0.5), ("C", "neutral", 1.0)],
)
def test_volatility_play_needs_kurtosis_that_the_grade_bears(grade: str, kind: str, size: float) -> None:
    world = World()
    world.lean[-1] = world.score[-1] = 0.0
    world.kurt[-1], world.grade[-1] = 4.5, grade
    found = last(world)
    assert (found["divergence_type"], found["divergence_direction"], found["suggested_bias"]) == (kind, 0, "flat")
    assert found["size_factor"] == size
    assert (found["kurt_z"] is None) == (grade == "C")


def test_fat_tails_reduce_the_size_of_any_type() -> None:
    world = World()
    world.lean[-1], world.score[-1], world.kurt[-1] = 2.0, -0.45, 4.5
    found = last(world)
    assert (found["divergence_type"], found["size_factor"]) == (SignalType.BULLISH_DIVERGENCE, 0.5)


def test_confidence_by_hand() -> None:
    world = World()
    world.lean[-1], world.score[-1], world.confidence[-1] = 2.0, -0.45, 0.6
    found = last(world)
    z, se = found["options_z"], found["options_z_se"]
    assert isinstance(z, float)
    assert isinstance(se, float)
    # Grade B 0.8; the first 40 of 320 sessions have no view, so 279 come before the last: history is full.
    assert found["divergence_confidence"] == pytest.approx(0.8 * 0.6 * z**2 / (z**2 + se**2))
    young = World(n=200)
    young.lean[-1], young.score[-1] = 0.0, 1.0
    # Overreaction rests on sentiment (0.8) alone, 159 views before it.
    assert last(young)["divergence_confidence"] == pytest.approx(0.8 * 0.8 * np.sqrt(159 / 252))
    play = World()
    play.lean[-1] = play.score[-1] = 0.0
    play.kurt[-1] = 4.5
    past = play.kurt[:-1]
    k, e = (4.5 - past.mean()) / past.std(ddof=1), 0.01 / past.std(ddof=1)
    assert last(play)["divergence_confidence"] == pytest.approx(0.8 * k**2 / (k**2 + e**2))


def test_the_magnitude_is_the_gap_against_past_gaps() -> None:
    found = World().signals()
    gap = found["divergence_gap"].to_numpy()
    gap = gap[np.isfinite(gap)]
    assert found["divergence_z"][-1] == pytest.approx((gap[-1] - gap[:-1].mean()) / gap[:-1].std(ddof=1))
    assert found["history_sessions"][-1] == len(gap) - 1
    both = found["options_z"].to_numpy() - found["sentiment_z"].to_numpy()
    assert found["divergence_gap"].to_numpy() == pytest.approx(both, nan_ok=True)


def test_absence_has_its_reason_and_says_nothing_else() -> None:
    world = World()
    world.lean[250], world.score[251] = np.nan, np.nan
    found = world.signals()
    assert found["divergence_reason"][249:253].to_list() == [
        SignalReason.OK,
        SignalReason.NO_OPTIONS_VIEW,
        SignalReason.NO_SENTIMENT_VIEW,
        SignalReason.OK,
    ]
    assert found["divergence_reason"][0] == SignalReason.SHORT_HISTORY
    absent = found.filter(pl.col("divergence_reason") != "ok")
    assert absent["divergence_type"].unique().to_list() == [SignalType.ABSENT]
    for name in (
        "divergence_z",
        "divergence_direction",
        "divergence_confidence",
        "suggested_bias",
        "size_factor",
    ):
        assert absent[name].null_count() == absent.height
        assert found.filter(pl.col("divergence_reason") == "ok")[name].null_count() == 0


def test_no_change_of_sentiment_across_a_gap() -> None:
    world = World()
    world.score[300:302] = np.nan
    changes = world.signals()["sentiment_change_z"]
    assert changes[299] is not None
    assert changes[300:307].to_list() == [None] * 7
    assert changes[307] is not None


def test_the_crowd_s_score_stands_in_for_a_composite() -> None:
    moments, real_world, sentiment, sessions = World().frames()
    crowd = sentiment.rename({"sentiment_score": "crowd_score", "sentiment_confidence": "crowd_confidence"})
    both = divergence_signals(moments, real_world, crowd.with_columns(pl.lit(1).alias("other")), sessions)
    assert both.equals(divergence_signals(moments, real_world, sentiment, sessions))


def test_a_market_without_chains_is_absent_and_says_so() -> None:
    moments, real_world, sentiment, sessions = World().frames()
    found = divergence_signals(moments.clear(), real_world.clear(), sentiment, sessions)
    assert found["divergence_reason"].unique().to_list() == [SignalReason.NO_OPTIONS_VIEW]
    nothing = divergence_signals(moments.clear(), real_world.clear(), sentiment.clear(), sessions)
    assert nothing["divergence_reason"].unique().to_list() == [SignalReason.NO_OPTIONS_VIEW]
    assert nothing["divergence_type"].unique().to_list() == [SignalType.ABSENT]
    assert nothing.schema == found.schema == World().signals().schema
    assert found.columns == ["market", "session", *COLUMNS]


Frames = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame]


def run(frames: Frames, config: DivergenceConfig = CONFIG) -> pl.DataFrame:
    return divergence_signals(*frames, config)


def test_markets_do_not_meet() -> None:
    one, other = World(1, market="SIM_HE"), World(2, market="SIM_ZO")
    a, b = one.frames(), other.frames()
    together = run((pl.concat([a[0], b[0]]), pl.concat([a[1], b[1]]), pl.concat([a[2], b[2]]), pl.concat([a[3], b[3]])))
    assert together.equals(pl.concat([one.signals(), other.signals()]))


def _cut(frames: Frames, until: date) -> Frames:
    known = pl.col("session") < until
    return frames[0].filter(known), frames[1].filter(known), frames[2].filter(known), frames[3].filter(known)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.integers(20, 78))
def test_later_sessions_and_other_ranges_change_no_byte(seed: int, kept: int) -> None:
    world = World(seed, n=80)
    holes = np.random.default_rng(seed).uniform(size=(2, 80)) < 0.03
    world.lean[holes[0]], world.score[holes[1]] = np.nan, np.nan
    frames, until = world.frames(), START + timedelta(days=kept)
    whole = divergence_signals(*frames, SMALL).filter(pl.col("session") < until)
    assert whole.equals(run(_cut(frames, until), SMALL))
    part = whole.tail(7)
    assert part.equals(divergence_signals(*frames[:3], part.select("market", "session"), SMALL))
    other = World(seed + 1, n=80)
    other.lean[:kept], other.score[:kept] = world.lean[:kept], world.score[:kept]
    other.kurt[:kept] = world.kurt[:kept]
    perturbed = divergence_signals(*other.frames(), SMALL).filter(pl.col("session") < until)
    assert whole.equals(perturbed)
