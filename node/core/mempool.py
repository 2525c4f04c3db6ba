"""Transactions that wait for a block, kept by sender and nonce.

Only transactions with good signatures that passed the ledger's check come in. A sender's
transactions leave in the order of their nonces; senders take turns in the order in which their
oldest transaction came. Everything is bounded: what does not fit is refused with a reason, never
silently dropped.
"""

from collections import Counter
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address
from ledger.types.transaction import Transaction, TxId, basket_of

COUNT_MAX: Final = 20_000
BYTES_MAX: Final = 64_000_000
PER_SENDER_MAX: Final = 1_024
NONCE_AHEAD_MAX: Final = 64
"""How far past the next expected nonce a transaction may wait for those before it."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One transaction in the pool."""

    id: TxId
    transaction: Transaction
    raw: bytes
    sender: Address
    arrived_ms: int


@dataclass(slots=True)
class Queue:
    """One sender's transactions; `next_nonce` is what the finalized state expects."""

    next_nonce: int
    by_nonce: dict[int, Waiting] = field(default_factory=dict)

    def expected(self) -> int:
        """Give the first nonce from `next_nonce` on that nothing here holds."""
        nonce = self.next_nonce
        while nonce in self.by_nonce:
            nonce += 1
        return nonce


class PoolFault(Exception):
    """The pool refuses a transaction. `code` is stable, the text says what to do."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class Mempool:
    """The waiting transactions of one node."""

    def __init__(self) -> None:
        self._queues: dict[Address, Queue] = {}
        self._ids: dict[TxId, Waiting] = {}
        self._ready: dict[TxId, Waiting] = {}
        self._bytes = 0
        self._redeemed_units: Counter[Hash] = Counter()

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, txid: TxId) -> bool:
        return txid in self._ids

    def get(self, txid: TxId) -> Waiting | None:
        """Find a waiting transaction."""
        return self._ids.get(txid)

    def expected_nonce(self, sender: Address, state_nonce: int) -> int:
        """Give the nonce that the sender's next transaction should bear."""
        queue = self._queues.get(sender)
        return state_nonce if queue is None else queue.expected()

    def reserved_units(self, lot: Hash) -> int:
        """Count what waiting transactions would redeem of a lot or product lot, by its own id."""
        return self._redeemed_units[lot]

    def add(self, waiting: Waiting, state_nonce: int) -> None:
        """Take a checked transaction in; raise `PoolFault` if it has no place."""
        if waiting.id in self._ids:
            raise PoolFault("already_known", "this transaction waits already: nothing to do")
        if len(self._ids) >= COUNT_MAX or self._bytes + len(waiting.raw) > BYTES_MAX:
            raise PoolFault("pool_full", "the node's pool is full: try again in a second")
        queue = self._queues.get(waiting.sender) or Queue(state_nonce)
        nonce, expected = waiting.transaction.intent.nonce, queue.expected()
        if nonce in queue.by_nonce:
            raise PoolFault("nonce_taken", f"another transaction with nonce {nonce} waits already")
        if not queue.next_nonce <= nonce <= expected + NONCE_AHEAD_MAX:
            raise PoolFault("bad_nonce", f"nonce {nonce} where {expected} is next: sign it anew")
        if len(queue.by_nonce) >= PER_SENDER_MAX:
            raise PoolFault("too_many_waiting", f"{PER_SENDER_MAX} of this sender wait already")
        self._queues.setdefault(waiting.sender, queue).by_nonce[nonce] = waiting
        self._ids[waiting.id] = waiting
        self._bytes += len(waiting.raw)
        for part in basket_of(waiting.transaction.intent.body):
            self._redeemed_units[part.lot] += part.units
        if nonce == expected:
            self._note_ready(queue, nonce)

    def queues(self) -> Iterator[tuple[Address, Mapping[int, Waiting]]]:
        """Walk the senders, each with its waiting transactions by nonce, oldest sender first."""
        return ((sender, queue.by_nonce) for sender, queue in self._queues.items())

    def has_ready(self, besides: Container[TxId]) -> bool:
        """Tell whether a transaction waits that could go now and is not among `besides`."""
        return any(txid not in besides for txid in reversed(self._ready))

    def finalized(self, sender: Address, nonce: int) -> None:
        """A transaction of the sender with this nonce is final: forget it and all before it."""
        queue = self._queues.pop(sender, None)
        if queue is None:
            return
        queue.next_nonce = max(queue.next_nonce, nonce + 1)
        for stale in [n for n in queue.by_nonce if n < queue.next_nonce]:
            self._forget(queue.by_nonce.pop(stale))
        if queue.by_nonce:
            self._queues[sender] = queue  # Behind the others: senders take turns.
            self._note_ready(queue, queue.next_nonce)

    def drop(self, txid: TxId) -> None:
        """Forget one transaction that can't be included any more."""
        waiting = self._ids.get(txid)
        if waiting is None:
            return
        queue = self._queues[waiting.sender]
        del queue.by_nonce[waiting.transaction.intent.nonce]
        for later in queue.by_nonce.values():
            if later.transaction.intent.nonce > waiting.transaction.intent.nonce:
                self._ready.pop(later.id, None)
        if not queue.by_nonce:
            del self._queues[waiting.sender]
        self._forget(waiting)

    def expire(self, height: int) -> None:
        """Forget what may not stand in a block of this height or later."""
        gone = [
            w.id for w in self._ids.values() if w.transaction.intent.valid_until_height < height
        ]
        for txid in gone:
            self.drop(txid)

    def _note_ready(self, queue: Queue, nonce: int) -> None:
        """Count as ready the unbroken run of nonces that begins here."""
        while (waiting := queue.by_nonce.get(nonce)) is not None:
            self._ready[waiting.id] = waiting
            nonce += 1

    def _forget(self, waiting: Waiting) -> None:
        del self._ids[waiting.id]
        self._ready.pop(waiting.id, None)
        self._bytes -= len(waiting.raw)
        for part in basket_of(waiting.transaction.intent.body):
            self._redeemed_units[part.lot] -= part.units
            if not self._redeemed_units[part.lot]:
                del self._redeemed_units[part.lot]
