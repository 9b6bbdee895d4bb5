"""Wanted positions: each reason by construction, and lots as the replay would take them."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from hydra_assets.columns import PREDICTIONS, TARGET_POSITIONS
from hydra_assets.evaluation.strategies import shares_of
from hydra_assets.labels.known import SPECS, LabelKind
from hydra_assets.labels.spec import TripleBarrier
from hydra_assets.replay.batched import replay
from hydra_assets.replay.decisions import DecisionKind, Decisions
from hydra_assets.replay.inputs import aligned, market_arrays
from hydra_assets.replay.market import MarketArrays, faults
from hydra_assets.replay.sizing import SizingConfig
from hydra_assets.replay.tables import ReplayConfig
from hydra_exec.targets import TargetReason, target_positions, wanted_lots
from tests.support.groups import MARKETS, Group, day, group

N = 90
FACTORS = {"market": pl.String, "session": pl.Date, "size_factor": pl.Float64}
NO_FACTOR = pl.DataFrame(schema=FACTORS)
SIZED = ReplayConfig(capital=1_000_000.0, sizing=SizingConfig(kelly_fraction=0.1, volatility_target=0.04))


def with_gaps(of: Group) -> pl.DataFrame:
    """Sessions without a settle or a volume, now and then."""
    rng = np.random.default_rng(4)
    n = len(of.curve)
    return of.curve.with_columns(
        pl.Series("settle_age_sessions", (rng.random(n) < 0.05).astype(np.int64)),
        # Six sessions in ten do not publish a volume for a while: there is no average.
        pl.when(pl.col("session").is_between(day(50), day(62)) | (pl.Series(rng.random(n) < 0.1)))
        .then(None)
        .otherwise("volume")
        .alias("volume"),
    )


GROUP = group(N)
MARKET = market_arrays(with_gaps(GROUP), GROUP.specs)


def predictions(horizon: int = 5, kind: str | None = None) -> pl.DataFrame:
    """A probability each session but the first 30 and a few more, by a champion of this horizon and label."""
    rng = np.random.default_rng(9)
    n = 2 * N
    rows = GROUP.features.select("market", "session")
    there = (pl.col("session") >= day(30)) & (pl.Series(rng.random(n) > 0.1))
    values = {"probability_up": rng.uniform(0.25, 0.85, n), "base_rate": rng.uniform(0.5, 0.6, n)}
    return rows.with_columns(
        *(pl.when(there).then(pl.Series(v)).alias(name) for name, v in values.items()),
        pl.lit(kind, pl.String).alias("model_label"),
        pl.when(pl.col("session") >= day(30)).then(horizon).cast(pl.Int64).alias("horizon_sessions"),
    )


def lots_of(rows: pl.DataFrame, divergence: pl.DataFrame = NO_FACTOR, config: ReplayConfig = SIZED) -> np.ndarray:
    return aligned(wanted_lots(rows, divergence, MARKET, config), "lots", MARKET)


def first_decisions(market: MarketArrays, shares: np.ndarray, factor: np.ndarray | None) -> np.ndarray:
    """What the replay holds in the session after its only decision, ``[session, market]``; NaN where none trades.

    One candidate for each session.
    """
    n = len(market.days)
    alone = np.full((n, n, len(MARKETS)), np.nan)
    for t in range(n):
        alone[t, t] = shares[t]
    result = replay(market, Decisions(DecisionKind.KELLY, alone, factor), SIZED)
    assert result.positions is not None
    out = np.full(shares.shape, np.nan)
    for t in range(n - 1):
        out[t] = np.where(market.priced[t + 1], result.positions[t, t + 1], np.nan)
    return out


@pytest.mark.parametrize("horizon", [1, 5, 10])
@pytest.mark.parametrize("factors", [False, True])
def test_lots_are_the_replay_s_own_first_decision(horizon: int, factors: bool) -> None:
    rows = predictions(horizon)
    divergence = rows.select("market", "session").with_columns(pl.lit(0.5).alias("size_factor"))
    divergence = divergence.filter(pl.col("session") >= day(60)) if factors else NO_FACTOR
    lots = lots_of(rows, divergence)
    factor = np.where(MARKET.days[:, None] >= (day(60) - date(1970, 1, 1)).days, 0.5, 1.0) * np.ones((1, 2))
    held = first_decisions(MARKET, shares_of(rows, MARKET, horizon), factor if factors else None)
    there = np.isfinite(lots[:-1]) & np.isfinite(held[:-1])
    assert there.sum() > 60
    assert np.array_equal(lots[:-1][there], held[:-1][there])
    # Sizes move, in both directions.
    assert len(set(lots[:-1][there])) > 5
    assert lots[:-1][there].min() < 0 < lots[:-1][there].max()
    if factors:
        assert not np.array_equal(lots, lots_of(rows), equal_nan=True)


def test_where_the_replay_decides_nothing_there_are_no_lots() -> None:
    lots = lots_of(predictions())
    fault = faults(MARKET)
    shares = shares_of(predictions(), MARKET, 5)
    # A price without a volume or volatility is a fault: the replay keeps what it holds, and so does trading.
    assert ((fault > 0) & np.isfinite(shares)).sum() > 5
    assert np.array_equal(np.isnan(lots), (fault > 0) | np.isnan(shares))


def test_a_position_is_held_for_its_champion_s_horizon() -> None:
    old, new = predictions(5), predictions(10)
    change = pl.col("session") < day(70)
    mixed = pl.concat([old.filter(change), new.filter(~change)])
    both = {5: lots_of(old), 10: lots_of(new)}
    found = lots_of(mixed)
    at = (day(70) - day(0)).days
    assert np.array_equal(found[:at], both[5][:at], equal_nan=True)
    assert np.array_equal(found[at:], both[10][at:], equal_nan=True)
    assert not np.array_equal(found[at:], both[5][at:], equal_nan=True)


def test_a_label_with_barriers_is_left_at_them() -> None:
    spec = SPECS[LabelKind.TRIPLE_BARRIER]
    assert isinstance(spec, TripleBarrier)
    rows = predictions(10, "triple_barrier")
    lots = lots_of(rows)
    held = first_decisions(MARKET, shares_of(rows, MARKET, 10, spec), None)
    there = np.isfinite(lots[:-1]) & np.isfinite(held[:-1])
    assert np.array_equal(lots[:-1][there], held[:-1][there])
    assert not np.array_equal(lots, lots_of(predictions(10, "fixed_horizon_10")), equal_nan=True)
    # A prediction of an earlier version does not name its label: it had no barriers.
    assert np.array_equal(lots_of(predictions(5)), lots_of(predictions(5, "fixed_horizon")), equal_nan=True)


def test_lots_are_of_the_configured_capital_and_whole() -> None:
    rows = predictions()
    small, large = lots_of(rows, config=SIZED.model_copy(update={"capital": 300_000.0})), lots_of(rows)
    there = np.isfinite(large)
    assert np.array_equal(large[there], np.trunc(large[there]))
    assert (np.abs(small[there]) <= np.abs(large[there])).all()
    assert np.abs(small[there]).sum() < np.abs(large[there]).sum()
    frame = wanted_lots(rows, NO_FACTOR, MARKET, SIZED)
    assert dict(frame.schema) == {"market": pl.String(), "session": pl.Date(), "lots": pl.Float64()}
    assert frame.height == 2 * N


def test_without_any_champion_there_are_no_lots() -> None:
    none = predictions().with_columns(pl.lit(None, pl.Int64).alias("horizon_sessions"))
    assert np.isnan(lots_of(none)).all()
    assert np.isnan(lots_of(none.head(0))).all()


DAYS = [date(2025, 3, 3) + timedelta(days=i) for i in range(11)]


def cases() -> pl.DataFrame:
    """Each row its own reason: ok, ok, then every other one in the order of the class."""
    reasons = ["ok"] * 2 + ["no_champion", "no_features"] + ["ok"] * 7
    rows = pl.DataFrame(
        {
            "market": "SIM_HE",
            "session": DAYS,
            "probability_up": [0.6, 0.4, None, None, *[0.6] * 7],
            "prediction_reason": reasons,
            "thesis_gate": ["green"] * 2 + [None, "green"] + ["green"] * 4 + ["red", "green", "green"],
        }
    )
    return rows.with_columns(pl.lit(None, pl.Float64).alias(c) for c in PREDICTIONS.columns if c not in rows.columns)


DIAGNOSED = pl.DataFrame(
    {
        "session": [day for i, day in enumerate(DAYS) if i != 9],
        "exposure": [1.0, 0.6] + [1.0] * 7 + [0.0],
        "response": ["none", "size_down"] + ["none"] * 7 + ["block"],
    }
)


def targets(rows: pl.DataFrame, real: bool) -> pl.DataFrame:
    n = len(DAYS)
    lots = pl.DataFrame({"market": "SIM_HE", "session": DAYS, "lots": [3.0, -4.0, *[2.0] * 4, None, *[2.0] * 4]})
    front = pl.DataFrame(
        {
            "session": DAYS,
            "contract": "HE-2025-04",
            "settle": [100.0 if i != 4 else None for i in range(n)],
            "settle_age_sessions": [int(i == 5) for i in range(n)],
        }
    )
    return target_positions(rows, lots, front, pl.DataFrame({"session": [DAYS[7]]}), DIAGNOSED, real)


def test_each_reason_by_construction() -> None:
    found = targets(cases(), real=True)
    assert found["target_reason"].to_list() == [
        "ok",
        "ok",
        TargetReason.NO_CHAMPION,
        TargetReason.NO_FEATURES,
        TargetReason.NO_PRICE,
        TargetReason.STALE_SETTLE,
        TargetReason.NO_SIZE,
        TargetReason.DENSITY_GATE_RED,
        TargetReason.THESIS_GATE_RED,
        TargetReason.NOT_OBSERVED,
        TargetReason.BLOCKED,
    ]
    # -4 at 0.6 of its size is two whole contracts.
    assert found["target_contracts"].to_list() == [3, -2, *[0] * 9]
    assert found["limit_reference"].to_list() == [100.0] * 4 + [None] + [100.0] * 6
    assert found["probability_up"].equals(cases()["probability_up"])
    assert dict(found.schema) == {name: TARGET_POSITIONS.schema[name] for name in found.columns}
    assert set(TargetReason) == set(found["target_reason"])


def test_the_gates_block_where_money_is_real_and_nowhere_else() -> None:
    found = targets(cases(), real=False)
    assert found["target_reason"].to_list()[7:] == ["ok", "ok", "not_observed", "blocked"]
    assert found["target_contracts"].to_list()[7:] == [2, 2, 0, 0]
    assert found.head(7).equals(targets(cases(), real=True).head(7))


def test_a_thesis_that_nobody_judged_is_not_green() -> None:
    unjudged = cases().with_columns(pl.lit(None, pl.String).alias("thesis_gate"))
    found = targets(unjudged, real=True)
    assert found["target_reason"].to_list()[:2] == [TargetReason.THESIS_GATE_RED] * 2
    assert found["target_contracts"].to_list() == [0] * 11


def test_of_several_reasons_the_first_is_given() -> None:
    everything = cases().with_columns(pl.lit("red").alias("thesis_gate"))
    found = targets(everything, real=True)["target_reason"].to_list()
    assert found[2:7] == ["no_champion", "no_features", "no_price", "stale_settle", "no_size"]
    assert found[7] == "density_gate_red"


def test_a_session_without_a_front_contract_has_no_price() -> None:
    rows = cases().head(1)
    lots = pl.DataFrame({"market": "SIM_HE", "session": DAYS[:1], "lots": [3.0]})
    schema = {"session": pl.Date, "contract": pl.String, "settle": pl.Float64, "settle_age_sessions": pl.Int64}
    found = target_positions(
        rows, lots, pl.DataFrame(schema=schema), pl.DataFrame(schema={"session": pl.Date}), DIAGNOSED, False
    )
    assert found["target_reason"].to_list() == ["no_price"]


def test_a_halt_leaves_and_a_block_keeps() -> None:
    halted = DIAGNOSED.with_columns(pl.lit(0.0).alias("exposure"), pl.lit("halt").alias("response"))
    rows = cases().head(2)
    lots = pl.DataFrame({"market": "SIM_HE", "session": DAYS[:2], "lots": [3.0, -4.0]})
    front = pl.DataFrame(
        {"session": DAYS[:2], "contract": "HE-2025-04", "settle": [100.0] * 2, "settle_age_sessions": [0] * 2}
    )
    red = pl.DataFrame(schema={"session": pl.Date})
    left = target_positions(rows, lots, front, red, halted, False)
    assert left.select("target_contracts", "target_reason").rows() == [(0, "ok"), (0, "ok")]
    kept = target_positions(rows, lots, front, red, halted.with_columns(response=pl.lit("block")), False)
    assert kept["target_reason"].to_list() == ["blocked", "blocked"]
