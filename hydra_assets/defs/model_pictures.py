"""Pictures of models."""

import numpy as np

from hydra_assets.defs.pictures import canvas, png


def bars(names: list[str], values: list[float], title: str, unit: str, markets: list[str]) -> bytes | None:
    """Horizontal bars, largest on top."""
    if not names:
        return None
    order = np.argsort(values)
    with canvas(title, markets) as (figure, axes):
        axes.barh([names[i] for i in order], [values[i] for i in order])
        axes.set_xlabel(unit)
        axes.tick_params(axis="y", labelsize=7)
        return png(figure)
