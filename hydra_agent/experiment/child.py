"""The process of one experiment: ``python -m hydra_agent.experiment.child SNAPSHOT FOLDER``.

Reads the frames and the recipe, walks the recipe forward, and writes the predictions and then the result, which is what
says that they are whole. It has no database, no registry and no secret, and before anything else gives up the network.
"""

import ctypes
import hashlib
import json
import os
import resource
import socket
import sys
from pathlib import Path
from time import perf_counter
from typing import Any, NoReturn

NEW_USER_AND_NETWORK = 0x10000000 | 0x40000000
DIE_WITH_PARENT = 1
REFUSED = "an experiment has no network"


def give_up_network() -> str:
    """Leave the network for good; says how: by a namespace of its own, or by refusing every socket."""
    libc = ctypes.CDLL(None, use_errno=True)
    how = "refused"
    if hasattr(libc, "unshare") and libc.unshare(NEW_USER_AND_NETWORK) == 0:
        how = "namespace"

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise OSError(REFUSED)

    socket.socket.connect = refuse  # type: ignore[method-assign]  # whatever tries, tries through this
    socket.socket.connect_ex = refuse  # type: ignore[method-assign]  # likewise
    socket.socket.sendto = refuse  # type: ignore[method-assign]  # likewise
    socket.socket.sendmsg = refuse  # type: ignore[method-assign]  # likewise
    socket.getaddrinfo = refuse
    return how


def hold_to(limits: dict[str, int]) -> None:
    """Set the limits that the kernel keeps; end with the process that started this one."""
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "prctl"):
        libc.prctl(DIE_WITH_PARENT, 9, 0, 0, 0)
    for name, value in limits.items():
        kind = getattr(resource, name)
        _, hard = resource.getrlimit(kind)
        # A limit that is stricter already stays; only its owner could raise it.
        own = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (own, own))
    os.nice(5)


def main(arguments: list[str]) -> int:
    """Run one experiment; 0 where a result was written, also where the recipe could not be trained."""
    snapshot, folder = Path(arguments[0]), Path(arguments[1])
    hold_to(json.loads((folder / "limits.json").read_text(encoding="utf-8")))
    network = give_up_network()
    import polars as pl  # noqa: PLC0415  threads and memory only after the limits hold

    from hydra_agent.experiment.task import FEATURES_FILE, LABELS_FILE, PREDICTIONS, RECIPE, RESULT  # noqa: PLC0415
    from hydra_assets.models.out_of_fold import out_of_fold  # noqa: PLC0415
    from hydra_assets.models.protocol import ModelError  # noqa: PLC0415
    from hydra_assets.models.recalibrated import recalibrated  # noqa: PLC0415
    from hydra_assets.models.recipe import Recipe  # noqa: PLC0415

    began = perf_counter()
    recipe = Recipe.model_validate_json((folder / RECIPE).read_text(encoding="utf-8"))
    features, labels = (pl.read_parquet(snapshot / name) for name in (FEATURES_FILE, LABELS_FILE))
    result: dict[str, Any] = {"network": network, "recipe_sha256": recipe.sha256, "snapshot": snapshot.name}
    try:
        walked = out_of_fold(features, labels, recipe)
        found = recalibrated(walked.predictions, labels, recipe)
    except ModelError as error:
        result |= {"trained": False, "reason": str(error.reason), "message": str(error)}
    else:
        temporary = folder / f"{PREDICTIONS}.tmp"
        found.write_parquet(temporary)
        content = temporary.read_bytes()
        temporary.replace(folder / PREDICTIONS)
        result |= {"trained": True, "rows": found.height, "predictions_sha256": hashlib.sha256(content).hexdigest()}
    result["seconds"] = round(perf_counter() - began, 3)
    temporary = folder / f"{RESULT}.tmp"
    temporary.write_text(json.dumps(result, sort_keys=True), encoding="utf-8")
    temporary.replace(folder / RESULT)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
