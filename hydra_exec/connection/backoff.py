"""How long to wait before the next attempt to connect. Pure.

``min(cap, first * factor ** attempt)``, off by up to ``jitter`` of itself: processes that lost the same terminal at the
same instant must not all come back at the same instant. The jitter is drawn from a seed and the attempt, so that a wait
can be told in advance and a test needs no luck.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

_DRAWS = 1 << 64


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits in seconds; ``jitter`` is a share of the wait, 0 to 1."""

    first_s: float = 1.0
    factor: float = 2.0
    cap_s: float = 60.0
    jitter: float = 0.2
    seed: int = 0

    def wait(self, failed: int) -> timedelta:
        """The wait after so many failed attempts in a row; none before the first attempt."""
        if failed <= 0:
            return timedelta(0)
        plain = self.cap_s
        # Beyond this the power is above the cap whatever it is, and it would overflow in the end.
        if (failed - 1) * (self.factor - 1) < self.cap_s / self.first_s:
            plain = min(self.cap_s, self.first_s * self.factor ** (failed - 1))
        return timedelta(seconds=min(self.cap_s, plain * (1 + self.jitter * (2 * self._draw(failed) - 1))))

    def _draw(self, failed: int) -> float:
        digest = hashlib.blake2b(f"{self.seed}/{failed}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") / _DRAWS
