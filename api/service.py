"""The payments service, put together: what every route works with, and what runs beside them.

`open_service` brings the database up to date and gives a `Service`; `Service.run` keeps the
batchers, the follower and the stream going until it is cancelled. It knows no HTTP.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from api.access.gate import Gate
from api.amounts import format_time
from api.batcher import Batcher
from api.config import ApiConfig
from api.db.address import read_address
from api.db.faults import DATABASE_FAULTS, describe, is_for_the_operator, is_passing
from api.db.session import migrate, open_engine
from api.errors import ConfigFault, Conflict, Unavailable
from api.follower import Follower
from api.http.idempotency import AnswerStore
from api.http.pages import Cursors
from api.keys.reader import KeyReader
from api.metrics import Metrics
from api.node_port import NodePort
from api.node_watch import NodeWatch, wall_ms
from api.people.demo import admit_demo
from api.people.desks import Desks
from api.readiness import DatabaseProbe, Readiness
from api.request_log.recorder import Recorder
from api.services.catalogue import publish
from api.services.limits import Limiter, Quota
from api.services.orders import NewOrder, OrderDesk, newest_orders, read_orders
from api.services.outbox import card
from api.services.payments import (
    NOT_FOUND,
    UNCONFIRMED,
    PaymentBook,
    Question,
    ValidationAnswer,
    judge,
)
from api.services.settlement import Settled
from api.services.submission import FollowedChain, PaymentDesk, SignedPayment
from api.stream import Hub
from api.waiters import Waiters
from ledger.primitives.amounts import Units, format_bill
from ledger.types.transaction import decode_transaction
from ledger.types.transfer import Transfer
from node.client.errors import ClientFault
from node.client.views import LotView, TransactionState, TransactionView

SWEEP_S: Final = 5.0
EXPIRY_GRACE_MS: Final = 10_000
"""An order is called expired this long after its time: its block may be on the way."""
FEE_FRESH_S: Final = 10.0
"""How long the network's least fee is remembered: a regulator may change it."""
LEDGER_RETRY_S: Final = 2
"""How soon to come back while the ledger is behind: it is looked at once a second."""
BOARD_ORDERS: Final = 30
BOARD_LOTS: Final = 8

