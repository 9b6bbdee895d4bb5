"""A group watched over its whole history: health of every session under the champion that it had, and its diagnosis."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import cached_property

import numpy as np
import polars as pl

from hydra_agent.diagnose.causes import Cause, Diagnosis
from hydra_agent.diagnose.triage import diagnose
from hydra_agent.frames import session_of
from hydra_agent.observe.health import Health, health_config, observe, observe_data
from hydra_agent.observe.signals import POOL, Family, Level, SignalTrack
from hydra_agent.respond import Response, respond
from hydra_agent.view import GroupView, Reign
from hydra_assets.columns import CHAMPION_HEALTH, DIAGNOSIS
from hydra_assets.state.records import ChampionStage, StageKind, stage_as_of

NONE = "none"
_LEVELS = {int(level): level.name for level in Level}


@dataclass(frozen=True, eq=False)
class GroupWatch:
    """A group's view, the reigns that it had in order of time, and the sizes that its champions were trusted with."""

    group: str
    view: GroupView
    reigns: tuple[Reign, ...]
    stages: tuple[ChampionStage, ...]

    @cached_property
    def healths(self) -> tuple[Health, ...]:
        """Health without a champion, then under each reign."""
        data = observe_data(self.view)
        config = health_config(len(self.view.feature_names))
        return (
            observe(self.view, None, config, data),
            *(observe(self.seen_by(reign), reign, config, data) for reign in self.reigns),
        )

    def seen_by(self, reign: Reign | None) -> GroupView:
        """The view with the outcomes that a reign's probabilities are about."""
        return self.view if reign is None else self.view.of(reign.walk.recipe.label)

    def place(self, row: int) -> int:
        """Which of ``healths`` a row has: 0 before the first reign."""
        return int(np.searchsorted([reign.since for reign in self.reigns], row, side="right"))

    def reign(self, row: int) -> Reign | None:
        """The reign that a row falls into."""
        place = self.place(row)
        return self.reigns[place - 1] if place else None

    def health(self, row: int) -> Health:
        """Health under that reign."""
        return self.healths[self.place(row)]

    def diagnosis(self, row: int) -> Diagnosis:
        """Ranked causes of a session, by rules."""
        reign = self.reign(row)
        return diagnose(self.seen_by(reign), reign, self.health(row), row)

    def rows_between(self, first: date, last: date) -> range:
        """Rows of the sessions from ``first`` to ``last``."""
        epoch = date(1970, 1, 1).toordinal()
        days = self.view.days
        start = int(np.searchsorted(days, first.toordinal() - epoch))
        return range(start, int(np.searchsorted(days, last.toordinal() - epoch, side="right")))

    def health_rows(self, symbol: str, first: date, last: date) -> pl.DataFrame:
        """Rows of ``champion_health`` of a market; what is of the whole group stands with each of them."""
        parts: list[pl.DataFrame] = []
        wanted = self.rows_between(first, last)
        bounds = [0, *(reign.since for reign in self.reigns), len(self.view)]
        for place, health in enumerate(self.healths):
            rows = np.arange(max(wanted.start, bounds[place]), min(wanted.stop, bounds[place + 1]))
            if not len(rows):
                continue
            version = self.reigns[place - 1].version if place else None
            own = (track for track in health.signals if track.scope in {symbol, POOL})
            parts.extend(_frame(track, rows, version) for track in own)
        empty = pl.DataFrame(
            schema={name: CHAMPION_HEALTH.schema[name] for name in _SIGNAL_COLUMNS} | {"row": pl.Int64}
        )
        found = pl.concat([empty, *parts])
        days = pl.Series(self.view.days).cast(pl.Int32).cast(pl.Date)
        traded = self.view.market.tradable[:, self.view.symbols.index(symbol)]
        return (
            found.with_columns(
                pl.lit(symbol).alias("market"),
                pl.lit(self.group).alias("model_group"),
                days.gather(found["row"]).alias("session"),
            )
            .filter(pl.Series(traded[found["row"].to_numpy()]))
            .select(CHAMPION_HEALTH.columns)
            .sort(CHAMPION_HEALTH.key)
        )

    def diagnosis_rows(self, symbol: str, first: date, last: date) -> pl.DataFrame:
        """Rows of ``diagnosis`` of a market."""
        column = self.view.symbols.index(symbol)
        rows = [
            self._diagnosis_row(symbol, row)
            for row in self.rows_between(first, last)
            if self.view.market.tradable[row, column]
        ]
        return pl.DataFrame(rows, schema=DIAGNOSIS.schema)

    def decided(self, row: int) -> tuple[Diagnosis, Response]:
        """Diagnosis of a session and what is done about it."""
        if row not in self._decided:
            found = self.diagnosis(row)
            self._decided[row] = found, respond(found)
        return self._decided[row]

    @cached_property
    def _decided(self) -> dict[int, tuple[Diagnosis, Response]]:
        return {}

    def _diagnosis_row(self, symbol: str, row: int) -> dict[str, object]:
        diagnosis, response = self.decided(row)
        session, reign = session_of(self.view, row), self.reign(row)
        stage = stage_as_of(self.stages, session) if reign is not None else None
        size = stage.size_fraction if stage is not None else (1.0 if reign is not None else 0.0)
        top = diagnosis.top
        return {
            "market": symbol,
            "session": session,
            "model_group": self.group,
            "model_version": reign.version if reign is not None else None,
            "cause": str(top.code) if top else NONE,
            "cause_confidence": top.confidence if top else None,
            "causes": causes_json(diagnosis.causes),
            "response": str(response.code),
            "exposure": response.exposure_of(symbol) * size,
            "champion_stage": str(stage.stage if stage else StageKind.FULL) if reign is not None else NONE,
            "size_fraction": size,
            "masked_features": ",".join(response.masked),
        }


def causes_json(causes: Sequence[Cause]) -> str:
    """Causes as JSON with one spelling."""
    return json.dumps([asdict(cause) for cause in causes], sort_keys=True, default=str)


_SIGNAL_COLUMNS = tuple(name for name in CHAMPION_HEALTH.columns if name not in {"market", "session", "model_group"})


def _frame(
    track: SignalTrack, rows: np.ndarray[tuple[int, ...], np.dtype[np.int64]], version: int | None
) -> pl.DataFrame:
    """Rows of one signal; drift only where it alarms."""
    if track.family is Family.DRIFT:
        rows = rows[track.level[rows] >= Level.WARNING]
    said = [track.at(int(row)) for row in rows]
    return pl.DataFrame(
        {
            "model_version": pl.Series([version] * len(rows), dtype=pl.Int64),
            "health_family": pl.Series([str(track.family)] * len(rows), dtype=pl.String),
            "health_signal": pl.Series([track.name] * len(rows), dtype=pl.String),
            "health_scope": pl.Series([track.scope] * len(rows), dtype=pl.String),
            "health_statistic": pl.Series(track.statistic[rows], nan_to_null=True),
            "health_threshold": pl.Series([track.threshold] * len(rows), dtype=pl.Float64),
            "health_level": pl.Series([_LEVELS[int(s.level)] for s in said], dtype=pl.String),
            "health_reason": pl.Series([str(s.reason) for s in said], dtype=pl.String),
            "row": pl.Series(rows, dtype=pl.Int64),
        }
    )
