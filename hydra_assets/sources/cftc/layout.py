"""Header dialects of the CFTC reports, and which of their columns carry which canonical quantity.

Four report kinds (family x scope) come in three dialects: the legacy yearly text ("Noncommercial Positions-Long
(All)"), the disaggregated yearly text ("M_Money_Positions_Long_All") and the field names of the public reporting
site, whose upstream misspellings (``noncomm_postions_spread_all``) are part of the format. Header cells are compared
after normalisation, so stray blanks, case and doubled underscores do not matter.

Sources: headers of the files themselves; the CFTC's historical compressed and public reporting pages.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hydra_assets.sources.base import ParseError


class Family(StrEnum):
    """Report family."""

    LEGACY = "legacy"
    DISAGGREGATED = "disaggregated"


class Scope(StrEnum):
    """Futures alone, or futures and delta-adjusted options combined."""

    FUTURES_ONLY = "futures_only"
    COMBINED = "combined"


QUANTITIES = ("long", "short", "spread", "traders_long", "traders_short", "traders_spread")
"""Per category: contracts long, short and spreading; traders of each."""

CATEGORIES: Mapping[Family, tuple[str, ...]] = {
    Family.LEGACY: ("noncommercial", "commercial", "total_reportable", "nonreportable"),
    Family.DISAGGREGATED: (
        "producer_merchant",
        "swap_dealer",
        "managed_money",
        "other_reportable",
        "total_reportable",
        "nonreportable",
    ),
}
SPREADING = frozenset({"noncommercial", "swap_dealer", "managed_money", "other_reportable"})
"""Categories with a spreading column."""
COMPONENTS: Mapping[Family, tuple[str, ...]] = {
    family: tuple(c for c in categories if c not in {"total_reportable", "nonreportable"})
    for family, categories in CATEGORIES.items()
}
"""Categories whose long (short) and spreading positions add up to the reportable total."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One header dialect: accepted normalised spellings per field, and a pattern of every column it may have.

    Field names are ``report_date``, ``yymmdd``, ``code``, ``open_interest``, ``scope``, ``name`` and
    ``<category>.<quantity>``. ``optional`` fields may be absent.
    """

    name: str
    family: Family
    fields: Mapping[str, tuple[str, ...]]
    known: re.Pattern[str]
    optional: frozenset[str]


def normalise(header: str) -> str:
    """Header cell in lower case with every run of other characters turned into one underscore."""
    return re.sub(r"[^a-z0-9%]+", "_", header.lower()).strip("_")


def _fields(
    family: Family, spelling: Mapping[str, tuple[str, ...]], common: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """One entry per field of the family: the common ones, and the quantities that each category has."""
    fields = dict(common)
    for category in CATEGORIES[family]:
        for quantity in QUANTITIES:
            if quantity.endswith("spread") and category not in SPREADING:
                continue
            if quantity.startswith("traders") and category == "nonreportable":
                continue
            fields[f"{category}.{quantity}"] = spelling[f"{category}.{quantity}"]
    return fields


_LEGACY_TEXT_STEM = {
    "noncommercial": "noncommercial",
    "commercial": "commercial",
    "total_reportable": "total_reportable",
    "nonreportable": "nonreportable",
}
_LEGACY_SITE_STEM = {
    "noncommercial": "noncomm",
    "commercial": "comm",
    "total_reportable": "tot_rept",
    "nonreportable": "nonrept",
}
_DISAGGREGATED_STEM = {
    "producer_merchant": "prod_merc",
    "swap_dealer": "swap",
    "managed_money": "m_money",
    "other_reportable": "other_rept",
    "total_reportable": "tot_rept",
    "nonreportable": "nonrept",
}


def _regular(stems: Mapping[str, str], spread_word: str, suffixes: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Regular spellings ``<stem>_positions_<side><suffix>`` and ``traders_<stem>_<side><suffix>``."""
    out: dict[str, tuple[str, ...]] = {}
    for category, stem in stems.items():
        for side in ("long", "short", "spread"):
            word = spread_word if side == "spread" else side
            out[f"{category}.{side}"] = tuple(f"{stem}_positions_{word}{s}" for s in suffixes)
            out[f"{category}.traders_{side}"] = tuple(f"traders_{stem}_{word}{s}" for s in suffixes)
    return out


