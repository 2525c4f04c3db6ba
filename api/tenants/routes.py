"""Unions and merchants: contacts for everyone, changes for officers, accounts by two people."""

from typing import Any, Final

from msgspec import UNSET
from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from api.access.roles import Role
from api.amounts import format_time
from api.approvals.model import ApprovalKind
from api.db.session import in_transaction
from api.errors import NotFound
from api.http.pages import Listing, PageQuery
from api.http.replies import Reply
from api.http.routes import ApiCall, Idempotency, Route
from api.people.callers import actor_of, desks_of, id_of, person_of
from api.people.means import Actor
from api.tenants.model import MerchantProfile, Union
from api.tenants.schemas import (
    ChangedMerchantView,
    MerchantChangesBody,
    MerchantsQuery,
    MerchantView,
    NewMerchantBody,
    NewUnionBody,
    UnionChangesBody,
    UnionView,
)
from api.tenants.store import list_merchants, list_unions
from ledger.primitives.keys import Address, format_address

_CONTACT: Final = ("name", "office", "telephone", "email", "hours", "developer_contact")


def union_view(union: Union) -> UnionView:
    """Show a union."""
    return UnionView(id=union.id, **{name: getattr(union, name) for name in _CONTACT})


def merchant_view(merchant: MerchantProfile, prefix: str) -> MerchantView:
    """Show a merchant; its accounts are public, as every offer and the chain show them."""
    operating = merchant.operating
    return MerchantView(
        id=merchant.id,
        union_id=merchant.union_id,
        name=merchant.name,
        payout_address=format_address(Address(merchant.payout), prefix),
        operating_address=(
            None if operating is None else format_address(Address(operating), prefix)
        ),
        time_zone=merchant.time_zone,
        created_at=format_time(merchant.created_ms),
    )


async def begin_union(call: ApiCall) -> Reply:
    """Begin a union."""
    desks, body = desks_of(call), call.body
    union = Union(id=str(ULID()), **{name: getattr(body, name) for name in _CONTACT})

    async def work(connection: AsyncConnection) -> Reply:
        begun = await desks.tenants.begin_union(connection, union)
        return Reply(union_view(begun), 201, {"Location": f"/api/v1/unions/{begun.id}"})

    return await call.service.answers.once(call.once, work)


async def list_all_unions(call: ApiCall) -> Listing[UnionView]:
    """List the unions, and how to reach their offices."""
    desks, query, cursors = desks_of(call), call.query, call.service.cursors
    after = cursors.read(query.cursor, "listUnions", "")
    start = "" if after is None else str(after[0])
    rows = await in_transaction(
        desks.means.engine, lambda c: list_unions(c, start, query.limit + 1)
    )
    return cursors.page(rows, query.limit, lambda union: (union.id,), union_view, "listUnions", "")


async def read_union(call: ApiCall) -> UnionView:
    """Read a union."""
    desks, union_id = desks_of(call), id_of(call, "unionId")
    return union_view(
        await in_transaction(desks.means.engine, lambda c: desks.tenants.union(c, union_id))
    )


async def change_union(call: ApiCall) -> Reply:
    """Correct a union's contact."""
    desks, body = desks_of(call), call.body
    actor = actor_of(call, id_of(call, "unionId"))
    changes = {name: value for name in _CONTACT if (value := getattr(body, name)) is not UNSET}

    async def work(connection: AsyncConnection) -> Reply:
        union = await desks.tenants.correct_union(connection, actor.union_id, changes)
        return Reply(union_view(union), 200)

    return await call.service.answers.once(call.once, work)


async def begin_merchant(call: ApiCall) -> Reply:
    """Begin a merchant of one's union."""
    desks, body = desks_of(call), call.body
    actor = actor_of(call, "" if body.union_id is UNSET else body.union_id)
    tenants, prefix = desks.tenants, desks.means.prefix
    payout = tenants.address(body.payout_address, "/payoutAddress")
    operating = body.operating_address and tenants.address(
        body.operating_address, "/operatingAddress"
    )

    async def work(connection: AsyncConnection) -> Reply:
        merchant = await tenants.begin_merchant(
            connection, actor.union_id, body.name, payout, operating or None, body.time_zone
        )
        headers = {"Location": f"/api/v1/merchants/{merchant.id}"}
        return Reply(merchant_view(merchant, prefix), 201, headers)

    return await call.service.answers.once(call.once, work)


