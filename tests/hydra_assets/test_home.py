from datetime import date
from pathlib import Path

import pytest

from hydra_assets.home import HomeConfig, HomeError, read_home, write_home

KEY = "sk-0123456789-very-secret"
PLAIN = "kind: simulated\nmarkets: [SIM_HE]\nhistory_start: 2025-01-01\n"


@pytest.mark.parametrize(
    "pasted",
    [
        f"api_key: {KEY}",
        f"seed: {KEY}",
        f"llm: {KEY}",
        f"llm: [{KEY}]",
        f"llm: {{{KEY}",
        f"  {KEY}: : x",
        f"@{KEY}",
    ],
)
def test_what_was_pasted_does_not_come_back_in_the_error(pasted: str, tmp_path: Path) -> None:
    (tmp_path / "home.yaml").write_text(PLAIN + pasted + "\n", encoding="utf-8")
    with pytest.raises(HomeError, match=r"home\.yaml: ") as refused:
        read_home(tmp_path)
    said = str(refused.value)
    assert KEY not in said


def test_the_line_of_broken_yaml_is_named(tmp_path: Path) -> None:
    (tmp_path / "home.yaml").write_text(PLAIN + "seed: {1\n", encoding="utf-8")
    with pytest.raises(HomeError, match=r"line 5 is no YAML: "):
        read_home(tmp_path)


def test_the_section_of_the_language_model_is_kept_as_it_is(tmp_path: Path) -> None:
    llm = {"chain": [{"name": "local", "base_url": "http://127.0.0.1:8080/v1", "model": "m"}], "budget": {"money": 0.5}}
    write_home(tmp_path, HomeConfig(kind="simulated", markets=("SIM_HE",), history_start=date(2025, 1, 1), llm=llm))
    assert read_home(tmp_path).llm == llm
    (tmp_path / "home.yaml").write_text(PLAIN, encoding="utf-8")
    assert read_home(tmp_path).llm == {}
