"""Submission: what a wallet signed is checked, written down, and handed to the nodes.

It is written down before it is handed over. From then on its outcome is never a guess: whatever
breaks off, the bytes are here, `Resubmitter` hands them in until the chain has them or they can't
come into a block any more, and meanwhile nobody else pays the order and nobody cancels it. What the
nodes refuse is marked so, and the order is free again.

`api.payments.intake` refuses what could never pay the order, before it costs a fee; signatures are
verified here first, since what is written down must be what the payer signed, and only what they
signed counts against their limit. Sending the same bytes again is harmless: a transaction's id is
its idempotency key. A batch is one transaction and one request to the node.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.attempts.model import AttemptOutcome, outcome_at_node, outcome_of
from api.attempts.store import mark_attempts
from api.chain.node_port import NodePort
from api.db.session import in_transaction
from api.db.statements import text
from api.errors import ApiFault, Throttled, Unavailable
from api.events.outbox import write_events
from api.flags.model import NoteKind
from api.flags.notebook import Notebook
from api.limits.config import LimitsConfig
from api.limits.counter import Limiter
from api.limits.windows import LimitAsk, Quota
from api.metrics import Metrics
from api.orders.store import read_orders, store_orders
from api.payments.checking import (
    USED_NONCE_CODES,
    FollowedChain,
    check_signatures,
    refusal_of,
)
from api.payments.intake import (
    Answer,
    PaymentIntake,
    SignedPayment,
    count_attempts,
    open_intake,
    payment_event,
)
from node.client.errors import ClientFault, Unanswered
from node.client.tracing import under
from node.client.views import Submission, TransactionState


class AttemptGuard:
    """What watches over attempts: limits, notes for the detectors, and figures."""

    def __init__(
        self,
        limiter: Limiter,
        limits: LimitsConfig,
        notebook: Notebook,
        metrics: Metrics,
        index_of: Callable[[bytes], bytes],
    ) -> None:
        self.limiter, self.limits, self.index_of = limiter, limits, index_of
        self._notebook, self._metrics = notebook, metrics

    async def count_forged(self, payment: SignedPayment) -> Throttled | None:
        """Count bytes with a signature that does not hold: for order and address, for no payer."""
        names = [f"junk:{payment.order_id}"]
        names += [f"junk:{payment.network}"] if payment.network else []
        most = self.limits.order_per_minute
        quotas = await self.limiter.take([LimitAsk(name, most) for name in names])
        waits_s = [q.retry_s for q in quotas if isinstance(q, Quota) and not q.allowed]
        if not waits_s:
            return None
        return Throttled("too many payment attempts in a minute", retry_after_s=max(waits_s))

    def note(self, intake: PaymentIntake) -> None:
        """Note who was turned away."""
        for one in intake.turned:
            self._notebook.note(
                NoteKind.ATTEMPT_REFUSED, one.merchant_id, one.subject, one.tx_hash.hex()
            )

    def tell(self, outcome: AttemptOutcome) -> None:
        """Count what became of an attempt."""
        self._metrics.attempts.labels(outcome).inc()


class PaymentDesk:
    """Takes signed payments to the nodes."""

    def __init__(self, engine: AsyncEngine, node: NodePort, guard: AttemptGuard) -> None:
        self._engine = engine
        self._node = node
        self._guard = guard

    async def submit(
        self, payments: Sequence[SignedPayment], tip: FollowedChain, now_ms: int
    ) -> list[Answer]:
        """Submit a batch; each answer is how far the payment has come, or why it was refused."""
        guard = self._guard
        forged = {id(payment): fault for payment in payments if (fault := _forged(payment))}
        signed = [payment for payment in payments if id(payment) not in forged]
        for payment in payments:
            if id(payment) in forged and (throttled := await guard.count_forged(payment)):
                forged[id(payment)] = throttled

        async def write(connection: AsyncConnection) -> PaymentIntake:
            intake = await open_intake(connection, signed, guard.index_of, tip, now_ms)
            await count_attempts(connection, intake, signed, guard.limiter, guard.limits)
            for payment in signed:
                intake.take(payment)
            await intake.write(connection)
            return intake

        intake = await in_transaction(self._engine, write)
        guard.note(intake)
        refused = await self._hand_in(intake.fresh)
        if refused:
            await mark_refused(self._engine, refused, now_ms)
        return [self._answer(payment, forged, refused, intake) for payment in payments]

    def _answer(
        self,
        payment: SignedPayment,
        forged: Mapping[int, ApiFault],
        refused: Mapping[bytes, ApiFault],
        intake: PaymentIntake,
    ) -> Answer:
        """Answer one payment, and count what became of it."""
        if (bad := forged.get(id(payment))) is not None:
            self._guard.tell(outcome_of(bad))
            return bad
        fault, outcome = refused.get(payment.tx_hash), intake.outcomes.get(id(payment))
        if outcome is not None:
            self._guard.tell(outcome if fault is None else outcome_at_node(fault))
        return fault or intake.answers[id(payment)]

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
        marked = await _mark(connection, refused, list(orders))
        changes, events = [], []
        for tx_hash, order_id, trace in marked:
            order = orders[order_id]
            if order.paying_tx == tx_hash:
                orders[order_id] = order.changed(paying_tx=None)
                changes.append((order, orders[order_id]))
            with under(trace):
                event = payment_event("payment.refused", orders[order_id], tx_hash, now_ms)
            events.append(event)
        ends = [(tx_hash, outcome_at_node(fault)) for tx_hash, fault in refused.items()]
        await mark_attempts(connection, ends)
        await store_orders(connection, changes)
        await write_events(connection, events)
        return [after.id for _, after in changes]

    return await in_transaction(engine, work)


async def _mark(
    connection: AsyncConnection, refused: Mapping[bytes, ApiFault], order_ids: Sequence[str]
) -> Sequence[tuple[bytes, str, str]]:
    """Write which payments of locked orders are refused, and why; give those that it changed.

    Each with its order and the trace of who brought it. One that came on its way since the orders
    were looked up is asked for again.
    """
    rows = await connection.execute(
        text("""
            UPDATE payments p SET state = 'refused', raw = NULL, code = n.code
            FROM unnest(CAST(:hashes AS bytea[]), CAST(:codes AS text[])) AS n(tx_hash, code)
            WHERE p.tx_hash = n.tx_hash AND p.state = 'seen'
                AND p.order_id = ANY(CAST(:order_ids AS text[]))
            RETURNING p.tx_hash, p.order_id, p.trace
        """),
        {
            "hashes": list(refused),
            "codes": [fault.code for fault in refused.values()],
            "order_ids": list(order_ids),
        },
    )
    return [(row.tx_hash, row.order_id, row.trace) for row in rows]
