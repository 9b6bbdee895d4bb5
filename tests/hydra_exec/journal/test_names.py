"""Names are the same in every process, and those of two homes never meet."""

from datetime import date

from hydra_exec.journal.names import order_ref, wire_ref


def test_an_order_is_named_by_market_session_and_contract() -> None:
    assert order_ref("HE", date(2026, 1, 5), "HE-2026-02") == "HE/2026-01-05/HE-2026-02"


def test_a_ticket_has_the_same_name_in_every_process() -> None:
    """The literal was made once: a change of the rule would send what is at the broker a second time."""
    assert wire_ref("home", "HE/2026-01-05/HE-2026-02", 0) == "75bc56a4-3489-540d-9048-9eb63810a7dd"


def test_home_order_and_part_each_make_another_name() -> None:
    names = {wire_ref(home, order, part) for home in ("a", "b") for order in ("x", "y") for part in (0, 1)}
    assert len(names) == 8
