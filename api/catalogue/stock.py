"""The milk that can be sold: a mirror of the ledger's lots, and soft reservations on it.

The ledger alone decides what can be redeemed. The mirror steers new orders to packs and lots that
still hold enough for the orders that are open.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.catalogue.shelves import Shelf
from api.db.statements import text
from api.orders.model import Basket
from ledger.primitives.hashing import Hash
from ledger.state.records import LotStatus
from node.client.views import LotView, ProductLotView

LOTS_MAX: Final = 256
"""How many of the newest lots are asked for."""


async def open_shelves(connection: AsyncConnection, until_ms: int) -> list[Shelf]:
    """Lock what stays in date until then and has milk left, the first to go off first."""
    rows = await connection.execute(
        text("""
            SELECT id, kind, pack_units, remaining_units - reserved_units AS free, expires_ms
            FROM lots WHERE sound AND expires_ms > :until_ms AND remaining_units > reserved_units
            ORDER BY id FOR NO KEY UPDATE
        """),
        {"until_ms": until_ms},
    )
    in_order = sorted(rows, key=lambda row: (row.expires_ms, row.id))
    return [Shelf(row.id, row.kind, row.pack_units, row.free) for row in in_order]


async def reopen_shelves(
    connection: AsyncConnection, until_ms: int, given_back: Mapping[bytes, int]
) -> list[Shelf]:
    """Open shelves with what an order gives back standing on them; its lots are locked as well.

    One statement locks them all: two that each lock by id do not, together.
    """
    rows = await connection.execute(
        text("""
            SELECT l.id, l.kind, l.pack_units, l.expires_ms, l.sound AND l.expires_ms > :until_ms
                    AS sold, l.remaining_units
                    - greatest(l.reserved_units - coalesce(b.units, 0), 0) AS free
            FROM lots l LEFT JOIN unnest(CAST(:ids AS bytea[]), CAST(:units AS bigint[]))
                AS b(id, units) ON b.id = l.id
            WHERE b.id IS NOT NULL OR (l.sound AND l.expires_ms > :until_ms
                AND l.remaining_units > l.reserved_units)
            ORDER BY l.id FOR NO KEY UPDATE OF l
        """),
        {"until_ms": until_ms, "ids": list(given_back), "units": list(given_back.values())},
    )
    await adjust(connection, given_back, {})
    sold = sorted((row for row in rows if row.sold), key=lambda row: (row.expires_ms, row.id))
    return [Shelf(row.id, row.kind, row.pack_units, row.free) for row in sold if row.free > 0]


async def reserve(connection: AsyncConnection, shelves: Iterable[Shelf]) -> None:
    """Write down what was taken."""
    taken = [{"id": shelf.id, "units": shelf.taken_units} for shelf in shelves if shelf.taken_units]
    if taken:
        await connection.execute(
            text("UPDATE lots SET reserved_units = reserved_units + :units WHERE id = :id"), taken
        )


def released_by(baskets: Iterable[Basket]) -> Counter[bytes]:
    """Sum up what orders had reserved of each lot, once they no longer wait for payment."""
    units: Counter[bytes] = Counter()
    for basket in baskets:
        for part in basket:
            units[bytes.fromhex(part.lot)] += part.units
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


async def mirror(
    connection: AsyncConnection,
    lots: Sequence[LotView],
    products: Mapping[Hash, Sequence[ProductLotView]],
    now_ms: int,
) -> None:
    """Take the ledger's word for its lots: loose milk under the lot's id, packs under theirs.

    What is frozen or recalled is kept, and not sold. `products` are the product lots of each lot.
    """
    rows = _rows(lots, products, now_ms)
    if not rows:
        return
    await connection.execute(
        text("""
            INSERT INTO lots (id, lot, kind, plant, pack_units, remaining_units, sound, expires_ms,
                seen_ms)
            VALUES (:id, :lot, :kind, :plant, :pack_units, :remaining, :sound, :expires_ms,
                :seen_ms)
            ON CONFLICT (id) DO UPDATE SET remaining_units = EXCLUDED.remaining_units,
                sound = EXCLUDED.sound, seen_ms = EXCLUDED.seen_ms
        """),
        rows,
    )


def _rows(
    lots: Sequence[LotView], products: Mapping[Hash, Sequence[ProductLotView]], now_ms: int
) -> list[dict[str, object]]:
    """List what can be redeemed, in the order of its ids."""
    ids = {
        bytes(row_id): (lot, pack_units, units)
        for lot in lots
        for row_id, pack_units, units in (
            (lot.id, 0, lot.loose_units),
            *((p.id, p.pack_units, p.left_units) for p in products.get(lot.id, ())),
        )
    }
    return [
        {
            "id": row_id,
            "lot": bytes(lot.id),
            "kind": str(lot.kind),
            "plant": lot.plant,
            "pack_units": pack_units,
            "remaining": units,
            "sound": lot.status == LotStatus.SOUND,
            "expires_ms": lot.expires_ms,
            "seen_ms": now_ms,
        }
        for row_id, (lot, pack_units, units) in sorted(ids.items(), key=itemgetter(0))
    ]
