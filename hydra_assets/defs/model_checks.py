"""Checks on what models are made of and on what they are worth: look-ahead in features, and the thesis."""

from datetime import timedelta

import dagster as dg

from hydra_assets.columns import FEATURE_VECTOR, FUTURES_CURVE
from hydra_assets.defs.checks import alert_of, check_result
from hydra_assets.defs.models import HELD, MODEL
from hydra_assets.defs.ranges import requested
from hydra_assets.defs.registry import RegistryResource
from hydra_assets.defs.resources import DatabaseResource, HomeResource, LakeResource
from hydra_assets.defs.training import training_dates
from hydra_assets.evaluation.contracts import LEAKAGE, no_look_ahead
from hydra_assets.evaluation.thesis_check import THESIS_GATE, thesis_check
from hydra_assets.features.curve_group import held_returns
from hydra_assets.registry.champions import champion_as_of, champions_of
from hydra_assets.state.alerts import AlertSink


def model_checks() -> list[dg.AssetChecksDefinition]:
    """``no_look_ahead`` on ``feature_vector`` and ``thesis_gate`` on ``model``; both block."""
    return [_look_ahead(), _thesis()]


def _look_ahead() -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=FEATURE_VECTOR.name,
        name=LEAKAGE,
        blocking=True,
        description="No feature goes with later returns beyond what an honest one can: a planted leak blocks.",
    )
    def check(
        context: dg.AssetCheckExecutionContext, home: HomeResource, lake: LakeResource, database: DatabaseResource
    ) -> dg.AssetCheckResult:
        ranges = requested(context, home)
        symbols, last = [part.market for part in ranges], max(part.last for part in ranges)
        features = lake.lake.read(FEATURE_VECTOR.name, markets=symbols, last=last)
        # Returns after the range may be known already; what is asked is whether the range knew them.
        curve = lake.lake.read(FUTURES_CURVE.name, markets=symbols, last=last + timedelta(days=14), columns=list(HELD))
        verdict = no_look_ahead(features, held_returns(curve))
        if not verdict.passed:
            sink = AlertSink(database.engine, home.config.webhook_url)
            sink.raise_alert(alert_of(FEATURE_VECTOR.name, verdict, context.run.run_id))
        return check_result(FEATURE_VECTOR.name, verdict)

    return check


def _thesis() -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=MODEL,
        name=THESIS_GATE,
        blocking=True,
        description="The champion earned net Sharpe above zero out of sample, with its band; red blocks real trading.",
    )
    def check(
        context: dg.AssetCheckExecutionContext,
        home: HomeResource,
        database: DatabaseResource,
        registry: RegistryResource,
    ) -> dg.AssetCheckResult:
        states: dict[str, bool | None] = {}
        for group, dates in training_dates(context.partition_keys).items():
            champions = champions_of(database.engine, registry.registry, group)
            found = champion_as_of(champions, dates[-1])
            states[group] = None if found is None else found.model.thesis_green
        verdict = thesis_check(states, real=home.config.kind == "real")
        if not verdict.passed:
            sink = AlertSink(database.engine, home.config.webhook_url)
            sink.raise_alert(alert_of(MODEL, verdict, context.run.run_id))
        return check_result(MODEL, verdict)

    return check
