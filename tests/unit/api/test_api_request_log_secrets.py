"""No secret is in the request log, nor in a line of the log: of no route, whatever was answered."""

import asyncio
import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect

from api.access.roles import ALL_SCOPES
from api.access.table import TABLE
from api.coupons.routes import ROUTES as COUPON_ROUTES
from api.http.app import create_app
from api.http.resources import ROUTES
from api.http.routes import Route
from api.http.unlogged import HIDDEN, hide_codes, holds_code
from api.orders.routes import ROUTES as ORDER_ROUTES
from api.request_log.hiding import kept_of
from api.terminals.routes import ROUTES as TILL_ROUTES
from tests.support.api.callers import Callers, key
from tests.support.api.loyal_people import played
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import ServiceRig, running_rig
from tests.unit.api.test_api_coupons_met import with_coupon

COUPON = "7KQ2M4XN9TBV3HZC"
INVITATION = "7KQ2M-4XN9T-BV3HZ-C8D1E"
JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIwMUFSWjMifQ.c2lnbmF0dXJl"
KEY = "bck_test_" + "a2b3c4d5" * 6 + "e6f7"
FORMED = (COUPON, COUPON.lower(), INVITATION, INVITATION.replace("-", " "), JWT, KEY)
"""What is known for a secret wherever it stands."""
PLAIN = "tiga ekor lembu 407193407193"
"""What is one by where it stands alone: a password, a PIN."""
SECRETS = (*FORMED, PLAIN, "407193407193", "tiga%20ekor", "tiga+ekor")
NO_SECRETS = {"RefusalRequest.code", "SignatureBody.key", "PolicyBody.keys",
    "ProofBody.signatures", "WalletLogin.signatures", "StaffPinBody.staffCode",
    "TerminalKeyBody.publicKey", "RequestLogQuery.keyId"}  # fmt: skip
"""Members that sound like secrets: a refusal's code, public keys, what holds signatures, names."""
SOUNDS = re.compile(
    "code|pin$|password|secret|token|nonce|sign|proof|match|key|challenge|login", re.I
)


def plain(form: inspect.Type) -> inspect.Type:
    match form:
        case inspect.Metadata(type=inner):
            return plain(inner)
        case inspect.UnionType(types=types):
            return plain(max(types, key=lambda one: isinstance(plain(one), inspect.StructType)))
    return form


def marked(form: inspect.Type) -> bool:
    match form:
        case inspect.Metadata(type=inner, extra=extra):
            return bool(extra and extra.get("unlogged")) or marked(inner)
        case inspect.UnionType(types=types):
            return any(marked(one) for one in types)
    return False


def filled(form: inspect.Type) -> Any:
    """Make a value with a secret in each member that is marked, and a code in each other text."""
    if marked(form):
        return PLAIN
    match plain(form):
        case inspect.StructType(fields=fields):
            return {field.encode_name: filled(field.type) for field in fields}
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            return [filled(item), COUPON]
        case inspect.DictType():
            return {"note": INVITATION, COUPON: KEY}
        case inspect.IntType():
            return 1
        case inspect.BoolType():
            return True
    return COUPON.lower()


def members(form: inspect.Type) -> Iterator[tuple[str, str, inspect.Type]]:
    """List each member of a struct, and of what stands in it: owner, name, form."""
    match plain(form):
        case inspect.StructType(cls=cls, fields=fields):
            for field in fields:
                yield cls.__name__, field.encode_name, field.type
                yield from members(field.type)
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            yield from members(item)


def bodies(kind: type[msgspec.Struct]) -> Iterator[bytes]:
    """Give bodies of a route that hold secrets: well formed, with odd members, and broken."""
    whole = filled(inspect.type_info(kind))
    yield json.dumps(whole).encode()
    yield json.dumps(
        {**whole, "odd": PLAIN, "number": 407193407193, "deep": {"in": [PLAIN]}}
    ).encode()
    for _, name, form in members(inspect.type_info(kind)):
        if marked(form) and name in whole:
            for odd in (407193407193, [PLAIN], {"x": PLAIN}, {PLAIN: 1}):
                yield json.dumps({**whole, name: odd}).encode()
            yield json.dumps({**whole, name: COUPON})[:-1].encode()
            yield json.dumps(whole)[:-1].encode() + f', "{name}": "{PLAIN}"}}'.encode()
    yield json.dumps({"metadata": {"coupon": COUPON}})[:-1].encode()
    yield json.dumps([COUPON]).encode()
    yield b'{"odd": "' + COUPON.encode() + b'\xff"}'


