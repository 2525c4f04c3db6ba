"""What wallets sign that pays no order: mandates, offers, gifts. It is handed to a node as it is.

Nothing of it is kept here, so a fault on the way is told as one, and the same bytes may be sent
again for ever: a transaction takes effect once at most. A payment of an order of ours has a door
of its own, behind which it is written down before it is handed over.
"""

from sqlalchemy.ext.asyncio import AsyncEngine

from api.chain.node_port import NodePort
from api.chain.tip import SettledTip
from api.errors import Unavailable, Unprocessable
from api.orders.store import is_a_reference
from api.payments.checking import LATER_CODES, USED_NONCE_CODES, check_signatures, refusal_of
from api.payments.outcomes import TransactionStatus
from ledger.types.transaction import Transaction
from ledger.types.transfer import Transfer
from node.client.errors import ClientFault
from node.client.views import TransactionState

RETRY_S = 1


class TransactionDesk:
    """Hands transactions of wallets to a node."""

    def __init__(self, engine: AsyncEngine, node: NodePort, tip: SettledTip) -> None:
        self._engine, self._node, self._tip = engine, node, tip

    async def submit(self, raw: bytes, transaction: Transaction) -> TransactionStatus:
        """Hand a transaction in; tell whether it waits or is final.

        Raise `Unprocessable` for one that can't take effect, `Unavailable` for one of which nobody
        knows yet whether a node has it.
        """
        await self._check(transaction)
        try:
            (told,) = await self._node.submit([raw])
            if told.code in LATER_CODES:
                raise Unavailable(
                    "the node's pool is full: send the same bytes again",
                    code="LEDGER_BUSY",
                    retry_after_s=RETRY_S,
                )
            fault = refusal_of(told)
            if fault is None:
                return TransactionStatus.TAKEN
            if told.code in USED_NONCE_CODES:
                # By this very transaction, if it was handed in before.
                view = await self._node.transaction(transaction.id)
                if view.state is TransactionState.PENDING:
                    return TransactionStatus.TAKEN
                if view.state is not TransactionState.UNKNOWN:
                    return TransactionStatus.FINAL
        except ClientFault as silence:
            raise Unavailable(
                f"no node has said that it took this: send the same bytes again ({silence})",
                retry_after_s=RETRY_S,
            ) from silence
        raise fault

    async def _check(self, transaction: Transaction) -> None:
        """Raise what a node would say, and whether it is a payment of an order."""
        chain_id = self._tip.cursor.chain_id
        if not chain_id:
            raise Unavailable("no node has answered yet", retry_after_s=RETRY_S)
        if transaction.intent.chain_id != chain_id:
            raise Unprocessable("the transaction is for another chain", code="WRONG_CHAIN")
        check_signatures(transaction)
        body = transaction.intent.body
        if isinstance(body, Transfer):
            async with self._engine.connect() as connection:
                if await is_a_reference(connection, body.reference):
                    raise Unprocessable(
                        "this pays an order: post it to the order's payment", code="IS_A_PAYMENT"
                    )
