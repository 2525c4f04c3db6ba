"""Orders in the database: found by id, by code, listed; and written back after a change."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.db.statements import text
from api.orders.model import ORDER_COLUMNS, Order, read_order

HASH_TEXT: Final = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_FROM: Final = "FROM orders o JOIN merchants m ON m.id = o.merchant_id"


async def read_orders(
    connection: AsyncConnection, ids: Sequence[str], *, lock: bool = False
) -> dict[str, Order]:
    """Read orders by id; `lock` keeps others from changing them until the transaction ends."""
    how = "ORDER BY o.id FOR NO KEY UPDATE OF o" if lock else ""
    rows = await connection.execute(
        text(f"SELECT {ORDER_COLUMNS} {_FROM} WHERE o.id = ANY(CAST(:ids AS text[])) {how}"),
        {"ids": list(ids)},
    )
    return {row.id: read_order(row) for row in rows}


async def lock_by_reference(
    connection: AsyncConnection, references: Sequence[bytes]
) -> dict[bytes, Order]:
    """Lock the orders behind references, in one order everywhere, so that no two settlers clash."""
    if not references:
        return {}
    rows = await connection.execute(
        text(f"""
            SELECT {ORDER_COLUMNS} FROM claims c
            JOIN orders o ON o.id = c.ref_id AND o.merchant_id = c.merchant_id
            JOIN merchants m ON m.id = o.merchant_id
            WHERE c.kind = 'reference' AND c.value = ANY(CAST(:references AS bytea[]))
            ORDER BY o.id FOR NO KEY UPDATE OF o
        """),  # noqa: S608 - constants of this package
        {"references": list(references)},
    )
    return {order.reference: order for order in map(read_order, rows)}


async def ids_by_reference(connection: AsyncConnection, references: Sequence[bytes]) -> list[str]:
    """Name the orders behind references."""
    found = await connection.scalars(
        text("""
            SELECT ref_id FROM claims
            WHERE kind = 'reference' AND value = ANY(CAST(:references AS bytea[]))
        """),
        {"references": list(references)},
    )
    return list(found)


async def is_a_reference(connection: AsyncConnection, reference: bytes) -> bool:
    """Tell whether a reference is an order's."""
    found = await connection.scalar(
        text("SELECT 1 FROM claims WHERE kind = 'reference' AND value = :value"),
        {"value": reference},
    )
    return found is not None


async def find_code(connection: AsyncConnection, code: str) -> str | None:
    """Give the id of the order that a customer typed the code of."""
    found = await connection.scalar(
        text("SELECT ref_id FROM claims WHERE kind = 'code' AND value = :value"),
        {"value": code.encode()},
    )
    return None if found is None else str(found)


async def newest_orders(
    connection: AsyncConnection, limit: int, merchant_id: str | None = None
) -> list[Order]:
    """List the newest orders, newest first: of all merchants, or of one."""
    rows = await connection.execute(
        text(f"""
            SELECT {ORDER_COLUMNS} {_FROM}
            WHERE CAST(:merchant_id AS text) IS NULL OR o.merchant_id = :merchant_id
            ORDER BY o.id DESC LIMIT :limit
        """),
        {"limit": limit, "merchant_id": merchant_id},
    )
    return [read_order(row) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilter:
    """Which orders are listed; None leaves a filter out. Times are those of their opening."""

    state: str | None = None
    exception: str | None = None
    kind: str | None = None
    ticket: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    found: str | None = None
    """What was searched for: an id, a ticket, a code, or the hash of a payment."""


async def list_orders(
    connection: AsyncConnection,
    merchant_id: str,
    wanted: OrderFilter,
    before_id: str | None,
    limit: int,
) -> list[Order]:
    """List a merchant's orders below an id, newest first."""
    rows = await connection.execute(
        text(f"""
            SELECT {ORDER_COLUMNS} {_FROM}
            WHERE o.merchant_id = :merchant_id
                AND o.state = coalesce(CAST(:state AS text), o.state)
                AND (CAST(:exception AS text) IS NULL OR o.exception = :exception)
                AND o.ticket = coalesce(CAST(:ticket AS text), o.ticket)
                AND o.kind = coalesce(CAST(:kind AS text), o.kind)
                AND o.created_ms >= coalesce(CAST(:from AS bigint), 0)
                AND (CAST(:to AS bigint) IS NULL OR o.created_ms < :to)
                AND (CAST(:found AS text) IS NULL OR :found IN (o.id, o.ticket, o.code) OR EXISTS (
                    SELECT FROM payments p WHERE p.merchant_id = o.merchant_id
                        AND p.order_id = o.id AND p.tx_hash = CAST(:hash AS bytea)))
                AND o.id < coalesce(CAST(:before_id AS text), 'a')
            ORDER BY o.id DESC LIMIT :limit
        """),  # noqa: S608 - constants of this package
        {
            "merchant_id": merchant_id,
            "state": wanted.state,
            "exception": wanted.exception,
            "ticket": wanted.ticket,
            "kind": wanted.kind,
            "from": wanted.from_ms,
            "to": wanted.to_ms,
            "found": wanted.found,
            "hash": _hash_in(wanted.found),
            "before_id": before_id,
            "limit": limit,
        },
    )
    return [read_order(row) for row in rows]


def _hash_in(text: str | None) -> bytes | None:
    """Read a transaction's hash; None for what is none."""
    return bytes.fromhex(text) if text and HASH_TEXT.fullmatch(text) else None


async def store_orders(connection: AsyncConnection, changes: Sequence[tuple[Order, Order]]) -> None:
    """Write orders back, each as it was read and as it is now: nobody else changed it meanwhile."""
    if not changes:
        return
    afters = [after for _, after in changes]
    done = await connection.execute(
        text("""
            UPDATE orders o SET state = n.state, exception = n.exception,
                received_units = n.received, refunded_units = n.refunded,
                paying_tx = n.paying, paid_ms = n.paid_ms, fulfilled_ms = n.fulfilled_ms,
                version = n.version
            FROM unnest(
                CAST(:ids AS text[]), CAST(:merchants AS text[]), CAST(:states AS text[]),
                CAST(:exceptions AS text[]), CAST(:received AS bigint[]),
                CAST(:refunded AS bigint[]), CAST(:paying AS bytea[]), CAST(:paid AS bigint[]),
                CAST(:fulfilled AS bigint[]), CAST(:versions AS int[]), CAST(:before AS int[])
            ) AS n(id, merchant_id, state, exception, received, refunded, paying, paid_ms,
                fulfilled_ms, version, before)
            WHERE o.id = n.id AND o.merchant_id = n.merchant_id AND o.version = n.before
        """),
        {
            "ids": [order.id for order in afters],
            "merchants": [order.merchant_id for order in afters],
            "states": [str(order.state) for order in afters],
            "exceptions": [order.exception for order in afters],
            "received": [order.received_units for order in afters],
            "refunded": [order.refunded_units for order in afters],
            "paying": [order.paying_tx for order in afters],
            "paid": [order.paid_ms for order in afters],
            "fulfilled": [order.fulfilled_ms for order in afters],
            "versions": [order.version for order in afters],
            "before": [before.version for before, _ in changes],
        },
    )
    assert done.rowcount == len(changes), "orders are locked by who changes them"
