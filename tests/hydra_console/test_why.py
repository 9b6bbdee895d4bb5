"""A decision walked back on a lake that a test has written, with a model whose contributions are known."""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa
from rich.console import Console

from hydra_agent.defs.group_watch import Parts
from hydra_assets.columns import (
    CLEAN_QUOTES,
    COT_POSITIONS,
    DATASETS,
    DENSITY_GATE,
    DIAGNOSIS,
    DIVERGENCE,
    FEATURE_VECTOR,
    FUTURES_CURVE,
    HEADLINE_SCORES,
    IMPLIED_DENSITY,
    IMPLIED_MOMENTS,
    POSITIONS,
    PREDICTIONS,
    RAW_HEADLINES,
    RAW_OPTION_CHAINS,
    SENTIMENT,
    TARGET_POSITIONS,
)
from hydra_assets.columns.dataset import Layer
from hydra_assets.defs.registry import RegistryResource
from hydra_assets.defs.resources import DatabaseResource, HomeResource, LakeResource
from hydra_assets.home import HomeConfig, write_home
from hydra_assets.models.linear import Logistic
from hydra_assets.models.recalibrated import AS_IT_IS
from hydra_assets.models.recipe import THESIS_FEATURES, Recipe
from hydra_assets.models.trained import TrainedModel
from hydra_assets.registry.champions import Cause, Record, crown
from hydra_assets.replay.inputs import market_arrays
from hydra_assets.replay.tables import ReplayConfig
from hydra_assets.state.content import record_partition_content
from hydra_assets.state.execution_tables import fills, orders, tickets
from hydra_console.cli.healing import print_json
from hydra_console.cli.why import show
from hydra_console.sizes import sizes_of
from hydra_console.why import WhyError, decision
from hydra_exec.targets import wanted_lots
from tests.support.frames import complete
from tests.support.registry import MemoryRegistry

MARKET, SESSION = "SIM_HE", date(2025, 3, 5)
KNOWN = datetime(2025, 3, 5, 20, tzinfo=UTC)
CONTRACT = "HE-2025-04"


class _Registry:
    """Shell of a registry in memory, as the pipeline hands one round."""

    def __init__(self, registry: MemoryRegistry) -> None:
        self.registry = registry


def model() -> TrainedModel:
    generator = np.random.default_rng(3)
    recipe = Recipe(features=THESIS_FEATURES, model=Logistic(prior={}, prior_sd=1.0))
    matrix = generator.standard_normal((200, len(THESIS_FEATURES)))
    up = (matrix[:, 0] + generator.standard_normal(200) > 0).astype(float)
    fitted = recipe.model.fit(matrix, up, np.ones(200), recipe.features, 0)
    return TrainedModel("believer", recipe, date(2025, 2, 28), "s" * 64, 200, fitted, AS_IT_IS, 0.5, True)


