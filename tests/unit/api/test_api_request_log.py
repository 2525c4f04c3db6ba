"""The request log: a key's own last thousand, without secrets, and never in the way."""

import asyncio
import shlex
from collections.abc import Awaitable, Callable

import pytest
from starlette.requests import Request
from ulid import ULID

from api.access.roles import Role
from api.errors import MalformedRequest, Pointer
from api.request_log import recorder
from api.request_log.model import BODY_BYTES_MAX, KEPT_A_KEY, KeptParts
from tests.support.api.callers import Callers, key, person
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import ServiceRig, running_rig

PATH = "/api/v1/request-log"


def on_rig(
    database: TestDatabase, act: Callable[[ServiceRig], Awaitable[None]], **options: object
) -> None:
    async def run() -> None:
        async with running_rig(database, **options) as rig:
            await act(rig)

    asyncio.run(run())


async def logged(rig: ServiceRig, query: str = "", key: str = "") -> list[dict[str, object]]:
    await rig.service.request_log.flush()
    answer = await rig.http.get(f"{PATH}{query}", headers=rig.till(key))
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def test_a_request_is_found_with_what_was_wrong_and_as_a_command(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        body = '{"items":[{"productId":"it\'s milk"}],"quantiy":2}'
        headers = rig.till(**{"Idempotency-Key": "k1", "Content-Type": "application/json"})
        answer = await rig.http.post("/api/v1/orders?a=b%20c", content=body, headers=headers)
        assert answer.status_code == 400
        (found,) = await logged(rig)
        assert found["requestId"] == answer.headers["x-request-id"]
        assert (found["method"], found["path"]) == ("POST", "/api/v1/orders")
        assert (found["status"], found["code"]) == (400, "MALFORMED_REQUEST")
        assert found["errors"] == [{"pointer": "/quantiy", "code": "UNKNOWN_FIELD"}]
        curl = str(found["curl"])
        words = shlex.split(curl.replace("\\\n", ""))
        assert words[:4] == ["curl", "-X", "POST", "https://milk.example/api/v1/orders?a=***"]
        assert words[-2:] == ["--data-binary", body.replace(":2}", ':"***"}')]
        assert "idempotency-key: k1" in words
        assert "Authorization: Bearer $BILLCOIN_KEY" in words
        stored = await rig.scalar("SELECT string_agg(l::text, '') FROM request_log l")
        assert rig.key not in curl + str(stored)

    on_rig(database, act, ready=False)


def test_a_key_reads_its_own_requests_alone_and_a_manager_those_of_its_merchant(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        callers = Callers()
        rig.service.gate.readers.append(callers)
        await rig.http.get(f"/api/v1/orders/{ULID()}", headers=rig.till())
        assert len(await logged(rig)) == 1
        assert await logged(rig, key=rig.other_key) == []
        merchant = str(await rig.scalar("SELECT id FROM merchants WHERE name = 'Kiosk'"))
        key_id = str(await rig.scalar("SELECT key_id FROM request_log ORDER BY id LIMIT 1"))
        yours = await rig.http.get(f"{PATH}?keyId={key_id}", headers=rig.till(rig.other_key))
        assert yours.json()["errors"] == [{"pointer": "/query/keyId", "code": "NOT_YOURS"}]
        manager = callers.headers(person(Role.MANAGER, place=merchant))
        seen = (await rig.http.get(f"{PATH}?keyId={key_id}", headers=manager)).json()["data"]
        assert seen[-1]["path"].startswith("/api/v1/orders/")
        which = await rig.http.get(PATH, headers=manager)
        assert which.json()["errors"] == [{"pointer": "/query/keyId", "code": "MISSING"}]
        stranger = callers.headers(person(Role.MANAGER, place="other"))
        assert (await rig.http.get(f"{PATH}?keyId={key_id}", headers=stranger)).json()["data"] == []
        used = await rig.http.get(f"/api/v1/api-keys/{key_id}", headers=manager)
        assert used.json()["lastUsedAt"] is not None

    on_rig(database, act, ready=False)


def test_a_request_that_its_scopes_forbid_is_logged_and_the_failed_are_listed_alone(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        await rig.execute("UPDATE api_keys SET scopes = '{}'")
        await rig.http.get(f"/api/v1/orders/{ULID()}", headers=rig.till())
        await logged(rig)
        found = await logged(rig, "?failed=true&limit=1")
        assert [(one["status"], one["code"]) for one in found] == [(403, "FORBIDDEN")]
        assert len(await logged(rig)) == 3
        bad = await rig.http.get(f"{PATH}?failed=yes", headers=rig.till())
        assert bad.json()["errors"] == [{"pointer": "/query/failed", "code": "NOT_A_BOOLEAN"}]

    on_rig(database, act, ready=False)


def test_the_pages_of_the_log_hold_each_request_once(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        for _ in range(7):
            await rig.http.get(f"/api/v1/orders/{ULID()}", headers=rig.till())
        await rig.service.request_log.flush()
        found, cursor = [], ""
        while True:
            url = f"{PATH}?limit=3" + (f"&cursor={cursor}" if cursor else "")
            page = (await rig.http.get(url, headers=rig.till())).json()
            found += [one["id"] for one in page["data"]]
            if not page["hasMore"]:
                break
            cursor = page["nextCursor"]
        assert len(set(found)) == 7
        assert found == sorted(found, reverse=True)

    on_rig(database, act, ready=False)


def request_of(path: str) -> Request:
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": b"\xff\0",
        "headers": [(b"prefer", b"x" * 900)],
    }
    return Request(scope)


def test_only_the_last_thousand_of_a_key_are_kept(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        log = rig.service.request_log
        for round_ in range(3):
            for number in range(700):
                path = f"/{round_}/{number}"
                log.note(key(), request_of(path), KeptParts(path, "", None), 200, None, 1)
            await log.flush()
        assert await rig.scalar("SELECT count(*) FROM request_log") == KEPT_A_KEY
        assert await rig.scalar("SELECT count(*) FROM request_log WHERE path LIKE '/0/%'") == 0

    on_rig(database, act, ready=False)


def test_what_is_too_much_is_not_noted_and_strange_bytes_are_written(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "PENDING_MAX", 2)

    async def act(rig: ServiceRig) -> None:
        log = rig.service.request_log
        fault = MalformedRequest("no", errors=(Pointer("/\0", "X"),))
        odd = KeptParts("/\0\ud800", "\xff\0", b"\xff\0" * BODY_BYTES_MAX)
        log.note(key(), request_of("/"), odd, 400, fault, 1)
        for _ in range(3):
            log.note(key(), request_of("/"), KeptParts("/", "", None), 200, None, 1)
        await log.flush()
        assert await rig.scalar("SELECT count(*) FROM request_log") == 2
        assert await rig.scalar("SELECT count(*) FROM request_log WHERE body_cut") == 1

    on_rig(database, act, ready=False)
