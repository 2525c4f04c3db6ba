"""The transport over py-libp2p: one connection a pair, one stream a (peer, channel) each way.

Each side writes on streams it opened and reads from streams the other opened, so a stream carries
one direction and one channel. The lower vote key dials; the other does after three seconds without
a connection. Both sides prefer the same connection when two arise, and cut the other. A peer that
says nothing for four seconds is cut: yamux never notices a dead one (docs/spec/wire.md §3).

Invariant: no fault of a peer leaves this module as an exception; it costs that peer a stream or
its connection, and is counted.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog
import trio
from libp2p.abc import INetStream
from libp2p.custom_types import TProtocol
from libp2p.network.connection.swarm_connection import SwarmConn
from libp2p.network.stream.net_stream import NetStream
from libp2p.peer.id import ID
from trio import TASK_STATUS_IGNORED
from trio_typing import TaskStatus

from ledger.primitives.keys import PublicKey, Seed
from node.client.framing import HEARTBEAT, READ_BYTES, FrameDecoder
from node.core.events import Channel
from node.shell.p2p.libp2p_host import (
    Host,
    abandon,
    cut,
    dialed_by_us,
    is_closed,
    overload_of,
    parse_listen,
    peer_id,
)
from node.shell.p2p.outbox import Outbox
from node.shell.p2p.port_lock import PortLock
from node.shell.p2p.transport import CHANNELS, Listener, PeerAddress, TransportCounters

PROTOCOLS: Final = {channel: TProtocol(f"/billcoin/{channel.value}/1") for channel in CHANNELS}
CONNECTIONS_MAX: Final = 8
"""The most connections with one peer that are left to come and go; one is in use."""
STRANGERS_TOLD_S: Final = 10.0
"""Strangers are counted, and told in one line this often: they must not fill the disk."""
_log = structlog.get_logger("billcoin.transport")


@dataclass(frozen=True, slots=True)
class Timing:
    """How long the transport waits for what, in seconds."""

    heartbeat_s: float = 1.0
    dead_after_s: float = 4.0
    write_timeout_s: float = 4.0
    """Below yamux's own 5 s, which would raise in the middle of a message."""
    open_timeout_s: float = 3.0
    higher_dials_after_s: float = 3.0
    redial_first_s: float = 0.05
    redial_max_s: float = 1.0
    watch_interval_s: float = 0.25


@dataclass(slots=True)
class _Link:
    """One peer: where it is, what waits for it, when it was last heard."""

    peer: PeerAddress
    id: ID
    outboxes: dict[Channel, Outbox]
    lower: bool
    """This node has the lower key and dials."""
    heard_s: float = 0.0
    busy: int = 0
    """Readers that hold a message we have not taken yet: our slowness, not the peer's death."""
    up: bool = False
    inbound: dict[Channel, INetStream] = field(default_factory=dict)
    """The stream that each channel is read from: one, so that partial frames stay few."""
    changed: trio.Event = field(default_factory=trio.Event)
    born_s: dict[int, float] = field(default_factory=dict)

    def wake(self) -> None:
        """Let those who wait for a change of connection look again."""
        self.changed.set()
        self.changed = trio.Event()


