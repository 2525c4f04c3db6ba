"""Settlement: what a final transaction does to the order whose reference it bears.

`decide` is the rule, over plain values. `settle` carries it out in the caller's transaction, for
payments in the order of the chain. Calling it twice is calling it once: the orders are locked
first, and a payment that is finalized already is passed over.

An order is judged by all that came in for it, a payment by itself. The order is paid by the first
payment with which the sum is whole, and from then on it is closed: whatever comes after is a
`duplicate`. A payment is good if it alone is the whole quote, of an order that was open; so at
most one payment of an order is good. What differs stands beside the order as an exception, with
all that came in less what was due, for a person to mend; it never vanishes.

The follower hands in what final blocks hold, and rolls back and does the same again if the database
fails; no payment raises:

    async with engine.begin() as connection:
        settled = await settle(connection, observed, wall_ms())
    waiters.wake(settled.tx_hashes)

Invariant: the result hangs on the sequence of the payments alone, never on how it was cut into
calls of `settle`, nor on when the order expired.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.db.models import IntentState, OrderState, Outcome
from api.services.outbox import CARD_COLUMNS, NewEvent, card, write_events
from api.services.stock import adjust, released_by

PAYABLE: Final = frozenset({OrderState.AWAITING_PAYMENT, OrderState.EXPIRED})
"""An expired order can still be paid by a block from before it expired."""


@dataclass(frozen=True, slots=True)
class Observed:
    """A final transfer with a reference, from a block or from a node's answer."""

    tx_hash: bytes
    reference: bytes
    to: bytes
    payer: bytes
    units: int
    redeem_units: int
    height: int
    block_hash: bytes
    time_ms: int
    code: str


@dataclass(frozen=True, slots=True)
class Standing:
    """An order as a payment meets it: its state, its quote, and what came in for it before."""

    state: str
    amount_units: int
    redeem_units: int
    expires_ms: int
    received_units: int = 0
    redeemed_units: int = 0
    exception: str | None = None

    @property
    def whole(self) -> bool:
        """Tell whether the milk is redeemed, and the rest that is due has reached the merchant."""
        kept_units = self.received_units - self.redeemed_units
        return (
            self.redeemed_units >= self.redeem_units
            and kept_units >= self.amount_units - self.redeem_units
        )

    @property
    def delta_units(self) -> int:
        """Give all that came in less what was due."""
        return self.received_units - self.amount_units


@dataclass(frozen=True, slots=True)
class SettledPayment:
    """What a payment is by itself, what it brought too much or too little, and the order after."""

    outcome: Outcome
    delta_units: int
    after: Standing


def decide(order: Standing, paid: Observed) -> SettledPayment:
    """Say what a final transaction does to its order."""
    if paid.code:
        return SettledPayment(Outcome.FAILED, 0, order)
    closed = order.state not in PAYABLE or order.whole
    after = replace(
        order,
        received_units=order.received_units + paid.units,
        redeemed_units=order.redeemed_units + paid.redeem_units,
    )
    if closed:
        return SettledPayment(
            Outcome.DUPLICATE, paid.units, replace(after, exception=Outcome.DUPLICATE)
        )
    if after.whole:
        after = replace(after, state=OrderState.PAID)
    after = replace(after, exception=_exception(after, paid.time_ms))
    return SettledPayment(_alone(order, paid), paid.units - order.amount_units, after)


def _alone(order: Standing, paid: Observed) -> Outcome:
    """Judge a payment of an open order by itself."""
    if paid.units < order.amount_units:
        return Outcome.UNDERPAID
    if paid.units > order.amount_units:
        return Outcome.OVERPAID
    if paid.redeem_units != order.redeem_units:
        return Outcome.WRONG_REDEMPTION
    return Outcome.PAID_LATE if paid.time_ms > order.expires_ms else Outcome.SUCCEEDED


