"""The attestor's HTTP interface: what comes in, what goes out, and what it says of both."""

import asyncio
import json
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import msgspec
import pytest

from iot_minting.attestor import app as app_module
from iot_minting.attestor import quotas
from iot_minting.attestor.app import AppParts, array_head, make_app
from iot_minting.attestor.desk import AttestorDesk
from iot_minting.attestor.errors import JudgeFailed
from iot_minting.attestor.metrics import AttestorMetrics
from iot_minting.attestor.openapi import format_document
from iot_minting.attestor.store import AttestorStore
from iot_minting.wire.attestor_client import ask
from iot_minting.wire.windows import WindowAnswer
from ledger.params import DAY_MS
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from ledger.types.reading import Envelope
from node.client.queries import MSGPACK
from tests.support.evidence.rig import CHAIN, MMU, MMU_KEY, LineRig
from tests.support.ledger.dairy import key
from tests.support.minting.windows import (
    InlineJudge,
    RigFacts,
    devices_of,
    make_window,
    request,
)

ATTESTOR = key("attestor-0")
PUBLISHED = Path(__file__).parents[4] / "docs/spec/attestor.openapi.json"
URL = "http://attestor"
UNKNOWN = "ab" * 32


class Door:
    """An attestor's application, without a socket."""

    def __init__(self, home):
        self.rig, self.judge, self.problems = LineRig(), InlineJudge(), {}
        self.warnings = {}
        self.store = AttestorStore(home / "attestor.sqlite")
        metrics = AttestorMetrics()
        desk = AttestorDesk(
            ATTESTOR,
            CHAIN,
            self.store,
            RigFacts(self.rig),
            self.judge,
            metrics,
            now_ms=lambda: 0,
            retention_ms=30 * DAY_MS,
            store_bytes_max=2**40,
        )
        self.app = make_app(AppParts(desk, metrics, self.problems, self.warnings))
        self.window = make_window(self.rig)

    @property
    def transport(self):
        return httpx.ASGITransport(self.app, raise_app_exceptions=False)

    @asynccontextmanager
    async def http(self):
        async with httpx.AsyncClient(
            transport=self.transport, base_url=URL, trust_env=False
        ) as client:
            yield client

    def send(self, method, path, **more):
        async def run():
            async with self.http() as http:
                return await http.request(method, path, **more)

        return asyncio.run(run())

    def get(self, path):
        return self.send("GET", path)

    def post(self, content, media=MSGPACK, **headers):
        return self.send(
            "POST", "/v1/windows", content=content, headers={"content-type": media, **headers}
        )


@pytest.fixture
def door(tmp_path):
    made = Door(tmp_path)
    yield made
    made.store.close()


def problem(response, status, code):
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    told = response.json()
    assert (told["status"], told["code"]) == (status, code)
    return told


def test_a_window_is_answered_with_an_attestation(door):
    response = door.post(door.window.request())
    assert (response.status_code, response.headers["content-type"]) == (200, MSGPACK)
    answer = msgspec.msgpack.decode(response.content, type=WindowAnswer)
    assert answer.attestation.attestor == ATTESTOR.public


def test_the_client_takes_what_the_door_gives(door):
    urls = {ATTESTOR.public: URL, key("another").public: URL}

    def asked(window):
        window = window.claim, window.bundle, CHAIN
        going = ask(urls, *window, 1, 30.0, asker=MMU_KEY, transport=door.transport)
        return asyncio.run(going)

    assert [each.attestor for each in asked(door.window).attestations] == [ATTESTOR.public]
    told = asked(door.window.but(units=door.window.claim.units + 1))
    assert [each.code for each in told.refusals] == ["claim_differs"]


@pytest.mark.parametrize("raw", [b"", b"\xc1", b"{}", bytes(100)])
def test_garbage_is_a_problem(door, raw):
    problem(door.post(raw), 400, "bad_request")


@pytest.mark.parametrize("media", ["application/json", "", "text/plain"])
def test_another_media_type_is_told_which_one_is_taken(door, media):
    response = door.post(door.window.request(), media)
    problem(response, 415, "unsupported_media_type")
    assert response.headers["accept"] == MSGPACK


def test_a_packed_body_is_not_unpacked(door):
    response = door.post(door.window.request(), **{"content-encoding": "gzip"})
    problem(response, 415, "unsupported_media_type")


def test_a_huge_body_is_given_up_at_its_bound(door, monkeypatch):
    monkeypatch.setattr(app_module, "REQUEST_BYTES_MAX", 1_000)
    read = []

    async def endless():
        while True:
            read.append(1)
            yield bytes(100)

    problem(door.post(endless()), 413, "body_too_large")
    assert len(read) <= 12


def test_missing_envelopes_are_listed(door):
    device, *others = devices_of(door.window.bundle)
    cut = msgspec.structs.replace(device, kept=((0, 3, 4),), envelopes=())
    response = door.post(request(door.window.claim, (cut, *others)))
    told = problem(response, 409, "missing_envelopes")
    assert told["missing"] == [[device.device.hex(), 0, seq] for seq in (3, 4)]


def test_who_may_ask_again_is_told_when(door):
    response = door.post(door.window.request(height=10**6))
    problem(response, 503, "node_behind")
    assert response.headers["retry-after"] == "1"


