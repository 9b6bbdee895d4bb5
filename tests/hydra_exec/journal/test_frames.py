"""The journal as rows of datasets: which rows, and every column of them."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import polars as pl

from hydra_assets.columns import FILLS, ORDERS
from hydra_assets.state.records import OrderStatus, Side
from hydra_exec.broker.port import Word
from hydra_exec.journal.frames import fills_between, orders_between
from tests.support.journal_scene import APRIL, AT, DECIDED, MAY, JournalScene, fee, fill, later, says

NEXT = date(2026, 1, 6)


def fills(scene: JournalScene, first: float = 0, last: float = 60, root: str = "HE") -> list[dict[str, Any]]:
    frame = fills_between(scene.engine, scene.account, "HE", root, later(first), later(last))
    return frame.to_dicts()


def test_orders_are_those_of_the_markets_sessions_passed_or_denied(scene: JournalScene) -> None:
    denied = scene.order(MAY, side=Side.SELL, status=OrderStatus.DENIED, gate_code="collar", motive="roll", quantity=2)
    order = scene.order()
    scene.order("HE-2026-06", session=NEXT, order_ref=f"{scene.account}/0")
    scene.order("HE-2026-07", session=date(2026, 1, 7))
    scene.order("HE-2026-08", session=date(2026, 1, 4))
    scene.order("LE-2026-04")
    JournalScene(scene.engine).order()
    found = orders_between(scene.engine, scene.account, "HE", DECIDED, NEXT)
    assert found.rows(named=True)[:2] == [
        {
            "market": "HE",
            "session": DECIDED,
            "order_ref": each.order_ref,
            "contract": each.contract,
            "side": str(each.side),
            "quantity": each.quantity,
            "limit_price": 83.0,
            "reference_price": 82.0,
            "motive": each.motive,
            "algo": "patience",
            "gate_code": each.gate_code,
        }
        for each in (order, denied)
    ]
    assert found["contract"].to_list() == [APRIL, MAY, "HE-2026-06"]
    assert dict(found.schema) == {name: ORDERS.schema[name] for name in found.columns}


def test_what_a_person_asked_for_after_the_cutoff_is_of_the_session_that_it_is_for(scene: JournalScene) -> None:
    order = scene.order()
    before = orders_between(scene.engine, scene.account, "HE", DECIDED, DECIDED)
    own = scene.order(order_ref=f"{order.order_ref}/operator", motive="operator", side=Side.SELL, work_session=NEXT)
    after = orders_between(scene.engine, scene.account, "HE", DECIDED, DECIDED)
    assert after.equals(before), "a partition tells of nothing that came later"
    following = orders_between(scene.engine, scene.account, "HE", NEXT, NEXT)
    assert following.select("session", "order_ref").rows() == [(NEXT, own.order_ref)]


def test_no_order_is_a_frame_with_columns(scene: JournalScene) -> None:
    found = orders_between(scene.engine, scene.account, "HE", DECIDED, NEXT)
    assert (found.height, found.width) == (0, 11)
    assert dict(found.schema) == {name: ORDERS.schema[name] for name in found.columns}


def test_a_fill_has_its_order_and_ticket_beside_it(scene: JournalScene) -> None:
    scene.send()
    order = scene.order()
    scene.journal.take([fill(2), fee("a.01", 5.25)])
    row = {
        "market": "HE",
        "executed_at": later(2),
        "exec_id": "a.01",
        "order_ref": order.order_ref,
        "ordered_session": DECIDED,
        "contract": APRIL,
        "side": "BUY",
        "quantity": 2,
        "fill_price": 82.5,
        "fee": 5.25,
        "reference_price": 82.0,
        "mid_at_send": 82.45,
    }
    assert fills(scene) == [row]
    scene.journal.take([fill(1, revision=2, price=82.75)])
    changed = {"exec_id": "a.02", "quantity": 1, "fill_price": 82.75}
    assert fills(scene) == [row | changed], "by its last revision, whose fee is not known yet: what was paid stays"
    scene.journal.take([fee("a.02", 2.5)])
    assert fills(scene) == [row | changed | {"fee": 2.5}], "the newest fee, and not both"
    scene.journal.take([fill(0, revision=3)])
    assert fills(scene) == [], "taken back"


def test_a_fill_that_is_nobodys_has_neither(scene: JournalScene) -> None:
    scene.journal.take([fill(1, side=Side.SELL)])
    (row,) = fills(scene)
    nothing = {"order_ref": None, "ordered_session": None, "reference_price": None, "mid_at_send": None, "fee": 0.0}
    assert {name: row[name] for name in nothing} == nothing
    assert (row["exec_id"], row["side"]) == ("a.01", "SELL")


def test_a_fill_that_found_its_ticket_later_has_it(scene: JournalScene) -> None:
    scene.send()
    scene.journal.take([fill(1, order_id=0)])
    scene.journal.take([says(Word.WORKING)])
    assert [row["order_ref"] for row in fills(scene)] == [scene.order().order_ref]


def test_fills_are_the_accounts_own_of_the_root_within_the_interval(scene: JournalScene) -> None:
    instants = {"at_first": 0.0, "inside": 0.5, "at_last": 60.0, "after": 60.5}
    scene.journal.take([fill(1, base, executed_at=later(minutes)) for base, minutes in instants.items()])
    scene.journal.take([fill(1, "root", contract="HEX-2026-04", executed_at=later(1))])
    scene.journal.take([fill(1, "same", contract=MAY, executed_at=later(0.5))])
    JournalScene(scene.engine).journal.take([fill(1, "other", executed_at=later(1))])
    assert [row["exec_id"] for row in fills(scene)] == ["inside.01", "same.01", "at_last.01"]
    assert [row["exec_id"] for row in fills(scene, root="HEX")] == ["root.01"]
    assert fills(scene, root="H_") == [], "a root is no pattern"


def test_fees_are_the_accounts_own(scene: JournalScene) -> None:
    other = JournalScene(scene.engine)
    other.journal.take([fee("a.01", 9.0)])
    scene.journal.take([fill(1), fee("b.01", 7.0)])
    assert [row["fee"] for row in fills(scene)] == [0.0]


def test_fills_have_the_types_of_their_dataset(scene: JournalScene) -> None:
    found = fills_between(scene.engine, scene.account, "HE", "HE", AT, AT + timedelta(days=1))
    names = ("exec_id", "order_ref", "ordered_session", "contract", "side", "quantity", "fill_price", "fee")
    expected = {
        "market": pl.String(),
        "executed_at": pl.Datetime("us", "UTC"),
        **{name: FILLS.schema[name] for name in names},
        "reference_price": pl.Float64(),
        "mid_at_send": pl.Float64(),
    }
    assert (found.height, list(found.schema.items())) == (0, list(expected.items()))


def test_each_ticket_of_an_order_has_its_own_mid(scene: JournalScene) -> None:
    scene.send()
    ticket = scene.journal.plan(scene.order(), 1, 1, 82.5, 82.75)
    scene.journal.sending(replace(ticket, limit_price=82.75), AT)
    scene.journal.take([fill(1), fill(1, "b", wire_ref=ticket.wire_ref, perm_id=9002)])
    assert [(row["exec_id"], row["mid_at_send"]) for row in fills(scene)] == [("a.01", 82.45), ("b.01", 82.75)]
