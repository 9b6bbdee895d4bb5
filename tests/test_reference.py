"""The reference pages say what the code says."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        return importlib.import_module("reference")
    finally:
        sys.path.remove(str(ROOT / "scripts"))


@pytest.fixture(scope="module")
def pages(reference: ModuleType) -> dict[str, str]:
    made: dict[str, str] = reference.pages()
    return made


@pytest.mark.parametrize("name", ["columns.md", "datasets.md", "markets.md", "reasons.md"])
def test_a_page_is_what_the_code_gives_now(pages: dict[str, str], name: str) -> None:
    on_file = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
    assert on_file == pages[name], f"run `uv run scripts/reference.py`: docs/reference/{name} is out of date"


def test_a_changed_page_is_reported(reference: ModuleType, pages: dict[str, str], tmp_path: Path) -> None:
    for name, text in pages.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert reference.outdated(tmp_path) == []
    (tmp_path / "columns.md").write_text(pages["columns.md"].replace("settle", "price"), encoding="utf-8")
    (tmp_path / "reasons.md").unlink()
    assert reference.outdated(tmp_path) == ["columns.md", "reasons.md"]


def test_every_column_dataset_market_and_source_is_there(pages: dict[str, str]) -> None:
    from hydra_assets.columns import COLUMNS, DATASETS
    from hydra_assets.markets.loader import load_markets
    from hydra_assets.sources.registry import FACTORIES

    assert [name for name in COLUMNS if f"| `{name}` |" not in pages["columns.md"]] == []
    assert [name for name in DATASETS if f"## {name}\n" not in pages["datasets.md"]] == []
    assert [symbol for symbol in load_markets() if f"| `{symbol}` |" not in pages["markets.md"]] == []
    assert [name for name in FACTORIES if f"| `{name}` | `raw_" not in pages["markets.md"]] == []


def test_codes_are_read_with_their_meanings(pages: dict[str, str]) -> None:
    from hydra_assets.lake.validate import RowFault
    from hydra_assets.sources.base import PayloadState

    assert [code for code in (*RowFault, *PayloadState) if f"`{code}`" not in pages["reasons.md"]] == []
    assert "| `unchanged` | Byte for byte what was delivered before. |" in pages["reasons.md"]


def test_tables_are_rectangular(pages: dict[str, str]) -> None:
    for name, text in pages.items():
        width = 0
        for number, line in enumerate(text.splitlines(), 1):
            cells = line.replace("\\|", "").count("|") if line.startswith("|") else 0
            assert cells in {0, width} or width == 0, f"{name}:{number}: {line[:80]}"
            width = cells
