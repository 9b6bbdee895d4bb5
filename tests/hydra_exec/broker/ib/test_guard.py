"""Which accounts are not traded on, and why."""

import pytest

from hydra_exec.broker.ib.guard import check_login, check_name, port_of
from hydra_exec.broker.port import Refusal, RefusedError
from hydra_exec.config import TradingConfig


def config(mode: str = "paper", account: str = "DU1", **ib: object) -> TradingConfig:
    return TradingConfig.model_validate({"broker": "ib", "mode": mode, "account": account, "ib": ib})


def test_each_mode_has_its_port() -> None:
    assert port_of(config(paper_port=7497, live_port=7496)) == 7497
    assert port_of(config("live", "U1", paper_port=7497, live_port=7496)) == 7496
    with pytest.raises(RefusedError, match="a port is of one mode") as refused:
        port_of(config(paper_port=5, live_port=5))
    assert refused.value.code is Refusal.WRONG_PORT


def test_the_name_and_the_mode_must_agree() -> None:
    check_name(config())
    check_name(config(account="DF77"))
    check_name(config("live", "U1"))
    with pytest.raises(RefusedError) as refused:
        check_name(config(account="U1"))
    assert refused.value.code is Refusal.NOT_PAPER
    with pytest.raises(RefusedError) as refused:
        check_name(config("live", "DU1"))
    assert refused.value.code is Refusal.WRONG_ACCOUNT


def test_a_paper_login() -> None:
    check_login(config(), ["DU1"], None)
    check_login(config(), ["DU2", "DU1"], None)


@pytest.mark.parametrize(
    ("mode", "account", "managed", "code"),
    [
        ("paper", "DU1", ["DU2"], Refusal.WRONG_ACCOUNT),
        ("paper", "DU1", [], Refusal.WRONG_ACCOUNT),
        ("paper", "DU1", ["U9"], Refusal.WRONG_PORT),
        ("paper", "DU1", ["DU1", "U9"], Refusal.WRONG_PORT),
        ("paper", "U1", ["U1"], Refusal.NOT_PAPER),
        ("live", "U1", ["DU1"], Refusal.WRONG_PORT),
        ("live", "U1", ["U2"], Refusal.WRONG_ACCOUNT),
        ("live", "DU1", ["DU1"], Refusal.WRONG_ACCOUNT),
    ],
)
def test_other_logins_are_refused_whatever_the_permit(
    mode: str, account: str, managed: list[str], code: Refusal
) -> None:
    asked: list[str] = []

    def permit(name: str) -> str | None:
        asked.append(name)

    with pytest.raises(RefusedError) as refused:
        check_login(config(mode, account), managed, permit)
    assert (refused.value.code, asked) == (code, [])


def test_live_needs_a_permit_and_paper_never_asks_for_one() -> None:
    live = config("live", "U1")
    check_login(live, ["U1"], lambda _name: None)
    for permit in (None, lambda name: f"no drill of {name} was passed"):
        with pytest.raises(RefusedError, match="not permitted") as refused:
            check_login(live, ["U1"], permit)
        assert refused.value.code is Refusal.NOT_PAPER

    def never(_name: str) -> str | None:
        pytest.fail("paper asks nobody")

    check_login(config(), ["DU1"], never)
