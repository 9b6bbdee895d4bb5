"""Names that stay the same however often they are made: orders, tickets, revisions. Pure."""

from datetime import date
from uuid import UUID, uuid5

_NAMESPACE = UUID("6f1f1f52-3c61-4f0e-9a5e-5a5d4f1f7c11")


def order_ref(market: str, session: date, contract: str) -> str:
    """Name of an order: one a market, session and contract.

    >>> order_ref("HE", date(2026, 1, 5), "HE-2026-02")
    'HE/2026-01-05/HE-2026-02'
    """
    return f"{market}/{session.isoformat()}/{contract}"


def wire_ref(home: str, order: str, part: int) -> str:
    """Name of a ticket at the broker: a UUID, since an account may be shared by homes that know nothing of each other.

    ``home`` is what tells this home from all others; the same order and part give the same name after any crash.
    """
    return str(uuid5(_NAMESPACE, f"{home}|{order}|{part}"))
