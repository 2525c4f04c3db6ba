"""The partner's question, answered: from what is settled, from a node for what is not known here.

Nothing is denied while the ledger can't be read: that is `Unavailable`, never "not valid".
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final

from api.chain.node_port import NodePort
from api.chain.standing import ChainStanding
from api.chain.tip import SettledTip
from api.errors import Unavailable
from api.events.waiters import Waiters
from api.payments.model import Payment, PaymentState
from api.payments.validation import (
    UNCONFIRMED,
    PaymentBook,
    Question,
    ValidationAnswer,
    judge,
)
from ledger.types.transaction import decode_transaction
from ledger.types.transfer import Transfer
from node.client.errors import ClientFault
from node.client.views import TransactionState, TransactionView

LEDGER_RETRY_S: Final = 2
"""How soon to come back while the ledger is behind: it is looked at once a second."""

FindPayment = Callable[[bytes], Awaitable[Payment | None]]


class PaymentJudge:
    """Answers validations."""

    def __init__(
        self,
        find: FindPayment,
        book: PaymentBook,
        node: NodePort,
        tip: SettledTip,
        standing: ChainStanding,
        waiters: Waiters,
    ) -> None:
        self._find = find
        self._book = book
        self._node = node
        self._tip = tip
        self._standing = standing
        self._waiters = waiters

    async def validate(self, merchant_id: str, question: Question, wait_s: int) -> ValidationAnswer:
        """Answer a validation; wait for finality as long as asked; raise `Unavailable`, not lie."""
        end_s = monotonic() + wait_s
        while True:
            # We wait before we look: what becomes final in between is not missed.
            left_s = end_s - monotonic()
            waiting = self._waiters.add(question.tx_hash) if left_s > 0 else None
            try:
                answer = await self._look(merchant_id, question)
                if answer is not UNCONFIRMED or waiting is None:
                    break
                await asyncio.wait((waiting,), timeout=left_s)
            finally:
                if waiting is not None:
                    self._waiters.drop(question.tx_hash, waiting)
        if not answer.valid and (why := self._standing.behind()):
            raise Unavailable(why, retry_after_s=LEDGER_RETRY_S)
        return answer

    async def _look(self, merchant_id: str, question: Question) -> ValidationAnswer:
        """Answer from the database, and ask a node about what it doesn't know."""
        payment = await self._find(question.tx_hash)
        if payment is not None and payment.state is not PaymentState.REFUSED:
            return judge(payment, merchant_id, question)
        try:
            view = await self._node.transaction(question.tx_hash)
        except ClientFault as fault:
            raise Unavailable(f"no node answers: {fault}", retry_after_s=1) from fault
        if not await self._is_payment_to(merchant_id, view):
            return judge(payment, merchant_id, question)
        if view.state != TransactionState.FINAL or self._tip.cursor.height < view.height:
            # Final blocks are settled by the follower alone, in their order: which of two
            # payments of one order came first must not hang on which was asked for first.
            return UNCONFIRMED
        return judge(await self._find(question.tx_hash), merchant_id, question)

    async def _is_payment_to(self, merchant_id: str, view: TransactionView) -> bool:
        """Tell whether what a node shows is for an order of this merchant, or comes to it."""
        if view.state not in (TransactionState.PENDING, TransactionState.FINAL) or not view.raw:
            return False
        body = decode_transaction(view.raw).intent.body
        return isinstance(body, Transfer) and await self._book.is_for(body, merchant_id)
