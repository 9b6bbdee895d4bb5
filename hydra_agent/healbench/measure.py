"""What one policy's record on one case is worth, by the truth that no policy saw: one flat row."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from hydra_agent.arena import replay_of
from hydra_agent.diagnose.causes import CauseCode
from hydra_agent.healbench.case import Case, EventKind, Promotion, Record
from hydra_agent.healbench.faults.both import TwoAtOnce
from hydra_agent.healbench.faults.protocol import Fault, FaultName
from hydra_agent.healbench.oracle import expected_of
from hydra_agent.healbench.policies.simple import DO_NOTHING, ORACLE
from hydra_agent.respond import ResponseCode
from hydra_agent.view import Floats
from hydra_assets.replay.result import Lots
from hydra_assets.stats.detectors.edge import EdgeCusum, normal_threshold
from hydra_assets.stats.returns import SESSIONS_PER_YEAR

SOON = 60
"""Sessions within which a change of the edge should be seen."""
SEASON = 252
"""Sessions after a fault within which it has to be diagnosed, and a model that should be kept is looked at."""
LABELS_SESSIONS = 56
"""Forty labels of four markets, five sessions each, and the last one's way to its exit."""
BLOCK, WEEK = 21, 5
NEVER = -1
ACTED = frozenset(ResponseCode) - {ResponseCode.NONE, ResponseCode.WATCH}
FRESHNESS = frozenset({CauseCode.LATE_SOURCE, CauseCode.STALE_SOURCE, CauseCode.DORMANT_MARKET})
EDITS = frozenset(
    {EventKind.MASKED, EventKind.RECALIBRATED, EventKind.PROMOTED, EventKind.TAKEN_BACK, EventKind.RETIRED}
)
Row = dict[str, str | int | float | bool | None]


def measured(case: Case, fault: Fault, records: Sequence[Record]) -> list[Row]:
    """Measure all records of a case; those of do nothing and of the oracle have to be among them."""
    exposures = np.stack([record.exposure for record in records])
    walks = [record.walk(case.recipe) for record in records]
    result = replay_of(case.market, walks, factors=exposures, detail=True)
    expected = expected_of(case.world, result)
    nothing = next(i for i, record in enumerate(records) if record.policy == DO_NOTHING)
    judged = _judged_recipes(case, records)
    rows = []
    for i, record in enumerate(records):
        row = _row(case, fault, record)
        row |= _money(case, expected[i], result.returns[i], expected[nothing])
        row |= _detection(case, record, expected[nothing], result.returns[nothing])
        row |= _promotions(case, record.promotions, judged)
        row |= {"brier": _brier(case, record), "participation": _participation(case, result.fills, i)}
        rows.append(row)
    return rows


def worth(case: Case, record: Record) -> float:
    """Expected net profit over capital of a record from the fault's session on."""
    walk = record.walk(case.recipe)
    result = replay_of(case.market, [walk], factors=record.exposure[None], detail=True)
    return float(expected_of(case.world, result)[0, case.fault_row :].sum())


def _row(case: Case, fault: Fault, record: Record) -> Row:
    planted = case.world.truth.planted
    about = planted[-1].about if planted else ""
    kinds = Counter(event.kind for event in record.events)
    edited = any(e.kind in EDITS and case.fault_row <= e.row < case.fault_row + SEASON for e in record.events)
    return {
        "fault": str(fault.name),
        "variant": variant(fault),
        "about": about,
        "seed": case.world.seed,
        "policy": record.policy,
        "fault_row": case.fault_row,
        "path_years": (case.shape[0] - case.setting.first) / SESSIONS_PER_YEAR,
        "seconds": record.seconds,
        "turns": kinds[EventKind.TURN],
        "experiments": sum(event.experiments for event in record.events),
        "confirmed": kinds[EventKind.CONFIRMED],
        "taken_back": kinds[EventKind.TAKEN_BACK],
        "retired": kinds[EventKind.RETIRED],
        "edited": edited,
        "cause": str(_diagnosed(case, record, fault.right_cause is CauseCode.STALE_SOURCE) or "none"),
        "right_cause": str(fault.right_cause or "none"),
        "alarms": _alarms(case, record),
        "right_response_in": _response(case, fault, record),
        "masked_right": _masked_right(record, about, case.fault_row),
    }


