"""The partners' client: what it asks counts once, and what it is told it tells."""

import asyncio
import json
import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from api.client import (
    BadWebhook,
    Event,
    NobodyAnswered,
    PartnerFault,
    PaymentsClient,
    PaymentsProblem,
    verify_webhook,
)
from api.client.cli import app
from api.client.listening import Forwarder
from api.client.sending import TRIES
from api.webhooks.signing import draw_secret, signed_headers
from tests.support.api.client_bridge import as_partner
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import running_rig
from tests.support.node.fake_node import seed_of

CUSTOMER = {"customer": bytes(seed_of("customer"))}
VERDICT = {"valid": True, "confirmedAt": "2026-04-10T08:15:23Z", "error": None}


def test_an_order_lives_from_its_opening_to_its_hand_over(database: TestDatabase) -> None:
    def shop(payments: PaymentsClient) -> None:
        assert "whole-200" in {product.id for product in payments.products()}
        order = payments.open_order(
            [("whole-200", 2)], metadata={"table": "7"}, idempotency_key="one"
        )
        assert (
            payments.open_order([("whole-200", 2)], metadata={"table": "7"}, idempotency_key="one")
            == order
        )
        assert (order.amount.myr, order.paid) == ("3.60", False)
        assert payments.offer(order.id).reference == order.reference
        (tx_hash,) = payments.pay_as_customer(order.id).transactions
        assert payments.validate(tx_hash, "3.60", wait_s=5).valid
        assert payments.validate(tx_hash, order.amount.bill, currency="BILL").valid
        assert payments.validate(tx_hash, "3.61").error == "AMOUNT_MISMATCH"
        assert payments.order(order.id).paid
        assert payments.fulfill(order.id).fulfilled_at
        assert payments.cancel(payments.open_order([("whole-200", 1)]).id).state == "cancelled"
        events = list(payments.events())
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        assert events[-1].type == "order.cancelled"
        made = payments.make_endpoint("http://127.0.0.1:9/", ["order.paid"])
        assert made.secret.startswith("whsec_")
        assert made.public_key.startswith("whpk_")

    async def run() -> None:
        async with running_rig(database, **CUSTOMER) as rig:
            await as_partner(rig, shop)

    asyncio.run(run())


def test_what_is_refused_is_told_with_its_code_and_its_places(database: TestDatabase) -> None:
    def shop(payments: PaymentsClient) -> None:
        with pytest.raises(PaymentsProblem) as refused:
            payments.open_order([("whole-200", 0)])
        problem = refused.value
        assert (problem.status, problem.code) == (400, "MALFORMED_REQUEST")
        assert problem.errors[0].pointer == "/items/0/quantity"
        assert problem.request_id
        with pytest.raises(PaymentsProblem, match="NOT_FOUND"):
            payments.refund_told("01ARZ3NDEKTSV4RRFFQ69G5FAV")
        order = payments.open_order([("whole-200", 1)])
        with pytest.raises(PartnerFault):
            payments.refund(order.id, amount="1.00", idempotency_key="r")

    async def run() -> None:
        async with running_rig(database, ready=True) as rig:
            await as_partner(rig, shop)

    asyncio.run(run())


class Script(httpx.BaseTransport):
    """Answers by a script, and keeps what was asked."""

    def __init__(self, *steps: httpx.Response | Exception) -> None:
        self.steps = list(steps)
        self.asked: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step


def scripted(*steps: httpx.Response | Exception) -> tuple[PaymentsClient, Script, list[float]]:
    script, waits = Script(*steps), list[float]()
    return PaymentsClient("http://x", "k", transport=script, sleep=waits.append), script, waits


def refusal(status: int, code: str = "", **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"code": code, "detail": "no"}, headers=headers)


def test_silence_and_waits_are_outlasted_under_one_key() -> None:
    told = {"id": "r", "state": "pending", "orderId": "o", "txHash": "ab", "amount": None,
            "bill": "0.5", "refundTxHash": None}  # fmt: skip
    payments, script, waits = scripted(
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("silent"),
        refusal(503, "LEDGER_UNAVAILABLE", **{"Retry-After": "7"}),
        refusal(409, "IDEMPOTENCY_IN_PROGRESS"),
        httpx.Response(202, json=told),
    )
    assert payments.refund("o").id == "r"
    assert len({request.headers["idempotency-key"] for request in script.asked}) == 1
    assert len({request.content for request in script.asked}) == 1
    assert len(waits) == 4
    assert waits[2] == 7
    assert waits[3] < 7


def test_a_refusal_is_not_asked_for_again() -> None:
    payments, script, waits = scripted(refusal(422, "TOO_LITTLE"))
    with pytest.raises(PaymentsProblem, match="TOO_LITTLE"):
        payments.refund("o")
    assert (len(script.asked), waits) == (1, [])


def test_nobody_is_asked_for_ever() -> None:
    payments, script, _ = scripted(*[httpx.ConnectError("refused")] * TRIES)
    with pytest.raises(NobodyAnswered):
        payments.validate("ab", "1.80")
    assert len(script.asked) == TRIES
    payments, script, _ = scripted(*[httpx.Response(502, text="<html>")] * TRIES)
    with pytest.raises(PaymentsProblem, match="502"):
        payments.products()


def test_new_members_of_answers_are_no_trouble() -> None:
    payments, _, _ = scripted(httpx.Response(200, json={**VERDICT, "mood": "good"}))
    assert payments.validate("ab", "1.80").valid


