"""Plays a script: counts what happens and says which fault it meets."""

from collections import Counter
from typing import TypeVar

from ..kinds import Ask, Out
from ..messages.base import Message
from . import Script
from .orders import Correct, DelayAck
from .session import At, ClientIdInUse, Event, NextIdRegress
from .wire import Coalesce, Delay, Drop, Duplicate, Fail, Ignore, Postpone, RequestFault, Reset, ResetOnRequest, Split

OnMessage = Drop | Duplicate | Postpone | Delay | Reset | DelayAck
F = TypeVar("F")


class Director:
    """One script in the making. Counts go on over connections."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self._messages: Counter[Out | None] = Counter()
        self._requests: Counter[Ask] = Counter()
        self.connections = 0
        self.orders = 0
        self.fills = 0

    def _of(self, kind: type[F]) -> list[F]:
        return [fault for fault in self.script.faults if isinstance(fault, kind)]

    def on_message(self, message: Message) -> OnMessage | None:
        """Count a message that is about to be sent; the first fault that it meets, if any."""
        for key in (None, message.kind):
            self._messages[key] += 1
        for fault in self.script.faults:
            if self._meets(fault, message):
                assert isinstance(fault, OnMessage)
                return fault
        return None

    def _meets(self, fault: object, message: Message) -> bool:
        if isinstance(fault, DelayAck):
            return message.order == fault.order and message.kind in {Out.OPEN_ORDER, Out.ORDER_STATUS}
        if isinstance(fault, Reset):
            return fault.message in {None, message.kind} and self._messages[fault.message] == fault.nth
        if isinstance(fault, Drop):
            nth = self._messages[message.kind]
            return fault.message == message.kind and fault.nth <= nth < fault.nth + fault.times
        if isinstance(fault, Duplicate | Postpone | Delay):
            return fault.message == message.kind and self._messages[message.kind] == fault.nth
        return False

    def on_request(self, ask: Ask) -> RequestFault | None:
        """Count a request; the first fault that it meets, if any."""
        self._requests[ask] += 1
        for fault in self.script.faults:
            if not isinstance(fault, Ignore | Fail | ResetOnRequest):
                continue
            if fault.request == ask and fault.nth == self._requests[ask]:
                return fault
        return None

    def on_connection(self) -> list[ClientIdInUse | NextIdRegress]:
        """Count a connection; the faults that it meets."""
        self.connections += 1
        faults: list[ClientIdInUse | NextIdRegress] = [*self._of(ClientIdInUse), *self._of(NextIdRegress)]
        return [fault for fault in faults if fault.connection == self.connections]

    def next_order(self) -> int:
        """Count a new order."""
        self.orders += 1
        return self.orders

    def on_order(self, number: int, kind: type[F]) -> list[F]:
        """Faults of this kind of one order."""
        return [fault for fault in self._of(kind) if getattr(fault, "order", None) == number]

    def on_fill(self) -> list[Correct]:
        """Count a fill; its corrections."""
        self.fills += 1
        return [fault for fault in self._of(Correct) if fault.execution == self.fills]

    def events(self, step: int) -> list[Event]:
        """What happens at a step of the clock, in the script's order."""
        return [fault.event for fault in self._of(At) if fault.step == step]

    @property
    def pieces(self) -> Split | Coalesce | None:
        """How the stream is cut; the last word counts."""
        cuts = [fault for fault in self.script.faults if isinstance(fault, Split | Coalesce)]
        return cuts[-1] if cuts else None
