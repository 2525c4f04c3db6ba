"""The milk that can be sold: a mirror of the ledger's lots, and soft reservations on it.

The ledger alone decides what can be redeemed. The mirror steers new orders to the lot that goes
off first and still holds enough for the orders that are open.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.node_port import LotView

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
            SELECT id, kind, remaining_units - reserved_units AS free FROM lots
            WHERE expires_ms > :until_ms AND remaining_units > reserved_units
            ORDER BY expires_ms, id FOR UPDATE
        """),
        {"until_ms": until_ms},
    )
    return [Shelf(row.id, row.kind, row.free) for row in rows]


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


async def release(connection: AsyncConnection, orders: Iterable[Mapping[str, Any]]) -> None:
    """Give back what orders had reserved, once they no longer wait for payment."""
    units: dict[bytes, int] = {}
    for order in orders:
        lot = order["redeem_lot"]
        units[lot] = units.get(lot, 0) + order["redeem_units"]
    if units:
        await connection.execute(
            text("""
                UPDATE lots SET reserved_units = greatest(reserved_units - :units, 0)
                WHERE id = :id
            """),
            [{"id": lot, "units": given} for lot, given in sorted(units.items())],
        )


async def redeem(connection: AsyncConnection, units: Mapping[bytes, int]) -> None:
    """Take redeemed milk off the mirror, as final blocks tell of it."""
    if units:
        await connection.execute(
            text("""
                UPDATE lots SET remaining_units = greatest(remaining_units - :units, 0)
                WHERE id = :id
            """),
            [{"id": lot, "units": burned} for lot, burned in sorted(units.items())],
        )


async def mirror(connection: AsyncConnection, lots: Sequence[LotView], now_ms: int) -> None:
    """Take the ledger's word for its lots."""
    if not lots:
        return
    await connection.execute(
        text("""
            INSERT INTO lots (id, kind, plant, minted_units, remaining_units, expires_ms, seen_ms)
            VALUES (:id, :kind, :plant, :minted, :remaining, :expires_ms, :seen_ms)
            ON CONFLICT (id) DO UPDATE SET remaining_units = EXCLUDED.remaining_units
        """),
        [
            {
                "id": bytes(lot.id),
                "kind": str(lot.kind),
                "plant": lot.plant,
                "minted": lot.units,
                "remaining": lot.remaining,
                "expires_ms": lot.expires_ms,
                "seen_ms": now_ms,
            }
            for lot in sorted(lots, key=lambda lot: bytes(lot.id))
        ],
    )


async def newest_lots(connection: AsyncConnection, limit: int) -> list[dict[str, Any]]:
    """List the lots that were seen last."""
    rows = await connection.execute(
        text("SELECT * FROM lots ORDER BY seen_ms DESC, expires_ms DESC, id LIMIT :limit"),
        {"limit": limit},
    )
    return [dict(row) for row in rows.mappings()]
