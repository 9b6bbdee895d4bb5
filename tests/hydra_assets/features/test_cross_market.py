"""The pool: the others' newest session before ours, never our own and never the same day's."""

from datetime import date, timedelta

import numpy as np
import polars as pl

from hydra_assets.features.cross_market import pool_features
from hydra_assets.features.returns import momentum

START = date(2024, 1, 1)
N = 90
MARKETS = ("A", "B", "C")


def curves(n: int = N, seed: int = 3) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    returns = rng.standard_normal((len(MARKETS), N)) * 0.01
    return pl.concat(
        pl.DataFrame(
            {
                "market": market,
                "session": [START + timedelta(days=i) for i in range(n)],
                "contract_month": date(2025, 1, 1),
                "role": "front",
                "held_return": returns[k, :n],
            }
        )
        for k, market in enumerate(MARKETS)
    )


def sessions(market: str = "A", n: int = N) -> pl.DataFrame:
    return pl.DataFrame({"market": market, "session": [START + timedelta(days=i) for i in range(n)]})


def test_the_mean_of_the_others_one_session_before() -> None:
    held = curves()
    row = pool_features(held, sessions()).row(80, named=True)
    own = {
        market: momentum(np.log1p(held.filter(pl.col("market") == market)["held_return"].to_numpy()), 20)[79]
        for market in ("B", "C")
    }
    assert row["pool_markets"] == 2
    assert row["pool_momentum"] == (own["B"] + own["C"]) / 2


def test_todays_and_own_returns_do_not_enter() -> None:
    held = curves()
    today = START + timedelta(days=80)
    moved = held.with_columns(
        pl.when((pl.col("session") >= today) | (pl.col("market") == "A"))
        .then(9.0)
        .otherwise("held_return")
        .alias("held_return")
    )
    assert pool_features(moved, sessions(n=81)).equals(pool_features(held, sessions(n=81)))
    late = START + timedelta(days=79)
    changed = held.with_columns(
        pl.when(pl.col("session") >= late).then(9.0).otherwise("held_return").alias("held_return")
    )
    assert not pool_features(changed, sessions(n=81)).equals(pool_features(held, sessions(n=81)))


def test_a_market_alone_has_no_pool_and_an_old_one_says_nothing() -> None:
    alone = pool_features(curves().filter(pl.col("market") == "A"), sessions())
    assert alone["pool_markets"].unique().to_list() == [0]
    assert alone["pool_momentum"].null_count() == N
    stopped = curves().filter((pl.col("market") == "A") | (pl.col("session") < START + timedelta(days=70)))
    counts = pool_features(stopped, sessions())["pool_momentum"].is_null().to_list()
    # Its last session is number 69: it speaks for seven days, to number 76.
    assert not counts[76]
    assert counts[77]


def test_appending_sessions_changes_nothing_before() -> None:
    assert pool_features(curves(), sessions()).head(85).equals(pool_features(curves(85), sessions(n=85)))
