"""``hydra up`` and ``hydra down``."""

from typing import Annotated

import typer

DEFAULT_PORT = 3000


def up(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.")] = DEFAULT_PORT,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return once it answers; `hydra down` ends it.")
    ] = False,
) -> None:
    """Open the Dagster UI, with its daemon, on the home's state; Ctrl-C or `hydra down` ends both."""
    from hydra_console.cli.output import remark, result  # noqa: PLC0415
    from hydra_console.cli.session import open_home  # noqa: PLC0415
    from hydra_console.server import find_server, start_server, stop_server, wait_until_answering  # noqa: PLC0415

    console = remark()
    environment = open_home()
    running = find_server(environment.home)
    if running:
        result().print(f"Dagster UI: {running.url} (up already)")
        return
    server, process = start_server(environment.home, port)
    try:
        with console.status("starting the Dagster UI, daemon and three code locations"):
            wait_until_answering(environment.home, server)
        result().print(f"Dagster UI: {server.url}")
        if detach:
            return
        console.print("Ctrl-C ends it; the database stays up until `hydra down`")
        process.wait()
    except KeyboardInterrupt:
        console.print("ending the Dagster UI")
        stop_server(environment.home)


def down() -> None:
    """End the Dagster UI and daemon, then the embedded database."""
    from hydra_assets.home import home_path  # noqa: PLC0415
    from hydra_console.bootstrap.environment import stop  # noqa: PLC0415
    from hydra_console.cli.output import result  # noqa: PLC0415
    from hydra_console.server import stop_server  # noqa: PLC0415

    home = home_path()
    ended = [
        name
        for name, was_running in (("Dagster UI and daemon", stop_server(home)), ("embedded PostgreSQL", stop(home)))
        if was_running
    ]
    result().print(f"ended: {', '.join(ended)}" if ended else "nothing was running")
