"""The reference pages under ``docs/reference``, written from the code that they describe.

    uv run scripts/reference.py            write them
    uv run scripts/reference.py --check    say which ones are out of date

``columns.md`` and ``datasets.md`` come from the column dictionary, ``features.md`` from the feature dictionary,
``markets.md`` from the market files and the sources' own rules, ``reasons.md`` from the enumerations of codes and the
parsers' refusals.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path

import polars as pl
from reference_codes import enumeration, enumerations, refusals, row_reasons

from hydra_assets.columns import COLUMNS, DATASETS, Column, DatasetSpec
from hydra_assets.features.assemble import dictionary_frame
from hydra_assets.markets.loader import load_markets
from hydra_assets.markets.model import Expiry, MarketSpec
from hydra_assets.sources.csv_maps import load_maps
from hydra_assets.sources.registry import FACTORIES

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "reference"
NOTICE = "<!-- Written by `uv run scripts/reference.py`; change the code it describes, not this page. -->\n"
CODE_SUFFIXES = ("Reason", "Code", "Fault", "State", "Status", "Disposition")
"""An enumeration whose name ends so holds codes that a person may meet, and is listed in ``reasons.md``."""


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Render a Markdown table."""
    lines = [f"| {' | '.join(header)} |", f"|{'|'.join(' --- ' for _ in header)}|"]
    lines += [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|").replace("``", "`") if value is not None else ""


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def columns_page() -> str:
    """Every column of the dictionary, with the datasets that have it."""
    holders = {name: [spec.name for spec in DATASETS.values() if name in spec.columns] for name in COLUMNS}
    rows = [
        (f"`{name}`", _type(column), column.unit, _meaning(column), column.known_when, _code(holders[name]))
        for name, column in sorted(COLUMNS.items())
    ]
    return (
        f"# Columns\n\n{NOTICE}\nA column means the same thing in every dataset. Bounds are part of the type: a raw "
        "row outside of them goes to quarantine, a derived one fails its schema check.\n\n"
        + table(("column", "type", "unit", "meaning", "known", "datasets"), rows)
    )


def features_page() -> str:
    """The feature dictionary."""
    header = ("name", "group", "unit", "known_when", "source", "description")
    rows = [(_code([row[0]]), *row[1:]) for row in dictionary_frame().iter_rows()]
    return (
        f"# Features\n\n{NOTICE}\nWhat the model sees of a session, in the order of `feature_vector`. "
        "The same table is the view `feature_dictionary` of `hydra sql`.\n\n" + table(header, rows)
    )


def _type(column: Column) -> str:
    names = {
        pl.Float64: "float",
        pl.Int64: "integer",
        pl.String: "text",
        pl.Date: "date",
        pl.Boolean: "flag",
        pl.Datetime: "UTC instant",
        pl.List: "list of floats",
    }
    return next(name for kind, name in names.items() if isinstance(column.dtype, kind)) + _bounds(column)


def _bounds(column: Column) -> str:
    if column.minimum is None and column.maximum is None:
        return ""
    low = "" if column.minimum is None else f"{column.minimum:g}"
    high = "" if column.maximum is None else f"{column.maximum:g}"
    return f" [{low}, {high}]" if low and high else f" ≥ {low}" if low else f" ≤ {high}"


def _meaning(column: Column) -> str:
    return column.description + (f" One of {_code(column.allowed)}." if column.allowed else "")


def datasets_page() -> str:
    """Every dataset with its key, partitions, limits and checks."""
    checks = import_module("hydra_assets.defs.checks")
    parts = [
        f"# Datasets\n\n{NOTICE}\nRaw datasets are append-only: a restatement is a new row with a later `known_at`. "
        "Derived ones are replaced per market and session range. Columns are described in [columns.md](columns.md); "
        "`hydra sql` shows each dataset as a view of its name.\n"
    ]
    parts += [_dataset(spec, checks.CHECKS.get(spec.name, ()), checks.BLOCKING) for spec in DATASETS.values()]
    return "\n".join(parts)


def _dataset(spec: DatasetSpec, checks: Sequence[str], blocking: frozenset[str]) -> str:
    facts = [
        ("layer", str(spec.layer)),
        (
            "partitions",
            {"market_session": "market x session", "report_week": "report week"}.get(spec.partitioned_by, "none"),
        ),
        ("key", _code(spec.key)),
    ]
    if spec.staleness_days is not None:
        unit = "session" if "event_session" in spec.columns else "day"
        plural = "" if spec.staleness_days == 1 else "s"
        facts.append(("stale after", f"{spec.staleness_days} {unit}{plural}"))
    if checks:
        facts.append(
            ("checks", ", ".join(f"`{name}`" + (" (blocking)" if name in blocking else "") for name in checks))
        )
    facts.append(("columns", ", ".join(f"**`{n}`**" if n in spec.required else f"`{n}`" for n in spec.columns)))
    return f"## {spec.name}\n\n{spec.description}\n\n" + table(("", ""), facts) + "\nBold columns are never missing.\n"


def _check_says(quality: object, name: str, description: str) -> str:
    """First paragraph of the check's function, or its description where one function serves many rules."""
    function = getattr(quality, f"check_{name}", None)
    return (function.__doc__ or "").split("\n\n")[0] if function else description


def markets_page() -> str:
    """Contract facts of the packaged markets, and the sources' rules on when a row could be known."""
    markets = list(load_markets().values())
    rules = enumeration("hydra_assets/markets/model.py", "ExpiryRule")
    optioned = [(m, m.options) for m in markets if m.options is not None]
    return "\n".join(
        [
            f"# Markets and sources\n\n{NOTICE}\nOne file of `hydra_assets/markets/specs` each; a home's own "
            "`markets/*.yaml` add to them or replace them. `SIM_` marks markets of the embedded simulation, which "
            "borrow the contract of the market that they are named after.\n\n## Contracts\n",
            table(
                (
                    "market",
                    "name",
                    "group",
                    "exchange",
                    "root",
                    "months",
                    "price unit",
                    "tick",
                    "per point",
                    "last trade",
                    "",
                ),
                (
                    (
                        f"`{m.symbol}`",
                        m.name,
                        m.group,
                        m.exchange,
                        m.root,
                        m.contract_months,
                        m.price_unit,
                        f"{m.tick:g}",
                        f"{m.multiplier:,g} {m.currency}",
                        _expiry(m.last_trade),
                        _delivery(m),
                    )
                    for m in markets
                ),
            ),
            "## Time\n\nLocal times; the cutoff is the instant of a session's decision, in UTC in every dataset.\n",
            table(
                ("market", "calendar", "time zone", "settlement public", "cutoff", "front rolls before its end"),
                (
                    (
                        f"`{m.symbol}`",
                        m.calendar,
                        m.timezone,
                        f"{m.settlement_published:%H:%M}",
                        f"{m.cutoff.at:%H:%M}" + (" next day" if m.cutoff.day_offset else ""),
                        f"{m.roll_days_before_expiry} business days",
                    )
                    for m in markets
                ),
            ),
            "## Options\n",
            table(
                ("market", "root", "exercise", "premium", "expiry", "tick", "strikes every", "option month: future"),
                (
                    (
                        f"`{m.symbol}`",
                        o.root,
                        o.exercise,
                        o.margin_style,
                        _expiry(o.expiry),
                        f"{o.tick:g}",
                        f"{o.strike_interval:g}",
                        " ".join(f"{a}:{b}" for a, b in o.underlying_month.items()),
                    )
                    for m, o in optioned
                ),
            ),
            "Expiry rules:\n",
            table(("rule", "meaning"), ((f"`{c.value}`", c.meaning) for c in rules.codes)),
            "## CFTC codes\n",
            table(
                ("market", "code", "from", "to"),
                ((f"`{m.symbol}`", c.code, c.valid_from, c.valid_to) for m in markets for c in m.cftc_codes),
            ),
            "## Costs and limits\n",
            table(
                ("market", "half-spread, ticks", "fee a contract", "daily volume", "position limit", "jump flag"),
                (
                    (
                        f"`{m.symbol}`",
                        f"{m.liquidity.half_spread_ticks:g}",
                        f"{m.liquidity.fee_per_contract:g} {m.currency}",
                        f"{m.liquidity.typical_daily_volume:,}",
                        f"{m.risk.max_position_contracts} contracts",
                        f"{m.price_jump_limit:.0%}",
                    )
                    for m in markets
                ),
            ),
            "## Where the facts come from\n",
            table(("market", "source of the facts"), ((f"`{m.symbol}`", m.facts_source) for m in markets)),
            "## When a row could be known, by source\n",
            table(("source", "dataset", "rule"), _known_at_rules()),
            "## Layouts of the csv source\n\nColumn maps in `hydra_assets/sources/maps`; a home's own `maps/*.yaml` "
            "add to them or replace them.\n",
            table(("map", "kind", "layout"), ((f"`{m.name}`", m.kind, m.description) for m in load_maps().values())),
        ]
    )


def _expiry(expiry: Expiry) -> str:
    return f"`{expiry.rule}`" + (f" {expiry.n}" if expiry.n is not None else "")


def _delivery(market: MarketSpec) -> str:
    notice = market.first_notice_business_days_before_month
    return "cash" if notice is None else f"physical, notice {notice} business days before the month"


def _known_at_rules() -> Iterator[tuple[str, str, str]]:
    for name, (module, cls) in FACTORIES.items():
        rules = getattr(import_module(module), cls).known_at_rules
        for dataset, rule in rules.items():
            yield f"`{name}`", f"`{dataset}`", rule


def _said_by(codes: Mapping[str, set[str]]) -> str:
    return table(("code", "said by"), ((f"`{code}`", _code(sorted(where))) for code, where in sorted(codes.items())))


def reasons_page() -> str:
    """Every code with which the system says why."""
    checks = import_module("hydra_assets.defs.checks")
    quality = import_module("hydra_assets.quality")
    listed = [e for e in enumerations() if e.name.endswith(CODE_SUFFIXES)]
    tested: dict[str, list[str]] = {}
    for dataset, names in checks.CHECKS.items():
        for name in names:
            tested.setdefault(name, []).append(dataset)
    functions = {"monotone_timestamps": "timestamps", "duplicates_and_restatements": "versions"}
    functions |= {"quarantine_share": "quarantine", "put_call_parity": "parity"}
    parts = [
        f"# Reason codes\n\n{NOTICE}\nEvery verdict carries a code that does not change with its wording: in the "
        "datasets' `*_reason` columns, in `quarantine.reason`, in the tables `payloads`, `payload_reasons`, "
        "`partition_content` and `alerts`, and in the metadata of asset checks.\n\n## Asset checks\n\nOne evaluation "
        "per run over its whole range. A blocking check of severity ERROR keeps the same run from computing what "
        "follows; every failure raises an alert with the code `check_<reason>`.\n",
        table(
            ("check", "what it says", "blocking", "datasets"),
            (
                (
                    f"`{name}`",
                    _check_says(quality, functions.get(name, name), checks.DESCRIPTIONS[name]),
                    "yes" if name in checks.BLOCKING else "no",
                    _code(datasets),
                )
                for name, datasets in tested.items()
            ),
        ),
        "## Refused deliveries\n\nA source refuses a whole payload or request with one of these; what was delivered is "
        "archived, the delivery ends in a state of `PayloadState`, and an alert is raised where that is a failure.\n",
        _said_by(refusals()),
        "## Refused rows of tables\n\nRows that the `csv` and `cme_settlement` parsers quarantine or set aside.\n",
        _said_by(row_reasons()),
    ]
    names = [found.name for found in listed]
    for found in listed:
        rows = [(f"`{code.value}`", code.meaning) for code in found.codes]
        title = found.name if names.count(found.name) == 1 else f"{found.name}, {found.module.split('.', 2)[-1]}"
        parts.append(f"## {title}\n\n{found.meaning} (`{found.module}`)\n")
        has_meaning = any(code.meaning for code in found.codes)
        parts.append(table(("code", "meaning"), rows) if has_meaning else _code(c.value for c in found.codes) + "\n")
    return "\n".join(parts)


def pages() -> dict[str, str]:
    """File name and text of every page."""
    made = {
        "columns.md": columns_page(),
        "features.md": features_page(),
        "datasets.md": datasets_page(),
        "markets.md": markets_page(),
        "reasons.md": reasons_page(),
    }
    return {name: text.rstrip() + "\n" for name, text in made.items()}


def outdated(directory: Path = PAGES) -> list[str]:
    """Pages whose file differs from what the code gives now."""
    return [
        name
        for name, text in pages().items()
        if not (directory / name).exists() or (directory / name).read_text(encoding="utf-8") != text
    ]


def main() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a page is out of date")
    if parser.parse_args().check:
        late = outdated()
        print(
            f"out of date: {', '.join(late)}; run `uv run scripts/reference.py`" if late else "reference is up to date"
        )
        return 1 if late else 0
    PAGES.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (PAGES / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
