"""Where the command writes: results to stdout, everything else to stderr."""

from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


class UserError(Exception):
    """Something that the user asked for cannot be done; the message is one sentence that says why."""


def result() -> "Console":
    """Console of results."""
    from rich.console import Console  # noqa: PLC0415  `hydra --help` does without

    return Console(highlight=False, soft_wrap=True)


def remark() -> "Console":
    """Console of progress and remarks."""
    from rich.console import Console  # noqa: PLC0415

    return Console(stderr=True, highlight=False)


def parse_day(text: str | None, name: str) -> date | None:
    """Read an ISO date; UserError where it is none."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        msg = f"{name} {text!r} is no date; write e.g. 2026-01-05"
        raise UserError(msg) from error
