"""The environment that every process of a home shares, as a pure function of the home and its database."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from hydra_console.bootstrap.errors import BootstrapError
from hydra_console.bootstrap.rundir import is_runtime_path

DRIVER_URL = "postgresql+psycopg2"
"""SQLAlchemy 2.1 takes psycopg 3 for a bare ``postgresql://``; dagster-postgres ships psycopg2."""


def external_url(environment: Mapping[str, str]) -> str | None:
    """The database of the user's own that replaces the embedded one, None where there is none.

    ``hydra env`` exports the embedded server's URL under the same name; a URL whose socket is in the runtime
    directory is therefore no server of the user's own, whichever home it belongs to.
    """
    text = environment.get("HYDRA_POSTGRES_URL", "").strip()
    if not text:
        return None
    parts = urlsplit(text)
    if parts.scheme.split("+")[0] not in {"postgresql", "postgres"} or not parts.path.strip("/"):
        msg = "HYDRA_POSTGRES_URL must read postgresql://user:password@host:port/database"
        raise BootstrapError(msg)
    if is_runtime_path(dict(parse_qsl(parts.query)).get("host", "")):
        return None
    return DRIVER_URL + text[text.index("://") :]


def with_schema(url: str, schema: str) -> str:
    """The URL with unqualified names resolved in a schema."""
    address, _, query_text = url.partition("?")
    query = dict(parse_qsl(query_text))
    query["options"] = " ".join([*filter(None, [query.get("options")]), f"-csearch_path={schema}"])
    return f"{address}?{urlencode(query, quote_via=quote, safe='/')}"


def driver_dsn(url: str) -> str:
    """The URL as psycopg2 itself reads it."""
    return "postgresql" + url[url.index("://") :]


def variables(home: Path, url: str) -> dict[str, str]:
    """Everything that a plain shell, a code server or a worker needs to work on a home."""
    return {
        "HYDRA_HOME": str(home),
        "HYDRA_POSTGRES_URL": url,
        "HYDRA_DAGSTER_POSTGRES_URL": with_schema(url, "dagster"),
        "HYDRA_COMPUTE_LOGS": str(home / "dagster" / "compute_logs"),
        "DAGSTER_HOME": str(home / "dagster"),
        # Without these two, event logging dominates every ranged run by an order of magnitude. The batch holds any
        # run's partitions of an asset, so that they appear in one statement: the backfill daemon asks for what comes
        # next as soon as it sees partitions, and seeing a part of them it would start hundreds of runs on fragments.
        "DAGSTER_EVENT_BATCH_SIZE": "1000000",
        "DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS": "1",
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "MLFLOW_TRACKING_URI": with_schema(url, "mlflow"),
        "MLFLOW_REGISTRY_URI": with_schema(url, "mlflow"),
        "_MLFLOW_SERVER_ARTIFACT_ROOT": str(home / "mlflow"),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "1",
        # MLflow asks git for a commit on every run and warns where there is none.
        "GIT_PYTHON_REFRESH": "quiet",
    }
