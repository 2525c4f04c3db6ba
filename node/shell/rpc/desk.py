"""The desk where clients' transactions are gathered for the node.

What arrives while the node works on one batch goes into the next. Nothing waits for company: a
lone transaction is a batch of one. Under load hundreds of clients cost the node one event, one
job of signatures and one answer, where each cost as much before.

A batch stays small enough that no vote waits long behind it; what a client handed in together
stays together.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from node.client.errors import NodeUnavailable
from node.client.views import Submission

BATCH_MAX: Final = 128
"""A batch is closed once it holds so many transactions."""
WAITING_MAX: Final = 20_000
"""Transactions that may wait here; past it callers are told that the node is overloaded."""

Answer = asyncio.Future[list[Submission]]


class SubmissionDesk:
    """Hands batches to the node, one at a time."""

    def __init__(
        self, hand_in: Callable[[tuple[bytes, ...]], Awaitable[Sequence[Submission]]]
    ) -> None:
        self._hand_in = hand_in
        self._waiting: deque[tuple[tuple[bytes, ...], Answer]] = deque()
        self._waiting_count = 0
        self._arrived = asyncio.Event()

    async def submit(self, raws: tuple[bytes, ...]) -> list[Submission]:
        """Wait for the node's answers, one a transaction; raise `NodeUnavailable`."""
        if self._waiting_count + len(raws) > WAITING_MAX:
            raise NodeUnavailable("the node is overloaded: try again in a second")
        answer: Answer = asyncio.get_running_loop().create_future()
        self._waiting.append((raws, answer))
        self._waiting_count += len(raws)
        self._arrived.set()
        return await answer

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while batch := self._take():
                await self._serve(batch)

    def _take(self) -> list[tuple[tuple[bytes, ...], Answer]]:
        """Close a batch; whoever has gone away is not in it."""
        batch: list[tuple[tuple[bytes, ...], Answer]] = []
        size = 0
        while self._waiting and (not batch or size + len(self._waiting[0][0]) <= BATCH_MAX):
            raws, answer = self._waiting.popleft()
            self._waiting_count -= len(raws)
            if not answer.done():
                batch.append((raws, answer))
                size += len(raws)
        return batch

    async def _serve(self, batch: list[tuple[tuple[bytes, ...], Answer]]) -> None:
        try:
            outcomes = await self._hand_in(tuple(raw for raws, _ in batch for raw in raws))
        except NodeUnavailable as fault:
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(fault)
            return
        rest = iter(outcomes)
        for raws, answer in batch:
            own = [next(rest) for _ in raws]
            if not answer.done():
                answer.set_result(own)
