"""Assembly of the ``hydra`` command, and how its errors look: a user's mistake is one sentence, never a traceback."""

import os
import sys

import typer

from hydra_console.cli import bench, database, datasets, healing, home, live_gate, server, steering, trading, why

DEBUG_VARIABLE = "HYDRA_DEBUG"
USER_ERRORS = frozenset(
    {
        "hydra_agent.defs.operating.OperatingError",
        "hydra_assets.home.HomeError",
        "hydra_assets.lake.tables.LakeError",
        "hydra_assets.markets.loader.MarketError",
        "hydra_assets.sources.base.SourceError",
        "hydra_assets.registry.port.RegistryError",
        "hydra_assets.state.db.DatabaseError",
        "hydra_assets.state.trial_ledger.LedgerError",
        "hydra_console.bootstrap.errors.BootstrapError",
        "hydra_console.cli.output.UserError",
        "hydra_console.runner.UnknownJobError",
        "hydra_console.why.WhyError",
        "hydra_exec.broker.port.BrokerError",
        "hydra_exec.connection.client_lock.ClientLockError",
        "hydra_exec.defs.operating.OperatingError",
        "hydra_exec.live_gate.record_log.RecordError",
    }
)
"""Exceptions whose message is a sentence for the user; a test keeps the names true."""

app = typer.Typer(
    name="hydra",
    help="Self-healing trading research for thin commodity futures.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(datasets.cycle)
app.command()(datasets.backfill)
app.command()(datasets.status)
app.command()(datasets.verify)
app.command()(database.sql)
app.command()(server.up)
app.command()(server.down)
app.command()(home.env)
app.command()(home.doctor)
app.command()(home.init)
app.command()(healing.diagnose)
app.command()(healing.experiments)
app.command()(healing.journal)
app.command()(steering.promote)
app.command()(steering.reject)
app.command()(steering.rollback)
app.command()(steering.pause)
app.command()(steering.resume)
app.command()(steering.autonomy)
app.command()(trading.fill_report)
app.command()(trading.flatten)
app.command()(why.why)
paper_app = typer.Typer(no_args_is_help=True, help="Trade on paper: switch it on and off, and see how it stands.")
paper_app.command("start")(trading.start)
paper_app.command("stop")(trading.stop)
paper_app.command("status")(trading.status)
app.add_typer(paper_app, name="paper-trade")
gate_app = typer.Typer(cls=live_gate.VerdictFirst, help=live_gate.HELP)
gate_app.command(live_gate.VERDICT)(live_gate.verdict)
gate_app.command("record")(live_gate.record)
gate_app.command("drill")(live_gate.drill)
app.add_typer(gate_app, name="live-gate")
app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    short_help="Score the healing loop and its rivals on worlds with a known truth.",
)(bench.healbench)
sandbox_app = typer.Typer(no_args_is_help=True, help="Try the champion or a candidate out; nothing is written.")
sandbox_app.command("replay")(healing.sandbox_replay)
sandbox_app.command("stress")(healing.sandbox_stress)
app.add_typer(sandbox_app, name="sandbox")
sources_app = typer.Typer(no_args_is_help=True, help="The home's data sources.")
sources_app.command("check")(home.sources_check)
app.add_typer(sources_app, name="sources")


@sources_app.callback()
def _sources() -> None:
    """Keep ``check`` a command of its own while it is the only one."""


def run() -> None:
    """Run the command line; exit status 0, 1 (it did not work) or 2 (it was not understood)."""
    try:
        app()
    except KeyboardInterrupt:
        print("hydra: interrupted; running the same command again goes on from here", file=sys.stderr)  # noqa: T201
        sys.exit(130)
    except Exception as error:
        if os.environ.get(DEBUG_VARIABLE) or not _is_for_the_user(error):
            raise
        print(f"hydra: {' '.join(str(error).split())}", file=sys.stderr)  # noqa: T201
        sys.exit(1)


def _is_for_the_user(error: Exception) -> bool:
    """Whether the message is written for the user; by name, since most commands import few of these modules."""
    return any(f"{cls.__module__}.{cls.__qualname__}" in USER_ERRORS for cls in type(error).__mro__)
