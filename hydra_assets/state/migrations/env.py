"""Alembic environment: migrations run on the connection that ``hydra_assets.state.db.migrate`` holds locked."""

from alembic import context

from hydra_assets.state.tables import SCHEMA, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table_schema=SCHEMA,
    include_schemas=True,
)
context.run_migrations()
