"""The registry on a real MLflow store: versions by digest, an alias that moves, files that come back."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from hydra_assets.registry.mlflow_registry import ARTEFACT_NAME, CHAMPION, MlflowRegistry
from hydra_assets.registry.port import Entry, RegistryError, VersionState
from hydra_console.bootstrap.variables import with_schema
from tests.support.postgres import TestServer, engine_on

CANDIDATE = VersionState.CANDIDATE


@pytest.fixture(scope="module")
def registry(postgres_server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowRegistry]:
    """One store for the module, each test in groups of its own; its artefacts lie in a path with a space."""
    folder = tmp_path_factory.mktemp("model artefacts")
    with postgres_server.database() as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", str(folder))
        with engine_on(url) as engine, engine.begin() as connection:
            connection.execute(sa.schema.CreateSchema("mlflow", if_not_exists=True))
        yield MlflowRegistry(with_schema(url, "mlflow"))


def entry(sha256: str = "aa" * 32, artefact: bytes = b'{"model": 1}') -> Entry:
    return Entry(
        artefact=artefact,
        sha256=sha256,
        parameters={"name": "logistic", "recipe": "x" * 4000, "cutoff": "2024-03-31"},
        metrics={"sharpe": 1.25, "training_rows": 500.0},
        attachments={"scores.json": b"{}", "gates.json": b"[]"},
    )


def states(registry: MlflowRegistry, group: str) -> dict[int, str]:
    found = registry.client.search_model_versions(f"name = '{group}'")
    return {int(version.version): version.tags["state"] for version in found}


def test_an_entry_is_stored_whole_and_comes_back(registry: MlflowRegistry) -> None:
    found = registry.register("whole", entry(), CANDIDATE)
    assert found.version == 1
    assert registry.load(found.uri) == b'{"model": 1}'
    version = registry.client.get_model_version("whole", "1")
    assert version.tags == {"sha256": "aa" * 32, "state": "candidate"}
    run = registry.client.get_run(str(version.run_id))
    assert run.info.status == "FINISHED"
    assert run.data.params == dict(entry().parameters)
    assert run.data.metrics == dict(entry().metrics)
    files = {item.path for item in registry.client.list_artifacts(str(version.run_id))}
    assert files == {ARTEFACT_NAME, "scores.json", "gates.json"}


def test_the_same_digest_is_the_same_version(registry: MlflowRegistry) -> None:
    first = registry.register("again", entry(), CANDIDATE)
    assert registry.register("again", replace(entry(), metrics={}), CANDIDATE) == first
    second = registry.register("again", entry("bb" * 32, b"other"), CANDIDATE)
    assert second.version == 2
    assert registry.load(second.uri) == b"other"
    # Another group's versions are its own.
    assert registry.register("elsewhere", entry(), CANDIDATE).version == 1
    assert states(registry, "again") == {1: "candidate", 2: "candidate"}


def test_a_registration_that_was_cut_off_is_made_anew(
    registry: MlflowRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(
            registry.client, "create_model_version", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            registry.register("cut", entry(), CANDIDATE)
    assert states(registry, "cut") == {}
    assert registry.register("cut", entry(), CANDIDATE).version == 1
    experiment = registry.client.get_experiment_by_name("cut")
    assert experiment is not None
    runs = registry.client.search_runs([experiment.experiment_id])
    # The run that was cut off says so by never having ended.
    assert sorted(run.info.status for run in runs) == ["FINISHED", "RUNNING"]


def test_the_alias_names_one_version_and_the_one_before_is_archived(registry: MlflowRegistry) -> None:
    assert registry.champion_alias("alias") is None
    for sha256 in ("aa" * 32, "bb" * 32, "cc" * 32):
        registry.register("alias", entry(sha256), CANDIDATE)
    assert registry.champion_alias("alias") is None
    assert registry.point_champion("alias", 1)
    assert not registry.point_champion("alias", 1)
    assert (registry.champion_alias("alias"), states(registry, "alias")) == (1, dict.fromkeys((1, 2, 3), "candidate"))
    assert registry.point_champion("alias", 3)
    assert registry.champion_alias("alias") == 3
    assert states(registry, "alias") == {1: "archived", 2: "candidate", 3: "candidate"}
    assert list(registry.client.get_registered_model("alias").aliases) == [CHAMPION]


def test_what_is_gone_is_said_with_what_to_do(registry: MlflowRegistry, tmp_path: Path) -> None:
    found = registry.register("gone", entry(), CANDIDATE)
    stored = tmp_path / "a b.json"
    stored.write_bytes(b"text")
    assert registry.load(str(stored)) == b"text"
    assert registry.load(stored.as_uri()) == b"text"
    stored.unlink()
    for uri in (str(stored), stored.as_uri()):
        with pytest.raises(RegistryError, match=r"cannot be read .* restore it or train again"):
            registry.load(uri)
    assert registry.load(found.uri)


def test_without_a_store_it_says_how_to_get_one() -> None:
    with pytest.raises(RegistryError, match="MLFLOW_TRACKING_URI is not set"):
        MlflowRegistry("").champion_alias("sim")


def test_a_database_that_is_down_is_said_within_seconds() -> None:
    registry = MlflowRegistry("postgresql+psycopg2://nobody@127.0.0.1:1/nothing")
    with pytest.raises(RegistryError, match=r"does not answer .*nothing was promoted.*refused"):
        registry.champion_alias("sim")
