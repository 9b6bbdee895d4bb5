"""Which models are asked in which order, and what they may cost in time, tokens and money."""

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

Seconds = Annotated[float, Field(gt=0.0, le=3600.0, allow_inf_nan=False)]
Price = Annotated[float, Field(ge=0.0, le=10_000.0, allow_inf_nan=False)]


class _Settings(BaseModel):
    # A key that was pasted into a configuration must not come back in the error that refuses it.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Provider(_Settings):
    """One OpenAI-compatible endpoint. Its key is never part of it, only the name of the variable that holds the key."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
    base_url: Annotated[str, Field(max_length=300)]
    model: Annotated[str, Field(min_length=1, max_length=120)]
    key_variable: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")] | None = None
    """Environment variable with the key; None for a server that asks for none."""
    price_in: Price = 0.0
    """Per million tokens of the prompt."""
    price_out: Price = 0.0
    """Per million tokens of the reply, thinking included."""

    @model_validator(mode="after")
    def _keys_travel_encrypted(self) -> Self:
        parts = urlsplit(self.base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            msg = f"{self.name}: base_url must be an http(s) address without query"
            raise ValueError(msg)
        if parts.username is not None or parts.password is not None:
            msg = f"{self.name}: base_url must not hold a user or password; name a key_variable"
            raise ValueError(msg)
        if parts.scheme == "http" and self.key_variable and parts.hostname not in _LOOPBACK:
            msg = f"{self.name}: a key is sent over https, or to this machine"
            raise ValueError(msg)
        return self

    def cost(self, tokens_in: int, tokens_out: int) -> float:
        """Price of a call, in the currency of the prices."""
        return (tokens_in * self.price_in + tokens_out * self.price_out) / 1e6


class Limits(_Settings):
    """Bounds of one call; a reasoning model is slow between question and answer, and never silent for long."""

    connect_seconds: Seconds = 5.0
    idle_seconds: Seconds = 30.0
    """Longest silence between two bytes."""
    total_seconds: Seconds = 180.0
    wire_bytes: Annotated[int, Field(ge=1_000)] = 4_000_000
    """Of a whole body; a streamed token takes about 300 bytes on the wire."""
    text_chars: Annotated[int, Field(ge=100)] = 200_000
    """Of the text in it."""
    reply_tokens: Annotated[int, Field(ge=16, le=65_536)] = 8_192
    """Asked for as ``max_tokens``, thinking included; what a call may cost is known before it is made."""
    context_tokens: Annotated[int, Field(ge=500, le=1_000_000)] = 4_000
    """Of a prompt, estimated."""


class Retry(_Settings):
    """Attempts of one call, only after 429, 5xx and failures to connect."""

    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    backoff_seconds: Seconds = 1.0
    backoff_cap_seconds: Seconds = 20.0
    retry_after_cap_seconds: Seconds = 30.0
    """A provider that asks to wait longer is given up."""


class Budget(_Settings):
    """What a UTC day may cost, over all providers."""

    tokens: Annotated[int, Field(ge=0)] = 500_000
    money: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = 1.0
    """In the currency of the prices."""


class BreakerPolicy(_Settings):
    """When a provider is left alone: after this many failed calls in a row, for this long."""

    failures: Annotated[int, Field(ge=1)] = 5
    pause_seconds: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] = 900.0


class LlmConfig(_Settings):
    """The chain in order of preference. An empty one is complete: every question is then answered by rules."""

    chain: tuple[Provider, ...] = ()
    limits: Limits = Limits()
    retry: Retry = Retry()
    budget: Budget = Budget()
    breaker: BreakerPolicy = BreakerPolicy()

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [provider.name for provider in self.chain]
        if len(set(names)) < len(names):
            msg = f"chain: two providers of one name in {', '.join(names)}"
            raise ValueError(msg)
        return self


DEFAULT_CHAIN = (
    # USD; api-docs.deepseek.com/quick_start/pricing-details-usd, cache miss, early 2025.
    Provider(
        name="deepseek",
        base_url="https://api.deepseek.com",
        model="deepseek-reasoner",
        key_variable="DEEPSEEK_API_KEY",
        price_in=0.55,
        price_out=2.19,
    ),
    # USD; alibabacloud.com/help/en/model-studio/billing-for-model-studio, April 2025.
    Provider(
        name="qwen",
        base_url="https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        model="qwen-plus",
        key_variable="DASHSCOPE_API_KEY",
        price_in=0.40,
        price_out=1.20,
    ),
)
"""DeepSeek-R1, then Qwen, then rules. Prices change; the home's configuration says what holds."""
