"""Artefacts: canonical JSON that carries its own digest, so that a changed or damaged one is refused, never run."""

import hashlib
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydra_assets.models.protocol import FeatureState, Floats, ModelError, ModelReason

FORMAT = 2
"""Raised when the content of a kind changes its meaning."""


def canonical(content: Any) -> str:
    """JSON with sorted keys, without spaces, and floats in their shortest exact form; NaN and infinity are refused."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def sha256(text: str) -> str:
    """Digest of a text, as recorded beside it."""
    return hashlib.sha256(text.encode()).hexdigest()


def sealed(kind: str, content: dict[str, Any]) -> str:
    """Write an artefact: kind, format, content and the digest of these three."""
    body = {"kind": kind, "format": FORMAT, "content": content}
    return canonical({**body, "sha256": sha256(canonical(body))})


def opened(text: str, expected_sha256: str | None = None) -> tuple[str, dict[str, Any]]:
    """Kind and content of an artefact.

    Parameters
    ----------
    text
        As `sealed` wrote it.
    expected_sha256
        Digest of the whole text as the registry recorded it. The inner digest shows damage; only this one shows that
        somebody wrote another artefact.

    Raises
    ------
    ModelError
        Where either digest, the format or the structure is wrong.
    """
    if expected_sha256 is not None and sha256(text) != expected_sha256:
        detail = f"digest {sha256(text)[:12]}, {expected_sha256[:12]} was recorded"
        raise ModelError(ModelReason.DAMAGED_ARTEFACT, "sha256", detail)
    try:
        data = json.loads(text)
        recorded = data.pop("sha256")
        kind, version, content = data["kind"], data["format"], data["content"]
    except (ValueError, KeyError, TypeError, AttributeError) as broken:
        raise ModelError(ModelReason.DAMAGED_ARTEFACT, "artefact", f"not readable: {broken!r}") from broken
    if sha256(canonical(data)) != recorded:
        raise ModelError(ModelReason.DAMAGED_ARTEFACT, "sha256", "the content is not what its own digest says")
    if version != FORMAT:
        raise ModelError(ModelReason.DAMAGED_ARTEFACT, "format", f"{version}, this code reads {FORMAT}")
    return kind, content


def numbers(array: Floats) -> list[Any]:
    """Nested lists of floats; -0.0 becomes 0.0 and NaN None."""
    if array.ndim > 1:
        return [numbers(row) for row in array]
    return [None if np.isnan(value) else value + 0.0 for value in array.tolist()]


def array_of(values: list[Any]) -> NDArray[np.float64]:
    """Read back `numbers`; None becomes NaN."""
    return np.array(values, dtype=np.float64)


def states(values: dict[str, str]) -> dict[str, FeatureState]:
    """Read back the columns that a fit left out."""
    return {name: FeatureState(state) for name, state in values.items()}
