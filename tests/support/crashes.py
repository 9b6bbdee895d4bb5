"""Crash points: a process that dies before or after any of its side effects."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest


class KilledError(BaseException):
    """The process is gone; nothing of it may catch this."""


class Points:
    """Counts the boundaries of side effects and dies at one of them."""

    def __init__(self, fatal: int | None) -> None:
        self.fatal, self.passed = fatal, 0

    def boundary(self) -> None:
        """One place to die at."""
        if self.passed == self.fatal:
            raise KilledError
        self.passed += 1


@contextmanager
def dying(effects: Sequence[tuple[object, str]], fatal: int | None) -> Iterator[Points]:
    """Let the side effects (owner, attribute) be preceded and followed by a boundary; die at number ``fatal``."""
    points = Points(fatal)
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in effects:
            patch.setattr(owner, name, _wrapped(getattr(owner, name), points))
        yield points


def _wrapped(effect: Callable[..., Any], points: Points) -> Callable[..., Any]:
    def around(*args: Any, **kwargs: Any) -> Any:
        points.boundary()
        found = effect(*args, **kwargs)
        points.boundary()
        return found

    return around
