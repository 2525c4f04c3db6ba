"""Submission: what a wallet signed is checked against its order's quote and handed to the node.

`check_payment` refuses what could never pay the order, before it costs a fee. Signatures are the
node's to check. A batch is one look into the database, one request to the node, one transaction.
Sending the same transaction again is harmless: its id is its idempotency key.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.db.models import OrderState
from api.errors import ApiFault, Conflict, NotFound, Unavailable, Unprocessable
from api.node_port import NodePort
from api.services.orders import read_orders
from api.services.outbox import NewEvent, card, write_events
from ledger.types.transaction import Transaction
from ledger.types.transfer import Redemption, Transfer
from node.client.errors import ClientFault, Unanswered
from node.client.views import Submission, TransactionState

KNOWN_CODES: Final = frozenset({"already_known"})
"""A node's words for a transaction that waits in its pool already."""
USED_NONCE_CODES: Final = frozenset({"bad_nonce"})
"""Its words for a nonce that is used; by this same transaction, if it was handed in before."""


@dataclass(frozen=True, slots=True)
class SignedPayment:
    """A transaction that a wallet posted for an order."""

    order_id: str
    raw: bytes
    transaction: Transaction
    tx_hash: bytes


@dataclass(frozen=True, slots=True)
class FollowedChain:
    """The chain as this service has followed it."""

    chain_id: bytes
    height: int


def check_payment(
    row: Mapping[str, Any], transaction: Transaction, tip: FollowedChain, now_ms: int
) -> None:
    """Raise why a transaction can't pay an order; say nothing if it can."""
    intent, body = transaction.intent, transaction.intent.body
    if intent.chain_id != tip.chain_id:
        raise Unprocessable("the transaction is for another chain", code="WRONG_CHAIN")
    if not isinstance(body, Transfer):
        raise Unprocessable("only a transfer pays an order", code="NOT_A_TRANSFER")
    if body.reference != row["reference"]:
        raise Unprocessable("the reference is not this order's", code="WRONG_REFERENCE")
    if body.to != row["payout"]:
        raise Unprocessable("the transfer does not go to this order's merchant", code="WRONG_PAYEE")
    if body.units != row["amount_units"]:
        raise Unprocessable(
            f"the order costs {row['amount_units']} units, the transfer pays {body.units}",
            code="AMOUNT_MISMATCH",
        )
    if body.redeem != (Redemption(row["redeem_lot"], row["redeem_units"]),):
        raise Unprocessable(
            "the transfer does not redeem this order's pack", code="WRONG_REDEMPTION"
        )
    if intent.valid_until_height <= tip.height:
        raise Unprocessable("the transaction is no longer valid", code="TRANSACTION_EXPIRED")
    if row["state"] != OrderState.AWAITING_PAYMENT:
        raise Conflict(f"the order is {row['state']}", code="ORDER_NOT_PAYABLE")
    if now_ms > row["expires_ms"]:
        raise Conflict("the order has expired", code="ORDER_EXPIRED")


def refusal(submission: Submission) -> ApiFault | None:
    """Turn a node's refusal into ours; None for a transaction that it took or has already."""
    if not submission.code or submission.code in KNOWN_CODES:
        return None
    if submission.code == "pool_full":
        return Unavailable(submission.detail, code="LEDGER_BUSY", retry_after_s=1)
    return Unprocessable(submission.detail or submission.code, code=submission.code.upper())


def _unanswered(tx_hash: bytes) -> Unavailable:
    """Tell a wallet that nobody knows yet whether its payment was taken."""
    return Unavailable(
        f"a node may have taken the transaction {tx_hash.hex()}: ask for the order's state, or "
        f"send the same bytes again, which can't pay twice",
        retry_after_s=1,
    )