_SITE_LEGACY = _regular(_LEGACY_SITE_STEM, "spread", ("_all",)) | {
    # In this dialect "noncomm_positions_spread" is the old crop year's column, so the bare name is not accepted.
    "noncommercial.spread": ("noncomm_postions_spread_all", "noncomm_positions_spread_all"),
    "total_reportable.short": ("tot_rept_positions_short", "tot_rept_positions_short_all"),
}

LEGACY_TEXT = Dialect(
    name="legacy_text",
    family=Family.LEGACY,
    fields=_fields(
        Family.LEGACY,
        _regular(_LEGACY_TEXT_STEM, "spreading", ("_all",)),
        {
            "name": ("market_and_exchange_names",),
            "yymmdd": ("as_of_date_in_form_yymmdd",),
            "report_date": ("as_of_date_in_form_yyyy_mm_dd", "as_of_date_in_form_mm_dd_yyyy"),
            "code": ("cftc_contract_market_code",),
            "open_interest": ("open_interest_all",),
        },
    ),
    known=re.compile(
        r"(market_and_exchange_names|as_of_date_in_form_.*|cftc_(contract_market|market|region|commodity)_code.*"
        r"|contract_units|open_interest_(all|old|other)|% of_open_interest.*|%_of_.*"
        r"|((non)?commercial|total_reportable|nonreportable)_positions_(long|short|spreading)_(all|old|other)"
        r"|change_in_(open_interest|(non)?commercial|total_reportable|nonreportable).*|traders_.*|concentration_.*)"
    ),
    optional=frozenset({"yymmdd", "name"}),
)

DISAGGREGATED = Dialect(
    name="disaggregated",
    family=Family.DISAGGREGATED,
    # The yearly text ends every column in _All; the public reporting site drops that suffix on some of them.
    fields=_fields(
        Family.DISAGGREGATED,
        _regular(_DISAGGREGATED_STEM, "spread", ("_all", "")),
        {
            "name": ("market_and_exchange_names",),
            "yymmdd": ("as_of_date_in_form_yymmdd", "id"),
            "report_date": ("report_date_as_yyyy_mm_dd", "report_date_as_mm_dd_yyyy"),
            "code": ("cftc_contract_market_code",),
            "open_interest": ("open_interest_all", "open_interest"),
            "scope": ("futonly_or_combined",),
        },
    ),
    known=re.compile(
        r"(id|market_and_exchange_names|as_of_date_in_form_.*|report_date_as_.*|yyyy_report_week_ww"
        r"|cftc_(contract_market|market|region|commodity|subgroup)_code.*|contract_(market_name|units)|open_interest.*"
        r"|(prod_merc|swap|m_money|other_rept|tot_rept|nonrept)_positions_.*|change_in_.*|pct_of_.*|traders_.*|conc_.*"
        r"|futonly_or_combined|commodity(_name|_subgroup_name|_group_name)?)"
    ),
    optional=frozenset({"yymmdd", "name", "scope"}),
)

LEGACY_SITE = Dialect(
    name="legacy_site",
    family=Family.LEGACY,
    fields=_fields(
        Family.LEGACY,
        _SITE_LEGACY,
        {
            "name": ("market_and_exchange_names",),
            "yymmdd": ("id",),
            "report_date": ("report_date_as_yyyy_mm_dd", "report_date_as_mm_dd_yyyy"),
            "code": ("cftc_contract_market_code",),
            "open_interest": ("open_interest_all",),
            "scope": ("futonly_or_combined",),
        },
    ),
    known=re.compile(
        r"(id|market_and_exchange_names|report_date_as_.*|yyyy_report_week_ww"
        r"|cftc_(contract_market|market|region|commodity|subgroup)_code.*|contract_(market_name|units)|open_interest.*"
        r"|(noncomm|comm|tot_rept|nonrept)_pos(i)?tions_.*|change_in_.*|pct_of_.*|traders_.*|conc_.*"
        r"|futonly_or_combined|commodity(_name|_subgroup_name|_group_name)?)"
    ),
    optional=frozenset({"yymmdd", "name", "scope"}),
)

