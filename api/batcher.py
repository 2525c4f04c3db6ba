"""Group commit: what arrives while one batch is under way goes into the next.

Nothing waits for company: a lone request is a batch of one. Under load a batch costs the database
or the node one round trip for hundreds. The queue is bounded: past it, callers are refused at once
rather than kept for longer than they will wait.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

from api.errors import Unavailable
from node.client.tracing import TRACEPARENT

T = TypeVar("T")
R = TypeVar("R")

BATCH_MAX: Final = 500
QUEUE_MAX: Final = 20_000


class Batcher(Generic[T, R]):
    """Gathers requests of one kind. `flush` gives one answer each, in order; a fault is raised."""

    def __init__(
        self,
        flush: Callable[[Sequence[T]], Awaitable[Sequence[R | Exception]]],
        batch_max: int = BATCH_MAX,
        queue_max: int = QUEUE_MAX,
    ) -> None:
        self._flush = flush
        self._batch_max = batch_max
        self._queue: asyncio.Queue[tuple[T, asyncio.Future[R], str]] = asyncio.Queue(queue_max)

    async def submit(self, request: T) -> R:
        """Wait for the answer to a request."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        try:
            self._queue.put_nowait((request, answer, TRACEPARENT.get()))
        except asyncio.QueueFull:
            raise Unavailable(
                "too many requests are waiting", code="OVERLOADED", retry_after_s=1
            ) from None
        return await answer

    async def run(self) -> None:
        """Serve requests until cancelled."""
        while True:
            batch = [await self._queue.get()]
            while len(batch) < self._batch_max and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            # Who has gone away must not cost a payment its turn, nor get one behind their back.
            live = [each for each in batch if not each[1].done()]
            if live:
                traces = {trace for _, _, trace in live}
                # What is done for several at once belongs to no trace of one of them.
                TRACEPARENT.set(traces.pop() if len(traces) == 1 else "")
                await self._serve([(request, answer) for request, answer, _ in live])

    async def _serve(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            results = await self._flush([request for request, _ in batch])
            assert len(results) == len(batch), "one answer a request"
        except Exception as error:  # Every caller gets it; none may hang.
            results = [error] * len(batch)
        for (_, answer), result in zip(batch, results, strict=True):
            if answer.done():
                continue
            if isinstance(result, Exception):
                answer.set_exception(result)
            else:
                answer.set_result(result)
