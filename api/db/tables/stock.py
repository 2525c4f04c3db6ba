"""The milk that can be sold: a mirror of the ledger's lots."""

from typing import Final

from sqlalchemy import Boolean, Column, Table

from api.db.tables.columns import metadata, raw, whole, words

lots: Final = Table(
    "lots",
    metadata,
    raw("id", primary_key=True),
    raw("lot"),
    words("kind", 32),
    words("plant", 64),
    whole("pack_units"),
    whole("remaining_units"),
    whole("reserved_units", default="0"),
    Column("sound", Boolean, nullable=False),
    whole("expires_ms"),
    whole("seen_ms"),
)
"""What can be redeemed under one id: a product lot's packs, or a lot's loose milk.

`lot` is the lot that the milk comes from, `pack_units` the size of its packs (0 for loose milk).
`reserved_units` is soft: it steers orders to where milk is left and promises nothing, since the
ledger alone decides what can be redeemed.
"""
