"""What a client asks, out of its fields."""

from collections.abc import Sequence
from dataclasses import dataclass

from .contracts import Wanted
from .fields import flag, number, whole
from .records import Side


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """Number 3: a new order, or a modification of one that lives under the same id."""

    order_id: int
    contract: Wanted
    side: Side
    quantity: int
    order_type: str
    limit_price: float | None
    aux_price: float | None
    tif: str
    account: str
    order_ref: str
    transmit: bool

    @classmethod
    def of(cls, fields: Sequence[str]) -> "PlaceOrder":
        """Only the leading fields matter here; they stand at the same place at every version from 157 on."""
        return cls(
            order_id=int(fields[1]),
            contract=Wanted.of(fields[2:14]),
            side=Side(fields[16]),
            quantity=whole(fields[17]),
            order_type=fields[18],
            limit_price=number(fields[19]) if fields[18] == "LMT" else None,
            aux_price=number(fields[20]),
            tif=fields[21] or "DAY",
            account=fields[23],
            order_ref=fields[26],
            transmit=flag(fields[27]),
        )


@dataclass(frozen=True, slots=True)
class History:
    """Number 20."""

    request: int
    contract: Wanted
    expired: bool
    end: str
    bar_size: str
    duration: str
    what: str
    epoch: bool

    @classmethod
    def of(cls, fields: Sequence[str]) -> "History":
        """For anything but a combination."""
        _expired, end, bar_size, duration, _rth, what, form = fields[14:21]
        return cls(int(fields[1]), Wanted.of(fields[2:14]), flag(_expired), end, bar_size, duration, what, form == "2")

    @property
    def daily(self) -> bool:
        """Whether its bars are days or longer, which carry dates."""
        return not any(unit in self.bar_size for unit in ("sec", "min", "hour"))


@dataclass(frozen=True, slots=True)
class ExecutionFilter:
    """Number 7; empty fields let everything through."""

    request: int
    client_id: int
    account: str
    symbol: str
    side: str

    @classmethod
    def of(cls, fields: Sequence[str]) -> "ExecutionFilter":
        """The time, security type and exchange of the filter are not looked at."""
        return cls(int(fields[2]), whole(fields[3]), fields[4], fields[6], fields[9])
