"""How transactions come in: decode, check, verify, pool, and pass on to the other validators.

A client's transaction is answered in the order in which it came, with a code and a reason if it
is refused. A peer's is taken in silently: a refusal there is nobody's news.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import islice
from typing import Final

from ledger.errors.base import LedgerFault
from ledger.primitives.codec import encode
from ledger.primitives.committee import Member
from ledger.primitives.errors import PrimitiveFault
from ledger.primitives.hashing import Domain, digest
from ledger.rules.claims import Claim
from ledger.types.transaction import Transaction, TxId, decode_transaction
from node.client.requests import SUBMIT_MAX
from node.client.views import Submission
from node.core.application import Application
from node.core.effects import Effect, SendAll, SendTo, Submitted
from node.core.events import Channel, Submit
from node.core.mempool import Mempool, PoolFault, Waiting
from node.core.verifier import Verifier, fingerprint
from node.core.wire import GOSSIP_BYTES_MAX, TX_BATCH_MAX, TransactionBatch

GOSSIP_INTERVAL_MS: Final = 40
"""Admitted transactions leave at most this often, in one batch: a message costs more than them."""
GOSSIP_ALL_MAX: Final = 16
"""Up to this many validators a node sends its transactions to all; beyond, to a few."""
GOSSIP_FANOUT: Final = 8
RETOLD_MS: Final = 2_000
"""A transaction that came in here and is not final is told again after so long, and later..."""
RETOLD_MAX_MS: Final = 60_000
"""... after twice as long each time, up to this."""
RETOLD_MAX: Final = 1_000
"""And so many are told to a peer that has just connected."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A transaction that passed every check but that of its signatures."""

    waiting: Waiting
    claims: Sequence[Claim]


