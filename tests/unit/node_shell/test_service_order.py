"""The service: durable before sent, commits at once, answers to whoever asked."""

import time

import trio
import trio.testing

from ledger.primitives.committee import Committee, Member, Seat
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import PublicKey, Seed, SigningKey
from node.client.views import Submission
from node.core.book import Book
from node.core.effects import (
    Append,
    Commit,
    SendAll,
    SendTo,
    Submitted,
    Verify,
    Warn,
)
from node.core.events import (
    Channel,
    PeerDown,
    PeerMessage,
    PeerUp,
    Start,
    Submit,
    Tick,
    Verified,
)
from node.shell.p2p.transport import TransportCounters
from node.shell.service import NodeService
from node.shell.telemetry import Telemetry
from tests.support.system.trio_runs import in_trio, until

KEYS = sorted(SigningKey(Seed(bytes([i]) * 32)).public for i in range(1, 4))
BOOK = Book(Committee(tuple(Seat(key, key, 1) for key in KEYS)))


class World:
    """Machine, transport, journal and store in one: it logs what is asked of it, in order."""

    def __init__(self, answers=None):
        self.log: list[str] = []
        self.events: list = []
        self.deadline_ms = None
        self.counters = TransportCounters()
        self._answers = answers or (lambda event: [])
        self._dirty = False
        self.sync_s = 0.0

    # The machine.
    def handle(self, event, now_ms, clock_ms):
        self.events.append(event)
        self.deadline_ms = None
        return self._answers(event)

    # The transport.
    def send(self, peer: PublicKey, channel, payload):
        self.log.append(f"send {KEYS.index(peer)} {payload.decode()}")
        return True

    def broadcast(self, channel, payload):
        self.log.append(f"all {payload.decode()}")

    def peers_up(self):
        return frozenset()

    # The journal.
    def append(self, epoch, view, record):
        assert (epoch, view) == (3, 1)
        self.log.append(f"append {record.decode()}")
        self._dirty = True

    @property
    def dirty(self):
        return self._dirty

    def sync(self):
        self._dirty = False
        self.log.append("sync")

    def prune(self, epoch, view):
        self.log.append(f"prune {epoch} {view}")

    # The store.
    def commit(self, steps):
        self.log.append("commit")
        return type("Head", (), {"epoch": 2, "view": 7})()


def service_of(world: World) -> NodeService:
    hook = lambda steps, now_ms: world.log.append("told")  # noqa: E731
    return NodeService(world, BOOK, world, world, world, Telemetry(), hook)


async def run(service: NodeService, act) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(service.run)
        await act()
        nursery.cancel_scope.cancel()


@in_trio
async def test_nothing_leaves_before_what_it_promises_is_synced():
    def answers(event):
        if isinstance(event, PeerMessage):
            name = event.payload
            return [
                SendTo(Member(1), Channel.CONSENSUS, b"early-" + name),
                Append(1, name, 3),
                SendAll(Channel.CONSENSUS, b"vote-" + name),
            ]
        return []

    world = World(answers)
    service = service_of(world)

    async def act():
        for name in (b"a", b"b"):
            await service.on_message(KEYS[1], Channel.CONSENSUS, name)
        await until(lambda: len(world.log) >= 7)

    await run(service, act)
    assert world.log[:3] == ["append a", "append b", "sync"], "one sync serves the batch"
    assert world.log[3:] == ["send 1 early-a", "all vote-a", "send 1 early-b", "all vote-b"]


@in_trio
async def test_a_commit_is_carried_out_before_the_next_event():
    def answers(event):
        return [Commit(())] if isinstance(event, PeerUp) else []

    world = World(answers)
    service = service_of(world)

    async def act():
        service.on_peer(KEYS[1], up=True)
        service.on_peer(KEYS[1], up=False)
        await until(lambda: len(world.events) == 3)

    await run(service, act)
    assert world.log == ["commit", "prune 2 7", "told"]
    assert world.events == [Start(), PeerUp(Member(1)), PeerDown(Member(1))]


