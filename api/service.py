"""The payments service, put together: what every route works with, and what runs beside them.

`open_service` brings the database up to date and gives a `Service`; `Service.run` keeps the
batchers, the follower and the stream going until it is cancelled. It knows no HTTP.
"""

import asyncio
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine

from api.access.gate import Gate
from api.alerts.lookout import Lookout
from api.batcher import Batcher
from api.catalogue.approving import open_catalogue
from api.catalogue.mirror import StockMirror
from api.catalogue.sellers import publish
from api.chain.follower import Follower
from api.chain.law import LawWatch
from api.chain.leadership import FOLLOWER, Leadership
from api.chain.node_port import NodePort
from api.chain.node_watch import NodeWatch, wall_ms
from api.chain.standing import ChainStanding
from api.chain.submitting import TransactionDesk
from api.chain.tip import Cursor, SettledTip, read_cursor
from api.config import ApiConfig
from api.db.address import read_address
from api.db.faults import DATABASE_FAULTS, describe, is_for_the_operator, is_passing
from api.db.session import migrate, open_engine
from api.errors import ConfigFault, Conflict, Unavailable
from api.events.board import Board
from api.events.live import Live
from api.events.store import KEPT_MS as EVENTS_KEPT_MS
from api.events.store import forget_events
from api.flags.watching import Watching
from api.housekeeping import Housekeeper
from api.http.idempotency import REPLAYED, AnswerStore
from api.http.pages import Cursors
from api.http.replies import Reply
from api.keys.reader import KeyReader
from api.metrics import Metrics
from api.money import MoneyDesks
from api.orders.changes import Rule, change_order
from api.orders.drawing import NewOrder
from api.orders.model import Order
from api.orders.offers import read_offered
from api.orders.opening import OrderDesk
from api.orders.store import find_code, read_orders
from api.payments.checking import FollowedChain
from api.payments.intake import SignedPayment, TakenIn
from api.payments.model import Payment
from api.payments.outcomes import OutcomeDesk
from api.payments.resubmission import Resubmitter
from api.payments.settlement import Settled, SettlingParties
from api.payments.submission import PaymentDesk
from api.payments.validating import LEDGER_RETRY_S, PaymentJudge
from api.payments.validation import PaymentBook
from api.people.demo import admit_demo
from api.people.desks import Desks
from api.readiness import DatabaseProbe, SelfReport
from api.request_log.recorder import Recorder
from api.webhooks.running import Webhooks


