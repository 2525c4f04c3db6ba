"""The signer as a process: one loop an account, until SIGTERM.

A turn looks at the chain, notes what became of what was signed, hands over what the service has not
got yet, and only then asks for more. So a death between any two steps leaves bytes that are handed
over again, or a request that was never signed; in no case two signatures for one request.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable
from typing import Final

import structlog

from api.signing.process.config import SignerConfig, key_path, rules_of
from api.signing.process.desk import (
    AskedRequest,
    RefusedAnswer,
    Signatory,
    SignedAnswer,
    SigningDesk,
)
from api.signing.process.facts import OwnNode, OwnNodes, own_nodes
from api.signing.process.journal import JOURNAL_FILE, SigningJournal
from api.signing.process.metrics import SignerMetrics
from api.signing.process.nonces import EntryState, fate
from api.signing.process.service_client import ServiceClient, ServiceDeclined, ServiceSilent
from api.signing.token import TOKEN_MS, format_token, token_text
from api.signing.wire import LeasedRequest, SignRefund, kind_of
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import address_of
from node.client.errors import ClientFault, NodeUnavailable
from node.home.key_file import read_key
from node.home.lock import owned
from node.httpd.status import make_status_app, serve_status
from node.plaintext import check_plain

REST_S: Final = 1.0
"""How long an account rests that may not sign now."""
RETRY_FIRST_S: Final = 0.2
RETRY_MAX_S: Final = 5.0
FULL_REST_S: Final = 0.2
"""How long an account rests whose transactions are all on their way."""

log = structlog.get_logger("signer")


def wall_ms() -> int:
    """Read the wall clock: the chain's time is held against it, and tokens end by it."""
    return time.time_ns() // 1_000_000


class AccountLoop:
    """One account's work."""

    def __init__(
        self,
        name: str,
        key: Signatory,
        desk: SigningDesk,
        chain_id: Hash,
        nodes: OwnNodes,
        service: ServiceClient,
        metrics: SignerMetrics,
    ) -> None:
        self.name, self.desk = name, desk
        self.problem = "no node has answered yet"
        """Why nothing is signed now, in words; empty if something would be."""
        self._unheard = False
        """Whether the service did not answer when it was last asked."""
        self._key, self._chain_id = key, chain_id
        self._nodes, self._service, self._metrics = nodes, service, metrics

    async def run(self) -> None:
        """Work until cancelled; raise what can't be gone on from: a disk that refuses."""
        delay_s = RETRY_FIRST_S
        while True:
            try:
                rest_s = await self.turn()
                delay_s = RETRY_FIRST_S
            except (ClientFault, ServiceSilent) as fault:
                self._unheard = isinstance(fault, ServiceSilent)
                self._tell(str(fault))
                rest_s, delay_s = delay_s, min(2 * delay_s, RETRY_MAX_S)
            await asyncio.sleep(rest_s)

    async def turn(self) -> float:
        """Do one turn; give how long to rest before the next."""
        node = await self._look()
        await self._hand_over_rest()
        hindrance = self.desk.hindrance(node.look)
        if hindrance or not self._unheard:
            self._tell(hindrance)
        if hindrance:
            return REST_S
        room = self.desk.room()
        if not room:
            return FULL_REST_S
        leased = await self._service.lease(self._token(), room)
        self._unheard = False
        self._tell("")
        if leased:
            await self._work_on(leased)
        return 0.0

    async def _look(self) -> OwnNode:
        """Look at the chain, and bring the book up to it."""
        desk = self.desk
        node = await self._nodes.look(desk.address, self._chain_id)
        look = node.look
        fates = []
        for entry in desk.journal.live(desk.address):
            if entry.nonce < look.nonce or entry.valid_until_height <= look.height:
                view = await node.transaction(entry.txid)
                became = fate(view, entry.nonce, entry.valid_until_height, look.height, look.nonce)
                if became is not EntryState.LIVE:
                    fates.append((entry.txid, became))
        desk.journal.note_fates(fates)
        if lacking := desk.lacking(look):
            known = desk.journal.knows
            sent = await node.sent_by(desk.address, lambda t: known(desk.address, t), lacking)
            if desk.adopt(sent, look):
                log.error("another signs with this key", account=self.name, found=len(sent))
            else:
                log.info("earlier transactions taken in", account=self.name, found=len(sent))
        self._metrics.on_the_way.labels(self.name).set(len(desk.journal.live(desk.address)))
        return node

    async def _work_on(self, leased: list[LeasedRequest]) -> None:
        node = await self._look()  # The lease may have been waited for.
        facts = await asyncio.gather(*(_with_facts(node, request) for request in leased))
        asked = [request for request in facts if request is not None]
        kinds = {request.id: kind_of(request.order) for request in leased}
        for answer in self.desk.sign_batch(asked, node.look):
            match answer:
                case SignedAnswer(request_id, raw):
                    self._metrics.signed.labels(self.name, kinds[request_id]).inc()
                    await self._hand_over(request_id, raw)
                case RefusedAnswer(request_id, code, detail):
                    self._metrics.refused.labels(self.name, code).inc()
                    log.warning("refused", account=self.name, request=request_id, code=code)
                    with contextlib.suppress(ServiceDeclined):
                        await self._service.refuse(self._token(), request_id, code, detail)

    async def _hand_over_rest(self) -> None:
        for entry in self.desk.journal.unhanded(self.desk.address):
            assert entry.request_id is not None, "what was signed elsewhere is handed over"
            await self._hand_over(entry.request_id, entry.raw)

    async def _hand_over(self, request_id: str, raw: bytes) -> None:
        try:
            await self._service.hand_over(self._token(), request_id, raw)
        except ServiceDeclined as fault:
            log.warning("not wanted", account=self.name, request=request_id, why=str(fault))
        self.desk.journal.note_handed(self.desk.address, request_id)

    def _token(self) -> str:
        until_ms = wall_ms() + TOKEN_MS
        signature = self._key.sign(token_text(self._chain_id, until_ms))
        return format_token(self._key.public, until_ms, signature)

    def _tell(self, problem: str) -> None:
        if problem != self.problem:
            log.info("ready" if not problem else "waiting", account=self.name, why=problem)
        self.problem = problem
        self._metrics.ready.labels(self.name).set(not problem)


