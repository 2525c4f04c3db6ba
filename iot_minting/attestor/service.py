"""The attestor as a process: its desk, its HTTP server, its judge, and the sweep of its store."""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Final

import structlog

from iot_minting.attestor.app import AppParts, make_app
from iot_minting.attestor.config import AttestorConfig
from iot_minting.attestor.desk import AttestorDesk
from iot_minting.attestor.facts import NodeLines, find_chain
from iot_minting.attestor.judge_process import JudgePool
from iot_minting.attestor.metrics import AttestorMetrics
from iot_minting.attestor.questions import QuestionBook
from iot_minting.attestor.replying import Replies
from iot_minting.attestor.store import STORE_NAME, AttestorStore
from iot_minting.attestor.turns import JUDGES_MAX
from iot_minting.even_clock import EvenClock
from iot_minting.wire.windows import REQUEST_BYTES_MAX
from ledger.params import DAY_MS
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import SigningKey
from node.addresses import LOOPBACK, parse_networks
from node.client.errors import ClientFault
from node.client.http import NodeClient
from node.collector import tune_collector
from node.home.lock import owned
from node.httpd.admission import Admission
from node.httpd.limits import HttpLimits, fit_to_files
from node.httpd.server import QuietServer, bind
from node.plaintext import check_plain

CONNECTIONS_MAX: Final = 1_024
BODIES_BYTES_MAX: Final = 8 * REQUEST_BYTES_MAX
"""What requests that are read or wait hold in all; past it the largest unfinished one is cut."""
SWEEP_S: Final = 600.0
LOOK_S: Final = 2.0
"""How often the node is asked whether it is there."""
MONEY_S: Final = 30.0
NODE: Final = "node"
ACCOUNT: Final = "account"
BOND: Final = "bond"
STORE: Final = "store"

log = structlog.get_logger("attest")


class AttestorService:
    """One attestor over one home, some nodes, and a port."""

    def __init__(
        self, home: Path, config: AttestorConfig, key: SigningKey, chain_id: Hash, nodes: NodeClient
    ) -> None:
        self._config, self._nodes = config, nodes
        self._store = AttestorStore(home / STORE_NAME)
        self._store.bind_chain(chain_id)
        clock = EvenClock()
        self._judge, self._metrics = JudgePool(JUDGES_MAX), AttestorMetrics()
        self._desk = AttestorDesk(
            key,
            chain_id,
            self._store,
            NodeLines(nodes, chain_id),
            self._judge,
            self._metrics,
            now_ms=clock.now_ms,
            retention_ms=config.retention_days * DAY_MS,
            store_bytes_max=config.store_bytes_max,
        )
        self._book = QuestionBook(home / STORE_NAME)
        self._replies = Replies(
            key, chain_id, self._store, self._book, nodes, self._metrics, clock.now_ms
        )
        self._problems: dict[str, str] = {}
        self._warnings: dict[str, str] = {}

    async def run(self, ended: asyncio.Event) -> None:
        """Serve until told to end; raise `PortTaken`."""
        limits = HttpLimits(
            connections_max=fit_to_files(CONNECTIONS_MAX),
            trusted=LOOPBACK + parse_networks(self._config.trusted_proxies),
            body_bytes_max=REQUEST_BYTES_MAX + 1,  # The route refuses in its own words.
            bodies_bytes_max=BODIES_BYTES_MAX,
        )
        cuts = self._metrics.cut
        admission = Admission(limits, on_cut=lambda reason: cuts.labels(reason).inc())
        app = make_app(AppParts(self._desk, self._metrics, self._problems, self._warnings))
        server = QuietServer(app, admission, lifespan="off")
        tune_collector()
        try:
            with bind(self._config.host, self._config.port) as listener:
                async with asyncio.TaskGroup() as group:
                    behind = [group.create_task(each) for each in self._behind()]
                    serving = group.create_task(server.serve(sockets=[listener]))
                    await ended.wait()
                    server.should_exit = True
                    await serving
                    for task in behind:
                        task.cancel()
        finally:
            await self._judge.end()
            self._book.close()
            self._store.close()

    def _behind(self) -> list[Coroutine[None, None, None]]:
        """List what is done beside the answers to requests."""
        return [
            self._look(),
            self._count_money(),
            self._sweep(),
            self._replies.follow(),
            self._replies.run(),
        ]

    async def _look(self) -> None:
        """Note whether a claim would be judged now."""
        while True:
            try:
                await self._nodes.status()
                self._problems.pop(NODE, None)
            except ClientFault as fault:
                self._problems[NODE] = str(fault)
            full = self._store.size_bytes() >= self._config.store_bytes_max
            most = self._config.store_bytes_max
            _note(self._problems, STORE, f"it holds {most} bytes" if full else "")
            await asyncio.sleep(LOOK_S)

    async def _count_money(self) -> None:
        """Note whether a word counts and an answer could be paid for, as far as a node says."""
        while True:
            with contextlib.suppress(ClientFault):
                _note(self._warnings, ACCOUNT, await self._replies.lack())
                _note(self._warnings, BOND, await self._replies.lack_of_bond())
            await asyncio.sleep(MONEY_S)

    async def _sweep(self) -> None:
        """Forget what need not be kept."""
        while True:
            try:
                await self._desk.keeping.sweep()
            except ClientFault as fault:
                log.info("evidence is kept until a node answers", why=str(fault))
            await asyncio.sleep(SWEEP_S)


def _note(found: dict[str, str], part: str, why: str) -> None:
    """Note what is wrong with a part, or that nothing is."""
    if why:
        found[part] = why
    else:
        found.pop(part, None)


async def serve(home: Path, config: AttestorConfig, key: SigningKey) -> None:
    """Run the attestor of a home until SIGTERM or SIGINT; raise `HomeTaken` if another one does.

    Raise `BadConfig` for what would go to another machine in the clear.
    """
    check_plain({"node_urls": config.node_urls}, allowed=config.allow_plaintext)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    with owned(home):
        async with NodeClient(*config.node_urls) as nodes:
            chain_id = await find_chain(nodes, ended)
            if chain_id is not None:
                log.info("attesting", attestor=key.public.hex()[:16], chain=chain_id.hex()[:16])
                await AttestorService(home, config, key, chain_id, nodes).run(ended)
