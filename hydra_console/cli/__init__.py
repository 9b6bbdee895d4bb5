"""The ``hydra`` command."""


def main() -> None:
    """Run the command line."""
    from hydra_console.cli.app import run  # noqa: PLC0415  the package is importable without the command

    run()


__all__ = ["main"]