async def _with_facts(node: OwnNode, request: LeasedRequest) -> AskedRequest | None:
    """Find out what a request is about; None if the node can't say yet: it is leased again."""
    order = request.order
    if not isinstance(order, SignRefund):
        return AskedRequest(request)
    try:
        paid = await node.paid(bytes.fromhex(order.tx_hash), order.height)
    except ClientFault:
        return None
    return AskedRequest(request, paid)


async def serve(config: SignerConfig) -> None:
    """Run the signer of a home until SIGTERM or SIGINT; raise `HomeTaken` if another one does.

    Raise `BadConfig` for what would go to another machine in the clear.
    """
    asked = {"api_url": (config.api_url,), "node_urls": config.node_urls}
    check_plain(asked, allowed=config.allow_plaintext)
    keys: dict[str, Signatory] = {
        account.name: read_key(key_path(config.home, account.name)) for account in config.accounts
    }
    with owned(config.home):
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ended.set)
        working = asyncio.create_task(_work(config, keys))
        ending = asyncio.create_task(ended.wait())
        await asyncio.wait([working, ending], return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working


async def _work(config: SignerConfig, keys: dict[str, Signatory]) -> None:
    metrics, loops = SignerMetrics(), list[AccountLoop]()
    waiting = {"nodes": "no node has answered yet"}

    def problems() -> dict[str, str]:
        return {loop.name: loop.problem for loop in loops if loop.problem} if loops else waiting

    journal = SigningJournal(config.home / JOURNAL_FILE)
    with contextlib.closing(journal):
        async with (
            serve_status(make_status_app(problems, metrics.registry), config.port),
            own_nodes(config.node_urls) as nodes,
            ServiceClient(config.api_url) as service,
        ):
            chain_id = await _find_chain(nodes)
            journal.bind_chain(chain_id)
            for name, key in keys.items():
                desk = make_desk(config, name, key, journal, chain_id)
                loops.append(AccountLoop(name, key, desk, chain_id, nodes, service, metrics))
            log.info("signing", accounts=sorted(keys), api=config.api_url)
            async with asyncio.TaskGroup() as group:
                for account in loops:
                    group.create_task(account.run())


def make_desk(
    config: SignerConfig,
    name: str,
    key: Signatory,
    journal: SigningJournal,
    chain_id: Hash,
    clock_ms: Callable[[], int] = wall_ms,
) -> SigningDesk:
    """Make the desk of one account of a home."""
    rules = rules_of(config, name, address_of(key.public))
    return SigningDesk(
        rules, key, journal, chain_id, config.valid_blocks, config.fee_units_max, clock_ms
    )


async def _find_chain(nodes: OwnNodes) -> Hash:
    """Ask for the genesis until a node answers; the chain's id is its hash."""
    told = ""
    while True:
        try:
            return await nodes.chain_id()
        except NodeUnavailable as fault:
            if str(fault) != told:
                told = str(fault)
                log.info("waiting for a node", why=told)
        await asyncio.sleep(RETRY_FIRST_S)
