"""What a detector says of a whole series, and how a missing observation is left out.

A detector is a function of a series ``[T]`` or of columns ``[T, K]`` to a statistic of the same shape, whose row t
depends on rows <= t alone. A value that is not finite is a session without an observation: the statistic is NaN there
and goes on afterwards as if the session had not been.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hydra_assets.stats.detectors.reference import Reference, ReferenceReason

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class TrackReason(StrEnum):
    """Whether a column is watched, and why not."""

    WATCHED = "watched"
    SHORT_REFERENCE = "short_reference"
    """Too few observations in the reference window."""
    FLAT_REFERENCE = "flat_reference"
    """No two values of the reference differ: there is no unit to measure a change in."""
    NOTHING_OBSERVED = "nothing_observed"
    TOO_FEW_OBSERVED = "too_few_observed"
    """The detector's window never filled."""


@dataclass(frozen=True, slots=True, eq=False)
class DetectorTrack:
    """A statistic, ``[T]`` or ``[T, K]``; NaN before the window is full, without an observation, or by the reason."""

    statistic: Floats
    reason: tuple[TrackReason, ...]
    """One per column; of a series ``[T]`` one."""


class Detector(Protocol):
    """A detector of features: frozen parameters and a name under which its thresholds are kept."""

    @property
    def name(self) -> str:
        """Name with every parameter that the statistic depends on."""

    def statistics(self, values: ArrayLike, reference: Reference) -> DetectorTrack:
        """Statistic of ``values`` ``[T]`` or ``[T, K]`` against the reference of the same columns."""


def columns_of(values: ArrayLike) -> Floats:
    """``[T]`` or ``[T, K]`` as ``[T, K]`` with NaN for whatever is not finite; ValueError on any other shape."""
    raw: Floats = np.asarray(values, dtype=np.float64)
    if raw.ndim not in (1, 2):
        msg = f"a series or columns are watched, not {raw.shape}"
        raise ValueError(msg)
    columns = raw[:, None] if raw.ndim == 1 else raw
    return np.where(np.isinf(columns), np.nan, columns) if np.isinf(columns).any() else columns


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """Columns with their observations moved to the top, NaN below; and the way back."""

    values: Floats
    there: Flags
    """``[T, K]``: which sessions were observed."""

    def unpack(self, statistic: Floats) -> Floats:
        """Statistic of the packed rows, back at the sessions of its observations, NaN elsewhere."""
        if self.there.all():
            return statistic
        out = np.full(self.there.shape, np.nan)
        out.T[self.there.T] = statistic.T[_top(self.there)]
        return out


def pack(columns: Floats) -> Packed:
    """Move the observations of ``[T, K]`` columns to the top, in their order."""
    there = np.isfinite(columns)
    if there.all():
        return Packed(columns, there)
    values = np.full(columns.shape, np.nan)
    values.T[_top(there)] = columns.T[there.T]
    return Packed(values, there)


def _top(there: Flags) -> Flags:
    """As many rows from the top as were observed, columns first: ``[T, K]`` to ``[K, T]``."""
    top: Flags = np.arange(len(there)) < there.sum(axis=0)[:, None]
    return top


def watched(values: ArrayLike, reference: Reference, statistic: Callable[[Floats, Reference], Floats]) -> DetectorTrack:
    """Apply a statistic of packed standardised columns to raw values, with a reason for each column.

    ``statistic`` takes ``[T, K]`` columns in the reference's units, whose NaN are all at the bottom, with the reference
    of just these columns, and may return anything in the rows of the NaN. ValueError where values and reference do not
    have the same number of columns.
    """
    columns = columns_of(values)
    if columns.shape[1] != len(reference.reason):
        msg = f"{columns.shape[1]} columns against a reference of {len(reference.reason)}"
        raise ValueError(msg)
    packed = pack(columns)
    usable = np.array([each is ReferenceReason.OK for each in reference.reason], dtype=np.bool_)
    found = np.full(columns.shape, np.nan)
    if usable.any() and len(columns):
        part, own = Packed(packed.values[:, usable], packed.there[:, usable]), reference.take(usable)
        found[:, usable] = part.unpack(statistic(own.standardised(part.values), own))
    observed, spoken = any_row(packed.there), any_row(np.isfinite(found))
    reasons = tuple(_reason(*each) for each in zip(reference.reason, observed, spoken, strict=True))
    return DetectorTrack(found[:, 0] if np.ndim(values) == 1 else found, reasons)


def seen(packed: Packed) -> tuple[TrackReason, ...]:
    """Reasons of a detector that needs no reference and no full window."""
    return tuple(TrackReason.WATCHED if each else TrackReason.NOTHING_OBSERVED for each in any_row(packed.there))


def any_row(flags: Flags) -> list[bool]:
    """Which columns of ``[T, K]`` flags are set anywhere."""
    return [bool(column.any()) for column in flags.T]


def _reason(reference: ReferenceReason, observed: bool, found: bool) -> TrackReason:
    if reference is ReferenceReason.SHORT:
        return TrackReason.SHORT_REFERENCE
    if reference is ReferenceReason.FLAT:
        return TrackReason.FLAT_REFERENCE
    if not observed:
        return TrackReason.NOTHING_OBSERVED
    return TrackReason.WATCHED if found else TrackReason.TOO_FEW_OBSERVED
