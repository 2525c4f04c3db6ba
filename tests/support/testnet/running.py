"""A real testnet for end-to-end tests: started, watched and killed from outside, as a user would.

It touches processes only by pids that the supervisor wrote down, and speaks only the interfaces
that everyone has: the command line, HTTP, MQTT, and a node's RPC through `node.client.http`.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil

from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Policy, SigningKey
from ledger.types.transaction import Body, Intent, Transaction, sign
from node.client.http import NodeClient
from node.client.views import FinalBlock, NodeStatus, Submission
from node.home.key_file import read_key
from simulator.testnet.layout import Layout, RunState

ROOT = Path(__file__).resolve().parents[2]
BILLCOIN = str(Path(sys.executable).parent / "billcoin")
FEE_UNITS = 1_000
ODD_NAME = 'a "net"\\ of\nmilk, caf\u00e9 \udcff'
"""A folder's name may hold quotes, line ends, any letters, and bytes that are no text."""
STEP_S = 0.1


class RunningTestnet:
    """One directory, and the supervisor that runs it now, if one does.

    `environment` is what its processes find in theirs, beside what this one has; `umask` is theirs,
    ours if it is negative; `way` is the program, if any, by which they are started.
    """

    def __init__(
        self,
        directory: Path,
        environment: Mapping[str, str] | None = None,
        *,
        umask: int = -1,
        way: Sequence[str] = (),
    ) -> None:
        self.layout = Layout(directory)
        self._umask = umask
        self._way = way
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._output = directory.with_name("up.json")

    # The supervisor

    def start(self, *options: str) -> None:
        """Run `billcoin testnet up` in a session of its own."""
        assert self._process is None
        testnet = (BILLCOIN, "testnet", "up", "--dir", str(self.layout.root), "--json")
        command = [*self._way, *testnet, *options]
        with self._output.open("wb") as out, self._output.with_suffix(".err").open("wb") as err:
            self._process = subprocess.Popen(
                command,
                stdout=out,
                stderr=err,
                cwd=ROOT,
                env=self._environment,
                start_new_session=True,
                umask=self._umask,
            )

    def interrupt(self) -> float:
        """Send what Ctrl-C sends; give the seconds until the supervisor was gone."""
        assert self._process is not None
        began = time.monotonic()
        self._process.send_signal(signal.SIGINT)
        code = self._process.wait(timeout=30)
        self._process = None
        assert code == 0, self.complaints()
        return time.monotonic() - began

    @property
    def running(self) -> bool:
        """Tell whether a supervisor was started and not ended."""
        return self._process is not None

    def wait(self, timeout_s: float) -> None:
        """Wait for a run that ends by itself."""
        assert self._process is not None
        code = self._process.wait(timeout=timeout_s)
        self._process = None
        assert code == 0, self.complaints()

    def kill_everything(self) -> None:
        """Kill -9 the supervisor and every process under it, in one go."""
        assert self._process is not None
        family = self.family()
        self._process.kill()
        for process in family:
            kill(process)
        self._process.wait(timeout=30)
        self._process = None
        psutil.wait_procs(family, timeout=10)

    def close(self) -> None:
        """Leave nothing behind, whatever state the test left."""
        if self._process is not None:
            self.kill_everything()

    def last_line(self) -> dict[str, Any]:
        """Read the one JSON line that the run ended with."""
        return json.loads(self._output.read_text().splitlines()[-1])

    def complaints(self) -> str:
        """Give what the supervisor wrote to stderr."""
        return self._output.with_suffix(".err").read_text()

    def family(self) -> list[psutil.Process]:
        """List every process under the supervisor, grandchildren too."""
        assert self._process is not None
        try:
            return psutil.Process(self._process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    # What runs

    def state(self) -> RunState:
        """Read the supervisor's account."""
        state = self.layout.read_state()
        assert state is not None, self.complaints()
        return state

    def pid(self, name: str) -> int | None:
        """Give the pid under which a process runs now."""
        return next(p.pid for p in self.state().processes if p.name == name)

    def pids(self) -> dict[str, int | None]:
        """Give every process's pid."""
        return {p.name: p.pid for p in self.state().processes}

    def url(self, name: str) -> str:
        """Give the address of the payments service or of a validator's RPC."""
        ports = self.state().ports
        return f"http://127.0.0.1:{ports['api' if name == 'api' else f'{name} rpc']}"

    def ready(self) -> bool:
        """Tell whether every process of this run is ready."""
        state = self.layout.read_state()
        return (
            state is not None
            and self._process is not None
            and state.supervisor_pid == self._process.pid
            and all(process.phase == "ready" for process in state.processes)
        )

    def logs(self, lines: int = 15) -> str:
        """Give the end of every log, to explain a failure."""
        parts = []
        for log in sorted(self.layout.logs.glob("*.log")):
            tail = log.read_text(errors="replace").splitlines()[-lines:]
            parts.append("\n".join([f"== {log.name}", *(line[:300] for line in tail)]))
        return "\n".join(parts)

    def until(self, condition: Callable[[], Any], timeout_s: float, what: str) -> Any:
        """Poll until the condition gives something true; explain with the logs if it does not."""
        limit = time.monotonic() + timeout_s
        while True:
            found = condition()
            if found:
                return found
            if time.monotonic() > limit:
                raise AssertionError(f"no {what} within {timeout_s} s\n{self.logs()}")
            if self._process is not None and self._process.poll() is not None:
                raise AssertionError(f"the supervisor ended\n{self.complaints()}\n{self.logs()}")
            time.sleep(STEP_S)

    # The chain

    def ask(self, node: str, question: Callable[[NodeClient], Awaitable[Any]]) -> Any:
        """Ask a validator one thing."""

        async def run() -> Any:
            async with NodeClient(self.url(node)) as client:
                return await question(client)

        return asyncio.run(run())

    def status(self, node: str = "node-0") -> NodeStatus:
        """Ask a validator where it stands."""
        return self.ask(node, lambda client: client.status())

    def height(self, node: str = "node-0") -> int:
        """Give a validator's final height; -1 while it does not answer."""
        try:
            return self.status(node).height
        except Exception:
            return -1

    def block(self, height: int, node: str = "node-0") -> FinalBlock:
        """Fetch a final block from a validator."""
        return self.ask(node, lambda client: client.block(height))

    def chain_id(self) -> Hash:
        """Name the chain."""
        description = self.layout.describe()
        assert description is not None
        return Hash(bytes.fromhex(description.chain_id))

    def treasury(self) -> SigningKey:
        """Give the key of the account that is there to be spent from by hand."""
        return read_key(self.layout.root / "keys" / "treasury.key")

    def signed(
        self, key: SigningKey, nonce: int, body: Body, chain_id: Hash | None = None
    ) -> Transaction:
        """Sign a transaction of an ordinary account."""
        intent = Intent(
            chain_id=self.chain_id() if chain_id is None else chain_id,
            sender=Policy.single(key.public),
            nonce=nonce,
            fee_units=FEE_UNITS,
            valid_until_height=2**40,
            body=body,
        )
        return sign(intent, key)

    def submit(self, transaction: Transaction, node: str = "node-0") -> Submission:
        """Hand one transaction to a validator."""
        return self.ask(node, lambda client: client.submit([encode(transaction)]))[0]

    def http(self) -> httpx.Client:
        """Open the payments service as the till does."""
        key = (self.layout.home("api") / "api.key").read_text().strip()
        return httpx.Client(
            base_url=self.url("api"),
            headers={"Authorization": f"Bearer {key}"},
            timeout=15,
            trust_env=False,
        )


def kill(process: psutil.Process) -> None:
    """Kill -9 a process that we started, if it is still there."""
    try:
        os.kill(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
