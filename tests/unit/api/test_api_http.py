"""HTTP as its RFCs have it, over the real application: methods, codings, wishes, signs of life."""

import asyncio
import contextlib

import pytest

from api.events import hub as stream
from api.events.hub import EVERYTHING, Hub
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import ServiceRig, running_rig
from tests.support.system.patience import PATIENCE_S

ORDER = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def on_rig(database: TestDatabase, act, **options: object) -> None:
    async def run() -> None:
        async with running_rig(database, **options) as rig:
            await act(rig)

    asyncio.run(run())


def test_head_is_answered_where_get_is_with_the_same_head_and_no_body(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        for path in (
            "/healthz",
            "/api/v1/products",
            f"/api/v1/orders/{order['id']}",
            f"/api/v1/orders/{order['id']}/qr.svg",
            f"/p/{order['id']}",
            f"/p/{ORDER}",
            "/openapi.json",
            "/docs",
            "/nowhere",
        ):
            got = await rig.http.get(path, headers=rig.till())
            head = await rig.http.head(path, headers=rig.till())
            assert (head.status_code, head.content) == (got.status_code, b""), path
            for name in ("content-type", "content-length", "x-content-type-options"):
                assert head.headers.get(name) == got.headers[name], path
        async with asyncio.timeout(5):
            head = await rig.http.head("/api/v1/stream")
        assert head.headers["content-type"].startswith("text/event-stream")
        assert rig.service.hub.count == 0

    on_rig(database, act)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/v1/orders", "GET, HEAD, POST"),
        ("PUT", "/api/v1/orders", "GET, HEAD, POST"),
        ("POST", "/healthz", "GET, HEAD"),
        ("DELETE", f"/api/v1/orders/{ORDER}", "GET, HEAD"),
        ("PUT", "/api/v1/payments/validate", "POST"),
        ("OPTIONS", "/api/v1/stream", "GET, HEAD"),
    ],
)
def test_a_method_that_is_not_taken_is_told_which_are(
    database: TestDatabase, method: str, path: str, allowed: str
) -> None:
    async def act(rig: ServiceRig) -> None:
        answer = await rig.http.request(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)

    on_rig(database, act, ready=False)


def test_a_nul_comes_to_no_statement_wherever_it_stands(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        for path in ("/api/v1/refunds/%00", "/api/v1/orders/%00", "/p/a%00"):
            assert (await rig.http.get(path, headers=rig.till())).status_code == 404, path
        for query in ("orders?ticket=%00", "refunds?orderId=%00", "request-log?keyId=%00"):
            answer = await rig.http.get(f"/api/v1/{query}", headers=rig.till())
            assert answer.json()["errors"][0]["code"] == "HOLDS_NUL", query
        headers = rig.till(**{"Idempotency-Key": "k"})
        for body in (
            {"items": [{"productId": "whole-200"}], "metadata": {"a": "\0"}},
            {"items": [{"productId": "whole-200"}], "metadata": {"\0": "a"}},
        ):
            answer = await rig.http.post("/api/v1/orders", json=body, headers=headers)
            assert answer.json()["errors"][0]["code"] == "HOLDS_NUL", body

    on_rig(database, act)


def test_a_body_that_is_coded_is_refused_with_what_is_taken(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        url, json_kind = "/api/v1/payments/validate", {"Content-Type": "application/json"}
        for coding in ("gzip", "GZIP, identity", "br"):
            headers = {**rig.till(), **json_kind, "Content-Encoding": coding}
            answer = await rig.http.post(url, content=b"{}", headers=headers)
            assert answer.status_code == 415
            assert answer.json()["code"] == "UNSUPPORTED_CONTENT_CODING"
            assert answer.headers["accept-encoding"] == "identity"
        headers = {**rig.till(), **json_kind, "Content-Encoding": "Identity"}
        assert (await rig.http.post(url, content=b"{}", headers=headers)).status_code == 400
        wrong = {**rig.till(), "Content-Type": "text/plain"}
        answer = await rig.http.post(url, content=b"{}", headers=wrong)
        assert (answer.status_code, answer.headers["accept"]) == (415, "application/json")

    on_rig(database, act)


def test_a_wish_to_wait_is_heard_in_any_of_its_forms(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        body = {"txHash": "ab" * 32, "expectedAmount": "1.80"}
        for fields, applied in (
            ([("Prefer", "respond-async"), ("Prefer", 'Wait = "1"')], "wait=1"),
            ([("prefer", "handling=lenient;x, WAIT=01")], "wait=1"),
            ([("prefer", "wait=soon")], None),
        ):
            headers = [*rig.till().items(), *fields]
            answer = await rig.http.post("/api/v1/payments/validate", json=body, headers=headers)
            assert answer.status_code == 200, answer.text
            assert answer.headers.get("preference-applied") == applied

    on_rig(database, act)


def test_a_problem_speaks_the_language_that_is_liked_best(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        wish = {"Accept-Language": "en;q=0.3, ms-MY;q=0.9"}
        answer = await rig.http.get("/nowhere", headers=wish)
        assert answer.headers["content-language"] == "ms"
        assert answer.headers["vary"] == "Accept-Language"

    on_rig(database, act, ready=False)


def test_a_stream_shows_life_by_itself_though_nothing_can_be_read(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "QUIET_S", 0.05)

    async def act(rig: ServiceRig) -> None:
        hub = Hub(rig.service.engine, _never)
        reading = asyncio.create_task(hub.run())
        page = hub.listen(EVERYTHING, None, rig.service.board.snapshot)
        async with asyncio.timeout(PATIENCE_S), contextlib.aclosing(page):
            assert (await anext(page)).startswith(b"retry: ")
            assert b"event: snapshot" in await anext(page)
            assert [await anext(page) for _ in range(3)] == [stream.SIGN_OF_LIFE.raw] * 3
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

    on_rig(database, act)


async def _never() -> dict[str, object]:
    await asyncio.Event().wait()
    return {}


def test_one_client_takes_no_more_than_its_share_of_the_live_pages(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        hub, snapshot = rig.service.hub, rig.service.board.snapshot
        while hub.places.take("127.0.0.1"):
            pass
        answer = await rig.http.get("/api/v1/stream")
        assert (answer.status_code, answer.json()["code"]) == (429, "TOO_MANY_STREAMS")
        async with contextlib.aclosing(hub.listen(EVERYTHING, None, snapshot, "192.0.2.7")) as page:
            assert (await anext(page)).startswith(b"retry: ")

    on_rig(database, act)
