"""``model``: a group's recipes judged and fitted at each training date; the first champion and its refits."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, timedelta
from functools import partial
from typing import Any

import dagster as dg
import polars as pl

from hydra_assets.columns import FUTURES_CURVE, REPLAY_REPORT
from hydra_assets.defs.group import GroupHistory, count_reasons, group_history
from hydra_assets.defs.ranges import CODE_VERSION
from hydra_assets.defs.registry import RegistryResource
from hydra_assets.defs.resources import DatabaseResource, HomeResource, LakeResource
from hydra_assets.defs.training import (
    SNAPSHOT,
    expected_sessions,
    labelled_snapshot,
    snapshots_of,
    specs_of,
    training_dates,
    training_partitions,
)
from hydra_assets.evaluation.contracts import input_contracts
from hydra_assets.features.curve_group import held_returns
from hydra_assets.home import HomeConfig
from hydra_assets.markets.model import MarketSpec
from hydra_assets.models.shap_values import stability
from hydra_assets.registry.champions import Standing, champions_of
from hydra_assets.registry.succession import Case, Outcome, succeed
from hydra_assets.state.judgements import record_judgement
from hydra_assets.state.records import Judgement

MODEL, MODEL_JOB = "model", "model_job"
NO_SNAPSHOT = "no_snapshot"
TOP = 20
"""Features that the picture shows."""
NOT_JUDGED = frozenset({Standing.ALREADY_FITTED, Standing.OLDER_THAN_CHAMPION})
"""A run that is repeated finds the champions that it made: nothing was judged, and what was stays on record."""
HELD = ("market", "session", "contract_month", "role", "held_return")


def model_assets(home_config: HomeConfig, markets: Sequence[MarketSpec]) -> list[dg.AssetsDefinition]:
    """The model asset of a home."""

    @dg.asset(
        name=MODEL,
        group_name="models",
        description="A group's recipes fitted and judged at a training date: first champion by gates, then refits.",
        partitions_def=training_partitions(home_config, markets),
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[
            SNAPSHOT,
            dg.AssetDep(REPLAY_REPORT.name, partition_mapping=dg.AllPartitionMapping()),
        ],
        kinds={"lightgbm", "mlflow"},
    )
    def model(
        context: dg.AssetExecutionContext,
        home: HomeResource,
        lake: LakeResource,
        database: DatabaseResource,
        registry: RegistryResource,
    ) -> dg.MaterializeResult[None]:
        found: list[tuple[str, date, Outcome]] = []
        newest: GroupHistory | None = None
        for group, dates in training_dates(context.partition_keys).items():
            specs = specs_of(home, group)
            newest = group_history(lake.lake, specs, dates[-1] - timedelta(days=1), database.engine)
            curve = lake.lake.read(
                FUTURES_CURVE.name, markets=[s.symbol for s in specs], last=newest.last, columns=HELD
            )
            held = held_returns(curve)
            for day in dates:
                cutoff = day - timedelta(days=1)
                snapshot = snapshots_of(home).get(group, day)
                if snapshot is None:
                    found.append((group, day, Outcome(NO_SNAPSHOT, "see training_snapshot of that date")))
                    continue
                champions = champions_of(database.engine, registry.registry, group)
                expected = expected_sessions(home, group, cutoff)
                case = Case(
                    group=group,
                    snapshot=snapshot,
                    contracts=input_contracts(newest.features, newest.labels, held, expected, cutoff),
                    history=newest,
                    run_id=context.run.run_id,
                    newest=day == dates[-1],
                    parameters={"code_version": CODE_VERSION},
                    files=partial(explanation, newest, cutoff),
                    labelled=partial(labelled_snapshot, home, newest, group, day),
                )
                outcome = succeed(database.engine, registry.registry, champions, case)
                found.append((group, day, outcome))
                judgement = _judgement(group, day, outcome, context.run.run_id)
                record_judgement(database.engine, judgement, keep_earlier=outcome.code in NOT_JUDGED)
                context.log.info(f"{group} {day}: {outcome.code}. {outcome.message}")
        context.add_asset_metadata(
            _metadata(found, newest), asset_key=context.asset_key, partition_key=context.partition_keys[-1]
        )
        return dg.MaterializeResult()

    return [model]


def _judgement(group: str, day: date, outcome: Outcome, run_id: str) -> Judgement:
    gates = [
        {"candidate": report.candidate, **asdict(verdict)} for report in outcome.reports for verdict in report.verdicts
    ]
    metrics = outcome.scores.metrics if outcome.scores else {}
    return Judgement(group, day, outcome.code, outcome.message, metrics, gates, run_id)


def _metadata(found: Sequence[tuple[str, date, Outcome]], history: GroupHistory | None) -> dict[str, Any]:
    rows = [
        {"group": group, "training_date": day.isoformat(), "outcome": outcome.code, "message": outcome.message}
        | ({"model_sha256": outcome.model.sha256, **outcome.scores.metrics} if outcome.model and outcome.scores else {})
        for group, day, outcome in found
    ]
    table = pl.DataFrame(rows, infer_schema_length=None)
    values: dict[str, Any] = {
        "outcomes": dg.MetadataValue.json(count_reasons(table, "outcome")),
        "fits": dg.MetadataValue.json(rows),
    }
    fitted = [outcome for _, _, outcome in found if outcome.model is not None]
    if history is not None and fitted and fitted[-1].model is not None:
        values |= _explained(history, fitted[-1].model.name)
    return values


def explanation(history: GroupHistory, cutoff: date, name: str) -> dict[str, bytes]:
    """Files that explain a recipe as of a cutoff: mean |SHAP| by fold with its stability, and a picture of it.

    Folds whose test sessions had ended by then; empty where there is none or the architecture has no exact values.
    """
    from hydra_assets.defs.model_pictures import bars  # noqa: PLC0415  matplotlib is slow to import

    run = history.runs.get(name)
    if run is None:
        return {}
    ended = run.predictions.group_by("fold").agg(pl.col("session").max()).filter(pl.col("session") <= cutoff)["fold"]
    folds = {index: found for index, found in run.shap.items() if index in set(ended)}
    if not folds:
        return {}
    steady = stability([*folds.values()])
    told = {
        "rank_correlation_of_folds": finite(steady.rank_correlation),
        "features": {
            feature: {"mean_abs": size, "sign_agreement": finite(sign)}
            for feature, size, sign in zip(
                steady.feature_names, steady.mean_abs.tolist(), steady.sign_agreement.tolist(), strict=True
            )
        },
        "folds": {
            str(index): dict(zip(found.feature_names, found.mean_abs.tolist(), strict=True))
            for index, found in folds.items()
        },
    }
    top = sorted(zip(steady.mean_abs.tolist(), steady.feature_names, strict=True), reverse=True)[:TOP]
    symbols = [spec.symbol for spec in history.specs]
    title = f"{name}: mean |SHAP| out of fold, {len(folds)} folds to {cutoff}"
    image = bars([feature for _, feature in top], [size for size, _ in top], title, "log-odds", symbols)
    files = {"shap.json": json.dumps(told, indent=1, sort_keys=True).encode()}
    return files | ({"shap.png": image} if image is not None else {})


def finite(value: float) -> float | None:
    """JSON has no NaN."""
    return value if math.isfinite(value) else None


def _explained(history: GroupHistory, name: str) -> dict[str, Any]:
    """The same for the run's page."""
    from hydra_assets.defs.pictures import as_markdown  # noqa: PLC0415  matplotlib is slow to import

    files = explanation(history, history.last, name)
    if not files:
        return {}
    told = json.loads(files["shap.json"])
    values: dict[str, Any] = {
        "shap_rank_correlation_of_folds": dg.MetadataValue.text(str(told["rank_correlation_of_folds"])),
        "shap": dg.MetadataValue.json(told["features"]),
    }
    return values | ({"picture": dg.MetadataValue.md(as_markdown(files["shap.png"]))} if "shap.png" in files else {})
