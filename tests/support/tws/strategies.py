"""Scripts drawn by hypothesis, for state machines: any few faults, each early enough to be met.

``scripts()`` draws from every fault; the narrower strategies are its parts. Where a machine cannot bear a kind of fault
(one that leaves a synchronising client waiting, say), it composes its own from the parts.
"""

from hypothesis import strategies as st

from .kinds import END_OF, Ask, Out
from .records import Side
from .script import (
    TIF_PRESET,
    At,
    ClientIdInUse,
    Coalesce,
    Correct,
    Delay,
    DelayAck,
    Drop,
    Duplicate,
    EndDay,
    External,
    Fail,
    Fault,
    Flow,
    Grant,
    HangUp,
    Ignore,
    Lost,
    NextIdRegress,
    Notice,
    Outage,
    Postpone,
    Reject,
    Reset,
    ResetOnRequest,
    Restored,
    Revoke,
    Rights,
    Say,
    Script,
    SecondPermId,
    Split,
    script,
)

REPORTS = (Out.OPEN_ORDER, Out.ORDER_STATUS, Out.EXECUTION, Out.COMMISSION, Out.POSITION)
NOTICES = (399, 10349, 2100, 2109, 2161, 2199, 404, 99_999)
QUERIES = tuple(END_OF)

_nth = st.integers(1, 6)
_steps = st.integers(1, 3)
_report = st.sampled_from(REPORTS)


def pieces() -> st.SearchStrategy[Fault]:
    """How the stream is cut; changes nothing that a client may tell."""
    sizes = st.lists(st.integers(1, 64), min_size=1, max_size=4).map(tuple)
    return st.builds(Split, sizes) | st.builds(Coalesce, st.integers(1, 16))


def reports() -> st.SearchStrategy[Fault]:
    """Reports of orders and fills that are lost, late, repeated or out of order."""
    return st.one_of(
        st.builds(Drop, _report, _nth),
        st.builds(Duplicate, _report, _nth, st.integers(1, 2)),
        st.builds(Postpone, _report, _report, _nth),
        st.builds(Delay, _report, _nth, _steps),
    )


def order_faults() -> st.SearchStrategy[Fault]:
    """What becomes of orders and fills."""
    notice = st.sampled_from(NOTICES).map(lambda code: (code, f"notice {code}")) | st.just(TIF_PRESET)
    return st.one_of(
        st.builds(Reject, _nth),
        st.builds(Revoke, _nth),
        st.builds(lambda order, said: Notice(order, *said), _nth, notice),
        st.builds(DelayAck, _nth, _steps),
        st.builds(SecondPermId, _nth),
        st.builds(
            Correct,
            _nth,
            price=st.none() | st.integers(3380, 3420).map(lambda ticks: ticks / 40),
            quantity=st.none() | st.integers(0, 2),
            steps=st.integers(0, 2),
        ),
    )


def queries() -> st.SearchStrategy[Fault]:
    """Queries that fail, never answer or never end."""
    asked = st.sampled_from(QUERIES)
    return st.one_of(
        st.builds(Ignore, asked, _nth),
        st.builds(Fail, asked, _nth),
        st.builds(lambda ask, nth: Drop(END_OF[ask], nth), asked, _nth),
    )


def connections() -> st.SearchStrategy[Fault]:
    """Connections that end or do not begin, and what happens at steps of the clock."""
    event = st.one_of(
        st.builds(Lost, st.sampled_from(Flow), st.sampled_from(Flow)),
        st.builds(Restored, st.booleans()),
        st.builds(Outage, _steps),
        st.builds(HangUp),
        st.builds(EndDay),
        st.builds(Grant, st.sampled_from(Rights)),
        st.builds(Say, st.sampled_from((2103, 2105, 2110, 99_999)), st.just("notice")),
        st.builds(External, st.just(1000), st.sampled_from(Side), st.integers(1, 3), st.just(85.0)),
    )
    request = st.sampled_from((Ask.PLACE_ORDER, Ask.CANCEL_ORDER, Ask.OPEN_ORDERS, Ask.EXECUTIONS))
    return st.one_of(
        st.builds(Reset, st.none() | _report, st.integers(1, 40), st.none() | st.integers(0, 60)),
        st.builds(ResetOnRequest, request, _nth, st.booleans()),
        st.builds(ClientIdInUse, _nth),
        st.builds(NextIdRegress, st.integers(2, 4), st.integers(1, 3), st.booleans()),
        st.builds(At, st.integers(1, 12), event),
    )


def scripts(max_faults: int = 4) -> st.SearchStrategy[Script]:
    """Any few faults together."""
    fault = st.one_of(pieces(), reports(), order_faults(), queries(), connections())
    return st.builds(
        lambda faults, seed: script(faults, seed=seed),
        st.lists(fault, max_size=max_faults),
        st.integers(0, 1 << 16),
    )
