"""The journal's scene: a line writes what it hears."""

from tests.hydra_exec.journal.conftest import journal_engine, scene

__all__ = ["journal_engine", "scene"]
