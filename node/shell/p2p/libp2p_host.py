"""A py-libp2p host made safe: what its defaults leave open is closed here, in one place.

The work-arounds, by the numbers of docs/spec/wire.md §5: only Noise is offered (1); one choke
point stands around every inbound stream, where an exception would else end the process (2); the
connection limiter that leaks slots, and the auto-connector, are off (3, 9); dials go straight to
the address (4); what a connection holds in memory can be asked (6); connections that have not
proved a key yet are few and soon over (12).
"""

import contextlib
from collections.abc import Callable, Mapping
from typing import Final

import libp2p
import trio
from libp2p.abc import IMuxedConn, INetStream
from libp2p.crypto.ed25519 import Ed25519PublicKey, create_new_key_pair
from libp2p.custom_types import StreamHandlerFn, TProtocol
from libp2p.host.basic_host import BasicHost
from libp2p.io.trio import TrioTCPStream
from libp2p.network.config import ConnectionConfig
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.network.connection.swarm_connection import SwarmConn
from libp2p.network.exceptions import SwarmException
from libp2p.network.stream.net_stream import NetStream
from libp2p.network.swarm import Swarm
from libp2p.peer.id import ID
from libp2p.protocol_muxer.multiselect_communicator import MultiselectCommunicator
from libp2p.rcmgr.connection_limits import ConnectionLimits
from libp2p.rcmgr.manager import ResourceLimits, ResourceManager
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE_PROTOCOL
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX_PROTOCOL
from libp2p.stream_muxer.yamux.yamux import Yamux, YamuxStream
from multiaddr import Multiaddr  # type: ignore[import-untyped]  # the package has no types
from trio import TASK_STATUS_IGNORED
from trio_typing import TaskStatus

from ledger.primitives.keys import PublicKey, Seed
from ledger.primitives.numerals import read_whole
from node.errors import BadConfig, PortTaken
from node.shell.p2p.half_open import HalfOpenPlaces
from node.shell.p2p.libp2p_patches import apply_patches
from node.shell.p2p.noise_gate import GatedNoise

UPGRADE_TIMEOUT_S: Final = 5
"""How long a new connection may take to prove who it is."""
STREAMS_MAX: Final = 64
"""The most open streams of one connection; three each way are in use."""
BUFFERED_BYTES_MAX: Final = 32 * 1024 * 1024
"""The most unread bytes of one connection: yamux does not hold senders to their windows."""
CLOSE_TIMEOUT_S: Final = 2.0


def peer_id(network_key: PublicKey) -> ID:
    """Give the libp2p name of a network key."""
    return ID.from_pubkey(Ed25519PublicKey.from_bytes(network_key))


def parse_listen(text: str) -> tuple[Multiaddr, int]:
    """Read a TCP multiaddress and its port; raise `BadConfig` for anything else."""
    try:
        address = Multiaddr(text)
        port = read_whole(text.split("/tcp/")[1].split("/")[0], most=65_535)
    except Exception as error:  # The parser raises half a dozen unrelated classes.
        raise BadConfig(f"{text!r} is no TCP multiaddress such as /ip4/127.0.0.1/tcp/26001") from (
            error
        )
    return address, port


def host_of(address: str) -> str:
    """Give the host in a multiaddress such as /ip4/127.0.0.1/tcp/26001; raise `BadConfig`."""
    target, _ = parse_listen(address)
    return str(target).split("/")[2]