async def list_all_merchants(call: ApiCall) -> Listing[MerchantView]:
    """List the merchants."""
    desks, query, cursors = desks_of(call), call.query, call.service.cursors
    union_id = "" if query.union_id is UNSET else query.union_id
    after = cursors.read(query.cursor, "listMerchants", union_id)
    start = "" if after is None else str(after[0])
    rows = await in_transaction(
        desks.means.engine, lambda c: list_merchants(c, union_id, start, query.limit + 1)
    )
    return cursors.page(
        rows,
        query.limit,
        lambda merchant: (merchant.id,),
        lambda merchant: merchant_view(merchant, desks.means.prefix),
        "listMerchants",
        union_id,
    )


async def read_merchant(call: ApiCall) -> MerchantView:
    """Read a merchant."""
    desks, merchant_id = desks_of(call), _merchant_id(call)
    merchant = await in_transaction(
        desks.means.engine, lambda c: desks.tenants.merchant(c, merchant_id)
    )
    return merchant_view(merchant, desks.means.prefix)


async def change_merchant(call: ApiCall) -> Reply:
    """Correct a name or a time zone at once, and ask for other accounts: two people, 24 hours."""
    desks, body, person = desks_of(call), call.body, person_of(call)
    tenants = desks.tenants
    changes: dict[str, object] = {
        name: value for name in ("name", "time_zone") if (value := getattr(body, name)) is not UNSET
    }
    wish = {
        column: tenants.address(text, pointer).hex()
        for column, text, pointer in (
            ("payout", body.payout_address, "/payoutAddress"),
            ("operating", body.operating_address, "/operatingAddress"),
        )
        if text is not UNSET
    }

    async def work(connection: AsyncConnection) -> Reply:
        merchant = await tenants.merchant(connection, _merchant_id(call))
        if merchant.union_id != person.union_id and Role.ADMIN not in person.roles:
            raise NotFound("there is no such merchant")
        merchant = await tenants.correct_merchant(connection, merchant.id, changes)
        approval_id = None
        if wish:
            actor = Actor(merchant.union_id, person.user_id)
            kind, at = ApprovalKind.PAYOUT_CHANGE, merchant.id
            approval = await desks.approvals.ask(connection, actor, kind, at, wish, at)
            approval_id = approval.id
        view = ChangedMerchantView(merchant_view(merchant, desks.means.prefix), approval_id)
        return Reply(view, 200)

    return await call.service.answers.once(call.once, work)


def _merchant_id(call: ApiCall) -> str:
    return id_of(call, "merchantId")


def _route(method: str, path: str, operation: str, summary: str, **more: Any) -> Route:
    named = {"idempotency": Idempotency.NONE, "codes": ("NOT_FOUND",), "tag": "tenants", **more}
    return Route(
        method=method, path=f"/api/v1{path}", operation=operation, summary=summary, **named
    )


_KEY: Final = {"idempotency": Idempotency.KEY}

ROUTES: Final = (
    _route(
        "POST", "/unions", "createUnion", "Begin a union",
        handler=begin_union, body=NewUnionBody, answer=UnionView, status=201,
        codes=("ALREADY_KNOWN",), **_KEY,
    ),
    _route(
        "GET", "/unions", "listUnions", "List the unions, and how to reach their offices",
        handler=list_all_unions, query=PageQuery, answer=Listing[UnionView], codes=(),
    ),
    _route(
        "GET", "/unions/{unionId}", "readUnion", "Read a union",
        handler=read_union, answer=UnionView,
    ),
    _route(
        "PATCH", "/unions/{unionId}", "changeUnion", "Correct a union's contact",
        handler=change_union, body=UnionChangesBody, answer=UnionView,
        codes=("NOT_FOUND", "ALREADY_KNOWN"), **_KEY,
    ),
    _route(
        "POST", "/merchants", "createMerchant", "Begin a merchant",
        handler=begin_merchant, body=NewMerchantBody, answer=MerchantView, status=201,
        codes=("NOT_FOUND", "ALREADY_KNOWN", "BAD_ADDRESS", "REFUSED"), **_KEY,
    ),
    _route(
        "GET", "/merchants", "listMerchants", "List the merchants",
        handler=list_all_merchants, query=MerchantsQuery, answer=Listing[MerchantView], codes=(),
    ),
    _route(
        "GET", "/merchants/{merchantId}", "readMerchant", "Read a merchant",
        handler=read_merchant, answer=MerchantView,
    ),
    _route(
        "PATCH", "/merchants/{merchantId}", "changeMerchant",
        "Correct a merchant; accounts wait for 24 hours and a second person",
        handler=change_merchant, body=MerchantChangesBody, answer=ChangedMerchantView,
        codes=("NOT_FOUND", "ALREADY_KNOWN", "BAD_ADDRESS", "REFUSED", "APPROVAL_WAITING"), **_KEY,
    ),
)  # fmt: skip