class Service:
    """Everything behind the routes."""

    def __init__(
        self,
        config: ApiConfig,
        engine: AsyncEngine,
        node: NodePort,
        price_id: str,
        watch: NodeWatch,
        probe: DatabaseProbe,
        wall_ms: Callable[[], int],
        steady_s: Callable[[], float],
    ) -> None:
        self.config = config
        self.engine = engine
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT")
        self.node = node
        self.watch = watch
        self.now_ms = watch.now_ms
        self.desks = Desks(engine, config, wall_ms, steady_s, lambda: self.tip.cursor.chain_id)
        self.metrics, self.tip = Metrics(), SettledTip()
        self.standing = ChainStanding(watch, self.tip, config)
        self._share_work(engine, wall_ms)
        self.stock = StockMirror(engine, node, watch.now_ms, lambda: self.leadership.held)
        self.board = Board(engine, watch, self.tip, self.standing, self.stock)
        self.live = Live(engine, self.tip, self.board)
        self.waiters, self.hub, self.feed = self.live.waiters, self.live.hub, self.live.feed
        self.report = SelfReport(probe, self.standing, self.tip, self.live, self.metrics)
        self.money = MoneyDesks(
            engine, node, self.tip, config, self.desks, price_id, self.metrics, self.now_ms
        )
        parties, told = self._watch_over(engine), (self._settled, self.stock.poke)
        self.follower = Follower(engine, node, watch, self.tip, parties, *told)
        self.answers = AnswerStore(engine, config.secret, watch.now_ms)
        self.desk = OrderDesk(engine, self.answers, config, price_id)
        self._payment_desk = PaymentDesk(engine, node, self.watching.attempts)
        self.housekeeper = self._make_housekeeper(engine, node)
        self.law = LawWatch(node, config.fee_units)
        self._open_doors(engine)

    def _watch_over(self, engine: AsyncEngine) -> SettlingParties:
        """Make what counts attempts and raises flags; give who settles, with it among them."""
        self.watching = Watching(engine, self.config, self.metrics, self.desks)
        self.flags = self.watching.flags
        return self.money.parties.joined_by(self.watching.witness)

    def _share_work(self, engine: AsyncEngine, wall_ms: Callable[[], int]) -> None:
        """Seek the leases of what one worker does for all."""
        worker, vault = _worker_name(), self.desks.means.vault
        self.leadership = Leadership(engine, FOLLOWER, worker)
        self.webhooks = Webhooks(engine, vault, wall_ms, worker, self.config, self.metrics)

    def _make_housekeeper(self, engine: AsyncEngine, node: NodePort) -> Housekeeper:
        forgets = (
            self._forget_keys, self.answers.forget, self.watching.limiter.forget, self.desks.sweep,
            self.money.sweep, self._forget_events,
        )  # fmt: skip
        self.lookout = Lookout(engine, self.report, self.config, self.desks, self.now_ms)
        again = Resubmitter(engine, node)
        return Housekeeper(engine, self.tip, self.standing, again, self.now_ms, forgets)

    def _open_doors(self, engine: AsyncEngine) -> None:
        """Make what requests go through: those that come together are served together."""
        config, now_ms = self.config, self.now_ms
        self.catalogue = open_catalogue(config, self.desks)
        keys = KeyReader(engine, now_ms, livemode=config.livemode)
        readers = keys, self.desks.reader, self.money.reader
        self.gate = Gate(readers, now_ms, board=config.public_board)
        self.cursors = Cursors(config.secret)
        self.request_log = Recorder(engine, now_ms)
        book = PaymentBook(engine)
        self._keys_in_progress: set[tuple[str, str]] = set()
        self._orders: Batcher[NewOrder, Reply] = Batcher(self._open_orders)
        self._payments: Batcher[SignedPayment, TakenIn] = Batcher(self._submit)
        self._lookups: Batcher[bytes, Payment | None] = Batcher(book.find)
        self.outcomes = OutcomeDesk(self.find_payment, self.node, self.standing)
        self.transactions = TransactionDesk(engine, self.node, self.tip)
        self.validator = PaymentJudge(
            self.find_payment, book, self.node, self.tip, self.standing, self.waiters
        )

    async def run(self) -> None:
        """Serve until cancelled; raises when a part can't go on, and then nothing does."""
        async with asyncio.TaskGroup() as group:
            for batcher in (self._orders, self._payments, self._lookups):
                group.create_task(batcher.run())
            group.create_task(self.watch.run())
            group.create_task(self.hub.run())
            group.create_task(self.request_log.run())
            group.create_task(self.watching.run())
            group.create_task(self.feed.run())
            group.create_task(self.live.listen(read_address(self.config.database_url)))
            group.create_task(self.stock.run())
            group.create_task(self.leadership.run(self._lead))
            group.create_task(self.webhooks.run())
            group.create_task(self.report.run())

    async def _lead(self) -> None:
        """Do what one worker does for all."""
        self.stock.poke()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.follower.run())
            group.create_task(self.housekeeper.run())
            group.create_task(self.watching.lead())
            group.create_task(self.lookout.lead())
            group.create_task(self.money.office.run())

    def _settled(self, settled: Settled) -> None:
        """Count what this worker settled, and tell who waits for it."""
        for outcome in settled.outcomes:
            self.metrics.settled.labels(outcome).inc()
            if outcome == "succeeded":
                self.metrics.payment_success.inc()
        self.live.settled(settled)

    async def _open_orders(self, requests: Sequence[NewOrder]) -> Sequence[Reply | Exception]:
        answers = await self.desk.open_orders(requests, self.now_ms())
        self.feed.poke()
        return answers

    async def _submit(self, payments: Sequence[SignedPayment]) -> Sequence[TakenIn | Exception]:
        cursor = self.tip.cursor
        tip = FollowedChain(cursor.chain_id, cursor.height)
        answers = await self._payment_desk.submit(payments, tip, self.now_ms())
        self.feed.poke()
        return answers

    async def _forget_keys(self) -> None:
        await self.desk.forget(self.now_ms())

    async def _forget_events(self) -> None:
        async with self.engine.begin() as connection:
            await forget_events(connection, self.now_ms() - EVENTS_KEPT_MS)

    def behind(self) -> str:
        """Say why what is settled here may not be the newest truth, or nothing."""
        return self.standing.behind()

    async def open_order(self, request: NewOrder) -> Reply:
        """Open an order once an idempotency key; raise `Unavailable` if nobody could pay it."""
        if why := self.behind():
            raise Unavailable(why, retry_after_s=LEDGER_RETRY_S)
        token = request.once.name
        if token in self._keys_in_progress:
            raise Conflict(
                "a request with this Idempotency-Key is in progress",
                code="IDEMPOTENCY_IN_PROGRESS",
                retry_after_s=1,
            )
        self._keys_in_progress.add(token)
        try:
            reply = await self._orders.submit(request)
        finally:
            self._keys_in_progress.discard(token)
        if not (reply.headers or {}).keys() & REPLAYED.keys():
            self.metrics.orders.inc()
        return reply

    async def find_order(self, order_id: str) -> Order | None:
        """Read an order."""
        async with self._reader.connect() as connection:
            return (await read_orders(connection, [order_id])).get(order_id)

    async def find_code(self, code: str) -> str | None:
        """Give the id of the order that a customer typed the code of."""
        async with self._reader.connect() as connection:
            return await find_code(connection, code)

    async def offer(self, order_id: str) -> Order | None:
        """Read an order as a wallet is offered it: with milk that can still be had."""
        return await read_offered(self._reader, self.engine, order_id, self.now_ms())

    async def change_order(self, merchant_id: str, order_id: str, rule: Rule, event: str) -> Order:
        """Let a person change an order by a rule."""
        witness, now_ms = self.money.order_changed, self.now_ms()
        order = await change_order(self.engine, merchant_id, order_id, rule, event, now_ms, witness)
        self.feed.poke()
        return order

    async def submit_payment(self, payment: SignedPayment) -> TakenIn:
        """Take a signed payment in and hand it to the nodes; tell how far it has come."""
        if not self.tip.cursor.chain_id:
            raise Unavailable("no node has answered yet", retry_after_s=1)
        return await self._payments.submit(payment)

    async def find_payment(self, tx_hash: bytes) -> Payment | None:
        """Look a payment up."""
        return await self._lookups.submit(tx_hash)


