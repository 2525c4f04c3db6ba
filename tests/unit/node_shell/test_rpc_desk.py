"""The submission desk: batches form while the node is busy, and everyone gets their own answers."""

import asyncio

import pytest

from node.client.errors import NodeUnavailable, Unanswered
from node.client.views import Submission
from node.shell.rpc.desk import BATCH_MAX, PATIENCE_S, WAITING_MAX, SubmissionDesk


class Node:
    """A node that answers each transaction with its own bytes, when it is told to."""

    def __init__(self):
        self.batches = []
        self.free = asyncio.Event()
        self.fault = None
        self.leaves_out = 0

    async def take(self, raws):
        self.batches.append(raws)
        await self.free.wait()
        if self.fault:
            raise self.fault
        return [Submission(None, raw.decode(), "") for raw in raws[self.leaves_out :]]


def codes(outcomes):
    return [outcome.code for outcome in outcomes]


def on_desk(scenario, patience_s=PATIENCE_S):
    """Run a scenario with a node and a served desk."""

    async def main():
        node = Node()
        desk = SubmissionDesk(node.take, patience_s)
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(desk.run())
            await scenario(node, desk, group)
            serving.cancel()

    asyncio.run(main())


async def settle():
    for _ in range(10):
        await asyncio.sleep(0)


def test_what_comes_while_the_node_is_busy_goes_in_one_batch():
    async def scenario(node, desk, group):
        first = group.create_task(desk.submit((b"a",)))
        await settle()
        later = [group.create_task(desk.submit((raw, raw * 2))) for raw in (b"b", b"c")]
        await settle()
        assert node.batches == [(b"a",)]
        node.free.set()
        assert codes(await first) == ["a"]
        assert [codes(await task) for task in later] == [["b", "bb"], ["c", "cc"]]
        assert node.batches == [(b"a",), (b"b", b"bb", b"c", b"cc")]

    on_desk(scenario)


def test_a_batch_ends_at_its_bound_and_never_splits_a_client_s():
    async def scenario(node, desk, group):
        node.free.set()
        large = tuple(b"x" for _ in range(BATCH_MAX + 1))
        tasks = [group.create_task(desk.submit(raws)) for raws in ((b"a",), large, (b"b",))]
        for task in tasks:
            await task
        assert [len(batch) for batch in node.batches] == [1, BATCH_MAX + 1, 1]

    on_desk(scenario)


def test_a_node_that_is_gone_fails_a_whole_batch_and_not_the_next():
    async def scenario(node, desk, group):
        node.free.set()
        node.fault = NodeUnavailable("gone")
        with pytest.raises(NodeUnavailable):
            await desk.submit((b"a",))
        node.fault = None
        assert codes(await desk.submit((b"b",))) == ["b"]

    on_desk(scenario)


def test_who_has_gone_away_is_not_handed_in():
    async def scenario(node, desk, group):
        first = group.create_task(desk.submit((b"a",)))
        await settle()
        gone = group.create_task(desk.submit((b"b",)))
        await settle()
        gone.cancel()
        await settle()
        node.free.set()
        await first
        await settle()
        assert node.batches == [(b"a",)]

    on_desk(scenario)


def test_past_its_bound_the_desk_refuses_at_once():
    async def scenario(node, desk, group):
        group.create_task(desk.submit((b"a",)))
        await settle()
        full = group.create_task(desk.submit((b"x",) * WAITING_MAX))
        await settle()
        with pytest.raises(NodeUnavailable):
            await desk.submit((b"b",))
        node.free.set()
        await full

    on_desk(scenario)


def test_who_waited_in_vain_learns_whether_the_node_was_given_it():
    async def scenario(node, desk, group):
        given = asyncio.gather(desk.submit((b"a",)), return_exceptions=True)
        await settle()
        kept = asyncio.gather(desk.submit((b"b",)), return_exceptions=True)
        [told_given], [told_kept] = await given, await kept
        assert isinstance(told_given, Unanswered)
        assert isinstance(told_kept, NodeUnavailable)
        assert not isinstance(told_kept, Unanswered)
        node.free.set()
        assert codes(await desk.submit((b"c",))) == ["c"]
        assert node.batches == [(b"a",), (b"c",)], "what was told as not given is never given"

    on_desk(scenario, patience_s=0.05)


def test_a_node_that_leaves_answers_out_leaves_nobody_without():
    async def scenario(node, desk, group):
        node.free.set()
        node.leaves_out = 1
        with pytest.raises(Unanswered, match="1 answers for 2"):
            await desk.submit((b"a", b"b"))
        node.leaves_out = 0
        assert codes(await desk.submit((b"c",))) == ["c"]

    on_desk(scenario)
