"""What the real-world density's tests and fit can do, by simulation: size, power, and what the adjustment gains.

    uv run python -m studies.real_world

Part one draws independent uniforms and counts rejections at 5 %. Part two draws markets of monthly expiries whose
risk-neutral density is a lognormal of 30 % vol, and whose outcomes have another mean or sd (in units of the risk-
neutral sd): the share of markets in which each test rejects, the mean out-of-sample gain in log score per scored
expiry, and the share in which that is better than two of its own standard errors. Seeds are fixed.
"""

from datetime import date, timedelta

import numpy as np
import polars as pl
from scipy.stats import chi2, norm

from hydra_assets.options.density import Z_GRID
from hydra_assets.options.real_world_score import score, uniformity
from hydra_assets.options.uniformity import berkowitz_ratio, raw_moments_statistic

UNIT = 0.30 * np.sqrt(30.0 / 365.0)
REPLICATIONS = 40_000
MARKETS = 100
LENGTHS = (12, 20, 24, 40, 60, 120)
WORLDS = {
    "as the market says": (0.0, 1.0),
    "premium 0.1 sd": (0.1, 1.0),
    "premium 0.25 sd": (0.25, 1.0),
    "sd 15 % too high": (0.0, 0.85),
    "sd 30 % too high": (0.0, 0.7),
    "both": (0.25, 0.85),
}
EXPIRIES = (60, 120)


def market(z: np.ndarray) -> pl.DataFrame:
    """Observations of one market, coming out at z standard deviations from the mean of the log."""
    n = len(z)
    days = [date(2010, 1, 4) + timedelta(30 * i) for i in range(n + 1)]
    return pl.DataFrame(
        {
            "market": ["SIM"] * n,
            "expiry": [d - timedelta(1) for d in days[1:]],
            "underlying_contract": [f"SIM{i:03d}" for i in range(n)],
            "session": days[:-1],
            "known_session": days[1:],
            "unit": [UNIT] * n,
            "density": [norm.pdf(Z_GRID + 0.5 * UNIT).tolist()] * n,
            "log_return": UNIT * (z - 0.5 * UNIT),
        }
    )


def size() -> None:
    """Print the rejection rates of independent uniforms."""
    print("| n | Berkowitz 10 % | 5 % | 1 % | raw moments 10 % | 5 % | 1 % |\n|---|---|---|---|---|---|---|")
    rng = np.random.default_rng(7)
    for n in LENGTHS:
        u = rng.uniform(size=(REPLICATIONS, n))
        rates = [
            100.0 * float((statistic > chi2.ppf(1.0 - level, degrees)).mean())
            for statistic, degrees in ((berkowitz_ratio(u), 3), (raw_moments_statistic(u), 4))
            for level in (0.10, 0.05, 0.01)
        ]
        print(f"| {n} | " + " | ".join(f"{rate:.1f}" for rate in rates) + " |")


def markets() -> None:
    """Print rejections and gains of simulated markets."""
    print(
        "\n| world | expiries | density | Berkowitz rejects, % | raw moments reject, % | mean gain | gain > 2 se, % |"
    )
    print("|---|---|---|---|---|---|---|")
    for world, (mean, sd) in WORLDS.items():
        for n in EXPIRIES:
            rng = np.random.default_rng(n)
            scored = [score(market(mean + sd * rng.standard_normal(n))) for _ in range(MARKETS)]
            judged = pl.concat([uniformity(s) for s in scored]).filter(pl.col("sample") == "fitted")
            gain = np.array([s["mean_gain"][-1] for s in scored])
            better = gain > 2.0 * np.array([s["mean_gain_se"][-1] for s in scored])
            for density in ("risk_neutral", "real_world"):
                rejects = [
                    100.0 * float((rows["p_value"] < 0.05).mean() or 0.0)  # type: ignore[arg-type]
                    for test in ("berkowitz", "knueppel_raw_moments")
                    for rows in [judged.filter(pl.col("density") == density, pl.col("test") == test)]
                ]
                shown = f"{gain.mean():+.4f} | {100.0 * better.mean():.0f}" if density == "real_world" else "|"
                print(f"| {world} | {n} | {density} | {rejects[0]:.0f} | {rejects[1]:.0f} | {shown} |")


if __name__ == "__main__":
    size()
    markets()
