"""Artefacts are canonical, and a changed, damaged or exchanged one is refused."""

import json

import numpy as np
import pytest

from hydra_assets.models.artefact import array_of, canonical, numbers, opened, sealed, sha256
from hydra_assets.models.protocol import ModelError, ModelReason


def test_canonical_text() -> None:
    assert canonical({"b": 0.1, "a": [1, None]}) == '{"a":[1,null],"b":0.1}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical({"a": float("nan")})


def test_digest_is_of_kind_format_and_content() -> None:
    text = sealed("base_rate", {"base_rate": 0.5})
    body = '{"content":{"base_rate":0.5},"format":2,"kind":"base_rate"}'
    assert json.loads(text)["sha256"] == sha256(body)
    assert opened(text, sha256(text)) == ("base_rate", {"base_rate": 0.5})


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace("0.5", "0.6"),
        lambda text: text.replace("base_rate", "base_late", 1),
        lambda text: text[:-3],
        lambda text: "[]",
        lambda text: "{}",
        lambda text: "",
    ],
)
def test_damage_is_refused(spoil: object) -> None:
    text = sealed("base_rate", {"base_rate": 0.5})
    with pytest.raises(ModelError) as error:
        opened(spoil(text))  # type: ignore[operator]
    assert error.value.reason is ModelReason.DAMAGED_ARTEFACT


def test_another_sound_artefact_is_refused_by_the_recorded_digest() -> None:
    mine, other = sealed("base_rate", {"base_rate": 0.5}), sealed("base_rate", {"base_rate": 0.9})
    opened(other)
    with pytest.raises(ModelError, match="was recorded"):
        opened(other, sha256(mine))


def test_another_format_is_refused() -> None:
    body = {"kind": "base_rate", "format": 99, "content": {}}
    with pytest.raises(ModelError, match="99, this code reads 2"):
        opened(canonical({**body, "sha256": sha256(canonical(body))}))


def test_numbers_are_exact() -> None:
    values = np.array([[0.1, np.nan], [1e-300, np.nextafter(1.0, 2.0)]])
    text = canonical(numbers(values))
    assert np.array_equal(array_of(json.loads(text)), values, equal_nan=True)
    assert canonical(numbers(np.array([-0.0]))) == "[0.0]"
