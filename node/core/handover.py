"""The seam between two epochs: early messages are kept, and late peers are told.

Nodes don't enter an epoch in the same instant. The first leader's proposal may be here before the
last block of the epoch before is final; without it the view would be lost. A peer that still speaks
of an epoch that is over lacks the finalization of its last block.
"""

from collections import Counter, defaultdict
from typing import Final

from consensus.messages import Certificate, Message, Vote
from ledger.primitives.committee import Member
from ledger.primitives.votes import VoteKind

EARLY_MAX: Final = 64
"""Messages of the next epoch kept of one peer; those beyond are lost."""
EARLY_BYTES_MAX: Final = 16 * 1024 * 1024
"""And of all peers together."""
EARLY_PEER_BYTES_MAX: Final = 4 * 1024 * 1024
"""And of one: a proposal of the greatest size fits, and no peer takes all the room."""


class Handover:
    """What waits for the next epoch, who is there already, and who was told lately."""

    def __init__(self, patience_ms: int) -> None:
        self._patience_ms = patience_ms
        self._early: dict[Member, list[Message]] = defaultdict(list)
        self._early_bytes = 0
        self._peer_bytes: Counter[Member] = Counter()
        self._ahead: set[Member] = set()
        self._told_ms: dict[Member, int] = {}
        self.due_ms: int | None = None
        """When those ahead are believed to be, unless the epoch ends here before."""

    def keep(self, peer: Member, message: Message, size: int) -> None:
        """Keep a message of the next epoch, if there is room."""
        waiting, taken = self._early[peer], self._peer_bytes[peer] + size
        fits = taken <= EARLY_PEER_BYTES_MAX and self._early_bytes + size <= EARLY_BYTES_MAX
        if len(waiting) < EARLY_MAX and fits:
            waiting.append(message)
            self._early_bytes += size
            self._peer_bytes[peer] = taken

    def saw_ahead(self, peer: Member, now_ms: int) -> None:
        """Note that a peer speaks of a later epoch. Most often this node is about to enter it."""
        self._ahead.add(peer)
        if self.due_ms is None:
            self.due_ms = now_ms + self._patience_ms

    def outran(self, now_ms: int) -> list[Member]:
        """Name those ahead, once, when there was time enough to follow."""
        if self.due_ms is None or now_ms < self.due_ms:
            return []
        ahead, self.due_ms = sorted(self._ahead), None
        self._ahead.clear()
        return ahead

    def may_tell(self, peer: Member, now_ms: int) -> bool:
        """Tell whether a late peer may be answered: once in a while, whatever it sends."""
        last_ms = self._told_ms.get(peer)
        if last_ms is not None and now_ms < last_ms + self._patience_ms:
            return False
        self._told_ms[peer] = now_ms
        return True

    def begin(self) -> list[tuple[Member, Message]]:
        """The next epoch begins: give what was kept for it."""
        kept = [(peer, message) for peer in sorted(self._early) for message in self._early[peer]]
        self._early.clear()
        self._peer_bytes.clear()
        self._early_bytes = 0
        self._ahead.clear()
        self.due_ms = None
        return kept


def is_parting(message: Message) -> bool:
    """Tell whether a message of an epoch that is over shows that its sender can end it, too."""
    kind = message.subject.kind if isinstance(message, Vote | Certificate) else None
    return kind is VoteKind.FINALIZE
