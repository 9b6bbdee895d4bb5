"""Questions to the terminal that are under way, and how each of them ends.

TWS answers in rows and then says that it is done. Most questions have a number and some have none, and for those an End
names nothing: only one of a kind may be under way, and one that was never ended leaves the connection in doubt, since
its End, coming late, would be taken for that of the next.
"""

import asyncio
from collections.abc import Callable
from typing import Any

Key = int | str
"""A request's number, or the name of a question that has none."""


class UnansweredError(Exception):
    """A question was refused, or its connection ended."""


class Questions:
    """Open questions of one connection; used on its loop only."""

    def __init__(self) -> None:
        self._open: dict[Key, tuple[list[Any], asyncio.Future[list[Any]]]] = {}
        self.in_doubt = ""
        """Why nothing may be asked on this connection any more; empty while all is well."""

    async def ask(self, key: Key, send: Callable[[], None], limit_s: float, *, binding: bool = True) -> list[Any]:
        """Rows of an answer that came to its end.

        ``binding`` says that a late End would be mistaken for another's.

        Raises
        ------
        UnansweredError
            It was refused, came to no end in time, or the connection ended.
        """
        if self.in_doubt:
            raise UnansweredError(self.in_doubt)
        rows: list[Any] = []
        done: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._open[key] = (rows, done)
        try:
            send()
            return await asyncio.wait_for(done, limit_s)
        except TimeoutError:
            if isinstance(key, str) and binding:
                self.in_doubt = f"{key}: no end of the answer within {limit_s:g} s on this connection"
            msg = f"{key}: no end of the answer within {limit_s:g} s"
            raise UnansweredError(msg) from None
        except ConnectionError as error:
            msg = f"{key}: {error}"
            raise UnansweredError(msg) from None
        finally:
            self._open.pop(key, None)

    def asked(self, key: Key) -> bool:
        """Whether an answer is awaited."""
        return key in self._open

    def row(self, key: Key, row: Any) -> None:
        """A part of an answer, if one is awaited."""
        if key in self._open:
            self._open[key][0].append(row)

    def numbered(self) -> list[int]:
        """Open questions that have a number."""
        return [key for key in self._open if isinstance(key, int)]

    def end(self, key: Key) -> None:
        """An answer is complete."""
        if key in self._open:
            rows, done = self._open[key]
            if not done.done():
                done.set_result(rows)

    def fail(self, key: Key, reason: str) -> None:
        """An answer will not come."""
        if key in self._open:
            _, done = self._open[key]
            if not done.done():
                done.set_exception(UnansweredError(f"{key}: {reason}"))

    def fail_nameless(self, reason: str) -> None:
        """An error without a number was about a question without a number."""
        for key in [key for key in self._open if isinstance(key, str)]:
            self.fail(key, reason)

    def fail_all(self, reason: str) -> None:
        """The connection has ended, or can no longer be believed."""
        for key in list(self._open):
            self.fail(key, reason)
