"""One allocator of order ids, for one process at a time. Pure."""


class OrderIds:
    """Ids that go up and are never given twice.

    The terminal's ``nextValidId`` may go back after a restart, and an id that was used before would then name two
    orders: so ours begin above every id that was ever on record.
    """

    def __init__(self) -> None:
        self._last = 0

    def raise_to(self, next_valid: int, highest_used: int) -> None:
        """Begin no lower than the terminal allows, and above the highest id that was ever used."""
        self._last = max(self._last, next_valid - 1, highest_used)

    def seen(self, order_id: int) -> None:
        """An id that an order of this client carries."""
        self._last = max(self._last, order_id)

    def take(self) -> int:
        """The next one."""
        self._last += 1
        return self._last
