"""The Dagster UI of a home: three code locations, their lineage, materialised partitions, passed checks, as drawn.

HYDRA_SCREENSHOTS names a directory that keeps the pictures.
"""

import os
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from urllib.parse import quote

import pytest

from hydra_assets.home import HomeConfig
from tests.support.browser import colours, drawn, green_share, screenshot
from tests.support.homes import clean_environment, command, home_of
from tests.support.ui import DagsterUi

pytestmark = pytest.mark.browser

CONFIG = HomeConfig(
    kind="simulated",
    markets=("SIM_HE", "SIM_LE"),
    history_start=date(2026, 6, 22),
    history_end=date(2026, 11, 20),
)
SESSIONS = 108
NOW = "2026-11-20T23:30:00+00:00"
GROUPS = ("raw", "curated", "options", "signals", "features", "models", "agent", "experiments", "trading")
LOCATIONS = {"hydra_assets.definitions", "hydra_agent.definitions", "hydra_exec.definitions"}


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterUi]:
    with home_of(tmp_path_factory.mktemp("ui") / "home", CONFIG) as home:
        environment = clean_environment(home, HYDRA_NOW=NOW)
        command(["hydra", "cycle"], environment)
        try:
            said = command(["hydra", "up", "--detach", "--port", "0"], environment)
            found = re.search(r"http://127\.0\.0\.1:\d+", said)
            assert found, said
            running = DagsterUi(found.group())
            running.wait_until_loaded()
            yield running
        finally:
            command(["hydra", "down"], environment)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    kept = os.environ.get("HYDRA_SCREENSHOTS")
    return Path(kept) if kept else tmp_path_factory.mktemp("screenshots")


def test_three_locations_load_and_their_assets_form_one_graph(ui: DagsterUi) -> None:
    assert ui.locations() == dict.fromkeys(LOCATIONS, "LOADED")
    assets = {node["name"]: node for node in ui.assets()}
    assert {node["location"] for node in assets.values()} == LOCATIONS
    across = {
        (assets[parent]["location"].split(".")[0], node["location"].split(".")[0])
        for node in assets.values()
        for parent in node["dependencies"]
        if assets[parent]["location"] != node["location"]
    }
    # The code of execution knows nothing of the agent; its targets read the exposure that a diagnosis allows.
    assert across == {
        ("hydra_assets", "hydra_agent"),
        ("hydra_assets", "hydra_exec"),
        ("hydra_agent", "hydra_exec"),
    }


def test_every_asset_says_what_it_is_and_belongs_to_a_group(ui: DagsterUi) -> None:
    assets = ui.assets()
    assert {node["groupName"] for node in assets} == set(GROUPS)
    assert [node["name"] for node in assets if not node["description"] or not node["kinds"]] == []


def test_partitions_of_the_datasets_are_materialised(ui: DagsterUi) -> None:
    expected = SESSIONS * len(CONFIG.markets)
    counted = {node["name"]: node["partitionStats"] for node in ui.assets()}
    traded = ("predictions", "target_positions", "orders", "fills", "positions", "slippage_reconciliation", "daily_pnl")
    for name in ("raw_futures_bars", "futures_curve", "option_quotes", "vol_surface", *traded):
        assert counted[name]["numMaterialized"] == expected, name
        assert counted[name]["numFailed"] == 0, name
    assert counted["raw_cot_reports"]["numMaterialized"] >= 20


def test_the_checks_passed(ui: DagsterUi) -> None:
    query = """{ assetNodes { assetKey { path } assetChecksOrError { ... on AssetChecks { checks {
        name description executionForLatestMaterialization { status } } } } } }"""
    checks = {
        (node["assetKey"]["path"][0], check["name"]): check
        for node in ui.graphql(query)["assetNodes"]
        for check in node["assetChecksOrError"].get("checks", [])
    }
    assert len(checks) >= 20
    statuses = {
        name: (check["executionForLatestMaterialization"] or {}).get("status") for name, check in checks.items()
    }
    assert {name: status for name, status in statuses.items() if status != "SUCCEEDED"} == {}
    assert all(check["description"] for check in checks.values())


def test_the_global_lineage_is_drawn(ui: DagsterUi, pictures: Path) -> None:
    expanded = ",".join(f"global@global:{group}" for group in GROUPS)
    address = f"{ui.url}/asset-groups/?expanded={quote(expanded)}"
    pixels = drawn(address, pictures / "lineage.png", (4000, 2600), lambda seen: green_share(seen) > 0.001)
    assert pixels.shape == (2600, 4000, 3)
    assert colours(pixels) > 300
    # The borders of some forty green nodes; an empty canvas or a dialog over it has none.
    assert green_share(pixels) > 0.001


def test_the_partitions_page_shows_them_materialised(ui: DagsterUi, pictures: Path) -> None:
    pixels = screenshot(f"{ui.url}/assets/futures_curve?view=partitions", pictures / "partitions.png")
    assert pixels.shape == (1080, 1920, 3)
    assert colours(pixels) > 300
    # The bar over the whole range.
    assert green_share(pixels) > 0.01


@pytest.mark.parametrize("name", ["futures_curve", "daily_pnl"])
def test_an_assets_page_shows_what_its_newest_run_said(ui: DagsterUi, pictures: Path, name: str) -> None:
    query = """query ($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
        assetMaterializations(limit: 1) { metadataEntries { label } } } } }"""
    node = ui.graphql(query, key={"path": [name]})["assetNodeOrError"]
    labels = {entry["label"] for entry in node["assetMaterializations"][0]["metadataEntries"]}
    assert {"dagster/row_count", "first_partition", "last_partition", "picture"} <= labels
    pixels = screenshot(f"{ui.url}/assets/{name}?view=overview", pictures / f"{name}.png")
    assert colours(pixels) > 300
