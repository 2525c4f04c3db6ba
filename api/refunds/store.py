"""Refunds in the database, the payments that they are of, and the packs that came back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from api.db.statements import text
from api.payments.model import Outcome
from api.refunds.model import BurnedPacks, Refund, RefundReason, RefundState
from api.signing.store import SIGNING

_COLUMNS: Final = """merchant_id, id, order_id, tx_hash, units, amount_sen, reason, state,
    automatic, requested_by, refund_tx, code, detail, created_ms, ended_ms"""
_parts: Final = msgspec.json.Decoder(tuple[tuple[str, int], ...])


@dataclass(frozen=True, slots=True)
class PaidIn:
    """A final payment, as refunds look at it: `basket` is what it burned, by lot in hex."""

    tx_hash: bytes
    merchant_id: str
    order_id: str | None
    units: int
    basket: tuple[tuple[str, int], ...]
    outcome: Outcome
    height: int
    own: bool = False
    """The merchant itself paid it, with a coupon: there is nobody to give it back to."""


def read_refund(row: Any) -> Refund:
    """Read a row of all columns."""
    return Refund(
        id=row.id,
        merchant_id=row.merchant_id,
        order_id=row.order_id,
        tx_hash=row.tx_hash,
        units=row.units,
        amount_sen=row.amount_sen,
        reason=RefundReason(row.reason),
        state=RefundState(row.state),
        automatic=row.automatic,
        requested_by=row.requested_by,
        created_ms=row.created_ms,
        refund_tx=row.refund_tx,
        code=row.code,
        detail=row.detail,
        ended_ms=row.ended_ms,
    )


async def order_paid_by(
    connection: AsyncConnection, merchant_id: str, tx_hash: bytes
) -> str | None:
    """Give the order that a transaction was a payment of."""
    found = await connection.scalar(
        text("SELECT order_id FROM payments WHERE merchant_id = :merchant AND tx_hash = :hash"),
        {"merchant": merchant_id, "hash": tx_hash},
    )
    return None if found is None else str(found)


async def lock_payments(
    connection: AsyncConnection,
    merchant_id: str,
    *,
    order_id: str | None = None,
    tx_hash: bytes | None = None,
) -> list[PaidIn]:
    """Lock the payments that took effect, of an order or of one hash, in the order of the chain.

    What a coupon bought in vain is no order's money, and found by its hash alone.
    """
    rows = await connection.execute(
        text("""
            SELECT tx_hash, merchant_id, order_id, units, basket::text AS basket, outcome, height,
                EXISTS (SELECT FROM claims c WHERE c.kind = 'tx' AND c.value = tx_hash
                    AND c.subject = :signing AND c.merchant_id = p.merchant_id) AS own
            FROM payments p
            WHERE merchant_id = :merchant AND state = 'finalised' AND outcome <> 'failed'
                AND (tx_hash = :hash OR (order_id = :order_id AND outcome <> 'in_vain'))
            ORDER BY tx_hash FOR NO KEY UPDATE OF p
        """),
        {"merchant": merchant_id, "hash": tx_hash, "order_id": order_id, "signing": SIGNING},
    )
    found = [
        PaidIn(
            row.tx_hash,
            row.merchant_id,
            row.order_id,
            row.units,
            _parts.decode(row.basket),
            Outcome(row.outcome),
            row.height,
            row.own,
        )
        for row in rows
    ]
    return sorted(found, key=lambda paid: (paid.height, paid.tx_hash))


async def refunds_of(
    connection: AsyncConnection, merchant_id: str, tx_hashes: Sequence[bytes]
) -> list[Refund]:
    """List the refunds of payments, oldest first."""
    rows = await connection.execute(
        text(f"""
            SELECT {_COLUMNS} FROM refunds
            WHERE merchant_id = :merchant AND tx_hash = ANY(CAST(:hashes AS bytea[])) ORDER BY id
        """),  # noqa: S608 - constants of this module
        {"merchant": merchant_id, "hashes": list(tx_hashes)},
    )
    return [read_refund(row) for row in rows]


async def goes_back(connection: AsyncConnection, merchant_id: str, order_id: str) -> bool:
    """Tell whether a refund of an order is on its way."""
    found = await connection.scalar(
        text("""
            SELECT EXISTS (SELECT FROM refunds WHERE merchant_id = :merchant
                AND order_id = :order_id AND state IN ('pending', 'submitted'))
        """),
        {"merchant": merchant_id, "order_id": order_id},
    )
    return found is True


async def add_refund(connection: AsyncConnection, refund: Refund) -> None:
    """Write a new refund."""
    await connection.execute(
        text(f"""
            INSERT INTO refunds ({_COLUMNS}) VALUES (:merchant_id, :id, :order_id, :tx_hash, :units,
                :amount_sen, :reason, :state, :automatic, :requested_by, :refund_tx, :code,
                :detail, :created_ms, :ended_ms)
        """),  # noqa: S608 - constants of this module
        {
            "merchant_id": refund.merchant_id,
            "id": refund.id,
            "order_id": refund.order_id,
            "tx_hash": refund.tx_hash,
            "units": refund.units,
            "amount_sen": refund.amount_sen,
            "reason": str(refund.reason),
            "state": str(refund.state),
            "automatic": refund.automatic,
            "requested_by": refund.requested_by,
            "refund_tx": refund.refund_tx,
            "code": refund.code,
            "detail": refund.detail,
            "created_ms": refund.created_ms,
            "ended_ms": refund.ended_ms,
        },
    )


async def find_refund(
    connection: AsyncConnection, merchant_id: str, refund_id: str, *, lock: bool = False
) -> Refund | None:
    """Read one refund of a merchant."""
    how = "FOR NO KEY UPDATE" if lock else ""
    rows = await connection.execute(
        text(f"""
            SELECT {_COLUMNS} FROM refunds WHERE merchant_id = :merchant AND id = :id {how}
        """),  # noqa: S608 - constants of this module
        {"merchant": merchant_id, "id": refund_id},
    )
    row = rows.first()
    return None if row is None else read_refund(row)


async def orders_of_refunds(
    connection: AsyncConnection, keys: Sequence[tuple[str, str]]
) -> list[str]:
    """Give the orders that refunds, by (merchant, id), belong to."""
    found = await connection.scalars(
        text("""
            SELECT DISTINCT order_id FROM refunds
            WHERE (merchant_id, id) IN (SELECT * FROM unnest(
                CAST(:merchants AS text[]), CAST(:ids AS text[]))) AND order_id IS NOT NULL
        """),
        {"merchants": [merchant for merchant, _ in keys], "ids": [one for _, one in keys]},
    )
    return [str(order_id) for order_id in found]


async def store_refund(connection: AsyncConnection, before: Refund, refund: Refund) -> None:
    """Write a refund back, from the state in which it was read."""
    done = await connection.execute(
        text("""
            UPDATE refunds SET state = :state, refund_tx = CAST(:refund_tx AS bytea),
                code = :code, detail = :detail, ended_ms = :ended
            WHERE merchant_id = :merchant AND id = :id AND state = :before
        """),
        {
            "merchant": refund.merchant_id,
            "id": refund.id,
            "before": str(before.state),
            "state": str(refund.state),
            "refund_tx": refund.refund_tx,
            "code": refund.code,
            "detail": refund.detail,
            "ended": refund.ended_ms,
        },
    )
    assert done.rowcount == 1, "refunds are locked by who changes them"


async def note_given_back(connection: AsyncConnection, refund: Refund) -> None:
    """Add what went back to its payment's sum."""
    await connection.execute(
        text("""
            UPDATE payments SET refunded_units = refunded_units + :units
            WHERE merchant_id = :merchant AND tx_hash = :hash
        """),
        {"units": refund.units, "merchant": refund.merchant_id, "hash": refund.tx_hash},
    )


