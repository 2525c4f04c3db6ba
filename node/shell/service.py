"""The validator's event loop: one task owns the machine, and carries out what it asks.

Law (spec §2): what a message promises is on stable storage before the message leaves. Events are
taken in batches; the records of a batch are synced once, and only then do its messages go. A
commit is carried out the moment it is asked, so the machine's next event finds it in the store.
Signatures are verified in threads, since libsodium lets go of the interpreter lock.

Nothing here decides: the machine does. A disk that fails ends the process.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, assert_never

import structlog
import trio
from trio import TASK_STATUS_IGNORED
from trio_typing import TaskStatus

from ledger.primitives.committee import Member
from ledger.primitives.keys import PublicKey, verify_many
from ledger.store.chain import ChainStore
from ledger.store.schema import Finalized
from node.capped_log import CappedLog
from node.client.views import Submission
from node.core.book import Book
from node.core.effects import (
    Append,
    Commit,
    Effect,
    SendAll,
    SendTo,
    SetVoting,
    Submitted,
    Verify,
    Warn,
)
from node.core.events import (
    Channel,
    Event,
    PeerDown,
    PeerMessage,
    PeerUp,
    Start,
    Submit,
    Tick,
    Verified,
)
from node.core.machine import Machine
from node.shell.disk.journal import Journal
from node.shell.p2p.inbox import BATCH_MAX, Inbox
from node.shell.p2p.transport import Transport
from node.shell.telemetry import Telemetry

INLINE_CLAIMS_MAX: Final = 2
"""So few signatures are checked at once: a thread would cost as much."""
CHUNK_CLAIMS: Final = 64
"""More than so many are shared out between threads."""
IDLE_S: Final = 1.0
TURN_S: Final = 0.02
"""How long one batch may hold the loop before the network gets a turn."""
WARNING_CHARS_MAX: Final = 300
_log = structlog.get_logger("billcoin.service")

CommitHook = Callable[[Sequence[Finalized], int], None]
"""Told of blocks that are in the store, and when."""


@dataclass(slots=True)
class _Pending:
    """Transactions that a client handed in and waits for."""

    done: trio.Event = field(default_factory=trio.Event)
    outcomes: tuple[Submission, ...] = ()


class NodeService:
    """Runs one machine over a transport, a journal and a store. Hears the transport."""

    def __init__(
        self,
        machine: Machine,
        book: Book,
        transport: Transport,
        journal: Journal,
        store: ChainStore,
        telemetry: Telemetry,
        on_commit: CommitHook,
        verify_threads: int = 2,
    ) -> None:
        self._machine, self._book = machine, book
        self._transport, self._journal, self._store = transport, journal, store
        self._telemetry, self._on_commit = telemetry, on_commit
        self._inbox = Inbox()
        self._threads = trio.CapacityLimiter(verify_threads)
        self._urgent_threads = trio.CapacityLimiter(verify_threads)
        self._verify_threads = verify_threads
        self._submissions: dict[int, _Pending] = {}
        self._ticket = 0
        self._peers_faults = CappedLog(_log)
        self._sends: list[SendTo | SendAll] = []
        self._nursery: trio.Nursery | None = None

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Start the machine and serve it until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            self._inbox.put_now(Start())
            task_status.started()
            while True:
                self._turn()
                await self._inbox.wait(self._until_deadline_s())

    # What the outside tells.

    async def on_message(self, peer: PublicKey, channel: Channel, payload: bytes) -> None:
        """Take a payload from the transport; wait while too much waits already."""
        number = self._book.number(peer)
        if number is not None:
            await self._inbox.put(PeerMessage(number, channel, payload))

    def on_peer(self, peer: PublicKey, *, up: bool) -> None:
        """Learn from the transport that a peer came or went."""
        number = self._book.number(peer)
        if number is not None:
            self._inbox.put_now(PeerUp(number) if up else PeerDown(number))

    async def submit(self, raws: tuple[bytes, ...]) -> Sequence[Submission]:
        """Hand transactions to the machine and wait for its answer."""
        self._ticket += 1
        ticket = self._ticket
        pending = self._submissions[ticket] = _Pending()
        try:
            await self._inbox.put(Submit(ticket, raws))
            await pending.done.wait()
        finally:
            self._submissions.pop(ticket, None)
        self._telemetry.submitted.inc(len(raws))
        self._telemetry.refused.inc(sum(1 for outcome in pending.outcomes if outcome.code))
        return pending.outcomes

    @property
    def waiting(self) -> int:
        """Count the clients that wait for an answer."""
        return len(self._submissions)

    # The loop.

    def _until_deadline_s(self) -> float:
        deadline_ms = self._machine.deadline_ms
        if deadline_ms is None:
            return IDLE_S
        return min(IDLE_S, max(0.0, (deadline_ms - _now_ms()) / 1_000))

    def _turn(self) -> None:
        """Handle what waits and a tick that is due; sync once; then send."""
        stop_s = time.perf_counter() + TURN_S
        for _ in range(BATCH_MAX):
            event = self._inbox.take()
            if event is None:
                break
            self._handle(event)
            if time.perf_counter() > stop_s:
                break
        deadline_ms = self._machine.deadline_ms
        if deadline_ms is not None and deadline_ms <= _now_ms():
            self._handle(Tick())
        self._flush()

    def _handle(self, event: Event) -> None:
        self._telemetry.events.inc()
        for effect in self._machine.handle(event, _now_ms(), _clock_ms()):
            self._carry_out(effect)

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Append(view, record, epoch):
                self._journal.append(epoch, view, record)
            case SendTo() | SendAll():
                self._sends.append(effect)  # Held until the records before it are synced.
            case Verify():
                self._verify(effect)
            case Commit():
                self._commit(effect)
            case Submitted():
                self._answer(effect)
            case SetVoting(allowed, why):
                self._journal.set_lost(not allowed)
                tell = _log.warning if allowed else _log.error
                tell("this node votes again" if allowed else "THIS NODE DOES NOT VOTE", why=why)
            case Warn(text, peer):
                self._telemetry.warnings.inc()
                self._warn(text[:WARNING_CHARS_MAX], peer)
            case _:
                assert_never(effect)

    def _warn(self, text: str, peer: Member | None) -> None:
        """Log a warning; of one peer's faults no more than a part, of our own all."""
        if peer is None:
            _log.warning(text, member=peer)
        else:
            self._peers_faults.log(logging.WARNING, text, peer, member=peer)

    def _flush(self) -> None:
        """Make the records durable, then let the messages go, in order."""
        if self._journal.dirty:
            self._journal.sync()
            self._telemetry.sync.observe(self._journal.sync_s)
        sends, self._sends = self._sends, []
        for send in sends:
            match send:
                case SendTo(peer, channel, payload):
                    self._transport.send(self._book.key(peer), channel, payload)
                case SendAll(channel, payload):
                    self._transport.broadcast(channel, payload)

    def _commit(self, commit: Commit) -> None:
        with self._telemetry.commit.time():
            head = self._store.commit(commit.steps)
        self._journal.prune(head.epoch, head.view)
        self._on_commit(commit.steps, _clock_ms())

    def _answer(self, effect: Submitted) -> None:
        pending = self._submissions.get(effect.ticket)
        if pending is not None:  # Else the client is gone.
            pending.outcomes = effect.submissions
            pending.done.set()

    # Signatures.

    def _verify(self, effect: Verify) -> None:
        """Check signatures: a few here, more in threads."""
        assert self._nursery is not None, "the machine runs inside the service"
        if len(effect.claims) <= INLINE_CLAIMS_MAX:
            self._inbox.put_now(Verified(effect.ticket, tuple(verify_many(effect.claims))))
        else:
            self._nursery.start_soon(self._verify_in_threads, effect)

    async def _verify_in_threads(self, effect: Verify) -> None:
        claims = effect.claims
        parts = 1 if len(claims) <= CHUNK_CLAIMS else self._verify_threads
        size = -(-len(claims) // parts)
        limiter = self._urgent_threads if effect.is_urgent else self._threads
        results: list[list[bool]] = [[] for _ in range(parts)]

        async def check(part: int) -> None:
            chunk = claims[part * size : (part + 1) * size]
            results[part] = await trio.to_thread.run_sync(
                partial(verify_many, chunk), limiter=limiter
            )

        async with trio.open_nursery() as nursery:
            for part in range(parts):
                nursery.start_soon(check, part)
        answers = tuple(answer for part_results in results for answer in part_results)
        self._inbox.put_now(Verified(effect.ticket, answers))


def _now_ms() -> int:
    """Read the clock that all waits are counted by: it runs evenly, whatever is set anywhere."""
    return time.monotonic_ns() // 1_000_000


def _clock_ms() -> int:
    """Read the wall clock, for the times of blocks. It may be wrong, and may be put right."""
    return time.time_ns() // 1_000_000
