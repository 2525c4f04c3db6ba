"""Reading a request: its body within a limit, its kind, its headers, its key."""

import re
from typing import Final

from starlette.requests import Request

from api.auth.keys import Scope
from api.errors import TooLarge, UnsupportedType
from api.service import Service
from api.services.catalogue import Seller

_WAIT: Final = re.compile(r"(?:^|[,;\s])wait=(\d{1,4})(?:$|[,;\s])", re.ASCII)


def service_of(request: Request) -> Service:
    """Give the service behind a request."""
    service = request.app.state.service
    assert isinstance(service, Service), "the app was made with a service"
    return service


async def seller_of(request: Request, scope: Scope) -> Seller:
    """Give whom a request acts for; raise `Unauthorized` or `Forbidden`."""
    authorization = request.headers.get("authorization", "")
    return await service_of(request).authenticate(authorization, scope)


async def read_body(request: Request, limit: int) -> bytes:
    """Read a JSON body of at most `limit` bytes; raise `UnsupportedType` or `TooLarge`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise UnsupportedType(f"this route reads application/json, not {kind[:60] or 'nothing'}")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:12]) > limit:
        raise TooLarge(f"at most {limit} bytes are read here")
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise TooLarge(f"at most {limit} bytes are read here")
        parts.append(part)
    return b"".join(parts)


def wait_asked_s(request: Request, limit_s: int) -> int:
    """Read `Prefer: wait=N` (RFC 7240), cut to the limit; 0 when there is none."""
    match = _WAIT.search(request.headers.get("prefer", ""))
    return 0 if match is None else min(int(match[1]), limit_s)
