"""Top-ups: begun at an office or a till, read as receipts, reversed while nothing was sent."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.access.principals import Terminal
from api.approvals.schemas import ApprovalView
from api.approvals.views import approval_view
from api.cash_book.routes import place_seen
from api.db.session import in_transaction
from api.errors import MalformedRequest, NotFound, Pointer
from api.events.outbox import write_events
from api.http.pages import Listing
from api.http.replies import Reply
from api.http.routes import ApiCall, Idempotency, Route
from api.people.callers import actor_of, id_of, person_of
from api.top_ups.approving import ask_for_top_up
from api.top_ups.desk import TopUpWish
from api.top_ups.model import TopUp
from api.top_ups.schemas import NewTopUpBody, TopUpsQuery, TopUpView, top_up_view
from api.top_ups.store import list_top_ups, read_top_ups

LIST: Final = "listTopUps"
REFUSALS: Final = (
    "NOT_FOUND",
    "BAD_ADDRESS",
    "TOO_LITTLE",
    "NO_WALLET",
    "NAME_THE_WALLET",
    "ONES_OWN",
)


def _union(call: ApiCall) -> str:
    if isinstance(call.principal, Terminal):
        return call.principal.union_id
    return person_of(call).union_id


def _place_seen(call: ApiCall) -> str:
    """Give the one place whose top-ups a caller sees; empty for all of the union."""
    if isinstance(call.principal, Terminal):
        return call.principal.merchant_id
    return place_seen(person_of(call))


def _hand(call: ApiCall) -> str:
    """Name whose hand takes or gives the cash."""
    till = call.principal
    return till.cashier_id if isinstance(till, Terminal) else person_of(call).user_id


def _wish(call: ApiCall) -> TopUpWish:
    body, till = call.body, call.principal
    if body.user_id is None and body.address is None:
        raise MalformedRequest(
            "name a person or an address",
            errors=(Pointer("/userId", "ONE_OF_TWO"), Pointer("/address", "ONE_OF_TWO")),
        )
    tenants = call.service.desks.tenants
    return TopUpWish(
        union_id=_union(call),
        place_id=till.merchant_id if isinstance(till, Terminal) else _union(call),
        terminal_id=till.terminal_id if isinstance(till, Terminal) else "",
        taken_by=_hand(call),
        amount_sen=body.amount.sen,
        receipt=body.receipt_number,
        user_id=body.user_id,
        address=None if body.address is None else tenants.address(body.address, "/address"),
    )


async def create_top_up(call: ApiCall) -> Reply:
    """Let the float send BILL for cash."""
    wish, service = _wish(call), call.service

    async def work(connection: AsyncConnection) -> Reply:
        top_up, event = await service.money.top_ups.begin(connection, wish, service.now_ms())
        await write_events(connection, [event])
        location = {"Location": f"/api/v1/top-ups/{top_up.id}"}
        return Reply(_shown(call, top_up), 202, location)

    return await service.answers.once(call.once, work)


async def ask_approval(call: ApiCall) -> Reply:
    """Ask a second officer to let a top-up begin."""
    wish, service = _wish(call), call.service

    async def work(connection: AsyncConnection) -> Reply:
        payee = await service.money.top_ups.payee(connection, wish)
        approval = await ask_for_top_up(connection, service.desks, actor_of(call), wish, payee)
        location = {"Location": f"/api/v1/approvals/{approval.id}"}
        return Reply(approval_view(approval, service.desks.means.now_ms()), 202, location)

    return await service.answers.once(call.once, work)


async def read_top_up(call: ApiCall) -> TopUpView:
    """Give a top-up's receipt; another place's is not found."""
    top_up_id = id_of(call, "topUpId")
    async with call.service.engine.connect() as connection:
        found = (await read_top_ups(connection, [(_union(call), top_up_id)])).get(top_up_id)
    place_id = _place_seen(call)
    if found is None or (place_id and found.place_id != place_id):
        raise NotFound("there is no such top-up")
    return _shown(call, found)


async def read_all(call: ApiCall) -> Listing[TopUpView]:
    """List top-ups, newest first."""
    union_id, place_id = _union(call), _place_seen(call)
    query, cursors, owner = call.query, call.service.cursors, f"{union_id}|{place_id}"
    below = cursors.read(query.cursor, LIST, owner)
    async with call.service.engine.connect() as connection:
        rows = await list_top_ups(
            connection,
            union_id,
            place_id,
            query.state,
            None if below is None else str(below[0]),
            query.limit + 1,
        )
    return cursors.page(rows, query.limit, _place, lambda one: _shown(call, one), LIST, owner)


async def reverse_top_up(call: ApiCall) -> TopUpView:
    """Take note that the cash of a top-up that sent nothing goes back."""
    service, top_up_id = call.service, id_of(call, "topUpId")
    till = call.principal
    place_id = till.merchant_id if isinstance(till, Terminal) else ""

    async def work(connection: AsyncConnection) -> TopUp:
        top_up, events = await service.money.top_ups.reverse(
            connection, _union(call), place_id, top_up_id, _hand(call), service.now_ms()
        )
        await write_events(connection, events)
        return top_up

    return _shown(call, await in_transaction(service.engine, work))


def _shown(call: ApiCall, top_up: TopUp) -> TopUpView:
    return top_up_view(top_up, livemode=call.service.config.livemode)


def _place(top_up: TopUp) -> tuple[str]:
    return (top_up.id,)


ROUTES: Final = (
    Route(
        method="POST",
        path="/api/v1/top-ups",
        operation="createTopUp",
        summary="Send BILL from the union's float for cash that is paid at an office or a till",
        tag="cash",
        handler=create_top_up,
        body=NewTopUpBody,
        answer=TopUpView,
        status=202,
        idempotency=Idempotency.KEY,
        codes=(
            *REFUSALS,
            "RECEIPT_USED",
            "FLOAT_LOW",
            "SECOND_PERSON_NEEDED",
            "SIGNER_OFFLINE",
            "LEDGER_UNAVAILABLE",
        ),
    ),
    Route(
        method="POST",
        path="/api/v1/top-ups/approvals",
        operation="askTopUpApproval",
        summary="Ask a second officer to let a top-up begin that one gives not alone",
        tag="cash",
        handler=ask_approval,
        body=NewTopUpBody,
        answer=ApprovalView,
        status=202,
        idempotency=Idempotency.KEY,
        codes=REFUSALS,
    ),
    Route(
        method="GET",
        path="/api/v1/top-ups",
        operation=LIST,
        summary="List top-ups, newest first",
        tag="cash",
        handler=read_all,
        query=TopUpsQuery,
        answer=Listing[TopUpView],
    ),
    Route(
        method="GET",
        path="/api/v1/top-ups/{topUpId}",
        operation="readTopUp",
        summary="Read a top-up's receipt; another place's is not found",
        tag="cash",
        handler=read_top_up,
        answer=TopUpView,
        codes=("NOT_FOUND",),
    ),
    Route(
        method="POST",
        path="/api/v1/top-ups/{topUpId}/reverse",
        operation="reverseTopUp",
        summary="Give the cash of a top-up back that sent nothing",
        tag="cash",
        handler=reverse_top_up,
        answer=TopUpView,
        idempotency=Idempotency.NATURAL,
        codes=("NOT_FOUND", "TOP_UP_IN_FLIGHT"),
    ),
)
