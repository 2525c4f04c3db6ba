"""Tills: made and confirmed by a manager, paired by themselves, worked at by cashiers."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from api.amounts import format_time
from api.db.session import in_transaction
from api.errors import ApiFault
from api.http.pages import Listing
from api.http.replies import Reply
from api.http.routes import ApiCall, Idempotency, Route
from api.people.callers import desks_of, id_of, person_of, till_of
from api.people.tokens import TOKEN_S
from api.terminals.model import TerminalEvent, TerminalRecord, TerminalState
from api.terminals.schemas import (
    CashierSessionView,
    ConfirmBody,
    NewTerminalBody,
    NewTerminalView,
    PairBody,
    PairedView,
    StaffPinBody,
    TerminalKeyBody,
    TerminalProofBody,
    TerminalsQuery,
    TerminalStateView,
    TerminalTokenView,
    TerminalView,
)
from api.terminals.store import list_tills


def terminal_view(till: TerminalRecord) -> TerminalView:
    """Show a till to its manager; the digits alone while they have to be compared."""
    waits = till.state is TerminalState.PAIRING and till.match
    return TerminalView(
        id=till.id,
        merchant_id=till.merchant_id,
        label=till.label,
        letter=till.letter,
        state=till.state,
        match=till.match if waits else None,
        created_at=format_time(till.created_ms),
        paired_at=None if till.paired_ms is None else format_time(till.paired_ms),
    )


async def make(call: ApiCall) -> Reply:
    """Make a till, and give its pairing code."""
    body, desks, person = call.body, desks_of(call), person_of(call)

    async def work(connection: AsyncConnection) -> Reply:
        till, code = await desks.tills.make(
            connection, person.union_id, call.merchant_id, body.label, body.letter
        )
        expires_at = format_time(till.pairing_expires_ms)
        headers = {"Location": f"/api/v1/terminals/{till.id}"}
        return Reply(NewTerminalView(terminal_view(till), code, expires_at), 201, headers)

    return await call.service.answers.once(call.once, work)


async def list_all(call: ApiCall) -> Listing[TerminalView]:
    """List the merchant's tills."""
    query, desks, cursors = call.query, desks_of(call), call.service.cursors
    after = cursors.read(query.cursor, "listTerminals", call.merchant_id)
    start = "" if after is None else str(after[0])
    rows = await in_transaction(
        desks.means.engine, lambda c: list_tills(c, call.merchant_id, start, query.limit + 1)
    )
    return cursors.page(
        rows,
        query.limit,
        lambda till: (till.id,),
        terminal_view,
        "listTerminals",
        call.merchant_id,
    )


async def read(call: ApiCall) -> TerminalView:
    """Read a till: its manager compares the digits."""
    desks, at = desks_of(call), (call.merchant_id, _terminal_id(call))
    return terminal_view(
        await in_transaction(desks.means.engine, lambda c: desks.tills.read(c, *at))
    )


async def pair(call: ApiCall) -> PairedView:
    """Use a pairing code up for a key that is committed to."""
    body: PairBody = call.body
    desks = desks_of(call)
    commitment = bytes.fromhex(body.commitment)
    till = await in_transaction(
        desks.means.engine, lambda c: desks.tills.pair(c, body.code, commitment)
    )
    assert till.server_nonce is not None, "pairing has drawn it"
    return PairedView(
        terminal_id=till.id,
        merchant_id=till.merchant_id,
        union_id=till.union_id,
        server_nonce=till.server_nonce.hex(),
        expires_at=format_time(till.pairing_expires_ms),
    )


async def show_key(call: ApiCall) -> TerminalStateView:
    """Show the key that was committed to."""
    body: TerminalKeyBody = call.body
    desks = desks_of(call)
    shown = (bytes.fromhex(body.public_key), bytes.fromhex(body.nonce))
    till = await in_transaction(
        desks.means.engine, lambda c: desks.tills.show_key(c, _terminal_id(call), *shown)
    )
    return TerminalStateView(till.id, till.state)


async def confirm(call: ApiCall) -> TerminalView:
    """Let a till in whose digits the manager has compared; other digits end the pairing."""
    body: ConfirmBody = call.body
    desks, at = desks_of(call), (call.merchant_id, _terminal_id(call))
    till = await in_transaction(
        desks.means.engine, lambda c: desks.tills.confirm(c, *at, body.match)
    )
    if isinstance(till, ApiFault):
        raise till
    return terminal_view(till)


def _moving(event: TerminalEvent) -> Callable[[ApiCall], Awaitable[TerminalView]]:
    async def move(call: ApiCall) -> TerminalView:
        desks, at = desks_of(call), (call.merchant_id, _terminal_id(call))
        till = await in_transaction(desks.means.engine, lambda c: desks.tills.move(c, *at, event))
        return terminal_view(till)

    return move


