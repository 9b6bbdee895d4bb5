"""What the commands of the healing loop begin with: the parts of the home, and the group that is meant."""

import getpass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hydra_agent.defs.group_watch import Parts


def parts_of_home() -> "Parts":
    """Home, lake, database and registry of the environment, ready."""
    from hydra_console.cli.session import open_home  # noqa: PLC0415

    open_home()
    from hydra_agent.defs.group_watch import Parts  # noqa: PLC0415  heavy, and a home may be missing
    from hydra_assets.defs.registry import default_registry  # noqa: PLC0415
    from hydra_assets.defs.resources import default_resources  # noqa: PLC0415

    made: dict[str, Any] = default_resources()
    return Parts(made["home"], made["lake"], made["database"], default_registry())


def groups_of(parts: "Parts", group: str | None) -> list[str]:
    """The group that is named, or all of the home; UserError where there is none of that name."""
    from hydra_console.cli.output import UserError  # noqa: PLC0415

    known = sorted({market.group for market in parts.home.markets.values()})
    if group is None:
        return known
    if group not in known:
        msg = f"there is no group {group}; there are {', '.join(known)}"
        raise UserError(msg)
    return [group]


def one_group(parts: "Parts", group: str | None) -> str:
    """The group that is named, or the only one; UserError where it has to be named."""
    from hydra_console.cli.output import UserError  # noqa: PLC0415

    found = groups_of(parts, group)
    if len(found) != 1:
        msg = f"name one group with --group: {', '.join(found)}"
        raise UserError(msg)
    return found[0]


def person() -> str:
    """Who is on record as having said so."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "a person"
