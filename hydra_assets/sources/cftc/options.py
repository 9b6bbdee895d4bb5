"""What a binding may ask of the CFTC source, typed and checked."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field, ValidationError

from hydra_assets.markets.model import SourceBinding, Strict
from hydra_assets.sources.base import PayloadState, SourceError
from hydra_assets.sources.cftc.layout import Family, Scope


class ReportKind(Strict):
    """One of the four reports, with its yearly archive's stem and its dataset on the public reporting site."""

    family: Family
    scope: Scope
    archive_stem: str
    site_dataset: str


REPORTS: dict[str, ReportKind] = {
    f"{family}_{scope}": ReportKind(family=family, scope=scope, archive_stem=stem, site_dataset=dataset)
    for family, scope, stem, dataset in (
        (Family.LEGACY, Scope.FUTURES_ONLY, "deacot", "6dca-aqww"),
        (Family.LEGACY, Scope.COMBINED, "deahistfo", "jun7-fc8e"),
        (Family.DISAGGREGATED, Scope.FUTURES_ONLY, "fut_disagg_txt_", "72hh-3qpy"),
        (Family.DISAGGREGATED, Scope.COMBINED, "com_disagg_txt_", "kh3c-gbw2"),
    )
}
"""By name: legacy_futures_only, legacy_combined, disaggregated_futures_only, disaggregated_combined."""


class CftcOptions(Strict):
    """Options of a ``cftc`` binding.

    ``files``: globs under the home's data folder (yearly texts, zips, site exports); a name part like
    ``.asof_2025-01-13T23-00-02Z`` says when that vintage was public. ``scopes``: scope of the files of a glob, for
    legacy texts whose name does not tell. ``archives`` and ``site`` switch on the two network routes.
    """

    files: tuple[str, ...] = ()
    scopes: dict[str, Scope] = Field(default_factory=dict)
    archives: bool = False
    site: bool = False
    reports: tuple[str, ...] = tuple(REPORTS)
    history_url: str = "https://www.cftc.gov/files/dea/history"
    site_url: str = "https://publicreporting.cftc.gov/resource"
    first_year: Annotated[int, Field(ge=1986)] = 2017
    """First yearly archive that is fetched when a home starts; earlier years come in multi-year archives, as files."""
    page_rows: Annotated[int, Field(ge=1, le=50_000)] = 5_000


def read_options(bindings: Iterable[SourceBinding]) -> list[CftcOptions]:
    """Distinct options of the bindings, in order; SourceError ``bad_option`` naming what is wrong."""
    distinct: list[CftcOptions] = []
    for binding in bindings:
        try:
            options = CftcOptions.model_validate(binding.options)
        except ValidationError as error:
            raise SourceError("bad_option", f"cftc: {error}", state=PayloadState.UNREACHABLE) from error
        unknown = sorted(set(options.reports) - set(REPORTS))
        if unknown:
            detail = f"cftc: no reports {', '.join(unknown)}; there are {', '.join(REPORTS)}"
            raise SourceError("bad_option", detail, state=PayloadState.UNREACHABLE)
        if options not in distinct:
            distinct.append(options)
    return distinct
