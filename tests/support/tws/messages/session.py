"""Handshake, errors and notices, time."""

from collections.abc import Sequence
from datetime import datetime

from ..fields import stamp
from ..frames import encode
from ..kinds import Out
from .base import Message, message

NO_ID = -1


def hello(server_version: int, now: datetime, zone: str) -> bytes:
    """The server's half of the handshake: exactly two fields, version and time."""
    return encode((str(server_version), stamp(now, zone)))


def error(request: int, code: int, words: str, *, advanced: str = "", order: int | None = None) -> Message:
    """An error or a notice; the protocol does not tell them apart, the code does."""
    return message(Out.ERROR, 2, request, code, words, advanced, order=order)


def managed_accounts(accounts: Sequence[str]) -> Message:
    """Accounts of the login."""
    return message(Out.MANAGED_ACCOUNTS, 1, ",".join(accounts))


def next_valid_id(order_id: int) -> Message:
    """The lowest order id that the client may use."""
    return message(Out.NEXT_VALID_ID, 1, order_id)


def current_time(now: datetime) -> Message:
    """Seconds since the epoch."""
    return message(Out.CURRENT_TIME, 1, int(now.timestamp()))
