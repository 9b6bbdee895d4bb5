"""Frames of the socket protocol: a length of four bytes, then fields that each end in a zero byte.

The client opens with four raw bytes, ``API`` and a zero, and one frame that is not split into fields: the range of
versions that it speaks. Everything after that, both ways, is ``>I`` length and fields.
"""

import struct
from collections.abc import Iterator, Sequence

HELLO = b"API\0"
_LENGTH = struct.Struct(">I")
MAX_FRAME_BYTES = 1 << 24


class ProtocolError(ValueError):
    """What arrived is no TWS protocol."""


def encode(fields: Sequence[str]) -> bytes:
    """One frame."""
    payload = ("\0".join(fields) + "\0" if fields else "").encode()
    return _LENGTH.pack(len(payload)) + payload


def split_fields(payload: bytes) -> list[str]:
    """The fields of one payload."""
    return payload.decode(errors="backslashreplace").split("\0")[:-1]


def version_range(payload: bytes) -> tuple[int, int]:
    """Lowest and highest version of ``v157..178 options``."""
    words = payload.decode(errors="replace").split()
    low, dots, high = (words[0] if words else "").removeprefix("v").partition("..")
    try:
        return int(low), int(high if dots else low)
    except ValueError:
        raise ProtocolError(f"no version range: {payload!r}") from None


class FrameReader:
    """Turns a stream of bytes, cut anywhere, into payloads; the hello's range is the first."""

    def __init__(self, *, hello: bool = True) -> None:
        self._data = b""
        self._hello = hello

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Payloads that are complete now.

        Raises
        ------
        ProtocolError
            Where the stream does not open with the hello, or a frame claims to be longer than ``MAX_FRAME_BYTES``.
        """
        self._data += data
        if self._hello:
            if not HELLO.startswith(self._data[: len(HELLO)]):
                raise ProtocolError(f"no hello: {self._data[:16]!r}")
            if len(self._data) < len(HELLO):
                return
            self._data = self._data[len(HELLO) :]
            self._hello = False
        while len(self._data) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._data)
            if length > MAX_FRAME_BYTES:
                raise ProtocolError(f"a frame of {length} bytes")
            end = _LENGTH.size + length
            if len(self._data) < end:
                return
            payload, self._data = self._data[_LENGTH.size : end], self._data[end:]
            yield payload


def cut(stream: bytes, sizes: Sequence[int]) -> list[bytes]:
    """The stream in pieces of these sizes, taken in turn; every size is at least one byte."""
    pieces, at, turn = [], 0, 0
    while at < len(stream):
        size = max(1, sizes[turn % len(sizes)])
        pieces.append(stream[at : at + size])
        at, turn = at + size, turn + 1
    return pieces
