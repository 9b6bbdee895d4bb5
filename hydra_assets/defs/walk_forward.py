"""``walk_forward``: out-of-fold probabilities of the model and its baselines, each session by the fold it stands in."""

from collections.abc import Mapping, Sequence
from datetime import date

import dagster as dg
import numpy as np
import polars as pl

from hydra_assets.columns import FEATURE_VECTOR, LABELS, WALK_FORWARD
from hydra_assets.defs.derived import DerivedAsset, Inputs, Reader, build
from hydra_assets.features.dictionary import FEATURE_NAMES
from hydra_assets.home import HomeConfig
from hydra_assets.labels.known import SPECS, LabelKind
from hydra_assets.lake import Lake
from hydra_assets.markets.model import MarketSpec
from hydra_assets.models.baseline import BaseRate
from hydra_assets.models.factory import ModelSpec
from hydra_assets.models.lightgbm_model import LightGbm
from hydra_assets.models.linear import Logistic
from hydra_assets.models.out_of_fold import KEY, out_of_fold
from hydra_assets.models.splits import WalkForwardPlan, open_folds

KIND = LabelKind.FIXED_HORIZON
REACH = SPECS[KIND].reach_sessions
PLAN = WalkForwardPlan(label_reach_sessions=REACH, embargo_sessions=REACH, first_train_sessions=252)
MODELS: Mapping[str, ModelSpec] = {
    "probability_boosted": LightGbm(),
    "probability_logistic": Logistic(),
    "probability_base_rate": BaseRate(),
}
BEFORE_FIRST_FOLD = "before_first_fold"


def _walk(inputs: Inputs) -> pl.DataFrame:
    group = tuple(m.symbol for m in inputs.home.markets.values() if m.group == inputs.market.group)
    found = _of_group(inputs.lake.lake, group, inputs.part.first, inputs.part.last)
    return inputs.sessions.join(found, on=KEY, how="left", maintain_order="left").with_columns(
        pl.col("fold_reason").fill_null(BEFORE_FIRST_FOLD)
    )


def _of_group(lake: Lake, group: tuple[str, ...], first: date, last: date) -> pl.DataFrame:
    """All markets of a group over a range: folds are pooled, so a run's markets share what the first one computed."""
    key = (*(_state(lake, spec.name) for spec in (FEATURE_VECTOR, LABELS)), group, first, last)
    if key not in _NEWEST:
        _NEWEST.clear()
        _NEWEST[key] = _computed(lake, group, first, last)
    return _NEWEST[key]


def _state(lake: Lake, dataset: str) -> tuple[str, int] | None:
    """A table's own identity and version: what it holds never changes under them."""
    if not lake.exists(dataset):
        return None
    table = lake.table(dataset)
    return str(table.metadata().id), table.version()


_NEWEST: dict[tuple[object, ...], pl.DataFrame] = {}


def _computed(lake: Lake, group: Sequence[str], first: date, last: date) -> pl.DataFrame:
    features = lake.read(FEATURE_VECTOR.name, markets=group, last=last)
    known = lake.read(LABELS.name, markets=group, last=last).filter(
        (pl.col("label_kind") == KIND) & (pl.col("label_reason") == "ok")
    )
    labels = known.select(
        "market",
        pl.col("decision_session").alias("session"),
        "entry_session",
        pl.col("session").alias("exit_session"),
        "label_class",
    )
    rows = features.select(*KEY, *FEATURE_NAMES).join(labels, on=KEY, how="left")
    folds = open_folds(rows["session"].to_list(), PLAN)
    wanted = [fold for fold in folds if fold.test_first <= last and fold.test_last >= first]
    return out_of_fold(rows, FEATURE_NAMES, MODELS, wanted)


def judged(rows: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """Rows of ``walk_forward`` with what became of them: ``up`` is 1.0 or 0.0."""
    outcome = labels.filter((pl.col("label_kind") == KIND) & (pl.col("label_reason") == "ok")).select(
        "market",
        pl.col("decision_session").alias("session"),
        (pl.col("label_class") == "up").cast(pl.Float64).alias("up"),
    )
    return rows.drop_nulls("probability_boosted").join(outcome, on=KEY, how="inner", maintain_order="left")


def _notes(rows: pl.DataFrame, read: Reader) -> dict[str, object]:
    """Brier score of each model over the run's decisions whose outcome is known."""
    parts = [read(LABELS, market, None) for market in rows["market"].unique().sort().to_list()]
    done = judged(rows, pl.concat(parts)) if parts else rows.head(0)
    if done.is_empty():
        return {}
    up = done["up"].to_numpy()
    return {
        "decisions_judged": done.height,
        "brier": {name: round(float(np.mean((done[name].to_numpy() - up) ** 2)), 5) for name in MODELS},
    }


def _picture(rows: pl.DataFrame, _: Reader) -> bytes | None:
    from hydra_assets.defs.pictures import lines  # noqa: PLC0415  matplotlib is slow to import

    there = rows.drop_nulls("probability_boosted")
    title = "Out-of-fold probability of a rise, boosted trees"
    return lines(there, x="session", y="probability_boosted", title=title, unit="fraction") if there.height else None


ASSET = DerivedAsset(WALK_FORWARD, "models", (), _walk, _picture, _notes, pool_deps=(FEATURE_VECTOR, LABELS))


def walk_forward_assets(home_config: HomeConfig, markets: Sequence[MarketSpec]) -> list[dg.AssetsDefinition]:
    """The walk-forward of a home."""
    return [build(ASSET, home_config, markets)]
