"""The transport in memory keeps the promises of the real one, so tests may stand on it."""

import trio

from ledger.primitives.keys import PublicKey
from node.core.events import Channel
from tests.support.node.libp2p_peers import Heard
from tests.support.node.memory_transport import Hub, MemoryTransport
from tests.support.system.trio_runs import in_trio, until

KEYS = [PublicKey(bytes([i]) * 32) for i in range(3)]


@in_trio
async def test_it_delivers_in_order_to_whom_it_can_reach_and_says_who_that_is():
    hub = Hub()
    nodes = [(MemoryTransport(hub, key), Heard()) for key in KEYS]
    async with trio.open_nursery() as nursery:
        for transport, heard in nodes:
            await nursery.start(transport.run, heard)
        first, second = nodes[0][0], nodes[1][0]
        assert first.peers_up() == frozenset(KEYS[1:])
        for number in range(50):
            first.broadcast(Channel.CONSENSUS, b"%d" % number)
        hub.set_link(KEYS[0], KEYS[1], up=False)
        assert not first.send(KEYS[1], Channel.SYNC, b"lost")
        assert second.send(KEYS[2], Channel.SYNC, b"kept")
        await until(lambda: len(nodes[2][1].messages) == 51 and len(nodes[1][1].messages) == 50)
        assert nodes[1][1].payloads() == [b"%d" % number for number in range(50)]
        assert nodes[1][1].ups[-1] == (KEYS[0], False)
        assert second.peers_up() == {KEYS[2]}
        nursery.cancel_scope.cancel()
    assert hub.members == {}
