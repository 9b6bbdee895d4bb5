"""DBN files: bytes to metadata and structured arrays, for versions 1 to 3, plain or zstd-compressed.

Record layouts are the vendor's own (``databento_dbn``'s record classes); the decoding here is a cast of the bytes, so
that a year of one-minute quotes is one array and a corrupt length field is an error code instead of an abort in
native code. Layout of the metadata: https://databento.com/docs/standards-and-conventions/databento-binary-encoding.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import cast

import databento_dbn as dbn
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hydra_assets.sources.base import ParseError, PayloadState

MAX_BYTES = 1 << 31
"""Largest file after decompression."""
PIECE_BYTES = 2**18
_ZSTD = b"\x28\xb5\x2f\xfd"
_FIXED = 100
"""Bytes of the metadata's fixed part, in every version."""
_V1_SYMBOL = 22


class RecordType(IntEnum):
    """Record types that are read; any other is set aside."""

    MBP_1 = 0x01
    DEFINITION = 0x13
    STATISTICS = 0x18
    OHLCV_1D = 0x23
    BBO_1S = 0xC3
    BBO_1M = 0xC4


_LAYOUTS: dict[RecordType, tuple[type, ...]] = {
    RecordType.MBP_1: (dbn.MBP1Msg,),
    RecordType.DEFINITION: (dbn.InstrumentDefMsg, dbn.InstrumentDefMsgV2, dbn.InstrumentDefMsgV1),
    RecordType.STATISTICS: (dbn.StatMsg, dbn.StatMsgV1),
    RecordType.OHLCV_1D: (dbn.OHLCVMsg,),
    RecordType.BBO_1S: (dbn.BBOMsg,),
    RecordType.BBO_1M: (dbn.BBOMsg,),
}


@dataclass(frozen=True, slots=True)
class SymbolInterval:
    """A raw symbol's instrument id from one date (inclusive) to another (exclusive), both as YYYYMMDD."""

    symbol: str
    instrument_id: int
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Records:
    """Records of one type and size: their rows in the file, ``[k]``, and the structured array, ``[k]``.

    ``array`` is None where the type or the size is not one that is read.
    """

    rtype: int
    rows: NDArray[np.int64]
    array: NDArray[np.void] | None


@dataclass(frozen=True, slots=True)
class DbnFile:
    """One decoded file."""

    version: int
    dataset: str
    symbols: tuple[SymbolInterval, ...]
    groups: tuple[Records, ...]
    total: int


def decode(content: bytes) -> DbnFile:
    """Decode one DBN file.

    Raises
    ------
    ParseError
        Zero length, no DBN, a broken or truncated zstd frame, metadata or record that ends before its own length.
    """
    if not content:
        raise ParseError("zero_length", "the file is empty", state=PayloadState.EMPTY)
    data = _decompressed(content)
    if data[:3] != b"DBN" or len(data) < 8 + _FIXED:
        raise ParseError("not_dbn", f"the file begins with {data[:16]!r}")
    version, length = data[3], int.from_bytes(data[4:8], "little")
    if not 1 <= version <= 3:
        raise ParseError("unknown_dbn_version", f"version {version}; 1 to 3 are read")
    if 8 + length > len(data) or length < _FIXED:
        raise ParseError("truncated_dbn", "the file ends within its metadata")
    try:
        dataset, ts_out, symbols = _metadata(data[8 : 8 + length], version)
    except (struct.error, UnicodeDecodeError, ValueError) as error:
        raise ParseError("broken_dbn_metadata", str(error)) from error
    groups, total = _groups(np.frombuffer(data, dtype=np.uint8)[8 + length :], ts_out)
    return DbnFile(version, dataset, symbols, groups, total)


def _decompressed(content: bytes) -> bytes:
    if not content.startswith(_ZSTD):
        return content
    data = bytearray()
    try:
        with pa.CompressedInputStream(pa.BufferReader(content), "zstd") as stream:
            # Piece by piece: Arrow keeps the buffer of a read that fails, as large as the read was to be.
            while piece := stream.read(PIECE_BYTES):
                data += piece
                if len(data) > MAX_BYTES:
                    raise ParseError("too_large", f"more than {MAX_BYTES} bytes after decompression")
    except (OSError, pa.ArrowException) as error:
        raise ParseError("broken_zstd", str(error)) from error
    return bytes(data)


