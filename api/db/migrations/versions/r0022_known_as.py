"""A union or merchant that was renamed is still the configuration's: it is known as before."""

from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Keep what the configuration calls them; the next start writes it, by their names."""
    for table in ("unions", "merchants"):
        op.execute(f"ALTER TABLE {table} ADD COLUMN known_as varchar(80)")
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {table}_known_as_key UNIQUE (known_as)")


def downgrade() -> None:
    """Forget it."""
    for table in ("unions", "merchants"):
        op.execute(f"ALTER TABLE {table} DROP COLUMN known_as")
