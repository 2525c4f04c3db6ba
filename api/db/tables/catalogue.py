"""Who sells what, and at which price of milk."""

from typing import Final

from sqlalchemy import Boolean, Column, Table

from api.db.tables.columns import metadata, raw, ulid, whole, words

merchants: Final = Table(
    "merchants",
    metadata,
    ulid("id", primary_key=True),
    words("name", 80, unique=True),
    words("known_as", 80, nullable=True, unique=True),
    ulid("union_id"),
    raw("payout"),
    raw("operating", nullable=True),
    words("time_zone", 40, server_default="Asia/Kuala_Lumpur"),
    words("opens", 5, server_default=""),
    words("closes", 5, server_default=""),
    whole("created_ms"),
)
"""Who sells, the accounts that are paid and that pay, and when it is open, as in 07:00.

`known_as` is what the configuration calls it, whatever its office has named it since.
"""

prices: Final = Table(
    "prices", metadata, ulid("id", primary_key=True), whole("litre_sen"), whole("from_ms")
)
"""A price of milk that orders were locked to: sen a litre."""

products: Final = Table(
    "products",
    metadata,
    words("merchant_id", 26, primary_key=True),
    words("id", 32, primary_key=True),
    words("name_en", 80),
    words("name_ms", 80),
    words("kind", 32),
    whole("price_sen"),
    whole("redeem_units"),
    Column("active", Boolean, nullable=False),
)
"""A pack that is or was sold: by one merchant, or, of no `merchant_id`, by all."""
