"""Random numbers by address: what is drawn for a session depends on the session and on nothing drawn before.

Every (seed, market, day, stream) owns a disjoint part of one Philox-4x64 sequence (Salmon et al., "Parallel random
numbers: as easy as 1, 2, 3", SC11). Uniforms and normals are made from the raw words here, not by NumPy's
``Generator``, whose streams may change between releases.
"""

import hashlib
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri


class Stream(IntEnum):
    """What a day's numbers are for. Values are part of the address and never reused."""

    START = 1
    STATE = 2
    COMMON = 3
    BARS = 4
    SERIES = 5
    QUOTES = 6
    POSITIONS = 7
    HEADLINES = 8
    POSTS = 9
    INTRADAY = 10


def market_key(symbol: str) -> int:
    """64-bit number of a market's symbol."""
    return int.from_bytes(hashlib.sha256(symbol.encode()).digest()[:8], "little")


def uniforms(seed: int, key: int, day: int, stream: Stream, n: int) -> NDArray[np.float64]:
    """Uniform numbers, ``[n]``, strictly between 0 and 1; ``day`` counts from 1970-01-01."""
    bits = np.random.Philox(key=[seed % 2**64, key], counter=[0, 0, day % 2**64, int(stream)])
    return ((bits.random_raw(n) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def normals(seed: int, key: int, day: int, stream: Stream, n: int) -> NDArray[np.float64]:
    """Standard normal numbers, ``[n]``, by inversion."""
    return np.asarray(ndtri(uniforms(seed, key, day, stream, n)))
