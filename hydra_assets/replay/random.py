"""Random numbers by address, a whole table at once: what is drawn for (seed, market, session) depends on nothing else.

Philox-4x32 with ten rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11), written out in NumPy
because an array of independent addresses is needed, not one long stream. Bit-exact on every machine; the normal is made
from the words here by inversion.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]

_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (np.uint64(0x9E3779B9), np.uint64(0xBB67AE85))
_ROUNDS = 10
_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_SLIPPAGE_STREAM = 1


def philox_4x32(counter: tuple[Words, Words, Words, Words], key: tuple[int, int]) -> tuple[Words, Words, Words, Words]:
    """Encrypt counters of four 32-bit words (held in uint64, any common shape) with a key of two."""
    c0, c1, c2, c3 = counter
    k0, k1 = np.uint64(key[0]), np.uint64(key[1])
    for round_ in range(_ROUNDS):
        if round_:
            k0, k1 = (k0 + _WEYL[0]) & _LOW, (k1 + _WEYL[1]) & _LOW
        product0, product1 = _MULTIPLIERS[0] * c0, _MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (
            (product1 >> _32) ^ c1 ^ k0,
            product1 & _LOW,
            (product0 >> _32) ^ c3 ^ k1,
            product0 & _LOW,
        )
    return c0, c1, c2, c3


def market_key(symbol: str) -> int:
    """64-bit number of a market's symbol: adding a market moves no other market's numbers."""
    return int.from_bytes(hashlib.sha256(symbol.encode()).digest()[:8], "little")


def normals(seed: int, symbols: Sequence[str], days: NDArray[np.int64]) -> Floats:
    """Standard normal numbers, ``[session, market]``.

    Parameters
    ----------
    seed
        Any non-negative integer below 2^64.
    symbols
        ``[market]``.
    days
        ``[session]`` days since 1970-01-01.
    """
    keys = np.array([market_key(symbol) for symbol in symbols], dtype=np.uint64)
    shape = (len(days), len(symbols))
    day = np.broadcast_to((days.astype(np.uint64) & _LOW)[:, None], shape)
    low = np.broadcast_to(keys & _LOW, shape)
    high = np.broadcast_to(keys >> _32, shape)
    stream = np.full(shape, _SLIPPAGE_STREAM, dtype=np.uint64)
    word0, word1, _, _ = philox_4x32((day, stream, low, high), (seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF))
    mantissa = ((word0 >> np.uint64(5)) << np.uint64(26)) | (word1 >> np.uint64(6))
    return np.asarray(ndtri((mantissa.astype(np.float64) + 0.5) * 2.0**-53))
