"""API keys with ids, names and several secrets, and the epochs that make revoking quick."""

import sqlalchemy as sa
from alembic import op

from api.db.tables.keys import api_key_secrets, api_keys, epochs

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the tables anew: keys are admitted again from the configuration."""
    op.drop_table("api_keys")
    bind = op.get_bind()
    for table in (api_keys, api_key_secrets, epochs):
        table.create(bind)
    op.execute(sa.insert(epochs).values(name="keys", value=0))


def downgrade() -> None:
    """There is no way back to keys without ids."""
    raise NotImplementedError
