"""The simulated broker's lines in the database."""

from collections.abc import Sequence

import sqlalchemy as sa

from hydra_assets.state.execution_tables import sim_broker_log
from hydra_exec.broker.port import BrokerError

_APPEND = sa.text(
    "WITH mode AS (SELECT set_config('synchronous_commit', :mode, true)) "
    "INSERT INTO hydra.sim_broker_log (account, seq, body) "
    "SELECT :account, :first + place - 1, body "
    "FROM mode, unnest(CAST(:bodies AS text[])) WITH ORDINALITY AS lines (body, place)"
)
"""One statement, and so one round trip: there is one for each step of a history."""


class DatabaseStore:
    """``Store`` of one account in ``sim_broker_log``. A second writer to the account is refused, not interleaved.

    It keeps one connection from its first line to ``close``: taking one from the pool costs more than a line does.
    """

    def __init__(self, engine: sa.Engine, account: str) -> None:
        self._engine, self._account = engine, account
        self._seq = 0
        self._connection: sa.Connection | None = None

    def load(self) -> Sequence[str]:
        """All lines of the account."""
        query = (
            sa.select(sim_broker_log.c.seq, sim_broker_log.c.body)
            .where(sim_broker_log.c.account == self._account)
            .order_by(sim_broker_log.c.seq)
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        self._seq = rows[-1][0] if rows else 0
        return [body for _, body in rows]

    def append(self, lines: Sequence[str], *, flush: bool = True) -> None:
        """Add lines after those that were loaded; BrokerError where somebody else has added some meanwhile."""
        if not lines:
            return
        values = {
            "mode": "on" if flush else "off",
            "account": self._account,
            "first": self._seq + 1,
            "bodies": list(lines),
        }
        try:
            self._connected().execute(_APPEND, values)
        except sa.exc.IntegrityError as taken:
            msg = f"another process trades on the simulated account {self._account}: end it, then try again"
            raise BrokerError(msg) from taken
        self._seq += len(lines)

    def close(self) -> None:
        """Give the connection back; the next line takes another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> sa.Connection:
        if self._connection is None:
            self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        return self._connection
