"""Walk-forward assets: out-of-fold probabilities of the standing recipes, why they are so, and what they would earn."""

from collections.abc import Sequence
from datetime import date

import dagster as dg
import numpy as np
import polars as pl

from hydra_assets.columns import (
    DIVERGENCE,
    FEATURE_CONTRIBUTIONS,
    FEATURE_VECTOR,
    FUTURES_CURVE,
    LABELS,
    REPLAY_REPORT,
    TIME_OF_DAY_CURVE,
    WALK_FORWARD,
)
from hydra_assets.defs.derived import DerivedAsset, Inputs, Reader, build
from hydra_assets.defs.group import GroupHistory, by_strategy, group_history
from hydra_assets.evaluation.report import replay_rows
from hydra_assets.home import HomeConfig
from hydra_assets.markets.model import MarketSpec
from hydra_assets.models.labelled import KEY, outcomes, target
from hydra_assets.models.out_of_fold import BEFORE_FIRST_FOLD
from hydra_assets.models.recipe import BOOSTED, STRATEGIES

GROUP = "models"


def _history(inputs: Inputs) -> GroupHistory:
    specs = [spec for spec in inputs.home.markets.values() if spec.group == inputs.market.group]
    return group_history(inputs.lake.lake, specs, inputs.part.last, inputs.database.engine)


def _asked(rows: pl.DataFrame, inputs: Inputs) -> pl.DataFrame:
    return rows.filter((pl.col("market") == inputs.part.market) & pl.col("session").is_in(inputs.part.sessions))


def _walk(inputs: Inputs) -> pl.DataFrame:
    found = by_strategy(_history(inputs).predictions, lambda rows: inputs.sessions.join(rows, on=KEY, how="left"))
    return found.with_columns(pl.col("fold_reason").fill_null(BEFORE_FIRST_FOLD))


def _contributions(inputs: Inputs) -> pl.DataFrame:
    frames = {name: run.contributions for name, run in _history(inputs).runs.items()}
    return by_strategy(frames, lambda rows: _asked(rows, inputs))


def _replay(inputs: Inputs) -> pl.DataFrame:
    return _asked(replay_rows(_history(inputs).played, inputs.part.market), inputs)


def _before_first_fold(inputs: Inputs) -> dict[date, str]:
    return dict.fromkeys(inputs.part.days, BEFORE_FIRST_FOLD)


def judged(rows: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """Rows of ``walk_forward`` with what became of them: ``up`` is 1.0 or 0.0."""
    parts = []
    for name, recipe in STRATEGIES.items():
        own = rows.filter(pl.col("strategy") == name).drop_nulls("probability_up")
        known = own.join(outcomes(labels, recipe.label), on=KEY, how="inner", maintain_order="left")
        parts.append(known.with_columns(pl.Series("up", target(known))))
    return pl.concat(parts)


def _notes(rows: pl.DataFrame, read: Reader) -> dict[str, object]:
    """Brier score of each strategy over the run's decisions whose outcome is known."""
    parts = [read(LABELS, market, None) for market in rows["market"].unique().sort().to_list()]
    done = judged(rows, pl.concat(parts)) if parts else rows.head(0)
    if done.is_empty():
        return {}
    error = (done["probability_up"].to_numpy() - done["up"].to_numpy()) ** 2
    by_name = {name: error[(done["strategy"] == name).to_numpy()] for name in STRATEGIES}
    return {
        "decisions_judged": len(by_name[BOOSTED]),
        "brier": {name: round(float(np.mean(found)), 5) for name, found in by_name.items() if len(found)},
    }


def _walk_picture(rows: pl.DataFrame, _: Reader) -> bytes | None:
    from hydra_assets.defs.pictures import lines  # noqa: PLC0415  matplotlib is slow to import

    there = rows.filter(pl.col("strategy") == BOOSTED).drop_nulls("probability_up")
    title = "Out-of-fold probability of a rise, boosted trees, calibrated"
    return lines(there, x="session", y="probability_up", title=title, unit="fraction") if there.height else None


def _replay_picture(rows: pl.DataFrame, _: Reader) -> bytes | None:
    from hydra_assets.defs.pictures import lines  # noqa: PLC0415  matplotlib is slow to import

    account = rows.unique(["session", "strategy"], keep="first", maintain_order=True)
    title = "Equity of the account by strategy, out of sample, after costs"
    return lines(account, x="session", y="account_equity", title=title, unit="currency", per="strategy")


POOLED = (FEATURE_VECTOR, LABELS)
ASSETS = (
    DerivedAsset(WALK_FORWARD, GROUP, (), _walk, _walk_picture, _notes, pool_deps=POOLED),
    DerivedAsset(FEATURE_CONTRIBUTIONS, GROUP, (), _contributions, why_empty=_before_first_fold, pool_deps=POOLED),
    DerivedAsset(
        REPLAY_REPORT,
        GROUP,
        (),
        _replay,
        _replay_picture,
        why_empty=_before_first_fold,
        pool_deps=(WALK_FORWARD, FUTURES_CURVE, TIME_OF_DAY_CURVE, DIVERGENCE),
    ),
)


def walk_forward_assets(home_config: HomeConfig, markets: Sequence[MarketSpec]) -> list[dg.AssetsDefinition]:
    """The walk-forward assets of a home."""
    return [build(asset, home_config, markets) for asset in ASSETS]
