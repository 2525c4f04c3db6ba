"""The attestor's HTTP interface: windows in, answers out, and the evidence for whoever doubts.

Bodies are canonical MessagePack. What can't be answered is a problem (RFC 9457) that says why; a
refusal is an answer, with a signature.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, FastAPI, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from prometheus_client import generate_latest
from starlette.responses import JSONResponse, Response

from iot_minting.attestor.desk import AttestorDesk
from iot_minting.attestor.errors import MissingEnvelopes, QuotaFull, Unjudged
from iot_minting.attestor.metrics import AttestorMetrics
from iot_minting.attestor.store import AttestorStore
from iot_minting.wire.windows import REQUEST_BYTES_MAX
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from ledger.primitives.hexadecimal import parse_hex
from ledger.primitives.keys import PublicKey
from node.client.queries import MSGPACK
from node.client.views import Json
from node.httpd.places import StreamPlaces
from node.httpd.problems import HANDLERS, PROBLEM, Problem, bad, show

METRICS_MEDIA: Final = "text/plain; version=0.0.4; charset=utf-8"
STREAMS_MAX: Final = 16
"""Bundles that are sent at once."""
REFUSALS_PAGE: Final = 100
REFUSALS_MAX: Final = 1_000
NUMBER_MAX: Final = 2**53

router = APIRouter()

Hex = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="32 bytes in hex.")]
Whole = Annotated[int, Path(ge=0, le=NUMBER_MAX)]

_PROBLEM: Final[dict[str, Any]] = {PROBLEM: {"schema": {"type": "object"}}}
_OTHERWISE: Final[dict[int | str, dict[str, Any]]] = {
    "default": {"description": "A problem (RFC 9457): see its `code`.", "content": _PROBLEM}
}
_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"description": text, "content": _PROBLEM}
    for status, text in (
        (400, "`bad_request`: no canonical request, or more than is looked at."),
        (
            403,
            "`unknown_asker`: not signed by the key that it names. `foreign_asker`: by another "
            "than the line's MMU.",
        ),
        (404, "`unknown_line`: the chain knows no such line."),
        (
            409,
            "`passed_window`: the line has gone on. `missing_envelopes`: named envelopes are not "
            "kept here; `missing` lists [device, boot, seq].",
        ),
        (413, "`body_too_large`."),
        (415, "`unsupported_media_type`."),
        (422, "`wrong_bundle`: not the claim's envelopes. `too_hard`: cut a shorter window."),
        (
            429,
            "`quota_full`: too much of the line, or of its MMU, waits to be minted. Mint one that "
            "was signed, or ask again `retry-after` seconds after the line has gone on.",
        ),
        (
            503,
            "`queue_full`, `caller_busy`, `node_behind`, `store_full`: ask again after "
            "`retry-after` seconds.",
        ),
    )
}
_PACKED_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "A WindowRequest (docs/spec/minting.md, §4.2): height, claim, the MMU's key "
        f"and signature, and each device's envelopes; at most {REQUEST_BYTES_MAX} bytes.",
        "content": {MSGPACK: {"schema": {"type": "string", "format": "binary"}}},
    }
}


def _packed(description: str) -> dict[int | str, dict[str, Any]]:
    content = {MSGPACK: {"schema": {"type": "string", "format": "binary"}}}
    return {200: {"description": description, "content": content}}


def _missing(description: str) -> dict[int | str, dict[str, Any]]:
    return {404: {"description": description, "content": _PROBLEM}, **_OTHERWISE}


@dataclass(frozen=True, slots=True)
class AppParts:
    """What the routes stand on. `problems` tells what is in the way, `warnings` what will be."""

    desk: AttestorDesk
    metrics: AttestorMetrics
    problems: Mapping[str, str]
    warnings: Mapping[str, str] = field(default_factory=dict)
    streams: StreamPlaces = field(default_factory=lambda: StreamPlaces(STREAMS_MAX))

    @property
    def store(self) -> AttestorStore:
        """Give what the desk keeps."""
        return self.desk.store


def _parts(request: Request) -> AppParts:
    found = request.app.state.parts
    assert isinstance(found, AppParts)
    return found


@router.post(
    "/v1/windows",
    responses={**_packed("A WindowAnswer: an attestation or a refusal."), **_PROBLEMS},
    openapi_extra=_PACKED_BODY,
    response_class=Response,
)
async def attest_window(request: Request) -> Response:
    """Judge a window by all its envelopes: an attestation, or a signed refusal."""
    parts = _parts(request)
    try:
        answer = await parts.desk.answer(await _read_body(request))
    except Unjudged as fault:
        parts.metrics.answers.labels(fault.code).inc()
        raise
    return Response(encode(answer), media_type=MSGPACK)


@router.get(
    "/v1/evidence/{root}",
    responses={
        **_packed("An array of envelopes, in the order of the claim's root."),
        **_missing("`unknown_evidence`: nothing is kept under this root."),
    },
    response_class=Response,
)
async def send_evidence(request: Request, root: Hex) -> Response:
    """Send the envelopes of a claim by its `readings_root`."""
    parts, wanted = _parts(request), Hash(parse_hex(root))
    count = parts.store.bundle_count(wanted)
    if not count:
        detail = "nothing is kept under this root"
        raise Problem(HTTPStatus.NOT_FOUND, "unknown_evidence", detail)
    host = request.client.host if request.client else ""
    if not parts.streams.free(host):
        detail = f"{STREAMS_MAX} bundles are being sent already"
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "too_many_streams", detail)
    return StreamingResponse(_bundle(parts, wanted, count, host), media_type=MSGPACK)


async def _bundle(parts: AppParts, root: Hash, count: int, host: str) -> AsyncIterator[bytes]:
    """Write an array of envelopes page by page. Its head says how many will come."""
    held = parts.streams.take(host)
    try:
        yield array_head(count)
        sent = 0
        while page := await asyncio.to_thread(parts.store.bundle_page, root, sent):
            sent += len(page)
            yield b"".join(page)
    finally:
        if held:
            parts.streams.give_back(host)


@router.get(
    "/v1/envelopes/{device}/{boot}/{seq}",
    responses={
        **_packed("An array of envelopes: several if the device signed several."),
        **_missing("`unknown_envelope`: none of this number is kept."),
    },
    response_class=Response,
)
async def send_envelopes(request: Request, device: Hex, boot: Whole, seq: Whole) -> Response:
    """Send what is kept of one number of a device."""
    found = _parts(request).store.numbered(PublicKey(parse_hex(device)), boot, seq)
    if not found:
        detail = "no envelope of this number is kept"
        raise Problem(HTTPStatus.NOT_FOUND, "unknown_envelope", detail)
    return Response(encode(found), media_type=MSGPACK)


@router.get("/v1/refusals", responses=_OTHERWISE)
async def list_refusals(
    request: Request,
    before: Annotated[int, Query(ge=0, le=NUMBER_MAX)] = NUMBER_MAX,
    limit: Annotated[int, Query(ge=1, le=REFUSALS_MAX)] = REFUSALS_PAGE,
) -> dict[str, list[dict[str, str | int]]]:
    """List what was refused, newest first; the next page is `before` the last `number`."""
    return {
        "refusals": [
            {
                "number": number,
                "attestor": refused.attestor.hex(),
                "lot": refused.lot.hex(),
                "height": refused.height,
                "code": refused.code,
                "detail": refused.detail,
                "signature": refused.signature.hex(),
            }
            for number, refused in _parts(request).store.refusals(before, limit)
        ]
    }


@router.get("/healthz")
async def tell_health() -> dict[str, str]:
    """Tell that the process lives."""
    return {"status": "alive"}


@router.get("/readyz", response_class=Response)
async def tell_readiness(request: Request) -> Response:
    """Tell whether a claim would be judged now, and what is in the way."""
    parts = _parts(request)
    found = dict(sorted(parts.problems.items()))
    status = HTTPStatus.SERVICE_UNAVAILABLE if found else HTTPStatus.OK
    said = "not_ready" if found else "ready"
    body = {"status": said, "parts": found, "warnings": dict(sorted(parts.warnings.items()))}
    return JSONResponse(body, status, headers={"cache-control": "no-store"})


@router.get("/metrics", response_class=Response)
async def show_metrics(request: Request) -> Response:
    """Show the metrics to Prometheus."""
    parts = _parts(request)
    parts.desk.measure(ready=not parts.problems)
    return Response(generate_latest(parts.metrics.registry), media_type=METRICS_MEDIA)


def array_head(count: int) -> bytes:
    """Write the head of a MessagePack array, in its shortest form."""
    return msgspec.msgpack.encode([None] * count)[:-count] if count else b"\x90"


def describe_app() -> FastAPI:
    """Make the application without what it stands on: enough for its description."""
    app = FastAPI(
        title="A BillCoin attestor",
        version="v1",
        description="Judges windows of milk by all their envelopes, signs what holds, and keeps "
        "the evidence for whoever doubts it.",
        docs_url=None,
        redoc_url=None,
    )
    for kind, handler in HANDLERS.items():
        app.add_exception_handler(kind, handler)
    app.add_exception_handler(Unjudged, _on_unanswered)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.include_router(router)
    return app


def make_app(parts: AppParts) -> FastAPI:
    """Make the application over its parts."""
    app = describe_app()
    app.state.parts = parts
    return app


async def _read_body(request: Request) -> bytes:
    """Read a body, giving up as soon as it is too large."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if media != MSGPACK or encoding != "identity":
        detail = f"send {MSGPACK}, as it is"
        headers = {"accept": MSGPACK, "accept-encoding": "identity"}
        status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        raise Problem(status, "unsupported_media_type", detail, headers)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > REQUEST_BYTES_MAX:
            detail = f"a body has at most {REQUEST_BYTES_MAX} bytes: cut a shorter window"
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", detail)
    return bytes(body)


async def _on_unanswered(_request: Request, fault: Exception) -> Response:
    assert isinstance(fault, Unjudged)
    more: dict[str, Json] = {}
    if isinstance(fault, MissingEnvelopes):
        more["missing"] = [[device.hex(), boot, seq] for device, boot, seq in fault.missing]
    headers = {"retry-after": str(fault.retry_s)} if isinstance(fault, QuotaFull) else {}
    return show(Problem(fault.status, fault.code, str(fault), headers, more))


async def _on_invalid(_request: Request, fault: Exception) -> Response:
    assert isinstance(fault, RequestValidationError)
    first = fault.errors()[0]
    return show(bad(f"bad_{first['loc'][-1]}", str(first["msg"])))
