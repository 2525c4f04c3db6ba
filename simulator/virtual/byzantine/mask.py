"""What every mock has in common: a real core, a real key, and a mask between it and the world.

The core below stays honest, so a liar keeps up with the others and knows what an insider knows.
The mask sees everything that leaves and arrives, may change or drop it, and signs whatever it
likes: no guard stands in front of its key.
"""

from collections.abc import Iterable
from functools import partial
from random import Random
from typing import ClassVar

from consensus.effects import Build
from consensus.engine import Engine
from consensus.messages import Message, Subject, Vote
from ledger.primitives.committee import Committee, Member
from ledger.primitives.errors import PrimitiveFault
from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.primitives.keys import PublicKey
from ledger.primitives.scalars import Epoch, View
from ledger.primitives.votes import VoteKind
from node.core.application import Prepared
from node.core.draws import Drawer, SecretDrawer
from node.core.events import Channel
from node.core.machine import Machine
from node.core.wire import decode_consensus, encode_consensus
from simulator.virtual.process import Process
from simulator.virtual.signatures import DRAWS

Said = tuple[Member | None, Message]
"""A message and to whom it goes; None is everyone."""


class Mask:
    """The honest mask: changes nothing. Mocks override `says`, `hears` and `beats`."""

    beat_ms: ClassVar[int] = 0
    """How often `beats` is called while the process runs; 0 is never."""

    def __init__(self, process: Process, chance: Random, accomplices: frozenset[Member]) -> None:
        self.process = process
        self.chance = chance
        self.accomplices = accomplices
        self.me = process.member
        self.others = [m for m in map(Member, process.env.topology.members) if m != self.me]

    # What a mock may override.

    def says(self, to: Member | None, message: Message) -> Iterable[Said]:
        """Give what leaves instead of a consensus message of the honest core."""
        yield to, message

    def hears(self, sender: Member, message: Message) -> bool:
        """See a consensus message that came; False keeps it from the core."""
        return True

    def beats(self) -> None:
        """Do something of one's own, every `beat_ms`."""

    # What a mock may use.

    @property
    def machine(self) -> Machine:
        """Give the honest core below."""
        machine = self.process.machine
        assert machine is not None, "a mask only moves while its process runs"
        return machine

    @property
    def engine(self) -> Engine:
        """Give the honest core's engine."""
        return self.machine.engine

    @property
    def committee(self) -> Committee:
        """Give the committee of the core's epoch."""
        return self.machine.application.plan.committee

    @property
    def seat(self) -> Member:
        """Give its number in the core's epoch; without a seat, one that it may have had."""
        seat = self.engine.me
        return self.me if seat is None else seat

    def seat_of(self, member: Member) -> Member:
        """Give a member's number in the core's epoch, or any seat's if it has none."""
        seat = self.committee.member(self.process.env.topology.keys[member].public)
        return Member(0) if seat is None else seat

    def stake(self, member: Member) -> int:
        """Give the stake of a member of the topology in the core's epoch."""
        key = self.process.env.topology.keys[member].public
        return sum(seat.stake for seat in self.committee.seats if seat.key == key)

    @property
    def honest_others(self) -> list[Member]:
        """List those who are not in on it."""
        return [m for m in self.others if m not in self.accomplices]

    def sign(
        self,
        kind: VoteKind,
        view: int,
        parent_view: int = 0,
        block_hash: Hash = ZERO_HASH,
        epochs_ahead: int = 0,
    ) -> Vote:
        """Sign anything at all."""
        epoch = Epoch(self.engine.epoch + epochs_ahead)
        subject = Subject(kind, epoch, View(view), View(parent_view), block_hash)
        return self.sign_subject(subject)

    def sign_subject(self, subject: Subject) -> Vote:
        """Sign a subject, whatever was signed before."""
        topology = self.process.env.topology
        signature = topology.keys[self.me].sign(subject.signing_bytes(topology.chain_id))
        return Vote(subject, self.seat, signature)

    def say(self, to: Member | None, message: Message) -> None:
        """Send a consensus message past the honest core."""
        self.process.put_on_wire(to, Channel.CONSENSUS, encode_consensus(message))

    def say_raw(self, to: Member | None, channel: Channel, payload: bytes) -> None:
        """Send any bytes at all."""
        self.process.put_on_wire(to, channel, payload)

    def say_later(self, wait_ms: int, to: Member | None, message: Message) -> None:
        """Send a consensus message after a while, if the process still lives its life then."""
        self.process.env.world.after(wait_ms, partial(self._say_if, self.process.life, to, message))

    def _say_if(self, life: int, to: Member | None, message: Message) -> None:
        if self.process.is_up and self.process.life == life:
            self.say(to, message)

    def build(
        self,
        view: int,
        parent_view: int,
        parent_hash: Hash,
        ahead_ms: int = 0,
        *,
        drawer: Drawer | None = None,
    ) -> Prepared | None:
        """Have the core's ledger make a block, if it knows the parent's state.

        In a view that another leads it is drawn for with that leader's secret, as if it had leaked:
        then nothing but the law of turns stands in the way. Another `drawer` may lie.
        """
        ledger = self.machine.application
        if not ledger.can_build_on(parent_hash):
            return None
        asked = Build(View(view), View(parent_view), parent_hash)
        topology, leader = self.process.env.topology, self.committee.seats[ledger.plan.leader(view)]
        leaked = SecretDrawer(topology.vrf_secrets[topology.place(PublicKey(leader.key))], DRAWS)
        clock_ms = self.process.clock_ms + ahead_ms
        return ledger.prepare(asked, self.machine.mempool, clock_ms, drawer or leaked)

    def random_hash(self) -> Hash:
        """Invent a block."""
        return Hash(self.chance.randbytes(32))

    # What the process calls.

    def leaving(
        self, to: Member | None, channel: Channel, payload: bytes
    ) -> list[tuple[Member | None, Channel, bytes]]:
        """Change what the honest core says."""
        if channel is not Channel.CONSENSUS:
            return [(to, channel, payload)]
        said = self.says(to, decode_consensus(payload))
        return [(target, channel, encode_consensus(message)) for target, message in said]

    def arriving(self, sender: Member, channel: Channel, payload: bytes) -> bool:
        """See what comes."""
        if channel is not Channel.CONSENSUS:
            return True
        try:
            message = decode_consensus(payload)
        except PrimitiveFault:
            return True
        return self.hears(sender, message)

    def started(self) -> None:
        """Begin to beat."""
        if self.beat_ms:
            self._plan_beat(self.process.life)

    def _plan_beat(self, life: int) -> None:
        wait_ms = self.chance.randrange(self.beat_ms // 2, self.beat_ms * 3 // 2 + 1)
        self.process.env.world.after(wait_ms, partial(self._beat, life))

    def _beat(self, life: int) -> None:
        if self.process.is_up and self.process.life == life:
            self.beats()
            self._plan_beat(life)
