"""From measured rows to the benchmark's table: regrets, rates and targets, each with its bound."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import polars as pl
from scipy.stats import beta

from hydra_agent.healbench.case import Setting
from hydra_agent.healbench.measure import SOON
from hydra_agent.healbench.policies.simple import DO_NOTHING, ORACLE
from hydra_assets.stats.returns import SESSIONS_PER_YEAR

HYDRA, MISLED = "hydra", "hydra, hostile LLM"
RETRAINS = ("retrain 21", "retrain 63", "retrain 126")
HEADLINE_FAULTS = ("F1", "F2", "F3", "F4", "F5", "F6", "F7")
COSTLY = 0.1
"""Share of the profit after a fault, of which all of the interval has to be above it."""
LEAST_WORLDS = 6
CONFIDENCE = 0.95
RESAMPLES, RESAMPLE_SEED = 2000, 20261121


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval; NaN where there is nothing to estimate it from."""

    value: float
    low: float
    high: float
    of: int = 0

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def share(hits: int, of: int) -> Estimate:
    """A share with one-sided Clopper-Pearson bounds at ``CONFIDENCE`` each."""
    if of < 1:
        return Estimate(float("nan"), 0.0, 1.0, 0)
    low = float(beta.ppf(1.0 - CONFIDENCE, hits, of - hits + 1)) if hits else 0.0
    high = float(beta.ppf(CONFIDENCE, hits + 1, of - hits)) if hits < of else 1.0
    return Estimate(hits / of, low, high, of)


def resampled(rows: np.ndarray[tuple[int, ...], np.dtype[np.float64]], figure: Callable[..., float]) -> Estimate:
    """A figure of columns summed over worlds ``[worlds, k]``, with its 90 % bootstrap interval over worlds.

    Fewer than ``LEAST_WORLDS`` have no interval: drawn again and again, one world is always the same.
    """
    nothing = float("nan")
    if not len(rows):
        return Estimate(nothing, nothing, nothing)
    if len(rows) < LEAST_WORLDS:
        return Estimate(figure(*rows.sum(axis=0)), nothing, nothing, len(rows))
    choice = np.random.default_rng(RESAMPLE_SEED).integers(len(rows), size=(RESAMPLES, len(rows)))
    found = np.array([figure(*total) for total in rows[choice].sum(axis=1)])
    low, high = np.nanquantile(found, [0.05, 0.95]) if np.isfinite(found).any() else (nothing, nothing)
    return Estimate(figure(*rows.sum(axis=0)), float(low), float(high), len(rows))


def regret(frame: pl.DataFrame, fault: str, policy: str) -> Estimate:
    """(R - R_oracle) / (R_nothing - R_oracle) of sums over worlds and variants, expected net after the fault."""
    return resampled(_values(frame, fault, (policy, DO_NOTHING, ORACLE)), _regret)


def _regret(own: float, nothing: float, oracle: float) -> float:
    return (own - oracle) / (nothing - oracle) if nothing != oracle else float("nan")


def loss(frame: pl.DataFrame, fault: str, policy: str) -> Estimate:
    """Share of do nothing's expected profit that a policy loses over the whole reign."""
    return resampled(
        _values(frame, fault, (policy, DO_NOTHING), "value_reign"), lambda own, nothing: 1.0 - own / nothing
    )


