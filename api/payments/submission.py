"""Submission: what a wallet signed is checked, written down, and handed to the nodes.

It is written down before it is handed over. From then on its outcome is never a guess: whatever
breaks off, the bytes are here, `Resubmitter` hands them in until the chain has them or they can't
come into a block any more, and meanwhile nobody else pays the order and nobody cancels it. What the
nodes refuse is marked so, and the order is free again.

`check_payment` refuses what could never pay the order, before it costs a fee; signatures are
verified here, since what is written down must be what the payer signed. Sending the same bytes
again is harmless: a transaction's id is its idempotency key. A batch is one transaction and one
request to the node.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.chain.node_port import NodePort
from api.db.session import in_transaction
from api.errors import ApiFault, Conflict, NotFound, Unavailable, Unprocessable
from api.events.outbox import NewEvent, write_events
from api.orders.model import Order
from api.orders.schemas import told_of
from api.orders.store import read_orders, store_orders
from api.payments.checking import (
    USED_NONCE_CODES,
    FollowedChain,
    check_payment,
    check_signatures,
    refusal_of,
)
from api.payments.model import PaymentState
from api.payments.store import KnownPayment, known_payments
from ledger.types.transaction import Transaction
from ledger.types.transfer import Transfer
from node.client.errors import ClientFault, Unanswered
from node.client.views import Submission, TransactionState


@dataclass(frozen=True, slots=True)
class SignedPayment:
    """A transaction that a wallet posted for an order."""

    order_id: str
    raw: bytes
    transaction: Transaction
    tx_hash: bytes


@dataclass(frozen=True, slots=True)
class TakenIn:
    """A payment that we answer for, and how far it has come."""

    tx_hash: bytes
    state: PaymentState


Answer = TakenIn | Exception


class PaymentDesk:
    """Takes signed payments to the nodes."""

    def __init__(self, engine: AsyncEngine, node: NodePort) -> None:
        self._engine = engine
        self._node = node

    async def submit(
        self, payments: Sequence[SignedPayment], tip: FollowedChain, now_ms: int
    ) -> list[Answer]:
        """Submit a batch; each answer is how far the payment has come, or why it was refused."""
        forged = {id(payment): fault for payment in payments if (fault := _forged(payment))}
        signed = [payment for payment in payments if id(payment) not in forged]

        async def write(connection: AsyncConnection) -> "_Intake":
            intake = await _open_intake(connection, signed)
            for payment in signed:
                intake.take(payment, tip, now_ms)
            await intake.write(connection, now_ms)
            return intake

        intake = await in_transaction(self._engine, write)
        refused = await self._hand_in(intake.fresh)
        if refused:
            await mark_refused(self._engine, refused, now_ms)
        answers: list[Answer] = []
        for payment in payments:
            fault = forged.get(id(payment)) or refused.get(payment.tx_hash)
            answers.append(fault or intake.answers[id(payment)])
        return answers

    async def _hand_in(self, payments: Sequence[SignedPayment]) -> dict[bytes, ApiFault]:
        """Give payments to a node; give those that are refused, and why.

        What a node may have taken without saying so is not refused: it is handed in again.
        """
        if not payments:
            return {}
        try:
            said = await self._node.submit([payment.raw for payment in payments])
        except Unanswered:
            return {}
        except ClientFault as fault:
            away = Unavailable(f"no node takes payments: {fault}", retry_after_s=1)
            return {payment.tx_hash: away for payment in payments}
        refused = await asyncio.gather(
            *(self._refusal(p.tx_hash, told) for p, told in zip(payments, said, strict=True))
        )
        pairs = zip(payments, refused, strict=True)
        return {payment.tx_hash: fault for payment, fault in pairs if fault is not None}

    async def _refusal(self, tx_hash: bytes, told: Submission) -> ApiFault | None:
        """Turn a node's refusal into ours; None for a transaction that the chain has.

        A node may have taken it and then failed to say so: the wallet, or the way to the nodes,
        handed the same bytes in again, and now the nonce is used.
        """
        fault = refusal_of(told)
        if fault is None or told.code not in USED_NONCE_CODES:
            return fault
        try:
            view = await self._node.transaction(tx_hash)
        except ClientFault:
            return None  # Nobody knows yet: it stays on its way, and is asked for again.
        return fault if view.state == TransactionState.UNKNOWN else None


def _forged(payment: SignedPayment) -> ApiFault | None:
    try:
        check_signatures(payment.transaction)
    except ApiFault as fault:
        return fault
    return None


class _Intake:
    """A batch of payments as it is written down."""

    def __init__(self, orders: dict[str, Order], known: dict[bytes, KnownPayment]) -> None:
        self._before = dict(orders)
        self._orders = orders
        self._known = known
        self.answers: dict[int, Answer] = {}
        self.fresh: list[SignedPayment] = []

    def take(self, payment: SignedPayment, tip: FollowedChain, now_ms: int) -> None:
        """Take a payment in, or say why not; known bytes are answered from what is known."""
        order = self._orders.get(payment.order_id)
        known = self._known.get(payment.tx_hash)
        if order is None:
            self.answers[id(payment)] = NotFound("there is no such order")
            return
        if known is not None and known.order_id != payment.order_id:
            fault = Unprocessable("this transaction is of another order", code="WRONG_REFERENCE")
            self.answers[id(payment)] = fault
            return
        if known is not None and known.state is not PaymentState.REFUSED:
            self.answers[id(payment)] = TakenIn(payment.tx_hash, known.state)
            return
        try:
            _check_free(order, payment, tip, now_ms)
        except ApiFault as fault:
            self.answers[id(payment)] = fault
            return
        self._orders[order.id] = order.changed(paying_tx=payment.tx_hash)
        self._known[payment.tx_hash] = KnownPayment(order.id, PaymentState.SEEN, now_ms, "")
        self.answers[id(payment)] = TakenIn(payment.tx_hash, PaymentState.SEEN)
        self.fresh.append(payment)

    async def write(self, connection: AsyncConnection, now_ms: int) -> None:
        """Write down what was taken in."""
        rows = [(payment, self._orders[payment.order_id]) for payment in self.fresh]
        await _insert(connection, rows, now_ms)
        changes = [(self._before[order.id], order) for _, order in rows]
        await store_orders(connection, changes)
        events = [
            _event("payment.submitted", order, payment.tx_hash, now_ms) for payment, order in rows
        ]
        await write_events(connection, events)


def _check_free(order: Order, payment: SignedPayment, tip: FollowedChain, now_ms: int) -> None:
    """Raise unless a payment can pay an order that nobody else is paying."""
    check_payment(order, payment.transaction, tip, now_ms)
    if order.paying_tx is not None:
        raise Conflict(
            "a payment of this order is on its way", code="PAYMENT_IN_FLIGHT", retry_after_s=1
        )


async def _open_intake(connection: AsyncConnection, payments: Sequence[SignedPayment]) -> _Intake:
    """Lock the orders of a batch, and look up which of its payments are known."""
    orders = await read_orders(connection, sorted({p.order_id for p in payments}), lock=True)
    return _Intake(orders, await known_payments(connection, [p.tx_hash for p in payments]))


def _event(kind: str, order: Order, tx_hash: bytes, now_ms: int) -> NewEvent:
    return NewEvent(kind, order.merchant_id, order.id, told_of(order, tx_hash), now_ms, tx_hash)


async def _insert(
    connection: AsyncConnection, rows: Sequence[tuple[SignedPayment, Order]], now_ms: int
) -> None:
    """Write payments that are on their way, and claim their hashes; renew one refused before."""
    if not rows:
        return
    await connection.execute(
        text("""
            WITH n AS MATERIALIZED (
                SELECT * FROM unnest(
                    CAST(:hashes AS bytea[]), CAST(:merchants AS text[]), CAST(:orders AS text[]),
                    CAST(:units AS bigint[]), CAST(:baskets AS text[]), CAST(:valid AS bigint[]),
                    CAST(:raws AS bytea[])
                ) AS n(tx_hash, merchant_id, order_id, units, basket, valid, raw)
            ), claimed AS (
                INSERT INTO claims (kind, value, merchant_id, subject, ref_id)
                SELECT 'tx', tx_hash, merchant_id, 'payment', order_id FROM n
                ON CONFLICT (kind, value) DO NOTHING
            )
            INSERT INTO payments AS p (tx_hash, merchant_id, order_id, units, basket, state,
                valid_until_height, raw, created_ms, seen_ms)
            SELECT tx_hash, merchant_id, order_id, units, basket::jsonb, 'seen', valid, raw, :now,
                :now FROM n
            ON CONFLICT (tx_hash, merchant_id) DO UPDATE SET state = 'seen', code = '',
                raw = EXCLUDED.raw, seen_ms = EXCLUDED.seen_ms
            WHERE p.state = 'refused'
        """),
        {
            "hashes": [payment.tx_hash for payment, _ in rows],
            "merchants": [order.merchant_id for _, order in rows],
            "orders": [order.id for _, order in rows],
            "units": [order.amount_units for _, order in rows],
            "baskets": [_basket_text(payment) for payment, _ in rows],
            "valid": [payment.transaction.intent.valid_until_height for payment, _ in rows],
            "raws": [payment.raw for payment, _ in rows],
            "now": now_ms,
        },
    )


def _basket_text(payment: SignedPayment) -> str:
    body = payment.transaction.intent.body
    assert isinstance(body, Transfer), "checked before it is written"
    pairs = [(part.lot.hex(), part.units) for part in body.redeem]
    return msgspec.json.encode(pairs).decode()


async def mark_refused(
    engine: AsyncEngine, refused: Mapping[bytes, ApiFault], now_ms: int
) -> list[str]:
    """Mark payments on their way as refused, and free their orders; give those orders' ids.

    One that the follower settled meanwhile is left as it is: the chain has the last word.
    """

    async def work(connection: AsyncConnection) -> list[str]:
        ids = await connection.scalars(
            text("""
                SELECT order_id FROM payments
                WHERE tx_hash = ANY(CAST(:hashes AS bytea[])) AND state = 'seen'
            """),
            {"hashes": list(refused)},
        )
        orders = await read_orders(connection, sorted(set(ids)), lock=True)
        marked = await connection.execute(
            text("""
                UPDATE payments p SET state = 'refused', raw = NULL, code = n.code
                FROM unnest(CAST(:hashes AS bytea[]), CAST(:codes AS text[])) AS n(tx_hash, code)
                WHERE p.tx_hash = n.tx_hash AND p.state = 'seen'
                RETURNING p.tx_hash, p.order_id
            """),
            {"hashes": list(refused), "codes": [fault.code for fault in refused.values()]},
        )
        changes, events = [], []
        for row in marked:
            order = orders[row.order_id]
            if order.paying_tx == row.tx_hash:
                orders[row.order_id] = order.changed(paying_tx=None)
                changes.append((order, orders[row.order_id]))
            event = _event("payment.refused", orders[row.order_id], row.tx_hash, now_ms)
            events.append(event)
        await store_orders(connection, changes)
        await write_events(connection, events)
        return [after.id for _, after in changes]

    return await in_transaction(engine, work)
