"""Cash-outs: agreed by who sends BILL, paid by the union's finance."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.access.principals import Person
from api.access.roles import Role
from api.amounts import parse_units
from api.approvals.schemas import ApprovalView
from api.approvals.views import approval_view
from api.cash_outs.approving import ask_for_payment
from api.cash_outs.model import CashOut
from api.cash_outs.schemas import (
    CashOutsQuery,
    CashOutView,
    NewCashOutBody,
    PayCashOutBody,
    cash_out_view,
)
from api.cash_outs.store import find_cash_out, list_cash_outs
from api.errors import NotFound, Unavailable, Unprocessable
from api.events.outbox import write_events
from api.http.pages import Listing
from api.http.replies import Reply
from api.http.routes import ApiCall, Idempotency, Route
from api.people.callers import actor_of, id_of, person_of
from api.signing.accounts import RETRY_S, find_account
from ledger.primitives.keys import format_address

LIST: Final = "listCashOuts"
_BOOKS: Final = frozenset({Role.UNION_OFFICER, Role.ADMIN, Role.FINANCE})


def _reads_all(person: Person) -> bool:
    """Tell whether somebody keeps the union's books."""
    held = _BOOKS & person.roles.keys()
    return any(role is Role.ADMIN or person.roles[role] == person.union_id for role in held)


async def _float_address(call: ApiCall, connection: AsyncConnection) -> str | None:
    account = await find_account(connection, person_of(call).union_id)
    prefix = call.service.config.prefix
    return None if account is None else format_address(account.account, prefix)


async def create_cash_out(call: ApiCall) -> Reply:
    """Agree on what BILL is worth, for half an hour."""
    person, service = person_of(call), call.service
    units = parse_units(call.body.bill.text)
    if not units:
        raise Unprocessable("nothing is worth nothing", code="TOO_LITTLE")

    async def work(connection: AsyncConnection) -> Reply:
        address = await _float_address(call, connection)
        if address is None:
            raise Unavailable(
                "this union has no float account", code="SIGNER_OFFLINE", retry_after_s=RETRY_S
            )
        cash_out = await service.money.cash_outs.begin(
            connection, person.union_id, person.user_id, units, service.now_ms()
        )
        location = {"Location": f"/api/v1/cash-outs/{cash_out.id}"}
        return Reply(_shown(call, cash_out, address), 201, location)

    return await service.answers.once(call.once, work)


async def read_cash_out(call: ApiCall) -> CashOutView:
    """Give a cash-out; somebody else's is not found."""
    person, cash_out_id = person_of(call), id_of(call, "cashOutId")
    async with call.service.engine.connect() as connection:
        found = await find_cash_out(connection, person.union_id, cash_out_id)
        if found is None or not (found.user_id == person.user_id or _reads_all(person)):
            raise NotFound("there is no such cash-out")
        return _shown(call, found, await _float_address(call, connection))


async def read_all(call: ApiCall) -> Listing[CashOutView]:
    """List one's own cash-outs, or all of the union whose books one keeps, newest first."""
    person, query, cursors = person_of(call), call.query, call.service.cursors
    user_id = None if _reads_all(person) else person.user_id
    owner = f"{person.union_id}|{user_id}"
    below = cursors.read(query.cursor, LIST, owner)
    async with call.service.engine.connect() as connection:
        address = await _float_address(call, connection)
        rows = await list_cash_outs(
            connection,
            person.union_id,
            user_id,
            query.state,
            None if below is None else str(below[0]),
            query.limit + 1,
        )
    return cursors.page(
        rows, query.limit, _place, lambda one: _shown(call, one, address), LIST, owner
    )


def _shown(call: ApiCall, cash_out: CashOut, float_address: str | None) -> CashOutView:
    return cash_out_view(cash_out, float_address, livemode=call.service.config.livemode)


def _place(cash_out: CashOut) -> tuple[str]:
    return (cash_out.id,)


def _check_pays(person: Person) -> None:
    if not _reads_all(person):
        raise NotFound("there is no such cash-out for you")


async def pay_cash_out(call: ApiCall) -> Reply:
    """Take note that a small sum was paid out."""
    person, service, cash_out_id = person_of(call), call.service, id_of(call, "cashOutId")
    _check_pays(person)

    async def work(connection: AsyncConnection) -> Reply:
        at = (person.union_id, cash_out_id, person.user_id)
        receipt, now_ms = call.body.receipt_number, service.now_ms()
        paid, event = await service.money.cash_outs.pay(connection, *at, "", receipt, now_ms)
        view = _shown(call, paid, await _float_address(call, connection))
        await write_events(connection, [event])
        return Reply(view, 200)

    return await service.answers.once(call.once, work)


async def ask_approval(call: ApiCall) -> Reply:
    """Ask a second person to let a larger sum be paid out."""
    person, service, cash_out_id = person_of(call), call.service, id_of(call, "cashOutId")
    _check_pays(person)

    async def work(connection: AsyncConnection) -> Reply:
        at = (person.union_id, cash_out_id, person.user_id)
        cash_out = await service.money.cash_outs.owed(connection, *at)
        approval = await ask_for_payment(
            connection, service.desks, actor_of(call), cash_out, call.body.receipt_number
        )
        location = {"Location": f"/api/v1/approvals/{approval.id}"}
        return Reply(approval_view(approval, service.desks.means.now_ms()), 202, location)

    return await service.answers.once(call.once, work)


ROUTES: Final = (
    Route(
        method="POST",
        path="/api/v1/cash-outs",
        operation="createCashOut",
        summary="Agree on what BILL is worth in cash, and where to send it",
        tag="cash",
        handler=create_cash_out,
        body=NewCashOutBody,
        answer=CashOutView,
        status=201,
        idempotency=Idempotency.KEY,
        codes=("TOO_LITTLE", "SIGNER_OFFLINE"),
    ),
    Route(
        method="GET",
        path="/api/v1/cash-outs",
        operation=LIST,
        summary="List one's own cash-outs, or those of the union whose books one keeps",
        tag="cash",
        handler=read_all,
        query=CashOutsQuery,
        answer=Listing[CashOutView],
    ),
    Route(
        method="GET",
        path="/api/v1/cash-outs/{cashOutId}",
        operation="readCashOut",
        summary="Read a cash-out; somebody else's is not found",
        tag="cash",
        handler=read_cash_out,
        answer=CashOutView,
        codes=("NOT_FOUND",),
    ),
    Route(
        method="POST",
        path="/api/v1/cash-outs/{cashOutId}/payment",
        operation="payCashOut",
        summary="Take note that what is owed for a cash-out was paid",
        tag="cash",
        handler=pay_cash_out,
        body=PayCashOutBody,
        answer=CashOutView,
        idempotency=Idempotency.KEY,
        codes=("NOT_FOUND", "NOTHING_OWED", "ONES_OWN", "SECOND_PERSON_NEEDED"),
    ),
    Route(
        method="POST",
        path="/api/v1/cash-outs/{cashOutId}/approvals",
        operation="askCashOutApproval",
        summary="Ask a second person to let a cash-out be paid that one pays not alone",
        tag="cash",
        handler=ask_approval,
        body=PayCashOutBody,
        answer=ApprovalView,
        status=202,
        idempotency=Idempotency.KEY,
        codes=("NOT_FOUND", "NOTHING_OWED", "ONES_OWN"),
    ),
)
