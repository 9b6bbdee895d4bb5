"""The ``hydra`` command."""

from hydra_console.cli.app import main

__all__ = ["main"]
