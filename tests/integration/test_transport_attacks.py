"""Attacks on the port that a validator listens on, against real processes: before any handshake.

A stranger connects from another address of the loopback than the validators. Memory comes back to
where it was, and blocks are made all the while.
"""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from node.client.errors import NodeUnavailable
from node.client.http import NodeClient
from node.client.views import TransactionState
from node.config import NodeConfig
from node.shell.p2p.libp2p_host import UPGRADE_TIMEOUT_S, parse_listen
from tests.support.node.homes import Homes, make_homes, transfer
from tests.support.system.http_attacks import ATTACKER, MIB, lower_file_limit, settled
from tests.support.system.patience import PATIENCE_S

STRANGERS = 300
GROWTH_BYTES_MAX = 32 * MIB
PEAK_BYTES_MAX = 96 * MIB
PAID_IN_S = 10.0

HELLO = b"\x13/multistream/1.0.0\n"
ENDLESS = b"\xff\xff\xff\xff\x0f" + bytes(7 * MIB)
"""A name of 4 GiB, and its first bytes: the library reads a hundred pieces before it gives up."""


@asynccontextmanager
async def running(config: NodeConfig) -> AsyncIterator[psutil.Process]:
    """Run a validator as a process."""
    command = [sys.executable, "-m", "node.cli.main", "node", "run", "--home", str(config.home)]
    with (config.home / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
            command, stderr=log, stdin=subprocess.DEVNULL, preexec_fn=lower_file_limit
        )
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait)


async def pay(client: NodeClient, homes: Homes, nonce: int) -> None:
    """Pay, and wait until the payment is final."""
    async with asyncio.timeout(PAID_IN_S):
        [outcome] = await client.submit([transfer(homes, nonce)])
        assert outcome.code == "", outcome
        while (await client.transaction(outcome.txid, 5_000)).state is not TransactionState.FINAL:
            pass


async def until_cut(reader: asyncio.StreamReader, stop: asyncio.Event) -> None:
    """Wait for the other side to hang up, or for the end of the test."""
    ends = [asyncio.create_task(reader.read()), asyncio.create_task(stop.wait())]
    done, rest = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    for task in done:
        await task


async def pour(port: int, data: bytes, stop: asyncio.Event) -> None:
    """Connect, send all of it, come back when cut, until told to stop."""
    while not stop.is_set():
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, local_addr=(ATTACKER, 0)
            )
            try:
                for start in range(0, len(data) or 1, 65_536):
                    writer.write(data[start : start + 65_536])
                    await writer.drain()
                await until_cut(reader, stop)
            finally:
                writer.transport.abort()


@pytest.mark.parametrize(
    "data",
    [b"", HELLO + ENDLESS, HELLO + b"\x07/noise\n" + b"\xff\xff" + bytes(65_000)],
    ids=["silence", "a name without end", "a handshake without end"],
)
def test_who_never_proves_a_key_costs_a_validator_little_and_its_blocks_nothing(
    tmp_path: Path, data: bytes
) -> None:
    async def run() -> None:
        homes = make_homes(tmp_path, 2)
        first, second = homes.configs
        _, port = parse_listen(first.listen)
        url = f"http://127.0.0.1:{first.rpc_port}"
        async with running(first) as victim, running(second), NodeClient(url) as client:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    with contextlib.suppress(NodeUnavailable, AssertionError):
                        if (await client.status()).height > 0:
                            break
                    await asyncio.sleep(0.2)
            for nonce in range(3):
                await pay(client, homes, nonce)
            files = victim.num_fds()
            before, peak, stop = victim.memory_info().rss, 0, asyncio.Event()
            async with asyncio.TaskGroup() as strangers:
                for _ in range(STRANGERS):
                    strangers.create_task(pour(port, data, stop))
                until = asyncio.get_running_loop().time() + UPGRADE_TIMEOUT_S + 1
                nonce = 3
                while asyncio.get_running_loop().time() < until:
                    await pay(client, homes, nonce)
                    nonce += 1
                    peak = max(peak, victim.memory_info().rss)
                stop.set()
            after = await settled(victim, before + GROWTH_BYTES_MAX)
            print(f"{before // MIB} {peak // MIB} {after // MIB} MiB, paid {nonce - 3}")
            assert peak < before + PEAK_BYTES_MAX
            assert after < before + GROWTH_BYTES_MAX
            async with asyncio.timeout(2 * UPGRADE_TIMEOUT_S):
                while victim.num_fds() > files + 2:  # noqa: ASYNC110 - the other side is a process
                    await asyncio.sleep(0.2)

    asyncio.run(run())
