"""An experiment: one change of the champion's recipe, trained to a cutoff and judged on the sessions after it."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from hydra_assets.models.recipe import Recipe

TEST_SESSIONS = 120
"""Sessions kept out of training; about half a year, of which the last six have no label yet."""
WINDOWS: tuple[int | None, ...] = (252, 504, None)
"""Training windows tried in turn, in labelled sessions of each market."""

_KEY = re.compile(r"(?P<group>[A-Za-z0-9_]+)\.(?P<cutoff>\d{4}-\d{2}-\d{2})\.w(?P<window>\d+|all)\.s(?P<seed>\d+)")


@dataclass(frozen=True, slots=True)
class Experiment:
    """What is tried: the partition key of an experiment says all of it."""

    group: str
    cutoff: date
    """Last date that training may know."""
    window_sessions: int | None
    seed: int

    @property
    def key(self) -> str:
        """Partition key, e.g. ``sim.2025-06-30.w252.s3``."""
        return f"{self.group}.{self.cutoff.isoformat()}.w{self.window_sessions or 'all'}.s{self.seed}"

    @staticmethod
    def from_key(key: str) -> "Experiment":
        """Read a partition key; ValueError where it is none."""
        match = _KEY.fullmatch(key)
        if match is None:
            msg = f"{key!r} is no experiment: a key reads like sim.2025-06-30.w252.s3"
            raise ValueError(msg)
        window = None if match["window"] == "all" else int(match["window"])
        return Experiment(match["group"], date.fromisoformat(match["cutoff"]), window, int(match["seed"]))

    def recipe(self, champion: Recipe) -> Recipe:
        """The champion's recipe with this experiment's window and seed."""
        return champion.model_copy(update={"window_sessions": self.window_sessions, "seed": self.seed})


def propose(group: str, sessions: Sequence[date], tried: Sequence[str]) -> Experiment | None:
    """Propose the next experiment of a group, given its sessions in order and the keys tried before.

    The cutoff leaves ``TEST_SESSIONS`` sessions to judge on; None where there are not at least as many before it.
    Window and seed follow from the number of trials, so that the same state proposes the same experiment.
    """
    if len(sessions) < 2 * TEST_SESSIONS:
        return None
    trial = len(tried)
    digest = hashlib.sha256(f"{group}|{trial}".encode()).digest()
    return Experiment(
        group,
        sessions[-TEST_SESSIONS - 1],
        WINDOWS[trial % len(WINDOWS)],
        int.from_bytes(digest[:3], "big"),
    )
