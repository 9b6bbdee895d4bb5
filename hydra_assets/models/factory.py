"""Models from configuration and from artefacts, and the fit of one specification to many folds."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, TypeAdapter

from hydra_assets.models.artefact import opened
from hydra_assets.models.baseline import BaseRate
from hydra_assets.models.bins import SharedBins
from hydra_assets.models.ensemble import Ensemble
from hydra_assets.models.lightgbm_model import LightGbm
from hydra_assets.models.linear import Logistic
from hydra_assets.models.network import Network
from hydra_assets.models.protocol import Fitted, Floats, Ints, ModelError, ModelReason
from hydra_assets.models.regime_model import FittedRegimes, Regimes, read_member

ModelSpec = Annotated[LightGbm | Logistic | Network | BaseRate | Ensemble | Regimes, Field(discriminator="kind")]
"""A specification; ``kind`` says which. Use it as the type of a field of configuration."""

BASELINES: tuple[ModelSpec, ...] = (Logistic(), BaseRate())
"""What is always trained beside a model."""

FOLDS_PER_EDGES = 12
"""Folds that share bin edges. With monthly folds the edges are at most a year older than the rows they bin; 48 folds
then pay for 4 binnings of all rows, where 48 of their own would cost about a fifth of the whole training."""


@dataclass(frozen=True, slots=True)
class Sharing:
    """How folds share work. No field changes a byte but ``folds_per_edges``, and that one only of LightGBM."""

    workers: int = 1
    """Threads that fit LightGBM folds side by side, one core each. Other kinds fit one by one: they take milliseconds,
    and the limit on BLAS threads is the process's."""
    folds_per_edges: int = FOLDS_PER_EDGES
    """LightGBM folds that share the bin edges of the first of them; 1 gives every fold its own."""


_SPECIFICATION: TypeAdapter[ModelSpec] = TypeAdapter(ModelSpec)


def model_spec(configuration: object) -> ModelSpec:
    """Validate configuration (a mapping with ``kind``) into a specification; pydantic's ValidationError otherwise."""
    return _SPECIFICATION.validate_python(configuration)


def from_json(text: str, sha256: str | None = None) -> Fitted:
    """Read an artefact of any kind; ModelError where it is damaged, unknown, or not the one whose digest is given."""
    kind, content = opened(text, sha256)
    try:
        return FittedRegimes.from_content(content) if kind == "regimes" else read_member(kind, content)
    except ModelError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError) as broken:
        raise ModelError(ModelReason.DAMAGED_ARTEFACT, "content", f"of {kind}: {broken!r}") from broken


def fit_folds(
    spec: ModelSpec,
    matrix: Floats,
    target: Floats,
    weights: Sequence[Floats],
    folds: Sequence[Ints],
    feature_names: Sequence[str],
    seed: int,
    sharing: Sharing = Sharing(),
) -> list[Fitted]:
    """Fit a specification to the training rows of each fold.

    Parameters
    ----------
    spec
        The specification.
    matrix, target
        ``[n, f]`` and ``[n]`` in the order of time. A target that is never trained on may be NaN.
    weights
        One ``[k]`` per fold, for its training rows: overlap is counted within the fold.
    folds
        Increasing row indices ``[k]`` of each fold's purged training rows, in the order of time.
    feature_names
        ``f`` names.
    seed
        The same for every fold.
    sharing
        Threads and bin edges. Shared edges are for walk-forward folds, where whatever an earlier fold trained on was
        known to the later ones; combinatorial folds take ``Sharing(folds_per_edges=1)``.

    Returns
    -------
    One fitted model per fold. Fold ``i`` depends on its own rows and on the *features* of the training rows of the
    first fold of its block, which is not after it.

    Raises
    ------
    ModelError
        As ``fit`` does, or where folds that share edges are not in the order of time.
    """
    found = fit_each(spec, matrix, target, weights, folds, feature_names, seed, sharing)
    for one in found:
        if isinstance(one, ModelError):
            raise one
    return [one for one in found if not isinstance(one, ModelError)]


def fit_each(
    spec: ModelSpec,
    matrix: Floats,
    target: Floats,
    weights: Sequence[Floats],
    folds: Sequence[Ints],
    feature_names: Sequence[str],
    seed: int,
    sharing: Sharing = Sharing(),
) -> list[Fitted | ModelError]:
    """Fit as ``fit_folds`` does, with the error in the place of a fold that cannot carry the fit.

    Raises
    ------
    ModelError
        Where the arguments do not fit each other, or folds that share edges are not in the order of time.
    """
    if len(weights) != len(folds):
        raise ModelError(ModelReason.SHAPE, "weights", f"{len(weights)} arrays for {len(folds)} folds")
    bins: list[SharedBins | None] = []
    if isinstance(spec, LightGbm):
        for start in range(0, len(folds), sharing.folds_per_edges):
            block = folds[start : start + sharing.folds_per_edges]
            bins += [_shared_bins(spec, matrix, block, feature_names)] * len(block)

    def fit(fold: int) -> Fitted | ModelError:
        rows = folds[fold]
        shared = bins[fold] if bins else None
        try:
            if isinstance(spec, LightGbm) and shared is not None:
                return spec.fit_on_bins(shared, rows, target[rows], weights[fold], seed)
            return spec.fit(matrix[rows], target[rows], weights[fold], feature_names, seed)
        except ModelError as error:
            return error

    # Kinds that fit in milliseconds stay on one thread: the limit on BLAS threads is the process's.
    with ThreadPoolExecutor(max_workers=sharing.workers if bins else 1) as pool:
        return list(pool.map(fit, range(len(folds))))


def _shared_bins(
    spec: LightGbm, matrix: Floats, block: Sequence[Ints], feature_names: Sequence[str]
) -> SharedBins | None:
    """Bins of a block of folds by the edges of its first one, which is after none of them; None without rows."""
    last = [int(rows.max(initial=-1)) for rows in block]
    if last != sorted(last):
        raise ModelError(ModelReason.SHAPE, "folds", "folds that share bin edges are not in the order of time")
    if not len(block[0]):
        return None
    # Rows after the block's last training row are nobody's here.
    return SharedBins.of(spec, matrix[: last[-1] + 1], block[0], feature_names)