def asked(route: Route) -> Iterator[httpx.Request]:
    """Give requests to a route with secrets wherever there is place for one."""
    path, query = route.path, {"odd": PLAIN, INVITATION: "1", "search": COUPON}
    for name in re.findall(r"{(\w+)}", path):
        path = path.replace(f"{{{name}}}", PLAIN if name in route.unlogged else COUPON)
    known = () if route.query is None else members(inspect.type_info(route.query))
    for _, name, form in known:
        query[name] = PLAIN if marked(form) else COUPON
    headers = {
        "Idempotency-Key": COUPON, "X-Request-Id": COUPON, "Accept-Language": JWT, "Prefer": KEY,
    }  # fmt: skip
    row = TABLE[route.method, route.path]
    sent: list[bytes | None] = [None]
    if route.body is not None and (row.scope or row.any_key):
        sent += bodies(route.body)
    for body in sent:
        kind = {} if body is None else {"Content-Type": "application/json"}
        yield httpx.Request(
            route.method,
            httpx.URL("http://milk.example").copy_with(
                path=path, params=query if body is None else {}
            ),
            headers={**headers, **kind},
            content=body,
        )


def test_no_route_leaves_a_secret_in_a_log_whatever_is_wrong_with_the_request(
    database: TestDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    async def act(rig: ServiceRig) -> None:
        callers = Callers()
        rig.service.gate.readers.append(callers)
        shop = str(await rig.scalar("SELECT id FROM merchants WHERE name = 'Kiosk'"))
        told = callers.headers(key(*ALL_SCOPES, merchant=shop))
        count = 0
        transport = httpx.ASGITransport(create_app(rig.service), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, trust_env=False) as http:
            for route in ROUTES:
                if TABLE[route.method, route.path].anyone:
                    continue
                for request in asked(route):
                    request.headers.update(told)
                    with contextlib.suppress(TimeoutError):  # A live page goes on for ever.
                        async with asyncio.timeout(1):
                            await http.send(request)
                    count += 1
        await rig.service.request_log.flush()
        assert await rig.scalar("SELECT count(*) FROM request_log") == count
        body = "SELECT count(*) FROM request_log WHERE body LIKE '%***%'"
        assert int(str(await rig.scalar(body))) > 10
        assert await rig.scalar("SELECT count(*) FROM request_log WHERE status = 429") == 0
        logged = str(await rig.scalar("SELECT string_agg(l::text, E'\\n') FROM request_log l"))
        lines = capsys.readouterr()
        assert "refused" in lines.out + lines.err
        for secret in SECRETS:
            assert secret not in logged
            assert secret not in lines.out + lines.err

    async def run() -> None:
        async with running_rig(database, ready=False) as rig:
            await act(rig)

    asyncio.run(run())


def test_what_sounds_like_a_secret_is_marked_as_one() -> None:
    found = set()
    for route in ROUTES:
        for kind in (route.body, route.query):
            for owner, name, form in () if kind is None else members(inspect.type_info(kind)):
                if SOUNDS.search(name) and not marked(form):
                    found.add(f"{owner}.{name}")
        for name in re.findall(r"{(\w+)}", route.path):
            if SOUNDS.search(name) and not re.search("Id$", name):
                assert name in route.unlogged or route.path == "/errors/{code}"
    assert found == NO_SECRETS


def test_a_coupon_s_code_is_not_in_the_log_when_it_buys_and_when_it_doesn_t(
    database: TestDatabase, tmp_path: Any
) -> None:
    async def act(rig: Any, people: Any) -> None:
        _, _, coupon = await with_coupon(rig, people)
        code = coupon["code"]
        large = {"items": [{"productId": "whole-1000"}], "couponCode": code}
        refused = await rig.post("/orders", large)
        assert (refused.status_code, refused.json()["code"]) == (422, "COUPON_TOO_SMALL")
        refused = await rig.post(f"/coupons/{code}/redeem", {"productId": "whole-1000"})
        assert (refused.status_code, refused.json()["code"]) == (422, "COUPON_TOO_SMALL")
        bought = await rig.post(f"/coupons/{code.lower()}/redeem", {})
        assert bought.status_code == 201, bought.text
        await rig.api.service.request_log.flush()
        logged = str(await rig.api.scalar("SELECT string_agg(l::text, '') FROM request_log l"))
        assert code not in logged.upper()
        shown = (await rig.get("/request-log")).json()["data"]
        assert f"/api/v1/coupons/{HIDDEN}/redeem" in [one["path"] for one in shown]

    played(database, tmp_path)(act)


CREATE_ORDER = next(route for route in ORDER_ROUTES if route.operation == "createOrder")
LIST_ORDERS = next(route for route in ORDER_ROUTES if route.operation == "listOrders")
REDEEM = next(route for route in COUPON_ROUTES if route.operation == "redeemCoupon")
PAIR = next(route for route in TILL_ROUTES if route.operation == "pairTerminal")


def body_of(body: str, route: Route = CREATE_ORDER) -> str | None:
    kept = kept_of(route, {}, "", body.encode()).body
    return None if kept is None else kept.decode()


def test_what_holds_no_secret_is_kept_byte_by_byte() -> None:
    body = ' {"items":[ {"productId":"whole-200","quantity":2.0}],"metadata":{"\\u0061":"b"}} '
    assert body_of(body) == body
    kept = kept_of(LIST_ORDERS, {}, "limit=5&state=paid&ticket=A%2D1", None)
    assert (kept.path, kept.query, kept.body) == (
        LIST_ORDERS.path,
        "limit=5&state=paid&ticket=A%2D1",
        None,
    )


def test_what_is_hidden_leaves_the_rest_to_see_what_was_wrong() -> None:
    sent = '{"items":[{"productId":"whole-200","quantity":1.50,"x":1}],"couponCode":"nonsense"}'
    assert body_of(sent) == (
        '{"items":[{"productId":"whole-200","quantity":1.50,"x":"***"}],"couponCode":"***"}'
    )
    assert kept_of(REDEEM, {"couponCode": "x/../y"}, "", None).path == REDEEM.path.replace(
        "{couponCode}", HIDDEN
    )
    assert kept_of(LIST_ORDERS, {}, f"limit=5&a=b&c&search={COUPON}&{COUPON}=1", None).query == (
        "limit=5&a=***&***&search=***&***"
    )


def test_a_body_that_can_t_be_read_is_kept_where_no_secret_is_taken() -> None:
    assert body_of('{"code": "7KQ2-M4XN",}', PAIR) is None
    assert body_of('{"couponCode": "x"') is None
    assert body_of(f'{{"productId": "{COUPON}",}}', REDEEM) == '{"productId": "***",}'


@pytest.mark.parametrize("text", [*FORMED, f"till:{COUPON}", f"({INVITATION})", "whsec_abc+/="])
def test_codes_are_known_by_their_form(text: str) -> None:
    assert holds_code(text)
    assert not holds_code(hide_codes(text))


@pytest.mark.parametrize("text", [
    "01ARZ3NDEKTSV4RRFFQ69G5FAV", "ab" * 32, "4bf92f3577b34da6", "20261130T104500Z", "whole-200",
    "A-27", "2026-11-30T10:45:00Z", "req_01ARZ3NDEKTSV4RRFFQ69G5FAV", "there where those which",
    "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "dbill1qqqsyqcyq5rqwzqfpg9scrgwpugpzysn",
])  # fmt: skip
def test_ids_times_and_plain_words_are_no_codes(text: str) -> None:
    assert not holds_code(text)


NAMES = st.sampled_from(["items", "couponCode", "metadata", "productId", "odd"])
VALUES = st.recursive(
    st.sampled_from([PLAIN, COUPON, 1, None, True]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_wherever_a_code_stands_in_a_body_it_is_hidden(value: Any) -> None:
    kept = body_of(json.dumps({**value, "couponCode": PLAIN}))
    assert kept is not None
    assert COUPON not in kept
    assert json.loads(kept)["couponCode"] == HIDDEN
