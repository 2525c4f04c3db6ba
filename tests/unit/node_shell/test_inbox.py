"""The inbox: consensus first, every lane bounded, order kept within a lane."""

import trio
import trio.testing

from consensus.types import Member
from node.core.events import Channel, PeerMessage, Submit, Tick, Verified
from node.shell.inbox import BATCH_MAX, LANE_BYTES_MAX, Inbox, Lane
from tests.support.trio_runs import in_trio


def message(channel: Channel, payload: bytes) -> PeerMessage:
    return PeerMessage(Member(0), channel, payload)


@in_trio
async def test_votes_pass_a_flood_of_transactions():
    inbox = Inbox()
    for _ in range(100):
        await inbox.put(message(Channel.TRANSACTIONS, b"t"))
    await inbox.put(message(Channel.SYNC, b"s"))
    await inbox.put(message(Channel.CONSENSUS, b"v"))
    taken = inbox.take()
    assert [event.payload for event in taken[:3]] == [b"v", b"s", b"t"]
    assert len(taken) == BATCH_MAX


@in_trio
async def test_a_full_lane_makes_its_senders_wait_and_no_others():
    inbox, big = Inbox(), bytes(LANE_BYTES_MAX[Lane.TRANSACTIONS])
    await inbox.put(Submit(1, (big,)))
    done = []

    async def put_more() -> None:
        await inbox.put(message(Channel.TRANSACTIONS, b"late"))
        done.append("late")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(put_more)
        await trio.testing.wait_all_tasks_blocked()
        await inbox.put(message(Channel.CONSENSUS, b"v"))
        assert done == []
        inbox.take()
        await trio.testing.wait_all_tasks_blocked()
        assert done == ["late"]


@in_trio
async def test_what_is_put_back_comes_out_again_in_order():
    inbox = Inbox()
    events = [message(Channel.CONSENSUS, bytes([i])) for i in range(5)]
    for event in events:
        inbox.put_now(event)
    inbox.put_now(message(Channel.SYNC, b"s"))
    taken = inbox.take()
    inbox.put_back(taken[2:])
    assert inbox.take() == taken[2:]


@in_trio
async def test_waiting_ends_when_an_event_comes_or_time_is_up():
    inbox = Inbox()
    with trio.fail_after(5):
        await inbox.wait(0.001)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(inbox.wait, 60)
            await trio.testing.wait_all_tasks_blocked()
            inbox.put_now(Tick())
        inbox.put_now(Verified(1, ()))
        await inbox.wait(60)
