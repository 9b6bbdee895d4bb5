"""What was heard, in order, from the loop's thread to whoever trades."""

import threading
from collections import deque
from collections.abc import Sequence

from hydra_exec.broker.port import Message


class Inbox:
    """An ordered queue. Nothing is ever refused or dropped, whatever state a connection is in."""

    def __init__(self) -> None:
        self._messages: deque[Message] = deque()
        self._heard = threading.Condition()

    def put(self, message: Message) -> None:
        """Add a message behind all others."""
        with self._heard:
            self._messages.append(message)
            self._heard.notify_all()

    def take(self, seconds: float = 0.0) -> Sequence[Message]:
        """Everything that was heard; waits no longer than this for a first message."""
        with self._heard:
            if not self._messages and seconds > 0:
                self._heard.wait_for(lambda: bool(self._messages), seconds)
            taken = tuple(self._messages)
            self._messages.clear()
        return taken
