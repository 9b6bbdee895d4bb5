"""Features binned once for LightGBM, for many folds or mutations to share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hydra_assets.models.protocol import Floats, Ints, ModelError, ModelReason, checked_names

if TYPE_CHECKING:
    from hydra_assets.models.lightgbm_model import LightGbm

THREADS = 1
"""A few thousand rows train as fast on one thread, and threads that spin starve whatever runs beside them: with two
beside other work the same 48 folds took eight times as long. Folds in parallel use the cores instead."""


@dataclass(frozen=True, slots=True)
class SharedBins:
    """Rows binned once for many folds, as every fold whose training rows hold ``edge_rows`` may use them.

    Bin edges are quantiles of a feature. Taken over all rows they would know later values: no label, but where later
    quantiles lie, whether a feature ever varies, and which of two values is told apart. That is look-ahead, small and
    real: a change of the future would change the bytes of a past model. So the edges are of ``edge_rows`` only, the
    training rows of the *first* fold that uses them; the other rows are put into those edges, one by one. What that
    costs: a feature that is constant or missing there cannot be split until the edges are taken anew, and values beyond
    the old range share the outermost bin. Hence `hydra_assets.models.factory.fit_folds` takes new edges every few
    folds.
    """

    matrix: Floats
    feature_names: tuple[str, ...]
    max_bin: int
    dataset: Any

    @staticmethod
    def of(spec: "LightGbm", matrix: Floats, edge_rows: Ints, feature_names: Sequence[str]) -> "SharedBins":
        """Bin rows ``[n, f]`` by the edges of some of them."""
        import lightgbm  # noqa: PLC0415

        rows = np.ascontiguousarray(matrix, dtype=np.float64)
        names = checked_names(rows, feature_names)
        if not len(edge_rows):
            raise ModelError(ModelReason.TOO_FEW_ROWS, "edge_rows", "no rows to take bin edges from")
        parameters = bin_parameters(spec.max_bin)
        edges = lightgbm.Dataset(
            rows[edge_rows], label=np.zeros(len(edge_rows)), feature_name=list(names), params=parameters
        ).construct()
        binned = lightgbm.Dataset(rows, label=np.zeros(len(rows)), reference=edges, params=parameters).construct()
        return SharedBins(rows, names, spec.max_bin, binned)


def bin_parameters(max_bin: int) -> dict[str, Any]:
    """LightGBM's parameters of a dataset."""
    return {
        "max_bin": max_bin,
        # Else the bins would depend on a leaf's least rows, and could not be shared by mutations that move it.
        "feature_pre_filter": False,
        # Its scikit-learn wrapper and OMP_NUM_THREADS disagree; the number is said here.
        "num_threads": THREADS,
        "verbosity": -1,
    }
