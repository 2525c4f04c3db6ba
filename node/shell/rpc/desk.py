"""The desk where clients' transactions are gathered for the node.

What arrives while the node works on one batch goes into the next. Nothing waits for company: a lone
transaction is a batch of one. Under load hundreds of clients together cost the node one event, one
job of signatures and one answer.

A batch stays small enough that no vote waits long behind it; what a client handed in together stays
together. A client that has waited too long is told whether the node was given its transactions.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from node.client.errors import NodeUnavailable, Unanswered
from node.client.views import Submission

BATCH_MAX: Final = 128
"""A batch is closed once it holds so many transactions."""
WAITING_MAX: Final = 20_000
"""Transactions that may wait here; past it callers are told that the node is overloaded."""
PATIENCE_S: Final = 10.0
"""How long a client waits here in all, for its turn and for the node's answer."""


@dataclass(eq=False, slots=True)
class _Handed:
    """What one client handed in."""

    raws: tuple[bytes, ...]
    answer: asyncio.Future[list[Submission]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    passed_on: bool = False


class SubmissionDesk:
    """Hands batches to the node, one at a time."""

    def __init__(
        self,
        hand_in: Callable[[tuple[bytes, ...]], Awaitable[Sequence[Submission]]],
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._hand_in = hand_in
        self._patience_s = patience_s
        self._waiting: deque[_Handed] = deque()
        self._waiting_count = 0
        self._arrived = asyncio.Event()

    async def submit(self, raws: tuple[bytes, ...]) -> list[Submission]:
        """Wait for the node's answers, one a transaction.

        Raise `NodeUnavailable` if the node was not given them, `Unanswered` if it was.
        """
        if self._waiting_count + len(raws) > WAITING_MAX:
            raise NodeUnavailable("the node is overloaded: try again in a second")
        handed = _Handed(raws)
        self._waiting.append(handed)
        self._waiting_count += len(raws)
        self._arrived.set()
        try:
            async with asyncio.timeout(self._patience_s):
                return await handed.answer
        except TimeoutError:
            if handed.passed_on:
                raise Unanswered("the node did not answer in time: try again") from None
            raise NodeUnavailable("the node is busy: try again in a second") from None

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while batch := self._take():
                await self._serve(batch)

    def _take(self) -> list[_Handed]:
        """Close a batch; whoever has gone away is not in it."""
        batch: list[_Handed] = []
        size = 0
        while self._waiting and (not batch or size + len(self._waiting[0].raws) <= BATCH_MAX):
            handed = self._waiting.popleft()
            self._waiting_count -= len(handed.raws)
            if not handed.answer.done():  # A wait that ended has cancelled it.
                handed.passed_on = True
                batch.append(handed)
                size += len(handed.raws)
        return batch

    async def _serve(self, batch: list[_Handed]) -> None:
        raws = tuple(raw for handed in batch for raw in handed.raws)
        try:
            outcomes = await self._hand_in(raws)
            if len(outcomes) != len(raws):
                raise Unanswered(f"the node gave {len(outcomes)} answers for {len(raws)}")
        except NodeUnavailable as fault:
            for handed in batch:
                if not handed.answer.done():
                    handed.answer.set_exception(fault)
            return
        rest = iter(outcomes)
        for handed in batch:
            own = [next(rest) for _ in handed.raws]
            if not handed.answer.done():
                handed.answer.set_result(own)
