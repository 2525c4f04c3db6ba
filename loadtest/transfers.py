"""Signed transfers straight to the nodes: how many become final, and how long that takes.

Three shapes of load. `closed`: each client has one transfer under way and sends the next the
moment it sees the last one final. `paced`: each client pays once a second, whatever the network
does. `flood`: transfers arrive in batches, so that HTTP costs little and the chain is the limit.
Everything is signed before the clock starts.
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final

import msgspec

from loadtest.chain_watch import ChainWatch
from loadtest.http_client import Client, RequestFailed
from loadtest.network import RunningNetwork
from loadtest.wallets import LoadWallet

FINAL_S_MAX: Final = 30.0
FLOOD_BATCH: Final = 200
FLOOD_AHEAD_MAX: Final = 1_000
"""Transfers of one node's share that may be under way at once."""
_HEADERS: Final = {"Accept": "application/msgpack", "Content-Type": "application/msgpack"}

Signed = tuple[bytes, bytes]
"""A transaction's id and its bytes."""


class _Submission(msgspec.Struct):
    txid: bytes | None
    code: str
    detail: str


_submissions = msgspec.msgpack.Decoder(list[_Submission])


@dataclass(slots=True)
class RoundFigures:
    """What one round gave. Latencies in milliseconds, from sending to seen final."""

    seconds: float = 0.0
    final: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    latencies_ms: list[float] = field(default_factory=list)
    accepted_ms: list[float] = field(default_factory=list)

    def refuse(self, code: str) -> None:
        """Count a refusal."""
        self.refused[code] = self.refused.get(code, 0) + 1

    @property
    def per_s(self) -> float:
        """Give the rate of what became final."""
        return self.final / self.seconds


def presign(wallets: Sequence[LoadWallet], each: int) -> list[deque[Signed]]:
    """Sign so many transfers a wallet, each to its neighbour."""
    targets = [wallet.address for wallet in wallets]
    targets = targets[1:] + targets[:1]
    return [
        deque(wallet.transfer(to) for _ in range(each))
        for wallet, to in zip(wallets, targets, strict=True)
    ]


class TransferLoad:
    """Drives the nodes of one network. Use as an async context."""

    def __init__(self, network: RunningNetwork) -> None:
        self._watches = [ChainWatch(url) for url in network.nodes]
        self._urls = network.nodes
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "TransferLoad":
        group = await self._stack.enter_async_context(asyncio.TaskGroup())
        tasks = [group.create_task(watch.run()) for watch in self._watches]
        for task in tasks:
            self._stack.callback(task.cancel)
        await asyncio.gather(*(watch.begin() for watch in self._watches))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def watch(self, number: int) -> ChainWatch:
        """Give the stream of one node."""
        return self._watches[number % len(self._watches)]

    async def closed(self, queues: Sequence[deque[Signed]], seconds: float) -> RoundFigures:
        """Let one client a queue send, see final, send again, for a span of time."""
        outcome = RoundFigures()
        stop_s = time.monotonic() + seconds

        async def run(number: int, queue: deque[Signed]) -> None:
            client = Client(self._urls[number % len(self._urls)], _HEADERS)
            while queue and time.monotonic() < stop_s:
                await self._send(client, self.watch(number), queue.popleft(), outcome)
            client.close()

        await self._timed(outcome, [run(n, queue) for n, queue in enumerate(queues)])
        return outcome

    async def paced(self, queues: Sequence[deque[Signed]], every_s: float) -> RoundFigures:
        """Let one client a queue send its whole queue, one transfer each so many seconds.

        Clients begin evenly spread over the interval. A slow network does not slow them down,
        but a client waits for its last transfer's answer before it sends the next.
        """
        outcome = RoundFigures()
        began_s = time.monotonic() + 0.1

        async def run(number: int, queue: deque[Signed]) -> None:
            client = Client(self._urls[number % len(self._urls)], _HEADERS)
            await client.connect()
            due_s = began_s + every_s * number / len(queues)
            while queue:
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))
                await self._send(client, self.watch(number), queue.popleft(), outcome)
                due_s += every_s
            client.close()

        await self._timed(outcome, [run(n, queue) for n, queue in enumerate(queues)])
        return outcome

    async def flood(self, queues: Sequence[deque[Signed]], seconds: float) -> RoundFigures:
        """Send batches to every node for a span of time; count what becomes final meanwhile."""
        outcome = RoundFigures()
        watch = self.watch(0)
        stop_s = time.monotonic() + seconds

        async def feed(number: int) -> None:
            client = Client(self._urls[number], _HEADERS)
            source = _round_robin(queues[number :: len(self._urls)])
            ahead = deque[asyncio.Future[float]]()
            while time.monotonic() < stop_s and (batch := _take(source, FLOOD_BATCH)):
                while len(ahead) >= FLOOD_AHEAD_MAX and time.monotonic() < stop_s:
                    await asyncio.wait({ahead[0]}, timeout=0.05)
                    while ahead and ahead[0].done():
                        ahead.popleft()
                ahead.extend(self.watch(number).expect(txid) for txid, _ in batch)
                await self._post(client, [raw for _, raw in batch], outcome)
            client.close()

        before = watch.final
        began_s = time.monotonic()
        await asyncio.gather(*(feed(number) for number in range(len(self._urls))))
        await asyncio.sleep(max(0.0, stop_s - time.monotonic()))
        outcome.final, outcome.seconds = watch.final - before, time.monotonic() - began_s
        return outcome

    async def _timed(self, outcome: RoundFigures, clients: list[object]) -> None:
        began_s = time.monotonic()
        await asyncio.gather(*clients)  # type: ignore[call-overload]  # coroutines, of one kind
        outcome.seconds = time.monotonic() - began_s

    async def _send(
        self, client: Client, watch: ChainWatch, signed: Signed, outcome: RoundFigures
    ) -> None:
        """Send one transfer and wait for it to be seen final."""
        txid, raw = signed
        final = watch.expect(txid)
        began_s = time.monotonic()
        if not await self._post(client, [raw], outcome):
            watch.forget(txid)
            return
        outcome.accepted_ms.append((time.monotonic() - began_s) * 1e3)
        try:
            async with asyncio.timeout(FINAL_S_MAX):
                outcome.latencies_ms.append((await final - began_s) * 1e3)
            outcome.final += 1
        except TimeoutError:
            watch.forget(txid)
            outcome.lost += 1

    async def _post(self, client: Client, raws: Sequence[bytes], outcome: RoundFigures) -> bool:
        """Submit; tell whether all were taken in."""
        try:
            status, body = await client.ask(
                "POST", "/v1/transactions", msgspec.msgpack.encode(list(raws))
            )
        except RequestFailed:
            outcome.refuse("no_answer")
            return False
        if status != 200:
            outcome.refuse(f"http_{status}")
            return False
        codes = [answer.code for answer in _submissions.decode(body) if answer.code]
        for code in codes:
            outcome.refuse(code)
        return not codes


def _round_robin(queues: Sequence[deque[Signed]]) -> Iterator[Signed]:
    """Take one transfer of each queue in turn: nonces stay in order, senders mix."""
    while any(queues):
        for queue in queues:
            if queue:
                yield queue.popleft()


def _take(source: Iterator[Signed], count: int) -> list[Signed]:
    return [signed for signed, _ in zip(source, range(count), strict=False)]
