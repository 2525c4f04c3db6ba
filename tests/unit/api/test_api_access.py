"""Who may call what: the table is whole, and every route keeps to it."""

import asyncio
import re
from collections.abc import Awaitable, Callable

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
from api.access.roles import Role, Scope
from api.access.rules import Access, merchant_of, refusal
from api.access.table import TABLE
from api.errors import Forbidden, Unauthorized
from api.http.resources import ROUTES
from api.http.switchboard import RowMissing, Switchboard
from tests.support.api.callers import Callers, everybody, key, person, till
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import ServiceRig, running_rig

NOW = 1_000
AT_GATE = {"UNAUTHORIZED", "FORBIDDEN", "STEP_UP_REQUIRED", "NO_CASHIER"}


def may(access: Access, principal: Principal) -> bool:
    """The table's words, read a second time: one line a kind."""
    match principal:
        case _ if access.anyone:
            return True
        case KeyHolder():
            return access.any_key or access.scope in principal.scopes
        case Person() if access.people:
            return True
        case Person(roles=roles):
            fresh = principal.stepped_up_until_ms > NOW
            return any(r in access.roles and (fresh or r not in access.step_up) for r in roles)
        case Terminal():
            if access.terminal:
                return True
            named = access.cashier or Role.CASHIER in access.roles
            covered = Role.CASHIER not in access.step_up or bool(principal.stepped_up_by)
            return named and bool(principal.cashier_id) and covered
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
        Access(people=True),
        Access(cashier=True),
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
    assert name_of(till()) == "terminal:t"


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
        assert isinstance(asyncio.run(gate.identify(request, row)), KeyHolder)
        return
    with pytest.raises(Unauthorized):
        gate.check(asyncio.run(gate.identify(request, row)), row)
    open_gate = Gate((), lambda: NOW, board=True)
    if field is None:
        assert asyncio.run(open_gate.identify(request, row)) == Anonymous()
        open_gate.check(Anonymous(), row)
        return
    with pytest.raises(Unauthorized):  # Who says who they are wants their own page.
        asyncio.run(open_gate.identify(request, row))


def _filled(path: str) -> str:
    """Name things that aren't there: admission is decided before anything is looked for."""
    return re.sub(r"{\w+}", "01ARZ3NDEKTSV4RRFFQ69G5FAV", path)


def test_over_http_every_route_admits_whom_its_row_names_and_nobody_else(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        callers = Callers()
        rig.service.gate.readers.append(callers)
        rig.http.event_hooks = {}  # They aren't there: behind the door is nothing.
        for route in ROUTES:
            if route.media == ("text/event-stream",):
                continue  # It never ends; the next test has it.
            row = TABLE[route.method, route.path]
            for principal in everybody():
                headers = callers.headers(principal)
                url = _filled(route.path)
                answer = await rig.http.request(route.method, url, headers=headers)
                turned_away = answer.status_code in (401, 403) and answer.json()["code"] in AT_GATE
                assert turned_away != may(row, principal), (route.operation, principal)
                if turned_away:
                    known = not isinstance(principal, Anonymous)
                    assert answer.status_code == (403 if known else 401)
                    assert ("www-authenticate" in answer.headers) != known

    on_rig(database, act, ready=False, limits={"person_per_minute": 100_000})


def test_the_live_page_is_for_all_or_for_keys_as_it_is_configured(database: TestDatabase) -> None:
    async def closed(rig: ServiceRig) -> None:
        assert (await rig.http.head("/api/v1/stream")).status_code == 401
        assert (await rig.http.head("/api/v1/stream", headers=rig.till())).status_code == 200

    async def opened(rig: ServiceRig) -> None:
        assert (await rig.http.head("/api/v1/stream")).status_code == 200

    on_rig(database, closed, ready=False, public_board=False)
    on_rig(database, opened, ready=False)


def test_what_is_anothers_is_told_as_what_is_not_there(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        paid = await rig.paid(order)
        for path, unknown in (
            (f"/api/v1/orders/{order['id']}", "/api/v1/orders/01ARZ3NDEKTSV4RRFFQ69G5FAV"),
            (f"/api/v1/payments/{paid.id.hex()}", f"/api/v1/payments/{'ab' * 32}"),
        ):
            assert (await rig.http.get(path, headers=rig.till())).status_code == 200
            foreign = await rig.http.get(path, headers=rig.till(rig.other_key))
            nothing = await rig.http.get(unknown, headers=rig.till(rig.other_key))
            assert foreign.status_code == nothing.status_code == 404
            assert {**foreign.json(), "requestId": ""} == {**nothing.json(), "requestId": ""}

    on_rig(database, act)


def on_rig(
    database: TestDatabase, act: Callable[[ServiceRig], Awaitable[None]], **options: object
) -> None:
    async def run() -> None:
        async with running_rig(database, **options) as rig:
            await act(rig)

    asyncio.run(run())