async def renew(call: ApiCall) -> TerminalTokenView:
    """Give a till its next token for a signed challenge."""
    body: TerminalProofBody = call.body
    desks = desks_of(call)
    proof = (bytes.fromhex(body.nonce), body.expires_ms, bytes.fromhex(body.signature))
    token = await in_transaction(
        desks.means.engine, lambda c: desks.tills.token(c, _terminal_id(call), *proof)
    )
    return TerminalTokenView.of(token)


async def sign_in(call: ApiCall) -> CashierSessionView:
    """Begin a shift at this till."""
    body: StaffPinBody = call.body
    begun = await desks_of(call).cashiers.sign_in(till_of(call), body.staff_code, body.pin)
    return CashierSessionView(
        id=begun.shift.id,
        opened_at=format_time(begun.shift.opened_ms),
        access_token=begun.access_token,
        token_type="Bearer",  # noqa: S106 - a kind of token
        expires_in=TOKEN_S,
    )


async def sign_out(call: ApiCall) -> Response:
    """End the shift at this till."""
    await desks_of(call).cashiers.sign_out(till_of(call))
    return Response(status_code=204)


def _terminal_id(call: ApiCall) -> str:
    return id_of(call, "terminalId")


def _route(method: str, path: str, operation: str, summary: str, **more: Any) -> Route:
    named = {"idempotency": Idempotency.NATURAL, "tag": "terminals", **more}
    return Route(
        method=method, path=f"/api/v1{path}", operation=operation, summary=summary, **named
    )


def _act(event: TerminalEvent, summary: str) -> Route:
    return _route(
        "POST",
        f"/terminals/{{terminalId}}/{event}",
        f"{event}Terminal",
        summary,
        handler=_moving(event),
        answer=TerminalView,
        codes=("NOT_FOUND", "CONFLICT"),
    )


ROUTES: Final = (
    _route(
        "POST", "/terminals", "createTerminal", "Make a till, and get its pairing code",
        handler=make, body=NewTerminalBody, answer=NewTerminalView, status=201,
        idempotency=Idempotency.KEY,
    ),
    _route(
        "GET", "/terminals", "listTerminals", "List the merchant's tills",
        handler=list_all, query=TerminalsQuery, answer=Listing[TerminalView],
        idempotency=Idempotency.NONE,
    ),
    _route(
        "GET", "/terminals/{terminalId}", "readTerminal", "Read a till, and compare its digits",
        handler=read, answer=TerminalView, codes=("NOT_FOUND",), idempotency=Idempotency.NONE,
    ),
    _route(
        "POST", "/terminals/pair", "pairTerminal", "Begin to pair: a till's code and commitment",
        handler=pair, body=PairBody, answer=PairedView, codes=("CODE_REFUSED",),
    ),
    _route(
        "POST", "/terminals/{terminalId}/key", "showTerminalKey", "Show the key of a till",
        handler=show_key, body=TerminalKeyBody, answer=TerminalStateView,
        codes=("NOT_FOUND", "KEY_REFUSED", "CONFLICT"),
    ),
    _route(
        "POST", "/terminals/{terminalId}/confirm", "confirmTerminal",
        "Let a till in whose four digits are the same on both screens",
        handler=confirm, body=ConfirmBody, answer=TerminalView,
        codes=("NOT_FOUND", "NOT_PAIRING", "MATCH_REFUSED"),
    ),
    _act(TerminalEvent.LOCK, "Lock a till: its tokens and its shift end"),
    _act(TerminalEvent.UNLOCK, "Unlock a till"),
    _act(TerminalEvent.REVOKE, "Revoke a till for ever"),
    _route(
        "POST", "/terminals/{terminalId}/session", "renewTerminalToken",
        "Get a till's next token for a signed challenge",
        handler=renew, body=TerminalProofBody, answer=TerminalTokenView,
        codes=("PROOF_REFUSED", "TERMINAL_REVOKED", "TERMINAL_LOCKED", "LEDGER_UNAVAILABLE"),
    ),
    _route(
        "POST", "/cashier-sessions", "beginCashierSession", "Begin a shift at this till",
        handler=sign_in, body=StaffPinBody, answer=CashierSessionView, status=201,
        codes=("PIN_WRONG", "LOCKED", "BLOCKED_UNTIL_HELPED", "TERMINAL_LOCKED"),
    ),
    _route(
        "DELETE", "/cashier-sessions", "endCashierSession", "End the shift at this till",
        handler=sign_out, status=204,
    ),
)  # fmt: skip
