"""A plant's lease: which of an MMU's gateways acts for it (docs/spec/minting.md §3.10).

Pure: words go in by `hear`, come out of `tick`, and every time is this gateway's own.

- A gateway believes that it holds a plant once its own word came *back* from the broker, for
  `lease_ms` from when it was sent. So the broker's order decides, and who is cut off stops alone.
- It takes a plant over when no new word came for twice `lease_ms` (a standby: three times), by a
  word of a higher term. Whoever hears a word above its own stops at once.

Invariant: a holder's belief ends at most `lease_ms` after another's take reached the broker.
"""

from dataclasses import dataclass, field
from typing import Final

from iot_minting.wire.leases import NOBODYS, Lease
from ledger.primitives.keys import PublicKey

RENEWALS: Final = 3
"""A lease is renewed so often before it would end."""


@dataclass(frozen=True, slots=True)
class LeaseRules:
    """Whose leases these are, and how long they last."""

    holder: PublicKey
    lease_ms: int
    standby: bool = False
    """Lets others take a free plant first."""

    @property
    def patience_ms(self) -> int:
        """Tell after how much silence a plant is taken: more than a lease after it ended."""
        return (3 if self.standby else 2) * self.lease_ms


@dataclass(slots=True)
class PlantLease:
    """What one gateway knows of one plant's lease."""

    rules: LeaseRules
    _online: bool = False
    _known: Lease = NOBODYS
    _heard_ms: int = 0
    _next_ms: int = 0
    _held_until_ms: int = 0
    _sent_ms: dict[Lease, int] = field(default_factory=dict)
    """Words that did not come back yet, by when they were sent: at most those of one lease."""

    def connect(self, now_ms: int) -> None:
        """Begin to listen: silence counts from now on."""
        self._online = True
        self._heard_ms = self._next_ms = now_ms

    def disconnect(self) -> None:
        """Stop acting, for the broker is away; what was sent over it says nothing any more."""
        self._online = False
        self._held_until_ms = 0
        self._sent_ms.clear()

    def holds(self, now_ms: int) -> bool:
        """Tell whether this gateway may act for the plant."""
        return self._online and now_ms < self._held_until_ms

    def hear(self, lease: Lease, now_ms: int) -> None:
        """Take a word in, one's own that comes back too. What is not above the known is old."""
        if lease <= self._known:
            return
        self._known, self._heard_ms = lease, now_ms
        sent_ms = self._sent_ms.pop(lease, None)
        self._held_until_ms = 0 if sent_ms is None else sent_ms + self.rules.lease_ms

    def tick(self, now_ms: int) -> Lease | None:
        """Give what is to be said now, if anything."""
        if not self._online or now_ms < self._next_ms:
            return None
        ours = self._known.holder == self.rules.holder
        if not ours and now_ms - self._heard_ms < self.rules.patience_ms:
            return None
        self._next_ms = now_ms + self.rules.lease_ms // RENEWALS
        last_ms = max((self._known.until_ms, *(each.until_ms for each in self._sent_ms)))
        until_ms = max(now_ms + self.rules.lease_ms, last_ms + 1)
        lease = Lease(self._known.term + (not ours), self.rules.holder, until_ms)
        self._sent_ms = {
            each: at_ms
            for each, at_ms in self._sent_ms.items()
            if now_ms - at_ms < self.rules.lease_ms
        }
        self._sent_ms[lease] = now_ms
        return lease
