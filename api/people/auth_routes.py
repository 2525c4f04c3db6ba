"""The ways in and out: activation, login, refresh, logout, step-up, and help for who can't get in.

The access token is in the body, for the memory of a page. The refresh token is in a cookie that no
script reads and no other site sends; the cookie of a known device lets its owner's tries be
counted apart from strangers'.
"""

from typing import Any, Final

from msgspec import UNSET
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from api.errors import Forbidden, MalformedRequest, Pointer, Unauthorized
from api.http.problems import json_response
from api.http.replies import Reply
from api.http.routes import ApiCall, Idempotency, Route
from api.people.activation import Activation
from api.people.callers import desks_of, till_of
from api.people.devices import device_cookie, known_device
from api.people.logins import LoggedIn
from api.people.model import LoginMethod
from api.people.recovery import TicketText
from api.people.rules import SESSION_MS
from api.people.schemas import (
    ActivateBody,
    ChallengeBody,
    ChallengeView,
    EnteredView,
    LoginBody,
    RecoveryBody,
    RecoveryTicketView,
)
from api.people.views import challenge_view, help_view, proof_of, tokens_view
from api.terminals.schemas import StaffPinBody, StepUpView

REFRESH: Final = "billcoin_refresh"
DEVICE: Final = "billcoin_device"
DEVICE_S: Final = 365 * 86_400
LOGIN_CODES: Final = ("LOGIN_REFUSED", "PROOF_REFUSED", "ACCOUNT_SUSPENDED", "LOCKED",
                      "BLOCKED_UNTIL_HELPED", "LEDGER_UNAVAILABLE")  # fmt: skip


def _cookie(call: ApiCall, name: str) -> str:
    """Name a cookie: over TLS with the prefix that keeps other hosts from setting it."""
    return f"__Host-{name}" if _is_secure(call) else name


def _is_secure(call: ApiCall) -> bool:
    return call.service.config.public_scheme == "https"


def _set(call: ApiCall, response: Response, name: str, value: str, age_s: int) -> None:
    response.set_cookie(
        _cookie(call, name),
        value,
        max_age=age_s,
        path="/",
        secure=_is_secure(call),
        httponly=True,
        samesite="strict",
    )


def _entered(call: ApiCall, entered: LoggedIn) -> Response:
    response = json_response(tokens_view(entered))
    month_s = SESSION_MS[LoginMethod.WALLET] // 1_000
    _set(call, response, REFRESH, entered.refresh_token, month_s)
    return response


def _own_site(request: Request) -> None:
    """Refuse what another site's page sends: `SameSite` holds, this holds where it doesn't."""
    if request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        raise Forbidden("another site's page may not do that", code="CROSS_SITE")


async def activate(call: ApiCall) -> Response:
    """Let in whoever holds the office's code, and set what they log in with."""
    body: ActivateBody = call.body
    call.request.state.union_id = body.union_id
    asked = Activation(
        body.union_id,
        body.code,
        "" if body.password is UNSET else body.password,
        "" if body.pin is UNSET else body.pin,
    )
    return _entered(call, await desks_of(call).activation.activate(asked))


async def challenge(call: ApiCall) -> ChallengeView:
    """Give what a linked wallet, or a till, signs to get in."""
    body, desks = call.body, desks_of(call)
    match (body.union_id, body.terminal_id):
        case (str() as union_id, _) if body.terminal_id is UNSET:
            call.request.state.union_id = union_id
            return challenge_view(desks.logins.challenge(union_id))
        case (_, str() as terminal_id) if body.union_id is UNSET:
            return challenge_view(desks.tills.challenge(terminal_id))
    told = (Pointer("", "ONE_OF_UNION_AND_TERMINAL"),)
    raise MalformedRequest("name a union or a terminal: one of the two", errors=told)


