"""One random failure script played to the whole desk, and what must hold whatever was played."""

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
from hypothesis import strategies as st

from hydra_assets.state.execution_tables import fills
from hydra_exec.broker.port import BrokerError
from hydra_exec.journal import store
from tests.support.ib_trader import CON_IDS, STEP, Trader, sent_as, trader
from tests.support.tws import Config, Liquidity, Out, Quote, Script, Terms
from tests.support.tws.script import Correct, Drop, External, Restored, Rights
from tests.support.tws.strategies import scripts
from tests.support.tws.terminal import Terminal

TIMEOUT_SECONDS = 0.25
"""Of a question that is never answered: short, for every script has a few of them."""
WINDOW_STEPS = 12
WITHIN_SECONDS = 5.0
"""From a connection to the broker's full answer and the journal agreeing with it, by the wall clock."""
REPORTS = frozenset({Out.EXECUTION, Out.POSITION})
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Scene:
    """What is drawn: the faults, two orders in a row, the market, and whether a process ends between them."""

    script: Script
    lots: tuple[int, int]
    ticks: tuple[int, ...]
    """Middle of the touch at each step, in ticks from 85; it goes round."""
    size: int
    restart: bool

    def quote(self, step: int) -> Quote:
        """The touch at a step: two ticks wide."""
        middle = 3400 + self.ticks[step % len(self.ticks)]
        return Quote((middle - 1) / 40, (middle + 1) / 40, self.size, self.size)


def scenes() -> st.SearchStrategy[Scene]:
    """Random scenes."""
    lots = st.integers(1, 4).flatmap(lambda n: st.sampled_from((n, -n)))
    ticks = st.lists(st.integers(-6, 6), min_size=1, max_size=8).map(tuple)
    return st.builds(Scene, scripts(), st.tuples(lots, lots), ticks, st.integers(1, 4), st.booleans())


@dataclass(frozen=True, slots=True)
class Played:
    """What a scene came to. ``problems`` are sentences; there must be none."""

    problems: tuple[str, ...]
    seconds: float
    """From the first attempt to connect, once all is quiet, to agreement."""
    adjustments: int
    fills: int
    orders: int
    script: Script = field(default_factory=Script)


def play(engine: sa.Engine, locks: Path, scene: Scene) -> Played:
    """Play a scene on an account of its own, let all become quiet, and compare."""
    number = next(_numbers)
    account = f"DU{number}"
    terms = Terms(account=account, liquidity=Liquidity(adv=100, adv_share=0.02))
    config = Config(terms=terms, tape=lambda step: {CON_IDS["HE-2025-04"]: scene.quote(step)})
    ib = {"timeout_seconds": TIMEOUT_SECONDS}
    with trader(engine, locks, scene.script, config=config, account=account, home=account, ib=ib) as found:
        _session(found, scene.lots[0], "1")
        if scene.restart:
            found.restart()
        _session(found, scene.lots[1], "2")
        found.server.read(_calm)
        seconds = _recovered(found)
        # What the terminal has still to say of its own changes nothing any more.
        found.rig.line.mind(1.0)
        return Played(tuple(_problems(found, scene)), seconds, *_figures(found), scene.script)


def _session(found: Trader, lots: int, name: str) -> None:
    try:
        found.rig.line.open()
    except BrokerError:
        # As a desk would: it goes on trying.
        found.rig.line.mind(STEP.total_seconds())
    found.work(found.order(lots, name, steps=WINDOW_STEPS))


def _calm(tws: Terminal) -> None:
    """Nothing goes wrong any more; what was held back comes with the next steps."""
    tws.director.script = Script((), tws.director.script.seed)
    tws.rights, tws._down_until = Rights.LIVE, 0
    if tws._lost is not None:
        tws.play(Restored())


def _recovered(found: Trader) -> float:
    """Connect anew; seconds until journal and broker agree and nothing may fill, more than the limit where never."""
    for _ in range(4):
        found.rig.line.mind(1.0)
    found.rig.broker.close()
    began = time.monotonic()
    while time.monotonic() - began <= WITHIN_SECONDS:
        found.rig.line.mind(1.0)
        if found.rig.line.agreed and not found.rig.journal.live() and not found.rig.line.standing.strangers:
            break
    return time.monotonic() - began


def _problems(found: Trader, scene: Scene) -> Iterator[str]:
    held, truth = found.held(), found.truth()
    if held != truth:
        yield f"the journal holds {held}, the broker {truth}"
    if not found.rig.line.agreed:
        yield f"not agreed: {found.rig.line.standing}"
    live = found.rig.journal.live()
    if live:
        yield f"may still fill: {live}"
    alive = found.server.read(lambda tws: [order.perm_id for order in tws.broker.orders.values() if order.live])
    if alive:
        yield f"alive at the broker: {alive}"
    twice = {ref: count for ref, count in found.server.read(sent_as).items() if count > 1}
    if twice:
        yield f"sent more than once: {twice}"
    told = found.server.read(lambda tws: {f.base: (f.side.sign * f.quantity, f.price) for f in tws.broker.fills})
    known = _journal_fills(found)
    excusable = any(isinstance(fault, Drop) and fault.message in REPORTS for fault in scene.script.faults)
    busted = any(isinstance(fault, Correct) and fault.quantity == 0 for fault in scene.script.faults)
    outside = any(isinstance(getattr(fault, "event", None), External) for fault in scene.script.faults)
    if missing := {base: fill for base, fill in told.items() if known.get(base) != fill}:
        yield f"fills lost or not as they are: {missing}, known {known}"
    more = set(known) - set(told)
    if more and not busted:
        yield f"fills that are none: {more}"
    adjusted = _adjustments(found)
    if adjusted and not (excusable or busted or outside):
        yield f"{adjusted} lines of adjustment without a report that was lost"


def _journal_fills(found: Trader) -> dict[str, tuple[int, float]]:
    latest = store.latest_fills()
    query = sa.select(latest).where(latest.c.account == found.config.account, latest.c.kind == "fill")
    with found.engine.connect() as connection:
        lines = [store.fill_line(row) for row in connection.execute(query)]
    return {line.base_exec_id: (line.signed, line.price) for line in lines if line.quantity}


def _adjustments(found: Trader) -> int:
    return found.rows(fills, "kind").count("adjustment")


def _figures(found: Trader) -> tuple[int, int, int]:
    orders = found.server.read(lambda tws: len(tws.broker.orders))
    return _adjustments(found), len(_journal_fills(found)), orders