async def list_refunds(
    connection: AsyncConnection,
    merchant_id: str,
    before: str | None,
    limit: int,
    state: str | None,
    order_id: str | None,
) -> list[Refund]:
    """List a merchant's refunds below an id, newest first."""
    rows = await connection.execute(
        text(f"""
            SELECT {_COLUMNS} FROM refunds
            WHERE merchant_id = :merchant AND id < coalesce(CAST(:before AS text), 'Z')
                AND state = coalesce(CAST(:state AS text), state)
                AND (CAST(:order_id AS text) IS NULL OR order_id = :order_id)
            ORDER BY id DESC LIMIT :limit
        """),  # noqa: S608 - constants of this module
        {
            "merchant": merchant_id,
            "before": before,
            "limit": limit,
            "state": state,
            "order_id": order_id,
        },
    )
    return [read_refund(row) for row in rows]


async def return_packs(
    connection: AsyncConnection, merchant_id: str, ref_id: str, packs: Sequence[BurnedPacks]
) -> None:
    """Count burned packs that are on the merchant's shelf again.

    `ref_id` is the refund, or the order of a coupon, by which they came back: they do so once.
    """
    if not packs:
        return
    await connection.execute(
        text("""
            INSERT INTO returned_packs (merchant_id, refund_id, lot, kind, pack_units, packs,
                packs_left, expires_ms)
            SELECT :merchant, :refund, l.id, l.kind, p.pack_units, p.packs, p.packs, l.expires_ms
            FROM unnest(CAST(:lots AS bytea[]), CAST(:sizes AS bigint[]), CAST(:packs AS bigint[]))
                AS p(lot, pack_units, packs)
            JOIN lots l ON l.id = p.lot
            ON CONFLICT DO NOTHING
        """),
        {
            "merchant": merchant_id,
            "refund": ref_id,
            "lots": [pack.lot for pack in packs],
            "sizes": [pack.pack_units for pack in packs],
            "packs": [pack.packs for pack in packs],
        },
    )
