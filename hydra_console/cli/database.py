"""``hydra sql``."""

import math
from typing import Annotated

import typer


def sql(
    query: Annotated[str, typer.Argument(help="One query; every dataset is a view of its asset's name.")],
    param: Annotated[
        list[str] | None, typer.Option("--param", "-p", help="Value of the next ? in the query; repeatable.")
    ] = None,
    json_rows: Annotated[bool, typer.Option("--json", help="Print a JSON array of objects.")] = False,
) -> None:
    """Query the datasets and the state tables (payloads, partition_content, alerts, ...) with DuckDB, read-only."""
    import json  # noqa: PLC0415

    from rich.table import Table  # noqa: PLC0415

    from hydra_console.cli.output import UserError, remark, result  # noqa: PLC0415
    from hydra_console.cli.session import engine_of, lake_of, open_home  # noqa: PLC0415

    environment = open_home()
    from hydra_console.query import QueryError, run_query  # noqa: PLC0415  heavy, and a home may be missing

    try:
        rows = run_query(lake_of(environment), lambda: engine_of(environment), query, param or [])
    except QueryError as error:
        raise UserError(str(error)) from error
    if json_rows:
        result().print(json.dumps(_plain(rows.to_dicts()), default=str, ensure_ascii=False), markup=False)
        return
    table = Table(*rows.columns)
    for row in rows.iter_rows():
        table.add_row(*("" if value is None else str(value) for value in row))
    result().print(table)
    remark().print(f"{rows.height} row{'' if rows.height == 1 else 's'}")


def _plain(value: object) -> object:
    """Values that JSON has: no NaN, no infinity."""
    match value:
        case dict():
            return {str(key): _plain(inner) for key, inner in value.items()}
        case list():
            return [_plain(inner) for inner in value]
        case float() if not math.isfinite(value):
            return None
        case _:
            return value
