"""Serving: what a gateway does before a node is there."""

import asyncio

import pytest

from iot_minting.gateway import serving
from iot_minting.gateway.config import MintConfig
from iot_minting.gateway.serving import fetch_genesis

ASKED = 6


async def _wait_for_a_node_that_hangs_up() -> tuple[int, object]:
    """Give how many tasks wait for the end once a node was asked often, and what came of it."""
    ended, enough, asked = asyncio.Event(), asyncio.Event(), 0

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        writer.close()
        if asked >= ASKED:
            enough.set()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        config = MintConfig(node_urls=[f"http://127.0.0.1:{port}"])
        waiting = asyncio.create_task(fetch_genesis(config, ended))
        await enough.wait()
        coroutines = [task.get_coro() for task in asyncio.all_tasks()]
        ends = sum(getattr(each, "__qualname__", "") == "Event.wait" for each in coroutines)
        ended.set()
        return ends, await waiting


def test_who_waits_for_a_node_keeps_nothing_of_each_time_that_it_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serving, "RETRY_S", 0.001)
    waiting, genesis = asyncio.run(_wait_for_a_node_that_hangs_up())
    assert (waiting <= 1, genesis) == (True, None)
