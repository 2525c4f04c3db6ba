"""Attacks on a host, one a test: whatever a peer or stranger does, the others are served.

Each is a fault that py-libp2p 0.8.1 was found to have, or a bound that it does not keep
(docs/spec/wire.md §5).
"""

import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest
import trio
from libp2p.crypto.keys import KeyPair, KeyType, PrivateKey, PublicKey
from libp2p.network.stream.exceptions import StreamError
from libp2p.stream_muxer.exceptions import MuxedStreamError

from ledger.primitives.keys import Seed
from node.client.framing import encode_frame
from node.core.events import Channel
from node.shell.p2p import libp2p_host
from node.shell.p2p.libp2p_transport import CONNECTIONS_MAX, PROTOCOLS
from node.shell.p2p.transport import CHANNELS
from tests.support.node.libp2p_peers import QUICK, Heard, Net, port_of
from tests.support.system.trio_runs import in_trio, until

VICTIM, FRIEND, TRAITOR = 0, 1, 2
garbage = Random(7).randbytes


@asynccontextmanager
async def besieged() -> AsyncIterator[tuple[Net, list]]:
    """Run a victim and a friend; afterwards the friend must still be heard."""
    net = Net(3, QUICK)
    async with net.running(VICTIM, FRIEND) as nodes:
        yield net, nodes
        nodes[1][0].send(net.key(VICTIM), Channel.CONSENSUS, b"still here")
        await until(lambda: b"still here" in nodes[0][1].payloads())


def multistream(*lines: bytes) -> bytes:
    return b"".join(bytes([len(line) + 1]) + line + b"\n" for line in lines)


@pytest.mark.parametrize(
    "data",
    [
        garbage(4_096),
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff" * 100,
        b"\x05\xff\xfe\xfd\xfc\n",
        multistream(b"/multistream/1.0.0") + garbage(3_000),
        multistream(b"/multistream/1.0.0", b"/noise") + garbage(70_000),
        b"",
    ],
    ids=["noise", "http", "long varint", "bad utf-8", "after hello", "as noise", "silence"],
)
def test_garbage_on_the_port_disturbs_nobody(data):
    @in_trio
    async def run() -> None:
        async with besieged() as (net, _):
            for _ in range(3):
                stream = await trio.open_tcp_stream("127.0.0.1", port_of(net.addresses[VICTIM]))
                async with stream:
                    await stream.send_all(data)

    run()


def test_many_silent_connections_take_no_place_from_validators():
    @in_trio
    async def run() -> None:
        async with besieged() as (net, _):
            address = ("127.0.0.1", port_of(net.addresses[VICTIM]))
            idle = [socket.create_connection(address) for _ in range(100)]
            try:
                async with net.running(TRAITOR) as [(late, _)]:
                    await until(lambda: len(late.peers_up()) == 2)
            finally:
                for connection in idle:
                    connection.close()

    run()


@in_trio
async def test_a_name_longer_than_any_is_refused_by_its_length():
    # Fault 12: by default a hundred pieces of it are kept.
    async with besieged() as (net, _):
        for length in (b"\xff\xff\xff\xff\x0f", b"\x81\x08"):
            stream = await trio.open_tcp_stream("127.0.0.1", port_of(net.addresses[VICTIM]))
            async with stream:
                await stream.send_all(multistream(b"/multistream/1.0.0") + length)
                with trio.fail_after(libp2p_host.UPGRADE_TIMEOUT_S / 2):
                    while await stream.receive_some(4_096):
                        pass


@in_trio
async def test_a_stranger_is_refused_before_it_has_a_stream():
    async with besieged() as (net, nodes):
        victim, heard = nodes[0]
        async with net.attacker(VICTIM, Seed(bytes(32)), connect=False) as (host, _):
            remote = libp2p_host.peer_id(net.addresses[VICTIM].network_key)
            try:
                await host.dial(net.addresses[VICTIM].address, remote, 2.0)
            except Exception:
                conns = []
            else:
                conns = host.connections(remote)
            await until(lambda: victim.counters.refused > 0)
            await until(lambda: all(conn.is_closed for conn in conns))
        assert all(peer == net.key(FRIEND) for peer, _ in heard.ups)


class ForeignKey(PublicKey):
    """A public key of a kind that libp2p knows and nothing here serves."""

    def to_bytes(self) -> bytes:
        return b"\x02" + bytes(32)

    def get_type(self) -> KeyType:
        return KeyType.Secp256k1

    def verify(self, data: bytes, signature: bytes) -> bool:
        raise NotImplementedError


