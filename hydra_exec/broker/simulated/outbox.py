"""What a connection has still to hear, some of it late. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from hydra_exec.broker.port import Message


@dataclass(slots=True)
class Outbox:
    """Messages in the order in which they happened; a late one is overtaken by those that are on time."""

    steps: int = 0
    _held: list[tuple[int, Message]] = field(default_factory=list)

    def put(self, message: Message, delay_steps: int) -> None:
        """Something to say, so many steps from now."""
        self._held.append((self.steps + delay_steps, message))

    def step(self) -> None:
        """A step has passed."""
        self.steps += 1

    def hurry(self) -> None:
        """Nothing is late any more."""
        self._held = [(self.steps, message) for _, message in self._held]

    def take(self) -> Sequence[Message]:
        """What is heard now."""
        ready = [message for due, message in self._held if due <= self.steps]
        self._held = [(due, message) for due, message in self._held if due > self.steps]
        return ready
