"""Who may call what: the table is whole, and every route keeps to it."""

import asyncio
from collections.abc import Iterator

import pytest
from starlette.requests import Request

from api.access.gate import Gate
from api.access.principals import (
    Anonymous,
    KeyHolder,
    Person,
    Principal,
    SignerKey,
    Terminal,
    name_of,
)
from api.access.roles import ALL_SCOPES, Role, Scope
from api.access.rules import Access, merchant_of, refusal
from api.access.table import TABLE
from api.errors import Forbidden, Unauthorized
from api.http.resources import ROUTES
from api.http.switchboard import RowMissing, Switchboard
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import ServiceRig, running_rig

NOW = 1_000


def key(*scopes: str) -> KeyHolder:
    return KeyHolder(key_id="k", merchant_id="shop", scopes=frozenset(scopes), livemode=False)


def person(role: Role, until_ms: int = 0) -> Person:
    return Person(user_id="u", roles={role: "place"}, session_id="s", stepped_up_until_ms=until_ms)


def everybody() -> Iterator[Principal]:
    yield Anonymous()
    yield key()
    yield from (key(scope) for scope in Scope)
    yield key(*ALL_SCOPES)
    yield from (person(role) for role in Role)
    yield from (person(role, NOW + 1) for role in Role)
    yield Terminal(terminal_id="t", merchant_id="shop")
    yield Terminal(terminal_id="t", merchant_id="shop", cashier_id="c")
    yield SignerKey(account=b"a" * 32)


def may(access: Access, principal: Principal) -> bool:
    """The table's words, read a second time: one line a kind."""
    match principal:
        case _ if access.anyone:
            return True
        case KeyHolder():
            return access.scope in principal.scopes
        case Person(roles=roles):
            fresh = principal.stepped_up_until_ms > NOW
            return any(r in access.roles and (fresh or r not in access.step_up) for r in roles)
        case Terminal():
            return access.terminal or (bool(principal.cashier_id) and Role.CASHIER in access.roles)
        case SignerKey():
            return access.signer
    return False


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    assert {(route.method, route.path) for route in ROUTES} == set(TABLE)


def test_a_route_without_a_row_is_not_served() -> None:
    with pytest.raises(RowMissing):
        Switchboard(ROUTES, {}, None)  # type: ignore[arg-type]


def test_a_row_admits_whom_it_names_and_nobody_else() -> None:
    rows = [
        *TABLE.values(),
        Access(roles=frozenset({Role.CASHIER}), step_up=frozenset({Role.CASHIER})),
        Access(roles=frozenset({Role.MANAGER, Role.FINANCE}), terminal=True),
        Access(signer=True),
    ]
    for row in rows:
        for principal in everybody():
            fault = refusal(row, principal, NOW)
            assert (fault is None) == may(row, principal), (row, principal)
            if isinstance(principal, Anonymous) and fault:
                assert isinstance(fault, Unauthorized)
            elif fault:
                assert isinstance(fault, Forbidden)


def test_an_act_that_wants_a_step_up_says_so() -> None:
    row = Access(roles=frozenset({Role.MANAGER}), step_up=frozenset({Role.MANAGER}))
    fault = refusal(row, person(Role.MANAGER), NOW)
    assert fault is not None
    assert fault.code == "STEP_UP_REQUIRED"
    both = Access(roles=frozenset({Role.MANAGER, Role.FINANCE}), step_up=row.step_up)
    assert refusal(both, person(Role.FINANCE), NOW) is None


def test_a_principal_acts_for_its_merchant_and_has_one_name() -> None:
    row = Access(roles=frozenset({Role.MANAGER}), scope=Scope.ORDERS_READ)
    assert merchant_of(row, key()) == "shop"
    assert merchant_of(row, person(Role.MANAGER)) == "place"
    assert merchant_of(row, person(Role.STUDENT)) == ""
    assert merchant_of(row, Anonymous()) == ""
    names = [
        name_of(one) for one in (key(), person(Role.ADMIN), SignerKey(account=b"\1"), Anonymous())
    ]
    assert names == ["key:k", "user:u", "signer:01", "anonymous"]
    assert name_of(Terminal(terminal_id="t", merchant_id="shop")) == "terminal:t"


class OneReader:
    def reads(self, credential: str) -> bool:
        return credential == "known"

    async def principal_of(self, credential: str, request: Request) -> Principal:
        return key(Scope.ORDERS_READ)


@pytest.mark.parametrize(
    ("field", "admitted"),
    [
        (b"Bearer known", True),
        (b"bEARER   known ", True),
        (b"Bearer other", False),
        (b"Bearer", False),
        (b"Basic known", False),
        (b"known", False),
        (b"Bearer known known", False),
        (b"Bearer \xe9", False),
        (None, False),
    ],
)
def test_the_gate_reads_bearers_alone(field: bytes | None, admitted: bool) -> None:
    headers = [] if field is None else [(b"authorization", field)]
    request = Request({"type": "http", "headers": headers})
    gate = Gate((OneReader(),), lambda: NOW, board=False)
    row = Access(scope=Scope.ORDERS_READ, board=True)
    if admitted:
        assert isinstance(asyncio.run(gate.admit(request, row)), KeyHolder)
        return
    with pytest.raises(Unauthorized):
        asyncio.run(gate.admit(request, row))
    open_gate = Gate((), lambda: NOW, board=True)
    assert asyncio.run(open_gate.admit(request, row)) == Anonymous()


def filled(path: str, things: dict[str, str]) -> str:
    for name, value in things.items():
        path = path.replace("{" + name + "}", value)
    return path


def test_over_http_every_route_turns_away_who_has_no_row_and_hides_what_is_anothers(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        paid = await rig.paid(order)
        mine = {"orderId": order["id"], "txHash": paid.id.hex(), "code": "NOT_FOUND"}
        mine["address"] = order["payTo"]
        nobodys = {**mine, "orderId": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "txHash": "ab" * 32}
        weakest = digest(rig.other_key)
        await rig.execute(f"UPDATE api_keys SET scopes = '{{}}' WHERE digest = {weakest}")
        for route in ROUTES:
            row = TABLE[route.method, route.path]
            if row.anyone or row.board:
                continue
            own, none = filled(route.path, mine), filled(route.path, nobodys)
            assert (await rig.http.request(route.method, own)).status_code == 401, own
            weak = await rig.http.request(route.method, own, headers=rig.till(rig.other_key))
            assert weak.status_code == 403, own
            if route.method == "GET" and "{" in route.path:
                assert (await rig.http.get(own, headers=rig.till())).status_code == 200
                unknown = await rig.http.get(none, headers=rig.till())
                assert unknown.status_code == 404

    async def foreign(rig: ServiceRig) -> None:
        order = await rig.order()
        paid = await rig.paid(order)
        for path in (f"/api/v1/orders/{order['id']}", f"/api/v1/payments/{paid.id.hex()}"):
            answer = await rig.http.get(path, headers=rig.till(rig.other_key))
            assert answer.status_code == 404

    async def run(act) -> None:
        async with running_rig(database) as rig:
            await act(rig)

    asyncio.run(run(act))
    asyncio.run(run(foreign))


def digest(text: str) -> str:
    from api.keys.model import key_digest

    return f"'\\x{key_digest(text).hex()}'"
