"""One validator as a state machine: consensus, ledger, mempool and block sync joined.

`handle` takes an event and the time and returns effects. Invariants: a block is checked only when
its parent was executed here; a verdict comes from execution and never from a guess; what waits
for a thread's answer goes on exactly once. The machine reads no clock, disk or socket.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from consensus import effects as engine_effects
from consensus import events as engine_events
from consensus.engine import Engine
from consensus.errors import PeerFault
from consensus.events import Verdict
from consensus.journal import Record, encode_record, place_of
from consensus.messages import MESSAGE_BYTES_MAX, Certificate, Message, epoch_of
from consensus.params import Params
from consensus.quorum import verify_certificate
from consensus.state import Floor, first_floor
from ledger.primitives.codec import decode
from ledger.primitives.committee import Member
from ledger.primitives.errors import PrimitiveFault
from ledger.primitives.keys import SigningKey
from ledger.primitives.scalars import Epoch, View
from ledger.primitives.votes import VoteKind
from node.core import wire
from node.core.application import Application, BlockFault, EarlyBlock, ForkFault, Parsed
from node.core.book import Book
from node.core.draws import Drawer
from node.core.effects import Append, Commit, Effect, SendAll, SendTo, SetVoting, Warn
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
from node.core.handover import Handover, is_parting
from node.core.in_flight import InFlight
from node.core.informer import Informer
from node.core.intake import Intake
from node.core.mempool import Mempool
from node.core.sync import Ration, Sync, serve, status_to
from node.core.verifier import Verifier

EXPIRY_STRIDE: Final = 16
"""The pool is searched for expired transactions every so many heights."""


@dataclass(frozen=True, slots=True)
class MachineConfig:
    """What one node is: its vote key (None: it only observes), its peers, who draws, who reports.

    `reporter` is the account, if any, that reports others' offences. `silent` says that the
    journal may lack votes of the key, so that none is cast before that is safe (spec §2.4).
    """

    params: Params
    book: Book
    key: SigningKey | None
    drawer: Drawer
    reporter: SigningKey | None = None
    silent: bool = False


class Machine:
    """A validator without its shell."""

    def __init__(
        self,
        config: MachineConfig,
        application: Application,
        floor: Floor,
        records: Sequence[Record] = (),
    ) -> None:
        """Take up from the floor of the current epoch and the journal's records."""
        self.mempool = Mempool()
        self.informer = Informer(application.chain_id, config.reporter)
        self.informer.recall(records, application.state)
        self.application = application
        self.book = config.book
        self._config = config
        self._records = tuple(records)
        self._silent, self._has_twin = config.silent, False
        self._tip_view = View(0)
        """The view in which the last block that was made final was first proposed."""
        self.forks = 0
        """Pairs of certificates seen that can't both be unless a third is dishonest."""
        self.engine = self._make_engine(floor)
        self._verifier = Verifier()
        self._intake = Intake(
            len(config.book), application, self.mempool, self._verifier, self._emit
        )
        self._sync = Sync()
        self._ration = Ration()
        self._handover = Handover(config.params.delta_ms)
        self._peers: set[Member] = set()
        self._effects: list[Effect] = []
        self._told: deque[engine_events.Event] = deque()
        self._now_ms = self._clock_ms = 0
        self._in_flight = InFlight()
        self._pending_since_ms: int | None = None

    @property
    def deadline_ms(self) -> int | None:
        """Give the time at which a `Tick` is due, or None."""
        deadlines = [
            self.engine.deadline_ms,
            self._intake.deadline_ms,
            self._sync.deadline_ms,
            self._handover.due_ms,
        ]
        return min([at for at in deadlines if at is not None], default=None)

    @property
    def peers(self) -> int:
        """Count the connected peers."""
        return len(self._peers)

    def handle(self, event: Event, now_ms: int, clock_ms: int) -> list[Effect]:
        """Take one event; give the effects, to be carried out in order before the next call.

        Two times, both in milliseconds. `now_ms` runs forward evenly from any beginning: all waits
        are counted by it. `clock_ms` is what the wall clock says, UTC since 1970: the times of
        blocks come from it, and it may jump either way. The head of `node.core` shows a shell.
        """
        assert now_ms >= self._now_ms, "time runs forward"
        self._now_ms, self._clock_ms = now_ms, clock_ms
        self._effects = []
        self.application.settle()
        self._dispatch(event)
        self._run_engine()
        for peer in self._handover.outran(now_ms):
            self._sync.heard(peer, self.application.plan.boundary)
        self._intake.flush(now_ms, self._peers)
        self._effects += self._sync.step(self.application.height, now_ms)
        self._tell_pending()
        return self._effects

    def _dispatch(self, event: Event) -> None:
        match event:
            case Start():
                self._keep_evidence()
                self._told.append(engine_events.Started())
            case Tick():
                self._told.append(engine_events.DeadlinePassed())
            case PeerMessage(peer, channel, payload):
                self._on_message(peer, channel, payload)
            case PeerUp(peer):
                self._peers.add(peer)
                self._emit(status_to(peer, self.application.height))
                self._intake.tell_newcomer(peer)
            case PeerDown(peer):
                self._peers.discard(peer)
                self._sync.gone(peer)
            case Submit():
                self._intake.submit(event, self._now_ms)
            case Verified():
                self._verifier.answer(event)
            case _:
                assert_never(event)

    # What peers say.

    def _on_message(self, peer: Member, channel: Channel, payload: bytes) -> None:
        try:
            match channel:
                case Channel.CONSENSUS:
                    self._on_consensus(peer, wire.decode_consensus(payload), len(payload))
                case Channel.TRANSACTIONS:
                    self._intake.received(wire.decode_batch(payload), self._now_ms)
                case Channel.SYNC:
                    self._on_sync(peer, wire.decode_sync(payload))
                case _:
                    assert_never(channel)
        except ForkFault as fault:
            self._alarm(f"{fault}, as shown by {self.book.key(peer).hex()[:16]}")
        except (PrimitiveFault, PeerFault, BlockFault) as fault:
            self._emit(Warn(f"{channel.value} message refused: {fault}", peer))

    def _on_consensus(self, peer: Member, message: Message, size: int) -> None:
        """Let the engine hear what is of its epoch; keep what is early, answer what is late."""
        epoch, now = epoch_of(message), self.engine.epoch
        if epoch is None or epoch == now:
            self._hear(peer, message)
        elif epoch > now:
            if epoch == now + 1:
                self._handover.keep(peer, message, size)
            self._handover.saw_ahead(peer, self._now_ms)
        elif not is_parting(message) and self._handover.may_tell(peer, self._now_ms):
            self._tell_late(peer, epoch)

    def _hear(self, peer: Member, message: Message) -> None:
        """Pass a message on to the engine if its sender has a seat in the epoch."""
        member = self.application.plan.committee.member(self.book.key(peer))
        if member is not None:
            self._told.append(engine_events.Received(member, message))

    def _tell_late(self, peer: Member, epoch: Epoch) -> None:
        """Show a peer that its epoch is over, and from where on it may ask for blocks."""
        plan = self.application.plan
        boundary = (epoch + 1) * (plan.boundary - plan.first + 1)
        found = self.application.store.block(boundary)
        if found is not None and found.finalization:
            certificate = decode(found.finalization, Certificate, MESSAGE_BYTES_MAX)
            self._emit(SendTo(peer, Channel.CONSENSUS, wire.encode_consensus(certificate)))
        self._emit(status_to(peer, self.application.height))

    def _on_sync(self, peer: Member, message: wire.SyncMessage) -> None:
        match message:
            case wire.Status(height):
                self._sync.heard(peer, height)
            case wire.GetBlocks(first):
                if not self._ration.is_spent(peer, self._now_ms):
                    self._serve_blocks(peer, first)
            case wire.Blocks():
                if self._sync.expects(peer):
                    self._take_blocks(peer, message)
            case wire.Pruned(first):
                if self._sync.expects(peer):
                    self._sync.disappointed(peer)
                    self._emit(Warn(f"it keeps blocks only from {first} on, we need older", peer))
            case _:
                assert_never(message)

    def _serve_blocks(self, peer: Member, first: int) -> None:
        last = self.application.last_of_epoch(first)
        reply = serve(self.application.store, first, self.application.height, last)
        if reply is not None:
            payload = wire.encode_sync(reply)
            self._ration.spend(peer, len(payload), self._now_ms)
            self._emit(SendTo(peer, Channel.SYNC, payload))

    def _take_blocks(self, peer: Member, message: wire.Blocks) -> None:
        """Apply finalized blocks; believe them for the finalization of the last one."""
        self._sync.disappointed(peer)
        fresh = self.application.beyond_head(message.blocks)
        if not fresh:
            return
        certificate, plan = message.finalization, self.application.plan
        if certificate.subject.epoch != plan.epoch:
            raise BlockFault("synced blocks are of another epoch than the next one's")
        if certificate.subject.kind is not VoteKind.FINALIZE:
            raise BlockFault("synced blocks come without a finalization")
        verify_certificate(plan.committee, self.application.chain_id, certificate)
        self.application.check_chain(fresh, certificate)
        self._sync.pleased(peer, message.height)
        for parsed in fresh:
            self.application.execute(parsed)
        self._commit(certificate)
        self._told.append(engine_events.CaughtUp(certificate))

    # What consensus asks.

    def _run_engine(self) -> None:
        """Let the engine run until it has nothing more to ask of the application."""
        while True:
            if self.application.is_epoch_over:
                self._begin_epoch()
            if not self._told:
                break
            event = self._told.popleft()
            for effect in self.engine.handle(event, self._now_ms):
                self._carry_out(effect)

    def _make_engine(self, floor: Floor) -> Engine:
        """Make the engine of the current epoch: as a validator if there is a seat for the key."""
        plan, key = self.application.plan, self._config.key
        me = None if key is None else plan.committee.member(key.public)
        records = [record for record in self._records if place_of(record)[0] == plan.epoch]
        # Those of later epochs stay: the disk of the journal may be newer than that of the store.
        self._records = tuple(r for r in self._records if place_of(r)[0] > plan.epoch)
        return Engine(
            self._config.params,
            self.application.chain_id,
            plan.epoch,
            plan.committee,
            plan.seed,
            me,
            key if me is not None else None,
            floor,
            records,
            silent=self._silent,
            has_twin=self._has_twin,
        )

    def _begin_epoch(self) -> None:
        """The epoch's last block is final: go on with a new engine on top of it (spec §4.2)."""
        had_seat = self.engine.me is not None
        self._has_twin = self._has_twin or self.engine.has_twin
        self._silent = self.engine.is_silent
        if self._silent and self.engine.is_freed_by(self._tip_view):
            self._silent = False
            why = f"nothing forgotten can matter after epoch {self.engine.epoch}"
            self._emit(SetVoting(allowed=True, why=why))
        self.application.begin_epoch()
        self._keep_evidence()
        self._told.clear()  # Answers to an engine that asks no more.
        self._in_flight = InFlight()
        self.engine = self._make_engine(first_floor(self.application.tip.hash))
        self._told.append(engine_events.Started())
        self._told.append(engine_events.WorkPending(self._pending_since_ms))
        for peer, message in self._handover.begin():
            self._hear(peer, message)
        has_seat = self.engine.me is not None
        if had_seat != has_seat:
            change = "begins" if has_seat else "ceases"
            self._emit(Warn(f"this node {change} to vote with epoch {self.engine.epoch}", None))

    def _carry_out(self, effect: engine_effects.Effect) -> None:
        match effect:
            case engine_effects.Persist(epoch, view, record):
                self._emit(Append(view, record, epoch))
            case engine_effects.Send(to, message):
                peer = self._peer(to)
                if peer is not None:
                    payload = wire.encode_consensus(message)
                    self._emit(SendTo(peer, Channel.CONSENSUS, payload))
            case engine_effects.Broadcast(message):
                self._emit(SendAll(Channel.CONSENSUS, wire.encode_consensus(message)))
            case engine_effects.Build():
                self._build(effect)
            case engine_effects.Check():
                self._check(effect)
            case engine_effects.Finalize(finalization):
                self._commit(finalization)
                final = finalization.subject.block_hash
                assert self.application.is_final(final), "what consensus moved its floor to is here"
            case engine_effects.Behind(finalization, source):
                # Whoever voted to finalize it has it; the one who told of it may be gone.
                voters = {signer for signer, _ in finalization.votes}
                for member in sorted({source, *voters} - {self.engine.me}):
                    if (peer := self._peer(member)) is not None:
                        self._sync.heard(peer, self.application.height + 1)
            case _:
                self._take_news(effect)

    def _take_news(self, news: engine_effects.Notice) -> None:
        """Pass on what is wrong with others, with the chain, or with this node's own memory."""
        match news:
            case engine_effects.Misbehaviour(member, reason, _):
                self._emit(Warn(reason, self._peer(member)))
                self.informer.note(self.application.plan.committee, news)
                self._report()
            case engine_effects.Forked():
                self._alarm(self._tell_fork(news))
            case engine_effects.Muted(why):
                self._emit(SetVoting(allowed=False, why=why))
            case engine_effects.Regained(view):
                why = f"nothing forgotten can matter above view {view}"
                self._emit(SetVoting(allowed=True, why=why))
            case _:
                assert_never(news)

    def _alarm(self, what: str) -> None:
        """Tell of a fork: the chain is not safe any more, and a person has to look."""
        self.forks += 1
        self._emit(Warn(f"FORK: {what}", None))

    def _tell_fork(self, fork: engine_effects.Forked) -> str:
        seats = self.application.plan.committee.seats
        names = ", ".join(seats[member].key.hex()[:16] for member in fork.culprits) or "nobody"
        held, other = fork.held.subject, fork.other.subject
        return (
            f"{held.kind.name} of view {held.view} ({held.block_hash.hex()[:12]}) against "
            f"{other.kind.name} of view {other.view} ({other.block_hash.hex()[:12]}), epoch "
            f"{held.epoch}; both are signed by {names}"
        )

    def _peer(self, member: Member) -> Member | None:
        """Find the number of a member of this epoch; None if it is no peer of this node."""
        return self.book.number(self.application.plan.committee.seats[member].key)

    def _build(self, build: engine_effects.Build) -> None:
        built = self.application.prepare(build, self.mempool, self._clock_ms, self._config.drawer)
        if built is None:
            self._emit(Warn("this node can't lead: its VRF key is not the registered one", None))
            self._told.append(engine_events.Built(build.view, None))
            return
        for txid in built.refused:
            self.mempool.drop(txid)
        self._in_flight.mark(build.view, built.included)
        # Told first: one whose own stake is a quorum proposes on and on within a single call.
        self._note_pending()
        self._told.append(engine_events.Built(build.view, (built.hash, built.raw)))

    def _check(self, check: engine_effects.Check) -> None:
        """Parse, verify what is new, execute, answer."""
        if check.block_hash == check.parent_hash:
            self._check_again(check)
            return
        try:
            parsed = self.application.parse(check.payload, check.block_hash)
            unverified = self.application.unverified(parsed, self._verifier)
        except BlockFault as fault:
            self._answer(check, Verdict.INVALID, str(fault))
            return
        if not unverified:
            self._execute(check, parsed)
            return

        def go_on(good: tuple[bool, ...]) -> None:
            if all(good):
                self._execute(check, parsed)
            else:
                self._answer(check, Verdict.INVALID, "a transaction's signature does not hold")

        self._emit(self._verifier.ask(unverified, go_on, is_urgent=True))

    def _check_again(self, check: engine_effects.Check) -> None:
        """Judge a block that is proposed on itself: an epoch's last one may be, without a body."""
        if self.application.is_boundary(check.block_hash) and not check.payload:
            self._answer(check, Verdict.VALID, "")
        else:
            self._answer(check, Verdict.INVALID, "it is no last block of an epoch, come again")

    def _execute(self, check: engine_effects.Check, parsed: Parsed) -> None:
        if parsed.block.header.height <= self.application.height:
            # Block sync made this height final while signatures were verified. Consensus has moved
            # on, the parent's state is gone, and "invalid" would blame an honest sender.
            return
        try:
            self.application.check_header(parsed, check, self._clock_ms)
            self.application.execute(parsed)
        except BlockFault as fault:
            early = isinstance(fault, EarlyBlock)
            self._answer(check, Verdict.EARLY if early else Verdict.INVALID, str(fault))
            return
        self._in_flight.mark(check.view, [t.id for t in parsed.transactions])
        self._answer(check, Verdict.VALID, "")

    def _answer(self, check: engine_effects.Check, verdict: Verdict, why: str) -> None:
        if why:
            name = f"block {check.block_hash.hex()[:12]}"
            self._emit(Warn(f"{name} is {verdict.value}: {why}", None))
        self._told.append(engine_events.Checked(check.view, check.block_hash, verdict))

    def _commit(self, finalization: Certificate) -> None:
        """Make a block and its ancestors final: into storage, out of the pool."""
        steps = self.application.finalize(finalization)
        if not steps:
            return
        self._emit(Commit(steps))
        self._tip_view = View(steps[-1].block.header.view)
        for transaction in (t for step in steps for t in step.transactions):
            self.mempool.finalized(transaction.sender, transaction.intent.nonce)
        if self.application.height % EXPIRY_STRIDE == 0:
            self.mempool.expire(self.application.height + 1)
        self._report()

    def _keep_evidence(self) -> None:
        """Write open cases down again, so that they outlive the old parts of the journal."""
        for vote in self.informer.unsettled():
            self._emit(Append(vote.subject.view, encode_record(vote), vote.subject.epoch))

    def _report(self) -> None:
        """Send off the reports of offences that are due."""
        reporter = self.informer.reporter
        if reporter is None:
            return
        application = self.application
        nonce = self.mempool.expected_nonce(reporter, application.nonce(reporter))
        state, height = application.state, application.height + 1
        for transaction in list(self.informer.reports(state, height, nonce)):
            self._intake.announce(transaction, self._now_ms)

    # What waits.

    def _tell_pending(self) -> None:
        """Tell the engine when there begins or ceases to be something to propose."""
        self._note_pending()
        self._run_engine()

    def _note_pending(self) -> None:
        """Line the news up for the engine, if it is news."""
        self._in_flight.release(self.engine.is_over)
        ready = self.mempool.has_ready(self._in_flight)
        if ready == (self._pending_since_ms is not None):
            return
        self._pending_since_ms = self._now_ms if ready else None
        self._told.append(engine_events.WorkPending(self._pending_since_ms))

    def _emit(self, effect: Effect) -> None:
        self._effects.append(effect)
