"""Payments in the database: what is known of transactions, and what the chain said of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from api.db.statements import text
from api.payments.model import Outcome, PaymentState
from api.payments.observation import FinalTransaction
from api.payments.rules import Paid

PAYMENT: Final = "payment"
"""The subject of a claim on the hash of a transaction that a customer signed."""

_basket: Final = msgspec.json.Decoder(tuple[tuple[str, int], ...])


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPayment:
    """A final payment to write."""

    tx_hash: bytes
    merchant_id: str
    order_id: str | None
    units: int
    basket: tuple[tuple[str, int], ...]
    outcome: Outcome
    code: str
    delta_units: int
    valid_until_height: int
    height: int
    block_hash: bytes
    time_ms: int

    @classmethod
    def final(
        cls,
        final: FinalTransaction,
        merchant_id: str,
        order_id: str | None,
        outcome: Outcome,
        delta_units: int,
    ) -> "NewPayment":
        """Make it of a final transfer and its verdict."""
        transfer = final.transfer
        assert transfer is not None, "payments are transfers"
        return cls(
            tx_hash=final.tx_hash,
            merchant_id=merchant_id,
            order_id=order_id,
            units=transfer.units,
            basket=tuple((part.lot.hex(), part.units) for part in transfer.redeem),
            outcome=outcome,
            code=final.code,
            delta_units=delta_units,
            valid_until_height=final.transaction.intent.valid_until_height,
            height=final.height,
            block_hash=final.block_hash,
            time_ms=final.time_ms,
        )


@dataclass(frozen=True, slots=True)
class KnownPayment:
    """What is known of a transaction before it is looked at again."""

    order_id: str | None
    state: PaymentState
    seen_ms: int | None
    code: str
    trace: str = ""
    """Of the request that brought it; empty for what was sent past us, or under none."""

    @property
    def final(self) -> bool:
        """Tell whether it is settled."""
        return self.state is PaymentState.FINALISED


async def known_payments(
    connection: AsyncConnection, tx_hashes: Sequence[bytes]
) -> dict[bytes, KnownPayment]:
    """Find payments by hash."""
    if not tx_hashes:
        return {}
    rows = await connection.execute(
        text("""
            SELECT tx_hash, order_id, state, seen_ms, code, trace FROM payments
            WHERE tx_hash = ANY(CAST(:hashes AS bytea[]))
        """),
        {"hashes": list(tx_hashes)},
    )
    return {
        row.tx_hash: KnownPayment(
            row.order_id, PaymentState(row.state), row.seen_ms, row.code, row.trace
        )
        for row in rows
    }


async def history_of(
    connection: AsyncConnection, keys: Sequence[tuple[str, str]]
) -> list[tuple[str, Paid]]:
    """List what came in for orders, by (merchant, id), until now, in the order of the chain.

    What a coupon bought in vain is none of their money.
    """
    if not keys:
        return []
    rows = await connection.execute(
        text("""
            SELECT order_id, units, basket::text AS basket, confirmed_ms, seen_ms FROM payments
            WHERE (merchant_id, order_id) IN (SELECT * FROM unnest(
                CAST(:merchants AS text[]), CAST(:ids AS text[])))
                AND state = 'finalised' AND outcome NOT IN ('failed', 'in_vain')
            ORDER BY height, tx_hash
        """),
        {"merchants": [merchant for merchant, _ in keys], "ids": [one for _, one in keys]},
    )
    return [
        (
            row.order_id,
            Paid(
                row.units,
                tuple((bytes.fromhex(lot), units) for lot, units in _basket.decode(row.basket)),
                row.confirmed_ms,
                row.seen_ms,
            ),
        )
        for row in rows
    ]


async def merchants_paid_at(
    connection: AsyncConnection, addresses: Sequence[bytes]
) -> dict[bytes, str]:
    """Find the merchants that are paid at addresses; the oldest, where two share a purse."""
    if not addresses:
        return {}
    rows = await connection.execute(
        text("""
            SELECT payout, min(id) AS id FROM merchants
            WHERE payout = ANY(CAST(:addresses AS bytea[])) GROUP BY payout
        """),
        {"addresses": list(addresses)},
    )
    return {row.payout: row.id for row in rows}


async def store_payments(connection: AsyncConnection, rows: Sequence[NewPayment]) -> None:
    """Write final payments, and claim their hashes."""
    if not rows:
        return
    await connection.execute(
        text(_STORE),
        {
            "hashes": [row.tx_hash for row in rows],
            "merchants": [row.merchant_id for row in rows],
            "orders": [row.order_id for row in rows],
            "units": [row.units for row in rows],
            "baskets": [msgspec.json.encode(row.basket).decode() for row in rows],
            "outcomes": [str(row.outcome) for row in rows],
            "codes": [row.code for row in rows],
            "deltas": [row.delta_units for row in rows],
            "valid": [row.valid_until_height for row in rows],
            "heights": [row.height for row in rows],
            "blocks": [row.block_hash for row in rows],
            "times": [row.time_ms for row in rows],
        },
    )


async def tx_claims(
    connection: AsyncConnection, tx_hashes: Sequence[bytes]
) -> dict[bytes, tuple[str, str, str]]:
    """Find what transactions are claimed for: subject, merchant, and the thing of that subject."""
    if not tx_hashes:
        return {}
    rows = await connection.execute(
        text("""
            SELECT value, subject, merchant_id, ref_id FROM claims
            WHERE kind = 'tx' AND value = ANY(CAST(:hashes AS bytea[]))
        """),
        {"hashes": list(tx_hashes)},
    )
    return {row.value: (row.subject, row.merchant_id, row.ref_id) for row in rows}


_STORE: Final = """
    WITH n AS MATERIALIZED (
        SELECT * FROM unnest(
            CAST(:hashes AS bytea[]), CAST(:merchants AS text[]), CAST(:orders AS text[]),
            CAST(:units AS bigint[]), CAST(:baskets AS text[]), CAST(:outcomes AS text[]),
            CAST(:codes AS text[]), CAST(:deltas AS bigint[]), CAST(:valid AS bigint[]),
            CAST(:heights AS bigint[]), CAST(:blocks AS bytea[]), CAST(:times AS bigint[])
        ) AS n(tx_hash, merchant_id, order_id, units, basket, outcome, code, delta,
            valid, height, block, time_ms)
    ), claimed AS (
        INSERT INTO claims (kind, value, merchant_id, subject, ref_id)
        SELECT 'tx', tx_hash, merchant_id, 'payment', coalesce(order_id, '') FROM n
        ON CONFLICT (kind, value) DO NOTHING
    )
    INSERT INTO payments AS p (tx_hash, merchant_id, order_id, units, basket, state,
        outcome, code, delta_units, valid_until_height, height, block_hash, created_ms,
        confirmed_ms)
    SELECT tx_hash, merchant_id, order_id, units, basket::jsonb, 'finalised', outcome, code,
        delta, valid, height, block, time_ms, time_ms FROM n
    ON CONFLICT (tx_hash, merchant_id) DO UPDATE SET state = 'finalised', raw = NULL,
        units = EXCLUDED.units, basket = EXCLUDED.basket,
        outcome = EXCLUDED.outcome, code = EXCLUDED.code,
        delta_units = EXCLUDED.delta_units, height = EXCLUDED.height,
        block_hash = EXCLUDED.block_hash, confirmed_ms = EXCLUDED.confirmed_ms
    WHERE p.state <> 'finalised'
"""