def variant(fault: Fault) -> str:
    """What tells faults of one name apart."""
    factor = getattr(fault, "factor", None)
    if fault.name is FaultName.REGIME_CHANGE:
        return f"x{factor:g}"
    return f"{fault.data.name}+{fault.model.name}" if isinstance(fault, TwoAtOnce) else ""


def _money(case: Case, expected: Floats, realised: Floats, nothing: Floats) -> Row:
    late, reign = slice(case.fault_row, None), slice(case.setting.first, None)
    healed = _healed(case, expected, nothing)
    return {
        "value": float(expected[late].sum()),
        "value_reign": float(expected[reign].sum()),
        "realised": float(realised[late].sum()),
        "healed_in": healed,
    }


def _healed(case: Case, expected: Floats, nothing: Floats) -> int:
    """Sessions to the quarter from which on at least half of what was earned before the fault is earned again."""
    before = nothing[case.setting.first : case.fault_row].mean()
    after = expected[case.fault_row :]
    quarters = [after[i : i + 63].mean() for i in range(0, len(after) - 62, 63)]
    good = [value >= 0.5 * before for value in quarters]
    for i in range(len(good)):
        if all(good[i:]):
            return 63 * i
    return NEVER


def _diagnosed(case: Case, record: Record, stopped: bool) -> CauseCode | None:
    """Top cause where something was done first; else whether a dip was watched. ``stopped``: whether a source was.

    A source that is late or has stopped is so in truth: markets are left out of reports now and then in every world.
    Only where a source was stopped does it say what the fault is, and then by being stale.
    """
    if not record.causes:
        return None
    span = range(case.fault_row, min(case.fault_row + SEASON, case.shape[0]))
    passed_over = {CauseCode.LATE_SOURCE} if stopped else FRESHNESS
    for row in span:
        if record.responses[row] in ACTED and record.causes[row] not in passed_over:
            return record.causes[row]
    watched = any(record.causes[row] is CauseCode.TRANSIENT for row in span[:SOON])
    return CauseCode.TRANSIENT if watched else None


def _alarms(case: Case, record: Record) -> int:
    """Alarms before the fault, those left out that a source really was late for."""
    return sum(row < case.fault_row and record.causes[row] not in FRESHNESS for row in record.alarmed if record.causes)


def _response(case: Case, fault: Fault, record: Record) -> int:
    """Sessions from the fault to the first right response, ``NEVER`` where there is none."""
    if not record.responses:
        return NEVER
    planted = case.world.truth.planted[-1]
    first = planted.session
    market = case.view.symbols.index(planted.market) if planted.market else None
    for row in range(first, case.shape[0]):
        less = record.exposure[row] if market is None else record.exposure[row, market : market + 1]
        late = record.causes[row] in FRESHNESS and bool((less < 1.0).any())
        if record.responses[row] is fault.right_response or (fault.name is FaultName.STALE_SOURCE and late):
            if fault.name is FaultName.UNIT_CHANGE and less.any():
                continue
            return row - first
    return NEVER


def _masked_right(record: Record, about: str, fault_row: int) -> bool:
    feature = about.partition(":")[0]
    spans = (e for e in record.events if e.kind is EventKind.MASKED and fault_row <= e.row < fault_row + SEASON)
    return any(feature in event.about.split(",") for event in spans)


def _detection(case: Case, record: Record, expected: Floats, realised: Floats) -> Row:
    """Halt after the fault, and what do nothing has lost by then; beside it the optimal CUSUM of the same returns."""
    halt = next(
        (row for row in range(case.fault_row, case.shape[0]) if record.responses and _halted(record, row)), NEVER
    )
    before = bool(record.responses) and _halted(record, case.fault_row - 1)
    optimal = _optimal(case, expected, realised) if record.policy == ORACLE else NEVER
    seen = optimal if record.policy == ORACLE else halt
    lost = -float(expected[case.fault_row : (seen if seen != NEVER else case.shape[0]) + 1].sum())
    return {"halted_before": before, "halt_in": seen - case.fault_row if seen != NEVER else NEVER, "lost_to_halt": lost}


