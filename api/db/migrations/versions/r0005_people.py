"""Unions and their people, and the vault that seals what is personal."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def _make_unions() -> None:
    op.create_table(
        "unions",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("office", sa.String(length=200), nullable=False),
        sa.Column("telephone", sa.String(length=40), nullable=False),
        sa.Column("email", sa.String(length=120), nullable=False),
        sa.Column("hours", sa.String(length=120), nullable=False),
        sa.Column("developer_contact", sa.String(length=120), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )


def _make_data_keys() -> None:
    op.create_table(
        "data_keys",
        sa.Column("union_id", sa.String(length=26), nullable=False),
        sa.Column("owner", sa.String(length=26), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("union_id", "owner", "version"),
    )


def _make_claims() -> None:
    op.create_table(
        "claims",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("merchant_id", sa.String(length=26), nullable=False),
        sa.Column("subject", sa.String(length=24), nullable=False),
        sa.Column("ref_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("kind", "value"),
    )


def _make_users() -> None:
    op.create_table(
        "users",
        sa.Column("union_id", sa.String(length=26), nullable=False),
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("token_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("profile", sa.LargeBinary(), nullable=False),
        sa.Column("login_index", sa.LargeBinary(), nullable=True),
        sa.Column("card_index", sa.LargeBinary(), nullable=True),
        sa.Column("staff_code", sa.String(length=8), nullable=True),
        sa.Column("password_hash", sa.String(length=160), nullable=True),
        sa.Column("pin_hash", sa.String(length=160), nullable=True),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("activated_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("state IN ('invited', 'active', 'suspended')", name="state_known"),
        sa.PrimaryKeyConstraint("union_id", "id"),
    )
    op.create_index("users_by_card", "users", ["union_id", "card_index"], unique=True)
    op.create_index("users_by_login", "users", ["union_id", "login_index"], unique=True)
    op.create_index("users_by_staff_code", "users", ["union_id", "staff_code"], unique=True)


def _make_user_roles() -> None:
    op.create_table(
        "user_roles",
        sa.Column("union_id", sa.String(length=26), nullable=False),
        sa.Column("user_id", sa.String(length=26), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("place", sa.String(length=26), nullable=False),
        sa.Column("granted_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("union_id", "user_id", "role"),
    )


def _make_invitations() -> None:
    op.create_table(
        "invitations",
        sa.Column("union_id", sa.String(length=26), nullable=False),
        sa.Column("code_index", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.String(length=26), nullable=False),
        sa.Column("invited_by", sa.String(length=26), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("used_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("union_id", "code_index"),
    )
    op.create_index("invitations_of_user", "invitations", ["union_id", "user_id"], unique=False)


def _make_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("union_id", sa.String(length=26), nullable=False),
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("user_id", sa.String(length=26), nullable=False),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("current", sa.LargeBinary(), nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=True),
        sa.Column("rotated_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.Column("ended_why", sa.String(length=16), nullable=True),
        sa.CheckConstraint("method IN ('invitation', 'password', 'wallet')", name="method_known"),
        sa.PrimaryKeyConstraint("union_id", "id"),
    )
    op.create_index("sessions_by_age", "sessions", ["expires_ms"], unique=False)
    op.create_index(
        "sessions_of_user",
        "sessions",
        ["union_id", "user_id"],
        unique=False,
        postgresql_where=sa.text("ended_ms IS NULL"),
    )


def _make_miss_tallies() -> None:
    op.create_table(
        "miss_tallies",
        sa.Column("union_id", sa.String(length=26), nullable=False),
        sa.Column("subject", sa.String(length=120), nullable=False),
        sa.Column("in_a_row", sa.Integer(), nullable=False),
        sa.Column("locked_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("day_began_ms", sa.BigInteger(), nullable=False),
        sa.Column("in_the_day", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("union_id", "subject"),
    )


def _make_spent_nonces() -> None:
    op.create_table(
        "spent_nonces",
        sa.Column("union_id", sa.String(length=26), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("union_id", "nonce"),
    )


def upgrade() -> None:
    """Make the tables."""
    op.add_column("merchants", sa.Column("union_id", sa.String(length=26), nullable=False))
    op.add_column("merchants", sa.Column("operating", sa.LargeBinary(), nullable=True))
    zone = sa.Column(
        "time_zone", sa.String(length=40), server_default="Asia/Kuala_Lumpur", nullable=False
    )
    op.add_column("merchants", zone)
    _make_unions()
    _make_data_keys()
    _make_claims()
    _make_users()
    _make_user_roles()
    _make_invitations()
    _make_sessions()
    _make_miss_tallies()
    _make_spent_nonces()


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("spent_nonces")
    op.drop_table("miss_tallies")
    op.drop_table("sessions")
    op.drop_table("invitations")
    op.drop_table("user_roles")
    op.drop_table("users")
    op.drop_table("claims")
    op.drop_table("data_keys")
    op.drop_table("unions")
    for column in ("time_zone", "operating", "union_id"):
        op.drop_column("merchants", column)
