"""What waits for the machine: three lanes, each bounded in bytes, consensus always first.

Whoever puts into a full lane waits, and so slows the peer or client it reads from, and none other.
A vote never stands behind a flood of transactions: a batch takes the urgent lane first.
"""

from collections import deque
from collections.abc import Sequence
from enum import IntEnum
from typing import Final

import trio

from node.core.events import Channel, Event, PeerMessage, Submit

MIB: Final = 1024 * 1024


class Lane(IntEnum):
    """How soon an event is taken, and how much of its kind may wait."""

    URGENT = 0
    SYNC = 1
    TRANSACTIONS = 2


LANE_BYTES_MAX: Final = {Lane.URGENT: 32 * MIB, Lane.SYNC: 16 * MIB, Lane.TRANSACTIONS: 16 * MIB}
BATCH_MAX: Final = 64
"""The most events taken at once: one sync of the journal serves them all."""
_EVENT_BYTES: Final = 128
"""What an event counts beside its payload."""


def lane_of(event: Event) -> Lane:
    """Say which lane an event takes."""
    match event:
        case PeerMessage(channel=Channel.SYNC):
            return Lane.SYNC
        case PeerMessage(channel=Channel.TRANSACTIONS) | Submit():
            return Lane.TRANSACTIONS
        case _:
            return Lane.URGENT


def _size_of(event: Event) -> int:
    match event:
        case PeerMessage(payload=payload):
            return _EVENT_BYTES + len(payload)
        case Submit(raws=raws):
            return _EVENT_BYTES + sum(map(len, raws))
        case _:
            return _EVENT_BYTES


class Inbox:
    """Bounded lanes of events with one taker."""

    def __init__(self) -> None:
        self._lanes: dict[Lane, deque[Event]] = {lane: deque() for lane in Lane}
        self._bytes = dict.fromkeys(Lane, 0)
        self._arrived = trio.Event()
        self._room = {lane: trio.Event() for lane in Lane}

    async def put(self, event: Event) -> None:
        """Add an event; wait for room in its lane."""
        lane = lane_of(event)
        while self._bytes[lane] >= LANE_BYTES_MAX[lane]:
            await self._room[lane].wait()
        self.put_now(event)

    def put_now(self, event: Event) -> None:
        """Add an event of a kind that is bounded where it comes from."""
        lane = lane_of(event)
        self._lanes[lane].append(event)
        self._bytes[lane] += _size_of(event)
        self._arrived.set()

    def take(self) -> list[Event]:
        """Give what waits, most urgent first, at most `BATCH_MAX`."""
        taken: list[Event] = []
        for lane in Lane:
            events = self._lanes[lane]
            while events and len(taken) < BATCH_MAX:
                event = events.popleft()
                self._bytes[lane] -= _size_of(event)
                taken.append(event)
            if self._bytes[lane] < LANE_BYTES_MAX[lane]:
                self._room[lane].set()
                self._room[lane] = trio.Event()
        return taken

    def put_back(self, events: Sequence[Event]) -> None:
        """Return events that were taken and not handled to the head of their lanes."""
        for event in reversed(events):
            lane = lane_of(event)
            self._lanes[lane].appendleft(event)
            self._bytes[lane] += _size_of(event)

    async def wait(self, timeout_s: float) -> None:
        """Wait until something is there, at most `timeout_s`. Always a checkpoint."""
        await trio.lowlevel.checkpoint()
        if any(self._lanes.values()):
            return
        self._arrived = trio.Event()
        with trio.move_on_after(timeout_s):
            await self._arrived.wait()