class ForeignSigner(PrivateKey):
    def to_bytes(self) -> bytes:
        return bytes(32)

    def get_type(self) -> KeyType:
        return KeyType.Secp256k1

    def sign(self, data: bytes) -> bytes:
        return bytes(64)

    def get_public_key(self) -> PublicKey:
        return ForeignKey()


@in_trio
async def test_a_key_of_a_curve_that_is_not_served_costs_its_owner_the_handshake(monkeypatch):
    async with besieged() as (net, nodes):
        identity = KeyPair(ForeignSigner(), ForeignKey())
        monkeypatch.setattr(libp2p_host, "create_new_key_pair", lambda seed: identity)
        async with net.attacker(VICTIM, Seed(bytes(32)), connect=False) as (host, _):
            remote = libp2p_host.peer_id(net.addresses[VICTIM].network_key)
            with contextlib.suppress(Exception):
                await host.dial(net.addresses[VICTIM].address, remote, 2.0)
            await until(lambda: all(conn.is_closed for conn in host.connections(remote)))
        assert all(peer == net.key(FRIEND) for peer, _ in nodes[0][1].ups)


@in_trio
async def test_a_public_key_alone_proves_nothing():
    # Fault 1: by default plaintext is offered, where a stranger claims any key it likes.
    async with besieged() as (net, nodes):
        for protocol in (b"/plaintext/2.0.0", b"/secio/1.0.0", b"/tls/1.0.0"):
            stream = await trio.open_tcp_stream("127.0.0.1", port_of(net.addresses[VICTIM]))
            async with stream:
                await stream.send_all(multistream(b"/multistream/1.0.0", protocol))
                got = b""
                with trio.move_on_after(2):
                    while b"na\n" not in got and (data := await stream.receive_some(4_096)):
                        got += data
                assert b"na\n" in got
                assert protocol not in got
        assert all(peer == net.key(FRIEND) for peer, _ in nodes[0][1].ups)


@pytest.mark.parametrize(
    "data",
    [
        b"\x05\xff\xfe\xfd\xfc\n",
        b"\xff\xff\xff\xff\x0f" + b"x" * 100_000,
        multistream(b"/multistream/1.0.0", b"/no/such/protocol"),
        multistream(b"/multistream/1.0.0", b"/ipfs/ping/1.0.0") + b"short",
        multistream(b"/multistream/1.0.0", b"/ipfs/id/push/1.0.0") + b"\x20" + b"\xff" * 32,
        b"",
    ],
    ids=["bad utf-8", "huge varint", "unknown", "ping", "identify", "nothing"],
)
def test_bad_stream_negotiation_costs_a_stream_and_no_more(data):
    # Fault 2: any exception here ends an unprotected process.
    @in_trio
    async def run() -> None:
        async with besieged() as (net, _), net.attacker(VICTIM, net.seeds[TRAITOR]) as (_, conn):
            for _ in range(5):
                stream = await conn.muxed_conn.open_stream()
                await stream.write(data or b"\0")
                await stream.close()

    run()


@pytest.mark.parametrize("channel", list(CHANNELS))
def test_an_oversized_frame_is_refused_from_its_header(channel):
    @in_trio
    async def run() -> None:
        async with (
            besieged() as (net, nodes),
            net.attacker(VICTIM, net.seeds[TRAITOR]) as (host, conn),
        ):
            stream = await host.open_stream(conn, PROTOCOLS[channel], 2.0)
            size = CHANNELS[channel].frame_bytes_max + 1
            await stream.write(struct.pack("!I", size) + b"x" * 1_000)
            await until(lambda: nodes[0][0].counters.broken > 0)
            await until(lambda: stream.muxed_stream.closed)
            assert nodes[0][1].payloads(channel) == []

    run()


@pytest.mark.parametrize("ending", ["close", "reset"])
def test_streams_that_end_in_the_middle_of_a_frame_leave_nothing_behind(ending):
    @in_trio
    async def run() -> None:
        async with (
            besieged() as (net, nodes),
            net.attacker(VICTIM, net.seeds[TRAITOR]) as (host, conn),
        ):
            for _ in range(20):
                stream = await host.open_stream(conn, PROTOCOLS[Channel.CONSENSUS], 2.0)
                await stream.write(b"\0\0")
                await getattr(stream, ending)()
            assert nodes[0][1].payloads() == []

    run()


@in_trio
async def test_a_second_stream_of_a_channel_replaces_the_first():
    # Else each of many streams could hold most of a frame in the reader's memory.
    async with (
        besieged() as (net, nodes),
        net.attacker(VICTIM, net.seeds[TRAITOR]) as (host, conn),
    ):
        first = await host.open_stream(conn, PROTOCOLS[Channel.CONSENSUS], 2.0)
        await first.write(encode_frame(b"first"))
        await until(lambda: b"first" in nodes[0][1].payloads())
        second = await host.open_stream(conn, PROTOCOLS[Channel.CONSENSUS], 2.0)
        await second.write(encode_frame(b"second"))
        await until(lambda: b"second" in nodes[0][1].payloads())
        await until(lambda: first.muxed_stream.closed)
        assert not second.muxed_stream.closed


