"""A planted leak is caught, honest features are not named: by hand, by simulation, by perturbation."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import polars as pl
import pytest

from hydra_assets.models.leakage import (
    ATTAINABLE_CORRELATION,
    LeakReason,
    Perturbation,
    association_leaks,
    changed_by_the_future,
)

START = date(2015, 1, 1)


def days(n: int) -> list[date]:
    return [START + timedelta(days=i) for i in range(n)]


def fat_tailed_returns(rng: np.random.Generator, n: int) -> np.ndarray:
    """Student-t returns with a persistent stochastic volatility (AR 0.97, a third of log vol a year)."""
    log_vol = np.zeros(n)
    for t in range(1, n):
        log_vol[t] = 0.97 * log_vol[t - 1] + 0.1 * rng.standard_normal()
    return 0.01 * np.exp(log_vol) * rng.standard_t(5, n)


def ahead(values: np.ndarray, by: int) -> np.ndarray:
    out = np.full(len(values), np.nan)
    out[: len(values) - by] = values[by:]
    return out


def frames(
    r: np.ndarray, features: Mapping[str, np.ndarray], market: str = "SIM_HE"
) -> tuple[pl.DataFrame, pl.DataFrame]:
    base = pl.DataFrame({"market": market, "session": days(len(r))})
    return base.with_columns(pl.Series(k, v, nan_to_null=True) for k, v in features.items()), base.with_columns(
        pl.Series("held_return", r)
    )


def trailing_mean(values: np.ndarray, window: int) -> np.ndarray:
    total = np.cumsum(np.concatenate([np.zeros(window), values]))
    moved: np.ndarray = total[window:] - total[:-window]
    return moved


def honest(rng: np.random.Generator, r: np.ndarray) -> dict[str, np.ndarray]:
    """Features without a leak: the past in several guises, slow noise, and real edges at the attainable bound."""
    n = len(r)
    size = np.std(r)
    slow = np.zeros(n)
    for t in range(1, n):
        slow[t] = 0.99 * slow[t - 1] + rng.standard_normal()
    ic = ATTAINABLE_CORRELATION
    tomorrow = np.nan_to_num(ahead(r, 1))
    return {
        "today": r,
        "momentum": trailing_mean(r, 20),
        "vol": trailing_mean(r**2, 20),
        "slow": slow,
        "trend": np.arange(n) + rng.standard_normal(n),
        "edge_tomorrow": ic * tomorrow / size + np.sqrt(1 - ic**2) * rng.standard_normal(n),
        "edge_in_two": 0.1 * np.nan_to_num(ahead(r, 2)) / size + np.sqrt(0.99) * rng.standard_normal(n),
    }


def planted(rng: np.random.Generator, r: np.ndarray) -> dict[str, np.ndarray]:
    size = np.std(r)
    label = sum(ahead(r, j) for j in range(2, 7))
    return {
        "copy": ahead(r, 1),
        "noisy": ahead(r, 1) + size * rng.standard_normal(len(r)),
        "negative": -3.0 * ahead(r, 2) + 3.0 * size * rng.standard_normal(len(r)),
        "label": label,
        "noisy_label": label + np.nanstd(label) * rng.standard_normal(len(r)),
        "sign": np.sign(ahead(r, 1)),
    }


def test_the_bound_by_hand() -> None:
    rng = np.random.default_rng(0)
    r = rng.standard_normal(403)
    verdict = association_leaks(*frames(r, {"copy": ahead(r, 1)}), ["copy"], leads=1, first_earned=1)
    # One comparison of 402 pairs; tomorrow's return is white but for chance, so n_eff is n over 1 + 2 a_1^2.
    leak = verdict.leaks[0]
    ranks = np.argsort(np.argsort(r[1:])) - 200.5
    a = ranks[1:] @ ranks[:-1] / (ranks @ ranks)
    n_eff = 402 / (1 + 2 * a * a)
    assert leak.bound == pytest.approx(np.tanh(np.arctanh(0.15) + 2.5758293 * np.sqrt(1.06 / (n_eff - 3))))
    assert (leak.feature, leak.market, leak.lead, leak.pairs) == ("copy", "SIM_HE", 1, 402)
    assert leak.correlation == pytest.approx(1.0)
    assert (verdict.passed, verdict.reason, verdict.comparisons) == (False, LeakReason.LEAK, 1)


@pytest.mark.parametrize(("n", "worlds", "of_noisy_labels"), [(250, 30, 0.7), (1000, 20, 1.0)])
def test_every_planted_leak_is_caught_and_no_honest_feature_named(n: int, worlds: int, of_noisy_labels: float) -> None:
    caught = dict.fromkeys(planted(np.random.default_rng(0), np.ones(10)), 0)
    false_worlds = 0
    for seed in range(worlds):
        rng = np.random.default_rng([seed, n])
        r = fat_tailed_returns(rng, n)
        true, fake = honest(rng, r), planted(rng, r)
        verdict = association_leaks(*frames(r, true | fake), [*true, *fake])
        named = {leak.feature for leak in verdict.leaks}
        for name in fake:
            caught[name] += name in named
        false_worlds += bool(named & set(true))
    # Five sessions' return with noise of equal size shares 1 / sqrt(2) with about 110 effective pairs in 250: the one
    # leak that a year of one market does not always show.
    assert caught.pop("noisy_label") / worlds >= of_noisy_labels
    assert {name: count / worlds for name, count in caught.items() if count < worlds} == {}
    assert false_worlds == 0


def test_a_leak_in_one_market_of_four_is_named_with_its_market() -> None:
    rng = np.random.default_rng(3)
    parts = []
    for i in range(4):
        r = fat_tailed_returns(rng, 500)
        x = planted(rng, r)["noisy"] if i == 2 else rng.standard_normal(500)
        parts.append(frames(r, {"x": x, "y": rng.standard_normal(500)}, f"SIM_{i}"))
    features, held = (pl.concat(frame) for frame in zip(*parts, strict=True))
    verdict = association_leaks(features, held, ["x", "y"])
    assert [(leak.feature, leak.market, leak.lead) for leak in verdict.leaks] == [("x", "SIM_2", 1)]
    assert verdict.comparisons == 4 * 2 * 7


def test_what_cannot_be_compared_is_said_and_is_no_pass() -> None:
    rng = np.random.default_rng(4)
    r = rng.standard_normal(200)
    nothing = {"flat": np.ones(200), "absent": np.full(200, np.nan), "short": np.where(np.arange(200) < 99, r, np.nan)}
    verdict = association_leaks(*frames(r, nothing), list(nothing))
    assert (verdict.passed, verdict.reason) == (False, LeakReason.NOTHING_CHECKED)
    assert verdict.unchecked == ("flat", "absent", "short")
    some = association_leaks(*frames(r, nothing | {"x": rng.standard_normal(200)}), [*nothing, "x"])
    assert (some.passed, some.unchecked) == (True, ("flat", "absent", "short"))
    with pytest.raises(ValueError, match=r"leads 2\.\.0"):
        association_leaks(*frames(r, nothing), ["flat"], leads=0)


def test_missing_sessions_of_features_do_not_shift_the_returns() -> None:
    rng = np.random.default_rng(5)
    r = rng.standard_normal(600)
    features, held = frames(r, {"copy": ahead(r, 1)})
    verdict = association_leaks(features.filter(pl.Series(rng.random(600) < 0.5)), held, ["copy"])
    assert verdict.leaks[0].correlation == pytest.approx(1.0)


def assembled(inputs: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Honest and leaking columns, each looking ahead in its own way."""
    curve = inputs["curve"].sort("market", "session")
    value = pl.col("held_return")
    return curve.select(
        "market",
        "session",
        value.rolling_mean(5).over("market").alias("honest"),
        value.shift(-1).over("market").alias("tomorrow"),
        (value.shift(-1).over("market") > 0).alias("sign"),
        (value - value.mean().over("market")).alias("demeaned_by_all"),
        pl.len().over("market").alias("length"),
        pl.col("session")
        .replace_strict(inputs["news"]["session"], inputs["news"]["score"], default=None, return_dtype=pl.Int64)
        .alias("news"),
    )