class Libp2pTransport:
    """A `Transport` over libp2p. One `run` a life."""

    def __init__(
        self,
        vote_key: PublicKey,
        network_seed: Seed,
        listen: str,
        peers: Sequence[PeerAddress],
        timing: Timing | None = None,
    ) -> None:
        self.counters = TransportCounters()
        self._timing = timing or Timing()
        self._listen, self._network_seed = listen, network_seed
        self._links = {
            peer.vote_key: _Link(
                peer,
                peer_id(peer.network_key),
                {channel: Outbox(limits) for channel, limits in CHANNELS.items()},
                lower=vote_key < peer.vote_key,
            )
            for peer in peers
        }
        self._by_id = {link.id: link for link in self._links.values()}
        self._strangers_told_s = -math.inf
        self._listener: Listener | None = None
        self._host: Host | None = None

    def send(self, peer: PublicKey, channel: Channel, payload: bytes) -> bool:
        """Queue a payload for one peer; False if it was dropped at once."""
        link = self._links.get(peer)
        if link is None:
            return False
        outbox = link.outboxes[channel]
        before = outbox.dropped
        kept = outbox.put(payload)
        self.counters.dropped += outbox.dropped - before
        return kept

    def broadcast(self, channel: Channel, payload: bytes) -> None:
        """Queue a payload for every other validator."""
        for peer in self._links:
            self.send(peer, channel, payload)

    def peers_up(self) -> frozenset[PublicKey]:
        """Name the peers that can be reached now."""
        return frozenset(key for key, link in self._links.items() if link.up)

    async def run(
        self, listener: Listener, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED
    ) -> None:
        """Listen and keep connected until cancelled."""
        assert self._listener is None, "a transport runs once"
        self._listener = listener
        _, port = parse_listen(self._listen)
        with PortLock(port):
            host = self._host = Host(
                self._network_seed,
                self._listen,
                {link.peer.network_key: link.peer.address for link in self._links.values()},
                on_refusal=self._note_stranger,
                on_fault=self._note_fault,
            )
            for channel in CHANNELS:
                host.handle(PROTOCOLS[channel], partial(self._receive, channel))
            async with trio.open_nursery() as nursery:
                await nursery.start(host.run)
                nursery.start_soon(self._watch, host)
                for link in self._links.values():
                    nursery.start_soon(self._keep_connected, host, link)
                    for channel in CHANNELS:
                        nursery.start_soon(self._transmit, host, link, channel)
                task_status.started()

    def _note_stranger(self, remote: str) -> None:
        self.counters.refused += 1
        now_s = trio.current_time()
        if now_s - self._strangers_told_s >= STRANGERS_TOLD_S:
            self._strangers_told_s = now_s
            _log.info("strangers refused", last=remote, in_all=self.counters.refused)

    def _note_fault(self, remote: ID, error: Exception) -> None:
        self.counters.broken += 1
        _log.debug("stream ended", remote=str(remote), fault=repr(error)[:200])

    async def _receive(self, channel: Channel, stream: INetStream) -> None:
        """Read one inbound stream to its end; faults go to the host's choke point."""
        link = self._by_id.get(stream.muxed_conn.peer_id)
        assert link is not None, "the gate lets only known peers in"
        older, link.inbound[channel] = link.inbound.get(channel), stream
        if older is not None:
            await abandon(older)
        try:
            await self._read(link, channel, stream)
        finally:
            if link.inbound.get(channel) is stream:
                del link.inbound[channel]

    async def _read(self, link: _Link, channel: Channel, stream: INetStream) -> None:
        assert self._listener is not None
        decoder = FrameDecoder(CHANNELS[channel].frame_bytes_max)
        while data := await stream.read(READ_BYTES):
            link.heard_s = trio.current_time()
            self.counters.received_bytes += len(data)
            for frame in decoder.feed(data):
                if frame:
                    link.busy += 1
                    try:
                        await self._listener.on_message(link.peer.vote_key, channel, frame)
                    finally:
                        link.busy -= 1

    def _preferred(self, host: Host, link: _Link) -> SwarmConn | None:
        """Pick the connection both sides pick: the newest one that the lower key dialed."""
        connections = host.connections(link.id)
        now = trio.current_time()
        link.born_s = {id(conn): link.born_s.get(id(conn), now) for conn in connections}
        if not connections:
            return None
        return max(
            enumerate(connections),
            # The list is in order of arrival.
            key=lambda item: (dialed_by_us(item[1]) is link.lower, item[0]),
        )[1]

    async def _keep_connected(self, host: Host, link: _Link) -> None:
        """Dial whenever there is no connection and it is this side's turn."""
        timing, delay_s = self._timing, self._timing.redial_first_s
        down_since_s = trio.current_time()
        while True:
            if self._preferred(host, link) is not None:
                delay_s, down_since_s = timing.redial_first_s, trio.current_time()
                with trio.move_on_after(timing.watch_interval_s):
                    await link.changed.wait()
                continue
            self._set_up(link, up=False)
            if link.lower or trio.current_time() - down_since_s > timing.higher_dials_after_s:
                try:
                    await host.dial(link.peer.address, link.id, timing.open_timeout_s)
                except Exception as error:  # libp2p raises many classes; all mean "not now".
                    _log.debug("dial failed", address=link.peer.address, fault=repr(error)[:200])
                else:
                    link.wake()
                    continue
            # Chance keeps the validators of a restarted network from dialing in step.
            await trio.sleep(delay_s * random.uniform(0.7, 1.3))  # noqa: S311 - no secret
            delay_s = min(delay_s * 1.7, timing.redial_max_s)

    async def _transmit(self, host: Host, link: _Link, channel: Channel) -> None:
        """Hold one outbound stream open and drain the outbox into it."""
        timing = self._timing
        while True:
            conn = self._preferred(host, link)
            if conn is None:
                with trio.move_on_after(timing.redial_first_s):
                    await link.changed.wait()
                continue
            stream: NetStream | None = None
            try:
                stream = await host.open_stream(conn, PROTOCOLS[channel], timing.open_timeout_s)
                await self._drain(host, link, channel, conn, stream)
            except Exception as error:  # Whatever broke, a new stream is the remedy.
                self._note_fault(link.id, error)
            finally:
                if stream is not None:
                    await abandon(stream)
            await trio.sleep(timing.redial_first_s)

    async def _drain(
        self, host: Host, link: _Link, channel: Channel, conn: SwarmConn, stream: NetStream
    ) -> None:
        """Write what the outbox holds until the stream or its connection is past use."""
        timing, outbox = self._timing, link.outboxes[channel]
        if channel is Channel.CONSENSUS:
            self._set_up(link, up=True)
        # A heartbeat goes out first: the peer learns at once that the stream stands.
        data = HEARTBEAT
        while True:
            with trio.fail_after(timing.write_timeout_s):
                await stream.write(data)
            self.counters.sent_bytes += len(data)
            data = await outbox.take(timing.heartbeat_s)
            # Writes on a closed connection return in silence, so it is looked at each time.
            if is_closed(stream) or self._preferred(host, link) is not conn:
                return
            data = data or HEARTBEAT

    async def _watch(self, host: Host) -> None:
        """Cut connections that are dead, superfluous or over their bounds."""
        async with trio.open_nursery() as nursery:
            while True:
                await trio.sleep(self._timing.watch_interval_s)
                for link in self._links.values():
                    preferred = self._preferred(host, link)
                    connections = host.connections(link.id)
                    crowded = len(connections) > CONNECTIONS_MAX
                    for conn in connections:
                        if why := self._reason_to_cut(link, conn, preferred, crowded=crowded):
                            self.counters.broken += 1
                            _log.info("connection cut", remote=str(link.id), reason=why)
                            nursery.start_soon(self._cut, link, conn)

    def _reason_to_cut(
        self, link: _Link, conn: SwarmConn, preferred: SwarmConn | None, *, crowded: bool
    ) -> str | None:
        """Say why a connection must go, or None."""
        now, timing = trio.current_time(), self._timing
        age_s = now - link.born_s.get(id(conn), now)
        if (overload := overload_of(conn)) is not None:
            return overload
        if conn is not preferred and (crowded or age_s > timing.dead_after_s):
            return "another connection serves"
        if age_s <= timing.dead_after_s:
            return None
        silent_s = now - link.heard_s
        if silent_s > timing.dead_after_s and not link.busy:
            return f"silent for {silent_s:.1f} s"
        return None

    async def _cut(self, link: _Link, conn: SwarmConn) -> None:
        await cut(conn)
        link.wake()

    def _set_up(self, link: _Link, *, up: bool) -> None:
        """Note whether the peer can be reached, and tell the listener of a change."""
        if link.up is up:
            return
        link.up = up
        assert self._listener is not None
        _log.info("peer up" if up else "peer down", peer=link.peer.vote_key.hex()[:16])
        self._listener.on_peer(link.peer.vote_key, up=up)