def test_an_exception_in_a_handler_ends_its_stream_alone():
    class Broken(Heard):
        async def on_message(self, peer, channel, payload):
            if payload == b"boom":
                raise KeyError("a bug in a handler")
            await super().on_message(peer, channel, payload)

    @in_trio
    async def run() -> None:
        net = Net(2)
        async with trio.open_nursery() as nursery:
            victim, heard = net.transport(0), Broken()
            await nursery.start(victim.run, heard)
            async with net.running(1) as [(friend, _)]:
                await until(lambda: friend.peers_up() == {net.key(0)})
                friend.send(net.key(0), Channel.CONSENSUS, b"boom")
                await until(lambda: victim.counters.broken > 0)

                def heard_again() -> bool:
                    friend.send(net.key(0), Channel.CONSENSUS, b"fine")
                    return b"fine" in heard.payloads()

                await until(heard_again)
            nursery.cancel_scope.cancel()

    run()


@in_trio
async def test_a_flood_of_streams_costs_the_flooder_its_connection():
    async with besieged() as (net, _), net.attacker(VICTIM, net.seeds[TRAITOR]) as (_, conn):
        for _ in range(libp2p_host.STREAMS_MAX + 40):
            with trio.move_on_after(2), contextlib.suppress(MuxedStreamError):
                await conn.muxed_conn.open_stream()
            if conn.is_closed:
                break
        await until(lambda: conn.is_closed)


@in_trio
async def test_a_flood_past_the_window_is_cut_before_it_fills_memory(monkeypatch):
    # Fault 6: the library takes in whatever comes, window or not.
    monkeypatch.setattr(libp2p_host, "BUFFERED_BYTES_MAX", 4_000_000)
    async with besieged() as (net, nodes):
        nodes[0][1].blocked.add(Channel.SYNC)
        async with net.attacker(VICTIM, net.seeds[TRAITOR]) as (host, conn):
            stream = await host.open_stream(conn, PROTOCOLS[Channel.SYNC], 2.0)
            await stream.write(struct.pack("!I", 1_000) + bytes(1_000))
            sent = 0
            while sent < 400_000_000 and not conn.is_closed:
                stream.muxed_stream.send_window = 1 << 30
                with contextlib.suppress(StreamError):
                    await stream.write(bytes(65_000))
                sent += 65_000
            await until(lambda: conn.is_closed)
            assert 4_000_000 < sent < 200_000_000
        nodes[0][1].released.set()


@pytest.mark.parametrize("layer", ["yamux", "noise"])
def test_garbage_beneath_the_streams_ends_the_connection_alone(layer):
    @in_trio
    async def run() -> None:
        async with besieged() as (net, _), net.attacker(VICTIM, net.seeds[TRAITOR]) as (_, conn):
            secured = conn.muxed_conn.secured_conn
            if layer == "yamux":
                await secured.write(garbage(5_000))
            else:
                tcp = secured.conn.read_writer.read_write_closer
                await tcp.write(b"\x10\x00" + garbage(8_000))

    run()


@in_trio
async def test_connections_that_come_and_go_use_no_places_up():
    # Fault 3: by default the 251st inbound connection is refused for ever.
    async with besieged() as (net, _), net.attacker(VICTIM, net.seeds[TRAITOR]) as (host, _):
        target = net.addresses[VICTIM]
        victim = libp2p_host.peer_id(target.network_key)
        for _ in range(260):
            await host.dial(target.address, victim, 3.0)  # The victim ends the surplus.


@in_trio
async def test_a_peer_holds_few_connections_at_once():
    async with besieged() as (net, _), net.attacker(VICTIM, net.seeds[TRAITOR]) as (host, _):
        target = net.addresses[VICTIM]
        victim = libp2p_host.peer_id(target.network_key)
        for _ in range(2 * CONNECTIONS_MAX):
            await host.dial(target.address, victim, 3.0)
        await until(lambda: len(host.connections(victim)) <= CONNECTIONS_MAX)


@in_trio
async def test_a_peer_that_was_down_is_dialed_again_at_once():
    # Fault 4: by default a failed peer is blocked for a minute.
    net = Net(2)
    async with net.running(0) as [(low, _)]:
        await trio.sleep(0.3)  # Long enough for several refused dials.
        began_s = trio.current_time()
        async with net.running(1):
            await until(lambda: low.peers_up() == {net.key(1)})
            assert trio.current_time() - began_s < 30
