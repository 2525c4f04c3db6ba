"""Who stays connected, over real sockets: who reads nothing, who is silent, who comes too often."""

import asyncio

from node.addresses import group_of, is_trusted, parse_networks
from node.httpd.limits import HttpLimits
from node.httpd.places import SHARE, StreamPlaces
from tests.support.node.guarded_http import LARGE_BYTES, get, served
from tests.support.node.rpc_runs import poll

NOWHERE = parse_networks(["192.0.2.1"])
"""Trusted in place of the loopback, so that this machine counts as strangers."""


def test_who_reads_nothing_of_an_answer_is_cut_and_a_slow_reader_is_not():
    @served(unread_s=0.4)
    async def _(server):
        deaf, slow = await server.wire(), await server.wire()
        for wire in (deaf, slow):
            wire.listen(on=False)
            wire.send(get("/large"))
        ended = asyncio.create_task(poll(lambda: len(server.admission) == 1))
        while not ended.done():
            slow.listen(on=True)
            await asyncio.wait([ended], timeout=0.02)
        assert len((await slow.answer())[1]) == LARGE_BYTES


def test_past_the_bound_of_all_that_is_unread_the_one_with_most_goes():
    @served(unread_bytes_max=LARGE_BYTES)
    async def _(server):
        wires = [await server.wire() for _ in range(4)]
        for wire in wires:
            wire.listen(on=False)
            wire.send(get("/large"))
        await poll(lambda: len(server.admission) < 4)
        assert (await (await server.wire()).get())[0] == 200


def test_at_the_bound_who_never_asked_gives_way_then_who_rests_and_never_who_is_served():
    @served(connections_max=4)
    async def _(server):
        working = await server.wire()
        working.send(get("/wait"))
        resting = await server.wire()
        assert (await resting.get())[0] == 200
        silent = [await server.wire() for _ in range(20)]
        await poll(lambda: len(server.admission) == 4)
        assert [await wire.rest() for wire in silent[:18]] == [b""] * 18
        assert (await resting.get())[0] == 200, "it was of use before"
        for _ in range(3):
            (await server.wire()).send(get("/wait"))
        await poll(lambda: server.asked.count("/wait") == 4)
        assert await resting.rest() == b""
        late = await server.wire()
        assert (await late.answer())[0] == 503
        server.go.set()
        assert (await working.answer())[0] == 200


def test_one_address_holds_a_part_of_the_places_and_others_do_not_notice():
    @served(connections_max=64, per_address_max=8, trusted=NOWHERE)
    async def _(server):
        crowd = [await server.wire("127.0.0.2") for _ in range(50)]
        for wire in crowd:
            wire.send(get("/wait"))
        other = await server.wire("127.0.0.3")
        assert (await other.get())[0] == 200
        assert len(server.admission) <= 9
        assert server.asked.count("/wait") <= 50


def test_a_trusted_address_is_bounded_only_with_all():
    @served(connections_max=64, per_address_max=8)
    async def _(server):
        crowd = [await server.wire() for _ in range(50)]
        for wire in crowd:
            assert (await wire.get())[0] == 200
        assert len(server.admission) == 50


def test_an_address_counts_for_itself_and_an_ipv6_customer_for_its_network():
    assert group_of("192.0.2.7") == group_of("::ffff:192.0.2.7") == "192.0.2.7"
    assert group_of("2001:db8::1") == group_of("2001:db8::ffff:1") != group_of("2001:db8:0:1::1")
    assert is_trusted("::ffff:127.0.0.9", HttpLimits().trusted)
    assert not is_trusted("192.0.2.7", HttpLimits().trusted)
    assert is_trusted("10.1.2.3", parse_networks(["10.0.0.0/8"]))


def test_a_client_takes_its_share_of_the_streams_and_gives_it_back():
    places = StreamPlaces(10 * SHARE)
    assert [places.take("192.0.2.1") for _ in range(11)] == [True] * 10 + [False]
    for client in range(2, 9):
        assert all(places.take(f"192.0.2.{client}") for _ in range(10))
    assert not places.take("192.0.2.9"), "all are taken"
    places.give_back("192.0.2.1")
    assert places.take("192.0.2.9")
    assert len(places) == 10 * SHARE
