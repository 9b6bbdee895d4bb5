"""Keys: read where they are used, and never handed on, not even when a server sends one back."""

import re
from collections.abc import Mapping

from hydra_agent.llm.config import Provider
from hydra_agent.llm.text import plain

MIN_KEY_CHARS = 8
"""Shorter ones are placeholders of servers that ask for none; looking for them would find words."""
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")


def key_of(provider: Provider, environment: Mapping[str, str]) -> str | None:
    """The provider's key, None where its variable is missing or empty; an empty text where it needs none."""
    if provider.key_variable is None:
        return ""
    return environment.get(provider.key_variable, "").strip() or None


def echoes(text: str, key: str) -> bool:
    """Whether a text holds the key, as it stands, behind JSON escapes, or with hidden characters in between."""
    if len(key) < MIN_KEY_CHARS:
        return False
    unescaped = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
    return any(key in plain(form).replace("\\", "") for form in (text, unescaped))
