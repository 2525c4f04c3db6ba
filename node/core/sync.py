"""Block sync: how a node that was away gets the finalized blocks it missed.

A peer's status is a claim and only picks whom to ask. A reply is believed because of its
certificate: the finalization of its last block, from which parent hashes lead back to what this
node has. One request is under way at a time; a silent peer is passed over for the next.
"""

from dataclasses import dataclass
from typing import Final

from consensus.messages import MESSAGE_BYTES_MAX, Certificate
from ledger.primitives.codec import decode
from ledger.primitives.committee import Member
from ledger.store.chain import ChainStore
from node.core.effects import Effect, SendTo
from node.core.events import Channel
from node.core.wire import (
    SYNC_BLOCKS_MAX,
    SYNC_REPLY_BYTES_MAX,
    Blocks,
    GetBlocks,
    Pruned,
    Status,
    encode_sync,
)

REPLY_TIMEOUT_MS: Final = 2_000
RATION_MS: Final = 1_000
RATION_BYTES: Final = 8_000_000
"""Once a peer got so much within `RATION_MS` it waits: nobody applies blocks any faster."""


@dataclass(frozen=True, slots=True)
class _Request:
    peer: Member
    deadline_ms: int


def serve(store: ChainStore, first: int, height: int, last: int) -> Blocks | Pruned | None:
    """Collect blocks from `first` up to one that has a finalization; None if there are none.

    None goes past `last`, the end of an epoch: whoever asks knows the committee of that alone. A
    node that pruned them says so: silence would look like a dead peer, and be asked again.
    """
    if 0 < first < store.kept_from:
        return Pruned(store.kept_from)
    blocks: list[bytes] = []
    end, finalization, size = 0, b"", 0
    for at in range(first, min(last, height, first + SYNC_BLOCKS_MAX - 1) + 1):
        found = store.block(at)
        if found is None:
            break
        blocks.append(found.raw)
        size += len(found.raw)
        if found.finalization:
            end, finalization = len(blocks), found.finalization
        if size >= SYNC_REPLY_BYTES_MAX:
            break
    if not finalization:
        return None
    certificate = decode(finalization, Certificate, MESSAGE_BYTES_MAX)
    return Blocks(tuple(blocks[:end]), certificate, height)


class Sync:
    """Whom to ask for blocks, and when to ask the next."""

    def __init__(self) -> None:
        self._claims: dict[Member, int] = {}
        self._vain: dict[Member, int] = {}
        """How often each was asked in vain since it last was of use: those least go first."""
        self._request: _Request | None = None

    @property
    def deadline_ms(self) -> int | None:
        """Give the time at which the peer that was asked counts as silent."""
        return None if self._request is None else self._request.deadline_ms

    def heard(self, peer: Member, height: int) -> None:
        """Note a peer's claim of its finalized height."""
        self._claims[peer] = max(height, self._claims.get(peer, 0))

    def gone(self, peer: Member) -> None:
        """Forget a peer whose connection ended."""
        self._claims.pop(peer, None)
        if self._request is not None and self._request.peer == peer:
            self._request = None

    def expects(self, peer: Member) -> bool:
        """Tell whether a reply of this peer was asked for; it settles the request."""
        if self._request is None or self._request.peer != peer:
            return False
        self._request = None
        return True

    def disappointed(self, peer: Member) -> None:
        """A peer's reply was of no use, or none came: believe its claim no longer."""
        self._claims.pop(peer, None)
        self._vain[peer] = self._vain.get(peer, 0) + 1

    def pleased(self, peer: Member, height: int) -> None:
        """A peer's reply held blocks; it claims to have them up to this height."""
        self._vain.pop(peer, None)
        self.heard(peer, height)

    def step(self, height: int, now_ms: int) -> list[Effect]:
        """Ask a peer that claims more than we have, if none is asked.

        First those that were asked least in vain, so that one that is dead, or lies, is passed
        over even if it goes on being named; then those that claim most.
        """
        if self._request is not None:
            if now_ms < self._request.deadline_ms:
                return []
            self.disappointed(self._request.peer)
            self._request = None
        ahead = [
            (-self._vain.get(peer, 0), claim, peer)
            for peer, claim in self._claims.items()
            if claim > height
        ]
        if not ahead:
            return []
        *_, peer = max(ahead)
        self._request = _Request(peer, now_ms + REPLY_TIMEOUT_MS)
        return [SendTo(peer, Channel.SYNC, encode_sync(GetBlocks(height + 1)))]


class Ration:
    """What each peer got of late, so that none can make this node read its disk without end."""

    def __init__(self) -> None:
        self._spent: dict[Member, tuple[int, int]] = {}

    def is_spent(self, peer: Member, now_ms: int) -> bool:
        """Tell whether a peer has had its share for now."""
        since_ms, got = self._spent.get(peer, (now_ms, 0))
        if now_ms >= since_ms + RATION_MS:
            del self._spent[peer]
            return False
        return got >= RATION_BYTES

    def spend(self, peer: Member, size: int, now_ms: int) -> None:
        """Note what a peer got."""
        since_ms, got = self._spent.get(peer, (now_ms, 0))
        self._spent[peer] = (since_ms, got + size)


def status_to(peer: Member, height: int) -> SendTo:
    """Tell a peer how far this node is."""
    return SendTo(peer, Channel.SYNC, encode_sync(Status(height)))