log = structlog.get_logger("service")


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
        self._probe = probe
        self.now_ms = watch.now_ms
        self.desks = Desks(engine, config, wall_ms, steady_s, lambda: self.follower.cursor.chain_id)
        keys = KeyReader(engine, watch.now_ms, livemode=config.livemode)
        self.gate = Gate((keys, self.desks.reader), watch.now_ms, board=config.public_board)
        self.answers = AnswerStore(engine, config.secret, watch.now_ms)
        self.cursors = Cursors(config.secret)
        self.request_log = Recorder(engine, watch.now_ms)
        self.metrics = Metrics()
        self.products = {product.id: product for product in config.products}
        self.waiters = Waiters()
        self.follower = Follower(engine, node, watch, self._settled)
        self.hub = Hub(engine, self.pulse)
        self.desk = OrderDesk(engine, config, price_id)
        self._payment_desk = PaymentDesk(engine, node)
        self._book = PaymentBook(engine)
        self._limiter = Limiter(engine, config.validate_per_minute)
        self._fee_units = config.fee_units
        self._fee_stale_s = 0.0
        self._keys_in_progress: set[tuple[str, str]] = set()
        self._orders: Batcher[NewOrder, dict[str, Any]] = Batcher(self._open_orders)
        self._payments: Batcher[SignedPayment, bytes] = Batcher(self._submit)
        self._lookups: Batcher[bytes, dict[str, Any] | None] = Batcher(self._book.find)
        self._quotas: Batcher[str, Quota] = Batcher(self._count)

    async def run(self) -> None:
        """Serve until cancelled; raises when a part can't go on, and then nothing does."""
        async with asyncio.TaskGroup() as group:
            for batcher in (self._orders, self._payments, self._lookups, self._quotas):
                group.create_task(batcher.run())
            group.create_task(self.watch.run())
            group.create_task(self.follower.run())
            group.create_task(self.hub.run())
            group.create_task(self.request_log.run())
            group.create_task(self._sweep_for_ever())

    async def _open_orders(
        self, requests: Sequence[NewOrder]
    ) -> Sequence[dict[str, Any] | Exception]:
        answers = await self.desk.open_orders(requests, self.now_ms())
        self.hub.poke()
        return answers

    async def _submit(self, payments: Sequence[SignedPayment]) -> Sequence[bytes | Exception]:
        cursor = self.follower.cursor
        tip = FollowedChain(cursor.chain_id, cursor.height)
        answers = await self._payment_desk.submit(payments, tip, self.now_ms())
        self.hub.poke()
        return answers

    async def _count(self, subjects: Sequence[str]) -> Sequence[Quota | Exception]:
        return await self._limiter.take(subjects)

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            try:
                await self.sweep()
            except DATABASE_FAULTS as fault:
                log.warning("sweep put off", fault=describe(fault))

    async def sweep(self) -> None:
        """Expire unpaid orders if the chain is followed closely, and forget what is old."""
        now_ms = self.now_ms()
        if not self.behind():
            await self.desk.expire_orders(now_ms - EXPIRY_GRACE_MS, now_ms)
            self.hub.poke()
            await self.desk.forget_keys(now_ms)
            await self.answers.forget()
        await self._limiter.forget()
        await self.desks.sweep()

    def _settled(self, settled: Settled) -> None:
        """Tell everyone about a settlement that is committed."""
        for outcome in settled.outcomes:
            self.metrics.settled.labels(outcome).inc()
            if outcome == "succeeded":
                self.metrics.payment_success.inc()
        self.metrics.height.set(self.follower.cursor.height)
        self.metrics.lag.set(self.follower.lag_blocks)
        self.waiters.wake(settled.tx_hashes)
        if settled.tx_hashes:
            self.hub.poke()

    async def take_quota(self, merchant_id: str) -> Quota:
        """Count one validation of a merchant."""
        return await self._quotas.submit(f"validate:{merchant_id}")

    def behind(self) -> str:
        """Say why what is settled here may not be the newest truth, or nothing."""
        return self.why_no_node() or self.why_not_level()

    def why_no_node(self) -> str:
        """Say why no node tells where the chain stands, or nothing."""
        return self.watch.why_silent(self.config.node_silence_s_max)

    def why_not_level(self) -> str:
        """Say why final blocks are not settled here as they come, or nothing."""
        if not self.follower.cursor.chain_id:
            return "no final block has been asked for yet"
        if self.follower.lag_blocks > self.config.lag_blocks_max:
            return f"{self.follower.lag_blocks} final blocks are not settled yet"
        return self.watch.why_standing()

    async def readiness(self) -> Readiness:
        """Say of each part whether it works."""
        parts = {
            "database": await self._probe.why(),
            "node": self.why_no_node(),
            "follower": self.why_not_level(),
        }
        for part, why in parts.items():
            self.metrics.ready.labels(part).set(not why)
        return Readiness(parts)

    async def open_order(self, request: NewOrder) -> dict[str, Any]:
        """Open an order once an idempotency key; raise `Unavailable` if nobody could pay it."""
        if why := self.behind():
            raise Unavailable(why, retry_after_s=LEDGER_RETRY_S)
        token = (request.merchant_id, request.key)
        if token in self._keys_in_progress:
            raise Conflict(
                "a request with this Idempotency-Key is in progress",
                code="IDEMPOTENCY_IN_PROGRESS",
                retry_after_s=1,
            )
        self._keys_in_progress.add(token)
        try:
            row = await self._orders.submit(request)
        finally:
            self._keys_in_progress.discard(token)
        self.metrics.orders.inc()
        return row

    async def find_order(self, order_id: str) -> dict[str, Any] | None:
        """Read an order."""
        async with self._reader.connect() as connection:
            return (await read_orders(connection, [order_id])).get(order_id)

    async def submit_payment(self, payment: SignedPayment) -> bytes:
        """Hand a signed payment to the node; give the transaction's hash."""
        if not self.follower.cursor.chain_id:
            raise Unavailable("no node has answered yet", retry_after_s=1)
        return await self._payments.submit(payment)

    async def find_payment(self, tx_hash: bytes) -> dict[str, Any] | None:
        """Look a payment up."""
        return await self._lookups.submit(tx_hash)

    async def validate(self, merchant_id: str, question: Question, wait_s: int) -> ValidationAnswer:
        """Answer a validation; wait for finality as long as asked; raise `Unavailable`, not lie."""
        waiting = self.waiters.add(question.tx_hash) if wait_s else None
        try:
            answer = await self._look(merchant_id, question)
            if answer is UNCONFIRMED and waiting is not None:
                try:
                    async with asyncio.timeout(wait_s):
                        await waiting
                except TimeoutError:
                    pass
                answer = await self._look(merchant_id, question)
        finally:
            if waiting is not None:
                self.waiters.drop(question.tx_hash, waiting)
        if not answer.valid and (why := self.behind()):
            raise Unavailable(why, retry_after_s=LEDGER_RETRY_S)
        return answer

    async def _look(self, merchant_id: str, question: Question) -> ValidationAnswer:
        """Answer from the database, and ask the node about what it doesn't know."""
        row = await self.find_payment(question.tx_hash)
        if row is not None:
            return judge(row, merchant_id, question)
        try:
            view = await self.node.transaction(question.tx_hash)
        except ClientFault as fault:
            raise Unavailable(f"no node answers: {fault}", retry_after_s=1) from fault
        if not await self._is_payment_to(merchant_id, view):
            return NOT_FOUND
        if view.state != TransactionState.FINAL or self.follower.cursor.height < view.height:
            # Final blocks are settled by the follower alone, in their order: which of two
            # payments of one order came first must not hang on which was asked for first.
            return UNCONFIRMED
        return judge(await self.find_payment(question.tx_hash), merchant_id, question)

    async def _is_payment_to(self, merchant_id: str, view: TransactionView) -> bool:
        """Tell whether what a node shows bears the reference of an order of this merchant."""
        if view.state not in (TransactionState.PENDING, TransactionState.FINAL) or not view.raw:
            return False
        body = decode_transaction(view.raw).intent.body
        return isinstance(body, Transfer) and await self._book.is_reference_of(
            body.reference, merchant_id
        )

    async def fee_units(self) -> int:
        """Give the fee that wallets are told: the configured one, else the network's least."""
        now_s = time.monotonic()
        if self.config.fee_units == 0 and now_s >= self._fee_stale_s:
            try:
                self._fee_units = (await self.node.parameters()).fee_least_units
            except ClientFault as fault:
                raise Unavailable(f"no node answers: {fault}", retry_after_s=1) from fault
            self._fee_stale_s = now_s + FEE_FRESH_S
        return self._fee_units

    async def pulse(self) -> Mapping[str, object]:
        """Give what the live page shows of the chain."""
        status = self.watch.status
        chain: dict[str, object] = {"behind": self.behind() or None}
        if status is not None:
            chain |= {
                "network": status.network,
                "height": status.height,
                "settledHeight": self.follower.cursor.height,
                "finalisedAt": format_time(status.finalized_ms),
                "finalityMs": {"p50": status.finality_p50_ms, "p95": status.finality_p95_ms},
                "peers": status.peers,
                "validators": status.validators,
                "supply": format_bill(status.supply_units),
                "minted": format_bill(status.minted_units),
                "redeemed": format_bill(status.redeemed_units),
                "supplyOk": status.supply_ok,
            }
        lots = sorted(self.follower.lots, key=lambda lot: -lot.height)[:BOARD_LOTS]
        return {**chain, "lots": [lot_json(lot) for lot in lots]}

    async def snapshot(self) -> Mapping[str, object]:
        """Give the whole picture for a page that begins."""
        async with self.engine.connect() as connection:
            rows = await newest_orders(connection, BOARD_ORDERS)
        return {"chain": await self.pulse(), "orders": [card(row) for row in rows]}


