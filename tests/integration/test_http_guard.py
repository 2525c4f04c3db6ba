"""The HTTP guard, over real sockets: each bound ends who breaks it and nobody else."""

import asyncio

import pytest

from tests.support.node.guarded_http import get, post, served
from tests.support.node.rpc_runs import poll

KIB = 1024


@pytest.mark.parametrize(
    "head",
    [
        get("/", "A: " + "a" * 5_000),
        get("/" + "a" * 5_000),
        get("/", *["A: a"] * 17),
        b"GET / HTTP/1.1\r\nHost: milk\r\nA: " + b"a" * 5_000,
        b"GET / HTTP/1.1\r\n" + b"A: a\r\n" * 1_000,
    ],
    ids=["field", "path", "many fields", "endless field", "endless fields"],
)
def test_a_head_past_its_bound_is_refused_whole_or_not(head):
    @served(head_bytes_max=4 * KIB, headers_max=16)
    async def _(server):
        wire = await server.wire()
        await wire.sent(head)
        status, body = await wire.answer()
        assert (status, b"at most 4096 bytes and 16 fields" in body) == (431, True)
        assert await wire.rest() == b""
        assert server.asked == []


def test_a_head_within_its_bound_is_taken_however_it_is_cut():
    @served(head_bytes_max=4 * KIB)
    async def _(server):
        wire = await server.wire()
        head = get("/", "A: " + "a" * 4_000)
        for start in range(0, len(head), 500):
            await wire.sent(head[start : start + 500])
        assert (await wire.answer())[0] == 200
        # What stands before a head in one read does not count as part of it.
        await wire.sent(post(4_000) + bytes(4_000) + head + head)
        assert [(await wire.answer())[0] for _ in range(3)] == [200, 200, 200]


@pytest.mark.parametrize("sent", [b"", b"\r\n", b"GET / HTTP/1.1\r\nHost: mi"])
def test_who_sends_no_whole_head_in_time_is_cut(sent):
    @served(head_s=0.2)
    async def _(server):
        wire, other = await server.wire(), await server.wire()
        await wire.sent(sent)
        assert (await other.get())[0] == 200
        assert await wire.rest() == b""
        assert (await other.get())[0] == 200, "who was served before has the time of the idle"


def test_a_head_that_drips_is_cut_and_so_is_a_second_one():
    @served(head_s=0.2)
    async def _(server):
        wire = await server.wire()
        await wire.get()
        await wire.sent(b"GET / HTTP/1.1\r\nHost: milk\r\nA: ")
        ended = asyncio.create_task(wire.rest())
        while not ended.done():
            await wire.sent(b"a")
            await asyncio.wait([ended], timeout=0.05)
        assert ended.result() == b""


def test_an_idle_connection_is_closed_and_one_that_waits_for_us_is_not():
    @served(idle_s=0.2, head_s=0.2)
    async def _(server):
        idle, waiting = await server.wire(), await server.wire()
        waiting.send(get("/wait"))
        assert (await idle.get())[0] == 200
        assert await idle.rest() == b""
        server.go.set()
        assert (await waiting.answer())[0] == 200


def test_a_body_below_the_least_rate_is_cut_and_one_above_it_is_not():
    @served(body_window_s=0.2, body_window_bytes=2)
    async def _(server):
        slow, steady = await server.wire(), await server.wire()
        await slow.sent(post(100) + b"x")
        await steady.sent(post(1_000_000))
        ended = asyncio.create_task(slow.rest())
        sent = 0
        while not ended.done() or sent < 20:
            await steady.sent(bytes(10))
            sent += 1
            await asyncio.wait([asyncio.create_task(asyncio.sleep(0.05)), ended], timeout=0.05)
        assert ended.result() == b""
        await steady.sent(bytes(1_000_000 - 10 * sent))
        assert (await steady.answer())[1].startswith(b"/ 1000000 ")
        assert server.left == ["/"], "the application was told that its client is gone"


def test_a_body_that_waits_to_be_asked_for_is_not_late():
    @served(body_window_s=0.2)
    async def _(server):
        wire = await server.wire()
        head = post(3, "/later").replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
        await wire.sent(head)
        other = await server.wire()
        await other.sent(post(3) + b"a")
        assert await other.rest() == b"", "a sweep has passed"
        server.go.set()
        assert (await wire.answer())[0] == 100
        await wire.sent(b"abc")
        assert (await wire.answer())[1].startswith(b"/later 3 ")


