"""``hydra env``, ``doctor``, ``init`` and ``sources check``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hydra_assets.sources.base import SourceHealth


def env() -> None:
    """Print what a plain shell needs: eval "$(hydra env)"."""
    import shlex  # noqa: PLC0415

    from hydra_assets.home import home_path  # noqa: PLC0415
    from hydra_console.bootstrap.environment import ensure  # noqa: PLC0415

    for name, value in ensure(home_path()).variables.items():
        typer.echo(f"export {name}={shlex.quote(value)}")


def doctor() -> None:
    """Examine machine, installation and home; each line says ok, or the problem and what to do."""
    from hydra_assets.home import home_path  # noqa: PLC0415
    from hydra_console.cli.output import result  # noqa: PLC0415
    from hydra_console.doctor import examine  # noqa: PLC0415

    console = result()
    well = True
    for finding in examine(home_path()):
        well &= finding.ok
        mark = "[green]ok     [/green]" if finding.ok else "[red]problem[/red]"
        console.print(f"{mark} {finding.topic}: ", end="")
        console.print(finding.detail, markup=False)
    if not well:
        raise typer.Exit(1)


def sources_check() -> None:
    """Ask every source of the home whether it could deliver now."""
    from hydra_console.cli.output import result  # noqa: PLC0415
    from hydra_console.cli.session import open_home  # noqa: PLC0415
    from hydra_console.setup_home import check_sources  # noqa: PLC0415

    healths = check_sources(open_home().home)
    for health in healths:
        result().print(_health_line(health), markup=False)
    if not all(health.ok for health in healths):
        raise typer.Exit(1)


def init(
    real: Annotated[bool, typer.Option("--real", help="A home for markets of your own.")] = False,
    market: Annotated[list[str] | None, typer.Option("--market", "-m", help="Market symbol; repeatable.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Folder of the vendor files.")] = None,
    history_start: Annotated[str | None, typer.Option(help="First session; the data's own if none.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")] = False,
) -> None:
    """Make a home for your own market: propose its sources from the files, write, check and load it."""
    from hydra_assets.home import home_path, write_home  # noqa: PLC0415
    from hydra_console.cli.datasets import cycle  # noqa: PLC0415
    from hydra_console.cli.output import UserError, parse_day, remark  # noqa: PLC0415
    from hydra_console.setup_home import check_sources, known_real_markets, propose_home  # noqa: PLC0415

    if not real:
        msg = "say --real for a home of your own markets; the embedded market needs no init: run `hydra cycle`"
        raise UserError(msg)
    console, path = remark(), home_path()
    known = known_real_markets(path)
    if not market and not yes:
        answer: str = typer.prompt(f"Market ({', '.join(known)})")
        market = [part.strip() for part in answer.split(",") if part.strip()]
    if data is None and not yes:
        data = Path(typer.prompt("Folder of the vendor files"))
    if not market or data is None:
        msg = "--market and --data are needed where nothing is asked (--yes)"
        raise UserError(msg)
    config = propose_home(path, market, data, parse_day(history_start, "--history-start"))
    for symbol, bindings in config.bindings.items():
        for binding in bindings:
            console.print(
                f"{symbol}: {', '.join(binding.datasets)} from {binding.source} {binding.options or ''}", markup=False
            )
    console.print(f"history from {config.history_start}")
    if not yes and not typer.confirm(f"Write {path / 'home.yaml'}?", default=True):
        raise typer.Exit(1)
    write_home(path, config)
    healths = check_sources(path)
    for health in healths:
        console.print(_health_line(health), markup=False)
    if not all(health.ok for health in healths):
        msg = f"the sources are not well; mend them or {path / 'home.yaml'}, then run `hydra cycle`"
        raise UserError(msg)
    cycle()


def _health_line(health: "SourceHealth") -> str:
    return f"{'ok     ' if health.ok else 'problem'} {health.source}: {health.detail} ({health.reason})"
