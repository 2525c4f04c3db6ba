"""The outbox: events written in the transaction of the change that they tell of.

A merchant's events are numbered one by one, by a row that is locked until the transaction ends: who
has seen number n of a merchant has seen all below it. An event's body is the thing as it stands
after the change, so a reader needs no second question. Events hold no personal data.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from api.chain.tip import NOWHERE, Cursor
from api.db.statements import text
from node.client.tracing import TRACEPARENT

EVENTS_MAX: Final = 500
"""The most events that one read gives."""


UNMATCHED: Final = "payment.unmatched"
"""A payment for no order that we know."""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to write. `tx_hash` is the transaction that it tells of, for those who wait.

    `trace` is that of the request that made it happen, if it is known; webhooks bear it.
    """

    kind: str
    merchant_id: str
    subject_id: str
    body: object
    at_ms: int
    tx_hash: bytes | None = None
    trace: str = field(default_factory=TRACEPARENT.get)


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event that was written; `body` is JSON as it is sent."""

    merchant_id: str
    seq: int
    kind: str
    subject_id: str
    tx_hash: bytes | None
    body: msgspec.Raw

    @property
    def shows_order(self) -> bool:
        """Tell whether its body shows an order: then whoever may see orders may see it."""
        return self.kind.startswith(("order.", "payment.")) and self.kind != UNMATCHED


@dataclass(frozen=True, slots=True)
class Numbers:
    """A merchant's last event and last ticket."""

    seq: int
    tickets: int


_REST: Final = "e.kind, e.subject_id, e.tx_hash, e.body::jsonb, e.at_ms, e.trace"
_COLUMNS: Final = "merchant_id, seq, kind, subject_id, tx_hash, body, at_ms, trace"
_UNNESTED: Final = """unnest(
    CAST(:merchants AS text[]), CAST(:numbers AS bigint[]), CAST(:kinds AS text[]),
    CAST(:subjects AS text[]), CAST(:hashes AS bytea[]), CAST(:bodies AS text[]),
    CAST(:times AS bigint[]), CAST(:traces AS text[])
) AS e(merchant_id, {}, kind, subject_id, tx_hash, body, at_ms, trace)"""


async def draw_numbers(
    connection: AsyncConnection, events: Counter[str], tickets: Counter[str]
) -> dict[str, Numbers]:
    """Take numbers for so many events and tickets of each merchant; give the last ones taken.

    The last lock of a transaction: others wait for it until the commit.
    """
    merchants = sorted(events.keys() | tickets.keys())
    if not merchants:
        return {}
    rows = await connection.execute(
        text("""
            INSERT INTO merchant_sequences AS s (merchant_id, seq, tickets)
            SELECT merchant_id, seq, tickets FROM unnest(
                CAST(:merchants AS text[]), CAST(:events AS bigint[]), CAST(:tickets AS bigint[])
            ) AS t(merchant_id, seq, tickets) ORDER BY merchant_id
            ON CONFLICT (merchant_id) DO UPDATE
                SET seq = s.seq + EXCLUDED.seq, tickets = s.tickets + EXCLUDED.tickets
            RETURNING merchant_id, seq, tickets
        """),
        {
            "merchants": merchants,
            "events": [events[merchant] for merchant in merchants],
            "tickets": [tickets[merchant] for merchant in merchants],
        },
    )
    return {row.merchant_id: Numbers(row.seq, row.tickets) for row in rows}


async def write_events(connection: AsyncConnection, events: Sequence[NewEvent]) -> None:
    """Write events as the last act of a transaction: the lock on their numbers ends with it.

    Numbers are drawn as `draw_numbers` draws them, in the one statement.
    """
    if not events:
        return
    counts = Counter(event.merchant_id for event in events)
    merchants = sorted(counts)
    await connection.execute(
        text(f"""
            WITH drawn AS (
                INSERT INTO merchant_sequences AS s (merchant_id, seq, tickets)
                SELECT merchant_id, seq, 0 FROM unnest(
                    CAST(:drawing AS text[]), CAST(:counts AS bigint[])
                ) AS t(merchant_id, seq) ORDER BY merchant_id
                ON CONFLICT (merchant_id) DO UPDATE SET seq = s.seq + EXCLUDED.seq
                RETURNING merchant_id, seq
            )
            INSERT INTO events ({_COLUMNS})
            SELECT e.merchant_id, d.seq - e.left_after, {_REST}
            FROM {_UNNESTED.format("left_after")} JOIN drawn d ON d.merchant_id = e.merchant_id
        """),  # noqa: S608 - constants of this module
        {
            "drawing": merchants,
            "counts": [counts[merchant] for merchant in merchants],
            **_lists(events, _left_after(events, counts)),
        },
    )