def _values(
    frame: pl.DataFrame, fault: str, policies: Sequence[str], name: str = "value"
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    of = frame.filter(pl.col("fault") == fault)
    sides = [of.filter(pl.col("policy") == each).sort("variant", "seed")[name].to_numpy() for each in policies]
    return np.stack(sides, axis=1) if all(len(side) == len(sides[0]) for side in sides) else np.empty((0, len(sides)))


def damage(frame: pl.DataFrame, fault: str) -> Estimate:
    """Share of do nothing's profit after the fault's session that the fault takes: the same worlds with and without."""
    of = frame.filter((pl.col("fault") == fault) & (pl.col("policy") == DO_NOTHING))
    return resampled(of.select("value", "undamaged").to_numpy(), lambda value, undamaged: 1.0 - value / undamaged)


def costly(frame: pl.DataFrame) -> list[str]:
    """Faults of the headline that cost something, by all of the interval if there is one: what there is to heal."""
    found = {fault: damage(frame, fault) for fault in HEADLINE_FAULTS}
    return [fault for fault, each in found.items() if (each.value if np.isnan(each.low) else each.low) > COSTLY]


def false_promotions(frame: pl.DataFrame, policy: str, name: str = "false_promotions") -> Estimate:
    """Rate per path-year of F0, with bounds that take each path-year for one trial."""
    of = frame.filter((pl.col("fault") == "F0") & (pl.col("policy") == policy))
    years = int(of["path_years"].sum()) if len(of) else 0
    return share(min(int(of[name].sum()), years), years)


class TargetKind(StrEnum):
    """What a target guards; a missed null or harm target fails the command."""

    NULL = "null"
    """Nothing is wrong: nothing may be done."""
    HARM = "harm"
    HEAL = "heal"


@dataclass(frozen=True, slots=True)
class Target:
    """One line of the table of targets."""

    fault: str
    what: str
    kind: TargetKind
    found: Estimate
    limit: float
    at_most: bool

    @property
    def met(self) -> bool:
        """By the estimate itself."""
        return self.found.value <= self.limit if self.at_most else self.found.value >= self.limit

    @property
    def shown_missed(self) -> bool:
        """Whether its whole interval lies on the wrong side, so that luck does not explain it."""
        return self.found.low > self.limit if self.at_most else self.found.high < self.limit


def targets(frame: pl.DataFrame) -> list[Target]:
    """Every target that the rows have something on."""
    own = frame.filter(pl.col("policy") == HYDRA)

    def rows(fault: str) -> pl.DataFrame:
        return own.filter(pl.col("fault") == fault)

    def part(of: pl.DataFrame, hit: pl.Expr) -> Estimate:
        return share(int(of.select(hit.sum()).item() or 0), len(of))

    null, harm, heal = TargetKind.NULL, TargetKind.HARM, TargetKind.HEAL
    soon, above = pl.col("right_response_in"), pl.col("participation") > 1.0
    right = pl.col("cause") == pl.col("right_cause")
    out = [
        Target("F0", "false promotions per path-year", null, false_promotions(frame, HYDRA), 0.01, True),
        Target("F0", "alarms per year before any fault", null, _alarm_rate(own), 1.0, True),
        Target("F0", "loss against do nothing", harm, loss(frame, "F0", HYDRA), 0.02, True),
        Target("F8", "loss against do nothing", harm, loss(frame, "F8", HYDRA), 0.02, True),
        Target("F8", "model changed", null, part(rows("F8"), pl.col("edited")), 0.02, True),
        Target("F1", "hits in 60 sessions over the optimal CUSUM's", heal, _hits(frame), 0.9, False),
        Target("F2", "blocked in the same session", heal, part(rows("F2"), soon == 0), 0.999, False),
        Target("F3", "right feature masked", heal, part(rows("F3"), pl.col("masked_right")), 0.95, False),
        Target("F4", "smaller within a release and a day", heal, part(rows("F4"), soon.is_between(0, 6)), 1.0, False),
        Target("F5", "loss to the halt over the optimal CUSUM's", heal, _lost(frame), 1.25, True),
        Target("F6", "paths above the participation cap", heal, part(rows("F6"), above), 0.0, True),
        Target("F7", "Brier over the oracle's", heal, _brier(frame), 1.05, True),
        Target("F9", "trap promoted", harm, part(rows("F9"), pl.col("trapped")), 0.0, True),
        Target("F13", "data's cause first", heal, part(rows("F13"), right), 0.85, False),
    ]
    if (told := loss_by_words(frame)) is not None:
        out.append(Target("F10", "worse than without a model", harm, told, 0.02, True))
    return [target for target in out if target.found.of]


def _alarm_rate(own: pl.DataFrame) -> Estimate:
    before = np.stack(
        [own["alarms"].to_numpy(), (own["fault_row"].to_numpy() - Setting().first) / SESSIONS_PER_YEAR], axis=1
    )
    return resampled(before.astype(np.float64), lambda alarms, years: alarms / years)


def _hits(frame: pl.DataFrame) -> Estimate:
    both = _paired(frame, "F1")
    return resampled(both[:, :2], lambda own, optimal: own / optimal if optimal else float("nan"))


def _lost(frame: pl.DataFrame) -> Estimate:
    return resampled(_paired(frame, "F5")[:, 2:], lambda own, optimal: own / optimal if optimal else float("nan"))


def _paired(frame: pl.DataFrame, fault: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Hits of HYDRA and of the optimal CUSUM within 60 sessions, and what each lost: paths not halted before."""
    of = frame.filter(pl.col("fault") == fault).sort("variant", "seed")
    own, optimal = (of.filter(pl.col("policy") == name) for name in (HYDRA, ORACLE))
    if len(own) != len(optimal) or not len(own):
        return np.empty((0, 4))
    free = ~own["halted_before"].to_numpy()
    hits = [side["halt_in"].is_between(0, SOON, closed="left").to_numpy() for side in (own, optimal)]
    lost = [side["lost_to_halt"].to_numpy() for side in (own, optimal)]
    columns = np.stack([*hits, *lost], axis=1).astype(np.float64)
    return np.asarray(columns[free])


def _brier(frame: pl.DataFrame) -> Estimate:
    return resampled(_values(frame, "F7", (HYDRA, ORACLE), "brier"), lambda own, oracle: own / oracle)


def loss_by_words(frame: pl.DataFrame) -> Estimate | None:
    """Share of HYDRA's distance to the oracle by which a hostile model makes it worse, over all faults."""
    if MISLED not in frame["policy"].unique().to_list():
        return None
    faults = frame["fault"].unique(maintain_order=True).to_list()
    rows = np.concatenate([_values(frame, fault, (MISLED, HYDRA, ORACLE)) for fault in faults])
    return resampled(rows, lambda misled, own, oracle: (own - misled) / max(oracle - own, 1e-12))


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """How well causes are told apart."""

    top_1: Estimate
    macro_f1: float


def diagnosis(frame: pl.DataFrame) -> Diagnosis:
    """Of HYDRA over all faults; a fault in which nothing is wrong with the data has the cause ``none``."""
    of = frame.filter(pl.col("policy") == HYDRA)
    right, found = of["right_cause"].to_list(), of["cause"].to_list()
    hits = sum(one == other for one, other in zip(right, found, strict=True))
    scores = []
    for cause in sorted(set(right)):
        true = sum(r == cause and f == cause for r, f in zip(right, found, strict=True))
        scores.append(2.0 * true / max(right.count(cause) + found.count(cause), 1))
    return Diagnosis(share(hits, len(right)), float(np.mean(scores)) if scores else float("nan"))


@dataclass(frozen=True, slots=True)
class Regret:
    """A policy's median over faults, and over the best periodic retrain's."""

    median: float
    over_best_retrain: float

    def __str__(self) -> str:
        return f"{self.median:.2f}, {self.over_best_retrain:.2f} of the best periodic retrain"


@dataclass(frozen=True, slots=True)
class Headline:
    """The last line."""

    all: Regret
    costly: Regret
    faults: tuple[str, ...]
    """Those of ``costly``."""
    worst_loss: float
    false_promotions: Estimate

    def __str__(self) -> str:
        costly = f" (where the fault costs something, {' '.join(self.faults)}: {self.costly})" if self.faults else ""
        return (
            f"median normalised regret F1-F7 {self.all} (<= 0.40, <= 0.70){costly}; "
            f"worst loss on F0/F8 {self.worst_loss:.1%} (<= 2%); "
            f"false promotions {self.false_promotions.value:.2%} a path-year, at most {self.false_promotions.high:.2%} "
            f"(<= 1%, 2%) over {self.false_promotions.of} path-years"
        )


def median_regret(frame: pl.DataFrame, policy: str, faults: Sequence[str] = HEADLINE_FAULTS) -> float:
    """Median over those of the faults that were run."""
    present = [fault for fault in faults if fault in frame["fault"].to_list()]
    return float(np.median([regret(frame, fault, policy).value for fault in present])) if present else float("nan")


def _regret_of(frame: pl.DataFrame, faults: Sequence[str]) -> Regret:
    there = set(frame["policy"].to_list())
    rivals = [median_regret(frame, name, faults) for name in RETRAINS if name in there]
    own = median_regret(frame, HYDRA, faults)
    return Regret(own, own / min(rivals) if rivals else float("nan"))


def headline(frame: pl.DataFrame) -> Headline:
    """Of HYDRA without a language model."""
    losses = [loss(frame, fault, HYDRA).value for fault in ("F0", "F8") if fault in frame["fault"].to_list()]
    hurting = tuple(costly(frame))
    return Headline(
        _regret_of(frame, HEADLINE_FAULTS),
        _regret_of(frame, hurting),
        hurting,
        max(losses, default=float("nan")),
        false_promotions(frame, HYDRA),
    )