class Intake:
    """The way of a transaction from outside into the pool."""

    def __init__(
        self,
        peers: int,
        application: Application,
        mempool: Mempool,
        verifier: Verifier,
        emit: Callable[[Effect], None],
    ) -> None:
        self._relay = peers > GOSSIP_ALL_MAX
        self._application = application
        self._mempool = mempool
        self._verifier = verifier
        self._emit = emit
        self._outgoing: list[bytes] = []
        self._own: list[tuple[int, int, TxId]] = []
        """What came in here, by when it is told again and how long that took: a heap."""
        self._last_flush_ms = 0

    @property
    def deadline_ms(self) -> int | None:
        """Give the time at which the next batch leaves, or None."""
        if self._outgoing:
            return self._last_flush_ms + GOSSIP_INTERVAL_MS
        return self._own[0][0] if self._own else None

    def submit(self, event: Submit, now_ms: int) -> None:
        """Take a client's transactions; `Submitted` follows, at once or after verification."""
        if len(event.raws) > SUBMIT_MAX or self._verifier.full:
            busy = Submission(
                None, "busy", "the node has too much to verify: try again in a second"
            )
            self._emit(Submitted(event.ticket, tuple(busy for _ in event.raws)))
            return
        judged = [self._judge(raw, now_ms) for raw in event.raws]

        def answer(candidates: Sequence[_Candidate], good: Sequence[bool]) -> None:
            verdicts = iter(zip(candidates, good, strict=True))
            submissions = tuple(
                one if isinstance(one, Submission) else self._take_own(*next(verdicts))
                for one in judged
            )
            self._emit(Submitted(event.ticket, submissions))

        self._verify([one for one in judged if isinstance(one, _Candidate)], answer)

    def received(self, batch: TransactionBatch, now_ms: int) -> None:
        """Take a peer's transactions; pass new ones on where not everyone sends to everyone."""
        if self._verifier.full:
            return  # Dropped: the client's own node still holds them and proposes them in its turn.
        judged = [self._judge(raw, now_ms) for raw in batch.transactions]

        def take(candidates: Sequence[_Candidate], good: Sequence[bool]) -> None:
            for candidate, verdict in zip(candidates, good, strict=True):
                self._admit(candidate, verdict, pass_on=self._relay)

        self._verify([one for one in judged if isinstance(one, _Candidate)], take)

    def announce(self, transaction: Transaction, now_ms: int) -> None:
        """Take a transaction of the node's own; if it has no place now, nobody is told.

        It was signed here a moment ago, over proofs that were checked: nothing is left to verify,
        and the next one made finds its nonce taken.
        """
        judged = self._judge(encode(transaction), now_ms)
        if isinstance(judged, _Candidate):
            self._take_own(judged, good=True)

    def _take_own(self, candidate: _Candidate, good: bool) -> Submission:
        """Admit what came in here: this node sees to it that all others know it."""
        submission = self._admit(candidate, good, pass_on=True)
        if not submission.code:
            waiting = candidate.waiting
            heappush(self._own, (waiting.arrived_ms + RETOLD_MS, RETOLD_MS, waiting.id))
        return submission

    def tell_newcomer(self, peer: Member) -> None:
        """Tell a peer that has just connected what came in here and still waits."""
        waiting = (self._mempool.get(txid) for _, _, txid in self._own)
        raws = [one.raw for one in islice(filter(None, waiting), RETOLD_MAX)]
        for batch in cut_batches(raws) if raws else ():
            payload = encode(TransactionBatch(tuple(batch)))
            self._emit(SendTo(peer, Channel.TRANSACTIONS, payload))

    def _tell_again(self, now_ms: int) -> None:
        """Line up what has waited for long: a peer may have been away, or dropped it."""
        while self._own and self._own[0][0] <= now_ms:
            _, wait_ms, txid = heappop(self._own)
            waiting = self._mempool.get(txid)
            if waiting is not None:
                self._outgoing.append(waiting.raw)
                wait_ms = min(2 * wait_ms, RETOLD_MAX_MS)
                heappush(self._own, (now_ms + wait_ms, wait_ms, txid))

    def flush(self, now_ms: int, peers: Collection[Member]) -> None:
        """Send the admitted transactions on, if their time has come."""
        self._tell_again(now_ms)
        if not self._outgoing or now_ms < self._last_flush_ms + GOSSIP_INTERVAL_MS:
            return
        self._last_flush_ms = now_ms
        outgoing, self._outgoing = self._outgoing, []
        for batch in cut_batches(outgoing):
            payload = encode(TransactionBatch(tuple(batch)))
            if not self._relay:
                self._emit(SendAll(Channel.TRANSACTIONS, payload))
                continue
            for peer in _chosen(payload, sorted(peers)):
                self._emit(SendTo(peer, Channel.TRANSACTIONS, payload))

    def _judge(self, raw: bytes, now_ms: int) -> _Candidate | Submission:
        """Check all that needs no signature; say why not, or what remains to be verified."""
        try:
            transaction = decode_transaction(raw)
        except PrimitiveFault as fault:
            return Submission(None, "malformed", str(fault))
        txid = transaction.id
        if txid in self._mempool:
            return Submission(txid, "already_known", "this transaction waits already")
        try:
            self._application.check(transaction)
            claims = self._application.claims(transaction)
        except LedgerFault as fault:
            return Submission(txid, fault.code, str(fault))
        waiting = Waiting(txid, transaction, raw, transaction.sender, now_ms)
        return _Candidate(waiting, claims)

    def _verify(
        self,
        candidates: Sequence[_Candidate],
        then: Callable[[Sequence[_Candidate], Sequence[bool]], None],
    ) -> None:
        if not candidates:
            then((), ())
            return
        items = [(fingerprint(c.waiting.raw), c.claims) for c in candidates]
        self._emit(self._verifier.ask(items, lambda good: then(candidates, good)))

    def _admit(self, candidate: _Candidate, good: bool, *, pass_on: bool) -> Submission:
        """Put a verified transaction into the pool, or say why it has no place there."""
        waiting = candidate.waiting
        if not good:
            return Submission(
                waiting.id,
                "bad_signature",
                "a signature does not hold: sign with the sender's own key, for this chain",
            )
        try:
            self._mempool.add(waiting, self._application.nonce(waiting.sender))
        except PoolFault as fault:
            return Submission(waiting.id, fault.code, str(fault))
        if pass_on:
            self._outgoing.append(waiting.raw)
        return Submission(waiting.id, "", "")


def cut_batches(raws: Sequence[bytes]) -> list[list[bytes]]:
    """Cut into batches that fit a frame."""
    batches: list[list[bytes]] = [[]]
    size = 0
    for raw in raws:
        full = size + len(raw) > GOSSIP_BYTES_MAX or len(batches[-1]) == TX_BATCH_MAX
        if batches[-1] and full:
            batches.append([])
            size = 0
        batches[-1].append(raw)
        size += len(raw)
    return batches


def _chosen(payload: bytes, peers: Sequence[Member]) -> list[Member]:
    """Pick a few peers by a hash: spread evenly, yet the same on every replay.

    The hash is over the peers, too. No node is among its own, so every node picks others; by the
    batch alone all would pick the same few, and the batch would never leave their circle.
    """
    circle = b"".join(peer.to_bytes(4, "big") for peer in peers)
    start = int.from_bytes(digest(Domain.TRANSACTION, circle + payload)[:4], "big")
    return [peers[(start + i) % len(peers)] for i in range(min(GOSSIP_FANOUT, len(peers)))]
