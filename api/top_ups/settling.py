"""What becomes of top-ups, in the transactions that take signatures in and settle them."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.cash_book.model import CashKind
from api.cash_book.store import CHAIN, add_cash_entries, drawn_entry
from api.events.outbox import NewEvent
from api.signing.model import SigningEnd, SigningOutcome, SigningRequest
from api.signing.wire import SignTopUp
from api.top_ups.desk import TopUpDesk
from api.top_ups.model import TopUpEvent, TopUpState
from api.top_ups.rules import after
from api.top_ups.schemas import told_of_top_up
from api.top_ups.store import read_top_ups, store_top_up
from ledger.primitives.keys import parse_address

EVENTS: Final = {
    SigningOutcome.SUCCEEDED: TopUpEvent.SUCCEEDED,
    SigningOutcome.FAILED: TopUpEvent.FAILED,
    SigningOutcome.REFUSED: TopUpEvent.FAILED,
    SigningOutcome.EXPIRED: TopUpEvent.FAILED,
    SigningOutcome.LAPSED: TopUpEvent.LAPSED,
}


class TopUpSettling:
    """The top-ups' `SigningHandler`."""

    def __init__(self, desk: TopUpDesk, prefix: str) -> None:
        self._desk, self._prefix = desk, prefix

    async def orders_of(
        self, connection: AsyncConnection, requests: Sequence[SigningRequest]
    ) -> Sequence[str]:
        """Name none: top-ups are of no order."""
        return ()

    async def lock(self, connection: AsyncConnection, requests: Sequence[SigningRequest]) -> None:
        """Lock top-ups: whoever gives cash back locks them first as well."""
        keys = [(request.owner_id, request.ref_id) for request in requests]
        await read_top_ups(connection, keys, lock=True)

    async def signed(
        self, connection: AsyncConnection, request: SigningRequest, now_ms: int
    ) -> list[NewEvent]:
        """Take note that a top-up's bytes are there."""
        return await self._move(
            connection, request, TopUpEvent.SIGNED, now_ms, tx_hash=request.tx_hash
        )

    async def ended(
        self, connection: AsyncConnection, request: SigningRequest, end: SigningEnd, now_ms: int
    ) -> list[NewEvent]:
        """Take note of what became of a top-up's signature."""
        event = EVENTS[end.outcome]
        if event is TopUpEvent.LAPSED:
            return await self._move(connection, request, event, now_ms, tx_hash=None)
        changes = {
            "code": end.code,
            "detail": end.detail[:500],
            "ended_ms": end.final.time_ms if end.final else now_ms,
        }
        return await self._move(connection, request, event, now_ms, **changes)

    async def _move(
        self,
        connection: AsyncConnection,
        request: SigningRequest,
        event: TopUpEvent,
        now_ms: int,
        **changes: object,
    ) -> list[NewEvent]:
        key = (request.owner_id, request.ref_id)
        before = (await read_top_ups(connection, [key], lock=True))[request.ref_id]
        state = after(before.state, event)
        assert state is not None, f"a top-up that is {before.state} is {event}"
        top_up = before.changed(state=state, **changes)
        await store_top_up(connection, before, top_up)
        if event is TopUpEvent.LAPSED:
            assert isinstance(request.what, SignTopUp), "it is a top-up's request"
            to = parse_address(request.what.to, self._prefix)
            await self._desk.ask(connection, top_up, request.account, to, now_ms)
        if state is TopUpState.SUCCEEDED:
            sent = drawn_entry(
                top_up.union_id, CashKind.TOP_UP_SENT, top_up.id, top_up.place_id, CHAIN, now_ms,
                float_units=-top_up.units, owed_units=-top_up.units,
            )  # fmt: skip
            await add_cash_entries(connection, [sent])
        return [told_of_top_up(str(state), top_up, now_ms)]
