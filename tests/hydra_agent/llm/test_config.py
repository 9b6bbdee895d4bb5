import pytest
from pydantic import ValidationError

from hydra_agent.llm.config import DEFAULT_CHAIN, LlmConfig, Provider


def test_the_default_is_no_model_at_all() -> None:
    assert LlmConfig().chain == ()


def test_the_chain_that_is_offered_is_deepseek_then_qwen() -> None:
    assert [p.name for p in DEFAULT_CHAIN] == ["deepseek", "qwen"]
    assert all(p.base_url.startswith("https://") and p.key_variable for p in DEFAULT_CHAIN)


def test_cost_by_hand() -> None:
    deepseek = DEFAULT_CHAIN[0]
    assert deepseek.cost(4_000, 8_000) == pytest.approx(0.0022 + 0.01752)
    assert Provider(name="local", base_url="http://127.0.0.1:1", model="m").cost(10**6, 10**6) == 0.0


@pytest.mark.parametrize(
    "given",
    [
        {"base_url": "http://llm.example/v1", "key_variable": "KEY"},
        {"base_url": "https://user:secret@llm.example/v1"},
        {"base_url": "https://llm.example/v1?key=secret"},
        {"base_url": "file:///etc/passwd"},
        {"base_url": "llm.example"},
        {"base_url": "https://llm.example", "key_variable": "sk-not-a-name"},
        {"base_url": "https://llm.example", "price_in": -1.0},
        {"base_url": "https://llm.example", "price_out": float("nan")},
        {"base_url": "https://llm.example", "api_key": "sk-secret"},
        {"base_url": "https://llm.example", "name": "No Name"},
    ],
)
def test_a_provider_that_would_leak_or_miscount_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as refused:
        Provider.model_validate({"name": "x", "model": "m"} | given)
    assert "secret" not in str(refused.value)
    assert "sk-" not in str(refused.value)


def test_http_without_a_key_or_to_this_machine() -> None:
    for address in ("http://10.0.0.5:11434/v1", "http://[::1]:8000/v1"):
        assert Provider(name="x", base_url=address, model="m").base_url == address
    assert Provider(name="x", base_url="http://localhost:8000/v1", model="m", key_variable="KEY").key_variable == "KEY"


def test_names_are_unique() -> None:
    with pytest.raises(ValidationError, match="two providers of one name"):
        LlmConfig(chain=(DEFAULT_CHAIN[0], DEFAULT_CHAIN[0]))
