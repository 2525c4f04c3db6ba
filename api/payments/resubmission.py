"""Payments on their way are handed in again until their outcome is known.

Every few seconds what is not settled yet goes to a node once more, from the bytes that were written
down when it was taken. It ends in one of two ways, both told by the chain: the follower settles it,
or the follower has settled every block that it could have come into. In between nothing is guessed.

A transaction whose nonce a final one of its sender's used can't come into a block either: that
final one is looked up on the chain, and then this one is over as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from api.chain.node_port import NodePort
from api.db.statements import text
from api.errors import ApiFault, Unprocessable
from api.payments.checking import USED_NONCE_CODES
from api.payments.submission import mark_refused
from ledger.types.transaction import decode_transaction
from node.client.views import TransactionState

AGAIN_MS: Final = 5_000
"""How old a payment on its way is before it is handed in again, and how often that happens."""
BATCH_MAX: Final = 500
"""How many are read and handed in at a time, and no more of them are in memory."""


@dataclass(frozen=True, slots=True)
class OnItsWay:
    """A payment that is not settled."""

    tx_hash: bytes
    raw: bytes
    valid_until_height: int
    seen_ms: int


class Resubmitter:
    """Hands payments in again."""

    def __init__(self, engine: AsyncEngine, node: NodePort) -> None:
        self._engine = engine
        self._node = node

    async def run_once(self, settled_height: int, now_ms: int) -> list[str]:
        """Do one round over all that is on its way; give the ids of orders that are free again."""
        freed: list[str] = []
        page = await read_waiting(self._engine, now_ms - AGAIN_MS)
        while page:
            freed += await self._go_over(page, settled_height, now_ms)
            page = await read_waiting(self._engine, now_ms - AGAIN_MS, page[-1])
        return freed

    async def _go_over(
        self, waiting: Sequence[OnItsWay], settled_height: int, now_ms: int
    ) -> list[str]:
        """End what no block can take any more, and hand in the rest."""
        over: dict[bytes, ApiFault] = {
            payment.tx_hash: Unprocessable("no block took it in time", code="TRANSACTION_EXPIRED")
            for payment in waiting
            if settled_height >= payment.valid_until_height
        }
        left = [payment for payment in waiting if payment.tx_hash not in over]
        if left:
            over |= await self._hand_in(left)
        return await mark_refused(self._engine, over, now_ms) if over else []

    async def _hand_in(self, payments: Sequence[OnItsWay]) -> dict[bytes, ApiFault]:
        """Hand payments in; give those that never come into a block, and why."""
        said = await self._node.submit([payment.raw for payment in payments])
        over: dict[bytes, ApiFault] = {}
        for payment, told in zip(payments, said, strict=True):
            if told.code in USED_NONCE_CODES and await self._lost_its_nonce(payment):
                over[payment.tx_hash] = Unprocessable(
                    "another transaction of its sender used its nonce", code="NONCE_USED"
                )
        return over

    async def _lost_its_nonce(self, payment: OnItsWay) -> bool:
        """Tell whether another final transaction of the sender bears this nonce."""
        intent = decode_transaction(payment.raw).intent
        sender = intent.sender.address()
        for tx_hash in await self._node.history(sender):
            view = await self._node.transaction(tx_hash)
            if view.state != TransactionState.FINAL or tx_hash == payment.tx_hash:
                continue
            other = decode_transaction(view.raw)
            if other.sender == sender and other.intent.nonce == intent.nonce:
                return True
        return False


async def read_waiting(
    engine: AsyncEngine, before_ms: int, after: OnItsWay | None = None
) -> list[OnItsWay]:
    """List the next payments that are on their way since before a time, the oldest first."""
    async with engine.connect() as connection:
        rows = await connection.execute(
            text("""
                SELECT tx_hash, raw, valid_until_height, seen_ms FROM payments
                WHERE state = 'seen' AND seen_ms < :before
                    AND (seen_ms, tx_hash) > (:seen, CAST(:hash AS bytea))
                ORDER BY seen_ms, tx_hash LIMIT :limit
            """),
            {
                "before": before_ms,
                "seen": -1 if after is None else after.seen_ms,
                "hash": b"" if after is None else after.tx_hash,
                "limit": BATCH_MAX,
            },
        )
        return [OnItsWay(row.tx_hash, row.raw, row.valid_until_height, row.seen_ms) for row in rows]
