"""Faults as RFC 9457 problems, and the middleware that names and dresses every answer.

The title is in English or Malay by `Accept-Language`; `code` is for programs and never changes;
`requestId` finds the request in the logs.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from ulid import ULID

from api.db.faults import DATABASE_FAULTS, describe, is_for_the_operator, is_passing
from api.errors import ApiFault, MalformedRequest, Pointer, Unavailable
from api.metrics import Metrics

PROBLEM: Final = "application/problem+json"
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)

TITLES_MS: Final = {
    400: "Permintaan tidak sah",
    401: "Kunci API yang sah diperlukan",
    403: "Kunci ini tidak dibenarkan berbuat demikian",
    404: "Tiada sumber sedemikian",
    405: "Kaedah ini tidak dibenarkan",
    409: "Keadaan sumber tidak membenarkannya",
    413: "Kandungan terlalu besar",
    415: "Kandungan mestilah application/json",
    422: "Permintaan tidak dapat diterima",
    429: "Terlalu banyak permintaan",
    500: "Ralat berlaku di pihak kami",
    503: "Lejar tidak dapat dibaca buat masa ini",
}

log = structlog.get_logger("http")


def json_response(
    body: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with JSON."""
    return Response(msgspec.json.encode(body), status, headers, "application/json")


def problem(
    request: Request, fault: ApiFault, extra: Mapping[str, object] | None = None
) -> Response:
    """Answer with a problem; `extra` members stand beside its own."""
    language = request.headers.get("accept-language", "")
    malay = language.lower().startswith("ms")
    body: dict[str, object] = {
        "type": f"https://billcoin.example/problems/{fault.code.lower().replace('_', '-')}",
        "title": TITLES_MS.get(fault.status, fault.title) if malay else fault.title,
        "status": fault.status,
        "detail": fault.detail,
        "code": fault.code,
        "requestId": request.scope.get("state", {}).get("request_id", ""),
        **(extra or {}),
    }
    if fault.errors:
        body["errors"] = [{"pointer": e.pointer, "code": e.code} for e in fault.errors]
    headers = {"Content-Language": "ms" if malay else "en"}
    if fault.retry_after_s is not None:
        headers["Retry-After"] = str(fault.retry_after_s)
    if fault.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="billcoin"'
    return Response(msgspec.json.encode(body), fault.status, headers, PROBLEM)


class _Spoken(ApiFault):
    """A refusal of the framework, in our words."""

    def __init__(self, status: int, code: str, title: str, detail: str) -> None:
        super().__init__(detail, code=code)
        self.status = status  # type: ignore[misc]  # one class for the framework's few
        self.title = title  # type: ignore[misc]


def _api_fault(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, ApiFault)
    return problem(request, fault)


def _http_exception(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, HTTPException)
    code = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}.get(fault.status_code, "HTTP_ERROR")
    spoken = _Spoken(fault.status_code, code, fault.detail, f"{request.method} {request.url.path}")
    answer = problem(request, spoken)
    answer.headers.update(fault.headers or {})
    return answer


def _invalid(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, RequestValidationError)
    pointers = tuple(
        Pointer("/" + "/".join(str(part) for part in error["loc"]), str(error["type"]).upper())
        for error in fault.errors()
    )
    return problem(request, MalformedRequest("a parameter can't be used", errors=pointers))


def _database_fault(request: Request, fault: Exception) -> Response:
    if not (is_passing(fault) or is_for_the_operator(fault)):
        return _internal(request, fault)
    log.error("database fault", fault=describe(fault))
    away = Unavailable("try again", code="DATABASE_UNAVAILABLE", retry_after_s=1)
    return problem(request, away)


def _internal(request: Request, fault: Exception) -> Response:
    log.error("bug", exc_info=fault, path=request.url.path)
    return problem(request, ApiFault("the request is in our logs under its requestId"))


def add_handlers(app: FastAPI) -> None:
    """Let every fault leave the app as a problem."""
    app.add_exception_handler(ApiFault, _api_fault)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(RequestValidationError, _invalid)
    for kind in DATABASE_FAULTS:
        app.add_exception_handler(kind, _database_fault)
    app.add_exception_handler(Exception, _internal)


_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}


class Dress:
    """Names each request, dresses each answer in safe headers, and counts it."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _given_id(scope) or f"req_{ULID()}"
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
                self._metrics.responses.labels(str(message["status"])).inc()
            await send(message)

        await self._app(scope, receive, send_dressed)


def _given_id(scope: Scope) -> str:
    """Take a caller's own request id, if it is one that is safe in a log."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            text = value.decode("latin-1")
            return text if _REQUEST_ID.fullmatch(text) else ""
    return ""