def _worker_name() -> str:
    """Name this worker, once and for all: a number of a process may come again."""
    return f"{socket.gethostname()[:40]}/{os.getpid()}/{secrets.token_hex(4)}"


async def _prepare(engine: AsyncEngine, config: ApiConfig, now_ms: int) -> tuple[str, Cursor]:
    """Bring schema and catalogue up to date; give price and cursor, or raise `ConfigFault`."""
    try:
        await migrate(engine)
        async with engine.begin() as connection:
            return await publish(connection, config, now_ms), await read_cursor(connection)
    except DATABASE_FAULTS as fault:
        if not (is_passing(fault) or is_for_the_operator(fault)):
            raise
        where = read_address(config.database_url).where
        raise ConfigFault(f"the database {where} can't be used: {describe(fault)}") from fault


@asynccontextmanager
async def open_service(
    config: ApiConfig,
    node: NodePort,
    wall_ms: Callable[[], int] = wall_ms,
    steady_s: Callable[[], float] = time.monotonic,
) -> AsyncIterator[Service]:
    """Migrate the database, write the catalogue, and lend a service over it."""
    engine = open_engine(config.database_url, config.pool_size)
    probe_engine = open_engine(config.database_url, 1)
    try:
        price_id, cursor = await _prepare(engine, config, wall_ms())
        watch = NodeWatch(node, wall_ms, steady_s)
        probe = DatabaseProbe(probe_engine, steady_s)
        service = Service(config, engine, node, price_id, watch, probe, wall_ms, steady_s)
        service.tip.advance(cursor)  # What was settled is answered for before a node is heard.
        if config.demo is not None:
            await admit_demo(engine, service.desks, config.demo)
        yield service
    finally:
        await probe_engine.dispose()
        await engine.dispose()
