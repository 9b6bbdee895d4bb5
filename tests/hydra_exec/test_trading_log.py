"""Fills as money counts them: the same sum in one reading as message by message, and the same as the datasets say."""

from collections.abc import Sequence

import polars as pl
import pytest
import sqlalchemy as sa

from hydra_assets.state.records import Side
from hydra_exec.broker.port import Message
from hydra_exec.journal.frames import fills_between
from hydra_exec.trading_log import Booked, trades
from hydra_exec.valuation import Trade
from tests.support.journal_scene import AT, JournalScene, fee, fill, later


@pytest.fixture
def scene(state_engine: sa.Engine) -> JournalScene:
    """An account's journal."""
    return JournalScene(state_engine)


CASES: dict[str, tuple[Sequence[Message], float]] = {
    "paid": ([fill(2), fee("a.01", 5.0)], 5.0),
    "told before the fill": ([fee("a.01", 5.0), fill(2)], 5.0),
    "corrected, without a fee of its own": ([fill(2), fee("a.01", 5.0), fill(1, revision=2)], 5.0),
    "corrected, with one": ([fill(2), fee("a.01", 5.0), fill(1, revision=2), fee("a.02", 2.5)], 2.5),
    "corrected, and the first one heard last": (
        [fill(2), fill(1, revision=2), fee("a.02", 2.5), fee("a.01", 5.0)],
        2.5,
    ),
    "corrected twice": (
        [fill(2), fee("a.01", 5.0), fill(1, revision=2), fill(3, revision=3, side=Side.SELL), fee("a.03", 7.5)],
        7.5,
    ),
    "taken back": ([fill(2), fee("a.01", 5.0), fill(0, revision=2)], 0.0),
    "taken back and given again": ([fill(2), fee("a.01", 5.0), fill(0, revision=2), fill(2, revision=3)], 5.0),
    "two": ([fill(2), fill(1, "b"), fee("b.01", 2.0), fee("a.01", 5.0)], 7.0),
}


def cash(found: Sequence[Trade]) -> tuple[float, int, float]:
    """Fees, lots and value of trades."""
    value = sum(trade.lots * trade.price for trade in found)
    return sum(trade.fee for trade in found), sum(trade.lots for trade in found), value


@pytest.mark.parametrize("case", CASES)
def test_a_fee_counts_once_and_is_the_newest_that_is_known(scene: JournalScene, case: str) -> None:
    messages, paid = CASES[case]
    booked, heard = Booked(), list[Trade]()
    for message in messages:
        scene.journal.take([message])
        found, booked = trades(scene.engine, scene.account, booked)
        heard += found
    rows = fills_between(scene.engine, scene.account, "HE", "HE", AT, later(60))
    signed = rows.select(pl.when(pl.col("side") == "BUY").then(1).otherwise(-1) * pl.col("quantity")).to_series()
    by_dataset = rows["fee"].sum(), signed.sum(), (signed * rows["fill_price"]).sum()
    assert cash(heard) == pytest.approx(by_dataset)
    assert cash(trades(scene.engine, scene.account, Booked())[0]) == pytest.approx(by_dataset)
    assert by_dataset[0] == paid
    assert trades(scene.engine, scene.account, booked) == ([], booked), "what is booked is booked"


def test_trades_are_the_accounts_own(scene: JournalScene) -> None:
    other = JournalScene(scene.engine)
    other.journal.take([fill(2), fee("a.01", 9.0)])
    scene.journal.take([fill(1)])
    assert [(trade.lots, trade.fee) for trade in trades(scene.engine, scene.account, Booked())[0]] == [(1, 0.0)]