def _halted(record: Record, row: int) -> bool:
    return record.responses[row] is ResponseCode.HALT


def _optimal(case: Case, expected: Floats, realised: Floats) -> int:
    """Row at which who knows both means halts, at as many years between two false alarms as HYDRA has."""
    first, fault = case.setting.first, case.fault_row
    spread = float(realised[first:fault].std())
    good, bad = (float(part.mean()) / spread for part in (expected[first:fault], expected[fault:]))
    if good - bad < 1e-3:
        return NEVER
    detector = EdgeCusum(good, bad)
    threshold = normal_threshold(detector.fall, case.config.edge_critical_years * SESSIONS_PER_YEAR)
    statistic = detector.statistics(np.clip(realised[first:] / spread, -5.0, 5.0)).statistic
    over = np.flatnonzero(statistic[fault - first :] > threshold)
    return fault + int(over[0]) if len(over) else NEVER


def _judged_recipes(case: Case, records: Sequence[Record]) -> dict[str, tuple[int, Floats]]:
    """First decided row and true edge ``[T]`` of every recipe that anybody promoted or gave up, by digest."""
    sides = [recipe for record in records for each in record.promotions for recipe in (each.recipe, each.before)]
    if not sides:
        return {}
    walks = case.lab.walk({recipe.sha256: recipe for recipe in sides}, case.shape[0])
    earned = expected_of(case.world, replay_of(case.market, list(walks.values()), detail=True))
    return {key: (walk.starts[0], earned[i]) for i, (key, walk) in enumerate(walks.items())}


def _promotions(case: Case, promotions: Sequence[Promotion], judged: Mapping[str, tuple[int, Floats]]) -> Row:
    """How many promotions brought no true gain (false), and how many a loss beyond an error (harmful)."""
    false = harmful = 0
    # A constant edge is judged by all that was walked, a changed one by what came after the change.
    constant = bool(np.ptp(case.world.truth.course.beta) == 0.0)
    for promotion in promotions:
        new, old = judged[promotion.recipe.sha256], judged[promotion.before.sha256]
        start = max(new[0], old[0]) if constant else max(case.fault_row, promotion.row)
        gain = (new[1] - old[1])[start:]
        blocks = gain[: len(gain) // BLOCK * BLOCK].reshape(-1, BLOCK).mean(axis=1)
        error = float(blocks.std(ddof=1) / np.sqrt(len(blocks))) if len(blocks) > 1 else np.inf
        false += int(gain.mean() <= 0.0)
        harmful += int(gain.mean() < -error)
    return {"promotions": len(promotions), "false_promotions": false, "harmful_promotions": harmful}


def _brier(case: Case, record: Record) -> float:
    """Mean squared error of what was said from forty labels after the fault on, for a year."""
    span = slice(case.fault_row + LABELS_SESSIONS, case.fault_row + LABELS_SESSIONS + SEASON)
    error = (record.probability[span] - case.world.view.up[span]) ** 2
    return float(np.nanmean(error)) if np.isfinite(error).any() else float("nan")


def _participation(case: Case, fills: Lots | None, i: int) -> float:
    """Largest fill over the cap's share of the volume of the week before it, once a week of the fault was published."""
    if fills is None:
        return float("nan")
    volume = case.world.volume
    total = np.cumsum(np.nan_to_num(volume), axis=0)
    usual = np.full(volume.shape, np.nan)
    usual[WEEK + 1 :] = (total[WEEK:-1] - total[: -WEEK - 1]) / WEEK
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.abs(fills[i]) / usual / case.market.terms.participation_cap
    # A volume is published after its session.
    after = share[case.fault_row + WEEK + 1 :]
    after = after[np.isfinite(after)]
    return float(after.max()) if len(after) else 0.0
