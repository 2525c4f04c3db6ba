"""Points in the database: one statement for many, since every paid order goes by here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.attempts.model import whose
from api.db.statements import text
from api.loyalty.model import WAITS_MS, EarnedPoint, EntryKind, LoyaltyEntry


@dataclass(frozen=True, slots=True)
class WaitingPoint:
    """A point of a wallet that is linked now."""

    order_id: str
    merchant_id: str


async def unions_of(connection: AsyncConnection, merchant_ids: Sequence[str]) -> dict[str, str]:
    """Say of which union merchants are."""
    rows = await connection.execute(
        text("SELECT id, union_id FROM merchants WHERE id = ANY(CAST(:ids AS text[]))"),
        {"ids": list(merchant_ids)},
    )
    return {row.id: row.union_id for row in rows}


async def linked_users(
    connection: AsyncConnection, points: Sequence[EarnedPoint]
) -> dict[tuple[str, bytes], str]:
    """Say who has linked the wallets that paid, by union and blind index."""
    rows = await connection.execute(
        text("""
            SELECT l.union_id, l.address_index, l.user_id FROM wallet_links l
            JOIN unnest(CAST(:unions AS text[]), CAST(:indexes AS bytea[])) AS p(union_id, index)
                ON l.union_id = p.union_id AND l.address_index = p.index
            WHERE l.state = 'active'
        """),
        {
            "unions": [point.union_id for point in points],
            "indexes": [point.address_index for point in points],
        },
    )
    return {(row.union_id, row.address_index): row.user_id for row in rows}


async def who_paid_most(
    connection: AsyncConnection, union_id: str, merchant_id: str, order_id: str
) -> tuple[str | None, bytes | None]:
    """Say who brought most of an order's money: somebody of this union, or an account's index.

    Both are None if it was somebody of another union, or so long ago that the attempt is forgotten.
    """
    rows = await connection.execute(
        text("""
            SELECT a.subject, a.subject LIKE 'payer:%' OR EXISTS (SELECT FROM users u
                WHERE u.union_id = :union AND 'user:' || u.id = a.subject) AS here
            FROM payments p LEFT JOIN payment_attempts a
                ON a.merchant_id = p.merchant_id AND a.tx_hash = p.tx_hash
            WHERE p.merchant_id = :merchant AND p.order_id = :id AND p.state = 'finalised'
                AND p.outcome NOT IN ('failed', 'in_vain')
            ORDER BY p.units - p.refunded_units DESC, p.height, p.tx_hash LIMIT 1
        """),
        {"union": union_id, "merchant": merchant_id, "id": order_id},
    )
    row = rows.first()
    return (None, None) if row is None or not row.here else whose(row.subject)


async def let_wait(connection: AsyncConnection, points: Sequence[EarnedPoint], now_ms: int) -> None:
    """Keep points of wallets that nobody has linked, for a while."""
    if not points:
        return
    await connection.execute(
        text("""
            INSERT INTO waiting_points (union_id, order_id, merchant_id, address_index, earned_ms,
                expires_ms)
            SELECT *, :now, :expires FROM unnest(CAST(:unions AS text[]),
                CAST(:orders AS text[]), CAST(:merchants AS text[]), CAST(:indexes AS bytea[]))
            ON CONFLICT DO NOTHING
        """),
        {
            "unions": [point.union_id for point in points],
            "orders": [point.order_id for point in points],
            "merchants": [point.merchant_id for point in points],
            "indexes": [point.address_index for point in points],
            "now": now_ms,
            "expires": now_ms + WAITS_MS,
        },
    )


async def lock_balances(
    connection: AsyncConnection, users: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    """Lock people's points, by (union, user) in one order everywhere; give their balances."""
    wanted = sorted(set(users))
    if not wanted:
        return {}
    lists = {"unions": [union for union, _ in wanted], "users": [user for _, user in wanted]}
    await connection.execute(
        text("""
            INSERT INTO loyalty_accounts (union_id, user_id, balance)
            SELECT *, 0 FROM unnest(CAST(:unions AS text[]), CAST(:users AS text[]))
            ON CONFLICT DO NOTHING
        """),
        lists,
    )
    rows = await connection.execute(
        text("""
            SELECT union_id, user_id, balance FROM loyalty_accounts
            WHERE (union_id, user_id) IN (SELECT * FROM unnest(
                CAST(:unions AS text[]), CAST(:users AS text[])))
            ORDER BY union_id, user_id FOR NO KEY UPDATE
        """),
        lists,
    )
    return {(row.union_id, row.user_id): row.balance for row in rows}


async def orders_with_points(
    connection: AsyncConnection, union_id: str, kind: EntryKind, order_ids: Sequence[str]
) -> dict[str, str]:
    """Say which orders have an entry of a kind, and whose it is."""
    rows = await connection.execute(
        text("""
            SELECT order_id, user_id FROM loyalty_entries
            WHERE union_id = :union AND kind = :kind AND order_id = ANY(CAST(:ids AS text[]))
        """),
        {"union": union_id, "kind": str(kind), "ids": list(order_ids)},
    )
    return {row.order_id: row.user_id for row in rows}


