"""The middleware that names, dresses and counts every answer, and logs refusals."""

import logging
import re
from collections.abc import Mapping
from typing import Final

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from ulid import ULID

from api.errors import ApiFault
from api.http.problems import problem
from api.http.unlogged import holds_code
from api.metrics import Metrics
from node.capped_log import CappedLog
from node.client.tracing import TRACEPARENT

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
_STRICT: Final = {"Strict-Transport-Security": "max-age=31536000"}
"""Whoever has come by https comes by nothing else for a year (RFC 6797)."""

CLIENT_LEFT: Final = 499
"""What is counted for a request whose client went away before it was read (as nginx has it)."""
CUT_OFF: Final = "cut_off"
"""What is counted beside the status of an answer that broke off in the middle."""
UNMATCHED: Final = "unmatched"
"""What a log calls a path that leads nowhere."""
_TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?P<trace>(?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}",
    re.ASCII,
)
"""W3C Trace Context: a caller's trace, under which our lines are found as well."""


class Dress:
    """Names each request, dresses each answer in safe headers, counts it, and logs refusals.

    It stands outside of everything that can fail, so that a bug's answer is dressed, named and
    counted as well. All that is logged under a request bears its id; a flood of refusals is logged
    in part, and counted whole.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, *, https: bool) -> None:
        self._app = app
        self._metrics = metrics
        self._headers = {**_HEADERS, **(_STRICT if https else {})}
        self._log = CappedLog(structlog.get_logger("http"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _given_id(scope) or f"req_{ULID()}"
        scope.setdefault("state", {})["request_id"] = request_id
        answer = _Dressed(send, request_id, self._metrics, self._headers)
        trace = _given_trace(scope)
        TRACEPARENT.set("" if trace is None else trace[0])  # Of this request's task alone.
        named = {"http.request.id": request_id}
        if trace is not None:
            named["trace.id"] = trace["trace"]
        with structlog.contextvars.bound_contextvars(**named):
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

    def __init__(
        self, send: Send, request_id: str, metrics: Metrics, headers: Mapping[str, str]
    ) -> None:
        self._send, self._headers = send, headers
        self._request_id = request_id
        self._metrics = metrics
        self.status = 0

    async def send(self, message: Message) -> None:
        """Send a part of the answer on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self._request_id
            for name, value in self._headers.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
            self._metrics.responses.labels(str(self.status)).inc()
        await self._send(message)


def _named(scope: Scope, status: int) -> dict[str, object]:
    """Give what a log line says of a request, by the names of Elastic's common schema.

    The route stands for the path: what a caller puts into it may be an account, a coupon's code or
    anything else that belongs in no log.
    """
    state = scope["state"]
    told = {"event.code": state.get("code"), "error.message": state.get("fault")}
    return {
        "http.request.method": scope["method"],
        "http.route": state.get("route", UNMATCHED),
        "http.response.status_code": status,
        **{name: value for name, value in told.items() if value},
    }


def _given_trace(scope: Scope) -> re.Match[str] | None:
    """Take a caller's trace, if it is written as the standard says."""
    for name, value in scope["headers"]:
        if name == b"traceparent" and (found := _TRACEPARENT.fullmatch(value.decode("latin-1"))):
            return found
    return None


def _given_id(scope: Scope) -> str:
    """Take a caller's own request id, if it is one that is safe in a log."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            text = value.decode("latin-1")
            return text if _REQUEST_ID.fullmatch(text) and not holds_code(text) else ""
    return ""
