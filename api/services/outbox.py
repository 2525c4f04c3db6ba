"""The outbox: events written in the transaction of the change that they tell of.

An event's body is the order's card as it stands after the change, so a reader needs no second
question. Events hold no personal data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.amounts import format_sen, format_time
from api.db.session import lock_outbox
from ledger.primitives.amounts import Units, format_bill

EVENTS_MAX: Final = 500
"""The most events that one read gives."""

CARD_COLUMNS: Final = """o.id, o.merchant_id, o.product_id, o.quantity, o.amount_sen, o.state,
    o.exception, o.delta_units, o.created_ms, o.expires_ms, o.paid_ms, i.amount_units"""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to write."""

    kind: str
    merchant_id: str
    order_id: str
    body: Mapping[str, object]
    at_ms: int


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event that was written."""

    seq: int
    kind: str
    body: Mapping[str, object]


def signed_bill(units: int) -> str:
    """Write a difference in BILL with its sign in front."""
    return ("-" if units < 0 else "") + format_bill(Units(abs(units)))


def card(row: Mapping[str, Any] | RowMapping, **changes: object) -> dict[str, object]:
    """Give an order's public card from a row of `CARD_COLUMNS`, with columns changed."""
    order = {**row, **changes}
    paid_ms, delta = order["paid_ms"], order["delta_units"]
    return {
        "id": order["id"],
        "productId": order["product_id"],
        "quantity": order["quantity"],
        "amount": {
            "myr": format_sen(order["amount_sen"]),
            "bill": format_bill(order["amount_units"]),
        },
        "state": order["state"],
        "exception": order["exception"],
        "delta": None if delta is None else signed_bill(delta),
        "createdAt": format_time(order["created_ms"]),
        "expiresAt": format_time(order["expires_ms"]),
        "paidAt": None if paid_ms is None else format_time(paid_ms),
    }


async def write_events(connection: AsyncConnection, events: Sequence[NewEvent]) -> None:
    """Write events as the last act of a transaction: the lock on their numbers ends with it."""
    if not events:
        return
    await lock_outbox(connection)
    await connection.execute(
        text("""
            INSERT INTO events (kind, merchant_id, order_id, body, at_ms)
            SELECT kind, merchant_id, order_id, body::jsonb, at_ms FROM unnest(
                CAST(:kinds AS text[]), CAST(:merchants AS text[]), CAST(:orders AS text[]),
                CAST(:bodies AS text[]), CAST(:times AS bigint[])
            ) WITH ORDINALITY AS e(kind, merchant_id, order_id, body, at_ms, place)
            ORDER BY place
        """),
        {
            "kinds": [event.kind for event in events],
            "merchants": [event.merchant_id for event in events],
            "orders": [event.order_id for event in events],
            "bodies": [msgspec.json.encode(event.body).decode() for event in events],
            "times": [event.at_ms for event in events],
        },
    )


async def events_after(connection: AsyncConnection, seq: int) -> list[StoredEvent]:
    """List the next events after a number, at most `EVENTS_MAX`."""
    rows = await connection.execute(
        text("SELECT seq, kind, body FROM events WHERE seq > :seq ORDER BY seq LIMIT :limit"),
        {"seq": seq, "limit": EVENTS_MAX},
    )
    return [StoredEvent(row.seq, row.kind, row.body) for row in rows]


async def last_seq(connection: AsyncConnection) -> int:
    """Give the newest event's number, or 0."""
    found = await connection.scalar(text("SELECT max(seq) FROM events"))
    return int(found or 0)
