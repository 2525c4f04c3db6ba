"""The inbox: consensus first, everyone in turn, every queue bounded, each peer's order kept."""

import trio
import trio.testing

from ledger.primitives.committee import Member
from node.core.events import Channel, Event, PeerDown, PeerMessage, PeerUp, Submit, Tick, Verified
from node.shell.p2p.inbox import QUEUE_BYTES_MAX, Inbox
from tests.support.system.trio_runs import in_trio


def message(channel: Channel, payload: bytes, peer: int = 0) -> PeerMessage:
    return PeerMessage(Member(peer), channel, payload)


def vote(peer: int, payload: bytes) -> PeerMessage:
    return message(Channel.CONSENSUS, payload, peer)


def take_all(inbox: Inbox) -> list[Event]:
    return list(iter(inbox.take, None))


@in_trio
async def test_votes_pass_a_flood_of_transactions():
    inbox = Inbox()
    for _ in range(100):
        await inbox.put(message(Channel.TRANSACTIONS, b"t"))
    await inbox.put(message(Channel.SYNC, b"s"))
    await inbox.put(message(Channel.CONSENSUS, b"v"))
    inbox.put_now(Verified(1, ()))
    assert inbox.take() == Verified(1, ())
    assert [inbox.take().payload for _ in range(3)] == [b"v", b"s", b"t"]


@in_trio
async def test_one_flooding_peer_keeps_no_other_waiting():
    inbox, flood = Inbox(), bytes(10_000)
    for _ in range(QUEUE_BYTES_MAX // len(flood)):
        await inbox.put(vote(0, flood))
    for _ in range(20):
        inbox.take()
        await inbox.put(vote(1, b"honest"))
        handled = [inbox.take() for _ in range(2)]
        assert vote(1, b"honest") in handled, "it is the next but one, however long the flood is"


@in_trio
async def test_a_third_that_floods_is_passed_in_one_round():
    inbox = Inbox()
    for peer in range(33):
        for _ in range(50):
            await inbox.put(vote(peer, b"junk"))
    for peer in (98, 99):
        for payload in (b"1", b"2"):
            await inbox.put(vote(peer, payload))
    heard = [inbox.take() for _ in range(2 * 35)]
    honest = [event for event in heard if event.peer >= 98]
    assert honest == [vote(98, b"1"), vote(99, b"1"), vote(98, b"2"), vote(99, b"2")]


@in_trio
async def test_what_one_peer_sends_comes_out_in_order_with_its_coming_and_going():
    inbox = Inbox()
    told = [PeerUp(Member(0)), vote(0, b"1"), vote(0, b"2"), PeerDown(Member(0))]
    for event in told:
        inbox.put_now(event)
        inbox.put_now(vote(1, b"other"))
    taken = take_all(inbox)
    assert [event for event in taken if event.peer == 0] == told
    assert len(taken) == 8
    assert inbox.take() is None


@in_trio
async def test_a_full_queue_makes_its_senders_wait_and_no_others():
    inbox, done = Inbox(), []

    async def put(event: PeerMessage) -> None:
        await inbox.put(event)
        done.append(event)

    late = [vote(0, b"late"), vote(0, b"later")]
    others = [vote(1, b"v"), message(Channel.SYNC, b"s", 0)]
    await inbox.put(vote(0, bytes(QUEUE_BYTES_MAX)))
    async with trio.open_nursery() as nursery:
        for event in [*late, *others]:
            nursery.start_soon(put, event)
        await trio.testing.wait_all_tasks_blocked()
        assert sorted(done, key=others.index) == others
        assert inbox.take().peer == 0
        await trio.testing.wait_all_tasks_blocked()
        assert len(done) == 4
    assert len(take_all(inbox)) == 4


@in_trio
async def test_a_flood_of_clients_takes_one_turn_among_the_peers():
    inbox = Inbox()
    for number in range(100):
        await inbox.put(Submit(number, (b"t",)))
    await inbox.put(message(Channel.TRANSACTIONS, b"batch", 3))
    assert [inbox.take(), inbox.take()] == [
        Submit(0, (b"t",)),
        message(Channel.TRANSACTIONS, b"batch", 3),
    ]


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
