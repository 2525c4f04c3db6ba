"""A `Transport` in memory: same surface as the real one, no sockets.

A `Hub` joins any number of them. Delivery is in order and at once; a link can be cut and joined.
"""

from dataclasses import dataclass, field

import trio
from trio import TASK_STATUS_IGNORED
from trio_typing import TaskStatus

from ledger.primitives.keys import PublicKey
from node.core.events import Channel
from node.shell.p2p.transport import CHANNELS, Listener, TransportCounters

QUEUE_MAX = 10_000


@dataclass
class Hub:
    """Carries payloads between the transports that joined it."""

    members: dict[PublicKey, "MemoryTransport"] = field(default_factory=dict)
    cut: set[frozenset[PublicKey]] = field(default_factory=set)

    def linked(self, one: PublicKey, other: PublicKey) -> bool:
        """Tell whether two members can reach each other."""
        known = one in self.members and other in self.members
        return known and frozenset((one, other)) not in self.cut

    def set_link(self, one: PublicKey, other: PublicKey, *, up: bool) -> None:
        """Cut or join two members, and let both know."""
        (self.cut.discard if up else self.cut.add)(frozenset((one, other)))
        for here, there in ((one, other), (other, one)):
            listener = self.members[here].listener
            if listener is not None:
                listener.on_peer(there, up=up)


class MemoryTransport:
    """One member of a hub."""

    def __init__(self, hub: Hub, key: PublicKey) -> None:
        self.counters = TransportCounters()
        self.listener: Listener | None = None
        self._hub, self._key = hub, key
        queue = trio.open_memory_channel[tuple[PublicKey, Channel, bytes]](QUEUE_MAX)
        self.inbox, self._out = queue

    async def run(
        self, listener: Listener, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED
    ) -> None:
        """Join the hub until cancelled."""
        self.listener = listener
        self._hub.members[self._key] = self
        for other in list(self._hub.members):
            if other != self._key:
                self._hub.set_link(self._key, other, up=True)
        task_status.started()
        try:
            async for peer, channel, payload in self._out:
                await listener.on_message(peer, channel, payload)
        finally:
            del self._hub.members[self._key]
            self.inbox.close()
            self._out.close()

    def send(self, peer: PublicKey, channel: Channel, payload: bytes) -> bool:
        """Deliver a payload if the peer can be reached."""
        assert len(payload) <= CHANNELS[channel].frame_bytes_max
        if not self._hub.linked(self._key, peer):
            return False
        try:
            self._hub.members[peer].inbox.send_nowait((self._key, channel, payload))
        except trio.WouldBlock:
            self.counters.dropped += 1
            return False
        return True

    def broadcast(self, channel: Channel, payload: bytes) -> None:
        """Deliver a payload to all that can be reached."""
        for peer in list(self._hub.members):
            if peer != self._key:
                self.send(peer, channel, payload)

    def peers_up(self) -> frozenset[PublicKey]:
        """Name the members that can be reached."""
        return frozenset(k for k in self._hub.members if self._hub.linked(self._key, k)) - {
            self._key
        }
