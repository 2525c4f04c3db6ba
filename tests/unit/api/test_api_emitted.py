"""What leaves the service beside its answers: logs and figures hold nothing that is somebody's.

Real people, tills, wallets and payments act; then every route is called by everybody with accounts,
keys, tokens, names and numbers in its path, query, headers and body. All that was logged, and all
that is shown in figures, is searched for them; and a log line has no field that is not listed here.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import structlog
from prometheus_client.parser import text_string_to_metric_families

from api.access.roles import Role
from api.flags.model import Detector
from api.http.app import create_app
from api.http.catalogue import CATALOGUE
from api.http.middleware import UNMATCHED
from api.http.resources import ROUTES
from ledger.primitives.codec import encode
from ledger.primitives.keys import address_of, format_address
from tests.support.api.callers import Callers, person
from tests.support.api.people_rig import PASSWORD, PIN, PeopleRig, play, post
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import ServiceRig, running_rig
from tests.support.api.wallet_proofs import link
from tests.support.node.fake_node import CUSTOMER

FIELDS = {
    # Every line's.
    "event", "log_level", "level", "logger", "http.request.id", "trace.id", "left_out",
    # A request's.
    "http.request.method", "http.route", "http.response.status_code", "event.code",
    "error.message", "exc_info",
    # The service's own doings.
    "at", "code", "detector", "endpoint", "fault", "faults", "flag", "merchant", "part", "request",
    "status", "why", "work",
}  # fmt: skip
"""A field that is not here is added by whoever has thought about what it may hold."""
NAME, CARD, PHONE = "Zulaikha binti Osman", "CARD-31337", "+60123456789"
TRACE = "0af7651916cd43dd8448eb211c80319c"
ACCOUNT = format_address(address_of(CUSTOMER.public), "dbill")
INJECTED = 'a\r\nSet-Cookie: b=c\r\n\r\n{"log.level":"error"}'


class Heard:
    """Every line that is logged, with all that is bound to it."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def __call__(self, _: object, __: str, event: Any) -> Any:
        self.lines.append(dict(event))
        raise structlog.DropEvent

    def __enter__(self) -> "Heard":
        self._before = structlog.get_config()["processors"]
        structlog.configure(processors=[structlog.contextvars.merge_contextvars, self])
        return self

    def __exit__(self, *_: object) -> None:
        structlog.configure(processors=self._before)


def play_heard(
    database: TestDatabase, story: Callable[[PeopleRig, Heard], Awaitable[None]]
) -> None:
    with Heard() as heard:

        async def told(people: PeopleRig, _: object) -> None:
            await story(people, heard)

        play(database, told, limits={"person_per_minute": 100_000})


def check_lines(heard: Heard, secrets: list[str]) -> None:
    assert heard.lines
    for line in heard.lines:
        assert line.keys() <= FIELDS, line.keys() - FIELDS
        text = repr(line)
        assert not [secret for secret in secrets if secret in text], line


def check_figures(text: str, secrets: list[str]) -> None:
    assert not [secret for secret in secrets if secret in text]
    known = {str(one) for one in (*Detector, *CATALOGUE)}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            for name, value in sample.labels.items():
                assert name in {"outcome", "detector", "answer", "status", "reason", "part", "le",
                                "kind", "pid", "state"}, name  # fmt: skip
                assert value in known or re.fullmatch(r"[a-z_ ]{1,40}|[0-9.]+|\+Inf|[A-Z_]+", value)


def test_no_flow_of_people_leaves_a_name_a_number_or_a_secret(database: TestDatabase) -> None:
    async def story(people: PeopleRig, heard: Heard) -> None:
        rig = people.rig
        officer = await people.officer()
        made = await officer.ok("POST", "/users", {"name": NAME, "cardNumber": CARD})
        code = made["activationCode"]
        joined = {"unionId": people.union_id, "code": code, "password": PASSWORD, "pin": PIN}
        await post(rig, "/auth/activate", {**joined, "password": "short"})
        await post(rig, "/auth/activate", joined)
        await post(rig, "/auth/activate", joined)
        await officer.call("GET", f"/users?cardNumber={CARD}")
        student = await people.member((Role.STUDENT, people.union_id))
        await link(student, CUSTOMER)
        manager = await people.manager()
        till = await people.till(manager)
        order = await rig.order()
        wrong = await rig.signed(order, units=1)
        await rig.post(order, wrong)
        paid = await rig.paid(order)
        await rig.post(await rig.order(), paid)
        await rig.validate(paid, "9.99")
        await rig.http.get(f"/api/v1/accounts/{ACCOUNT}")
        await rig.http.get(f"/api/v1/account/{ACCOUNT}")
        for n in range(4):
            await rig.post(await rig.order(), await rig.signed(order, units=n + 2))
        await rig.service.flags.look(Detector.FAILED_VALIDATIONS)
        secrets = [
            NAME, CARD, code, PASSWORD, PIN, officer.token, student.token, till.token, rig.key,
            rig.other_key, ACCOUNT, ACCOUNT[6:], CUSTOMER.public.hex(), till.key.public.hex(),
            address_of(CUSTOMER.public).hex(), encode(paid).hex(), encode(wrong).hex(),
        ]  # fmt: skip
        check_lines(heard, secrets)
        check_figures((await rig.http.get("/metrics")).text, secrets)

    play_heard(database, story)


