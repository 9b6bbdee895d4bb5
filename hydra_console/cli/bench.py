"""``hydra healbench``: the healing benchmark, which needs no home."""

import typer


def healbench(context: typer.Context) -> None:
    """Score the healing loop and its rivals on worlds with a known truth; the benchmark's own options follow."""
    from hydra_agent.healbench.__main__ import main  # noqa: PLC0415  the benchmark's libraries are for it alone

    raise typer.Exit(main(context.args))
