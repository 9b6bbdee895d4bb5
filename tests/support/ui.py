"""The Dagster UI of a home, started as `hydra up` starts it and asked through its own GraphQL."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from hydra_console.server import start_server, stop_server, wait_until_answering

LOAD_SECONDS = 180.0


class GraphQLError(Exception):
    """The UI's answer to a query was an error; the message is its own."""


@dataclass(frozen=True)
class DagsterUi:
    """A running UI."""

    url: str

    def graphql(self, query: str, **variables: Any) -> dict[str, Any]:
        """Answer of a query or mutation; GraphQLError where there is none."""
        answer = httpx.post(f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=120)
        content = answer.json()
        if content.get("errors"):
            raise GraphQLError(content["errors"][0]["message"])
        return dict(content["data"])

    def locations(self) -> dict[str, str]:
        """Load state of each code location: ``LOADED``, or the error's message."""
        query = """{ workspaceOrError { __typename
            ... on PythonError { message }
            ... on Workspace { locationEntries { name loadStatus locationOrLoadError { __typename
                ... on PythonError { message } } } } } }"""
        workspace = self.graphql(query)["workspaceOrError"]
        if workspace["__typename"] != "Workspace":
            raise GraphQLError(workspace["message"])
        return {
            entry["name"]: (entry["locationOrLoadError"] or {}).get("message", entry["loadStatus"])
            for entry in workspace["locationEntries"]
        }

    def wait_until_loaded(self) -> None:
        """Return once every code location is loaded; GraphQLError where one cannot be, or is not in time."""
        deadline = time.monotonic() + LOAD_SECONDS
        while "LOADING" in (states := self.locations()).values() or not states:
            if time.monotonic() > deadline:
                raise GraphQLError(str(states))
            time.sleep(0.3)
        if set(states.values()) != {"LOADED"}:
            raise GraphQLError(str(states))

    def assets(self) -> list[dict[str, Any]]:
        """Every asset: key, location, group, description, what it depends on, and its partitions by state."""
        query = """{ assetNodes { assetKey { path } groupName description kinds
            repository { location { name } } dependencyKeys { path } assetChecksOrError { __typename
                ... on AssetChecks { checks { name } } }
            partitionStats { numPartitions numMaterialized numFailed } } }"""
        return [
            {
                **node,
                "name": "/".join(node["assetKey"]["path"]),
                "location": node["repository"]["location"]["name"],
                "dependencies": sorted("/".join(key["path"]) for key in node["dependencyKeys"]),
            }
            for node in self.graphql(query)["assetNodes"]
        ]

    def launch_backfill(self, ranges: Mapping[str, tuple[str, str]]) -> str:
        """Launch one backfill of asset -> (first, last partition key); its id."""
        mutation = """mutation ($params: LaunchBackfillParams!) {
            launchPartitionBackfill(backfillParams: $params) { __typename
                ... on LaunchBackfillSuccess { backfillId }
                ... on PythonError { message }
                ... on UnauthorizedError { message } } }"""
        params = {
            "partitionsByAssets": [
                {"assetKey": {"path": [asset]}, "partitions": {"ranges": [{"start": first, "end": last}]}}
                for asset, (first, last) in ranges.items()
            ]
        }
        launched = self.graphql(mutation, params=params)["launchPartitionBackfill"]
        if launched["__typename"] != "LaunchBackfillSuccess":
            raise GraphQLError(str(launched))
        return str(launched["backfillId"])

    def backfill(self, backfill_id: str) -> dict[str, Any]:
        """Status of a backfill (``REQUESTED`` while it goes on), its end and its error."""
        query = """query ($id: String!) { partitionBackfillOrError(backfillId: $id) { __typename
            ... on PartitionBackfill { status endTimestamp error { message } } } }"""
        return dict(self.graphql(query, id=backfill_id)["partitionBackfillOrError"])


@contextmanager
def dagster_ui(home: Path) -> Iterator[DagsterUi]:
    """Start the UI and daemon on a home whose environment is exported; all of it has ended afterwards."""
    server, _ = start_server(home, 0)
    try:
        wait_until_answering(home, server)
        ui = DagsterUi(server.url)
        ui.wait_until_loaded()
        yield ui
    finally:
        stop_server(home)
