"""The commands of trading on an account that a desk scene has traded: what they say, refuse and write."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa

from hydra_assets.columns import DAILY_PNL, FILLS, FUTURES_CURVE, SLIPPAGE_RECONCILIATION
from hydra_assets.replay.breakers import BreakerReason, BreakerState
from hydra_assets.state.execution_tables import heartbeats, trading_sessions
from hydra_console.cli import trading
from hydra_console.trading import trading_lines, trading_standing
from hydra_exec.breakers.judge import Move
from hydra_exec.breakers.log import append
from hydra_exec.journal.journal import Journal
from hydra_exec.live_gate.record_log import RecordLog
from hydra_exec.slippage.learn import SlippageVersion
from hydra_exec.slippage.versions import record
from hydra_exec.trading_log import switch, switched_on
from tests.support.command import Hydra
from tests.support.desk_home import SceneParts, scene_parts
from tests.support.desk_scene import APRIL, FIRST, HOME, DeskScene, World, sessions
from tests.support.frames import complete
from tests.support.odd_worlds import FOREIGN, Unseen, hold_foreign

DAYS = sessions(6)
COMMANDS = {
    ("paper-trade", "start"): "hydra live-gate",
    ("paper-trade", "stop"): "hydra flatten",
    ("paper-trade", "status"): "open intents",
    ("fill-report",): "half-spreads",
    ("flatten",): "risk gate",
    ("live-gate",): "hydra live-gate [ACCOUNT]",
    ("live-gate", "record"): "every other condition holds",
    ("live-gate", "drill"): "newest one of each kind",
    ("why",): "Shapley",
}


@pytest.fixture
def scene(state_engine: sa.Engine) -> DeskScene:
    """Three lots are held at the cutoff of the third session, and two more are ordered for the next."""
    world = World({DAYS[0]: 3, DAYS[1]: 3, DAYS[2]: 5}, dict.fromkeys(DAYS, 85.0))
    scene = DeskScene(state_engine, world)
    scene.live_through(DAYS[:3])
    return scene


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[SceneParts], SceneParts]:
    """Let the commands work on parts."""

    def chosen(parts: SceneParts) -> SceneParts:
        monkeypatch.setattr(trading, "account_of_home", lambda: parts)
        return parts

    return chosen


@pytest.fixture
def parts(scene: DeskScene, tmp_path: Path, use: Callable[[SceneParts], SceneParts]) -> SceneParts:
    return use(scene_parts(tmp_path / "home", scene))


def write(parts: SceneParts, dataset: str, session: date, *rows: dict[str, object]) -> None:
    frame = pl.DataFrame([{"market": "HE", "session": session} | row for row in rows])
    parts.lake.lake.replace(dataset, "HE", session, session, complete(dataset, frame))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_teaches_without_a_home(words: tuple[str, ...], hydra: Hydra) -> None:
    code, out, _ = hydra(*words, "--help")
    assert code == 0
    assert COMMANDS[words] in " ".join(out.split())


@pytest.mark.parametrize(
    "words",
    [
        ("paper-trade", "start"),
        ("paper-trade", "stop", "-r", "x"),
        ("paper-trade", "status"),
        ("fill-report",),
        ("flatten", "-r", "x", "--yes"),
        ("live-gate",),
        ("live-gate", "drill", "breaker", "--passed", "--detail", "x"),
        ("why", "SIM_HE", "2025-01-06"),
    ],
    ids=" ".join,
)
def test_without_a_home_a_sentence_says_what_to_run(
    words: tuple[str, ...], hydra: Hydra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYDRA_HOME", str(tmp_path / "none"))
    code, out, err = hydra(*words)
    assert (code, out) == (1, "")
    assert "is no home yet: run `hydra cycle`" in err
    assert err.count("\n") == 1


def test_the_switch_is_turned_and_says_what_comes_next(hydra: Hydra, parts: SceneParts) -> None:
    code, out, _ = hydra("paper-trade", "stop", "-r", "holiday")
    assert (code, switched_on(parts.database.engine)) == (0, False)
    assert "off (it was on)" in out
    assert "off (it was so already)" in hydra("paper-trade", "stop", "-r", "again")[1]
    code, out, _ = hydra("paper-trade", "start")
    assert (code, switched_on(parts.database.engine)) == (0, True)
    assert "on (it was off)" in out
    assert "next: `hydra cycle` trades each session" in out


def test_a_live_account_is_not_started_as_paper(
    hydra: Hydra, scene: DeskScene, tmp_path: Path, use: Callable[[SceneParts], SceneParts]
) -> None:
    use(scene_parts(tmp_path / "live", scene, mode="live"))
    code, out, err = hydra("paper-trade", "start")
    assert (code, out) == (1, "")
    assert "`hydra live-gate` says what a live account needs" in err
    assert "taken back by the process that works it" in hydra("paper-trade", "stop", "-r", "x")[1]


def test_now_runs_nothing_where_nothing_is_predicted(hydra: Hydra, parts: SceneParts) -> None:
    code, out, _ = hydra("paper-trade", "start", "--now")
    assert code == 0
    assert "now: nothing, the account has seen every session that is predicted" in out


def test_status_is_what_the_database_holds(hydra: Hydra, parts: SceneParts) -> None:
    engine = parts.database.engine
    listed = {"contract": APRIL, "contract_month": date(2025, 4, 1), "last_trade": date(2025, 4, 14), "role": "front"}
    write(parts, FUTURES_CURVE.name, DAYS[1], listed | {"settle": 84.0, "settle_age_sessions": 0})
    write(parts, FUTURES_CURVE.name, DAYS[2], listed | {"settle": 84.0, "settle_age_sessions": 1})
    switch(engine, False, "anna", "holiday")
    append(engine, "SIM", [Move("HE", DAYS[2], BreakerState.ACTIVE, BreakerState.TRIGGERED, BreakerReason.STALE_DATA)])
    with engine.begin() as connection:
        beat = {"role": "trading", "account": "SIM", "last_at": "2025-03-05 15:00+00", "expected": True, "state": "up"}
        connection.execute(sa.insert(heartbeats).values(beat))
    found = json.loads(hydra("paper-trade", "status", "--json")[1])
    assert (found["broker"], found["account"], found["mode"]) == ("simulated", "SIM", "paper")
    assert found["watermark"] == "SIMULATED - real prices, no real orders, no real fills"
    assert (found["switch"]["on"], found["switch"]["actor"], found["switch"]["reason"]) == (False, "anna", "holiday")
    assert (found["last_session"]["session"], found["last_session"]["outcome"]) == (str(DAYS[2]), "nothing_to_do")
    assert found["positions"] == [
        {
            "contract": APRIL,
            "market": "HE",
            "lots": 3,
            "settle": 84.0,
            "session": str(DAYS[1]),
            "value": 3 * 84.0 * 400,
        }
    ]
    (intent,) = found["open_intents"]
    assert (intent["order_ref"], intent["lots"], intent["status"]) == (f"HE/{DAYS[2]}/{APRIL}", 2, "created")
    assert (found["live_tickets"], found["unknown_tickets"]) == ([], 0)
    assert found["breakers"] == [{"market": "HE", "state": "triggered", "reason": "stale_data", "since": str(DAYS[2])}]
    assert found["connection"]["heartbeat"]["state"] == "up"
    assert found["last_reconciliation"]["code"] == "agreed"
    days = found["equity"]["last_days"]
    assert [row["session"] for row in days] == [str(day) for day in DAYS[:3]]
    assert found["equity"]["equity"] == pytest.approx(found["equity"]["capital"] + sum(row["pnl"] for row in days))
    text = hydra("paper-trade", "status")[1]
    for words in ("OFF (anna", "HE triggered: stale_data", "holiday", f"{APRIL} │ 3", "last heard of 2025-03-05 15:00"):
        assert words in text


def test_a_session_without_an_outcome_and_an_unknown_ticket_are_shouted(
    hydra: Hydra, parts: SceneParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = parts.database.engine
    values = {"account": "SIM", "broker": "simulated", "real_sources": True, "wall_date": FIRST, "session": DAYS[3]}
    with engine.begin() as connection:
        connection.execute(sa.insert(trading_sessions).values(values))
        connection.execute(sa.text("UPDATE hydra.tickets SET state = 'unknown'"))
    found = json.loads(hydra("paper-trade", "status", "--json")[1])
    assert (found["unknown_tickets"], found["live_tickets"][0]["state"]) == (1, "unknown")
    text = hydra("paper-trade", "status")[1]
    assert "UNDER WAY, OR KILLED" in text
    assert "unknown" in text


def test_flatten_asks_for_the_word_and_does_nothing_without_it(
    hydra: Hydra, parts: SceneParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["no", "flatten"])
    monkeypatch.setattr("typer.prompt", lambda *_, **__: next(answers))
    code, out, err = hydra("flatten", "-r", "drill")
    assert (code, out, err) == (1, "", "hydra: nothing was done: flatten was not typed\n")
    code, out, _ = hydra("flatten", "-r", "drill")
    assert code == 0
    assert f"ended    HE/{DAYS[2]}/{APRIL}" in out
    assert f"order    SELL 3 {APRIL}" in out
    assert "the simulated broker works them in its next session" in out
    assert "`hydra pause` keeps new ones away" in out


def test_flatten_again_says_what_is_on_record_and_leaves_it(hydra: Hydra, scene: DeskScene, parts: SceneParts) -> None:
    assert hydra("flatten", "-r", "drill", "--yes")[0] == 0
    code, out, _ = hydra("flatten", "-r", "drill", "--yes", "--json")
    assert code == 0
    found = json.loads(out)
    assert (found["decided"], [row["quantity"] for row in found["already"]]) == ([], [3])
    scene.live_through(DAYS[:4])
    assert dict(Journal(scene.engine, "SIM", HOME).positions) == {}
    assert "nothing is held at the cutoff of" in hydra("flatten", "-r", "drill", "--yes")[1]


def test_what_the_gate_denies_ends_with_status_1(hydra: Hydra, scene: DeskScene, parts: SceneParts) -> None:
    scene.world = Unseen(**vars(scene.world))
    switch(scene.engine, False, "anna", "x")
    code, out, _ = hydra("flatten", "-r", "drill", "--yes", "-m", "HE")
    assert code == 1
    assert f"DENIED   {APRIL}: {APRIL} has no settle of at most 10 sessions ago" in out
    assert f"LEFT     +3 {APRIL}: no order of these leaves it" in out
    assert "the switch is OFF" in out


def test_lots_beyond_what_a_session_bears_are_said_and_end_with_status_1(
    hydra: Hydra, scene: DeskScene, parts: SceneParts
) -> None:
    scene.world.day_cap = 1
    code, out, _ = hydra("flatten", "-r", "drill", "--yes")
    assert code == 1
    assert f"order    SELL 1 {APRIL}" in out
    assert f"LEFT     +2 {APRIL}: no order of these leaves it, say `hydra flatten` again in the next session" in out
    code, out, _ = hydra("flatten", "-r", "drill", "--yes", "--json")
    assert (code, json.loads(out)["left"]) == (1, {APRIL: 2})


def test_foreign_lots_are_held(
    hydra: Hydra,
    state_engine: sa.Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    use: Callable[[SceneParts], SceneParts],
) -> None:
    hold_foreign(monkeypatch)
    scene = DeskScene(state_engine, World({}, dict.fromkeys(DAYS, 85.0)))
    parts = use(scene_parts(tmp_path / "home", scene))
    scene.live_through(DAYS[:2])
    code, out, _ = hydra("flatten", "-r", "drill", "--yes")
    assert code == 1
    assert "LEFT     +4 FUT LEJ5 (2000): none of the home's contracts" in out
    assert "nothing is held" not in out
    assert json.loads(hydra("paper-trade", "status", "--json")[1])["foreign"] == FOREIGN
    assert "FOREIGN         FUT LEJ5 (2000) +4: none of the home's contracts" in hydra("paper-trade", "status")[1]
    standing = trading_standing(state_engine, parts.lake.lake, parts.home.config, parts.home.markets)
    assert "positions     FUT LEJ5 (2000) +4 (FOREIGN); equity 1,000,000.00" in trading_lines(standing)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("flatten", "-r", "x", "--yes", "-m", "ZO"), "no market ZO in this home; it has HE"),
        (("fill-report", "-m", "ZO"), "no market ZO in this home; it has HE"),
        (("fill-report", "--first", "yesterday"), "--first 'yesterday' is no date"),
        (("fill-report", "--first", "2025-03-05", "--last", "2025-03-04"), "the range is empty"),
        (("live-gate", "drill", "fire", "--passed", "--detail", "x"), "there is no drill fire; there are breaker"),
        (
            ("live-gate", "record", "--account", "U1", "--expires", "30", "-r", "x", "--confirm", "U1"),
            "no word opens the live gate while this is missing: 0 of 28 sessions",
        ),
        (
            ("live-gate", "record", "--account", "U1", "--expires", "0", "-r", "x", "--confirm", "U2"),
            "nothing was recorded: 'U2' is not U1",
        ),
    ],
)
def test_refusals_are_a_sentence(words: tuple[str, ...], sentence: str, hydra: Hydra, parts: SceneParts) -> None:
    code, out, err = hydra(*words)
    assert (code, out) == (1, "")
    assert sentence in err
    assert err.count("\n") == 1
    assert RecordLog(parts.database.engine, parts.home.root).entries() == []


def test_every_condition_of_the_live_gate_is_named_and_status_1_says_that_something_is_missing(
    hydra: Hydra, parts: SceneParts
) -> None:
    code, out, _ = hydra("live-gate", "U7", "--json")
    found = json.loads(out)
    assert (code, found["account"], found["open"], found["simulated_home"]) == (1, "U7", False, False)
    met = {row["condition"]: row["met"] for row in found["conditions"]}
    assert met == {
        "paper_sessions": False,
        "slippage_bias": False,
        "slippage_correlation": False,
        "healing_cycle": False,
        "density_gate": False,
        "thesis_gate": False,
        "chain_broken": True,
        "breaker_drill": False,
        "reconnect_drill": False,
        "operator_record": False,
    }
    assert (found["conditions"][0]["have"], found["conditions"][0]["need"]) == ("0", "28")
    code, out, _ = hydra("live-gate")
    assert code == 1
    assert "account SIM: the live gate is closed" in out


def test_drills_and_words_are_put_on_record(hydra: Hydra, parts: SceneParts) -> None:
    code, out, _ = hydra("live-gate", "drill", "reconnect", "--passed", "--detail", "cable pulled", "--account", "DU1")
    assert (code, out) == (0, "on record: reconnect drill of DU1 passed\n")
    code, out, _ = hydra("live-gate", "record", "--account", "U1", "--expires", "0", "-r", "no", "--confirm", "U1")
    assert (code, out) == (0, "taken back: account U1 may not trade live\n")
    records = RecordLog(parts.database.engine, parts.home.root).read()
    assert [(drill.account, drill.passed, drill.detail) for drill in records.drills] == [("DU1", True, "cable pulled")]
    assert [(word.account, word.expires_at - word.at) for word in records.words] == [("U1", timedelta(0))]
    rows = json.loads(hydra("live-gate", "U1", "--json")[1])["conditions"]
    met = {row["condition"]: row["met"] for row in rows}
    assert (met["reconnect_drill"], met["operator_record"], met["operator_expired"]) == (True, True, False)


def test_a_simulated_home_never_trades_live(
    hydra: Hydra, scene: DeskScene, tmp_path: Path, use: Callable[[SceneParts], SceneParts]
) -> None:
    use(scene_parts(tmp_path / "simulated", scene, kind="simulated"))
    code, out, _ = hydra("live-gate")
    assert code == 1
    assert out.startswith("a simulated home never trades live")
    assert json.loads(hydra("live-gate", "--json")[1])["open"] is False
    code, out, err = hydra("live-gate", "record", "--account", "U1", "--expires", "9", "-r", "x", "--confirm", "U1")
    assert (code, out) == (1, "")
    assert "a simulated home never trades live" in err


def fill(parts: SceneParts, session: date, number: int, ticks: float, expected: float, hour: int = 9) -> None:
    """A fill of one lot that paid ``ticks``; half-spread of a tick, ten money a tick."""
    row = {
        "exec_id": f"e{number}",
        "order_ref": f"o{number}",
        "contract": APRIL,
        "side": "BUY",
        "quantity": 1,
        "fill_price": 85.0,
        "half_spread_ticks": 1.0,
        "arrival_slippage_ticks": ticks,
        "predicted_slippage_ticks": expected,
        "arrival_slippage_money": 10.0 * ticks,
        "predicted_slippage_money": 10.0 * expected,
        "hour_bucket": hour,
        "size_bucket": "1",
    }
    write(parts, SLIPPAGE_RECONCILIATION.name, session, row)
    bought = {name: row[name] for name in ("exec_id", "order_ref", "contract", "side", "quantity", "fill_price")}
    write(parts, FILLS.name, session, bought | {"fee": 2.5})
    write(
        parts,
        DAILY_PNL.name,
        session,
        {"position_contracts": 3, "traded_contracts": 1, "net_money": 100.0 * number, "account_equity": 1e6},
    )


def test_the_fill_report_adds_up_to_what_the_lake_holds(hydra: Hydra, parts: SceneParts) -> None:
    assert "no fill of an order of ours" in hydra("fill-report")[1]
    for number, (day, paid, expected, hour) in enumerate(
        zip(DAYS[:4], (1.0, 2.0, 3.0, 6.0), (1.0, 1.5, 2.0, 3.5), (8, 9, 9, 9), strict=True), start=1
    ):
        fill(parts, day, number, paid, expected, hour)
    record(parts.database.engine, SlippageVersion("HE", DAYS[3], 0.9, 1.4, 4, {"reason": "too_few_fills"}))
    found = json.loads(hydra("fill-report", "--json")[1])
    assert found["watermark"] == "SIMULATED - real prices, no real orders, no real fills"
    total = found["total"]
    assert (total["fills"], total["lots"], total["fee_money"], total["net_money"]) == (4, 4, 10.0, 1000.0)
    assert (total["predicted_slippage_money"], total["arrival_slippage_money"]) == (80.0, 120.0)
    assert total["bias_half_spreads"] == pytest.approx(1.0)
    assert total["correlation"] == pytest.approx(1.0)
    (market,) = found["by_market"]
    assert (market["market"], market["arrival_slippage_ticks"], market["net_money"]) == ("HE", 3.0, 1000.0)
    assert [(row["hour_bucket"], row["fills"], row["fee_money"]) for row in found["by_hour"]] == [
        (8, 1, 2.5),
        (9, 3, 7.5),
    ]
    assert [(row["size_bucket"], row["fills"]) for row in found["by_size"]] == [("1", 4)]
    (version,) = found["versions"]
    assert (version["impact_y"], version["pessimism"], version["effective_after"]) == (0.9, 1.4, str(DAYS[3]))
    part = json.loads(hydra("fill-report", "--first", str(DAYS[1]), "--last", str(DAYS[2]), "--json")[1])
    assert (part["total"]["fills"], part["total"]["net_money"]) == (2, 500.0)
    # The version took effect after this range.
    assert part["versions"][0]["reason"] == "the market's own"
    text = hydra("fill-report")[1]
    assert "SIMULATED" in text
    assert "4 fills of 4 lots: slippage expected 80.00, paid 120.00; bias +1.00 half-spreads" in text


def test_a_fill_without_an_expectation_is_counted_apart(hydra: Hydra, parts: SceneParts) -> None:
    fill(parts, DAYS[0], 1, 1.0, 1.0)
    lake = parts.lake.lake
    rows = lake.read(SLIPPAGE_RECONCILIATION.name).with_columns(
        pl.lit(None, pl.Float64).alias("predicted_slippage_ticks")
    )
    lake.replace(SLIPPAGE_RECONCILIATION.name, "HE", DAYS[0], DAYS[0], rows)
    total = json.loads(hydra("fill-report", "--json")[1])["total"]
    assert (total["fills"], total["unmeasured"], total["bias_half_spreads"], total["fee_money"]) == (0, 1, None, 2.5)
    assert "0 fills of 0 lots, 1 more without an expectation" in hydra("fill-report")[1]
