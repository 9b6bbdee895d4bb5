import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from hydra_console.bootstrap.environment import Environment, describe, ensure
from hydra_console.bootstrap.errors import BootstrapError
from hydra_console.bootstrap.variables import driver_dsn, external_url, variables, with_schema
from tests.support.postgres import TestServer

ENSURE = """
import sys
from pathlib import Path
from hydra_console.bootstrap.environment import ensure
print(ensure(Path(sys.argv[1])).embedded)
"""


def test_schema_is_added_to_a_url_beside_its_own_options() -> None:
    assert with_schema("postgresql+psycopg2://u@/d?host=/run/x", "dagster") == (
        "postgresql+psycopg2://u@/d?host=/run/x&options=-csearch_path%3Ddagster"
    )
    assert with_schema("postgresql+psycopg2://u:p%40@h/d?options=-cjit%3Doff", "m") == (
        "postgresql+psycopg2://u:p%40@h/d?options=-cjit%3Doff%20-csearch_path%3Dm"
    )


def test_own_database_replaces_the_embedded_one_and_an_exported_one_does_not() -> None:
    assert external_url({}) is None
    assert external_url({"HYDRA_POSTGRES_URL": " "}) is None
    exported = "postgresql+psycopg2://hydra@/hydra?host=/tmp/hydra-0/0123456789abcdef"
    assert external_url({"HYDRA_POSTGRES_URL": exported}) is None
    own = external_url({"HYDRA_POSTGRES_URL": "postgres://u:p@db.example:5432/hydra?sslmode=require"})
    assert own == "postgresql+psycopg2://u:p@db.example:5432/hydra?sslmode=require"
    assert driver_dsn(own) == "postgresql://u:p@db.example:5432/hydra?sslmode=require"


@pytest.mark.parametrize("text", ["mysql://u@h/d", "postgresql://host-without-database", "nonsense"])
def test_a_wrong_url_is_a_sentence_without_the_password(text: str) -> None:
    with pytest.raises(BootstrapError, match="must read postgresql://"):
        external_url({"HYDRA_POSTGRES_URL": text})


def test_flags_that_ranged_runs_need_are_exported() -> None:
    exported = variables(Path("/h"), "postgresql+psycopg2://u@h/d")
    assert exported["DAGSTER_EVENT_BATCH_SIZE"] == "1000000"
    assert exported["DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS"] == "1"


def test_bootstrap_makes_three_schemas_ready(home_environment: Environment) -> None:
    import psycopg2

    with psycopg2.connect(driver_dsn(home_environment.url)) as connection, connection.cursor() as cursor:
        tables = ["dagster.runs", "mlflow.experiments", "hydra.partition_content"]
        for table in tables:
            cursor.execute("SELECT to_regclass(%s)", (table,))
            assert cursor.fetchone() != (None,)
        cursor.execute("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'")
        assert cursor.fetchone() == (0,)
    connection.close()


def test_generated_instance_configuration(home_environment: Environment) -> None:
    text = (home_environment.home / "dagster" / "dagster.yaml").read_text(encoding="utf-8")
    config = yaml.safe_load(text)
    assert config["telemetry"]["enabled"] is False
    assert config["nux"]["enabled"] is False
    assert config["run_monitoring"]["enabled"] is True
    assert config["run_retries"]["enabled"] is True
    assert config["storage"] == {"postgres": {"postgres_url": {"env": "HYDRA_DAGSTER_POSTGRES_URL"}}}
    import dagster as dg
    from dagster_postgres.run_storage import PostgresRunStorage

    with dg.DagsterInstance.get() as instance:
        # Other tests of the same process may have run something on this home.
        assert isinstance(instance.run_storage, PostgresRunStorage)
        assert instance.get_runs_count() == len(instance.get_runs())
        assert instance.get_settings("telemetry") == {"enabled": False}


def test_mlflow_writes_into_the_home(home_environment: Environment) -> None:
    import mlflow

    client = mlflow.MlflowClient()
    experiment = client.get_experiment(client.create_experiment("where do artifacts go"))
    assert Path(experiment.artifact_location).is_relative_to(home_environment.home / "mlflow")
    run = client.create_run(experiment.experiment_id)
    client.log_metric(run.info.run_id, "x", 1.5)
    assert client.get_run(run.info.run_id).data.metrics == {"x": 1.5}


def test_a_ready_home_costs_one_look(home_environment: Environment) -> None:
    ensure(home_environment.home)
    started = time.monotonic()
    for _ in range(5):
        assert ensure(home_environment.home).started is False
    assert (time.monotonic() - started) / 5 < 0.1


def test_a_stopped_database_is_started_again(home_environment: Environment) -> None:
    from hydra_console.bootstrap.environment import stop

    assert stop(home_environment.home) is True
    assert ensure(home_environment.home).started is True


def test_edited_instance_configuration_is_repaired(home_environment: Environment) -> None:
    file = home_environment.home / "dagster" / "dagster.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text("telemetry: {enabled: true}\n", encoding="utf-8")
    ensure(home_environment.home)
    assert file.read_text(encoding="utf-8") == text


def test_own_database_is_used_and_no_server_started(
    postgres_server: TestServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A TCP or foreign server would look the same: only the runtime directory makes a URL ours.
    import hydra_console.bootstrap.variables as module

    with postgres_server.database(template="template1") as url:
        monkeypatch.setattr(module, "is_runtime_path", lambda _: False)
        monkeypatch.setattr(os, "environ", {**os.environ, "HYDRA_POSTGRES_URL": url})
        environment = describe(tmp_path)
        assert (environment.embedded, environment.url) == (False, url)
        made = ensure(tmp_path)
        assert made.embedded is False
        assert not (tmp_path / "postgres").exists()


def test_own_database_that_does_not_answer_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRA_POSTGRES_URL", "postgresql://u:secret@127.0.0.1:1/d")
    with pytest.raises(BootstrapError, match="does not answer") as caught:
        ensure(tmp_path)
    assert "secret" not in str(caught.value)


@pytest.mark.endurance
def test_concurrent_first_starts_of_a_home(tmp_path: Path) -> None:
    from hydra_console.bootstrap.environment import stop

    home = tmp_path / "home"
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("HYDRA_", "DAGSTER_", "MLFLOW_"))}
    processes = [
        subprocess.Popen([sys.executable, "-c", ENSURE, str(home)], stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    try:
        assert [process.communicate(timeout=180)[0].strip() for process in processes] == ["True", "True"]
    finally:
        stop(home)


def test_unwritable_home_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(BootstrapError, match="cannot be written"):
        ensure(tmp_path / "file" / "home")
