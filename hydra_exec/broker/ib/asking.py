"""How questions are named and numbered, and what a row of an answer is where the client has no type for it."""

from typing import Any, NamedTuple

from ib_async import Contract

REQUESTS_FROM = 1_000_000_000
"""Numbers of our requests begin here and order ids stay below, so that a code's id says what it is about."""

POSITIONS, ORDERS, COMPLETED, TIME = "positions", "open orders", "completed orders", "current time"


def rule_key(rule: int) -> str:
    """Name of the question for a market rule."""
    return f"market rule {rule}"


class PositionRow(NamedTuple):
    """A position as it was said."""

    account: str
    contract: Contract
    quantity: float


def request_number(client: Any) -> int:
    """The next number of a request, far above every order id."""
    client.updateReqId(REQUESTS_FROM)
    return int(client.getReqId())
