"""What waits for the machine: four lanes, and in each a queue for everyone who puts into it.

Own events go first, then consensus, always: a vote never stands behind a flood of transactions.
Within a lane everyone has a turn, and order holds among the events of one peer. So a peer that
sends what is expensive to refuse delays itself alone: its queue fills, and slows the channel that
it is read from, and no other.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

import trio

from ledger.primitives.committee import Member
from node.core.events import Channel, Event, PeerDown, PeerMessage, PeerUp, Submit

QUEUE_BYTES_MAX: Final = 1024 * 1024
"""A source with so much waiting in a lane must wait; its last event may go beyond."""
BATCH_MAX: Final = 64
"""The most events handled in one turn: one sync of the journal serves them all."""
_EVENT_BYTES: Final = 128
"""What an event counts beside its payload."""


class Lane(IntEnum):
    """How soon an event is taken."""

    OWN = 0
    URGENT = 1
    SYNC = 2
    TRANSACTIONS = 3


@dataclass(slots=True, eq=False)
class _Queue:
    """What one source has waiting in one lane, and who waits to add to it."""

    events: deque[Event] = field(default_factory=deque)
    bytes: int = 0
    parked: trio.lowlevel.ParkingLot = field(default_factory=trio.lowlevel.ParkingLot)


def lane_of(event: Event) -> Lane:
    """Say which lane an event takes."""
    match event:
        case PeerMessage(channel=Channel.SYNC):
            return Lane.SYNC
        case PeerMessage(channel=Channel.TRANSACTIONS) | Submit():
            return Lane.TRANSACTIONS
        case PeerMessage() | PeerUp() | PeerDown():
            return Lane.URGENT
        case _:
            return Lane.OWN


def _source_of(event: Event) -> Member | None:
    """Say whose turn an event takes: a peer's, or that of this node and its clients."""
    match event:
        case PeerMessage(peer=peer) | PeerUp(peer=peer) | PeerDown(peer=peer):
            return peer
        case _:
            return None


def _size_of(event: Event) -> int:
    match event:
        case PeerMessage(payload=payload):
            return _EVENT_BYTES + len(payload)
        case Submit(raws=raws):
            return _EVENT_BYTES + sum(map(len, raws))
        case _:
            return _EVENT_BYTES


class Inbox:
    """Bounded queues of events with one taker."""

    def __init__(self) -> None:
        self._queues: dict[tuple[Lane, Member | None], _Queue] = {}
        self._turns: dict[Lane, deque[_Queue]] = {lane: deque() for lane in Lane}
        """The queues in which something waits, the next one first."""
        self._arrived = trio.Event()

    async def put(self, event: Event) -> None:
        """Add an event; wait for room in its queue."""
        queue = self._queue_of(event)
        while queue.bytes >= QUEUE_BYTES_MAX:
            await queue.parked.park()
        self.put_now(event)

    def put_now(self, event: Event) -> None:
        """Add an event of a kind that is bounded where it comes from."""
        queue = self._queue_of(event)
        if not queue.events:
            self._turns[lane_of(event)].append(queue)
        queue.events.append(event)
        queue.bytes += _size_of(event)
        self._arrived.set()

    def _queue_of(self, event: Event) -> _Queue:
        return self._queues.setdefault((lane_of(event), _source_of(event)), _Queue())

    def take(self) -> Event | None:
        """Give an event of the most urgent lane, of the source whose turn it is, or None."""
        turns = next(filter(None, self._turns.values()), None)
        if turns is None:
            return None
        queue = turns.popleft()
        event = queue.events.popleft()
        queue.bytes -= _size_of(event)
        if queue.events:
            turns.append(queue)
        if queue.bytes < QUEUE_BYTES_MAX:
            queue.parked.unpark_all()
        return event

    async def wait(self, timeout_s: float) -> None:
        """Wait until something is there, at most `timeout_s`. Always a checkpoint."""
        await trio.lowlevel.checkpoint()
        if any(self._turns.values()):
            return
        self._arrived = trio.Event()
        with trio.move_on_after(timeout_s):
            await self._arrived.wait()
