"""Packs that came back, in the database: what is left of them, taken for orders and given back.

Their milk was burned by a payment that was given back, and they are on the shelf: their next sale
redeems nothing (`api.orders.model.Order.returned`). They are locked after the lots.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.catalogue.shelves import ReturnedShelf
from api.orders.model import Order, OrderState

_LET_GO: Final = frozenset({OrderState.EXPIRED, OrderState.CANCELLED})
"""An order in one of these holds no pack; one that is paid late takes its packs again."""


async def open_returned(
    connection: AsyncConnection, merchant_ids: Sequence[str], until_ms: int
) -> dict[str, list[ReturnedShelf]]:
    """Lock what merchants have of packs that came back, of sound lots that stay in date."""
    rows = await connection.execute(
        text("""
            SELECT r.merchant_id, r.refund_id, r.lot, r.kind, r.pack_units, r.packs_left
            FROM returned_packs r JOIN lots l ON l.id = r.lot
            WHERE r.merchant_id = ANY(CAST(:merchants AS text[])) AND r.packs_left > 0
                AND l.sound AND l.expires_ms > :until_ms
            ORDER BY r.merchant_id, l.expires_ms, r.refund_id, r.lot, r.pack_units
            FOR NO KEY UPDATE OF r
        """),
        {"merchants": list(merchant_ids), "until_ms": until_ms},
    )
    shelves = defaultdict[str, list[ReturnedShelf]](list)
    for row in rows:
        shelf = ReturnedShelf(
            row.refund_id, bytes(row.lot), row.kind, row.pack_units, row.packs_left
        )
        shelves[row.merchant_id].append(shelf)
    return shelves


async def take_packs(connection: AsyncConnection, orders: Iterable[Order]) -> None:
    """Write down what new orders take."""
    await _count(connection, [(order, -1) for order in orders])


async def give_packs_back(connection: AsyncConnection, orders: Iterable[Order]) -> None:
    """Let packs of orders be sold again."""
    await _count(connection, [(order, 1) for order in orders])


async def follow_orders(
    connection: AsyncConnection, changes: Sequence[tuple[Order, Order]]
) -> None:
    """Give back what orders held that let it go; who is paid after that takes it again.

    It may be sold by then: so few are left that a person hands out another pack.
    """
    moved = []
    for before, after in changes:
        if after.returned and (before.state in _LET_GO) != (after.state in _LET_GO):
            moved.append((after, 1 if after.state in _LET_GO else -1))
    await _count(connection, moved)


async def _count(connection: AsyncConnection, orders: Iterable[tuple[Order, int]]) -> None:
    packs: Counter[tuple[str, str, str, int]] = Counter()
    for order, sign in orders:
        for part in order.returned:
            key = (order.merchant_id, part.ref_id, part.lot, part.pack_units)
            packs[key] += sign * part.packs
    changes = [
        {"merchant": key[0], "ref": key[1], "lot": bytes.fromhex(key[2]), "size": key[3], "n": n}
        for key, n in sorted(packs.items())
        if n
    ]
    if changes:
        await connection.execute(
            text("""
                UPDATE returned_packs
                SET packs_left = least(greatest(packs_left + :n, 0), packs)
                WHERE merchant_id = :merchant AND refund_id = :ref AND lot = :lot
                    AND pack_units = :size
            """),
            changes,
        )
