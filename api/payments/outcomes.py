"""What became of a transaction: taken, final, refused, or never seen. Never a guess.

What is settled here or on its way here is answered from the database; anything else from a node.
That a transaction was never seen is said only while the chain is followed closely: who is told so
may send the same bytes again, or sign anew with the same nonce, and pays once in either case.
"""

from dataclasses import dataclass
from enum import StrEnum

from api.chain.node_port import NodePort
from api.chain.standing import ChainStanding
from api.errors import Unavailable
from api.payments.model import Payment, PaymentState
from api.payments.validating import LEDGER_RETRY_S, FindPayment
from node.client.errors import ClientFault
from node.client.views import TransactionState


class TransactionStatus(StrEnum):
    """How far a transaction has come."""

    TAKEN = "taken"
    FINAL = "final"
    REFUSED = "refused"
    NEVER_SEEN = "never_seen"


@dataclass(frozen=True, slots=True)
class TransactionOutcome:
    """What is known of a transaction. `code` says why it failed or was refused."""

    status: TransactionStatus
    order_id: str | None = None
    code: str = ""


class OutcomeDesk:
    """Answers wallets that ask what became of what they signed."""

    def __init__(self, find: FindPayment, node: NodePort, standing: ChainStanding) -> None:
        self._find = find
        self._node = node
        self._standing = standing

    async def outcome_of(self, tx_hash: bytes) -> TransactionOutcome:
        """Say what became of a transaction; raise `Unavailable` rather than guess."""
        payment = await self._find(tx_hash)
        known = None if payment is None else _known(payment)
        if known is not None and known.status is not TransactionStatus.REFUSED:
            return known
        try:
            view = await self._node.transaction(tx_hash)
        except ClientFault as fault:
            raise Unavailable(f"no node answers: {fault}", retry_after_s=1) from fault
        order_id = None if known is None else known.order_id
        if view.state == TransactionState.PENDING:
            return TransactionOutcome(TransactionStatus.TAKEN, order_id)
        if view.state != TransactionState.UNKNOWN:
            return TransactionOutcome(TransactionStatus.FINAL, order_id, view.code)
        if why := self._standing.behind():
            raise Unavailable(why, retry_after_s=LEDGER_RETRY_S)
        return known or TransactionOutcome(TransactionStatus.NEVER_SEEN)


def _known(payment: Payment) -> TransactionOutcome:
    status = {
        PaymentState.SEEN: TransactionStatus.TAKEN,
        PaymentState.FINALISED: TransactionStatus.FINAL,
        PaymentState.REFUSED: TransactionStatus.REFUSED,
    }[payment.state]
    return TransactionOutcome(status, payment.order_id, payment.code)
