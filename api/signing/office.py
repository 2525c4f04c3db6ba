"""The service's side of signing: it hands requests out, takes bytes in, and sees them to their end.

Bytes that were handed over are this service's to submit, again and again, until the chain says what
became of them: the follower settles them by their hash, or it has settled the last block that could
have taken them. Each step is one transaction that changes the request and what it is for together.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.chain.node_port import NodePort
from api.chain.tip import SettledTip
from api.db.faults import DATABASE_FAULTS, describe
from api.db.session import in_transaction
from api.errors import Conflict, NotFound, Unprocessable
from api.events.outbox import NewEvent, write_events
from api.orders.changes import release_left
from api.orders.model import Order
from api.orders.store import read_orders
from api.payments.settlement import ClaimedFinal
from api.signing.accounts import hear_signer
from api.signing.handlers import SigningHandler, SigningHandlers
from api.signing.model import SigningEnd, SigningEvent, SigningOutcome, SigningRequest
from api.signing.rules import ABROAD, UnwantedBytes, after, checked, id_of
from api.signing.store import SigningBook
from api.signing.wire import LEASE_MS, kind_of
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address
from node.client.errors import ClientFault

ROUND_S: Final = 1.0
AGAIN_MS: Final = 5_000
"""How often bytes are submitted again."""
LOOK_S: Final = 0.2
"""How often a signer that waits is looked for work."""
BATCH_MAX: Final = 500

log = structlog.get_logger("signing")


class SigningOffice:
    """Everything that signers ask of the service."""

    def __init__(
        self,
        engine: AsyncEngine,
        node: NodePort,
        tip: SettledTip,
        book: SigningBook,
        handlers: SigningHandlers,
        prefix: str,
        now_ms: Callable[[], int],
    ) -> None:
        self._engine, self._node, self._tip, self._book = engine, node, tip, book
        self._handlers, self._prefix, self._now_ms = handlers, prefix, now_ms
        # A look is one statement: without BEGIN and ROLLBACK it is one round trip of three.
        self._looks = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._poked = asyncio.Event()

    async def lease(self, account: Address, limit: int, wait_s: int) -> list[SigningRequest]:
        """Give a signer work; wait for the first for so long. Raise `NotFound` for a stranger."""
        end_s = asyncio.get_running_loop().time() + wait_s
        while True:
            leased = await in_transaction(
                self._engine, lambda connection: self._lease(connection, account, limit)
            )
            if leased or not await self._comes(account, end_s):
                return leased

    async def _comes(self, account: Address, end_s: float) -> bool:
        """Wait until a signer has work, or for so long; tell which."""
        while (left_s := end_s - asyncio.get_running_loop().time()) > 0:
            self._poked.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._poked.wait(), min(LOOK_S, left_s))
            async with self._looks.connect() as connection:
                if await self._book.has_work(connection, account, self._now_ms()):
                    return True
        return False

    async def _lease(
        self, connection: AsyncConnection, account: Address, limit: int
    ) -> list[SigningRequest]:
        now_ms = self._now_ms()
        if not await hear_signer(connection, account, now_ms):
            raise NotFound("nobody here is paid by this account")
        return await self._book.lease(connection, account, limit, now_ms, now_ms + LEASE_MS)

    def poke(self) -> None:
        """Say that there is something to sign."""
        self._poked.set()

    async def hand_over(self, account: Address, request_id: str, raw: bytes) -> SigningRequest:
        """Take a request's signed bytes in, and submit them; the same bytes may come again.

        Raise `NotFound`, `Unprocessable` for bytes that were not asked for, or `Conflict`.
        """
        request = await in_transaction(
            self._engine, lambda connection: self._take_in(connection, account, request_id, raw)
        )
        try:
            if request.raw is not None:
                await self._submit([request])
        except ClientFault as fault:
            log.info("submitted later", request=request_id, fault=str(fault))
        return request

    async def _take_in(
        self, connection: AsyncConnection, account: Address, request_id: str, raw: bytes
    ) -> SigningRequest:
        request, _ = await self._found(connection, account, request_id)
        if request.tx_hash is not None:
            if request.tx_hash != id_of(raw):
                raise Conflict("other bytes were handed over before", code="REQUEST_SIGNED")
            return request
        state = after(request.state, SigningEvent.SIGN)
        if state is None:
            raise Conflict(f"the request is {request.state}", code="REQUEST_OVER")
        try:
            made = checked(raw, request, Hash(self._tip.cursor.chain_id), self._prefix)
        except UnwantedBytes as fault:
            raise Unprocessable(str(fault), code="UNWANTED_BYTES") from fault
        request = request.changed(
            state=state,
            raw=raw,
            tx_hash=made.id,
            nonce=made.intent.nonce,
            valid_until_height=made.intent.valid_until_height,
        )
        if not await self._book.claim(connection, request):
            raise Conflict("this transaction is somebody else's", code="REQUEST_SIGNED")
        await self._book.store(connection, [request])
        handler = self._handlers[kind_of(request.what)]
        await write_events(connection, await handler.signed(connection, request, self._now_ms()))
        return request

    async def refuse(self, account: Address, request_id: str, code: str, detail: str) -> None:
        """Take a signer's refusal in; the same may come again."""

        async def work(connection: AsyncConnection) -> None:
            request, orders = await self._found(connection, account, request_id)
            if after(request.state, SigningEvent.REFUSE) is None:
                if request.code == code:
                    return
                raise Conflict(f"the request is {request.state}", code="REQUEST_OVER")
            end = SigningEnd(SigningOutcome.REFUSED, code, detail)
            events = await self._end(connection, request, SigningEvent.REFUSE, end)
            await release_left(connection, orders)
            await write_events(connection, events)

        await in_transaction(self._engine, work)

    async def orders_of(
        self, connection: AsyncConnection, finals: Sequence[ClaimedFinal]
    ) -> Sequence[str]:
        """Name the orders that change with final transactions: an `OrderFinder` of settlement's."""
        keys = [(final.merchant_id, final.ref_id) for final in finals]
        return await self._orders_of(connection, await self._book.read(connection, keys))

    async def settle(
        self, connection: AsyncConnection, finals: Sequence[ClaimedFinal], now_ms: int
    ) -> Sequence[NewEvent]:
        """Settle final transactions that signers signed: a `FinalHandler` of the follower's."""
        keys = [(final.merchant_id, final.ref_id) for final in finals]
        requests, _ = await self._lock(connection, keys)
        events: list[NewEvent] = []
        for claimed in finals:
            request, final = requests[claimed.ref_id], claimed.final
            if request.state not in ABROAD:
                continue
            outcome = SigningOutcome.FAILED if final.code else SigningOutcome.SUCCEEDED
            end = SigningEnd(outcome, final.code, "", final)
            events += await self._end(connection, request, SigningEvent.SETTLE, end)
        return events

    async def _lock(
        self, connection: AsyncConnection, keys: Sequence[tuple[str, str]]
    ) -> tuple[dict[str, SigningRequest], dict[str, Order]]:
        """Lock requests, and before them what they are for; give them and their orders."""
        requests = await self._book.read(connection, keys)
        order_ids = await self._orders_of(connection, requests)
        orders = await read_orders(connection, order_ids, lock=True) if order_ids else {}
        for handler, theirs in self._by_handler(requests):
            await handler.lock(connection, theirs)
        return await self._book.read(connection, keys, lock=True), orders

    async def _orders_of(
        self, connection: AsyncConnection, requests: Mapping[str, SigningRequest]
    ) -> list[str]:
        found = set[str]()
        for handler, theirs in self._by_handler(requests):
            found.update(await handler.orders_of(connection, theirs))
        return sorted(found)

    def _by_handler(
        self, requests: Mapping[str, SigningRequest]
    ) -> Iterator[tuple[SigningHandler, list[SigningRequest]]]:
        for kind, handler in self._handlers.items():
            theirs = [one for one in requests.values() if kind_of(one.what) is kind]
            if theirs:
                yield handler, theirs

    async def _found(
        self, connection: AsyncConnection, account: Address, request_id: str
    ) -> tuple[SigningRequest, dict[str, Order]]:
        owner_id = await self._book.owner_of(connection, account, request_id)
        if owner_id is None:
            raise NotFound("this account is asked for no such thing")
        requests, orders = await self._lock(connection, [(owner_id, request_id)])
        return requests[request_id], orders

    async def _end(
        self,
        connection: AsyncConnection,
        request: SigningRequest,
        event: SigningEvent,
        end: SigningEnd,
    ) -> Sequence[NewEvent]:
        """End a locked request, and tell whose it is."""
        state, now_ms = after(request.state, event), self._now_ms()
        assert state is not None, f"{request.state} {event}"
        request = request.changed(
            state=state, raw=None, code=end.code, detail=end.detail[:500], ended_ms=now_ms
        )
        await self._book.store(connection, [request])
        handler = self._handlers[kind_of(request.what)]
        return await handler.ended(connection, request, end, now_ms)

    async def run(self) -> None:
        """Submit, and end what time ends, until cancelled: one worker does it for all."""
        while True:
            await asyncio.sleep(ROUND_S)
            try:
                await self.run_once()
            except ClientFault as fault:
                log.info("put off", fault=str(fault))
            except DATABASE_FAULTS as fault:
                log.warning("put off", fault=describe(fault))

    async def run_once(self) -> None:
        """Do one round."""
        height, now_ms = self._tip.cursor.height, self._now_ms()
        async with self._engine.connect() as connection:
            abroad = await self._book.abroad(connection, BATCH_MAX)
            in_vain = await self._book.in_vain(connection, now_ms, BATCH_MAX)
        over = [one for one in abroad if (one.valid_until_height or 0) <= height]
        lapsed = SigningEnd(SigningOutcome.LAPSED, "LAPSED", "no block took it in time")
        for request in over:
            await self._give_up((request.owner_id, request.id), SigningEvent.LAPSE, lapsed)
        unsigned = SigningEnd(SigningOutcome.EXPIRED, "NOT_SIGNED", "nobody signed it in time")
        for key in in_vain:
            await self._give_up(key, SigningEvent.GIVE_UP, unsigned)
        due = [one for one in abroad if one not in over and _is_due(one, now_ms)]
        if due:
            await self._submit(due)

    async def _give_up(self, key: tuple[str, str], event: SigningEvent, end: SigningEnd) -> None:
        async def work(connection: AsyncConnection) -> None:
            requests, orders = await self._lock(connection, [key])
            request = requests.get(key[1])
            if request is not None and after(request.state, event) is not None:
                events = await self._end(connection, request, event, end)
                await release_left(connection, orders)
                await write_events(connection, events)

        await in_transaction(self._engine, work)

    async def _submit(self, requests: Sequence[SigningRequest]) -> None:
        """Hand bytes to the nodes, each account's by number; raise `ClientFault`.

        What a node says of one is not what becomes of it: only the chain says that.
        """
        raws = [request.raw for request in requests if request.raw is not None]
        said = await self._node.submit(raws)
        for request, told in zip(requests, said, strict=True):
            if told.code:
                log.info("not taken", request=request.id, code=told.code)
        keys, now_ms = [(request.owner_id, request.id) for request in requests], self._now_ms()

        async def work(connection: AsyncConnection) -> None:
            found = await self._book.read(connection, keys, lock=True)
            await self._book.store(
                connection,
                [
                    one.changed(state=state, submitted_ms=now_ms)
                    for one in found.values()
                    if (state := after(one.state, SigningEvent.SUBMIT)) is not None
                ],
            )

        await in_transaction(self._engine, work)


def _is_due(request: SigningRequest, now_ms: int) -> bool:
    return request.submitted_ms is None or now_ms - request.submitted_ms >= AGAIN_MS