def _exception(order: Standing, time_ms: int) -> Outcome | None:
    """Say what is odd about an order with all that came in until now; None if nothing is."""
    if not order.whole:
        return Outcome.UNDERPAID if order.delta_units < 0 else Outcome.WRONG_REDEMPTION
    if time_ms > order.expires_ms:
        return Outcome.PAID_LATE
    return Outcome.OVERPAID if order.delta_units > 0 else None


@dataclass(slots=True)
class _Order:
    """An order under settlement; `row` and the sums change as the batch's payments meet it."""

    row: dict[str, Any]
    received_units: int = 0
    redeemed_units: int = 0
    changed: bool = False
    left_queue: bool = False

    def meet(self, paid: Observed) -> tuple[SettledPayment, str]:
        """Let a payment change the order; give the verdict and the kind of event that tells it."""
        row, before = self.row, self._standing()
        verdict, kind = decide(before, paid), "order.exception"
        after = verdict.after
        self.received_units, self.redeemed_units = after.received_units, after.redeemed_units
        if verdict.outcome is Outcome.FAILED:
            kind = "payment.failed"
            if row["intent_state"] == IntentState.SUBMITTED:
                row["intent_state"] = IntentState.REQUIRES_PAYMENT
        else:
            row["exception"] = after.exception
            row["delta_units"] = None if after.exception is None else after.delta_units
        if after.state != before.state:
            kind = "order.paid"
            self.left_queue |= before.state == OrderState.AWAITING_PAYMENT
            row |= {
                "state": after.state,
                "paid_ms": paid.time_ms,
                "intent_state": IntentState.SUCCEEDED,
            }
        self.changed = True
        return verdict, kind

    def _standing(self) -> Standing:
        row = self.row
        return Standing(
            row["state"],
            row["amount_units"],
            row["redeem_units"],
            row["expires_ms"],
            self.received_units,
            self.redeemed_units,
            row["exception"],
        )


@dataclass(slots=True)
class Settled:
    """What a settlement did, for those who wait."""

    tx_hashes: list[bytes] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)


async def settle(
    connection: AsyncConnection,
    observed: Sequence[Observed],
    now_ms: int,
    redeemed_units: Mapping[bytes, int] | None = None,
) -> Settled:
    """Settle final transfers, in the order of the chain; commit is the caller's.

    `observed` are transfers with a reference, `now_ms` (UTC) is the time that events bear, and
    `redeemed_units` is, by lot, all that their blocks redeemed, so that lots are locked once.
    """
    done = Settled()
    orders = await _lock_orders(connection, {paid.reference for paid in observed})
    mine = [
        paid
        for paid in observed
        if (order := orders.get(paid.reference)) is not None and order.row["payout"] == paid.to
    ]
    known = await _add_up(connection, orders.values(), [paid.tx_hash for paid in mine])
    rows: list[tuple[Observed, SettledPayment, _Order]] = []
    events: list[NewEvent] = []
    for paid in mine:
        if paid.tx_hash in known:
            continue
        known.add(paid.tx_hash)
        order = orders[paid.reference]
        verdict, kind = order.meet(paid)
        rows.append((paid, verdict, order))
        events.append(_event(kind, order, paid, verdict, now_ms))
        done.tx_hashes.append(paid.tx_hash)
        done.outcomes.append(verdict.outcome)
    if rows:
        await _store_payments(connection, rows)
        await _store_orders(connection, [order for order in orders.values() if order.changed])
    released = released_by(order.row for order in orders.values() if order.left_queue)
    await adjust(connection, released, redeemed_units or {})
    await write_events(connection, events)
    return done


def _event(
    kind: str, order: _Order, paid: Observed, verdict: SettledPayment, now_ms: int
) -> NewEvent:
    body = {**card(order.row), "txHash": paid.tx_hash.hex(), "outcome": verdict.outcome}
    return NewEvent(kind, order.row["merchant_id"], order.row["id"], body, now_ms)


