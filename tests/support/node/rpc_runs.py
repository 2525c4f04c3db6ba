"""The real RPC application over real HTTP, on the test's own asyncio loop."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from node.client.http import NodeClient
from node.config import NodeConfig
from node.httpd.server import bind
from node.shell.rpc.process import make_server

TEST_TIMEOUT_S = 30
_TURN_S = 0.01


def run_async(test: Callable[[], Awaitable[None]]) -> None:
    """Run an asyncio test to its end, within a bound."""

    async def bounded() -> None:
        async with asyncio.timeout(TEST_TIMEOUT_S):
            await test()

    asyncio.run(bounded())


@asynccontextmanager
async def rpc_app(home: Path, *, linked: bool = True) -> AsyncIterator[NodeClient]:
    """Serve the RPC of the node whose socket is in `home`; give a client of it."""
    listener = bind("127.0.0.1", 0)
    server = make_server(NodeConfig(home=home))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await poll(lambda: server.started)
    try:
        async with NodeClient(f"http://127.0.0.1:{listener.getsockname()[1]}") as client:
            if linked:
                await linked_up(client)
            yield client
    finally:
        server.should_exit = True
        await serving
        listener.close()


async def linked_up(client: NodeClient) -> None:
    """Wait until the RPC process knows its node's status, which JSON needs for its prefix."""
    async with httpx.AsyncClient(base_url=client.base_url, trust_env=False) as http:
        while (await http.get("/v1/supply")).is_error:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(_TURN_S)


async def poll(condition: Callable[[], bool]) -> None:
    """Wait for a condition; the test's own bound ends a wait in vain."""
    while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
        await asyncio.sleep(_TURN_S)