EVENT = {
    "id": "evt_1", "type": "order.paid", "sequence": 1, "timestamp": "2026-04-10T08:15:23Z",
    "apiVersion": "1", "livemode": False, "data": {},
}  # fmt: skip
BODY = json.dumps(EVENT).encode()
NOW_S = 1_700_000_000


def verified(body: bytes, headers: dict[str, str], keys: str | Sequence[str]) -> Event:
    return verify_webhook(body, headers, keys, now_s=lambda: NOW_S)


def test_a_delivery_is_verified_by_the_secret_or_by_the_public_key() -> None:
    secret, other = draw_secret(), draw_secret()
    headers = signed_headers([secret], "evt_1", NOW_S, BODY)
    loud = {name.upper(): value for name, value in headers.items()}
    for keys in (secret.text, secret.public_text, [other.text, secret.text]):
        assert verified(BODY, loud, keys).type == "order.paid"
    for body, changed, keys in (
        (BODY + b" ", headers, secret.text),
        (BODY, headers, other.text),
        (BODY, headers, other.public_text),
        (BODY, headers, []),
        (BODY, {**headers, "webhook-id": "evt_2"}, secret.public_text),
        (BODY, {**headers, "webhook-signature": "v1,???"}, secret.text),
        (BODY, {**headers, "webhook-signature": ""}, secret.text),
        (BODY, {**headers, "webhook-timestamp": "soon"}, secret.text),
        (BODY, {**headers, "webhook-timestamp": "9" * 400}, secret.text),
        (BODY, {**headers, "webhook-timestamp": "9" * 5_000}, secret.text),
        (BODY, {**headers, "webhook-timestamp": "\u0661"}, secret.text),
        (BODY, {**headers, "webhook-id": "evt_\udc80"}, secret.text),
        (BODY, {**headers, "webhook-signature": "v1,\u00e9 v1a,\udc80"}, secret.text),
        (BODY, {**headers, "webhook-signature": "v1a,AAAA"}, secret.public_text),
        (BODY, {}, secret.text),
        (BODY, signed_headers([secret], "evt_1", NOW_S - 301, BODY), secret.text),
        (BODY, signed_headers([secret], "evt_1", NOW_S + 301, BODY), secret.text),
        (b"[]", signed_headers([secret], "evt_1", NOW_S, b"[]"), secret.text),
    ):
        with pytest.raises(BadWebhook):
            verified(body, changed, keys)


def test_events_are_forwarded_signed_and_in_order(database: TestDatabase) -> None:
    came: list[Event] = []
    said: list[str] = []

    def forward(payments: PaymentsClient) -> None:
        def receive(request: httpx.Request) -> httpx.Response:
            came.append(verify_webhook(request.read(), request.headers, forwarder.secret))
            if len(came) == 2:
                raise httpx.ConnectError("refused")
            return httpx.Response(204)

        forwarder = Forwarder(payments, "http://here", said.append, httpx.MockTransport(receive))
        assert forwarder.newest() == 0
        payments.pay_as_customer(payments.open_order([("whole-200", 1)]).id)
        while len(came) < 3:
            seen = forwarder.forward(came[-1].sequence if came else 0)
        assert seen == forwarder.newest() == 3
        forwarder.close()

    async def run() -> None:
        async with running_rig(database, **CUSTOMER) as rig:
            await as_partner(rig, forward)

    asyncio.run(run())
    assert [event.sequence for event in came] == [1, 2, 3]
    assert said[0].split() == ["1", "order.created", "204"]
    assert said[1].split() == ["2", "payment.submitted", "ConnectError"]


@pytest.mark.parametrize("kept", [[], [1], [1, 2], range(1, 70_001), range(990_000, 1_000_001)])
def test_the_newest_of_a_million_events_is_found_in_few_requests(kept: Sequence[int]) -> None:
    """Numbers have no gaps, but the oldest are forgotten."""
    asked: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        after = int(request.url.params["after"])
        asked.append(after)
        at = bisect_right(kept, after)
        there = [{**EVENT, "sequence": seq} for seq in kept[at : at + 1]]
        page = {"data": there, "hasMore": at + 1 < len(kept), "nextCursor": None}
        return httpx.Response(200, json=page)

    with PaymentsClient("http://there", "k", transport=httpx.MockTransport(answer)) as payments:
        forwarder = Forwarder(payments, "http://here", print)
        assert forwarder.newest() == (kept[-1] if kept else 0)
        forwarder.close()
    assert len(asked) <= 45


@contextmanager
def one_event() -> Iterator[tuple[str, list[bytes]]]:
    """Serve one event to whoever asks for them, and take what is posted."""
    posted: list[bytes] = []

    class Service(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            there = [] if "after=0" not in self.path else [EVENT]
            page = {"data": there, "hasMore": False, "nextCursor": None}
            self._say(200, json.dumps(page).encode())

        def do_POST(self) -> None:
            posted.append(self.rfile.read(int(self.headers["Content-Length"])))
            self._say(204, b"")

        def _say(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", posted
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_command_forwards_what_is_there() -> None:
    with one_event() as (url, posted):
        words = ["listen", "--api", url, "--key", "k", "--forward-to", url, "--once"]
        done = CliRunner().invoke(app, [*words, "--from-start"])
        assert done.exit_code == 0, done.output
        assert "verify with whsec_" in done.output
        assert json.loads(posted[0]) == EVENT
        assert CliRunner().invoke(app, words).exit_code == 0


def test_the_command_says_in_a_line_why_it_can_t() -> None:
    with one_event() as (url, _):
        words = ["listen", "--api", f"{url[:-1]}x", "--key", "k", "--forward-to", url]
        done = CliRunner().invoke(app, words)
    assert done.exit_code == 1
