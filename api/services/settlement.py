"""Settlement: what a final transaction does to the order whose reference it bears.

`decide` is the rule, over plain values. `settle` carries it out in the caller's transaction. The
follower and the request path call the same `settle`, and calling it twice is calling it once: the
orders are locked first, and a payment that is finalised already is passed over.

Only an exact payment in time pays an order. Anything else that reached the merchant stands beside
the order as an exception, with the difference, for a person to mend; it never vanishes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.db.models import EXCEPTIONS, OrderState, Outcome
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
    """An order as a payment meets it: its state, and the quote it is paid by."""

    state: str
    amount_units: int
    redeem_units: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a payment did: `delta_units` is what came too much, or too little."""

    outcome: Outcome
    delta_units: int = 0


def decide(order: Standing, paid: Observed) -> Verdict:
    """Say what a final transaction does to its order."""
    if paid.code:
        return Verdict(Outcome.FAILED)
    if order.state not in PAYABLE:
        return Verdict(Outcome.DUPLICATE, paid.units)
    delta = paid.units - order.amount_units
    if delta == 0:
        # Milk that wasn't redeemed reached the merchant's purse; milk too much was taken from it.
        delta = order.redeem_units - paid.redeem_units
    if delta < 0:
        return Verdict(Outcome.UNDERPAID, delta)
    if delta > 0:
        return Verdict(Outcome.OVERPAID, delta)
    if paid.time_ms > order.expires_ms:
        return Verdict(Outcome.PAID_LATE)
    return Verdict(Outcome.SUCCEEDED)


@dataclass(slots=True)
class _Order:
    """An order under settlement; `row` changes as the batch's payments meet it."""

    row: dict[str, Any]
    changed: bool = False
    left_queue: bool = False

    def meet(self, paid: Observed, verdict: Verdict) -> None:
        row = self.row
        if verdict.outcome is Outcome.SUCCEEDED:
            self.left_queue |= row["state"] == OrderState.AWAITING_PAYMENT
            row |= {
                "state": OrderState.PAID,
                "paid_ms": paid.time_ms,
                "intent_state": "succeeded",
            }
        elif verdict.outcome is Outcome.FAILED:
            if row["intent_state"] == "submitted":
                row["intent_state"] = "requires_payment"
        else:
            row |= {"exception": verdict.outcome, "delta_units": verdict.delta_units}
            if verdict.outcome is Outcome.PAID_LATE:
                self.left_queue |= row["state"] == OrderState.AWAITING_PAYMENT
                row |= {"state": OrderState.EXPIRED, "intent_state": "expired"}
        self.changed = True


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

    The follower also gives what its blocks redeemed of each lot, so that lots are locked once.
    """
    done = Settled()
    orders = await _lock_orders(connection, {paid.reference for paid in observed})
    mine = [
        paid
        for paid in observed
        if (order := orders.get(paid.reference)) is not None and order.row["payout"] == paid.to
    ]
    known = await _finalised(connection, [paid.tx_hash for paid in mine])
    rows: list[tuple[Observed, Verdict, _Order]] = []
    events: list[NewEvent] = []
    for paid in mine:
        if paid.tx_hash in known:
            continue
        known.add(paid.tx_hash)
        order = orders[paid.reference]
        row = order.row
        standing = Standing(
            row["state"], row["amount_units"], row["redeem_units"], row["expires_ms"]
        )
        verdict = decide(standing, paid)
        order.meet(paid, verdict)
        rows.append((paid, verdict, order))
        events.append(_event(order, paid, verdict, now_ms))
        done.tx_hashes.append(paid.tx_hash)
        done.outcomes.append(verdict.outcome)
    if rows:
        await _store_payments(connection, rows)
        await _store_orders(connection, [order for order in orders.values() if order.changed])
    released = released_by(order.row for order in orders.values() if order.left_queue)
    await adjust(connection, released, redeemed_units or {})
    await write_events(connection, events)
    return done


def _event(order: _Order, paid: Observed, verdict: Verdict, now_ms: int) -> NewEvent:
    kind = "order.paid" if verdict.outcome is Outcome.SUCCEEDED else "payment.failed"
    if verdict.outcome in EXCEPTIONS:
        kind = "order.exception"
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


async def _finalised(connection: AsyncConnection, tx_hashes: list[bytes]) -> set[bytes]:
    if not tx_hashes:
        return set()
    rows = await connection.scalars(
        text("""
            SELECT tx_hash FROM payments
            WHERE tx_hash = ANY(CAST(:hashes AS bytea[])) AND state = 'finalised'
        """),
        {"hashes": tx_hashes},
    )
    return set(rows)


async def _store_payments(
    connection: AsyncConnection, rows: Sequence[tuple[Observed, Verdict, _Order]]
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
