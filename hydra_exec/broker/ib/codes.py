"""What the codes of TWS mean, by a table of our own. Pure.

TWS answers everything that is no report with a number, a text and an id, and the number alone does not say whether
something ended: 399 and 10349 come on orders that live, 110 on a new order refuses it and on an amendment leaves it,
201 on an order that was amended may be of the amendment alone. The client library guesses and is wrong in both
directions; so nothing of it is asked. A code that the table does not have is never taken for an end: hold what it is
about, and ask.

Source: Interactive Brokers, "TWS API: message codes".
"""

from enum import StrEnum

from hydra_exec.broker.port import NoticeKind, Word


class Meaning(StrEnum):
    """What a code says."""

    ORDER_REJECTED = "order_rejected"
    ORDER_CANCELLED = "order_cancelled"
    ORDER_LIVES = "order_lives"
    """A remark on an order that changes nothing."""
    REFUSED_AS_WRITTEN = "refused_as_written"
    """What was sent is faulty: a new order is refused, an amendment leaves the order as it was."""
    CANCEL_FAILED = "cancel_failed"
    """The order is not known, or is over: which of them must be asked."""
    DUPLICATE_ORDER_ID = "duplicate_order_id"
    CLIENT_ID_IN_USE = "client_id_in_use"
    LINK_LOST = "link_lost"
    """The terminal has lost the broker; it goes on talking to us."""
    LINK_RESTORED = "link_restored"
    LINK_RESTORED_DATA_LOST = "link_restored_data_lost"
    TERMINAL_GONE = "terminal_gone"
    """The terminal drops us, or was never there."""
    PACING = "pacing"
    NO_LIVE_DATA = "no_live_data"
    QUERY_FAILED = "query_failed"
    INFORMATION = "information"
    UNKNOWN = "unknown"


_M = Meaning

TABLE: dict[int, Meaning] = {
    # Orders.
    103: _M.DUPLICATE_ORDER_ID,
    104: _M.CANCEL_FAILED,
    105: _M.REFUSED_AS_WRITTEN,
    107: _M.REFUSED_AS_WRITTEN,
    109: _M.REFUSED_AS_WRITTEN,
    110: _M.REFUSED_AS_WRITTEN,
    111: _M.REFUSED_AS_WRITTEN,
    135: _M.CANCEL_FAILED,
    136: _M.CANCEL_FAILED,
    161: _M.CANCEL_FAILED,
    201: _M.ORDER_REJECTED,
    202: _M.ORDER_CANCELLED,
    203: _M.ORDER_REJECTED,
    329: _M.REFUSED_AS_WRITTEN,
    383: _M.REFUSED_AS_WRITTEN,
    387: _M.REFUSED_AS_WRITTEN,
    399: _M.ORDER_LIVES,
    404: _M.ORDER_LIVES,
    434: _M.REFUSED_AS_WRITTEN,
    492: _M.ORDER_LIVES,
    10147: _M.CANCEL_FAILED,
    10148: _M.CANCEL_FAILED,
    10349: _M.ORDER_LIVES,
    # The connection.
    326: _M.CLIENT_ID_IN_USE,
    502: _M.TERMINAL_GONE,
    504: _M.TERMINAL_GONE,
    1100: _M.LINK_LOST,
    1101: _M.LINK_RESTORED_DATA_LOST,
    1102: _M.LINK_RESTORED,
    1300: _M.TERMINAL_GONE,
    2110: _M.LINK_LOST,
    # Pacing.
    100: _M.PACING,
    162: _M.PACING,
    420: _M.PACING,
    # Quotes.
    354: _M.NO_LIVE_DATA,
    10089: _M.NO_LIVE_DATA,
    10090: _M.NO_LIVE_DATA,
    10167: _M.NO_LIVE_DATA,
    10168: _M.NO_LIVE_DATA,
    10197: _M.NO_LIVE_DATA,
    # Queries.
    165: _M.INFORMATION,
    200: _M.QUERY_FAILED,
    300: _M.INFORMATION,
    320: _M.QUERY_FAILED,
    321: _M.QUERY_FAILED,
    322: _M.QUERY_FAILED,
    366: _M.INFORMATION,
    505: _M.QUERY_FAILED,
}
"""Codes one by one; 2100 to 2199 are remarks of the terminal on its data farms and accounts, but for 2110."""

REMARKS = range(2100, 2200)

CERTAIN_REFUSALS = frozenset({103, 105, 107, 109, 110, 111, 200, 329, 383, 387, 434})
"""Codes that say of an order that was never acknowledged nor amended: it was not taken."""

NO_SUCH_ID = frozenset({135, 10147})
"""Codes by which a cancellation fails because its id names no order. The order may live all the same."""


def meaning(code: int) -> Meaning:
    """What a code says, whatever it is about."""
    if code in TABLE:
        return TABLE[code]
    return Meaning.INFORMATION if code in REMARKS else Meaning.UNKNOWN


def order_word(code: int, *, acknowledged: bool, amended: bool) -> Word | None:
    """What a code on an order's id says of the order; None where it lives on as it was.

    ``acknowledged`` says that the broker has reported the order before; ``amended`` that it was sent again with other
    terms, so that a refusal may be of either.
    """
    says = meaning(code)
    if says is Meaning.ORDER_REJECTED:
        return Word.UNCLEAR if acknowledged and amended else Word.REJECTED
    if says is Meaning.ORDER_CANCELLED:
        return Word.CANCELLED
    if says in {Meaning.ORDER_LIVES, Meaning.INFORMATION}:
        return None
    if says is Meaning.REFUSED_AS_WRITTEN and acknowledged:
        return None
    if code in CERTAIN_REFUSALS and not acknowledged and not amended:
        return Word.REJECTED
    return Word.UNCLEAR


_NOTICES = {
    Meaning.LINK_LOST: NoticeKind.LINK_LOST,
    Meaning.LINK_RESTORED: NoticeKind.LINK_RESTORED,
    Meaning.LINK_RESTORED_DATA_LOST: NoticeKind.LINK_RESTORED_DATA_LOST,
    Meaning.TERMINAL_GONE: NoticeKind.DISCONNECTED,
    Meaning.PACING: NoticeKind.PACING,
    Meaning.NO_LIVE_DATA: NoticeKind.NO_LIVE_DATA,
    Meaning.DUPLICATE_ORDER_ID: NoticeKind.DUPLICATE_ORDER_ID,
    Meaning.UNKNOWN: NoticeKind.UNKNOWN_CODE,
}


def notice_kind(code: int) -> NoticeKind:
    """How a code is passed on where it is about no order."""
    return _NOTICES.get(meaning(code), NoticeKind.INFORMATION)
