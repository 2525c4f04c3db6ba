"""Several engines over virtual time and a network that loses, delays, repeats and reorders.

One seed makes one run. The application is a toy: a block's payload names its view and parent, and
its hash is the payload's. The oracle is written apart from the engine's own predicates: it sees
every record that reached a disk and every message that left a machine.
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from consensus.effects import Behind, Broadcast, Build, Check, Finalize, Misbehaviour, Persist, Send
from consensus.engine import Engine
from consensus.events import (
    Built,
    CaughtUp,
    Checked,
    DeadlinePassed,
    Event,
    Received,
    Started,
    Verdict,
    WorkPending,
)
from consensus.journal import decode_record, frame, read
from consensus.leader import first_seed
from consensus.messages import Certificate, Message, Proposal, Vote
from consensus.params import Params
from consensus.quorum import verify_certificate
from consensus.state import Floor
from consensus.types import GENESIS_VIEW, BlockRef
from ledger.primitives.codec import decode, encode
from ledger.primitives.committee import Committee, Member, Seat
from ledger.primitives.hashing import Domain, Hash, digest
from ledger.primitives.keys import Seed, SigningKey
from ledger.primitives.scalars import Epoch, View
from ledger.primitives.votes import VoteKind

CHAIN = digest(Domain.GENESIS, b"a net of tests 273")
"""Chosen so that with four equal members the leaders of the first four views all differ."""
EPOCH = Epoch(0)
GENESIS = BlockRef(GENESIS_VIEW, CHAIN)


def make_committee(stakes: Sequence[int]) -> tuple[Committee, list[SigningKey]]:
    """Make a committee and its keys, in the committee's order."""
    keys = [SigningKey(Seed(digest(Domain.SEED, b"key", bytes([i])))) for i in range(len(stakes))]
    keys.sort(key=lambda key: key.public)
    seats = tuple(Seat(k.public, k.public, s) for k, s in zip(keys, stakes, strict=True))
    return Committee(seats), keys


def make_block(view: View, parent: BlockRef, note: bytes) -> tuple[Hash, bytes]:
    """Make a toy block; a note that starts with `bad` makes it invalid."""
    payload = encode([view, parent.view, parent.hash, note])
    return digest(Domain.BLOCK, payload), payload


def judge(event: Check) -> Verdict:
    """Check a toy block as an application would: body against hash, view and parent."""
    view, parent_view, parent_hash, note = decode(
        event.payload, tuple[int, int, bytes, bytes], 4096
    )
    sound = digest(Domain.BLOCK, event.payload) == event.block_hash
    sound = sound and (view, parent_view) == (event.view, event.parent_view)
    sound = sound and parent_hash == event.parent_hash and not note.startswith(b"bad")
    return Verdict.VALID if sound else Verdict.INVALID


@dataclass
class Links:
    """How the network treats messages."""

    delay_ms: tuple[int, int] = (10, 10)
    loss: float = 0.0
    repeat: float = 0.0


@dataclass
class Machine:
    """One validator's process and disk. The engine dies in a crash, the rest stays."""

    member: Member
    key: SigningKey
    engine: Engine | None
    journal: bytes = b""
    floor: Floor = field(default_factory=lambda: Floor(GENESIS, None))
    chain: list[BlockRef] = field(default_factory=list)
    executed: dict[BlockRef, BlockRef] = field(default_factory=dict)
    """Blocks checked or built since the start, with their parents."""
    life: int = 0
    offences: list[Misbehaviour] = field(default_factory=list)
    behind: list[Behind] = field(default_factory=list)


Tamper = Callable[["Net", Member, Member, Message], list[Message]]


