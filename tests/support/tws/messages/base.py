"""A message before it becomes bytes: its fields, and what faults recognise it by."""

from dataclasses import dataclass

from ..contracts import Future
from ..fields import Value, text
from ..frames import encode
from ..kinds import Out


@dataclass(frozen=True, slots=True)
class Message:
    """One message to a client."""

    kind: Out
    fields: tuple[str, ...]
    order: int | None = None
    """Number of the order that it is about."""

    def encode(self) -> bytes:
        """Its frame."""
        return encode(self.fields)


def message(kind: Out, *values: Value, order: int | None = None) -> Message:
    """Values written as text behind the message's number."""
    return Message(kind, (str(int(kind)), *map(text, values)), order)


def contract_fields(future: Future, *, exchange: bool = True) -> tuple[Value, ...]:
    """Id, symbol, type, expiry, strike, right, multiplier, exchange, currency, local symbol, trading class."""
    return (
        future.con_id,
        future.symbol,
        "FUT",
        future.expiry,
        0,
        "",
        future.multiplier,
        future.exchange if exchange else "",
        future.currency,
        future.local_symbol,
        future.trading_class,
    )
