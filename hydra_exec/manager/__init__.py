"""The order manager: how an order is worked in its session, as pure decisions on tickets, touch and time."""

from hydra_exec.manager.manage import (
    Action,
    Amend,
    Cancel,
    CancelReason,
    Finish,
    FinishCode,
    Place,
    TicketView,
    Work,
    next_actions,
)
from hydra_exec.manager.window import Window

__all__ = [
    "Action",
    "Amend",
    "Cancel",
    "CancelReason",
    "Finish",
    "FinishCode",
    "Place",
    "TicketView",
    "Window",
    "Work",
    "next_actions",
]