class Net:
    """The world of one run."""

    def __init__(
        self,
        seed: int = 0,
        stakes: Sequence[int] = (1, 1, 1, 1),
        params: Params | None = None,
        links: Links | None = None,
        work: bool = True,
    ) -> None:
        self.random = Random(seed)
        self.params = params or Params()
        self.links = links or Links()
        self.committee, self.keys = make_committee(stakes)
        self.now_ms = 1_000
        self.queue: list[tuple[int, int, Callable[[], None]]] = []
        self.sequence = 0
        self.work = work
        self.process_ms = (0, 0)
        self.crash_chance = 0.0
        self.revive_ms = (10, 2_000)
        self.cut: set[tuple[Member, Member]] = set()
        self.byzantine: set[Member] = set()
        self.tamper: Tamper | None = None
        self.note: Callable[[Member, View], bytes] = lambda member, view: b"good"
        self.sent: list[tuple[int, Member, Member, Message]] = []
        self.signed: dict[tuple[Member, View], set[tuple[VoteKind, Hash]]] = {}
        self.voted: dict[Member, int] = {}
        self.finalized: dict[int, BlockRef] = {}
        self.final_ms: dict[View, int] = {}
        self.proposed_ms: dict[View, int] = {}
        self.machines = [Machine(Member(i), key, None) for i, key in enumerate(self.keys)]
        for machine in self.machines:
            self.start(machine)

    # Time.

    def after(self, delay_ms: int, act: Callable[[], None]) -> None:
        """Do something later; things of one time happen in the order they were asked for."""
        self.sequence += 1
        heapq.heappush(self.queue, (self.now_ms + delay_ms, self.sequence, act))

    def run(self, until_ms: int, stop: Callable[[], bool] | None = None) -> bool:
        """Run to a time, or until the condition holds; tell whether it does."""
        while self.queue and self.queue[0][0] <= until_ms:
            if stop is not None and stop():
                return True
            self.now_ms, _, act = heapq.heappop(self.queue)
            act()
        self.now_ms = max(self.now_ms, until_ms)
        return stop is not None and stop()

    def pick(self, bounds: tuple[int, int]) -> int:
        return self.random.randint(*bounds)

    # Processes.

    def start(self, machine: Machine, *, silent: bool = False) -> None:
        """Start a process from its disk."""
        replay = read(machine.journal)
        machine.journal = machine.journal[: replay.clean_bytes]
        machine.executed = {}
        machine.life += 1
        machine.engine = Engine(
            self.params,
            CHAIN,
            EPOCH,
            self.committee,
            first_seed(CHAIN),
            machine.member,
            machine.key,
            machine.floor,
            replay.records,
            silent=silent,
        )
        self.handle(machine, Started())
        self.handle(machine, WorkPending(self.now_ms if self.work else None))

    def crash(self, machine: Machine) -> None:
        """Kill a process; it comes back later by itself."""
        machine.engine = None
        self.after(self.pick(self.revive_ms), lambda: self.revive(machine))

    def revive(self, machine: Machine) -> None:
        if machine.engine is None:
            self.start(machine)

    def stop(self, member: int) -> None:
        """Kill a process for good, or until `start`."""
        self.machines[member].engine = None

    def handle(self, machine: Machine, event: Event) -> None:
        """Let a machine handle an event: sync first, then act, perhaps crash on the way."""
        if machine.engine is None:
            return
        life = machine.life
        if machine.member in self.byzantine:
            # Others cast votes with its key; a liar's core must not mind them and fall silent.
            machine.engine.resume_voting()
        effects = machine.engine.handle(event, self.now_ms)
        self.check_monotone(machine)
        crash_at = None
        if self.crash_chance and self.random.random() < self.crash_chance:
            crash_at = self.random.randint(-1, len(effects))
        records = [effect.record for effect in effects if isinstance(effect, Persist)]
        if crash_at == -1:
            torn = frame(records) if records else b""
            machine.journal += torn[: self.random.randint(0, max(0, len(torn) - 1))]
            self.crash(machine)
            return
        if records:
            machine.journal += frame(records)
            self.check_records(machine, records)
        for index, effect in enumerate(effects):
            if index == crash_at:
                self.crash(machine)
                return
            self.act(machine, life, effect)
            if machine.life != life or machine.engine is None:
                return
        self.arm(machine, life)

    def arm(self, machine: Machine, life: int) -> None:
        """Send `DeadlinePassed` at the deadline, if it is still the deadline then."""
        assert machine.engine is not None
        deadline = machine.engine.deadline_ms
        if deadline is None:
            return
        assert deadline > self.now_ms, "a deadline that has passed would spin"

        def tick() -> None:
            if machine.life == life and machine.engine and machine.engine.deadline_ms == deadline:
                self.handle(machine, DeadlinePassed())

        self.after(deadline - self.now_ms, tick)

    def act(self, machine: Machine, life: int, effect: object) -> None:
        match effect:
            case Send(to=to, message=message):
                self.transmit(machine.member, to, message)
            case Broadcast(message=message):
                for other in self.machines:
                    if other.member != machine.member:
                        self.transmit(machine.member, other.member, message)
            case Build():
                self.after(self.pick(self.process_ms), lambda: self.build(machine, life, effect))
            case Check():
                self.after(self.pick(self.process_ms), lambda: self.check(machine, life, effect))
            case Finalize(finalization=finalization):
                self.finalize(machine, finalization)
            case Behind():
                machine.behind.append(effect)
                self.after(20, lambda: self.sync(machine, life, effect))
            case Misbehaviour():
                machine.offences.append(effect)

    # The toy application.

    def build(self, machine: Machine, life: int, effect: Build) -> None:
        if machine.life != life:
            return
        parent = BlockRef(effect.parent_view, effect.parent_hash)
        assert self.has_state(machine, parent), "the parent of a build has been executed"
        block_hash, payload = make_block(
            effect.view, parent, self.note(machine.member, effect.view)
        )
        machine.executed[BlockRef(effect.view, block_hash)] = parent
        self.proposed_ms.setdefault(effect.view, self.now_ms)
        self.handle(machine, Built(effect.view, (block_hash, payload)))

    def check(self, machine: Machine, life: int, effect: Check) -> None:
        if machine.life != life:
            return
        parent = BlockRef(effect.parent_view, effect.parent_hash)
        verdict = judge(effect)
        if machine.floor.block.view < effect.view:
            assert parent.view < machine.floor.block.view or self.has_state(machine, parent)
        if verdict is Verdict.VALID:
            machine.executed[BlockRef(effect.view, effect.block_hash)] = parent
        self.handle(machine, Checked(effect.view, effect.block_hash, verdict))

    def has_state(self, machine: Machine, block: BlockRef) -> bool:
        return block == machine.floor.block or block in machine.executed

    def finalize(self, machine: Machine, finalization: Certificate) -> None:
        """Commit a block and its ancestors; every one of them was executed here."""
        verify_certificate(self.committee, CHAIN, finalization)
        block = BlockRef(finalization.subject.view, finalization.subject.block_hash)
        path = [block]
        while path[-1] != machine.floor.block:
            assert path[-1] in machine.executed, "a finalized block was checked here"
            path.append(machine.executed[path[-1]])
        for final in reversed(path[:-1]):
            self.commit(machine, final)
        machine.floor = Floor(block, finalization)
        self.final_ms.setdefault(block.view, self.now_ms)

    def commit(self, machine: Machine, block: BlockRef) -> None:
        height = len(machine.chain)
        agreed = self.finalized.setdefault(height, block)
        assert agreed == block, f"fork at height {height}: {agreed} and {block}"
        machine.chain.append(block)

    def sync(self, machine: Machine, life: int, effect: Behind) -> None:
        """Block sync: copy what the source has applied."""
        source = self.machines[effect.source]
        final = source.floor.finalization
        gone = machine.life != life or source.engine is None or final is None
        if gone or source.floor.block.view <= machine.floor.block.view:
            return
        assert final is not None
        verify_certificate(self.committee, CHAIN, final)
        for block in source.chain[len(machine.chain) :]:
            self.commit(machine, block)
        machine.floor = source.floor
        self.handle(machine, CaughtUp(final))

    # The network.

    def transmit(self, sender: Member, to: Member, message: Message) -> None:
        """Carry a message, tampered with if the sender is Byzantine."""
        self.check_sent(sender, message)
        messages = [message]
        if sender in self.byzantine and self.tamper is not None:
            messages = self.tamper(self, sender, to, message)
        for each in messages:
            self.carry(sender, to, each)

    def carry(self, sender: Member, to: Member, message: Message) -> None:
        self.sent.append((self.now_ms, sender, to, message))
        if (sender, to) in self.cut or self.random.random() < self.links.loss:
            return
        copies = 2 if self.random.random() < self.links.repeat else 1
        for _ in range(copies):
            self.after(self.pick(self.links.delay_ms), lambda: self.deliver(sender, to, message))

    def deliver(self, sender: Member, to: Member, message: Message) -> None:
        self.handle(self.machines[to], Received(sender, message))

    def partition(self, *groups: Sequence[int]) -> None:
        """Let only members of one group hear each other."""
        home = {m: g for g, members in enumerate(groups) for m in members}
        everyone = [machine.member for machine in self.machines]
        self.cut = {(a, b) for a in everyone for b in everyone if home.get(a) != home.get(b)}

    def heal(self) -> None:
        self.cut = set()

    def set_work(self, work: bool) -> None:
        self.work = work
        for machine in self.machines:
            self.handle(machine, WorkPending(self.now_ms if work else None))

    # The oracle.

    def check_monotone(self, machine: Machine) -> None:
        """I3: views only go forward, across restarts too."""
        assert machine.engine is not None
        if machine.engine.is_silent:
            return  # It has forgotten its votes; what it signs later is checked against them all.
        view = machine.engine.view
        assert view >= self.voted.get(machine.member, 0), "the view went back behind own votes"

    def check_records(self, machine: Machine, records: Sequence[bytes]) -> None:
        """I1, I9: no two own votes that exclude each other ever reach a disk."""
        for raw in records:
            record = decode_record(raw)
            if not isinstance(record, Vote) or record.signer != machine.member:
                continue
            about = record.subject
            signed = self.signed.setdefault((machine.member, about.view), set())
            signed.add((about.kind, about.block_hash))
            self.voted[machine.member] = max(self.voted.get(machine.member, 0), about.view)
            kinds = [kind for kind, _ in signed]
            assert len(kinds) == len(set(kinds)), f"two votes of one kind: {signed}"
            assert not {VoteKind.NULLIFY, VoteKind.FINALIZE} <= set(kinds), f"{signed}"
            blocks = {block for kind, block in signed if kind is not VoteKind.NULLIFY}
            assert len(blocks) <= 1, f"notarize and finalize of different blocks: {signed}"

    def check_sent(self, sender: Member, message: Message) -> None:
        """I2: every own vote that an honest member sends was synced before."""
        if sender in self.byzantine:
            return
        votes = [message] if isinstance(message, Vote) else []
        if isinstance(message, Proposal) and message.vote.signer == sender:
            votes.append(message.vote)
        for vote in votes:
            if vote.signer == sender:
                about = vote.subject
                signed = self.signed.get((sender, about.view), set())
                assert (about.kind, about.block_hash) in signed, "sent before it was durable"

    # Questions.

    def heights(self) -> list[int]:
        return [len(m.chain) for m in self.machines if m.engine is not None]

    def reaches(self, height: int) -> Callable[[], bool]:
        """Tell, when asked, whether every live machine has applied so many blocks."""
        return lambda: bool(self.heights()) and min(self.heights()) >= height