def _left_after(events: Sequence[NewEvent], counts: Counter[str]) -> list[int]:
    """Tell of each event how many more of its merchant's come after it."""
    left, after = Counter(counts), []
    for event in events:
        left[event.merchant_id] -= 1
        after.append(left[event.merchant_id])
    return after


def _lists(events: Sequence[NewEvent], numbers: Sequence[int]) -> dict[str, object]:
    """Give events as the lists that `_UNNESTED` takes."""
    return {
        "merchants": [event.merchant_id for event in events],
        "numbers": numbers,
        "kinds": [event.kind for event in events],
        "subjects": [event.subject_id for event in events],
        "hashes": [event.tx_hash for event in events],
        "bodies": [msgspec.json.encode(event.body).decode() for event in events],
        "times": [event.at_ms for event in events],
        "traces": [event.trace for event in events],
    }


async def insert_events(
    connection: AsyncConnection, events: Sequence[NewEvent], numbers: Mapping[str, Numbers]
) -> None:
    """Write events under numbers that were drawn for them."""
    if not events:
        return
    counts = Counter(event.merchant_id for event in events)
    seqs = [
        numbers[event.merchant_id].seq - left
        for event, left in zip(events, _left_after(events, counts), strict=True)
    ]
    await connection.execute(
        text(f"""
            INSERT INTO events ({_COLUMNS}) SELECT e.merchant_id, e.seq, {_REST}
            FROM {_UNNESTED.format("seq")}
        """),  # noqa: S608 - constants of this module
        _lists(events, seqs),
    )


_AFTER: Final = """
    SELECT e.merchant_id, e.seq, e.kind, e.subject_id, e.tx_hash, e.body::text AS body
    FROM merchant_sequences s
    LEFT JOIN unnest(CAST(:merchants AS text[]), CAST(:seqs AS bigint[]))
        AS k(merchant_id, seq) ON k.merchant_id = s.merchant_id
    JOIN events e ON e.merchant_id = s.merchant_id AND e.seq > coalesce(k.seq, 0)
    WHERE s.seq > coalesce(k.seq, 0)
        AND s.merchant_id = coalesce(CAST(:only AS text), s.merchant_id)
    ORDER BY e.merchant_id, e.seq LIMIT :limit
"""


def _known(known: Mapping[str, int], only: str | None) -> dict[str, object]:
    """Give the parameters of `_AFTER`."""
    return {
        "merchants": list(known.keys()),
        "seqs": list(known.values()),
        "only": only,
        "limit": EVENTS_MAX,
    }


def _stored(row: Row[Any]) -> StoredEvent:
    body = msgspec.Raw(row.body.encode())
    return StoredEvent(row.merchant_id, row.seq, row.kind, row.subject_id, row.tx_hash, body)


async def events_after(
    connection: AsyncConnection, known: Mapping[str, int], merchant_id: str
) -> list[StoredEvent]:
    """List a merchant's next events beyond what is known, in order, at most `EVENTS_MAX`."""
    rows = await connection.execute(text(_AFTER), _known(known, merchant_id))
    return [_stored(row) for row in rows]


async def news_after(
    connection: AsyncConnection, known: Mapping[str, int]
) -> tuple[Cursor, list[StoredEvent]]:
    """Give how far the chain is settled, and the next events beyond what is known.

    Both are of one moment, so whoever knows that a block is settled knows what it changed, unless
    there are more than `EVENTS_MAX`. Each merchant's events are in their order.
    """
    rows = await connection.execute(
        text(f"""
            SELECT c.chain_id, c.height, c.hash, e.* FROM (SELECT) AS always
            LEFT JOIN follower_cursor c ON true LEFT JOIN ({_AFTER}) AS e ON true
            ORDER BY e.merchant_id, e.seq
        """),  # noqa: S608 - a constant of this module
        _known(known, None),
    )
    told = rows.all()
    first = told[0]
    cursor = NOWHERE if first.height is None else Cursor(first.chain_id, first.height, first.hash)
    return cursor, [_stored(row) for row in told if row.seq is not None]


async def last_seqs(connection: AsyncConnection, merchant_id: str | None = None) -> dict[str, int]:
    """Give the number of the newest event, of every merchant or of one."""
    rows = await connection.execute(
        text("""
            SELECT merchant_id, seq FROM merchant_sequences
            WHERE merchant_id = coalesce(CAST(:only AS text), merchant_id)
        """),
        {"only": merchant_id},
    )
    return {row.merchant_id: row.seq for row in rows}