async def login(call: ApiCall) -> Response:
    """Let in who knows a login's password, or whose wallet is linked."""
    body: LoginBody = call.body
    desks = desks_of(call)
    call.request.state.union_id = body.union_id
    if body.wallet is not UNSET and body.login_name is UNSET and body.password is UNSET:
        wallet = body.wallet
        proof = proof_of(wallet.policy, wallet.signatures)
        nonce = bytes.fromhex(wallet.nonce)
        return _entered(
            call,
            await desks.logins.by_wallet(body.union_id, nonce, wallet.expires_ms, proof),
        )
    if body.wallet is not UNSET or body.login_name is UNSET or body.password is UNSET:
        told = (Pointer("", "ONE_OF_PASSWORD_AND_WALLET"),)
        raise MalformedRequest("log in with name and password, or with a wallet", errors=told)
    key, at = desks.means.session_key, (body.union_id, body.login_name)
    device = known_device(key, *at, call.request.cookies.get(_cookie(call, DEVICE), ""))
    entered = await desks.logins.by_password(*at, body.password, device)
    response = _entered(call, entered)
    _set(call, response, DEVICE, device_cookie(key, *at, device), DEVICE_S)
    return response


async def refresh(call: ApiCall) -> Response:
    """Renew both tokens by the cookie; a copied one ends its session."""
    _own_site(call.request)
    token = call.request.cookies.get(_cookie(call, REFRESH), "")
    if not token:
        raise Unauthorized("log in", code="SESSION_OVER")
    return _entered(call, await desks_of(call).logins.refresh(token))


async def logout(call: ApiCall) -> Response:
    """End the session of the cookie, and take the cookie away."""
    _own_site(call.request)
    token = call.request.cookies.get(_cookie(call, REFRESH), "")
    await desks_of(call).logins.logout(token)
    response = Response(status_code=204)
    _set(call, response, REFRESH, "", 0)
    return response


async def step_up(call: ApiCall) -> StepUpView:
    """Let a manager's PIN cover small refunds at a till for five minutes."""
    body, till = call.body, till_of(call)
    token = await desks_of(call).cashiers.step_up(till, body.staff_code, body.pin)
    return StepUpView.of(token)


async def ask_for_help(call: ApiCall) -> Reply:
    """Open a ticket at the union's office."""
    body, desks = call.body, desks_of(call)
    call.request.state.union_id = body.union_id

    async def work(connection: AsyncConnection) -> Reply:
        union = await desks.tenants.union(connection, body.union_id)
        told = TicketText(body.name, body.contact, body.message)
        ticket = await desks.recovery.open(connection, union.id, told)
        return Reply(RecoveryTicketView(ticket, help_view(union)), 202)

    return await call.service.answers.once(call.once, work)


def _route(path: str, operation: str, summary: str, **more: Any) -> Route:
    named = {"tag": "auth", "idempotency": Idempotency.NATURAL, **more}
    return Route(
        method="POST", path=f"/api/v1/auth/{path}", operation=operation, summary=summary, **named
    )


ROUTES: Final = (
    _route(
        "activate",
        "activate",
        "Use the office's code, and set what you log in with",
        handler=activate,
        body=ActivateBody,
        answer=EnteredView,
        codes=("CODE_REFUSED", "PASSWORD_REFUSED", "PIN_REFUSED"),
    ),
    _route(
        "challenges",
        "createChallenge",
        "Get what a linked wallet or a till signs",
        handler=challenge,
        body=ChallengeBody,
        answer=ChallengeView,
        codes=("LEDGER_UNAVAILABLE",),
    ),
    _route(
        "login",
        "login",
        "Log in with a password, or with a linked wallet",
        handler=login,
        body=LoginBody,
        answer=EnteredView,
        body_bytes_max=8_192,
        codes=LOGIN_CODES,
    ),
    _route(
        "refresh",
        "refresh",
        "Renew both tokens by the cookie",
        handler=refresh,
        answer=EnteredView,
        codes=("SESSION_OVER", "CROSS_SITE"),
    ),
    _route(
        "logout",
        "logout",
        "End the session of the cookie",
        handler=logout,
        status=204,
        codes=("CROSS_SITE",),
    ),
    _route(
        "step-up",
        "stepUp",
        "Let a manager's PIN cover small refunds at this till for five minutes",
        handler=step_up,
        body=StaffPinBody,
        answer=StepUpView,
        codes=("PIN_WRONG", "LOCKED", "BLOCKED_UNTIL_HELPED", "TERMINAL_LOCKED"),
    ),
    _route(
        "recovery-requests",
        "createRecoveryRequest",
        "Ask the union's office for help to get in",
        handler=ask_for_help,
        body=RecoveryBody,
        answer=RecoveryTicketView,
        status=202,
        idempotency=Idempotency.KEY,
        codes=("NOT_FOUND", "RATE_LIMITED"),
    ),
)
