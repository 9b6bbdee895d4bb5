from pathlib import Path

import pytest

from hydra_assets.sources.csv_maps import BarsMap, ChainMap, MapError, load_maps
from tests.support.tables import BARS, CHAINS

PACKAGED = {
    "pysystemtrade",
    "schwartz97",
    "barchart",
    "generic_prices",
    "generic_chain",
    "deribit",
    "okx",
    "henryhub",
    "lean",
    "dce",
}
PLAIN = """
name: mine
kind: bars
description: mine
when: {column: day}
legs: [{contract: c, prices: {settle: s}}]
"""


def test_packaged_maps_load_and_describe_themselves() -> None:
    maps = load_maps()
    assert set(maps) >= PACKAGED
    assert all(m.description and m.datasets for m in maps.values())


def test_what_maps_can_deliver() -> None:
    maps = load_maps()
    assert maps["pysystemtrade"].datasets == (BARS,)
    assert maps["okx"].datasets == (CHAINS,)
    assert set(maps["deribit"].datasets) == {BARS, CHAINS}


def test_a_homes_map_adds_and_overrides(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(PLAIN, encoding="utf-8")
    (tmp_path / "barchart.yaml").write_text(PLAIN.replace("name: mine", "name: barchart"), encoding="utf-8")
    maps = load_maps(tmp_path)
    assert set(maps) == set(load_maps()) | {"mine"}
    assert isinstance(maps["barchart"], BarsMap)
    assert maps["barchart"].columns == ["day", "c", "s"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("name: x\nkind: sheet\n", "kind"),
        ("just text", "kind"),
        ("a: [", "bad.yaml"),
        (PLAIN + "colour: red\n", "colour"),
        (PLAIN.replace("settle: s", "setle: s"), "setle"),
        (PLAIN.replace("column: day", "column: day, file_name: x"), "exactly one"),
        (PLAIN.replace("legs: [{contract: c, prices: {settle: s}}]", "legs: []"), "legs"),
    ],
)
def test_a_bad_map_is_named_with_its_key(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "bad.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(MapError) as error:
        load_maps(tmp_path)
    assert "bad.yaml" in str(error.value)
    assert named in str(error.value)


def test_coin_prices_need_a_rate() -> None:
    deribit = load_maps()["deribit"]
    assert isinstance(deribit, ChainMap)
    with pytest.raises(ValueError, match="rate of conversion"):
        ChainMap.model_validate({**deribit.model_dump(), "underlying": None})


def test_one_name_in_two_files_is_refused(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(PLAIN, encoding="utf-8")
    with pytest.raises(MapError, match=r"b\.yaml"):
        load_maps(tmp_path)
