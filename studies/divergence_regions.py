"""Both views of a market in the regions of the divergence types: a picture, and tables of types and readings.

``uv run python -m studies.divergence_regions`` draws three years of two made-up autoregressive views whose half-lives
are those of the embedded market. ``--home DIR --market SIM_HE`` draws a market of a home from its lake: options,
real-world densities and CFTC positions, read only. ``--out FILE`` names the PNG.

Left, the plane of the two views: sessions as points where they count (a view in its noise at 0), hatched where a fresh
move of the options makes an early signal. Right, both views in time, the options' with their standard error, over
bands of the session's type.
"""

import argparse
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

from hydra_assets.defs.pictures import png, watermark
from hydra_assets.lake import Lake
from hydra_assets.sentiment.cot_sentiment import cot_sentiment
from hydra_assets.signals.assessment import divergence_signals
from hydra_assets.signals.classification import SignalType
from hydra_assets.signals.options_view import READINGS
from hydra_assets.signals.regions import plane_points, region_map, spans
from studies.targets import show

COLOURS = {
    SignalType.BULLISH_DIVERGENCE: "#1a7f37",
    SignalType.BEARISH_DIVERGENCE: "#b3261e",
    SignalType.SENTIMENT_OVERREACTION: "#e08e0b",
    SignalType.EARLY_SIGNAL: "#7b3fb5",
    SignalType.TREND_FOLLOW: "#1f6fb2",
    SignalType.VOLATILITY_PLAY: "#6b4f3a",
    SignalType.NEUTRAL: "#b9bec4",
    SignalType.ABSENT: "#ffffff",
}
REACH_SD = 3.5
HALF_LIVES = {"lean": 15.0, "crowd": 35.0}
"""Sessions: of the options' view and of the positions in the embedded market."""
MADE_UP = "SIM_MADE_UP"


def made_up(sessions: int = 756, seed: int = 3) -> pl.DataFrame:
    """Divergences of two made-up views; the tail lengthens upwards with the lean, kurtosis jumps now and then."""
    rng = np.random.default_rng(seed)

    def path(half_life: float) -> np.ndarray:
        decay, out = 0.5 ** (1.0 / half_life), np.zeros(sessions)
        shocks = rng.standard_normal(sessions) * np.sqrt(1.0 - decay**2)
        for t in range(1, sessions):
            out[t] = decay * out[t - 1] + shocks[t]
        return out

    lean = path(HALF_LIVES["lean"]) + 0.15 * rng.standard_normal(sessions)
    crowd = np.tanh(0.6 * path(HALF_LIVES["crowd"]))
    kurt = 3.4 + 0.25 * path(10.0) ** 2
    base = pl.DataFrame({"market": MADE_UP, "session": [date(2021, 1, 4) + timedelta(days=i) for i in range(sessions)]})
    columns = {"tilt": (lean, -0.05), "risk_reversal_25": (lean, 0.02), "skew": (lean, 0.3), "kurt": (kurt, 1.0)}
    moments = base.with_columns(
        pl.lit("60d").alias("tenor"),
        pl.lit("B").alias("grade"),
        *(pl.Series(name, scale * values) for name, (values, scale) in columns.items()),
        *(pl.Series(f"{name}_se", np.full(sessions, abs(scale) * 0.15)) for name, (_, scale) in columns.items()),
    )
    real_world = pl.DataFrame(
        schema={
            "market": pl.String,
            "session": pl.Date,
            "days_to_expiry": pl.Int64,
            "expected_return": pl.Float64,
            "expected_return_se": pl.Float64,
            "real_world_reason": pl.String,
        }
    )
    sentiment = base.with_columns(pl.Series("sentiment_score", crowd), pl.lit(0.8).alias("sentiment_confidence"))
    return divergence_signals(moments, real_world, sentiment, base)


def of_home(home: Path, market: str) -> pl.DataFrame:
    """Divergences of one market from what a home's lake holds."""
    lake = Lake(str(home / "lake"))
    rows = {
        name: lake.read(name, markets=[market])
        for name in ("implied_moments", "real_world_density", "cot_positions", "futures_curve")
    }
    sessions = rows["futures_curve"].select("market", "session").unique().sort("market", "session")
    crowd = cot_sentiment(rows["cot_positions"], sessions)
    return divergence_signals(rows["implied_moments"], rows["real_world_density"], crowd, sessions)


