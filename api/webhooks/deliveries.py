"""Deliveries in the database: made of the outbox, drawn one by one, and what became of each.

A delivery is counted as tried before anything is sent, compare-and-set: of two that would send it,
one does; and one who dies in the act is outlived by the claim, after which it is tried again. So an
event arrives at least once, and under one name, by which its receiver knows it again.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from api.db.tables.webhooks import webhook_attempts, webhook_deliveries, webhook_endpoints
from api.events.store import KeptEvent, read_event
from api.webhooks.model import Attempt, Delivery, DeliveryState

AT_ONCE_MAX: Final = 500
"""So many events of an endpoint are looked at in one statement."""
CLAIM_MS: Final = 30_000
"""Longer than any try takes."""
REPLAYED_MAX: Final = 10_000

_D = webhook_deliveries.c
_E = webhook_endpoints.c


@dataclass(frozen=True, slots=True)
class Lane:
    """An endpoint to which something is due."""

    merchant_id: str
    endpoint_id: str
    failures: int


@dataclass(frozen=True, slots=True)
class Drawn:
    """A delivery that is ours to send now, with its event and where it goes."""

    endpoint_id: str
    url: str
    tries: int
    failures: int
    failing_since_ms: int | None
    event: KeptEvent


async def spread(connection: AsyncConnection, now_ms: int) -> bool:
    """Make deliveries of new events; tell whether there may be more at once.

    An endpoint's own test goes to it alone, and whatever kinds it wants.
    """
    found = await connection.execute(
        text("""
            WITH behind AS (
                SELECT w.merchant_id, w.id, w.kinds, w.seen_seq,
                    least(s.seq, w.seen_seq + :at_once) AS upto
                FROM webhook_endpoints w JOIN merchant_sequences s USING (merchant_id)
                WHERE w.state = 'enabled' AND s.seq > w.seen_seq
                ORDER BY w.merchant_id, w.id LIMIT 100 FOR UPDATE OF w SKIP LOCKED
            ), moved AS (
                UPDATE webhook_endpoints w SET seen_seq = b.upto FROM behind b
                WHERE w.merchant_id = b.merchant_id AND w.id = b.id
            ), made AS (
                INSERT INTO webhook_deliveries (merchant_id, endpoint_id, seq, kind, state, tries,
                    next_ms, created_ms)
                SELECT b.merchant_id, b.id, e.seq, e.kind, 'pending', 0, :now, :now
                FROM behind b JOIN events e
                    ON e.merchant_id = b.merchant_id AND e.seq > b.seen_seq AND e.seq <= b.upto
                WHERE CASE WHEN e.kind = 'webhook.test' THEN e.subject_id = b.id
                    ELSE cardinality(b.kinds) = 0 OR e.kind = ANY(b.kinds) END
                ON CONFLICT DO NOTHING
            )
            SELECT count(*) FROM behind
        """),
        {"at_once": AT_ONCE_MAX, "now": now_ms},
    )
    return bool(found.scalar_one())


async def lanes_due(connection: AsyncConnection, now_ms: int, limit: int) -> list[Lane]:
    """List endpoints to which something is due; those that fail come last."""
    rows = await connection.execute(
        text("""
            SELECT w.merchant_id, w.id, w.failures FROM webhook_endpoints w
            WHERE w.state = 'enabled' AND w.rest_until_ms <= :now AND EXISTS (
                SELECT FROM webhook_deliveries d
                WHERE d.merchant_id = w.merchant_id AND d.endpoint_id = w.id
                    AND d.state = 'pending' AND d.next_ms <= :now
            )
            ORDER BY w.failures, w.rest_until_ms LIMIT :limit
        """),
        {"now": now_ms, "limit": limit},
    )
    return [Lane(row.merchant_id, row.id, row.failures) for row in rows]


async def draw(connection: AsyncConnection, lane: Lane, now_ms: int) -> Drawn | None:
    """Take an endpoint's first delivery that is due, and count it as tried."""
    rows = await connection.execute(
        text("""
            WITH first AS (
                SELECT d.merchant_id, d.endpoint_id, d.seq, w.url, w.failures, w.failing_since_ms
                FROM webhook_endpoints w JOIN webhook_deliveries d
                    ON d.merchant_id = w.merchant_id AND d.endpoint_id = w.id
                WHERE w.merchant_id = :merchant AND w.id = :endpoint AND w.state = 'enabled'
                    AND d.state = 'pending' AND d.next_ms <= :now
                ORDER BY d.seq LIMIT 1 FOR UPDATE OF d
            ), claimed AS (
                UPDATE webhook_deliveries d SET tries = d.tries + 1, next_ms = :until FROM first f
                WHERE d.merchant_id = f.merchant_id AND d.endpoint_id = f.endpoint_id
                    AND d.seq = f.seq AND d.next_ms <= :now
                RETURNING d.seq, d.tries
            )
            SELECT f.url, f.failures, f.failing_since_ms, c.tries, e.merchant_id, e.seq, e.kind,
                e.at_ms, e.body::text AS body
            FROM claimed c JOIN first f USING (seq)
            JOIN events e ON e.merchant_id = f.merchant_id AND e.seq = f.seq
        """),
        {
            "merchant": lane.merchant_id,
            "endpoint": lane.endpoint_id,
            "now": now_ms,
            "until": now_ms + CLAIM_MS,
        },
    )
    row = rows.first()
    if row is None:
        return None
    return Drawn(
        lane.endpoint_id, row.url, row.tries, row.failures, row.failing_since_ms, read_event(row)
    )


