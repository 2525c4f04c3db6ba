"""Deliveries in the database: made of the outbox, drawn one by one, and what became of each.

A delivery is counted as tried before anything is sent, compare-and-set: of two that would send it,
one does; and one who dies in the act is outlived by the claim, after which it is tried again. So an
event arrives at least once, and under one name, by which its receiver knows it again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from api.db.statements import text
from api.db.tables.webhooks import webhook_attempts, webhook_deliveries, webhook_endpoints
from api.events.store import KeptEvent, read_event
from api.webhooks.model import Attempt, DeliveryState

AT_ONCE_MAX: Final = 500
"""So many events of an endpoint are looked at in one statement."""
ENDPOINTS_AT_ONCE_MAX: Final = 100
CLAIM_MS: Final = 30_000
"""Longer than any try takes."""

_D = webhook_deliveries.c
_E = webhook_endpoints.c


@dataclass(frozen=True, slots=True)
class EndpointLane:
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
    trace: str
    """Of the request that made it happen; empty if that named none."""


async def spread(connection: AsyncConnection, now_ms: int) -> None:
    """Make deliveries of new events.

    Of the endpoints that are behind, chance takes so many: were it an order, those at its front
    could keep all others waiting. An endpoint's own test goes to it alone, and whatever kinds it
    wants.
    """
    await connection.execute(
        text("""
            WITH behind AS (
                SELECT w.merchant_id, w.id, w.kinds, w.seen_seq,
                    least(s.seq, w.seen_seq + :at_once) AS upto
                FROM webhook_endpoints w JOIN merchant_sequences s USING (merchant_id)
                WHERE w.state = 'enabled' AND s.seq > w.seen_seq
                ORDER BY random() LIMIT :endpoints FOR UPDATE OF w SKIP LOCKED
            ), moved AS (
                UPDATE webhook_endpoints w SET seen_seq = b.upto FROM behind b
                WHERE w.merchant_id = b.merchant_id AND w.id = b.id
            )
            INSERT INTO webhook_deliveries (merchant_id, endpoint_id, seq, kind, state, tries,
                next_ms, created_ms)
            SELECT b.merchant_id, b.id, e.seq, e.kind, 'pending', 0, :now, :now
            FROM behind b JOIN events e
                ON e.merchant_id = b.merchant_id AND e.seq > b.seen_seq AND e.seq <= b.upto
            WHERE CASE WHEN e.kind = 'webhook.test' THEN e.subject_id = b.id
                ELSE cardinality(b.kinds) = 0 OR e.kind = ANY(b.kinds) END
            ON CONFLICT DO NOTHING
        """),
        {"at_once": AT_ONCE_MAX, "endpoints": ENDPOINTS_AT_ONCE_MAX, "now": now_ms},
    )


async def lanes_due(connection: AsyncConnection, now_ms: int, limit: int) -> list[EndpointLane]:
    """List endpoints to which something is due, one that fails after each that fares well.

    Chance orders each kind: more of them than places may be due all the time.
    """
    rows = await connection.execute(
        text("""
            SELECT w.merchant_id, w.id, w.failures FROM webhook_endpoints w
            WHERE w.state = 'enabled' AND w.rest_until_ms <= :now AND EXISTS (
                SELECT FROM webhook_deliveries d
                WHERE d.merchant_id = w.merchant_id AND d.endpoint_id = w.id
                    AND d.state = 'pending' AND d.next_ms <= :now
            )
            ORDER BY row_number() OVER (PARTITION BY w.failures > 0 ORDER BY random()), w.failures
            LIMIT :limit
        """),
        {"now": now_ms, "limit": limit},
    )
    return [EndpointLane(row.merchant_id, row.id, row.failures) for row in rows]


_DRAW: Final = """
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
        e.at_ms, e.trace, e.body::text AS body
    FROM claimed c JOIN first f USING (seq)
    JOIN events e ON e.merchant_id = f.merchant_id AND e.seq = f.seq
"""


async def draw(connection: AsyncConnection, lane: EndpointLane, now_ms: int) -> Drawn | None:
    """Take an endpoint's first delivery that is due, and count it as tried."""
    rows = await connection.execute(
        text(_DRAW),
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
        lane.endpoint_id,
        row.url,
        row.tries,
        row.failures,
        row.failing_since_ms,
        read_event(row),
        row.trace,
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
    connection: AsyncConnection, drawn: Drawn, changes: Mapping[str, object]
) -> bool:
    """Write how an endpoint fares; False if it is enabled no more, or leads elsewhere by now."""
    changed = await connection.execute(
        update(webhook_endpoints)
        .where(_E.merchant_id == drawn.event.merchant_id, _E.id == drawn.endpoint_id)
        .where(_E.state == "enabled", _E.url == drawn.url)
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
