"""What the broker knows, as plain records that a test compares its own journal with."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Side(StrEnum):
    """Direction, as an order spells it."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 or -1."""
        return 1 if self is Side.BUY else -1

    @property
    def executed(self) -> str:
        """As an execution spells it."""
        return "BOT" if self is Side.BUY else "SLD"


class Status(StrEnum):
    """An order's state, as TWS spells it."""

    PENDING_SUBMIT = "PendingSubmit"
    PRE_SUBMITTED = "PreSubmitted"
    SUBMITTED = "Submitted"
    FILLED = "Filled"
    CANCELLED = "Cancelled"
    INACTIVE = "Inactive"


DONE = frozenset({Status.FILLED, Status.CANCELLED, Status.INACTIVE})


@dataclass(frozen=True, slots=True)
class BrokerOrder:
    """An order as the broker holds it. Its identity is ``perm_id``: an ``order_id`` may belong to several."""

    number: int
    """The order's number in the server's life, from 1; scripts name orders by it."""
    perm_id: int
    client_id: int
    order_id: int
    order_ref: str
    account: str
    con_id: int
    side: Side
    quantity: int
    order_type: str
    limit_price: float | None
    aux_price: float | None
    tif: str
    status: Status
    filled: int = 0
    average_price: float = 0.0
    last_price: float = 0.0
    reason: str = ""

    @property
    def remaining(self) -> int:
        """What may still fill."""
        return self.quantity - self.filled

    @property
    def live(self) -> bool:
        """Whether it can still fill."""
        return self.status not in DONE


@dataclass(frozen=True, slots=True)
class BrokerExecution:
    """One revision of one fill. A correction is a new record whose id ends in the next revision."""

    exec_id: str
    perm_id: int
    client_id: int
    order_id: int
    order_ref: str
    account: str
    con_id: int
    side: Side
    quantity: int
    price: float
    time: datetime
    cumulative: int
    average_price: float
    commission: float
    realized_pnl: float | None
    """Net of commission; None where the fill closed nothing."""

    @property
    def base(self) -> str:
        """The id without its revision: what all revisions of one fill share."""
        return self.exec_id.rpartition(".")[0]

    @property
    def revision(self) -> int:
        """1 for the fill as first reported."""
        return int(self.exec_id.rpartition(".")[2])


@dataclass(frozen=True, slots=True)
class BrokerPosition:
    """Contracts held, long positive; ``average_cost`` is money per contract, with the opening fills' commissions."""

    con_id: int
    quantity: int
    average_cost: float
    realized_pnl: float = 0.0
