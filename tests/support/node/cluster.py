"""A few real node cores in one process: instant network, virtual time, no faults.

For tests of the join itself; faults and seeds are the simulator's.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from types import MappingProxyType

from consensus.journal import Record, decode_record
from consensus.params import Params
from ledger.genesis import Genesis
from ledger.primitives.committee import Member
from ledger.primitives.keys import PublicKey, Seed, SigningKey, verify_many
from ledger.store.memory import MemoryStore
from node.core import effects as node_effects
from node.core import events as node_events
from node.core.assembly import assemble
from node.core.draws import SecretDrawer
from node.core.machine import Machine

STEPS_MAX = 200_000


@dataclass
class Node:
    """One core with its storage."""

    key: SigningKey
    store: MemoryStore
    machine: Machine
    journal: list[bytes] = field(default_factory=list)
    answers: list[node_effects.Submitted] = field(default_factory=list)
    warnings: list[node_effects.Warn] = field(default_factory=list)
    is_up: bool = True
    may_vote: bool = True


class Cluster:
    """Validators that hear each other after a fixed delay."""

    def __init__(
        self,
        genesis: Genesis,
        keys: list[SigningKey],
        params: Params,
        reporter: SigningKey | None = None,
        vrf_secrets: Mapping[PublicKey, Seed] = MappingProxyType({}),
        joiners: Sequence[SigningKey] = (),
        stores: Sequence[MemoryStore] = (),
    ) -> None:
        """Start a dairy's validators, and after them `joiners`, who have no seat yet.

        The validators' VRF secrets are the dairy's; `vrf_secrets` are the joiners'. `stores` are
        those of the first nodes; the others get one each.
        """
        self.genesis, self.params, self.reporter = genesis, params, reporter
        own = {key.public: secret(f"vrf-{i}") for i, key in enumerate(keys)}
        self.vrf_secrets = own | dict(vrf_secrets)
        self.joiners = [key.public for key in joiners]
        committee = genesis.committee
        self.keys = sorted(keys, key=lambda key: key.public)
        assert [seat.key for seat in committee.seats] == [key.public for key in self.keys]
        self.now_ms = genesis.time_ms
        self.delay_ms = 1
        self.wrong_ms = [0] * (len(keys) + len(joiners))
        """How wrong each node's wall clock is."""
        self._queue: deque[tuple[int, Member, node_events.Event]] = deque()
        self.nodes = []
        self.keys += joiners
        for index, key in enumerate(self.keys):
            store = stores[index] if index < len(stores) else MemoryStore()
            self.nodes.append(Node(key, store, self.make(store, key, [])))
        for index in range(len(self.nodes)):
            self.start(index)

    def make(
        self, store: MemoryStore, key: SigningKey, records: list[Record], *, silent: bool = False
    ) -> Machine:
        """Assemble a node's machine."""
        return assemble(
            self.genesis,
            store,
            key,
            self.params,
            records,
            self.reporter,
            self.joiners,
            vrf_secret=self.vrf_secrets[key.public],
            silent=silent,
        )

    def drawer(self, index: int) -> SecretDrawer:
        """Give what a node draws with when it leads."""
        return SecretDrawer(self.vrf_secrets[self.keys[index].public])

    def start(self, index: int) -> None:
        """Start a node's machine and connect it with those that run."""
        self.feed(index, node_events.Start())
        for other, node in enumerate(self.nodes):
            if other != index and node.is_up:
                self.post(index, node_events.PeerUp(Member(other)))
                self.post(other, node_events.PeerUp(Member(index)))

    def crash(self, index: int) -> None:
        """Stop a node; its store and journal stay."""
        self.nodes[index].is_up = False
        for other in range(len(self.nodes)):
            self.post(other, node_events.PeerDown(Member(index)))

    def restart(self, index: int, *, lost_journal: bool = False) -> None:
        """Assemble a crashed node again from what it had stored, or from its blocks alone."""
        node = self.nodes[index]
        if lost_journal:
            node.journal.clear()
            node.may_vote = False
        records: list[Record] = [decode_record(raw) for raw in node.journal]
        node.machine = self.make(node.store, node.key, records, silent=not node.may_vote)
        node.is_up = True
        self.start(index)

    def post(self, index: int, event: node_events.Event, delay_ms: int = 0) -> None:
        """Deliver an event later."""
        self._queue.append((self.now_ms + delay_ms, Member(index), event))

    def feed(self, index: int, event: node_events.Event) -> None:
        """Give a node an event now, and carry its effects out."""
        node = self.nodes[index]
        if not node.is_up:
            return
        clock_ms = self.now_ms + self.wrong_ms[index]
        for effect in node.machine.handle(event, self.now_ms, clock_ms):
            self.carry_out(index, node, effect)

    def carry_out(self, index: int, node: Node, effect: node_effects.Effect) -> None:
        """Do what a machine asks for."""
        match effect:
            case node_effects.Append(_, record, _):
                node.journal.append(record)
            case node_effects.Commit(steps):
                node.store.commit(steps)
            case node_effects.Verify(ticket, claims):
                self.post(index, node_events.Verified(ticket, tuple(verify_many(claims))))
            case node_effects.SendTo(peer, channel, payload):
                self.post(
                    peer, node_events.PeerMessage(Member(index), channel, payload), self.delay_ms
                )
            case node_effects.SendAll(channel, payload):
                for other in range(len(self.nodes)):
                    if other != index:
                        message = node_events.PeerMessage(Member(index), channel, payload)
                        self.post(other, message, self.delay_ms)
            case node_effects.Submitted():
                node.answers.append(effect)
            case node_effects.SetVoting(allowed, _):
                node.may_vote = allowed
            case node_effects.Warn():
                node.warnings.append(effect)

    def run(self, until_ms: int) -> None:
        """Run for a span of virtual time."""
        end_ms = self.now_ms + until_ms
        for _ in range(STEPS_MAX):
            ready = [item for item in self._queue if item[0] <= self.now_ms]
            if ready:
                self._queue.remove(ready[0])
                self.feed(ready[0][1], ready[0][2])
                continue
            moments = [at for at, _, _ in self._queue]
            moments += [
                due
                for node in self.nodes
                if node.is_up and (due := node.machine.deadline_ms) is not None
            ]
            following = min((at for at in moments if at <= end_ms), default=None)
            if following is None:
                self.now_ms = end_ms
                return
            self.now_ms = max(self.now_ms, following)
            for index, node in enumerate(self.nodes):
                due = node.machine.deadline_ms
                if node.is_up and due is not None and due <= self.now_ms:
                    self.feed(index, node_events.Tick())
        raise AssertionError("the cluster never comes to rest")


def secret(name: str) -> Seed:
    """Give the seed behind `ledgers.key(name)`."""
    return Seed(blake2b(name.encode(), digest_size=32, person=b"test-key").digest())
