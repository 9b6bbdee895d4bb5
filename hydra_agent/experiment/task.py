"""An experiment's name, its folder, and the files in it."""

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from hydra_assets.models.recipe import Recipe

RECIPE, RESULT, PREDICTIONS, LOG = "recipe.json", "result.json", "predictions.parquet", "log.txt"
FEATURES_FILE, LABELS_FILE = "features.parquet", "labels.parquet"
_KEY = re.compile(r"(?P<group>[A-Za-z0-9_-]+)\.(?P<session>[0-9]{4}-[0-9]{2}-[0-9]{2})\.(?P<recipe>[0-9a-f]{10})")


@dataclass(frozen=True, slots=True)
class ExperimentKey:
    """Partition key of an experiment: its group, the session it was proposed at, and the recipe that is tried."""

    group: str
    session: date
    recipe: str

    @property
    def text(self) -> str:
        """For instance ``sim.2025-06-30.0a1b2c3d4e``."""
        return f"{self.group}.{self.session.isoformat()}.{self.recipe}"

    @staticmethod
    def of(group: str, session: date, recipe: Recipe) -> "ExperimentKey":
        """The key of a recipe's trial; ValueError for a group whose name cannot be part of one."""
        return ExperimentKey.read(ExperimentKey(group, session, recipe.sha256[:10]).text)

    @staticmethod
    def fits(text: str) -> bool:
        """Whether a text is a key."""
        try:
            ExperimentKey.read(text)
        except ValueError:
            return False
        return True

    @staticmethod
    def read(text: str) -> "ExperimentKey":
        """Read a key; ValueError where it is none: what is read becomes a folder's name."""
        match = _KEY.fullmatch(text)
        if match is None:
            msg = f"{text!r} is no experiment: a key reads like sim.2025-06-30.0a1b2c3d4e"
            raise ValueError(msg)
        return ExperimentKey(match["group"], date.fromisoformat(match["session"]), match["recipe"])


@dataclass(frozen=True, slots=True)
class Task:
    """One experiment to run: where its own files go, what it reads, and what is tried."""

    key: str
    folder: Path
    snapshot: Path
    """Folder with the frames; read-only."""
    recipe: Recipe


@dataclass(frozen=True, slots=True)
class Limits:
    """What one experiment may use."""

    wall_seconds: float = 3600.0
    cpu_seconds: int = 3600
    memory_bytes: int = 6 * 2**30
    file_bytes: int = 512 * 2**20
