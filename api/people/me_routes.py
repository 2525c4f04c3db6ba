"""Oneself: what is known, password and PIN, and one's wallets."""

from typing import Any, Final

from msgspec import UNSET
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from api.access.principals import Person
from api.access.roles import Role
from api.access.rules import Access
from api.db.session import in_transaction
from api.errors import NotFound
from api.http.pages import Listing
from api.http.routes import ApiCall, Idempotency, Route
from api.people.callers import actor_of, desks_of, id_of
from api.people.means import Actor
from api.people.schemas import (
    MeView,
    NewWalletLinkView,
    PasswordBody,
    PinBody,
    ProofBody,
    WalletLinkView,
)
from api.people.views import challenge_view, is_shown, link_view, me_view, proof_of

STUDENT: Final = Access(roles=frozenset({Role.STUDENT}))


async def read_me(call: ApiCall) -> MeView:
    """Read oneself, what one was told, and whether a rebind is under way."""
    return me_view(await desks_of(call).own.read(actor_of(call)))


async def set_password(call: ApiCall) -> Response:
    """Set a password; other devices are logged out, and this one refreshes."""
    body: PasswordBody = call.body
    current = "" if body.current is UNSET else body.current
    await desks_of(call).own.set_password(actor_of(call), body.password, current)
    return Response(status_code=204)


async def set_pin(call: ApiCall) -> Response:
    """Set a PIN for tills."""
    body: PinBody = call.body
    password = "" if body.password is UNSET else body.password
    await desks_of(call).own.set_pin(actor_of(call), body.pin, password)
    return Response(status_code=204)


async def begin_link(call: ApiCall) -> NewWalletLinkView:
    """Begin to link a wallet; those that were begun before are dropped."""
    desks, actor = desks_of(call), actor_of(call)
    link_id, challenge = await in_transaction(
        desks.means.engine, lambda c: desks.wallets.begin(c, actor)
    )
    return NewWalletLinkView(link_id, actor.union_id, challenge_view(challenge))


async def prove_link(call: ApiCall) -> WalletLinkView:
    """Take a wallet's proof, from its owner's own page or from another app."""
    body: ProofBody = call.body
    desks, link_id = desks_of(call), _link_id(call)
    call.request.state.union_id = body.union_id
    by = await _sender(call)
    proof = proof_of(body.policy, body.signatures)
    link = await in_transaction(
        desks.means.engine, lambda c: desks.wallets.prove(c, body.union_id, link_id, proof, by)
    )
    return link_view(link, desks.means.prefix)


async def _sender(call: ApiCall) -> Actor | None:
    """Give who sends a proof, if they send their own token with it."""
    if "authorization" not in call.request.headers:
        return None
    principal = await call.service.gate.admit(call.request, STUDENT)
    assert isinstance(principal, Person), "students are people"
    return Actor(principal.union_id, principal.user_id, principal.session_id)


async def confirm_link(call: ApiCall) -> WalletLinkView:
    """Say that a wallet that another app has proven is one's own."""
    desks, actor, link_id = desks_of(call), actor_of(call), _link_id(call)
    link = await in_transaction(
        desks.means.engine, lambda c: desks.wallets.confirm(c, actor, link_id)
    )
    return link_view(link, desks.means.prefix)


async def list_links(call: ApiCall) -> Listing[WalletLinkView]:
    """List one's wallets; there are few."""
    desks, actor = desks_of(call), actor_of(call)

    async def read(connection: AsyncConnection) -> Listing[WalletLinkView]:
        now_ms = desks.means.now_ms()
        links = await desks.wallets.list(connection, actor)
        views = [link_view(link, desks.means.prefix) for link in links if is_shown(link, now_ms)]
        return Listing(views, has_more=False, next_cursor=None)

    return await in_transaction(desks.means.engine, read)


async def read_link(call: ApiCall) -> WalletLinkView:
    """Give one of one's wallets; another person's is not found."""
    desks, actor, link_id = desks_of(call), actor_of(call), _link_id(call)
    now_ms = desks.means.now_ms()
    links = await in_transaction(desks.means.engine, lambda c: desks.wallets.list(c, actor))
    for link in links:
        if link.id == link_id and is_shown(link, now_ms):
            return link_view(link, desks.means.prefix)
    raise NotFound("there is no such link")


async def remove_link(call: ApiCall) -> Response:
    """Unlink a wallet."""
    desks, actor, link_id = desks_of(call), actor_of(call), _link_id(call)
    await in_transaction(desks.means.engine, lambda c: desks.wallets.remove(c, actor, link_id))
    return Response(status_code=204)


def _link_id(call: ApiCall) -> str:
    return id_of(call, "linkId")


def _route(method: str, path: str, operation: str, summary: str, **more: Any) -> Route:
    named = {"idempotency": Idempotency.NATURAL, "tag": "people", **more}
    return Route(
        method=method, path=f"/api/v1/me{path}", operation=operation, summary=summary, **named
    )


_LINK_CODES: Final = ("NOT_FOUND", "ADDRESS_LINKED", "WALLETS_FULL", "WALLET_LOGIN_REQUIRED",
                      "LINK_PROOF_REFUSED", "LEDGER_UNAVAILABLE")  # fmt: skip

ROUTES: Final = (
    _route(
        "GET", "", "readMe", "Read oneself",
        handler=read_me, answer=MeView, idempotency=Idempotency.NONE,
    ),
    _route(
        "PUT", "/password", "setPassword", "Set a password",
        handler=set_password, body=PasswordBody, status=204,
        codes=("PASSWORD_REFUSED", "PASSWORD_WRONG", "LOCKED", "BLOCKED_UNTIL_HELPED"),
    ),
    _route(
        "PUT", "/pin", "setPin", "Set a PIN for tills",
        handler=set_pin, body=PinBody, status=204,
        codes=("PIN_REFUSED", "PASSWORD_WRONG", "LOCKED", "BLOCKED_UNTIL_HELPED"),
    ),
    _route(
        "POST", "/wallet-links", "beginWalletLink", "Begin to link a wallet",
        handler=begin_link, answer=NewWalletLinkView, status=201, codes=_LINK_CODES,
    ),
    _route(
        "GET", "/wallet-links", "listWalletLinks", "List one's wallets",
        handler=list_links, answer=Listing[WalletLinkView], idempotency=Idempotency.NONE,
    ),
    _route(
        "GET", "/wallet-links/{linkId}", "readWalletLink", "Read one of one's wallets",
        handler=read_link, answer=WalletLinkView, idempotency=Idempotency.NONE,
        codes=("NOT_FOUND",),
    ),
    _route(
        "PUT", "/wallet-links/{linkId}/proof", "proveWalletLink",
        "Show that a wallet is there, with its signature",
        handler=prove_link, body=ProofBody, answer=WalletLinkView, body_bytes_max=8_192,
        codes=_LINK_CODES,
    ),
    _route(
        "POST", "/wallet-links/{linkId}/confirm", "confirmWalletLink",
        "Say that a proven wallet is one's own",
        handler=confirm_link, answer=WalletLinkView, codes=_LINK_CODES,
    ),
    _route(
        "DELETE", "/wallet-links/{linkId}", "removeWalletLink", "Unlink a wallet",
        handler=remove_link, status=204, codes=("NOT_FOUND",),
    ),
)  # fmt: skip