async def add_entries(connection: AsyncConnection, entries: Sequence[LoyaltyEntry]) -> None:
    """Write entries, and the balances that they make."""
    if not entries:
        return
    await connection.execute(
        text("""
            WITH n AS MATERIALIZED (
                SELECT * FROM unnest(CAST(:unions AS text[]), CAST(:ids AS text[]),
                    CAST(:users AS text[]), CAST(:kinds AS text[]), CAST(:points AS bigint[]),
                    CAST(:orders AS text[]), CAST(:coupons AS text[]), CAST(:notes AS text[]),
                    CAST(:times AS bigint[]))
                AS n(union_id, id, user_id, kind, points, order_id, coupon_id, note, at_ms)
            ), added AS (
                INSERT INTO loyalty_entries (union_id, id, user_id, kind, points, order_id,
                    coupon_id, note, at_ms) SELECT * FROM n
            ), sums AS (
                SELECT union_id, user_id, sum(points) AS points FROM n GROUP BY union_id, user_id
            )
            UPDATE loyalty_accounts a SET balance = a.balance + s.points FROM sums s
            WHERE a.union_id = s.union_id AND a.user_id = s.user_id
        """),
        {
            "unions": [entry.union_id for entry in entries],
            "ids": [entry.id for entry in entries],
            "users": [entry.user_id for entry in entries],
            "kinds": [str(entry.kind) for entry in entries],
            "points": [entry.points for entry in entries],
            "orders": [entry.order_id for entry in entries],
            "coupons": [entry.coupon_id for entry in entries],
            "notes": [entry.note for entry in entries],
            "times": [entry.at_ms for entry in entries],
        },
    )


async def take_waiting(
    connection: AsyncConnection, union_id: str, address_index: bytes, now_ms: int
) -> list[WaitingPoint]:
    """Take the points that wait for a wallet off the list."""
    rows = await connection.execute(
        text("""
            DELETE FROM waiting_points
            WHERE union_id = :union AND address_index = :index AND expires_ms > :now
            RETURNING order_id, merchant_id
        """),
        {"union": union_id, "index": address_index, "now": now_ms},
    )
    return sorted((WaitingPoint(row.order_id, row.merchant_id) for row in rows), key=_by_order)


async def take_missed(connection: AsyncConnection, since_ms: int) -> list[tuple[EarnedPoint, str]]:
    """Take the points off the list that wait for wallets which were linked since a time."""
    rows = await connection.execute(
        text("""
            DELETE FROM waiting_points w USING wallet_links l
            WHERE l.state = 'active' AND l.linked_ms >= :since
                AND w.union_id = l.union_id AND w.address_index = l.address_index
            RETURNING w.union_id, w.merchant_id, w.order_id, w.address_index, l.user_id
        """),
        {"since": since_ms},
    )
    found = [
        (EarnedPoint(row.union_id, row.merchant_id, row.order_id, row.address_index), row.user_id)
        for row in rows
    ]
    return sorted(found, key=lambda one: one[0].order_id)


def _by_order(point: WaitingPoint) -> str:
    return point.order_id


async def drop_waiting(connection: AsyncConnection, union_id: str, order_id: str) -> bool:
    """Drop the point of an order that waits; tell whether there was one."""
    dropped = await connection.execute(
        text("DELETE FROM waiting_points WHERE union_id = :union AND order_id = :id"),
        {"union": union_id, "id": order_id},
    )
    return dropped.rowcount == 1


async def forget_waiting(connection: AsyncConnection, now_ms: int) -> None:
    """Drop points that have waited too long."""
    await connection.execute(
        text("DELETE FROM waiting_points WHERE expires_ms <= :now"), {"now": now_ms}
    )


async def balance_of(connection: AsyncConnection, union_id: str, user_id: str) -> int:
    """Give somebody's points."""
    found = await connection.scalar(
        text("""
            SELECT balance FROM loyalty_accounts WHERE union_id = :union AND user_id = :user
        """),
        {"union": union_id, "user": user_id},
    )
    return int(found or 0)


_ENTRY: Final = "union_id, id, user_id, kind, points, order_id, coupon_id, note, at_ms"


async def list_entries(
    connection: AsyncConnection, union_id: str, user_id: str, before: str | None, limit: int
) -> list[LoyaltyEntry]:
    """List somebody's entries below an id, newest first."""
    rows = await connection.execute(
        text(f"""
            SELECT {_ENTRY} FROM loyalty_entries
            WHERE union_id = :union AND user_id = :user
                AND id < coalesce(CAST(:before AS text), 'Z')
            ORDER BY id DESC LIMIT :limit
        """),  # noqa: S608 - a constant of this module
        {"union": union_id, "user": user_id, "before": before, "limit": limit},
    )
    return [
        LoyaltyEntry(
            union_id=row.union_id,
            id=row.id,
            user_id=row.user_id,
            kind=EntryKind(row.kind),
            points=row.points,
            at_ms=row.at_ms,
            order_id=row.order_id,
            coupon_id=row.coupon_id,
            note=row.note,
        )
        for row in rows
    ]