@pytest.fixture
def parts(state_engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parts:
    """A home with a champion and nothing in its lake."""
    monkeypatch.setenv("HYDRA_NOW", "2025-03-06T12:00:00+00:00")
    home = tmp_path / "home"
    home.mkdir()
    write_home(home, HomeConfig(kind="simulated", markets=(MARKET, "SIM_ZO"), history_start=date(2024, 12, 2)))
    registry = MemoryRegistry()
    crown(state_engine, registry, "sim", model(), Record(), Cause("first_champion", effective_after=date(2025, 2, 28)))
    url = sa.make_url(state_engine.url).render_as_string(hide_password=False)
    lake = LakeResource(uri=str(home / "lake"))
    shell: RegistryResource = _Registry(registry)  # type: ignore[assignment]  the shell's one attribute is all that is read
    return Parts(HomeResource(path=str(home)), lake, DatabaseResource(url=url), shell)


PROVENANCE = ("source", "payload_sha256", "source_row", "ingested_at")


def made_up(dtype: pl.DataType) -> object:
    """A value for a column that is required and of no matter."""
    match dtype:
        case pl.String():
            return ""
        case pl.Datetime():
            return KNOWN
        case pl.Date():
            return date(2025, 4, 14)
        case _:
            return 1


def put(parts: Parts, dataset: str, rows: Sequence[Mapping[str, object]], session: date = SESSION) -> None:
    """Rows of a session in the lake, and the record of their partition."""
    spec = DATASETS[dataset]
    frame = pl.DataFrame([{"market": MARKET, "session": session} | dict(row) for row in rows], infer_schema_length=None)
    absent = [name for name in spec.required if name not in frame.columns and name not in PROVENANCE]
    frame = frame.with_columns(pl.lit(made_up(spec.schema[name]), spec.schema[name]).alias(name) for name in absent)
    lake, whole = parts.lake.lake, complete(dataset, frame)
    if spec.layer is Layer.RAW:
        lake.append(dataset, whole)
    else:
        lake.replace(dataset, MARKET, session, session, whole)
    on_record(parts, dataset, len(rows), session)


def on_record(parts: Parts, dataset: str, count: int, session: date = SESSION) -> None:
    row = {
        "dataset": dataset,
        "market": MARKET,
        "session": session,
        "run_id": "4f1e2d3c-run",
        "row_count": count,
        "sha256": f"sha of {dataset}" if count else "",
        "reason": None if count else "nothing",
        "code_version": "1",
        "delta_version": 7,
    }
    record_partition_content(parts.database.engine, pl.DataFrame([row]))


def add_order(engine: sa.Engine) -> None:
    order = {
        "order_ref": f"{MARKET}/{SESSION}/{CONTRACT}",
        "account": "SIM",
        "market": MARKET,
        "contract": CONTRACT,
        "side": "BUY",
        "quantity": 2,
        "session": SESSION,
        "work_session": date(2025, 3, 6),
        "reference_price": 85.0,
        "limit_price": 86.7,
        "algo": "patience",
        "motive": "target",
        "gate_code": "passed",
        "status": "done",
        "reason": "filled",
    }
    ticket = {name: order[name] for name in ("order_ref", "account", "market", "contract", "side", "limit_price")}
    fill = {"kind": "fill", "account": "SIM", "contract": CONTRACT, "side": "BUY", "executed_at": KNOWN, "body": ""}
    with engine.begin() as connection:
        connection.execute(sa.insert(orders).values(order))
        connection.execute(
            sa.insert(tickets).values(ticket | {"wire_ref": "w", "slice": 0, "quantity": 2, "state": "filled"})
        )
        # The second revision of the first fill takes its place.
        for seq, (base, revision, quantity, price) in enumerate(
            (("a", 1, 1, 80.0), ("a", 2, 1, 85.0), ("b", 1, 1, 85.5)), 1
        ):
            row = {
                "seq": seq,
                "exec_id": f"{base}.{revision}",
                "base_exec_id": base,
                "revision": revision,
                "perm_id": seq,
            }
            values = fill | row | {"wire_ref": "w", "quantity": quantity, "price": price, "previous": "", "sha256": ""}
            connection.execute(sa.insert(fills).values(values))


def fill_lake(parts: Parts) -> TrainedModel:
    """A session with something to say at each step; the model that decided."""
    champion = model()
    features = dict.fromkeys(THESIS_FEATURES, 0.5) | {THESIS_FEATURES[0]: 2.0}
    put(parts, FEATURE_VECTOR.name, [features])
    rows = parts.lake.lake.read(FEATURE_VECTOR.name)
    put(
        parts,
        PREDICTIONS.name,
        [
            champion.predicted(rows).row(0, named=True)
            | {
                "model_group": "sim",
                "model_version": 1,
                "model_sha256": champion.sha256,
                "model_label": "fixed_horizon",
                "horizon_sessions": 5,
                "thesis_gate": "green",
                "prediction_reason": "ok",
            }
        ],
    )
    put(
        parts,
        DIAGNOSIS.name,
        [
            {
                "model_group": "sim",
                "cause": "none",
                "response": "none",
                "exposure": 0.5,
                "champion_stage": "full",
                "size_fraction": 1.0,
            }
        ],
    )
    put(
        parts,
        TARGET_POSITIONS.name,
        [{"contract": CONTRACT, "target_contracts": 2, "target_reason": "ok", "limit_reference": 85.0}],
    )
    put(
        parts,
        POSITIONS.name,
        [{"contract": CONTRACT, "position_contracts": 1, "broker_contracts": 1, "position_agrees": True}],
    )
    put(
        parts,
        DIVERGENCE.name,
        [{"divergence_type": "bullish", "divergence_reason": "ok", "divergence_z": 1.25, "size_factor": 1.0}],
    )
    put(parts, SENTIMENT.name, [{"sentiment_sources": "cot", "sentiment_reason": "ok", "sentiment_score": -0.4}])
    put(parts, DENSITY_GATE.name, [{"gate_state": "green", "gate_reasons": ""}])
    put(parts, IMPLIED_DENSITY.name, [{"expiry": date(2025, 4 + i, 14), "grade": g} for i, g in enumerate("BBD")])
    put(
        parts,
        IMPLIED_MOMENTS.name,
        [
            {"tenor": "30d", "moments_reason": "not_bracketed"},
            {"tenor": "60d", "grade": "B", "atm_vol": 0.25, "moments_reason": "ok"},
        ],
    )
    put(
        parts,
        RAW_OPTION_CHAINS.name,
        [{"option": f"o{i}", "known_at": KNOWN - timedelta(hours=i), "record": "price"} for i in range(3)],
    )
    put(
        parts,
        CLEAN_QUOTES.name,
        [{"option": f"o{i}", "quote_reason": r} for i, r in enumerate(("used", "wide", "wide"))],
    )
    put(
        parts,
        COT_POSITIONS.name,
        [
            {
                "family": "legacy",
                "scope": "futures_only",
                "category": c,
                "coverage": "published",
                "report_date": date(2025, 2, 25),
                "report_known_at": KNOWN,
            }
            for c in ("a", "b")
        ],
    )
    put(parts, RAW_HEADLINES.name, [{"headline_id": "h", "title": "[bold]Hogs[/bold] up", "known_at": KNOWN}])
    put(parts, HEADLINE_SCORES.name, [{"headline_score": 0.3, "headline_count": 1, "headline_reason": "ok"}])
    return champion


def steps(found: Mapping[str, object]) -> dict[str, dict[str, object]]:
    listed = found["steps"]
    assert isinstance(listed, list)
    return {step["name"]: step["facts"] for step in listed}


def test_each_step_says_what_the_lake_and_the_journal_hold(parts: Parts) -> None:
    champion = fill_lake(parts)
    add_order(parts.database.engine)
    facts = steps(decision(parts, MARKET, SESSION))
    assert list(facts) == [
        "held",
        "orders",
        "target",
        "prediction",
        "divergence",
        "options",
        "quotes",
        "report",
        "headlines",
    ]
    (order,) = facts["orders"]["orders"]
    assert (order["gate_code"], order["filled"], order["mean_price"]) == ("passed", 2, 85.25)
    assert [row["position_contracts"] for row in facts["held"]["positions"]] == [1]
    assert (facts["target"]["target_contracts"], facts["target"]["exposure"]) == (2, 0.5)
    assert facts["prediction"]["model_sha256"] == champion.sha256
    assert facts["divergence"]["divergence_z"] == 1.25
    assert facts["options"]["slices_by_grade"] == {"B": 2, "D": 1}
    assert [row["moments_reason"] for row in facts["options"]["moments"]] == ["not_bracketed", "ok"]
    quotes = facts["quotes"]
    assert (quotes["newest_known_at"], quotes["records"], quotes["used"]) == (KNOWN, 3, 1)
    assert quotes["not_used"] == {"wide": 2}
    assert [row["report_date"] for row in facts["report"]["reports"]] == [date(2025, 2, 25)]
    assert [row["title"] for row in facts["headlines"]["newest"]] == ["[bold]Hogs[/bold] up"]


def test_a_person_s_order_is_told_of_in_the_session_that_it_was_for(parts: Parts) -> None:
    fill_lake(parts)
    add_order(parts.database.engine)
    own = {"market": MARKET, "account": "SIM", "contract": CONTRACT, "side": "SELL", "quantity": 1, "algo": "at_once"}
    own |= {"reference_price": 85.0, "limit_price": 83.0, "motive": "operator", "gate_code": "passed", "status": "done"}
    with parts.database.engine.begin() as connection:
        for decided, worked in ((date(2025, 3, 4), SESSION), (SESSION, date(2025, 3, 6))):
            ref = f"{MARKET}/{decided}/{CONTRACT}/operator"
            row = own | {"order_ref": ref, "session": decided, "work_session": worked}
            connection.execute(sa.insert(orders).values(row))
    found = steps(decision(parts, MARKET, SESSION))["orders"]["orders"]
    assert [row["order_ref"] for row in found] == [
        f"{MARKET}/2025-03-04/{CONTRACT}/operator",
        f"{MARKET}/{SESSION}/{CONTRACT}",
    ]


def test_contributions_are_those_of_the_model_that_decided_and_add_up(parts: Parts) -> None:
    fill_lake(parts)
    found = steps(decision(parts, MARKET, SESSION))["prediction"]
    shares = [row["contribution"] for row in found["contributions"]]
    assert shares == sorted(shares, key=lambda share: -abs(share))
    assert (found["contributions"][0]["feature"], found["contributions"][0]["value"]) == (THESIS_FEATURES[0], 2.0)
    log_odds = found["expected_log_odds"] + sum(shares) + found["others"]
    assert 1 / (1 + math.exp(-log_odds)) == pytest.approx(found["probability_raw"], abs=1e-9)


def test_each_step_names_its_partitions_as_they_are_on_record(parts: Parts) -> None:
    fill_lake(parts)
    found = decision(parts, MARKET, SESSION)
    by_name = {each["dataset"]: each for step in found["steps"] for each in step["partitions"]}
    assert by_name[PREDICTIONS.name] == {
        "dataset": PREDICTIONS.name,
        "sha256": "sha of predictions",
        "delta_version": 7,
        "run_id": "4f1e2d3c-run",
        "row_count": 1,
        "reason": None,
    }
    assert by_name[FUTURES_CURVE.name]["sha256"] is None
    on_record(parts, POSITIONS.name, 0)
    again = decision(parts, MARKET, SESSION)["steps"][0]["partitions"][0]
    assert (again["sha256"], again["reason"]) == ("", "nothing")


def test_the_tree_and_the_json_say_it_all(parts: Parts, capsys: pytest.CaptureFixture[str]) -> None:
    champion = fill_lake(parts)
    add_order(parts.database.engine)
    found = decision(parts, MARKET, SESSION)
    console = Console(width=300, file=StringIO(), highlight=False)
    show(found, console)
    assert isinstance(console.file, StringIO)
    text = console.file.getvalue()
    for words in (
        "BUY 2 HE-2025-04, worst price 86.7, for target (patience): gate passed; done in 2025-03-06: filled, 2 filled",
        "holds +1 HE-2025-04 (the broker says the same)",
        "+2 HE-2025-04 (ok), at a settle of 85.0",
        "exposure 50% (response none, cause none, champion full at 100% of its size)",
        f"sha256 {champion.sha256}",
        "bullish, no direction (ok): gap none, z +1.25",
        "density gate green; slices: 2 of grade B, 1 of grade D",
        "60d: grade B, at the money 25.0% a year",
        "1 of 3 quotes used; not used: 2 wide",
        "legacy, futures_only: published, of 2025-02-25, known at 2025-03-05 20:00 UTC",
        "[bold]Hogs[/bold] up",
        "predictions: sha of predi, version 7, run 4f1e2d3c",
        "futures_curve: on no record",
    ):
        assert words in text
    print_json(found)
    assert json.loads(capsys.readouterr().out)["steps"][3]["facts"]["model_sha256"] == champion.sha256


def test_without_a_champion_or_anything_else_it_is_told_too(parts: Parts) -> None:
    put(parts, TARGET_POSITIONS.name, [{"target_contracts": 0, "target_reason": "no_champion"}])
    put(parts, PREDICTIONS.name, [{"model_group": "sim", "prediction_reason": "no_champion"}])
    found = decision(parts, MARKET, SESSION)
    assert steps(found)["prediction"]["contributions"] is None
    console = Console(width=200, file=StringIO())
    show(found, console)
    assert isinstance(console.file, StringIO)
    for words in ("none: no_champion", "nothing held, nothing filled", "none: nothing was to be changed"):
        assert words in console.file.getvalue()


@pytest.mark.parametrize(
    ("market", "session", "sentence"),
    [
        ("HE", SESSION, "no market HE in this home; it has SIM_HE, SIM_ZO"),
        (MARKET, date(2025, 3, 8), "did not trade on 2025-03-08: its sessions around it are 2025-03-07 and 2025-03-10"),
        (MARKET, date(2024, 11, 27), "history of SIM_HE begins with 2024-12-02"),
        (MARKET, date(1960, 1, 4), "history of SIM_HE begins with 2024-12-02"),
        (MARKET, date(2033, 1, 4), "2033-01-04 of SIM_HE is not finished yet; the newest finished one is 2025-03-05"),
        (MARKET, date(2025, 3, 6), "2025-03-06 of SIM_HE is not finished yet; the newest finished one is 2025-03-05"),
        (
            MARKET,
            date(2025, 3, 4),
            "nothing was decided on SIM_HE in 2025-03-04 yet: bring the home up with `hydra cycle`",
        ),
    ],
)
def test_what_cannot_be_told_is_a_sentence(parts: Parts, market: str, session: date, sentence: str) -> None:
    with pytest.raises(WhyError) as refused:
        decision(parts, market, session)
    assert sentence in str(refused.value)


def curve_and_predictions(parts: Parts) -> tuple[list[date], pl.DataFrame, pl.DataFrame]:
    days = parts.home.calendars[MARKET].between(date(2025, 1, 2), SESSION)
    generator = np.random.default_rng(1)
    settles = 85.0 * np.exp(np.cumsum(generator.normal(0, 0.01, len(days))))
    month = {"contract": CONTRACT, "contract_month": date(2025, 4, 1), "last_trade": date(2025, 4, 14), "role": "front"}
    curve = pl.DataFrame(
        [
            {"market": MARKET, "session": day, "settle": float(s), "settle_age_sessions": 0, "volume": 900} | month
            for day, s in zip(days, settles, strict=True)
        ]
    )
    predicted = pl.DataFrame(
        {
            "market": MARKET,
            "session": days,
            "probability_up": generator.uniform(0.3, 0.7, len(days)),
            "base_rate": 0.5,
            "model_label": "fixed_horizon",
            "horizon_sessions": 5,
        }
    )
    for dataset, rows in ((FUTURES_CURVE.name, curve), (PREDICTIONS.name, predicted)):
        known = rows.with_columns(model_group=pl.lit("sim"), prediction_reason=pl.lit("ok"))
        parts.lake.lake.replace(dataset, MARKET, days[0], days[-1], complete(dataset, known))
    return days, curve, predicted


def test_sizes_are_those_that_the_target_was_made_with(parts: Parts) -> None:
    days, curve, predicted = curve_and_predictions(parts)
    specs = list(parts.home.markets.values())
    arrays = market_arrays(curve, specs)
    nothing = pl.DataFrame(schema={"market": pl.String, "session": pl.Date, "size_factor": pl.Float64})
    oracle = wanted_lots(predicted, nothing, arrays, ReplayConfig()).filter(pl.col("market") == MARKET)
    wanted = dict(oracle.select("session", "lots").iter_rows())
    label = {"model_label": "fixed_horizon", "horizon_sessions": 5}
    found = {day: sizes_of(parts.lake.lake, specs, MARKET, day, 1_000_000.0, label) for day in days[22:]}
    assert {day: None if sizes is None else sizes["lots"] for day, sizes in found.items()} == {
        day: wanted[day] for day in found
    }
    assert len({wanted[day] for day in found}) > 2
    assert sizes_of(parts.lake.lake, specs, MARKET, date(2025, 3, 6), 1e6, label) is None
