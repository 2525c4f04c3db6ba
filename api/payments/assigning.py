"""A payment that bore no order's reference, given to an order by a person: settled as it would have
been.

What it is to the order is decided by the same rule as if it had borne the reference, and the same
witnesses take note, in one transaction. Its bytes are read from a node once more: who paid stands
in no column here.
"""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from api.chain.node_port import NodePort
from api.db.statements import text
from api.errors import Conflict, NotFound, Unavailable
from api.events.outbox import write_events
from api.orders.changes import lock_order, release
from api.orders.model import Order
from api.orders.rules import PAYABLE
from api.orders.store import store_orders
from api.payments.books import open_accounts
from api.payments.model import Outcome
from api.payments.observation import FinalTransaction
from api.payments.settlement import MetPayment, PaymentWitness
from api.payments.store import NewPayment
from ledger.types.transaction import decode_transaction
from node.client.errors import ClientFault
from node.client.views import TransactionState


async def read_final(node: NodePort, tx_hash: bytes) -> FinalTransaction:
    """Read a final transaction from a node; raise `Unavailable` if none has it."""
    try:
        view = await node.transaction(tx_hash)
    except ClientFault as fault:
        raise Unavailable(f"no node answers: {fault}", retry_after_s=1) from fault
    if view.state is not TransactionState.FINAL or view.block_hash is None:
        raise Unavailable("no node has this transaction's block at hand", retry_after_s=1)
    transaction = decode_transaction(view.raw)
    place = (view.height, view.block_hash, view.time_ms)
    return FinalTransaction(tx_hash, transaction, view.code, *place)


async def assign(
    connection: AsyncConnection,
    merchant_id: str,
    order_id: str,
    final: FinalTransaction,
    witnesses: Sequence[PaymentWitness],
    now_ms: int,
) -> Order:
    """Give an unmatched payment to an order that can still be paid; give the order after it.

    Raise `NotFound` or `Conflict`. Locks: the order, the payment, lots, the numbers of events.
    """
    order = await lock_order(connection, merchant_id, order_id)
    await _check_free(connection, merchant_id, final.tx_hash)
    if order.state not in PAYABLE or order.free:
        why = "a coupon pays the order" if order.free else f"the order is {order.state}"
        raise Conflict(why, code="ORDER_NOT_PAYABLE")
    if order.paying_tx is not None:
        raise Conflict("a payment of this order is on its way", code="PAYMENT_IN_FLIGHT")
    account = (await open_accounts(connection, [order]))[order.id]
    row, event = account.meet(final, None, now_ms)
    await _write(connection, row)
    await store_orders(connection, [(order, account.order)])
    await release(connection, [(order, account.order)], {})
    payer = final.transaction.sender
    met = [MetPayment(row.tx_hash, merchant_id, payer, order, account.order, row.outcome)]
    events = [event]
    for witness in witnesses:
        events += await witness(connection, met, now_ms)
    await write_events(connection, events)
    return account.order


async def _check_free(connection: AsyncConnection, merchant_id: str, tx_hash: bytes) -> None:
    """Lock a payment; raise unless it is a merchant's, for no order, and all of it is there."""
    key = {"merchant": merchant_id, "hash": tx_hash}
    rows = await connection.execute(
        text("""
            SELECT outcome FROM payments WHERE merchant_id = :merchant AND tx_hash = :hash
            FOR NO KEY UPDATE
        """),
        key,
    )
    row = rows.first()
    if row is None:
        raise NotFound("there is no such payment")
    # A statement of its own, after the lock: one that had to wait for it would see the refunds as
    # they stood before it waited.
    given_back = await connection.scalar(
        text("""
            SELECT EXISTS (SELECT FROM refunds WHERE merchant_id = :merchant AND tx_hash = :hash
                AND state IN ('pending', 'submitted', 'succeeded'))
        """),
        key,
    )
    if row.outcome != Outcome.UNMATCHED or given_back:
        raise Conflict("this payment is an order's, or goes back", code="NOT_ASSIGNABLE")


async def _write(connection: AsyncConnection, row: NewPayment) -> None:
    """Write whose payment it is now, and what it is to its order."""
    done = await connection.execute(
        text("""
            UPDATE payments SET order_id = :order_id, outcome = :outcome, delta_units = :delta
            WHERE merchant_id = :merchant AND tx_hash = :hash AND outcome = 'unmatched'
        """),
        {
            "merchant": row.merchant_id,
            "hash": row.tx_hash,
            "order_id": row.order_id,
            "outcome": row.outcome,
            "delta": row.delta_units,
        },
    )
    assert done.rowcount == 1, "it is locked"
