"""The registry on MLflow: tracking, versions and the alias in the one database, artefacts as text files."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import sqlalchemy as sa

from hydra_assets.registry.port import Entry, RegisteredVersion, RegistryError, VersionState

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION = "champion"
CONNECT_SECONDS = 5
DOWN = "the model registry does not answer (is the database up? `hydra doctor` looks; nothing was promoted): "
ARTEFACT_NAME = "model.json"
DIGEST_TAG, STATE_TAG = "sha256", "state"


class MlflowRegistry:
    """``Registry`` over an MLflow store; MLflow is imported when it is first used, since that takes seconds."""

    def __init__(self, tracking_uri: str) -> None:
        self._uri = tracking_uri
        self._client: MlflowClient | None = None

    @property
    def client(self) -> "MlflowClient":
        """The client, made once; RegistryError where no store is named or it does not answer."""
        if self._client is None:
            if not self._uri:
                msg = 'MLFLOW_TRACKING_URI is not set: run through `hydra`, or `eval "$(hydra env)"` first'
                raise RegistryError(msg)
            # MLflow itself would try for two minutes, in silence.
            _probe(self._uri)
            from mlflow import MlflowClient  # noqa: PLC0415

            with _answering():
                self._client = MlflowClient(tracking_uri=self._uri, registry_uri=self._uri)
        return self._client

    def register(self, group: str, entry: Entry, state: VersionState) -> RegisteredVersion:
        """Log one run with its files and register it; an artefact that is registered already is found by digest."""
        with _answering():
            return self._register(group, entry, state)

    def _register(self, group: str, entry: Entry, state: VersionState) -> RegisteredVersion:
        from mlflow.entities import Metric, Param  # noqa: PLC0415

        known = self.client.search_model_versions(f"name = '{group}' and tags.{DIGEST_TAG} = '{entry.sha256}'")
        if known:
            oldest = min(known, key=lambda found: int(found.version))
            return RegisteredVersion(int(oldest.version), str(oldest.source))
        experiment = self.client.get_experiment_by_name(group)
        experiment_id = experiment.experiment_id if experiment else self.client.create_experiment(group)
        tags = {DIGEST_TAG: entry.sha256}
        run = self.client.create_run(experiment_id, run_name=entry.sha256[:12], tags=tags)
        run_id = run.info.run_id
        self.client.log_batch(
            run_id,
            metrics=[Metric(key, value, run.info.start_time, 0) for key, value in entry.metrics.items()],
            params=[Param(key, value) for key, value in entry.parameters.items()],
        )
        with tempfile.TemporaryDirectory() as folder:
            for name, content in {**entry.attachments, ARTEFACT_NAME: entry.artefact}.items():
                (Path(folder) / name).write_bytes(content)
            self.client.log_artifacts(run_id, folder)
        self._ensure_model(group)
        version = self.client.create_model_version(
            group,
            source=f"{run.info.artifact_uri}/{ARTEFACT_NAME}",
            run_id=run_id,
            tags={**tags, STATE_TAG: str(state)},
        )
        # Terminated last: a run that is still "running" is one whose registration was cut off.
        self.client.set_terminated(run_id)
        return RegisteredVersion(int(version.version), str(version.source))

    def _ensure_model(self, group: str) -> None:
        from mlflow.exceptions import MlflowException  # noqa: PLC0415

        try:
            self.client.get_registered_model(group)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            try:
                self.client.create_registered_model(group)
            except MlflowException as race:
                if race.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise

    def point_champion(self, group: str, version: int) -> bool:
        """Move the alias where it does not name the version yet; the version that it named is archived."""
        before = self.champion_alias(group)
        if before == version:
            return False
        with _answering():
            self.client.set_registered_model_alias(group, CHAMPION, str(version))
            if before is not None:
                self.client.set_model_version_tag(group, str(before), STATE_TAG, str(VersionState.ARCHIVED))
        return True

    def champion_alias(self, group: str) -> int | None:
        """Version under the alias ``champion``."""
        from mlflow.exceptions import MlflowException  # noqa: PLC0415

        with _answering():
            try:
                return int(self.client.get_model_version_by_alias(group, CHAMPION).version)
            except MlflowException as error:
                if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                    return None
                raise

    def load(self, uri: str) -> bytes:
        """Read an artefact; a file is read directly, anything else through MLflow."""
        parts = urlsplit(uri)
        if parts.scheme in {"", "file"}:
            try:
                return Path(unquote(parts.path) if parts.scheme else uri).read_bytes()
            except OSError as error:
                msg = f"model artefact {uri} cannot be read ({error.strerror}); restore it or train again"
                raise RegistryError(msg) from error
        from mlflow.artifacts import download_artifacts  # noqa: PLC0415

        return Path(download_artifacts(artifact_uri=uri, tracking_uri=self._uri)).read_bytes()


@contextmanager
def _answering() -> Iterator[None]:
    """What MLflow and its database raise, as one error that says what to do."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    try:
        yield
    except (MlflowException, sa.exc.SQLAlchemyError) as error:
        raise RegistryError(DOWN + str(error).splitlines()[0]) from error


def _probe(uri: str) -> None:
    """Ask a database for a connection; RegistryError where there is none within seconds."""
    if not uri.startswith("postgresql"):
        return
    engine = sa.create_engine(uri, connect_args={"connect_timeout": CONNECT_SECONDS}, poolclass=sa.pool.NullPool)
    try:
        engine.connect().close()
    except sa.exc.SQLAlchemyError as error:
        raise RegistryError(DOWN + str(error).splitlines()[0]) from error
