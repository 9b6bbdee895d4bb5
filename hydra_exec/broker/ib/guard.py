"""Whether an account may be traded on at all: port, login and name must all say what the configuration says. Pure.

Paper and live go through the same checks. The only thing that live has more is a permit, which is asked at every
connection and is somebody else's to give.
"""

from collections.abc import Callable, Sequence

from hydra_exec.broker.port import Refusal, RefusedError
from hydra_exec.config import IbConnection, TradingConfig

Permit = Callable[[str], str | None]
"""From an account's name to None where the live gate is open for it, else to the reason why it is not."""


def port_of(config: TradingConfig) -> int:
    """Where the terminal of this mode listens; RefusedError where the configuration does not tell the modes apart."""
    ib = config.ib
    if ib.paper_port == ib.live_port:
        msg = f"home.yaml, trading.ib: paper_port and live_port are both {ib.live_port}; a port is of one mode"
        raise RefusedError(Refusal.WRONG_PORT, msg)
    return ib.live_port if config.mode == "live" else ib.paper_port


def check_name(config: TradingConfig) -> None:
    """RefusedError where the account's name and the mode contradict each other: nothing is opened for such a pair."""
    paper = _paper(config.ib, config.account)
    if config.mode == "paper" and not paper:
        prefixes = ", ".join(config.ib.paper_prefixes)
        msg = f"account {config.account} does not begin like a paper account ({prefixes}), and the mode is paper"
        raise RefusedError(Refusal.NOT_PAPER, msg)
    if config.mode == "live" and paper:
        msg = f"account {config.account} is a paper account, and the mode is live"
        raise RefusedError(Refusal.WRONG_ACCOUNT, msg)


def check_login(config: TradingConfig, managed: Sequence[str], permit: Permit | None) -> None:
    """RefusedError where the login behind the port is not the one that was meant, or live trading is not permitted."""
    check_name(config)
    strangers = [name for name in managed if _paper(config.ib, name) != (config.mode == "paper")]
    if strangers:
        msg = f"port {port_of(config)} should be the {config.mode} terminal's, and its login has {', '.join(strangers)}"
        raise RefusedError(Refusal.WRONG_PORT, msg)
    if config.account not in managed:
        msg = f"account {config.account} is not of this login, which has {', '.join(managed) or 'none'}"
        raise RefusedError(Refusal.WRONG_ACCOUNT, msg)
    if config.mode == "live":
        reason = permit(config.account) if permit else "no live gate was asked"
        if reason is not None:
            msg = f"live trading on {config.account} is not permitted: {reason}"
            raise RefusedError(Refusal.NOT_PAPER, msg)


def _paper(connection: IbConnection, account: str) -> bool:
    return account.startswith(connection.paper_prefixes)