def _metadata(data: bytes, version: int) -> tuple[str, bool, tuple[SymbolInterval, ...]]:
    """Dataset, whether records carry a send time, and the symbol mappings."""
    flags = 50 if version == 1 else 42
    ts_out = data[flags + 2] == 1
    width = _V1_SYMBOL if version == 1 else struct.unpack_from("<H", data, flags + 3)[0]
    if not width:
        msg = "symbols of no length"
        raise ValueError(msg)
    at = _FIXED
    at += 4 + struct.unpack_from("<I", data, at)[0]
    for _ in range(3):
        # The symbols asked for, those found in part and those not found: of no use here.
        at += 4 + width * int(struct.unpack_from("<I", data, at)[0])
    (count,) = struct.unpack_from("<I", data, at)
    at += 4
    intervals: list[SymbolInterval] = []
    for _ in range(count):
        symbol = _text(data, at, width)
        (spans,) = struct.unpack_from("<I", data, at + width)
        at += width + 4
        for _ in range(spans):
            first, end = struct.unpack_from("<II", data, at)
            target = _text(data, at + 8, width)
            at += 8 + width
            if target.isascii() and target.isdigit() and len(target) <= 10:
                intervals.append(SymbolInterval(symbol, int(target), first, end))
    return _text(data, 0, 16), ts_out, tuple(intervals)


def _text(data: bytes, at: int, width: int) -> str:
    if at + width > len(data):
        msg = "a text reaches beyond the metadata"
        raise ValueError(msg)
    return data[at : at + width].split(b"\0", 1)[0].decode("utf-8")


def _groups(body: NDArray[np.uint8], ts_out: bool) -> tuple[tuple[Records, ...], int]:
    if not len(body):
        return (), 0
    size = int(body[0]) * 4
    if size >= 16 and len(body) % size == 0:
        table = body.reshape(-1, size)
        if (table[:, 0] == body[0]).all() and (table[:, 1] == body[1]).all():
            array = _cast(table, _layout(int(body[1]), size, ts_out))
            return (Records(int(body[1]), np.arange(len(table)), array),), len(table)
    starts = _walk(body)
    kinds = np.stack([body[starts + 1], body[starts]], axis=1)
    groups = []
    for rtype, words in np.unique(kinds, axis=0).tolist():
        rows = np.flatnonzero((kinds[:, 0] == rtype) & (kinds[:, 1] == words))
        table = np.stack([body[at : at + words * 4] for at in starts[rows]])
        groups.append(Records(rtype, rows, _cast(table, _layout(rtype, words * 4, ts_out))))
    return tuple(groups), len(starts)


def _cast(table: NDArray[np.uint8], layout: np.dtype[np.void] | None) -> NDArray[np.void] | None:
    if layout is None:
        return None
    return np.ascontiguousarray(table[:, : layout.itemsize]).view(layout).reshape(-1)


def _walk(body: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Start of each record of a file that mixes sizes."""
    lengths = body.tobytes()
    starts: list[int] = []
    at = 0
    while at < len(lengths):
        size = lengths[at] * 4
        if size < 16 or at + size > len(lengths):
            raise ParseError("truncated_dbn", f"record {len(starts)} ends before its own length")
        starts.append(at)
        at += size
    return np.array(starts, dtype=np.int64)


def _layout(rtype: int, size: int, ts_out: bool) -> np.dtype[np.void] | None:
    if rtype not in set(RecordType):
        return None
    for record in _LAYOUTS[RecordType(rtype)]:
        layout = cast("np.dtype[np.void]", np.dtype(record._dtypes).newbyteorder("<"))  # type: ignore[attr-defined]
        if layout.itemsize == size - (8 if ts_out else 0):
            return layout
    return None