def test_no_route_lets_out_what_a_caller_puts_into_it(database: TestDatabase) -> None:
    async def run() -> None:
        with Heard() as heard:
            async with running_rig(database) as rig:
                await call_all(rig)
                marks = ["MARK", ACCOUNT, PHONE, "made-up."]
                lines = [line for line in heard.lines if line.get("event.code") != "INTERNAL"]
                assert len(lines) == len(heard.lines), "a bug"
                check_lines(heard, marks)
                check_figures((await rig.http.get("/metrics")).text, marks)

    asyncio.run(run())


async def call_all(rig: ServiceRig) -> None:
    """Call every route, with what belongs to somebody everywhere in it."""
    transport = httpx.ASGITransport(create_app(rig.service))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://milk.example", trust_env=False
    ) as stranger:
        await call_with_marks(rig, stranger)


async def call_with_marks(rig: ServiceRig, stranger: httpx.AsyncClient) -> None:
    """Send them in path, query, headers and body, as a key and as people."""
    callers = Callers()
    rig.service.gate.readers.append(callers)
    for route in ROUTES:
        if route.media == ("text/event-stream",):
            continue
        for mark in (ACCOUNT, "MARK0123456789", PHONE.replace("+", "%2B")):
            path = re.sub(r"{\w+}", mark, route.path)
            principal = person(Role.ADMIN if mark == ACCOUNT else Role.MANAGER)
            headers = rig.till() if mark.startswith("MARK") else dict(callers.headers(principal))
            headers |= {"Idempotency-Key": f"MARK{mark}", "User-Agent": f"MARK {mark}"}
            query = {"cursor": mark, "MARK": mark}
            body = {"MARK": mark, "name": mark, "reason": mark} if route.body else None
            # Whom nobody knows is answered as the document doesn't tell: a client of its own.
            await stranger.request(route.method, path, params=query, json=body, headers=headers)


def test_a_value_that_a_caller_chose_starts_no_header_and_no_line(database: TestDatabase) -> None:
    async def run() -> None:
        with Heard() as heard:
            async with running_rig(database) as rig:
                quoted = "".join(f"%{byte:02x}" for byte in INJECTED.encode())
                for path in (f"/p/{quoted}", f"/{quoted}", f"/errors/{quoted}", f"/?a={quoted}"):
                    answer = await rig.http.get(path)
                    assert "set-cookie" not in answer.headers
                    assert all("\n" not in value for value in answer.headers.values())
                for odd in ("x" * 65, "a b c d e f", "%0d%0aa: b", "short"):
                    answer = await rig.http.get("/healthz", headers={"X-Request-Id": odd})
                    assert answer.headers["x-request-id"].startswith("req_")
                body = {"items": [], "metadata": {INJECTED: INJECTED}}
                answer = await rig.http.post("/api/v1/orders", json=body, headers=rig.till())
                assert answer.status_code == 400
        assert {line["http.route"] for line in heard.lines if "http.route" in line} >= {UNMATCHED}
        assert not [line for line in heard.lines if "Set-Cookie" in repr(line)]

    asyncio.run(run())


def test_a_caller_s_trace_is_on_every_line_of_its_request_if_it_is_one(
    database: TestDatabase,
) -> None:
    async def run() -> None:
        with Heard() as heard:
            async with running_rig(database, ready=False) as rig:
                for trace in (
                    f"00-{TRACE}-b7ad6b7169203331-01", f"00-{'0' * 32}-b7ad6b7169203331-01",
                    f"ff-{TRACE}-b7ad6b7169203331-01", f"00-{TRACE}-b7ad6b7169203331-01\r\nx: y",
                    TRACE, "",
                ):  # fmt: skip
                    headers = [(b"traceparent", trace.encode())] if "\n" not in trace else []
                    await rig.http.get("/api/v1/api-keys", headers=headers)
        lines = [line for line in heard.lines if line["event"] == "refused"]
        assert [line.get("trace.id") for line in lines] == [TRACE, *[None] * 5]
        assert all(line["http.route"] == "/api/v1/api-keys" for line in lines)
        assert len({line["http.request.id"] for line in lines}) == 6

    asyncio.run(run())


def test_a_500_is_counted_and_the_seconds_of_three_have_a_bucket(database: TestDatabase) -> None:
    async def run() -> None:
        async with running_rig(database) as rig:
            await rig.validate("ab" * 32)
            text = (await rig.http.get("/metrics")).text
            assert 'validation_latency_seconds_bucket{le="3.0"} 1.0' in text
            assert "payment_success_total 0.0" in text
            await rig.paid(await rig.order())
            await rig.execute("ALTER TABLE unions RENAME TO away")
            logging.disable(logging.CRITICAL)
            try:
                assert (await rig.http.get("/api/v1/unions")).status_code == 500
            finally:
                logging.disable(logging.NOTSET)
            text = (await rig.http.get("/metrics")).text
            assert 'http_responses_total{status="500"} 1.0' in text
            assert "payment_success_total 1.0" in text

    asyncio.run(run())
