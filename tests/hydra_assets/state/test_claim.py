"""A database belongs to simulated or to real homes, never to both."""

import pytest
import sqlalchemy as sa

from hydra_assets.state.db import DatabaseError, claim


def test_the_first_home_decides_whose_database_it_is(state_engine: sa.Engine) -> None:
    claim(state_engine, "simulated")
    claim(state_engine, "simulated")
    with pytest.raises(DatabaseError, match="belongs to a simulated home, this home is real"):
        claim(state_engine, "real")
