"""Calls of language models in the database: every one is kept, and a day's spending is the sum over its rows."""

from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa

from hydra_assets.state.healing_tables import llm_calls


@dataclass(frozen=True, slots=True)
class LlmCall:
    """One call, whatever became of it; the agent's ``CallRecord`` with its codes as text. Never holds a key."""

    called_at: datetime
    """When it began, UTC."""
    touchpoint: str
    provider: str
    model: str
    prompt_sha256: str
    prompt: str
    reply: str
    code: str
    message: str
    tokens_in: int
    tokens_out: int
    tokens_reported: bool
    cost: float
    seconds: float
    attempt: int


_COLUMNS = [llm_calls.c[name] for name in LlmCall.__dataclass_fields__]


def record_call(engine: sa.Engine, call: LlmCall) -> None:
    """Add a call."""
    with engine.begin() as connection:
        connection.execute(sa.insert(llm_calls).values({name: _storable(v) for name, v in asdict(call).items()}))


def spent_on(engine: sa.Engine, day: date) -> tuple[int, float]:
    """Tokens and money of the calls that began on a UTC day, over all providers."""
    begin = datetime.combine(day, time(), UTC)
    query = sa.select(
        sa.func.coalesce(sa.func.sum(llm_calls.c.tokens_in + llm_calls.c.tokens_out), 0),
        sa.func.coalesce(sa.func.sum(llm_calls.c.cost), 0.0),
    ).where(llm_calls.c.called_at >= begin, llm_calls.c.called_at < begin + timedelta(days=1))
    with engine.connect() as connection:
        tokens, money = connection.execute(query).one()
    return int(tokens), float(money)


def recent_calls(engine: sa.Engine, last: int) -> list[LlmCall]:
    """The newest calls, oldest of them first."""
    query = sa.select(*_COLUMNS).order_by(llm_calls.c.id.desc()).limit(last)
    with engine.connect() as connection:
        rows = [_read(dict(row._mapping)) for row in connection.execute(query)]
    return rows[::-1]


def _read(fields: dict[str, Any]) -> LlmCall:
    return LlmCall(**fields | {"called_at": fields["called_at"].astimezone(UTC)})


def _storable(value: object) -> object:
    """A text without what PostgreSQL has no place for: NUL, and surrogates without a partner."""
    if not isinstance(value, str):
        return value
    return value.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