CHUNKED = "POST {} HTTP/1.1\r\nHost: milk\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_a_body_past_its_bound_is_refused_by_its_length_or_when_it_gets_there():
    @served(body_bytes_max=4 * KIB)
    async def _(server):
        wire = await server.wire()
        wire.send(post(4 * KIB + 1))
        assert (await wire.answer())[0] == 413
        assert server.asked == []
        wire = await server.wire()
        await wire.sent(CHUNKED.format("/").encode() + 5 * (b"400\r\n" + bytes(KIB) + b"\r\n"))
        assert (await wire.answer())[0] == 413
        assert await wire.rest() == b""


def test_a_body_that_nobody_wants_is_read_to_its_bound_and_no_further():
    @served(body_bytes_max=4 * KIB)
    async def _(server):
        wire = await server.wire()
        await wire.sent(CHUNKED.format("/early").encode())
        assert (await wire.answer())[0] == 200
        await wire.sent(5 * (b"400\r\n" + bytes(KIB) + b"\r\n"))
        assert await wire.rest() == b""


def test_past_the_bound_of_all_bodies_the_largest_unfinished_one_goes():
    @served(bodies_bytes_max=1_000 * KIB)
    async def _(server):
        payer = await server.wire()
        await payer.sent(post(20 * KIB) + bytes(10 * KIB))
        await poll(lambda: server.admission.held_bytes == 10 * KIB)
        greedy = [await server.wire() for _ in range(6)]
        for wire in greedy:
            await wire.sent(post(500 * KIB) + bytes(400 * KIB))
        await poll(lambda: len(server.admission) == 3)
        assert server.admission.held_bytes <= 1_000 * KIB
        await payer.sent(bytes(10 * KIB))
        assert (await payer.answer())[1].startswith(b"/ 20480 ")


def test_requests_sent_too_far_ahead_end_the_connection_after_those_that_were_taken():
    @served(pipelined_max=4)
    async def _(server):
        wire = await server.wire()
        await wire.sent(get("/wait") + b"".join(get(f"/{n}") for n in range(100)))
        await poll(lambda: server.asked == ["/wait"])
        server.go.set()
        got = [(await wire.answer())[1].split()[0] for _ in range(5)]
        assert got == [b"/wait", b"/0", b"/1", b"/2", b"/3"]
        assert await wire.rest() == b""


@pytest.mark.parametrize("garbage", [b"\0\0\0", get("/", "A: " + "a" * 5_000), post(10**9)])
def test_a_refusal_never_overtakes_the_answers_before_it(garbage):
    @served(head_bytes_max=4 * KIB)
    async def _(server):
        wire = await server.wire()
        await wire.sent(get("/wait") + get("/next") + garbage + get("/never"))
        await poll(lambda: server.asked == ["/wait"])
        server.go.set()
        assert (await wire.answer())[1].startswith(b"/wait ")
        assert (await wire.answer())[1].startswith(b"/next ")
        assert await wire.rest() == b""
        assert server.asked == ["/wait", "/next"]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\n\r\n", 200),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", 200),
        (b"CONNECT milk:443 HTTP/1.1\r\nHost: milk\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ],
    ids=["no host", "two hosts", "1.0", "gzip", "chunked", "connect", "http/2", "tls"],
)
def test_what_is_no_request_of_ours_is_told_so_at_once(request_, status):
    @served()
    async def _(server):
        wire = await server.wire()
        await wire.sent(request_)
        assert (await wire.answer())[0] == status


def test_an_upgrade_that_is_not_taken_is_served_as_plain_http_and_so_is_what_follows():
    @served()
    async def _(server):
        wire = await server.wire()
        upgrade = ("Connection: Upgrade", "Upgrade: websocket")
        await wire.sent(get("/one", *upgrade) + get("/two", *upgrade) + get("/three"))
        got = [(await wire.answer())[1].split()[0] for _ in range(3)]
        assert got == [b"/one", b"/two", b"/three"]


def test_white_space_around_a_value_is_no_part_of_it():
    @served()
    async def _(server):
        wire = await server.wire()
        wire.send(get("/", "A:\t b c \t", "D:e  "))
        _, body = await wire.answer()
        assert b"'a': 'b c'" in body
        assert b"'d': 'e'" in body
