"""The milk that can be sold: a mirror of the ledger's lots, and soft reservations on it.

The ledger alone decides what can be redeemed. The mirror steers new orders to the lot that goes
off first and still holds enough for the orders that are open.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.state.records import LotStatus
from node.client.views import LotView

LOTS_MAX: Final = 256
"""How many of the newest lots are asked for."""


@dataclass(slots=True)
class Shelf:
    """A lot with milk left for new orders; `free_units` shrinks as orders take of it."""

    id: bytes
    kind: str
    free_units: int
    taken_units: int = 0


async def open_shelves(connection: AsyncConnection, until_ms: int) -> list[Shelf]:
    """Lock the lots that stay in date until then, the first to go off first."""
    rows = await connection.execute(
        text("""
            SELECT id, kind, remaining_units - reserved_units AS free, expires_ms FROM lots
            WHERE expires_ms > :until_ms AND remaining_units > reserved_units
            ORDER BY id FOR NO KEY UPDATE
        """),
        {"until_ms": until_ms},
    )
    in_order = sorted(rows, key=lambda row: (row.expires_ms, row.id))
    return [Shelf(row.id, row.kind, row.free) for row in in_order]


def take(shelves: Sequence[Shelf], kind: str, units: int) -> bytes | None:
    """Choose the first lot of the kind that holds enough, and take from it; None if none does."""
    for shelf in shelves:
        if shelf.kind == kind and shelf.free_units >= units:
            shelf.free_units -= units
            shelf.taken_units += units
            return shelf.id
    return None


async def reserve(connection: AsyncConnection, shelves: Iterable[Shelf]) -> None:
    """Write down what was taken."""
    taken = [{"id": shelf.id, "units": shelf.taken_units} for shelf in shelves if shelf.taken_units]
    if taken:
        await connection.execute(
            text("UPDATE lots SET reserved_units = reserved_units + :units WHERE id = :id"), taken
        )


def released_by(orders: Iterable[Mapping[str, Any]]) -> dict[bytes, int]:
    """Sum up what orders had reserved of each lot, once they no longer wait for payment."""
    units: dict[bytes, int] = {}
    for order in orders:
        lot = order["redeem_lot"]
        units[lot] = units.get(lot, 0) + order["redeem_units"]
    return units


async def adjust(
    connection: AsyncConnection, released: Mapping[bytes, int], redeemed: Mapping[bytes, int]
) -> None:
    """Give reservations back and take redeemed milk off, lots in the order of their ids.

    Everyone who locks several lots locks them in this order, so none waits for another in a ring.
    """
    changes = [
        {"id": lot, "released": released.get(lot, 0), "redeemed": redeemed.get(lot, 0)}
        for lot in sorted({*released, *redeemed})
    ]
    if changes:
        await connection.execute(
            text("""
                UPDATE lots SET reserved_units = greatest(reserved_units - :released, 0),
                    remaining_units = greatest(remaining_units - :redeemed, 0)
                WHERE id = :id
            """),
            changes,
        )


async def mirror(connection: AsyncConnection, lots: Sequence[LotView], now_ms: int) -> None:
    """Take the ledger's word for its lots.

    What stands in packs is not sold by the lot's id, what is frozen or recalled not at all.
    """
    if not lots:
        return
    await connection.execute(
        text("""
            INSERT INTO lots (id, kind, plant, minted_units, remaining_units, expires_ms, seen_ms)
            VALUES (:id, :kind, :plant, :minted, :for_sale, :expires_ms, :seen_ms)
            ON CONFLICT (id) DO UPDATE SET remaining_units = EXCLUDED.remaining_units
        """),
        [
            {
                "id": bytes(lot.id),
                "kind": str(lot.kind),
                "plant": lot.plant,
                "minted": lot.minted_units,
                "for_sale": lot.loose_units if lot.status == LotStatus.SOUND else 0,
                "expires_ms": lot.expires_ms,
                "seen_ms": now_ms,
            }
            for lot in sorted(lots, key=lambda lot: bytes(lot.id))
        ],
    )
