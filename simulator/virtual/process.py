"""One simulated machine: a real node core with a fake clock, disk and network around it.

The core is assembled from the disk exactly as the product does it. Effects are carried out in
order, and the law of the shell holds: what was appended is synced before anything is sent. A crash
can come between any two effects. A process may wear a mask, which sees and changes all that its
honest core hears and says.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Final, Protocol
from zlib import crc32

from consensus.errors import CorruptJournal
from consensus.journal import Record
from consensus.messages import Message, Proposal
from consensus.params import Params
from ledger.primitives.committee import Member
from ledger.primitives.errors import PrimitiveFault
from ledger.primitives.keys import verify_many
from ledger.store.schema import Finalized
from node.core import effects as node_effects
from node.core import events as node_events
from node.core.assembly import assemble
from node.core.events import Channel
from node.core.machine import Machine
from node.core.wire import decode_consensus
from simulator.virtual.disk import Disk, SyncFailed
from simulator.virtual.errors import Breach
from simulator.virtual.network import Network
from simulator.virtual.phrases import name_message
from simulator.virtual.signatures import DRAWS
from simulator.virtual.topology import BEGIN_MS, Topology
from simulator.virtual.trace import SimulationTrace, spot
from simulator.virtual.world import World

INBOX_MAX: Final = 20_000
"""Messages that a paused process finds when it goes on; more are lost."""
RECONNECT_MS_MAX: Final = 60


class Witness(Protocol):
    """Who is told of every step: the oracle of invariants."""

    def began(self, process: "Process", records: list[Record]) -> None:
        """A process starts with what its disk gave back."""

    def synced(self, process: "Process", records: list[bytes]) -> None:
        """These records are on stable storage now."""

    def saying(self, process: "Process", message: Message) -> None:
        """A consensus message is about to leave."""

    def committed(self, process: "Process", steps: tuple[Finalized, ...]) -> None:
        """Final blocks are in the store now."""

    def warned(self, process: "Process", warning: node_effects.Warn) -> None:
        """A node blames a peer, or complains."""

    def handled(self, process: "Process") -> None:
        """All effects of one event are carried out."""


class Interceptor(Protocol):
    """What makes a process lie. Gives what leaves instead of what the core would send."""

    def leaving(
        self, to: Member | None, channel: Channel, payload: bytes
    ) -> list[tuple[Member | None, Channel, bytes]]:
        """Change what the honest core says; None is everyone."""

    def arriving(self, sender: Member, channel: Channel, payload: bytes) -> bool:
        """See what comes; False keeps it from the core."""

    def started(self) -> None:
        """The process runs (again)."""


@dataclass(slots=True)
class Environment:
    """What all processes of one simulation share."""

    world: World
    network: Network
    topology: Topology
    params: Params
    trace: SimulationTrace
    witness: Witness
    processes: list["Process"]
    answered: Callable[["Process", node_effects.Submitted], None]
    chance: Random
    verify_ms: int = 4
    """How long a job of the verifying threads takes at most."""
    handle: Callable[[Machine, node_events.Event, int, int], list[node_effects.Effect]] = (
        Machine.handle
    )
    """How a core is run; a meter stands here."""
    censors: Callable[[Message], bool] | None = None
    """Consensus messages that the network loses, all of them."""


class Process:
    """A place in the network where one member's node runs."""

    def __init__(self, env: Environment, place: int, member: Member, disk: Disk) -> None:
        self.env = env
        self.place = place
        self.member = member
        self.disk = disk
        self.mask: Interceptor | None = None
        self.trusted = True
        """Whether the oracle holds it to the laws of the honest."""
        self.is_relentless = False
        """It does not fall silent, whatever it hears of votes of its key: it lies on purpose."""
        self.machine: Machine | None = None
        self.life = 0
        """Counts starts; what a past life planned does not touch a later one."""
        self.skew_ms = 0
        self.doom: int | None = None
        """Effects left until it crashes."""
        self.is_broken = False
        """It never starts again."""
        self._paused = False
        self._inbox: list[node_events.Event] = []
        self._spot = 0
        self._tick_ms: int | None = None

    # Life.

    @property
    def is_up(self) -> bool:
        """Tell whether the process runs; a paused one does."""
        return self.machine is not None

    def start(self) -> None:
        """Read the disk, assemble the core, begin."""
        if self.machine is not None or self.is_broken:
            return
        env = self.env
        try:
            records = self.disk.recover()
        except CorruptJournal as fault:
            raise Breach("I2", f"v{self.place} can't read what it had synced: {fault}") from fault
        silent, key = self.disk.journal_lost, env.topology.keys[self.member]
        store = self.disk.open_store()
        self.life += 1
        self._tick_ms, self._paused, self.doom = None, False, None
        self.machine = assemble(
            env.topology.genesis,
            store,
            key,
            env.params,
            records,
            reporter=env.topology.reporters[self.member] if env.topology.reporters else None,
            others=[env.topology.keys[newcomer].public for newcomer in env.topology.newcomers],
            vrf_secret=env.topology.vrf_secrets[self.member],
            silent=silent,
            vrf=DRAWS,
        )
        self.store = store
        self.tell("up", -1, f"{len(records)} records" + (", may not vote" if silent else ""))
        env.witness.began(self, records)
        self.feed(node_events.Start())
        self._connect()
        if self.mask is not None and self.is_up:
            self.mask.started()

    def _connect(self) -> None:
        for other in self.env.processes:
            if other.member != self.member and other.is_up:
                for one, peer in ((self, other.member), (other, self.member)):
                    wait_ms = self.env.chance.randrange(1, RECONNECT_MS_MAX)
                    later = partial(one.feed_in_life, one.life, node_events.PeerUp(peer))
                    self.env.world.after(wait_ms, later)

    def crash(self, why: str) -> None:
        """End at once: memory is gone, and the disk keeps what was synced, or tears the rest."""
        if self.machine is None:
            return
        self.tell("crash", self._spot, why)
        self.machine = None
        self._inbox.clear()
        self.disk.crash()
        for other in self.env.processes:
            if other.member != self.member and other.is_up:
                wait_ms = self.env.chance.randrange(1, RECONNECT_MS_MAX)
                later = partial(other.feed_in_life, other.life, node_events.PeerDown(self.member))
                self.env.world.after(wait_ms, later)

    def pause(self, for_ms: int) -> None:
        """Stand still: hear nothing, then everything at once."""
        if self.machine is None or self._paused:
            return
        self._paused = True
        self.tell("pause", -1, f"{for_ms} ms")
        self.env.world.after(for_ms, partial(self._resume, self.life))

    def _resume(self, life: int) -> None:
        if life != self.life or not self._paused:
            return
        self._paused = False
        waiting, self._inbox = self._inbox, []
        for event in waiting:
            self.feed(event)
        self.tick_now()

    def heal(self) -> None:
        """Run from here on, awake, with a good disk and a good clock."""
        self.doom = None
        self.disk.fails_next = False
        self._resume(self.life)
        self.start()
        self.set_skew(0)

    @property
    def clock_ms(self) -> int:
        """Read the process's wall clock, which may be wrong, and may jump."""
        return BEGIN_MS + self.env.world.now_ms + self.skew_ms

    def set_skew(self, skew_ms: int) -> None:
        """Set the clock wrong by so much."""
        self.skew_ms = skew_ms
        self.tell("clock", -1, f"{skew_ms:+d} ms")
        self.tick_now()

    # Events.

    def feed_in_life(self, life: int, event: node_events.Event) -> None:
        """Give an event to the life that it was meant for."""
        if life == self.life:
            self.feed(event)

    def deliver(self, message: node_events.PeerMessage, mark: int) -> None:
        """Take bytes from the network; `mark` is what the trace calls them."""
        if self.machine is None:
            return
        env, channel = self.env, message.channel
        env.trace.fold(env.world.now_ms, self.place, channel.value, mark)
        if self.mask is not None and not self.mask.arriving(message.peer, channel, message.payload):
            return
        self.feed(message)

    def tick_now(self) -> None:
        """Look at the clock, whatever was planned."""
        self._tick_ms = None
        self.feed(node_events.Tick())

    def feed(self, event: node_events.Event) -> None:
        """Let the core handle an event, and carry its effects out."""
        if self.machine is None:
            return
        if self._paused:
            if len(self._inbox) < INBOX_MAX:
                self._inbox.append(event)
            return
        if self.is_relentless:
            self.machine.engine.resume_voting()
        try:
            effects = self.env.handle(self.machine, event, self.env.world.now_ms, self.clock_ms)
        except (AssertionError, LookupError, TypeError, AttributeError) as error:
            if self.trusted:
                raise Breach("BUG", f"v{self.place} failed on its own: {error!r}") from error
            self.crash(f"its own lies broke it: {error!r}")
            return
        try:
            self._carry_out(effects)
        except SyncFailed:
            self.crash("the disk refused a sync")
        if self.machine is not None:
            engine = self.machine.engine
            if spot(engine.epoch, engine.view) != self._spot:
                self._spot = spot(engine.epoch, engine.view)
                self.tell("enter", self._spot, "")
            self.env.witness.handled(self)
            self._plan_tick()

    def _plan_tick(self) -> None:
        assert self.machine is not None
        deadline_ms = self.machine.deadline_ms
        if deadline_ms is None:
            return
        due_ms = max(deadline_ms, self.env.world.now_ms + 1)
        if self._tick_ms is None or due_ms < self._tick_ms:
            self._tick_ms = due_ms
            self.env.world.at(due_ms, partial(self._tick, self.life, due_ms))

    def _tick(self, life: int, due_ms: int) -> None:
        if life != self.life or due_ms != self._tick_ms or self.machine is None:
            return
        self._tick_ms = None
        deadline_ms = self.machine.deadline_ms
        if deadline_ms is not None and deadline_ms > self.env.world.now_ms:
            self._plan_tick()
            return
        self.env.trace.fold(self.env.world.now_ms, self.place, "tick", 0)
        self.feed(node_events.Tick())

    # Effects.

    def _carry_out(self, effects: list[node_effects.Effect]) -> None:
        for effect in effects:
            if self._is_doomed():
                self.crash("between two effects")
                return
            match effect:
                case node_effects.Append(view, record, epoch):
                    self.disk.append(spot(epoch, view), record)
                case node_effects.SendTo(peer, channel, payload):
                    self._sync()
                    self._say(peer, channel, payload)
                case node_effects.SendAll(channel, payload):
                    self._sync()
                    self._say(None, channel, payload)
                case node_effects.Commit(steps):
                    self._sync()
                    self._commit(steps)
                case node_effects.Verify(ticket, claims):
                    event = node_events.Verified(ticket, tuple(verify_many(claims)))
                    wait_ms = self.env.chance.randrange(self.env.verify_ms + 1)
                    later = partial(self.feed_in_life, self.life, event)
                    self.env.world.after(wait_ms, later)
                case node_effects.Submitted():
                    self.env.answered(self, effect)
                case node_effects.SetVoting(allowed, why):
                    self._sync()
                    self.disk.journal_lost = not allowed and not self.is_relentless
                    self.tell("voting", -1, f"{'allowed' if allowed else 'forbidden'}: {why}")
                case node_effects.Warn():
                    self._warn(effect)
        self._sync()

    def _is_doomed(self) -> bool:
        if self.doom is None:
            return False
        self.doom -= 1
        return self.doom < 0

    def _sync(self) -> None:
        if self.disk.pending:
            records = self.disk.sync()
            self.env.witness.synced(self, records)

    def _commit(self, steps: tuple[Finalized, ...]) -> None:
        head = self.store.commit(steps)
        self.disk.prune(spot(head.epoch, head.view))
        for step in steps:
            header = step.block.header
            count = len(step.transactions)
            text = f"height {header.height} {header.hash().hex()[:8]}, {count} transactions"
            self.tell("final", spot(header.epoch, header.view), text)
        self.env.witness.committed(self, steps)

    def _warn(self, warning: node_effects.Warn) -> None:
        about = "" if warning.peer is None else f" (v{warning.peer})"
        self.tell("warn", -1, warning.text + about)
        self.env.witness.warned(self, warning)

    # What leaves.

    def _say(self, to: Member | None, channel: Channel, payload: bytes) -> None:
        if self.mask is None:
            self.put_on_wire(to, channel, payload)
            return
        for target, way, raw in self.mask.leaving(to, channel, payload):
            self.put_on_wire(target, way, raw)

    def put_on_wire(self, to: Member | None, channel: Channel, payload: bytes) -> None:
        """Send bytes as this member to one member or to all others, past any mask."""
        env = self.env
        if channel is Channel.CONSENSUS and self._is_lost(to, payload):
            return
        message, mark = node_events.PeerMessage(self.member, channel, payload), crc32(payload)
        for other in env.processes:
            wanted = other.member != self.member if to is None else other.member == to
            if wanted and other is not self:
                deliver = partial(other.deliver, message, mark)
                env.network.send(self.place, other.place, len(payload), deliver)

    def _is_lost(self, to: Member | None, payload: bytes) -> bool:
        """Let oracle and trace see a consensus message; tell whether a censor takes it."""
        try:
            message = decode_consensus(payload)
        except PrimitiveFault:
            return False  # Garbage is no message, and travels like one.
        env = self.env
        env.witness.saying(self, message)
        if env.trace.recording:
            whom = "all" if to is None else f"v{to}"
            view, text = name_message(message)
            kind = "propose" if isinstance(message, Proposal) else "send"
            now_ms = env.world.now_ms
            env.trace.keep(now_ms, self.place, kind, view, f"{text} to {whom}")
        return env.censors is not None and env.censors(message)

    def tell(self, kind: str, view: int, text: str) -> None:
        """Tell the trace."""
        self.env.trace.tell(self.env.world.now_ms, self.place, kind, view, text)