DIALECTS = (LEGACY_TEXT, DISAGGREGATED, LEGACY_SITE)
_MARKS = {
    "legacy_text": "noncommercial_positions_",
    "disaggregated": "m_money_positions_",
    "legacy_site": "noncomm_pos",
}
"""A column start that only one dialect has."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A header read: its dialect, position and spelling of every field present, and the columns nobody knows."""

    dialect: Dialect
    positions: Mapping[str, int]
    spelling: Mapping[str, str]
    unknown: tuple[str, ...]


def detect(header: Sequence[str]) -> Layout:
    """Recognise a header; ParseError ``unknown_layout``, or ``missing_column`` naming what is needed and absent."""
    names = [normalise(cell) for cell in header]
    fitting = [d for d in DIALECTS if any(n.startswith(_MARKS[d.name]) for n in names)]
    if len(fitting) != 1:
        detail = f"{len(fitting)} known header dialects fit; the header begins {' | '.join(header[:3])[:120]!r}"
        raise ParseError("unknown_layout", detail)
    dialect = fitting[0]
    first = {name: i for i, name in reversed(list(enumerate(names)))}
    spelling: dict[str, str] = {}
    missing: list[str] = []
    for field, spellings in dialect.fields.items():
        found = next((s for s in spellings if s in first), None)
        if found is not None:
            spelling[field] = found
        elif field not in dialect.optional:
            missing.append(spellings[0])
    if missing:
        raise ParseError("missing_column", f"{dialect.name}: {', '.join(missing)}")
    unknown = tuple(sorted({n for n in names if not dialect.known.fullmatch(n)}))
    return Layout(dialect, {field: first[name] for field, name in spelling.items()}, spelling, unknown)


_NAMED_SCOPE = (
    (re.compile(r"annualof|deahistfo|c_year|com_disagg|c_disagg|com\d\d_\d\d|jun7-fc8e|kh3c-gbw2"), Scope.COMBINED),
    (
        re.compile(r"annual(?!of)|deacot|f_year|fut_disagg|f_disagg|fut\d\d_\d\d|6dca-aqww|72hh-3qpy"),
        Scope.FUTURES_ONLY,
    ),
)
SCOPE_VALUES = {"futonly": Scope.FUTURES_ONLY, "combined": Scope.COMBINED}
"""Values of the ``FutOnly_or_Combined`` column, in lower case."""


def scope_by_name(names: Sequence[str]) -> Scope | None:
    """Scope that the CFTC's own file names say (annual.txt, annualof.txt, f_year, c_year, zip names); None if none."""
    found = {scope for name in names for pattern, scope in _NAMED_SCOPE if pattern.search(name.lower())}
    if len(found) > 1:
        raise ParseError("ambiguous_report", f"file names {', '.join(names)} speak of both scopes")
    return next(iter(found), None)


def declared_scope(meta_scope: str | None, names: Sequence[str]) -> Scope | None:
    """Scope of a payload without a scope column: what the binding declares, checked against the file names."""
    named = scope_by_name(names)
    if meta_scope is None:
        return named
    if meta_scope not in set(Scope):
        raise ParseError("ambiguous_report", f"scope {meta_scope!r} is neither futures_only nor combined")
    declared = Scope(meta_scope)
    if named not in {None, declared}:
        raise ParseError("ambiguous_report", f"declared {declared}, but the file name says {named}")
    return declared
