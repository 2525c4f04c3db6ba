"""Cash that becomes BILL and back: top-ups, welcomes, cash-outs, and the book of all of them."""

from typing import Final

from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    text,
)

from api.cash_book.model import CashKind
from api.cash_outs.model import CashOutState
from api.db.tables.columns import metadata, one_of, raw, ulid, whole, words
from api.top_ups.model import TopUpState
from api.welcomes.model import WelcomeState

top_ups: Final = Table(
    "top_ups",
    metadata,
    ulid("union_id"),
    ulid("id"),
    ulid("place_id"),
    words("terminal_id", 26),
    ulid("taken_by"),
    words("approved_by", 26),
    ulid("user_id", nullable=True),
    raw("address_index"),
    whole("amount_sen"),
    whole("units"),
    ulid("price_id"),
    whole("litre_sen"),
    words("receipt", 40),
    words("state", 16),
    whole("created_ms"),
    raw("tx_hash", nullable=True),
    words("code", 64, server_default=""),
    words("detail", 500, server_default=""),
    whole("ended_ms", nullable=True),
    PrimaryKeyConstraint("union_id", "id"),
    UniqueConstraint("union_id", "place_id", "receipt", name="receipt_once_a_place"),
    one_of("state", TopUpState),
    CheckConstraint("amount_sen > 0 AND units > 0", name="something_for_something"),
    Index("top_ups_of_user", "union_id", "user_id", "created_ms"),
    Index("top_ups_of_address", "union_id", "address_index", "created_ms"),
    Index(
        "top_ups_promised",
        "union_id",
        postgresql_where=text("state IN ('pending', 'submitted')"),
    ),
)
"""Cash that was taken, and the BILL that is or was sent for it."""

welcomes: Final = Table(
    "welcomes",
    metadata,
    ulid("union_id"),
    words("student", 32),
    ulid("id"),
    ulid("user_id"),
    whole("units"),
    words("state", 16),
    whole("created_ms"),
    raw("tx_hash", nullable=True),
    words("code", 64, server_default=""),
    whole("ended_ms", nullable=True),
    PrimaryKeyConstraint("union_id", "student"),
    one_of("state", WelcomeState),
    Index("welcomes_by_id", "union_id", "id"),
    Index(
        "welcomes_promised",
        "union_id",
        postgresql_where=text("state IN ('pending', 'submitted')"),
    ),
)
"""The first fees of a person. A row stays for ever: nobody is welcomed twice."""

cash_outs: Final = Table(
    "cash_outs",
    metadata,
    ulid("union_id"),
    ulid("id"),
    ulid("user_id"),
    whole("asked_units"),
    raw("reference"),
    ulid("price_id"),
    whole("litre_sen"),
    words("state", 16),
    whole("created_ms"),
    whole("expires_ms"),
    whole("received_units", default="0"),
    whole("received_sen", default="0"),
    whole("paid_sen", default="0"),
    Column("payments", Integer, nullable=False, server_default="0"),
    whole("ended_ms", nullable=True),
    PrimaryKeyConstraint("union_id", "id"),
    UniqueConstraint("union_id", "reference", name="reference_once"),
    one_of("state", CashOutState),
    CheckConstraint("paid_sen BETWEEN 0 AND received_sen", name="paid_for_what_came"),
    Index("cash_outs_of_user", "union_id", "user_id", "id"),
    Index("cash_outs_by_reference", "reference"),
    Index("cash_outs_open", "expires_ms", postgresql_where=text("state = 'awaiting'")),
)
"""BILL that is sent to a float, and the cash that is owed and paid for it."""

cash_entries: Final = Table(
    "cash_entries",
    metadata,
    ulid("union_id"),
    ulid("id"),
    words("kind", 24),
    words("ref_id", 80),
    ulid("place_id"),
    words("made_by", 26),
    words("receipt", 40),
    whole("at_ms"),
    whole("cash_sen"),
    whole("float_units"),
    whole("owed_units"),
    whole("owed_sen"),
    PrimaryKeyConstraint("union_id", "id"),
    UniqueConstraint("union_id", "kind", "ref_id", name="once_a_thing"),
    one_of("kind", CashKind),
    Index("cash_entries_of_place", "union_id", "place_id", "id"),
)
"""The cash book. A row is never changed and never deleted: a trigger sees to it."""
