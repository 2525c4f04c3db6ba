"""What an HTTP client is told when its request can't be served: problem+json (RFC 9457).

Every answer of this kind bears a stable `code`. 4xx: do not repeat the request. 503: try again
(`retry-after`), and after a POST see `taken`: what was not answered may have been carried out.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import HTTPExceptionHandler

from node.client.errors import BadParameter, NodeUnavailable
from node.client.views import Json

PROBLEM: Final = "application/problem+json"


class Problem(Exception):
    """A request that can't be served."""

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Json] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.headers, self.more = headers or {}, more or {}


def bad(code: str, detail: str) -> Problem:
    """Make the problem of a request that is wrong."""
    return Problem(HTTPStatus.BAD_REQUEST, code, detail)


def show(problem: Problem) -> Response:
    """Write a problem as an answer."""
    status = problem.status
    body = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "code": problem.code,
        "detail": problem.detail,
        **problem.more,
    }
    headers = dict(problem.headers)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["retry-after"] = "1"
    return Response(msgspec.json.encode(body), status, headers, PROBLEM)


async def _on_problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return show(error)


async def _on_parameter(_request: Request, error: Exception) -> Response:
    assert isinstance(error, BadParameter)
    return show(bad(f"bad_{error.name}", str(error)))


async def _on_unavailable(_request: Request, error: Exception) -> Response:
    return show(Problem(HTTPStatus.SERVICE_UNAVAILABLE, "node_unavailable", str(error)))


async def _on_http(_request: Request, error: Exception) -> Response:
    """Show what the router refused, with its headers: `Allow` among them."""
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    headers = {
        name.lower(): ", ".join(sorted(value.split(", "))) if name.lower() == "allow" else value
        for name, value in (error.headers or {}).items()
    }
    return show(Problem(status, status.name.lower(), error.detail, headers))


async def _on_disconnect(_request: Request, _error: Exception) -> Response:
    """Take leave of a client that left in the middle of its body: no news, and nobody reads it."""
    return Response(status_code=HTTPStatus.BAD_REQUEST)


async def _on_bug(_request: Request, _error: Exception) -> Response:
    """Own up to a bug. Starlette raises it on, and the server logs it with its place."""
    detail = "the request met a bug here: it is in the log of the server"
    return show(Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", detail))


HANDLERS: Final[dict[type[Exception], HTTPExceptionHandler]] = {
    Problem: _on_problem,
    BadParameter: _on_parameter,
    NodeUnavailable: _on_unavailable,
    HTTPException: _on_http,
    ClientDisconnect: _on_disconnect,
    Exception: _on_bug,
}
