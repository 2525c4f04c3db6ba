"""The facts that detectors look at, read from the tables that hold them, a window at a time.

Every reading is bounded: past `FACTS_MAX` the newest are looked at, and that is plenty to see what
is odd by its number.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.attempts.model import PAYERS_FAULTS
from api.db.statements import text
from api.flags.model import DayBooks, Fact, NoteKind

FACTS_MAX: Final = 20_000


async def _facts(connection: AsyncConnection, statement: str, **values: Any) -> list[Fact]:
    rows = await connection.execute(
        text(f"{statement} ORDER BY at_ms DESC LIMIT :most"), {**values, "most": FACTS_MAX}
    )
    return [Fact(row.at_ms, row.merchant_id, row.subject, row.ref) for row in rows]


async def failed_attempts(connection: AsyncConnection, since_ms: int) -> list[Fact]:
    """Give payers' transactions that no validation would find good."""
    return await _facts(
        connection,
        """
        SELECT told_ms AS at_ms, merchant_id, subject, encode(tx_hash, 'hex') AS ref
        FROM payment_attempts
        WHERE told_ms >= :since AND outcome = ANY(CAST(:outcomes AS text[]))
        """,
        since=since_ms,
        outcomes=sorted(PAYERS_FAULTS),
    )


async def notes(connection: AsyncConnection, kind: NoteKind, since_ms: int) -> list[Fact]:
    """Give what was noted of one kind."""
    return await _facts(
        connection,
        "SELECT at_ms, merchant_id, subject, ref FROM watch_notes WHERE kind = :kind "
        "AND at_ms >= :since",
        kind=str(kind),
        since=since_ms,
    )


async def refunds_asked(connection: AsyncConnection, since_ms: int) -> list[Fact]:
    """Give refunds that people answer for; what the service refunds by itself is nobody's."""
    return await _facts(
        connection,
        """
        SELECT created_ms AS at_ms, merchant_id, requested_by AS subject, id AS ref FROM refunds
        WHERE created_ms >= :since AND NOT automatic AND requested_by LIKE 'user:%'
        """,
        since=since_ms,
    )


async def wallets_linked(connection: AsyncConnection, since_ms: int) -> list[Fact]:
    """Give who has linked which wallet, by its blind index; told at the union, which is no shop."""
    return await _facts(
        connection,
        """
        SELECT linked_ms AS at_ms, union_id AS merchant_id, user_id AS ref,
            'payer:' || encode(address_index, 'hex') AS subject
        FROM wallet_links WHERE linked_ms >= :since AND address_index IS NOT NULL
        """,
        since=since_ms,
    )


async def sales(connection: AsyncConnection, since_ms: int) -> list[Fact]:
    """Give orders that were paid."""
    return await _facts(
        connection,
        """
        SELECT paid_ms AS at_ms, merchant_id, 'merchant:' || merchant_id AS subject, id AS ref
        FROM orders WHERE paid_ms >= :since
        """,
        since=since_ms,
    )


async def books(connection: AsyncConnection, since_ms: int) -> list[DayBooks]:
    """Give what orders say of their money, beside what their payments say; coupons pay nothing."""
    rows = await connection.execute(
        text("""
            SELECT o.id, o.merchant_id, o.created_ms, o.amount_sen, o.amount_units,
                o.received_units - o.refunded_units AS booked,
                coalesce((
                    SELECT sum(p.units - p.refunded_units) FROM payments p
                    WHERE p.merchant_id = o.merchant_id AND p.order_id = o.id
                        AND p.state = 'finalised' AND p.outcome NOT IN ('failed', 'in_vain')
                ), 0)::bigint AS came
            FROM orders o WHERE o.created_ms >= :since AND o.amount_sen > 0
            ORDER BY o.created_ms DESC LIMIT :most
        """),
        {"since": since_ms, "most": FACTS_MAX},
    )
    return [
        DayBooks(
            at_ms=row.created_ms,
            merchant_id=row.merchant_id,
            order_id=row.id,
            amount_sen=row.amount_sen,
            amount_units=row.amount_units,
            booked_units=row.booked,
            came_units=row.came,
        )
        for row in rows
    ]


async def add_notes(
    connection: AsyncConnection, rows: Sequence[tuple[str, NoteKind, Fact]]
) -> None:
    """Write notes, each with an id of its own."""
    if not rows:
        return
    await connection.execute(
        text("""
            INSERT INTO watch_notes (merchant_id, id, kind, subject, ref, at_ms)
            SELECT * FROM unnest(
                CAST(:merchants AS text[]), CAST(:ids AS text[]), CAST(:kinds AS text[]),
                CAST(:subjects AS text[]), CAST(:refs AS text[]), CAST(:times AS bigint[])
            )
        """),
        {
            "merchants": [fact.merchant_id for _, _, fact in rows],
            "ids": [note_id for note_id, _, _ in rows],
            "kinds": [str(kind) for _, kind, _ in rows],
            "subjects": [fact.subject for _, _, fact in rows],
            "refs": [fact.ref for _, _, fact in rows],
            "times": [fact.at_ms for _, _, fact in rows],
        },
    )


async def forget_notes(connection: AsyncConnection, before_ms: int) -> None:
    """Drop notes that no detector looks at any more."""
    await connection.execute(
        text("DELETE FROM watch_notes WHERE at_ms < :before"), {"before": before_ms}
    )