@in_trio
async def test_signatures_come_back_in_the_order_of_their_claims():
    key = SigningKey(Seed(bytes(32)))
    claims = tuple(
        (key.public, b"%d" % i, key.sign(b"%d" % i if i % 3 else b"other")) for i in range(200)
    )

    def answers(event):
        if isinstance(event, Start):
            return [Verify(1, claims), Verify(2, claims[:1])]
        return []

    world = World(answers)

    async def act():
        await until(lambda: len(world.events) == 3)

    await run(service_of(world), act)
    results = {event.ticket: event.results for event in world.events if isinstance(event, Verified)}
    assert results == {1: tuple(bool(i % 3) for i in range(200)), 2: (False,)}


@in_trio
async def test_each_client_gets_its_own_answer():
    def answers(event):
        if isinstance(event, Submit):
            told = tuple(Submission(Hash(raw * 32), "", "") for raw in event.raws)
            return [Submitted(event.ticket, told)]
        return []

    world = World(answers)
    service = service_of(world)
    got = {}

    async def ask(raw):
        [outcome] = await service.submit((raw,))
        got[raw] = outcome.txid

    async def act():
        async with trio.open_nursery() as nursery:
            for raw in (b"a", b"b", b"c"):
                nursery.start_soon(ask, raw)

    await run(service, act)
    assert got == {raw: raw * 32 for raw in (b"a", b"b", b"c")}


@in_trio
async def test_a_client_that_leaves_disturbs_nobody():
    tickets = []

    def answers(event):
        if isinstance(event, Submit):
            tickets.append(event.ticket)
        if isinstance(event, PeerUp):
            return [Submitted(ticket, ()) for ticket in tickets]
        return []

    world = World(answers)
    service = service_of(world)

    async def act():
        with trio.move_on_after(0.05):
            await service.submit((b"x",))
        service.on_peer(KEYS[1], up=True)
        await until(lambda: len(world.events) == 3)

    await run(service, act)
    assert service.waiting == 0


@in_trio
async def test_a_deadline_becomes_a_tick():
    def answers(event):
        if isinstance(event, Start):
            world.deadline_ms = time.monotonic_ns() // 1_000_000 + 20
        return [Warn("noted", None)]

    world = World(answers)
    service = service_of(world)

    async def act():
        await until(lambda: world.events == [Start(), Tick()])

    await run(service, act)


@in_trio
async def test_messages_of_keys_without_a_seat_are_not_heard():
    world = World()
    service = service_of(world)

    async def act():
        await service.on_message(PublicKey(bytes(32)), Channel.CONSENSUS, b"x")
        service.on_peer(PublicKey(bytes(32)), up=True)
        service.on_peer(KEYS[0], up=True)
        await until(lambda: len(world.events) == 2)

    await run(service, act)
    assert world.events == [Start(), PeerUp(Member(0))]


@in_trio
async def test_waits_are_counted_by_the_even_clock_and_blocks_are_stamped_by_the_wall(monkeypatch):
    """The wall clock jumps an hour ahead and comes back: the machine's waits never notice."""
    seen = []
    world = World(lambda event: [])
    handle = world.handle

    def note(event, now_ms, clock_ms):
        seen.append((now_ms, clock_ms))
        return handle(event, now_ms, clock_ms)

    world.handle = note
    wall = iter([5_000_000_000, 3_605_000_000_000, 5_002_000_000, *[5_003_000_000] * 100])
    monkeypatch.setattr("node.shell.service.time.time_ns", lambda: next(wall))
    service = service_of(world)

    async def act():
        for _ in range(3):
            service.on_peer(KEYS[1], up=True)
        await until(lambda: len(world.events) == 4)

    await run(service, act)
    nows = [now_ms for now_ms, _ in seen]
    assert [clock_ms for _, clock_ms in seen[:3]] == [5_000, 3_605_000, 5_002]
    assert nows == sorted(nows)
    assert nows[-1] - nows[0] < 60_000
