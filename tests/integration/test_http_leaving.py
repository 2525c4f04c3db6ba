"""A server that leaves while another serves at its socket: nobody is refused, cut or unheard."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from node.httpd.admission import Admission
from node.httpd.limits import HttpLimits
from node.httpd.server import GuardedServer, bind
from tests.support.node.guarded_http import Served, Wire, get
from tests.support.node.rpc_runs import poll, run_async
from tests.support.system.patience import PATIENCE_S

LINGER_S = 1.0
ANSWERS_S = 10


class Pair:
    """Two servers at one socket, the second of which begins later."""

    def __init__(self) -> None:
        self._listener = bind("127.0.0.1", 0)
        self.served, self.servers = [], []
        for _ in range(2):
            admission = Admission(HttpLimits())
            served = Served(self._listener.getsockname()[1], admission)
            self.served.append(served)
            self.servers.append(GuardedServer(served.app, admission, lifespan="off"))
        self._tasks: list[asyncio.Task[None]] = []

    async def begin(self, number: int) -> None:
        socket = self._listener.dup()
        self._tasks.append(asyncio.create_task(self.servers[number].serve(sockets=[socket])))
        await poll(lambda: self.servers[number].started)

    async def connected(self, count: int) -> list[Wire]:
        """Connect to whoever serves now."""
        return [await self.served[0].wire() for _ in range(count)]

    def leave(self) -> "asyncio.Task[None]":
        """Let the first one leave; give its end."""
        self.servers[0].take_leave(LINGER_S, ANSWERS_S)
        self.servers[0].should_exit = True
        return self._tasks[0]

    async def end(self) -> None:
        for served, server in zip(self.served, self.servers, strict=True):
            served.go.set()
            server.should_exit = True
            for wire in served.wires:
                wire.close()
        await asyncio.gather(*self._tasks)
        self._listener.close()


@asynccontextmanager
async def paired() -> AsyncIterator[Pair]:
    pair = Pair()
    await pair.begin(0)
    try:
        yield pair
    finally:
        await pair.end()


def test_who_has_come_is_served_once_more_and_told_that_the_connection_ends() -> None:
    async def run() -> None:
        async with paired() as pair:
            fresh, resting, waiting, halfway, silent = await pair.connected(5)
            assert (await resting.get("/first"))[0] == 200
            waiting.send(get("/wait"))
            whole = get("/halfway")
            halfway.send(whole[:20])
            await poll(lambda: "/wait" in pair.served[0].asked)
            await pair.begin(1)
            gone = pair.leave()
            await poll(lambda: pair.served[0].admission.leaving)
            fresh.send(get("/fresh"))
            resting.send(get("/resting"))
            halfway.send(whole[20:])
            for wire in (fresh, resting, halfway):
                answer = await wire.rest()
                assert answer.startswith(b"HTTP/1.1 200"), answer
                assert b"connection: close" in answer
            assert await silent.rest() == b"", "it has had its time"
            assert not gone.done(), "an answer is on its way"
            pair.served[0].go.set()
            assert (await waiting.rest()).startswith(b"HTTP/1.1 200")
            async with asyncio.timeout(PATIENCE_S):
                await gone
            assert pair.served[0].asked == ["/first", "/wait", "/fresh", "/resting", "/halfway"]

    run_async(run)


def test_who_connects_while_one_leaves_is_served_by_the_other() -> None:
    async def run() -> None:
        async with paired() as pair:
            (kept,) = await pair.connected(1)
            await kept.get()
            await pair.begin(1)
            gone = pair.leave()
            await poll(lambda: pair.served[0].admission.leaving)
            await asyncio.sleep(0.05)  # It takes nobody from its next pass on.
            for wire in await pair.connected(20):
                assert (await wire.get("/new"))[0] == 200
            await gone
            for wire in await pair.connected(20):
                assert (await wire.get("/new"))[0] == 200
            assert pair.served[1].asked.count("/new") == 40

    run_async(run)