def lot_json(lot: LotView) -> dict[str, object]:
    """Present a lot."""
    return {
        "id": lot.id.hex(),
        "kind": str(lot.kind),
        "plant": lot.plant,
        "height": lot.height,
        "minted": format_bill(Units(lot.minted_units)),
        "remaining": format_bill(Units(lot.remaining_units)),
        "loose": format_bill(Units(lot.loose_units)),
        "packedUnsold": format_bill(Units(lot.packed_unsold_units)),
        "status": lot.status,
        "expiresAt": format_time(lot.expires_ms),
    }


async def _prepare(engine: AsyncEngine, config: ApiConfig, now_ms: int) -> str:
    """Bring schema and catalogue up to date; give the price's id, or raise `ConfigFault`."""
    try:
        await migrate(engine)
        async with engine.begin() as connection:
            return await publish(connection, config, now_ms)
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
        price_id = await _prepare(engine, config, wall_ms())
        watch = NodeWatch(node, wall_ms, steady_s)
        probe = DatabaseProbe(probe_engine, steady_s)
        service = Service(config, engine, node, price_id, watch, probe, wall_ms, steady_s)
        if config.demo is not None:
            await admit_demo(engine, service.desks, config.demo)
        yield service
    finally:
        await probe_engine.dispose()
        await engine.dispose()