async def _lock_orders(connection: AsyncConnection, references: set[bytes]) -> dict[bytes, _Order]:
    """Lock the orders behind references, in one order everywhere, so that no two settlers clash."""
    if not references:
        return {}
    rows = await connection.execute(
        text(f"""
            SELECT i.reference, i.state AS intent_state, i.redeem_units, i.redeem_lot, i.payout,
                {CARD_COLUMNS}
            FROM payment_intents i JOIN orders o ON o.id = i.order_id
            WHERE i.reference = ANY(CAST(:references AS bytea[]))
            ORDER BY o.id FOR NO KEY UPDATE OF o
        """),  # noqa: S608 - a constant of this package
        {"references": sorted(references)},
    )
    return {row["reference"]: _Order(dict(row)) for row in rows.mappings()}


async def _add_up(
    connection: AsyncConnection, orders: Iterable[_Order], tx_hashes: list[bytes]
) -> set[bytes]:
    """Add up what came in for orders before, and give which of the payments were among it.

    A statement of its own, after the locks: one that had to wait for them would add up the
    payments as they stood before it waited.
    """
    by_id = {order.row["id"]: order for order in orders}
    if not tx_hashes:
        return set()
    rows = await connection.execute(
        text("""
            SELECT order_id,
                coalesce(sum(units) FILTER (WHERE outcome <> 'failed'), 0)::bigint AS received,
                coalesce(sum(redeem_units) FILTER (WHERE outcome <> 'failed'), 0)::bigint
                    AS redeemed,
                array_agg(tx_hash) FILTER (WHERE tx_hash = ANY(CAST(:hashes AS bytea[]))) AS known
            FROM payments WHERE order_id = ANY(CAST(:ids AS text[])) AND state = 'finalised'
            GROUP BY order_id
        """),
        {"ids": list(by_id), "hashes": tx_hashes},
    )
    known: set[bytes] = set()
    for row in rows:
        order = by_id[row.order_id]
        order.received_units, order.redeemed_units = row.received, row.redeemed
        known.update(row.known or ())
    return known


async def _store_payments(
    connection: AsyncConnection, rows: Sequence[tuple[Observed, SettledPayment, _Order]]
) -> None:
    values = [
        {
            "tx_hash": paid.tx_hash,
            "order_id": order.row["id"],
            "merchant_id": order.row["merchant_id"],
            "payer": paid.payer,
            "units": paid.units,
            "redeem_units": paid.redeem_units,
            "outcome": str(verdict.outcome),
            "code": paid.code,
            "delta_units": verdict.delta_units,
            "height": paid.height,
            "block_hash": paid.block_hash,
            "time_ms": paid.time_ms,
        }
        for paid, verdict, order in rows
    ]
    await connection.execute(
        text("""
            INSERT INTO payments (tx_hash, order_id, merchant_id, payer, units, redeem_units,
                state, outcome, code, delta_units, height, block_hash, seen_ms, confirmed_ms)
            VALUES (:tx_hash, :order_id, :merchant_id, :payer, :units, :redeem_units, 'finalised',
                :outcome, :code, :delta_units, :height, :block_hash, :time_ms, :time_ms)
            ON CONFLICT (tx_hash) DO UPDATE SET state = 'finalised', outcome = EXCLUDED.outcome,
                code = EXCLUDED.code, delta_units = EXCLUDED.delta_units,
                height = EXCLUDED.height, block_hash = EXCLUDED.block_hash,
                confirmed_ms = EXCLUDED.confirmed_ms
            WHERE payments.state <> 'finalised' AND payments.order_id = EXCLUDED.order_id
        """),
        values,
    )


async def _store_orders(connection: AsyncConnection, orders: Sequence[_Order]) -> None:
    """Write what `meet` decided. The rows are locked, so this compare-and-set always wins."""
    rows = [order.row for order in orders]
    await connection.execute(
        text("""
            UPDATE orders SET state = :state, exception = :exception, delta_units = :delta_units,
                paid_ms = :paid_ms WHERE id = :id
        """),
        [
            {key: row[key] for key in ("id", "state", "exception", "delta_units", "paid_ms")}
            for row in rows
        ],
    )
    await connection.execute(
        text("UPDATE payment_intents SET state = :state WHERE order_id = :id"),
        [{"id": row["id"], "state": row["intent_state"]} for row in rows],
    )
