"""Runs migrations over the connection that `api.db.session` hands in; there is no offline mode."""

from alembic import context
from sqlalchemy import Connection

from api.db.tables import metadata

connection: Connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