def market_frames(known_late: int = 0) -> dict[str, pl.DataFrame]:
    rng = np.random.default_rng(1)
    _, held = frames(rng.standard_normal(60), {})
    known = [datetime.combine(day, time(21), UTC) + timedelta(days=known_late) for day in days(60)]
    news = pl.DataFrame({"session": days(60), "known_at": known, "score": rng.integers(0, 9, 60)})
    return {"curve": held, "news": news}


def cutoffs(*at: int) -> dict[date, object]:
    return {days(60)[i]: datetime.combine(days(60)[i], time(23), UTC) for i in at}


def test_the_future_changes_exactly_the_leaking_columns() -> None:
    verdict = changed_by_the_future(assembled, market_frames(), cutoffs(20, 40), {"news": "known_at"})
    assert (verdict.passed, verdict.reason) == (False, LeakReason.LEAK)
    assert {c.feature for c in verdict.changed} == {"tomorrow", "sign", "demeaned_by_all", "length"}
    by_name = {c.feature: c for c in verdict.changed}
    assert (by_name["tomorrow"].rows, by_name["tomorrow"].cutoff) == (1, days(60)[20])
    assert by_name["length"].perturbation is Perturbation.DROPPED


def test_a_value_known_a_day_late_is_found_by_its_instant() -> None:
    verdict = changed_by_the_future(assembled, market_frames(known_late=1), cutoffs(20), {"news": "known_at"})
    assert "news" in {c.feature for c in verdict.changed}


def test_scaling_and_shuffling_find_what_dropping_alone_would_not() -> None:
    def guarded(inputs: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
        """Looks ahead only where all rows are there."""
        curve = inputs["curve"]
        late = curve["held_return"].tail(1)[0] if len(curve) == 60 else None
        return curve.select("market", "session", pl.lit(late).alias("x"))

    full = changed_by_the_future(guarded, {"curve": market_frames()["curve"]}, cutoffs(20))
    assert [c.feature for c in full.changed] == ["x"]

    def signs(inputs: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
        """A sign that survives scaling, and a row count that survives everything but dropping."""
        padded = pl.concat([inputs["curve"], market_frames()["curve"].slice(len(inputs["curve"]))])
        return padded.with_columns((pl.col("held_return").shift(-1) > 0).alias("x")).select("market", "session", "x")

    found = changed_by_the_future(signs, {"curve": market_frames()["curve"]}, cutoffs(*range(10, 50)))
    assert {(c.feature, c.perturbation) for c in found.changed} == {("x", Perturbation.SHUFFLED)}


def test_rows_that_come_or_go_and_an_honest_pass() -> None:
    def last_row_missing(inputs: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
        return inputs["curve"].select("market", "session").head(len(inputs["curve"]) - 1)

    curve = {"curve": market_frames()["curve"]}
    assert changed_by_the_future(last_row_missing, curve, cutoffs(20)).reason is LeakReason.ROWS_CHANGED

    def plain(inputs: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
        return inputs["curve"].with_columns(pl.col("held_return").cum_sum().alias("sum"))

    assert changed_by_the_future(plain, curve, cutoffs(0, 20, 59)).passed
    with pytest.raises(ValueError, match="no cutoff"):
        changed_by_the_future(plain, curve, {})
