"""Faults as RFC 9457 problems.

The title is in English or Malay by `Accept-Language`; `code` is for programs and never changes;
`type` leads to what the code means and how to mend it; `requestId` finds the request in the logs.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from api.db.faults import DATABASE_FAULTS, describe, is_for_the_operator, is_passing
from api.errors import ApiFault, NotFound, Unavailable
from api.http.catalogue import title_of
from api.http.headers import speaks_malay

PROBLEM: Final = "application/problem+json"


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
    scope = request.scope
    body: dict[str, object] = {
        "type": f"{scope['app'].state.public_url}/errors/{fault.code}",
        "title": title_of(fault.code, malay=malay),
        "status": fault.status,
        "detail": fault.detail,
        "code": fault.code,
        "requestId": scope.get("state", {}).get("request_id", ""),
        **(extra or {}),
    }
    if fault.errors:
        body["errors"] = [{"pointer": e.pointer, "code": e.code} for e in fault.errors]
    scope.setdefault("state", {})["code"] = fault.code
    headers = {"Content-Language": "ms" if malay else "en", "Vary": "Accept-Language"}
    headers.update(fault.headers)
    if fault.retry_after_s is not None:
        headers["Retry-After"] = str(fault.retry_after_s)
    return Response(msgspec.json.encode(body), fault.status, headers, PROBLEM)


class MethodNotAllowed(ApiFault):
    """A method that the path doesn't take."""

    status, default_code = 405, "METHOD_NOT_ALLOWED"


def _http_exception(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, HTTPException)
    asked = f"{request.method} {request.url.path}"
    not_allowed = fault.status_code == HTTPStatus.METHOD_NOT_ALLOWED
    answer = problem(request, MethodNotAllowed(asked) if not_allowed else NotFound(asked))
    answer.headers.update(fault.headers or {})
    return answer


def _database_fault(request: Request, fault: Exception) -> Response:
    if not (is_passing(fault) or is_for_the_operator(fault)):
        raise fault  # A statement of ours that is wrong: a bug like any other.
    away = Unavailable("try again", code="DATABASE_UNAVAILABLE", retry_after_s=1)
    answer = problem(request, away)
    request.scope["state"]["fault"] = describe(fault)
    return answer


def add_handlers(app: FastAPI) -> None:
    """Let every fault leave the app as a problem; bugs leave it as they are, for `Dress`."""
    app.add_exception_handler(HTTPException, _http_exception)
    for kind in DATABASE_FAULTS:
        app.add_exception_handler(kind, _database_fault)
