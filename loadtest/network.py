"""A testnet for measuring: made, started, watched for its CPU, ended. All by its own commands.

The generator knows the network as anyone does: `testnet.json` names addresses and pids, the
genesis file the chain, `keys/load.key` the purses. CPU is read from the kernel, a process with
its children, so that a figure says who spent what.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import psutil

from ledger.primitives.hashing import Hash
from loadtest.http_client import Client, RequestFailed

START_S_MAX: Final = 90.0
STEP_S: Final = 0.2


class NetworkFault(Exception):
    """The network under test does not come up or is not what was asked for."""


class _Process(msgspec.Struct):
    name: str
    pid: int | None
    restarts: int


class _State(msgspec.Struct):
    addresses: dict[str, str]
    ports: dict[str, int]
    processes: list[_Process]


class _Description(msgspec.Struct):
    chain_id: str
    prefix: str


@dataclass(frozen=True, slots=True)
class RunningNetwork:
    """A running network, as it says of itself."""

    folder: Path
    chain: Hash
    prefix: str
    nodes: tuple[str, ...]
    api: str
    broker_port: int
    api_key: str
    pids: dict[str, int]

    def cpu_s(self) -> dict[str, float]:
        """Read the CPU that each kind of process has used so far, children with their parents."""
        used: dict[str, float] = {}
        for name, pid in self.pids.items():
            kind = name.partition("-")[0]
            try:
                process = psutil.Process(pid)
                family = [(kind, process)]
                family += [
                    ("rpc" if kind == "node" else kind, child)
                    for child in process.children(recursive=True)
                ]
                for who, member in family:
                    times = member.cpu_times()
                    used[who] = used.get(who, 0.0) + times.user + times.system
            except psutil.NoSuchProcess:
                continue
        own = psutil.Process().cpu_times()
        used["generator"] = own.user + own.system
        return used


def spent_us(before: dict[str, float], after: dict[str, float], count: int) -> dict[str, float]:
    """Give the CPU an operation between two readings, in microseconds, zeros left out."""
    return {
        who: round((after[who] - before.get(who, 0.0)) * 1e6 / max(count, 1), 1)
        for who in after
        if after[who] - before.get(who, 0.0) > 0.005
    }


def billcoin(*arguments: str) -> list[str]:
    """Give a command line of the program beside this interpreter."""
    return [str(Path(sys.executable).parent / "billcoin"), *arguments]


@contextmanager
def running(folder: Path, accounts: int, validators: int = 4) -> Iterator[RunningNetwork]:
    """Make and start a network in a folder, and end it in any case."""
    begun = ["testnet", "init", "--dir", str(folder), "--validators", str(validators)]
    subprocess.run(  # noqa: S603 - our own command
        billcoin(*begun, "--load-accounts", str(accounts)), check=True, stdout=subprocess.DEVNULL
    )
    log = folder / "logs" / "supervisor.log"
    up = ["testnet", "up", "--dir", str(folder), "--no-board"]
    with log.open("wb") as output:
        supervisor = subprocess.Popen(  # noqa: S603 - our own command
            billcoin(*up), stdout=output, stderr=output
        )
    try:
        yield asyncio.run(_ready(folder, supervisor))
    finally:
        supervisor.terminate()
        supervisor.wait(timeout=20)


async def _ready(folder: Path, supervisor: "subprocess.Popen[bytes]") -> RunningNetwork:
    """Wait until blocks become final and payments can be taken."""
    deadline = time.monotonic() + START_S_MAX
    while time.monotonic() < deadline:
        if supervisor.poll() is not None:
            raise NetworkFault(f"the network ended at once: see {folder / 'logs'}")
        await asyncio.sleep(STEP_S)
        network = _read(folder, supervisor.pid)
        if network is not None and await _answers(network):
            return network
    raise NetworkFault(f"the network is not ready after {START_S_MAX:.0f} s: see {folder / 'logs'}")


def _read(folder: Path, supervisor_pid: int) -> RunningNetwork | None:
    try:
        state = msgspec.json.decode((folder / "testnet.json").read_bytes(), type=_State)
        made = msgspec.json.decode((folder / "layout.json").read_bytes(), type=_Description)
        key = (folder / "api" / "api.key").read_text("ascii").strip()
    except (OSError, msgspec.DecodeError):
        return None
    ports = state.ports
    nodes = [name for name in sorted(ports) if name.endswith(" rpc")]
    return RunningNetwork(
        folder=folder,
        chain=Hash(bytes.fromhex(made.chain_id)),
        prefix=made.prefix,
        nodes=tuple(f"http://127.0.0.1:{ports[name]}" for name in nodes),
        api=f"http://127.0.0.1:{ports['api']}",
        broker_port=ports["broker"],
        api_key=key,
        pids={p.name: p.pid for p in state.processes if p.pid is not None},
    )


class _Height(msgspec.Struct):
    height: int


async def _answers(network: RunningNetwork) -> bool:
    """Tell whether every node has a block and the payments service is ready."""
    try:
        for url in network.nodes:
            client = Client(url, {"Accept": "application/json"})
            status, body = await client.ask("GET", "/v1/status")
            client.close()
            if status != 200 or msgspec.json.decode(body, type=_Height).height < 2:
                return False
        client = Client(network.api)
        status, _ = await client.ask("GET", "/readyz")
        client.close()
    except RequestFailed:
        return False
    return status == 200
