"""What became of deliveries, as their merchant reads it; and deliveries that begin anew."""

from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from api.db.statements import text
from api.db.tables.webhooks import webhook_attempts, webhook_deliveries
from api.webhooks.model import Attempt, Delivery, DeliveryState

REPLAYED_MAX: Final = 10_000
"""So many events are begun anew at once."""

_D = webhook_deliveries.c


async def replay_one(
    connection: AsyncConnection, merchant_id: str, endpoint_id: str, seq: int, now_ms: int
) -> bool:
    """Begin a delivery anew; False if there is none."""
    changed = await connection.execute(
        update(webhook_deliveries)
        .where(_D.merchant_id == merchant_id, _D.endpoint_id == endpoint_id, _D.seq == seq)
        .values(state=DeliveryState.PENDING, tries=0, next_ms=now_ms, ended_ms=None)
    )
    return bool(changed.rowcount)


async def replay_since(
    connection: AsyncConnection, merchant_id: str, endpoint_id: str, since_ms: int, now_ms: int
) -> tuple[int, int]:
    """Begin anew what happened since a time; give how many, and the last one's number.

    At most `REPLAYED_MAX`, the oldest; those that are on their way are left alone.
    """
    found = await connection.execute(
        text("""
            WITH chosen AS (
                SELECT e.merchant_id, w.id, e.seq, e.kind FROM webhook_endpoints w
                JOIN events e ON e.merchant_id = w.merchant_id
                WHERE w.merchant_id = :merchant AND w.id = :endpoint AND e.at_ms >= :since
                    AND e.seq <= w.seen_seq AND e.kind <> 'webhook.test'
                    AND (cardinality(w.kinds) = 0 OR e.kind = ANY(w.kinds))
                ORDER BY e.seq LIMIT :most
            ), begun AS (
                INSERT INTO webhook_deliveries AS d (merchant_id, endpoint_id, seq, kind, state,
                    tries, next_ms, created_ms)
                SELECT merchant_id, id, seq, kind, 'pending', 0, :now, :now FROM chosen
                ON CONFLICT (merchant_id, endpoint_id, seq) DO UPDATE
                    SET state = 'pending', tries = 0, next_ms = :now, ended_ms = NULL
                WHERE d.state <> 'pending'
                RETURNING seq
            )
            SELECT (SELECT count(*) FROM begun) AS count, coalesce(max(seq), 0) AS last FROM chosen
        """),
        {
            "merchant": merchant_id,
            "endpoint": endpoint_id,
            "since": since_ms,
            "now": now_ms,
            "most": REPLAYED_MAX,
        },
    )
    row = found.one()
    return int(row[0]), int(row[1])


async def list_deliveries(
    connection: AsyncConnection,
    merchant_id: str,
    endpoint_id: str,
    state: str,
    before: tuple[int, str] | None,
    limit: int,
) -> list[Delivery]:
    """List deliveries, those of the newest events first; of all endpoints if none is named."""
    query = select(webhook_deliveries).where(_D.merchant_id == merchant_id)
    if endpoint_id:
        query = query.where(_D.endpoint_id == endpoint_id)
    if state:
        query = query.where(_D.state == state)
    if before is not None:
        seq, endpoint = before
        query = query.where((_D.seq < seq) | ((_D.seq == seq) & (_D.endpoint_id < endpoint)))
    rows = await connection.execute(
        query.order_by(_D.seq.desc(), _D.endpoint_id.desc()).limit(limit)
    )
    return [_delivery(row) for row in rows]


async def find_delivery(
    connection: AsyncConnection, merchant_id: str, endpoint_id: str, seq: int
) -> Delivery | None:
    """Read a delivery."""
    rows = await connection.execute(
        select(webhook_deliveries).where(
            _D.merchant_id == merchant_id, _D.endpoint_id == endpoint_id, _D.seq == seq
        )
    )
    row = rows.first()
    return None if row is None else _delivery(row)


async def oldest_untried_ms(connection: AsyncConnection, now_ms: int) -> int:
    """Give for how long the oldest event waits for its first try; 0 if none does.

    Endpoints that fail are left out: what waits for them waits by their own fault.
    """
    found = await connection.scalar(
        text("""
            SELECT max(:now - since.ms) FROM webhook_endpoints w
            CROSS JOIN LATERAL (
                (
                    SELECT d.created_ms AS ms FROM webhook_deliveries d
                    WHERE d.merchant_id = w.merchant_id AND d.endpoint_id = w.id
                        AND d.state = 'pending' ORDER BY d.seq LIMIT 1
                ) UNION ALL (
                    SELECT e.at_ms FROM events e
                    WHERE e.merchant_id = w.merchant_id AND e.seq > w.seen_seq
                    ORDER BY e.seq LIMIT 1
                )
            ) since
            WHERE w.state = 'enabled' AND w.failures = 0
        """),
        {"now": now_ms},
    )
    return max(int(found or 0), 0)


async def attempts_of(connection: AsyncConnection, delivery: Delivery) -> list[Attempt]:
    """List the tries of a delivery, the oldest first."""
    a = webhook_attempts.c
    rows = await connection.execute(
        select(webhook_attempts)
        .where(a.merchant_id == delivery.merchant_id, a.endpoint_id == delivery.endpoint_id)
        .where(a.seq == delivery.seq)
        .order_by(a.id)
    )
    return [Attempt(row.at_ms, row.took_ms, row.status, row.code) for row in rows]


async def forget_deliveries(connection: AsyncConnection, before_ms: int) -> None:
    """Forget deliveries that ended, and tries, of before a time."""
    await connection.execute(
        text("DELETE FROM webhook_deliveries WHERE created_ms < :before AND state <> 'pending'"),
        {"before": before_ms},
    )
    await connection.execute(
        text("DELETE FROM webhook_attempts WHERE at_ms < :before"), {"before": before_ms}
    )


def _delivery(row: Any) -> Delivery:
    return Delivery(
        endpoint_id=row.endpoint_id,
        merchant_id=row.merchant_id,
        seq=row.seq,
        kind=row.kind,
        state=DeliveryState(row.state),
        tries=row.tries,
        next_ms=row.next_ms,
        created_ms=row.created_ms,
        ended_ms=row.ended_ms,
    )
