"""What the service needs of a network, and nothing of how it is done.

A transport carries payloads between this validator and the others, named by their vote keys. It
is at-most-once: a payload may be lost when a queue is full or a connection ends, and order holds
within one (peer, channel) while a connection lives. Consensus resends what matters (spec §1 R10).
It authenticates: a payload said to come from a key came from the holder of that peer's network key.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

from trio import TASK_STATUS_IGNORED
from trio_typing import TaskStatus

from ledger.primitives.keys import PublicKey
from node.core.events import Channel

MIB: Final = 1024 * 1024


class Drop(Enum):
    """What a full outbox gives up."""

    OLDEST = "oldest"
    NEWEST = "newest"


@dataclass(frozen=True, slots=True)
class ChannelLimits:
    """The bounds of one channel to one peer."""

    frame_bytes_max: int
    outbox_bytes_max: int
    drop: Drop


CHANNELS: Final[dict[Channel, ChannelLimits]] = {
    # Votes grow stale and are sent again, so the newest are worth most.
    Channel.CONSENSUS: ChannelLimits(4 * MIB, 16 * MIB, Drop.OLDEST),
    # The sender keeps its transactions; those queued first have waited longest.
    Channel.TRANSACTIONS: ChannelLimits(2 * MIB, 8 * MIB, Drop.NEWEST),
    # `send` answers False: the one who syncs asks again.
    Channel.SYNC: ChannelLimits(4 * MIB, 16 * MIB, Drop.NEWEST),
}


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """Where another validator is: its vote key, the key its host proves, a multiaddr."""

    vote_key: PublicKey
    network_key: PublicKey
    address: str


@dataclass(slots=True)
class TransportCounters:
    """What happened since the start, for metrics."""

    sent_bytes: int = 0
    received_bytes: int = 0
    dropped: int = 0
    refused: int = 0
    """Connections of strangers."""
    broken: int = 0
    """Streams and connections that ended by a fault of the peer's or the network's."""


class Listener(Protocol):
    """Who hears of messages and peers. Called from the transport's tasks, on the same loop."""

    async def on_message(self, peer: PublicKey, channel: Channel, payload: bytes) -> None:
        """Take a payload. To wait here is to slow this peer's channel down, and no other."""

    def on_peer(self, peer: PublicKey, *, up: bool) -> None:
        """Learn that a peer can be reached, or no longer."""


class Transport(Protocol):
    """Sends payloads of at most `CHANNELS[channel].frame_bytes_max` bytes to other validators."""

    @property
    def counters(self) -> TransportCounters:
        """Give the counts since the start."""

    async def run(
        self,
        listener: Listener,
        *,
        task_status: TaskStatus[None] = TASK_STATUS_IGNORED,
    ) -> None:
        """Listen and keep connected until cancelled; `started()` once it listens."""

    def send(self, peer: PublicKey, channel: Channel, payload: bytes) -> bool:
        """Queue a payload for one peer; False if it was dropped at once."""

    def broadcast(self, channel: Channel, payload: bytes) -> None:
        """Queue a payload for every other validator."""

    def peers_up(self) -> frozenset[PublicKey]:
        """Name the peers that can be reached now."""
