"""``docs/images/smile.png``: a fitted smile with the quotes behind it, and its density, from a simulated home.

    uv run scripts/pictures.py [--market SIM_HE]

Reads the home of the environment after a ``hydra cycle``; refuses a home of real markets.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import polars as pl

from hydra_assets.defs.pictures import watermark
from hydra_assets.home import home_path, read_home
from hydra_assets.lake import Lake
from hydra_assets.options.average import MODELS
from hydra_assets.options.density import Z_GRID
from hydra_assets.options.vol_surface import SliceReason, average_of

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
MIN_DAYS = 30


def draw(lake: Lake, market: str, target: Path) -> str:
    """Draw the best-quoted slice of the newest session; the sentence that stands under it."""
    import matplotlib.pyplot as plt  # noqa: PLC0415  after the backend is chosen by defs.pictures

    surface = lake.read("vol_surface", markets=[market]).filter(
        (pl.col("slice_reason") == SliceReason.OK) & (pl.col("days_to_expiry") >= MIN_DAYS)
    )
    newest = surface.filter(pl.col("session") == surface["session"].max())
    one = newest.sort("quotes_used", descending=True).head(1)
    session, expiry, years = one.select("session", "expiry", "year_fraction").row(0)
    used = lake.read("implied_vols", markets=[market], first=session, last=session).filter(
        (pl.col("expiry") == expiry) & pl.col("iv").is_not_null()
    )
    density = lake.read("implied_density", markets=[market], first=session, last=session).filter(
        pl.col("expiry") == expiry
    )
    average = average_of(one)
    unit = float(density["density_unit"][0])
    k = np.linspace(-3.0, 3.0, 241)[None, :] * unit

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), dpi=110, layout="constrained")
    for name, model, weight in zip(MODELS, average.models, average.weights[0], strict=True):
        if weight > 0.0:
            vol = 100 * np.sqrt(model.total_variance(k)[0] / years)
            left.plot(k[0], vol, linewidth=1, linestyle="--", label=f"{name}, weight {weight:.2f}")
    left.plot(k[0], 100 * np.sqrt(average.total_variance(k)[0] / years), color="tab:blue", label="average")
    mid, half = used["iv"].to_numpy(), used["iv_half_spread"].to_numpy()
    left.vlines(
        used["log_moneyness"].to_numpy(),
        100 * (mid - half),
        100 * (mid + half),
        color="black",
        alpha=0.6,
        label="quotes, bid to offer",
    )
    left.set(xlabel="ln(strike / forward)", ylabel="implied volatility, % a year", title="Smile")
    right.plot(Z_GRID, density["density"][0].to_numpy(), color="tab:blue", label="implied")
    normal = np.exp(-0.5 * (Z_GRID + 0.5 * unit) ** 2) / np.sqrt(2 * np.pi)
    right.plot(Z_GRID, normal, color="grey", linestyle=":", label="lognormal, same volatility")
    right.set(xlabel="ln(S/F) in at-the-money deviations", xlim=(-4, 4), title="Risk-neutral density")
    for axes in (left, right):
        axes.grid(visible=True, alpha=0.3)
        axes.legend(fontsize=8, loc="best")
    figure.suptitle(f"{market}, session {session}, options expiring {expiry}")
    watermark(figure, [market])
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, metadata={"Software": None})
    plt.close(figure)
    return f"{market} {session}, expiry {expiry}: {used.height} of {one['quotes_seen'][0]} quotes used"


def main() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--market", help="a market of the home; its first if none")
    home = home_path()
    config = read_home(home)
    market = parser.parse_args().market or config.markets[0]
    if config.kind != "simulated":
        print("pictures of the documentation come from a simulated home", file=sys.stderr)
        return 1
    print(draw(Lake(str(home / "lake")), market, IMAGES / "smile.png"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
