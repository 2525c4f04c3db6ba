"""Outboxes: bounded, in order, drained in large writes, and honest about what they drop."""

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from node.client.framing import FrameDecoder, encode_frame
from node.shell.p2p.outbox import WRITE_BYTES_MAX, Outbox
from node.shell.p2p.transport import ChannelLimits, Drop
from tests.support.system.trio_runs import in_trio

FRAME_MAX = 1_000_000


def taken(outbox: Outbox) -> list[bytes]:
    async def take() -> bytes:
        return await outbox.take(0)

    frames = []
    while data := trio.run(take):
        frames += FrameDecoder(FRAME_MAX).feed(data)
    return frames


def limits(size: int, drop: Drop) -> ChannelLimits:
    return ChannelLimits(FRAME_MAX, size, drop)


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=30), st.integers(40, 300))
def test_drop_newest_keeps_a_prefix_of_what_fits(payloads, size):
    outbox = Outbox(limits(size, Drop.NEWEST))
    kept = [payload for payload in payloads if outbox.put(payload)]
    assert outbox.held_bytes <= size
    assert outbox.dropped == len(payloads) - len(kept)
    assert taken(outbox) == kept


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=30), st.integers(40, 300))
def test_drop_oldest_keeps_the_newest_that_fit(payloads, size):
    outbox = Outbox(limits(size, Drop.OLDEST))
    assert all(outbox.put(payload) for payload in payloads)
    assert outbox.held_bytes <= size
    got = taken(outbox)
    assert got == payloads[len(payloads) - len(got) :]
    assert outbox.dropped == len(payloads) - len(got)


def test_a_payload_above_the_frame_cap_is_a_bug_of_the_sender():
    outbox = Outbox(ChannelLimits(10, 100, Drop.OLDEST))
    with pytest.raises(AssertionError):
        outbox.put(bytes(11))


@in_trio
async def test_one_take_joins_what_fits_one_write():
    outbox = Outbox(limits(10_000_000, Drop.NEWEST))
    for _ in range(10_000):
        outbox.put(bytes(60))
    data = await outbox.take(0)
    assert WRITE_BYTES_MAX - 64 < len(data) <= WRITE_BYTES_MAX


@in_trio
async def test_a_payload_larger_than_a_write_goes_alone():
    outbox, large = Outbox(limits(10_000_000, Drop.NEWEST)), bytes(2 * WRITE_BYTES_MAX)
    outbox.put(b"small")
    outbox.put(large)
    assert await outbox.take(0) == encode_frame(b"small")
    assert await outbox.take(0) == encode_frame(large)


@in_trio
async def test_a_taker_wakes_the_moment_something_comes():
    outbox = Outbox(limits(100, Drop.NEWEST))
    got = []

    async def take() -> None:
        got.append(await outbox.take(60))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take)
        await trio.testing.wait_all_tasks_blocked()
        outbox.put(b"x")
    assert got == [encode_frame(b"x")]


@in_trio
async def test_an_idle_take_gives_nothing():
    assert await Outbox(limits(100, Drop.NEWEST)).take(0) == b""