def test_who_may_not_ask_is_told_whose_word_is_needed(door):
    stranger = door.window.request(asker=key("somebody"))
    told = problem(door.post(stranger), 403, "foreign_asker")
    assert MMU.hex() in told["detail"]
    unsigned = door.window.request(chain_id=Hash(bytes(32)))
    told = problem(door.post(unsigned), 403, "unknown_asker")
    assert MMU_KEY.public.hex() in told["detail"]


def test_whose_quota_is_full_is_told_which_and_when_to_ask_again(door, monkeypatch):
    monkeypatch.setattr(quotas, "LINE_CLAIMS_MAX", 1)
    door.post(door.window.request())
    response = door.post(door.window.but(units=0).request())
    told = problem(response, 429, "quota_full")
    assert "LINE_CLAIMS_MAX is 1" in told["detail"]
    assert response.headers["retry-after"] == "60"


def test_a_bug_of_the_judge_is_no_refusal(door):
    door.judge.fault = JudgeFailed("it died")
    problem(door.post(door.window.request()), 500, "judge_failed")


def test_evidence_is_served_in_the_order_of_its_root(door):
    door.post(door.window.request())
    response = door.get(f"/v1/evidence/{door.window.claim.readings_root.hex()}")
    assert response.status_code == 200
    assert msgspec.msgpack.decode(response.content, type=list[Envelope]) == door.window.envelopes


def test_one_envelope_is_served_by_its_number(door):
    door.post(door.window.request())
    device = min(door.window.bundle)
    shown = door.window.bundle[device][1]
    response = door.get(f"/v1/envelopes/{device.hex()}/0/{shown.reading().seq}")
    assert msgspec.msgpack.decode(response.content, type=list[Envelope]) == [shown]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"/v1/evidence/{UNKNOWN}", 404, "unknown_evidence"),
        (f"/v1/envelopes/{UNKNOWN}/0/0", 404, "unknown_envelope"),
        ("/v1/evidence/abc", 400, "bad_root"),
        (f"/v1/evidence/{UNKNOWN.upper()}", 400, "bad_root"),
        (f"/v1/envelopes/{UNKNOWN}/-1/0", 400, "bad_boot"),
        (f"/v1/envelopes/{UNKNOWN}/0/{2**64}", 400, "bad_seq"),
        (f"/v1/envelopes/{UNKNOWN}/0/1.5", 400, "bad_seq"),
        ("/v1/refusals?limit=0", 400, "bad_limit"),
        ("/v1/refusals?before=x", 400, "bad_before"),
        ("/v1/nothing", 404, "not_found"),
        ("/v1/windows", 405, "method_not_allowed"),
        ("/docs", 404, "not_found"),
    ],
)
def test_what_is_not_there_is_a_problem(door, path, status, code):
    problem(door.get(path), status, code)


def test_refusals_are_listed_newest_first_in_pages(door):
    lots = []
    for more in (1, 2, 3):
        window = door.window.but(units=door.window.claim.units + more)
        door.post(window.request())
        lots.insert(0, window.lot.hex())
    page = door.get("/v1/refusals?limit=2").json()["refusals"]
    assert [each["lot"] for each in page] == lots[:2]
    rest = door.get(f"/v1/refusals?before={page[-1]['number']}").json()["refusals"]
    assert [each["lot"] for each in rest] == lots[2:]
    assert {each["code"] for each in (*page, *rest)} == {"claim_differs"}


def test_readiness_says_what_is_in_the_way(door):
    assert door.get("/healthz").json() == {"status": "alive"}
    assert door.get("/readyz").status_code == 200
    door.problems["node"] = "away"
    response = door.get("/readyz")
    assert (response.status_code, response.json()["parts"]) == (503, {"node": "away"})


def test_an_attestor_that_cannot_pay_for_an_answer_warns_and_judges_on(door):
    assert door.get("/readyz").json()["warnings"] == {}
    door.warnings["account"] = "it holds nothing"
    response = door.get("/readyz")
    assert (response.status_code, response.json()["status"]) == (200, "ready")
    assert response.json()["warnings"] == {"account": "it holds nothing"}


def test_metrics_count_answers_by_what_they_were(door):
    door.post(door.window.request())
    door.post(door.window.request())
    door.post(b"")
    shown = door.get("/metrics").text
    for answer in ("attested", "repeated", "bad_request"):
        assert f'billcoin_attest_answers_total{{answer="{answer}"}} 1.0' in shown
    assert 'billcoin_attest_kept{what="claims"} 1.0' in shown
    assert "billcoin_attest_ready 1.0" in shown


@pytest.mark.parametrize("count", [0, 1, 15, 16, 65_535, 65_536])
def test_an_array_is_begun_as_the_codec_begins_it(count):
    assert array_head(count) + b"\xc0" * count == encode([None] * count)


def test_the_published_description_is_the_one_served(door):
    assert PUBLISHED.read_text("utf-8") == format_document(), (
        "python -m iot_minting.attestor.openapi > docs/spec/attestor.openapi.json"
    )
    assert door.get("/openapi.json").json() == json.loads(format_document())