class Host:
    """One libp2p host: listens, dials, opens streams; nothing a peer does gets out of it."""

    def __init__(
        self,
        network_seed: Seed,
        listen: str,
        peers: Mapping[PublicKey, str],
        *,
        on_refusal: Callable[[str], None],
        on_fault: Callable[[ID, Exception], None],
    ) -> None:
        apply_patches()
        identity = create_new_key_pair(network_seed)
        self.id = ID.from_pubkey(identity.public_key)
        self._listen, self._port = parse_listen(listen)
        self._on_fault = on_fault
        gate = GatedNoise(
            identity,
            frozenset(peer_id(key) for key in peers),
            lambda remote: on_refusal(str(remote)),
        )
        host = libp2p.new_host(
            key_pair=identity,
            sec_opt={NOISE_PROTOCOL: gate},
            muxer_opt={TProtocol(YAMUX_PROTOCOL): Yamux},
            listen_addrs=[self._listen],
            resource_manager=_resources(),
            connection_config=_connections(),
            disable_identify_address_discovery=True,
            negotiate_timeout=UPGRADE_TIMEOUT_S,
        )
        assert isinstance(host, BasicHost)
        network = host.get_network()
        assert isinstance(network, Swarm)
        self._host, self.network = host, network
        self._half_open = HalfOpenPlaces(host_of(address) for address in peers.values())
        self._on_refusal = on_refusal
        self._stand_between(host, network)

    def _stand_between(self, host: BasicHost, network: Swarm) -> None:
        """Take the library's place where it would carry a peer's connections and streams."""
        self._inner_upgrade = network.upgrade_inbound_raw_conn
        # The swarm looks the method up on itself for each connection that it accepts.
        network.upgrade_inbound_raw_conn = (  # type: ignore[method-assign]
            self._upgrade  # type: ignore[assignment]
        )
        self._inner_handler = host._swarm_stream_handler
        network.set_stream_handler(self._contain)

    async def _upgrade(self, raw: RawConnection, listener: Multiaddr) -> IMuxedConn:
        """Let a connection prove its key, unless it must give way meanwhile."""
        stream = raw.stream
        assert isinstance(stream, TrioTCPStream)
        remote: str = stream.stream.socket.getpeername()[0]
        with self._half_open.place(remote):
            return await self._inner_upgrade(raw, listener)
        with trio.CancelScope(shield=True):
            await raw.close()
        self._on_refusal(remote)
        raise SwarmException(f"{remote} gave way before it had proved a key")

    async def _contain(self, stream: INetStream) -> None:
        """Carry one inbound stream; let no exception of negotiation or handler out."""
        try:
            await self._inner_handler(stream)
        except Exception as error:  # The choke point: whatever a peer provokes ends here.
            self._on_fault(stream.muxed_conn.peer_id, error)
        finally:
            await abandon(stream)

    def handle(self, protocol: TProtocol, handler: StreamHandlerFn) -> None:
        """Serve inbound streams of a protocol."""
        self._host.set_stream_handler(protocol, handler)

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Listen until cancelled; raise `PortTaken` if the port can't be had."""
        async with self._host.run([self._listen]):
            if not self.network.listeners:
                # libp2p only logs that it could not bind.
                raise PortTaken(self._port, "another program")
            task_status.started()
            try:
                await trio.sleep_forever()
            finally:
                await self._hang_up()

    async def _hang_up(self) -> None:
        """Close every socket at once: the library would take 0.2 s for each, or leak it."""
        with trio.CancelScope(shield=True), trio.move_on_after(CLOSE_TIMEOUT_S / 2):
            async with trio.open_nursery() as nursery:
                for conn in self.network.get_connections():
                    if isinstance(conn.muxed_conn, Yamux):
                        nursery.start_soon(_close_socket, conn.muxed_conn)

    async def dial(self, address: str, remote: ID, timeout_s: float) -> None:
        """Connect to an address and prove that `remote` is there; raise on failure."""
        target, _ = parse_listen(address)
        self.network.unblock_peer(remote)
        with trio.fail_after(timeout_s):
            # `connect` would wait 250 ms and lock a failed peer out for a minute.
            await self.network._dial_addr_single_attempt(target, remote)

    def connections(self, remote: ID) -> list[SwarmConn]:
        """List the live connections with a peer."""
        return [
            conn
            for conn in self.network.get_connections(remote)
            if isinstance(conn, SwarmConn) and not conn.is_closed and not conn.muxed_conn.is_closed
        ]

    async def open_stream(
        self, conn: SwarmConn, protocol: TProtocol, timeout_s: float
    ) -> NetStream:
        """Open a stream of a protocol on this very connection; raise on failure."""
        with trio.fail_after(timeout_s):
            stream = await conn.new_stream()
            try:
                await self._host.multiselect_client.select_one_of(
                    [protocol], MultiselectCommunicator(stream), UPGRADE_TIMEOUT_S
                )
            except BaseException:
                await abandon(stream)
                raise
        stream.set_protocol(protocol)
        return stream


def _resources() -> ResourceManager:
    """Bounds are ours to keep: the library's own refuse validators under load."""
    return ResourceManager(
        limits=ResourceLimits(max_connections=1_000_000, max_streams=1_000_000),
        connection_limits=ConnectionLimits(),
        enable_connection_tracking=False,
        enable_rate_limiting=False,
        enable_circuit_breaker=False,
        enable_graceful_degradation=False,
        enable_memory_limits=False,
    )


def _connections() -> ConnectionConfig:
    """Switch off the leaking inbound limiter and pruning; hold upgrades to time.

    The bound on a peer's connections is the transport's: the library's closes the newest one.
    """
    return ConnectionConfig(
        max_connections=1_000_000,
        min_connections=0,
        low_watermark=0,
        high_watermark=1_000_000,
        max_connections_per_peer=1_000_000,
        inbound_upgrade_timeout=float(UPGRADE_TIMEOUT_S),
        outbound_upgrade_timeout=float(UPGRADE_TIMEOUT_S),
        dial_timeout=float(UPGRADE_TIMEOUT_S),
        inbound_stream_protocol_negotiation_timeout=float(UPGRADE_TIMEOUT_S),
        outbound_stream_protocol_negotiation_timeout=float(UPGRADE_TIMEOUT_S),
    )


def dialed_by_us(conn: SwarmConn) -> bool:
    """Tell who began a connection."""
    return bool(conn.muxed_conn.is_initiator)


def is_closed(stream: NetStream) -> bool:
    """Tell whether a stream was closed or reset, by either side."""
    muxed = stream.muxed_stream
    assert isinstance(muxed, YamuxStream)
    return muxed.closed


def overload_of(conn: SwarmConn) -> str | None:
    """Say which bound a connection is over, or None."""
    muxed = conn.muxed_conn
    assert isinstance(muxed, Yamux)
    if len(muxed.streams) > STREAMS_MAX:
        return f"{len(muxed.streams)} streams"
    held = sum(len(buffer) for buffer in muxed.stream_buffers.values())
    return f"{held} unread bytes" if held > BUFFERED_BYTES_MAX else None


async def cut(conn: SwarmConn) -> None:
    """End a connection whatever state it is in: the socket first, so that no write can block."""
    muxed = conn.muxed_conn
    assert isinstance(muxed, Yamux)
    with trio.move_on_after(CLOSE_TIMEOUT_S):
        await _close_socket(muxed)
        await conn.close()


async def _close_socket(muxed: Yamux) -> None:
    with contextlib.suppress(Exception):  # Broken already is what we wanted.
        await muxed.secured_conn.close()


async def abandon(stream: INetStream) -> None:
    """Reset a stream, within a second, whatever state it is in."""
    # A stream that is broken already is what we wanted.
    with trio.CancelScope(shield=True), trio.move_on_after(1.0), contextlib.suppress(Exception):
        await stream.reset()
