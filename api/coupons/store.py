"""Coupons in the database: each step is one conditional update, so that nobody uses one twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.coupons.model import Coupon, CouponEvent, CouponFunder, CouponState
from api.coupons.rules import after, before
from api.db.statements import text

CLAIM: Final = "coupon"
"""The kind of claim that a coupon's code is."""
_COLUMNS: Final = """union_id, id, user_id, merchant_id, code, product_id, price_sen, funded_by,
    campaign_id, state, order_id, was_sen, was_units, issued_ms, expires_ms, ended_ms"""


@dataclass(frozen=True, slots=True)
class Holder:
    """The order that holds a coupon, and what it cost before, if it cost anything."""

    order_id: str | None
    was_sen: int | None = None
    was_units: int | None = None


def read_coupon(row: Any) -> Coupon:
    """Read a row of all columns."""
    return Coupon(
        union_id=row.union_id,
        id=row.id,
        user_id=row.user_id,
        merchant_id=row.merchant_id,
        code=row.code,
        product_id=row.product_id,
        price_sen=row.price_sen,
        funded_by=CouponFunder(row.funded_by),
        campaign_id=row.campaign_id,
        state=CouponState(row.state),
        order_id=row.order_id,
        was_sen=row.was_sen,
        was_units=row.was_units,
        issued_ms=row.issued_ms,
        expires_ms=row.expires_ms,
        ended_ms=row.ended_ms,
    )


async def add_coupons(connection: AsyncConnection, coupons: Sequence[Coupon]) -> None:
    """Write new coupons, and claim their codes."""
    if not coupons:
        return
    await connection.execute(
        text(f"""
            INSERT INTO coupons ({_COLUMNS}) VALUES (:union_id, :id, :user_id, :merchant_id, :code,
                :product_id, :price_sen, :funded_by, :campaign_id, :state, :order_id, NULL, NULL,
                :issued_ms, :expires_ms, :ended_ms)
        """),  # noqa: S608 - a constant of this module
        [
            {
                "union_id": one.union_id,
                "id": one.id,
                "user_id": one.user_id,
                "merchant_id": one.merchant_id,
                "code": one.code,
                "product_id": one.product_id,
                "price_sen": one.price_sen,
                "funded_by": str(one.funded_by),
                "campaign_id": one.campaign_id,
                "state": str(one.state),
                "order_id": one.order_id,
                "issued_ms": one.issued_ms,
                "expires_ms": one.expires_ms,
                "ended_ms": one.ended_ms,
            }
            for one in coupons
        ],
    )
    await connection.execute(
        text("""
            INSERT INTO claims (kind, value, merchant_id, subject, ref_id)
            VALUES (:kind, :code, :union, :kind, :id)
        """),
        [
            {"kind": CLAIM, "code": one.code.encode(), "union": one.union_id, "id": one.id}
            for one in coupons
        ],
    )


async def step(
    connection: AsyncConnection,
    coupon: Coupon,
    event: CouponEvent,
    now_ms: int,
    holder: Holder | None = None,
) -> Coupon | None:
    """Let an event happen to a coupon; None if it is in another state by now.

    `holder` is the order that holds it from now on.
    """
    ends = event in (CouponEvent.REDEEM, CouponEvent.EXPIRE, CouponEvent.REVOKE)
    if event is CouponEvent.REDEEM and coupon.order_id is not None:
        holder = Holder(coupon.order_id, coupon.was_sen, coupon.was_units)
    held = holder or Holder(None)
    rows = await connection.execute(
        text(f"""
            UPDATE coupons SET state = :after, order_id = :order_id, was_sen = :was_sen,
                was_units = :was_units, ended_ms = :ended
            WHERE union_id = :union AND id = :id AND state = :before
                AND (CAST(:held AS text) IS NULL OR order_id = :held)
                AND (:before <> 'issued' OR :after <> 'reserved' OR expires_ms > :now)
            RETURNING {_COLUMNS}
        """),  # noqa: S608 - a constant of this module
        {
            "union": coupon.union_id,
            "id": coupon.id,
            "before": str(before(event)),
            "after": str(after(event)),
            "order_id": held.order_id,
            "was_sen": held.was_sen,
            "was_units": held.was_units,
            "held": coupon.order_id,
            "ended": now_ms if ends else None,
            "now": now_ms,
        },
    )
    row = rows.first()
    return None if row is None else read_coupon(row)


