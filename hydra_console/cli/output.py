"""Where the command writes: results to stdout, everything else to stderr."""

from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


PIPE_WIDTH = 200
"""Columns where output goes to a file or program, whose width nobody knows."""


class UserError(Exception):
    """Something that the user asked for cannot be done; the message is one sentence that says why."""


def result() -> "Console":
    """Console of results."""
    return _console(stderr=False)


def remark() -> "Console":
    """Console of progress and remarks."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> "Console":
    from rich.console import Console  # noqa: PLC0415  `hydra --help` does without

    console = Console(stderr=stderr, highlight=False, soft_wrap=not stderr)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console


def parse_day(text: str | None, name: str) -> date | None:
    """Read an ISO date; UserError where it is none."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        msg = f"{name} {text!r} is no date; write e.g. 2026-01-05"
        raise UserError(msg) from error