async def note_attempt(connection: AsyncConnection, drawn: Drawn, attempt: Attempt) -> None:
    """Write what became of a try."""
    await connection.execute(
        insert(webhook_attempts).values(
            merchant_id=drawn.event.merchant_id,
            endpoint_id=drawn.endpoint_id,
            seq=drawn.event.seq,
            id=str(ULID.from_timestamp(attempt.at_ms / 1_000)),
            at_ms=attempt.at_ms,
            took_ms=attempt.took_ms,
            status=attempt.status,
            code=attempt.code,
        )
    )


async def settle_delivery(
    connection: AsyncConnection, drawn: Drawn, state: DeliveryState, next_ms: int, now_ms: int
) -> None:
    """Write how far a delivery has come, unless it was begun anew meanwhile."""
    await connection.execute(
        update(webhook_deliveries)
        .where(
            _D.merchant_id == drawn.event.merchant_id,
            _D.endpoint_id == drawn.endpoint_id,
            _D.seq == drawn.event.seq,
            _D.tries == drawn.tries,
            _D.state == DeliveryState.PENDING,
        )
        .values(
            state=state,
            next_ms=next_ms,
            ended_ms=None if state is DeliveryState.PENDING else now_ms,
        )
    )


async def settle_endpoint(
    connection: AsyncConnection, drawn: Drawn, changes: dict[str, object]
) -> bool:
    """Write how an endpoint fares; False if it is enabled no more."""
    changed = await connection.execute(
        update(webhook_endpoints)
        .where(_E.merchant_id == drawn.event.merchant_id, _E.id == drawn.endpoint_id)
        .where(_E.state == "enabled")
        .values(**changes)
    )
    return bool(changed.rowcount)


async def fail_pending(
    connection: AsyncConnection, merchant_id: str, endpoint_id: str, now_ms: int
) -> None:
    """End what is on its way to an endpoint that is disabled: a replay begins it anew."""
    await connection.execute(
        update(webhook_deliveries)
        .where(_D.merchant_id == merchant_id, _D.endpoint_id == endpoint_id)
        .where(_D.state == DeliveryState.PENDING)
        .values(state=DeliveryState.FAILED, ended_ms=now_ms)
    )


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