class PaymentDesk:
    """Takes signed payments to the node."""

    def __init__(self, engine: AsyncEngine, node: NodePort) -> None:
        self._engine = engine
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._node = node

    async def submit(
        self, payments: Sequence[SignedPayment], tip: FollowedChain, now_ms: int
    ) -> list[bytes | Exception]:
        """Submit a batch; each answer is the transaction's hash, or why it was refused."""
        async with self._reader.connect() as connection:
            orders = await read_orders(connection, [payment.order_id for payment in payments])
            known = await _known(connection, [payment.tx_hash for payment in payments])
        answers: list[bytes | Exception] = []
        fresh: list[tuple[int, SignedPayment]] = []
        for place, payment in enumerate(payments):
            answers.append(payment.tx_hash)
            if known.get(payment.tx_hash) == payment.order_id:
                continue
            try:
                if payment.order_id not in orders:
                    raise NotFound("there is no such order")
                check_payment(orders[payment.order_id], payment.transaction, tip, now_ms)
            except ApiFault as fault:
                answers[place] = fault
            else:
                fresh.append((place, payment))
        if not fresh:
            return answers
        refusals = await self._hand_in([payment for _, payment in fresh])
        taken = []
        for (place, payment), fault_or_none in zip(fresh, refusals, strict=True):
            if fault_or_none is None:
                taken.append(payment)
            else:
                answers[place] = fault_or_none
        await self._note(taken, orders, now_ms)
        return answers

    async def _hand_in(self, payments: Sequence[SignedPayment]) -> list[ApiFault | None]:
        """Give payments to a node: None for each that the chain has, or why it is not taken."""
        try:
            said = await self._node.submit([payment.raw for payment in payments])
        except Unanswered:
            return [_unanswered(payment.tx_hash) for payment in payments]
        except ClientFault as fault:
            raise Unavailable(f"no node takes payments: {fault}", retry_after_s=1) from fault
        return await asyncio.gather(
            *(self._refusal(p, told) for p, told in zip(payments, said, strict=True))
        )

    async def _refusal(self, payment: SignedPayment, told: Submission) -> ApiFault | None:
        """Turn a node's refusal into ours; None for a transaction that the chain has.

        A node may have taken it and then failed to say so: the wallet, or the way to the nodes,
        handed the same bytes in again, and now the nonce is used.
        """
        fault = refusal(told)
        if fault is None or told.code not in USED_NONCE_CODES:
            return fault
        try:
            view = await self._node.transaction(payment.tx_hash)
        except ClientFault as away:
            return Unavailable(f"no node answers: {away}", retry_after_s=1)
        return fault if view.state == TransactionState.UNKNOWN else None

    async def _note(
        self, taken: Sequence[SignedPayment], orders: Mapping[str, dict[str, Any]], now_ms: int
    ) -> None:
        """Write that payments are on their way. They may be final already: then nothing changes."""
        rows = [
            {
                "tx_hash": payment.tx_hash,
                "order_id": payment.order_id,
                "merchant_id": orders[payment.order_id]["merchant_id"],
                "payer": payment.transaction.sender,
                "units": orders[payment.order_id]["amount_units"],
                "redeem_units": orders[payment.order_id]["redeem_units"],
                "now": now_ms,
            }
            for payment in sorted(taken, key=lambda payment: payment.order_id)
        ]
        if not rows:
            return
        async with self._engine.begin() as connection:
            # Orders are locked first, in the order that settlement locks them in: no rings.
            await connection.execute(
                text("""
                    SELECT id FROM orders WHERE id = ANY(CAST(:ids AS text[]))
                    ORDER BY id FOR NO KEY UPDATE
                """),
                {"ids": [row["order_id"] for row in rows]},
            )
            changed = await connection.scalars(
                text("""
                    UPDATE payment_intents SET state = 'submitted'
                    WHERE order_id = ANY(CAST(:ids AS text[])) AND state = 'requires_payment'
                    RETURNING order_id
                """),
                {"ids": [row["order_id"] for row in rows]},
            )
            submitted = set(changed)
            await connection.execute(
                text("""
                    INSERT INTO payments (tx_hash, order_id, merchant_id, payer, units,
                        redeem_units, state, seen_ms)
                    VALUES (:tx_hash, :order_id, :merchant_id, :payer, :units, :redeem_units,
                        'seen', :now)
                    ON CONFLICT (tx_hash) DO NOTHING
                """),
                rows,
            )
            events = [
                NewEvent(
                    "payment.submitted",
                    row["merchant_id"],
                    row["order_id"],
                    {**card(orders[row["order_id"]]), "txHash": row["tx_hash"].hex()},
                    now_ms,
                )
                for row in rows
                if row["order_id"] in submitted
            ]
            await write_events(connection, events)


async def _known(connection: AsyncConnection, tx_hashes: Sequence[bytes]) -> dict[bytes, str]:
    rows = await connection.execute(
        text("""
            SELECT tx_hash, order_id FROM payments
            WHERE tx_hash = ANY(CAST(:hashes AS bytea[]))
        """),
        {"hashes": list(tx_hashes)},
    )
    return {row.tx_hash: row.order_id for row in rows}
