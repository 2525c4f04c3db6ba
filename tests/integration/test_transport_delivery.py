"""The transport over real libp2p: delivery, order, reconnection, slow and dead peers, ports."""

from dataclasses import replace

import pytest
import trio
from libp2p.network.auto_connector import AutoConnector

from node.core.events import Channel
from node.errors import PortTaken
from node.shell.p2p.libp2p_patches import apply_patches
from node.shell.p2p.transport import CHANNELS
from tests.support.node.libp2p_peers import PATIENT, QUICK, Heard, Net
from tests.support.system.trio_runs import in_trio, until


@in_trio
async def test_every_message_reaches_every_peer_in_order():
    net = Net(4)
    sent = [b"%d" % i for i in range(500)]
    async with net.running(0, 1, 2, 3) as nodes:
        for payload in sent:
            nodes[2][0].broadcast(Channel.CONSENSUS, payload)
        others = [heard for i, (_, heard) in enumerate(nodes) if i != 2]
        await until(lambda: all(len(heard.messages) == len(sent) for heard in others))
        for heard in others:
            assert heard.payloads() == sent
            assert {peer for peer, _, _ in heard.messages} == {net.key(2)}


@in_trio
async def test_a_message_of_the_largest_size_arrives_whole_on_each_channel():
    net = Net(2)
    async with net.running(0, 1) as [(low, _), (_, heard)]:
        for channel, limits in CHANNELS.items():
            payload = bytes(range(256)) * (limits.frame_bytes_max // 256)
            assert low.send(net.key(1), channel, payload)
            await until(lambda c=channel, p=payload: heard.payloads(c) == [p])


@in_trio
async def test_what_is_sent_before_the_peer_runs_arrives_when_it_does():
    net = Net(2)
    async with net.running(0) as [(low, _)]:
        low.send(net.key(1), Channel.CONSENSUS, b"early")
        async with net.running(1) as [(_, heard)]:
            await until(lambda: heard.payloads() == [b"early"])


@pytest.mark.parametrize("restarted", [0, 1])
def test_a_peer_that_restarts_is_reached_again(restarted):
    @in_trio
    async def run() -> None:
        net, stays = Net(2), 1 - restarted
        async with net.running(stays) as [(transport, heard)]:
            async with net.running(restarted):
                await until(lambda: (net.key(restarted), True) in heard.ups)
            await until(lambda: (net.key(restarted), False) in heard.ups)
            async with net.running(restarted) as [(_, fresh)]:
                await until(lambda: transport.peers_up() == {net.key(restarted)})
                transport.send(net.key(restarted), Channel.CONSENSUS, b"again")
                await until(lambda: b"again" in fresh.payloads())

    run()


@in_trio
async def test_a_peer_that_takes_nothing_slows_only_its_own_channel():
    net = Net(2, replace(PATIENT, write_timeout_s=1.0))
    async with net.running(0, 1) as [(low, _), (_, heard)]:
        heard.blocked.add(Channel.SYNC)
        for _ in range(6):  # 18 MB, past every window and buffer: the write runs into its timeout.
            low.send(net.key(1), Channel.SYNC, bytes(3_000_000))
        await until(lambda: low.counters.broken > 0)
        low.send(net.key(1), Channel.CONSENSUS, b"vote")
        await until(lambda: heard.payloads() == [b"vote"])
        heard.blocked.clear()
        heard.released.set()

        def flows() -> bool:
            low.send(net.key(1), Channel.SYNC, b"after")
            return b"after" in heard.payloads(Channel.SYNC)

        await until(flows)
        assert low.peers_up() == {net.key(1)}, "the connection outlived the stream"


@in_trio
async def test_full_outboxes_drop_and_count_and_never_block_the_sender():
    net = Net(2)
    async with net.running(0) as [(low, _)]:
        kept = [low.send(net.key(1), Channel.TRANSACTIONS, bytes(1_000_000)) for _ in range(20)]
        assert kept == [True] * 8 + [False] * 12
        assert low.counters.dropped == 12
        for _ in range(40):
            assert low.send(net.key(1), Channel.CONSENSUS, bytes(1_000_000))
        assert low.counters.dropped > 12


@in_trio
async def test_a_connection_that_falls_silent_is_cut():
    net = Net(2, QUICK)
    # The attacker holds validator 1's key: it connects, and then says nothing at all.
    async with net.running(0) as [(low, heard)], net.attacker(0, net.seeds[1]) as (_, conn):
        await until(lambda: heard.ups[:1] == [(net.key(1), True)])
        began_s = trio.current_time()
        await until(lambda: (net.key(1), False) in heard.ups)
        assert trio.current_time() - began_s < 5
        assert low.peers_up() == frozenset()
        await until(lambda: conn.is_closed)


@in_trio
async def test_two_transports_never_share_a_port():
    net = Net(2)
    async with net.running(0):
        twin = net.transport(0)
        with pytest.raises(PortTaken, match="process"):
            await twin.run(Heard())


@in_trio
async def test_a_port_of_another_program_is_refused():
    net = Net(1)
    port = int(net.addresses[0].address.rsplit("/", 1)[1])
    listeners = await trio.open_tcp_listeners(port, host="127.0.0.1")
    try:
        with pytest.raises(BaseExceptionGroup) as caught:
            await net.transport(0).run(Heard())
        assert caught.group_contains(PortTaken, match="another program")
    finally:
        for listener in listeners:
            await listener.aclose()


@in_trio
async def test_unknown_peers_are_not_sent_to():
    net = Net(2)
    async with net.running(0) as [(low, _)]:
        assert not low.send(bytes(32), Channel.CONSENSUS, b"x")


def test_the_library_s_auto_connector_dials_nobody():
    apply_patches()

    class NoSwarm:
        def __getattr__(self, name):
            raise AssertionError(f"the auto-connector looked at {name}")

    connector = AutoConnector.__new__(AutoConnector)
    connector.swarm = NoSwarm()
    trio.run(connector.maybe_connect)
