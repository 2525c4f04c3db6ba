"""Everything in a worker that listens: waits, pages, and the feed of the outbox that wakes them."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from api.chain.follower import SETTLED_CHANNEL
from api.chain.tip import SettledTip
from api.db.address import DatabaseAddress
from api.events.board import Board
from api.events.feed import OutboxFeed
from api.events.hub import Hub
from api.events.outbox import StoredEvent
from api.events.waiters import Waiters
from api.payments.settlement import Settled

SUBMITTED: Final = "payment.submitted"
"""Who waits for a transaction knows that it is on its way."""


class Live:
    """Who listens in this worker, and what they hear."""

    def __init__(self, engine: AsyncEngine, tip: SettledTip, board: Board) -> None:
        self.waiters = Waiters()
        self.hub = Hub(engine, board.pulse)
        self.feed = OutboxFeed(engine, tip, self._watched, self._heard)

    async def listen(self, address: DatabaseAddress) -> None:
        """Hear of what other workers settle, until cancelled."""
        await self.feed.listen(address, SETTLED_CHANNEL)

    def _watched(self) -> bool:
        return bool(len(self.waiters) or self.hub.count)

    def _heard(self, events: Sequence[StoredEvent]) -> None:
        """Tell everyone in this worker what happened."""
        self.hub.publish(events)
        for event in events:
            self.waiters.wake((event.subject_id,))
            if event.tx_hash is not None and event.kind != SUBMITTED:
                self.waiters.wake((event.tx_hash,))

    def settled(self, settled: Settled) -> None:
        """Wake who waits for what this worker settled itself, before the feed comes round."""
        self.waiters.wake(settled.tx_hashes)
        self.waiters.wake(settled.order_ids)
        if settled.tx_hashes:
            self.feed.poke()

    def close(self) -> None:
        """Let nobody wait any longer: the service ends."""
        self.hub.close()
        self.waiters.close()
