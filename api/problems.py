"""Faults as RFC 9457 problems, and the middleware that names and dresses every answer.

The title is in English or Malay by `Accept-Language`; `code` is for programs and never changes;
`requestId` finds the request in the logs.
"""

import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from ulid import ULID

from api.db.faults import DATABASE_FAULTS, describe, is_for_the_operator, is_passing
from api.errors import ApiFault, MalformedRequest, Pointer, Unavailable
from api.methods import allowed_methods
from api.metrics import Metrics
from api.routes.headers import speaks_malay
from node.capped_log import CappedLog

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


def json_response(
    body: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with JSON."""
    return Response(msgspec.json.encode(body), status, headers, "application/json")


def problem(
    request: Request, fault: ApiFault, extra: Mapping[str, object] | None = None
) -> Response:
    """Answer with a problem; `extra` members stand beside its own."""
    malay = speaks_malay(request.headers.getlist("accept-language"))
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
    request.scope.setdefault("state", {})["code"] = fault.code
    headers = {"Content-Language": "ms" if malay else "en", "Vary": "Accept-Language"}
    headers.update(fault.headers)
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
    if fault.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        answer.headers["Allow"] = allowed_methods(request)  # Of all routes there, not of the first.
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
        raise fault  # A statement of ours that is wrong: a bug like any other.
    away = Unavailable("try again", code="DATABASE_UNAVAILABLE", retry_after_s=1)
    answer = problem(request, away)
    request.scope["state"]["fault"] = describe(fault)
    return answer


def add_handlers(app: FastAPI) -> None:
    """Let every fault leave the app as a problem; bugs leave it as they are, for `Dress`."""
    app.add_exception_handler(ApiFault, _api_fault)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(RequestValidationError, _invalid)
    for kind in DATABASE_FAULTS:
        app.add_exception_handler(kind, _database_fault)


_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}


CLIENT_LEFT: Final = 499
"""What is counted for a request whose client went away before it was read (as nginx has it)."""
CUT_OFF: Final = "cut_off"
"""What is counted beside the status of an answer that broke off in the middle."""
PATH_CHARS_MAX: Final = 200


class Dress:
    """Names each request, dresses each answer in safe headers, counts it, and logs refusals.

    It stands outside of everything that can fail, so that a bug's answer is dressed, named and
    counted as well. All that is logged under a request bears its id; a flood of refusals is logged
    in part, and counted whole.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._log = CappedLog(structlog.get_logger("http"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _given_id(scope) or f"req_{ULID()}"
        scope.setdefault("state", {})["request_id"] = request_id
        answer = _Dressed(send, request_id, self._metrics)
        with structlog.contextvars.bound_contextvars(**{"http.request.id": request_id}):
            try:
                await self._app(scope, receive, answer.send)
            except ClientDisconnect:
                self._metrics.responses.labels(str(CLIENT_LEFT)).inc()
                self._log.log(logging.INFO, "client left", **_named(scope, CLIENT_LEFT))
            except Exception as bug:  # Whatever it is: the caller gets its id, and we the trace.
                self._log.log(logging.ERROR, "bug", exc_info=bug, **_named(scope, 500))
                if answer.status:
                    self._metrics.responses.labels(CUT_OFF).inc()
                    return
                told = ApiFault("the request is in our logs under its requestId")
                await problem(Request(scope), told)(scope, receive, answer.send)
            else:
                if answer.status >= 400:
                    level = logging.WARNING if answer.status >= 500 else logging.INFO
                    self._log.log(level, "refused", answer.status, **_named(scope, answer.status))


class _Dressed:
    """The way back of one request; `status` is 0 until the answer has begun."""

    def __init__(self, send: Send, request_id: str, metrics: Metrics) -> None:
        self._send = send
        self._request_id = request_id
        self._metrics = metrics
        self.status = 0

    async def send(self, message: Message) -> None:
        """Send a part of the answer on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self._request_id
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
            self._metrics.responses.labels(str(self.status)).inc()
        await self._send(message)


def _named(scope: Scope, status: int) -> dict[str, object]:
    """Give what a log line says of a request, by the names of Elastic's common schema."""
    state = scope["state"]
    told = {"event.code": state.get("code"), "error.message": state.get("fault")}
    return {
        "http.request.method": scope["method"],
        "url.path": scope["path"][:PATH_CHARS_MAX],
        "http.response.status_code": status,
        **{name: value for name, value in told.items() if value},
    }


def _given_id(scope: Scope) -> str:
    """Take a caller's own request id, if it is one that is safe in a log."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            text = value.decode("latin-1")
            return text if _REQUEST_ID.fullmatch(text) else ""
    return ""
