"""Transports over real libp2p on loopback, and a hostile host that speaks beneath them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import trio
from libp2p.abc import INetStream
from libp2p.network.connection.swarm_connection import SwarmConn

from ledger.primitives.keys import PublicKey, Seed, SigningKey
from node.core.events import Channel
from node.shell.p2p.libp2p_host import Host, peer_id
from node.shell.p2p.libp2p_transport import PROTOCOLS, Libp2pTransport, Timing
from node.shell.p2p.transport import PeerAddress
from tests.support.system.ports import free_port
from tests.support.system.trio_runs import until

# A busy machine may stand still for seconds: who waits for a peer's death asks for `QUICK`.
PATIENT = Timing(
    heartbeat_s=0.1,
    dead_after_s=30.0,
    write_timeout_s=4.5,
    open_timeout_s=10.0,
    higher_dials_after_s=0.4,
    redial_first_s=0.02,
    redial_max_s=0.1,
    watch_interval_s=0.05,
)
QUICK = replace(PATIENT, dead_after_s=0.8, write_timeout_s=0.5, open_timeout_s=1.0)


@dataclass
class Heard:
    """A listener that remembers, and can be made to stand still."""

    messages: list[tuple[PublicKey, Channel, bytes]] = field(default_factory=list)
    ups: list[tuple[PublicKey, bool]] = field(default_factory=list)
    blocked: set[Channel] = field(default_factory=set)
    released: trio.Event = field(default_factory=trio.Event)

    async def on_message(self, peer: PublicKey, channel: Channel, payload: bytes) -> None:
        if channel in self.blocked:
            await self.released.wait()
        self.messages.append((peer, channel, payload))

    def on_peer(self, peer: PublicKey, *, up: bool) -> None:
        self.ups.append((peer, up))

    def payloads(self, channel: Channel = Channel.CONSENSUS) -> list[bytes]:
        return [payload for _, at, payload in self.messages if at is channel]


def _seed(kind: int, index: int) -> Seed:
    return Seed(bytes([kind, index]) * 16)


@dataclass
class Net:
    """Addresses of a few validators, lowest vote key first."""

    size: int
    timing: Timing = PATIENT
    addresses: list[PeerAddress] = field(init=False)
    seeds: list[Seed] = field(init=False)

    def __post_init__(self) -> None:
        made = [
            (
                PeerAddress(
                    SigningKey(_seed(1, i)).public,
                    SigningKey(_seed(2, i)).public,
                    f"/ip4/127.0.0.1/tcp/{free_port()}",
                ),
                _seed(2, i),
            )
            for i in range(self.size)
        ]
        made.sort(key=lambda pair: pair[0].vote_key)
        self.addresses = [address for address, _ in made]
        self.seeds = [seed for _, seed in made]

    def key(self, index: int) -> PublicKey:
        return self.addresses[index].vote_key

    def transport(self, index: int) -> Libp2pTransport:
        own = self.addresses[index]
        others = [address for address in self.addresses if address is not own]
        return Libp2pTransport(
            own.vote_key, self.seeds[index], own.address, others, timing=self.timing
        )

    @asynccontextmanager
    async def running(self, *indexes: int) -> AsyncIterator[list[tuple[Libp2pTransport, Heard]]]:
        """Run some of the validators, connected with each other."""
        pairs = [(self.transport(i), Heard()) for i in indexes]
        async with trio.open_nursery() as nursery:
            for transport, heard in pairs:
                await nursery.start(transport.run, heard)
            await until(lambda: all(len(t.peers_up()) >= len(indexes) - 1 for t, _ in pairs))
            yield pairs
            nursery.cancel_scope.cancel()

    @asynccontextmanager
    async def attacker(
        self, victim: int, seed: Seed, *, connect: bool = True
    ) -> AsyncIterator[tuple[Host, SwarmConn | None]]:
        """Run a bare host under some key, connected to the victim if it lets us."""
        target = self.addresses[victim]
        host = Host(
            seed,
            f"/ip4/127.0.0.1/tcp/{free_port()}",
            {target.network_key: target.address},
            on_refusal=lambda remote: None,
            on_fault=lambda remote, error: None,
        )
        for protocol in PROTOCOLS.values():
            host.handle(protocol, _swallow)
        async with trio.open_nursery() as nursery:
            await nursery.start(host.run)
            conn = None
            if connect:
                remote = peer_id(target.network_key)
                await host.dial(target.address, remote, 3.0)
                conn = host.connections(remote)[0]
            yield host, conn
            nursery.cancel_scope.cancel()


async def _swallow(stream: INetStream) -> None:
    """Take in a stream and say nothing."""
    while await stream.read(65_536):
        pass


def port_of(address: PeerAddress) -> int:
    """Give the TCP port of an address."""
    return int(address.address.rsplit("/", 1)[1])
