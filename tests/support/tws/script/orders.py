"""Faults of orders and fills.

``order`` is an order's number in the server's life, from 1, in the order in which they arrived (modifications are not
counted, refused ones are); ``execution`` likewise, revisions not counted.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reject:
    """The order is refused."""

    order: int = 1
    code: int = 201
    words: str = "Order rejected - reason:"


@dataclass(frozen=True, slots=True)
class Revoke:
    """The broker cancels the order right after it acknowledged it."""

    order: int = 1
    code: int = 202
    words: str = "Order Canceled - reason:"


@dataclass(frozen=True, slots=True)
class Notice:
    """A code on the order's id that changes nothing at the broker: the order lives on and may fill."""

    order: int = 1
    code: int = 399
    words: str = "Order Message: Warning: Your order will not be placed at the exchange until the next session"


@dataclass(frozen=True, slots=True)
class DelayAck:
    """The order's open-order and state messages come so many steps late; its executions do not."""

    order: int = 1
    steps: int = 1


@dataclass(frozen=True, slots=True)
class SecondPermId:
    """The order's next modification becomes a second live order of the same id; a cancel hits only the newest."""

    order: int = 1


@dataclass(frozen=True, slots=True)
class Correct:
    """The fill is corrected: the same id with the next revision, ``steps`` later (0: right behind the fill).

    None leaves price or quantity as it was; a quantity of 0 busts the fill.
    """

    execution: int = 1
    price: float | None = None
    quantity: int | None = None
    steps: int = 0


OrderFault = Reject | Revoke | Notice | DelayAck | SecondPermId | Correct

TIF_PRESET = (10349, "Order TIF was set to DAY based on order preset.")
"""A notice on a live order; ``ib_async`` 2.1.0 takes it for the order's end."""
