"""Point in time from features to outcomes, through Dagster: folds, snapshots, judgements, champions, predictions.

The inputs are written from a simulated world, so that years of them are there; everything after them is the real thing.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from functools import partial
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from hydra_assets.columns import (
    DIVERGENCE,
    FEATURE_VECTOR,
    FUTURES_CURVE,
    LABELS,
    PREDICTION_OUTCOMES,
    PREDICTIONS,
    REGIMES,
)
from hydra_assets.defs.jobs import DATASETS_JOB, range_tags
from hydra_assets.defs.models import MODEL_JOB
from hydra_assets.defs.predictions import PREDICTIONS_JOB
from hydra_assets.defs.training import snapshots_of
from hydra_assets.evaluation.stressed import stressed
from hydra_assets.features.curve_group import held_returns
from hydra_assets.features.dictionary import FEATURE_NAMES, Group
from hydra_assets.markets.loader import load_markets
from hydra_assets.markets.sessions import calendar_of
from hydra_assets.models.recalibrated import AS_IT_IS
from hydra_assets.models.recipe import FIRST_RECIPES
from hydra_assets.models.trained import train
from hydra_assets.registry.champions import Cause, Record, crown
from hydra_assets.state.tables import alerts
from hydra_assets.stress.plan import BootstrapPaths, CopulaPaths, StressPlan
from studies.ablation import SENTIMENT, without
from tests.support.modelled import LAST, MADE, MARKETS, WALKED, Modelled, Tables, make_modelled, world_tables
from tests.support.postgres import TestServer, engine_on

pytestmark = pytest.mark.endurance

MADE_FROM = date(2022, 10, 3)
"""Before it the walk-forward has no fold, and says so."""
BEFORE_IT, CROWNED, ITS_FIRST = date(2023, 9, 29), date(2023, 10, 1), date(2023, 10, 2)
MIDDLES = {date(2024, 3, 4): 3, date(2024, 3, 28): 2}
"""A fold's first tested session, and the last one before the training date 2024-04-01: where a day too many would show.
With each, how many training dates come after it."""
MONTHS = ((2024, 8, 1, 30), (2024, 9, 2, 30), (2024, 10, 1, 31), (2024, 11, 1, 15))
DAILY_FROM = date(2024, 11, 18)
FEW_PATHS = StressPlan(stationary_bootstrap=BootstrapPaths(paths=10), copula=CopulaPaths(paths=10))


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as made:
        made.setattr("hydra_assets.defs.stress.stressed", partial(stressed, plan=FEW_PATHS))
        yield made


@pytest.fixture(scope="module")
def urls(postgres_server: TestServer) -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def truth(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: TestServer, urls: ExitStack, patch: pytest.MonkeyPatch
) -> Modelled:
    """A home with everything made of it in two batches, and a champion in between."""
    url = urls.enter_context(postgres_server.database())
    home = make_modelled(tmp_path_factory.mktemp("truth"), url, patch)
    until_a_champion(home)
    home.bring_up(ITS_FIRST, LAST)
    return home


@pytest.fixture
def home(tmp_path: Path, database_url: str, patch: pytest.MonkeyPatch) -> Modelled:
    return make_modelled(tmp_path / "home", database_url, patch)


def until_a_champion(home: Modelled) -> None:
    """Everything up to the training date at which the test crowns one, as a judged experiment would."""
    home.bring_up(MADE_FROM, BEFORE_IT)
    crown_one(home, "boosted", CROWNED)


def crown_one(home: Modelled, name: str, day: date) -> None:
    snapshot = snapshots_of(home.home).get("sim", day)
    assert snapshot is not None
    model = train(name, FIRST_RECIPES[name], snapshot, AS_IT_IS, thesis_green=False)
    with engine_on(home.pipeline.database_url) as engine:
        crown(engine, home.registry, "sim", model, Record(), Cause("by_test"))


def differing(one: pl.DataFrame, other: pl.DataFrame) -> dict[str, int]:
    """Partitions whose content differs or that one side lacks, by dataset."""
    key = ["dataset", "market", "session"]
    both = one.join(other, on=key, how="full", coalesce=True, suffix="_other")
    found = both.filter(pl.col("sha256").ne_missing(pl.col("sha256_other")))
    return dict(found.group_by("dataset").len().sort("dataset").iter_rows())


def test_the_home_is_worth_comparing(truth: Modelled) -> None:
    """Several folds, a champion with refits, outcomes: constants would be equal whatever the code does."""
    lake = truth.pipeline.lake
    walked = lake.read("walk_forward").filter(fold_reason="ok")
    assert walked["fold"].n_unique() >= 8
    assert walked.filter(strategy="boosted")["probability_up"].n_unique() > 700
    assert set(walked["calibration"]) >= {"identity", "platt"}
    predictions = lake.read("predictions").filter(prediction_reason="ok")
    assert predictions["session"].min() > CROWNED
    assert predictions["model_sha256"].n_unique() > 2
    assert predictions["probability_up"].n_unique() > 0.9 * predictions.height
    assert lake.read("prediction_outcomes").height > 400
    assert lake.read("replay_report")["position_lots"].n_unique() > 5
    assert lake.read("feature_contributions")["contribution"].n_unique() > 1000
    assert set(truth.hashes()["dataset"]) == set(MADE)
    codes = {row.training_date: row.code for row in truth.judged()}
    assert codes[date(2023, 7, 1)] == "none_passed"
    assert "scheduled_refit" in codes.values()
    assert {row.stress_reason for row in truth.stressed()} >= {"ok"}


def test_recomputing_any_range_gives_the_same_bytes(truth: Modelled) -> None:
    hashes, judged, stress, snapshots = truth.hashes(), truth.judged(), truth.stressed(), truth.snapshots()
    champions = truth.champions()
    truth.bring_up(date(2023, 12, 18), date(2024, 2, 9))
    truth.bring_up(MADE_FROM, LAST, ["SIM_ZO"])
    assert differing(truth.hashes(), hashes) == {}
    assert truth.snapshots() == snapshots
    assert truth.judged() == judged
    assert truth.stressed() == stress
    assert truth.champions() == champions
    print(f"recomputed: {hashes.height} partitions, {len(snapshots)} snapshots, {len(judged)} judgements unchanged")


@pytest.mark.endurance
def test_month_by_month_and_session_by_session_equal_the_batch(truth: Modelled, home: Modelled) -> None:
    until_a_champion(home)
    home.bring_up(ITS_FIRST, date(2024, 7, 31))
    for year, month, first, last in MONTHS:
        home.bring_up(date(year, month, first), date(year, month, last))
    for session in calendar_of(load_markets()["SIM_HE"]).between(DAILY_FROM, LAST):
        home.bring_up(session, session)
    assert differing(home.hashes(), truth.hashes()) == {}
    assert home.snapshots() == truth.snapshots()
    assert home.judged() == truth.judged()
    assert home.stressed() == truth.stressed()
    assert home.champions() == truth.champions()
    print(f"{truth.hashes().height} partitions equal after a batch, four months and four sessions")


@pytest.mark.parametrize("middle", MIDDLES)
def test_the_future_changes_no_past(truth: Modelled, home: Modelled, middle: date) -> None:
    home.write(perturbed(world_tables(), middle))
    until_a_champion(home)
    home.bring_up(ITS_FIRST, LAST)
    past = home.hashes(middle)
    assert differing(past, truth.hashes(middle)) == {}
    # A training date on the weekend after the session knows it and nothing else.
    known = calendar_of(load_markets()["SIM_HE"]).next_session(middle)
    assert home.snapshots(known) == truth.snapshots(known)
    assert home.judged(known) == truth.judged(known)
    assert home.stressed(known) == truth.stressed(known)
    assert home.champions(known) == truth.champions(known)
    assert len(truth.champions(known)) < len(truth.champions())
    changed = differing(home.hashes(), truth.hashes())
    judged = sum(a != b for a, b in zip(home.judged(), truth.judged(), strict=True))
    assert set(changed) == set(MADE)
    assert min(changed.values()) > 300
    assert judged == MIDDLES[middle]
    assert sum(home.snapshots()[day] != digest for day, digest in truth.snapshots().items()) == MIDDLES[middle]
    print(f"{past.height} partitions up to {middle} unchanged; after it changed: {changed}, {judged} judgements")


def perturbed(tables: Tables, middle: date) -> Tables:
    """Every input after the middle session is another: scaled, flipped, halved."""
    later = pl.col("session") > middle

    def where_later(rows: pl.DataFrame, **others: pl.Expr) -> pl.DataFrame:
        return rows.with_columns(
            pl.when(later).then(new).otherwise(name).cast(rows.schema[name]).alias(name) for name, new in others.items()
        )

    up, down, there = pl.lit("up"), pl.lit("down"), pl.col("label_class").is_not_null()
    flipped = pl.when(pl.col("label_class") == "up").then(down).when(there).then(up)
    states = pl.col("regime_vol").replace({"calm": "stressed", "normal": "stressed", "stressed": "calm"})
    features = {name: pl.col(name) * -1.3 for name in FEATURE_NAMES}
    return {
        FEATURE_VECTOR.name: where_later(tables[FEATURE_VECTOR.name], **features),
        LABELS.name: where_later(tables[LABELS.name], label_class=flipped, label_return=-pl.col("label_return")),
        FUTURES_CURVE.name: where_later(
            tables[FUTURES_CURVE.name], settle=pl.col("settle") * 1.07, volume=pl.col("volume") * 2
        ),
        REGIMES.name: where_later(tables[REGIMES.name], regime_vol=states),
        DIVERGENCE.name: where_later(tables[DIVERGENCE.name], size_factor=pl.col("size_factor") * 0.5),
    }


def test_a_later_champion_changes_no_outcome(truth: Modelled) -> None:
    """On the shared home, after what compares with it: another champion decides the past anew, its record stays."""
    lake, cutoff = truth.pipeline.lake, date(2024, 1, 1)
    before = {name: lake.read(name) for name in (PREDICTIONS.name, PREDICTION_OUTCOMES.name)}
    crown_one(truth, "logistic", cutoff)
    truth.run(PREDICTIONS_JOB, range_tags(list(MARKETS), ITS_FIRST, LAST))
    after, key = lake.read(PREDICTIONS.name), ["market", "session"]
    both = after.join(before[PREDICTIONS.name], on=key, suffix="_before", validate="1:1")
    moved = both.filter(pl.col("probability_up").ne_missing(pl.col("probability_up_before")))
    assert moved.height > 100
    assert moved["session"].min() > cutoff
    assert moved["session"].max() < date(2024, 4, 2)
    outcomes = lake.read(PREDICTION_OUTCOMES.name).sort(PREDICTION_OUTCOMES.key)
    assert outcomes.equals(before[PREDICTION_OUTCOMES.name].sort(PREDICTION_OUTCOMES.key))
    print(f"{moved.height} predictions changed, {outcomes.height} outcomes did not")


def test_a_blackout_makes_predictions_meeker_and_then_none(truth: Modelled) -> None:
    """Last on the shared home: without the crowd the options still speak; without any view nothing is predicted."""
    since, features = date(2024, 9, 2), world_tables()[FEATURE_VECTOR.name]
    later = features.filter(pl.col("session") >= since)
    bets = {}
    for name, groups in {"clear": set(), "dark": SENTIMENT, "night": {*Group} - {Group.CALENDAR}}.items():
        truth.write({FEATURE_VECTOR.name: without(later, groups)}, since)
        if name == "dark":
            truth.walk(since, LAST)
        truth.run(PREDICTIONS_JOB, range_tags(list(MARKETS), since, LAST))
        made = truth.pipeline.lake.read(PREDICTIONS.name, first=since)
        reason = "no_features" if name == "night" else "ok"
        assert set(made["prediction_reason"]) == {reason}
        bets[name] = (made["probability_up"] - made["base_rate"]).abs().mean()
    assert bets["night"] is None
    assert 0.0 < bets["dark"] < bets["clear"]


def test_a_planted_leak_blocks_and_is_judged_broken(home: Modelled, monkeypatch: pytest.MonkeyPatch) -> None:
    tags, assets = range_tags(list(MARKETS), MADE_FROM, LAST), (FEATURE_VECTOR.name, *WALKED)
    honest = world_tables()[FEATURE_VECTOR.name]
    found = assembled_as(home, monkeypatch, honest).run(DATASETS_JOB, tags, assets)
    assert verdict_of(found) == (True, "ERROR")
    assert WALKED[0] in materialised(found)
    found = assembled_as(home, monkeypatch, with_a_leak(honest)).run(DATASETS_JOB, tags, assets, fail=False)
    assert not found.success
    assert verdict_of(found) == (False, "ERROR")
    assert materialised(found) == {FEATURE_VECTOR.name}
    with engine_on(home.pipeline.database_url) as engine, engine.connect() as connection:
        [alert] = connection.execute(alerts.select()).all()
    assert (alert.code, alert.dataset, alert.level) == ("check_leak", FEATURE_VECTOR.name, "CRITICAL")
    assert "carry in SIM_HE 1 ahead" in alert.message
    # Somebody forces what the check has blocked.
    home.walk(MADE_FROM, LAST)
    home.run(MODEL_JOB, dict.fromkeys(tags, "sim|2024-10-01"))
    [judged] = home.judged()
    assert judged.code == "none_passed"
    for name in FIRST_RECIPES:
        gate = next(gate for gate in judged.gates if gate["candidate"] == name)
        assert (gate["gate"], gate["status"], gate["reason"]) == ("gate_1_data_contracts", "failed", "contract_broken")


def assembled_as(home: Modelled, patch: pytest.MonkeyPatch, features: pl.DataFrame) -> Modelled:
    """Whatever the sources hold, ``feature_vector`` becomes these rows."""
    patch.setattr(
        "hydra_assets.defs.signals.assemble",
        lambda _, sessions: sessions.join(features, on=["market", "session"], how="left"),
    )
    home.write({FEATURE_VECTOR.name: features})
    return home


def with_a_leak(features: pl.DataFrame) -> pl.DataFrame:
    """``carry`` is the return that the next session earns."""
    front = held_returns(world_tables()[FUTURES_CURVE.name]).sort("market", "session")
    coming = front.select("market", "session", pl.col("held_return").shift(-1).over("market").alias("coming"))
    rows = features.join(coming, on=["market", "session"], how="left", maintain_order="left")
    return rows.with_columns(pl.col("coming").alias("carry")).drop("coming")


def verdict_of(found: dg.ExecuteInProcessResult) -> tuple[bool, str]:
    [verdict] = [e for e in found.get_asset_check_evaluations() if e.check_name == "no_look_ahead"]
    return verdict.passed, verdict.severity.value


def materialised(found: dg.ExecuteInProcessResult) -> set[str]:
    events = found.get_asset_materialization_events()
    return {event.asset_key.to_user_string() for event in events if event.asset_key}