async def find_by_code(connection: AsyncConnection, code: str) -> Coupon | None:
    """Find a coupon by what its QR holds."""
    rows = await connection.execute(
        text(f"""
            SELECT {", ".join("p." + name.strip() for name in _COLUMNS.split(","))}
            FROM claims c JOIN coupons p ON p.union_id = c.merchant_id AND p.id = c.ref_id
            WHERE c.kind = :kind AND c.value = :code
        """),  # noqa: S608 - constants of this module
        {"kind": CLAIM, "code": code.encode()},
    )
    row = rows.first()
    return None if row is None else read_coupon(row)


async def find_coupon(connection: AsyncConnection, union_id: str, coupon_id: str) -> Coupon | None:
    """Read a coupon of a union."""
    rows = await connection.execute(
        text(f"SELECT {_COLUMNS} FROM coupons WHERE union_id = :union AND id = :id"),  # noqa: S608
        {"union": union_id, "id": coupon_id},
    )
    row = rows.first()
    return None if row is None else read_coupon(row)


async def coupon_of_order(connection: AsyncConnection, order_id: str) -> Coupon | None:
    """Give the coupon that an order holds or used."""
    rows = await connection.execute(
        text(f"SELECT {_COLUMNS} FROM coupons WHERE order_id = :order_id"),  # noqa: S608
        {"order_id": order_id},
    )
    row = rows.first()
    return None if row is None else read_coupon(row)


async def unused_coupons(connection: AsyncConnection, union_id: str, user_id: str) -> list[Coupon]:
    """List what somebody got for points and has not used, oldest first."""
    rows = await connection.execute(
        text(f"""
            SELECT {_COLUMNS} FROM coupons
            WHERE union_id = :union AND user_id = :user AND state = 'issued'
                AND campaign_id IS NULL ORDER BY id FOR NO KEY UPDATE
        """),  # noqa: S608 - a constant of this module
        {"union": union_id, "user": user_id},
    )
    return [read_coupon(row) for row in rows]


async def list_coupons(
    connection: AsyncConnection,
    union_id: str,
    *,
    user_id: str | None,
    merchant_id: str | None,
    state: str | None,
    before_id: str | None,
    limit: int,
) -> list[Coupon]:
    """List coupons of a person or of a merchant below an id, newest first."""
    rows = await connection.execute(
        text(f"""
            SELECT {_COLUMNS} FROM coupons WHERE union_id = :union
                AND id < coalesce(CAST(:before AS text), 'Z')
                AND (CAST(:user AS text) IS NULL OR user_id = :user)
                AND (CAST(:merchant AS text) IS NULL OR merchant_id = :merchant)
                AND state = coalesce(CAST(:state AS text), state)
            ORDER BY id DESC LIMIT :limit
        """),  # noqa: S608 - a constant of this module
        {
            "union": union_id,
            "user": user_id,
            "merchant": merchant_id,
            "state": state,
            "before": before_id,
            "limit": limit,
        },
    )
    return [read_coupon(row) for row in rows]


async def overdue_coupons(connection: AsyncConnection, now_ms: int, limit: int) -> list[Coupon]:
    """List coupons whose time is over and that nobody holds."""
    rows = await connection.execute(
        text(f"""
            SELECT {_COLUMNS} FROM coupons WHERE state = 'issued' AND expires_ms <= :now
            ORDER BY union_id, id LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED
        """),  # noqa: S608 - a constant of this module
        {"now": now_ms, "limit": limit},
    )
    return [read_coupon(row) for row in rows]
