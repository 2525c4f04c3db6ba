"""The intake: a batch of signed payments as it is judged, counted and written down.

Orders are locked, then it is looked up what is known of each transaction and of whoever signed it.
An attempt is a transaction that is new here and that its sender signed for this very order; it
counts for them, and for the order. What is known is answered from the record and never counted, and
what nobody signed for this order counts for nobody: else somebody's old bytes, which the chain
shows to all, would use up their attempts (docs/security.md).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from api.attempts.model import AttemptOutcome, PaymentAttempt, outcome_of
from api.attempts.store import PayerStanding, note_attempts, standings
from api.db.statements import text
from api.errors import ApiFault, Conflict, NotFound, Throttled, Unprocessable
from api.events.outbox import NewEvent, write_events
from api.limits.config import LimitsConfig
from api.limits.counter import Limiter
from api.limits.windows import LimitAsk
from api.orders.model import Order
from api.orders.schemas import told_of
from api.orders.store import read_orders, store_orders
from api.payments.checking import FollowedChain, check_payment
from api.payments.model import PaymentState
from api.payments.store import KnownPayment, known_payments
from ledger.types.transaction import Transaction
from ledger.types.transfer import Transfer
from node.client.tracing import TRACEPARENT, under


@dataclass(frozen=True, slots=True)
class SignedPayment:
    """A transaction that a wallet posted for an order; `network` is where it came from, if told."""

    order_id: str
    raw: bytes
    transaction: Transaction
    tx_hash: bytes
    network: str = ""
    trace: str = field(default_factory=TRACEPARENT.get)
    """Under which it was posted: many are taken in at once."""


@dataclass(frozen=True, slots=True)
class TakenIn:
    """A payment that we answer for, and how far it has come."""

    tx_hash: bytes
    state: PaymentState


Answer = TakenIn | Exception


@dataclass(frozen=True, slots=True)
class Turned:
    """A payment that was turned away for its number: whose, and at which shop."""

    merchant_id: str
    subject: str
    tx_hash: bytes


class PaymentIntake:
    """A batch of payments as it is written down."""

    def __init__(
        self,
        orders: dict[str, Order],
        known: dict[bytes, KnownPayment],
        payers: dict[bytes, PayerStanding],
        tip: FollowedChain,
        now_ms: int,
    ) -> None:
        self._before = dict(orders)
        self._orders, self._known, self._payers = orders, known, payers
        self._tip, self._now_ms = tip, now_ms
        self._throttled: dict[bytes, Throttled] = {}
        self._attempts: list[PaymentAttempt] = []
        self.answers: dict[int, Answer] = {}
        self.fresh: list[SignedPayment] = []
        self.turned: list[Turned] = []
        self.outcomes: dict[int, AttemptOutcome] = {}
        """What became of every attempt; what was answered from the record was none."""

    def _on_record(self, payment: SignedPayment) -> bool:
        """Tell whether a payment is one that we answer for already."""
        known = self._known.get(payment.tx_hash)
        return (
            known is not None
            and known.order_id == payment.order_id
            and known.state is not PaymentState.REFUSED
        )

    def _meant(self, payment: SignedPayment, order: Order) -> bool:
        """Tell whether its sender signed a payment for this order, on this chain."""
        intent = payment.transaction.intent
        return (
            isinstance(intent.body, Transfer)
            and intent.body.reference == order.reference
            and intent.chain_id == self._tip.chain_id
        )

    def asks_of(self, payment: SignedPayment, limits: LimitsConfig) -> list[LimitAsk]:
        """Say what a payment counts for; nothing for what is answered from the record."""
        order = self._orders.get(payment.order_id)
        if order is None or self._on_record(payment):
            return []
        if not self._meant(payment, order):
            return [LimitAsk(f"junk:{order.id}", limits.order_per_minute)]
        payer, asks = self._payers[payment.tx_hash], []
        if payer.new:
            most = limits.flagged_per_minute if payer.flagged else limits.payer_per_minute
            asks.append(LimitAsk(f"attempts:{payer.subject}", most))
        return [*asks, LimitAsk(f"order:{order.id}", limits.order_per_minute)]

    def turn_away(self, payment: SignedPayment, retry_after_s: int) -> None:
        """Refuse a payment, and the same bytes again in this batch, for its number."""
        self._throttled[payment.tx_hash] = Throttled(
            "too many payment attempts in a minute", retry_after_s=retry_after_s
        )
        order = self._orders[payment.order_id]
        if self._meant(payment, order):
            subject = self._payers[payment.tx_hash].subject
            self.turned.append(Turned(order.merchant_id, subject, payment.tx_hash))

    def take(self, payment: SignedPayment) -> None:
        """Take a payment in, or say why not; known bytes are answered from what is known."""
        if self._on_record(payment):
            known = self._known[payment.tx_hash]
            self.answers[id(payment)] = TakenIn(payment.tx_hash, known.state)
            return
        order = self._orders.get(payment.order_id)
        fault: ApiFault | None = None
        try:
            self._judge(payment, order)
        except ApiFault as refused:
            fault = refused
        outcome = self.outcomes[id(payment)] = outcome_of(fault)
        if order is not None and outcome is not AttemptOutcome.RATE_LIMITED:
            self._note(payment, order, outcome)
        if fault is not None:
            self.answers[id(payment)] = fault
            return
        assert order is not None, "judged"
        self._orders[order.id] = order.changed(paying_tx=payment.tx_hash)
        self._known[payment.tx_hash] = KnownPayment(order.id, PaymentState.SEEN, self._now_ms, "")
        self.answers[id(payment)] = TakenIn(payment.tx_hash, PaymentState.SEEN)
        self.fresh.append(payment)

    def _judge(self, payment: SignedPayment, order: Order | None) -> None:
        """Raise unless a payment can pay an order that nobody else is paying."""
        if order is None:
            raise NotFound("there is no such order")
        if (throttled := self._throttled.get(payment.tx_hash)) is not None:
            raise throttled
        known = self._known.get(payment.tx_hash)
        if known is not None and known.order_id != payment.order_id:
            raise Unprocessable("this transaction is of another order", code="WRONG_REFERENCE")
        check_payment(order, payment.transaction, self._tip, self._now_ms)
        if order.paying_tx is not None:
            raise Conflict(
                "a payment of this order is on its way", code="PAYMENT_IN_FLIGHT", retry_after_s=1
            )

    def _note(self, payment: SignedPayment, order: Order, outcome: AttemptOutcome) -> None:
        if self._meant(payment, order):
            subject = self._payers[payment.tx_hash].subject
            self._attempts.append(
                PaymentAttempt(order.merchant_id, payment.tx_hash, order.id, subject, outcome)
            )

    async def write(self, connection: AsyncConnection) -> None:
        """Write down what was taken in, and what was tried."""
        rows = [(payment, self._orders[payment.order_id]) for payment in self.fresh]
        await _insert(connection, rows, self._now_ms)
        await note_attempts(connection, self._attempts)
        changes = [(self._before[order.id], order) for _, order in rows]
        await store_orders(connection, changes)
        events = list[NewEvent]()
        for payment, order in rows:
            with under(payment.trace):
                events.append(
                    payment_event("payment.submitted", order, payment.tx_hash, self._now_ms)
                )
        await write_events(connection, events)


async def open_intake(
    connection: AsyncConnection,
    payments: Sequence[SignedPayment],
    index_of: Callable[[bytes], bytes],
    tip: FollowedChain,
    now_ms: int,
) -> PaymentIntake:
    """Lock the orders of a batch; look up what is known of its payments and of who signed them."""
    orders = await read_orders(connection, sorted({p.order_id for p in payments}), lock=True)
    known = await known_payments(connection, [p.tx_hash for p in payments])
    signed = {p.tx_hash: index_of(p.transaction.sender) for p in payments}
    payers = await standings(connection, list(signed.items()))
    return PaymentIntake(orders, known, payers, tip, now_ms)


async def count_attempts(
    connection: AsyncConnection,
    intake: PaymentIntake,
    payments: Sequence[SignedPayment],
    limiter: Limiter,
    limits: LimitsConfig,
) -> None:
    """Count a batch's attempts, all that came together; what is one too many is turned away.

    What counts for two subjects passes at both or counts at neither.
    """
    once = {payment.tx_hash: payment for payment in reversed(payments)}
    asked = [(payment, intake.asks_of(payment, limits)) for payment in once.values()]
    quotas = iter(await limiter.take_within(connection, [a for _, asks in asked for a in asks]))
    back: list[str] = []
    for payment, asks in asked:
        answers = [(ask, next(quotas)) for ask in asks]
        waits_s = [quota.retry_s for _, quota in answers if not quota.allowed]
        if waits_s:
            back += [ask.subject for ask, quota in answers if quota.allowed]
            intake.turn_away(payment, max(waits_s))
    await limiter.give_back(connection, back)


def payment_event(kind: str, order: Order, tx_hash: bytes, now_ms: int) -> NewEvent:
    """Tell of a payment that is on its way, or is not any more."""
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
                    CAST(:raws AS bytea[]), CAST(:traces AS text[])
                ) AS n(tx_hash, merchant_id, order_id, units, basket, valid, raw, trace)
            ), claimed AS (
                INSERT INTO claims (kind, value, merchant_id, subject, ref_id)
                SELECT 'tx', tx_hash, merchant_id, 'payment', order_id FROM n
                ON CONFLICT (kind, value) DO NOTHING
            )
            INSERT INTO payments AS p (tx_hash, merchant_id, order_id, units, basket, state,
                valid_until_height, raw, created_ms, seen_ms, trace)
            SELECT tx_hash, merchant_id, order_id, units, basket::jsonb, 'seen', valid, raw, :now,
                :now, trace FROM n
            ON CONFLICT (tx_hash, merchant_id) DO UPDATE SET state = 'seen', code = '',
                raw = EXCLUDED.raw, seen_ms = EXCLUDED.seen_ms, trace = EXCLUDED.trace
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
            "traces": [payment.trace for payment, _ in rows],
            "now": now_ms,
        },
    )


def _basket_text(payment: SignedPayment) -> str:
    body = payment.transaction.intent.body
    assert isinstance(body, Transfer), "checked before it is written"
    pairs = [(part.lot.hex(), part.units) for part in body.redeem]
    return msgspec.json.encode(pairs).decode()
