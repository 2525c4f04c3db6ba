"""What is wrong now, read out of what is written: one query a kind of alert.

Each gives union, merchant ('' for what is the union's) and the id of what it is about. A query
reads the few rows that are wrong by an index or a small table, never a day of orders.

What is asked for is what has changed: troubles without an alert, and alerts without their trouble.
So however many stand, each look finds new ones, and none hides another for good.
"""

from collections.abc import Mapping
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.alerts.model import AlertKind, FoundTrouble
from api.db.statements import text
from api.signing.accounts import SILENT_MS
from ledger.primitives.amounts import UNITS_PER_BILL

TROUBLES_MAX: Final = 500
"""So many new ones of a kind are found by one look, and so many that are mended."""

_QUERIES: Final[Mapping[AlertKind, str]] = {
    AlertKind.SIGNER_SILENT: """
        SELECT DISTINCT coalesce(m.union_id, r.owner_id) AS union_id,
            coalesce(m.id, '') AS merchant_id, r.owner_id AS subject
        FROM signing_requests r
        LEFT JOIN merchants m ON m.id = r.owner_id
        LEFT JOIN signers s ON s.account = r.account
        WHERE r.state IN ('open', 'leased') AND r.created_ms < :silent
            AND coalesce(s.seen_ms, 0) < :silent
    """,
    AlertKind.WEBHOOK_DISABLED: """
        SELECT m.union_id, e.merchant_id, e.id AS subject
        FROM webhook_endpoints e JOIN merchants m ON m.id = e.merchant_id
        WHERE e.state = 'disabled' AND e.disabled_why IN ('failing', 'gone')
    """,
    AlertKind.PRICE_BELOW_MILK: """
        SELECT m.union_id, p.merchant_id, p.id AS subject
        FROM products p JOIN merchants m ON m.id = p.merchant_id
        WHERE p.active AND p.price_sen * CAST(:bill AS bigint)
            <= (p.redeem_units - 1) * CAST(:litre_sen AS bigint)
    """,
    AlertKind.FLAG_OPEN: """
        SELECT f.union_id, f.merchant_id, f.id AS subject FROM flags f WHERE f.state = 'open'
    """,
}


_THIS: Final = """a.kind = :kind AND a.state <> 'over' AND a.union_id = t.union_id
    AND a.merchant_id = t.merchant_id AND a.subject = t.subject"""


async def fresh_troubles(
    connection: AsyncConnection, kind: AlertKind, now_ms: int, litre_sen: int
) -> list[FoundTrouble]:
    """List what is wrong now, of one kind, and has no alert: some of every union's first."""
    query, known = _asked(kind, now_ms, litre_sen)
    rows = await connection.execute(
        text(f"""
            SELECT t.union_id, t.merchant_id, t.subject FROM ({query}) t
            WHERE NOT EXISTS (SELECT FROM alerts a WHERE {_THIS})
            ORDER BY row_number() OVER (PARTITION BY t.union_id ORDER BY t.merchant_id, t.subject),
                t.union_id
            LIMIT :most
        """),  # noqa: S608 - constants of this module
        {**known, "kind": str(kind), "most": TROUBLES_MAX},
    )
    return [FoundTrouble(row.union_id, row.merchant_id, kind, row.subject) for row in rows]


async def mended_alerts(
    connection: AsyncConnection, kind: AlertKind, now_ms: int, litre_sen: int
) -> list[tuple[str, str]]:
    """List the keys of alerts that stand, of one kind, though nothing is wrong any more."""
    query, known = _asked(kind, now_ms, litre_sen)
    rows = await connection.execute(
        text(f"""
            SELECT a.union_id, a.id FROM alerts a
            WHERE a.kind = :kind AND a.state <> 'over'
                AND NOT EXISTS (SELECT FROM ({query}) t WHERE {_THIS})
            ORDER BY a.union_id, a.id LIMIT :most
        """),  # noqa: S608 - constants of this module
        {**known, "kind": str(kind), "most": TROUBLES_MAX},
    )
    return [(row.union_id, row.id) for row in rows]


def _asked(kind: AlertKind, now_ms: int, litre_sen: int) -> tuple[str, dict[str, object]]:
    """Give the query of a kind, and what it names."""
    known = {"silent": now_ms - SILENT_MS, "bill": UNITS_PER_BILL, "litre_sen": litre_sen}
    query = _QUERIES[kind]
    return query, {name: value for name, value in known.items() if f":{name}" in query}