def draw_plane(axes: Axes, signals: pl.DataFrame) -> None:
    """Regions, and the sessions in them."""
    calm, fresh = region_map(reach_sd=REACH_SD), region_map(reach_sd=REACH_SD, fresh=True)
    order = [str(kind) for kind in COLOURS]
    code = np.searchsorted(np.sort(order), calm.kind)
    colours = ListedColormap([COLOURS[SignalType(kind)] for kind in np.sort(order).tolist()])
    axes.pcolormesh(calm.sentiment_z, calm.options_z, code, cmap=colours, vmin=-0.5, vmax=len(order) - 0.5, alpha=0.35)
    early = (fresh.kind == SignalType.EARLY_SIGNAL).astype(np.float64)
    axes.contourf(fresh.sentiment_z, fresh.options_z, early, levels=[0.5, 1.5], colors="none", hatches=["///"])
    points = plane_points(signals)
    for kind, colour in COLOURS.items():
        part = points.filter(pl.col("divergence_type") == kind)
        axes.scatter(part["sentiment_z"], part["options_z"], s=9, color=colour, edgecolor="black", linewidth=0.3)
    axes.set(xlim=(-REACH_SD, REACH_SD), ylim=(-REACH_SD, REACH_SD), title="regions")
    axes.set_xlabel("sentiment, standard deviations of its past")
    axes.set_ylabel("options, standard deviations of their past")
    axes.axhline(0.0, color="grey", linewidth=0.5)
    axes.axvline(0.0, color="grey", linewidth=0.5)


def draw_time(axes: Axes, signals: pl.DataFrame) -> None:
    """Both views in time over bands of the type."""
    day = timedelta(days=1)
    for _, first, last, _, kind in spans(signals).iter_rows():
        axes.axvspan(first, last + day, color=COLOURS[SignalType(kind)], alpha=0.35, linewidth=0)
    rows = signals.sort("session")
    there = pl.col("divergence_type") != SignalType.ABSENT
    # Absent sessions break the lines.
    x = rows["session"].to_numpy()
    z, se, crowd = (
        rows.select(pl.when(there).then(pl.col(name)).cast(pl.Float64).fill_null(np.nan)).to_series().to_numpy()
        for name in ("options_z", "options_z_se", "sentiment_z")
    )
    axes.fill_between(x, z - se, z + se, color="black", alpha=0.2, linewidth=0)
    axes.plot(x, z, color="black", linewidth=0.9, label="options, with standard error")
    axes.plot(x, crowd, color="#d81b60", linewidth=0.9, label="sentiment")
    axes.set(ylim=(-REACH_SD, REACH_SD), title="both views in time", ylabel="standard deviations of the past")
    axes.legend(loc="upper left", fontsize=8)


def picture(signals: pl.DataFrame, market: str) -> bytes:
    """PNG of one market's divergences."""
    figure, (plane, time) = plt.subplots(1, 2, figsize=(15, 6), dpi=100, width_ratios=[1, 1.5], layout="constrained")
    draw_plane(plane, signals)
    draw_time(time, signals)
    patches = [Patch(color=colour, alpha=0.6, label=str(kind).replace("_", " ")) for kind, colour in COLOURS.items()]
    figure.legend(handles=patches[:-1], loc="outside lower center", ncols=len(patches) - 1, fontsize=8)
    figure.suptitle(f"Options and sentiment, {market}")
    watermark(figure, [market])
    try:
        return png(figure)
    finally:
        plt.close(figure)


def counts(signals: pl.DataFrame) -> pl.DataFrame:
    """Sessions, share and runs per type, and the mean confidence."""
    runs = spans(signals).group_by("divergence_type").agg(pl.len().alias("runs"))
    return (
        signals.group_by("divergence_type")
        .agg(
            pl.len().alias("sessions"),
            pl.col("divergence_confidence").mean().alias("confidence"),
            pl.col("divergence_direction").mean().alias("mean_direction"),
        )
        .with_columns((pl.col("sessions") / signals.height).alias("share"))
        .join(runs, on="divergence_type")
        .sort("sessions", descending=True)
    )


def readings(signals: pl.DataFrame) -> pl.DataFrame:
    """How each reading of the options goes with the tilt, and the share of its sessions inside its noise."""
    return pl.concat(
        signals.select(
            pl.lit(name).alias("reading"),
            pl.corr("tilt_z", f"{name}_z").alias("correlation_with_tilt"),
            pl.col(f"{name}_noise").mean().alias("share_in_noise"),
            pl.col(f"{name}_z").count().alias("sessions"),
        )
        for name in READINGS
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw, print, and say where the picture is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--market", default="SIM_HE")
    parser.add_argument("--out", type=Path, default=Path("divergence_regions.png"))
    given = parser.parse_args(arguments)
    mpl.use("Agg")
    market = given.market if given.home else MADE_UP
    signals = of_home(given.home, market) if given.home else made_up()
    if plane_points(signals).is_empty():
        reasons = signals["divergence_reason"].value_counts(sort=True).rows()
        print(f"{market}: no session has both views: {reasons}")
        return 1
    given.out.write_bytes(picture(signals, market))
    show(counts(signals))
    show(readings(signals))
    print(given.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
