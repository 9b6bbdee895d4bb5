"""Tables of ``studies.detector_nulls``: false alarms at the stored thresholds, delays behind a change, run lengths."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from scipy.stats import kstwobign

from hydra_assets.stats.detectors.calibration import CalibrationCusum
from hydra_assets.stats.detectors.cusum import Cusum
from hydra_assets.stats.detectors.edge import EdgeCusum
from hydra_assets.stats.detectors.kolmogorov import KolmogorovSmirnov
from hydra_assets.stats.detectors.page_hinkley import PageHinkley
from hydra_assets.stats.detectors.psi import Psi
from hydra_assets.stats.detectors.reference import Reference
from hydra_assets.stats.detectors.thresholds import BUDGET, Purpose, table, threshold_for
from hydra_assets.stats.detectors.track import Detector
from studies.detector_draws import OUTCOME_NULLS, RETURN_NULLS, draw, outcomes

Floats = NDArray[np.float64]

REFERENCE, BEFORE, AFTER = 504, 150, 500
DELAY_NULLS = ("normal", "student t4", "AR 0.3", "AR 0.9", "GARCH t")
SHIFTS = (0.5, 1.0, 2.0)
FACT_REFERENCE, FACT_LIVE = 252, 6000


def rate_table() -> Table:
    """Alarms per market-year of the whole panel at each stored threshold, on panels that were not used to find it."""
    out = Table(
        "detector", "rate", "threshold", "measured on each null (standard error)", title="false alarms per year"
    )
    for name, entry in table()["detectors"].items():
        for row in entry["thresholds"]:
            cells = [f"{null} {m['rate']:.3f} ({m['standard_error']:.3f})" for null, m in row["measured"].items()]
            out.add_row(name, f"{row['rate']:g}", f"{row['threshold']:g}", ", ".join(cells))
    return out


def budget_table() -> Table:
    """Show the worst null of each purpose at its share, and their sum against one alarm per market-year."""
    out = Table(
        "purpose", "detector", "share", "threshold", "worst null", title="the budget of one alarm per market-year"
    )
    total = 0.0
    for purpose, detector in (
        (Purpose.FEATURES, Cusum(0.5)),
        (Purpose.CALIBRATION, CalibrationCusum(2.0)),
        (Purpose.PERFORMANCE, EdgeCusum(0.126, 0.0)),
    ):
        found = threshold_for(detector, BUDGET[purpose])
        row = next(r for r in table()["detectors"][detector.name]["thresholds"] if r["rate"] == found.alarms_per_year)
        null, worst = max(row["measured"].items(), key=lambda item: item[1]["rate"])
        total += worst["rate"]
        out.add_row(
            purpose.value, detector.name, f"{BUDGET[purpose]:g}", f"{found.value:g}", f"{worst['rate']:.3f} {null}"
        )
    out.add_row("sum, with the share of what else is watched", "", "1", "", f"{total + BUDGET[Purpose.OTHER]:.3f}")
    return out


def median_delay(statistic: Floats, threshold: float, start: int) -> str:
    """Median over columns of the sessions from change to alarm, both counted; without columns that alarmed before."""
    clear = ~(statistic[:start] > threshold).any(axis=0)
    after = statistic[start:, clear] > threshold
    delay = np.where(after.any(axis=0), after.argmax(axis=0) + 1.0, np.inf)
    middle = float(np.median(delay))
    return f"{middle:.0f}" if np.isfinite(middle) else f"> {len(after)}"


def delay_tables(
    detectors: Sequence[Detector],
    charts: Sequence[CalibrationCusum],
    edges: Sequence[EdgeCusum],
    columns: int,
) -> list[Table]:
    """Median delays in sessions, each detector with the whole share of its purpose to itself."""
    shifts = " / ".join(f"{s:g}" for s in SHIFTS)
    feature = Table("detector", "threshold", *DELAY_NULLS, title=f"features: delay behind {shifts} standard deviations")
    for detector in detectors:
        h = threshold_for(detector, BUDGET[Purpose.FEATURES]).value
        cells = []
        for null in DELAY_NULLS:
            values = draw(null, np.random.default_rng(7), REFERENCE + BEFORE + AFTER, columns)
            reference, live = Reference.fit(values[:REFERENCE]), values[REFERENCE:]
            step = (np.arange(len(live)) >= BEFORE)[:, None]
            cells.append(
                " / ".join(
                    median_delay(detector.statistics(live + s * step, reference).statistic, h, BEFORE) for s in SHIFTS
                )
            )
        feature.add_row(detector.name, f"{h:g}", *cells)
    calibration = Table("chart", "threshold", *OUTCOME_NULLS, title="calibration: delay behind odds x 1.5 / 2 / 3")
    for chart in charts:
        h = threshold_for(chart, BUDGET[Purpose.CALIBRATION]).value
        rows = []
        for null in OUTCOME_NULLS:
            cells = []
            for ratio in (1.5, 2.0, 3.0):
                right = outcomes(null, np.random.default_rng(7), BEFORE, columns)
                wrong = outcomes(null, np.random.default_rng(8), AFTER, columns, ratio)
                y, p = (np.concatenate(pair) for pair in zip(right, wrong, strict=True))
                cells.append(median_delay(chart.statistics(y, p).statistic, h, BEFORE))
            rows.append(" / ".join(cells))
        calibration.add_row(chart.name, f"{h:g}", *rows)
    performance = Table(
        "detector", "threshold", *RETURN_NULLS, title="performance: delay behind the fall it is made for"
    )
    for edge in edges:
        h = threshold_for(edge, BUDGET[Purpose.PERFORMANCE]).value
        cells = []
        for null in RETURN_NULLS:
            live = draw(null, np.random.default_rng(7), BEFORE + AFTER, columns)
            live[:BEFORE] += edge.fall
            cells.append(median_delay(edge.statistics(live).statistic, h, BEFORE))
        performance.add_row(edge.name, f"{h:g}", *cells)
    return [feature, calibration, performance]


def fact_table(columns: int) -> Table:
    """Mean run length to the first alarm of customary settings: 252 sessions of reference, levels not whitened."""
    n, m = 60, FACT_REFERENCE
    scaled = float(kstwobign.isf(0.05))
    settings: list[tuple[str, Detector, float]] = [
        ("PSI > 0.2", Psi(), 0.2),
        ("PSI > 0.25", Psi(), 0.25),
        ("KS p < 0.05 (asymptotic)", KolmogorovSmirnov(n), scaled),
        ("CUSUM k 0.5 h 5", Cusum(0.5, clip=50.0), 5.0),
        ("CUSUM k 0.5 h 8", Cusum(0.5, clip=50.0), 8.0),
        ("Page-Hinkley 50", PageHinkley(clip=50.0), 50.0),
    ]
    nulls = ("normal", "student t4", "AR 0.3")
    out = Table("customary setting", *nulls, title=f"sessions to the first false alarm, reference of {m}")
    for label, detector, h in settings:
        cells = []
        for null in nulls:
            values = draw(null, np.random.default_rng(9), FACT_REFERENCE + FACT_LIVE, columns)
            reference = Reference.fit(values[:FACT_REFERENCE], whiten=False)
            above = detector.statistics(values[FACT_REFERENCE:], reference).statistic > h
            first = np.where(above.any(axis=0), above.argmax(axis=0) + 1, FACT_LIVE)
            never = float((~above.any(axis=0)).mean())
            cells.append(f"{first.mean():.0f}" + (f" ({never:.0%} never in {FACT_LIVE})" if never else ""))
        out.add_row(label, *cells)
    return out
